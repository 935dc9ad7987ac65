"""`backup-tray notify` in a terminal: how channels stand, a test, and a rest of the messages about a job."""

import json
from contextlib import closing

import pytest

from tray.cli.main import main
from tray.cli.notify import PARTS
from tray.core import clock
from tray.core.model import Instance
from tray.core.paths import Places, private
from tray.notify import channels, outages, overview, queue_file, snooze
from tray.notify.channels import NotSentError
from tray.wording import channel_lines

CONFIG = """
[channels.mail]
to = ["ann@example.com"]
[channels.phone]
type = "ntfy"
topic = "x"
enabled = false
[channels.webhook]
[jobs.home]
command = ["true"]
"""


@pytest.fixture
def written(places: Places) -> Places:
    """Three channels: one that can work, one that is turned off, one with a fault."""
    private(places.config)
    places.config_file.write_text(CONFIG)
    return places


class Sends:
    """A channel that sends, or fails with a reason."""

    def __init__(self, why: str | None = None) -> None:
        self.why = why

    def send(self, *_: object) -> None:
        """Send nothing, really."""
        if self.why is not None:
            raise NotSentError(self.why)


def out(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the output of the command."""
    main(["notify", *arguments])
    return capsys.readouterr().out


@pytest.fixture(autouse=True)
def session(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user has a desktop session."""
    monkeypatch.setattr(overview, "session_bus", lambda: "unix:path=/nowhere/bus")


def test_without_a_session_the_desktop_is_not_called_untried(
    written: Places, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a server a test would bring nothing; the messages wait for a session."""
    monkeypatch.setattr(overview, "session_bus", lambda: None)
    assert main(["notify"]) == 1
    assert capsys.readouterr().out.startswith("desktop  no desktop session\nmail     not tried yet\n")


def test_the_channels_stand_in_columns(written: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """Name, state, and under a fault its reason; exit code 1 since one sends nothing."""
    assert main(["notify"]) == 1
    assert capsys.readouterr().out == (
        "desktop  not tried yet\n"
        "mail     not tried yet\n"
        "phone    turned off\n"
        "webhook  cannot send\n"
        "         why: In [channels.webhook]: a channel of type webhook needs `url`.\n"
        f"         next: Mend that place in a text editor (`nano +8,1 {written.config_file}`), then try again.\n"
    )


@pytest.mark.parametrize(
    ("bus", "line", "words"),
    [
        ("unix:path=/nowhere/bus", "", "You are told on this desktop only. "),
        (None, "", "Nothing tells you. "),
        ("unix:path=/nowhere/bus", "[channels.desktop]\nenabled = false\n", "Nothing tells you. "),
    ],
)
def test_a_user_whom_nothing_tells_is_not_called_told(
    bus: str | None,
    line: str,
    words: str,
    places: Places,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a server, or with the desktop turned off, no message arrives."""
    monkeypatch.setattr(overview, "session_bus", lambda: bus)
    private(places.config)
    places.config_file.write_text(line)
    assert out(capsys, "status").splitlines()[-1].startswith(words)


def test_without_a_channel_the_way_to_one_is_named(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """The desktop alone is told, and the command that shows the lines for others works."""
    assert "`backup-tray notify lines`" in out(capsys, "status")
    said = out(capsys, "lines")
    for kind in channel_lines.ALL:
        assert kind.lines in said
    assert str(places.config_file) in said
    only = out(capsys, "lines", "mail")
    assert "[channels.mail]" in only
    assert "[channels.ntfy]" not in only


def test_a_test_is_remembered(
    written: Places, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A channel that refused a test cannot send, until a test or a message gets through."""
    monkeypatch.setattr(channels, "load", lambda *_: Sends("the server refused the password"))
    assert main(["notify", "test", "mail"]) == 2
    assert "why:  the server refused the password" in capsys.readouterr().err
    assert "mail     cannot send\n         why: the server refused the password\n" in out(capsys)
    monkeypatch.setattr(channels, "load", lambda *_: Sends())
    assert main(["notify", "test", "mail"]) == 0
    assert "Sent." in capsys.readouterr().out
    assert "mail     ready          tested now, no message yet\n" in out(capsys).replace("just now", "now")
    tested = next(row for row in json.loads(out(capsys, "--json")) if row["channel"] == "mail")
    assert (tested["fault"], tested["last_sent_at"]) == (None, None)
    assert tested["last_test_at"] is not None


@pytest.mark.process
def test_a_failed_test_from_a_terminal_says_nothing_of_the_desktop(
    written: Places, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal over the network has no desktop; the icon's session has one all the same."""
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
    assert main(["notify", "test", "desktop"]) == 2
    capsys.readouterr()
    assert "desktop  not tried yet\n" in out(capsys)


def test_a_test_for_programs_says_the_error_as_data(
    written: Places, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The window reads it; the exit code is the same."""
    monkeypatch.setattr(channels, "load", lambda *_: Sends("refused"))
    assert main(["notify", "test", "mail", "--json"]) == 2
    said = json.loads(capsys.readouterr().out)
    assert (said["sent"], said["error"]["code"], said["error"]["why"]) == (False, "ERROR_MESSAGE_NOT_SENT", "refused")
    monkeypatch.setattr(channels, "load", lambda *_: Sends())
    assert main(["notify", "test", "mail", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"sent": True, "error": None}
    assert main(["notify", "test", "nothing", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "ERROR_CHANNEL_NOT_FOUND"


def test_a_channel_that_works_again_tries_its_messages_at_once(
    written: Places, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that waits hours for its next try goes out once the user has mended the channel and tested it."""
    started: list[Places] = []
    monkeypatch.setattr("tray.notify.overview.start_sender", started.append)
    monkeypatch.setattr(channels, "load", lambda *_: Sends())
    main(["notify", "test", "mail"])
    assert started == []
    with closing(queue_file.opened(written)) as queue:
        now_ms = clock.now_ms()
        queue.db.execute("INSERT INTO messages VALUES ('m', 'mail', ?, 3, ?, NULL, 'x')", (now_ms, now_ms + 9_000_000))
    outages.remember(written, "mail", "x")
    main(["notify", "test", "mail"])
    capsys.readouterr()
    assert len(started) == 1
    with closing(queue_file.opened(written)) as queue:
        assert (queue.next_ms("mail", clock.now_ms()) or 0) <= clock.now_ms()


def test_messages_about_a_job_rest_and_are_sent_again(written: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """The rest is shown while it lasts; begin and end of it are on record."""
    assert main(["notify", "snooze", "home", "--for", "8h"]) == 0
    assert "No message about home until" in capsys.readouterr().out
    (rest,) = snooze.rests(written)
    assert (rest.job, rest.instance) == ("home", Instance.USER)
    assert abs(rest.until_ms - clock.now_ms() - 8 * 3_600_000) < 600_000
    assert "Messages about home rest until" in out(capsys)
    assert main(["notify", "snooze", "home", "--end"]) == 0
    assert "sent again" in capsys.readouterr().out
    assert snooze.rests(written) == []
    assert "do not rest" in out(capsys, "snooze", "home", "--end")
    assert main(["audit", "show", "--action", "job.snoozed"]) == 0
    newest, first = [line for line in capsys.readouterr().out.splitlines() if "job.snoozed" in line]
    assert " snoozed " in first
    assert " ended " in newest


def test_the_rest_of_a_job_of_the_system_is_ended_too(written: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """Two jobs of one name are told apart while they rest, and both end by the name."""
    snooze.put(written, "home", clock.now_ms() + 10_000_000, Instance.SYSTEM)
    assert "Messages about home (system) rest until" in out(capsys)
    assert main(["notify", "snooze", "home", "--end"]) == 0
    assert snooze.rests(written) == []


@pytest.mark.parametrize("length", ["soon", "0s", "91d"])
def test_a_rest_has_a_length(length: str, written: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """A length that makes no sense is refused with one that does."""
    assert main(["notify", "snooze", "home", "--for", length]) == 64
    assert "--for 8h" in capsys.readouterr().err


@pytest.mark.parametrize("part", PARTS)
def test_every_part_of_notify_has_help_with_an_example(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The same for all that stands behind `notify`."""
    with pytest.raises(SystemExit):
        main(["notify", part, "--help"])
    assert f"examples:\n  backup-tray notify {part}" in capsys.readouterr().out


def test_a_desktop_that_the_user_has_not_configured_fails_no_command(
    places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    """A session without a program that shows notices is no fault of the configuration; one that the user names is."""
    outages.remember(places, "desktop", "No program shows notices.")
    assert main(["notify", "status"]) == 0
    assert "No program shows notices." in capsys.readouterr().out
    private(places.config)
    places.config_file.write_text("[channels.desktop]\n")
    assert main(["notify", "status"]) == 1


def test_a_desktop_that_is_not_there_is_no_fault_of_the_configuration(
    written: Places, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next step leads to a terminal of the session, and only there to config.toml."""
    monkeypatch.setattr(overview, "test", Sends("No session bus answers.").send)
    for bus, step in ((None, "Try it in a terminal of your desktop"), ("unix:path=/bus", "Mend [channels.desktop]")):
        monkeypatch.setattr("tray.cli.notify.session_bus", lambda bus=bus: bus)
        assert main(["notify", "test", "desktop"]) == 2
        assert f"next: {step}" in capsys.readouterr().err
