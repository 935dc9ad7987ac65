"""Which web view, whether it can work, and what a person reads where none can."""

import importlib
import importlib.util
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.unit.takeover.machines import machine
from tray.cli import window as command
from tray.core import paths
from tray.core.errors import BackupTrayError, NoWebViewError, WebViewUnsafeError, surfaces
from tray.core.paths import Places
from tray.takeover import discover
from tray.window import app, toolkit


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that says it has a screen."""
    monkeypatch.setenv("DISPLAY", ":99999")
    for name in toolkit._LEAN:
        monkeypatch.delenv(name, raising=False)


def gi(monkeypatch: pytest.MonkeyPatch, *, versions: tuple[str, ...] = ("4.1",), ready: object = (True, [])) -> None:
    """Put a stand-in for GObject introspection in its place."""

    def require(name: str, version: str) -> None:
        if name == "WebKit2" and version not in versions:
            raise ValueError(f"Namespace {name} not available for version {version}")

    made: dict[str, Any] = {
        "gi": SimpleNamespace(require_version=require),
        "gi.repository.Gtk": SimpleNamespace(init_check=lambda: ready),
    }
    real = importlib.import_module
    monkeypatch.setattr(importlib, "import_module", lambda name: made.get(name) or real(name))


def test_gtk_is_taken_where_it_works(screen: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Linux the window is GTK's WebKit, which paints without the graphics card."""
    gi(monkeypatch)
    assert toolkit.choose() == "gtk"
    assert os.environ["WEBKIT_DISABLE_COMPOSITING_MODE"] == "1"


def test_what_the_user_set_stays(screen: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who needs the graphics card sets the variable."""
    gi(monkeypatch)
    monkeypatch.setenv("WEBKIT_DISABLE_COMPOSITING_MODE", "0")
    toolkit.choose()
    assert os.environ["WEBKIT_DISABLE_COMPOSITING_MODE"] == "0"


def test_the_older_webkit_will_do(screen: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Systems that have 4.0 only get a window too."""
    gi(monkeypatch, versions=("4.0",))
    assert toolkit.choose() == "gtk"


@pytest.mark.parametrize("installed", [True, False])
def test_qt_is_taken_where_only_that_is_installed(
    screen: None, monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    """Without GTK's WebKit Qt will do; without both the error names the packages."""
    gi(monkeypatch, versions=())
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object() if installed else None)
    monkeypatch.setattr(surfaces, "sees_system_packages", lambda: True)
    if installed:
        assert toolkit.choose() == "qt"
        return
    with pytest.raises(NoWebViewError) as caught:
        toolkit.choose()
    assert "gir1.2-webkit2-4.1" in caught.value.next


@pytest.mark.parametrize("ready", [(False, []), False])
def test_a_screen_that_cannot_be_opened_is_named(screen: None, monkeypatch: pytest.MonkeyPatch, ready: object) -> None:
    """A DISPLAY that is gone, as in an old terminal, is the cause that is said."""
    gi(monkeypatch, ready=ready)
    with pytest.raises(NoWebViewError, match="terminal") as caught:
        toolkit.choose()
    assert ":99999" in caught.value.why


def test_without_a_screen_there_is_no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over ssh nothing is tried that cannot work."""
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(NoWebViewError) as caught:
        toolkit.choose()
    assert "backup-tray status" in caught.value.next


def test_pywebview_is_quiet() -> None:
    """Its log would put tracebacks on the terminal."""
    toolkit.pywebview()
    logger = logging.getLogger("pywebview")
    assert [type(handler) for handler in logger.handlers] == [logging.NullHandler]
    assert not logger.propagate


def test_without_pywebview_the_command_that_brings_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing package is no traceback."""
    monkeypatch.setitem(sys.modules, "webview", None)
    with pytest.raises(NoWebViewError) as caught:
        toolkit.pywebview()
    assert "pip install pywebview" in caught.value.next


class Source:
    """Never asked."""

    def follow(self, _stop: object) -> list[object]:
        """Yield nothing."""
        return []

    def close(self) -> None:
        """Nothing to close."""


def made(places: Places, gui: ModuleType) -> app.Window:
    """A window that waits for pywebview to name its renderer."""
    window = app.Window(places, "dashboard", Source())  # type: ignore[arg-type] # never asked
    window._toolkit = "gtk"
    window._window = SimpleNamespace(gui=gui)
    return window


def test_another_renderer_than_the_one_we_chose_is_refused(places: Places) -> None:
    """pywebview falls back without a word; we do not."""
    window = made(places, ModuleType("platform"))
    assert window._guard("mshtml") is False
    assert isinstance(window._error, NoWebViewError)


def test_a_pywebview_without_the_door_is_refused(places: Places) -> None:
    """Where we cannot guard the door no page is shown."""
    window = made(places, ModuleType("platform"))
    assert window._guard("gtkwebkit2") is False
    assert isinstance(window._error, WebViewUnsafeError)


def test_a_page_that_cannot_be_locked_is_not_shown(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the web view cannot be kept on our document, the window closes, and the error is said."""
    closed: list[str] = []
    window = made(places, ModuleType("platform"))
    window._window.uid = "master"
    window._window.gui.destroy_window = closed.append

    def fails(*_: object) -> None:
        raise AttributeError("no web view")

    monkeypatch.setattr(toolkit, "lock_page", fails)
    window._lock()
    assert closed == ["master"]
    assert isinstance(window._error, AttributeError)


def test_the_right_renderer_gets_its_gate(places: Places) -> None:
    """Before the page is loaded the door is ours."""
    gui = ModuleType("platform")
    gui.js_bridge_call = lambda *_: None  # type: ignore[attr-defined]
    window = made(places, gui)
    assert window._guard("gtkwebkit2") is True
    assert type(gui.js_bridge_call).__name__ == "Gate"  # type: ignore[attr-defined]


@pytest.mark.parametrize("trial", [False, True])
def test_the_trials_window_says_what_it_is(places: Places, trial: bool) -> None:
    """The title, as in a list of windows, and the page say it, so the user does not take it for the state of real backups."""
    home = paths.private(Path(os.environ[paths.HOME_VARIABLE]))
    if trial:
        (home / paths.TRIAL_MARK).touch()
    shown: list[tuple[str, str]] = []

    class Event:
        def __iadd__(self, _: object) -> "Event":
            return self

    def create_window(title: str, *, html: str, **_: object) -> SimpleNamespace:
        shown.append((title, html))
        return SimpleNamespace(events=SimpleNamespace(initialized=Event(), before_show=Event(), loaded=Event()))

    window = app.Window(places, "dashboard", Source())  # type: ignore[arg-type] # never asked
    window._toolkit = "qt"
    window._create(SimpleNamespace(create_window=create_window))  # type: ignore[arg-type] # all that it needs of it
    ((title, html),) = shown
    assert title == ("Backup Status (trial)" if trial else "Backup Status")
    assert f'"trial":{str(trial).lower()}' in html


VENV = [sys.executable, "-m", "venv", "--without-pip"]


@pytest.mark.process
@pytest.mark.parametrize("sees", [False, True])
def test_in_a_virtual_environment_the_hint_names_what_helps_there(tmp_path: Path, sees: bool) -> None:
    """Debian's packages are no help to a Python that does not look at them: then Qt from pip, or the installer, is named."""
    subprocess.run([*VENV, *["--system-site-packages"][:sees], tmp_path / "venv"], check=True)
    python = str(tmp_path / "venv/bin/python")
    code = (
        "import sys; sys.modules['gi'] = None\n"
        "from tray.core.errors import NoWebViewError; from tray.window import toolkit\n"
        "try: toolkit.choose()\nexcept NoWebViewError as error: print(error.next)\n"
        "from tray.doctor import desktop; print(desktop._remedy())"
    )
    environ = {**os.environ, "DISPLAY": ":99999", "PYTHONPATH": str(Path(app.__file__).parents[2])}
    told, of_doctor = subprocess.check_output([python, "-c", code], env=environ, text=True).splitlines()
    sees = sees and sys.base_prefix == "/usr"  # a Python from elsewhere sees nothing of the system's
    for words in (told, of_doctor):
        assert ("apt install python3-gi" in words) == sees
        assert (f"{python} -m pip install 'pywebview[pyqt6]" in words) != sees
        assert ("installers/linux/install.sh" in words) != sees


@pytest.mark.parametrize(("page", "words"), [("report", "No backups performed"), ("import", "restic-x: restic")])
def test_without_a_web_view_the_content_of_the_page_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, page: str, words: str
) -> None:
    """The same stands in the terminal, and the caller learns that no window came."""
    here = machine(tmp_path / "machine", "15 2 * * * restic -r /b backup /x\n")
    monkeypatch.setattr(discover, "this_machine", lambda: here)

    def fails(*_: object) -> None:
        raise NoWebViewError("It is not there.")

    monkeypatch.setattr(app, "open_window", fails)
    with pytest.raises(NoWebViewError) as caught:
        command.WINDOW.run(SimpleNamespace(page=page))  # type: ignore[arg-type] # all that it reads
    assert words in capsys.readouterr().out
    assert caught.value.exit_code != 0


@pytest.mark.parametrize("open_window", [lambda *_: None, None])
def test_the_process_ends_whatever_threads_are_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], open_window: Callable[..., None] | None
) -> None:
    """A closed window is a gone process, and an error still has its words and its exit code."""

    def fails(*_: object) -> None:
        raise BackupTrayError("It broke.", next="Mend it.")

    codes: list[int] = []
    monkeypatch.setattr(app, "open_window", open_window or fails)
    monkeypatch.setattr(app, "leave", codes.append)
    command.WINDOW.run(SimpleNamespace(page="dashboard"))  # type: ignore[arg-type] # all that it reads
    assert codes[0] == (0 if open_window else 2)
    assert ("Mend it." in capsys.readouterr().err) is (open_window is None)


def test_what_goes_wrong_inside_is_written_down(places: Places) -> None:
    """A failure in a thread is in the log file, which is private, and not on the terminal."""
    import threading

    before = threading.excepthook
    try:
        app.note_failures(places)
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join(5)
        file = places.log / "window.log"
        assert "ZeroDivisionError" in file.read_text()
        assert file.stat().st_mode & 0o777 == 0o600
    finally:
        threading.excepthook = before
        logger = logging.getLogger("tray.window")
        logger.handlers[:], logger.propagate = [], True
