"""Making a new log: complete or not at all, by one process at a time."""

import contextlib
import os
import sqlite3
import uuid
from pathlib import Path

from tray import __version__, paths
from tray.audit import database, keys
from tray.audit.append import Writer
from tray.audit.checkpoint import Signer, VerifierKey
from tray.audit.entry import Action, Draft, Severity
from tray.audit.schema import APPLICATION_ID, SCHEMA_VERSION, STATEMENTS
from tray.audit.tree import HASH_SIZE, Frontier


def ensure(db: Path, key: Path, timeout: float) -> None:
    """Make the log *db* and its *key* if they are missing.

    The database is built beside its place and renamed into it, so nobody ever sees half a log. Where a pinned key tells that a
    log was here before, the new one says so in its first entry.

    Raises:
        OSError, sqlite3.Error, BackupTrayError: It cannot be made.
    """
    if db.exists() and key.exists():
        return
    paths.private(db.parent)
    with database.creation_lock(db.parent, timeout):
        seed = keys.load(key) if key.exists() else keys.create(key)
        if not db.exists():
            _set_aside(db)
            _create(db, key, Signer(seed))


def _create(db: Path, key: Path, signer: Signer) -> None:
    again = bool(keys.pins(key))
    verifier = VerifierKey(f"backup-tray/{uuid.uuid4()}", signer.public)
    beside = db.with_name(f".{db.name}.{os.getpid()}.tmp")
    try:
        keys.write_new(beside, b"")
        _fill(beside, verifier, signer, again)
        os.replace(beside, db)
    finally:
        for name in (beside.name, f"{beside.name}-wal", f"{beside.name}-shm"):
            with contextlib.suppress(OSError):
                db.with_name(name).unlink()
    keys.sync_folder(db.parent)
    keys.pin(key, verifier)


def _fill(path: Path, verifier: VerifierKey, signer: Signer, again: bool) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        for statement in STATEMENTS.values():
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        writer = Writer(connection, verifier.name, Frontier(), bytes(HASH_SIZE))
        for draft in _first_entries(verifier, again):
            writer.add(draft)
        writer.finish(signer)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


def _first_entries(verifier: VerifierKey, again: bool) -> list[Draft]:
    result, severity = ("created again", Severity.CRITICAL) if again else ("created", Severity.INFO)
    return [
        Draft(Action.LOG_CREATED, result=result, severity=severity, body={"program": f"backup-tray {__version__}"}),
        Draft(Action.KEY_CREATED, result="created", body={"public_key": str(verifier)}),
    ]


def _set_aside(db: Path) -> None:
    """Keep the write-ahead log of a database that is gone: SQLite would replay it into the new one."""
    for suffix in ("-wal", "-shm"):
        stray = db.with_name(db.name + suffix)
        with contextlib.suppress(FileNotFoundError):
            stray.rename(stray.with_name(f"{stray.name}.{uuid.uuid4().hex[:8]}.lost"))
