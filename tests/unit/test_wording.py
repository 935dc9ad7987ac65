"""The words that every surface shares."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tray import display, wording
from tray.clock import DAY_MS
from tray.model import EndedRun, JobHistory, JobStatus, LiveRun, Outcome, Phase, State, Status
from tray.status import judge

NOW = 1_800_000_000_000
RUN = LiveRun(
    "r1",
    "home",
    "restic",
    NOW - 60_000,
    phase=Phase.COPYING,
    files_done=1204,
    files_total=20_220,
    bytes_done=42,
    bytes_total=100,
    bytes_per_second=12_300_000,
    eta_seconds=180,
)
ERROR = {
    "code": "ERROR_STATUS_FETCH",
    "what": "The status cannot be read.",
    "why": "The audit log is locked.",
    "next": "x",
}


def ended(
    job: str = "home", outcome: Outcome = Outcome.SUCCEEDED, *, hours: float = 2, reason: str | None = None
) -> EndedRun:
    """Return a run that ended *hours* ago."""
    return EndedRun("e1", job, "restic", outcome, None, NOW - int(hours * 3_600_000), reason=reason)


def settled(*runs: EndedRun, live: tuple[LiveRun, ...] = (), seen_ms: int | None = None) -> Status:
    """Return the status after *runs*, the last of one job each."""
    return judge(NOW, live, [JobHistory(run.job, run, None, seen_ms) for run in runs])


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (99_949, "99.9 kB"),
        (99_950, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (12_345_678, "12.3 MB"),
        (10 * 10**12, "10.0 TB"),
        (5000 * 10**18, "5,000 EB"),
    ],
)
def test_sizes_are_decimal_and_change_unit_where_they_round_to_a_thousand(amount: int, text: str) -> None:
    """Nobody reads "1000 kB" or "0.0 MB"."""
    assert wording.size(amount) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.01, "0.1 s"),
        (6.24, "6.2 s"),
        (9.96, "10 s"),
        (45, "45 s"),
        (59.6, "1 min"),
        (360, "6 min"),
        (400, "6 min 40 s"),
        (7500, "2 h 5 min"),
        (7200, "2 h"),
        (86_399.9, "1 d"),
        (100_000, "1 d 3 h"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float, text: str) -> None:
    """A length of time is read at a glance."""
    assert wording.duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "a few seconds left"),
        (11, "20 s left"),
        (50, "50 s left"),
        (51, "1 min left"),
        (100, "2 min left"),
        (3569, "59 min left"),
        (3580, "1 h left"),
        (7500, "2 h 5 min left"),
        (300_000, "3 d 11 h left"),
    ],
)
def test_time_left_is_rounded(seconds: float, text: str) -> None:
    """An ETA does not change with every poll."""
    assert wording.time_left(seconds) == text


def test_an_estimated_eta_is_called_one() -> None:
    """What comes from an earlier run is not passed off as known."""
    assert wording.time_left(180, estimate=True) == "about 3 min left"
    assert "about 3 min left" in wording.run_line(RUN.with_changes(eta_is_estimate=True))


@pytest.mark.parametrize(
    ("age_ms", "text"),
    [
        (0, "just now"),
        (59_999, "just now"),
        (60_000, "1 minute ago"),
        (3_599_000, "59 minutes ago"),
        (7_200_000, "2 hours ago"),
        (47 * 3_600_000, "47 hours ago"),
        (2 * DAY_MS, "2 days ago"),
        (61 * DAY_MS, "2 months ago"),
        (800 * DAY_MS, "2 years ago"),
        (-30_000, "just now"),
        (-3_600_000, "at a time ahead of this clock"),
    ],
)
def test_ages(age_ms: int, text: str) -> None:
    """An age is said in one unit, and a clock that was set back is not covered up."""
    assert wording.ago(NOW, NOW - age_ms) == text


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain näme 日本", "plain näme 日本"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("abc\u202egpj.exe", "abc\\u202egpj.exe"),
        ("zero\u200bwidth\u2028", "zero\\u200bwidth\\u2028"),
        (b"bad\xff".decode(errors="surrogateescape"), "bad\\xff"),
        ("\ud800", "\\ud800"),
        ("tag\U000e0001", "tag\\U000e0001"),
        ("C:\\new\\table", "C:\\new\\table"),
        (
            "می\u200cخواهم \U0001f468\u200d\U0001f469\u200d\U0001f467",
            "می\u200cخواهم \U0001f468\u200d\U0001f469\u200d\U0001f467",
        ),
    ],
)
def test_names_show_what_is_invisible_in_them(raw: str, shown: str) -> None:
    """A file name cannot forge a line, a colour or a direction."""
    assert wording.escape(raw) == shown


@given(st.text(alphabet=st.characters(codec=None)))
def test_whatever_a_name_holds_the_result_is_one_safe_line(raw: str) -> None:
    """No name breaks a line, moves a cursor, or cannot be written as UTF-8."""
    shown = wording.escape(raw)
    assert len(shown.splitlines()) <= 1
    assert "\x1b" not in shown
    shown.encode()


def test_a_live_run_has_two_short_lines() -> None:
    """The hover text answers what, how far, how fast and how long."""
    text = wording.tooltip(settled(live=(RUN,)), NOW)
    assert text == "Backing up home: 42 %, 1,204 of 20,220 files\n12.3 MB/s, 3 min left"


def test_no_percentage_before_the_scan_is_over() -> None:
    """While totals grow, neither a percentage nor a total nor an ETA is shown."""
    text = wording.tooltip(settled(live=(RUN.with_changes(phase=Phase.SCANNING),)), NOW)
    assert text == "Backing up home: scanning, 1,204 files so far\n12.3 MB/s"


def test_bytes_stand_in_where_files_are_unknown() -> None:
    """An engine that counts only bytes still shows how far it is."""
    run = RUN.with_changes(files_done=None, files_total=None, bytes_done=5_000_000, bytes_total=10_000_000)
    assert wording.amount(run) == "5.0 MB of 10.0 MB"
    assert wording.amount(run.with_changes(bytes_total=None)) == "5.0 MB so far"


def test_the_rate_of_an_unknown_command_is_called_reading() -> None:
    """What a process reads is not what it has backed up."""
    run = LiveRun("r", "dump", "command", NOW, phase=Phase.COPYING, io_bytes_per_second=12_000_000)
    assert wording.tooltip(settled(live=(run,)), NOW) == "Backing up dump\nreading 12.0 MB/s"


def test_a_run_that_no_tracker_hears_shows_no_progress() -> None:
    """Figures from a run folder would be old: it only says that the run goes on."""
    text = wording.run_line(RUN.with_changes(tracked=False))
    assert "%" not in text
    assert "progress not known" in text


def test_a_run_that_stands_still_says_for_how_long_and_promises_nothing() -> None:
    """No rate and no time left, which would be old; the job says it too."""
    run = RUN.with_changes(stalled=True, since_progress_seconds=4320)
    assert "no progress for 1 h 12 min" in wording.run_line(run)
    assert "left" not in wording.run_line(run)
    assert "/s" not in wording.run_line(run)
    assert "no progress for" in wording.short_line(run)
    assert "no progress," in wording.run_line(run.with_changes(since_progress_seconds=0))
    found = judge(NOW, [run], ())
    assert "no progress" in wording.tooltip(found, NOW).lower()


def test_a_paused_run_says_so() -> None:
    """It is neither stalled nor going on."""
    assert "paused" in wording.run_line(RUN.with_changes(phase=Phase.PAUSED))


def test_the_kind_of_run_is_named() -> None:
    """A restore is not shown as a backup."""
    assert wording.activity(RUN.with_changes(kind="restore")) == "Restoring home"
    assert wording.activity(RUN.with_changes(kind="forget")) == "Running home"


def test_problems_of_a_live_run_are_counted() -> None:
    """Whoever hovers sees that files were left out, before the end."""
    assert wording.run_line(RUN.with_changes(errors=2)).endswith("2 problems")


def test_a_narrow_terminal_loses_the_files_before_the_time_left() -> None:
    """At 80 columns bar, percentage, speed and time left are whole."""
    wide, narrow = display.line([RUN], 200), display.line([RUN], 80)
    assert wide.endswith("42 %, 1,204 of 20,220 files, 12.3 MB/s, 3 min left")
    assert narrow == "[##########--------------] home: 42 %, 12.3 MB/s, 3 min left"


def test_several_runs_are_counted_and_the_first_is_shown() -> None:
    """Two runs fit into two lines."""
    text = wording.tooltip(settled(live=(RUN, RUN.with_changes(run="r2", job="photos", started_ms=NOW))), NOW)
    assert text == "2 backups running\nhome: 42 %, 3 min left"


def test_success_shows_outcome_age_and_figures() -> None:
    """With nothing running, the tooltip is the last run."""
    last = EndedRun(
        "e",
        "home",
        "restic",
        Outcome.SUCCEEDED,
        None,
        NOW - 7_200_000,
        duration_ms=400_000,
        bytes_processed=12_300_000_000,
        files=20_220,
    )
    assert wording.tooltip(settled(last), NOW) == "home: succeeded 2 hours ago\n12.3 GB, 20,220 files, took 6 min 40 s"
    assert wording.headline(settled(last), NOW) == "Your backups are fine (home: succeeded 2 hours ago)."


def test_several_fine_jobs_are_counted() -> None:
    """One good run does not speak for the others: the line says how many are fine."""
    assert wording.lines(settled(ended(), ended("b"), ended("c")), NOW)[1] == "all 3 jobs fine"


@pytest.mark.parametrize("outcome", [Outcome.WARNING, Outcome.FAILED, Outcome.CANCELLED, Outcome.LOST, Outcome.UNKNOWN])
def test_a_bad_end_is_never_called_fine(outcome: Outcome) -> None:
    """Every outcome but success says so in tooltip and headline, with its reason."""
    status = settled(ended(outcome=outcome, reason="Wrong password."))
    first, second = wording.lines(status, NOW)
    assert "2 hours ago" in first
    assert "succeeded" not in first
    assert second == "Wrong password"
    assert "are fine" not in wording.headline(status, NOW)


def test_the_worst_job_comes_first_and_others_are_counted() -> None:
    """A newer success of another job does not hide a failure."""
    status = settled(ended("fine", hours=1), ended("bad", Outcome.FAILED), ended("old", hours=24 * 9))
    assert wording.lines(status, NOW) == ("bad: failed 2 hours ago", "1 more job not fine; the reason is unknown")


def test_a_live_run_stands_beside_a_bad_state() -> None:
    """Neither the failure nor the new attempt is hidden."""
    status = settled(ended(outcome=Outcome.FAILED), live=(RUN,))
    assert wording.tooltip(status, NOW) == "home: failed 2 hours ago\nBacking up home now: 42 %, 3 min left"
    assert (
        wording.headline(status, NOW) == "Your backups are not fine (home: failed 2 hours ago). 1 backup running now."
    )


def test_a_success_that_is_too_old_says_how_old() -> None:
    """The reason for the warning is the age."""
    assert wording.lines(settled(ended(hours=24 * 9)), NOW) == ("home: last success 9 days ago", "no backup since then")


def test_a_job_that_needs_a_look_says_why() -> None:
    """In a list of jobs the reason stands beside the name: of the failure, or that the success is old."""
    runs = [
        ended("old", hours=24 * 9),
        ended("bad", Outcome.FAILED, reason="The disk is full."),
        ended("odd", Outcome.UNKNOWN),
    ]
    found = {job.job: wording.why(job, NOW) for job in settled(*runs).jobs}
    assert found == {
        "old": "last success 9 days ago, no backup since then",
        "bad": "The disk is full",
        "odd": "ended 2 hours ago, how is unknown",
    }
    assert wording.why(JobStatus("new", State.NONE, None), NOW) == ""


def test_an_acknowledged_failure_is_called_so() -> None:
    """Acknowledged is not the same as succeeded."""
    status = settled(ended(outcome=Outcome.FAILED), seen_ms=NOW)
    assert status.state is State.NONE
    assert wording.lines(status, NOW) == ("home: failed 2 hours ago, acknowledged", "no recent success is known")
    assert wording.job_word(status.jobs[0]) == "Acknowledged"
    assert wording.job_word(JobStatus("new", State.NONE, None)) == "No backups yet"
    bad = ended(outcome=Outcome.FAILED)
    assert wording.job_word(JobStatus("home", State.OK, bad)) == "Acknowledged"  # fine by an older, recent success
    assert wording.job_word(JobStatus("home", State.FAILED, bad)) == "Failed"


def test_a_failed_dry_run_is_not_called_acknowledged() -> None:
    """Nobody has seen it; it only says nothing about backups."""
    dry = EndedRun("e1", "home", "restic", Outcome.FAILED, None, NOW - 7_200_000, kind="dry-run")
    status = settled(dry)
    assert wording.lines(status, NOW)[0] == "home: dry-run failed 2 hours ago"
    assert wording.job_word(status.jobs[0]) == "No backups yet"


def test_an_empty_history_says_so() -> None:
    """AF-1."""
    assert wording.tooltip(settled(), NOW) == "No backups performed\nBackup Tray has seen none yet"


def test_an_error_says_what_why_and_how_old_the_rest_is() -> None:
    """AF-2: old data is never shown as current, a live run of then is not shown at all."""
    status = judge(NOW, (RUN,), [JobHistory("home", ended())], error=ERROR, as_of_ms=NOW - 600_000)
    assert (
        wording.tooltip(status, NOW) == "Backup status unavailable\nThe audit log is locked; last known 10 minutes ago"
    )
    assert "42 %" not in wording.headline(status, NOW)
    assert wording.headline(status, NOW).startswith("Nobody can say now whether your backups are fine")


@pytest.mark.parametrize("state", list(State))
def test_every_state_has_words_even_when_nothing_else_is_known(state: State) -> None:
    """A state that a newer part of the program brings is never an empty tooltip, nor fine by mistake."""
    for jobs in ((), (JobStatus("home", state, None),), (JobStatus("home", state, ended(outcome=Outcome.FAILED)),)):
        status = Status(state, NOW, jobs=jobs)
        assert wording.tooltip(status, NOW).strip()
        fine = wording.headline(status, NOW).startswith("Your backups are fine")
        assert fine == (state in (State.OK, State.RUNNING))
    assert wording.state_word(state)


@given(
    job=st.text(alphabet=st.characters(codec=None), max_size=300),
    reason=st.text(alphabet=st.characters(codec=None), max_size=300),
    outcome=st.sampled_from(list(Outcome)),
    live=st.integers(0, 3),
    error=st.booleans(),
    done=st.integers(0, 10**16),
)
def test_a_tooltip_is_two_lines_and_fits_windows(
    job: str, reason: str, outcome: Outcome, live: int, error: bool, done: int
) -> None:
    """Windows cuts at 127 UTF-16 units and breaks lines as they come: ours always fit."""
    runs = tuple(
        RUN.with_changes(run=f"r{n}", job=job + str(n), files_done=done, files_total=done * 2, current=reason)
        for n in range(live)
    )
    facts = {**ERROR, "why": reason} if error else None
    status = judge(NOW, runs, [JobHistory(job, ended(job, outcome, reason=reason))], error=facts)
    text = wording.tooltip(status, NOW)
    assert len(text.encode("utf-16-le")) // 2 <= wording.TOOLTIP_UNITS
    assert 1 <= len(text.splitlines()) <= 2
    assert "\n" not in wording.menu_line(status, NOW)


def test_what_is_cut_is_marked_and_never_splits_a_character() -> None:
    """An emoji takes two units of UTF-16 and is kept or dropped whole."""
    assert wording.fit("abc", 3) == "abc"
    assert wording.fit("abcd", 3) == "ab…"
    assert wording.fit("a\U0001f600\U0001f600", 4) == "a\U0001f600…"


def test_a_run_on_one_line_names_the_outcome_and_its_reason() -> None:
    """History in the terminal needs no second line."""
    assert (
        wording.last_line(ended(outcome=Outcome.FAILED, reason="Disk full."), NOW)
        == "home: failed 2 hours ago, Disk full"
    )


def test_notes_come_before_figures() -> None:
    """That records wait for the log is worth more than how large the last run was."""
    status = judge(NOW, (), [JobHistory("home", ended())], notes=["3 records wait to be written to the audit log"])
    assert wording.lines(status, NOW)[1].startswith("3 records wait")


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("UTC", "2027-01-15 08:00:00 UTC"),
        ("Europe/Berlin", "2027-01-15 09:00:00 CET (2027-01-15 08:00:00 UTC)"),
        ("Asia/Kathmandu", "2027-01-15 13:45:00 +0545 (2027-01-15 08:00:00 UTC)"),
        ("Europe/London", "2027-01-15 08:00:00 UTC"),
    ],
)
def test_a_time_stands_there_once_where_the_zone_is_utc(zone: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same time twice is noise; in another zone both are needed, since the log holds UTC."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert wording.both_times(1_800_000_000_000) == words
    finally:
        monkeypatch.undo()
        time.tzset()
