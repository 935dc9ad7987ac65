"""Check the schedules: whether the system's scheduler will start each job as asked, also while the user is not logged in."""

from collections.abc import Iterable

from tray.core import clock
from tray.core.paths import Places
from tray.doctor import Check, Level
from tray.schedule import reading, systemd
from tray.wording.expectations import moment


def schedules(places: Places) -> Iterable[Check]:
    """Tell of each schedule its next start, or its fault with the repair."""
    name = "schedules"
    known, off = reading.look(places), reading.turned_off(places)
    if not known:
        what = "Backup Tray has scheduled no job; another program may start them. Make one: `backup-tray schedule JOB --on daily`."
        yield Check(name, Level.NOTE, what)
    for schedule in known:
        times = "; ".join(schedule.times)
        if schedule.fault:
            what = f"The schedule of {schedule.name} ({schedule.title or schedule.by}): {schedule.fault}"
            yield Check(name, Level.WARN, what, schedule.repair)
            continue
        at = "" if schedule.next_ms is None else f", next {moment(schedule.next_ms, clock.now_ms())}"
        if schedule.job in off:
            at = f", where each start is skipped: the job is {off[schedule.job]}"
        yield Check(name, Level.OK, f"{schedule.name}: {times} ({schedule.title}){at}.")
    if any(schedule.by == "systemd" for schedule in known) and not systemd.lingers():
        what = (
            "Your timers run only while you are logged in (linger is off); the next login catches up on a missed start."
        )
        yield Check("linger", Level.NOTE, what, "backup-tray schedule --linger")
