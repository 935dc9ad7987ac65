"""The page's view, made from the status alone."""

import json

import pytest

from tests.e2e import statuses
from tray import wording
from tray.core import clock
from tray.core.dataclass import replace
from tray.core.model import Control, Instance, JobHistory, Outcome, Phase, RepositoryState, Source, State, Step, judge
from tray.window import view


def test_everything_is_plain_json() -> None:
    """Whatever the status holds can be sent to the page as it is."""
    status = statuses.judged(statuses.ended("home", Outcome.FAILED), running=(statuses.live(),), notes=("a note",))
    picture = view.dashboard(status, clock.now_ms())
    assert json.loads(json.dumps(picture)) == picture


def test_a_note_about_a_channel_leads_to_the_page_of_notifications() -> None:
    """Other notes lead nowhere."""
    notes = (f"{wording.UNSENT}mail cannot be sent: refused", "3 records wait")
    picture = view.dashboard(statuses.judged(notes=notes), clock.now_ms())
    assert [note["page"] for note in picture["notes"]] == ["notifications", ""]


def test_the_headline_is_the_one_that_every_surface_shows() -> None:
    """Window, tray and terminal cannot disagree: they say the same sentence."""
    status = statuses.judged(statuses.ended("home"))
    now = clock.now_ms()
    assert view.dashboard(status, now)["headline"] == wording.headline(status, now)


@pytest.mark.parametrize("state", State)
def test_every_state_has_a_shape_and_a_word(state: State) -> None:
    """No state is without its icon and its word."""
    picture = view.dashboard(replace(statuses.judged(), state=state), clock.now_ms())
    assert picture["kind"]
    assert picture["word"]


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_a_shape_and_a_word(outcome: Outcome) -> None:
    """No outcome is without its icon and its word, and only a success is green."""
    run = view.ended(statuses.ended("home", outcome), clock.now_ms())
    assert run["word"]
    assert (run["kind"] == "ok") is (outcome is Outcome.SUCCEEDED)


def test_only_a_new_installation_is_empty() -> None:
    """The page that invites to a first backup is shown only where nothing was ever seen."""
    now = clock.now_ms()
    assert view.dashboard(statuses.empty(), now)["empty"]
    assert not view.dashboard(statuses.judged(running=(statuses.live(),)), now)["empty"]
    assert not view.dashboard(statuses.judged(statuses.ended("home")), now)["empty"]
    assert not view.dashboard(statuses.broken(), now)["empty"]


def test_a_failure_without_data_is_blank_and_one_with_data_is_old() -> None:
    """A part that cannot be read is unavailable; one that was read before is marked with its absolute time."""
    now = clock.now_ms()
    blank = view.dashboard(statuses.broken(), now)
    assert blank["blank"]
    old = view.dashboard(statuses.broken(statuses.judged(statuses.ended("home"))), now)
    assert not old["blank"]
    assert old["old"].startswith("Status as of ")
    assert "from " in old["error"]["old"]
    assert old["attention"] == []


def test_jobs_that_are_not_fine_need_attention() -> None:
    """A failed job is named above the list; a fine one is not."""
    status = statuses.judged(statuses.ended("home"), statuses.ended("photos", Outcome.FAILED))
    assert [job["job"] for job in view.dashboard(status, clock.now_ms())["attention"]] == ["photos"]


def test_no_percentage_is_made_up() -> None:
    """While a run scans, its totals still grow: no percentage, no total, no time left."""
    run = view.live(statuses.live(phase=Phase.SCANNING))
    assert run["percent"] is None
    assert run["percent_text"] == ""
    assert [fact["of"] for fact in run["facts"]][:2] == ["so far", "so far"]
    assert run["facts"][3]["value"] == view.LATER


def test_unknown_figures_are_said_to_be_unknown() -> None:
    """A command that tells nothing gets no zeros."""
    run = view.live(statuses.live(files_done=None, bytes_done=None, bytes_per_second=None, eta_seconds=None))
    assert [fact["value"] for fact in run["facts"]] == ["unknown", "unknown", "unknown", view.LATER]


def test_a_run_that_no_tracker_hears_has_no_time_left() -> None:
    """Without a tracker its progress stays unknown, so the user is not told to wait for it."""
    assert view.live(statuses.live(tracked=False, eta_seconds=None))["facts"][3]["value"] == view.UNKNOWN


def test_an_estimate_is_called_one() -> None:
    """A time left that rests on the last run says "about"."""
    assert view.live(statuses.live(eta_is_estimate=True))["facts"][3]["value"] == "about 3 min"


def test_the_figures_hold_at_ten_terabytes() -> None:
    """10 TB and 10 million files are shown like any other."""
    run = view.live(
        statuses.live(
            files_done=4_200_000, files_total=10_000_000, bytes_done=4_200_000_000_000, bytes_total=10_000_000_000_000
        )
    )
    assert run["percent_text"] == "42 %"
    assert run["facts"][0] == {"label": "Files", "value": "4,200,000", "of": "of 10,000,000"}
    assert run["facts"][1] == {"label": "Size", "value": "4.2 TB", "of": "of 10.0 TB"}


def test_names_come_out_escaped() -> None:
    """No control character, ANSI code or bidi control reaches the page, wherever the name stands."""
    nasty = statuses.NASTY
    run = statuses.ended(nasty, Outcome.FAILED, engine=nasty, repository=nasty, reason=nasty, kind=nasty)
    status = statuses.judged(
        run, running=(statuses.live(nasty, repository=nasty, current=nasty, engine=nasty),), notes=(nasty,)
    )
    status = replace(status, error={"code": nasty, "what": nasty, "why": nasty, "next": nasty})
    text = json.dumps(view.dashboard(status, clock.now_ms()), ensure_ascii=False)
    assert not set(text) & set("\n\x1b\u2028\u202e")
    assert "\\\\x1b[31m" in text


def test_times_are_absolute_and_near_ones_have_a_day_that_people_say() -> None:
    """Today and yesterday are called so, anything else has its date."""
    now = 1_790_000_000_000
    local = clock.local(now)
    assert view.absolute(now, now) == f"today {local:%H:%M}"
    assert view.absolute(now - clock.DAY_MS, now).startswith("yesterday ")
    assert view.absolute(now - 5 * clock.DAY_MS, now)[:4] == str(clock.local(now - 5 * clock.DAY_MS).year)


def test_a_running_job_is_linked_to_its_live_run() -> None:
    """The list says how far the run is, and its log is the live one."""
    status = statuses.judged(statuses.ended("home"), running=(statuses.live(),))
    job = view.dashboard(status, clock.now_ms())["jobs"][0]
    assert (job["word"], job["live"]) == ("Running 41 %", statuses.live().run)


def test_a_run_that_stands_still_says_so_and_since_when() -> None:
    """Stalled and paused are not the same, and neither looks like a run that moves."""
    stalled = view.live(statuses.live(stalled=True, since_progress_seconds=840))
    assert stalled["halt"] == {
        "kind": "stalled",
        "word": "Stalled",
        "text": "No progress for 14 min. It still runs; this clears by itself when it goes on.",
    }
    told = {fact["label"]: fact["value"] for fact in stalled["facts"]}
    assert (told["Speed"], told["Time left"]) == ("–", "–")  # also from a wrapper that still tells them
    short = view.live(statuses.live(stalled=True, since_progress_seconds=8))["halt"]
    assert short["text"].startswith("No progress. ")  # not a minute that has not passed
    paused = view.live(statuses.live(phase=Phase.PAUSED))
    assert paused["halt"]["word"] == "Paused"
    elsewhere = view.live(statuses.live(phase=Phase.PAUSED, source=Source.OBSERVED))
    assert "when that process is continued" in elsewhere["halt"]["text"]
    assert view.live(statuses.live())["halt"] is None


def test_a_paused_job_is_called_paused_in_the_list() -> None:
    """The list of jobs says the same as the card above it."""
    run = statuses.live("home", phase=Phase.PAUSED)
    picture = view.dashboard(statuses.judged(statuses.ended("home"), running=(run,)), clock.now_ms())
    assert (picture["jobs"][0]["word"], picture["jobs"][0]["kind"]) == ("Paused 41 %", "paused")


def test_where_a_run_comes_from_is_said_if_it_is_special() -> None:
    """A run of one's own has no label; one that was observed, of another user or of the system has."""
    assert view.origin(statuses.live()) == []
    seen = statuses.live(source=Source.OBSERVED, user="r<b>oot\n", instance=Instance.SYSTEM)
    assert view.origin(seen) == ["System", "by r<b>oot\\n", "Observed"]


def test_what_can_be_done_is_offered_and_asked_about_in_words() -> None:
    """A button stands only where it works, and cancelling says first what will happen."""
    can = view.live(statuses.live("home", can=(Control.PAUSE, Control.CANCEL)))
    assert can["can"] == ["pause", "cancel"]
    assert "not backed up, and the run counts as cancelled" in can["ask"]
    check = view.live(statuses.live("home", kind="check", can=(Control.CANCEL,)))
    assert check["ask"].endswith("then it is ended. The run counts as cancelled.")
    cannot = view.live(statuses.live())
    assert (cannot["can"], cannot["ask"]) == ([], "")


def test_the_steps_of_a_script_are_told_one_by_one() -> None:
    """Each engine that a script called stands with its outcome; a failure with its reason."""
    steps = (
        Step("restic", "backup", 1_000, "/repo", 51_000, Outcome.SUCCEEDED, "fine"),
        Step("borg", "prune", 51_000, None, 53_000, Outcome.FAILED, "a\nb"),
        Step("rclone", "backup", 53_000, "b2:x"),
    )
    assert view.live(statuses.live(steps=steps))["steps"] == [
        {"name": "restic backup → /repo", "kind": "ok", "word": "Succeeded", "took": "50 s", "why": ""},
        {"name": "borg prune", "kind": "fail", "word": "Failed", "took": "2.0 s", "why": "a\\nb"},
        {"name": "rclone backup → b2:x", "kind": "run", "word": "Running", "took": "", "why": ""},
    ]


def test_a_repository_shows_its_age_and_says_what_is_unknown() -> None:
    """The second opinion carries the time of its look; what needs a password is unknown, not zero."""
    now = clock.now_ms()
    state = RepositoryState(
        "/repo",
        "borg",
        now - 2 * statuses.HOUR,
        last_snapshot_ms=now - 26 * statuses.HOUR,
        locked_by="process 4711 on nas",
        lock_command="borg break-lock /repo",
    )
    shown = view.repository(state, now)
    assert shown["route"] == "borg → /repo"
    assert (shown["snapshots"], shown["newest"], shown["size"]) == ("unknown", "26 hours ago", "unknown")
    assert shown["locked"].endswith("If no backup needs it any more: `borg break-lock /repo`.")
    assert shown["as_of"].startswith("Looked at 2 hours ago")
    assert shown["error"] is None


def test_a_repository_that_cannot_be_looked_at_is_an_error_like_any_other() -> None:
    """The row shows sentence, reason and next step, beside the old figures with their time."""
    error = {"code": "ERROR_X", "what": "It cannot be read.", "why": "not mounted", "next": "mount it\n"}
    shown = view.repository(RepositoryState("/repo", "restic", 0, snapshots=3, error=error), clock.now_ms())
    assert shown["snapshots"] == "3"
    assert shown["error"] == {**error, "next": "mount it\\n"}


def test_a_job_says_why_it_is_worse_than_its_last_run() -> None:
    """A concern takes the place of the last run's words, in the list and above it."""
    good = JobHistory("home", statuses.ended("home"), statuses.ended("home"))
    judged = judge.judge(clock.now_ms(), (), (good,), concerns={"home": "The repository has no such snapshot."})
    picture = view.dashboard(judged, clock.now_ms())
    assert picture["attention"][0]["why"] == "The repository has no such snapshot."
    assert picture["kind"] == "warn"


def test_the_buttons_of_a_stalled_run_lead_to_itself() -> None:
    """The log of an earlier run is not read as the live one's, and no time left stands beside a run that stands still."""
    still = statuses.live(stalled=True, since_progress_seconds=720)
    picture = view.dashboard(statuses.judged(statuses.ended("home"), running=(still,)), clock.now_ms())
    (job,) = picture["attention"]
    assert (job["leads"], job["live"], job["kind"]) == (still.run, still.run, "stalled")
    assert {fact["label"]: fact["value"] for fact in picture["runs"][0]["facts"]}["Time left"] == view.PAUSES


def test_the_buttons_of_a_bad_job_lead_to_the_run_that_its_state_is_about() -> None:
    """Neither a run that goes on now nor one that was cancelled since takes the place of the failure."""
    failed, stopped = (
        statuses.ended("home", outcome, run=outcome.value, entry=place)
        for place, outcome in enumerate((Outcome.FAILED, Outcome.CANCELLED))
    )
    known = judge.with_run(judge.with_run(None, failed), stopped)
    picture = view.dashboard(judge.judge(clock.now_ms(), [statuses.live()], [known]), clock.now_ms())
    (job,) = picture["attention"]
    assert (job["leads"], job["about"]["run"], job["last"]["run"]) == ("failed", "failed", "cancelled")
    assert job["live"] == statuses.live().run


def test_a_job_shows_when_it_was_last_good_and_may_be_forgotten() -> None:
    """That a failed job ran 2 hours ago is no protection: the last good backup stands in a column of its own."""
    now = clock.now_ms()
    good, bad = statuses.ended("home", hours=72, entry=1), statuses.ended("home", Outcome.FAILED, entry=2)
    check = statuses.ended("home", Outcome.FAILED, kind="check", entry=3)
    jobs = [judge.with_run(judge.with_run(None, good), bad), judge.with_run(None, check)]
    found = {job["job"]: job for job in view.dashboard(judge.judge(now, (), jobs), now)["jobs"]}
    assert (found["home"]["good"], found["home"]["backup"], found["home"]["forget"]) == ("3 days ago", True, bad.run)
    assert (found["home (check)"]["backup"], found["home (check)"]["forget"]) == (False, check.run)
    never = view.job(judge.judge(now, (), [judge.with_run(None, bad)]).jobs[0], now)
    assert (never["good"], never["good_at"]) == (view.NEVER, "")
    roots = replace(judge.judge(now, (), jobs).jobs[0], instance=Instance.SYSTEM)
    assert view.job(roots, now)["forget"] == ""
