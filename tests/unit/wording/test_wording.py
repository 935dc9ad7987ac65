"""The words that every surface shares."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tray import wording
from tray.core.clock import DAY_MS
from tray.core.dataclass import replace
from tray.core.model import EndedRun, JobHistory, JobStatus, LiveRun, Outcome, Phase, State, Status
from tray.core.model.judge import judge, with_run
from tray.wording import progress_bar

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


def settled(*runs: EndedRun, live: tuple[LiveRun, ...] = (), seen: bool = False) -> Status:
    """Return the status after *runs*, in the order of their records."""
    known: dict[tuple[str, str], JobHistory] = {}
    for place, run in enumerate(runs):
        key = run.job, run.kind
        known[key] = with_run(known.get(key), replace(run, entry=place))
    return judge(NOW, live, [replace(job, seen=seen) for job in known.values()])


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
    """The user never reads "1000 kB" or "0.0 MB"."""
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
    """A figure from an earlier run is not passed off as known."""
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
    """Bytes that a process reads are not bytes that it has backed up."""
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
    """A user who hovers sees that files were left out, before the end."""
    assert wording.run_line(RUN.with_changes(errors=2)).endswith("2 problems")


def test_a_narrow_terminal_loses_the_files_before_the_time_left() -> None:
    """At 80 columns bar, percentage, speed and time left are whole."""
    wide, narrow = progress_bar.line([RUN], 200), progress_bar.line([RUN], 80)
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
    figures = "12.3 GB, 20,220 files, took 6 min 40 s"
    assert wording.tooltip(settled(last), NOW) == f"Your backup is fine\nhome, 2 hours ago, {figures}"
    assert wording.headline(settled(last), NOW) == f"Your backup is fine: home, 2 hours ago, {figures}."


def test_several_fine_jobs_are_counted() -> None:
    """Green names the oldest of the good backups, not the newest: no other one is older."""
    status = settled(ended(hours=22), ended("b"), ended("c", hours=1))
    assert wording.lines(status, NOW) == ("All 3 backups are fine", "Oldest: home, 22 hours ago")
    assert wording.headline(status, NOW) == "All 3 backups are fine. Oldest: home, 22 hours ago."
    assert wording.headline(settled(ended(), ended("b")), NOW).startswith("Both backups are fine. Oldest: ")


@pytest.mark.parametrize("outcome", [Outcome.WARNING, Outcome.FAILED, Outcome.LOST, Outcome.UNKNOWN])
def test_a_bad_end_is_never_called_fine(outcome: Outcome) -> None:
    """Every outcome but success says so in tooltip and headline, with its reason."""
    status = settled(ended(outcome=outcome, reason="Wrong password."))
    first, second = wording.lines(status, NOW)
    assert first in ("A backup failed", "A backup has warnings", "A backup needs a look")
    assert second.endswith(": Wrong password")
    assert "2 hours ago" in second
    assert "fine" not in wording.headline(status, NOW)


def test_the_headline_speaks_of_all_jobs_and_names_the_worst() -> None:
    """No failure hides behind another one, and none behind a newer success."""
    bad = [ended(name, Outcome.FAILED, hours=age) for name in ("database", "server") for age in (50, 26, 2)]
    good = [ended("database", hours=72), ended("server", hours=60)]
    odd = [ended("mail", Outcome.WARNING), ended("photos", Outcome.WARNING, hours=9)]
    status = settled(*good, *bad, *odd, ended("fine", hours=1), ended("other"))
    first, second = "2 of 6 backups failed, 2 have warnings", "database: failed 3 times, last good 3 days ago"
    assert wording.lines(status, NOW) == (first, f"{second}: the reason is not known")
    assert wording.headline(status, NOW) == f"{first}. Worst: database, failed 3 times, last good 3 days ago."
    assert wording.menu_lines(status, NOW) == (first, "database: failed 3×, last good 3 days ago", "")


def test_one_failure_says_when_the_job_was_last_good() -> None:
    """The age of the last good backup is what one can still go back to."""
    status = settled(ended(hours=72), ended(outcome=Outcome.FAILED), ended("b"))
    assert wording.headline(status, NOW) == "1 of 2 backups failed: home, 2 hours ago, last good 3 days ago."
    status = settled(ended(outcome=Outcome.FAILED))
    assert wording.headline(status, NOW) == "A backup failed: home, 2 hours ago, never good yet."
    status = settled(ended(outcome=Outcome.LOST))
    assert wording.headline(status, NOW) == "A backup failed: home, lost 2 hours ago, never good yet."


def test_a_long_line_of_the_menu_keeps_when_the_job_was_last_good() -> None:
    """Ages get short before anything is cut, and a name before an age."""
    status = settled(ended("d" * 30, hours=30), ended("d" * 30, Outcome.LOST, hours=3))
    line = wording.menu_lines(status, NOW)[1]
    assert line.startswith("ddddd")
    assert line.endswith("…: lost 3 h ago, last good 30 h ago")
    assert len(line) <= wording.MENU_UNITS
    status = settled(ended(hours=30), *[ended(outcome=Outcome.UNKNOWN)] * 2)
    assert "ended 2 times, how is not known, last good 30 hours ago" in wording.headline(status, NOW)


def test_what_stands_still_is_not_said_to_run_now() -> None:
    """Only what moves is counted as running beside an alarm."""
    still = RUN.with_changes(stalled=True, since_progress_seconds=720)
    status = settled(ended(hours=30), live=(still,))
    assert wording.headline(status, NOW) == "A backup is stalled: home, no progress for 12 min, last good 30 hours ago."


def test_a_live_run_stands_beside_a_bad_state() -> None:
    """Neither the failure nor the new attempt is hidden."""
    status = settled(ended(outcome=Outcome.FAILED), live=(RUN,))
    assert wording.tooltip(status, NOW) == "A backup failed: home\nBacking up home now: 42 %, 3 min left"
    assert wording.headline(status, NOW).endswith("never good yet. 1 backup running now.")
    assert [line.partition(" ")[0] for line in wording.menu_lines(status, NOW)] == ["A", "home:", "Backing"]


def test_a_success_that_is_too_old_says_how_old() -> None:
    """The reason for the warning is the age."""
    status = settled(ended(hours=24 * 9))
    assert wording.lines(status, NOW) == ("A backup is too old", "home: last good 9 days ago, no backup since then")
    assert wording.headline(status, NOW) == "A backup is too old: home, last good 9 days ago, no backup since then."


def test_a_job_that_needs_a_look_says_why() -> None:
    """In a list of jobs the reason stands beside the name, and when the job was last good."""
    runs = [
        ended("old", hours=24 * 9),
        ended("bad", hours=50),
        ended("bad", Outcome.FAILED, reason="The disk is full."),
        ended("odd", Outcome.UNKNOWN),
        ended("thrice", Outcome.FAILED),
        ended("thrice", Outcome.LOST),
        ended("warned", Outcome.WARNING, reason="2 files could not be read."),
    ]
    found = {job.job: wording.why(job, NOW) for job in settled(*runs).jobs}
    assert found == {
        "old": "last good 9 days ago, no backup since then",
        "bad": "failed 2 hours ago, last good 2 days ago: The disk is full",
        "odd": "ended 2 hours ago, how is not known, never good yet",
        "thrice": "failed 2 times, never good yet",
        "warned": "finished with warnings 2 hours ago: 2 files could not be read",
    }
    assert wording.why(JobStatus("new", State.NONE, None), NOW) == ""


def test_an_acknowledged_failure_is_called_so() -> None:
    """Acknowledged is not the same as succeeded."""
    status = settled(ended(outcome=Outcome.FAILED), seen=True)
    assert status.state is State.NONE
    assert wording.lines(status, NOW) == (
        "No recent backup is known",
        "home: failed 2 hours ago, acknowledged, never good yet",
    )
    assert wording.job_word(status.jobs[0]) == "Acknowledged"
    assert wording.job_word(JobStatus("new", State.NONE, None)) == "No backups yet"
    status = settled(ended(hours=20), ended(outcome=Outcome.FAILED), seen=True)  # fine by an older, recent success
    assert wording.headline(status, NOW) == (
        "Your backup is fine: home, 20 hours ago, its last run failed 2 hours ago, acknowledged."
    )
    assert wording.job_word(status.jobs[0]) == "Acknowledged"
    status = settled(ended("a"), ended("b", Outcome.FAILED), seen=True)
    assert wording.headline(status, NOW) == "1 of 2 backups is fine, 1 acknowledged. Oldest: a, 2 hours ago."
    assert wording.job_word(JobStatus("home", State.FAILED, ended(outcome=Outcome.FAILED))) == "Failed"


def test_an_instance_of_an_older_version_is_not_said_to_have_never_been_good() -> None:
    """It does not tell the last good backup, and what is not known is not said."""
    told = [job.to_json() for job in settled(ended("a", hours=9), ended("b", Outcome.FAILED)).jobs]
    for job in told:
        for key in ("kind", "decides", "last_good", "streak", "seen"):
            del job[key]
    jobs = tuple(JobStatus.from_json(job) for job in told)
    assert wording.headline(Status(State.FAILED, NOW, jobs=jobs), NOW) == "1 of 2 backups failed: b, 2 hours ago."
    assert "never" not in wording.job_line(jobs[0], NOW) + wording.why(jobs[0], NOW)
    assert wording.headline(Status(State.OK, NOW, jobs=jobs[1:]), NOW) == "Your backup is fine: a, 9 hours ago."


def test_some_that_are_fine_are_not_called_all() -> None:
    """A job that never made a backup is counted apart, though it does not alarm."""
    status = settled(ended("a"), ended("b", hours=9), ended("c", Outcome.CANCELLED))
    assert wording.headline(status, NOW) == "2 of 3 backups are fine, 1 never good yet. Oldest: b, 9 hours ago."


@pytest.mark.parametrize("kind", ["check", "dry-run", "restore", "prune", "other"])
def test_what_is_no_backup_is_never_told_as_one(kind: str) -> None:
    """After a check alone there is no backup, and a good check does not speak for the backups beside it."""
    task = replace(ended(), kind=kind)
    status = settled(task)
    text = wording.headline(status, NOW)
    assert text == f"There is no backup yet. home ({kind}): succeeded 2 hours ago, which is no backup."
    assert wording.job_word(status.jobs[0]) not in ("Fine", "No backups yet")
    assert "good" not in wording.job_line(status.jobs[0], NOW)
    status = settled(task, replace(ended(hours=30), run="b"))
    assert wording.headline(status, NOW) == "Your backup is fine: home, 30 hours ago."


def test_a_check_that_failed_says_so_and_how_the_backups_are() -> None:
    """The user must neither think that the backups failed, nor call one fine whose repository may be damaged."""
    check = replace(ended(outcome=Outcome.FAILED), kind="check", run="c")
    status = settled(ended(hours=22), ended("b"), check)
    text = "A check failed: home (check), 2 hours ago. "
    assert wording.headline(status, NOW) == (
        f"{text}Its last backup succeeded 22 hours ago; whether that can be restored is not known."
    )
    warned = replace(check, outcome=Outcome.WARNING)
    assert "Both backups are fine. Oldest: home" in wording.headline(settled(ended(hours=22), ended("b"), warned), NOW)
    status = settled(ended(outcome=Outcome.FAILED), ended("b"), check)
    assert wording.headline(status, NOW).startswith("1 of 2 backups failed, a check failed. Worst: home")


def test_a_cancelled_run_is_told_beside_the_last_good_backup() -> None:
    """The job is as good as its last backup, and the sentence says that one was cancelled since."""
    status = settled(ended(hours=22), ended(outcome=Outcome.CANCELLED))
    assert (
        wording.headline(status, NOW)
        == "Your backup is fine: home, 22 hours ago, its last run was cancelled 2 hours ago."
    )
    assert wording.job_line(status.jobs[0], NOW).startswith("was cancelled 2 hours ago; ")
    assert "last good 22 hours ago" in wording.job_line(status.jobs[0], NOW)
    stopped = replace(ended(outcome=Outcome.CANCELLED), files=4711, bytes_processed=815_000_000, run="b")
    assert "4,711" not in wording.headline(settled(ended(hours=22), stopped), NOW)
    status = settled(ended(outcome=Outcome.CANCELLED))
    assert wording.lines(status, NOW) == (
        "No recent backup is known",
        "home: was cancelled 2 hours ago, never good yet",
    )
    assert wording.job_word(status.jobs[0]) == "Cancelled"
    status = settled(ended(outcome=Outcome.FAILED, hours=3), ended(outcome=Outcome.CANCELLED))
    assert wording.headline(status, NOW) == "A backup failed: home, 3 hours ago, never good yet."


_MADE = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "d", "e", "a very long name of a job " * 3]),
        st.sampled_from(list(Outcome)),
        st.sampled_from(["backup", "backup", "backup", "check", "dry-run", "restore"]),
        st.sampled_from([0.0, 2.0, 30.0, 24.0 * 9, 24.0 * 900, -9.0]),
    ),
    min_size=1,
    max_size=24,
)


@given(_MADE, st.booleans(), st.booleans())
def test_whatever_came_the_words_fit_the_state(
    made: list[tuple[str, Outcome, str, float]], seen: bool, running: bool
) -> None:
    """All surfaces agree: only green is called fine, every bad job is counted, a menu's line has 45 characters."""
    runs = [replace(ended(job, outcome, hours=hours), kind=kind) for job, outcome, kind, hours in made]
    status = settled(*runs, live=(RUN,) if running else (), seen=seen)
    text, tooltip = wording.headline(status, NOW), wording.tooltip(status, NOW)
    bad = [job for job in status.jobs if job.state not in (State.OK, State.RUNNING, State.NONE)]
    assert len(tooltip.splitlines()) <= 2
    assert len(tooltip) <= wording.TOOLTIP_UNITS
    assert all(len(line) <= wording.MENU_UNITS for line in wording.menu_lines(status, NOW))
    backups = [job for job in bad if job.kind == "backup"]
    if bad:
        assert bad[0].job[:9] in text
        assert ("fine" in text) <= (not backups)
        told = text.partition(": ")[0].partition(". ")[0].lower()
        numbers = [int(word) for word in told.replace(" of ", "/").split() if word.isdigit()]
        assert not numbers or sum(numbers) <= len(bad)
    elif status.state is State.OK:
        assert "fine" in text
    if status.state in (State.NONE, State.FAILED) and backups:
        assert "fine" not in text


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
    assert wording.headline(status, NOW).startswith("It is not known now whether your backups are fine")


@pytest.mark.parametrize("state", list(State))
def test_every_state_has_words_even_when_nothing_else_is_known(state: State) -> None:
    """A state that a newer part of the program brings is never an empty tooltip, nor fine by mistake."""
    for jobs in ((), (JobStatus("home", state, None),), (JobStatus("home", state, ended(outcome=Outcome.FAILED)),)):
        status = Status(state, NOW, jobs=jobs)
        assert wording.tooltip(status, NOW).strip()
        fine = wording.headline(status, NOW).startswith("Your backups are fine")
        assert fine == (state in (State.OK, State.RUNNING))
    assert wording.state_word(state)


def test_a_fault_in_one_job_is_not_said_of_the_whole_configuration() -> None:
    """The other jobs are followed, so tooltip and menu name the number of those that are not."""
    notes = (f"{wording.UNFOLLOWED} for a job: line 16: In [jobs.broken]: the source 'x' must be absolute",)
    status = judge(NOW, (), [JobHistory("home", ended("home"))], notes=notes)
    assert wording.tooltip(status, NOW).endswith(f"\n{wording.UNFOLLOWED} for 1 job")
    assert wording.menu_lines(status, NOW)[2] == f"{wording.UNFOLLOWED} for 1 job"


def test_a_fault_in_a_channel_is_not_said_of_the_whole_configuration() -> None:
    """Jobs are followed all the same; faults in jobs and in channels are counted apart."""
    channel = f"{wording.UNFOLLOWED} for the channel mail: line 3"
    for notes, end in (
        ((channel,), " for 1 channel"),
        ((channel, channel, f"{wording.UNFOLLOWED} for a job: line 16"), " for 1 job and 2 channels"),
        ((channel, f"{wording.UNFOLLOWED} for messages: line 2"), ""),
    ):
        status = judge(NOW, (), [JobHistory("home", ended("home"))], notes=notes)
        assert wording.tooltip(status, NOW).endswith(f"\n{wording.UNFOLLOWED}{end}")


@pytest.mark.parametrize(
    ("note", "leads"),
    [
        (f"{wording.UNSENT}mail cannot be sent since 08:00: refused", True),
        (f"{wording.UNFOLLOWED} for the channel mail: line 3", True),
        (f"{wording.UNFOLLOWED} for messages: line 2", True),
        (f"{wording.UNFOLLOWED} for a job: line 16", False),
        ("3 records wait", False),
    ],
)
def test_notes_about_messages_lead_to_their_page(note: str, leads: bool) -> None:
    """The menu and the Dashboard offer the page of notifications for them alone."""
    assert wording.is_about_messages(note) is leads


@given(
    job=st.text(alphabet=st.characters(codec=None), max_size=300),
    reason=st.text(alphabet=st.characters(codec=None), max_size=300),
    outcome=st.sampled_from(list(Outcome)),
    live=st.integers(0, 3),
    error=st.booleans(),
    done=st.integers(0, 10**16),
    broken=st.booleans(),
)
def test_a_tooltip_is_two_lines_and_fits_windows(
    job: str, reason: str, outcome: Outcome, live: int, error: bool, done: int, broken: bool
) -> None:
    """Windows cuts at 127 UTF-16 units and breaks lines as they come: ours always fit."""
    runs = tuple(
        RUN.with_changes(run=f"r{n}", job=job + str(n), files_done=done, files_total=done * 2, current=reason)
        for n in range(live)
    )
    facts = {**ERROR, "why": reason} if error else None
    notes = (f"{wording.UNFOLLOWED} until it is mended: line 3: {reason}",) if broken else ()
    status = judge(NOW, runs, [JobHistory(job, ended(job, outcome, reason=reason))], error=facts, notes=notes)
    text = wording.tooltip(status, NOW)
    assert len(text.encode("utf-16-le")) // 2 <= wording.TOOLTIP_UNITS
    assert 1 + broken <= len(text.splitlines()) <= 2 + broken
    assert text.endswith(f"\n{wording.UNFOLLOWED}") is broken
    assert text.count(wording.UNFOLLOWED) == wording.menu_lines(status, NOW)[2].startswith(wording.UNFOLLOWED) == broken
    for line in wording.menu_lines(status, NOW):
        assert "\n" not in line
        assert len(line.encode("utf-16-le")) // 2 <= wording.MENU_UNITS


def test_what_is_cut_is_marked_and_never_splits_a_character() -> None:
    """An emoji takes two units of UTF-16 and is kept or dropped whole."""
    assert wording.fit("abc", 3) == "abc"
    assert wording.fit("abcd", 3) == "ab…"
    assert wording.fit("a\U0001f600\U0001f600", 4) == "a\U0001f600…"


def test_a_run_on_one_line_names_the_outcome_and_its_reason() -> None:
    """History in the terminal needs no second line."""
    assert (
        wording.last_line(ended(outcome=Outcome.FAILED, reason="Disk full."), NOW)
        == "home: failed 2 hours ago: Disk full"
    )


def test_notes_come_before_figures() -> None:
    """That records wait for the log is worth more than how large the last run was."""
    last = replace(ended(), files=9)
    status = judge(NOW, (), [JobHistory("home", last)], notes=["3 records wait to be written to the audit log"])
    assert wording.lines(status, NOW)[1] == (
        "home, 2 hours ago; 3 records wait to be written to the audit log; 9 files"
    )
    assert wording.headline(status, NOW) == "Your backup is fine: home, 2 hours ago, 9 files."


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


def test_markup_is_escaped_where_hosts_read_it() -> None:
    """A reason with `<b>` is shown as it is."""
    assert wording.markup("R&D <b>") == "R&amp;D &lt;b&gt;"
