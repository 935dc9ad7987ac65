"""The desktop channel against strict doubles of GNOME's, KDE's, mako's and a bare notification server, on a private bus."""

import asyncio
import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.notification_doubles import BARE, GNOME, KDE, MAKO, Kind, Server, private_bus
from tests.unit.notify.help import FINE, RUN, event, message
from tests.waiting import wait_for
from tray.config.channels import ChannelSettings
from tray.core import clock, ourselves, started
from tray.core.model import CHECK
from tray.core.model.events import EventKind, Message
from tray.core.paths import Places, private
from tray.notify.channels import NotSentError, desktop, load
from tray.notify.channels.desktop import Channel
from tray.notify.desktop import clicks, shown_notices

pytestmark = pytest.mark.process
ALL = [GNOME, KDE, MAKO, BARE]
IDS = ["gnome", "kde", "mako", "bare"]
SETTINGS = ChannelSettings("desktop", "desktop")


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A session bus of the test."""
    with private_bus() as address:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        yield address


@pytest.fixture
def serve(bus: str) -> Iterator[Callable[[Kind], Server]]:
    """Start a notification server of a kind."""
    servers: list[Server] = []

    def start(kind: Kind) -> Server:
        servers.append(Server(bus, kind))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def channel(places: Places) -> Iterator[Channel]:
    """The channel, which leaves the bus at the end."""
    made = Channel(SETTINGS, places)
    yield made
    wait_for(lambda: (made._clicks.failures(), not made._clicks.young())[1], what="the commands of clicks")
    made.close()


@pytest.fixture
def started_commands(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[str, ...], dict[str, str]]]:
    """The commands that clicks started, with their environment; nothing is started in truth."""
    commands: list[tuple[tuple[str, ...], dict[str, str]]] = []

    def start(*arguments: str, environment: dict[str, str], **_options: object) -> "subprocess.Popen[bytes]":
        commands.append((arguments, environment))
        return subprocess.Popen(["true"])

    monkeypatch.setattr(ourselves, "start", start)
    return commands


def configure(places: Places, text: str) -> None:
    """Write config.toml."""
    private(places.config)
    places.config_file.write_text(f"version = 1\n{text}")


def settle(channel: Channel, done: Callable[[], object], what: str) -> None:
    """Serve the channel until *done*."""
    wait_for(lambda: channel.serve(0.05) or done(), what=what)


@pytest.mark.parametrize("kind", ALL, ids=IDS)
def test_a_failure_is_shown_and_replaced_by_the_next_event_of_its_job(
    kind: Kind, channel: Channel, serve: Callable[[Kind], Server]
) -> None:
    """One notice for each job, on every desktop."""
    server = serve(kind)
    channel.send(message(), FINE)
    channel.send(message(event(job="other")), FINE)
    channel.send(message(event(EventKind.RECOVERED)), FINE)
    assert [notice.title for notice in server.shown.values()] == [
        "home: backup succeeded again",
        "other: backup failed",
    ]
    first = server.calls[0]
    assert (first.app, first.expire, server.replaced) == ("Backup Status", -1, [0, 0, 1])
    assert first.hints == {"urgency": 1, "category": "transfer.error", "desktop-entry": "backup-tray"}
    assert Path(first.icon.removeprefix("file://")).is_file()
    assert bool(first.actions) == (kind is not BARE)
    assert channel.open_notices()


@pytest.mark.parametrize("kind", [GNOME, KDE, MAKO], ids=IDS[:3])
def test_every_button_starts_its_command(
    kind: Kind,
    channel: Channel,
    places: Places,
    serve: Callable[[Kind], Server],
    started_commands: list[tuple[tuple[str, ...], dict[str, str]]],
) -> None:
    """Report, job, another run, silence, and the click on the notice itself; the notice goes with the click."""
    configure(places, '[jobs.home]\ncommand = ["true"]\n')
    server = serve(kind)
    for key, command in {
        "default": ("window", f"report/{RUN}"),
        "report": ("window", f"report/{RUN}"),
        "job": ("window", "job/home"),
        "run": ("backup", "home"),
        "snooze": ("notify", "snooze", "--", "home"),
    }.items():
        channel.send(message(), FINE)
        (number,) = server.shown
        server.click(number, key)
        settle(channel, lambda: started_commands, f"the click on {key}")
        arguments, environment = started_commands.pop()
        assert arguments == command
        assert environment.get("XDG_ACTIVATION_TOKEN") == ("token-1" if kind.token else None)
        assert server.shown == {}


def test_the_check_of_a_job_is_run_again_as_a_check(
    channel: Channel, places: Places, serve: Callable[[Kind], Server]
) -> None:
    """The job's name and its kind lead to the command; a job that is only watched has none."""
    configure(places, '[jobs.home]\ncommand = ["true"]\nmatches = ["old"]\n[jobs.seen]\nwatched = "cron"\n')
    serve(KDE)
    commands = {
        name: channel._run_again(event(job=name, job_kind=kind))
        for name, kind in {
            "home": "backup",
            "home (check)": CHECK,
            "old": "backup",
            "seen": "backup",
            "gone": "backup",
            "home (prune)": "prune",
        }.items()
    }
    assert commands == {
        "home": ("backup", "home"),
        "home (check)": ("check", "home"),
        "old": ("backup", "home"),
        "seen": (),
        "gone": (),
        "home (prune)": (),
    }
    configure(places, "[jobs.home\n")
    assert channel._run_again(event()) == ()


def test_a_notice_that_the_user_closed_is_not_replaced(channel: Channel, serve: Callable[[Kind], Server]) -> None:
    """The next event makes a new one, and meanwhile nothing holds the sender."""
    server = serve(KDE)
    channel.send(message(), FINE)
    server.dismiss(1)
    settle(channel, lambda: not channel.open_notices(), "the end of the notice")
    channel.send(message(), FINE)
    assert server.replaced == [0, 0]


def test_an_acknowledged_incident_takes_its_notice_away(channel: Channel, serve: Callable[[Kind], Server]) -> None:
    """`CLEARED` closes it; without a notice it is nothing, also without a desktop."""
    channel.send(message(event(EventKind.CLEARED)), FINE)
    server = serve(GNOME)
    channel.send(message(), FINE)
    channel.send(message(event(EventKind.CLEARED)), FINE)
    assert server.shown == {}
    channel.send(message(event(EventKind.CLEARED)), FINE)
    assert len(server.calls) == 1


@pytest.mark.parametrize(("kind", "titles"), [(KDE, 1), (GNOME, 1)], ids=["kde", "gnome"])
def test_a_later_sender_replaces_the_notice_of_an_earlier_one(
    kind: Kind, titles: int, channel: Channel, places: Places, serve: Callable[[Kind], Server]
) -> None:
    """The numbers survive in a file; a click on an old notice reaches the later sender, where the desktop tells all."""
    server = serve(kind)
    channel.send(message(), FINE)
    channel._runner.run(channel._server.leave())
    later = Channel(SETTINGS, places)
    assert not later.open_notices()
    later.send(message(event(EventKind.OVERDUE)), FINE)
    assert server.replaced == [0, 1]
    assert [notice.title for notice in wait_for(lambda: list(server.shown.values()))] == ["home: backup overdue"]
    later.close()


def test_numbers_of_a_desktop_that_was_restarted_mean_nothing(
    channel: Channel, bus: str, serve: Callable[[Kind], Server]
) -> None:
    """A new program counts anew: number 1 may be the notice of another application there."""
    first = Server(bus, KDE)
    channel.send(message(), FINE)
    first.stop()
    settle(channel, lambda: not channel.open_notices(), "the end of the desktop")
    second = serve(KDE)
    channel.send(message(event(EventKind.OVERDUE)), FINE)
    assert second.replaced == [0]
    assert channel.open_notices()


def test_do_not_disturb_of_kde_is_respected(channel: Channel, serve: Callable[[Kind], Server]) -> None:
    """The property `Inhibited` makes an overdue job less urgent and silent."""
    server = serve(replace(KDE, inhibited=True))
    channel.send(message(event(EventKind.OVERDUE)), FINE)
    assert server.calls[0].hints["urgency"] == 1
    assert server.calls[0].hints["suppress-sound"] is True


def test_without_a_bus_or_a_server_it_says_so_and_may_be_tried_again(
    channel: Channel, bus: str, monkeypatch: pytest.MonkeyPatch, serve: Callable[[Kind], Server]
) -> None:
    """The user logs in later: the answer is not final, and the next try works."""
    with pytest.raises(NotSentError, match=r"^No program shows notifications on this desktop\.$") as raised:
        channel.send(message(), FINE)
    assert not raised.value.final
    server = serve(GNOME)
    channel.send(message(), FINE)
    assert len(server.shown) == 1
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
    elsewhere = load(SETTINGS, channel._places)
    assert isinstance(elsewhere, Channel)
    with pytest.raises(NotSentError, match="no session bus answers") as raised:
        elsewhere.send(message(), FINE)
    assert not raised.value.final
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/nonexistent")
    with pytest.raises(NotSentError, match="no session bus answers"):
        elsewhere.send(message(), FINE)
    elsewhere.close()


def test_a_signal_of_another_program_starts_nothing(
    channel: Channel,
    serve: Callable[[Kind], Server],
    started_commands: list[tuple[tuple[str, ...], dict[str, str]]],
) -> None:
    """Any program on the bus may send such a signal; only that of the notification server counts."""
    server = serve(KDE)
    channel.send(message(), FINE)
    server.forge("ActionInvoked", "us", 1, "report")
    server.forge("NotificationClosed", "uu", 1, 2)
    server.click(1, "job")
    settle(channel, lambda: started_commands, "the click")
    assert [command for command, _ in started_commands] == [("window", "job/home")]


def test_a_click_that_cannot_be_done_is_told(
    channel: Channel, serve: Callable[[Kind], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No click ends in silence: neither when nothing starts, nor when the window ends at once."""
    server = serve(KDE)
    channel.send(message(), FINE)
    monkeypatch.setattr(ourselves, "command", lambda *_: ["/nonexistent/python"])
    server.click(1, "report")
    settle(channel, lambda: server.shown, "the notice about it")
    assert [(notice.title, notice.body) for notice in server.shown.values()] == [
        ("The Backup Status window did not open", "No such file or directory.")
    ]
    monkeypatch.setattr(ourselves, "command", lambda *_: ["sh", "-c", "echo 'backup-tray: No web view.' >&2; exit 2"])
    channel.send(message(), FINE)
    server.click(3, "report")
    assert channel.open_notices()
    settle(channel, lambda: len(server.shown) == 2, "the notice about it")
    assert server.calls[-1].body == "No web view."
    assert not channel.open_notices()


def test_a_backup_that_ran_and_failed_is_told_by_its_own_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit codes of a refusal are told by the click, all others by the record of the run."""
    failed = [started.Failure("backup", code, "why") for code in (1, 75)]
    monkeypatch.setattr(started.Started, "failures", lambda _self: failed)
    assert clicks.Clicks().failures() == [("The backup was not started", "why")]


def test_the_window_opens_on_the_screen_of_the_notice(
    channel: Channel,
    serve: Callable[[Kind], Server],
    started_commands: list[tuple[tuple[str, ...], dict[str, str]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A sender of cron has no DISPLAY; that of the program which shows the notice counts."""
    server = serve(KDE)  # this very process shows the notice: its environment at its start is what the kernel tells
    monkeypatch.setattr(clicks, "of_process", lambda pid: {"DISPLAY": ":7"} if pid == os.getpid() else {})
    for name in clicks.SCREENS:
        monkeypatch.delenv(name, raising=False)
    channel.send(message(), FINE)
    server.click(1, "report")
    settle(channel, lambda: started_commands, "the click")
    assert started_commands[0][1]["DISPLAY"] == ":7"
    monkeypatch.setenv("DISPLAY", ":3")
    channel.send(message(), FINE)
    server.click(2, "report")
    settle(channel, lambda: len(started_commands) == 2, "the click")
    assert started_commands[1][1]["DISPLAY"] == ":3"


def test_the_variables_of_a_desktop_are_read_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret in another program's environment stays there."""
    assert clicks.variables(["DISPLAY=:1", "TOKEN=x", "WAYLAND_DISPLAY=", "no"]) == {"DISPLAY": ":1"}
    with subprocess.Popen(["sleep", "60"], env={"DISPLAY": ":9", "TOKEN": "x", "PATH": os.environ["PATH"]}) as process:
        try:
            assert wait_for(lambda: clicks.of_process(process.pid)) == {"DISPLAY": ":9"}
        finally:
            process.kill()
    assert clicks.of_process(process.pid) == {}


def test_hostile_names_come_out_escaped(channel: Channel, serve: Callable[[Kind], Server]) -> None:
    """Markup, line ends, bidi overrides, bytes that are no UTF-8, and 64 kB."""
    server = serve(GNOME)
    names = ["<b>x</b>", "a\r\nBcc: b", "\u202eevil", "\udcff", "a\0b", "x" * 65_536]
    for name in names:
        channel.send(message(event(job=name, reason=name)), FINE)
    titles = [notice.title for notice in server.calls]
    assert titles[:5] == [
        "<b>x</b>: backup failed",
        "a\\r\\nBcc: b: backup failed",
        "\\u202eevil: backup failed",
        "\\xff: backup failed",
        "a\\x00b: backup failed",
    ]
    assert len(titles[5]) < 90
    assert server.calls[0].body.startswith("&lt;b&gt;x&lt;/b&gt;.")
    assert len(server.shown) == len(names)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"notices": 7, "desktop": "x"}',
        '{"notices": {"a": {"id": "1", "shown_ms": 2, "commands": {}}}}',
        '{"notices": {"a": {"id": 1, "shown_ms": 2, "commands": {"x": 7}}}, "desktop": "x"}',
    ],
)
def test_a_damaged_file_of_notices_costs_nothing_but_the_replacement(
    text: str, places: Places, serve: Callable[[Kind], Server]
) -> None:
    """Messages go out all the same."""
    server = serve(KDE)
    (private(places.state) / shown_notices.FILE).write_text(text)
    made = Channel(SETTINGS, places)
    made.send(message(), FINE)
    made.close()
    assert server.replaced == [0]
    assert json.loads((places.state / shown_notices.FILE).read_text())["notices"]["user job home"]["id"] == 1


def test_a_click_starts_no_command_that_is_none_of_ours(places: Places) -> None:
    """Even where the file was changed."""
    kept = {"a": {"id": 1, "shown_ms": 2, "commands": {"x": ["audit", "prune"], "y": ["window", "audit"]}}}
    (private(places.state) / shown_notices.FILE).write_text(json.dumps({"desktop": "d", "notices": kept}))
    shown = shown_notices.ShownNotices(places)
    assert (shown.command(1, "x"), shown.command(1, "y")) == ((), ("window", "audit"))


def test_a_notice_does_not_hold_its_sender_for_ever(
    channel: Channel, serve: Callable[[Kind], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a day the sender may end although the notice is still there."""
    serve(KDE)
    channel.send(message(), FINE)
    assert channel.open_notices()
    now = clock.now_ms()
    monkeypatch.setattr(clock, "now_ms", lambda: now + desktop.LONGEST_MS + 1)
    assert not channel.open_notices()


def test_a_server_that_does_not_answer_holds_nothing_up_for_ever(
    channel: Channel, serve: Callable[[Kind], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given up after a while, and tried again later."""
    server = serve(KDE)
    released = threading.Event()
    monkeypatch.setattr(server, "_notify", lambda _call: released.wait(60))
    monkeypatch.setattr(desktop, "PATIENCE_SECONDS", 0.2)
    with pytest.raises(NotSentError, match="did not answer in time") as raised:
        channel.send(message(), FINE)
    assert not raised.value.final
    released.set()


def test_a_bus_that_ends_is_found_again(
    channel: Channel, monkeypatch: pytest.MonkeyPatch, serve: Callable[[Kind], Server]
) -> None:
    """The user logs out and in again: the same sender reaches the new desktop."""
    with private_bus() as first:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", first)
        old = Server(first, KDE)
        channel.send(message(), FINE)
        old.stop()
    settle(channel, lambda: not channel.open_notices(), "the end of the bus")
    new = serve(KDE)
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", new.address)
    sent = Message("1", "desktop", clock.now_ms(), (event(),))
    channel.send(sent, FINE)
    assert len(new.shown) == 1


@pytest.mark.parametrize("event_of", ["close", "end"])
def test_a_notice_that_is_gone_before_its_number_is_known_holds_no_sender(
    event_of: str, channel: Channel, serve: Callable[[Kind], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user may close it, or the desktop end, while the answer with its number is on its way."""
    server = serve(KDE)
    notify = channel._notify

    async def slow(*arguments: Any) -> int:
        number = await notify(*arguments)
        if event_of == "close":
            server.dismiss(number)
            await channel._server.ask("GetCapabilities")  # its answer comes behind the signal
        else:
            server.release()
            await asyncio.wait_for(channel._news.wait(), 30)
        return number

    monkeypatch.setattr(channel, "_notify", slow)
    channel.send(message(), FINE)
    assert not channel.open_notices()
