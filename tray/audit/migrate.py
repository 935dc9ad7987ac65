"""Bringing a log of format 1 up to date: in place, in one transaction, so it is done or not done whenever somebody is killed.

Entries and bodies stay as they are, byte for byte; the rest of the schema is made anew, the tiles are built, and the entry
`log.migrated` says so. Others wait for the lock meanwhile, as for any append; a program of the old format that was waiting then
appends once more in its own way, which is fine (`tiles.build`), and after that says that it does not know this format.
"""

import sqlite3
from hashlib import sha256
from pathlib import Path

from tray import __version__
from tray.audit import database, tiles
from tray.audit.append import append_all
from tray.audit.entry import Action, Draft, Severity
from tray.audit.schema import FIRST_BASE, SCHEMA_VERSION, STATEMENTS
from tray.core.errors import AuditUnavailableError

OLD = 1
_TABLES = ("entries", "bodies", "head", "open_runs")
"""What format 1 had and format 2 has unchanged."""

_SCHEMA_1 = "f39b6c374d8e05d606c0052fc17ed53b8b76978a83545ff70c771953e288f3b2"
"""SHA-256 over the names and the text of format 1's indexes and triggers."""


def migrate(db: Path, key: Path, timeout: float) -> None:
    """Bring *db* up to date, unless somebody else has done so meanwhile.

    Args:
        key: The file with the signing key, for the entry that says so.
        timeout: Seconds to wait for other writers.

    Raises:
        AuditUnavailableError: It stays as it is.
    """
    try:
        with database.guard(db, timeout):
            connection = database.open_file(db, "mode=rw", timeout)
            try:
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("BEGIN IMMEDIATE")  # closing the connection rolls back
                if connection.execute("PRAGMA user_version").fetchone() == (OLD,):
                    _migrate(connection, key)
                    connection.execute("COMMIT")
            finally:
                connection.close()
    except AuditUnavailableError as error:
        why = f"It has the older format {OLD} and cannot be brought up to date: {error.why}"
        raise AuditUnavailableError(why, error.next) from error


def _migrate(connection: sqlite3.Connection, key: Path) -> None:
    altered = _altered(connection)
    for kind, name in connection.execute(
        "SELECT type, name FROM sqlite_schema WHERE type IN ('index', 'trigger') AND sql IS NOT NULL"
    ).fetchall():
        connection.execute(f'DROP {kind} "{name.replace(chr(34), chr(34) * 2)}"')
    for name, statement in STATEMENTS.items():
        if name not in _TABLES:
            connection.execute(statement)
    connection.execute(FIRST_BASE)
    size, row = connection.execute("SELECT size, frontier FROM head").fetchone()
    found = tiles.build(connection)
    if (found.size, found.to_bytes()) != (size, row):
        altered.append("entries")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    append_all(connection, key, [_entry(size, altered)])


def _altered(connection: sqlite3.Connection) -> list[str]:
    """Return what of the old schema is not as the program made it. Of tables it is an error: they could not be made anew."""
    found = dict(connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name"))
    for name in _TABLES:
        if found.pop(name, None) != STATEMENTS[name]:
            raise AuditUnavailableError(f"The database's {name} is not as the program made it.")
    rest = "\n".join(f"{name}\n{sql}" for name, sql in found.items())
    return [] if sha256(rest.encode()).hexdigest() == _SCHEMA_1 else ["indexes or triggers"]


def _entry(size: int, altered: list[str]) -> Draft:
    body = {"from": OLD, "to": SCHEMA_VERSION, "entries": size, "program": f"backup-tray {__version__}"}
    if altered:
        return Draft(
            Action.LOG_MIGRATED, result="altered", severity=Severity.CRITICAL, body=body | {"altered": altered}
        )
    return Draft(Action.LOG_MIGRATED, result=f"format {SCHEMA_VERSION}", body=body)
