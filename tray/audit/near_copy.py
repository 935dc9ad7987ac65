"""Copy the newest checkpoint to a place apart from the log, so that a verification notices when the whole log was replaced.

`<config>/baselines/` holds `<uuid>.checkpoint`, the newest signed checkpoint, and `<uuid>.pub`, the verifier keys, one a line,
for each log that was ever kept here. Only a newer checkpoint that continues the copy replaces it. A copy that contradicts the log
stays as it is: it proves that the log was rolled back or rewritten, and a verification finds it.

Nothing is synced to the disk here: after a power cut a copy may be some entries behind, which is still a true baseline. It is
never ahead, since it is written after the log's own durable commit. Making a file costs a quarter of a millisecond on ext4, so an
existing copy is overwritten by one write that is shorter than a sector: neither a kill nor a power cut leaves half of it.
"""

import contextlib
import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tray.audit import checkpoint, keys
from tray.audit.checkpoint import Checkpoint, VerifierKey
from tray.core import files, paths, regex

if sys.platform != "win32":
    import fcntl

RootAt = Callable[[int], bytes]
"""Returns the root that the log had at a size."""

CHECKPOINT = ".checkpoint"
KEYS = ".pub"
MAX_NOTE = 65_536
_UUID = regex.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SECTOR = 512
_TRIES = 10
_PAUSE = 0.001


def copy_near(
    copies: Path, note: bytes, before: bytes, *, key: Path | None = None, root_at: RootAt | None = None
) -> str | None:
    """Put *note*, the log's newest checkpoint, into the folder *copies*; never raises, never waits for more than a moment.

    Args:
        before: The checkpoint that *note* follows. The folder mostly holds just that, and then nothing is computed.
        key: The signing key's file; the keys that are pinned beside it are copied too.
        root_at: Asked only if the present copy is neither *note* nor *before*. Without it such a copy stays.

    Returns:
        None, or a sentence that says why the copy could not be made.
    """
    try:
        if not copies.is_dir():
            paths.private(copies)
        with locked(copies) as alone:
            return _replace(copies, note, before, key, root_at) if alone else None
    except Exception as error:  # the entry is in the log already; nothing here may make that look failed
        return f"The checkpoint could not be copied to {copies}: {getattr(error, 'why', '') or error}."


def _replace(folder: Path, note: bytes, before: bytes, key: Path | None, root_at: RootAt | None) -> str | None:
    new = checkpoint.parse(note)
    stem = stem_of(new.origin)
    target, pinned = folder / (stem + CHECKPOINT), folder / (stem + KEYS)
    there = read_note(target)
    if there == note:
        return None
    if is_lost(there) or not is_newer(there, new):
        if not continues(there, new, before, root_at):
            return f"{target} says something else than the log, and stays: run `backup-tray audit verify`."
        if key is not None and (not pinned.exists() or there != before or changed_key(before, note)):
            add_pins(pinned, new.origin, key, anew=is_lost(there))
        if not _overwrite(target, there, note):
            put(target, note)
    return None


def _overwrite(target: Path, there: bytes | None, note: bytes) -> bool:
    """Write *note* over *there* at once; False if a reader could see half of it."""
    if not there or not len(there) <= len(note) <= _SECTOR:
        return False
    handle = files.descriptor(target, os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0))
    try:
        return os.write(handle, note) == len(note)
    finally:
        os.close(handle)


def is_lost(there: bytes | None) -> bool:
    """Whether a copy is missing, or holds nothing because the power was cut before its content reached the disk."""
    return there is None or not there.strip(b"\0")


def is_newer(there: bytes | None, new: Checkpoint) -> bool:
    """Whether *there* is a checkpoint of the same log with at least as many entries: another process was quicker, or a rollback."""
    try:
        known = checkpoint.parse(there or b"")
    except ValueError:
        return False
    return known.origin == new.origin and (known.size > new.size or (known.size, known.root) == (new.size, new.root))


def continues(there: bytes | None, new: Checkpoint, before: bytes, root_at: RootAt | None) -> bool:
    """Whether the log of *new* holds every entry that the copy *there* covers, so that *new* may take its place."""
    if is_lost(there) or there == before:
        return True
    try:
        known = checkpoint.parse(there or b"")
    except ValueError:
        return False
    if root_at is None or known.origin != new.origin or known.size >= new.size:
        return False
    return root_at(known.size) == known.root


def changed_key(before: bytes, note: bytes) -> bool:
    """Whether two checkpoints name different keys."""
    try:
        return checkpoint.key_ids(before) != checkpoint.key_ids(note)
    except ValueError:
        return True


def stem_of(origin: str) -> str:
    """Return the name of a log's files: the UUID of its name.

    Raises:
        ValueError: *origin* is no name of ours.
    """
    stem = origin.removeprefix("backup-tray/")
    if not _UUID.fullmatch(stem):
        raise ValueError(f"no name of a log: {origin[:80]!r}")
    return stem


def read_note(path: Path) -> bytes | None:
    """Return the content of the file *path*, up to the length that a note may have; None if it is missing."""
    try:
        with files.opened(path) as file:
            return file.read(MAX_NOTE + 1)
    except FileNotFoundError:
        return None


def put(target: Path, content: bytes, *, durable: bool = False, mode: int = 0o600) -> None:
    """Let *content* take the place of *target*, whole or not at all. The caller holds the folder's lock.

    The file beside it has always the same name, so that a killed process leaves nothing behind that grows. A file of that name is
    removed, never written into: in a far folder another user could have made it a second name of another file.
    """
    beside = target.with_name(f".{target.name}.tmp")
    with contextlib.suppress(FileNotFoundError):
        beside.unlink()
    handle = files.descriptor(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        if os.write(handle, content) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(beside))
        if durable:
            os.fsync(handle)
    finally:
        os.close(handle)
    os.replace(beside, target)


def add_pins(pinned: Path, origin: str, key: Path, *, anew: bool, durable: bool = False) -> None:
    """Add the pinned keys of the log *origin* to *pinned*; keys that stand there are never removed.

    Args:
        anew: There is no copy of a checkpoint. Then no key is added to the known ones: nothing vouches for a new one.
    """
    known = pins_in(pinned)
    if known and anew:
        return
    new = [verifier for verifier in keys.pins(key) if verifier.name == origin and verifier not in known]
    if new:
        put(pinned, "".join(f"{verifier}\n" for verifier in [*known, *new]).encode(), durable=durable)


def pins_in(path: Path) -> list[VerifierKey]:
    """Return the verifier keys that the file *path* lists; lines that hold none are left out."""
    return keys.verifier_keys((read_note(path) or b"").decode("utf-8", "replace").splitlines())


@contextlib.contextmanager
def locked(folder: Path, *, shared: bool = False) -> Iterator[bool]:
    """Hold *folder*'s own lock, so that a slower writer does not put an older copy over a newer one; False if others keep it.

    Raises:
        UnsafeFolderError: Others than its owner can enter *folder*.
        OSError: It cannot be opened.
    """
    if sys.platform == "win32":
        yield True
    else:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            status = os.fstat(handle)
            if status.st_mode & 0o077 or status.st_uid != os.geteuid():
                paths.private(folder)  # says what is wrong
            for _ in range(_TRIES):
                try:
                    fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
                except OSError:
                    time.sleep(_PAUSE)
                else:
                    yield True
                    return
            yield False
        finally:
            os.close(handle)
