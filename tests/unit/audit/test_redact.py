"""Erasing personal details: gone wherever we keep them, and the log proves that nothing else changed."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.audit.help import end, start, writer
from tray.audit import redact, spool
from tray.audit.entry import Action, Draft
from tray.audit.search import Filter, by_words, index_fill, search
from tray.audit.store import AuditLog
from tray.audit.verify.check import verify
from tray.cli.main import main
from tray.core.errors import AuditMissingError, AuditUnavailableError, EntryNotFoundError, RedactRefusedError
from tray.core.paths import Places

SECRET = "Wilhelmina Featherstonehaugh"


@pytest.fixture
def told(places: Places) -> Places:
    """A log in whose entry 3 a name stands, and an index of its words."""
    with writer(places) as log:
        log.append([start("a"), end("a", body={"reason": f"{SECRET} pulled the plug."}), end("b")])
    index_fill.update(places)
    return places


def test_erased_details_are_gone_from_every_file(told: Places) -> None:
    """Database, write-ahead log and the index of words: no file holds the name, packed or plain; the entry still stands."""
    with AuditLog.read(told.audit_db) as log:
        assert [entry.seq for entry in search(log, Filter(text=("Featherstonehaugh",))).entries] == [3]
        packed = log._live().execute("SELECT body FROM bodies WHERE seq = 3").fetchone()[0]
        raw = log.entry(3).raw
    assert redact.redact(told, 3, "asked for") == 5
    traces = (packed, *(word.lower().encode() for word in SECRET.split()))
    for item in os.scandir(told.state):
        content = Path(item).read_bytes().lower() if item.is_file() else b""
        assert not any(trace.lower() in content for trace in traces), item.name
    with AuditLog.read(told.audit_db) as log:
        assert (log.entry(3).raw, log.entry(3).body, log.entry(3).erased) == (raw, None, True)
        assert log.entry(5).body == {"entry": 3, "reason": "asked for"}
        assert search(log, Filter(text=("Featherstonehaugh",))).entries == []
    assert verify(told.audit_db, told.audit_key).result == "inconclusive"


def test_what_is_needed_to_verify_is_not_erased(told: Places) -> None:
    """Public keys and the words of an erasure stay."""
    redact.redact(told, 3, "asked for")
    for seq in (1, 5):
        with pytest.raises(RedactRefusedError, match="not erased"):
            redact.redact(told, seq, "x")
    assert verify(told.audit_db, told.audit_key).result == "inconclusive"


def test_nothing_is_erased_twice(told: Places) -> None:
    """An entry about an erasure that erased nothing would only confuse."""
    redact.redact(told, 3, "asked for")
    with AuditLog.read(told.audit_db) as log:
        size = log.head()[0]
    with pytest.raises(RedactRefusedError) as caught:
        redact.redact(told, 3, "again")
    assert "before" in caught.value.why
    with pytest.raises(RedactRefusedError) as caught:
        redact.redact(told, 2, "never any")
    assert "never" in caught.value.why
    with pytest.raises(EntryNotFoundError):
        redact.redact(told, 99, "none")
    with AuditLog.read(told.audit_db) as log:
        assert log.head()[0] == size


def test_an_index_that_cannot_be_removed_is_told(told: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index still holds the words, so the user is told that they are not gone."""

    def refuse(db: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(by_words, "forget", refuse)
    with pytest.raises(AuditUnavailableError) as caught:
        redact.redact(told, 3, "asked for")
    assert "index with their words stays" in caught.value.why
    assert "rm " in caught.value.next


def test_a_waiting_record_is_appended_first(told: Places) -> None:
    """A file in the spool may hold the same details; it is not there any more afterwards."""
    spool.keep(told, [Draft(Action.JOB_SEEN, job="home", body={"note": SECRET})])
    redact.redact(told, 3, "asked for")
    assert spool.pending(told) == []


def test_the_command_line_wants_a_reason_and_a_yes(told: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal to ask at, the command assumes neither; afterwards it names the places that it did not reach."""
    assert main(["audit", "redact", "3"]) == 64
    assert main(["audit", "redact", "3", "--reason", "asked for"]) == 64
    with AuditLog.read(told.audit_db) as log:
        assert not log.entry(3).erased
    assert main(["audit", "redact", "3", "--reason", "asked for", "--yes"]) == 0
    said = capsys.readouterr().out
    assert "Entry 5 says so" in said
    assert "Copies elsewhere are not reached" in said


def test_without_a_log_none_is_begun(places: Places) -> None:
    """There is nothing to erase."""
    with pytest.raises(AuditMissingError):
        AuditLog.read(places.audit_db)
    assert main(["audit", "redact", "3", "--reason", "x", "--yes"]) != 0
    assert not places.audit_db.exists()


@pytest.mark.process
def test_the_folder_of_the_run_goes_too(places: Places) -> None:
    """The folder holds the same command and the engine's output; no other user can read it while it is there."""
    command = [sys.executable, "-m", "tray", "run", "--job", "home", "--", "echo", SECRET]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    with AuditLog.read(places.audit_db) as log:
        numbers = [entry.seq for entry in log.entries(0, 100) if entry.data["run"] is not None]
    files = [path for path in places.state.rglob("*") if path.is_file()]
    assert any(SECRET.encode() in path.read_bytes() for path in files if path.name == "run.json")
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    for number in numbers:
        redact.redact(places, number, "asked for")
    assert [path for path in places.state.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()] == []
