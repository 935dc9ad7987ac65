"""Copies of the newest checkpoint in further places, as configured: other folders and volumes, repositories, the system's log.

Here nothing is in a hurry: whoever calls is the tracker's helper, or a process of its own that a wrapper starts when its run has
ended (`python -m tray.baselines.far_copies`), since a disk or a network that hangs must hang nobody else.

A folder must be there already: an unplugged disk is not mistaken for it, and nothing is written where it would be mounted. In a
repository the folder `backup-tray` is made. What is there is replaced only by what continues it (`baselines`). A place that cannot
be reached is put on record once (`audit.copy_failed`). Notes in the system's log are not read back; compare them by hand:

    journalctl -t backup-tray -o cat > FILE; backup-tray audit verify --checkpoint FILE
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tray.audit import checkpoint, keys, near_copy
from tray.audit.entry import Action
from tray.audit.near_copy import CHECKPOINT, KEYS, stem_of
from tray.baselines import all_copies
from tray.baselines.unreached import Memory, alone
from tray.config import JOURNALD, REPOSITORY, SYSLOG
from tray.core import clock, paths
from tray.core.errors import BackupTrayError
from tray.core.paths import Places

if TYPE_CHECKING:
    from tray.audit.store import AuditLog
    from tray.config import Config, Job

FILE = "audit.copies"
FOLDER = "backup-tray"
"""The folder in a repository of an engine that passes over names that it does not know."""


def copy_far(places: Places, config: "Config") -> list[str]:
    """Copy the newest checkpoint to every configured place that has not got it.

    Returns:
        A sentence for each place that could not take it.

    Raises:
        BackupTrayError: The log cannot be read.
    """
    file = places.state / FILE
    if not config.audit.baselines or not places.audit_db.exists():
        return []
    from tray.audit.store import AuditLog

    with alone(file) as mine:
        if not mine:
            return []
        memory = Memory(places, file, Action.AUDIT_COPY_FAILED)
        targets = {place: (folder, made) for place, folder, made in folders(config)}
        logs = [name for name in config.audit.baselines if name in (JOURNALD, SYSLOG)]
        memory.only([*targets, *logs])
        with AuditLog.read(places.audit_db) as log:
            _, _, note = log.head()
            said = [_into_folder(log, memory, places, place, note, *targets[place]) for place in targets]
            said += [_into_log(memory, name, note) for name in logs]
        memory.save()
    return [why for why in said if why is not None]


def folders(config: "Config") -> Iterator[tuple[str, Path, bool]]:
    """Yield the configured folders: what they are called, where they are, and whether they are made in a repository."""
    for place in config.audit.baselines:
        if place not in (REPOSITORY, JOURNALD, SYSLOG):
            yield place, Path(place), False
    if REPOSITORY in config.audit.baselines:
        for folder in sorted({folder for job in config.jobs.values() if (folder := repository(job)) is not None}):
            yield f"{REPOSITORY} {folder}", folder / FOLDER, True


def repository(job: "Job") -> Path | None:
    """Return the folder that is *job*'s repository; None if it is elsewhere, or of an engine that a folder of ours may disturb."""
    from tray import engines
    from tray.repository import local

    if job.repository is not None and not job.command:
        found = local.folder(job.engine or "", os.path.expanduser(job.repository))
        return found if job.engine and engines.named(job.engine).spares_strangers else None
    try:
        adapter, at = engines.recognise(job.command, {}, job.engine)
        named = adapter.plan(job.command, at, {}).repository if adapter.spares_strangers else None
    except Exception:  # a command that an adapter cannot take in names no repository
        return None
    return local.folder(adapter.name, named)


def files(places: Places, config: "Config", problems: list[str]) -> Iterable[Path]:
    """Return the copies of this installation's logs in the configured places; a place that cannot be read adds to *problems*.

    Others may keep theirs in the same folder: only logs that have been kept here are looked for.
    """
    stems = [stem_of(name) for name in _logs(places)]
    found = []
    for place, folder, _ in folders(config):
        try:
            there = set(os.listdir(folder))
        except OSError as error:
            problems.append(f"{place} cannot be read: {error.strerror}.")
            continue
        found += [folder / (stem + CHECKPOINT) for stem in stems if stem + CHECKPOINT in there]
    return found


def _logs(places: Places) -> list[str]:
    """Return the names of the log that is kept here now and of those whose copies still lie beside the configuration."""
    try:
        newest = [pin.name for pin in keys.pins(places.audit_key)[-1:]]
    except BackupTrayError:
        newest = []
    return list(dict.fromkeys([*newest, *(pin.name for pin in all_copies.pinned(places))]))


def _into_folder(
    log: "AuditLog", memory: Memory, places: Places, place: str, note: bytes, folder: Path, made: bool
) -> str | None:
    try:
        _put(log, places, note, folder, made)
    except (OSError, BackupTrayError, ValueError) as error:
        why = getattr(error, "why", "") or getattr(error, "strerror", "") or str(error)
        memory.failed(place, why)
        return f"The checkpoint could not be copied to {place}: {why.rstrip('.')}."
    memory.worked(place)
    return None


def _put(log: "AuditLog", places: Places, note: bytes, folder: Path, made: bool) -> None:
    """Put *note* and the log's keys into *folder*, unless something newer is there.

    Raises:
        OSError: The folder is not there, or cannot be written.
        ValueError: What is there says something else than the log.
    """
    if made:
        if not (folder.parent / "config").is_file():
            raise FileNotFoundError(2, "there is no repository, its disk may not be mounted", str(folder.parent))
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink():  # whoever may write into the repository must not lead us elsewhere
            raise FileNotFoundError(2, "it is a symbolic link", str(folder))
    elif not folder.is_dir():
        raise FileNotFoundError(2, "there is no such folder, its disk may not be mounted", str(folder))
    new = checkpoint.parse(note)
    target, pinned = folder / (stem_of(new.origin) + CHECKPOINT), folder / (stem_of(new.origin) + KEYS)
    there = near_copy.read_note(target)
    if near_copy.is_newer(there, new) and checkpoint.parse(there or b"").size == new.size:
        return
    if not near_copy.continues(there, new, b"", log.root_at):
        raise ValueError(f"{target} says something else than the log, and stays; run `backup-tray audit verify`")
    near_copy.add_pins(pinned, new.origin, places.audit_key, anew=near_copy.is_lost(there), durable=True)
    near_copy.put(target, note, durable=True)
    paths.sync_folder(folder)


def _into_log(memory: Memory, name: str, note: bytes) -> str | None:
    """Say *note* in the system's log, unless it was said there already."""
    from tray.baselines.system_log import Receiver

    new = checkpoint.parse(note)
    if memory.of(name).get("root") == new.root.hex():
        return None
    fields = {"log": new.origin, "size": new.size, "root": new.root.hex()}
    try:
        with Receiver(name) as receiver:
            receiver.send(checkpoint.to_line(note), "info", fields, time_ms=clock.now_ms(), kind="checkpoint")
    except OSError as error:
        memory.failed(name, error.strerror or str(error))
        return f"The checkpoint could not be said to {name}: {error.strerror or error}."
    memory.worked(name)
    memory.of(name)["root"] = new.root.hex()
    return None


def main() -> int:
    """Append what waits, copy and forward as configured, at the end of a run that no tracker saw."""
    from contextlib import suppress

    from tray import config as configuration
    from tray.audit import spool
    from tray.baselines.forwarding import forward

    places, code = paths.places(), 0
    with suppress(BackupTrayError):
        spool.drain(places)
    try:
        config = configuration.load(places)
    except BackupTrayError:
        return 2
    for act in (copy_far, forward):
        try:
            act(places, config)
        except BackupTrayError:
            code = 2
    return code
