"""Reports tell what was expected and did not come: alike in every format, and never more than is known."""

import json
import os
import re
from pathlib import Path

import pytest

from tests.unit.report.help import BEGIN, HOUR, ended, writer
from tray.audit.entry import Action, Draft
from tray.cli.main import main
from tray.core import clock
from tray.core.model import Outcome
from tray.core.paths import Places, private
from tray.housekeeping import time_zone
from tray.rhythm.awake import Awake
from tray.status.awake_times import AwakeTimes

DAY = 24 * HOUR
NASTY = '<script>alert(1)</script> "x" $(x)'
SINCE = ("--since", "2026-09-21")

pytestmark = pytest.mark.usefixtures("utc")


@pytest.fixture(autouse=True)
def awake(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine was awake all the time; records of this one have no say."""
    monkeypatch.setattr(AwakeTimes, "read", lambda *_: Awake())


def configure(places: Places, text: str, changed_ms: int = BEGIN - DAY) -> None:
    """Make *text* the configuration, as if the user had written it long ago."""
    private(places.config)
    places.config_file.write_text(f"version = 1\n{text}")
    os.utime(places.config_file, (changed_ms / 1000, changed_ms / 1000))


def job(name: str, rhythm: str) -> str:
    """A job of config.toml."""
    return f'[jobs.{json.dumps(name)}]\ncommand = ["true"]\n{rhythm}\n'


def skipped(number: int, name: str, reason: str = "on battery") -> Draft:
    """A run that was kept from starting, at that hour."""
    return Draft(Action.RUN_SKIPPED, time_ms=BEGIN + number * HOUR, result=reason, job=name, kind="backup")


def days(name: str, wanted: range | list[int], **more: object) -> list[Draft]:
    """Good runs of a job at the same hour of these days."""
    tag = f"{abs(hash(name)) % 10**6:06d}"
    return [ended(24 * day, name, run=f"019a0000-0000-7000-8000-{tag}{day:06d}", **more) for day in wanted]


def row(text: str, name: str) -> list[str]:
    """Return the cells behind a job's name in the table of expected backups."""
    table = text.partition("Expected backups\n")[2].partition("\n\n")[0]
    line = next(line for line in table.splitlines() if line.startswith(f"  {name}  "))
    return re.split(r"  +", line.strip())[1:]


def report(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the report as text."""
    assert main(["report", *arguments]) == 0
    return capsys.readouterr().out


def test_every_job_has_its_kept_and_missed_backups_and_the_reason_of_the_missed(
    places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also a job without any run, which no list of runs would name."""
    configure(places, job("home", 'every = "1d"') + job(NASTY, 'on = "02:15"') + job("off", "enabled = false"))
    with writer(places) as log:
        log.append(days("home", [0, 1, 5, 6]))
        log.append([*(skipped(24 * day + 1, "home") for day in (2, 3)), ended(24 * 4 + 1, "home", Outcome.FAILED)])
        log.append(days("learnt", range(40)))
        log.append(days("once", [0, 1]))
    text = report(capsys, *SINCE, "--until", "2026-09-27")
    assert (
        text.splitlines()[0]
        == '1 of 14 runs failed, <script>alert(1)</script> "x" $(x) was overdue at its end, 10 expected backups missed'
    )
    assert row(text, "home") == ["every day", "6", "3", "0", "3", "0", "2", "50 %"]
    assert row(text, NASTY)[:5] == ["02:15", "7", "0", "0", "7"]
    assert row(text, "off") == ["disabled", "–", "–", "–", "–", "–", "0", "–"]
    assert row(text, "learnt") == ["every day or so, by its past", "–", "–", "–", "–", "–", "0", "–"]
    assert row(text, "once") == ["not known yet", "–", "–", "–", "–", "–", "0", "–"]
    assert re.search(r"  home +3 missed +skipped 2 times: on battery; 1 run failed\n", text)


def test_a_month_in_which_nothing_ran_is_a_report_of_what_was_missed(
    places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dead job must not look like a month without anything to report."""
    configure(places, job("home", 'every = "1d"'))
    with writer(places) as log:
        log.append(days("home", range(5)))
    text = report(capsys, "--since", "2026-10-05", "--until", "2026-10-15")
    assert text.splitlines()[0] == "No runs in this period, home was overdue at its end, 11 expected backups missed"
    assert row(text, "home")[1:5] == ["11", "0", "0", "11"]


def test_a_job_that_died_with_the_last_entry_does_not_look_fine(
    places: Places, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing is recorded where nothing runs: the period goes on until now, and a month until its end."""
    configure(places, job("home", 'every = "1d"'))
    with monkeypatch.context() as patch:
        patch.setattr(clock, "now_ms", lambda: BEGIN + 4 * DAY)
        with writer(places) as log:
            log.append(days("home", range(5)))
        (tmp_path / "note").write_bytes(_note(places))
    monkeypatch.setattr(clock, "now_ms", lambda: BEGIN + 50 * DAY)
    text = report(capsys, *SINCE)
    assert text.splitlines()[0] == "All 5 runs succeeded, home is overdue, 45 expected backups missed"
    assert "at least 46 d" in text
    month = report(capsys, "--month", "2026-10")
    assert month.splitlines()[0] == "No runs in this period, home was overdue at its end, 31 expected backups missed"
    pinned = report(capsys, *SINCE, "--checkpoint", str(tmp_path / "note"))
    assert pinned.splitlines()[0] == "All 5 runs succeeded"


@pytest.mark.parametrize("kind", ["text", "html", "pdf", "json"])
def test_every_format_tells_the_same_and_the_same_again(
    places: Places, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    """Byte for byte at the same checkpoint, and no name is taken for a tag."""
    configure(places, job(NASTY, 'every = "1d"'))
    with writer(places) as log:
        log.append(days(NASTY, [0, 1, 4]))
        log.append(days("line\nfeed \u202egnp", range(9)))
    (tmp_path / "note").write_bytes(_note(places))
    made = []
    for number in range(2):
        output = tmp_path / f"{number}"
        assert (
            main(["report", *SINCE, "--format", kind, "--checkpoint", str(tmp_path / "note"), "--output", str(output)])
            == 0
        )
        made.append(output.read_bytes())
    assert made[0] == made[1]
    if kind == "pdf":
        return
    text = made[0].decode()
    assert "Expected backups" in text
    assert "\u202e" not in text
    assert ("<script>" in text) is (kind != "html")
    if kind == "json":
        data = json.loads(text)
        (table,) = (block for block in data["blocks"] if block.get("title") == "Expected backups")
        rows = {cells[0]: dict(zip(table["heads"], cells, strict=True)) for cells in table["rows"]}
        assert rows[NASTY]["Kept"] == "2"
        assert int(rows[NASTY]["Missed"]) > 2
        assert rows["line\\nfeed \\u202egnp"]["In time"] == "–"
        assert data["tone"] == "fail"


def _note(places: Places) -> bytes:
    with writer(places) as log:
        return log.head()[2]


def test_slots_before_the_rhythm_was_stated_are_not_counted(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """A job that was weekly until the 28th missed no daily backup before."""
    configure(places, job("home", 'every = "1d"'))
    changes = [{"key": "jobs.home.every", "from": '"1w"', "to": '"1d"'}]
    with writer(places) as log:
        log.append(days("home", [0]))
        log.append([Draft(Action.CONFIG_CHANGED, time_ms=BEGIN + 7 * DAY, result="changed", body={"changes": changes})])
        log.append(days("home", range(7, 11)))
    text = report(capsys, *SINCE, "--until", "2026-10-01")
    cells = row(text, "home")
    assert cells[0] == "every day, counted from 2026-09-28"
    assert cells[4] == "0"
    before = row(report(capsys, *SINCE, "--until", "2026-09-25"), "home")
    assert before[:2] == ["not known: its settings were changed on 2026-09-28", "–"]


def test_a_new_name_changes_no_rhythm(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """The slots of the job before it was renamed count, and so does the change of its rhythm under the old name."""
    configure(places, job("home", 'every = "1d"'))
    changes = [{"key": "jobs.home.every", "from": '"1w"', "to": '"1d"'}]
    with writer(places) as log:
        log.append([Draft(Action.CONFIG_CHANGED, time_ms=BEGIN - 60_000, result="changed", body={"changes": changes})])
        log.append(days("home", [0, 1, 3]))
    assert main(["jobs", "rename", "home", "house"]) == 0
    capsys.readouterr()
    cells = row(report(capsys, *SINCE, "--until", "2026-09-24"), "house")
    assert cells[:5] == ["every day", "3", "2", "0", "1"]


def test_times_in_which_a_job_was_off_are_left_out_and_those_before_and_after_count(
    places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    """A holiday is neither missed nor does it hide what was missed before it."""
    configure(places, job("home", 'every = "1d"\noff_until = "2026-10-05"'))
    off = [{"key": "jobs.home.off_until", "from": None, "to": '"2026-10-05"'}]
    with writer(places) as log:
        log.append(days("home", [0, 1, 2, 4]))
        at = BEGIN + 5 * DAY
        log.append([Draft(Action.CONFIG_CHANGED, time_ms=at, result="changed", job="home", body={"changes": off})])
        log.append(days("home", range(14, 17)))
    cells = row(report(capsys, *SINCE, "--until", "2026-10-07"), "home")
    assert cells == ["every day", "7", "6", "0", "1", "0", "0", "85.7 %"]
    during = row(report(capsys, *SINCE, "--until", "2026-09-29"), "home")
    assert during == ["every day; off until 2026-10-05", "4", "3", "0", "1", "0", "0", "75 %"]
    whole = row(report(capsys, "--since", "2026-09-28", "--until", "2026-09-30"), "home")
    assert whole[:2] == ["off until 2026-10-05", "–"]
    before = row(report(capsys, *SINCE, "--until", "2026-09-25"), "home")
    assert before[0] == "every day"


def test_with_a_broken_configuration_nothing_is_made_up(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither a rhythm nor a missed backup; the report says why."""
    configure(places, "[jobs.home\n")
    with writer(places) as log:
        log.append(days("home", [0, 5]))
    text = report(capsys, *SINCE)
    assert "Note: Which backups were expected is not known, since config.toml cannot be read" in text
    assert "Expected backups" not in text
    configure(places, job("home", 'every = "often"'))
    assert row(report(capsys, *SINCE), "home")[0].startswith("not known: its settings")


def test_a_filter_that_hides_runs_tells_nothing_of_what_was_expected(
    places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    """Backups that the filter hides would look like missed ones."""
    configure(places, job("home", 'every = "1d"'))
    with writer(places) as log:
        log.append([*days("home", range(5)), ended(200, "home", Outcome.FAILED)])
    assert "Expected backups" not in report(capsys, *SINCE, "--outcome", "failed")


def test_a_run_tells_how_it_stood_against_the_rhythm(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """In time, late, failed; of a job whose rhythm is not known that it is not."""
    configure(places, job("home", 'every = "1d"'))
    with writer(places) as log:
        log.append(days("home", [0, 1, 4]))
        log.append([ended(24 * 5, "home", Outcome.FAILED, run="failed-run"), *days("other", [0, 1])])
    runs = {day: days("home", [day])[0].run or "" for day in (1, 4)}
    assert "  Expected    in time: it was due by 2026-09-22 " in report(capsys, runs[1])
    late = report(capsys, runs[4])
    assert re.search(
        r"  Expected    late: expected by 2026-09-23 [0-9:]+ \(every day\), 2 backups missed before it\n", late
    )
    failed = report(capsys, "failed-run")
    assert re.search(r"  Expected    a good backup is expected by 2026-09-26 ", failed)
    other = report(capsys, days("other", [1])[0].run or "")
    assert "  Expected    the rhythm of the job was not known yet\n" in other


def test_an_early_run_by_hand_of_a_job_that_is_off_is_judged_by_nothing(
    places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is no row about it."""
    configure(places, job("home", "enabled = false"))
    with writer(places) as log:
        log.append(days("home", [0]))
    assert "Expected" not in report(capsys, "last")


def test_slots_before_a_journey_are_not_counted(
    places: Places, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The noon of that time was another one; a job with a zone of its own is judged as ever."""
    configure(places, job("home", 'on = "12:00"') + job("fixed", 'on = "12:00"\nzone = "UTC"'))
    time_zone.check(places)
    monkeypatch.setattr(clock, "zone_name", lambda: "another zone")
    monkeypatch.setattr(clock, "zone_set_ms", lambda: BEGIN + 7 * DAY)
    time_zone.check(places)
    time_zone.check(places)
    assert time_zone.since_ms(places) == BEGIN + 7 * DAY
    with writer(places) as log:
        log.append([*days("home", range(11)), *days("fixed", range(11))])
    text = report(capsys, *SINCE, "--until", "2026-10-01")
    assert row(text, "home")[0] == "12:00, counted from 2026-09-28"
    assert "counted from" not in row(text, "fixed")[0]
    before = row(report(capsys, *SINCE, "--until", "2026-09-25"), "home")
    assert before[:2] == ["not known: this computer's time zone was set on 2026-09-28", "–"]
