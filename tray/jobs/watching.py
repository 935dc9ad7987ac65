"""Find the backups that this machine makes already, and make watched jobs of them."""

import shlex

from tray.config.jobs import Job
from tray.core.dataclass import dataclass
from tray.core.paths import Places
from tray.jobs import configured, editing
from tray.takeover import discover, words
from tray.takeover.found import Finding, Machine

SEEN = (
    "A watched run is noticed while a tracker runs here (the icon, the window or the system-wide instance). "
    "The line with `backup-tray run` records every run, also without one."
)


@dataclass(frozen=True, slots=True)
class Search:
    """One search for existing backups.

    Attributes:
        machine: The machine, the user and the moment.
        findings: The backups, in the order of their numbers.
    """

    machine: Machine
    findings: tuple[Finding, ...]


def search(places: Places) -> Search:
    """Return the backups that exist here, those that a job watches already included. Nothing is changed.

    Raises:
        ConfigError: The configuration file is broken.
        AuditUnavailableError: The log cannot be read.
    """
    machine, known = discover.this_machine(), editing.known(places)
    taken = dict.fromkeys(known.all, ()) | {name: job.matches for name, job in known.configured.jobs.items()}
    return Search(machine, tuple(discover.discover(machine, taken)))


def watch(places: Places, finding: Finding, name: str | None = None) -> Job:
    """Save a job, called *name* or as proposed, that watches *finding*; nothing of the backup itself is changed.

    Raises:
        JobChangeError: There is such a job.
        ConfigError: The configuration file is broken.
        OSError: It cannot be written.
    """
    return editing.add(places, name or finding.name, words.keys(finding))


def prefix(finding: Finding) -> str:
    """Return our command that goes before the backup's."""
    return f"{configured.launcher()} run --job {shlex.quote(finding.name or 'backup')} --"
