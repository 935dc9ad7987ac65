"""A new signing key in the place of the old one, introduced by it.

The entry `key.rotated` holds the new verifier key, the checkpoint over all that came before, and an *introduction*: a signed
note (https://c2sp.org/signed-note) in which the old key names the new one. Its text has four lines: the log's name,
`key.rotated`, the number of that entry, and the new verifier key; no checkpoint reads like that. So nobody without the old key
can bring in another one.

A key that was lost cannot introduce its successor. Then the next record does it without an introduction, loudly (`append`), and
what the old key signed stays verifiable.

The steps can be cut off anywhere: the new seed is written to `audit.key.new`, the entry is committed, signed by the new key, and
the file takes its place as `audit.key`. Whoever appends next finishes the last step (`keys.signer`).
"""

import contextlib
import os
from pathlib import Path

from tray.audit import database, keys
from tray.audit.checkpoint import Checkpoint, Signer, VerifierKey, split
from tray.audit.entry import Action, Draft, Severity
from tray.core import paths
from tray.core.dataclass import dataclass
from tray.core.errors import AuditUnavailableError
from tray.core.paths import Places

ROTATED = "rotated"
"""The result of an entry whose key was introduced by the old one; without that it is "replaced"."""

_LOST = "Restore the old key from a copy. Otherwise the next record brings in {}, and says so."


@dataclass(frozen=True, slots=True)
class Rotation:
    """A change of the key: at which entry, from which and to which."""

    entry: int
    old: VerifierKey
    new: VerifierKey


def rotate(places: Places, *, timeout: float = 5.0) -> Rotation:
    """Make a new signing key, let the old one introduce it, and let it sign from now on. The old secret is gone afterwards.

    Raises:
        AuditUnavailableError: There is no log, it cannot be written, or the old key is lost; nothing was changed.
    """
    from tray.audit import last_check
    from tray.audit.store import AuditLog

    db, key = places.audit_db, places.audit_key
    if not db.exists():
        raise database.missing(db)
    if not key.exists() and not keys.fresh_file(key).exists():
        raise AuditUnavailableError(
            f"{key} is gone, so there is no old key that could introduce a new one.", _LOST.format("a new one")
        )
    with (
        last_check.carried_over(places),
        AuditLog.open(db, key, timeout=timeout, copies=places.baselines) as log,
        database.guard(db, timeout),
        database.creation_lock(db.parent, timeout),
    ):
        if (old := _signed_last(key, log.head()[2])) is None:
            raise AuditUnavailableError(
                f"The key in {key} is not the one that signed last.", _LOST.format("the present one")
            )
        fresh = Signer(keys.prepare_fresh(key))
        entry = log.change_key(fresh)
        with contextlib.suppress(FileNotFoundError):  # an append that came in between has done it
            os.replace(keys.fresh_file(key), key)
        paths.sync_folder(key.parent)
    return Rotation(entry, old, VerifierKey(old.name, fresh.public))


def _signed_last(key: Path, note: bytes) -> VerifierKey | None:
    """Return the key that signed *note*, None if we have not got it; a change that somebody was killed in is finished."""
    fresh = keys.fresh_file(key)
    with contextlib.suppress(FileNotFoundError):
        if keys.known(key, note) is None and keys.known(fresh, note) is not None:
            os.replace(fresh, key)
    return keys.known(key, note)


def draft(signer: Signer, at: Checkpoint, new: VerifierKey) -> Draft:
    """Return the entry number `at.size`, in which the key of *signer* introduces the key *new*.

    Args:
        at: The log before that entry.
    """
    body = {
        "public_key": str(new),
        "checkpoint": signer.sign(at).decode(),
        "introduction": signer.note(at.origin, text(at.origin, at.size, new)).decode(),
    }
    return Draft(Action.KEY_ROTATED, result=ROTATED, severity=Severity.WARNING, body=body)


def text(log: str, entry: int, new: VerifierKey) -> bytes:
    """Return what the old key signs to introduce *new* with entry number *entry*."""
    return f"{log}\n{Action.KEY_ROTATED.value}\n{entry}\n{new}\n".encode()


def is_introduced(introduction: bytes, entry: int, old: VerifierKey, new: VerifierKey) -> bool:
    """Whether *old* signed that *new* takes over with entry number *entry*."""
    try:
        said, _ = split(introduction)
    except ValueError:
        return False
    return said == text(old.name, entry, new) and new.name == old.name and old.verifies(introduction)
