"""Which run a person means: the same one for every command and page, or none."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.audit.help import end, start, writer
from tray import runs, wording
from tray.audit import spool
from tray.cli.audit.show import entry_number
from tray.cli.main import main
from tray.core import clock
from tray.core.errors import BackupTrayError, RunAmbiguousError, RunNotFoundError, SystemViewError
from tray.core.model import Control, EndedRun, LiveRun, Outcome
from tray.core.paths import Places
from tray.runs import Process, RunFolder, RunInfo
from tray.status import StatusSource, control, run_ids, system_history
from tray.window import run_pages

FIRST = "01a2292a-2730-76a5-a596-e6a8f2a61742"
SECOND = "01a2292a-29e4-7331-9f11-1a9effd07acb"
THIRD = "01a2292a-29e4-7aaa-9f11-1a9eff000000"


def folder(places: Places, run: str) -> None:
    """Leave the folder of an ended run, with a log."""
    info = RunInfo(run, "home", "restic", "backup", clock.now_ms(), "boot", Process(1, "1"))
    made = RunFolder.create(places.run_roots[0], info)
    made.log.write_text(f"log of {run}\n")
    made.close()


@pytest.fixture
def three(places: Places) -> Places:
    """Three runs of one minute: each in the log and with a folder."""
    with writer(places) as log:
        for run in (FIRST, SECOND, THIRD):
            log.append([start(run), end(run, job="home")])
            folder(places, run)
    return places


def read_log(places: Places, words: str) -> str:
    """Return the run whose log the window shows."""
    return str(run_pages.log_head(places, words, None)["run"])


def reported(places: Places, words: str) -> str:
    """Return the run whose report the window shows."""
    return str(run_pages.report(places, words)["run"]["run"])


def proven(places: Places, words: str) -> str:
    """Return the run whose entry `audit proof` and `audit show` take."""
    with writer(places) as log:
        return str(log.entry(entry_number(words)).data["run"])


def own(places: Places, words: str) -> str:
    """Return the run among this user's own."""
    return run_ids.resolve(places, words, system=False)


ASKED: list[Callable[[Places, str], str]] = [own, read_log, reported, proven]


@pytest.mark.parametrize("ask", ASKED)
def test_words_mean_the_same_run_everywhere(three: Places, ask: Callable[[Places, str], str]) -> None:
    """A whole id, a beginning that fits one run, and the short id that `history` prints."""
    for run in (FIRST, SECOND, THIRD):
        assert ask(three, run) == run
        assert ask(three, wording.short_id(run)) == run
    assert ask(three, "01a2292a-29e4-73") == SECOND
    assert ask(three, "last") == THIRD


@pytest.mark.parametrize("ask", ASKED)
def test_last_is_the_run_that_the_status_calls_so(three: Places, ask: Callable[[Places, str], str]) -> None:
    """A check that proved the backup, or a dry run, takes the place of the last backup nowhere; a failed check does."""
    proof = {"snapshot": "4f3c21ab", "files": 3, "bytes": 1200, "how": "3 with the source"}
    others = {"check": "01a2292a-3000-7aaa-9f11-000000000001", "dry-run": "01a2292a-3000-7bbb-9f11-000000000002"}
    with writer(three) as log:
        for kind, run in others.items():
            more = {"proof": proof} if kind == "check" else {}
            log.append([end(run, job=f"home ({kind})", kind=kind, body={"reason": None, **more})])
            folder(three, run)
    with closing(StatusSource(three, role="cli", start_tracker=False, system=False)) as source:
        last = source.poll().last
    assert last is not None
    assert ask(three, "last") == last.run == THIRD
    failed = "01a2292a-3000-7ccc-9f11-000000000003"
    with writer(three) as log:
        log.append([end(failed, job="home (check)", kind="check", outcome=Outcome.FAILED)])
    folder(three, failed)
    assert ask(three, "last") == failed


def test_last_is_the_newest_run_where_no_other_counts(places: Places) -> None:
    """After a dry run alone its log is what the user asks for."""
    with writer(places) as log:
        log.append([end(FIRST, job="home", kind="dry-run")])
    assert run_ids.resolve(places, "last") == FIRST


@pytest.mark.parametrize("ask", ASKED)
def test_words_that_fit_several_runs_are_refused(three: Places, ask: Callable[[Places, str], str]) -> None:
    """Neither the oldest nor the newest is taken; the error names those that it could be."""
    for words, fits in (("01a2292a", 3), ("01a2292a-29e4", 2), ("01", 3)):
        with pytest.raises(RunAmbiguousError) as told:
            ask(three, words)
        named = [run for run in (FIRST, SECOND, THIRD) if wording.short_id(run) in told.value.why]
        assert len(named) == fits
        assert "home, " in told.value.why
    with pytest.raises(RunNotFoundError):
        ask(three, "01a2292b")


def test_a_run_is_found_wherever_it_is_known(places: Places) -> None:
    """Only in the log, only as a folder, or only in the spool."""
    with writer(places) as log:
        log.append([start(FIRST)])
    folder(places, SECOND)
    spool.keep(places, [end(THIRD)])
    for run in (FIRST, SECOND, THIRD):
        assert run_ids.resolve(places, wording.short_id(run)) == run
    with pytest.raises(RunAmbiguousError):
        run_ids.resolve(places, "01a2292a")


def test_what_history_prints_is_accepted_by_every_command(
    three: Places, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """One short form: the word in the line of the history is the word for the next command."""
    assert main(["history"]) == 0
    shorts = [line.split()[2] for line in capsys.readouterr().out.splitlines()]
    assert shorts == [wording.short_id(run) for run in (THIRD, SECOND, FIRST)]
    for short, run in zip(shorts, (THIRD, SECOND, FIRST), strict=True):
        for command in (["log", short], ["report", short], ["audit", "show", short], ["audit", "proof", short]):
            assert main(command) == 0, command
            out = capsys.readouterr().out
            assert run in out or "proof" in command or f"log of {run}" in out
    assert main(["log", "01a2292a"]) != 0
    assert "could be any of" in capsys.readouterr().err


def test_a_live_run_is_chosen_by_the_same_words(three: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """cancel, pause and resume take short id, beginning or job; several are refused and named."""
    live = {run: LiveRun(run, job, "restic", 1) for run, job in ((SECOND, "home"), (THIRD, "photos"))}
    monkeypatch.setattr(control.LiveRuns, "now", lambda _: live)
    monkeypatch.setattr(control, "refusal", lambda *_, **__: None)
    with control.LiveRuns(three, "cli") as chosen:
        for words in (SECOND, wording.short_id(SECOND), "home", "01a2292a-29e4-73"):
            assert chosen.choose(words, Control.CANCEL).run == SECOND
        with pytest.raises(BackupTrayError) as told:
            chosen.choose("01a2292a", Control.CANCEL)
        assert all(wording.short_id(run) in told.value.why for run in live)
        with pytest.raises(BackupTrayError) as told:
            chosen.choose(wording.short_id(FIRST), Control.CANCEL)
        assert told.value.code == "ERROR_RUN_OVER"


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10), st.integers(1, 36))
def test_an_end_or_a_beginning_is_of_its_own_run(ms: int, noise: bytes, length: int) -> None:
    """A word that is too short only counts as a beginning: two letters would be the end of many."""
    run = (
        f"{ms:012x}"[:8]
        + "-"
        + f"{ms:012x}"[8:]
        + "-7"
        + noise.hex()[:3]
        + "-a"
        + noise.hex()[3:6]
        + "-"
        + noise.hex()[6:18]
    )
    assert runs.is_called(run, run[:length])
    assert runs.is_called(run, run[-length:]) or length < runs.SHORTEST_END
    assert not runs.is_called(run, "x" * length)


def test_a_job_that_waits_shows_its_run(places: Places) -> None:
    """Status and history speak of the run that the resolver finds, also while its record waits."""
    spool.keep(places, [end(FIRST)])
    source = StatusSource(places, role="cli", start_tracker=False, system=False)
    status = source.poll()
    source.close()
    assert status.last is not None
    assert run_ids.resolve(places, wording.short_id(status.last.run)) == FIRST


def theirs(monkeypatch: pytest.MonkeyPatch, *ids: str) -> None:
    """Let the system's service know these runs."""
    found = [EndedRun(run, "srv", "borg", Outcome.SUCCEEDED, None, 1) for run in ids]
    monkeypatch.setattr(system_history, "history", lambda **_: (found, None))


def test_words_that_fit_a_run_of_the_system_too_are_refused(three: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same beginning must not mean my run here and root's there."""
    other = FIRST[:-12] + "0123456789ab"
    theirs(monkeypatch, other)
    with pytest.raises(RunAmbiguousError):
        run_ids.resolve(three, FIRST[:20])
    assert run_ids.resolve(three, wording.short_id(other)) == other
    assert run_ids.resolve(three, FIRST) == FIRST
    assert run_ids.resolve(three, FIRST[:20], system=False) == FIRST


def test_a_system_that_does_not_answer_hides_no_run_of_ones_own(three: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command leaves an unknown id to the system's service, and then says why that does not answer."""

    def silent(**_: object) -> None:
        raise SystemViewError("It is silent.")

    monkeypatch.setattr(system_history, "history", silent)
    assert run_ids.resolve(three, wording.short_id(FIRST)) == FIRST
    assert run_ids.resolve(three, "abcdef") == "abcdef"


def test_the_systems_service_may_find_several_too() -> None:
    """Its refusal is told as what it is, with the runs that it named."""
    facts = RunAmbiguousError("01", ["aaaa (srv, today)", "bbbb (srv, today)"]).facts()
    error = system_history._failure({"type": "failed", "error": facts}, "01")
    assert isinstance(error, RunAmbiguousError)
    assert "bbbb" in error.why


def test_two_runs_with_the_same_end_are_named_by_their_whole_ids(places: Places) -> None:
    """A short id that fits both would not help the user."""
    twin = "01a2292b" + FIRST[8:]
    with writer(places) as log:
        log.append([end(FIRST), end(twin)])
    with pytest.raises(RunAmbiguousError) as told:
        run_ids.resolve(places, wording.short_id(FIRST))
    assert FIRST in told.value.why
    assert twin in told.value.why
