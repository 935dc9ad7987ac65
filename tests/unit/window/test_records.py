"""The pages' view of the past, from a real audit log."""

import json
from pathlib import Path

import pytest

from tests.e2e import statuses
from tray import runs
from tray.audit.entry import Action, Draft
from tray.audit.store import AuditLog
from tray.core import clock
from tray.core.errors import BackupTrayError, RunNotFoundError
from tray.core.paths import Places, private
from tray.runs import Process, RunInfo
from tray.window import run_pages, verification


def put(places: Places, *drafts: Draft) -> None:
    """Append *drafts* to the log."""
    with AuditLog.open(places.audit_db, places.audit_key) as log:
        log.append(drafts)


def end(run: str, job: str = "home", result: str = "succeeded", minutes: int = 0, **more: object) -> Draft:
    """The record of a run's end."""
    body = {
        "repository": "/media/backup",
        "sources": ["/home/me", "/etc"],
        "command": ["restic", "backup", "--repo", "rest:https://me:***@host/", "/home/me"],
        "exit_code": 0,
        "snapshot": "40dc1520",
        "reason": "It went as it should.",
    } | dict(more)
    return Draft(
        Action.RUN_FINISHED,
        time_ms=clock.now_ms() - minutes * 60_000,
        result=result,
        job=job,
        run=run,
        engine="restic",
        kind="backup",
        duration_ms=72_000,
        bytes_processed=48_100_000_000,
        bytes_added=212_000_000,
        files=61_204,
        errors=0,
        body=body,
    )


def ids(count: int) -> list[str]:
    """New ids of runs."""
    return [clock.new_id() for _ in range(count)]


@pytest.mark.usefixtures("utc")
def test_the_report_holds_the_entry_and_its_place_in_the_log(places: Places) -> None:
    """Who, what, when in both times, the hash, the root, the size of the log."""
    (run,) = ids(1)
    put(places, end(run, problems=[{"item": "/etc/shadow", "message": "permission denied"}]))
    report = run_pages.report(places, run[:20])
    facts = {name: value for name, value, _ in [*report["happened"], *report["facts"]]}
    with AuditLog.read(places.audit_db) as log:
        entry, (size, root, _) = log.entry_of_run(run), log.head()
    assert entry is not None
    assert report["run"]["title"] == "home: succeeded"
    assert facts["Entry hash"].replace(" ", "") == entry.leaf.hex()
    assert facts["Log root"].replace(" ", "") == root.hex()
    assert facts["Entries in the log"] == str(size)
    assert facts["When"].endswith(" UTC")
    assert facts["Action"] == "run.finished, succeeded, severity info"
    assert facts["Exit code"] == "0"
    assert facts["Command"].startswith("restic backup --repo")
    assert "***" in facts["Command"]
    assert report["paths"] == ["/home/me", "/etc"]
    assert report["problems"] == [["/etc/shadow", "permission denied"]]
    assert json.loads(json.dumps(report)) == report


def test_without_a_run_the_last_one_is_reported(places: Places) -> None:
    """The tray's menu asks for "the last report"."""
    older, newer = ids(2)
    put(places, end(older, minutes=10), end(newer))
    assert run_pages.report(places, "")["run"]["run"] == newer


def test_a_run_that_goes_on_has_its_start_reported(places: Places) -> None:
    """Before its end a run's entry is its start, and no outcome is made up."""
    (run,) = ids(1)
    put(places, Draft(Action.RUN_STARTED, result="started", job="home", run=run, engine="restic", kind="backup"))
    report = run_pages.report(places, run)
    assert report["run"]["title"] == "home: no end on record yet"
    assert report["when"] == ""


def test_an_erased_body_leaves_the_report_readable(places: Places) -> None:
    """After an erasure the report says so; hash and figures stand."""
    (run,) = ids(1)
    put(places, end(run))
    with AuditLog.open(places.audit_db, places.audit_key) as log:
        found = log.entry_of_run(run)
        assert found is not None
        log.redact(found.seq, "asked for")
    report = run_pages.report(places, run)
    assert ["Details", "none, or erased; the entry itself is untouched", ""] in report["happened"]
    assert report["paths"] == []


def test_an_unknown_run_is_an_error_in_plain_words(places: Places) -> None:
    """Neither log nor spool knows it."""
    put(places, end(ids(1)[0]))
    with pytest.raises(RunNotFoundError):
        run_pages.report(places, "ffff")


def test_hostile_names_come_out_escaped(places: Places) -> None:
    """Whatever a job, a path or a message is called, no control character reaches the page."""
    (run,) = ids(1)
    nasty = statuses.NASTY
    put(
        places,
        end(
            run,
            job=nasty,
            sources=[nasty],
            reason=nasty,
            snapshot=nasty,
            command=[nasty],
            problems=[{"item": nasty, "message": nasty}],
        ),
    )
    text = json.dumps(run_pages.report(places, run), ensure_ascii=False)
    assert not set(text) & set("\n\x1b\u2028\u202e")


def test_a_report_changes_nothing(places: Places) -> None:
    """Neither the page nor its check writes an entry."""
    (run,) = ids(1)
    put(places, end(run))
    with AuditLog.read(places.audit_db) as log:
        before = log.head()
    verification.check(places, run_pages.report(places, run)["entry"])
    with AuditLog.read(places.audit_db) as log:
        assert log.head() == before


def test_a_broken_log_is_an_error_with_a_next_step(places: Places) -> None:
    """Noise where the log should be is no traceback."""
    put(places, end(ids(1)[0]))
    for path in places.state.glob("audit.db*"):
        path.write_bytes(b"noise" * 1000)
    with pytest.raises(BackupTrayError) as caught:
        run_pages.report(places, "")
    assert caught.value.next


def folder_of(places: Places, run: str, text: str, kind: str = "done") -> Path:
    """Make the folder of a run with a log."""
    for made in (places.state, places.runs, places.runs / kind):
        private(made)
    folder = private(places.runs / kind / run)
    info = RunInfo(
        run, "home", "restic", "backup", clock.now_ms(), "boot", Process(1, None), repository="/media/backup"
    )
    runs.RunFolder(folder).save(info)
    (folder / "log").write_text(text)
    return folder


def test_a_log_is_read_in_pieces_and_shown_escaped(places: Places) -> None:
    """A long log comes in pieces that make the whole; escape codes are shown and not obeyed."""
    (run,) = ids(1)
    lines = [f"2026-11-23T00:00:00.000Z out line {number} \x1b[31m<img>\n" for number in range(12_000)]
    folder_of(places, run, "".join(lines))
    text, offset, pieces = "", 0, 0
    while True:
        part = run_pages.log(places, run, offset)
        text, offset, pieces = text + part["text"], part["next"], pieces + 1
        if not part["more"]:
            break
    assert pieces > 1
    assert text.count("\n") == len(lines)
    assert "\x1b" not in text
    assert "\\x1b[31m<img>" in text


def test_above_a_log_stands_which_run_it_is(places: Places) -> None:
    """Of an ended run the outcome, of one without an entry at least its job; no run named means the last one."""
    known, unknown = ids(2)
    put(places, end(known))
    folder_of(places, known, "words\n")
    folder_of(places, unknown, "words\n")
    assert run_pages.log_head(places, "", None)["title"] == "home: succeeded"
    head = run_pages.log_head(places, unknown, None)
    assert (head["title"], head["route"], head["ended"]) == ("Log of home", "restic → /media/backup", False)


def test_details_without_a_run_mean_the_one_that_goes_on(places: Places) -> None:
    """While a backup runs, Details in the menu is about it."""
    (run,) = ids(1)
    folder_of(places, run, "words\n", "live")
    status = statuses.judged(running=(statuses.live(run=run),))
    assert run_pages.log_head(places, "", status)["run"] == run


def test_a_log_that_is_gone_is_an_error_in_plain_words(places: Places) -> None:
    """Old logs may be removed; the entry stays."""
    for ask in (lambda: run_pages.log(places, "ffff", 0), lambda: run_pages.log_head(places, "ffff", None)):
        with pytest.raises(RunNotFoundError):
            ask()
