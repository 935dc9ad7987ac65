"""Verify the log: every entry, the chain, the tree, the signature, the bodies, the indexes, and baselines.

The check reads one consistent state as a stream, in constant memory, while other processes go on appending. By itself the log can
at best be "intact in itself": a person who replaces log and key together leaves no trace inside. So the result is *intact* only
if a checkpoint that was kept elsewhere agrees.

`verify` checks all of it, or goes on from an authenticated point of an earlier check (`tray.audit.last_check`).
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from tray.audit import checkpoint, database, keys
from tray.audit.checkpoint import Checkpoint, Signer, VerifierKey
from tray.audit.merkle import Frontier
from tray.audit.verify.diagnose import Finding, fail
from tray.audit.verify.stream import Pass, Progress, Start
from tray.audit.verify.tables import Head, Indexes, begin, check_open_runs, check_rest, check_schema, continues
from tray.audit.verify.verdict import Kind, Point, Result, Verdict
from tray.core import clock
from tray.core.dataclass import dataclass, replace
from tray.core.errors import AuditUnavailableError, BaselineError


@dataclass(frozen=True, slots=True)
class _Baseline:
    """A checkpoint that was kept elsewhere.

    Attributes:
        given: The user named it for this check: if it is broken, that is an error and no verdict.
        counts: It may make the log intact; a witness beside the log may only accuse.
    """

    name: str
    note: bytes
    target: Checkpoint
    given: bool
    counts: bool = True


def verify(
    db: Path,
    key: Path,
    *,
    since: Point | None = None,
    baselines: Mapping[str, bytes] | None = None,
    kept: Mapping[str, bytes] | None = None,
    witness: Point | None = None,
    pinned: Sequence[VerifierKey] = (),
    progress: Progress | None = None,
    timeout: float = 5.0,
) -> Verdict:
    """Check the log *db*, and change nothing.

    Args:
        key: The signing key's file. It is not needed; beside it stand the pinned public keys.
        since: Point (from `last_check.point`, which makes sure that it is ours) from where to check: earlier entries are not read
            again, and a change there is not found. If the log does not go on from it, all of it is checked; `Verdict.full` says
            which.
        baselines: Signed checkpoints that were kept elsewhere, by name, for this check.
        kept: The same, but found where they are always kept: a broken one is only noted.
        witness: Point where an earlier check ended. It lies beside the log, so it may accuse, but never makes the log intact.
        pinned: Public keys that are kept apart from the log.
        progress: Called every few thousand entries with the number of checked entries and that of all.

    Raises:
        AuditUnavailableError: It could not be checked.
        BaselineError: One of *baselines* is no checkpoint, or its signature is broken.
    """
    began, targets = clock.monotonic(), _all(baselines, kept, witness or since)
    with database.reading(db, timeout) as connection:
        connection.execute("PRAGMA user_version").fetchone()  # from here on the state stays the same
        pins = _pins(key)  # only now: a new key is pinned before the log names it
        connection.text_factory = _text  # text where bytes belong is a finding, not an error
        check = partial(_Check, connection, db, timeout, pins, pinned, targets, progress)
        verdict = (check().since(since) if since is not None else None) or check().all()
    return replace(verdict, duration_ms=int((clock.monotonic() - began) * 1000))


def _all(
    baselines: Mapping[str, bytes] | None, kept: Mapping[str, bytes] | None, witness: Point | None
) -> list[_Baseline]:
    given = [_Baseline(name, note, _parsed(name, note), given=True) for name, note in (baselines or {}).items()]
    for name, note in (kept or {}).items():
        if name not in (baselines or {}):
            try:
                given.append(_Baseline(name, note, checkpoint.parse(note), given=False))
            except ValueError:
                given.append(_Baseline(name, note, Checkpoint("", 0, b""), given=False))
    if witness is not None:
        name = "the last check of this log"
        given.append(_Baseline(name, witness.checkpoint, checkpoint.parse(witness.checkpoint), False, counts=False))
    return sorted(given, key=lambda baseline: baseline.target.size)


def _parsed(name: str, note: bytes) -> Checkpoint:
    try:
        return checkpoint.parse(note)
    except ValueError as error:
        raise BaselineError(name, f"It is no signed checkpoint: {error}.") from error


def _pins(key: Path) -> list[VerifierKey] | bytes | None:
    """Return the pinned keys; without any, the public half of the key file; without that, None."""
    pins = keys.pins(key)
    if pins:
        return pins
    try:
        return Signer(keys.load(key)).public
    except (OSError, AuditUnavailableError):
        return None


class _Stale(Exception):  # noqa: N818 - not an error: the log cannot be checked from the point on
    """All of the log must be checked."""


class _Check:
    """One verification."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        db: Path,
        timeout: float,
        pins: list[VerifierKey] | bytes | None,
        pinned: Sequence[VerifierKey],
        baselines: list[_Baseline],
        progress: Progress | None,
    ) -> None:
        self._connection, self._db, self._timeout = connection, db, timeout
        self._pins, self._pinned, self._baselines, self._progress = pins, pinned, baselines, progress
        self._head: Head | None = None
        self._pass: Pass | None = None
        self._agreed: list[_Baseline] = []
        self._notes: list[str] = []
        self._others: list[str] = []

    def all(self) -> Verdict:
        """Check everything."""
        with Indexes(self._db, self._timeout) as indexes:
            return self._judged(lambda: self._all(indexes), full=True)

    def since(self, point: Point) -> Verdict | None:
        """Check the entries after *point*; None if that is not possible, or if there is a finding: then check all of the log."""
        try:
            verdict = self._judged(lambda: self._since(point), full=False)
        except (_Stale, ValueError, LookupError, TypeError, BaselineError):
            return None
        return None if verdict.result is Result.TAMPERED else verdict

    def _judged(self, check: Callable[[], None], *, full: bool) -> Verdict:
        try:
            check()
        except Finding as finding:
            return self._verdict(
                Result.TAMPERED, finding.why, full=full, first_bad=finding.first_bad, kind=finding.kind
            )
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and _is_busy(error):
                raise
            size = self._pass.tree.size if self._pass is not None else 0
            why = f"The database is damaged, and entry {size} cannot be read: {error}."
            return self._verdict(Result.TAMPERED, why, full=full, first_bad=size, kind=Kind.DAMAGED)
        covered = max((baseline.target.size for baseline in self._agreed if baseline.counts), default=None)
        lost = self._pass.said.replaced[-1:] if self._pass is not None else []
        if covered is not None and lost and covered <= lost[0]:
            why = (
                f"The first {covered} entries are as they were, but at entry {lost[0]} a new key took over without the old "
                "one's consent, and no outside baseline covers that yet: another person could have brought it in."
            )
            return self._verdict(Result.INCONCLUSIVE, why, full=full)
        if covered is not None:
            return self._verdict(Result.INTACT, self._good(full), full=full)
        why = (
            "The log is intact in itself, but there is no outside baseline to compare with: a replacement of log and key together "
            "would stay unnoticed."
        )
        return self._verdict(Result.INCONCLUSIVE, why, full=full)

    def _good(self, full: bool) -> str:
        names = [baseline.name for baseline in self._agreed if baseline.counts]
        agreement = f"the baseline {names[0]} agrees" if len(names) == 1 else f"{len(names)} baselines agree"
        if full or self._pass is None:
            return f"Every entry is as it was signed, and {agreement}."
        count = self._pass.tree.size - self._pass.first
        new = "Nothing came" if not count else "1 entry came" if count == 1 else f"{count} entries came"
        return f"{new} after the last check, the log continues the checked entries, and {agreement}."

    def _verdict(
        self, result: Result, why: str, *, full: bool, first_bad: int | None = None, kind: Kind | None = None
    ) -> Verdict:
        stream, head = self._pass, self._head
        tree = Frontier() if stream is None else stream.tree
        bad = result is Result.TAMPERED
        return Verdict(
            result,
            tree.size,
            clock.now_ms(),
            why,
            first_bad,
            kind,
            log=None if head is None else head.log or None,
            root=tree.root().hex(),
            baselines=tuple(baseline.name for baseline in self._agreed if baseline.counts),
            notes=tuple(self._remarks()),
            full=full,
            breach=None if stream is None else stream.said.breach,
            others=tuple(self._others),
            point=None if bad or stream is None or head is None else stream.point(head.checkpoint),
        )

    def _remarks(self) -> list[str]:
        if self._pins is None:
            return [
                "No public key is pinned beside the log, so a log replaced together with its key would not be noticed."
            ]
        notes, stream = list(self._notes), self._pass
        covered = max((baseline.target.size for baseline in self._agreed if baseline.counts), default=None)
        if stream is not None and covered is not None and covered < stream.tree.size:
            notes.append(f"The newest baseline covers the first {covered} entries; the log's own signature the rest.")
        if stream is not None and stream.first and not stream.resumed:
            notes.append(f"The entries before {stream.first} were pruned; the rest continues them.")
        replaced = [] if stream is None else stream.said.replaced
        notes += [f"A new key took over at entry {seq} without the old one's consent: it was lost." for seq in replaced]
        log = None if self._head is None else self._head.log
        if log is None:  # not even its name could be read: the pinned keys may well be its own
            return notes
        earlier = {pin.name for pin in self._pins if pin.name != log} if isinstance(self._pins, list) else set()
        return notes + [f"An earlier log, {name}, stood here and is gone." for name in sorted(earlier)]

    # -- all entries, or the new ones

    def _all(self, indexes: Indexes) -> None:
        head = self._open()
        indexes.start()
        start = begin(self._connection, head)
        segments = [size for (size,) in self._connection.execute("SELECT size FROM segments")]
        stream = self._stream(head, start, segments)
        self._beside(head, stream)
        check_rest(self._connection, stream, start)
        check_open_runs(self._connection)
        indexes.result()

    def _since(self, point: Point) -> None:
        head = self._open()
        (base,) = self._connection.execute("SELECT start FROM base").fetchone()
        if point.log != head.log or not base <= point.size <= head.size:
            raise _Stale
        start = Start.at(point)
        stream = self._stream(head, start, (), resumed=True)
        self._beside(head, stream)

    def _open(self) -> Head:
        check_schema(self._connection)
        self._head = head = Head.read(self._connection)
        for baseline in self._baselines:
            if baseline.given and baseline.target.origin != head.log:
                _replaced(baseline, head.log)
        return head

    def _stream(self, head: Head, start: Start, sizes: Iterable[int], *, resumed: bool = False) -> Pass:
        marks = {baseline.target.size for baseline in self._baselines if baseline.target.origin == head.log} | set(
            sizes
        )
        self._pass = stream = Pass(
            self._connection, start, head.size, head.leaf, marks, self._progress, resumed=resumed
        )
        stream.run()
        return stream

    def _beside(self, head: Head, stream: Pass) -> None:
        """Compare with the log's own signature, with the keys that were pinned, and with the baselines."""
        head.check(stream)
        strange = [
            baseline
            for baseline in self._baselines
            if baseline.target.origin not in (head.log, "", *stream.said.settled)
        ]
        if strange:
            self._others = sorted({baseline.target.origin for baseline in strange})
            _replaced(strange[-1], head.log)
        self._check_pins(stream.keys)
        for baseline in self._baselines:
            if baseline.target.origin == head.log:
                self._compare(baseline, stream)
            elif not baseline.target.origin:
                self._notes.append(f"{baseline.name} is damaged, and was left out.")

    def _check_pins(self, known: list[VerifierKey]) -> None:
        for verifier in known:
            if isinstance(self._pins, list) and verifier not in self._pins:
                why = f"The log is signed by a key ({verifier.key_id.hex()}) that is not pinned beside it."
                fail(Kind.UNKNOWN_KEY, why)
        if isinstance(self._pins, bytes) and known[-1].public != self._pins:
            fail(Kind.UNKNOWN_KEY, "The log is signed by another key than the one beside it.")
        pinned = [verifier for verifier in self._pinned if verifier.name == known[0].name]
        if pinned and known[0] not in pinned:
            fail(Kind.UNKNOWN_KEY, "The log's first key is not the one that was pinned apart from it.")

    def _compare(self, baseline: _Baseline, stream: Pass) -> None:
        if not self._is_signed(baseline, stream.keys):
            return
        size, agreed = baseline.target.size, self._agreed[-1].target.size if self._agreed else 0
        if size > stream.tree.size:
            why = (
                f"{baseline.name} saw {size} entries, but only {stream.tree.size} are here, signed and consistent: the log is "
                "an older state of itself, put back, or cut by an owner of the key."
            )
            fail(Kind.ROLLED_BACK, why, stream.tree.size)
        if size < stream.first:
            if not continues(self._connection, baseline.target, stream.first, stream.first_root):
                if stream.resumed:
                    raise _Stale
                self._notes.append(
                    f"{baseline.name} saw {size} entries, which were pruned since: too old to compare with."
                )
                return
        elif stream.roots.get(size) != baseline.target.root:
            why = f"The first {size} entries are not the ones that {baseline.name} saw: the log was rewritten."
            fail(Kind.REWRITTEN, why, agreed)
        self._agreed.append(baseline)

    def _is_signed(self, baseline: _Baseline, known: list[VerifierKey]) -> bool:
        if any(verifier.verifies(baseline.note) for verifier in known):
            return True
        if checkpoint.key_ids(baseline.note).isdisjoint(verifier.key_id for verifier in known):
            fail(Kind.UNKNOWN_KEY, f"{baseline.name} was signed by a key that the log does not name.")
        if baseline.given:
            raise BaselineError(baseline.name, "Its signature is broken.")
        self._notes.append(f"{baseline.name} is damaged: its signature is broken. It was left out.")
        return False


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _replaced(baseline: _Baseline, log: str) -> None:
    why = f"{baseline.name} is of the log {baseline.target.origin}, but here is {log}: another log, or another log's baseline."
    fail(Kind.REPLACED, why)


def _is_busy(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_INTERRUPT,
    )
