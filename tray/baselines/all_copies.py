"""Every copy of a checkpoint that is kept apart from the log: beside the configuration and in the places that it names."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tray.audit import checkpoint, near_copy
from tray.audit.checkpoint import Checkpoint, VerifierKey
from tray.core.errors import BackupTrayError
from tray.core.paths import Places

if TYPE_CHECKING:
    from tray.audit.store import AuditLog
    from tray.config import Config

ASIDE = ".aside"
_SET_ASIDE = "{} is not compared with any more: somebody acknowledged that it contradicts the log."


def found(places: Places, config: "Config | None" = None, problems: list[str] | None = None) -> dict[str, bytes]:
    """Return every baseline that is kept for the logs of *places*, by where it is; nothing is written.

    Read them before the log: a baseline that is newer than what was read of the log looks like a rollback. Notes are returned as
    they are; whoever verifies checks their signatures. A copy that others than this installation keep in the same far place is
    left out.

    Args:
        config: Whose configured places are looked into too; None: only the copies beside the configuration.
        problems: Takes a sentence for each place that cannot be read and each file that is no checkpoint.
    """
    said: list[str] = [] if problems is None else problems
    try:
        with near_copy.locked(places.baselines, shared=True):  # else a copy could be seen while it is written
            notes = dict(_readable(sorted(_files(places.baselines, said)), said))
            said += [_SET_ASIDE.format(path) for path in sorted(_files(places.baselines, [], ASIDE))]
    except FileNotFoundError:
        notes = {}
    except (OSError, BackupTrayError) as error:
        said.append(f"{places.baselines} cannot be used: {getattr(error, 'why', '') or error}")
        notes = {}
    if config is not None and config.audit.baselines:
        from tray.baselines import far_copies

        notes |= _readable(far_copies.files(places, config, said), said)
    return notes


def copy_far(places: Places, config: "Config") -> list[str]:
    """Copy the newest checkpoint to the configured places; see `tray.baselines.far_copies.copy_far`."""
    from tray.baselines import far_copies

    return far_copies.copy_far(places, config) if config.audit.baselines else []


def set_aside(places: Places, config: "Config | None" = None) -> list[Path]:
    """Let copies that contradict the log count no more, because somebody has acknowledged that an older state of it was put back.

    They saw more entries than it has, or others, where it went on since then. They stay as evidence under another name; the next
    record leaves a new copy. Copies of other logs are left as they are.

    Returns:
        What the copies are called now.

    Raises:
        BackupTrayError: The log cannot be read.
        OSError: A copy cannot be renamed.
    """
    from tray.audit.store import AuditLog

    copies = found(places, config)
    with AuditLog.read(places.audit_db) as log:
        now = checkpoint.parse(log.head()[2])
        against = [
            (Path(name), seen.size)
            for name, seen in ((name, checkpoint.parse(note)) for name, note in copies.items())
            if seen.origin == now.origin and (seen.size > now.size or _contradicts(log, seen))
        ]
    moved = []
    for path, size in against:
        aside = path.with_name(f"{path.name}.{size}{ASIDE}")
        os.replace(path, aside)
        moved.append(aside)
    return moved


def _contradicts(log: "AuditLog", seen: Checkpoint) -> bool:
    """Whether the log had another root at that size; of what was pruned nobody can say."""
    try:
        return log.root_at(seen.size) != seen.root
    except BackupTrayError:
        return False


def pinned(places: Places) -> list[VerifierKey]:
    """Return the verifier keys that are kept with the copies beside the configuration: a second opinion on `audit.pub`."""
    known: list[VerifierKey] = []
    for path in sorted(_files(places.baselines, [], near_copy.KEYS)):
        with contextlib.suppress(OSError):  # one that cannot be read is as good as none
            known += near_copy.pins_in(path)
    return known


def _files(folder: Path, said: list[str], suffix: str = near_copy.CHECKPOINT) -> list[Path]:
    try:
        return [Path(item.path) for item in os.scandir(folder) if item.name.endswith(suffix) and item.name[0] != "."]
    except FileNotFoundError:
        return []
    except OSError as error:
        said.append(f"{folder} cannot be read: {error.strerror}.")
        return []


def _readable(files: Iterable[Path], said: list[str]) -> Iterator[tuple[str, bytes]]:
    for path in files:
        try:
            note = near_copy.read_note(path) or b""
            checkpoint.parse(note)
        except OSError as error:
            said.append(f"{path} cannot be read: {error.strerror}.")
        except ValueError as error:
            said.append(f"{path} is no checkpoint: {error}.")
        else:
            yield str(path), note


def footer(note: bytes) -> str:
    """Return *note* as one short line for the foot of a report or notification: which log, how many entries, which root.

    The root is cut to 16 hex digits, enough to compare by eye with `backup-tray audit checkpoint`.

    Raises:
        ValueError: *note* is no checkpoint.
    """
    return footer_of(checkpoint.parse(note))


def footer_of(seen: Checkpoint) -> str:
    """Return the line that `footer` makes of a checkpoint over *seen*."""
    return f"audit log {near_copy.stem_of(seen.origin)[:8]}, {seen.size} entries, root {seen.root.hex()[:16]}"
