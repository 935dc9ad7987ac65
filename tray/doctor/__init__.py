"""What works here, what does not, and the command that mends it.

Each check answers one question and changes nothing. A check that fails in an unforeseen way says so as its result, so one broken
thing never hides the others. A module for each group of checks.
"""

from collections.abc import Callable, Iterable

from tray.core.errors import BackupTrayError
from tray.core.paths import Places
from tray.doctor import copies, desktop, folders, programs, records, watchers
from tray.doctor.check import Check, Level

__all__ = ["Check", "Level", "examine", "fine"]


def examine(places: Places) -> list[Check]:
    """Return all checks, in the order in which to read them. Never raises."""
    checks: list[tuple[str, Callable[[], Iterable[Check]]]] = [
        ("Python", programs.python),
        ("folders", lambda: folders.folders(places)),
        ("configuration", lambda: folders.configuration(places)),
        ("audit log", lambda: records.audit_log(places)),
        ("baselines", lambda: copies.baselines(places)),
        ("records waiting", lambda: records.waiting(places)),
        ("housekeeping", lambda: records.housekeeping(places)),
        ("runs", lambda: records.run_folders(places)),
        ("logs of runs", lambda: records.run_logs(places)),
        ("repositories", lambda: records.repositories(places)),
        ("tracker", lambda: watchers.tracker(places)),
        ("runs of others", lambda: watchers.observation(places)),
        ("steps of scripts", watchers.steps),
        ("system's instance", watchers.system),
        ("backup engines", programs.engines),
        ("command", programs.command),
        ("tray", lambda: _desktop("tray", desktop.tray())),
        ("window", lambda: _desktop("window", desktop.web_view())),
        ("start at login", lambda: _desktop("start at login", desktop.autostart())),
    ]
    return _once([check for name, ask in checks for check in _safely(name, ask)])


def _once(checks: list[Check]) -> list[Check]:
    """Return *checks*, where one that fails for the reason of an earlier one names that in place of repeating it."""
    told: dict[str, str] = {}
    for place, check in enumerate(checks):
        first = told.setdefault(check.what, check.name)
        if check.level is Level.BAD and first != check.name:
            checks[place] = Check(
                check.name, check.level, f"Not known, for the same reason as {first} above.", "See there."
            )
    return checks


def fine(checks: Iterable[Check]) -> bool:
    """Whether there is nothing to mend."""
    return all(check.level in (Level.OK, Level.NOTE) for check in checks)


def _safely(name: str, ask: Callable[[], Iterable[Check]]) -> list[Check]:
    try:
        return list(ask())
    except BackupTrayError as error:
        return [Check(name, Level.BAD, f"{error.what} {error.why}".strip(), error.next)]
    except OSError as error:
        about = f" ({error.filename})" if error.filename else ""
        return [
            Check(
                name,
                Level.BAD,
                f"It cannot be looked at: {error.strerror or error}{about}.",
                "Look at that place with `ls -ld`.",
            )
        ]
    except Exception as error:  # a doctor who faints helps nobody
        what = f"The check itself failed: {type(error).__name__}: {error}."
        return [Check(name, Level.BAD, what, "Please report this with the output of `backup-tray doctor`.")]


def _desktop(name: str, finding: desktop.Finding) -> list[Check]:
    good = (
        Level.OK if desktop.has_screen() or name == "window" else Level.NOTE
    )  # without a screen there is no icon to praise
    level = good if finding.fine else Level.WARN
    return [Check(name, level, finding.what, finding.remedy)]
