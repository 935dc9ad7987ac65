"""Replace the signing key by a new one, which the old one introduces (`checkpoint.introduction`).

A key that was lost cannot introduce its successor. Then the next append brings in the new key without an introduction and records
that as critical; everything that the old key signed stays verifiable.

The process may be killed at any step: it writes the new seed to `audit.key.new`, commits the entry, which the new key signs, and
renames the file to `audit.key`. The next append finishes the last step (`keys.signer`).
"""

import contextlib
import os
from pathlib import Path

from tray.audit import database, keys, last_check
from tray.audit.checkpoint import Signer, VerifierKey
from tray.audit.store import AuditLog
from tray.core import paths
from tray.core.dataclass import dataclass
from tray.core.errors import AuditUnavailableError
from tray.core.paths import Places

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
        fresh = Signer(keys.create(keys.fresh_file(key)))
        entry = log.change_key(fresh)
        with contextlib.suppress(FileNotFoundError):  # another process appended meanwhile and has done it
            os.replace(keys.fresh_file(key), key)
        paths.sync_folder(key.parent)
    return Rotation(entry, old, VerifierKey(old.name, fresh.public))


def _signed_last(key: Path, note: bytes) -> VerifierKey | None:
    """Return the key that signed *note*, None if it is not here; finish a change of the key that was broken off."""
    fresh = keys.fresh_file(key)
    with contextlib.suppress(FileNotFoundError):
        if keys.known(key, note) is None and keys.known(fresh, note) is not None:
            os.replace(fresh, key)
    return keys.known(key, note)
