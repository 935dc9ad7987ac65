"""What a log with an acknowledged finding looked like at that moment, so that the old finding hides no new one.

A verification ends at the first thing that is wrong, and finds the same again each time. So an acknowledgement keeps a digest over
every row that was there, damaged as it is, and the point from which sound entries follow. `change` compares with both: what was
there must not have changed since, and what came after must fit. Erasing and pruning change rows lawfully: `last_check.resealed`.

Tiles, indexes and open runs are made from the entries and are not looked at. A database that cannot be read through has no seal.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any

from tray.audit import checkpoint, database, keys
from tray.audit.merkle import Frontier
from tray.audit.verify.diagnose import Found
from tray.audit.verify.stream import Pass, Start
from tray.audit.verify.tables import Head
from tray.core.errors import BackupTrayError
from tray.core.paths import Places

_ROWS = (
    "SELECT name, sql FROM sqlite_schema ORDER BY name, sql",
    "SELECT seq, entry FROM entries NOT INDEXED WHERE seq < ? ORDER BY seq",
    "SELECT seq, salt, body FROM bodies NOT INDEXED WHERE seq < ? ORDER BY seq",
)
_CHANGED = "The finding was acknowledged with {} entries in the log, and since then {}"
_SECONDS = 5.0


def make(places: Places) -> dict[str, Any] | None:
    """Return the seal of the log as it is now, as JSON; None if it cannot be read through."""
    try:
        with database.guard(places.audit_db), _reading(places) as connection:
            head = Head.read(connection)
            (last,) = connection.execute("SELECT max(seq) FROM entries").fetchone()
            size = max(head.size, -1 if last is None else last + 1)
            return {
                "log": head.log,
                "size": size,
                "digest": _digest(connection, size),
                "leaf": head.leaf.hex(),
                "frontier": head.frontier.hex() if size == head.size else None,
                "keys": [str(key) for key in keys.pins(places.audit_key) if key.name == head.log],
                "checkpoint": head.checkpoint.decode(),
            }
    except (BackupTrayError, Found, ValueError):
        return None


def change(places: Places, seal: Mapping[str, Any]) -> str | None:
    """Return in one sentence what changed in the log since *seal* was made; None if it only grew.

    Raises:
        AuditUnavailableError: The log cannot be read now.
    """
    size = int(seal["size"])
    with database.guard(places.audit_db, _SECONDS), _reading(places) as connection:
        if _digest(connection, size) != seal["digest"]:
            return _CHANGED.format(size, "something that was there already was changed.")
        try:
            _follow(connection, seal, size)
        except (Found, ValueError, LookupError, TypeError) as error:
            return _CHANGED.format(size, f"more came about: {getattr(error, 'why', error)}")
    return None


def _follow(connection: sqlite3.Connection, seal: Mapping[str, Any], size: int) -> None:
    """Check the entries that came after the seal.

    Raises:
        Found: Something is wrong with one.
        ValueError, LookupError, TypeError: Nothing could follow on such a log.
    """
    if connection.execute("SELECT 1 FROM entries WHERE seq >= ?", (size,)).fetchone() is None:
        head = Head.read(connection)
        if head.size > size or (head.size == size and head.checkpoint.decode() != seal["checkpoint"]):
            raise ValueError("The log's head was changed.")
        return
    ids = checkpoint.key_ids(str(seal["checkpoint"]).encode())
    known = [key for key in map(checkpoint.VerifierKey.parse, seal["keys"]) if key.key_id in ids]
    tree = Frontier.from_bytes(size, bytes.fromhex(seal["frontier"]))
    start = Start(str(seal["log"]), tree, bytes.fromhex(seal["leaf"]), known)
    head = Head.read(connection)
    stream = Pass(connection, start, head.size, head.leaf, (), None, resumed=True)
    stream.run()
    head.check(stream)


def _digest(connection: sqlite3.Connection, size: int) -> str:
    digest = sha256()
    for query in _ROWS:
        rows: Iterable[tuple[Any, ...]] = connection.execute(query, (size,) if "?" in query else ())
        for row in rows:
            for value in row:
                raw = value if isinstance(value, bytes) else repr(value).encode("utf-8", "backslashreplace")
                digest.update(b"%d %s " % (len(raw), type(value).__name__.encode()) + raw)
    return digest.hexdigest()


@contextlib.contextmanager
def _reading(places: Places) -> Iterator[sqlite3.Connection]:
    """One consistent state of the log."""
    connection, _ = database.connect_reader(places.audit_db, _SECONDS)
    try:
        connection.text_factory = lambda raw: raw.decode("utf-8", "backslashreplace")
        connection.execute("BEGIN")
        yield connection
    finally:
        connection.close()
