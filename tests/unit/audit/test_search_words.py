"""The index of words: it follows the log, forgets what was erased, and a search is right without it."""

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.audit.help import end, filled, mounted, python, writer
from tray.audit.entry import Action, Draft
from tray.audit.search import Page, by_words, index_fill, search
from tray.audit.search.conditions import Filter, words_of
from tray.audit.search.conditions import words as split
from tray.audit.store import AuditLog
from tray.core.model import Outcome
from tray.core.paths import Places

SECRET = "zanzibarquux"


def told(text: str, **more: object) -> Draft:
    """An end whose reason is *text*."""
    return end(body={"reason": text}, **more)


def look(places: Places, *text: str, seconds: float = 2.0, **more: object) -> Page:
    """Search for words."""
    with AuditLog.read(places.audit_db) as log:
        return search(log, Filter(text=text, **more), seconds=seconds)  # type: ignore[arg-type]


def found(places: Places, *text: str, **more: object) -> list[int]:
    """The numbers of the entries in which the words stand."""
    return [entry.seq for entry in look(places, *text, **more).entries]  # type: ignore[arg-type]


def in_index(places: Places) -> bytes:
    """All bytes of the index and of whatever stands beside it."""
    return b"".join(item.read_bytes() for item in sorted(places.state.glob("search.db*")))


def indexed(places: Places) -> int:
    """How many entries the index knows."""
    with sqlite3.connect(places.search_index) as connection:
        (number,) = connection.execute("SELECT done - start FROM state").fetchone()
    connection.close()
    return int(number)


@pytest.mark.parametrize("ready", [True, False], ids=["with the index", "without it"])
@pytest.mark.parametrize(
    ("text", "hit"),
    [
        ("permission", True),
        ("PERMISSION denied", True),
        ("denied permission", True),
        ("perm den", True),
        ("ermission", False),
        ("permission granted", False),
        ("/home/alice", True),
        ("alice/home", True),
        ("bücher", True),
        ("BUCHER", True),
        ("strasse", True),
        ("写真", True),
        ("写", True),
        ("ab", False),
        ("7", True),
        ('"permission" OR NOT denied*', False),
        ('"permission* ^(denied', True),
        ("job-of-mine", True),
        ("restic failed", True),
    ],
)
def test_words_are_found_however_they_are_written(places: Places, ready: bool, text: str, hit: bool) -> None:
    """Case, accents, order and signs between words do not matter; three letters are enough for the beginning of a word."""
    body = {"reason": "Permission denied: 7", "sources": ["/home/alice/Bücher", "/straße/写真 abc"]}
    with writer(places) as log:
        log.append([end(job="job-of-mine", outcome=Outcome.FAILED, body=body), told("Nothing of that.", job="other")])
    if ready:
        assert index_fill.update(places)
    assert found(places, text) == ([2] if hit else [])


def test_hashes_ids_and_times_are_no_words() -> None:
    """They would make the index as large as the log and mean nothing to anybody."""
    body = {"snapshot": "ab" * 32, "started_at": "2026-11-23T00:00:00.000Z", "reason": "Fine."}
    draft = end("0189f7ea-aaaa-7bbb-8ccc-123456789abc", body=body)
    assert words_of(draft.facts(), body) >= {"fine", "restic", "finished"}
    assert not [word for word in words_of(draft.facts(), body) if re.search("abab|2026|0189f7ea", word)]


@given(text=st.text(max_size=40))
def test_words_hold_nothing_that_the_index_could_take_for_more_than_one(text: str) -> None:
    """Whatever stands in a name, its words are letters and digits only, in small letters, and so cannot break a query."""
    with sqlite3.connect(":memory:") as connection:
        connection.execute(f"CREATE {by_words.TABLES['words']}")
        for word in split(text):
            assert word.isalnum()
            assert len(word.encode()) <= 48
            connection.execute("INSERT INTO words (rowid, doc) VALUES (1, ?)", (word,))
            query = f'"{word}" AND "{word}" *'
            assert connection.execute("SELECT count(*) FROM words WHERE words MATCH ?", (query,)).fetchone() == (1,)
            connection.execute("INSERT INTO words (words) VALUES ('delete-all')")
    connection.close()


def test_very_many_words_are_a_question_like_any_other(places: Places) -> None:
    """A user who pastes a page of text into the search box gets an answer, no error."""
    filled(places, 2)
    index_fill.update(places)
    page = " ".join(f"word{number}" for number in range(2000))
    assert found(places, page) == []
    assert found(places, *page.split(), "saved") == [5, 3]


def test_many_words_with_one_beginning_are_all_found(places: Places) -> None:
    """More words begin like that than the query would name one by one."""
    with writer(places) as log:
        log.append([told(f"abcd{number}") for number in range(150)])
    index_fill.update(places)
    for text in ("abc", "abcd", "abcd1", "abcd14"):
        expected = [number + 2 for number in reversed(range(150)) if f"abcd{number}".startswith(text)]
        assert [entry.seq for entry in look(places, text).entries] == expected[:100]


def test_new_entries_are_found_before_the_index_knows_them(places: Places) -> None:
    """The search looks at recently appended entries one by one."""
    filled(places, 3)
    index_fill.update(places)
    with writer(places) as log:
        log.append([told(SECRET)])
    assert found(places, SECRET) == [8]
    index_fill.update(places)
    assert found(places, SECRET) == [8]
    assert indexed(places) == 9


def test_entries_that_come_late_are_found_in_their_place(places: Places) -> None:
    """A record that waited in the spool for a week stands a week back, page by page."""
    with writer(places) as log:
        for number, time_ms in enumerate([5000, 1000, 9000, 2000, 8000, 3000, 4000, 1500, 9500, 100]):
            log.append([told("late bird", time_ms=time_ms, run=f"r{number}")])
            index_fill.update(places)
        expected = [
            entry.seq for entry in sorted(log.entries(2, 100), key=lambda entry: entry.data["time"], reverse=True)
        ]
        seen, after = [], None
        while True:
            page = search(log, Filter(text=("bird",)), 3, after)
            seen += [entry.seq for entry in page.entries]
            after = page.next
            if after is None:
                break
    assert seen == expected


def test_times_that_run_backwards_are_an_order_like_any_other(places: Places) -> None:
    """A clock that was set back again and again: each entry stands in its place, and nothing is made anew."""
    with writer(places) as log:
        for number in range(40):
            log.append([told("backwards", time_ms=10**12 - number)])
            index_fill.update(places)
    assert found(places, "backwards") == list(range(2, 42))


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_entries_of_one_moment_are_told_apart(places: Places, batch: int) -> None:
    """They share a row of the index, also those that came later; what is found still has all the words that were asked for."""
    texts = [f"{('red', 'green')[number % 2]} number{number:02}" for number in range(60)]
    with mock.patch.object(index_fill, "BATCH", batch), writer(places) as log:
        for first, last in ((0, 40), (40, 50), (50, 60)):
            index_fill.update(places)
            log.append([told(text, time_ms=10**12) for text in texts[first:last]])
    for asked in ("red", "green", "number07", "red number07", "green number07", "number1", "red number4", "number"):
        expected = [text for text in reversed(texts) if all(f" {word}" in f" {text}" for word in asked.split())]
        assert [texts[seq - 2] for seq in found(places, asked)] == expected
    assert indexed(places) == 52


def test_erased_words_are_gone_from_the_index(places: Places) -> None:
    """The search does not find redacted words meanwhile, and afterwards no byte of the file holds them."""
    with writer(places) as log:
        log.append([told(f"{SECRET} was here", run=f"r{number}") for number in range(3)])
        index_fill.update(places)
        assert SECRET.encode() in in_index(places)
        for seq in (2, 3, 4):
            log.redact(seq, "asked for")
        assert found(places, SECRET) == []
        index_fill.update(places)
    assert found(places, SECRET) == []
    assert SECRET.encode() not in in_index(places)
    assert found(places, "asked")
    by_words.forget(places.audit_db)
    assert in_index(places) == b""


def test_an_index_of_another_log_is_made_anew(places: Places) -> None:
    """The log was replaced: its index knows words that were never in this one."""
    with writer(places) as log:
        log.append([told(SECRET)])
    index_fill.update(places)
    for item in places.state.iterdir():
        if item.name.startswith("audit."):
            item.unlink()
    with writer(places) as log:
        log.append([told("fresh")])
    assert (found(places, SECRET), found(places, "fresh")) == ([], [2])
    index_fill.update(places)
    assert SECRET.encode() not in in_index(places)
    assert found(places, "fresh") == [2]


def test_an_index_of_a_log_that_was_rolled_back_is_made_anew(places: Places) -> None:
    """An older copy of the log was put back, and went on in another way."""
    filled(places, 2)
    kept = places.audit_db.read_bytes()
    with writer(places) as log:
        log.append([told(SECRET), told("both")])
    index_fill.update(places)
    for suffix in ("-wal", "-shm"):
        places.audit_db.with_name(places.audit_db.name + suffix).unlink(missing_ok=True)
    places.audit_db.write_bytes(kept)
    assert found(places, SECRET) == []
    with writer(places) as log:
        log.append([told("both"), told("otherwise")])
    assert (found(places, SECRET), found(places, "both")) == ([], [6])
    index_fill.update(places)
    assert SECRET.encode() not in in_index(places)
    assert (found(places, "otherwise"), found(places, "both")) == ([7], [6])


def _noise(index: Path) -> None:
    index.write_bytes(os.urandom(100_000))


def _half(index: Path) -> None:
    index.write_bytes(index.read_bytes()[: index.stat().st_size // 2])


def _overwritten(index: Path) -> None:
    raw = bytearray(index.read_bytes())
    raw[4096:] = os.urandom(len(raw) - 4096)
    index.write_bytes(raw)


def _sql(*statements: str) -> Callable[[Path], None]:
    def change(index: Path) -> None:
        with sqlite3.connect(index) as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()

    return change


DAMAGE = {
    "noise": _noise,
    "empty": lambda index: index.write_bytes(b""),
    "half": _half,
    "pages overwritten": _overwritten,
    "a version to come": _sql("PRAGMA user_version = 99"),
    "no state": _sql("DROP TABLE state"),
    "no words": _sql("DROP TABLE words"),
    "no terms": _sql("DROP TABLE terms"),
    "a folder": lambda index: (index.unlink(), index.mkdir()),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_index_costs_time_and_nothing_else(places: Places, damage: str) -> None:
    """Whatever happens to the file, a search still finds what is in the log."""
    filled(places, 3)
    with writer(places) as log:
        log.append([told(SECRET), told("more")])
    index_fill.update(places)
    DAMAGE[damage](places.search_index)
    assert found(places, SECRET) == [8]
    index_fill.update(places)
    assert found(places, SECRET) == [8]
    with writer(places) as log:
        log.append([told("afterwards")])
    index_fill.update(places)
    assert (found(places, "afterwards"), found(places, SECRET)) == ([10], [8])
    if damage != "a folder":
        assert indexed(places) == 11


def test_without_fts5_entries_are_looked_at_one_by_one(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """An SQLite built without it: the index is not made, the search works."""
    with writer(places) as log:
        log.append([told(SECRET)])
    monkeypatch.setitem(by_words.TABLES, "words", "VIRTUAL TABLE words USING fts_of_another_planet (doc)")
    assert not index_fill.update(places)
    assert found(places, SECRET) == [2]


@pytest.mark.process
def test_on_a_read_only_disk_entries_are_looked_at_one_by_one(places: Places) -> None:
    """Nothing can be written there, and nothing is needed to be."""
    with writer(places) as log:
        log.append([told(SECRET)])
    code = """
import sys
from tray.audit.search import Filter, index_fill, search
from tray.audit.store import AuditLog
from tray.core.paths import places
here = places()
print(index_fill.update(here), [entry.seq for entry in search(AuditLog.read(here.audit_db), Filter(text=(sys.argv[1],))).entries])
"""
    state = places.state
    done = mounted(f"mount --bind {state} {state} && mount -o remount,ro,bind {state}", code, SECRET)
    assert (done.stdout, done.stderr) == ("False [2]\n", "")


def test_a_search_without_an_index_says_how_far_it_looked(places: Places) -> None:
    """When time is over it gives what it has, from when on it has looked, and where to go on."""
    with writer(places) as log:
        log.append([told("common" if number % 3 else SECRET, time_ms=1000 * number) for number in range(1, 400)])
    seen, after, rounds = [], None, 0
    with AuditLog.read(places.audit_db) as log:
        while True:
            page = search(log, Filter(text=(SECRET,)), 1000, after, seconds=-1)
            seen += [entry.seq for entry in page.entries]
            rounds += 1
            if page.next is None:
                break
            assert page.looked_to_ms is not None
            assert after is None or page.next < after
            after = page.next
    assert rounds > 3
    assert seen == [number + 1 for number in range(399, 0, -1) if number % 3 == 0]


def test_a_search_while_the_index_is_made_gets_all_hits(places: Places) -> None:
    """The work on the index is bounded, reported, and goes on where it stopped."""
    with writer(places) as log:
        log.append([told(SECRET if number % 5 == 0 else "x") for number in range(50)])
    steps: list[tuple[int, int]] = []
    with mock.patch.object(index_fill, "BATCH", 10):
        assert not index_fill.update(places, seconds=0)
        assert indexed(places) == 10
        expected = [number + 2 for number in range(45, -1, -5)]
        assert found(places, SECRET) == expected
        assert index_fill.update(places, progress=lambda done, all_of_them: steps.append((done, all_of_them)))
        assert index_fill.update(places)
    assert steps[0] == (20, 52)
    assert steps[-1] == (52, 52)
    assert found(places, SECRET) == expected


@pytest.mark.process
def test_a_killed_update_goes_on_later(places: Places) -> None:
    """A dozen kills at any moment: the index is never wrong, and complete in the end."""
    with writer(places) as log:
        log.append([told(f"{SECRET} w{number}") for number in range(400)])
    code = """
from tray.audit.search import index_fill
from tray.core.paths import places
index_fill.BATCH = 5
index_fill.update(places(), progress=lambda *_: print(1, flush=True))
"""
    for number in range(12):
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            for _ in range(1 + number % 3):
                child.stdout.readline()
            child.kill()
        assert len(found(places, SECRET)) == 100
    assert 0 < indexed(places) < 402
    assert index_fill.update(places)
    assert indexed(places) == 402
    assert found(places, "w399") == [401]


@pytest.mark.process
def test_two_that_update_at_once_do_no_harm(places: Places) -> None:
    """Housekeeping and a search may meet."""
    with writer(places) as log:
        log.append([told(f"{SECRET} {number}") for number in range(300)])
    code = (
        "from tray.audit.search import index_fill; from tray.core.paths import places\n"
        "index_fill.BATCH = 7; index_fill.update(places())"
    )
    children = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    assert index_fill.update(places)
    assert indexed(places) == 302
    assert len(found(places, SECRET)) == 100


def test_the_index_is_private_whatever_the_umask(places: Places) -> None:
    """FR-AUD-003: the words of the log are for its owner only."""
    filled(places, 1)
    before = os.umask(0)
    try:
        index_fill.update(places)
    finally:
        os.umask(before)
    assert places.search_index.stat().st_mode & 0o777 == 0o600
    assert by_words.path_of(places.audit_db) == places.search_index


def test_without_a_log_there_is_nothing_to_do(places: Places) -> None:
    """The first housekeeping comes before the first backup."""
    assert index_fill.update(places)
    assert not places.search_index.exists()


def test_values_and_words_are_told_apart(places: Places) -> None:
    """A job named like a word in a text, or like our own marks, is found as the job and nothing else."""
    mark = by_words.token("job", "home")
    with writer(places) as log:
        log.append([told("x", job="home"), told(f"home {mark}", job="x")])
    index_fill.update(places)
    assert found(places, "home") == [3, 2]
    assert found(places, "x", job=("home",)) == [2]
    assert found(places, mark[1:], job=("x",)) == [3]
    assert found(places, "run", action=(Action.RUN_FINISHED,), job=("none",)) == []


@pytest.mark.process
def test_searching_imports_no_writer_and_starts_nothing(places: Places) -> None:
    """A search in a process of its own is quick: it loads no cryptography."""
    filled(places, 1)
    code = """
import sys
from tray.audit.search import Filter, search
from tray.audit.store import AuditLog
from tray.core.paths import places
search(AuditLog.read(places().audit_db), Filter(text=("saved",)))
print([name for name in ("cryptography", "asyncio", "PIL") if name in sys.modules])
"""
    assert python(code).stdout == "[]\n"
