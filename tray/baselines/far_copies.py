"""Copy the newest checkpoint to further places, as configured: other folders and volumes, repositories, the system's log.

Nothing is in a hurry here: the tracker's helper calls it, or a process of its own that a wrapper starts after its run
(`python -m tray.baselines.far_copies`), since a disk or a network that hangs must not make any other process hang.

A folder must exist: a missing one is taken for an unplugged disk, and nothing is written where that would be mounted. In a
repository the folder `backup-tray` is made. A copy is replaced only by a checkpoint that continues it (`audit.near_copy`). A
place that cannot be reached is put on record once (`audit.copy_failed`). Notes in the system's log are not read back; the user
compares them:

    journalctl -t backup-tray -o cat > FILE; backup-tray audit verify --checkpoint FILE
"""

from contextlib import suppress
from pathlib import Path

from tray import config as configuration
from tray.audit import checkpoint, near_copy, spool
from tray.audit.entry import Action
from tray.audit.near_copy import CHECKPOINT, KEYS, stem_of
from tray.audit.store import AuditLog
from tray.baselines.all_copies import folders
from tray.baselines.forwarding import forward
from tray.baselines.system_log import Receiver
from tray.baselines.unreached import Memory, alone
from tray.config import JOURNALD, SYSLOG, Config
from tray.core import clock, paths
from tray.core.errors import BackupTrayError
from tray.core.paths import Places

FILE = "audit.copies"


def copy_far(places: Places, config: Config) -> list[str]:
    """Copy the newest checkpoint to every configured place that does not have it yet.

    Returns:
        A sentence for each place that could not take it.

    Raises:
        BackupTrayError: The log cannot be read.
    """
    file = places.state / FILE
    if not config.audit.baselines or not places.audit_db.exists():
        return []
    with alone(file) as mine:
        if not mine:
            return []
        memory = Memory(places, file, Action.AUDIT_COPY_FAILED)
        targets = {place: (folder, made) for place, folder, made in folders(places, config)}
        logs = [name for name in config.audit.baselines if name in (JOURNALD, SYSLOG)]
        memory.only([*targets, *logs])
        with AuditLog.read(places.audit_db) as log:
            _, _, note = log.head()
            said = [_into_folder(log, memory, places, place, note, *targets[place]) for place in targets]
            said += [_into_log(memory, name, note) for name in logs]
        memory.save()
    return [why for why in said if why is not None]


def _into_folder(
    log: AuditLog, memory: Memory, places: Places, place: str, note: bytes, folder: Path, made: bool
) -> str | None:
    try:
        _put(log, places, note, folder, made)
    except (OSError, BackupTrayError, ValueError) as error:
        why = getattr(error, "why", "") or getattr(error, "strerror", "") or str(error)
        memory.failed(place, why)
        return f"The checkpoint could not be copied to {place}: {why.rstrip('.')}."
    memory.worked(place)
    return None


def _put(log: AuditLog, places: Places, note: bytes, folder: Path, made: bool) -> None:
    """Put *note* and the log's keys into *folder*, unless it holds a newer checkpoint.

    Raises:
        OSError: The folder is missing, or cannot be written.
        ValueError: The present copy contradicts the log.
    """
    if made:
        if not (folder.parent / "config").is_file():
            raise FileNotFoundError(2, "there is no repository, its disk may not be mounted", str(folder.parent))
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink():  # a person who may write into the repository must not lead us elsewhere
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
    """Send *note* to the system's log, unless it was sent there before."""
    new = checkpoint.parse(note)
    if memory.of(name).get("root") == new.root.hex():
        return None
    fields = {"log": new.origin, "size": new.size, "root": new.root.hex()}
    try:
        with Receiver(name) as receiver:
            receiver.send(checkpoint.to_line(note), "info", fields, time_ms=clock.now_ms(), kind="checkpoint")
    except OSError as error:
        memory.failed(name, error.strerror or str(error))
        return f"The checkpoint could not be sent to {name}: {error.strerror or error}."
    memory.worked(name)
    memory.of(name)["root"] = new.root.hex()
    return None


def main() -> int:
    """Append waiting records, copy and forward as configured, after a run without a tracker."""
    here, code = paths.places(), 0
    with suppress(BackupTrayError):
        spool.drain(here)
    try:
        config = configuration.load(here)
    except BackupTrayError:
        return 2
    for task in (copy_far, forward):
        try:
            task(here, config)
        except BackupTrayError:
            code = 2
    return code
