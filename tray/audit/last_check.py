"""What the last verification came to, and from where the next one may go on: one small file beside the log.

The file can be edited by whoever can edit the log. So it carries an authentication code (HMAC-SHA256) under a key that is derived
from the signing key: who lacks that can neither write "intact" into it nor move the point forward past what they changed. An older
version of the file, put back, is genuine: going on from it costs time but misses nothing, and a breach that it does not know of yet
is found again in the log, where it stands as an entry. Who has the signing key can write anything here, as in the log itself;
only baselines kept elsewhere tell.

A file that is broken, of a newer program, or not authentic is never believed, but for one thing: a breach that it tells of. That
stays until somebody acknowledges it with a reason, which is an entry.
"""

import contextlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from tray.audit import keys
from tray.audit.canonical import canonical, plain
from tray.core import clock, files, paths
from tray.core.dataclass import replace
from tray.core.errors import AuditStandingError, BackupTrayError, NoBreachError
from tray.core.model import AuditStanding
from tray.core.paths import Places

if TYPE_CHECKING:
    from tray.audit.verify.verdict import Point, Verdict

VERSION = 1
_MAX = 1 << 20
_KEEP = 100
_SECONDS = 5.0
_PURPOSE = b"backup-tray audit.standing\n"


def read(places: Places) -> AuditStanding | None:
    """Return what the last verification came to; None if there never was one. Cheap: no database, no cryptography.

    Raises:
        AuditStandingError: What the file says cannot be believed, and it tells of no breach.
        OSError: It cannot be read.
    """
    data = _load(places)
    if data is None:
        return None
    try:
        standing = AuditStanding.from_json(data["standing"])
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise AuditStandingError(places.audit_standing, f"It is damaged: {error}.") from error
    why = _doubt(places, data)
    if why is None or standing.breach:
        return standing
    raise AuditStandingError(places.audit_standing, why)


def point(places: Places) -> "Point | None":
    """Return from where a verification may go on; None if there is no point that is certainly ours, or a finding is open."""
    data = _trusted(places)
    if data is None or data["standing"].get("breach") is not False or data["standing"].get("result") == "tampered":
        return None
    return _point(data)


def witness(places: Places) -> "Point | None":
    """Return where the last verification without a finding ended, for a full one to compare with."""
    data = _trusted(places)
    return None if data is None else _point(data)


def full_ms(places: Places) -> int | None:
    """Return when all of the log was last verified, None if never, or if nobody can tell."""
    data = _trusted(places)
    moment = None if data is None else data.get("full_ms")
    return moment if isinstance(moment, int) else None


def is_settled(places: Places, verdict: "Verdict") -> bool:
    """Whether somebody has acknowledged this very finding already."""
    data = _trusted(places)
    return data is not None and _finding(verdict.to_json()) in _settled(data)


def changed_since(places: Places, verdict: "Verdict") -> str | None:
    """Return what else changed in the log since the finding of *verdict* was acknowledged; None if nothing, or nobody knows."""
    data = _trusted(places)
    if data is None or _finding(verdict.to_json()) not in _settled(data) or not isinstance(data.get("seal"), dict):
        return None
    from tray.audit.verify import seal

    try:
        return seal.change(places, data["seal"])
    except BackupTrayError as error:
        return f"The finding was acknowledged, and since then the log became unreadable: {error.why}"


@contextlib.contextmanager
def resealed(places: Places) -> Iterator[None]:
    """Erase or prune inside, where nothing else changed since a finding was acknowledged: that is no change either."""
    from tray.audit.verify import seal

    before = (_trusted(places) or {}).get("seal")
    sound = False
    if isinstance(before, dict):
        with contextlib.suppress(BackupTrayError):
            sound = seal.change(places, before) is None
    try:
        yield
    finally:
        if sound:
            fresh = seal.make(places)
            with contextlib.suppress(BackupTrayError, OSError), _alone(places):
                data = _trusted(places)
                if data is not None and data.get("seal") == before:
                    _save(places, {**data, "seal": fresh})


def write(places: Places, verdict: "Verdict", *, changed: bool = False) -> AuditStanding:
    """Put down what a verification came to; a breach stays one until it is acknowledged.

    Args:
        changed: The log changed since this finding was acknowledged, so it is a breach again (`changed_since`).

    Raises:
        BackupTrayError, OSError: It cannot be written.
    """
    found = verdict.to_json()
    with _alone(places):
        data = _trusted(places) or {}
        before = _before(places)
        settled = [item for item in _settled(data) if not changed or item != _finding(found)]
        tampered = verdict.result == "tampered" and _finding(found) not in settled
        breach = tampered or verdict.breach is not None or (before is not None and before.breach)
        since = before.since_ms if before is not None and before.breach else None
        fresh = AuditStanding(
            result=verdict.result.value,
            checked_ms=verdict.checked_ms,
            entries=verdict.entries,
            why=verdict.why,
            kind=found["kind"],
            first_bad=verdict.first_bad,
            baselines=len(verdict.baselines),
            full=verdict.full,
            breach=breach,
            since_ms=(since or verdict.checked_ms) if breach else None,
        )
        _save(
            places,
            {
                "standing": fresh.to_json(),
                "log": verdict.log,
                "others": list(verdict.others),
                "settled": settled,
                "seal": data.get("seal"),
                "full_ms": verdict.checked_ms if verdict.full else data.get("full_ms"),
                "point": data.get("point") if verdict.point is None else verdict.point.to_json(),
            },
        )
    return fresh


def write_unchecked(places: Places, why: str) -> None:
    """Put down that the log could not be checked; from where to go on, and a breach, stay.

    Raises:
        BackupTrayError, OSError: It cannot be written.
    """
    with _alone(places):
        before, data = _before(places), _trusted(places) or {}
        entries = 0 if before is None else before.entries
        fresh = AuditStanding("unchecked", clock.now_ms(), entries, why)
        if before is not None and before.breach:
            fresh = replace(fresh, kind=before.kind, first_bad=before.first_bad, breach=True, since_ms=before.since_ms)
        _save(places, {**data, "standing": fresh.to_json()})


def acknowledge(places: Places, reason: str, set_aside: Callable[[], list[str]]) -> None:
    """Put on record, with a *reason*, that somebody has seen a breach; the same finding is no breach again.

    Args:
        set_aside: Called where an older log was put back: lets the copies of checkpoints that saw more count no more, and returns
            what they are called now.

    Raises:
        NoBreachError: There is none.
        BackupTrayError, OSError: It could not be noted; then it is none. It never waits in a spool, where others could put one.
    """
    from tray.audit.entry import Action, Draft, Severity
    from tray.audit.store import AuditLog

    before = _before(places)
    if before is None or not before.breach:
        raise NoBreachError
    data = _trusted(places) or {}
    facts = {name: value for name, value in before.to_json().items() if name in ("kind", "first_bad", "why", "since")}
    body = {"reason": reason, **facts, "logs": data.get("others", [])}
    if put_back := before.kind in ("rolled back", "rewritten"):  # else it would be found anew for ever
        body["set_aside"] = set_aside()
    draft = Draft(Action.AUDIT_ACKNOWLEDGED, severity=Severity.WARNING, body=body)
    with AuditLog.open(places.audit_db, places.audit_key, timeout=_SECONDS, copies=places.baselines) as log:
        log.append([draft])
    from tray.audit.verify import seal

    sealed = seal.make(places)
    with _alone(places):
        data, now = _trusted(places) or {}, _before(places) or before
        finding = _finding({**now.to_json(), "log": data.get("log")})
        settled = _settled(data)
        if now.result == "tampered" and finding not in settled and not body.get("set_aside"):  # else it is gone
            settled = [*settled, finding][-_KEEP:]
        if now.result == "tampered":
            data = {**data, "seal": sealed}
        calm = replace(now, breach=False, since_ms=None)
        # A point that saw more than the log has now, or something else, would accuse it with every entry that is appended.
        point = None if put_back else data.get("point")
        _save(places, {**data, "standing": calm.to_json(), "settled": settled, "point": point})


@contextlib.contextmanager
def carried_over(places: Places) -> Iterator[None]:
    """Change the signing key inside; what is known stays known, since it is authenticated anew with the new key."""
    data = _trusted(places)
    yield
    if data is not None:
        with contextlib.suppress(BackupTrayError, OSError), _alone(places):
            if _trusted(places) is None:
                _save(places, {name: value for name, value in data.items() if name != "code"})


def _finding(data: Mapping[str, Any]) -> list[Any]:
    """What makes two findings the same."""
    return [data.get("log"), data.get("kind"), data.get("first_bad")]


def _settled(data: Mapping[str, Any]) -> list[list[Any]]:
    return [item for item in data.get("settled") or [] if isinstance(item, list)]


def _point(data: Mapping[str, Any]) -> "Point | None":
    from tray.audit.verify.verdict import Point

    try:
        return Point.from_json(data["point"]) if data.get("point") is not None else None
    except (ValueError, TypeError, LookupError, AttributeError):
        return None


def _before(places: Places) -> AuditStanding | None:
    """Return the standing as it was, as far as anything of it can be believed."""
    try:
        return read(places)
    except (BackupTrayError, OSError):
        return None


# -- the file


def _load(places: Places) -> dict[str, Any] | None:
    try:
        with files.opened(places.audit_standing) as file:
            raw = file.read(_MAX + 1)
    except FileNotFoundError:
        return None
    try:
        data = json.loads(raw)
        version = data["version"]
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise AuditStandingError(places.audit_standing, f"It is damaged: {error}.") from error
    if version != VERSION:
        raise AuditStandingError(places.audit_standing, f"It has version {version}, and this program knows {VERSION}.")
    return dict(data)


def _trusted(places: Places) -> dict[str, Any] | None:
    """Return the file's content if it is certainly ours."""
    try:
        data = _load(places)
    except (BackupTrayError, OSError):
        return None
    if data is None or _doubt(places, data) is not None or not isinstance(data.get("standing"), dict):
        return None
    return data


def _doubt(places: Places, data: Mapping[str, Any]) -> str | None:
    """Return why *data* cannot be believed, None if it can."""
    try:
        code = _code(places, data)
    except (BackupTrayError, OSError) as error:
        return f"It cannot be authenticated: {getattr(error, 'why', '') or error}"
    except (ValueError, RecursionError) as error:
        return f"It is damaged: {error}."
    if not hmac.compare_digest(code.encode(), str(data.get("code")).encode()):
        return "It was not written with the present signing key: somebody edited it, or the key was changed since."
    return None


def _code(places: Places, data: Mapping[str, Any]) -> str:
    secret = sha256(_PURPOSE + keys.load(places.audit_key)).digest()
    return hmac.new(secret, canonical({name: data[name] for name in data if name != "code"}), sha256).hexdigest()


def _save(places: Places, data: Mapping[str, Any]) -> None:
    fresh = plain({**data, "version": VERSION})
    with contextlib.suppress(BackupTrayError, OSError):  # without the key nobody will believe it, but for a breach
        fresh["code"] = _code(places, fresh)
    keys.write_new(paths.private(places.state) / places.audit_standing.name, canonical(fresh) + b"\n")


def _alone(places: Places) -> contextlib.AbstractContextManager[None]:
    from tray.audit.database import creation_lock

    return creation_lock(paths.private(places.state), _SECONDS)
