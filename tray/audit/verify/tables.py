"""Check everything beside the entries that must agree with them: schema, head, base, segments, tiles, open runs, indexes."""

import sqlite3
import threading
from pathlib import Path
from typing import Any, NoReturn, Self

from tray.audit import checkpoint, database
from tray.audit.checkpoint import Checkpoint, VerifierKey
from tray.audit.merkle import HASH_SIZE, WIDTH, Frontier, Tiles, node_hash
from tray.audit.schema import ENDED, FACET, STARTED, STATEMENTS
from tray.audit.verify.diagnose import fail
from tray.audit.verify.stream import Pass, Start, details
from tray.audit.verify.verdict import Kind
from tray.core.dataclass import dataclass
from tray.core.errors import EntryPrunedError

# All built from constants of ours.
_PRUNED = (
    "SELECT entries.seq, body FROM entries LEFT JOIN bodies ON bodies.seq = entries.seq "  # noqa: S608 - of constants of ours
    f"WHERE {FACET} >= '[\"audit.pruned\"' AND {FACET} < '[\"audit.pruned#' ORDER BY entries.seq DESC LIMIT 1"
)
_OPEN = (
    f"SELECT run, seq FROM entries AS s INDEXED BY run_start WHERE {STARTED} AND run IS NOT NULL AND NOT EXISTS "  # noqa: S608 - of constants of ours
    f"(SELECT 1 FROM entries AS e INDEXED BY run_end WHERE e.{ENDED} AND e.run = s.run)"
)
_KEPT = "SELECT run, seq FROM open_runs WHERE seq >= (SELECT start FROM base)"
_AUTOMATIC = {"sqlite_autoindex_open_runs_1", "sqlite_autoindex_tiles_1"}
"""Indexes that SQLite makes by itself for the two tables whose rows are ordered by another key than a number."""


def check_schema(connection: sqlite3.Connection) -> None:
    """Compare every object of the database with the schema of this program."""
    there: dict[str, str | None] = {}
    for name, sql in connection.execute("SELECT name, sql FROM sqlite_schema"):
        if name in there or (name not in STATEMENTS and not (name in _AUTOMATIC and sql is None)):
            fail(Kind.SCHEMA, f"The database holds a second or unknown {name}, which the program did not make.")
        there[name] = sql
    for name, statement in STATEMENTS.items():
        if there.get(name) != statement:
            fail(Kind.SCHEMA, f"The definition of {name} in the database is missing, or not as the program made it.")


@dataclass(frozen=True, slots=True)
class Head:
    """The row that the next append goes on from."""

    log: str
    size: int
    leaf: bytes
    frontier: bytes
    checkpoint: bytes

    @classmethod
    def read(cls, connection: sqlite3.Connection) -> Self:
        """Read it; its types are checked, its content is not yet."""
        rows = connection.execute("SELECT log, size, leaf, frontier, checkpoint FROM head").fetchall()
        if len(rows) != 1:
            fail(Kind.MISSING, "The log's head is missing.")
        log, size, leaf, frontier, note = rows[0]
        if [type(value) for value in (log, size, leaf, frontier)] != [str, int, bytes, bytes]:
            fail(Kind.INDEX, "The log's head is damaged.")
        return cls(log, size, leaf, frontier, note if isinstance(note, bytes) else b"")

    def check(self, stream: Pass) -> None:
        """Compare the newest signature, then the rest of the head, with the entries that were read."""
        signed = self._signed(stream.keys)
        tree = stream.tree
        if tree.size < signed.size:
            fail(Kind.TRUNCATED, f"{signed.size} entries were signed, but only {tree.size} are here.", tree.size)
        if tree.size > signed.size:
            fail(Kind.ADDED, f"Only {signed.size} entries were signed, but {tree.size} are here.", signed.size)
        if signed.root != tree.root():
            self._rewritten(stream, signed)
        if (self.size, self.leaf, self.frontier) != (tree.size, stream.leaf, tree.to_bytes()):
            fail(Kind.INDEX, "The log's head does not fit its entries.")

    def _signed(self, known: list[VerifierKey]) -> Checkpoint:
        if not known:
            fail(Kind.KEY, "The log names no key that could have signed it.")
        try:
            signed = checkpoint.parse(self.checkpoint)
            ids = checkpoint.key_ids(self.checkpoint)
        except ValueError:
            fail(Kind.UNSIGNED, "The log carries no signature: its newest checkpoint is gone or none.")
        if not ids:
            fail(Kind.UNSIGNED, "The newest checkpoint carries no signature.")
        if known[-1].key_id not in ids:
            fail(Kind.UNKNOWN_KEY, "The newest checkpoint was signed by another key than the log's.")
        if not known[-1].verifies(self.checkpoint):
            fail(Kind.SIGNATURE, "The signature of the newest checkpoint is broken.")
        if signed.origin != self.log:
            fail(Kind.SIGNATURE, "The newest checkpoint is of another log.")
        return signed

    def _rewritten(self, stream: Pass, signed: Checkpoint) -> NoReturn:
        """Find the place of the change where the chain fits but the signed root does not, by the tree in head and tiles."""
        tree, last = stream.before_last.copy(), stream.tree.size - 1
        if len(self.leaf) == HASH_SIZE and tree.size == last:
            tree.push(self.leaf)
            if tree.root() == signed.root:
                fail(Kind.ALTERED, f"Entry {last} was altered: it is not the one that was signed.", last)
        try:
            kept = Frontier.from_bytes(stream.tree.size, self.frontier)
        except ValueError:
            kept = stream.tree
        first = stream.tree.first_difference(kept) if kept.root() == signed.root else None
        if first is not None and stream.odd_tile is not None and stream.odd_tile[0] == 0:
            first = max(first, stream.odd_tile[1] * WIDTH)
        fail(Kind.REWRITTEN, "The entries fit each other, but they are not the ones that were signed.", first)


def begin(connection: sqlite3.Connection, head: Head) -> Start:
    """Return where the entries begin; after pruning the newest audit.pruned names the keys (checked in the stream)."""
    rows = connection.execute("SELECT start, leaf, frontier FROM base").fetchall()
    if len(rows) != 1:
        fail(Kind.MISSING, "The row that says where the log begins is missing.")
    start, leaf, row = rows[0]
    if [type(value) for value in rows[0]] != [int, bytes, bytes] or len(leaf) != HASH_SIZE:
        fail(Kind.INDEX, "The row that says where the log begins is damaged.")
    try:
        tree = Frontier.from_bytes(start, row)
    except ValueError:
        fail(Kind.INDEX, "The row that says where the log begins is damaged.")
    (low,) = connection.execute("SELECT min(seq) FROM entries").fetchone()
    if low is not None and low < start:
        fail(Kind.INSERTED, f"Entry {low} stands before the beginning of the log.", low)
    if not start:
        return Start(head.log) if leaf == bytes(HASH_SIZE) else fail(Kind.INDEX, "The log's beginning is damaged.")
    pruned = connection.execute(_PRUNED).fetchone()
    if pruned is None:
        _unexplained(start)
    return Start(head.log, tree, leaf, _keys(details(pruned[1]), pruned[0]))


def _keys(body: Any, seq: int) -> list[VerifierKey]:
    try:
        return [VerifierKey.parse(key) for key in body["keys"]]
    except (ValueError, TypeError, LookupError, AttributeError):
        fail(Kind.KEY, f"Entry {seq} says that entries were pruned, but not with which keys they were signed.", seq)


def _unexplained(start: int) -> NoReturn:
    fail(Kind.MISSING, f"The entries before {start} are gone, and no entry says that they were pruned.", 0)


def check_rest(connection: sqlite3.Connection, stream: Pass, start: Start) -> None:
    """Check base, segments, tiles and bodies against the entries that were read; of a log that is signed as it is."""
    _base(stream, start)
    _segments(connection, stream)
    _tiles(connection, stream)
    low, high = connection.execute("SELECT min(seq), max(seq) FROM bodies").fetchone()
    if low is not None and (low < stream.first or high >= stream.tree.size):
        fail(Kind.BODY, "There are details without an entry.")


def _base(stream: Pass, start: Start) -> None:
    """Check that exactly the entries are gone that an entry says were pruned, down to the hash."""
    if stream.said.pruned is None:
        if stream.first:
            _unexplained(stream.first)
        return
    seq, body = stream.said.pruned
    if body.get("start") != stream.first:
        _unexplained(stream.first)
    if body.get("root") != stream.first_root.hex() or _keys(body, seq) != start.keys:
        fail(Kind.REWRITTEN, f"Other entries were pruned than entry {seq} says.", 0)


def _segments(connection: sqlite3.Connection, stream: Pass) -> None:
    """Check that closed segments join without a gap, each with a checkpoint of this tree that a key of the log signed."""
    end = 0
    for first, size, note in connection.execute("SELECT first, size, checkpoint FROM segments ORDER BY first"):
        if first != end or size % WIDTH or size > stream.tree.size:
            fail(Kind.MISSING, f"The segments do not join: one begins at entry {first}, where {end} was due.", end)
        try:
            target = checkpoint.parse(note)
            signed = any(key.verifies(note) for key in stream.keys)
        except (ValueError, TypeError):
            signed = False
        if not signed:
            fail(Kind.SIGNATURE, f"The checkpoint of the segment that begins at entry {first} is not signed.", first)
        same = (target.origin, target.size) == (stream.log, size)
        if size < stream.first:
            same = same and continues(connection, target, stream.first, stream.first_root)
        else:
            same = same and stream.roots.get(size) == target.root
        if not same:
            fail(Kind.REWRITTEN, f"The segment that begins at entry {first} is not the one that was closed.", first)
        end = size
    for size, seq in stream.said.rotated.items():
        if size > end:
            fail(Kind.MISSING, f"The segment that entry {seq} closed is not listed.", size)


def _tiles(connection: sqlite3.Connection, stream: Pass) -> None:
    if stream.odd_tile is not None:
        level, number = stream.odd_tile
        fail(Kind.INDEX, f"Tile {number} of level {level} does not fit the entries.", number << 8 * (level + 1))
    counts = {level: (count, high) for level, count, high in connection.execute(_COUNTS)}
    size, level, due = stream.tree.size >> 8, 0, {}
    while size:
        due[level] = size, size - 1
        size, level = size >> 8, level + 1
    if counts != due:
        fail(Kind.INDEX, "There are tiles too many or too few for the entries.")
    if stream.first and Tiles(connection).root_at(stream.first) != stream.first_root:
        fail(Kind.INDEX, "The tiles of what was pruned do not fit.")


_COUNTS = "SELECT level, count(*), max(number) FROM tiles GROUP BY level"


def continues(connection: sqlite3.Connection, old: Checkpoint, size: int, root: bytes) -> bool:
    """Whether the tree of *size* entries with this *root* provably continues that of *old*; the tiles are not trusted."""
    try:
        proof = Tiles(connection).consistency(old.size, size)
    except (ValueError, EntryPrunedError):
        return False
    return is_consistent(old, size, root, proof)


def is_consistent(old: Checkpoint, size: int, root: bytes, proof: list[bytes]) -> bool:
    """Check a proof of consistency after RFC 9162, section 2.1.4.2."""
    if not 0 < old.size <= size:
        return old.size == 0 and old.root == Frontier().root()
    if old.size == size:
        return old.root == root and not proof
    path = list(proof) if old.size & (old.size - 1) else [old.root, *proof]
    if not path:
        return False
    at, last = old.size - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    mine = theirs = path[0]
    for node in path[1:]:
        if not last:
            return False
        if at & 1 or at == last:
            mine, theirs = node_hash(node, mine), node_hash(node, theirs)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            theirs = node_hash(theirs, node)
        at, last = at >> 1, last >> 1
    return mine == old.root and theirs == root and not last


def check_open_runs(connection: sqlite3.Connection) -> None:
    """Compare the list of open runs with starts and ends, by two indexes; last, since damaged indexes say anything."""
    for query, other in ((_OPEN, _KEPT), (_KEPT, _OPEN)):
        row = connection.execute(f"{query} EXCEPT {other} LIMIT 1").fetchone()
        if row is not None:
            fail(Kind.INDEX, f"The list of open runs does not fit the entries, at entry {row[1]}.", row[1])


class Indexes:
    """Comparison of every index with the entries, in a thread of its own.

    SQLite works without Python's lock, so this costs no time if there is a second processor.
    """

    def __init__(self, db: Path, timeout: float) -> None:
        self._connection, _ = database.connect_reader(db, timeout)
        self._thread = threading.Thread(target=self._work, name="indexes", daemon=True)
        self._answer: str | Exception = "not asked"

    def __enter__(self) -> Self:
        self._connection.execute("BEGIN")
        return self

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def result(self) -> None:
        """Wait for the end, and raise the finding if there is one."""
        self._thread.join()
        if isinstance(self._answer, Exception):
            raise self._answer
        if self._answer != "ok":
            fail(Kind.INDEX, f"The database disagrees with itself: {self._answer}.")

    def __exit__(self, *_: object) -> None:
        while self._thread.is_alive():
            self._connection.interrupt()
            self._thread.join(0.02)
        self._connection.close()

    def _work(self) -> None:
        try:
            self._answer = self._connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        except Exception as error:  # raised in the thread that waits for the result
            self._answer = error
