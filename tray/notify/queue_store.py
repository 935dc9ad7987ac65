"""The SQLite file of the queue: its tables, transactions, marks, and the merge with another one."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

_SECONDS = 10.0
_VERSION = 1
_SCHEMA = """
CREATE TABLE known (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE events (id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, recorded INTEGER NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE deliveries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, channel TEXT NOT NULL, incident TEXT NOT NULL,
    made_ms INTEGER NOT NULL, due_ms INTEGER NOT NULL, held TEXT, message TEXT, UNIQUE (event, channel)
);
CREATE INDEX waiting ON deliveries (channel, due_ms) WHERE message IS NULL;
CREATE INDEX carried ON deliveries (message) WHERE message IS NOT NULL;
CREATE TABLE messages (
    id TEXT PRIMARY KEY, channel TEXT NOT NULL, made_ms INTEGER NOT NULL, tries INTEGER NOT NULL, next_ms INTEGER,
    sent_ms INTEGER, why TEXT
) WITHOUT ROWID;
CREATE INDEX ends ON deliveries (incident) WHERE message IS NULL;
CREATE INDEX open_messages ON messages (channel) WHERE next_ms IS NOT NULL;
CREATE TABLE marks (name TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) WITHOUT ROWID;
"""
COLUMNS = "event, channel, incident, made_ms, due_ms, held, message"


class NewerQueueError(sqlite3.DatabaseError):
    """A newer version has made the queue."""


class Store:
    """The open file; each method is a transaction of its own, and safe beside other processes.

    Attributes:
        file: Its path.
        db: Its connection.
    """

    def __init__(self, file: Path, *, immutable: bool = False) -> None:
        """Open *file*.

        Args:
            immutable: Read the file alone as it is, without locks and journal.

        Raises:
            NewerQueueError: A newer version has made it.
            sqlite3.Error: It cannot be opened, or is damaged.
        """
        self.file = file
        name = f"{file.as_uri()}?immutable=1" if immutable else str(file)
        self.db = sqlite3.connect(name, timeout=_SECONDS, isolation_level=None, check_same_thread=False, uri=immutable)
        try:
            if not immutable:
                self.db.execute("PRAGMA journal_mode=WAL")
                self.db.execute("PRAGMA synchronous=FULL")
                self._prepare()
        except BaseException:
            self.db.close()
            raise

    def close(self) -> None:
        """Give the file back."""
        self.db.close()

    def _prepare(self) -> None:
        if self.db.execute("PRAGMA user_version").fetchone()[0] == _VERSION:
            return
        with self.changing():
            (version,) = self.db.execute("PRAGMA user_version").fetchone()
            if version not in (0, _VERSION):
                raise NewerQueueError(f"made by a newer version ({version})")
            if version == 0:
                for statement in filter(None, map(str.strip, _SCHEMA.split(";"))):
                    self.db.execute(statement)
                self.db.execute(f"PRAGMA user_version={_VERSION}")

    def take_over(self, other: Self, *, with_messages: bool) -> None:
        """Take over the memory of *other*, if it is newer, and all that waits there, if *with_messages*."""
        newer = (other.mark("looked") or 0) > (self.mark("looked") or 0)
        tables = (*(("known", "marks") if newer else ()), *(("events", "messages") if with_messages else ()))
        copies = {table: other.db.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
        rows = other.db.execute(f"SELECT {COLUMNS} FROM deliveries ORDER BY seq").fetchall() if with_messages else []
        with self.changing():
            if newer:
                self.db.execute("DELETE FROM known")
            for table, values in copies.items():
                self._insert("OR REPLACE", table, values)
            self._insert("OR IGNORE", f"deliveries ({COLUMNS})", rows)

    def _insert(self, otherwise: str, table: str, rows: Sequence[tuple[object, ...]]) -> None:
        if rows:
            places = ", ".join("?" * len(rows[0]))
            self.db.executemany(f"INSERT {otherwise} INTO {table} VALUES ({places})", rows)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Begin a transaction that writes, and commit it at the end; an error undoes it."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            with suppress(sqlite3.Error):
                self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def mark(self, name: str) -> int | None:
        """Return when *name* was last done, in milliseconds; None if never."""
        row = self.db.execute("SELECT at_ms FROM marks WHERE name = ?", (name,)).fetchone()
        return None if row is None else int(row[0])

    def marks(self, prefix: str) -> dict[str, int]:
        """Return the marks whose names begin with *prefix*."""
        rows = self.db.execute("SELECT name, at_ms FROM marks WHERE substr(name, 1, ?) = ?", (len(prefix), prefix))
        return dict(rows.fetchall())

    def set_mark(self, name: str, at_ms: int | None) -> None:
        """Note when *name* was done, or will be over; None forgets it."""
        if at_ms is None:
            self.db.execute("DELETE FROM marks WHERE name = ?", (name,))
        else:
            self.db.execute("INSERT OR REPLACE INTO marks VALUES (?, ?)", (name, at_ms))
