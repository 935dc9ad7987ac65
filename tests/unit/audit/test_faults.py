"""The log missing, read-only, cut, overwritten, locked, on a full disk: never a lost record, a false green or a traceback."""

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.unit.audit.help import end, filled, mounted, python, start, tamper, writer
from tray.audit import keys, spool
from tray.audit.append import append_all
from tray.audit.store import AuditLog
from tray.audit.verify.check import Kind, Result, verify
from tray.core import clock
from tray.core.clock import DAY_MS
from tray.core.errors import AuditUnavailableError
from tray.core.locks import FileLock
from tray.core.model import Outcome
from tray.core.paths import Places

QUICK = 0.2
"""Seconds to wait for a lock; the product waits longer, for the same result."""


@contextmanager
def locked(places: Places, *, readers_too: bool) -> Iterator[None]:
    """Another program keeps the database locked."""
    other = sqlite3.connect(places.audit_db, isolation_level=None)
    try:
        if readers_too:
            other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")
    finally:
        other.close()


def outcomes(places: Places) -> dict[str, Outcome]:
    """The runs on record and how they ended."""
    with AuditLog.read(places.audit_db) as log:
        return {run.run: run.outcome for run in log.history(1000)}


def assert_kept(places: Places, run: str) -> None:
    """The record of *run* waits where status sees it."""
    assert [draft.run for draft in spool.pending(places)] == [run]


def assert_unreadable(places: Places) -> AuditUnavailableError:
    """Reading says what is wrong and what to do; asking for jobs does not give old or empty data."""
    with pytest.raises(AuditUnavailableError) as caught, AuditLog.read(places.audit_db, timeout=QUICK) as log:
        log.version(), log.jobs(), log.open_runs(), log.history(), log.head()
    assert caught.value.why
    assert caught.value.next
    return caught.value


def test_a_log_locked_by_a_writer_delays_the_record_only(places: Places) -> None:
    """A backup does not wait half a minute for another process's lock: the wrapper spools the record, readers go on."""
    filled(places, 2)
    with locked(places, readers_too=False):
        began = clock.monotonic()
        assert spool.record(places, [end("new", outcome=Outcome.FAILED)], timeout=QUICK) is None
        assert clock.monotonic() - began < 5
        assert_kept(places, "new")
        assert set(outcomes(places)) == {"run-0", "run-1"}
    assert spool.drain(places) == 1
    assert outcomes(places)["new"] is Outcome.FAILED


def test_a_log_locked_altogether_is_unavailable_and_says_by_what(places: Places) -> None:
    """Readers that cannot read say so; afterwards all goes on."""
    filled(places, 1)
    with locked(places, readers_too=True):
        assert "locked" in assert_unreadable(places).why
        with pytest.raises(AuditUnavailableError):
            verify(places.audit_db, places.audit_key, timeout=QUICK)
        assert spool.record(places, [end("new")], timeout=QUICK) is None
        assert_kept(places, "new")
    assert spool.record(places, [end("newer")]) is not None
    assert set(outcomes(places)) == {"run-0", "new", "newer"}


def test_an_open_reader_meets_the_lock_too(places: Places) -> None:
    """The tray's own long-lived reader gets the same plain answer, and recovers by itself."""
    filled(places, 1)
    with AuditLog.read(places.audit_db, timeout=QUICK) as log:
        assert len(log.jobs()) == 1
        log.close()
        with locked(places, readers_too=True), pytest.raises(AuditUnavailableError, match="cannot be used"):
            log.jobs()
        assert len(log.jobs()) == 1


def test_a_hung_creator_blocks_nobody(places: Places) -> None:
    """Another process stopped while it made the log: the record is spooled after the time that the caller grants."""
    places.state.mkdir(parents=True, mode=0o700)
    lock = FileLock(places.state / "audit.lock")
    assert lock.acquire()
    assert spool.record(places, [end("new")], timeout=QUICK) is None
    assert_kept(places, "new")
    lock.release()
    assert spool.drain(places) == 1


@pytest.mark.parametrize("part", [0.0, 0.001, 0.02, 0.3, 0.6, 0.95])
def test_a_cut_database_is_never_called_fine(places: Places, part: float) -> None:
    """Cut anywhere: unavailable or found by verification; new records are kept."""
    filled(places, 150)
    size = places.audit_db.stat().st_size
    os.truncate(places.audit_db, int(size * part))
    try:
        verdict = verify(places.audit_db, places.audit_key)
    except AuditUnavailableError:
        assert_unreadable(places)
    else:
        assert verdict.result is Result.TAMPERED
    if spool.record(places, [end("new")], timeout=QUICK) is None:
        assert_kept(places, "new")
    else:
        assert outcomes(places)["new"] is Outcome.SUCCEEDED


@pytest.mark.parametrize("length", [16, 100, 4096, None])
def test_noise_over_the_database_is_noticed_by_a_reader_that_is_open(places: Places, length: int | None) -> None:
    """Overwritten in place under an open reader, whose cache knows better times: no old data is shown as current."""
    filled(places, 40)
    with AuditLog.read(places.audit_db) as log:
        assert log.jobs()
        seen = log.version()
        with places.audit_db.open("r+b") as file:
            file.write(os.urandom(places.audit_db.stat().st_size if length is None else length))
        with pytest.raises(AuditUnavailableError):
            assert log.version() == seen
    assert_unreadable(places)
    assert spool.record(places, [end("new")], timeout=QUICK) is None
    assert_kept(places, "new")


@pytest.mark.parametrize("what", ["pipe", "folder", "device"])
def test_what_is_no_file_is_no_log_and_holds_nobody_up(places: Places, what: str) -> None:
    """SQLite would wait for a pipe for ever, and every surface with it."""
    filled(places, 1)
    places.audit_db.unlink()
    if what == "pipe":
        os.mkfifo(places.audit_db)
    elif what == "folder":
        places.audit_db.mkdir()
    else:
        places.audit_db.symlink_to(os.devnull)
    assert "is no file" in assert_unreadable(places).why
    assert spool.record(places, [end("new")], timeout=QUICK) is None
    assert_kept(places, "new")


def test_a_damaged_log_can_be_moved_away_as_the_error_says(places: Places) -> None:
    """The next step works: a new log begins, takes what waited, and names the one before."""
    filled(places, 3)
    places.audit_db.write_bytes(os.urandom(20_000))
    assert spool.record(places, [end("waited")], timeout=QUICK) is None
    assert f"mv {places.audit_db}" in assert_unreadable(places).next
    places.audit_db.rename(places.state / "audit.db.damaged")
    assert spool.record(places, [end("new")]) is not None
    assert set(outcomes(places)) == {"waited", "new"}
    verdict = verify(places.audit_db, places.audit_key)
    assert (verdict.kind, len(verdict.notes)) == (None, 1)


def test_a_log_of_a_newer_program_is_left_alone(places: Places) -> None:
    """An older program neither reads it wrongly nor writes into it."""
    filled(places, 1)
    other = sqlite3.connect(places.audit_db)
    other.execute("PRAGMA user_version = 99")
    other.close()
    assert "newest" in assert_unreadable(places).next
    assert spool.record(places, [end("new")], timeout=QUICK) is None
    assert_kept(places, "new")


@pytest.mark.parametrize("content", [b"", b"garbage", b"backup-tray-ed25519-seed AAAA"])
def test_a_broken_key_stops_the_log_but_loses_nothing(places: Places, content: bytes) -> None:
    """Without a key nothing can be signed: records wait, and moving the broken key away lets them in."""
    filled(places, 1)
    keys.write_new(places.audit_key, content)
    assert spool.record(places, [end("new")]) is None
    assert_kept(places, "new")
    places.audit_key.unlink()
    assert spool.drain(places) == 1
    assert verify(places.audit_db, places.audit_key).kind is None


def test_a_key_that_others_can_read_is_not_used(places: Places) -> None:
    """A key that leaked its rights is a finding for the user, not something to go on signing with."""
    filled(places, 1)
    places.audit_key.chmod(0o644)
    with pytest.raises(AuditUnavailableError) as caught, writer(places) as log:
        log.append([end()])
    assert "chmod 600" in caught.value.next


def test_nothing_is_appended_behind_a_cut_tail(places: Places) -> None:
    """After an attacker cut the end off, the wrapper does not cover the hole with new entries; those wait."""
    filled(places)
    tamper(places, "DELETE FROM bodies WHERE seq >= 20", "DELETE FROM entries WHERE seq >= 20")
    assert spool.record(places, [end("new")]) is None
    assert_kept(places, "new")
    assert verify(places.audit_db, places.audit_key).kind is Kind.TRUNCATED


def test_a_record_written_into_a_file_that_was_moved_away_is_kept(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log is replaced in the very moment of an append: the record waits for the new one."""
    filled(places, 1)

    def moved(*arguments: Any) -> list[int]:
        places.audit_db.rename(places.state / "moved.db")
        return append_all(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr("tray.audit.store.append_all", moved)
        assert spool.record(places, [end("new")]) is None
    assert_kept(places, "new")
    assert spool.drain(places) == 1
    assert set(outcomes(places)) == {"new"}


def test_a_folder_that_others_can_enter_gets_no_log(places: Places) -> None:
    """The state folder is open to others: no key is put there, the record waits in a private place."""
    places.state.mkdir(parents=True, mode=0o700)
    places.state.chmod(0o755)
    with pytest.raises(AuditUnavailableError) as caught:
        writer(places)
    assert "chmod 700" in caught.value.next
    assert spool.record(places, [end("new")]) is None
    assert_kept(places, "new")
    assert list(places.state.iterdir()) == []


def test_records_of_a_clock_that_jumps_back_stay_in_order(places: Places) -> None:
    """Entries keep the order of appending whatever the clock says, and the log verifies."""
    now = clock.now_ms()
    with writer(places) as log:
        log.append([start("a", time_ms=now), end("a", time_ms=now - DAY_MS, duration_ms=5000)])
        log.append([end("b", time_ms=now - 2 * DAY_MS, outcome=Outcome.FAILED)])
        assert [(run.run, run.duration_ms) for run in log.history()] == [("b", None), ("a", 5000)]
        assert [entry.seq for entry in log.entries()] == [0, 1, 2, 3, 4]
    assert verify(places.audit_db, places.audit_key).kind is None


_IN_STATE = """
import os, sys
from pathlib import Path
from tests.unit.audit.help import end
from tray.audit import spool
from tray.audit.store import AuditLog
from tray.audit.verify.check import verify
from tray.core.model import Outcome
from tray.core.paths import places
here = places()
def fill(left):
    # until only *left* bytes are free
    disk = os.statvfs(here.state)
    (here.state / "ballast").write_bytes(bytes(disk.f_bavail * disk.f_frsize - left))
def runs():
    with AuditLog.read(here.audit_db) as log:
        return [run.run for run in log.history(10_000)], log.version() == log.version()
"""


@pytest.mark.process
def test_a_read_only_folder_is_read_and_new_records_wait_elsewhere(places: Places) -> None:
    """Home mounted read-only: status and verification still work, the record goes to the next place."""
    filled(places, 2)
    places.runtime.mkdir(mode=0o700)
    code = """
assert spool.record(here, [end("new")]) is None
assert [draft.run for draft in spool.pending(here)] == ["new"], spool.pending(here)
assert here.spools[1].is_dir() and not here.spools[0].exists()
assert runs() == (["run-1", "run-0"], True), runs()
print(verify(here.audit_db, here.audit_key).result)
"""
    mount = f"mount --bind {places.state} {places.state}; mount -o remount,ro,bind {places.state}"
    done = mounted(mount, _IN_STATE + code)
    assert (done.stdout, done.returncode) == ("inconclusive\n", 0), done.stderr
    assert spool.drain(places) == 1
    assert outcomes(places).keys() == {"run-0", "run-1", "new"}


@pytest.mark.process
def test_a_read_only_folder_with_changes_in_the_wal_never_gives_old_data(places: Places, tmp_path: Path) -> None:
    """A copy from a crashed machine, read-only: the newest state, or an error in words, but not the state before the WAL."""
    filled(places, 1)
    with writer(places) as log:
        log.append([end("newest", outcome=Outcome.FAILED)])
        for name in ("audit.db", "audit.db-wal"):
            (tmp_path / name).write_bytes((places.state / name).read_bytes())
    code = """
from tray.core.errors import AuditUnavailableError
try:
    with AuditLog.read(Path(sys.argv[1])) as log:
        print(log.history(1)[0].run)
except AuditUnavailableError as error:
    print("newest" if error.why and error.next else "no words")
"""
    done = mounted(
        f"mount --bind {tmp_path} {tmp_path}; mount -o remount,ro,bind {tmp_path}",
        _IN_STATE + code,
        tmp_path / "audit.db",
    )
    assert (done.stdout, done.returncode) == ("newest\n", 0), done.stderr


@pytest.mark.process
def test_a_full_disk_at_the_log_loses_no_record(places: Places) -> None:
    """A small tmpfs fills up under the log: every record is in the log or in the next place, and all come together later."""
    for folder in (places.state, places.runtime):
        folder.mkdir(parents=True, mode=0o700)
    code = """
assert spool.record(here, [end("first")]) is not None
fill(600_000)
body = {"reason": os.urandom(20_000).hex()}
told = []
for number in range(60):
    told.append(spool.record(here, [end(f"r{number}", outcome=Outcome.FAILED, body=body)]) is not None)
assert told[0] and not told[-1], told
waiting = {draft.run for draft in spool.pending(here)}
found = set(runs()[0])
assert found | waiting >= {"first", *(f"r{number}" for number in range(60))}, (found, waiting)
assert any(here.spools[1].iterdir())
assert verify(here.audit_db, here.audit_key).kind is None
(here.state / "ballast").unlink()
assert spool.drain(here) == len(waiting)
assert len(runs()[0]) == 61 and not spool.pending(here)
print(verify(here.audit_db, here.audit_key).result)
"""
    ours = f"size=16m,mode=700,uid={os.geteuid()},gid={os.getegid()}"
    done = mounted(f"mount -t tmpfs -o {ours} none {places.state}", _IN_STATE + code)
    assert (done.stdout, done.returncode) == ("inconclusive\n", 0), done.stderr


@pytest.mark.process
def test_a_disk_that_is_full_from_the_start_makes_no_half_log(places: Places) -> None:
    """No room even for an empty log: nothing half is left behind, the record waits elsewhere."""
    for folder in (places.state, places.runtime):
        folder.mkdir(parents=True, mode=0o700)
    code = """
fill(16_000)
assert spool.record(here, [end("a")]) is None
assert [draft.run for draft in spool.pending(here)] == ["a"]
print(sorted(item.name for item in here.state.iterdir() if item.is_file() and item.name != "ballast"))
(here.state / "ballast").unlink()
assert spool.record(here, [end("b")]) is not None
print(runs()[0])
"""
    ours = f"size=16m,mode=700,uid={os.geteuid()},gid={os.getegid()}"
    done = mounted(f"mount -t tmpfs -o {ours} none {places.state}", _IN_STATE + code)
    assert done.returncode == 0, done.stderr
    left, found = done.stdout.splitlines()
    assert set(eval(left)) <= {"audit.lock"}  # noqa: S307 - a list that the lines above printed
    assert found == "['b', 'a']"


_KILLED_WHILE_MAKING = """
import os, signal
from tray.audit import append
from tests.unit.audit.help import end
from tray.audit import spool
from tray.core.paths import places
os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL) if str(_[1]).endswith(".db") else os.rename(*_)
spool.record(places(), [end("a")])
"""


@pytest.mark.process
def test_killed_while_making_the_log_leaves_no_half_log(places: Places) -> None:
    """A process that opens the log always finds its first entries."""
    assert python(_KILLED_WHILE_MAKING).returncode == -signal.SIGKILL
    left = {item.name for item in places.state.iterdir() if not item.name.startswith(".")}
    assert left == {"audit.key.new", "audit.lock"}
    assert spool.record(places, [end("b")]) == [2]
    assert not any(item.name.endswith((".tmp", ".new")) for item in places.state.iterdir())
    assert verify(places.audit_db, places.audit_key).kind is None


def test_verdict_kinds_are_the_documented_words() -> None:
    """Scripts and the window rely on them."""
    words = (
        "altered missing inserted reordered rolled back signature missing key unknown truncated added rewritten replaced body "
        "signature key index schema damaged"
    )
    assert " ".join(kind.value for kind in Kind) == words
