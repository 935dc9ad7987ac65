"""The status over an audit log that was emptied or damaged: never fine, never a failure of ours."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.audit.help import filled
from tray.cli.main import main
from tray.core.model import State
from tray.core.paths import Places
from tray.status import StatusSource


def _change(db: Path, statement: str) -> None:
    """Change the log as one does who has the file: without the triggers that guard it."""
    log = sqlite3.connect(db, isolation_level=None)
    try:
        for (name,) in log.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            log.execute(f'DROP TRIGGER "{name}"')
        log.execute("PRAGMA ignore_check_constraints = ON")
        log.execute(statement)
    finally:
        log.close()


def _emptied(table: str) -> Callable[[Path], None]:
    return lambda db: _change(db, f'DELETE FROM "{table}"')  # noqa: S608 - names of ours


def _dropped(table: str) -> Callable[[Path], None]:
    return lambda db: _change(db, f'DROP TABLE "{table}"')


def _cut(size: int) -> Callable[[Path], None]:
    def cut(db: Path) -> None:
        for beside in ("-wal", "-shm"):
            db.with_name(db.name + beside).unlink(missing_ok=True)
        with db.open("r+b") as file:
            file.truncate(size)

    return cut


NO_TIME = """UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), '"time":"2', '"time":"x') AS BLOB)"""
DAMAGE = {
    **{f"{table} emptied": _emptied(table) for table in ("entries", "head", "base")},
    **{f"{table} dropped": _dropped(table) for table in ("entries", "bodies", "head", "base", "open_runs")},
    "no byte left": _cut(0),
    "one page left": _cut(4096),
    "half a page left": _cut(2048),
    "another database": lambda db: (
        db.unlink(),
        sqlite3.connect(db).close(),
        db.write_bytes(b"SQLite format 3\0" * 99),
    ),
    "text in its place": lambda db: db.write_text("gone\n"),
    "a folder in its place": lambda db: (db.unlink(), db.mkdir()),
    "times that are none": lambda db: _change(db, NO_TIME),
    "entries that are none": lambda db: _change(db, "UPDATE entries SET entry = X'7b7d'"),
    "entries of another kind": lambda db: _change(db, "UPDATE entries SET entry = X'5b5d'"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_log_is_unavailable_or_tampered(
    places: Places, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 3 or 2, and a sentence; the history it held is not taken for no history."""
    filled(places, 20)
    DAMAGE[damage](places.audit_db)  # type: ignore[no-untyped-call]
    source = StatusSource(places, role="cli", start_tracker=False)
    found = source.poll()
    source.close()
    assert found.state in (State.UNAVAILABLE, State.TAMPERED), damage
    assert main(["status"]) in (2, 3)
    said = capsys.readouterr()
    assert "mistake of its own" not in said.out + said.err
    assert "unavailable" in said.out.lower() or "cannot be" in said.out


@pytest.mark.parametrize("command", ["history", "report last", "log last", "audit show", "audit verify"])
@pytest.mark.parametrize("damage", ["entries emptied", "entries dropped", "no byte left", "entries of another kind"])
def test_other_commands_say_what_is_wrong_with_a_damaged_log(
    places: Places, damage: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A user who looks for a run or verifies the log gets a sentence with a next step, and no exit code that means "fine"."""
    filled(places, 20)
    DAMAGE[damage](places.audit_db)  # type: ignore[no-untyped-call]
    code = main(command.split())
    said = capsys.readouterr()
    assert code not in (0, 70), said.out + said.err
    assert "mistake of its own" not in said.out + said.err
