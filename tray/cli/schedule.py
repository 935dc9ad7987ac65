"""`backup-tray schedule`: have the system's scheduler start a job or its checks, and show how the schedules stand."""

import json
import re
import shlex
import sys
from argparse import ArgumentParser, Namespace

from tray.cli import Command
from tray.core import clock
from tray.core.errors import NotScheduledError, UsageError
from tray.core.model import BACKUP, CHECK, shown_name
from tray.core.paths import places
from tray.jobs import configured
from tray.schedule import change, launchd, reading, systemd, task_scheduler
from tray.status.schedules import Schedule
from tray.wording import escape

_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600}
_NOT_TRIED = {"launchd": launchd.NOT_TRIED, "task-scheduler": task_scheduler.NOT_TRIED}


def _register(parser: ArgumentParser) -> None:
    parser.add_argument(
        "job", metavar="JOB", nargs="?", help="a job of config.toml; without one all schedules are shown"
    )
    parser.add_argument("--check", action="store_true", help="the job's checks, in the place of its backups")
    words = "when: systemd's OnCalendar ('Mon..Fri 20:30', daily) or cron's five fields (default: the job's own `on`)"
    parser.add_argument("--on", metavar="WHEN", help=words)
    parser.add_argument(
        "--by", choices=change.SCHEDULERS, help="the scheduler (default: systemd where it runs, else cron)"
    )
    words = "start up to so much later, always by the same span: 0, 90s, 10m (default 2m); systemd only"
    parser.add_argument("--delay", metavar="TIME", help=words)
    parser.add_argument("--linger", action="store_true", help="let your timers run also while you are not logged in")
    task = parser.add_mutually_exclusive_group()
    task.add_argument("--show", action="store_true", help="show how the schedule stands; change nothing")
    task.add_argument("--remove", action="store_true", help="take the schedule away; the job stays")
    task.add_argument("--repair", action="store_true", help="write and start the schedule again as it was asked for")
    parser.add_argument("--all", action="store_true", help="with --remove: every schedule")
    words = "print the scheduler's files for the job; change nothing"
    task.add_argument("--print", choices=tuple(change.PRINTED), dest="kind", help=words)
    parser.add_argument("--json", action="store_true", help="with --show: print it as JSON")


def _schedule(args: Namespace) -> int:
    """Show, set, mend, print or remove; exit code 1 if a schedule that is shown has a fault."""
    here = places()
    if args.linger:
        systemd.let_linger()
        print("Your timers now run also while you are not logged in.")
    if args.remove and args.all and args.job is None:
        gone = change.remove_all(here)
        print(f"Removed the schedule of: {escape(', '.join(gone))}." if gone else "No job has a schedule.")
        return 0
    if args.job is None or args.show:
        return _show(args, linger_only=args.linger and not args.show)
    kind = CHECK if args.check else BACKUP
    if args.kind:
        print(change.printed(here, (args.job, kind), args.kind, args.on, _delay(args.delay)), end="")
        if args.kind in _NOT_TRIED:
            print(f"backup-tray: {_NOT_TRIED[args.kind]}", file=sys.stderr)
        return 0
    if args.remove:
        change.remove(here, args.job, kind)
        command = f"backup-tray {kind} {escape(shlex.quote(args.job))}"
        print(f"{escape(shown_name(args.job, kind))} has no schedule any more. The job stays: `{command}`.")
        return 0
    made = change.set_up(here, args.job, kind=kind, on=args.on, by=args.by, delay_seconds=_delay(args.delay))
    tell(made)
    return 0


def _show(args: Namespace, *, linger_only: bool) -> int:
    """Show one schedule or all of them."""
    if args.on or args.by or args.delay or args.remove or args.repair or args.kind:
        raise UsageError("There is no job to schedule.", next="Name one: `backup-tray schedule JOB --on daily`.")
    if linger_only:
        return 0
    known = reading.refresh(places())
    kinds = (CHECK,) if args.check else (BACKUP, CHECK)
    chosen = [schedule for schedule in known if args.job in (None, schedule.job) and schedule.kind in kinds]
    if args.job is not None and not chosen:
        configured.find(places(), args.job)
        raise NotScheduledError(args.job, kinds[0])
    if args.json:
        print(json.dumps([schedule.to_json() for schedule in chosen], indent=2))
    elif not chosen:
        print("No job has a schedule. Make one: `backup-tray schedule JOB --on daily`.")
    else:
        off = reading.turned_off(places())
        print("\n".join(line for schedule in chosen for line in _lines(schedule, off.get(schedule.job))))
    return 1 if any(schedule.fault for schedule in chosen) else 0


def tell(made: Schedule) -> None:
    """Tell the user how a new schedule stands, and when it does not start the job."""
    print("\n".join(_lines(made)))
    print(_promise(made))


def _lines(schedule: Schedule, off: str | None = None) -> list[str]:
    """Return a schedule for a person: the job and its times, the next and the last start, a fault and its repair.

    Args:
        off: How the job is turned off; None if it is not.
    """
    lines = [
        f"{escape(schedule.name)}: {escape('; '.join(schedule.times))} ({schedule.title}, {escape(schedule.where)})"
    ]
    if schedule.next_ms is not None:
        lines.append(f"  next: {clock.local(schedule.next_ms):%a %Y-%m-%d %H:%M:%S %Z}")
    if off is not None:
        lines.append(f"  but: the job is {off}, so each start is skipped")
    if schedule.last_ms is not None:
        lines.append(f"  last: {clock.local(schedule.last_ms):%a %Y-%m-%d %H:%M:%S %Z}")
    if schedule.fault:
        lines += [f"  wrong: {escape(schedule.fault)}", f"  mend it: {escape(schedule.repair)}"]
    return lines


def _promise(schedule: Schedule) -> str:
    """Return when a new schedule does not start the job, and the remedy."""
    sentence, needs_login = reading.promise(schedule)
    if not needs_login:
        return sentence
    return (
        f"{sentence}\nIt starts only while you are logged in. To have it start always: `backup-tray schedule --linger`."
    )


def _delay(text: str | None) -> int | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,6}) ?(s|m|min|h)?", text.strip())
    if match is None:
        raise UsageError(f"--delay: {text!r} is no length of time.", next="Write it as 0, 90s, 10m or 1h.")
    return int(match[1]) * _SECONDS[match[2] or "s"]


SCHEDULE = Command(
    _register,
    _schedule,
    "backup-tray schedule home --on 'Mon..Fri 20:30'",
    "backup-tray schedule home --on '15 2 * * *'      as cron writes it",
    "backup-tray schedule                             all schedules, with their next start",
    "backup-tray schedule home --check --on monthly   prove each month that it can be restored",
    "backup-tray schedule home --remove",
)
