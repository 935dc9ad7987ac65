"""The pages Audit log and History, from a real log: by filter, a page at a time, and true whatever is in it."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.e2e import statuses
from tests.unit.audit.help import end, filled, mounted, start, tamper, writer
from tests.waiting import wait_for
from tray.audit import segments, spool
from tray.audit.entry import Action
from tray.audit.store import AuditLog
from tray.baselines import all_copies
from tray.core import clock
from tray.core.dataclass import replace
from tray.core.errors import BackupTrayError, BadDayError, EntryNotFoundError, EntryPrunedError, SystemViewError
from tray.core.model import AuditStanding, EndedRun, Instance, Outcome
from tray.core.paths import Places
from tray.status import system_history
from tray.window import audit_page, bridge, calls, lists, verification, view

HOUR = 3_600_000
EMPTY = dict.fromkeys(lists._FIELDS, "")


def asked(**fields: str) -> lists.Fields:
    """A form in which this was chosen."""
    return lists.form(EMPTY | fields)


def numbers(places: Places, **fields: str) -> list[int]:
    """The entries on the first page."""
    return [row["seq"] for row in lists.entries(places, asked(**fields), None)["rows"]]


def many(places: Places, count: int = 130) -> list[str]:
    """A log of *count* ended runs of three jobs, one an hour, the newest now; returns their ids, the oldest first."""
    ids = [clock.new_id() for _ in range(count)]
    outcomes = list(Outcome)
    with writer(places) as log:
        log.append(
            [
                end(
                    run,
                    job=("home", "photos", "etc")[number % 3],
                    outcome=outcomes[number // 3 % len(outcomes)],
                    time_ms=clock.now_ms() - (count - number) * HOUR + HOUR // 2,
                    duration_ms=1000,
                    body={"reason": f"word{number} said", "repository": "/srv/backup"},
                )
                for number, run in enumerate(ids)
            ]
        )
    return ids


def test_without_a_log_every_page_has_something_to_show(places: Places) -> None:
    """A new installation has no entries, no runs, and lists to choose from."""
    assert audit_page.overview(places) == {"size": 0}
    assert lists.entries(places, asked(), None)["rows"] == []
    assert lists.runs(places, asked(), None)["rows"] == []
    assert lists.offered(places)["job"] == []
    with pytest.raises(EntryNotFoundError):
        audit_page.entry(places, 0)


def test_entries_come_in_pages_newest_first_each_exactly_once(places: Places) -> None:
    """However many there are, no page holds more than a page, and paging to the end meets all of them."""
    many(places)
    seen: list[int] = []
    after = None
    while True:
        page = lists.entries(places, asked(), bridge.cursor(after))
        assert len(page["rows"]) <= lists.PAGE
        seen += [row["seq"] for row in page["rows"]]
        after = page["next"]
        if after is None:
            break
    assert sorted(seen) == list(range(132))


@pytest.mark.parametrize(
    ("chosen", "count"),
    [
        ({"job": "home"}, 44),
        ({"outcome": "failed", "job": "photos"}, 7),
        ({"action": "log.created"}, 1),
        ({"severity": "error", "engine": "restic"}, 42),
        ({"when": "day"}, 26),
        ({"text": "word17"}, 1),
        ({"text": "word17 nobody"}, 0),
        ({"engine": "borg"}, 0),
    ],
)
def test_a_filter_finds_what_was_chosen(places: Places, chosen: dict[str, str], count: int) -> None:
    """Each field narrows the list down, and so do several together."""
    many(places)
    assert len(numbers(places, **chosen)) == min(count, lists.PAGE)


@pytest.mark.usefixtures("utc")
def test_days_are_those_of_the_calendar_the_last_one_included(places: Places) -> None:
    """From and to name whole days, and one of them may be missing."""
    days = [clock.from_text(f"2026-03-{day:02}T12:00:00.000Z") for day in (1, 2, 3)]
    with writer(places) as log:
        log.append([end(time_ms=moment) for moment in days])

    def found(since: str, until: str) -> int:
        return len(numbers(places, when="days", since=since, until=until, action="run.finished"))

    assert found("2026-03-02", "2026-03-03") == 2
    assert found("", "2026-03-01") == 1
    assert found("2026-03-02", "") == 2
    assert found("", "") == 3


@pytest.mark.parametrize(("field", "since", "until"), [("since", "31.1.", ""), ("until", "2026-02-01", "2026-01-01")])
def test_a_day_that_is_none_is_an_error_beside_its_field(places: Places, field: str, since: str, until: str) -> None:
    """A user who mistypes a day reads how to write it, beside the field."""
    filled(places, 1)
    with pytest.raises(BadDayError) as caught:
        lists.entries(places, asked(when="days", since=since, until=until), None)
    assert (caught.value.field, bool(caught.value.next)) == (field, True)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        EMPTY | {"more": ""},
        {name: "" for name in EMPTY if name != "job"},
        EMPTY | {"job": 5},
        EMPTY | {"job": "a\0"},
        EMPTY | {"text": "x" * 201},
        EMPTY | {"outcome": "splendid"},
        EMPTY | {"severity": "--help"},
        EMPTY | {"when": "1; DROP TABLE entries"},
    ],
)
def test_a_form_that_no_page_of_ours_sends_is_refused(value: object) -> None:
    """Every name must be there, and every value be text of its kind."""
    with pytest.raises(ValueError, match="is needed"):
        lists.form(value)


@pytest.mark.parametrize("value", [[1], [1, 2, 3], ["1", 2], [1, -1], {"a": 1}, "x", 5, [None, 1], [True, 1]])
def test_a_place_in_the_log_is_two_numbers(value: object) -> None:
    """Nothing else gets as far as the database."""
    with pytest.raises(ValueError, match="is needed"):
        bridge.cursor(value)
    with pytest.raises(ValueError, match="is needed"):
        lists.place({"own": value, "system": None, "waiting": 0})


def test_an_entry_shows_its_bytes_and_its_place(places: Places) -> None:
    """The raw text is the hashed text, byte for byte, and the leaf hash is that of these bytes."""
    filled(places, 2)
    shown = audit_page.entry(places, 3)
    with AuditLog.read(places.audit_db) as log:
        stored = log.entry(3)
    assert (shown["raw"].encode(), shown["leaf"]) == (stored.raw, stored.leaf.hex())
    assert (shown["previous"], shown["next"], shown["run"]) == (2, 4, "run-0")
    assert ["Repository", "/srv/backup"] in shown["details"]
    assert audit_page.entry(places, 0)["previous"] is None
    assert audit_page.entry(places, 5)["next"] is None


def test_an_erased_entry_says_so_everywhere(places: Places) -> None:
    """The row and the entry tell that details were erased; the bytes that were hashed stay."""
    filled(places, 1)
    with writer(places) as log:
        log.redact(3, "asked for")
    shown = audit_page.entry(places, 3)
    assert (shown["erased"], shown["details"]) == (True, None)
    assert [row["erased"] for row in lists.entries(places, asked(), None)["rows"] if row["seq"] == 3] == [True]


def test_hostile_names_come_out_escaped(places: Places) -> None:
    """A job, an actor or a detail of 10 kB with markup, line breaks and bidi controls is only text, and not endless."""
    nasty = statuses.NASTY
    with writer(places) as log:
        log.append([end(job=nasty, actor=nasty, body={nasty: nasty, "long": "x" * 10_000})])
    shown = audit_page.entry(places, 2)
    raw = shown.pop("raw")
    assert json.loads(raw)["job"] == nasty
    offered = lists.offered(places)["job"]
    assert offered[0][0] == nasty
    text = json.dumps(
        [
            shown,
            lists.entries(places, asked(job=nasty), None),
            offered[0][1],
            lists.runs(places, asked(), None),
        ],
        ensure_ascii=False,
    )
    assert not set(text) & set("\n\x1b\u2028\u202e")
    assert "more characters" in text
    assert len(text) < 20_000


def test_a_broken_log_is_an_error_with_a_next_step(places: Places) -> None:
    """Noise where the log should be is no traceback on any page."""
    filled(places, 1)
    for path in places.state.glob("audit.db*"):
        path.write_bytes(b"noise" * 1000)
    questions: list[Callable[[], object]] = [
        lambda: audit_page.overview(places),
        lambda: lists.offered(places),
        lambda: lists.entries(places, asked(), None),
        lambda: audit_page.entry(places, 1),
        lambda: lists.runs(places, asked(), None),
    ]
    for ask in questions:
        with pytest.raises(BackupTrayError) as caught:
            ask()
        assert caught.value.next


def test_the_log_is_identified_and_its_baselines_have_an_age(places: Places) -> None:
    """Identity, public key and newest checkpoint stand there to be copied; the copy beside the configuration is listed."""
    filled(places, 2)
    shown = audit_page.overview(places)
    with AuditLog.read(places.audit_db) as log:
        size, root, note = log.head()
    assert (shown["size"], shown["root"].replace(" ", "")) == (size, root.hex())
    assert shown["checkpoint"].encode() == note
    assert shown["origin"].startswith("backup-tray/")
    assert shown["keys"][0].startswith(shown["origin"] + "+")
    copy = places.baselines / "near.checkpoint"
    copy.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    copy.write_bytes(note)
    (places.baselines / "noise.checkpoint").write_bytes(b"noise")
    again = audit_page.overview(places)
    near = next(row for row in again["baselines"] if row["name"] == str(copy))
    assert near["covers"] == f"covers {size} entries"
    assert "just now" in near["age"]
    assert any("noise" in text for text in again["problems"])


def test_a_pruned_log_says_from_where_it_is_kept(places: Places) -> None:
    """Its pages show what is left, and say of what is gone that it is not kept any more, not that it never was."""
    old = clock.now_ms() - 24 * HOUR
    with AuditLog.open(places.audit_db, places.audit_key, copies=places.baselines) as log:
        log.append([end(time_ms=old) for _ in range(300)])
        segments.rotate(log, 256)
        log.append([end(job="later")])
    wait_for(lambda: segments.prune(places, 0, all_copies.notes(places)), what="a segment to be old enough")
    with AuditLog.read(places.audit_db) as log:
        size, first = log.head()[0], log.start()
    assert first == 256
    assert audit_page.overview(places)["text"] == f"{size} entries; those before number 256 are not kept any more"
    seen: list[int] = []
    after = None
    while True:
        page = lists.entries(places, asked(), bridge.cursor(after))
        seen += [row["seq"] for row in page["rows"]]
        after = page["next"]
        if after is None:
            break
    assert sorted(seen) == list(range(256, size))
    assert audit_page.entry(places, 256)["previous"] is None
    assert audit_page.entry(places, 257)["previous"] == 256
    with pytest.raises(EntryPrunedError) as caught:
        audit_page.entry(places, 3)
    assert "not kept any more" in caught.value.what
    assert verification.check(places, 300)["kind"] == "ok"
    assert verification.proven(places, 300)["kind"] == "ok"
    assert len(pages(places, asked(job="later"))) == 1


def test_looking_changes_nothing(places: Places) -> None:
    """No page writes an entry, or anything beside the log that is not derived from it."""
    many(places, 5)

    def state() -> object:
        with AuditLog.read(places.audit_db) as log:
            kept = {path: path.read_bytes() for path in places.config.rglob("*") if path.is_file()}
            return log.head(), log.entries(0, 100), kept

    before = state()
    audit_page.overview(places)
    lists.offered(places)
    lists.entries(places, asked(text="word"), None)
    audit_page.entry(places, 1)
    lists.runs(places, asked(), None)
    assert state() == before


# -- verification


def test_verify_tells_how_far_it_is_and_is_on_record(places: Places) -> None:
    """The check that a person asks for becomes an entry, and the page hears how many entries were read."""
    filled(places, 3)
    told: list[tuple[int, int]] = []
    shown = verification.verify(places, calls.Paced(lambda done, total: told.append((done, total))))
    assert shown["word"] in ("Intact", "Inconclusive")
    with AuditLog.read(places.audit_db) as log:
        newest = log.entries(-1)[0].data
    assert (newest["action"], newest["result"]) == ("audit.verified", shown["word"].lower())
    assert told == [] or told[-1][1] == 8


def test_progress_is_told_a_few_times_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million calls do not become a million repaints."""
    now = [0.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    told: list[int] = []
    paced = calls.Paced(lambda done, _: told.append(done))
    for done in range(1000):
        now[0] = done / 1000
        paced(done, 1000)
    assert len(told) == 5


def test_tampering_is_called_by_its_name(places: Places) -> None:
    """An altered entry makes page and report say tampered, never fine, and the record of it is critical."""
    filled(places, 3)
    tamper(
        places, "UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), 'home', 'hame') AS BLOB) WHERE seq = 4"
    )
    assert verification.check(places, 2)["kind"] == "tampered"
    shown = verification.verify(places)
    assert (shown["word"], shown["kind"]) == ("Tampered", "tampered")
    assert "entry" in shown["text"]
    with AuditLog.read(places.audit_db) as log:
        assert log.entries(-1)[0].data["severity"] == "critical"


def recorded(places: Places) -> None:
    """A log of three runs, with a copy of its checkpoint beside the configuration."""
    spool.record(places, [draft for number in range(3) for draft in (start(f"run-{number}"), end(f"run-{number}"))])


def test_in_a_long_log_one_entry_is_proven_without_reading_the_others(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user need not wait for a million entries; the page names what it did not read, and needs a baseline for green."""
    recorded(places)
    monkeypatch.setattr(verification, "LONG_LOG", 5)
    monkeypatch.setattr(verification.of_run, "verified", lambda *_: pytest.fail("all of it was read"))
    shown = verification.check(places, 3)
    assert (shown["kind"], shown["word"]) == ("ok", "Verified")
    assert "were not read" in shown["text"]
    for path in places.baselines.glob("*.checkpoint"):
        path.unlink()
    assert verification.check(places, 3)["kind"] == "unknown"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), 'home', 'hame') AS BLOB) WHERE seq = 3",
        "UPDATE bodies SET salt = zeroblob(16) WHERE seq = 3",
    ],
)
def test_an_altered_entry_of_a_long_log_is_never_green(places: Places, statement: str) -> None:
    """Neither the entry nor its details can be changed without the proof failing."""
    recorded(places)
    assert verification.proven(places, 3)["kind"] == "ok"
    tamper(places, statement)
    assert verification.proven(places, 3)["kind"] == "tampered"


def test_a_log_that_was_written_anew_is_never_green(places: Places) -> None:
    """Who holds the key and rewrites the log is caught by the copy that another log left."""
    recorded(places)
    kept = {path: path.read_bytes() for path in places.baselines.iterdir()}
    with AuditLog.read(places.audit_db) as log:
        origin = log.entry(0).data["log"]
    for path in places.state.glob("audit.db*"):
        path.unlink()
    recorded(places)
    with AuditLog.read(places.audit_db) as log:
        assert log.entry(0).data["log"] != origin
    for path in places.baselines.iterdir():
        path.unlink()
    for path, content in kept.items():
        path.write_bytes(content)
    assert verification.proven(places, 3)["kind"] != "ok"


def standing(**more: object) -> AuditStanding:
    """Return the standing of a log."""
    return replace(AuditStanding("intact", clock.now_ms() - 2 * HOUR, 1204, "Fine.", baselines=2), **more)  # type: ignore[arg-type] # the fields are a standing's


@pytest.mark.parametrize(
    ("known", "kind", "word"),
    [
        (None, "none", "Not verified"),
        (standing(), "ok", "Intact"),
        (standing(result="inconclusive", baselines=0), "unknown", "Inconclusive"),
        (standing(result="unchecked"), "unknown", "Not checked"),
        (standing(result="splendid"), "unknown", "Not checked"),
        (standing(result="tampered", breach=True), "tampered", "Tampered"),
        (standing(result="intact", breach=True), "tampered", "Tampered"),
        (standing(result="tampered", breach=False), "tampered", "Tampered, acknowledged"),
    ],
)
def test_the_badge_is_green_only_for_intact(known: AuditStanding | None, kind: str, word: str) -> None:
    """Colour, shape and word say the same; a breach that the user has not acknowledged is never fine."""
    shown = view.standing(known, clock.now_ms())
    assert (shown["kind"], shown["word"]) == (kind, word)
    assert (shown["breach"] is not None) is (known is not None and known.breach)


def test_the_badge_says_when_how_many_and_which_baselines() -> None:
    """A green badge carries what it rests on, without saying its own word twice."""
    shown = view.standing(standing(), clock.now_ms())
    assert shown["text"] == "checked 2 hours ago, 1,204 entries, 2 kept checkpoints agree"
    assert dict(shown["facts"])["Baselines"] == "2 agree"


def test_a_breach_names_the_entry_and_what_to_do() -> None:
    """The banner leads to the first bad entry; of the system's log it names the command for an administrator instead."""
    facts = {"result": "tampered", "breach": True, "first_bad": 17, "kind": "altered", "why": "a\n<b>", "since_ms": 0}
    mine = view.standing(standing(**facts), clock.now_ms())["breach"]
    assert (mine["seq"], mine["mine"]) == (17, True)
    assert "TAMPERED at entry 17 (altered)" in mine["what"]
    assert "a\\n<b>" in mine["why"]
    other = view.standing(standing(**facts, instance=Instance.SYSTEM), clock.now_ms())["breach"]
    assert (other["seq"], other["mine"]) == (None, False)
    assert "sudo backup-tray" in other["next"]


# -- history


def pages(places: Places, fields: lists.Fields) -> list[str]:
    """The runs of all pages, in their order."""
    seen: list[str] = []
    after = None
    while True:
        page = lists.runs(places, fields, lists.place(after))
        seen += [row["run"] for row in page["rows"]]
        after = json.loads(json.dumps(page["next"]))
        if after is None:
            return seen


def test_the_history_comes_in_pages_newest_first(places: Places) -> None:
    """Every run is shown exactly once, however many there are."""
    made = many(places)
    assert pages(places, asked()) == made[::-1]


def test_the_history_is_filtered_by_job_outcome_and_words(places: Places) -> None:
    """The chosen filter holds on every page."""
    made = many(places)
    assert pages(places, asked(job="photos")) == [run for number, run in enumerate(made) if number % 3 == 1][::-1]
    assert pages(places, asked(outcome="failed", text="said")) == pages(places, asked(outcome="failed"))
    assert pages(places, asked(text="word17")) == [made[17]]
    assert pages(places, asked(job="nobody")) == []


def test_a_record_that_waits_in_the_spool_is_in_the_history_once(places: Places) -> None:
    """A run is not hidden because the log could not be written, and is filtered like any other."""
    made = many(places, 60)
    run = clock.new_id()
    with closing(sqlite3.connect(places.audit_db)) as other:
        other.execute("BEGIN IMMEDIATE")  # another program holds the log
        late = end(run, job="late", time_ms=clock.now_ms() - 55 * HOUR)
        assert spool.record(places, [late, start(clock.new_id())], timeout=0.1) is None
    found = pages(places, asked())
    assert sorted(found) == sorted([*made, run])
    assert found[0] == run  # what is recorded next is the newest, whatever its time
    assert pages(places, asked(job="late")) == [run]
    assert run not in pages(places, asked(outcome="failed"))


def test_the_systems_runs_stand_in_between_and_none_is_lost(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two logs, one list: in the order of time on every page, also where one log is denser than the other."""
    mine = many(places, 70)
    base = clock.now_ms() - 45 * 60_000
    theirs = [
        statuses.ended("srv", hours=0, now=base - at * 5 * HOUR, run=f"0190{at:04}", entry=999 - at)
        for at in range(220)
    ]

    def answer(*, limit: int, job: str | None = None, before: int | None = None) -> tuple[list[EndedRun], int | None]:
        left = [run for run in theirs if before is None or (run.entry or 0) < before]
        return left[:limit], left[limit - 1].entry if len(left) > limit else None

    monkeypatch.setattr(system_history, "history", answer)
    found = pages(places, asked())
    assert sorted(found) == sorted([*mine, *(run.run for run in theirs)])
    when = {run.run: run.finished_ms for run in theirs}
    with AuditLog.read(places.audit_db) as log:
        when |= {run.run: run.finished_ms for run in log.history(limit=100)}
    assert found == sorted(found, key=lambda run: when[run], reverse=True)
    assert pages(places, asked(job="srv")) == [run.run for run in theirs]
    assert set(pages(places, asked(job="home"))) <= set(mine)


def test_a_system_that_does_not_answer_is_said_to_be_missing(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page shows the user's own runs, and says that they are not all."""
    made = many(places, 3)

    def fails(**_: object) -> None:
        raise SystemViewError("It does not answer.")

    monkeypatch.setattr(system_history, "history", fails)
    page = lists.runs(places, asked(), None)
    assert [row["run"] for row in page["rows"]] == made[::-1]
    assert "does not answer" in page["missing"]


@pytest.mark.process
def test_a_home_that_cannot_be_written_is_readable(places: Places) -> None:
    """Every page works on a log in folders that are read-only."""
    many(places, 4)
    code = (
        "import sys; from tray.core import paths; from tray.window import audit_page, lists\n"
        "here = paths.places(); form = dict.fromkeys(lists._FIELDS, '')\n"
        "print(audit_page.overview(here)['size'], len(lists.entries(here, form | {'text': 'word'}, None)['rows']),"
        " len(lists.runs(here, form, None)['rows']), audit_page.entry(here, 2)['seq'])"
    )
    home = places.state.parent
    done = mounted(f"mount --bind {home} {home}; mount -o remount,ro,bind {home}", code)
    assert done.stdout.split() == ["6", "4", "4", "2"], done.stderr


def test_acknowledging_asks_for_a_reason_and_is_on_record(places: Places) -> None:
    """An empty reason is refused in words; a given one ends the breach and becomes an entry."""
    from tray.audit import last_check as kept

    filled(places, 3)
    tamper(
        places, "UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), 'home', 'hame') AS BLOB) WHERE seq = 4"
    )
    verification.verify(places)
    known = kept.read(places)
    assert known is not None
    assert known.breach
    with pytest.raises(BackupTrayError):
        verification.acknowledge(places, "  ")
    verification.acknowledge(places, "I did it: a test of the alarm")
    again = kept.read(places)
    assert again is not None
    assert not again.breach
    with AuditLog.read(places.audit_db) as log:
        assert [one.data["action"] for one in log.entries(-2, 2)].count("audit.acknowledged") == 1


def test_an_action_is_said_in_words() -> None:
    """Every action can be read, and none is without words."""
    assert lists.spoken("run.cancel_requested") == "Run cancel requested"
    assert all(lists.spoken(action) for action in Action)
