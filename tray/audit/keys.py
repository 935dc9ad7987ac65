"""Keep the signing key and the pinned public keys: small private files beside the log.

`audit.key` holds the Ed25519 seed; it is a file because writers run headless, where no keyring opens. `audit.pub` lists one
verifier key a line, for each key of each log that was ever made here, so that a log that was replaced together with its key
is noticed.
"""

import base64
import contextlib
import os
import stat
import sys
from pathlib import Path

from tray.audit import checkpoint
from tray.audit.checkpoint import Signer, VerifierKey
from tray.audit.ed25519 import SEED_SIZE
from tray.core import files
from tray.core.errors import AuditUnavailableError
from tray.core.files import content, opened
from tray.core.locks import FileLock
from tray.core.paths import sync_folder

LOCK = "audit.lock"
"""A process that makes a log or a key holds this lock."""

_HEADER = "backup-tray-ed25519-seed"


def pin_file(key: Path) -> Path:
    """Return where the public halves of *key* are pinned."""
    return key.with_suffix(".pub")


def load(key: Path) -> bytes:
    """Return the seed in the file *key*.

    Raises:
        FileNotFoundError: There is no such file.
        AuditUnavailableError: It cannot be read, others could, or it holds no key.
    """
    try:
        with opened(key) as file:
            mode = os.fstat(file.fileno()).st_mode
            word, _, encoded = file.read(4096).decode("ascii", "replace").strip().partition(" ")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise AuditUnavailableError(
            f"The signing key {key} cannot be read: {error.strerror}.", f"Make it yours again: `chmod 600 {key}`."
        ) from error
    if sys.platform != "win32" and stat.S_IMODE(mode) & 0o077:
        raise AuditUnavailableError(f"Others may use the signing key {key}.", f"Make it private: `chmod 600 {key}`.")
    try:
        seed = base64.b64decode(encoded, validate=True)
    except ValueError:
        seed = b""
    if word != _HEADER or len(seed) != SEED_SIZE:
        raise AuditUnavailableError(
            f"{key} holds no signing key.",
            f"Restore it from a copy, or move it away (`mv {key} {key}.bad`): a new one is made.",
        )
    return seed


def signer(key: Path, log: str, newest: bytes) -> Signer:
    """Return the signer of the next checkpoint of *log*, whose newest one is *newest*; the caller holds the log's write lock.

    A change of the key whose last step is missing is finished first: the checkpoint is signed by the key in `audit.key.new`.

    Raises:
        OSError, AuditUnavailableError: As `load`.
    """
    ids, fresh, before = checkpoint.key_ids(newest), fresh_file(key), b""
    while True:
        seed = load(key)
        present = Signer(seed)
        if VerifierKey(log, present.public).key_id in ids or seed == before:
            return present
        before = seed  # read twice and unchanged: no process is changing the key, it is another one
        try:
            coming = Signer(load(fresh))
        except FileNotFoundError:
            continue  # there is no change, or its last step was done just now
        if VerifierKey(log, coming.public).key_id in ids:
            _finish(fresh, key, coming)
            return coming


def _finish(fresh: Path, key: Path, coming: Signer) -> None:
    """Let *fresh*, which holds *coming*, take the place of *key*, unless another process is still changing the key."""
    lock = FileLock(key.parent / LOCK)
    if lock.acquire():
        try:
            if Signer(load(fresh)).public == coming.public:
                os.replace(fresh, key)
                sync_folder(key.parent)
        except FileNotFoundError:
            pass  # the other process has just done it
        finally:
            lock.release()


def known(key: Path, note: bytes) -> VerifierKey | None:
    """Return the verifier key of the file *key* if it signed *note*, None if another one did.

    Raises:
        OSError, AuditUnavailableError: As `load`.
    """
    verifier = VerifierKey(checkpoint.parse(note).origin, Signer(load(key)).public)
    return verifier if verifier.verifies(note) else None


def fresh_file(key: Path) -> Path:
    """Return the file of a key that is about to take the place of *key*."""
    return key.with_name(key.name + ".new")


def create(key: Path) -> bytes:
    """Make a new key in the file *key* and return its seed. The file appears complete or not at all."""
    seed = os.urandom(SEED_SIZE)
    write_new(key, f"{_HEADER} {base64.b64encode(seed).decode()}\n".encode())
    return seed


def pins(key: Path) -> list[VerifierKey]:
    """Return the pinned keys, the newest last; lines that cannot be read are left out."""
    try:
        with opened(pin_file(key)) as file:
            lines = file.read().decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise AuditUnavailableError(f"The pinned keys in {pin_file(key)} cannot be read: {error.strerror}.") from error
    return verifier_keys(lines)


def verifier_keys(lines: list[str]) -> list[VerifierKey]:
    """Return the keys on *lines*; a line that holds none is left out."""
    known = []
    for line in lines:
        with contextlib.suppress(ValueError):
            known.append(VerifierKey.parse(line))
    return known


def pin(key: Path, verifier: VerifierKey) -> None:
    """Add *verifier* to the pinned keys unless it is there.

    The file is made anew: half a line, or an empty file, would make a sound log look signed by a stranger from then on.
    """
    if verifier in pins(key):
        return
    try:
        before = content(pin_file(key))
    except FileNotFoundError:
        before = b""
    if before and not before.endswith(b"\n"):
        before += b"\n"
    write_new(pin_file(key), before + f"{verifier}\n".encode())


def write_new(path: Path, content: bytes) -> None:
    """Write *content* durably to *path*, mode 0600 whatever the umask; *path* appears complete or not at all."""
    os.replace(write_beside(path, content), path)
    sync_folder(path.parent)


def write_beside(path: Path, content: bytes) -> Path:
    """Write *content* durably to a new file beside *path*, mode 0600 whatever the umask, and return that file."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    handle = files.descriptor(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        with open(handle, "wb") as file:
            if sys.platform != "win32":
                os.fchmod(handle, 0o600)
            file.write(content)
            file.flush()
            os.fsync(handle)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise
    return beside
