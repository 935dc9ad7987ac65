"""Make the menu of the icon: the answer, the alarms, the pages to open, and the controls of the run that goes on.

The entries stay the same; their texts, and which of them are shown, follow the status.
"""

from collections.abc import Callable
from typing import Protocol

from pystray import Menu, MenuItem

from tray import wording
from tray.core.model import CHECK, Control, Instance, JobStatus, LiveRun, State, Status, shown_name

MOST_ALARMS = 3
"""Jobs that are not fine and get an entry of their own in the menu; the Dashboard has all."""
_NAME_UNITS = 30
_NO_RUN = "dashboard"
"""The page about a job that never ran."""


class Actions(Protocol):
    """The actions behind the entries."""

    def open(self, page: str) -> None:
        """Open the window at *page*."""

    def control(self, control: Control, run: str) -> None:
        """Have *control* done with *run*; must not wait."""

    def check(self, job: str) -> None:
        """Start a check of *job*; must not wait."""

    def quit(self) -> None:
        """End the tray."""


class StatusMenu:
    """The entries of the menu, and the values that they show.

    Attributes:
        status: The newest status.
        lines: The answer: how all jobs are, the worst or oldest one, and the rest; the last two may be empty.
        audit: The line about the audit log.
    """

    def __init__(self, status: Status, actions: Actions) -> None:
        self.status, self._do = status, actions
        self.lines: tuple[str, str, str] = ("", "", "")
        self.audit = ""

    def menu(self) -> Menu:
        """Return the menu."""
        open_page, line = self._do.open, Menu.SEPARATOR
        return Menu(
            *(self._answer(place) for place in range(len(self.lines))),
            line,
            MenuItem("Open Dashboard", lambda *_: open_page("dashboard"), default=True),
            MenuItem(
                "Find existing backups",
                lambda *_: open_page("import"),
                visible=lambda _: self.status.state is State.NONE,
            ),
            *(self._alarm(place) for place in range(MOST_ALARMS)),
            MenuItem(
                "View last-run report",
                lambda *_: self._open("report", None if self.status.last is None else self.status.last.run),
                enabled=lambda _: self.status.last is not None,
                visible=lambda _: not self.alarms(),
            ),
            MenuItem(
                "Details (full log)",
                lambda *_: self._open("log", self.run_for_log()),
                enabled=lambda _: bool(self.run_for_log()),
            ),
            self._check(),
            self._control("Pause", Control.PAUSE, lambda run: self._do.control(Control.PAUSE, run)),
            self._control("Resume", Control.RESUME, lambda run: self._do.control(Control.RESUME, run)),
            self._control(
                "Cancel", Control.CANCEL, lambda run: open_page(f"cancel/{run}"), "…"
            ),  # the window asks first
            MenuItem(
                "Pause or cancel a run…",
                lambda *_: open_page("dashboard"),
                visible=lambda _: len(self._controllable()) > 1,
            ),
            MenuItem(
                "Messages cannot be sent", lambda *_: open_page("notifications"), visible=lambda _: self._is_unsent()
            ),
            MenuItem(lambda _: self.audit, lambda *_: open_page("audit")),
            MenuItem("Verify audit log", lambda *_: open_page("verify")),
            line,
            MenuItem("Quit", lambda *_: self._do.quit()),
        )

    def shown(self) -> tuple[object, ...]:
        """Return all that the entries depend on: when it changes, the menu must be drawn anew."""
        alarms = tuple((job.job, job.state, page) for job, page in self.alarms())
        controls = tuple((run.run, run.can) for run in self._controllable())
        nothing = self.status.state is State.NONE, self.status.last is None
        checks = tuple((job, self._is_checked(job)) for job in self._checkable())
        return self.lines, self.audit, alarms, self.run_for_log(), nothing, controls, checks, self._is_unsent()

    def alarms(self) -> list[tuple[JobStatus, str]]:
        """Return the worst jobs that are not fine, and the page about the run that each alarm is about, if there is a run."""
        if self.status.error is not None:
            return []
        listed = []
        for job in wording.bad(self.status)[:MOST_ALARMS]:
            live = next((run.run for run in self.status.runs if job.is_of(run)), None)
            if job.state is State.STALLED and live is not None:
                listed.append((job, f"log/{live}"))
            else:
                listed.append((job, _NO_RUN if job.about is None else f"report/{job.about.run}"))
        return listed

    def run_for_log(self) -> str | None:
        """Return the run that goes on, else the one that the worst alarm is about, else the last one."""
        if self.status.own_runs:
            return self.status.own_runs[0].run
        if (alarms := self.alarms()) and alarms[0][1] != _NO_RUN:
            return alarms[0][1].partition("/")[2]
        return None if self.status.last is None else self.status.last.run

    def _open(self, page: str, run: str | None) -> None:
        if run:
            self._do.open(f"{page}/{run}")

    def _answer(self, place: int) -> MenuItem:
        """Return one of the first lines, which open the Dashboard."""
        return MenuItem(
            lambda _: self.lines[place],
            lambda *_: self._do.open("dashboard"),
            visible=lambda _: bool(self.lines[place]),
        )

    def _alarm(self, place: int) -> MenuItem:
        """Return an entry that leads with one click from an alarm to the run that it is about."""

        def alarm() -> tuple[JobStatus, str] | None:
            alarms = self.alarms()
            return alarms[place] if place < len(alarms) else None

        return MenuItem(
            lambda _: "" if (shown := alarm()) is None else _alarm_text(*shown),
            lambda *_: self._do.open("dashboard" if (shown := alarm()) is None else shown[1]),
            visible=lambda _: alarm() is not None,
        )

    def _is_unsent(self) -> bool:
        """Whether a channel of messages cannot send."""
        return any(map(wording.is_about_messages, self.status.notes))

    def _checkable(self) -> list[str]:
        """Return the names of the own jobs whose checks are expected, or have proven their backups before."""
        checks = [job for job in self.status.jobs if job.kind == CHECK and job.instance is Instance.USER]
        ours = (job for job in checks if job.word is not None or job.proven is not None)
        return [job.job.removesuffix(f" ({CHECK})") for job in ours]

    def _is_checked(self, job: str) -> bool:
        """Whether a check of *job* goes on."""
        return any(shown_name(run.job, run.kind) == shown_name(job, CHECK) for run in self.status.own_runs)

    def _check(self) -> MenuItem:
        """Return the entry that checks the one job that can be checked; of several the user chooses one in the window."""

        def text(_: object) -> str:
            jobs = self._checkable()
            return (
                "Check now…"
                if len(jobs) > 1
                else f"Check now: {wording.fit(wording.escape(''.join(jobs)), _NAME_UNITS)}"
            )

        def click(*_: object) -> None:
            match self._checkable():
                case [job]:
                    self._do.check(job)
                case _:
                    self._do.open("dashboard")

        return MenuItem(
            text,
            click,
            enabled=lambda _: not all(map(self._is_checked, self._checkable())),
            visible=lambda _: bool(self._checkable()),
        )

    def _controllable(self) -> list[LiveRun]:
        return [run for run in self.status.runs if run.can]

    def _control(self, verb: str, control: Control, act: Callable[[str], None], more: str = "") -> MenuItem:
        """Return an entry for the one run that can be controlled; with several of them the Dashboard is offered instead."""

        def only() -> LiveRun | None:
            runs = self._controllable()
            return runs[0] if len(runs) == 1 else None

        def text(_: object) -> str:
            run = only()
            return verb if run is None else f"{verb} {wording.fit(wording.escape(run.job), _NAME_UNITS)}{more}"

        def click(*_: object) -> None:
            if (run := only()) is not None:
                act(run.run)

        return MenuItem(text, click, visible=lambda _: (run := only()) is not None and control in run.can)


def _alarm_text(job: JobStatus, page: str) -> str:
    """Return "Report of home (failed)", cut so that the way in which it is not fine stays; "home (never ran)" without a run."""
    head = "Log of " if page.startswith("log/") else "" if page == _NO_RUN else "Report of "
    word = f" ({wording.job_word(job).lower()})"
    room = wording.MENU_UNITS - len(head + word)
    return f"{head}{wording.fit(wording.escape(job.job), room)}{word}"
