"""The rhythm of each job in the status: due, late, overdue, never ran, not expected; told alike everywhere, and cheap."""

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.world import World
from tray import runs, wording
from tray.audit import spool
from tray.audit.entry import Action, Draft
from tray.audit.store import AuditLog
from tray.cli import status as cli_status
from tray.cli.main import main
from tray.core import clock
from tray.core.errors import JobNotFoundError
from tray.core.model import Expected, JobStatus, Outcome, State, Status
from tray.core.paths import Places, private
from tray.housekeeping import config_changes
from tray.rhythm import Rhythm
from tray.runs import Process, RunInfo
from tray.status import StatusSource, expected, marking
from tray.status.system_status import labelled
from tray.window import view


@pytest.fixture
def world(places: Places, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Return a machine that is awake all day."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        made = World(places, patch)
        yield made
        made.log.close()
    time.tzset()


@pytest.fixture
def source(places: Places, world: World) -> Iterator[StatusSource]:
    """Return the source that `backup-tray status` asks."""
    made = StatusSource(places, role="cli", start_tracker=False, system=False)
    yield made
    made.close()


def configure(places: Places, text: str) -> None:
    """Make *text* the jobs of the configuration."""
    private(places.config)
    places.config_file.write_text(f"version = 1\n{text}")


def job(status: Status, name: str) -> JobStatus:
    """Return the job of this name."""
    return next(item for item in status.jobs if item.job == name)


def daily(world: World, days: range, *jobs: str) -> None:
    """Let these jobs run at noon of each day."""
    for day in days:
        world.go(day, 12)
        for name in jobs:
            world.run(name)


def test_a_job_that_never_ran_alarms_although_its_file_is_written_anew_each_day(
    places: Places, world: World, source: StatusSource
) -> None:
    """A tool that manages config.toml may write it daily: the job is known since its first appearance all the same."""
    world.run("other")
    states = []
    for day in range(4):
        world.go(day, 9)
        configure(places, f'# written on day {day}\n[jobs.home]\ncommand = ["true"]\nevery = "1d"\n')
        os.utime(places.config_file, (world.now / 1000, world.now / 1000))
        config_changes.check(places)
        world.go(day, 20)
        states.append(job(source.poll(), "home").state)
    assert states == [State.NONE, State.OVERDUE, State.OVERDUE, State.OVERDUE]


def test_a_daily_job_is_due_then_late_then_overdue(places: Places, world: World, source: StatusSource) -> None:
    """Each word has its state, and the next success clears it."""
    configure(places, '[jobs.home]\ncommand = ["true"]\non = "12:00"\nzone = "Europe/Berlin"\n')
    daily(world, range(3), "home")
    words = []
    for hour in (11.5, 12.5, 13.5, 20):
        world.go(3, hour)
        found = job(source.poll(), "home")
        words.append((found.word, found.state))
    assert words == [
        ("fine", State.OK),
        ("due", State.OK),
        ("overdue", State.OVERDUE),
        ("overdue", State.OVERDUE),
    ]
    world.run("home")
    assert job(source.poll(), "home").state is State.OK


def test_a_machine_that_travels_is_judged_by_the_clock_on_its_wall(
    places: Places, world: World, source: StatusSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An icon that has run for days follows the new zone at once, and the second noon of the day of the journey is none to miss."""
    configure(places, '[jobs.home]\ncommand = ["true"]\non = "12:00"\n')
    monkeypatch.setattr(clock, "zone_set_ms", lambda: 0)
    daily(world, range(3), "home")
    world.go(2, 22)
    assert job(source.poll(), "home").word == "fine"
    monkeypatch.setenv("TZ", "America/New_York")
    moved = world.now
    monkeypatch.setattr(clock, "zone_set_ms", lambda: moved)
    words = []
    for hour in (14, 18.5, 23):  # 08:00, 12:30 and 17:00 in New York
        world.go(3, hour)
        words.append(job(source.poll(), "home").word)
    assert words == ["fine", "due", "overdue"]


def test_the_newest_backup_of_another_job_does_not_hide_a_failed_one(world: World, source: StatusSource) -> None:
    """The newest backup of all succeeded a minute ago; the other job has failed since yesterday."""
    daily(world, range(8), "photos", "home")
    world.go(8, 12)
    world.run("photos", Outcome.FAILED)
    for day in range(9, 11):
        world.go(day, 12)
        world.run("photos", Outcome.FAILED)
        world.run("home")
        status = source.poll()
        assert status.last is not None
        assert status.last.outcome is Outcome.SUCCEEDED
        assert status.state is State.FAILED
        assert "fine" not in wording.headline(status, world.now)
        assert "photos" in wording.tooltip(status, world.now)
        assert cli_status.EXIT_CODES[status.state] == 2


def test_a_job_that_is_dead_for_twenty_days_is_in_no_green_headline(world: World, source: StatusSource) -> None:
    """Every other job is fine each day, and its own last run succeeded."""
    daily(world, range(30), "photos", "home")
    for day in range(30, 50):
        daily(world, range(day, day + 1), "home")
        world.go(day, 22)
        status = source.poll()
        if day >= 32:
            assert status.state is State.OVERDUE
            assert job(status, "home").state is State.OK
            assert wording.headline(status, world.now).startswith("1 of 2 backups is overdue: photos, ")
            assert view.dashboard(status, world.now)["kind"] == "overdue"


def test_a_configured_job_that_never_ran_is_shown_and_becomes_overdue(
    places: Places, world: World, source: StatusSource
) -> None:
    """It is known since it was configured; nothing on record speaks of it."""
    configure(places, '[jobs.home]\ncommand = ["true"]\nevery = "1d"\n')
    world.now = places.config_file.stat().st_mtime_ns // 1_000_000 + 60_000
    status = source.poll()
    assert (status.state, job(status, "home").word) == (State.NONE, "never ran")
    assert "Never ran  expected " in cli_status.text(status)
    world.now += 3 * clock.DAY_MS
    status = source.poll()
    assert (status.state, job(status, "home").last) == (State.OVERDUE, None)
    assert wording.headline(status, world.now).startswith("A backup is overdue: home, never ran")
    assert wording.job_word(job(status, "home")) == "Never ran"


def test_what_is_disabled_or_off_is_said_and_neither_green_nor_late(
    places: Places, world: World, source: StatusSource
) -> None:
    """A month without a backup that is not expected is no alarm, and no comfort either."""
    daily(world, range(10), "home", "mail", "photos")
    configure(places, '[jobs.home]\ncommand = ["true"]\nenabled = false\n[jobs.mail]\nrhythm = "off"\n')
    daily(world, range(10, 40), "photos")
    status = source.poll()
    assert [(item.job, item.state, item.word) for item in status.jobs] == [
        ("photos", State.OK, "fine"),
        ("home", State.NONE, "disabled"),
        ("mail", State.NONE, "off"),
    ]
    assert wording.job_word(job(status, "home")) == "Disabled"
    assert wording.job_word(job(status, "mail")) == "Not expected"
    assert wording.headline(status, world.now).startswith("1 of 3 backups is fine, 1 not expected, 1 disabled.")
    world.run("mail", Outcome.FAILED)
    assert source.poll().state is State.FAILED


def test_a_job_whose_last_run_failed_is_not_red_while_it_is_disabled(
    places: Places, world: World, source: StatusSource
) -> None:
    """Its failure is said in words; enabled again it alarms as before."""
    daily(world, range(10), "home", "photos")
    world.run("home", Outcome.FAILED)
    assert source.poll().state is State.FAILED
    configure(places, '[jobs.home]\ncommand = ["true"]\nenabled = false\n')
    status = source.poll()
    assert (status.state, job(status, "home").state) == (State.OK, State.NONE)
    assert "  home    Disabled   failed just now, took 10 min: so; last good just now" in cli_status.text(status)
    world.log.append([Draft(Action.JOB_SEEN, time_ms=world.now + 1, job="home")])
    assert wording.job_word(job(source.poll(), "home")) == "Disabled"
    configure(places, '[jobs.home]\ncommand = ["true"]\n')
    world.run("home", Outcome.FAILED)
    assert source.poll().state is State.FAILED


@pytest.mark.parametrize("rhythm", ['every = "1d"', 'on = "12:00"', ""])
def test_a_job_that_is_off_until_a_date_comes_back_by_itself(
    places: Places, world: World, source: StatusSource, rhythm: str
) -> None:
    """Every surface says the date; neither is it green, nor does the silence before the date count after it."""
    configure(places, f'[jobs.home]\ncommand = ["true"]\n{rhythm}\noff_until = "2026-02-01"\n')
    daily(world, range(10), "home", "photos")
    daily(world, range(10, 27), "photos")
    status = source.poll()
    assert clock.local(world.now).isoformat().startswith("2026-01-31T12:")
    home = job(status, "home")
    assert (status.state, home.state, home.word) == (State.OK, State.NONE, "disabled")
    assert status.to_json()["jobs"][1]["off_until"] == "2026-01-31T23:00:00.000Z"
    assert "Disabled   succeeded 17 days ago, took 10 min; off until 2026-02-01" in cli_status.text(status)
    assert wording.headline(status, world.now).startswith("1 of 2 backups is fine, 1 off until 2026-02-01.")
    row = next(row for row in view.dashboard(status, world.now)["jobs"] if row["job"] == "home")
    assert (row["word"], row["next"], row["rhythm"]) == ("Disabled", "off until 2026-02-01", "off until 2026-02-01")
    world.go(27, 1)
    world.run("photos")
    status = source.poll()
    home = job(status, "home")
    assert (status.state, home.state, wording.job_word(home)) == (State.OK, State.NONE, "On again")
    assert "was off until 2026-02-01" in cli_status.text(status)
    assert "It was off until 2026-02-01." in (home.why or "")
    daily(world, range(27, 32), "photos")
    assert job(source.poll(), "home").state is State.OVERDUE
    world.run("home")
    home = job(source.poll(), "home")
    assert (home.state, home.off_until_ms) == (State.OK, None)


def test_a_job_with_faulty_settings_is_never_fine(places: Places, world: World, source: StatusSource) -> None:
    """Whether it ran or not."""
    configure(places, '[jobs.home]\ncommand = ["true"]\nevery = "often"\n[jobs.new]\nevery = 7\n')
    world.run("home")
    status = source.poll()
    assert {item.job: item.state for item in status.jobs} == {"home": State.WARNING, "new": State.WARNING}


def test_a_run_that_goes_on_keeps_an_overdue_job_at_late(places: Places, world: World, source: StatusSource) -> None:
    """It catches up; only if it lasts far too long it is told."""
    configure(places, '[jobs.home]\ncommand = ["true"]\nevery = "1d"\n')
    daily(world, range(3), "home")
    world.go(5, 9)
    assert source.poll().state is State.OVERDUE
    info = RunInfo(clock.new_id(), "home", "restic", "backup", world.now, "boot-1", Process(1, "1"))
    folder, _ = runs.create(places, info)
    assert folder is not None
    status = source.poll()
    assert (status.state, job(status, "home").word) == (State.WARNING, "late")
    world.go(5, 16)
    assert job(source.poll(), "home").word == "still running"
    folder.close()


def test_a_success_that_waits_for_the_log_counts(places: Places, world: World, source: StatusSource) -> None:
    """The log is on a full disk; the backup was made all the same."""
    configure(places, '[jobs.home]\ncommand = ["true"]\nevery = "1d"\n')
    daily(world, range(3), "home")
    world.go(6, 9)
    assert source.poll().state is State.OVERDUE
    how = {"job": "home", "run": clock.new_id(), "engine": "restic", "kind": "backup", "source": "wrapped"}
    spool.keep(places, [Draft(Action.RUN_FINISHED, time_ms=world.now, result="succeeded", duration_ms=5000, **how)])
    assert job(source.poll(), "home").state is State.OK


def test_what_the_user_acknowledged_stays_quiet_until_something_new_is_wrong(
    places: Places, world: World, source: StatusSource
) -> None:
    """The failure is known; that no backup came since then is news."""
    configure(places, '[jobs.home]\ncommand = ["true"]\nevery = "1d"\n')
    daily(world, range(3), "home")
    world.go(3, 10)
    world.run("home", Outcome.FAILED)
    world.log.append([Draft(Action.JOB_SEEN, time_ms=world.now + 1, job="home")])
    world.now += 2
    assert source.poll().state is State.OK
    world.go(5, 9)
    assert source.poll().state is State.OVERDUE
    world.log.append([Draft(Action.JOB_SEEN, time_ms=world.now, job="home")])
    world.now += 60_000
    assert source.poll().state is State.NONE


def test_time_in_which_the_machine_slept_is_not_counted(world: World, source: StatusSource) -> None:
    """A laptop that was closed for five days is not overdue when it is opened."""
    daily(world, range(20), "home")
    world.sleep(25)
    status = source.poll()
    assert (status.state, job(status, "home").word) == (State.OK, "fine")
    for day in (25, 26, 27):
        world.go(day, 23)
    assert source.poll().state is State.OVERDUE


def test_a_check_that_is_expected_becomes_overdue_like_a_backup(
    places: Places, world: World, source: StatusSource
) -> None:
    """The last proof that a backup can be restored has a rhythm of its own."""
    configure(places, '[jobs.home]\ncommand = ["true"]\nevery = "1d"\ncheck = { every = "7d" }\n')
    daily(world, range(12), "home")
    world.run("home", kind="check")
    assert job(source.poll(), "home (check)").state is State.NONE
    daily(world, range(12, 22), "home")
    status = source.poll()
    assert (job(status, "home").state, job(status, "home (check)").state) == (State.OK, State.OVERDUE)


def test_the_json_carries_the_arithmetic_and_comes_back_from_another_instance(
    places: Places, world: World, source: StatusSource
) -> None:
    """A group member sees the rhythm of root's jobs too; an instance of another version may tell words that are new."""
    configure(places, '[jobs.home]\ncommand = ["true"]\nevery = "1d"\n')
    daily(world, range(3), "home")
    world.go(5, 9)
    status = source.poll()
    plain = status.to_json()
    (data,) = plain["jobs"]
    assert data["rhythm"] == "every day"
    assert data["expected_by"] == clock.to_text(job(status, "home").expected_by_ms or 0)
    assert {"next", "why", "overdue_since", "awake_seconds", "word"} <= data.keys()
    assert data["awake_seconds"] == (job(status, "home").awake_ms or 0) / 1000
    back = labelled(Status.from_json(plain))
    assert back.jobs[0].why == data["why"]
    data["word"] = "hurried"
    assert wording.job_word(Status.from_json(plain).jobs[0]) == "Overdue"
    assert Status.from_json({**plain, "jobs": [{"job": "home", "state": "ok", "last": None}]}).jobs[0].word is None


def test_the_arithmetic_is_explained(
    places: Places, world: World, source: StatusSource, capsys: pytest.CaptureFixture[str]
) -> None:
    """Last success, expected time, tolerance, awake time since then."""
    configure(
        places, '[jobs.home]\ncommand = ["true"]\non = "12:00"\nzone = "Europe/Berlin"\nwatched = "crontab of ann"\n'
    )
    daily(world, range(3), "home")
    world.go(4, 11)
    assert cli_status._why(source.poll(), "home", as_json=False) == 2
    text = capsys.readouterr().out
    assert text.startswith("home: Overdue\n")
    for part in (
        "Its last good backup ended Wed 12:00, 47 hours ago.",
        "The next was expected Thu 12:00 (12:00 in Europe/Berlin, crontab of ann), and was late after Thu 13:15",
        "1 h 15 min of awake time may pass",
        "Since then this computer was awake for 1 d 23 h and 1 backup was missed.",
        "It is overdue since Thu 13:15.",
    ):
        assert part in text


def test_a_quiet_poll_judges_no_rhythm_and_a_run_only_its_own(
    world: World, source: StatusSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With fifty jobs that is the difference between nothing and half a second."""
    daily(world, range(10), "home", "photos")
    source.poll()
    judged: list[object] = []
    real = expected.expect
    monkeypatch.setattr(expected, "expect", lambda *given, **more: judged.append(given[1]) or real(*given, **more))
    for _ in range(30):
        world.now += 11_000
        source.poll()
    assert judged == []
    world.run("home")
    source.poll()
    assert len(judged) == 1


def test_jobs_of_other_users_have_no_rhythm_here(world: World, source: StatusSource) -> None:
    """Any user can start a program called restic, and end it as they like."""
    daily(world, range(10), "home")
    how = {"job": "theirs", "run": clock.new_id(), "engine": "restic", "kind": "backup", "source": "observed"}
    world.log.append([Draft(Action.RUN_CLOSED, time_ms=world.now, result="succeeded", body={"user": "eve"}, **how)])
    world.now += 5 * clock.DAY_MS
    assert job(source.poll(), "theirs").word is None


def test_a_configured_job_that_the_user_forgot_is_not_expected_until_it_is_configured_anew(
    places: Places, world: World, source: StatusSource
) -> None:
    """It is over, although its settings are still there."""
    configure(places, '[jobs.home]\ncommand = ["true"]\nevery = "1d"\n')
    changed = places.config_file.stat().st_mtime_ns // 1_000_000
    world.now = changed + 60_000
    world.run("home")
    world.log.append([Draft(Action.JOB_FORGOTTEN, time_ms=world.now + 1, job="home")])
    world.now += 30 * clock.DAY_MS
    assert source.poll().jobs == ()
    os.utime(places.config_file, (world.now / 1000, world.now / 1000))
    world.now += 3_600_000
    assert [item.job for item in source.poll().jobs] == ["home"]


@pytest.mark.parametrize("waiting", [False, True])
def test_a_job_that_never_ran_is_acknowledged_once_it_is_overdue(
    places: Places, world: World, source: StatusSource, waiting: bool
) -> None:
    """`seen` silences the deadline that has passed, never the next one; log and spool say the same."""
    configure(places, '[jobs.home]\ncommand = ["true"]\nevery = "1d"\n')
    world.now = places.config_file.stat().st_mtime_ns // 1_000_000 + 3 * clock.DAY_MS
    assert source.poll().state is State.OVERDUE
    seen = Draft(Action.JOB_SEEN, time_ms=world.now, job="home", kind="backup", result="seen")
    if waiting:
        spool.keep(places, [seen])
    else:
        world.log.append([seen])
    world.now += 60_000
    status = source.poll()
    assert (status.state, job(status, "home").seen) == (State.NONE, True)
    assert "  home  Acknowledged  never ran\n" in f"{cli_status.text(status)}\n"
    assert wording.menu_lines(status, world.now)[0] != wording.lines(status, world.now)[1]
    world.now += 2 * clock.DAY_MS
    status = source.poll()
    assert status.state is State.OVERDUE
    assert "  home  Never ran  Expected by " in cli_status.text(status)
    world.run("home")
    assert job(source.poll(), "home").state is State.OK


def test_the_command_says_that_the_job_never_ran(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """Not how its last run ended."""
    configure(places, '[jobs.home]\ncommand = ["true"]\nevery = "1d"\n')
    long_ago = clock.now_ms() / 1000 - 3 * 86_400
    os.utime(places.config_file, (long_ago, long_ago))
    assert main(["status"]) == 2
    assert main(["seen", "home"]) == 0
    assert capsys.readouterr().out.endswith("Noted: you have seen that 'home' never ran.\n")
    assert main(["status"]) == 3


def test_a_job_that_need_not_have_run_yet_cannot_be_acknowledged(places: Places, world: World) -> None:
    """The error tells why, and does not take it for a job of root's."""
    configure(places, '[jobs.home]\ncommand = ["true"]\nevery = "1d"\n')
    with pytest.raises(JobNotFoundError, match="no run of the job 'home'"):
        marking.acknowledge(places, "home")


def test_skipped_runs_are_told_beside_a_late_job(places: Places, world: World, source: StatusSource) -> None:
    """A laptop that is always on battery at noon has no backup, and says why."""
    configure(places, '[jobs.home]\ncommand = ["true"]\nevery = "1d"\n')
    daily(world, range(3), "home")
    for day in (3, 4, 5):
        world.go(day, 12)
        world.log.append([Draft(Action.RUN_SKIPPED, time_ms=world.now, result="on battery", job="home", kind="backup")])
        world.now += 7_200_000
        status = source.poll()
    assert status.state is State.OVERDUE
    assert "skipped 3 times: on battery" in wording.tooltip(status, world.now)
    assert "skipped 3 times: on battery" in cli_status.text(status)


def test_a_passed_deadline_shows_within_seconds(places: Places, world: World, source: StatusSource) -> None:
    """The tray polls once a second, and nothing else happens."""
    configure(places, '[jobs.home]\ncommand = ["true"]\nevery = "1d"\n')
    daily(world, range(3), "home")
    deadline = job(source.poll(), "home").expected_by_ms or 0
    world.now = deadline - 1000
    assert job(source.poll(), "home").state is State.OK
    world.now = deadline + 10_000
    assert job(source.poll(), "home").state in (State.WARNING, State.OVERDUE)


def test_a_mistake_about_one_job_does_not_hide_the_others(
    places: Places, world: World, source: StatusSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That job is not fine, and says why."""
    daily(world, range(3), "home", "photos")
    real = expected.expect

    def broken(rhythm: Rhythm, *given: object, **more: object) -> object:
        if rhythm.every_ms:
            raise ZeroDivisionError("oops")
        return real(rhythm, *given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(expected, "expect", broken)
    configure(places, '[jobs.home]\ncommand = ["true"]\nevery = "1d"\n')
    status = source.poll()
    assert status.error is None
    assert [(item.job, item.state) for item in status.jobs] == [("home", State.WARNING), ("photos", State.OK)]
    assert "oops" in cli_status.text(status)


def test_a_judgement_that_cannot_be_put_into_words_does_not_hide_the_others(
    places: Places, world: World, source: StatusSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a moment in the year 21192, which no calendar knows."""
    daily(world, range(3), "home", "photos")
    real = wording.expected

    def broken(*given: Any, **more: Any) -> Expected:
        if more["job"] == "home":
            raise ValueError("year 21192 is out of range")
        return real(*given, **more)

    monkeypatch.setattr(wording, "expected", broken)
    status = source.poll()
    assert status.error is None
    assert [(item.job, item.state) for item in status.jobs] == [("home", State.WARNING), ("photos", State.OK)]
    assert "21192" in cli_status.text(status)


@pytest.mark.parametrize("days", [-3, 3, 400])
def test_a_clock_that_is_set_and_set_back_leaves_no_false_green_and_no_lasting_alarm(
    places: Places, world: World, source: StatusSource, days: int
) -> None:
    """While it is wrong nothing is fine; once it is right everything is as it was."""
    configure(places, '[jobs.home]\ncommand = ["true"]\nevery = "1d"\n')
    daily(world, range(10), "home")
    world.now += 3_600_000
    before = job(source.poll(), "home")
    right, world.now = world.now, world.now + days * clock.DAY_MS
    assert job(source.poll(), "home").state in (State.WARNING, State.OVERDUE)
    world.now = right + 60_000
    assert job(source.poll(), "home").state is before.state is State.OK


def test_after_the_log_was_begun_anew_a_configured_job_is_not_green(
    places: Places, world: World, source: StatusSource
) -> None:
    """Its history is gone, and its last backup may have failed."""
    configure(places, '[jobs.home]\ncommand = ["true"]\nevery = "1d"\n')
    daily(world, range(10), "home")
    source.poll()
    world.log.close()
    for file in places.state.glob("audit.db*"):
        file.unlink()
    with AuditLog.open(places.audit_db, places.audit_key) as log:
        log.append([Draft(Action.RECORDER_STARTED, time_ms=world.now)])
    world.now = max(world.now, places.config_file.stat().st_mtime_ns // 1_000_000) + 60_000
    status = source.poll()
    assert job(status, "home").last is None
    assert status.state not in (State.OK, State.RUNNING)


def test_runs_under_a_name_that_matches_lists_belong_to_that_job_also_those_of_before(
    places: Places, world: World, source: StatusSource
) -> None:
    """Otherwise the automatic name of a job that the user has named would fall silent, and alarm for ever."""
    daily(world, range(10), "restic /repository")
    configure(places, '[jobs.home]\nevery = "1d"\nmatches = ["restic /repository"]\n')
    daily(world, range(10, 14), "home")
    assert [(item.job, item.state) for item in source.poll().jobs] == [("home", State.OK)]
    world.go(13, 13)
    marking.forget(places, ["home"])
    assert [item for item in source.poll().jobs if item.last is not None] == []
