"""Keep the result of the last verification, and the point from where the next one may go on, in a small file beside the log.

A person who can edit the log can edit this file too. So it carries an authentication code (HMAC-SHA256) under a key that is derived
from the signing key: without that key a person can neither write "intact" into it nor move the point forward past a change. An
older version of the file, put back, is genuine: going on from it costs time but misses nothing, and the verification finds a
later breach again in the log, where it is an entry. The owner of the signing key can write anything here, as in the log itself;
only baselines kept elsewhere tell.

A file that is broken, of a newer program, or not authentic is never believed, with one exception: a breach that it reports. The
breach stays until the user acknowledges it with a reason, which is an entry (`verify.seal`).
"""

import contextlib
import hmac
import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

from tray.audit import database, keys
from tray.audit.canonical import canonical, plain
from tray.audit.verify.verdict import Point, Verdict
from tray.core import clock, files, paths
from tray.core.dataclass import replace
from tray.core.errors import AuditStandingError, BackupTrayError
from tray.core.model import AuditStanding
from tray.core.paths import Places

VERSION = 1
_MAX = 1 << 20
_SECONDS = 5.0
_PURPOSE = b"backup-tray audit.standing\n"


def read(places: Places) -> AuditStanding | None:
    """Return the result of the last verification; None if there never was one. Cheap: no database, no signature.

    Raises:
        AuditStandingError: The file cannot be believed, and it reports no breach.
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


def point(places: Places) -> Point | None:
    """Return the point from where a verification may go on; None if none is certainly ours, or a finding is open."""
    data = trusted(places)
    if data is None or data["standing"].get("breach") is not False or data["standing"].get("result") == "tampered":
        return None
    return _point(data)


def witness(places: Places) -> Point | None:
    """Return the point where the last verification without a finding ended; a full one compares with it."""
    data = trusted(places)
    return None if data is None else _point(data)


def full_ms(places: Places) -> int | None:
    """Return when all of the log was last verified, None if never, or if the file cannot be believed."""
    data = trusted(places)
    moment = None if data is None else data.get("full_ms")
    return moment if isinstance(moment, int) else None


def is_settled(places: Places, verdict: Verdict) -> bool:
    """Whether the user has acknowledged this very finding already."""
    data = trusted(places)
    return data is not None and finding(verdict.to_json()) in settled_in(data)


def write(places: Places, verdict: Verdict, *, changed: bool = False) -> AuditStanding:
    """Keep the result of a verification; a breach stays one until the user acknowledges it.

    Args:
        changed: The log changed since this finding was acknowledged, so it is a breach again (`verify.seal.changed_since`).

    Raises:
        BackupTrayError, OSError: It cannot be written.
    """
    facts = verdict.to_json()
    with alone(places):
        data = trusted(places) or {}
        before = believed(places)
        settled = [item for item in settled_in(data) if not changed or item != finding(facts)]
        tampered = verdict.result == "tampered" and finding(facts) not in settled
        breach = tampered or verdict.breach is not None or (before is not None and before.breach)
        since = before.since_ms if before is not None and before.breach else None
        fresh = AuditStanding(
            result=verdict.result.value,
            checked_ms=verdict.checked_ms,
            entries=verdict.entries,
            why=verdict.why,
            kind=facts["kind"],
            first_bad=verdict.first_bad,
            baselines=len(verdict.baselines),
            full=verdict.full,
            breach=breach,
            since_ms=(since or verdict.checked_ms) if breach else None,
        )
        save(
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
    """Keep that the log could not be checked; the point to go on from, and a breach, stay.

    Raises:
        BackupTrayError, OSError: It cannot be written.
    """
    with alone(places):
        before, data = believed(places), trusted(places) or {}
        entries = 0 if before is None else before.entries
        fresh = AuditStanding("unchecked", clock.now_ms(), entries, why)
        if before is not None and before.breach:
            fresh = replace(fresh, kind=before.kind, first_bad=before.first_bad, breach=True, since_ms=before.since_ms)
        save(places, {**data, "standing": fresh.to_json()})


@contextlib.contextmanager
def carried_over(places: Places) -> Iterator[None]:
    """Change the signing key inside; the file stays valid, since it is authenticated anew with the new key."""
    data = trusted(places)
    yield
    if data is not None:
        with contextlib.suppress(BackupTrayError, OSError), alone(places):
            if trusted(places) is None:
                save(places, {name: value for name, value in data.items() if name != "code"})


def finding(data: Mapping[str, Any]) -> list[Any]:
    """Return the facts by which two findings are the same."""
    return [data.get("log"), data.get("kind"), data.get("first_bad")]


def settled_in(data: Mapping[str, Any]) -> list[list[Any]]:
    """Return the findings that the user acknowledged."""
    return [item for item in data.get("settled") or [] if isinstance(item, list)]


def _point(data: Mapping[str, Any]) -> Point | None:
    try:
        return Point.from_json(data["point"]) if data.get("point") is not None else None
    except (ValueError, TypeError, LookupError, AttributeError):
        return None


def believed(places: Places) -> AuditStanding | None:
    """Return the present standing, as far as it can be believed."""
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


def trusted(places: Places) -> dict[str, Any] | None:
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
        return "It was not written with the present signing key: it was edited, or the key was changed since."
    return None


def _code(places: Places, data: Mapping[str, Any]) -> str:
    secret = sha256(_PURPOSE + keys.load(places.audit_key)).digest()
    return hmac.new(secret, canonical({name: data[name] for name in data if name != "code"}), sha256).hexdigest()


def save(places: Places, data: Mapping[str, Any]) -> None:
    """Write the file anew, authenticated; the caller holds `alone`."""
    fresh = plain({**data, "version": VERSION})
    with contextlib.suppress(BackupTrayError, OSError):  # without the key only a breach in it is believed
        fresh["code"] = _code(places, fresh)
    keys.write_new(paths.private(places.state) / places.audit_standing.name, canonical(fresh) + b"\n")


def alone(places: Places) -> contextlib.AbstractContextManager[None]:
    """Let only one process at a time change the file."""
    return database.creation_lock(paths.private(places.state), _SECONDS)
