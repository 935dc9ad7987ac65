"""Verification of the whole log: every entry, the chain, the tree, the signature, the bodies, the indexes, and baselines.

Reads one consistent state as a stream, in constant memory, while others go on appending. What the log says about itself can at
best be "intact in itself": who can replace log and key together leaves nothing inside that tells. So the result is *intact* only
where a checkpoint that was kept elsewhere agrees.
"""

import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import NoReturn

from tray import clock
from tray.audit import checkpoint, database, keys
from tray.audit.checkpoint import Checkpoint, Signer, VerifierKey
from tray.audit.entry import MAX_ENTRY, pattern
from tray.audit.schema import ENDED, EVENT, STARTED, STATEMENTS
from tray.audit.tree import HASH_SIZE, Frontier, leaf_hash
from tray.audit.verdict import Kind, Result, Verdict
from tray.errors import AuditUnavailableError, BaselineError

__all__ = ["Kind", "Result", "Verdict", "verify"]

_EVERY = 4096
_ROWS = (
    "SELECT entries.seq, entry, salt, body FROM entries NOT INDEXED LEFT JOIN bodies ON bodies.seq = entries.seq "
    "ORDER BY entries.seq"
)
_REDACTIONS = (  # built from constants of ours
    "SELECT json_extract(CAST(body AS TEXT), '$.entry'), entries.seq FROM entries INDEXED BY event "  # noqa: S608
    "JOIN bodies ON bodies.seq = entries.seq WHERE action = 'audit.redacted' AND " + EVENT
)
_OPEN = (
    f"SELECT run, seq FROM entries AS s INDEXED BY run_start WHERE {STARTED} AND run IS NOT NULL AND NOT EXISTS "  # noqa: S608
    f"(SELECT 1 FROM entries AS e INDEXED BY run_end WHERE e.{ENDED} AND e.run = s.run)"
)
_KEPT = "SELECT run, seq FROM open_runs"


def verify(
    db: Path,
    key: Path,
    *,
    baselines: Mapping[str, bytes] | None = None,
    progress: Callable[[int, int], None] | None = None,
    timeout: float = 5.0,
) -> Verdict:
    """Check the log *db*, and change nothing.

    Args:
        key: The signing key's file. It is not needed; beside it stand the pinned public keys.
        baselines: Signed checkpoints that were kept elsewhere, by name.
        progress: Told every few thousand entries how many are checked, and of how many.

    Raises:
        AuditUnavailableError: It could not be checked.
        BaselineError: A baseline is no checkpoint, or its signature is broken.
    """
    began = clock.monotonic()
    targets = {name: _baseline(name, note) for name, note in (baselines or {}).items()}
    pins = _pins(key)
    with database.guard(db, timeout):
        connection, _ = database.connect_reader(db, timeout)
        try:
            connection.execute("BEGIN")
            check = _Check(connection, pins, baselines or {}, targets, progress)
            verdict = check.run()
        finally:
            connection.close()
    return _timed(verdict, began)


def _timed(verdict: Verdict, began: float) -> Verdict:
    return replace(verdict, duration_ms=int((clock.monotonic() - began) * 1000))


def _baseline(name: str, note: bytes) -> Checkpoint:
    try:
        return checkpoint.parse(note)
    except ValueError as error:
        raise BaselineError(name, f"It is no signed checkpoint: {error}.") from error


def _pins(key: Path) -> list[VerifierKey] | bytes | None:
    """Return the pinned keys; without any, the public half of the key file; without that, None."""
    found = keys.pins(key)
    if found:
        return found
    try:
        return Signer(keys.load(key)).public
    except (OSError, AuditUnavailableError):
        return None


class _Found(Exception):  # noqa: N818 - not an error: it carries the first finding out of the stream
    def __init__(self, kind: Kind, why: str, first_bad: int | None = None) -> None:
        self.kind, self.why, self.first_bad = kind, why, first_bad


def _found(kind: Kind, why: str, first_bad: int | None = None) -> NoReturn:
    raise _Found(kind, why, first_bad)


@dataclass(slots=True)
class _Keys:
    """The keys that the log names, the newest last."""

    known: list[VerifierKey] = field(default_factory=list)

    def current(self) -> VerifierKey:
        if not self.known:
            _found(Kind.KEY, "The log names no key that could have signed it.")
        return self.known[-1]


class _Check:
    """One pass over the log."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        pins: list[VerifierKey] | bytes | None,
        notes: Mapping[str, bytes],
        targets: Mapping[str, Checkpoint],
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self._connection, self._pins, self._notes, self._progress = connection, pins, notes, progress
        self._targets = sorted(targets.items(), key=lambda item: item[1].size)
        self._tree, self._before_last = Frontier(), Frontier()
        self._leaf = bytes(HASH_SIZE)
        self._keys = _Keys()
        self._agreed: list[str] = []
        self._agreed_size = 0
        self._log = ""

    def run(self) -> Verdict:
        """Check everything in the order in which a finding says most."""
        try:
            self._schema()
            self._head()
            self._origins()
            self._stream()
            self._signature()
            self._end()
            self._bodies_without_entry()
            self._pinned()
            self._baseline_signatures()
            self._indexes()
        except _Found as found:
            return self._verdict(Result.TAMPERED, found.why, found.first_bad, found.kind)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and _is_busy(error):
                raise
            why = f"The database is damaged, and entry {self._tree.size} cannot be read: {error}."
            return self._verdict(Result.TAMPERED, why, self._tree.size, Kind.DAMAGED)
        if self._agreed:
            return self._verdict(Result.INTACT, f"Every entry is as it was signed, and {_these(self._agreed)}.")
        return self._verdict(
            Result.INCONCLUSIVE,
            "The log is intact in itself, but there is no outside baseline to compare with: nobody would notice if log and key "
            "had been replaced together.",
        )

    def _verdict(self, result: Result, why: str, first_bad: int | None = None, kind: Kind | None = None) -> Verdict:
        return Verdict(
            result,
            self._tree.size,
            clock.now_ms(),
            why,
            first_bad,
            kind,
            log=self._log or None,
            root=self._tree.root().hex(),
            baselines=tuple(self._agreed),
            notes=tuple(self._remarks()),
        )

    def _remarks(self) -> list[str]:
        if self._pins is None:
            return [
                "No public key is pinned beside the log, so a log replaced together with its key would not be noticed."
            ]
        notes = []
        if self._agreed and self._agreed_size < self._tree.size:
            notes.append(
                f"The newest baseline covers the first {self._agreed_size} entries; the log's own signature the rest."
            )
        earlier = {pin.name for pin in self._pins if pin.name != self._log} if isinstance(self._pins, list) else set()
        return notes + [f"An earlier log, {name}, stood here and is gone." for name in sorted(earlier)]

    def _schema(self) -> None:
        found = dict(self._connection.execute("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite%'"))
        for name in STATEMENTS.keys() | found.keys():
            if found.get(name) != STATEMENTS.get(name):
                _found(Kind.SCHEMA, f"The database's {name} is not as the program made it.")

    def _head(self) -> None:
        rows = self._connection.execute("SELECT log, size, leaf, frontier, checkpoint FROM head").fetchall()
        if len(rows) != 1:
            _found(Kind.MISSING, "The log's head is missing.")
        self._log, self._size, self._head_leaf, self._frontier, self._newest = rows[0]
        if [type(value) for value in rows[0][:4]] != [str, int, bytes, bytes]:
            _found(Kind.INDEX, "The log's head is damaged.")

    def _origins(self) -> None:
        for name, target in self._targets:
            if target.origin != self._log:
                why = f"{name} is of the log {target.origin}, but here is {self._log}: another log, or another log's baseline."
                _found(Kind.REPLACED, why)

    def _stream(self) -> None:
        self._erased = self._redacted()
        waiting = list(reversed(self._targets))
        rows = self._connection.execute(_ROWS)
        tree = self._tree
        for seq, raw, salt, body in rows:
            self._entry(seq, raw, salt, body)
            if tree.size + 1 == self._size:
                self._before_last = tree.copy()
            tree.push(self._leaf)
            while waiting and waiting[-1][1].size <= tree.size:
                self._compare(*waiting.pop())
            if self._progress is not None and not tree.size % _EVERY:
                self._progress(tree.size, self._size)
        for name, target in waiting:
            why = f"{name} saw {target.size} entries, but only {tree.size} are here."
            _found(Kind.TRUNCATED, why, tree.size)

    def _entry(self, seq: int, raw: bytes, salt: bytes | None, body: bytes | None) -> None:
        """Check one entry by itself, its place in the chain and its body, and take its hash."""
        size = self._tree.size
        if seq != size:
            _found(Kind.MISSING, f"Entry {size} is missing.", size)
        match = pattern().fullmatch(raw) if isinstance(raw, bytes) else None
        if match is None or len(raw) > MAX_ENTRY or not _is_unicode(raw):
            _found(Kind.ALTERED, f"Entry {seq} is no audit entry.", seq)
        number, origin, prev, promised, action = match.group("seq", "log", "prev", "body", "action")
        if int(number) != seq or origin[1:-1] != self._log.encode():
            _found(Kind.ALTERED, f"Entry {seq} is of another place or another log.", seq)
        if prev[1:-1] != self._leaf.hex().encode():
            self._broken(seq, raw)
        self._body(seq, promised, salt, body)
        if action.startswith(b'"key.'):
            self._key_entry(seq, action, body)
        self._leaf = sha256(b"\x00" + raw).digest()

    def _redacted(self) -> dict[int, int]:
        """Return which bodies were erased, and the entry that says so."""
        return dict(self._connection.execute(_REDACTIONS))

    def _broken(self, seq: int, raw: bytes) -> NoReturn:
        """Say whether entry *seq* or the one before it was altered: the entry behind, or the head, still vouches for *seq*."""
        row = self._connection.execute("SELECT entry FROM entries WHERE seq = ?", (seq + 1,)).fetchone()
        mine = leaf_hash(raw)
        if row is None:
            vouched = mine == self._head_leaf
        else:
            match = pattern().fullmatch(row[0])
            vouched = match is not None and match["prev"][1:-1].decode() == mine.hex()
        bad = max(seq - 1, 0) if vouched else seq
        _found(Kind.ALTERED, f"Entry {bad} was altered: the hashes around it do not fit.", bad)

    def _body(self, seq: int, promised: bytes, salt: object, body: object) -> None:
        if body is None or salt is None:
            if promised != b"null" and self._erased.get(seq, -1) <= seq:
                _found(Kind.BODY, f"The details of entry {seq} are gone, and no entry says that they were erased.", seq)
        elif not isinstance(body, bytes) or not isinstance(salt, bytes):
            _found(Kind.BODY, f"The details of entry {seq} were altered.", seq)
        elif promised == b"null":
            _found(Kind.BODY, f"Entry {seq} has details that it does not name.", seq)
        elif promised[1:-1].decode() != sha256(b"\x02" + salt + body).hexdigest():
            _found(Kind.BODY, f"The details of entry {seq} were altered.", seq)

    def _key_entry(self, seq: int, action: bytes, body: bytes | None) -> None:
        """Take the key that entry *seq* introduces; at a change the old key must have signed all that came before."""
        try:
            data = json.loads(body or b"")
            verifier = VerifierKey.parse(data["public_key"])
        except (ValueError, TypeError, LookupError, AttributeError):
            _found(Kind.KEY, f"Entry {seq} introduces a key but holds none.", seq)
        if verifier.name != self._log:
            _found(Kind.KEY, f"Entry {seq} introduces a key of another log.", seq)
        if action == b'"key.rotated"' or self._keys.known:
            note = str(data.get("checkpoint", "")).encode()
            expected = Checkpoint(self._log, seq, self._tree.root())
            if not _is_signed(note, expected, self._keys.current()):
                _found(Kind.KEY, f"Entry {seq} changes the key, but the old key did not sign what came before.", seq)
        self._keys.known.append(verifier)

    def _compare(self, name: str, target: Checkpoint) -> None:
        if target.size == self._tree.size and target.root != self._tree.root():
            why = f"The first {target.size} entries are not the ones that {name} saw: the log was rewritten."
            _found(Kind.REWRITTEN, why, self._agreed_size)
        self._agreed.append(name)
        self._agreed_size = target.size

    def _signature(self) -> None:
        try:
            self._signed = checkpoint.parse(self._newest)
            valid = self._keys.current().verifies(self._newest)
        except (ValueError, TypeError):
            valid = False
        if not valid:
            _found(Kind.SIGNATURE, "The newest checkpoint is not signed by the log's key.")
        if self._signed.origin != self._log:
            _found(Kind.SIGNATURE, "The newest checkpoint is of another log.")

    def _end(self) -> None:
        signed, tree = self._signed, self._tree
        if tree.size < signed.size:
            _found(Kind.TRUNCATED, f"{signed.size} entries were signed, but only {tree.size} are here.", tree.size)
        if tree.size > signed.size:
            _found(Kind.ADDED, f"Only {signed.size} entries were signed, but {tree.size} are here.", signed.size)
        if signed.root != tree.root():
            self._rewritten()
        if (self._size, self._head_leaf, self._frontier) != (tree.size, self._leaf, tree.to_bytes()):
            _found(Kind.INDEX, "The log's head does not fit its entries.")

    def _rewritten(self) -> NoReturn:
        """The chain fits, the signed root does not: find the place with what the head still remembers of the tree."""
        last, tree = self._tree.size - 1, self._before_last
        if len(self._head_leaf) == HASH_SIZE:
            tree.push(self._head_leaf)
            if tree.root() == self._signed.root:
                _found(Kind.ALTERED, f"Entry {last} was altered: it is not the one that was signed.", last)
        try:
            kept = Frontier.from_bytes(self._tree.size, self._frontier)
        except ValueError:
            kept = self._tree
        first = self._tree.first_difference(kept) if kept.root() == self._signed.root else None
        _found(Kind.REWRITTEN, "The entries fit each other, but they are not the ones that were signed.", first)

    def _bodies_without_entry(self) -> None:
        low, high = self._connection.execute("SELECT min(seq), max(seq) FROM bodies").fetchone()
        if low is not None and (low < 0 or high >= self._tree.size):
            _found(Kind.BODY, "There are details without an entry.")

    def _pinned(self) -> None:
        pins = self._pins
        for verifier in self._keys.known:
            if isinstance(pins, list) and verifier not in pins:
                _found(Kind.KEY, f"The log is signed by a key ({verifier.key_id.hex()}) that is not pinned beside it.")
        if isinstance(pins, bytes) and self._keys.current().public != pins:
            _found(Kind.KEY, "The log is signed by another key than the one beside it.")

    def _baseline_signatures(self) -> None:
        for name, note in self._notes.items():
            if any(verifier.verifies(note) for verifier in self._keys.known):
                continue
            if checkpoint.key_ids(note).isdisjoint(verifier.key_id for verifier in self._keys.known):
                _found(Kind.KEY, f"{name} was signed by a key that the log does not name.")
            raise BaselineError(name, "Its signature is broken.")

    def _indexes(self) -> None:
        """SQLite compares every index with the entries; the list of open runs is compared with starts and ends."""
        answer = self._connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if answer != "ok":
            _found(Kind.INDEX, f"The database disagrees with itself: {answer}.")
        for one, other in ((_OPEN, _KEPT), (_KEPT, _OPEN)):
            row = self._connection.execute(f"{one} EXCEPT {other} LIMIT 1").fetchone()
            if row is not None:
                _found(Kind.INDEX, f"The list of open runs does not fit the entries, at entry {row[1]}.", row[1])


def _is_signed(note: bytes, expected: Checkpoint, verifier: VerifierKey) -> bool:
    try:
        return checkpoint.parse(note) == expected and verifier.verifies(note)
    except ValueError:
        return False


def _is_unicode(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _these(names: list[str]) -> str:
    return f"the baseline {names[0]} agrees" if len(names) == 1 else f"{len(names)} baselines agree"


def _is_busy(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_INTERRUPT,
    )
