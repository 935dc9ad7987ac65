"""A year of a laptop, played with a clock of the test: the log, the marks of awake time and every surface are real.

It is awake from eight to eleven, off for a holiday, and lives in a zone with summer time. Daily, weekly and irregular jobs run, a
drive is away for some days, a run fails, a folder is emptied, and one cron job dies. A second test goes through both nights of
summer time on a server.
"""

import json
import random
import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest

from tests.world import FIRST, World
from tray import wording
from tray.audit.entry import SEVERITY_OF, Action, Draft
from tray.cli import status as cli_status
from tray.cli.main import main
from tray.core import clock
from tray.core.model import JobStatus, Outcome, State, Status
from tray.core.paths import Places, private
from tray.engines.base import Result
from tray.icon.menu import StatusMenu
from tray.icon.render import Look
from tray.runs import Process, RunInfo
from tray.status import StatusSource
from tray.window import view
from tray.wrapper import live_state, result_checks

HOLIDAY = range(200, 223)
DEAD = range(120, 150)
AWAY = range(60, 63)
FAILED = 90
EMPTIED = range(170, 175)
CONFIG = """version = 1
[jobs.papers]
command = ["true"]
every = "1d"
[jobs.weekly]
command = ["true"]
on = "Sun 20:00"
zone = "Europe/Berlin"
[jobs.retired]
command = ["true"]
every = "1d"
enabled = false
[jobs.drive]
watched = "crontab of ann"
on = "18:00"
zone = "Europe/Berlin"
"""
NIGHTLY = """version = 1
[jobs.server]
command = ["true"]
on = "02:30"
zone = "Europe/Berlin"
"""


@pytest.fixture
def world(places: Places, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Return a machine on the first day."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        private(places.config)
        places.config_file.write_text(CONFIG)
        made = World(places, patch)
        yield made
        made.log.close()
    time.tzset()


class Story:
    """The same status as every surface tells it."""

    def __init__(self, status: Status, world: World) -> None:
        self.status = status
        self.jobs = {job.job: job for job in status.jobs}
        self.bad = [job.job for job in status.jobs if _is_alarm(job)]
        self.check()
        self.compare_entries(world)

    def check(self) -> None:
        """Compare the surfaces with each other."""
        status, now, bad = self.status, clock.now_ms(), self.bad
        said = json.loads(json.dumps(status.to_json()))
        page = view.dashboard(status, now)
        text, tooltip = cli_status.text(status), wording.tooltip(status, now)
        menu = StatusMenu(status, _Nothing())
        menu.lines = wording.menu_lines(status, now)
        assert said["state"] == page["state"] == Look.of(status).state.value
        assert [job["state"] for job in said["jobs"]] == [job["state"] for job in page["jobs"]]
        for job, row in zip(said["jobs"], page["jobs"], strict=True):
            assert f"  {job['job']}" in text
            assert row["arithmetic"] == job["why"]
            line = next(line for line in text.splitlines() if line.startswith(f"  {job['job']} "))
            assert row["word"] in line
        assert [job.job for job, _ in menu.alarms()] == bad[:3]
        assert {job["job"] for job in page["attention"]} == set(bad)
        if bad:
            assert f"{bad[0]}: " in tooltip
            assert bad[0] in menu.lines[1]
            assert "fine" not in tooltip.partition("\n")[0]
        else:
            assert "fine" in tooltip.partition("\n")[0] or status.state is State.NONE
        assert (cli_status.EXIT_CODES[status.state] == 0) == (not bad and status.state is not State.NONE)
        for job in said["jobs"]:
            assert (job["overdue_since"] is not None) >= (job["state"] == "overdue")

    def compare_entries(self, world: World) -> None:
        """Compare the status with the newest entry of each job: an alarm has its cause on record, and nothing fine hides one."""
        for job in self.status.jobs:
            newest = next(iter(world.log.history(1, job=job.job)), None)
            assert (None if job.last is None else job.last.run) == (None if newest is None else newest.run)
            if newest is not None and newest.outcome is Outcome.FAILED:
                assert job.state is State.FAILED
            if job.state in (State.OK, State.FAILED):
                assert newest is not None
                assert (newest.outcome is Outcome.FAILED) == (job.state is State.FAILED)
            if job.state is State.OVERDUE:
                assert job.overdue_since_ms is not None
                assert newest is None or newest.finished_ms < job.overdue_since_ms


class _Nothing:
    def open(self, page: str) -> None:
        """Open nothing."""

    def control(self, control: object, run: str) -> None:
        """Do nothing."""

    def quit(self) -> None:
        """Stay."""


def _is_alarm(job: JobStatus) -> bool:
    return job.state not in (State.OK, State.NONE, State.RUNNING)


class Laptop:
    """The jobs of the year, and the days on which each was shown as not fine.

    Attributes:
        alarms: By job the days.
    """

    def __init__(self, world: World, capsys: pytest.CaptureFixture[str]) -> None:
        self._world, self._chance, self._capsys = world, random.Random(2026), capsys
        self._by_hand = 3
        self._source = self._new_source()
        self.alarms: dict[str, list[int]] = {}

    def _new_source(self) -> StatusSource:
        return StatusSource(self._world.places, role="cli", start_tracker=False, system=False)

    def year(self) -> None:
        """Play it."""
        day = 0
        while day < 365:
            if day == HOLIDAY.start:
                day = HOLIDAY.stop
                self._world.off(day)
                self._source.close()
                self._source = self._new_source()
            self._day(day)
            day += 1
            self._world.sleep(day)
        self._source.close()

    def _day(self, day: int) -> None:
        world = self._world
        self._look(day, 9)
        world.go(day, 12.5)
        _of_size(world, "papers", 20 if day in EMPTIED else 40_000, failed=day == FAILED)
        if day not in DEAD:
            world.run("photos")
        world.go(day, 18.2)
        if day in AWAY:
            world.log.append(
                [Draft(Action.RUN_SKIPPED, time_ms=world.now, result="target away", job="drive", kind="backup")]
            )
        else:
            world.run("drive")
        world.go(day, 20.2)
        if (FIRST + timedelta(days=day)).weekday() == 6:
            world.run("weekly")
        if self._by_hand <= day:
            world.run("by hand")
            self._by_hand = day + self._chance.randint(2, 9)
        self._report(day, self._look(day, 22.5))

    def _look(self, day: int, hour: float) -> Story:
        self._world.go(day, hour)
        story = Story(self._source.poll(), self._world)
        for name in story.bad:
            if day not in (days := self.alarms.setdefault(name, [])):
                days.append(day)
        assert (story.jobs["retired"].state, story.jobs["retired"].word) == (State.NONE, "disabled")
        return story

    def _report(self, day: int, story: Story) -> None:
        """Compare the report of the day with the status in its evening."""
        date = f"{FIRST + timedelta(days=day):%Y-%m-%d}"
        assert main(["report", "--since", date, "--until", date, "--format", "json"]) == 0
        report = json.loads(self._capsys.readouterr().out)
        words = json.dumps(report)
        overdue = [job.job for job in story.jobs.values() if job.state is State.OVERDUE]
        failed = [job.job for job in story.jobs.values() if job.state is State.FAILED]
        assert (report["tone"] == "fail") == bool(overdue or failed), words
        for name in overdue:
            assert name in words
        if len(overdue) == 1:
            assert f"{overdue[0]} is overdue" in words


def _of_size(world: World, job: str, files: int, *, failed: bool) -> None:
    """Put a run of so many files on record, with the outcome that the wrapper gives it beside the runs before."""
    run = clock.new_id()
    info = RunInfo(run, job, "restic", "backup", world.now - 600_000, "boot", Process(1, 1))
    result = Result(Outcome.SUCCEEDED, "All files were saved.", files=files, bytes_processed=files * 1000)
    result = result_checks.collapsed(result, info, live_state.earlier_runs(world.places, info))
    outcome = Outcome.FAILED if failed else result.outcome
    draft = partial(Draft, job=job, run=run, engine="restic", kind="backup", source="wrapped")
    end = draft(
        Action.RUN_FINISHED,
        time_ms=world.now,
        result=outcome.value,
        severity=SEVERITY_OF[outcome],
        duration_ms=600_000,
        files=files,
        bytes_processed=files * 1000,
        body={"reason": result.reason},
    )
    world.log.append([draft(Action.RUN_STARTED, time_ms=world.now - 600_000, result="started"), end])


def test_a_year_of_a_laptop_has_no_false_alarm_and_no_silence(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything that is wrong is told within three days, on every surface alike, and nothing else."""
    laptop = Laptop(world, capsys)
    laptop.year()
    alarms = laptop.alarms
    for name, days in alarms.items():  # on the day of the return every backup is too old, awake or not
        assert (HOLIDAY.stop in days) == (name != "retired")
        alarms[name] = [day for day in days if day != HOLIDAY.stop]
    assert {name for name, days in alarms.items() if days} <= {"drive", "photos", "by hand", "papers"}
    assert alarms["drive"] == [*AWAY, AWAY.stop]  # the morning after tells of the last evening
    assert alarms["papers"] == [FAILED, FAILED + 1, *EMPTIED, EMPTIED.stop]
    begun = alarms["photos"][0]
    assert begun - DEAD.start <= 3
    assert alarms["photos"] == [*range(begun, DEAD.stop + 1)]
    assert len(alarms["by hand"]) <= 4


@pytest.mark.parametrize("night", [83, 293], ids=["without 02:30", "with 02:30 twice"])
def test_both_nights_of_summer_time_are_one_night(world: World, night: int) -> None:
    """A nightly backup at 02:30 is neither missed nor owed twice there; one that does not come two nights later is told."""
    world.places.config_file.write_text(NIGHTLY)
    source = StatusSource(world.places, role="cli", start_tracker=False, system=False)
    alarms = []
    for day in range(night - 6, night + 4):
        world.go(day, 2.5)
        if day != night + 2:
            world.run("server")
        for hour in range(4, 24):
            world.go(day, hour)
            if Story(source.poll(), world).bad:
                alarms.append((day, hour))
    source.close()
    assert alarms == [(night + 2, hour) for hour in range(4, 24)]
