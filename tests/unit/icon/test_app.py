"""The tray process around icon and status, with a fake icon and a fake source."""

import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.audit.help import filled
from tests.unit.wording.test_audit import BREACH
from tests.unit.wording.test_wording import NOW, RUN, ended, settled
from tests.waiting import wait_for
from tray import wording
from tray.core import clock, ourselves
from tray.core.dataclass import replace
from tray.core.errors import BackupTrayError, NoTrayError
from tray.core.locks import FileLock
from tray.core.model import Control, JobHistory, JobStatus, Outcome, State, Status
from tray.core.model.judge import judge
from tray.core.paths import Places, private
from tray.core.started import Started
from tray.icon import app, launch, menu, xembed
from tray.icon.render import Look


class FakeIcon:
    """Remembers what it was told, and runs its setup like pystray: in a thread of its own."""

    def __init__(self, menu: Any = None) -> None:
        self.said: list[tuple[str, object]] = []
        self.notes: list[tuple[str, str]] = []
        self.menu = menu
        self._ended = threading.Event()

    def __setattr__(self, name: str, value: object) -> None:
        if name in ("icon", "title", "visible"):
            self.said.append((name, value))
        super().__setattr__(name, value)

    def update_menu(self) -> None:
        """Remember it."""
        self.said.append(("menu", [item.text for item in self.menu] if self.menu else None))

    def notify(self, message: str, title: str) -> None:
        """Remember it."""
        self.notes.append((title, message))

    def run(self, setup: Callable[[Any], None]) -> None:
        """Block until `stop`."""
        self._thread = threading.Thread(target=setup, args=(self,))
        self._thread.start()
        self._ended.wait(60)

    def stop(self) -> None:
        """End `run`."""
        self._ended.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(10)

    leave = stop


class FakeSource:
    """Gives one status after the other, then the last one for ever, judged anew each time; an exception is raised."""

    def __init__(self, *answers: Status | Exception) -> None:
        self.answers = list(answers)
        self.polls = 0
        self.closed = False

    def poll(self) -> Status:
        """Return the next status."""
        self.polls += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return replace(answer)

    def close(self) -> None:
        """Remember it."""
        self.closed = True


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Poll often, at a fixed time."""
    monkeypatch.setattr(app, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(clock, "now_ms", lambda: NOW)


def play(source: FakeSource, until: Callable[[FakeIcon, app.App], object]) -> tuple[FakeIcon, app.App]:
    """Run the tray on *source* until something is true."""
    return play_app(app.App(lambda: source), until)


def play_app(made: app.App, until: Callable[[FakeIcon, app.App], object]) -> tuple[FakeIcon, app.App]:
    """Run the tray until something is true."""
    icon = FakeIcon(made.menu.menu())
    session = threading.Thread(target=made._session, args=(icon,))
    session.start()
    try:
        wait_for(lambda: until(icon, made))
    finally:
        made.quit()
        session.join(10)
    return icon, made


def shown(icon: FakeIcon, name: str) -> list[object]:
    """Return what the icon was told of one kind."""
    return [value for kind, value in icon.said if kind == name]


def test_before_the_first_answer_the_icon_is_not_green() -> None:
    """The state is unknown yet, so the icon says so: first of all, and before it is visible."""
    icon, _ = play(FakeSource(settled(ended())), lambda icon, _: len(shown(icon, "icon")) > 1)
    assert shown(icon, "icon") == [Look(State.UNAVAILABLE), Look(State.OK)]
    assert shown(icon, "title")[0] == "Backup status unavailable\nit is being read"
    assert icon.said.index(("visible", True)) > icon.said.index(("icon", Look(State.UNAVAILABLE)))


def test_nothing_is_sent_while_nothing_changes() -> None:
    """A thousand polls of the same status cost one redraw."""
    source = FakeSource(settled(ended()))
    icon, _ = play(source, lambda *_: source.polls > 30)
    assert len(shown(icon, "icon")) == 2
    assert len(shown(icon, "title")) == 2
    assert len(shown(icon, "menu")) == 2


def test_words_are_made_for_a_new_status_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A poll that gives the very same status again costs no words; the next one that differs is shown."""
    made: list[Status] = []
    words = wording.tooltip
    monkeypatch.setattr(wording, "tooltip", lambda status, now: made.append(status) or words(status, now))
    fine, failed = settled(ended()), settled(ended(outcome=Outcome.FAILED))

    class Kept(FakeSource):
        def poll(self) -> Status:
            self.polls += 1
            return fine if self.polls < 30 else failed

    icon, _ = play(Kept(fine), lambda icon, _: len(shown(icon, "icon")) > 2)
    assert shown(icon, "icon")[1:] == [Look(State.OK), Look(State.FAILED)]
    assert made[1:] == [fine, failed]


def test_a_new_text_with_the_same_picture_redraws_nothing() -> None:
    """While a backup runs, the tooltip changes each second and the ring only every 5 %."""
    first = settled(live=(RUN,))
    second = settled(live=(RUN.with_changes(files_done=1300),))
    icon, _ = play(FakeSource(first, second), lambda icon, _: len(shown(icon, "title")) > 2)
    assert shown(icon, "icon") == [Look(State.UNAVAILABLE), Look(State.RUNNING, True, 8)]
    assert "1,300 of 20,220 files" in str(shown(icon, "title")[-1])


def test_the_menu_says_first_what_the_tooltip_says() -> None:
    """Where a desktop shows no tooltips, the menu's first lines are the same text; they open the Dashboard."""
    icon, _ = play(FakeSource(settled(ended())), lambda icon, _: len(shown(icon, "menu")) > 1)
    assert shown(icon, "menu")[-1] == [
        "Your backup is fine",
        "home, 2 hours ago",
        "- - - -",
        "Open Dashboard",
        "View last-run report",
        "Details (full log)",
        "Audit log: not verified yet",
        "Verify audit log",
        "- - - -",
        "Quit",
    ]
    items = {item.text: item for item in icon.menu}
    assert items["Your backup is fine"].enabled
    assert items["Open Dashboard"].default


def test_the_menu_opens_the_right_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Report of the run that the alarm is about, log of the run that goes on, dashboard, audit log and verification."""
    opened: list[str] = []
    monkeypatch.setattr(Started, "start", lambda _self, _window, page: opened.append(page))
    status = settled(ended(outcome=Outcome.FAILED), live=(RUN,))
    icon, _ = play(FakeSource(status), lambda icon, _: len(shown(icon, "menu")) > 1)
    assert not [item for item in icon.menu if len(item.text) > wording.MENU_UNITS]
    for item in icon.menu:
        if item.enabled and item.text not in ("Quit", "- - - -"):
            item(icon)
    assert opened == [*["dashboard"] * 4, "report/e1", "log/r1", "audit", "verify"]
    assert icon.menu(icon) is None
    assert opened[-1] == "dashboard"


def test_where_no_backup_is_known_the_menu_looks_for_existing_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry goes once there is a job."""
    opened: list[str] = []
    monkeypatch.setattr(Started, "start", lambda _self, _window, page: opened.append(page))
    made, text = app.App(lambda: FakeSource(settled())), "Find existing backups"
    drawn = []
    for status in (settled(ended()), settled()):
        made.menu.status = status
        drawn.append(made.menu.shown())
        items = {item.text: item for item in made.menu.menu()}
        assert (text in items) is (status.last is None)
    assert drawn[0] != drawn[1]
    items[text](None)
    assert opened == ["import"]


def test_a_channel_that_cannot_send_has_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """It opens the page of notifications, and goes once all channels work again."""
    opened: list[str] = []
    monkeypatch.setattr(Started, "start", lambda _self, _window, page: opened.append(page))
    made, text = app.App(lambda: FakeSource(settled())), "Messages cannot be sent"
    fine = settled(ended())
    dead = replace(fine, notes=tuple(f"{wording.UNSENT}{name} cannot be sent: refused" for name in ("mail", "phone")))
    drawn = []
    for status in (fine, dead):
        made.menu.status = status
        drawn.append(made.menu.shown())
        entries = [item for item in made.menu.menu() if item.text == text]
        assert len(entries) == (status is dead)
    assert drawn[0] != drawn[1]
    entries[0](None)
    assert opened == ["notifications"]


def test_under_an_alarm_the_menu_opens_the_runs_that_it_is_about(monkeypatch: pytest.MonkeyPatch) -> None:
    """One entry for each bad job, three at most; the newest run of a job that is fine is not offered."""
    opened: list[str] = []
    monkeypatch.setattr(Started, "start", lambda _self, _window, page: opened.append(page))
    bad = [replace(ended(f"{name} {'x' * 60}", Outcome.FAILED), run=name) for name in "abcd"]
    still = RUN.with_changes(job="still", run="s1", stalled=True)
    status = settled(*bad[:2], ended("still"), ended("fine", hours=0.1), live=(still,))
    icon, _ = play(FakeSource(status), lambda icon, _: len(shown(icon, "menu")) > 1)
    texts = [item.text for item in icon.menu]
    assert "View last-run report" not in texts
    reports = [item for item in icon.menu if item.text.startswith(("Report of", "Log of"))]
    assert [item.text.rpartition(" ")[2] for item in reports] == ["(failed)", "(failed)", "(stalled)"]
    for item in reports:
        item(icon)
    assert opened == ["report/a", "report/b", "log/s1"]
    icon, _ = play(FakeSource(settled(*bad)), lambda icon, _: len(shown(icon, "menu")) > 1)
    assert len([item for item in icon.menu if item.text.startswith("Report of")]) == menu.MOST_ALARMS
    assert all(len(item.text) <= wording.MENU_UNITS for item in icon.menu)


def test_an_alarm_about_a_job_that_never_ran_opens_the_dashboard(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no report of a run that never was."""
    opened: list[str] = []
    monkeypatch.setattr(Started, "start", lambda _self, _window, page: opened.append(page))
    job = JobStatus("home", State.OVERDUE, None, "Never ran, expected by 12:00.", word="never ran")
    icon, _ = play(FakeSource(Status(State.OVERDUE, 0, jobs=(job,))), lambda icon, _: len(shown(icon, "menu")) > 1)
    items = {item.text: item for item in icon.menu}
    items["home (never ran)"](icon)
    assert opened == ["dashboard"]
    assert not items["Details (full log)"].enabled


def test_after_a_cancelled_run_the_alarm_still_leads_to_the_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run that the user cancelled is the last one, but not what the alarm is about."""
    opened: list[str] = []
    monkeypatch.setattr(Started, "start", lambda _self, _window, page: opened.append(page))
    failed, stopped = (replace(ended(outcome=one), run=one.value) for one in (Outcome.FAILED, Outcome.CANCELLED))
    icon, _ = play(FakeSource(settled(failed, stopped)), lambda icon, _: len(shown(icon, "menu")) > 1)
    for item in icon.menu:
        if item.text.startswith(("Report", "Details")):
            item(icon)
    assert opened == ["report/failed", "log/failed"]


def test_without_any_run_there_is_no_report_to_choose() -> None:
    """An empty history offers no dead ends."""
    icon, _ = play(FakeSource(settled()), lambda icon, _: len(shown(icon, "menu")) > 1)
    items = {item.text: item.enabled for item in icon.menu}
    assert not items["View last-run report"]
    assert not items["Details (full log)"]
    assert items["Open Dashboard"]


def test_a_failure_of_our_own_takes_the_green_away(caplog: pytest.LogCaptureFixture) -> None:
    """Even a bug in the source ends as "unavailable" with its reason, and the next poll goes on."""
    with caplog.at_level(logging.ERROR):
        source = FakeSource(settled(ended()), *[ValueError("boo")] * 3, settled(ended()))
        icon, _ = play(source, lambda icon, _: len(shown(icon, "icon")) > 3)
    assert shown(icon, "icon")[1:] == [Look(State.OK), Look(State.UNAVAILABLE), Look(State.OK)]
    assert "ValueError: boo" in str(shown(icon, "title")[2])
    assert len(caplog.records) == 1
    assert source.closed


def test_the_source_is_closed_at_the_end() -> None:
    """Connections and files are given back."""
    source = FakeSource(settled())
    play(source, lambda *_: source.polls)
    assert source.closed


@pytest.mark.process
def test_a_window_that_cannot_start_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """The person who clicked learns why nothing came up."""
    program = "import sys; sys.exit('backup-tray: No web view.\\n  why:  gi is missing.\\n  next: Run doctor.\\nnoise')"
    monkeypatch.setattr(ourselves, "command", lambda *_: [sys.executable, "-c", program])
    source = FakeSource(settled())
    made = app.App(lambda: source)
    icon = FakeIcon()
    session = threading.Thread(target=made._session, args=(icon,))
    session.start()
    made.open("dashboard")
    try:
        wait_for(lambda: icon.notes)
    finally:
        made.quit()
        session.join(10)
    assert icon.notes == [
        ("The Backup Status window did not open", "No web view.\nwhy:  gi is missing.\nnext: Run doctor.")
    ]


def test_without_a_panel_the_dashboard_opens_and_one_notification_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain GNOME: the person is not left without any sign."""
    opened: list[str] = []
    monkeypatch.setattr(Started, "start", lambda _self, _window, page: opened.append(page))
    monkeypatch.setattr(xembed, "has_tray", lambda: False)
    made = app.App(lambda: FakeSource(settled()))
    made._icon = icon = FakeIcon()
    made._homeless()
    assert opened == ["dashboard"]
    assert [title for title, _ in icon.notes] == ["Backup Status has no tray"]
    assert "backup-tray doctor" in icon.notes[0][1]
    assert not made._fall_back


def test_an_older_tray_is_used_where_only_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """XEmbed is the fallback, and the user is not told that there is no tray."""
    monkeypatch.setattr(xembed, "has_tray", lambda: True)
    monkeypatch.setattr(xembed, "find_spec", lambda _: True)
    made = app.App(lambda: FakeSource(settled()))
    icon = FakeIcon()
    icon._thread = threading.current_thread()
    made._icon = icon
    made._homeless()
    assert made._fall_back
    assert icon.notes == []


def test_without_bus_and_tray_the_terminal_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine without a desktop the tray ends with what to do instead."""
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(NoTrayError) as told:
        app.App(lambda: FakeSource(settled())).run()
    assert "status --watch" in told.value.next


def test_a_second_tray_opens_the_window_and_ends_well(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting the program twice shows the window instead of a second icon."""
    opened: list[str] = []
    monkeypatch.setattr(Started, "start", lambda _self, _window, page: opened.append(page))
    with FileLock(private(places.runtime) / "tray.lock") as first:
        assert first.acquire()
        assert launch.main(places) == 0
    assert opened == ["dashboard"]


def test_a_second_tray_that_cannot_open_the_window_says_why(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error goes to the user who typed the command."""
    monkeypatch.setattr(Started, "start", lambda *_: "Too many processes.")
    with FileLock(private(places.runtime) / "tray.lock") as first:
        assert first.acquire()
        with pytest.raises(BackupTrayError) as told:
            launch.main(places)
    assert told.value.why == "Too many processes."


def test_without_a_place_for_the_lock_there_is_still_an_icon(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be used costs the guard against two icons, not the icon."""
    places.runtime.parent.mkdir(parents=True)
    places.runtime.write_text("in the way")
    monkeypatch.setattr(app.App, "run", lambda _: 0)
    monkeypatch.setattr(launch, "log_to_file", lambda _: None)
    assert launch.main(places) == 0


@pytest.mark.parametrize(
    ("display", "name"), [(":0", "S0"), (":77", "S0"), ("host:1.2", "S2"), (":0.0", "S0"), ("a.b:0", "S0")]
)
def test_each_screen_has_a_tray_selection_of_its_own(display: str, name: str) -> None:
    """The number after the last dot is the screen (System Tray Protocol)."""
    assert xembed.selection(display) == f"_NET_SYSTEM_TRAY_{name}"


@pytest.mark.parametrize("display", ["", ":64999"])
def test_without_a_display_there_is_no_older_tray(display: str) -> None:
    """Wayland alone, or a display that is gone, is a plain no."""
    assert not xembed.has_tray({"DISPLAY": display})


def test_diagnostics_stay_small(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """A year of errors fills two small files, not the disk."""
    monkeypatch.setattr(launch, "LIMIT", 2000)
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        launch.log_to_file(places)
        for number in range(200):
            logging.getLogger("tray.icon").warning("line %d", number)
    finally:
        for handler in root.handlers:
            handler.close()
        root.handlers[:], root.level = before
    files = sorted(places.log.iterdir())
    assert [path.name for path in files] == ["tray.log", "tray.log.1"]
    assert sum(path.stat().st_size for path in files) < 5000
    assert "line 199" in files[0].read_text()


def test_diagnostics_without_a_folder_go_to_stderr(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """A read-only home does not stop the tray."""
    places.log.parent.mkdir(parents=True)
    places.log.write_text("in the way")
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        launch.log_to_file(places)
        logging.getLogger("tray.icon").warning("hello")
    finally:
        root.handlers[:], root.level = before
    assert "hello" in capsys.readouterr().err


@pytest.mark.process
def test_the_tray_loads_no_more_than_it_needs() -> None:
    """No OpenSSL, picture library, web view, cryptography or time zones: they would double the memory of an idle tray."""
    program = (
        "from tray.icon import launch; launch.load_without_openssl()\n"
        "from tray.icon import app, sni; import tray.status, sys\n"
        "heavy = {'ssl', '_hashlib', 'PIL', 'webview', 'cryptography', 'psutil', 'tkinter', 'gi', 'pickle',\n"
        " 'zoneinfo', 'difflib', 'cronsim', 'oncalendar'}\n"
        "print(*heavy & set(sys.modules), 'libcrypto' in open('/proc/self/maps').read())"
    )
    root = Path(app.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.returncode) == ("False", 0), done.stderr


@pytest.mark.process
def test_what_is_left_out_can_be_loaded_later() -> None:
    """The block ends with the block."""
    program = "from tray.icon import launch; launch.load_without_openssl(); import ssl; print(ssl.OPENSSL_VERSION)"
    root = Path(launch.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.process
def test_the_threads_of_the_tray_share_one_heap(tmp_path: Path) -> None:
    """glibc keeps a heap for each thread, and each keeps memory that is free."""
    program = (
        "import ctypes, sys, threading; from tray.icon import launch\n"
        "if sys.argv[1] == 'one': launch.share_one_heap()\n"
        "libc = ctypes.CDLL(None); libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p\n"
        "thread = threading.Thread(target=libc.malloc, args=(5000,)); thread.start(); thread.join()\n"
        "file = ctypes.c_void_p(libc.fopen(sys.argv[2].encode(), b'w')); libc.malloc_info(0, file); libc.fclose(file)"
    )
    root, heaps = Path(launch.__file__).parents[2], {}
    for how in ("one", "usual"):
        subprocess.run([sys.executable, "-c", program, how, tmp_path / how], cwd=root, check=True, timeout=60)
        heaps[how] = (tmp_path / how).read_text().count("<heap nr=")
    assert heaps == {"one": 1, "usual": 2}


@pytest.mark.process
def test_memory_that_the_start_took_is_given_back() -> None:
    """Small pieces that are free between others in use stay with the process, unless it gives them back."""
    program = (
        "import ctypes; from tray.icon import launch\n"
        "def anonymous():\n"
        "    return next(int(line.split()[1]) for line in open('/proc/self/smaps_rollup') if line.startswith('Pss_Anon:'))\n"
        "pieces = [ctypes.create_string_buffer(b'x' * 20_000) for _ in range(1000)]\n"
        "del pieces[:-1]; before = anonymous(); launch.give_back(); print(before - anonymous() > 10_000)"
    )
    root = Path(launch.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "True", done.stderr


def test_the_start_is_over_after_the_first_poll() -> None:
    """Once, however often the tray polls then, and also where the first poll fails."""
    source, settled_at = FakeSource(RuntimeError("no"), settled(ended())), list[int]()
    made = app.App(lambda: source, settled=lambda: settled_at.append(source.polls))
    play_app(made, lambda *_: source.polls > 5)
    assert settled_at == [1]


@pytest.mark.process
def test_a_tray_without_openssl_can_still_put_a_signed_entry_on_record(places: Places) -> None:
    """An outage that the tray notices goes on record; libcrypto is loaded for it, and not the package `cryptography`."""
    filled(places, 1)
    program = (
        "import sys; from tray.icon import launch; launch.load_without_openssl()\n"
        "from tray.audit import spool; from tray.audit.entry import Action, Draft; from tray.core.paths import places\n"
        "print('_hashlib' in sys.modules, spool.record(places(), [Draft(Action.STATUS_ERROR)]) is not None)\n"
        "print('_hashlib' in sys.modules, 'cryptography' in sys.modules)"
    )
    root = Path(launch.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["False", "True", "True", "False"], done.stderr


def test_the_menu_can_pause_and_cancel_the_run_that_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """One run: it is named. To pause is done at once; to cancel leads to the window, which asks first."""
    opened: list[str] = []
    monkeypatch.setattr(Started, "start", lambda _self, _window, page: opened.append(page))
    asked: list[tuple[Control, str]] = []
    run = RUN.with_changes(can=(Control.PAUSE, Control.CANCEL))
    made = app.App(lambda: FakeSource(settled(live=(run,))), ask=lambda control, which: asked.append((control, which)))
    made.menu.status = settled(live=(run,))
    items = {item.text: item for item in made.menu.menu()}
    assert {"Pause home", "Cancel home…"} <= items.keys()
    assert not {"Resume home", "Pause or cancel a run…"} & items.keys()
    items["Pause home"](None)
    wait_for(lambda: asked == [(Control.PAUSE, run.run)])
    items["Cancel home…"](None)
    assert opened == [f"cancel/{run.run}"]


def test_several_runs_are_paused_and_cancelled_in_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """The menu does not guess which one is meant."""
    opened: list[str] = []
    monkeypatch.setattr(Started, "start", lambda _self, _window, page: opened.append(page))
    run = RUN.with_changes(can=(Control.RESUME, Control.CANCEL))
    made = app.App(lambda: FakeSource(settled()))
    made.menu.status = settled(live=(run, run.with_changes(run=run.run[:-1] + "9", job="other")))
    items = {item.text: item for item in made.menu.menu()}
    assert not any(text.startswith(("Pause home", "Resume", "Cancel")) for text in items)
    items["Pause or cancel a run…"](None)
    assert opened == ["dashboard"]


def test_what_cannot_be_done_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal reaches the person who chose it, with its reason."""

    def refuse(_control: Control, _run: str) -> None:
        raise BackupTrayError("It is over.", why="It ended.", next="Look at `backup-tray history`.")

    run = RUN.with_changes(can=(Control.PAUSE,))
    made = app.App(lambda: FakeSource(settled()), ask=refuse)
    made.menu.status = settled(live=(run,))
    made._icon = FakeIcon()
    next(item for item in made.menu.menu() if item.text == "Pause home")(None)
    wait_for(lambda: made._icon.notes == [("It is over.", "It ended. Look at `backup-tray history`.")])


def test_the_menu_is_drawn_anew_when_something_else_can_be_done() -> None:
    """A run that was paused offers to be resumed, also while nothing else changes."""
    first = settled(live=(RUN.with_changes(can=(Control.PAUSE,)),))
    second = settled(live=(RUN.with_changes(can=(Control.RESUME,)),))
    icon, _ = play(FakeSource(first, second), lambda icon, _: len(shown(icon, "menu")) > 2)
    assert "Pause home" in shown(icon, "menu")[-2]
    assert "Resume home" in shown(icon, "menu")[-1]


def test_a_breach_turns_the_icon_and_has_the_user_told_once() -> None:
    """The icon shows it by itself; the sender, which is started, tells of it in a notice."""
    changes: list[str] = []
    status = judge(NOW, (), [JobHistory("home", ended())], audit=BREACH)
    source = FakeSource(settled(ended()), status)
    made = app.App(lambda: source, changed=lambda: changes.append("told"))
    icon, _ = play_app(made, lambda icon, _: source.polls > 4 and len(shown(icon, "menu")) > 1)
    assert shown(icon, "icon")[-1] == Look(State.TAMPERED)
    assert "Audit log: TAMPERED at entry 17 (altered)" in [item.text for item in icon.menu]
    assert (changes, icon.notes) == (["told"] * 2, [])  # after the first poll, and at the breach


def test_the_menu_claims_nothing_about_a_log_that_cannot_be_read() -> None:
    """Before the first answer, and without one, the menu cannot say whether the log was ever verified."""
    icon, _ = play(FakeSource(RuntimeError("no")), lambda icon, _: len(shown(icon, "menu")) > 1)
    assert "Audit log: not known now" in [item.text for item in icon.menu]


def checks(*names: str) -> Status:
    """A status in which checks of these jobs are expected."""
    jobs = [JobStatus(f"{name} (check)", State.NONE, None, kind="check", word="due") for name in names]
    return Status(State.OK, 0, jobs=tuple(jobs))


def test_the_menu_checks_the_one_job_whose_checks_are_expected() -> None:
    """With one click; while the check goes on it is not offered again, and without such a job not at all."""
    checked: list[str] = []
    made = app.App(lambda: FakeSource(settled()), check=checked.append)
    made.menu.status = settled(ended())
    assert not any(item.text.startswith("Check now") for item in made.menu.menu())
    made.menu.status = checks("home")
    item = next(item for item in made.menu.menu() if item.text == "Check now: home")
    assert item.enabled
    item(None)
    wait_for(lambda: checked == ["home"])
    before = made.menu.shown()
    made.menu.status = replace(checks("home"), runs=(RUN.with_changes(job="home (check)", kind="check"),))
    assert not next(item for item in made.menu.menu() if item.text == "Check now: home").enabled
    assert made.menu.shown() != before


def test_several_jobs_are_checked_in_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """The menu does not guess which one is meant."""
    opened: list[str] = []
    monkeypatch.setattr(Started, "start", lambda _self, _window, page: opened.append(page))
    made = app.App(lambda: FakeSource(settled()))
    made.menu.status = checks("home", "photos")
    next(item for item in made.menu.menu() if item.text == "Check now…")(None)
    assert opened == ["dashboard"]


@pytest.mark.process
@pytest.mark.parametrize(
    ("code", "said"), [(0, None), (1, None), (2, "exit code 2"), (75, "exit code 75"), (130, None)]
)
def test_a_check_that_ends_badly_is_said(monkeypatch: pytest.MonkeyPatch, code: int, said: str | None) -> None:
    """A proof, nothing to prove, and a cancel are no errors of it."""
    program = [sys.executable, "-c", f"raise SystemExit({code})"]
    monkeypatch.setattr("tray.core.ourselves.command", lambda *words: [*program, *words])
    if said is None:
        launch.check("home")
        return
    with pytest.raises(BackupTrayError) as caught:
        launch.check("home")
    assert said in caught.value.why
    assert "`backup-tray check home`" in caught.value.next
