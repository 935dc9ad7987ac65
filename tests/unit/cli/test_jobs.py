"""`backup-tray jobs`: the list, one job, and the changes as the user types them."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests.unit.jobs.test_editing import ran
from tray.cli.jobs import sheet
from tray.cli.main import main
from tray.config import jobs
from tray.config.jobs import Job
from tray.core import clock
from tray.core.paths import Places, expand, private
from tray.status import past_runs


def test_all_jobs_are_listed_with_their_faults(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """Configured ones, one of the log, a broken one and a note about a key without effect."""
    private(places.config)
    places.config_file.write_text(
        '[jobs.home]\ncommand = ["x"]\nevery = "1d"\nevry = 1\n[jobs.bad]\ncommand = 3\n[jobs.off]\nenabled = false\n'
        'command = ["y"]\n'
    )
    ran(places, "nightly")
    assert main(["jobs"]) == 0
    text = capsys.readouterr().out
    assert "  home     every 1d          backup-tray backup (x)\n" in text
    assert "  nightly  as it ran so far  not by this program\n" in text
    assert "  off      disabled" in text
    assert "    fault: In [jobs.bad]: `command` must be" in text
    assert "did you mean 'every'? (config.toml, line 4)" in text
    assert main(["jobs", "list", "--json"]) == 0
    facts = {job["job"]: job for job in json.loads(capsys.readouterr().out)["jobs"]}
    assert list(facts) == ["bad", "home", "nightly", "off"]
    assert (facts["bad"]["fault"]["line"], facts["home"]["fault"], facts["nightly"]["configured"]) == (6, None, False)


def test_one_job_is_shown_without_its_passwords(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """For people and for programs."""
    private(places.config)
    places.config_file.write_text(
        '[jobs.home]\ncommand = ["x", "--password=hunter2"]\npassword_command = ["pass", "--token", "hunter2"]\n'
        'on = "daily"\nrest_password = "hunter2"\n'
    )
    assert main(["jobs", "show", "home"]) == 0
    text = capsys.readouterr().out
    assert 'on = "daily"' in text
    assert main(["jobs", "show", "home", "--json"]) == 0
    shown = capsys.readouterr().out
    assert "hunter2" not in text + shown
    assert json.loads(shown)["settings"]["password_command"][0] == "pass"
    assert main(["jobs", "show", "hmoe"]) == 2
    assert "Known jobs: home" in capsys.readouterr().err


def test_a_path_is_meant_from_the_folder_where_it_is_typed(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Folders and files become full paths; an address stays as it is."""
    monkeypatch.chdir(tmp_path)
    near = ["--source", "docs", "--source", "~/music", "--repository", "../disk", "--password-file", "pw"]
    assert main(["jobs", "add", "near", *near]) == 0
    far = ["--source", "./docs", "--repository", "sftp:me@nas:backup", "--password-file", "pw"]
    assert main(["jobs", "add", "far", *far]) == 0
    made = jobs.load(places).jobs
    assert made["near"].sources == (f"{tmp_path}/docs", expand("~/music"))
    assert (made["near"].repository, made["near"].password_file) == (f"{tmp_path.parent}/disk", f"{tmp_path}/pw")
    assert (made["far"].sources, made["far"].repository) == ((f"{tmp_path}/docs",), "sftp:me@nas:backup")
    assert main(["jobs", "edit", "far", "--source", ""]) == 2, "an empty one is no folder"
    assert capsys.readouterr().err


def test_a_job_is_made_changed_and_ended(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """The words of the command line become the keys of the file."""
    add = [
        "add",
        "home",
        "--source",
        "/a",
        "--source",
        "/b",
        "--repository",
        "/r",
        "--password-command",
        "pass 'my home'",
    ]
    more = ["--exclude", "*.tmp", "--every", "1d", "--notify", "failure", "--option=-v", "--check-every", "30d"]
    assert main(["jobs", *add, *more]) == 0
    assert "backup-tray backup home" in capsys.readouterr().out
    made = jobs.load(places).jobs["home"]
    assert (made.sources, made.password_command, made.options) == (("/a", "/b"), ("pass", "my home"), ("-v",))
    assert main(["jobs", "edit", "home", "--on", "Mon 03:00", "--unset", "check", "--command", "tar c /a"]) == 0
    now = jobs.load(places).jobs["home"]
    assert (now.on, now.every_ms, now.check_every_ms, now.command) == ("Mon 03:00", None, None, ("tar", "c", "/a"))
    assert main(["jobs", "disable", "home"]) == 0
    assert jobs.load(places).jobs["home"].enabled is False
    assert main(["jobs", "enable", "home"]) == 0
    assert "enabled" not in places.config_file.read_text()
    assert main(["jobs", "rename", "home", "house"]) == 0
    ran(places, "old")
    assert main(["jobs", "merge", "old", "house"]) == 0
    assert main(["jobs", "retire", "house"]) == 0
    assert main(["jobs", "remove", "house"]) == 0
    assert jobs.load(places).jobs == {}


def test_a_job_is_off_until_a_date_which_its_entry_says(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """Also a job that only the log knows, with a name that holds tags and quotes."""
    name, day = '<script>"x"', (clock.local(clock.now_ms()) + timedelta(days=30)).date().isoformat()
    ran(places, name)
    assert main(["jobs", "disable", name, "--until", day]) == 0
    assert f'The job <script>"x" is off until {day}: no schedule runs it' in capsys.readouterr().out
    job = jobs.load(places).jobs[name]
    assert (job.enabled, job.is_off(clock.now_ms()), job.is_off(job.off_until_ms or 0)) == (True, True, False)
    with past_runs.reading(places) as log:
        assert log is not None
        entry = log.entry(log.head()[0] - 1)
    assert entry.data["action"] == "config.changed"
    assert (entry.data["job"], (entry.body or {})["change"]) == (name, f"job off until {day}")
    assert f'"{day}"' in str((entry.body or {})["changes"])
    assert main(["jobs", "list"]) == 0
    assert f"off until {day}" in capsys.readouterr().out
    assert main(["jobs", "show", name, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["enabled"], facts["off_until"]) == (False, clock.to_text(job.off_until_ms or 0))
    assert main(["jobs", "disable", name]) == 0
    assert "off_until" not in places.config_file.read_text()
    assert main(["jobs", "disable", name, "--until", day]) == 0
    assert "enabled" not in places.config_file.read_text()
    assert main(["jobs", "enable", name]) == 0
    assert "off_until" not in places.config_file.read_text()


def test_a_date_without_quotes_is_shown_too(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """TOML has dates of its own, JSON has not."""
    private(places.config)
    places.config_file.write_text('[jobs.home]\ncommand = ["x"]\noff_until = 2099-12-24\n')
    assert main(["jobs", "show", "home", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["settings"]["off_until"] == "2099-12-24"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["disable", "home", "--until", "2020-01-01"], "that day would change nothing"),
        (["disable", "home", "--until", "soon"], "A date is written like 2026-12-24"),
        (["edit", "home"], "No key was given"),
        (["edit", "home", "--unset", "evry"], "did you mean 'every'"),
        (["edit", "home", "--before", "tar 'x"], "--before cannot be read"),
        (["edit", "home", "--every", "daily"], "length of time"),
        (["edit", "home", "--zone", "Berlin"], "no time zone"),
        (["add", "x"], "it is empty"),
        (["bogus"], "There is no 'bogus'; choose from list, show,"),
    ],
)
def test_a_mistake_is_answered_with_a_next_step(
    places: Places, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    """Nothing is changed by it."""
    private(places.config)
    places.config_file.write_text('[jobs.home]\ncommand = ["x"]\n')
    assert main(["jobs", *arguments]) != 0
    said = capsys.readouterr().err
    assert words in said
    assert "next:" in said
    assert jobs.load(places).jobs == {"home": Job("home", None, command=("x",))}


def test_a_job_that_nothing_starts_is_told_how_it_starts_by_itself(
    places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    """`jobs add` names the schedule command; a watched job has its own scheduler and needs none."""
    assert main(["jobs", "add", "my db", "--command", "true"]) == 0
    assert "backup-tray schedule 'my db' --on daily" in capsys.readouterr().out
    assert main(["jobs", "add", "timed", "--command", "true", "--on", "Mon..Fri 20:30"]) == 0
    assert capsys.readouterr().out.endswith("backup-tray schedule timed\n")
    assert main(["jobs", "add", "theirs", "--command", "true", "--watched", "crontab of ann"]) == 0
    assert "schedule" not in capsys.readouterr().out


@pytest.mark.process  # asks restic for its version
def test_a_kept_recovery_sheet_follows_its_job(
    places: Places, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sheet with the old repository or the old name would fail on the day when it is needed."""
    more = ["--source", str(tmp_path), "--repository", "/disk/a", "--password-file", "/pw"]
    assert main(["jobs", "add", "home", *more]) == 0
    assert main(["jobs", "edit", "home", "--repository", "/disk/b"]) == 0
    assert "sheet" not in capsys.readouterr().out, "none is kept"
    file = sheet.keep(places, "home")
    before = file.read_bytes()
    assert main(["jobs", "edit", "home", "--every", "1d"]) == 0
    assert (file.read_bytes(), "sheet" in capsys.readouterr().out) == (before, False)
    assert main(["jobs", "edit", "home", "--repository", "/disk/c"]) == 0
    assert f"print it again. It is in {file}" in capsys.readouterr().out
    assert file.read_bytes() != before
    assert main(["jobs", "rename", "home", "house"]) == 0
    assert [item.name for item in file.parent.iterdir()] == ["house.pdf"]
