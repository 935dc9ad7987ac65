"""The log in SQLite: what appends promise, and what readers get."""

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.audit.help import BODY, end, filled, start, tamper, writer
from tray.audit.entry import Action, Draft
from tray.audit.search import Filter, latest
from tray.audit.store import AuditLog
from tray.audit.verify.check import Result, verify
from tray.baselines import all_copies
from tray.core import clock, locks
from tray.core.clock import DAY_MS
from tray.core.errors import AuditMissingError, AuditUnavailableError, EntryNotFoundError, RedactRefusedError
from tray.core.model import Outcome
from tray.core.paths import Places
from tray.status import past_runs, run_ids


def test_a_new_log_begins_with_its_name_and_its_key(places: Places) -> None:
    """The first two entries say which log this is and who signs it."""
    with writer(places) as log:
        assert [entry.data["action"] for entry in log.entries()] == ["log.created", "key.created"]
        name = log.entry(0).data["log"]
        assert log.entry(1).body == {"public_key": places.audit_key.with_suffix(".pub").read_text().strip()}
        assert log.head()[2].decode().split("\n")[0] == name


def test_files_are_private_whatever_the_umask(places: Places) -> None:
    """FR-AUD-003: no other user reads or changes the log, even with umask 0."""
    before = os.umask(0)
    try:
        with writer(places) as log:
            log.append([end()])
            modes = {item.name: stat.S_IMODE(item.stat().st_mode) for item in places.state.iterdir()}
    finally:
        os.umask(before)
    assert {"audit.db", "audit.db-wal", "audit.db-shm", "audit.key", "audit.pub"} <= modes.keys()
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(places.state.stat().st_mode) == 0o700


def test_an_append_survives_a_power_cut(places: Places) -> None:
    """The README promises it: WAL, and every commit synced."""
    with writer(places) as log:
        assert log._live().execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert log._live().execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_record_is_appended_once(places: Places) -> None:
    """Replaying the spool changes nothing: the id is known, and its old number comes back."""
    first, second = start("a"), end("a")
    with writer(places) as log:
        assert log.append([first, second]) == [2, 3]
        note = log.head()
        assert log.append([first, second, first]) == [2, 3, 2]
        assert log.head() == note


def test_the_first_end_of_a_run_is_the_only_one(places: Places) -> None:
    """Wrapper and tracker may both conclude a run; the record holds one end."""
    with writer(places) as log:
        log.append([start("a")])
        seqs = log.append([end("a", outcome=Outcome.FAILED), end("a", action=Action.RUN_CLOSED), end("b")])
        assert seqs == [3, 3, 4]
        assert [(run.run, run.outcome) for run in log.history()] == [("b", Outcome.SUCCEEDED), ("a", Outcome.FAILED)]


def test_open_runs_are_those_without_an_end(places: Places) -> None:
    """A run counts as open from its start to its end, with what is needed to call it lost."""
    with writer(places) as log:
        log.append([start("a", job="x", body={"repository": "/r"}), start("b"), start("c")])
        log.append([end("b")])
        first, second = log.open_runs()
        assert (first.run, first.job, first.engine, first.kind, first.entry) == ("a", "x", "restic", "backup", 2)
        assert (first.repository, second.run) == ("/r", "c")
        log.append([end("a", action=Action.RUN_CLOSED, outcome=Outcome.LOST)])
        assert [run.run for run in log.open_runs()] == ["c"]
        assert log.history(1)[0].inferred


def test_a_start_that_comes_after_its_end_opens_nothing(places: Places) -> None:
    """Clock set back during a run while both records were spooled: the end sorts first, and the run is over."""
    with writer(places) as log:
        log.append([end("a"), start("a")])
        assert log.open_runs() == []
    assert verify(places.audit_db, places.audit_key).result is Result.INCONCLUSIVE


CLOCKS = {
    "right": (-3 * DAY_MS, -2 * DAY_MS, -DAY_MS),
    "ahead, then right": (-3 * DAY_MS, 900 * DAY_MS, -DAY_MS),
    "ahead into the past of today": (-90 * DAY_MS, -1000, -80 * DAY_MS),
    "behind": (-3 * DAY_MS, -DAY_MS, -20_000 * DAY_MS),
    "back and forth": (DAY_MS, -20_000 * DAY_MS, -400 * DAY_MS),
}


@pytest.mark.parametrize("clock_was", CLOCKS)
@pytest.mark.parametrize("near", [0, 256])
def test_what_was_recorded_last_is_last(
    places: Places, clock_was: str, near: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the clock said: an old success is not in front of a later failure, nor an old failure of a later success."""
    monkeypatch.setattr(latest, "NEAR", near)
    now = clock.now_ms()
    first, second, third = (now + offset for offset in CLOCKS[clock_was])
    with writer(places) as log:
        log.append([end("1", outcome=Outcome.FAILED, time_ms=first), end("2", time_ms=second)])
        log.append([Draft(Action.JOB_SEEN, job="home", time_ms=now + 9000 * DAY_MS)])
        (job,) = log.jobs()
        assert (job.last.run, job.last_good and job.last_good.run, job.streak, job.seen) == ("2", "2", 0, True)
        log.append([end("3", outcome=Outcome.FAILED, time_ms=third)])
        (job,) = log.jobs()
        assert (job.last.run, job.last_good and job.last_good.run, job.streak, job.seen) == ("3", "2", 1, False)
        log.append([end("4", outcome=Outcome.LOST, time_ms=first), end("5", outcome=Outcome.CANCELLED, time_ms=now)])
        (job,) = log.jobs()
        assert (job.last.run, job.about.run, job.streak) == ("5", "4", 2)
        log.append([end("6", time_ms=second)])
        (job,) = log.jobs()
        assert (job.last.run, job.last_good, job.streak, job.decides) == ("6", job.last, 0, None)
        assert [run.run for run in log.history()] == list("654321")
        assert [run.run for run in log.history(2, before=log.history()[1].entry)] == ["4", "3"]
    assert [run.run for run in past_runs.find(places, Filter(outcome=("failed", "lost"))).runs] == list("431")
    assert run_ids.resolve(places, "last") == "6"


@pytest.mark.parametrize("near", [0, 256])
def test_a_run_that_was_closed_later_stands_where_it_began(
    places: Places, near: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The power failed during one run, the next one succeeded, and only then the first was closed: the job is fine."""
    monkeypatch.setattr(latest, "NEAR", near)
    with writer(places) as log:
        log.append([start("dead"), start("next"), end("next")])
        log.append([end("dead", outcome=Outcome.LOST, action=Action.RUN_CLOSED)])
        (job,) = log.jobs()
        assert (job.last.run, job.last_good and job.last_good.run) == ("next", "next")
        log.append([start("again"), start("other")])
        for run in ("other", "again"):  # closed in another order than they began
            log.append([end(run, outcome=Outcome.LOST, action=Action.RUN_CLOSED)])
        (job,) = log.jobs()
        assert (job.last.run, job.last_good and job.last_good.run, job.streak) == ("other", "next", 3)


def test_a_success_whose_time_later_entries_contradict_has_no_known_age(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock was a month ahead, and the month is over: the backup that looks new is a month old."""
    now = clock.now_ms()
    monkeypatch.setattr(clock, "now_ms", lambda: now)
    with writer(places) as log:
        log.append([end("ahead", time_ms=now)])
        assert log.jobs()[0].dated
        monkeypatch.setattr(clock, "now_ms", lambda: 3 * DAY_MS)
        log.append([Draft(Action.RECORDER_STARTED)])  # in 1970: the clock is behind now, and was right then
        monkeypatch.setattr(clock, "now_ms", lambda: now + 1)
        assert log.jobs()[0].dated
        monkeypatch.setattr(clock, "now_ms", lambda: now - 30 * DAY_MS)
        log.append([Draft(Action.RECORDER_STARTED)])
        assert not log.jobs()[0].dated
        monkeypatch.setattr(clock, "now_ms", lambda: now + DAY_MS)
        log.append([end("right", time_ms=now + DAY_MS)])
        assert log.jobs()[0].dated
        log.append([end("waited", time_ms=now + 9 * DAY_MS)])  # recorded before it happened
        assert not log.jobs()[0].dated


def _since_boot(now: int) -> dict[str, object]:
    """Return the time since boot at *now*, which a wrapper notes beside an end, by a clock that no user can set."""
    return {"boot": locks.boot_id(), "since_boot_ms": clock.since_boot_ms() - (clock.now_ms() - now)}


@pytest.mark.parametrize("near", [0, 256])
@pytest.mark.parametrize(
    ("noted", "offset", "dated"),
    [
        ("both", -3 * DAY_MS, True),
        ("other", -3 * DAY_MS, True),
        ("home", -3 * DAY_MS, True),
        ("none", -3 * DAY_MS, False),
        ("both, faked", -3 * DAY_MS, True),
        ("both", 2 * DAY_MS, False),
        ("home", 2 * DAY_MS, False),
        ("both, faked", 2 * DAY_MS, False),
    ],
)
def test_a_clock_that_was_wrong_for_one_run_says_nothing_of_another(
    places: Places, near: int, noted: str, offset: int, dated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time since the machine started shows whose clock was wrong: 3 days behind, or 2 days ahead."""
    monkeypatch.setattr(latest, "NEAR", near)
    now, then = clock.now_ms(), clock.now_ms() - 3 * DAY_MS
    true = then if offset > 0 else now
    home, other = (_since_boot(true) if name in noted or "both" in noted else {} for name in ("home", "other"))
    if "faked" in noted:  # faketime(1) changes that clock too
        (home if offset > 0 else other)["since_boot_ms"] = true + offset
    with writer(places) as log:
        monkeypatch.setattr(clock, "now_ms", lambda: now if offset < 0 else then + offset)
        log.append([end("1", body=home, time_ms=clock.now_ms())])
        monkeypatch.setattr(clock, "now_ms", lambda: now + offset if offset < 0 else then)
        log.append([end("2", job="other", body=other, time_ms=clock.now_ms())])
        monkeypatch.setattr(clock, "now_ms", lambda: now)
        by_name = {job.job: job for job in log.jobs()}
    assert by_name["home"].dated is dated
    behind = "both" in noted and offset < 0  # which shows beside the run before
    assert by_name["other"].dated is not behind


def test_a_machine_that_was_held_makes_no_age_unknown(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """A virtual machine was suspended for a day since the backups: its own time stood still, its wall clock did not."""
    now = clock.now_ms()
    with writer(places) as log:
        monkeypatch.setattr(clock, "now_ms", lambda: now - 2 * DAY_MS)
        for run, job in (("1", "home"), ("2", "other")):
            body = {"boot": locks.boot_id(), "since_boot_ms": clock.since_boot_ms() - DAY_MS}
            log.append([end(run, job=job, body=body, time_ms=clock.now_ms())])
        monkeypatch.setattr(clock, "now_ms", lambda: now)
        assert all(job.dated for job in log.jobs())


def test_jobs_tell_last_good_and_acknowledgement(places: Places) -> None:
    """Enough to judge every job: last end, last good end, last `seen`."""
    at = clock.now_ms() - DAY_MS
    with writer(places) as log:
        log.append([end("1", job="b", time_ms=at), end("2", job="b", outcome=Outcome.CANCELLED, time_ms=at + 1)])
        log.append([end("3", job="a", outcome=Outcome.LOST, time_ms=at), end("4", job="", time_ms=at)])
        log.append([Draft(Action.JOB_SEEN, job="a", time_ms=at + 5), Draft(Action.JOB_SEEN, job="a", time_ms=at + 3)])
        found = {job.job: job for job in log.jobs()}
    assert list(found) == ["", "a", "b"]
    assert (found["b"].last.run, found["b"].about.run, found["b"].last_good and found["b"].last_good.run) == (
        "2",
        "1",
        "1",
    )
    assert (found["a"].last_good, found["a"].seen, found["b"].seen, found["a"].streak) == (None, True, False, 1)


def test_a_check_is_a_job_of_its_own(places: Places) -> None:
    """It is never the last success of the job whose name it has, and what was seen or forgotten of it is of it alone."""
    with writer(places) as log:
        log.append([end("1"), end("2", outcome=Outcome.FAILED), end("3", kind="check"), end("4", kind="dry-run")])
        found = {job.kind: job for job in log.jobs()}
        assert (found["backup"].last.run, found["backup"].last_good and found["backup"].last_good.run) == ("2", "1")
        assert (found["check"].last.run, found["check"].streak) == ("3", 0)
        log.append([Draft(Action.JOB_SEEN, job="home", kind="check")])
        assert {job.kind: job.seen for job in log.jobs()} == {"backup": False, "check": True, "dry-run": False}
        log.append([Draft(Action.JOB_SEEN, job="home")])  # as programs before wrote it: of the whole job
        assert all(job.seen for job in log.jobs())
        log.append([Draft(Action.JOB_FORGOTTEN, job="home", kind="backup")])
        assert {job.kind for job in log.jobs()} == {"check", "dry-run"}
        log.append([end("5", outcome=Outcome.FAILED)])
        assert [job.last.run for job in log.jobs() if job.kind == "backup"] == ["5"]


def test_details_come_from_the_body_and_are_none_once_erased(places: Places) -> None:
    """Repository and reason can be erased; outcome, times and sizes stay, and the log still verifies."""
    with writer(places) as log:
        (seq,) = log.append([end("a", duration_ms=9, body={**BODY, "secret": "x" * 40})])
        (run,) = log.history()
        assert (run.repository, run.reason) == (BODY["repository"], BODY["reason"])
        assert run.started_ms == clock.from_text(BODY["started_at"])
        number = log.redact(seq, "a person asked")
        (run,) = log.history()
        assert (run.repository, run.reason, run.outcome, run.duration_ms) == (None, None, Outcome.SUCCEEDED, 9)
        assert run.started_ms == run.finished_ms - 9
        assert log.entry(seq).erased
        assert log.entry(number).body == {"entry": seq, "reason": "a person asked"}
    assert b"x" * 40 not in b"".join(file.read_bytes() for file in places.state.iterdir() if file.is_file())
    assert verify(places.audit_db, places.audit_key).result is Result.INCONCLUSIVE


def test_what_proves_the_log_cannot_be_erased(places: Places) -> None:
    """Public keys and erasures themselves stay."""
    with writer(places) as log:
        (seq,) = log.append([end("a")])
        erasure = log.redact(seq, "asked")
        for needed in (1, erasure):
            with pytest.raises(RedactRefusedError):
                log.redact(needed, "asked")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET entry = entry WHERE seq = 2",
        "DELETE FROM entries WHERE seq = 2",
        "INSERT OR REPLACE INTO entries (seq, entry) SELECT seq, entry FROM entries WHERE seq = 2",
        "INSERT INTO entries (seq, entry) SELECT 99, entry FROM entries WHERE seq = 2",
        "UPDATE bodies SET body = x'7b7d'",
        "DELETE FROM bodies WHERE seq = 3",
        "INSERT INTO entries (seq, entry) VALUES ((SELECT max(seq) + 1 FROM entries), 'text')",
    ],
)
def test_entries_cannot_be_changed_by_mistake(places: Places, statement: str) -> None:
    """The guard-rail: no UPDATE, no DELETE, no insertion but at the end."""
    filled(places, 2)
    connection = sqlite3.connect(places.audit_db)
    with pytest.raises(sqlite3.Error, match=r"append|erased|malformed"):
        connection.execute(statement)
    connection.close()


def test_history_pages_without_gaps_or_repeats(places: Places) -> None:
    """Page by page gives what one long page gives, also among equal times."""
    at = clock.now_ms() - DAY_MS
    with writer(places) as log:
        log.append([end(f"r{n}", job=f"j{n % 2}", time_ms=at + n // 5) for n in range(23)])
        everything = log.history(100)
        paged, before = [], None
        while page := log.history(4, before):
            paged += page
            before = page[-1].entry
        assert paged == everything
        assert len(everything) == 23
        assert [run.run for run in log.history(100, job="j1")] == [run.run for run in everything if run.job == "j1"]


def test_entries_are_found_by_number_and_by_run(places: Places) -> None:
    """View Report opens the end of a run; a run without an end gives its start."""
    with writer(filled(places, 3)) as log:
        log.append([start("open-1")])
        found = log.entry_of_run("run-1")
        assert found is not None
        assert (found.data["action"], found.seq) == ("run.finished", 5)
        started = log.entry_of_run("open-1")
        assert started is not None
        assert started.data["action"] == "run.started"
        assert log.entry_of_run("no such") is None
        assert log.entry_of_run("run-") is None
        assert log.runs_like("run-", 9, ends=False) == {"run-0", "run-1", "run-2"}
        assert log.runs_like("n-1", 9, ends=True) == {"run-1", "open-1"}
        assert log.entry_of_run("run-1\U0010ffff") is None
        assert [entry.seq for entry in log.entries(3, 2)] == [3, 4]
        assert [entry.seq for entry in log.entries(-2)] == [7, 8]
        with pytest.raises(EntryNotFoundError, match="no entry 9"):
            log.entry(9)


def test_a_reader_cannot_append(places: Places) -> None:
    """Opened for reading means it."""
    with AuditLog.read(filled(places, 1).audit_db) as log:
        with pytest.raises(AuditUnavailableError):
            log.append([end()])
        with pytest.raises(AuditUnavailableError):
            log.redact(2, "x")
        with pytest.raises(sqlite3.OperationalError):
            log._live().execute("DELETE FROM head")


def test_the_version_changes_with_the_log(places: Places) -> None:
    """Status is read again after each append, and only then."""
    filled(places, 1)
    with AuditLog.read(places.audit_db) as log, writer(places) as other:
        seen = log.version()
        assert log.version() == seen
        other.append([end("new")])
        assert log.version() != seen
        assert log.history(1)[0].run == "new"


def test_a_replaced_database_is_noticed_by_an_open_reader(places: Places, tmp_path: Path) -> None:
    """A reader does not go on showing the file that was moved away."""
    filled(places, 1)
    other = filled(Places(tmp_path / "c", tmp_path / "s", tmp_path / "r", tmp_path / "l"), 3)
    with AuditLog.read(places.audit_db) as log:
        seen, size = log.version(), log.head()[0]
        os.replace(other.audit_db, places.audit_db)
        assert log.version() != seen
        assert (size, log.head()[0]) == (4, 8)


def test_a_writer_goes_on_in_the_new_file(places: Places, tmp_path: Path) -> None:
    """The wrapper appends to the log that is there, not to one that was moved away."""
    with writer(places) as log:
        log.append([end("a")])
        for name in ("audit.db", "audit.db-wal", "audit.db-shm"):
            os.replace(places.state / name, tmp_path / name)
        with writer(places) as fresh:
            fresh.append([end("b")])
        log.append([end("c")])
    with AuditLog.read(places.audit_db) as log:
        assert {run.run for run in log.history()} == {"b", "c"}


def test_a_missing_log_is_told_from_a_lost_one(places: Places) -> None:
    """No log yet is fine; a log that was there and is gone is not "no backups performed"."""
    with pytest.raises(AuditMissingError):
        AuditLog.read(places.audit_db)
    filled(places, 1)
    places.audit_db.unlink()
    with pytest.raises(AuditUnavailableError, match="cannot be used") as caught:
        AuditLog.read(places.audit_db)
    assert not isinstance(caught.value, AuditMissingError)
    assert "gone" in caught.value.why


def test_a_log_made_again_says_so(places: Places) -> None:
    """Deleting the log leaves a trace: the next one begins with a critical entry, and verification names the earlier one."""
    filled(places, 1)
    with AuditLog.read(places.audit_db) as log:
        name = log.entry(0).data["log"]
    for file in places.state.glob("audit.db*"):
        file.unlink()
    with writer(places) as log:
        first = log.entry(0).data
    assert (first["result"], first["severity"]) == ("created again", "critical")
    assert any(name in note for note in verify(places.audit_db, places.audit_key).notes)


def test_a_lost_pin_file_is_written_again(places: Places) -> None:
    """Without it a log that is deleted later would pass for one that never was."""
    filled(places, 1)
    pins = places.audit_key.with_suffix(".pub")
    before = pins.read_text()
    pins.unlink()
    with writer(places) as log:
        log.append([end()])
    assert pins.read_text() == before


def test_the_wal_of_a_lost_log_is_kept_and_never_replayed(places: Places) -> None:
    """SQLite would play a stray WAL into a new database; it is set aside instead."""
    with writer(places) as log:
        log.append([end("old")])
        wal = (places.state / "audit.db-wal").read_bytes()
    for file in places.state.glob("audit.db*"):
        file.unlink()
    (places.state / "audit.db-wal").write_bytes(wal)
    with writer(places) as log:
        assert log.history() == []
        log.append([end("new")])
    assert verify(places.audit_db, places.audit_key).entries == 3
    assert [file.read_bytes() for file in places.state.glob("*.lost")] == [wal]


_APPEND = """
import sys
from pathlib import Path
from tests.unit.audit.help import end, start
from tray.audit.store import AuditLog
from tray.core.paths import places
name, count, here = sys.argv[1], int(sys.argv[2]), places()
for number in range(count):
    with AuditLog.open(here.audit_db, here.audit_key, timeout=30, copies=here.baselines) as log:
        log.append([start(f"{name}-{number}"), end(f"{name}-{number}")])
        log.append([end(f"shared-{number}")])
"""


@pytest.mark.process
def test_many_processes_append_to_one_log(places: Places) -> None:
    """Eight processes that even race to make the log lose nothing and double nothing, and one unbroken chain comes out."""
    count = 10
    running = [subprocess.Popen([sys.executable, "-c", _APPEND, str(name), str(count)]) for name in range(8)]
    assert [process.wait(60) for process in running] == [0] * 8
    verdict = verify(places.audit_db, places.audit_key, baselines=all_copies.notes(places))
    assert (verdict.result, verdict.why) == (Result.INTACT, verdict.why)
    assert verdict.entries == 2 + 8 * count * 2 + count
    with AuditLog.read(places.audit_db) as log:
        expected = {f"{name}-{number}" for name in [*range(8), "shared"] for number in range(count)}
        assert {run.run for run in log.history(1000)} == expected
        assert log.open_runs() == []


def _steps(places: Places, ask: Callable[[AuditLog], object]) -> int:
    """Count the steps of SQLite's machine (in tens) that *ask* takes."""
    taken = 0

    def count() -> int:
        nonlocal taken
        taken += 1
        return 0

    with AuditLog.read(places.audit_db) as log:
        log._live().set_progress_handler(count, 10)
        ask(log)
    return taken


@pytest.mark.parametrize(
    "ask",
    [
        lambda log: log.jobs(),
        lambda log: log.open_runs(),
        lambda log: log.history(5),
        lambda log: log.history(5, job="home"),
        lambda log: log.entry_of_run("run-1"),
    ],
)
def test_questions_cost_the_same_in_a_long_log(
    places: Places, tmp_path: Path, ask: Callable[[AuditLog], object]
) -> None:
    """Status asks after every change: what it costs must not grow with a million entries."""
    few = filled(Places(tmp_path / "c", tmp_path / "s", tmp_path / "r", tmp_path / "l"), 20)
    with writer(few) as log:
        log.append([draft for number in range(200) for draft in (start(f"x{number}"), end(f"x{number}"))])
    with writer(places) as log:
        log.append([draft for number in range(1500) for draft in (start(f"x{number}"), end(f"x{number}"))])
        log.append([draft for number in range(20) for draft in (start(f"run-{number}"), end(f"run-{number}"))])
    assert _steps(places, ask) <= _steps(few, ask) + 3


def test_a_changed_type_in_the_database_is_an_error_not_a_traceback(places: Places) -> None:
    """Whatever an attacker wrote into the tables, readers say "unavailable"."""
    filled(places, 1)
    tamper(places, "UPDATE bodies SET body = 'no json'", "UPDATE head SET frontier = x'00'")
    with AuditLog.read(places.audit_db) as log:
        for ask in (log.history, log.jobs, log.head):
            with pytest.raises(AuditUnavailableError):
                ask()
