"""The rules that hold for every engine whose output is lines of text."""

import pytest

from tray.core.model import Outcome
from tray.engines.base import Exit, Problem
from tray.engines.causes import causes
from tray.engines.findings import MAX_ITEMS, MAX_PROBLEMS, Findings, conclude, nothing_read
from tray.engines.program import Inner

PLAIN = Inner(0, {})
DONE = "It was done"


def _problem(findings: Findings) -> None:
    findings.problem("no", "/x")


@pytest.mark.parametrize(
    ("exit", "done", "problems", "outcome"),
    [
        (Exit(0), DONE, 0, Outcome.SUCCEEDED),
        (Exit(0), DONE, 1, Outcome.WARNING),
        (Exit(None), DONE, 0, Outcome.SUCCEEDED),
        (Exit(0, asked=True), DONE, 0, Outcome.SUCCEEDED),
        (Exit(None, 9), DONE, 0, Outcome.FAILED),
        (Exit(None, 15, asked=True), DONE, 0, Outcome.CANCELLED),
        (Exit(0), "", 0, Outcome.UNKNOWN),
        (Exit(1), "", 0, Outcome.FAILED),
        (Exit(None), "", 0, Outcome.LOST),
        (Exit(1, asked=True), "", 0, Outcome.CANCELLED),
    ],
)
def test_outcomes(exit: Exit, done: str, problems: int, outcome: Outcome) -> None:
    """Green needs a proof, a death by signal is never green, and a cancel needs that we sent it."""
    seen = Findings()
    for number in range(problems):
        seen.problem("no", f"/{number}")
    assert conclude(seen, exit, PLAIN, name="x", done=done).outcome is outcome


def test_a_program_that_lets_the_engine_run_by_itself_makes_the_end_unknown() -> None:
    """Whatever was said."""
    inner = Inner(1, {}, opaque="it does not tell")
    assert conclude(Findings(), Exit(0), inner, name="x", done=DONE).outcome is Outcome.UNKNOWN


def test_a_program_that_fails_to_start_the_engine_has_failed() -> None:
    """Then nothing runs anywhere; only a good exit code says nothing of the work."""
    inner = Inner(1, {}, opaque="it does not tell")
    judged = conclude(Findings(), Exit(1), inner, name="x", done=DONE)
    assert (judged.outcome, judged.reason) == (Outcome.FAILED, "The program that starts x ended with exit code 1.")
    assert conclude(Findings(), Exit(1, asked=True), inner, name="x").outcome is Outcome.UNKNOWN


def test_a_code_that_the_engine_announced_counts_where_none_was_seen() -> None:
    """Also that of a failure; one that is out of range is not believed."""
    seen = Findings()
    for code, outcome in ((300, Outcome.LOST), ("0", Outcome.LOST), (0, Outcome.UNKNOWN), (3, Outcome.FAILED)):
        seen.announced(code)
        assert conclude(seen, Exit(None), PLAIN, name="x").outcome is outcome
        assert conclude(seen, Exit(None, 9), PLAIN, name="x").outcome is Outcome.FAILED


def test_a_doubt_makes_a_warning_and_a_verdict_yields_to_a_stop() -> None:
    """An engine's own rule counts unless the user stopped the run."""
    doubted = conclude(Findings(), Exit(0), PLAIN, name="x", done=DONE, but="it looks odd")
    assert (doubted.outcome, doubted.reason) == (Outcome.WARNING, "It was done, but it looks odd.")
    verdict = (Outcome.WARNING, "Some of it is there.")
    assert conclude(Findings(), Exit(3), PLAIN, name="x", verdict=verdict).outcome is Outcome.WARNING
    assert conclude(Findings(), Exit(3, asked=True), PLAIN, name="x", verdict=verdict).outcome is Outcome.CANCELLED
    assert conclude(Findings(), Exit(130), PLAIN, name="x", verdict=verdict, stops=(130,)).outcome is Outcome.CANCELLED
    assert conclude(Findings(), Exit(None, 9), PLAIN, name="x", verdict=verdict).outcome is Outcome.FAILED


def test_a_time_that_ran_out_is_no_cancel() -> None:
    """`timeout` stops with a signal, but the user did not cancel."""
    seen = Findings(stopped=True)
    found = conclude(seen, Exit(124), Inner(1, {}, timed=True), name="x")
    assert found.outcome is Outcome.FAILED
    assert "`timeout`" in found.reason
    assert conclude(seen, Exit(1), PLAIN, name="x").outcome is Outcome.CANCELLED


def test_an_engine_that_gave_up_has_failed_though_nobody_saw_its_end() -> None:
    """Its last words are enough."""
    seen = Findings(fatal=True)
    seen.complain("disk full", decisive=True)
    found = conclude(seen, Exit(None), PLAIN, name="x", causes=causes("disk (f.*)\n    It is {1}.\n"))
    assert (found.outcome, found.reason) == (Outcome.FAILED, "It is full.")


def test_a_source_of_which_nothing_could_be_read_is_a_failure() -> None:
    """Exit code 0 and a snapshot of nothing is no backup."""
    seen = Findings()
    _problem(seen)
    nothing_read(seen)
    found = conclude(seen, Exit(0), PLAIN, name="x")
    assert (found.outcome, found.reason) == (Outcome.FAILED, "Not one file of the source could be read.")


def test_an_item_counts_once_and_memory_is_bounded() -> None:
    """A disk that breaks can name every file of it."""
    seen = Findings()
    assert seen.problem("no", "/x") == (Problem("no", "/x"),)
    assert seen.problem("no again", "/x") == ()
    for number in range(MAX_ITEMS + 10):
        seen.problem("no", str(number))
        seen.complain(f"line {number}" * 1000)
    assert seen.errors == MAX_ITEMS + 11
    assert len(seen.problems) == MAX_PROBLEMS
    assert len(seen.complaint) < 200_000


def test_decisive_words_come_first_in_their_order() -> None:
    """The decisive line is not hidden behind a hundred lines of a traceback."""
    seen = Findings()
    for number in range(80):
        seen.complain(f"  File {number}")
    seen.complain("Error: one", decisive=True)
    seen.complain("Error: two", decisive=True)
    assert seen.complaints[:3] == ["Error: one", "Error: two", "  File 0"]
    assert len(seen.complaints) == 50


def test_the_reason_names_the_first_problem_and_how_many_there_are() -> None:
    """One sentence says what is there and what is not."""
    seen = Findings()
    _problem(seen)
    assert conclude(seen, Exit(0), PLAIN, name="x", done=DONE).reason == "It was done, but with 1 problem: /x (no)."
    seen.problem("no", "/y")
    assert conclude(seen, Exit(0), PLAIN, name="x", done=DONE).reason.endswith("2 problems: /x (no), and more.")
    assert (
        conclude(Findings(errors=3), Exit(0), PLAIN, name="x", done=DONE).reason == "It was done, but with 3 problems."
    )
