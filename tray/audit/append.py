"""Append entries inside a transaction that the caller holds: place, chain, tree, signature; begin a log that is missing.

A new log is complete or not there at all, and only one process at a time makes it.
"""

import contextlib
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from tray import __version__
from tray.audit import checkpoint, database, keys, near_copy
from tray.audit.checkpoint import ROTATED, Checkpoint, Signer, VerifierKey
from tray.audit.entry import ENDS, SALT_SIZE, Action, Draft, Severity
from tray.audit.entry_bytes import body_bytes, body_hash, build
from tray.audit.merkle import HASH_SIZE, Frontier, completed_tiles, leaf_hash, write_tiles
from tray.audit.rows import packed_body
from tray.audit.schema import APPLICATION_ID, ENDED, FIRST_BASE, SCHEMA_VERSION, STARTED, STATEMENTS
from tray.core import clock, paths
from tray.core.errors import AuditUnavailableError, UnsafeFolderError

made: list[VerifierKey] = []
"""The first keys of the logs that this process has made: the command line tells the user that a log began."""


def append_all(
    connection: sqlite3.Connection, key: Path, drafts: Sequence[Draft], fresh: Signer | None = None
) -> list[int]:
    """Append *drafts* and sign the new head; the caller has begun an immediate transaction and commits it.

    If the key is not the one that signed the last checkpoint, an entry introduces it first and keeps that checkpoint.

    Args:
        fresh: The key that signs from now on, introduced by the present one in a last entry.

    Returns:
        The number of each draft's entry; of those that are in the log already, their old number.
    """
    log, size, leaf, frontier, newest = connection.execute(
        "SELECT log, size, leaf, frontier, checkpoint FROM head"
    ).fetchone()
    (last,) = connection.execute("SELECT max(seq) FROM entries").fetchone()
    if last != size - 1:
        raise AuditUnavailableError(
            f"The audit log should end with entry {size - 1}, but it ends with {last}.",
            "Look closer: `backup-tray audit verify`.",
        )
    signer = keys.signer(key, log, newest)
    verifier = VerifierKey(log, signer.public)
    writer = Writer(connection, log, Frontier.from_bytes(size, frontier), leaf)
    if verifier.key_id not in checkpoint.key_ids(newest):
        keys.pin(key, verifier)
        body = {"public_key": str(verifier), "checkpoint": newest.decode("utf-8", "backslashreplace")}
        writer.add(Draft(Action.KEY_ROTATED, result="replaced", severity=Severity.CRITICAL, body=body))
    else:
        _must_have_signed(signer, writer.state(), newest)
        if not keys.pin_file(key).exists():
            with contextlib.suppress(OSError):  # it was lost, or the disk was full when the log was made
                keys.pin(key, verifier)
    numbers = [writer.add_once(draft) for draft in drafts]
    if fresh is not None:
        numbers.append(_hand_over(writer, key, signer, VerifierKey(log, fresh.public)))
    writer.finish(signer if fresh is None else fresh)
    return numbers


def _must_have_signed(signer: Signer, state: Checkpoint, newest: bytes) -> None:
    """Raise unless *signer* signed the log as the head has it: else a person who edited the head would get our signature under it.

    Ed25519 gives the same signature for the same text each time, so signing again tells, in half the time of a verification.
    """
    if signer.sign(state) != newest:
        raise AuditUnavailableError(
            "The head of the audit log is not the one that was signed.", "Look closer: `backup-tray audit verify`."
        )


def _hand_over(writer: "Writer", key: Path, signer: Signer, new: VerifierKey) -> int:
    """Append the entry in which the present key introduces *new* (`checkpoint.introduction`)."""
    keys.pin(key, new)
    before = writer.state()
    text = checkpoint.introduction(before.origin, before.size, new)
    body = {
        "public_key": str(new),
        "checkpoint": signer.sign(before).decode(),
        "introduction": signer.note(before.origin, text).decode(),
    }
    return writer.add(Draft(Action.KEY_ROTATED, result=ROTATED, severity=Severity.WARNING, body=body))


class Writer:
    """The growing end of the log during one transaction."""

    def __init__(self, connection: sqlite3.Connection, log: str, frontier: Frontier, leaf: bytes) -> None:
        self._connection, self._log, self._frontier, self._leaf = connection, log, frontier, leaf
        self._size_before = frontier.size

    def state(self) -> Checkpoint:
        """Return size and root as they are now."""
        return Checkpoint(self._log, self._frontier.size, self._frontier.root())

    def add_once(self, draft: Draft) -> int:
        """Append *draft* unless it, or the same start or end of its run, is there; return its number."""
        seq = self._find("entry_id", "id = ?", draft.id)
        if seq is None and draft.run is not None:
            if draft.action in ENDS:
                seq = self._find("run_end", f"{ENDED} AND run = ?", draft.facts()["run"])
            elif draft.action is Action.RUN_STARTED:
                seq = self._find("run_start", f"{STARTED} AND run = ?", draft.facts()["run"])
        return self.add(draft) if seq is None else seq

    def add(self, draft: Draft) -> int:
        """Append *draft* and return its number."""
        seq = self._frontier.size
        body, salt = body_bytes(draft.body), os.urandom(SALT_SIZE)
        raw = build(
            draft,
            seq=seq,
            prev=self._leaf,
            log=self._log,
            recorded_ms=clock.now_ms(),
            body=None if body is None else body_hash(salt, body),
        )
        self._connection.execute("INSERT INTO entries (seq, entry) VALUES (?, ?)", (seq, raw))
        if body is not None:
            row = seq, salt, packed_body(draft.action, body)
            self._connection.execute("INSERT INTO bodies (seq, salt, body) VALUES (?, ?, ?)", row)
        self._note_run(draft, seq)
        self._leaf = leaf_hash(raw)
        write_tiles(self._connection, completed_tiles(self._frontier, self._leaf))
        self._frontier.push(self._leaf)
        return seq

    def finish(self, signer: Signer) -> None:
        """Sign the new root and write the head, if anything was added."""
        frontier = self._frontier
        if frontier.size == self._size_before:
            return
        note = signer.sign(self.state())
        self._connection.execute(
            "INSERT OR REPLACE INTO head (one, log, size, leaf, frontier, checkpoint) VALUES (1, ?, ?, ?, ?, ?)",
            (self._log, frontier.size, self._leaf, frontier.to_bytes(), note),
        )

    def _note_run(self, draft: Draft, seq: int) -> None:
        if draft.run is None or draft.action not in (Action.RUN_STARTED, *ENDS):
            return
        run = draft.facts()["run"]
        if draft.action in ENDS:
            self._connection.execute("DELETE FROM open_runs WHERE run = ?", (run,))
        # An end may come first: the clock was set back between the two while both waited in the spool.
        elif self._find("run_end", f"{ENDED} AND run = ?", run) is None:
            self._connection.execute("INSERT INTO open_runs (run, seq) VALUES (?, ?)", (run, seq))

    def _find(self, index: str, condition: str, value: str) -> int | None:
        query = f"SELECT seq FROM entries INDEXED BY {index} WHERE {condition}"  # noqa: S608 - constants of ours
        row = self._connection.execute(query, (value,)).fetchone()
        return None if row is None else int(row[0])


# -- a new log


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
