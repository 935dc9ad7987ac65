"""`audit key` and `audit checkpoint`: the log's name and key, for people to keep elsewhere."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.audit.help import end, filled
from tray.audit import checkpoint, keys, spool
from tray.audit.store import AuditLog
from tray.baselines import all_copies
from tray.cli.main import main
from tray.core.paths import Places

TRAY = [sys.executable, "-m", "tray"]


@pytest.fixture
def log(places: Places) -> Places:
    """A log that was kept by the ordinary way of recording."""
    spool.record(filled(places, 2), [end()])
    return places


def facts(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    """Return the output of `audit key --json`."""
    assert main(["audit", "key", "--json", *arguments]) == 0
    return dict(json.loads(capsys.readouterr().out))


def test_the_key_is_shown_with_the_places_where_it_is_pinned(log: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """A user who writes the key down can tell this log from any other."""
    (pinned,) = keys.pins(log.audit_key)
    assert main(["audit", "key"]) == 0
    said = capsys.readouterr().out
    assert str(pinned) in said
    assert f"pinned in:    {log.state / 'audit.pub'}\n" in said
    assert f"pinned in:    {log.baselines}" in said
    assert "NOT" not in said


def test_a_pin_that_is_gone_is_told(log: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """Looking restores nothing, and hides nothing."""
    (log.state / "audit.pub").unlink()
    assert main(["audit", "key"]) == 0
    assert f"NOT pinned:   {log.state / 'audit.pub'}" in capsys.readouterr().out
    assert not (log.state / "audit.pub").exists()


def test_the_key_can_be_changed(log: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """The new key is shown, the old one named as an earlier one, and the entry that brought the new one in."""
    before = facts(capsys)["public_key"]
    after = facts(capsys, "--rotate")
    assert (after["old_key"], after["earlier_keys"]) == (before, [before])
    assert after["signing_key_fits"] is True
    with AuditLog.read(log.audit_db) as opened:
        assert opened.entry(int(str(after["rotated_at_entry"]))).data["action"] == "key.rotated"
    assert main(["audit", "key"]) == 0
    assert "the old one introduced" not in capsys.readouterr().out


def test_a_lost_signing_key_is_told(log: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """The public key is still known from the pins; what the next record will do is said."""
    log.audit_key.unlink()
    assert facts(capsys)["signing_key_fits"] is False
    assert main(["audit", "key"]) == 0
    assert "the next record brings in another key" in capsys.readouterr().out


def test_without_a_log_there_is_no_key_to_show(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """Asking makes no log."""
    assert main(["audit", "key"]) == 2
    assert "does not exist" in capsys.readouterr().err
    assert not places.state.exists()


def test_the_foot_of_a_report_can_be_compared_with_the_log(log: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """A report on paper names size and root; years later the log answers with the same line, or not."""
    with AuditLog.read(log.audit_db) as opened:
        size, _, note = opened.head()
    foot = all_copies.footer(checkpoint.parse(note))
    spool.record(log, [end(), end()])
    assert main(["audit", "checkpoint", "--size", str(size)]) == 0
    assert capsys.readouterr().out == f"{foot}\n"
    assert main(["audit", "checkpoint", "--size", "0"]) == 64
    assert main(["audit", "checkpoint", "--size", "99"]) == 64
    assert "never had 99 entries" in capsys.readouterr().err


def test_a_checkpoint_can_be_had_on_one_line(log: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """The user can keep the checkpoint in a message."""
    assert main(["audit", "checkpoint", "--line"]) == 0
    with AuditLog.read(log.audit_db) as opened:
        assert checkpoint.from_line(capsys.readouterr().out) == opened.head()[2]


@pytest.mark.process
def test_a_new_log_introduces_itself_once_and_only_to_a_terminal(places: Places) -> None:
    """At first use a person is told once, in one sentence, where the key is shown; a mail from cron never holds it."""
    assert subprocess.run([*TRAY, "run", "--", "true"], capture_output=True, timeout=60, check=True).stderr == b""
    for path in [*places.state.glob("audit.*"), *places.baselines.glob("*")]:
        path.unlink()
    said = [_on_a_terminal() for _ in range(2)]
    assert said == [
        "backup-tray: this is the first run on record here; `backup-tray status` shows how your backups are.\r\n",
        "",
    ]


def _on_a_terminal() -> str:
    """Run something under watch and return what a person sees on standard error."""
    ours, theirs = pty.openpty()
    with open(ours, "rb", buffering=0) as terminal:
        subprocess.run([*TRAY, "run", "--", "true"], stdout=subprocess.DEVNULL, stderr=theirs, timeout=60, check=True)
        os.set_blocking(ours, False)
        os.close(theirs)
        try:
            return (terminal.read(65_536) or b"").decode()
        except OSError:  # nothing was written, and the other end of the terminal is closed
            return ""


def test_the_baselines_folder_can_be_given_as_it_is(log: Places) -> None:
    """Keys that lie beside the checkpoints are passed over."""
    assert {path.suffix for path in Path(log.baselines).iterdir()} == {".checkpoint", ".pub"}
    assert main(["audit", "verify", "--checkpoint", str(log.baselines)]) == 0
