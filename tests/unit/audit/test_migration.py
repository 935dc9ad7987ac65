"""Logs of earlier formats: opened by whoever comes first, brought up to date once, with nothing lost."""

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.audit.help import end, start, writer
from tray.audit import bodies, database, migrate, spool, tiles
from tray.audit.schema import SCHEMA_VERSION, STATEMENTS
from tray.audit.store import AuditLog
from tray.audit.verify import verify
from tray.baselines import far_copies
from tray.core.clock import new_id
from tray.core.errors import AuditUnavailableError
from tray.core.paths import Places
from tray.runs import Process, RunInfo
from tray.wrapper import earlier_runs

FORMAT_1 = Path(__file__).parents[2] / "data" / "audit" / "format-1"


@pytest.fixture
def old(places: Places) -> Places:
    """Places with a log that the first version of the program made."""
    places.state.mkdir(parents=True, mode=0o700)
    places.state.chmod(0o700)
    for name in ("audit.db", "audit.key", "audit.pub"):
        shutil.copy(FORMAT_1 / name, places.state / name)
        (places.state / name).chmod(0o600)
    return places


def content(places: Places) -> tuple[list[bytes], list[tuple[int, bytes, bytes]]]:
    """All entries and bodies as they lie in the file."""
    connection = sqlite3.connect(places.audit_db)
    try:
        entries = [row[0] for row in connection.execute("SELECT entry FROM entries ORDER BY seq")]
        return entries, connection.execute("SELECT seq, salt, body FROM bodies ORDER BY seq").fetchall()
    finally:
        connection.close()


def baseline() -> dict[str, bytes]:
    """The checkpoint that was kept elsewhere when the old log was made."""
    return {"kept": (FORMAT_1 / "checkpoint").read_bytes()}


@pytest.mark.parametrize("first", ["a reader", "a writer", "a verification"])
def test_a_log_of_format_1_is_brought_up_to_date_by_whoever_opens_it_first(old: Places, first: str) -> None:
    """After an upgrade everything works at once, and the old baseline still agrees."""
    entries, bodies = content(old)
    match first:
        case "a reader":
            AuditLog.read(old.audit_db).close()
        case "a writer":
            writer(old).close()
        case _:
            assert verify(old.audit_db, old.audit_key, baselines=baseline()).result == "intact"
    now, kept = content(old)
    assert now[: len(entries)] == entries
    assert kept[: len(bodies)] == bodies
    with AuditLog.read(old.audit_db) as log:
        (added,) = log.entries(len(entries))
        assert (added.data["action"], added.data["result"], added.data["severity"]) == (
            "log.migrated",
            "format 2",
            "info",
        )
        assert added.body is not None
        assert (added.body["from"], added.body["to"], added.body["entries"]) == (1, 2, len(entries))
        assert log.jobs()
        assert log.history()
    verdict = verify(old.audit_db, old.audit_key, baselines=baseline())
    assert (verdict.result, verdict.why) == ("intact", verdict.why)


def test_a_migrated_log_has_the_schema_of_a_new_one(old: Places) -> None:
    """Otherwise verification would call it tampered with."""
    AuditLog.read(old.audit_db).close()
    connection = sqlite3.connect(old.audit_db)
    found = dict(connection.execute("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite%'"))
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.close()
    assert (found, version) == (STATEMENTS, SCHEMA_VERSION)


def test_migration_happens_once(old: Places) -> None:
    """Whoever comes second finds it done and adds nothing."""
    migrate.migrate(old.audit_db, old.audit_key, 5)
    before = content(old)
    migrate.migrate(old.audit_db, old.audit_key, 5)
    AuditLog.read(old.audit_db).close()
    assert content(old) == before


_OPEN = """
import sys
from tests.unit.audit.help import end, writer
from tray.core.paths import places
with writer(places(), 30) as log:
    log.append([end(f"new-{sys.argv[1]}")])
"""


def test_processes_that_open_an_old_log_at_once_migrate_it_once(old: Places) -> None:
    """The write lock decides who does it; nobody's record is lost."""
    size = len(content(old)[0])
    running = [subprocess.Popen([sys.executable, "-c", _OPEN, str(number)]) for number in range(4)]
    assert [process.wait(60) for process in running] == [0] * 4
    verdict = verify(old.audit_db, old.audit_key, baselines=baseline())
    assert (verdict.result, verdict.entries) == ("intact", size + 1 + 4)
    with AuditLog.read(old.audit_db) as log:
        assert [entry.data["action"] for entry in log.entries(size)].count("log.migrated") == 1


_KILLED = """
import os, signal, sqlite3, sys
from pathlib import Path
from tray.audit import migrate
from tray.core.paths import places
left = int(sys.argv[1])
def step():
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return 0
opened = migrate.database.open_file
def open_file(*args):
    connection = opened(*args)
    connection.set_progress_handler(step, 100)
    return connection
migrate.database.open_file = open_file
migrate.migrate(places().audit_db, places().audit_key, 5)
"""


def test_a_migration_that_is_killed_is_done_again_from_the_start(old: Places) -> None:
    """One transaction: the log has the old format or the new one, never something between."""
    size, left, killed = len(content(old)[0]), 0, 0
    while subprocess.run([sys.executable, "-c", _KILLED, str(left)], check=False).returncode != 0:
        connection = sqlite3.connect(old.audit_db)
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        connection.close()
        killed, left = killed + 1, left * 2 + 20
    assert killed >= 3
    verdict = verify(old.audit_db, old.audit_key, baselines=baseline())
    assert (verdict.result, verdict.entries) == ("intact", size + 1)


def test_an_old_log_with_altered_triggers_says_so(old: Places) -> None:
    """The schema is made anew, so what was wrong with it would be forgotten: the entry keeps it, as critical."""
    connection = sqlite3.connect(old.audit_db)
    connection.execute("DROP TRIGGER no_update")
    connection.commit()
    connection.close()
    with AuditLog.read(old.audit_db) as log:
        (last,) = log.entries(-1)
    assert (last.data["action"], last.data["result"], last.data["severity"]) == ("log.migrated", "altered", "critical")
    assert last.body is not None
    assert last.body["altered"] == ["indexes or triggers"]


def test_an_old_log_with_altered_entries_says_so(old: Places) -> None:
    """Migration does not judge, but what does not fit the signed head is noted, and verification finds it."""
    connection = sqlite3.connect(old.audit_db)
    (trigger,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'no_update'").fetchone()
    connection.execute("DROP TRIGGER no_update")
    connection.execute(
        "UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), 'succeeded', 'succeedeD') AS BLOB)"
    )
    connection.execute(trigger)
    connection.commit()
    connection.close()
    with AuditLog.read(old.audit_db) as log:
        (last,) = log.entries(-1)
    assert last.body is not None
    assert last.body["altered"] == ["entries"]
    assert verify(old.audit_db, old.audit_key, baselines=baseline()).result == "tampered"


def test_an_old_log_that_cannot_be_brought_up_to_date_stays_and_says_why(old: Places) -> None:
    """Without its key nothing can be appended, so it is left as it is; the next writer makes a new key and goes on."""
    old.audit_key.rename(old.audit_key.with_suffix(".away"))
    before = content(old)
    with pytest.raises(AuditUnavailableError) as caught:
        AuditLog.read(old.audit_db)
    assert "older format 1" in caught.value.why
    assert content(old) == before
    with writer(old) as log:
        assert [entry.data["action"] for entry in log.entries(-2)] == ["key.rotated", "log.migrated"]


def test_tiles_that_a_program_of_the_old_format_did_not_write_are_made_by_the_next_append(places: Places) -> None:
    """It may have waited for the lock while the log was migrated, and then appended in its own way."""
    with writer(places) as log:
        log.append([start() for _ in range(600)])
        expected = log.root_at(512)
        log._live().execute("DROP TRIGGER no_tile_delete")
        log._live().execute("DELETE FROM tiles WHERE number > 0")
        log.append([end()])
        with log._snapshot() as connection:
            assert tiles.are_complete(connection, 603)
        assert log.root_at(512) == expected


def test_what_a_program_of_the_old_format_appended_while_the_log_was_migrated_is_kept(
    old: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had opened the log before and waited for the lock: plain bodies, no tiles. The next append puts that right."""
    AuditLog.read(old.audit_db).close()
    with monkeypatch.context() as patch:
        patch.setattr(tiles, "completed", lambda *_: [])
        patch.setattr(tiles, "are_complete", lambda *_: True)
        patch.setattr(bodies, "packed", lambda _, body: body)
        with writer(old) as log:
            log.append([draft for number in range(300) for draft in (start(f"old-{number}"), end(f"old-{number}"))])
    with writer(old) as log:
        log.append([end("new")])
        assert log.entry_of_run("new") is not None
    assert verify(old.audit_db, old.audit_key, baselines=baseline()).result == "intact"


def test_a_program_that_does_not_know_the_format_of_an_open_log_appends_nothing(places: Places) -> None:
    """Two versions at once: a newer one changes the format while an older one has the log open; its record waits in the spool."""
    with writer(places) as log:
        other = sqlite3.connect(places.audit_db)
        other.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        with pytest.raises(AuditUnavailableError) as caught:
            log.append([end("lost?")])
        assert "newest" in caught.value.next
        assert spool.record(places, [end("kept")]) is None
        other.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        other.close()
        assert spool.drain(places) == 1
        assert [run.run for run in log.history()] == ["kept"]


def test_a_log_that_is_locked_while_it_should_be_migrated_is_migrated_later(old: Places) -> None:
    """A record made meanwhile waits in the spool and comes back; nothing is left half done."""
    other = sqlite3.connect(old.audit_db, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert spool.record(old, [end("kept")], timeout=0.1) is None
    assert other.execute("PRAGMA user_version").fetchone() == (1,)
    other.execute("ROLLBACK")
    other.close()
    assert spool.drain(old) == 1
    assert verify(old.audit_db, old.audit_key, baselines=baseline()).result == "intact"


def test_who_is_in_a_hurry_leaves_a_long_log_of_format_1_to_others(
    old: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No backup waits until years of entries are brought up to date: its record waits, and whoever has time appends it."""
    monkeypatch.setattr(database, "_MIGRATED_A_SECOND", 1)
    info = RunInfo(
        run=new_id(), job="home", engine="restic", kind="backup", started_ms=0, boot="", wrapper=Process(1, None)
    )
    assert spool.record(old, [start("late")], timeout=0.5) is None
    assert earlier_runs.of(old, info) == ()
    with sqlite3.connect(old.audit_db) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    connection.close()
    assert far_copies.main() == 0
    with AuditLog.read(old.audit_db) as log:
        assert log.entry_of_run("late") is not None
    assert not database.is_long_way(old.audit_db, 0.5)
    assert spool.record(old, [end("late")], timeout=0.5) is not None
