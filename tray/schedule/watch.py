"""Have the system's scheduler run a round of housekeeping once an hour, also where neither icon nor tracker runs, as on a server.

Such a round tells of overdue backups, tries messages again, and verifies the audit log. On a desktop the tracker runs it.
"""

import re
import sys
from contextlib import suppress

from tray.audit import spool
from tray.audit.entry import Action, Draft
from tray.core.dataclass import dataclass
from tray.core.errors import SchedulerError
from tray.core.paths import Places
from tray.schedule import cron, plan, systemd, units
from tray.schedule.plan import WATCH
from tray.schedule.systemd import Systemd

KEY = "", WATCH
_RECORD_SECONDS = 5.0
_NO_START = "203"
"""The exit code with which systemd says that it could not start the program."""


@dataclass(frozen=True, slots=True)
class Watch:
    """How the hourly round stands.

    Attributes:
        by: "systemd" or "cron".
        title: The scheduler, for people.
        where: The unit, or the crontab.
        next_ms, last_ms: The next and the last start, as the scheduler says; None if it does not say.
        fault: One sentence why it will not start; empty if it will.
        needs_login: It starts only while the user is logged in.
    """

    by: str
    title: str
    where: str
    next_ms: int | None = None
    last_ms: int | None = None
    fault: str = ""
    needs_login: bool = False


def turn_on(places: Places, by: str | None = None) -> Watch:
    """Set the round up, again if there is one already, and return how it stands.

    Args:
        by: "systemd" or "cron"; None: systemd where it runs, else cron.

    Raises:
        SchedulerError: There is no scheduler, or it refuses. Nothing has changed then.
    """
    if sys.platform in ("darwin", "win32"):
        raise SchedulerError(
            "Backup Tray does not set up the scheduler of this system itself.",
            next="Have it start `backup-tray tracker --care` once an hour.",
        )
    by = by or ("systemd" if systemd.present() else "cron")
    if by == "systemd":
        Systemd.ours().install(plan.watching())
        _removed_from_cron()
    else:
        cron.install(plan.watching())
        if _of_systemd() is not None:
            Systemd.ours().remove(KEY)
    _record(places, "housekeeping scheduled", by)
    now = standing()
    if now is None or now.by != by:
        raise SchedulerError("The scheduler does not show the hourly round.", next="Look: `backup-tray doctor`.")
    return now


def turn_off(places: Places) -> bool:
    """Take the round away, and return whether there was one.

    Raises:
        SchedulerError: The scheduler cannot be reached.
    """
    gone = []
    if _of_systemd() is not None:
        Systemd.ours().remove(KEY)
        gone.append("systemd")
    if _removed_from_cron():
        gone.append("cron")
    for by in gone:
        _record(places, "housekeeping no longer scheduled", by)
    return bool(gone)


def _removed_from_cron() -> bool:
    """Take the line out of the crontab, and return whether there was one; a user who may not use cron has none."""
    with suppress(SchedulerError):
        if cron.watches():
            cron.remove(KEY)
            return True
    return False


def standing() -> Watch | None:
    """Return how the round stands; None if it is not set up. Never raises for a scheduler that is away."""
    timer = _of_systemd()
    if timer is not None:
        return timer
    try:
        return Watch("cron", cron.TITLE, "crontab") if cron.watches() else None
    except SchedulerError:
        return None


def _of_systemd() -> Watch | None:
    manager, name = Systemd.ours(), units.name(*KEY)
    timer, service = f"{name}.timer", f"{name}.service"
    text = manager.text(timer)
    if text is None or not units.is_ours(text):
        return None
    try:
        manager.check()
        states = manager.states([name])
    except SchedulerError as error:
        return Watch("systemd", manager.title, timer, fault=f"It cannot be looked at: {error} {error.why}".strip())
    state = states.get(timer, {})
    return Watch(
        "systemd",
        manager.title,
        timer,
        next_ms=systemd.moment_ms(state.get("NextElapseUSecRealtime")),
        last_ms=systemd.moment_ms(state.get("LastTriggerUSec")),
        fault=_fault(state, states.get(service, {}), manager.text(service) or ""),
        needs_login=not systemd.lingers(),
    )


def _fault(timer: dict[str, str], service: dict[str, str], text: str) -> str:
    path = re.search(r'^ExecStart="?(/[^\s"]+)', text, re.MULTILINE)
    if path is None:
        return "The file of its service is gone."
    if timer.get("UnitFileState") != "enabled":
        return "Its timer is disabled."
    if timer.get("ActiveState") != "active":
        return f"Its timer is {timer.get('ActiveState') or 'not known to systemd'}."
    return "systemd could not start the program." if service.get("ExecMainStatus") == _NO_START else ""


def _record(places: Places, change: str, by: str) -> None:
    draft = Draft(action=Action.CONFIG_CHANGED, body={"change": change, "by": by})
    if places.audit_db.exists():
        spool.record(places, [draft], timeout=_RECORD_SECONDS)
