"""Open the audit log's database with care, and put every failure into words.

The database runs in WAL mode with `synchronous=FULL`: a commit that returned survives a power cut. Never open the file itself
while a connection is open: closing that descriptor would drop SQLite's locks (POSIX).
"""

import contextlib
import os
import shlex
import sqlite3
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tray.audit.schema import APPLICATION_ID, SCHEMA_VERSION, UNRELEASED_ID
from tray.core import clock
from tray.core.errors import AuditMissingError, AuditUnavailableError, BackupTrayError
from tray.core.locks import FileLock

Identity = tuple[int, ...]

_DAMAGED = "Save what can be read: `backup-tray audit salvage {saved}`. "
_PUT_AWAY = (
    "Keep what is left, out of the way: `mkdir {away} && mv {db}* {away}/`. The next backup begins a new log, and waiting records "
    "are appended to that."
)
_LOCKED = "Another process has kept {db} locked for more than {timeout:g} s.", "See who it is: `fuser -v {db}`."
_OWNER = "Look at owner and mode: `ls -ld {folder} {db}`."
_FAILURES = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_FULL: ("The disk that holds {db} is full.", "Make room on it: `df -h {folder}`."),
    sqlite3.SQLITE_READONLY: ("{db} cannot be written.", _OWNER),
    sqlite3.SQLITE_PERM: ("{db} cannot be written.", _OWNER),
    sqlite3.SQLITE_AUTH: ("{db} cannot be written.", _OWNER),
    sqlite3.SQLITE_CANTOPEN: ("{db} cannot be opened.", _OWNER),
    sqlite3.SQLITE_IOERR: ("{db} cannot be read or written: {error}.", "Look at the disk: `df -h {folder}`."),
}
_NO_INDEX = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL)


def damaged(db: Path) -> str:
    """Return the next step for a damaged *db*."""
    return _DAMAGED.format(saved=shlex.quote(str(db.parent / "salvaged"))) + put_away(db)


def put_away(db: Path) -> str:
    """Return how to make room for a new log in the place of the damaged *db*."""
    return _PUT_AWAY.format(db=shlex.quote(str(db)), away=shlex.quote(str(db.parent / "damaged")))


def connect_writer(db: Path, timeout: float) -> sqlite3.Connection:
    """Open *db*, which exists, for appending.

    Args:
        timeout: Seconds to wait for other writers.
    """
    connection = open_file(db, "mode=rw", timeout)
    try:
        check_format(connection, db)
        if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):  # a copy made by `VACUUM INTO`
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reader(db: Path, timeout: float) -> tuple[sqlite3.Connection, bool]:
    """Open *db* for reading; nothing is written, except that a write that was broken off is undone.

    That is only needed where a process was killed in the first append to a copy without a WAL (`VACUUM INTO`, a restored backup):
    its file is half of the one state and half of the other, and only a writer can undo that (NFR-REL-02).

    In a folder that cannot be written, or on a full disk, SQLite cannot make the shared index of its WAL. If there is no WAL, all
    data is in the file itself, and it is read as it stands.

    Returns:
        The connection and whether it is an immutable one.
    """
    try:
        return _reader(db, timeout)
    except sqlite3.OperationalError:
        if not _size(_journal(db)):
            raise
    with contextlib.closing(open_file(db, "mode=rw", timeout)) as connection:
        connection.execute("PRAGMA user_version").fetchone()
    return _reader(db, timeout)


def _reader(db: Path, timeout: float) -> tuple[sqlite3.Connection, bool]:
    if not db.exists():
        raise missing(db)
    connection = open_file(db, "mode=ro", timeout)
    try:
        check_format(connection, db)
        return connection, False
    except sqlite3.OperationalError as error:
        connection.close()
        if _primary(error) not in _NO_INDEX or has_wal(db) or _size(_journal(db)):
            raise
    except BaseException:
        connection.close()
        raise
    connection = open_file(db, "mode=ro&immutable=1", timeout)
    try:
        check_format(connection, db)
    except BaseException:
        connection.close()
        raise
    return connection, True


@contextlib.contextmanager
def reading(db: Path, timeout: float = 5.0) -> Iterator[sqlite3.Connection]:
    """Give one consistent state of the log *db* for reading.

    Raises:
        AuditUnavailableError: It cannot be read.
    """
    with guard(db, timeout):
        connection, _ = connect_reader(db, timeout)
        try:
            connection.execute("BEGIN")
            yield connection
        finally:
            connection.close()


def missing(db: Path) -> AuditUnavailableError:
    """Return the error for a database that is not there: never been, or gone."""
    if db.with_suffix(".pub").exists():
        return AuditUnavailableError(
            f"{db} is gone, although it was there before: {db.with_suffix('.pub').name} still names its key.",
            f"Restore {db.name} from a copy if you have one. The next backup under watch begins a new log, and says so in it.",
        )
    return AuditMissingError(db)


def emptied(db: Path, kept: Sequence[int], start: int, size: int) -> AuditUnavailableError:
    """Return the error for a log of which entries are missing at an end.

    Args:
        kept: The numbers of the first and the last entry that are there.
        start: The number of the first entry that should be there.
        size: One more than the number of the last one.
    """
    there = f"only entries {kept[0]} to {kept[-1]}" if kept else "none"
    why = f"{db} was emptied or cut: it should hold entries {start} to {size - 1}, and holds {there}."
    return AuditUnavailableError(why, damaged(db))


def has_wal(db: Path) -> bool:
    """Whether changes wait in a write-ahead log beside *db*."""
    return _size(db.with_name(db.name + "-wal")) > 0


def _journal(db: Path) -> Path:
    return db.with_name(db.name + "-journal")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def identity(db: Path) -> Identity:
    """Return which file *db* is: device and inode.

    Raises:
        AuditUnavailableError: It is not there.
    """
    status = _stat(db)
    return status.st_dev, status.st_ino


def fingerprint(db: Path) -> Identity:
    """Return which file *db* is and when it was last written: SQLite's cache does not notice a file overwritten in place."""
    status = _stat(db)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


@contextlib.contextmanager
def guard(db: Path, timeout: float = 0) -> Iterator[None]:
    """Turn everything that a damaged, locked or missing database can cause into AuditUnavailableError."""
    try:
        yield
    except BackupTrayError:
        raise
    except sqlite3.Error as error:
        raise _explain(error, db, timeout) from error
    except OSError as error:
        raise AuditUnavailableError(f"{error.filename or db}: {error.strerror or error}.") from error
    except (ValueError, TypeError, LookupError, RecursionError, AttributeError) as error:
        raise AuditUnavailableError(
            f"{db} holds something that is no audit entry ({error}).", "Find the entry: `backup-tray audit verify`."
        ) from error


def open_file(db: Path, mode: str, timeout: float) -> sqlite3.Connection:
    """Return a connection to *db* in which each statement is a transaction of its own; only that it is a file is checked.

    SQLite would wait for a pipe for ever.
    """
    with contextlib.suppress(OSError):
        if not stat.S_ISREG(db.stat().st_mode):
            raise AuditUnavailableError(
                f"{db} is no file.", f"Look at it: `ls -ld {shlex.quote(str(db))}`. {put_away(db)}"
            )
    return sqlite3.connect(
        f"{db.absolute().as_uri()}?{mode}", uri=True, timeout=timeout, isolation_level=None, check_same_thread=False
    )


def check_format(connection: sqlite3.Connection, db: Path) -> None:
    """Raise unless this is a log of the format that this program knows.

    Raises:
        AuditUnavailableError, sqlite3.Error: It is not.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application == UNRELEASED_ID:
        raise AuditUnavailableError(
            f"{db} was made by a Backup Tray from before the first release, in a format that is not read any more.",
            put_away(db),
        )
    if application != APPLICATION_ID or version < SCHEMA_VERSION:
        raise sqlite3.DatabaseError("file is not a database of ours")
    if version != SCHEMA_VERSION:
        raise AuditUnavailableError(
            f"The audit log has format {version}, and this program knows {SCHEMA_VERSION}.",
            "Install the newest Backup Tray.",
        )


def _primary(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_NOTADB)) & 0xFF


def _explain(error: sqlite3.Error, db: Path, timeout: float) -> AuditUnavailableError:
    if (code := _primary(error)) not in _FAILURES:
        return AuditUnavailableError(f"{db} is damaged: {error}.", damaged(db))
    why, step = _FAILURES[code]
    names = {"db": db, "folder": db.parent, "timeout": timeout, "error": error}
    return AuditUnavailableError(why.format(**names), step.format(**names))


def _stat(db: Path) -> os.stat_result:
    try:
        return db.stat()
    except FileNotFoundError:
        raise missing(db) from None
    except OSError as error:
        raise AuditUnavailableError(f"{db}: {error.strerror}.", _OWNER.format(folder=db.parent, db=db)) from error


@contextlib.contextmanager
def creation_lock(folder: Path, timeout: float) -> Iterator[None]:
    """Let only one process at a time make a log or a key in *folder*.

    Raises:
        AuditUnavailableError: Another process has held the lock for *timeout* seconds.
    """
    lock, deadline = FileLock(folder / "audit.lock"), clock.monotonic() + timeout
    try:
        while not lock.acquire():
            if clock.monotonic() > deadline:
                raise AuditUnavailableError(f"Another process has kept {lock.path} locked for more than {timeout:g} s.")
            time.sleep(0.01)
    except OSError as error:
        raise AuditUnavailableError(f"{lock.path} cannot be locked: {error.strerror}.") from error
    try:
        yield
    finally:
        lock.release()
