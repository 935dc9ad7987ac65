"""The words of a rhythm: what is expected, how the job stands against it, and why."""

import pytest

from tray import wording
from tray.core.dataclass import replace
from tray.core.model import EndedRun, Expectation, JobStatus, Outcome, State, Word
from tray.core.model.expectation import Ask
from tray.rhythm import Rhythm
from tray.wording import expectations

HOUR, DAY = 3_600_000, 86_400_000
NOW = 1_796_040_000_000
"""2026-11-30 12:00 UTC, a Monday."""
GOOD = NOW - 2 * DAY

FINE = Expectation(
    Word.FINE,
    NOW + 2 * HOUR,
    NOW + HOUR,
    awake_ms=9 * HOUR,
    tolerance_ms=HOUR,
    period_ms=DAY,
    last_good_ms=NOW - 23 * HOUR,
)
LATE = replace(
    FINE,
    word=Word.LATE,
    expected_by_ms=NOW - DAY,
    next_ms=NOW - DAY - HOUR,
    late_since_ms=NOW - DAY,
    last_good_ms=GOOD,
    missed=1,
)


def run(age_ms: int = 2 * DAY, outcome: Outcome = Outcome.SUCCEEDED) -> EndedRun:
    """Return a run that ended so long ago."""
    return EndedRun("r", "home", "restic", outcome, NOW - age_ms - 1000, NOW - age_ms, entry=1)


def item(state: State, word: Word | None, last: EndedRun | None = None, **more: object) -> JobStatus:
    """Return a job of this state and word."""
    good = last if last is not None and last.outcome is Outcome.SUCCEEDED else None
    return JobStatus("home", state, last, last_good=good, word=None if word is None else word.value, **more)  # type: ignore[arg-type]


@pytest.mark.usefixtures("utc")
@pytest.mark.parametrize(
    ("rhythm", "known", "words"),
    [
        (Rhythm("stated", every_ms=DAY), FINE, "every day"),
        (Rhythm("stated", every_ms=14 * DAY), FINE, "every 2 weeks"),
        (Rhythm("stated", every_ms=5_400_000), FINE, "every 90 minutes"),
        (Rhythm("stated", on="Mon..Fri 20:30", zone="Asia/Tokyo"), FINE, "Mon..Fri 20:30 in Asia/Tokyo"),
        (Rhythm("stated", on="15 2 * * *", from_text="crontab of ann"), FINE, "15 2 * * *, crontab of ann"),
        (Rhythm("stated", on="Mon 20:00\nSat 08:00"), FINE, "Mon 20:00 or Sat 08:00"),
        (Rhythm(), replace(FINE, learnt=True), "every day or so, by its past"),
        (Rhythm(), replace(FINE, learnt=True, period_ms=int(2.9 * DAY)), "every 3 days or so, by its past"),
        (Rhythm(), replace(FINE, learnt=True, period_ms=4 * HOUR), "every 4 hours or so, by its past"),
        (Rhythm(), Expectation(Word.UNKNOWN, last_good_ms=GOOD), "not known yet"),
        (Rhythm("off"), Expectation(Word.OFF), "off"),
    ],
)
def test_a_rhythm_in_words(rhythm: Rhythm, known: Expectation, words: str) -> None:
    """As the user stated it, or as it was learnt."""
    assert wording.expected(rhythm, known, NOW).rhythm == words


@pytest.mark.usefixtures("utc")
def test_the_arithmetic_names_every_figure() -> None:
    """A reader can compute the word himself."""
    why = wording.expected(Rhythm("stated", every_ms=DAY), LATE, NOW).why
    assert why == (
        "Its last good backup ended Sat 12:00, 2 days ago. The next was expected Sun 11:00 (every day), and was late after "
        "Sun 12:00: 1 h of awake time may pass. Since then this computer was awake for 9 h and 1 backup was missed. "
        "It deserves a look since Sun 12:00."
    )
    learnt = replace(FINE, learnt=True, tolerance_ms=None, score=0.4, limit=2.0)
    assert "in which 0.4 backups would have come by its past; 2.0 are too many to miss" in (
        wording.expected(Rhythm(), learnt, NOW).why or ""
    )


@pytest.mark.usefixtures("utc")
@pytest.mark.parametrize("word", [Word.UNKNOWN, Word.NEVER_RAN, Word.OLD])
@pytest.mark.parametrize(("by_ms", "verb"), [(NOW + DAY, "is"), (NOW - DAY, "was")])
def test_a_rhythm_that_is_not_known_yet_is_no_slot(by_ms: int, verb: str, word: Word) -> None:
    """There is one latest moment, and no next run."""
    known = Expectation(word, expected_by_ms=by_ms)
    said = f"Its rhythm is not known yet; a good backup {verb} expected by "
    assert said in (wording.expected(Rhythm(), known, NOW).why or "")


@pytest.mark.usefixtures("utc")
@pytest.mark.parametrize(
    ("known", "concern"),
    [
        (FINE, None),
        (LATE, "Expected by Sun 12:00."),
        (replace(LATE, word=Word.OVERDUE, overdue_since_ms=NOW - HOUR), "Expected by Sun 12:00."),
        (replace(LATE, word=Word.NEVER_RAN, last_good_ms=None), "Never ran, expected by Sun 12:00."),
        (replace(LATE, word=Word.STILL_RUNNING, running_since_ms=NOW - 9 * HOUR), "Still running since 03:00."),
        (replace(LATE, word=Word.OLD, old_after_ms=NOW - HOUR), None),
        (replace(FINE, word=Word.NEVER_RAN, last_good_ms=None), None),
    ],
)
def test_only_what_the_last_run_does_not_tell_is_a_concern(known: Expectation, concern: str | None) -> None:
    """A backup that is too old is told by its own age."""
    assert wording.expected(Rhythm("stated", every_ms=DAY), known, NOW).concern == concern


@pytest.mark.parametrize(
    ("word", "state", "concern", "line"),
    [
        (Word.NEVER_RAN, State.OVERDUE, "Never ran, expected by 12:00.", "Expected by 12:00"),
        (Word.NEVER_RAN, State.WARNING, "Never ran.", "Never ran"),
        (Word.STILL_RUNNING, State.WARNING, "Still running since 03:00.", "Since 03:00"),
        (Word.OVERDUE, State.OVERDUE, "Expected by 12:00.", "Expected by 12:00"),
    ],
)
def test_a_row_says_nothing_twice(word: Word, state: State, concern: str, line: str) -> None:
    """The badge stands beside the text; where no badge stands, the text is whole."""
    item = JobStatus("home", state, None, concern, word=word.value)
    assert wording.job_line(item, NOW) == line
    assert wording.why(item, NOW) == f"{line}."


@pytest.mark.usefixtures("utc")
def test_runs_that_were_skipped_are_told_with_the_last_reason() -> None:
    """A laptop on battery for a week is late for a reason that the user can change."""
    late = wording.expected(Rhythm("stated", every_ms=DAY), LATE, NOW, skipped=(3, "on battery"))
    assert late.concern == "Expected by Sun 12:00, skipped 3 times: on battery."
    assert (late.why or "").endswith(" It was skipped 3 times: on battery.")
    fine = wording.expected(Rhythm("stated", every_ms=DAY), FINE, NOW, skipped=(1, "target away"))
    assert fine.concern is None
    assert (fine.why or "").endswith(" It was skipped once: target away.")


@pytest.mark.parametrize(("ask", "words"), [(Ask.RARE, "too rarely"), (Ask.CHANGED, "longer than those before")])
def test_the_user_is_asked_for_a_rhythm_with_a_command_that_states_it(ask: Ask, words: str) -> None:
    """Where the past cannot tell it."""
    known = replace(FINE, ask=ask, period_ms=30 * DAY + HOUR)
    why = wording.expected(Rhythm(), known, NOW, job="old photos").why or ""
    assert words in why
    assert why.endswith(" state it: `backup-tray jobs edit 'old photos' --every 30d`.") or "State it: `" in why


@pytest.mark.parametrize("word", list(Word))
def test_every_word_has_an_explanation_and_no_figure_is_made_up(word: Word) -> None:
    """With as little known as can be."""
    made = wording.expected(Rhythm(), Expectation(word), NOW)
    assert made.why
    assert made.why.endswith(".")
    assert "None" not in made.why


@pytest.mark.usefixtures("utc")
def test_a_job_that_is_off_says_until_when_and_alarms_with_no_rhythm() -> None:
    """The user decided so; the day on which it ends stands beside it."""
    for_good = wording.expected(Rhythm("disabled"), Expectation(Word.DISABLED), NOW)
    assert (for_good.rhythm, for_good.concern) == ("disabled", None)
    until = wording.expected(Rhythm("disabled"), Expectation(Word.DISABLED, off_until_ms=NOW + 36 * HOUR), NOW)
    assert until.rhythm == "off until 2026-12-02"
    assert until.why == "The job is off until 2026-12-02, so no backup is expected before that day."


@pytest.mark.usefixtures("utc")
@pytest.mark.parametrize(
    ("job", "badge", "next_run"),
    [
        (item(State.OK, Word.FINE, run(), next_ms=NOW + HOUR, expected_by_ms=NOW + 2 * HOUR), "Fine", "next 13:00"),
        (item(State.OK, Word.DUE, run(), next_ms=NOW - HOUR, expected_by_ms=NOW + HOUR), "Due", "due since 11:00"),
        (item(State.WARNING, Word.LATE, run()), "Late", ""),
        (item(State.WARNING, Word.OLD, run()), "Too old", ""),
        (item(State.WARNING, Word.STILL_RUNNING, run()), "Still running", ""),
        (item(State.WARNING, Word.FINE, run(outcome=Outcome.WARNING)), "Warning", ""),
        (item(State.OVERDUE, Word.OVERDUE, run()), "Overdue", ""),
        (item(State.OVERDUE, Word.NEVER_RAN), "Never ran", ""),
        (item(State.NONE, Word.NEVER_RAN, next_ms=NOW + DAY), "Never ran", "expected Tue 12:00"),
        (item(State.NONE, Word.OFF, run()), "Not expected", "no next one is expected"),
        (item(State.NONE, Word.DISABLED, run(), rhythm="disabled"), "Disabled", ""),
        (item(State.NONE, Word.DISABLED, run(), off_until_ms=NOW + 12 * HOUR), "Disabled", "off until 2026-12-01"),
        (
            item(State.NONE, Word.FINE, run(), off_until_ms=NOW - 12 * HOUR, next_ms=NOW + HOUR),
            "On again",
            "was off until 2026-11-30, next 13:00",
        ),
        (item(State.FAILED, Word.OVERDUE, run(outcome=Outcome.FAILED)), "Failed", ""),
        (item(State.OK, None, run()), "Fine", ""),
    ],
)
def test_a_badge_says_the_word_and_a_row_when_the_next_run_comes(job: JobStatus, badge: str, next_run: str) -> None:
    """The state's own word stays where it says more."""
    assert wording.job_word(job) == badge
    assert wording.next_words(job, NOW) == next_run


@pytest.mark.usefixtures("utc")
def test_a_late_job_is_told_with_its_last_good_backup_everywhere() -> None:
    """Tooltip, menu and headline."""
    from tray.core.model import Status

    job = item(State.OVERDUE, Word.OVERDUE, run(), concern="Expected by Sun 12:00.", expected_by_ms=NOW - DAY)
    status = Status(State.OVERDUE, NOW, jobs=(job,))
    assert wording.headline(status, NOW) == "A backup is overdue: home, expected by Sun 12:00, last good 2 days ago."
    assert wording.tooltip(status, NOW) == "A backup is overdue\nhome: expected by Sun 12:00, last good 2 days ago"
    assert wording.menu_lines(status, NOW)[0] == "A backup is overdue"


def test_a_moment_is_as_short_as_it_can_be(utc: None) -> None:
    """Today by the hour, this week by the day."""
    assert [expectations.moment(NOW + offset, NOW) for offset in (0, -DAY, 5 * DAY, 9 * DAY)] == [
        "12:00",
        "Sun 12:00",
        "Sat 12:00",
        "2026-12-09 12:00",
    ]
