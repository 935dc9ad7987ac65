"""What the page gets to show, from the status alone."""

import json
from dataclasses import replace

import pytest

from tests.e2e import statuses
from tray import clock, wording
from tray.model import Outcome, Phase, State
from tray.window import view


def test_everything_is_plain_json() -> None:
    """Whatever the status holds can be sent to the page as it is."""
    status = statuses.judged(statuses.ended("home", Outcome.FAILED), running=(statuses.live(),), notes=("a note",))
    picture = view.dashboard(status, clock.now_ms(), {"kind": "ok", "word": "Audit log intact", "text": ""})
    assert json.loads(json.dumps(picture)) == picture


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
    """What cannot be read is unavailable; what was read before is marked with its absolute time."""
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


def test_a_failure_without_a_reason_says_what_happened_once() -> None:
    """Beside the job's name stands what its run did, without the name again."""
    run = view.ended(statuses.ended("etc: all", Outcome.FAILED), clock.now_ms())
    assert run["did"].startswith("failed 2 hours ago")
    assert run["line"] == f"etc: all: {run['did']}"


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
    """Without a tracker nothing will ever be known of its progress, so nobody is told to wait for it."""
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


def test_the_report_names_local_time_and_utc() -> None:
    """An auditor elsewhere can read when it was."""
    text = view.both_times(1_790_000_000_000)
    assert text.endswith("2026-09-21 14:13:20 UTC")
    assert "(" in text


def test_a_running_job_is_linked_to_its_live_run() -> None:
    """The list says how far the run is, and its log is the live one."""
    status = statuses.judged(statuses.ended("home"), running=(statuses.live(),))
    job = view.dashboard(status, clock.now_ms())["jobs"][0]
    assert (job["word"], job["live"]) == ("Running 41 %", statuses.live().run)
