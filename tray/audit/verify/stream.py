"""Read every entry of the log once, 256 at a time, in constant memory.

A quick check takes 256 entries (one tile of the tree) at once: their form by one expression each, their numbers, their chain and
their details by one comparison for all. Entries are checked one by one only if that fails, or if one is about the log itself.
An entry takes about 5 µs, of which the expression is 2, hashing 1.5, and SQLite 1.
"""

import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Self

from tray.audit import checkpoint
from tray.audit.checkpoint import ROTATED, Checkpoint, VerifierKey, is_introduced
from tray.audit.entry import MAX_ENTRY, SALT_SIZE, TYPES
from tray.audit.merkle import HASH_SIZE, HEIGHT, WIDTH, Frontier, completed_tiles, fold, leaf_hash, node_hash
from tray.audit.rows import plain_body
from tray.audit.schema import FACET
from tray.audit.verify.diagnose import Careful, Row, fail
from tray.audit.verify.verdict import Kind, Point
from tray.core.dataclass import dataclass, field

Progress = Callable[[int, int], None]

_EVERY = 4096
_ENTRIES = "SELECT seq, entry FROM entries NOT INDEXED WHERE seq >= ? ORDER BY seq"
_BODIES = "SELECT seq, salt, body FROM bodies WHERE seq >= ? AND seq < ? ORDER BY seq"
_BODY = "SELECT body FROM bodies WHERE seq = ?"
_TILE = "SELECT hash FROM tiles WHERE level = ? AND number = ?"
_REDACTIONS = (  # by the index of facets, which begin with the action; built from constants of ours
    "SELECT entries.seq, body FROM entries JOIN bodies ON bodies.seq = entries.seq "  # noqa: S608 - of constants of ours
    f"WHERE {FACET} >= '[\"audit.redacted\"' AND {FACET} < '[\"audit.redacted#'"
)
_SPECIAL = tuple(
    f'{{"action":"{action}"'.encode()
    for action in (
        "key.created",
        "key.rotated",
        "audit.pruned",
        "audit.rotated",
        "audit.verified",
        "audit.acknowledged",
    )
)
_TEXT = TYPES["actor"]
_SIMPLE = r'"[^"\\\x00-\x1f]*+"'


@dataclass(slots=True)
class Start:
    """The place where a verification begins: the log's beginning, the end of the pruned entries, or an authenticated point.

    Attributes:
        leaf: Hash of the entry before.
        keys: The keys known there, the newest last.
    """

    log: str
    tree: Frontier = field(default_factory=Frontier)
    leaf: bytes = bytes(HASH_SIZE)
    keys: list[VerifierKey] = field(default_factory=list)
    said: "Said | None" = None

    @classmethod
    def at(cls, point: Point) -> Self:
        """Return the place of *point*.

        Raises:
            ValueError: It makes no sense.
        """
        keys = [VerifierKey.parse(key) for key in point.keys]
        said = Said(replaced=list(point.replaced), breach=point.breach, settled=set(point.settled))
        return cls(point.log, Frontier.from_bytes(point.size, point.frontier), point.leaf, keys, said)


@dataclass(slots=True)
class Said:
    """The facts that entries tell about the log itself.

    Attributes:
        replaced: Entries at which a new key took over without the old one's consent.
        pruned: The newest audit.pruned: its number and details.
        breach: The newest audit.verified that found the log tampered with and was not acknowledged.
        settled: Other logs whose disappearance the user acknowledged.
        rotated: Sizes at which segments were closed, and the entries that say so.
    """

    replaced: list[int] = field(default_factory=list)
    pruned: tuple[int, Mapping[str, Any]] | None = None
    breach: int | None = None
    settled: set[str] = field(default_factory=set)
    rotated: dict[int, int] = field(default_factory=dict)


class Pass:
    """One pass over the entries from *start* on.

    Attributes:
        first: Number of the entry where it began.
        first_root: Root of the tree there.
        resumed: It began where an earlier check ended.
        tree: The tree so far.
        before_last: The tree without the last entry.
        keys: The keys known so far.
        roots: The root at each of the sizes asked for.
        odd_tile: The first tile that is missing or not the one that the entries make: level, number.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        start: Start,
        size: int,
        head_leaf: bytes,
        marks: Iterable[int],
        progress: Progress | None,
        *,
        resumed: bool = False,
    ) -> None:
        self._connection, self._size, self._progress = connection, size, progress
        self.log, self.first, self.first_root, self.resumed = start.log, start.tree.size, start.tree.root(), resumed
        self.tree, self.before_last, self.leaf = start.tree.copy(), start.tree.copy(), start.leaf
        self.keys, self.said = list(start.keys), start.said or Said()
        self.roots: dict[int, bytes] = {}
        self.odd_tile: tuple[int, int] | None = None
        self._marks = sorted(set(marks), reverse=True)
        self._match = _matchers(start.log)
        self._careful = Careful(connection, start.log, head_leaf, self._redacted)
        self._erased: dict[int, int] | None = None
        self._mark()

    def run(self) -> None:
        """Check all entries.

        Raises:
            Finding: Something is wrong.
        """
        rows = self._connection.execute(_ENTRIES, (self.tree.size,))
        while batch := rows.fetchmany(WIDTH - self.tree.size % WIDTH):
            self._batch(batch)
            if self._progress is not None and not self.tree.size % _EVERY:
                self._progress(self.tree.size, self._size)

    def point(self, note: bytes) -> Point:
        """Return the point where the pass ended, for a later check; *note* is the signed checkpoint of that size."""
        said = self.said
        return Point(
            self.log,
            self.tree.size,
            self.leaf,
            self.tree.to_bytes(),
            tuple(map(str, self.keys)),
            note,
            said.breach,
            tuple(sorted(said.settled)),
            tuple(said.replaced),
        )

    def _batch(self, rows: Sequence[Row]) -> None:
        first = self.tree.size
        try:
            leaves = self._quick(first, rows)
        except (TypeError, ValueError):
            leaves = None
        if leaves is None:
            leaves = self._careful.look(first, self.leaf, rows)
        special = [at for at, (_, raw) in enumerate(rows) if raw.startswith(_SPECIAL)]
        if special or len(rows) < WIDTH or first + WIDTH >= self._size or self._next_mark() < first + WIDTH:
            self._one_by_one(rows, leaves, special)
        else:
            self._whole_tile(leaves)
        self.leaf = leaves[-1]
        self._mark()

    # -- the quick check

    def _quick(self, first: int, rows: Sequence[Row]) -> list[bytes] | None:
        """Return the leaf hashes of *rows* if all are right; otherwise None, or raise any error of Python's."""
        count = len(rows)
        seqs, raws = zip(*rows, strict=True)
        simple, full = self._match
        matches = [match for raw in raws if (match := simple(raw) or full(raw)) is not None]
        if len(matches) < count or seqs != tuple(range(first, first + count)) or max(map(len, raws)) > MAX_ENTRY:
            return None
        for raw in raws:
            if not raw.isascii():
                raw.decode()
        promised, prevs, numbers = zip(*[match.groups() for match in matches], strict=True)
        leaves = list(map(leaf_hash, raws))
        chain = (self.leaf + b"".join(leaves[:-1])).hex().encode()
        places = ",".join(map(str, range(first, first + count))).encode()
        if b"".join(prevs) != chain or b",".join(numbers) != places or not self._bodies(first, promised):
            return None
        return leaves

    def _bodies(self, first: int, promised: Sequence[bytes | None]) -> bool:
        """Whether the details are complete and have the hashes that the entries name."""
        seqs, digests = [], []
        for seq, salt, kept in self._connection.execute(_BODIES, (first, first + len(promised))):
            if len(salt) != SALT_SIZE:
                return False
            seqs.append(seq)
            digests.append(sha256(b"\x02" + salt + plain_body(kept)).digest())
        named = [seq for seq, value in enumerate(promised, first) if value is not None]
        return seqs == named and b"".join(digests).hex().encode() == b"".join(filter(None, promised))

    def _redacted(self) -> dict[int, int]:
        """Return which bodies were erased, each with the entry that says so; needed only once one is missing."""
        if self._erased is None:
            self._erased = {}
            for seq, kept in self._connection.execute(_REDACTIONS):
                number = details(kept).get("entry")
                if isinstance(number, int):
                    self._erased[number] = max(seq, self._erased.get(number, -1))
        return self._erased

    # -- the tree

    def _whole_tile(self, leaves: list[bytes]) -> None:
        """Push 256 leaves at once: their own tree first, then that as one."""
        rest, height, root = self.tree.size // WIDTH, HEIGHT, fold(leaves)
        self._tile(0, rest, root)
        while rest & 1:
            root = node_hash(self.tree.hashes.pop(), root)
            rest, height = rest >> 1, height + 1
            if height % HEIGHT == 0:
                self._tile(height // HEIGHT - 1, rest, root)
        self.tree.hashes.append(root)
        self.tree.size += WIDTH

    def _one_by_one(self, rows: Sequence[Row], leaves: list[bytes], special: list[int]) -> None:
        tree = self.tree
        for at, leaf in enumerate(leaves):
            if at in special:
                self._special(*rows[at])
            if tree.size + 1 == self._size:
                self.before_last = tree.copy()
            for tile in completed_tiles(tree, leaf):
                self._tile(*tile)
            tree.push(leaf)
            self._mark()

    def _tile(self, level: int, number: int, root: bytes) -> None:
        row = self._connection.execute(_TILE, (level, number)).fetchone()
        if self.odd_tile is None and (row is None or row[0] != root):
            self.odd_tile = level, number

    def _next_mark(self) -> int:
        return self._marks[-1] if self._marks else 1 << 62

    def _mark(self) -> None:
        while self._next_mark() <= self.tree.size:
            if self._marks.pop() == self.tree.size:
                self.roots[self.tree.size] = self.tree.root()

    # -- entries about the log itself

    def _special(self, seq: int, raw: bytes) -> None:
        entry, row = json.loads(raw), self._connection.execute(_BODY, (seq,)).fetchone()
        body = details(None if row is None else row[0])
        match entry["action"]:
            case "key.created" | "key.rotated":
                self._key(seq, entry["action"], entry["result"], body)
            case "audit.pruned":
                self.said.pruned = seq, body
            case "audit.rotated":
                if isinstance(body.get("size"), int):
                    self.said.rotated[body["size"]] = seq
            case "audit.verified":
                if entry["result"] == "tampered" and body.get("acknowledged") is not True:
                    self.said.breach = seq
            case "audit.acknowledged":
                self.said.breach = None
                logs = body.get("logs")
                self.said.settled |= {log for log in logs if isinstance(log, str)} if isinstance(logs, list) else set()

    def _key(self, seq: int, action: str, result: str, body: Mapping[str, Any]) -> None:
        """Take the key that entry *seq* introduces; at a change the old key must have signed all that came before."""
        try:
            verifier = VerifierKey.parse(body["public_key"])
        except (ValueError, LookupError, AttributeError):
            fail(Kind.KEY, f"Entry {seq} introduces a key but holds none.", seq)
        if verifier.name != self.log:
            fail(Kind.KEY, f"Entry {seq} introduces a key of another log.", seq)
        if action == "key.rotated" or self.keys:
            if not self.keys or not _is_signed(body, Checkpoint(self.log, seq, self.tree.root()), self.keys[-1]):
                fail(Kind.KEY, f"Entry {seq} changes the key, but the old key did not sign what came before.", seq)
            self._introduced(seq, result, body, verifier)
        self.keys.append(verifier)

    def _introduced(self, seq: int, result: str, body: Mapping[str, Any], verifier: VerifierKey) -> None:
        """Check that the old key introduced the new one; a lost key could not, and then the entry says so."""
        introduction = body.get("introduction")
        if introduction is None and result != ROTATED:
            self.said.replaced.append(seq)
        elif not isinstance(introduction, str) or not is_introduced(
            introduction.encode(), seq, self.keys[-1], verifier
        ):
            fail(Kind.KEY, f"Entry {seq} changes the key, but the old key did not introduce the new one.", seq)


def details(kept: object) -> Mapping[str, Any]:
    """Return an entry's details, empty if there are none that can be read."""
    try:
        data = json.loads(plain_body(kept)) if isinstance(kept, bytes) else None
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _is_signed(body: Mapping[str, Any], expected: Checkpoint, verifier: VerifierKey) -> bool:
    try:
        note = str(body.get("checkpoint", "")).encode()
        return checkpoint.parse(note) == expected and verifier.verifies(note)
    except ValueError:
        return False


def _matchers(log: str) -> tuple[Callable[[bytes], re.Match[bytes] | None], Callable[[bytes], re.Match[bytes] | None]]:
    """Return two functions that match the canonical entries of *log*, with groups for body, prev and seq only.

    The first takes only texts without a backslash, as most are, in four fifths of the time of the second.
    """
    forms = {
        **TYPES,
        "log": f'"{re.escape(log)}"',
        "body": 'null|"(?P<body>[0-9a-f]{64})"',
        "prev": '"(?P<prev>[0-9a-f]{64})"',
        "seq": f"(?P<seq>{TYPES['seq']})",
    }
    keys = ",".join(f'"{name}":(?:{form})' for name, form in sorted(forms.items()))
    simple, full = ("{" + keys.replace(_TEXT, _SIMPLE) + "}", "{" + keys + "}")
    return re.compile(simple.encode()).fullmatch, re.compile(full.encode()).fullmatch
