"""Give every surface the same status: tray, window and terminal poll or follow this one source.

It keeps its connections between polls, reads again only what changed, and judges again only if something did, so a poll costs
next to nothing. An error never escapes: it is part of the status, with the last good data marked by its age. Run folders are read
before the log, so that a run that ends in between is found in one or the other.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from tray.core import clock
from tray.core.dataclass import replace
from tray.core.errors import BackupTrayError, StatusFetchError, UnexpectedError
from tray.core.model import Expected, JobHistory, LiveRun, Status, judge
from tray.core.paths import Places
from tray.recording.outage import Outage
from tray.status import renamed
from tray.status.expected import Expectations
from tray.status.job_histories import History
from tray.status.kept_files import Repositories, Settings, Standing, Unsent
from tray.status.live import Live
from tray.status.schedules import Schedules
from tray.status.system_status import SystemStatus

POLL_SECONDS = 1.0
HEARTBEAT_SECONDS = 10.0
"""The status is judged anew, and `follow` yields it, at least this often, so that ages on screen stay true."""


class StatusSource:
    """The source of the status for one surface.

    Args:
        role: tray, window or cli, for the tracker's `hello`.
        start_tracker: Start a tracker when none answers; one that is gone for good then makes the status unavailable.
        system: Show the status of the system-wide instance beside it, where there is one.
    """

    def __init__(self, places: Places, *, role: str, start_tracker: bool, system: bool = True) -> None:
        self._live = Live(places, role, start_tracker)
        self._system = SystemStatus(role) if system else None
        self._history = History(places)
        self._repositories = Repositories(places)
        self._standing = Standing(places)
        self._expectations = Expectations(places)
        self._settings = Settings(places)
        self._schedules = Schedules(places)
        self._unsent = Unsent(places)
        self._files = self._repositories, self._standing, self._settings, self._schedules, self._unsent
        self._outage = Outage(places)
        self._good: Status | None = None
        self._marks: object = None

    def poll(self) -> Status:
        """Return the status now: the very same object while nothing changed, at most `HEARTBEAT_SECONDS`.

        Never raises: a failure is in `Status.error`.
        """
        return self._now(self._live.ask)

    def follow(self, stop: threading.Event) -> Iterator[Status]:
        """Yield the status at once and then on every change, until *stop* is set (noticed within half a second)."""
        before: Status | None = None
        heartbeat = 0.0
        while not stop.is_set():
            now = self._now(self._live.hear)
            same = before is not None and replace(now, as_of_ms=before.as_of_ms) == before
            if not same or clock.monotonic() >= heartbeat:
                heartbeat = clock.monotonic() + HEARTBEAT_SECONDS
                before = now
                yield now
            self._live.wait(POLL_SECONDS / 2, None if self._system is None else self._system.fileno())

    def close(self) -> None:
        """Give back connections and files."""
        self._live.close()
        self._history.close()
        if self._system is not None:
            self._system.close()

    def _now(self, ask: Callable[[], dict[str, LiveRun]]) -> Status:
        """Return the status; a mistake of ours anywhere makes it unavailable, and the last good one never stays."""
        try:
            return self._beside(self._judge(ask))
        except Exception as error:
            return self._unavailable(UnexpectedError(error), clock.now_ms())

    def _beside(self, own: Status) -> Status:
        """Return the user's own status together with the system's."""
        if self._system is None:
            return own
        self._system.poll()
        return self._system.beside(own)

    def _judge(self, ask: Callable[[], dict[str, LiveRun]]) -> Status:
        now = clock.now_ms()
        tracked: dict[str, LiveRun] = {}
        silent: StatusFetchError | None = None
        try:
            try:
                tracked = ask()
            except StatusFetchError as error:  # the past is shown all the same, beside the error
                silent = error
                self._outage.began(error)
            folders = self._live.folders(tracked)
            marks = self._live.changes, self._history.refresh(), *(file.read() for file in self._files)
            if silent is None and not any(folders) and (same := self._unchanged(marks, now)) is not None:
                return same
            self._history.follow(self._settings.configured.owners)
            jobs, notes, ended = self._history.past(set(tracked) | set(folders.live), folders.over)
            going = [run for run in {**folders.live, **tracked}.values() if run.run not in ended]
            live = renamed.live(going, self._history.names)
            expected = self._expectations.of(jobs, self._history, self._settings, live, now)
        except BackupTrayError as error:
            return self._unavailable(error, now)
        except OSError as error:  # such as a state folder that belongs to another user
            return self._unavailable(StatusFetchError(f"{error.filename or 'A file'}: {error.strerror or error}."), now)
        status = self._judged(now, live, jobs, notes, expected, silent)
        if silent is None:
            self._good, self._marks = status, marks
            self._outage.over()
        return status

    def _unchanged(self, marks: object, now: int) -> Status | None:
        """Return the last good status if nothing changed since, nor can an age in it have become wrong."""
        good = self._good
        fresh = good is not None and 0 <= now - good.as_of_ms < HEARTBEAT_SECONDS * 1000
        return good if fresh and marks == self._marks else None

    def _judged(
        self,
        now: int,
        live: list[LiveRun],
        jobs: list[JobHistory],
        notes: list[str],
        expected: Mapping[tuple[str, str], Expected],
        silent: StatusFetchError | None,
    ) -> Status:
        """Judge the past and the present together."""
        begun = self._history.begun_ms
        return judge.judge(
            now,
            live,
            jobs,
            error=None if silent is None else silent.facts(),
            notes=[
                *self._settings.notes,
                *self._schedules.notes,
                *self._unsent.notes(self._settings.channels, now),
                *notes,
                *self._live.notes,
                *self._repositories.notes(now),
                *self._standing.notes(now, begun, self._settings.audit.verify_every_ms),
            ],
            doubt=self._settings.doubtful
            or self._history.in_doubt(now)
            or self._repositories.doubtful
            or self._standing.doubtful(begun),
            concerns={
                **self._repositories.concerns(jobs, self._history.names.present),
                **self._settings.concerns(),
            },
            expected=expected,
            repositories=self._repositories.states(jobs),
            audit=self._standing.audit,
        )

    def _unavailable(self, error: BackupTrayError, now: int) -> Status:
        self._marks = None
        if not isinstance(error, StatusFetchError):
            error = StatusFetchError(f"{error.what} {error.why}".strip(), error.next)
        with suppress(Exception):  # the answer must come, whatever is broken
            self._outage.began(error)
        with suppress(Exception):  # a log that cannot be read may have been destroyed, and the alarm goes on
            self._standing.read()
        return judge.unavailable(error.facts(), now, self._good, self._standing.audit)
