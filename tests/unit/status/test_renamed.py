"""One answer to the question which runs belong to a job: for status, history, reports, entries, `last` and the window."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tray.audit import spool
from tray.audit.entry import Action, Draft
from tray.audit.search import Filter
from tray.audit.store import AuditLog
from tray.cli.main import main
from tray.core import clock
from tray.core.paths import Places, private
from tray.jobs import editing
from tray.report import create, of_run
from tray.report.create import Order
from tray.status import StatusSource, past_runs, renamed
from tray.window import lists

AUTOMATIC = "restic backup → /srv"
FORM = dict.fromkeys(("when", "since", "until", "job", "engine", "action", "outcome", "severity", "text"), "")


def run(job: str) -> Draft:
    """The end of a run."""
    return Draft(Action.RUN_FINISHED, result="succeeded", job=job, run=clock.new_id(), engine="restic", kind="backup")


def renaming(old: str, new: str) -> Draft:
    """The entry of a renaming."""
    return Draft(Action.JOB_RENAMED, job=new, result="renamed", body={"from": old})


def matched(places: Places) -> None:
    """By `matches` in config.toml."""
    private(places.config)
    places.config_file.write_text(f'[jobs.home]\ncommand = ["true"]\nmatches = ["{AUTOMATIC}"]\n')


def on_record(places: Places) -> None:
    """By an entry of the log."""
    spool.record(places, [renaming(AUTOMATIC, "home")])


def waiting(places: Places) -> None:
    """By an entry that waits for the log, which cannot be written."""
    assert spool.keep(places, [renaming(AUTOMATIC, "home")])


WAYS = [matched, on_record, waiting]


@pytest.fixture(params=WAYS, ids=[way.__name__ for way in WAYS])
def joined(places: Places, request: pytest.FixtureRequest) -> Places:
    """Two runs of one job, recorded under two names that then belong together, and one of another job."""
    spool.record(places, [run(AUTOMATIC), run("home"), run("other")])
    way: Callable[[Places], None] = request.param
    way(places)
    return places


def own_jobs(places: Places) -> set[str]:
    """The jobs of the status."""
    source = StatusSource(places, role="cli", start_tracker=False, system=False)
    try:
        return {job.job for job in source.poll().jobs}
    finally:
        source.close()


def test_status_and_jobs_name_the_present_job_alone(joined: Places) -> None:
    """The former name is no job of its own."""
    assert own_jobs(joined) == {"home", "other"}
    assert editing.known(joined).all == {"home", "other"}
    assert past_runs.names(joined)["job"] == ["home", "other"]


@pytest.mark.parametrize("name", ["home", AUTOMATIC])
def test_the_history_of_a_job_has_all_its_runs(joined: Places, name: str) -> None:
    """By either name, in every list, page by page, and shown under the present one."""
    assert [each.job for each in past_runs.history(joined, job=name)] == ["home", "home"]
    asked = Filter(job=(name,))
    pages = [past_runs.find(joined, asked, limit=1, page=number).runs for number in (1, 2, 3)]
    assert [[each.job for each in page] for page in pages] == [["home"], ["home"], []]
    shown = lists.runs(joined, {**FORM, "job": name}, None)["rows"]
    assert [row["job"] for row in shown] == ["home", "home"]


def test_reports_and_entries_count_all_its_runs(
    joined: Places, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report of a period, that of one run, and the list of entries, which themselves stay as they are."""
    report = tmp_path / "report.csv"
    create.run(joined, Order(None, {"job": "home"}, format="csv", output=str(report)))
    assert len(report.read_text().splitlines()) == 3
    create.run(joined, Order(None, {"job": "home"}))
    said = capsys.readouterr().out
    assert AUTOMATIC not in said
    first = past_runs.history(joined, job="home")[-1]
    shown = of_run.gather(joined, first.run).run
    assert shown is not None
    assert shown.job == "home"
    assert main(["audit", "show", "--job", "home", "--action", "run.finished"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_renaming_that_waits_follows_one_on_record(places: Places) -> None:
    """In the order in which the user asked for them."""
    spool.record(places, [run("a"), renaming("a", "b"), run("b")])
    assert spool.keep(places, [renaming("b", "c")])
    assert own_jobs(places) == {"c"}
    assert {each.job for each in past_runs.history(places, job="a")} == {"c"}


def test_a_broken_configuration_matches_nothing_and_hides_no_run(places: Places) -> None:
    """The runs are listed under the names on record; the fault is said by the status."""
    spool.record(places, [run(AUTOMATIC)])
    private(places.config)
    places.config_file.write_text("[jobs")
    assert [each.job for each in past_runs.history(places)] == [AUTOMATIC]


def test_names_are_read_once_for_a_log_that_is_open(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of a list asks for them several times."""
    spool.record(places, [run("home")])
    asked: list[Places] = []
    monkeypatch.setattr(renamed.spool, "pending", lambda here: asked.append(here) or [])
    with AuditLog.read(places.audit_db, further=renamed.further(places)) as log:
        assert not asked
        assert [log.names().present("home") for _ in range(3)] == ["home"] * 3
    assert asked == [places]
