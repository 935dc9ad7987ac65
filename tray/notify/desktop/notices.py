"""Turn a message into notices of the desktop: the words, the urgency and the buttons of each, and the notices that it makes go.

There is one notice for each job: its next event takes the place of the one before. A message about many jobs becomes one notice for
all of them. Specification: freedesktop.org, Desktop Notifications 1.2.
"""

from collections.abc import Callable, Collection
from pathlib import Path

from tray.core.dataclass import dataclass, replace
from tray.core.model import Instance, State, Status
from tray.core.model.events import Event, EventKind, Message
from tray.core.paths import assets
from tray.wording import count, fit, markup, messages

NORMAL, CRITICAL = 1, 2
"""Values of the hint "urgency"; nothing of ours is of low urgency, which GNOME does not show."""
DEFAULT = "default"
"""The key of the action that a click on the notice itself means; not every desktop has it."""
_NO_DEFAULT = ("Xfce Notify Daemon",)
"""Programs that show the action `DEFAULT` as one more button, which would stand there twice."""
MOST_APART = 3
"""A message about more jobs than this becomes one notice for all of them."""
SUMMARY = "summary"
MOST_LINES = 4
LINE_UNITS = 240

_STATES = {
    EventKind.FAILURE: State.FAILED,
    EventKind.OVERDUE: State.OVERDUE,
    EventKind.WARNING: State.WARNING,
    EventKind.CHANNEL: State.WARNING,
    EventKind.REMINDER: State.WARNING,
    EventKind.BREACH: State.TAMPERED,
    EventKind.RECOVERED: State.OK,
    EventKind.SUCCESS: State.OK,
}
PICTURED = tuple(dict.fromkeys(_STATES.values()))
"""The states that have a picture for notices; `assets/draw_icons.py` drew them."""
_ORDER = tuple(dict.fromkeys((*_STATES, *EventKind)))
_LOGO = "backup-tray-48.png"
_GOOD = (EventKind.RECOVERED, EventKind.SUCCESS)
_BAD = (EventKind.FAILURE, EventKind.WARNING, EventKind.OVERDUE)
_DASHBOARD = "dashboard"


@dataclass(frozen=True, slots=True)
class Action:
    """A button of a notice.

    Attributes:
        key: The desktop sends it back when the user presses the button.
        label: The text of the button.
        command: The command of this program that it starts.
    """

    key: str
    label: str
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice.

    Attributes:
        key: The subject, such as a job: the next notice of the same key takes its place.
        title: One line of plain text.
        body: Several lines of plain text.
        urgency: `NORMAL` or `CRITICAL`; a desktop shows a critical one also when the user does not want to be disturbed.
        kind: The kind of its events, or of the worst of them.
        actions: The most important first, since GNOME shows only three.
        passing: It is not worth being kept once it was shown.
    """

    key: str
    title: str
    body: str
    urgency: int
    kind: EventKind
    actions: tuple[Action, ...]
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Abilities:
    """The abilities of the program that shows notices.

    Attributes:
        capabilities: The answer to `GetCapabilities`.
        program: Its name, as in `GetServerInformation`.
        quiet: The user does not want to be disturbed; only a breach is critical then.
    """

    capabilities: Collection[str] = ()
    program: str = ""
    quiet: bool = False


RunAgain = Callable[[Event], Collection[str]]
"""Returns the command that makes the backup, or the check, of an event's job once more; nothing if there is none."""


def of(message: Message, now_ms: int, run_again: RunAgain) -> tuple[list[Notice], set[str]]:
    """Return the notices that *message* asks for, and the keys of notices that must go without another in their place."""
    latest: dict[str, Event] = {}
    for event in message.events:
        latest.pop(key := subject(event), None)
        latest[key] = event
    gone = {key for key, event in latest.items() if event.kind is EventKind.CLEARED}
    shown = {key: event for key, event in latest.items() if key not in gone}
    if len(shown) > MOST_APART:
        together = [key for key, event in shown.items() if event.kind is not EventKind.BREACH]
        events = sorted((shown.pop(key) for key in together), key=lambda event: _ORDER.index(event.kind))
        gone.update(together)
        last = [_summary(replace(message, events=tuple(events)), now_ms)] if events else []
    else:
        last = []
    return [_notice(replace(message, events=(event,)), now_ms, run_again) for event in shown.values()] + last, gone


def still_true(message: Message, status: Status) -> Message:
    """Return *message* with the events as ended whose job has made a good backup since, and is fine by *status*."""
    fine = {
        (job.instance, job.job): job.last_good.finished_ms
        for job in status.jobs
        if job.last_good is not None and job.state is State.OK and status.error is None
    }
    events = (
        replace(event, kind=EventKind.CLEARED)
        if event.kind in _BAD and fine.get((event.instance, event.job or ""), 0) > event.at_ms
        else event
        for event in message.events
    )
    return replace(message, events=tuple(events))


def subject(event: Event) -> str:
    """Return the key of the notices about an event: the same for all events of a job, and of the status itself."""
    if event.kind is EventKind.BREACH:
        return f"{event.instance} {EventKind.BREACH}"
    if event.job is None and event.kind in (EventKind.FAILURE, EventKind.RECOVERED):
        return "status"
    return f"{event.instance} job {event.job}" if event.job is not None else event.kind


Hints = dict[str, tuple[str, object]]
"""The hints of a call by name, each with its D-Bus type."""


def plain(title: str, text: str) -> Notice:
    """Return a notice without buttons, about something that the user has just clicked."""
    return Notice("", title, _cut(text.split("\n")), NORMAL, EventKind.CHANNEL, (), passing=True)


def call(notice: Notice, able: Abilities) -> tuple[str, str, str, list[str], Hints]:
    """Return picture, title, body, actions and hints of the call `Notify`, each as this desktop can show it."""
    urgency = notice.urgency
    if able.quiet and notice.kind is not EventKind.BREACH:
        urgency = min(urgency, NORMAL)
    hints: Hints = {
        "urgency": ("y", urgency),
        "category": ("s", _category(notice.kind)),
        "desktop-entry": ("s", "backup-tray"),
    }
    if notice.passing:
        hints["transient"] = ("b", True)
    if able.quiet:
        hints["suppress-sound"] = ("b", True)
    body = markup(notice.body) if "body-markup" in able.capabilities else notice.body
    buttons = [action for action in notice.actions if action.key != DEFAULT or able.program not in _NO_DEFAULT]
    actions = [text for action in buttons for text in (action.key, action.label)]
    return icon(notice), notice.title, body, actions if "actions" in able.capabilities else [], hints


def _notice(message: Message, now_ms: int, run_again: RunAgain) -> Notice:
    """Return the notice about the one event of *message*."""
    (event,) = message.events
    lines = messages.text(message, now_ms).split("\n")
    return Notice(
        subject(event),
        messages.title(message),
        _cut(lines) if event.facts.get("lines") else _cut(lines[:MOST_LINES]),
        CRITICAL if event.kind in (EventKind.BREACH, EventKind.OVERDUE) else NORMAL,
        event.kind,
        _actions(event, tuple(run_again(event))),
        passing=event.kind in (*_GOOD, EventKind.TEST),
    )


def _summary(message: Message, now_ms: int) -> Notice:
    """Return one notice for all events of *message*."""
    events = message.events
    lines = [messages.line(event, now_ms) for event in events]
    good = all(event.kind in _GOOD for event in events)
    return Notice(
        SUMMARY,
        messages.title(message),
        _cut(lines),
        CRITICAL if any(event.kind is EventKind.OVERDUE for event in events) else NORMAL,
        events[0].kind,
        _open(("dashboard", "Open Dashboard", _DASHBOARD)),
        passing=good,
    )


def _cut(lines: list[str]) -> str:
    """Return the first lines, each cut, and how many more there are."""
    more = [f"… and {count(len(lines) - MOST_LINES)} more"] if len(lines) > MOST_LINES else []
    return "\n".join([*(fit(line, LINE_UNITS) for line in lines[:MOST_LINES]), *more])


def picture(state: State) -> Path:
    """Return the file of the picture that a notice about *state* has."""
    return assets() / "icons" / f"notice-{state.value}.png"


def icon(notice: Notice) -> str:
    """Return the address of the picture of *notice*."""
    state = _STATES.get(notice.kind)
    return (assets() / "icons" / _LOGO if state is None else picture(state)).as_uri()


def _category(kind: EventKind) -> str:
    if kind in _GOOD:
        return "transfer.complete"
    return "transfer.error" if kind in _BAD else f"x-backup-tray.{kind}"


def _open(*pages: tuple[str, str, str | None]) -> tuple[Action, ...]:
    """Return buttons, each by key, label and page, for the pages that exist; a click on the notice opens the first one."""
    buttons = [Action(key, label, ("window", page)) for key, label, page in pages if page is not None]
    return (replace(buttons[0], key=DEFAULT), *buttons)


def _actions(event: Event, again: tuple[str, ...]) -> tuple[Action, ...]:
    if event.kind is EventKind.BREACH:
        return _open(("audit", "Look At It", "audit"), ("verify", "Verify Again", "verify"))
    report = None if event.run is None else messages.page_of(event)
    job = messages.job_page(event)
    if event.kind in _GOOD or event.kind not in _BAD or not (report or job):
        return _open(("report", "View Report", report), ("dashboard", "Open Dashboard", None if report else _DASHBOARD))
    pages = _open(("report", "View Report", report), ("job", "Details", job))
    label = "Run Again" if event.run is not None else "Back Up Now"
    more: tuple[Action, ...] = (Action("run", label, again),) if again else ()
    if event.instance is Instance.USER and event.job is not None:
        more += (Action("snooze", "Snooze 1 Day", ("notify", "snooze", "--", event.job)),)
    return (*pages[:2], *more, *pages[2:])
