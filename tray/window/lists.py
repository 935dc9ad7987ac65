"""Fill the two long lists, ended runs (History) and entries (Audit log), a page at a time by the form above them.

The page sends every field of the form as text, empty where the user chose nothing. Days are those of this machine's time zone, the
last one included. Reading changes nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from tray import wording
from tray.audit import search
from tray.audit.entry import Action
from tray.audit.rows import StoredEntry
from tray.audit.search import Filter, conditions
from tray.core import clock
from tray.core.errors import BadDayError, UsageError
from tray.core.model import Outcome
from tray.core.paths import Places
from tray.status import past_runs
from tray.window import bridge, verification, view

PAGE: Final = 50
Fields = Mapping[str, str]
"""A checked form: every name of `_FIELDS`."""

SPANS: Final = {"day": ("the last 24 hours", 1), "week": ("the last 7 days", 7), "month": ("the last 30 days", 30),
                "year": ("the last year", 366)}  # fmt: skip
"""Values of the field "when" besides nothing and "days" (from one day to another)."""

_MOST_CHOICES = 500
_FIELDS: Final[Mapping[str, bridge.Check]] = {
    "text": bridge.text(200),
    "when": bridge.one_of("", "days", *SPANS),
    "since": bridge.text(40),
    "until": bridge.text(40),
    "job": bridge.text(1024),
    "engine": bridge.text(1024),
    "action": bridge.text(64),
    "outcome": bridge.one_of("", *Outcome, *conditions.VERDICTS),
    "severity": bridge.one_of("", *conditions.LISTS["severity"]),
}
_KIND_OF_SEVERITY: Final = {"info": "info", "warning": "warn", "error": "fail", "critical": "tampered"}


# -- the form


def form(value: object) -> Fields:
    """Check for a form with exactly our fields (a `bridge.Check`)."""
    if not isinstance(value, dict) or value.keys() != _FIELDS.keys():
        raise ValueError(f"a filter of {', '.join(_FIELDS)} is needed")
    return {name: check(value[name]) for name, check in _FIELDS.items()}


def place(value: object) -> past_runs.Place | None:
    """Check for the `next` of a page of `runs` (a `bridge.Check`)."""
    if value is None:
        return None
    if not isinstance(value, dict) or value.keys() != {"own", "system", "waiting"}:
        raise ValueError("a place in the history is needed")
    own, system, end = value["own"], value["system"], past_runs.END
    return {
        "own": end if own == end else bridge.cursor(own),
        "system": end if system == end else bridge.number_or_none(system),
        "waiting": bridge.number(value["waiting"]),
    }


def _span(fields: Fields, now_ms: int) -> tuple[int | None, int | None]:
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
    if not fields[name].strip():
        return None
    try:
        return conditions.moment(name, fields[name], now_ms)
    except UsageError as error:
        raise BadDayError(name, fields[name], "", error.next) from error


def of_log(fields: Fields, now_ms: int) -> Filter:
    """Return the filter of the log that the form asks for.

    Raises:
        BadDayError: A day is none.
    """
    since, until = _span(fields, now_ms)
    texts = {name: fields[name] for name in ("job", "engine", "action", "outcome", "severity")}
    texts["text"] = " ".join(fields["text"].split())
    return Filter(since, until, **{name: (text,) for name, text in texts.items() if text})


def options(fields: Fields, now_ms: int) -> list[str]:
    """Return the form as options of `backup-tray report`; no value can be taken for an option of its own.

    Raises:
        BadDayError: A day is none.
    """
    given: list[tuple[str, str]] = []
    for name, value in of_log(fields, now_ms).to_json().items():
        if name.endswith("_ms"):
            given.append((name.removesuffix("_ms"), clock.to_text(value)))
        else:  # a job or an engine between double quotes is one name, commas and all
            given.append((name, f'"{value[0]}"' if name in ("job", "engine") else value[0]))
    return [f"--{name}={value}" for name, value in given]


def offered(places: Places) -> dict[str, Any]:
    """Return the choices of each list of the form, as pairs of value and words; jobs and engines are those of this log.

    Raises:
        BackupTrayError: The log cannot be read.
    """
    names = past_runs.names(places)
    return {
        "when": [["", "any time"], *([name, words] for name, (words, _) in SPANS.items()), ["days", "from … to …"]],
        **{of: [[name, wording.fit(wording.escape(name), 60)] for name in names[of][:_MOST_CHOICES]] for of in names},
        "action": [[str(action), spoken(action)] for action in sorted(Action)],
        "outcome": _capitalized(Outcome),
        "verdict": _capitalized(conditions.VERDICTS),
        "severity": _capitalized(reversed(conditions.LISTS["severity"])),
    }


def _capitalized(words: Iterable[str]) -> list[list[str]]:
    return [[str(word), word.capitalize()] for word in words]


def spoken(action: str) -> str:
    """Return an action as words: "Run finished" for run.finished."""
    return wording.escape(action.replace(".", " ").replace("_", " ")).capitalize()


# -- the lists


def runs(places: Places, fields: Fields, after: past_runs.Place | None) -> dict[str, Any]:
    """Return a page of ended runs, this user's and the system's, the newest first, and where the next page begins.

    Args:
        after: The `next` of the page before, None for the newest.

    Raises:
        BackupTrayError: The log cannot be read, or a day is none.
    """
    now = clock.now_ms()
    page = past_runs.page_from(places, of_log({**fields, "action": ""}, now), after, PAGE)
    notes = [_looked(page.looked_to_ms, now)]
    if page.system_to_ms is not None:
        when = view.absolute(page.system_to_ms, now)
        notes.append(f"The system's runs were looked through back to {when}; older ones come with the next page.")
    return {
        "rows": [view.ended(run, now) for run in page.runs],
        "next": page.next,
        "missing": wording.escape(page.missing),
        "note": " ".join(filter(None, notes)),
    }


def entries(places: Places, fields: Fields, after: Any) -> dict[str, Any]:
    """Return a page of entries, the newest first, and where the next page begins; see `runs`.

    Raises:
        BackupTrayError: The log cannot be read, or a day is none.
    """
    now = clock.now_ms()
    wanted = of_log(fields, now)
    with past_runs.reading(places) as log:
        if log is None:
            return {"rows": [], "next": None, "note": ""}
        page = search.search(log, wanted, limit=PAGE, after=after, recorded=True)
    return {
        "rows": [_row(entry, now) for entry in page.entries],
        "next": None if page.next is None else list(page.next),
        "note": _looked(page.looked_to_ms, now),
    }


def _looked(to_ms: int | None, now_ms: int) -> str:
    """Say how far a search got that was ended before it had read everything; "" if it read everything."""
    if to_ms is None:
        return ""
    when = view.absolute(to_ms, now_ms)
    return f"There was no time to look at everything: only back to {when}. Older goes on from there."


def _row(entry: StoredEntry, now: int) -> dict[str, Any]:
    data = entry.data
    moment = clock.from_text(data["time"])
    return {
        "seq": entry.seq,
        "number": wording.count(entry.seq),
        "at": view.absolute(moment, now),
        "utc": wording.both_times(moment),
        "action": spoken(data["action"]),
        "result": result(data),
        "severity": "" if data["severity"] in ("info", data["result"]) else wording.escape(data["severity"] or ""),
        "kind": kind(data),
        "job": wording.escape(data["job"] or ""),
        "actor": wording.escape(data["actor"] or ""),
        "erased": entry.erased,
    }


def result(data: Mapping[str, Any]) -> str:
    """Return the result of an entry, "" where the action's own words say it: "Run started" has started."""
    word = wording.escape(data["result"] or "")
    return "" if word == "done" or word in spoken(data["action"]) else word


def kind(data: Mapping[str, Any]) -> str:
    """Return the shape of an entry: by the result of a run or a verification, of anything else by its severity."""
    if data["action"] in ("run.finished", "run.closed"):
        return view.kind_of(data["result"])
    if data["action"] == "audit.verified" and data["result"] in verification.RESULTS:
        return verification.RESULTS[data["result"]][0]
    return _KIND_OF_SEVERITY.get(data["severity"], "unknown")
