"""What the pages History and Audit log are filtered by: the fields of their form, checked, as a filter of the log.

The page sends every field as text, empty where nothing was chosen. Days are those of this machine's time zone, the last one
included.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from tray import wording
from tray.core import clock
from tray.core.errors import BadDayError, UsageError
from tray.core.model import EndedRun, Outcome
from tray.window import bridge

if TYPE_CHECKING:
    from tray.audit.search.conditions import Filter

Fields = Mapping[str, str]
"""A checked form: every name of `_FIELDS`."""

SPANS: Final = {"day": ("the last 24 hours", 1), "week": ("the last 7 days", 7), "month": ("the last 30 days", 30),
                "year": ("the last year", 366)}  # fmt: skip
"""What "when" can be besides nothing and "days" (from one day to another)."""
VERDICTS: Final = ("intact", "tampered", "inconclusive")
_MOST_CHOICES = 500
_FIELDS: Final[Mapping[str, bridge.Check]] = {
    "text": bridge.text(200),
    "when": bridge.one_of("", "days", *SPANS),
    "since": bridge.text(40),
    "until": bridge.text(40),
    "job": bridge.text(1024),
    "engine": bridge.text(1024),
    "action": bridge.text(64),
    "outcome": bridge.one_of("", *Outcome, *VERDICTS),
    "severity": bridge.one_of("", "info", "warning", "error", "critical"),
}


def form(value: object) -> Fields:
    """Check for a form with exactly our fields (a `bridge.Check`)."""
    if not isinstance(value, dict) or value.keys() != _FIELDS.keys():
        raise ValueError(f"a filter of {', '.join(_FIELDS)} is needed")
    return {name: check(value[name]) for name, check in _FIELDS.items()}


def span(fields: Fields, now_ms: int) -> tuple[int | None, int | None]:
    """Return from when on and until when (that moment not included) the form asks.

    Raises:
        BadDayError: A time cannot be read, or the last one lies before the first.
    """
    if fields["when"] in SPANS:
        return now_ms - SPANS[fields["when"]][1] * clock.DAY_MS, None
    if fields["when"] != "days":
        return None, None
    since, until = _moment(fields, "since", now_ms), _moment(fields, "until", now_ms)
    begin, end = None if since is None else since[0], None if until is None else until[1]
    if begin is not None and end is not None and end <= begin:
        raise BadDayError("until", fields["until"], "It lies before the first day.", "")
    return begin, end


def _moment(fields: Fields, name: str, now_ms: int) -> tuple[int, int] | None:
    """Read a time as every surface does (`conditions.moment`)."""
    from tray.audit.search import conditions

    if not fields[name].strip():
        return None
    try:
        return conditions.moment(name, fields[name], now_ms)
    except UsageError as error:
        raise BadDayError(name, fields[name], "", error.next) from error


def of_log(fields: Fields, now_ms: int, *, ends: bool = False) -> "Filter":
    """Return the filter of the log that the form asks for.

    Args:
        ends: Only ends of runs, whatever action the form names.

    Raises:
        BadDayError: A day is none.
    """
    from tray.audit.entry import ENDS
    from tray.audit.search.conditions import Filter

    since, until = span(fields, now_ms)
    action = tuple(map(str, ENDS)) if ends else _one(fields["action"])
    return Filter(
        since_ms=since,
        until_ms=until,
        job=_one(fields["job"]),
        engine=_one(fields["engine"]),
        action=action,
        outcome=_one(fields["outcome"]),
        severity=_one(fields["severity"]),
        text=_one(" ".join(fields["text"].split())),
    )


def _one(text: str) -> tuple[str, ...] | None:
    return (text,) if text else None


def of_run(fields: Fields, run: EndedRun, now_ms: int) -> bool:
    """Whether a run that is not in the log (it waits in a spool, or is the system's) is one that the form asks for."""
    from tray.audit.search import conditions

    wanted = of_log(fields, now_ms)
    texts = filter(None, (run.job, run.engine, run.repository, run.reason, run.kind, run.outcome, run.user))
    return (
        (wanted.since_ms is None or run.finished_ms >= wanted.since_ms)
        and (wanted.until_ms is None or run.finished_ms < wanted.until_ms)
        and fields["job"] in ("", run.job)
        and fields["engine"] in ("", run.engine)
        and fields["outcome"] in ("", run.outcome)
        and (not wanted.phrases() or wanted.reads({word for text in texts for word in conditions.words(text)}))
    )


def options(fields: Fields, now_ms: int) -> list[str]:
    """Return the form as options of `backup-tray report`; no value can be taken for an option of its own.

    Raises:
        BadDayError: A day is none.
    """
    since, until = span(fields, now_ms)
    given = {
        "since": None if since is None else clock.to_text(since),
        "until": None if until is None else clock.to_text(until),
        **{name: f'"{fields[name]}"' if fields[name] else "" for name in ("job", "engine")},  # one name, commas and all
        **{name: fields[name] for name in ("action", "outcome", "severity")},
        "text": " ".join(fields["text"].split()),
    }
    return [f"--{name}={value}" for name, value in given.items() if value]


def choices(jobs: list[str], engines: list[str]) -> dict[str, Any]:
    """Return what each list of the form offers, as pairs of value and words."""
    from tray.audit.entry import Action

    return {
        "when": [["", "any time"], *([name, words] for name, (words, _) in SPANS.items()), ["days", "from … to …"]],
        "job": _listed(jobs),
        "engine": _listed(engines),
        "action": [[str(one), spoken(one)] for one in sorted(Action)],
        "outcome": [[str(one), one.capitalize()] for one in Outcome],
        "verdict": [[one, one.capitalize()] for one in VERDICTS],
        "severity": [[one, one.capitalize()] for one in ("critical", "error", "warning", "info")],
    }


def _listed(names: list[str]) -> list[list[str]]:
    return [[name, wording.fit(wording.escape(name), 60)] for name in sorted(names)[:_MOST_CHOICES]]


def spoken(action: str) -> str:
    """Return an action as words: "Run finished" for run.finished."""
    return wording.escape(action.replace(".", " ").replace("_", " ")).capitalize()
