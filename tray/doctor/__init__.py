"""Check what works here and what does not, and name the command that mends it.

Each check answers one question and changes nothing. A check that fails in an unforeseen way says so as its result, so one broken
thing never hides the others. A module for each group of checks.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum
from importlib import import_module

from tray.core.codec import Coded
from tray.core.dataclass import dataclass
from tray.core.errors import BackupTrayError
from tray.core.paths import Places


class Level(StrEnum):
    """How good an answer is. `NOTE`: the thing is not in use here, so there is nothing to mend and nothing to praise."""

    OK = "ok"
    NOTE = "note"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Check(Coded):
    """The answer of one check.

    Attributes:
        name: Subject of the check.
        level: How good the answer is.
        what: One sentence for a person.
        remedy: The command or step that mends it; empty if all is well.
    """

    name: str
    level: Level
    what: str
    remedy: str = ""

    @property
    def fine(self) -> bool:
        """Whether there is nothing to mend."""
        return self.level in (Level.OK, Level.NOTE)


CHECKS = {
    "Python": "installation.python",
    "folders": "installation.folders",
    "configuration": "installation.configuration",
    "audit log": "records.audit_log",
    "baselines": "records.baselines",
    "records waiting": "records.waiting",
    "housekeeping": "records.housekeeping",
    "clock": "wall_clock.wall_clock",
    "runs": "records.run_folders",
    "logs of runs": "records.run_logs",
    "repositories": "records.repositories",
    "targets": "targets.targets",
    "checks": "proofs.checks",
    "tracker": "watchers.tracker",
    "runs of others": "watchers.observation",
    "steps of scripts": "watchers.steps",
    "system's instance": "watchers.system",
    "backup engines": "installation.engines",
    "command": "installation.command",
    "schedules": "schedules.schedules",
    "messages": "telling.channels",
    "hourly round": "telling.hourly_round",
    "metrics": "telling.metrics",
    "tray": "panel.tray",
    "window": "desktop.web_view",
    "start at login": "desktop.autostart",
}
"""The checks in the order in which to read them. Each imports its module, so that a broken library fails only there."""


def examine(places: Places) -> list[Check]:
    """Return the answers of all checks. Never raises."""

    def ask(function: str) -> Iterable[Check]:
        module, _, name = function.partition(".")
        check: Callable[[Places], Check | Iterable[Check]] = getattr(import_module(f"tray.doctor.{module}"), name)
        answer = check(places)
        return [answer] if isinstance(answer, Check) else answer

    return _once([check for name, function in CHECKS.items() for check in _safely(name, ask, function)])


def _once(checks: list[Check]) -> list[Check]:
    """Return *checks*, where one that fails for the reason of an earlier one refers to it in place of repeating it."""
    first_of: dict[str, str] = {}
    for place, check in enumerate(checks):
        first = first_of.setdefault(check.what, check.name)
        if check.level is Level.BAD and first != check.name:
            checks[place] = Check(
                check.name, check.level, f"Not known, for the same reason as {first} above.", "See there."
            )
    return checks


def fine(checks: Iterable[Check]) -> bool:
    """Whether there is nothing to mend."""
    return all(check.fine for check in checks)


def _safely(name: str, ask: Callable[[str], Iterable[Check]], function: str) -> list[Check]:
    try:
        return list(ask(function))
    except BackupTrayError as error:
        return [Check(name, Level.BAD, f"{error.what} {error.why}".strip(), error.next)]
    except OSError as error:
        about = f" ({error.filename})" if error.filename else ""
        what = f"It cannot be looked at: {error.strerror or error}{about}."
        return [Check(name, Level.BAD, what, "Look at that place with `ls -ld`.")]
    except Exception as error:  # a doctor that faints helps no patient
        what = f"The check itself failed: {type(error).__name__}: {error}."
        return [Check(name, Level.BAD, what, "Please report this with the output of `backup-tray doctor`.")]
