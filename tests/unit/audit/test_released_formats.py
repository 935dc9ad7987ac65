"""Logs of released versions: each can be read, verified and continued, and what this program does not know is refused."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.unit.audit.help import end, writer
from tray.audit import spool
from tray.audit.schema import SCHEMA_VERSION, STATEMENTS, UNRELEASED_ID
from tray.audit.store import AuditLog
from tray.audit.verify.check import verify
from tray.core.errors import AuditUnavailableError
from tray.core.paths import Places

FOLDERS = sorted((Path(__file__).parents[2] / "data" / "audit").glob("version-*"))


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def folder(request: pytest.FixtureRequest) -> Path:
    """Return the folder that a released version left."""
    found: Path = request.param
    return found


@pytest.fixture
def old(folder: Path, places: Places) -> Places:
    """Places with that log."""
    places.state.mkdir(parents=True, mode=0o700)
    places.state.chmod(0o700)
    for name in ("audit.db", "audit.key", "audit.pub"):
        shutil.copy(folder / name, places.state / name)
        (places.state / name).chmod(0o600)
    return places


def entries(places: Places) -> list[bytes]:
    """All entries as they lie in the file."""
    with sqlite3.connect(places.audit_db) as connection:
        found = [bytes(row[0]) for row in connection.execute("SELECT entry FROM entries ORDER BY seq")]
    connection.close()
    return found


def test_there_is_a_log_of_each_released_format() -> None:
    """Who changes the format also keeps a log of the one before, and makes one of the new one."""
    assert [folder.name for folder in FOLDERS] == [f"version-{number}" for number in range(1, SCHEMA_VERSION + 1)]


def test_a_log_of_a_released_version_is_read_verified_and_continued(old: Places, folder: Path) -> None:
    """After an upgrade everything works at once, the baseline of that time still agrees, and no byte of an entry changes."""
    before = entries(old)
    baselines = {"kept": (folder / "checkpoint").read_bytes()}
    with AuditLog.read(old.audit_db) as log:
        assert {job.job for job in log.jobs()} == {"home", "photos"}
        assert [entry.run for entry in log.open_runs()] == ["open"]
        assert log.entry(601).erased
        assert log.entry(3).body is not None
    assert verify(old.audit_db, old.audit_key, baselines=baselines).result == "intact"
    with writer(old) as log:
        log.append([end("open", "photos")])
        assert not log.open_runs()
    assert verify(old.audit_db, old.audit_key, baselines=baselines).result == "intact"
    assert entries(old)[: len(before)] == before


def test_it_has_the_schema_of_a_new_log(old: Places) -> None:
    """Verification would call another one tampered with; what brings a log up to date must make the same."""
    writer(old).close()
    connection = sqlite3.connect(old.audit_db)
    found = dict(connection.execute("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite%'"))
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.close()
    assert (found, version) == (STATEMENTS, SCHEMA_VERSION)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (f"PRAGMA user_version = {SCHEMA_VERSION + 1}", "Install the newest"),
        ("PRAGMA user_version = 2147483647", "Install the newest"),
        ("PRAGMA user_version = 0", "audit salvage"),
        ("PRAGMA user_version = -1", "audit salvage"),
        ("PRAGMA application_id = 1", "audit salvage"),
        (f"PRAGMA application_id = {UNRELEASED_ID}; PRAGMA user_version = 1", "out of the way"),
        (f"PRAGMA application_id = {UNRELEASED_ID}; PRAGMA user_version = 2", "out of the way"),
    ],
)
def test_a_format_that_is_not_known_is_refused_and_left_as_it_is(old: Places, change: str, said: str) -> None:
    """Readers, writers and verification say why and what to do; a record waits in the spool, and not a byte changes."""
    connection = sqlite3.connect(old.audit_db)
    connection.executescript(change)
    connection.close()
    before = old.audit_db.read_bytes()
    with pytest.raises(AuditUnavailableError) as caught:
        AuditLog.read(old.audit_db)
    assert said in caught.value.next
    with pytest.raises(AuditUnavailableError):
        writer(old)
    with pytest.raises(AuditUnavailableError):
        verify(old.audit_db, old.audit_key)
    assert spool.record(old, [end("kept")]) is None
    assert old.audit_db.read_bytes() == before


def test_what_was_made_before_the_first_release_makes_room_as_it_says(old: Places) -> None:
    """The commands that are named work as they stand; what waited then comes into the new log."""
    connection = sqlite3.connect(old.audit_db)
    connection.execute(f"PRAGMA application_id = {UNRELEASED_ID}")
    connection.close()
    assert spool.record(old, [end("kept")]) is None
    with pytest.raises(AuditUnavailableError) as caught:
        AuditLog.read(old.audit_db)
    assert "before the first release" in caught.value.why
    (old.state / "damaged").mkdir()
    for file in old.state.glob("audit.db*"):
        file.rename(old.state / "damaged" / file.name)
    assert spool.drain(old) == 1
    with AuditLog.read(old.audit_db) as log:
        assert [run.run for run in log.history()] == ["kept"]


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
