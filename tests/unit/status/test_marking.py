"""The user marks a job: seen, or forgotten."""

from collections.abc import Callable

import pytest

from tests.unit.audit.help import end, start, writer
from tray.audit import spool
from tray.audit.entry import Action, Draft
from tray.cli.main import main as command
from tray.core.errors import JobNotFoundError
from tray.core.model import Outcome, State, Status
from tray.core.paths import Places
from tray.status import StatusSource, marking

FAILED = Outcome.FAILED


def shown(places: Places) -> dict[str, State]:
    """Return the jobs that every surface shows, with their states."""
    return {job.job: job.state for job in poll(places).jobs}


def poll(places: Places) -> Status:
    """Return the status now."""
    source = StatusSource(places, role="cli", start_tracker=False, system=False)
    try:
        return source.poll()
    finally:
        source.close()


def recorded(places: Places, *drafts: Draft) -> None:
    """Append *drafts* to the log."""
    with writer(places) as log:
        log.append(drafts)


def kept(places: Places, *drafts: Draft) -> None:
    """Leave *drafts* in the spool, as if the log could not be written."""
    spool.keep(places, drafts)


@pytest.mark.parametrize(("ends", "marks"), [(recorded, recorded), (recorded, kept), (kept, kept)])
def test_a_forgotten_job_is_neither_judged_nor_shown_until_it_runs_again(
    places: Places, ends: Callable[..., None], marks: Callable[..., None]
) -> None:
    """A typing mistake is not a red row for ever; whether log or spool says so makes no difference."""
    recorded(places, end("0"))
    ends(places, end("1", job="hmoe", outcome=FAILED), end("2", job="hmoe (check)", kind="check", outcome=FAILED))
    assert poll(places).state is State.FAILED
    marks(places, Draft(Action.JOB_FORGOTTEN, job="hmoe", kind="backup"))
    assert shown(places) == {"home": State.OK, "hmoe (check)": State.FAILED}
    kept(places, end("3", job="hmoe", outcome=Outcome.LOST))
    assert shown(places)["hmoe"] is State.FAILED


def test_several_are_forgotten_at_once_and_their_history_stays(
    places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    """`backup-tray forget JOB...`: one entry each, and a second time says so and records nothing."""
    recorded(
        places, end("a", job="a", outcome=FAILED), end("b", job="b"), end("c", job="a", kind="check", outcome=FAILED)
    )
    assert command(["forget", "a", "b", "a", "a (check)"]) == 0
    assert shown(places) == {}
    assert poll(places).state is State.NONE
    capsys.readouterr()
    assert command(["status"]) == 3
    said = capsys.readouterr().out
    assert said.startswith("No backup is shown. All jobs were forgotten; each is shown again after its next run.\n")
    assert said.count("All jobs were forgotten") == 1, "and not that there was never a backup"
    with writer(places) as log:
        entries = [entry.data for entry in log.entries(0, 100) if entry.data["action"] == "job.forgotten"]
        assert len(log.history()) == 3
    assert [(data["job"], data["kind"], data["result"]) for data in entries] == [
        ("a", "backup", "forgotten"),
        ("b", "backup", "forgotten"),
        ("a", "check", "forgotten"),
    ]
    capsys.readouterr()
    assert command(["forget", "a"]) == 0
    assert "before" in capsys.readouterr().out
    with writer(places) as log:
        assert sum(entry.data["action"] == "job.forgotten" for entry in log.entries(0, 100)) == 3


def test_of_a_list_with_an_unknown_name_nothing_is_forgotten(places: Places) -> None:
    """The error names the jobs whose names are nearest, and the ones that are known stay."""
    recorded(places, *(end(job=f"job-{number}") for number in range(9)), end(job="photos", outcome=FAILED))
    with pytest.raises(JobNotFoundError) as told:
        marking.forget(places, ["photos", "phtos"])
    assert "photos" in told.value.why
    assert "job-3" not in told.value.why
    assert "Nothing was forgotten" in told.value.next
    assert shown(places)["photos"] is State.FAILED


def test_a_lost_run_whose_end_nobody_recorded_is_forgotten_too(places: Places) -> None:
    """A start without an end counts as lost; forgotten it stays away, and what began later comes back."""
    recorded(places, start("1", job="gone"))
    assert shown(places) == {"gone": State.FAILED}
    assert marking.forget(places, ["gone"]) == []
    assert shown(places) == {}
    recorded(places, end("1", job="gone", outcome=Outcome.LOST, action=Action.RUN_CLOSED, time_ms=1_700_000_000_000))
    assert shown(places) == {}
    recorded(places, start("2", job="gone"))
    assert shown(places) == {"gone": State.FAILED}


def test_seen_is_of_the_one_job_and_of_what_had_ended_by_then(places: Places) -> None:
    """Acknowledging the backup says nothing about its check, and a later failure alarms again."""
    recorded(places, end("1"), end("2", outcome=FAILED), end("3", kind="check", outcome=FAILED))
    marking.acknowledge(places, "home")
    assert shown(places) == {"home": State.OK, "home (check)": State.FAILED}
    marking.acknowledge(places, "home (check)")
    assert shown(places) == {"home": State.OK, "home (check)": State.NONE}
    recorded(places, end("4", outcome=Outcome.CANCELLED))
    assert shown(places)["home"] is State.OK
    kept(places, end("5", outcome=FAILED))
    assert shown(places)["home"] is State.FAILED
    with pytest.raises(JobNotFoundError):
        marking.acknowledge(places, "hmoe")


def test_a_forgotten_job_cannot_be_acknowledged(places: Places) -> None:
    """It is not shown, so the user has not seen it."""
    recorded(places, end("1", outcome=FAILED))
    marking.forget(places, ["home"])
    with pytest.raises(JobNotFoundError):
        marking.acknowledge(places, "home")


def test_the_window_forgets_the_job_whose_last_run_it_names(places: Places) -> None:
    """A job that has run again meanwhile is not forgotten by an old picture."""
    recorded(places, end("1", outcome=FAILED))
    recorded(places, end("2", outcome=FAILED))
    with pytest.raises(JobNotFoundError):
        marking.forget_of(places, "1")
    marking.forget_of(places, "2")
    assert shown(places) == {}
