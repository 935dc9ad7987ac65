"""Acknowledge a finding, and seal the log as it is at that moment, so that the old finding hides no new one.

A verification ends at the first wrong entry, and finds the same again each time. So an acknowledgement keeps a digest over every
row of the log, damaged as it is, and the point from which sound entries follow. `change` compares with both: no old row may have
changed, and the new entries must fit. Erasing and pruning change rows lawfully: `resealed`.

Tiles, indexes and open runs are made from the entries and are not part of a seal. A database that cannot be read through has no
seal.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any

from tray.audit import checkpoint, database, keys, last_check
from tray.audit.entry import Action, Draft, Severity
from tray.audit.merkle import Frontier
from tray.audit.store import AuditLog
from tray.audit.verify.diagnose import Finding
from tray.audit.verify.stream import Pass, Start
from tray.audit.verify.tables import Head
from tray.audit.verify.verdict import Verdict
from tray.core.dataclass import replace
from tray.core.errors import BackupTrayError, NoBreachError
from tray.core.paths import Places

_ROWS = (
    "SELECT name, sql FROM sqlite_schema ORDER BY name, sql",
    "SELECT seq, entry FROM entries NOT INDEXED WHERE seq < ? ORDER BY seq",
    "SELECT seq, salt, body FROM bodies NOT INDEXED WHERE seq < ? ORDER BY seq",
)
_CHANGED = "The finding was acknowledged with {} entries in the log, and since then {}"
_KEEP = 100
_SECONDS = 5.0


def acknowledge(places: Places, reason: str, set_aside: Callable[[], list[str]]) -> None:
    """Put on record, with a *reason*, that the user has seen a breach; the same finding is no breach again.

    Args:
        set_aside: Called after a rollback: sets aside the copies of checkpoints that cover more than the log, and returns their new
            names.

    Raises:
        NoBreachError: There is none.
        BackupTrayError, OSError: It could not be recorded. It never waits in a spool, where others could put one.
    """
    before = last_check.believed(places)
    if before is None or not before.breach:
        raise NoBreachError
    data = last_check.trusted(places) or {}
    facts = {name: value for name, value in before.to_json().items() if name in ("kind", "first_bad", "why", "since")}
    body = {"reason": reason, **facts, "logs": data.get("others", [])}
    if put_back := before.kind in ("rolled back", "rewritten"):  # a verification would find it for ever
        body["set_aside"] = set_aside()
    draft = Draft(Action.AUDIT_ACKNOWLEDGED, severity=Severity.WARNING, body=body)
    with AuditLog.open(places.audit_db, places.audit_key, timeout=_SECONDS, copies=places.baselines) as log:
        log.append([draft])
    sealed = make(places)
    with last_check.alone(places):
        data, now = last_check.trusted(places) or {}, last_check.believed(places) or before
        finding = last_check.finding({**now.to_json(), "log": data.get("log")})
        settled = last_check.settled_in(data)
        if now.result == "tampered" and finding not in settled and not body.get("set_aside"):
            settled = [*settled, finding][-_KEEP:]
        if now.result == "tampered":
            data = {**data, "seal": sealed}
        calm = replace(now, breach=False, since_ms=None)
        # A point that covers more than the log has now, or other entries, would accuse it with every entry that is appended.
        point = None if put_back else data.get("point")
        last_check.save(places, {**data, "standing": calm.to_json(), "settled": settled, "point": point})


def changed_since(places: Places, verdict: Verdict) -> str | None:
    """Return which change the log got since the finding of *verdict* was acknowledged; None if none is known."""
    data = last_check.trusted(places)
    if (
        data is None
        or last_check.finding(verdict.to_json()) not in last_check.settled_in(data)
        or not isinstance(data.get("seal"), dict)
    ):
        return None
    try:
        return change(places, data["seal"])
    except BackupTrayError as error:
        return f"The finding was acknowledged, and since then the log became unreadable: {error.why}"


@contextlib.contextmanager
def resealed(places: Places) -> Iterator[None]:
    """Erase or prune inside: if nothing else changed since a finding was acknowledged, seal the log anew afterwards."""
    before = (last_check.trusted(places) or {}).get("seal")
    sound = False
    if isinstance(before, dict):
        with contextlib.suppress(BackupTrayError):
            sound = change(places, before) is None
    try:
        yield
    finally:
        if sound:
            fresh = make(places)
            with contextlib.suppress(BackupTrayError, OSError), last_check.alone(places):
                data = last_check.trusted(places)
                if data is not None and data.get("seal") == before:
                    last_check.save(places, {**data, "seal": fresh})


def make(places: Places) -> dict[str, Any] | None:
    """Return the seal of the log as it is now, as JSON; None if it cannot be read through."""
    try:
        with _reading(places) as connection:
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
    except (BackupTrayError, Finding, ValueError):
        return None


def change(places: Places, seal: Mapping[str, Any]) -> str | None:
    """Return one sentence about a change of the log since *seal* was made; None if it only grew.

    Raises:
        AuditUnavailableError: The log cannot be read now.
    """
    size = int(seal["size"])
    with _reading(places) as connection:
        if _digest(connection, size) != seal["digest"]:
            return _CHANGED.format(size, "an old row was changed.")
        try:
            _follow(connection, seal, size)
        except (Finding, ValueError, LookupError, TypeError) as error:
            return _CHANGED.format(size, f"new entries do not fit: {getattr(error, 'why', error)}")
    return None


def _follow(connection: sqlite3.Connection, seal: Mapping[str, Any], size: int) -> None:
    """Check the entries that came after the seal.

    Raises:
        Finding: Something is wrong with one.
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
    with database.reading(places.audit_db, _SECONDS) as connection:
        connection.text_factory = lambda raw: raw.decode("utf-8", "backslashreplace")
        yield connection
