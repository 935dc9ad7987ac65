"""The window as a process: no port, one instance, gone when closed, and words in the terminal where there is no web view."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.e2e import statuses
from tests.e2e.desktop import Desktop, desktop
from tests.e2e.program import TRAY, started_itself
from tests.e2e.test_wrapper_terminal import Terminal
from tests.e2e.webdriver import driven, end_tree, gone
from tests.waiting import wait_for
from tray.core import paths
from tray.core.paths import Places

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desktop]:
    """A screen without a panel."""
    with desktop(tmp_path_factory.mktemp("desk") / "d", "none") as made:
        yield made


class Opened:
    """A window that was started as a person starts it."""

    def __init__(self, desk: Desktop, folder: Path) -> None:
        self.desk = desk
        self.times = folder / "times"
        self.env = desk.env | {key: os.environ[key] for key in (paths.HOME_VARIABLE, "PYTHONPATH")}
        self.env["BACKUP_TRAY_WINDOW_TIMES"] = str(self.times)
        self.process = self.start("window")
        wait_for(lambda: self.times.exists() and self.times.read_text(), what="the page to be shown")

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start a command of ours on this desktop."""
        return subprocess.Popen([*TRAY, *arguments], env=self.env, stderr=subprocess.PIPE, stdout=subprocess.PIPE)

    def tree(self) -> list[psutil.Process]:
        """The window's processes: ours and those of the web view, without the tracker, which outlives the window."""
        process = psutil.Process(self.process.pid)
        return [
            process,
            *(child for child in process.children(recursive=True) if not started_itself(child.cmdline(), "tracker")),
        ]

    def id(self) -> str:
        """The X server's id of our window."""
        search = [
            "xdotool",
            "search",
            "--all",
            "--onlyvisible",
            "--pid",
            str(self.process.pid),
            "--name",
            "^Backup Status$",
        ]
        return wait_for(lambda: self._ask(*search), what="the window on the screen").split()[0]

    def active(self) -> str:
        """The window that has the focus."""
        return self._ask("xdotool", "getactivewindow").strip()

    def _ask(self, *argv: str) -> str:
        return subprocess.run(argv, env=self.env, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture
def opened(desk: Desktop, tmp_path: Path, places: Places) -> Iterator[Opened]:
    """An open window; the fixture ends its processes and the tracker that it started."""
    made = Opened(desk, tmp_path)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            end_tree(made.process.pid)
        made.process.communicate(timeout=60)
        for process in psutil.process_iter(["cmdline"]):
            if started_itself(process.info["cmdline"], "tracker") and _ours(process, places):
                process.terminate()


def _ours(process: psutil.Process, places: Places) -> bool:
    try:
        return process.environ().get(paths.HOME_VARIABLE) == str(places.state.parent)
    except psutil.Error:
        return False


def test_no_port_is_opened(opened: Opened) -> None:
    """The window listens on no TCP or UDP port, so neither other users nor the network can reach it."""
    ports = [connection for process in opened.tree() for connection in process.net_connections("inet")]
    assert ports == []
    names = [process.name() for process in opened.tree()]
    assert any("WebKit" in name for name in names), "the web view's processes were looked at too"


def test_the_socket_is_the_users_alone(opened: Opened, places: Places) -> None:
    """Another user can neither reach the folder nor the socket."""
    assert (places.runtime.stat().st_mode & 0o777, (places.runtime / "window.sock").stat().st_mode & 0o777) == (
        0o700,
        0o600,
    )


def test_a_closed_window_is_a_gone_process(opened: Opened, places: Places) -> None:
    """Closing leaves nothing behind: no process, no child, no socket; and the exit code is 0."""
    pids = [process.pid for process in opened.tree()]
    argv = ["xdotool", "windowactivate", "--sync", opened.id(), "key", "alt+F4"]
    subprocess.run(argv, env=opened.env, check=True, timeout=60)
    assert opened.process.wait(60) == 0
    wait_for(gone(pids), what="every process to end")
    assert not (places.runtime / "window.sock").exists()
    output, errors = opened.process.communicate(timeout=60)
    assert (output, errors) == (b"", b"")


def test_a_terminated_window_lets_the_next_one_open(opened: Opened, tmp_path: Path) -> None:
    """After kill -9 the stale socket and lock do not block the next window."""
    pids = [process.pid for process in opened.tree()]
    opened.process.kill()
    opened.process.wait(60)
    wait_for(gone(pids), what="the web view to end with its window")
    opened.times.unlink()
    again = opened.start("window", "history")
    try:
        wait_for(lambda: opened.times.exists() and opened.times.read_text(), what="the page to be shown")
    finally:
        end_tree(again.pid)
        again.communicate(timeout=60)


def test_a_second_window_raises_the_first(opened: Opened) -> None:
    """Starting it again brings the open window to the front, even from the task bar, and ends at once with 0."""
    window = opened.id()
    subprocess.run(["xdotool", "windowminimize", window], env=opened.env, check=True, timeout=60)
    wait_for(lambda: opened.active() != window, what="the window to be minimized")
    second = opened.start("window", "history")
    assert second.wait(60) == 0
    assert second.communicate() == (b"", b"")
    wait_for(lambda: opened.active() == window, what="the window to come to the front")
    assert opened.process.poll() is None


def test_a_second_start_chooses_the_page(desk: Desktop, tmp_path: Path) -> None:
    """The tray's menu opens the report although the window stands at the dashboard."""
    env = desk.env | {key: os.environ[key] for key in (paths.HOME_VARIABLE, "PYTHONPATH")}
    with driven(tmp_path / "w", env, statuses.empty()) as window:
        window.wait("h1", "No backups performed")
        assert subprocess.run([*TRAY, "window", "audit"], env=env, timeout=60).returncode == 0
        window.wait("h1", "The audit log begins with the first backup")


def test_an_interrupted_window_ends(opened: Opened) -> None:
    """SIGTERM, as at the end of a session, ends it without a word."""
    pids = [process.pid for process in opened.tree()]
    opened.process.send_signal(signal.SIGTERM)
    opened.process.wait(60)
    wait_for(gone(pids), what="every process to end")
    assert b"Traceback" not in opened.process.communicate(timeout=60)[1]


def test_without_a_screen_the_terminal_gets_the_report() -> None:
    """Over ssh the command prints the same status, an exit code for "no window", and an error with the next step."""
    env = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    done = subprocess.run([*TRAY, "window"], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "No backups performed" in done.stdout
    assert "There is no screen" in done.stderr
    assert "backup-tray status" in done.stderr
    assert "Traceback" not in done.stderr
    subprocess.run(
        [*TRAY, "run", "--job", "home", "--", "sh", "-c", "echo said so >&2"], check=True, stderr=subprocess.DEVNULL
    )
    for page, words in (("report", "Audit entry"), ("log", "err said so"), ("history", "home: succeeded")):
        done = subprocess.run([*TRAY, "window", page], env=env, capture_output=True, text=True, timeout=60)
        assert (done.returncode, words in done.stdout) == (2, True)


def test_without_a_web_view_the_remedy_is_named(desk: Desktop, tmp_path: Path) -> None:
    """Where GTK's WebKit is missing the person reads which packages bring it."""
    hiding = tmp_path / "hiding"
    (hiding / "gi").mkdir(parents=True)
    (hiding / "gi" / "__init__.py").write_text("raise ImportError('no module named gi')\n")
    env = desk.env | {key: os.environ[key] for key in (paths.HOME_VARIABLE,)}
    env["PYTHONPATH"] = f"{hiding}:{os.environ['PYTHONPATH']}"
    done = subprocess.run([*TRAY, "window"], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "No backups performed" in done.stdout
    assert "apt install python3-gi gir1.2-gtk-3.0 gir1.2-webkit2-4.1" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_page_is_refused_with_the_list_of_pages() -> None:
    """A slip in the name of a page opens nothing and says which pages there are."""
    done = subprocess.run([*TRAY, "window", "../../etc/passwd"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 64
    assert "dashboard, history, audit" in done.stderr


def test_the_window_needs_no_cryptography_to_open() -> None:
    """Import costs start-up: the modules of the window bring no cryptography, event loop or PDF library, and no icon."""
    heavy = ("cryptography", "asyncio", "ssl", "reportlab", "PIL", "pystray", "tray.icon")
    code = f"import sys, tray.window.app; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_a_window_from_a_terminal_gives_the_terminal_back(desk: Desktop, tmp_path: Path, places: Places) -> None:
    """The prompt comes again as soon as the window is shown, and closing the terminal does not close the window."""
    times = tmp_path / "times"
    environ = desk.env | {key: os.environ[key] for key in (paths.HOME_VARIABLE, "PYTHONPATH")}
    terminal = Terminal(*TRAY, "window", "history", **environ, BACKUP_TRAY_WINDOW_TIMES=str(times))
    assert terminal.wait(60) == 0
    assert terminal.seen == b""
    terminal.close()
    assert times.read_text(), "it was shown before the terminal was free"
    (window,) = (
        child
        for child in psutil.process_iter(["cmdline"])
        if started_itself(child.info["cmdline"], "window") and _ours(child, places)
    )
    try:
        assert window.status() != psutil.STATUS_ZOMBIE
    finally:
        end_tree(window.pid)
        for process in psutil.process_iter(["cmdline"]):
            if started_itself(process.info["cmdline"], "tracker") and _ours(process, places):
                process.terminate()


def test_in_a_terminal_without_a_screen_the_words_come_instead(monkeypatch: pytest.MonkeyPatch, places: Places) -> None:
    """The terminal shows the status that the window would show, and why there is no window."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    terminal = Terminal(*TRAY, "window")
    assert terminal.wait(60) == 2
    terminal.close()
    assert b"No backups performed" in terminal.seen
    assert b"There is no screen" in terminal.seen
