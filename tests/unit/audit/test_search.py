"""Searching the log finds the same entries as reading every entry would, in the same order, page by page."""

import json
import re
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.audit.help import end, filled, start, tamper, writer
from tray.audit.entry import ENDS, Action, Draft, Severity
from tray.audit.rows import StoredEntry
from tray.audit.schema import FACET, MOMENT
from tray.audit.search import Filter, Page, index_fill, jobs, latest, search
from tray.audit.search import by_facets as reading
from tray.audit.search.conditions import LISTS, moment, parse
from tray.audit.store import AuditLog
from tray.core import clock
from tray.core.errors import UsageError
from tray.core.model import Outcome
from tray.core.paths import Places

NOW = clock.from_text("2026-11-23T12:34:56.789Z")
BERLIN = ZoneInfo("Europe/Berlin")

JOBS = [None, "home", 'o"d, [d]', "Bücher", "home\u001f", "z' OR 1"]
TEXTS = [
    "permission denied",
    "/srv/backup/home",
    "saved all",
    "sav",
    "home_2 file-77",
    "OR AND NOT NEAR",
    '"* (',
    "x" * 70,
]
DRAFTS = st.builds(
    Draft,
    action=st.sampled_from(
        [Action.RUN_FINISHED, Action.RUN_CLOSED, Action.JOB_SEEN, Action.RUN_STARTED, Action.STATUS_ERROR]
    ),
    time_ms=st.integers(0, 12).map(lambda step: 1_700_000_000_000 + step * 250),
    actor=st.sampled_from(["root (0) on host", "Ann (7) on host"]),
    result=st.sampled_from(["succeeded", "failed", "warning", "of a newer version"]),
    severity=st.sampled_from(list(Severity)),
    job=st.sampled_from(JOBS),
    engine=st.sampled_from([None, "restic", "borg"]),
    kind=st.sampled_from([None, "backup", "check"]),
    source=st.sampled_from([None, "wrapped", "observed"]),
    body=st.none() | st.fixed_dictionaries({"reason": st.sampled_from(TEXTS), "deep": st.just([{"a": ["nested"]}, 7])}),
)


def some(*values: str) -> st.SearchStrategy[tuple[str, ...] | None]:
    """None, or some of the values."""
    return st.none() | st.lists(st.sampled_from(values), min_size=1, max_size=3).map(tuple)


TIMES = st.none() | st.integers(1_700_000_000_000 - 100, 1_700_000_003_100)
FILTERS = st.builds(
    Filter,
    since_ms=TIMES,
    until_ms=TIMES,
    job=some("home", 'o"d, [d]', "Bücher", "home\u001f", "none such"),
    engine=some("restic", "borg"),
    action=some("run.finished", "run.closed", "job.seen", "log.created"),
    outcome=some("succeeded", "failed", "unknown"),
    severity=some(*Severity),
    kind=some("backup", "check"),
    source=some("wrapped", "observed"),
    text=some(
        "",
        "permission",
        "deni",
        "home sav",
        "nested",
        "sa",
        "all saved",
        "xxxx",
        "or and",
        '"*" NOT (',
        "root",
        "77 file",
    ),
)


def holds(wanted: Filter, entry: StoredEntry) -> bool:
    """The naive answer, written without anything of the search."""
    data, at = entry.data, clock.from_text(entry.data["time"])
    outcome = data["result"]
    if data["action"] in ENDS and outcome not in list(Outcome):
        outcome = "unknown"
    values = {**data, "outcome": outcome}
    there = {word for text in texts(entry) for word in re.findall("[a-z0-9]+", plain(text))}
    asked = [re.findall("[a-z0-9]+", plain(text)) for text in wanted.text or ()]
    return (
        (wanted.since_ms is None or wanted.since_ms <= at)
        and (wanted.until_ms is None or at < wanted.until_ms)
        and all(
            getattr(wanted, name) is None or values[name] in getattr(wanted, name)
            for name in ("job", "engine", "action", "outcome", "severity", "kind", "source")
        )
        and (
            not any(asked)
            or any(
                phrase
                and all(
                    word in there or (len(word) > 2 and any(one.startswith(word) for one in there)) for word in phrase
                )
                for phrase in asked
            )
        )
    )


def plain(text: str) -> str:
    """Lower case, without the one accent that the drafts have."""
    return text.lower().replace("ü", "u")


def texts(entry: StoredEntry) -> Iterator[str]:
    """Return the texts that people read in an entry."""
    yield from (
        entry.data[name] or "" for name in ("action", "actor", "engine", "job", "kind", "result", "severity", "source")
    )
    stack: list[Any] = [entry.body or {}]
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping | list):
            stack += value.values() if isinstance(value, Mapping) else value


def order(entry: StoredEntry) -> tuple[int, int]:
    """Return the key that entries are sorted by."""
    return clock.from_text(entry.data["time"]), entry.seq


def pages(log: AuditLog, wanted: Filter, limit: int, **more: Any) -> list[Page]:
    """All pages, one after the other."""
    found = [search(log, wanted, limit, **more)]
    while found[-1].next is not None:
        found.append(search(log, wanted, limit, found[-1].next, **more))
    return found


def numbers(found: Sequence[Page]) -> list[int]:
    """The entries of all pages."""
    return [entry.seq for page in found for entry in page.entries]


def home(folder: str) -> Places:
    """Places in a folder of their own, since one test makes many logs."""
    return Places(*[Path(folder)] * 4)


@settings(max_examples=60, deadline=None)
@given(drafts=st.lists(DRAFTS, max_size=40), known=st.integers(0, 40), wanted=st.lists(FILTERS, min_size=1, max_size=12),
       limit=st.integers(1, 9), rounds=st.integers(0, 20), near=st.integers(1, 30))  # fmt: skip
def test_a_search_finds_what_reading_every_entry_would_find(
    drafts: list[Draft], known: int, wanted: list[Filter], limit: int, rounds: int, near: int
) -> None:
    """Whatever is in the log and whatever is asked, with an index of words that is missing, half made, old or complete."""
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(index_fill, "BATCH", 3),
        mock.patch.object(reading, "SCAN", near),
    ):
        here = home(folder)
        with AuditLog.open(here.audit_db, here.audit_key) as log:
            log.append(drafts[:known])
            for _ in range(rounds):
                index_fill.update(here, seconds=0)
            log.append(drafts[known:])
            for _ in range(rounds // 4):
                index_fill.update(here, seconds=0)
            everything = sorted(log.entries(0, 1000), key=order, reverse=True)
            for asked in wanted:
                found = pages(log, asked, limit)
                expected = [entry.seq for entry in everything if holds(asked, entry)]
                assert numbers(found) == expected
                by_number = expected if asked.phrases() else sorted(expected, reverse=True)
                assert numbers(pages(log, asked, limit, recorded=True)) == by_number
                assert all(len(page.entries) == limit for page in found[:-1])
                assert all(page.looked_to_ms is None for page in found)


@settings(max_examples=40, deadline=None)
@given(drafts=st.lists(DRAFTS, max_size=40), near=st.integers(0, 9))
def test_the_newest_of_each_job_is_what_reading_every_entry_would_say(drafts: list[Draft], near: int) -> None:
    """Whichever way is taken, and whatever times the entries have: the place in the log decides."""
    there: dict[tuple[str, str, str], list[int]] = {}
    with tempfile.TemporaryDirectory() as folder, mock.patch.multiple(latest, NEAR=near):
        here = home(folder)
        with AuditLog.open(here.audit_db, here.audit_key) as log:
            log.append(drafts)
            for entry in log.entries(0, 1000):
                data = entry.data
                if data["job"] is None:
                    continue
                kind = data["kind"] or ""
                kinds = ["s"] if data["action"] == Action.JOB_SEEN else []
                if data["action"] in ENDS:
                    closed = data["action"] == Action.RUN_CLOSED
                    kind = kind or "backup"
                    kinds = ["closed" if closed else "finished"]
                    kinds += ["c" if closed else "f"] if data["result"] != "cancelled" else []
                    kinds += ["good"] if data["result"] in ("succeeded", "warning") else []
                for what in kinds:
                    there.setdefault((what, data["job"], kind), []).append(entry.seq)
            with log._snapshot() as connection:
                found = jobs.Latest(connection, (*ENDS, "job.seen", "job.forgotten"), jobs._keys)
                found.read()
                newest = found.known
                counted = {key: found.count([key], 5) for key in newest}
    assert newest == {key: max(numbers) for key, numbers in there.items()}
    assert counted == {key: sum(number > 5 for number in numbers) for key, numbers in there.items()}


def test_pages_do_not_move_while_others_append(places: Places) -> None:
    """Who turns the pages sees each entry once, whatever is appended meanwhile, before or after where they are."""
    filled(places, 12)
    wanted = Filter(action=("run.finished",))
    with writer(places) as log:
        expected = numbers(pages(log, wanted, 100))
        seen: list[int] = []
        page = search(log, wanted, 5)
        while True:
            seen += [entry.seq for entry in page.entries]
            log.append([end(), start()])
            if page.next is None:
                break
            page = search(log, wanted, 5, page.next)
    assert seen == expected


def test_the_entries_of_one_moment_come_by_their_number(places: Places) -> None:
    """A thousand entries of the same millisecond are told apart, and no page loses or repeats one."""
    with writer(places) as log:
        log.append([end(f"r{number}", time_ms=NOW) for number in range(1000)])
        assert numbers(pages(log, Filter(job=("home",)), 7)) == list(range(1001, 1, -1))
        assert numbers(pages(log, Filter(until_ms=NOW + 1, since_ms=NOW), 300)) == list(range(1001, 1, -1))


def test_both_ways_are_taken_by_index(places: Places) -> None:
    """A million entries are neither walked through nor sorted: SQLite seeks in the index and follows its order."""
    filled(places, 3)
    asked: list[str] = []
    with AuditLog.read(places.audit_db) as log:
        connection = log._live()
        connection.set_trace_callback(asked.append)
        pages(log, Filter(severity=("info",)), 1)
        pages(log, Filter(), 1)
        connection.set_trace_callback(None)
        plans = {
            plan[3]
            for query in asked
            if "INDEXED BY" in query
            for plan in connection.execute(f"EXPLAIN QUERY PLAN {query}")
        }
    usual = {
        "SEARCH entries USING INDEX facet (<expr>>? AND <expr><?)",
        "SEARCH entries USING INDEX facet (<expr>=? AND <expr>>? AND <expr><?)",
        "SEARCH entries USING INDEX at (<expr>>? AND <expr><?)",
    }
    of_one_moment = {
        "SEARCH entries USING INDEX at (<expr>=? AND rowid<?)",
        "SEARCH entries USING INDEX facet (<expr>=? AND <expr>=? AND rowid<?)",
    }
    assert usual <= plans <= usual | of_one_moment


def test_an_end_that_this_version_does_not_know_is_found_as_unknown(places: Places) -> None:
    """A search for unknown finds the ends that the history shows as unknown."""
    with writer(places) as log:
        log.append([end(), end(outcome=Outcome.UNKNOWN)])
    tamper(
        places, "UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), '\"succeeded\"', '\"sublime\"') AS BLOB)"
    )
    with AuditLog.read(places.audit_db) as log:
        assert numbers(pages(log, Filter(outcome=("unknown",)), 9)) == [3, 2]


# -- what people write


@pytest.mark.parametrize(
    ("text", "begin", "last"),
    [
        ("2026-11-01", "2026-10-31T23:00:00.000Z", "2026-11-01T23:00:00.000Z"),
        ("2026-3-29", "2026-03-28T23:00:00.000Z", "2026-03-29T22:00:00.000Z"),
        ("2026-10-25", "2026-10-24T22:00:00.000Z", "2026-10-25T23:00:00.000Z"),
        ("2026-12", "2026-11-30T23:00:00.000Z", "2026-12-31T23:00:00.000Z"),
        ("2026", "2025-12-31T23:00:00.000Z", "2026-12-31T23:00:00.000Z"),
        ("2026-11-01 14:30", "2026-11-01T13:30:00.000Z", "2026-11-01T13:31:00.000Z"),
        ("2026-11-01T14:30:05", "2026-11-01T13:30:05.000Z", "2026-11-01T13:30:06.000Z"),
        ("2026-11-01T14:30:05Z", "2026-11-01T14:30:05.000Z", "2026-11-01T14:30:06.000Z"),
        ("2026-11-01 14:30+02:00", "2026-11-01T12:30:00.000Z", "2026-11-01T12:31:00.000Z"),
        ("2026-11-01T14:30:05.250Z", "2026-11-01T14:30:05.250Z", "2026-11-01T14:30:05.250Z"),
        ("today", "2026-11-22T23:00:00.000Z", "2026-11-23T23:00:00.000Z"),
        (" Yesterday ", "2026-11-21T23:00:00.000Z", "2026-11-22T23:00:00.000Z"),
        ("now", "2026-11-23T12:34:56.789Z", "2026-11-23T12:34:56.789Z"),
        ("7d", "2026-11-16T12:34:56.789Z", "2026-11-16T12:34:56.789Z"),
        ("2 weeks ago", "2026-11-09T12:34:56.789Z", "2026-11-09T12:34:56.789Z"),
        ("90min", "2026-11-23T11:04:56.789Z", "2026-11-23T11:04:56.789Z"),
    ],
)  # fmt: skip
def test_a_time_is_read_as_people_mean_it(text: str, begin: str, last: str) -> None:
    """Days begin and end at midnight where the reader lives, also when the clocks change; "7d" is one moment."""
    assert [clock.to_text(ms) for ms in moment("--since", text, NOW, BERLIN)] == [begin, last]


@pytest.mark.parametrize(
    "text",
    ["", "tomorrowish", "2026-13-01", "2026-02-30", "7 lightyears", "2026-11-01 25:00", "0000-01-01", "1-1-1", "٣d"],
)
def test_what_is_no_time_is_said_with_examples(text: str) -> None:
    """A slip in a date is never taken for another date: it is an error that shows how to write one."""
    with pytest.raises(UsageError) as caught:
        moment("--since", text, NOW, BERLIN)
    assert "--since" in caught.value.what
    assert "7d" in caught.value.next


@given(text=st.text(max_size=30))
def test_no_text_breaks_the_reading_of_times(text: str) -> None:
    """Whatever is typed, it is a time or a UsageError."""
    try:
        begin, last = moment("--until", text, NOW, timezone(timedelta(hours=-3)))
    except UsageError:
        return
    assert begin <= last


def test_until_a_day_includes_that_day() -> None:
    """Who asks from the 1st until the 2nd gets both days."""
    found = parse({"since": "2026-11-01", "until": "2026-11-02"}, NOW, zone=BERLIN)
    assert found == Filter(
        since_ms=moment("", "2026-11-01", NOW, BERLIN)[0], until_ms=moment("", "2026-11-03", NOW, BERLIN)[0]
    )


def test_several_values_are_separated_by_commas() -> None:
    """Lists, commas and capitals all work, and a job whose name holds a comma can be named as it is."""
    found = parse({"outcome": "failed, Lost", "job": ["a", "b,c"], "severity": "", "text": " two words "}, NOW)
    assert found == Filter(outcome=("failed", "lost"), job=("a", "b", "c"), text=(" two words ",))
    assert parse({"job": "b,c"}, NOW, known_names={"job": ["b,c", "x"]}).job == ("b,c",)


@pytest.mark.parametrize("name", LISTS)
def test_an_unknown_word_names_those_that_there_are(name: str) -> None:
    """A typing mistake gets the user an error, not an empty list."""
    with pytest.raises(UsageError) as caught:
        parse({name: "failled"}, NOW)
    assert "failled" in caught.value.what
    assert all(word in caught.value.next for word in LISTS[name])


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    """Since and until that were mixed up are said, not answered with nothing."""
    with pytest.raises(UsageError, match="not after"):
        parse({"since": "today", "until": "yesterday"}, NOW)


@given(wanted=FILTERS)
def test_a_filter_survives_json(wanted: Filter) -> None:
    """A filter that is written into an entry or sent to another process means the same there."""
    assert Filter.from_json(json.loads(json.dumps(wanted.to_json()))) == wanted


@pytest.mark.parametrize("data", [{"x": 1}, {"job": "home"}, {"job": [1]}, {"since_ms": "1"}, {"since_ms": True}, []])
def test_what_is_no_filter_is_refused(data: Any) -> None:
    """A message from elsewhere with another form raises ValueError."""
    with pytest.raises(ValueError):
        Filter.from_json(data)


class OutOfOrder:
    """A connection whose indexes never come to an end, as a damaged one may: what should be below the last row is above it."""

    def __init__(self) -> None:
        self._at = 0

    def execute(self, query: str, *_: object) -> "OutOfOrder":
        """Take any query."""
        head = query.replace(FACET, "facet").replace(MOMENT, "at").partition(" FROM ")[0]
        self._columns = head.count(", ") + 1
        return self

    def fetchone(self) -> tuple[object, ...]:
        """Return a facet that is below none."""
        return ('["run.started"]', 5, 5)

    def fetchall(self) -> list[tuple[object, ...]]:
        """Return keys that are below none."""
        self._at += 1
        return [(self._at, 9, "[]")[: self._columns]]


@pytest.mark.parametrize(
    "look",
    [
        lambda index: list(reading.facets(index)),
        lambda index: list(reading.keys(index, Filter())),
        lambda index: list(jobs.Latest(index, ("run.started",), lambda _: ())._groups()),
    ],
    ids=["facets", "keys", "jobs"],
)
def test_a_damaged_index_ends_a_search(look: Callable[[Any], object]) -> None:
    """An index out of order is an error that is told, not a search that goes round for ever and takes all memory."""
    with pytest.raises(sqlite3.DatabaseError):
        look(OutOfOrder())
