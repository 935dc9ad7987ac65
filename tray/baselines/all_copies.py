"""Read every copy of a checkpoint that is kept apart from the log: beside the configuration and in the places that it names."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from tray import engines
from tray.audit import checkpoint, keys, near_copy
from tray.audit.checkpoint import Checkpoint, VerifierKey
from tray.audit.near_copy import CHECKPOINT, KEYS, stem_of
from tray.audit.store import AuditLog
from tray.config import JOURNALD, REPOSITORY, SYSLOG, Config, jobs
from tray.config.jobs import Job
from tray.core.errors import BackupTrayError
from tray.core.paths import Places
from tray.repository import local

ASIDE = ".aside"
FOLDER = "backup-tray"
"""The folder in a repository of an engine that ignores names that it does not know."""

_SET_ASIDE = "{} no longer counts: the user acknowledged that it contradicts the log."


def notes(places: Places, config: Config | None = None, problems: list[str] | None = None) -> dict[str, bytes]:
    """Return every baseline that is kept for the logs of *places*, by its file; nothing is written.

    Read them before the log: a baseline that is newer than the state that was read of the log looks like a rollback. The
    verification checks the signatures of the notes. Copies that other installations keep in the same far place are left out.

    Args:
        config: Names further places; None: only the copies beside the configuration.
        problems: Takes a sentence for each place that cannot be read and each file that is no checkpoint.
    """
    said: list[str] = [] if problems is None else problems
    copies: dict[str, bytes] = {}
    try:
        with near_copy.locked(places.baselines, shared=True):  # otherwise a copy could be read while it is written
            copies |= _readable(sorted(_files(places.baselines, said)), said)
            said += [_SET_ASIDE.format(path) for path in sorted(_files(places.baselines, [], ASIDE))]
    except FileNotFoundError:
        pass
    except (OSError, BackupTrayError) as error:
        said.append(f"{places.baselines} cannot be used: {getattr(error, 'why', '') or error}")
    if config is not None and config.audit.baselines:
        copies |= _readable(_far_files(places, config, said), said)
    return copies


def folders(places: Places, config: Config) -> Iterator[tuple[str, Path, bool]]:
    """Yield name and path of each configured folder, and whether it is made inside a repository.

    Raises:
        ConfigError: The configuration file cannot be read.
    """
    for place in config.audit.baselines:
        if place not in (REPOSITORY, JOURNALD, SYSLOG):
            yield place, Path(place), False
    if REPOSITORY in config.audit.baselines:
        for folder in sorted(
            {folder for job in jobs.load(places).jobs.values() if (folder := repository(job)) is not None}
        ):
            yield f"{REPOSITORY} {folder}", folder / FOLDER, True


def repository(job: Job) -> Path | None:
    """Return the folder that is *job*'s repository; None if it is elsewhere, or a folder of ours may disturb its engine."""
    if job.repository is not None and not job.command:
        folder = local.folder(job.engine or "", os.path.expanduser(job.repository))
        return folder if job.engine and engines.named(job.engine).spares_strangers else None
    try:
        adapter, at = engines.recognise(job.command, {}, job.engine)
        named = adapter.plan(job.command, at, {}).repository if adapter.spares_strangers else None
    except Exception:  # a command that no adapter understands names no repository
        return None
    return local.folder(adapter.name, named)


def _far_files(places: Places, config: Config, problems: list[str]) -> Iterator[Path]:
    """Yield the copies of this installation's logs in the configured places; a place that cannot be read adds to *problems*.

    Other installations may keep theirs in the same folder: so only copies of logs that were kept here count.
    """
    try:
        newest = [pin.name for pin in keys.pins(places.audit_key)[-1:]]
    except BackupTrayError:
        newest = []
    logs = dict.fromkeys([*newest, *(pin.name for pin in pinned(places))])
    for place, folder, _ in folders(places, config):
        try:
            names = set(os.listdir(folder))
        except OSError as error:
            problems.append(f"{place} cannot be read: {error.strerror}.")
            continue
        yield from (folder / name for name in (stem_of(log) + CHECKPOINT for log in logs) if name in names)


def set_aside(places: Places, config: Config | None = None) -> list[Path]:
    """Rename the copies that contradict the log, so that they no longer count, and return their new names.

    The user has acknowledged that an older state of the log was put back: these copies cover more entries than it has, or other
    ones. They stay as evidence; the next record leaves a new copy. Copies of other logs are left as they are.

    Raises:
        BackupTrayError: The log cannot be read.
        OSError: A copy cannot be renamed.
    """
    copies = notes(places, config)
    with AuditLog.read(places.audit_db) as log:
        now = checkpoint.parse(log.head()[2])
        against = [
            (Path(name), head.size)
            for name, head in ((name, checkpoint.parse(note)) for name, note in copies.items())
            if head.origin == now.origin and (head.size > now.size or _contradicts(log, head))
        ]
    moved = []
    for path, size in against:
        aside = path.with_name(f"{path.name}.{size}{ASIDE}")
        os.replace(path, aside)
        moved.append(aside)
    return moved


def _contradicts(log: AuditLog, head: Checkpoint) -> bool:
    """Whether the log had another root at that size; False if pruned entries leave that open."""
    try:
        return log.root_at(head.size) != head.root
    except BackupTrayError:
        return False


def pinned(places: Places) -> list[VerifierKey]:
    """Return the verifier keys that are kept with the copies beside the configuration: a second opinion on `audit.pub`."""
    known: list[VerifierKey] = []
    for path in sorted(_files(places.baselines, [], KEYS)):
        with contextlib.suppress(OSError):  # an unreadable file is as good as none
            known += near_copy.pins_in(path)
    return known


def _files(folder: Path, problems: list[str], suffix: str = CHECKPOINT) -> list[Path]:
    try:
        return [Path(item.path) for item in os.scandir(folder) if item.name.endswith(suffix) and item.name[0] != "."]
    except FileNotFoundError:
        return []
    except OSError as error:
        problems.append(f"{folder} cannot be read: {error.strerror}.")
        return []


def _readable(files: Iterable[Path], problems: list[str]) -> Iterator[tuple[str, bytes]]:
    for path in files:
        try:
            note = near_copy.read_note(path) or b""
            checkpoint.parse(note)
        except OSError as error:
            problems.append(f"{path} cannot be read: {error.strerror}.")
        except ValueError as error:
            problems.append(f"{path} is no checkpoint: {error}.")
        else:
            yield str(path), note


def footer(head: Checkpoint) -> str:
    """Return a checkpoint as one short line for the foot of a report or notification: which log, how many entries, which root.

    The root is cut to 16 hex digits, enough to compare by eye with `backup-tray audit checkpoint`.

    Raises:
        ValueError: *head* is of no log of ours.
    """
    return f"audit log {stem_of(head.origin)[:8]}, {head.size} entries, root {head.root.hex()[:16]}"
