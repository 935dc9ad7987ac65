"""Answer the page of one job: how it stands, and the buttons for a run, a check, the schedule, its messages and the sheet."""

import os
import threading
from collections.abc import Callable
from subprocess import Popen
from typing import Any

from tray import wording
from tray.config.jobs import DEFAULT_ENGINE, Job, is_name
from tray.core import clock, ourselves
from tray.core.clock import DAY_MS
from tray.core.errors import BackupStartError, BackupTrayError, JobNotFoundError, SchedulerError
from tray.core.model import BACKUP, CHECK, Instance, shown_name
from tray.core.paths import Places
from tray.jobs import configured, editing, first_run, ways
from tray.notify import snooze
from tray.report import recovery
from tray.schedule import change, reading, systemd
from tray.status.schedules import Schedule
from tray.window import export, view
from tray.wording.expectations import moment

LENGTHS = {"8h": ("8 hours", 8 * 3_600_000), "1d": ("1 day", DAY_MS), "1w": ("1 week", 7 * DAY_MS), "end": ("", 0)}
"""For how long the messages about a job can rest: the words, and milliseconds; "end" ends a rest."""
USUAL_TIME = "20:30"
"""The time that the page proposes, as the terminal does."""
_NOTHING_PROVEN = 1
"""The exit code of a check that had no file to compare; the record of its run says why."""

Tell = Callable[[str, dict[str, str] | None], None]
"""Takes the name under which runs are shown when the process of one ended, and the error if it ended badly."""


def a_job(value: object) -> str:
    """Check for a name that a job can have, so that no program takes it for an option (a `bridge.Check`)."""
    if not isinstance(value, str) or not is_name(value):
        raise ValueError("the name of a job is needed")
    return value


class Jobs:
    """The answers about single jobs. A process that was started here is followed to its end, which *tell* gets."""

    def __init__(self, places: Places, tell: Tell) -> None:
        self._places, self._tell = places, tell
        self._scheduling = threading.Lock()

    def page(self, job: str) -> dict[str, Any]:
        """Return how the configured *job* stands; of one that is not configured only that.

        Raises:
            ConfigError: The configuration is broken, or the job is.
        """
        try:
            known = configured.find(self._places, job)
        except JobNotFoundError:
            facts = {"job": job, "shown": wording.escape(job), "check": shown_name(job, CHECK), "configured": False}
            return facts | self._messages(job)
        sheet = recovery.kept(self._places, known.name)
        return {
            "job": known.name,
            "shown": wording.escape(known.name),
            "check": wording.escape(shown_name(known.name, CHECK)),
            "configured": True,
            "runnable": known.runnable,
            "route": view.route(known.engine or DEFAULT_ENGINE, known.repository),
            "password_file": wording.escape(known.password_file or ""),
            "unprovable": _unprovable(known),
            "sheet": wording.escape(str(sheet)) if sheet.exists() else "",
            "usual": USUAL_TIME,
            "schedule": self._schedule(known.name, BACKUP),
            "check_schedule": self._schedule(known.name, CHECK),
            "waits": "target" in known.conditions,
            "watched": wording.escape(known.watched or ""),
            "off": wording.off(known.off_until_ms if known.enabled else None) if known.is_off(clock.now_ms()) else "",
        } | self._messages(known.name)

    def back_up(self, job: str) -> None:
        """Start *job*.

        Raises:
            JobNotFoundError, ConfigError: It is not configured, or not well.
        """
        known = configured.find(self._places, job)
        self._follow(known.name, BACKUP, configured.start(self._places, known))

    def first_run(self, job: str) -> None:
        """Start *job* and, if it succeeds, a test of a few of its files, also if the window is closed before.

        Raises:
            JobNotFoundError, ConfigError: It is not configured, or not well.
        """
        known = configured.find(self._places, job)
        process = ourselves.start(first_run.__name__, known.name)
        self._follow(known.name, None, process)

    def check(self, job: str) -> None:
        """Start a check of *job*: a few of its files are restored and compared.

        Raises:
            JobNotFoundError, ConfigError, CheckImpossibleError: It cannot be checked.
        """
        known = configured.find(self._places, job)
        ways.access(known, os.environ)
        self._follow(known.name, CHECK, ourselves.start("check", known.name))

    def schedule(self, job: str, when: str, kind: str = BACKUP) -> dict[str, Any]:
        """Have the system's scheduler start *job* at the times that *when* names, and return the page.

        Args:
            kind: Its backups, or its checks.

        Raises:
            WhenError, SchedulerError, JobNotFoundError, ConfigError: It cannot be done; nothing has changed then.
        """
        with self._scheduling:
            change.set_up(self._places, job, kind=kind, on=when)
        return self.page(job)

    def unschedule(self, job: str, kind: str = BACKUP) -> dict[str, Any]:
        """Take the schedule of *job* away, that of its backups or of its checks, and return the page.

        Raises:
            NotScheduledError, SchedulerError: It cannot be done.
        """
        with self._scheduling:
            change.remove(self._places, job, kind)
        return self.page(job)

    def linger(self, job: str) -> dict[str, Any]:
        """Let this user's timers run without a login, and return the page of *job*.

        Raises:
            SchedulerError: The system does not let this user do so.
        """
        systemd.let_linger()
        return self.page(job)

    def keep_sheet(self, job: str) -> dict[str, Any]:
        """Write the recovery sheet of *job* to its private file on this machine, and return the page.

        Raises:
            ExportFailedError: It was not written.
        """
        export.keep_sheet(self._places, job)
        return self.page(job)

    def snooze(self, job: str, length: str) -> dict[str, Any]:
        """Send no message about *job* for a *length* of `LENGTHS`, or again, and return the page.

        Raises:
            QueueUnavailableError: It cannot be noted.
        """
        until_ms = None if length == "end" else clock.now_ms() + LENGTHS[length][1]
        snooze.put(self._places, job, until_ms)
        return self.page(job)

    def turn_off(self, job: str, until: str) -> dict[str, Any]:
        """Turn *job* off up to the day *until*, such as "2026-12-24", and return the page.

        Raises:
            JobChangeError: That is no day to come.
            JobNotFoundError, ConfigError, ConfigWriteError: It cannot be changed.
        """
        editing.disable(self._places, job, editing.coming_day(until.strip(), job))
        return self.page(job)

    def turn_on(self, job: str) -> dict[str, Any]:
        """Turn *job* on again, and return the page.

        Raises:
            JobNotFoundError, ConfigError, ConfigWriteError: It cannot be changed.
        """
        editing.disable(self._places, job, None, on=True)
        return self.page(job)

    def _messages(self, job: str) -> dict[str, Any]:
        """Return until when the messages about *job* rest, "" if they do not, and the choices of a length."""
        now_ms = clock.now_ms()
        rests = (rest for rest in snooze.rests(self._places) if (rest.job, rest.instance) == (job, Instance.USER))
        until = next((moment(rest.until_ms, now_ms) for rest in rests), "")
        return {"rests": until, "lengths": [[key, said] for key, (said, _) in LENGTHS.items() if said]}

    def _schedule(self, job: str, kind: str) -> dict[str, Any] | None:
        """Return how the schedule of *job* for runs of this *kind* stands, as the scheduler says now; None without one."""
        try:
            known = {schedule.key: schedule for schedule in reading.look(self._places)}
        except SchedulerError:
            return None
        if (job, kind) not in known:
            return None
        return _schedule_words(known[job, kind], clock.now_ms(), reading.turned_off(self._places).get(job))

    def _follow(self, job: str, kind: str | None, process: "Popen[bytes]") -> None:
        """Tell the end of *process*: a run of this *kind*, or a first run, which is a backup and then a check."""

        def wait() -> None:
            code = process.wait()
            bad_check = code not in (0, _NOTHING_PROVEN) if kind == CHECK else code == first_run.CHECK_FAILED
            bad_backup = code != 0 and not bad_check
            if kind in (CHECK, None):
                self._tell_end(job, CHECK, code if bad_check else 0)
            if kind in (BACKUP, None):
                self._tell_end(job, BACKUP, code if bad_backup else 0)

        threading.Thread(target=wait, daemon=True, name=f"follow {job}").start()

    def _tell_end(self, job: str, kind: str, code: int) -> None:
        error = BackupStartError(job, code, kind).facts() if code else None
        self._tell(wording.escape(shown_name(job, kind)), error)


def _unprovable(job: Job) -> dict[str, str] | None:
    """Return why no file of *job* can be restored for a check; None if one can."""
    try:
        ways.access(job, os.environ)
    except BackupTrayError as error:
        return error.facts()
    return None


def _schedule_words(schedule: Schedule, now_ms: int, off: str | None) -> dict[str, Any]:
    upcoming = "" if schedule.next_ms is None else moment(schedule.next_ms, now_ms)
    promise, needs_login = reading.promise(schedule)
    return {
        "times": wording.escape("; ".join(schedule.times)),
        "by": wording.escape(schedule.title),
        "next": upcoming if off is None else f"skipped, {off}",
        "promise": promise,
        "needs_login": needs_login and not schedule.fault,
        "fault": wording.escape(schedule.fault),
        "repair": wording.escape(schedule.repair),
    }
