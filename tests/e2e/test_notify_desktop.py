"""Notices on real desktops: shown by the sender after a run, replaced, taken away, and their buttons; no tray runs."""

import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.notification_servers import Dunst, Mako, Shower, Xfce, a_minute_passes, end, ours, pages, run, shower
from tests.e2e.trays import keep
from tests.notification_doubles import GNOME, KDE, Kind, Server, private_bus
from tests.waiting import wait_for
from tray.core.paths import Places, private
from tray.core.sender import PART
from tray.notify import queue_file
from tray.status import StatusSource

KINDS = ["dunst", "xfce", "mako"]


@pytest.fixture(params=KINDS)
def desktop(request: pytest.FixtureRequest, tmp_path: Path, places: Places) -> Iterator[Shower]:
    """Each of the desktops."""
    with shower(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def dunst(tmp_path: Path, places: Places) -> Iterator[Dunst]:
    """A desktop with dunst."""
    with shower("dunst", tmp_path) as made:
        assert isinstance(made, Dunst)
        yield made


def configure(places: Places, *jobs: str, command: str = "exit 3") -> None:
    """Have jobs that run a command of the shell."""
    private(places.config)
    tables = "".join(f"[jobs.'{job}']\ncommand = ['sh', '-c', {command!r}]\n" for job in jobs)
    places.config_file.write_text(f"version = 1\n{tables}")


def last_run(places: Places, job: str) -> str:
    """Return the id of the last run of a job."""
    with closing(StatusSource(places, role="cli", start_tracker=False)) as source:
        (run_id,) = [known.last.run for known in source.poll().jobs if known.job == job and known.last is not None]
    return run_id


ELSEWHERE = """
from types import SimpleNamespace
from tray.config.channels import ChannelSettings
from tray.core import clock, paths
from tray.core.model import State, Status
from tray.core.model.events import Event, EventKind, Message
from tray.notify import channels

channels.sys = SimpleNamespace(platform="win32")
channel = channels.load(ChannelSettings("desktop", "desktop"), paths.places())
event = Event(clock.new_id(), EventKind.FAILURE, clock.now_ms(), job="<b>home\\n", reason="The disk is full")
message = Message(clock.new_id(), "desktop", clock.now_ms(), (event,))
channel.send(message, Status(State.FAILED, clock.now_ms()))
print(type(channel).__module__)
"""
"""Sends one message by the channel of other systems; the library below it is the same on Linux."""


def test_the_library_for_windows_and_macos_shows_the_same_words(dunst: Dunst) -> None:
    """Title and text come out escaped, as those of every channel."""
    done = subprocess.run([sys.executable, "-c", ELSEWHERE], env=dunst.env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "tray.notify.channels.desktop_notifier\n"), done.stderr
    (text,) = wait_for(lambda: dunst.texts, what="the notice")
    assert text.startswith("<b>home\\n: backup failed\nThe disk is full.")


def test_each_button_does_its_work_where_no_tray_runs(desktop: Shower, places: Places, tmp_path: Path) -> None:
    """Report, details, another run, silence: the window opens at the page, and the notice goes with the click."""
    ran = tmp_path / "ran"
    configure(places, "a", "b", "c", "d", command=f"echo x >> {shlex.quote(str(ran))}; exit 3")
    for job, label in {"a": "View Report", "b": "Details", "c": "Run Again", "d": "Snooze 1 Day"}.items():
        assert run(desktop.env, "backup", job).returncode == 3
        wait_for(lambda: desktop.shown() == 1, what="the notice")
        desktop.press(label)
        match job:
            case "a":
                wait_for(lambda: pages() == [f"report/{last_run(places, 'a')}"], what="the report")
                end("window")
            case "b":
                wait_for(lambda: pages() == ["job/b"], what="the page of the job")
                end("window")
            case "c":
                wait_for(lambda: ran.read_text().count("x") == 4, what="another run")
            case "d":
                wait_for(lambda: _snoozed(places) == ["job:user:d"], what="the rest of its messages")
        wait_for(lambda: desktop.shown() == 0, what="the end of the notice")
        a_minute_passes(places)
    wait_for(lambda: not ours(PART), what="the end of the sender, which no notice needs any more")


def _snoozed(places: Places) -> list[str]:
    with closing(queue_file.opened(places)) as queue:
        return [name.removeprefix("snoozed:") for name in queue.marks("snoozed:")]


def test_the_next_good_run_takes_the_place_of_the_failure(desktop: Shower, places: Places) -> None:
    """One notice for each job, and a second sender finds the notice of the first one."""
    configure(places, "home")
    assert run(desktop.env, "backup", "home").returncode == 3
    wait_for(lambda: desktop.shown() == 1, what="the notice")
    a_minute_passes(places)
    end(PART)
    configure(places, "home", command="exit 0")
    before = _picture(desktop)
    assert run(desktop.env, "backup", "home").returncode == 0
    wait_for(lambda: _is_good(desktop, before), what="the good news")
    assert desktop.shown() <= 1


def _picture(desktop: Shower) -> bytes:
    return desktop.desk.screenshot(desktop.desk.folder / "now.png").tobytes() if isinstance(desktop, Xfce) else b""


def _is_good(desktop: Shower, before: bytes) -> bool:
    if isinstance(desktop, Dunst):
        return bool(desktop.texts) and desktop.texts[-1].startswith("home: backup succeeded again\n")
    if isinstance(desktop, Mako):
        return [notice["summary"]["data"] for notice in desktop.listed()] == ["home: backup succeeded again"]
    return desktop.shown() == 1 and _picture(desktop) != before  # Xfce's tells no words


def test_an_acknowledged_failure_takes_its_notice_away(desktop: Shower, places: Places) -> None:
    """The user has seen it elsewhere."""
    configure(places, "home")
    assert run(desktop.env, "backup", "home").returncode == 3
    wait_for(lambda: desktop.shown() == 1, what="the notice")
    a_minute_passes(places)
    assert run(desktop.env, "seen", "home").returncode == 0
    wait_for(lambda: desktop.shown() == 0, what="the end of the notice")


def test_a_hostile_name_is_shown_as_it_is(desktop: Shower, places: Places, tmp_path: Path) -> None:
    """Neither markup nor a line end nor a bidi override of a name or a reason takes effect."""
    name = "<b>R&D</b>\n\u202egnp"
    assert run(desktop.env, "run", "--job", name, "--", "sh", "-c", "echo '<i>x</i> & y' >&2; exit 3").returncode == 3
    wait_for(lambda: desktop.shown() == 1, what="the notice")
    title = "<b>R&D</b>\\n\\u202egnp: backup failed"
    if isinstance(desktop, Dunst):
        assert wait_for(lambda: desktop.texts)[0].split("\n")[0] == title
        desktop.desk.screenshot(tmp_path / "hostile.png")
    if isinstance(desktop, Mako):
        assert [notice["summary"]["data"] for notice in desktop.listed()] == [title]


def test_a_test_message_stays_and_its_button_works(desktop: Shower, places: Places) -> None:
    """The command ends at once; a process stays behind it for the click."""
    said = run(desktop.env, "notify", "test", "desktop")
    assert said.stdout == "Sent. Look whether the test message has arrived by desktop.\n"
    assert desktop.shown() == 1
    if isinstance(desktop, Mako):
        desktop.press("Open Dashboard")
        wait_for(lambda: pages() == ["dashboard"], what="the Dashboard")
        end("window")
        wait_for(lambda: not ours("tray.notify.desktop.trial"), what="the end of the process")


def test_a_desktop_that_is_restarted_gets_the_next_notice(dunst: Dunst, places: Places) -> None:
    """The sender of before ends with the program that showed its notice; the next one begins anew."""
    configure(places, "home")
    assert run(dunst.env, "backup", "home").returncode == 3
    wait_for(lambda: dunst.shown() == 1, what="the notice")
    dunst.desk.end(dunst.process)
    wait_for(lambda: not ours(PART), what="the end of the sender")
    dunst.start()
    a_minute_passes(places)
    configure(places, "home", command="exit 0")
    assert run(dunst.env, "backup", "home").returncode == 0
    wait_for(lambda: len(dunst.texts) == 2, what="the next notice")
    assert dunst.texts[1].startswith("home: backup succeeded again")


def test_a_backup_of_cron_reaches_the_desktop_and_its_window_the_screen(dunst: Dunst, places: Places) -> None:
    """Neither DISPLAY nor the address of the bus is in cron's environment; the bus lies where systemd keeps it."""
    address = dict(part.split("=") for part in dunst.env["DBUS_SESSION_BUS_ADDRESS"].partition(":")[2].split(","))
    runtime = Path(dunst.env["XDG_RUNTIME_DIR"])
    (runtime / "bus").symlink_to(address["path"])
    cron = {name: dunst.env[name] for name in ("PATH", "HOME", "XDG_RUNTIME_DIR", "LANG") if name in dunst.env}
    cron |= {name: value for name, value in dunst.env.items() if name.startswith(("BACKUP_TRAY", "TMPDIR"))}
    configure(places, "home")
    assert run(cron, "backup", "home").returncode == 3
    wait_for(lambda: dunst.shown() == 1, what="the notice")
    dunst.press("View Report")
    wait_for(lambda: dunst.desk.titles("Backup Status"), what="the window on the screen")
    assert pages() == [f"report/{last_run(places, 'home')}"]


@pytest.mark.parametrize("kind", [GNOME, KDE], ids=["gnome", "kde"])
def test_a_notice_stays_after_the_backup_and_its_click_is_heard(kind: Kind, places: Places, tmp_path: Path) -> None:
    """GNOME takes a notice away with the process that showed it: the sender stays until the user has closed or clicked it."""
    configure(places, "a", "b")
    with shower("dunst", tmp_path) as screen, private_bus() as bus:
        env, server = {**screen.env, "DBUS_SESSION_BUS_ADDRESS": bus}, Server(bus, kind)
        assert run(env, "backup", "a").returncode == 3
        (number,) = wait_for(lambda: server.shown, what="the notice")
        (sender,) = wait_for(lambda: ours(PART), what="the sender alone")
        a_minute_passes(places)
        assert run(env, "backup", "b").returncode == 3
        wait_for(lambda: len(server.shown) == 2, what="the second notice")
        assert {notice.sender for notice in server.shown.values()} == {server.calls[0].sender}
        server.click(number, "report")
        wait_for(lambda: pages() == [f"report/{last_run(places, 'a')}"], what="the report")
        (process,) = ours("window")
        assert process.environ()["XDG_ACTIVATION_TOKEN"] == "token-1"
        assert sender.is_running()
        server.dismiss(number + 1)
        end("window")
        wait_for(lambda: not ours(PART), what="the end of the sender")
        server.stop()


@pytest.mark.parametrize("kind", ["dunst", "dunst-light", "xfce"])
def test_pictures_of_notices(kind: str, tmp_path: Path, places: Places) -> None:
    """A failure and its end are drawn, dark and light: they are kept where `KEEP_PICTURES` names a folder."""
    with shower(kind, tmp_path) as desktop:
        desk = desktop.desk  # type: ignore[attr-defined]
        empty = desk.screenshot(tmp_path / "empty.png")
        configure(places, "home")
        assert run(desktop.env, "backup", "home").returncode == 3
        wait_for(lambda: desktop.shown() == 1, what="the notice")
        drawn = wait_for(lambda: _other(desk.screenshot(tmp_path / "now.png"), empty), what="its picture")
        keep(drawn.crop(drawn.getbbox()), f"notice-{kind}.png")  # the rest of the screen is black


def _other(now: object, before: object) -> object:
    return now if now.tobytes() != before.tobytes() else None  # type: ignore[attr-defined]
