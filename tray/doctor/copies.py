"""Whether checkpoints of the audit log are kept in other places, and entries are sent on as configured."""

import os
import shlex
from collections.abc import Iterable, Iterator

from tray import wording
from tray.core.errors import AuditMissingError, ConfigError
from tray.core.paths import Places
from tray.doctor.check import Check, Level

_NAME = "baselines"


def baselines(places: Places) -> Iterable[Check]:
    """Say how many baselines there are and how far behind, and which places could not be reached the last time."""
    from tray import config
    from tray.audit import checkpoint
    from tray.audit.store import AuditLog
    from tray.baselines import all_copies

    try:
        with AuditLog.read(places.audit_db) as log:
            now = checkpoint.parse(log.head()[2])
    except AuditMissingError:
        return [Check(_NAME, Level.NOTE, "There is no audit log yet.")]
    problems: list[str] = []
    try:
        settings = config.load(places)
    except ConfigError:  # another check says so
        settings = None
    notes = map(checkpoint.parse, all_copies.found(places, settings, problems).values())
    sizes = [seen.size for seen in notes if seen.origin == now.origin]
    checks = [Check(_NAME, Level.WARN, problem, "backup-tray audit verify") for problem in problems]
    return [*checks, _kept(places, sizes, now.size), *_outages(places)]


def _kept(places: Places, sizes: list[int], size: int) -> Check:
    if not sizes:
        what = "No checkpoint is kept apart from the log, so a log that was replaced as a whole would look genuine."
        return Check(_NAME, Level.WARN, what, _remedy(places))
    if max(sizes) > size:
        what = f"One saw a log of {wording.count(max(sizes))} entries, but it has {wording.count(size)}."
        return Check(_NAME, Level.BAD, what, "backup-tray audit verify")
    behind = size - max(sizes)
    what = f"{wording.plural(len(sizes), 'place')}, " + (f"{behind} behind the log." if behind else "up to date.")
    return Check(_NAME, Level.OK, what)


def _remedy(places: Places) -> str:
    """Return what lets the next record leave a copy."""
    folder = places.baselines
    if folder.is_dir() or not places.config.is_dir():
        return f"ls -ld {shlex.quote(str(folder if folder.is_dir() else places.config.parent))}"
    if not os.access(places.config, os.W_OK):
        return f"ls -ld {shlex.quote(str(places.config))}"
    return "backup-tray audit verify  (the next record leaves one)"


def _outages(places: Places) -> Iterator[Check]:
    from tray.baselines import far_copies, forwarding, unreached

    for file, what in (
        (far_copies.FILE, "checkpoints cannot be copied to"),
        (forwarding.FILE, "entries cannot be sent to"),
    ):
        for place, why in unreached.failing(places.state / file).items():
            told = f"The last time, {what} {wording.escape(place)}: {wording.escape(why)}."
            yield Check(_NAME, Level.WARN, told, "backup-tray tracker --care  (tries again)")
