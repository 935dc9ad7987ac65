"""The logs of runs have a retention and a bound; their entries stay."""

import pytest

from tests.unit.audit.help import end, start
from tests.unit.runs.test_runs import created, info
from tray import config
from tray.audit import spool
from tray.cli.main import main
from tray.config import RunsConfig
from tray.core import clock
from tray.core.dataclass import replace
from tray.core.errors import ConfigError, LogNotKeptError
from tray.core.paths import Places
from tray.doctor import records
from tray.housekeeping import rounds
from tray.runs import retention
from tray.window import run_pages
from tray.wrapper import after_run

DAY = clock.DAY_MS


def kept(places: Places, *days_ago: int, size: int = 10_000) -> list[str]:
    """Make the folder of an ended run for each of *days_ago*, and return their ids."""
    made = []
    for days in days_ago:
        ms = clock.now_ms() - days * DAY
        digits = f"{ms:012x}"
        run = f"{digits[:8]}-{digits[8:]}{clock.new_id()[13:]}"
        folder = created(places, replace(info(), run=run))
        folder.log.write_bytes(b"x" * size)
        folder.close()
        made.append(run)
    return made


def left(places: Places, made: list[str]) -> list[bool]:
    """Whether each of the runs still has its folder."""
    return [any((root / "done" / run).exists() for root in places.run_roots) for run in made]


@pytest.mark.parametrize(
    ("table", "stay"),
    [
        (RunsConfig(), [False, True, True, True]),
        (RunsConfig(keep_ms=20 * DAY), [False, False, True, True]),
        (RunsConfig(keep_ms=None), [True, True, True, True]),
        (RunsConfig(keep_ms=None, most=35_000), [False, True, True, True]),
        (RunsConfig(keep_ms=DAY // 2, most=1), [False, False, False, True]),  # the newest stays
    ],
)
def test_old_and_many_logs_go_the_oldest_first(places: Places, table: RunsConfig, stay: list[bool]) -> None:
    """90 days or 1 GiB, unless the configuration says otherwise."""
    made = kept(places, 91, 30, 10, 5)
    retention.trim(places, table)
    assert left(places, made) == stay


@pytest.mark.parametrize(
    ("keep_of", "most", "stay"),
    [
        ({"home": 400 * DAY}, None, [True, True, True, True]),
        ({"home": 20 * DAY}, None, [False, False, True, True]),
        ({"other": 20 * DAY}, None, [False, True, True, True]),
        ({"home": 0}, 1, [True, True, True, True]),
        ({"home": 400 * DAY}, 15_000, [False, False, False, True]),
    ],
)
def test_a_job_may_keep_its_logs_longer_or_less_long(
    places: Places, keep_of: dict[str, int], most: int | None, stay: list[bool]
) -> None:
    """`keep_logs` of a job counts more than [runs]; the bound on the size counts for all but those that are always kept."""
    assert info().job == "home"
    made = kept(places, 91, 30, 10, 5)
    retention.trim(places, RunsConfig(most=most, keep_ms_of=keep_of))
    assert left(places, made) == stay


def test_the_age_of_a_jobs_logs_is_read(places: Places) -> None:
    """Of a check as of its job; a wrong value does not count, and is reported with the job."""
    places.config.mkdir(parents=True, mode=0o700)
    places.config_file.write_text(
        '[jobs.a]\nkeep_logs = "30d"\n[jobs.b]\nkeep_logs = "off"\n[jobs.c]\nkeep_logs = "1h"\n[jobs.d]\nevery = "1d"\n'
    )
    found = config.load(places).runs
    assert [found.keep_of(job) for job in ("a (check)", "b", "c", "d")] == [30 * DAY, 0, 90 * DAY, 90 * DAY]


def test_a_run_that_goes_on_is_not_touched(places: Places) -> None:
    """However old it is."""
    folder = created(places, info())
    made = kept(places, 100, 1)
    retention.trim(places, RunsConfig(keep_ms=DAY, most=1))
    assert left(places, made) == [False, True]
    assert folder.path.exists()
    folder.close()


def test_the_housekeeping_does_it_and_a_wrapper_once_a_day(places: Places) -> None:
    """Also on a machine where no tracker runs."""
    spool.record(places, [start("r"), end("r")])
    made = kept(places, 100, 1)
    rounds.run(places)
    assert left(places, made) == [False, True]
    late = kept(places, 100)
    after_run.without_tracker(places)
    assert left(places, late) == [True]
    (places.runs / ".trimmed").unlink()
    after_run.without_tracker(places)
    assert left(places, late) == [False]


def test_a_log_that_is_not_kept_is_told_from_a_run_that_never_was(
    places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report is still there, and that is where the person is led."""
    run = clock.new_id()
    spool.record(places, [start(run), end(run)])
    assert main(["log", run]) != 0
    said = capsys.readouterr().err
    assert "The full log of this run is no longer kept." in said
    assert f"backup-tray report {run}" in said
    with pytest.raises(LogNotKeptError):
        run_pages.log_head(places, run, None)
    assert main(["log", "ffffffff"]) != 0
    assert "no longer kept" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('keep = "30d"\nmost = "500MiB"', RunsConfig(30 * DAY, 500 << 20)),
        ('keep = "off"\nmost = "off"', RunsConfig(None, None)),
        ("", RunsConfig(90 * DAY, 1 << 30)),
    ],
)
def test_the_configuration_says_how_long(places: Places, text: str, found: RunsConfig) -> None:
    """Both keys have a usual value, and can be turned off."""
    places.config.mkdir(parents=True, mode=0o700)
    places.config_file.write_text(f"version = 1\n[runs]\n{text}\n")
    assert config.load(places).runs == found


@pytest.mark.parametrize("text", ["keep = 5", 'keep = "1h"', 'most = "much"', "most = 1", 'most = "0GiB"'])
def test_what_makes_no_sense_is_named_with_its_line(places: Places, text: str) -> None:
    """As with every other table."""
    places.config.mkdir(parents=True, mode=0o700)
    places.config_file.write_text(f"version = 1\n[runs]\n{text}\n")
    with pytest.raises(ConfigError, match="cannot be used") as caught:
        config.load(places)
    assert "In [runs]" in caught.value.why
    assert caught.value.line == 3


def test_doctor_says_what_is_kept_and_how_long(places: Places) -> None:
    """A user who wonders about the disk learns where the bound is."""
    kept(places, 3, 2, 1)
    (said,) = records.run_logs(places)
    assert said.what.startswith("3 runs, ")
    assert "kept for 90 days and up to 1.1 GB ([runs] in the configuration)" in said.what
