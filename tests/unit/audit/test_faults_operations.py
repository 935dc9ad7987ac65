"""Changes of the log that meet a lock, or a key that is lost in the middle: refused in words, nothing half done, done later."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.unit.audit.help import end, long_ago, start
from tray.audit import keys, redact, rotation, segments, spool
from tray.audit.checkpoint import Signer, VerifierKey
from tray.audit.entry import Action, Severity
from tray.audit.store import AuditLog
from tray.audit.verify.check import Result, verify
from tray.baselines import all_copies
from tray.core import clock
from tray.core.errors import AuditUnavailableError
from tray.core.paths import Places

QUICK = 0.1
"""Seconds to wait for a lock; the product waits longer, for the same result."""
YEAR = 365 * clock.DAY_MS


@pytest.fixture
def aged(places: Places, monkeypatch: pytest.MonkeyPatch) -> Places:
    """A log of 600 old entries in a closed segment and some that are not, with the copy of its checkpoint."""
    with long_ago(monkeypatch), AuditLog.open(places.audit_db, places.audit_key, copies=places.baselines) as log:
        log.append([draft for number in range(299) for draft in (start(f"a{number}"), end(f"a{number}"))])
        segments.rotate(log, 512)
    spool.record(places, [end("new")])
    return places


@contextmanager
def locked(places: Places) -> Iterator[None]:
    """Another program keeps the database locked for writing."""
    other = sqlite3.connect(places.audit_db, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
    finally:
        other.close()


def opened(places: Places) -> AuditLog:
    """The log, for appending."""
    return AuditLog.open(places.audit_db, places.audit_key, timeout=QUICK, copies=places.baselines)


def size(places: Places) -> int:
    """Number of entries."""
    with AuditLog.read(places.audit_db) as log:
        return log.head()[0]


def judged(places: Places) -> Result:
    """Verify with the copies beside the configuration, and return the result."""
    near = all_copies.notes(places)
    return verify(places.audit_db, places.audit_key, kept=near, pinned=all_copies.pinned(places)).result


def close(places: Places) -> object:
    """Close what is due."""
    with opened(places) as log:
        return segments.rotate(log)


OPERATIONS: dict[str, Callable[[Places], object]] = {
    "key change": lambda places: rotation.rotate(places, timeout=QUICK),
    "pruning": lambda places: segments.prune(places, YEAR, all_copies.notes(places), timeout=QUICK),
    "erasing": lambda places: redact.redact(places, size(places) - 1, "asked for", timeout=QUICK),
    "closing": lambda places: [spool.record(places, [end() for _ in range(300)]), close(places)][1],
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_change_that_meets_a_lock_is_refused_whole_and_done_later(aged: Places, name: str) -> None:
    """While another process keeps the log locked, nothing changes and the key stays; the user can ask again later."""
    if name == "closing":
        spool.record(aged, [end() for _ in range(300)])
    before, key = size(aged), keys.load(aged.audit_key)
    with locked(aged), pytest.raises(AuditUnavailableError) as caught:
        close(aged) if name == "closing" else OPERATIONS[name](aged)
    assert "locked" in caught.value.why
    assert (size(aged), keys.load(aged.audit_key)) == (before, key)
    assert judged(aged) is Result.INTACT
    assert OPERATIONS[name](aged)
    assert size(aged) > before
    assert judged(aged) is Result.INTACT


def test_a_record_that_meets_a_lock_comes_into_the_log_exactly_once(aged: Places) -> None:
    """It waits in the spool as often as it is tried, and is one entry in the end."""
    draft = end("met a lock")
    with locked(aged):
        for _ in range(3):
            assert spool.record(aged, [draft], timeout=QUICK) is None
        assert [one.id for one in spool.pending(aged)] == [draft.id]
    assert spool.drain(aged) == 1
    assert spool.record(aged, [draft]) is not None
    with AuditLog.read(aged.audit_db) as log:
        assert [entry.data["id"] for entry in log.entries(-50, 50)].count(draft.id) == 1
    assert spool.pending(aged) == []


def test_a_key_that_is_lost_under_an_open_log_is_replaced_loudly_by_the_next_record(aged: Places) -> None:
    """The open log refuses, the record makes a new key, old entries stay verifiable, and all else goes on."""
    with opened(aged) as log:
        log.append([end("before")])
        aged.audit_key.unlink()
        with pytest.raises(AuditUnavailableError):
            log.append([end("refused")])
        assert spool.record(aged, [end("after")]) is not None
        log.append([end("by the open log")])
    with AuditLog.read(aged.audit_db) as log:
        (change,) = [entry for entry in log.entries(-10, 10) if entry.data["action"] == Action.KEY_ROTATED]
        assert (change.data["result"], change.data["severity"]) == ("replaced", Severity.CRITICAL)
        runs = [run.run for run in log.history(4)]
    assert runs == ["by the open log", "after", "before", "new"]
    assert len(segments.prune(aged, YEAR, all_copies.notes(aged))) == 1
    assert rotation.rotate(aged).new in keys.pins(aged.audit_key)
    assert judged(aged) is not Result.TAMPERED


def test_a_key_is_pinned_whole_or_not_at_all(aged: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full leaves the file as it was: an empty one would make a sound log look signed by a stranger."""
    before = keys.pin_file(aged.audit_key).read_bytes()
    other = VerifierKey("another log", Signer(bytes(32)).public)
    with monkeypatch.context() as patch:
        patch.setattr(keys.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError):
            keys.pin(aged.audit_key, other)
    assert keys.pin_file(aged.audit_key).read_bytes() == before
    keys.pin(aged.audit_key, other)
    assert keys.pins(aged.audit_key)[-1] == other
    assert len(keys.pins(aged.audit_key)) == 2


def test_half_a_line_of_pinned_keys_spoils_no_other(aged: Places) -> None:
    """The half line that a power cut left stays apart from the next key."""
    with keys.pin_file(aged.audit_key).open("ab") as file:
        file.write(b"backup-tray/half a li")
    other = VerifierKey("another log", Signer(bytes(32)).public)
    keys.pin(aged.audit_key, other)
    assert keys.pins(aged.audit_key)[-1] == other
    assert judged(aged) is Result.INTACT


def test_a_copy_that_sqlite_made_is_kept_with_a_wal_again(aged: Places) -> None:
    """`VACUUM INTO` gives a file without one, in which readers and writers would wait for each other."""
    copy = aged.state / "copy.db"
    connection = sqlite3.connect(aged.audit_db)
    connection.execute("VACUUM INTO ?", (str(copy),))
    connection.close()
    copy.replace(aged.audit_db)
    assert spool.record(aged, [end("after")]) is not None
    connection = sqlite3.connect(aged.audit_db)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    assert judged(aged) is Result.INTACT


def test_files_that_somebody_began_to_write_go_after_a_day(aged: Places) -> None:
    """Beside the log as in the spool; what is younger may still be written."""
    names = [aged.state / ".audit.key.1.aa.tmp", aged.state / ".audit.key.2.bb.tmp"]
    for name in names:
        name.write_bytes(b"half")
    moment = clock.now_ms() / 1000 - 2 * 86_400
    os.utime(names[0], (moment, moment))
    spool.record(aged, [end()])
    assert [name.exists() for name in names] == [False, True]
