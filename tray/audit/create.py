"""Make a new log: complete or not at all, by one process at a time."""

import contextlib
import os
import sqlite3
from pathlib import Path

from tray import __version__
from tray.audit import database, keys, near_copy
from tray.audit.append import Writer
from tray.audit.checkpoint import Signer, VerifierKey
from tray.audit.entry import Action, Draft, Severity
from tray.audit.merkle import HASH_SIZE, Frontier
from tray.audit.schema import APPLICATION_ID, FIRST_BASE, SCHEMA_VERSION, STATEMENTS
from tray.core import clock, paths
from tray.core.errors import AuditUnavailableError, UnsafeFolderError

made: list[VerifierKey] = []
"""The first keys of the logs that this process has made: the command line tells the user that a log began."""


def ensure(db: Path, key: Path, timeout: float, copies: Path | None = None) -> None:
    """Make the log *db* and its *key* if they are missing, and put the first checkpoint into the folder *copies*.

    The database is built beside its place and renamed into it, so no process ever sees half a log. If a pinned key tells that a
    log was here before, the first entry of the new one says so.

    Raises:
        OSError, sqlite3.Error, BackupTrayError: It cannot be made.
    """
    if db.exists() and key.exists():
        return
    try:
        paths.private(db.parent)
    except UnsafeFolderError as error:
        raise AuditUnavailableError(error.why, error.next) from error
    with database.creation_lock(db.parent, timeout):
        if db.exists():
            if not key.exists():
                with contextlib.suppress(FileNotFoundError):  # of a change of the key that was broken off
                    os.replace(keys.fresh_file(key), key)
                    return
                keys.create(key)
            return
        _clear(db, key)
        if key.exists():
            _create(db, key, Signer(keys.load(key)), copies)
            return
        # The key comes last, so that no process meets a key without a log and calls the log lost. If this one is killed before,
        # the next one finds the key under its other name (above).
        _create(db, key, Signer(keys.create(keys.fresh_file(key))), copies, keys.fresh_file(key))


def _create(db: Path, key: Path, signer: Signer, copies: Path | None, new_key: Path | None = None) -> None:
    again = bool(keys.pins(key))
    verifier = VerifierKey(f"backup-tray/{clock.new_id()}", signer.public)
    beside = keys.write_beside(db, b"")
    try:
        note = _fill(beside, verifier, signer, again)
        os.replace(beside, db)
        if new_key is not None:
            os.replace(new_key, key)
    except BaseException:
        _clear(db, key)
        if new_key is not None and not db.exists():
            with contextlib.suppress(OSError):
                new_key.unlink()
        raise
    paths.sync_folder(db.parent)
    keys.pin(key, verifier)
    made.append(verifier)
    if copies is not None:
        near_copy.copy_near(copies, note, b"", key=key)


def _clear(db: Path, key: Path) -> None:
    """Remove the rest of a log whose making was broken off, and set aside the write-ahead log of a database that is gone.

    SQLite would replay such a log into the new database.
    """
    for name in (db.name, key.name):
        for left in db.parent.glob(f".{name}.*.tmp*"):
            with contextlib.suppress(OSError):
                left.unlink()
    if not db.exists():
        for suffix in ("-wal", "-shm"):
            stray = db.with_name(db.name + suffix)
            with contextlib.suppress(FileNotFoundError):
                stray.rename(stray.with_name(f"{stray.name}.{os.urandom(4).hex()}.lost"))


def _fill(path: Path, verifier: VerifierKey, signer: Signer, again: bool) -> bytes:
    """Make the database with its first entries, and return the checkpoint over them."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        for statement in STATEMENTS.values():
            connection.execute(statement)
        connection.execute(FIRST_BASE)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        writer = Writer(connection, verifier.name, Frontier(), bytes(HASH_SIZE))
        for draft in _first_entries(verifier, again):
            writer.add(draft)
        writer.finish(signer)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return bytes(connection.execute("SELECT checkpoint FROM head").fetchone()[0])
    finally:
        connection.close()


def _first_entries(verifier: VerifierKey, again: bool) -> list[Draft]:
    result, severity = ("created again", Severity.CRITICAL) if again else ("created", Severity.INFO)
    return [
        Draft(Action.LOG_CREATED, result=result, severity=severity, body={"program": f"backup-tray {__version__}"}),
        Draft(Action.KEY_CREATED, result="created", body={"public_key": str(verifier)}),
    ]
