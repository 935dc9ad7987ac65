"""The configuration file: what it says, what is wrong with it, and that saving loses nothing."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tray import config
from tray.config import jobs, saving
from tray.config.jobs import Job
from tray.core.errors import ConfigError, UnsafeFolderError
from tray.core.paths import Places, places

HOME = """\
version = 1

[jobs.home]
engine = "restic"
sources = ["/home/ann", "~/Documents"]
repository = "/media/disk/backup"
password_file = "/etc/secret"
options = ["--exclude-caches"]
"""


@pytest.fixture
def here(tmp_path: Path) -> Places:
    """Places of an installation of its own."""
    found = places({"BACKUP_TRAY_HOME": str(tmp_path)})
    found.config.mkdir(mode=0o700)
    return found


def test_a_missing_file_is_an_empty_configuration(tmp_path: Path) -> None:
    """`backup-tray run` needs no configuration."""
    assert jobs.load(places({"BACKUP_TRAY_HOME": str(tmp_path / "none")})).jobs == {}


def test_a_job_is_read_as_written(here: Places) -> None:
    """A job runs as it is written in the file."""
    here.config_file.write_text(HOME)
    assert jobs.load(here).jobs["home"] == Job(
        name="home",
        sources=("/home/ann", "~/Documents"),
        repository="/media/disk/backup",
        password_file="/etc/secret",
        options=("--exclude-caches",),
    )


def test_a_job_may_be_a_whole_command(here: Places) -> None:
    """Engines that we cannot build a command line for are configured by theirs."""
    here.config_file.write_text('[jobs.db]\nengine = "command"\ncommand = ["pg_backup", "--all"]\n')
    assert jobs.load(here).jobs["db"].command == ("pg_backup", "--all")


def test_unknown_keys_are_ignored(here: Places) -> None:
    """A file that a newer version wrote still runs its jobs here."""
    here.config_file.write_text(HOME + 'schedule = "daily"\n[notify]\nmail = "ann@example.org"\n')
    assert set(jobs.load(here).jobs) == {"home"}


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("version = 1\n[jobs.home\n", 2, "not valid TOML"),
        ("version = 1\n\nnonsense", 3, "not valid TOML"),
        ("# one\nversion = 2\n", 2, "version 2"),
        ("version = true\n", 1, "must be the number"),
        ("version = 1\njobs = 3\n", 2, "`jobs` must be"),
    ],
)
def test_a_mistake_is_named_with_its_line(here: Places, text: str, line: int | None, why: str) -> None:
    """The error leads the user to the line, with the reason and a command to open it."""
    here.config_file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        jobs.load(here)
    assert why in caught.value.why
    assert caught.value.line == line
    assert str(here.config_file) in caught.value.what
    assert caught.value.next


def test_text_that_is_not_utf8_is_named_with_its_line(here: Places) -> None:
    """A file in another encoding is an error of ours, not a traceback."""
    here.config_file.write_bytes(b"version = 1\n# caf\xe9\n")
    with pytest.raises(ConfigError) as caught:
        config.load(here)
    assert caught.value.line == 2


def test_a_file_that_cannot_be_read_is_an_error_with_a_next_step(here: Places) -> None:
    """A folder in the file's place is said so."""
    here.config_file.mkdir()
    with pytest.raises(ConfigError) as caught:
        config.load(here)
    assert "ls -l" in caught.value.next


def test_a_link_that_leads_nowhere_is_no_missing_file(here: Places) -> None:
    """Jobs on a disk that is not connected are not known; without a file there would be none."""
    here.config_file.unlink(missing_ok=True)
    here.config_file.symlink_to("/nowhere/config.toml")
    with pytest.raises(ConfigError) as caught:
        config.load(here)
    assert "symbolic link to /nowhere/config.toml" in caught.value.why


def test_the_byte_order_mark_of_some_editors_is_no_fault(here: Places) -> None:
    """It comes before the first key, and is left out when the program saves the file."""
    here.config_file.write_bytes(b"\xef\xbb\xbfversion = 1\n[jobs.home]\ncommand = ['x']\n")
    assert jobs.load(here).jobs["home"].command == ("x",)


def test_saving_keeps_comments_and_unknown_keys(here: Places) -> None:
    """People edit this file; the program must not undo their work."""
    here.config_file.write_text("# mine\n" + HOME + 'schedule = "daily"  # at night\n\n[notify]\nmail = "x"\n')
    saving.save_job(here, Job(name="home", sources=("/srv",), repository="/r"))
    saving.save_job(here, Job(name="my photos", sources=("/p",), repository="/r2", password_file="/pw"))
    text = here.config_file.read_text()
    assert text.startswith("# mine\nversion = 1\n")
    assert 'schedule = "daily"  # at night' in text
    assert "[notify]" in text
    saved = jobs.load(here).jobs
    assert saved["home"] == Job(name="home", sources=("/srv",), repository="/r")
    assert saved["my photos"].password_file == "/pw"


def test_the_first_save_makes_a_private_file(tmp_path: Path) -> None:
    """The configuration names password files and folders: other users cannot read it."""
    here = places({"BACKUP_TRAY_HOME": str(tmp_path / "new")})
    saving.save_job(here, Job(name="home", sources=("/a",), repository="/r"))
    assert stat.S_IMODE(here.config_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(here.config.stat().st_mode) == 0o700
    assert here.config_file.read_text().splitlines()[1] == "version = 1"
    assert os.listdir(here.config) == ["config.toml"]


def test_saving_leaves_a_broken_file_alone(here: Places) -> None:
    """A typing error must not cost the jobs that still stand in the file."""
    here.config_file.write_text("[jobs.home\n")
    with pytest.raises(ConfigError):
        saving.save_job(here, Job(name="x", sources=("/a",), repository="/r"))
    assert here.config_file.read_text() == "[jobs.home\n"


def test_saving_follows_a_link(here: Places, tmp_path: Path) -> None:
    """A configuration kept among dotfiles stays a link to them."""
    real = tmp_path / "dotfile.toml"
    real.write_text(HOME)
    here.config_file.symlink_to(real)
    saving.save_job(here, Job(name="x", sources=("/a",), repository="/r"))
    assert here.config_file.is_symlink()
    assert "[jobs.x]" in real.read_text()


def test_a_folder_that_others_can_enter_is_refused(here: Places) -> None:
    """A password must never land where others read."""
    here.config.chmod(0o755)
    with pytest.raises(UnsafeFolderError):
        saving.save_job(here, Job(name="x", sources=("/a",), repository="/r"))


def test_writers_at_the_same_time_lose_nothing(here: Places) -> None:
    """The window and a terminal may both save."""
    threads = [
        threading.Thread(target=saving.save_job, args=(here, Job(name=f"j{n}", sources=("/a",), repository="/r")))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(jobs.load(here).jobs) == {f"j{n}" for n in range(8)}


@pytest.mark.process
def test_reading_loads_no_writer() -> None:
    """A job that cron starts does not pay for code that only saving needs."""
    ask = "import sys, tray.config, tray.jobs.configured, tray.cli.run; sys.exit('tray.config.saving' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", ask], check=False).returncode == 0


def test_when_a_run_stands_still_is_said_for_all_jobs_and_for_single_ones(here: Places) -> None:
    """Ten minutes unless said otherwise; a job that only `run --job` knows may have its own, and a check counts as its job."""
    assert config.load(here).limit("home") == 600
    here.config_file.write_text(
        '[watch]\nstalled_after = "90s"\n[jobs.slow]\nstalled_after = "2h"\n[jobs.quiet]\nstalled_after = "off"\n'
        '[jobs.db]\ncommand = ["pg_backup"]\nstalled_after = 45\n'
    )
    found = config.load(here)
    limits = {name: found.limit(name) for name in ("home", "slow", "slow (check)", "quiet", "db")}
    assert limits == {"home": 90, "slow": 7200, "slow (check)": 7200, "quiet": None, "db": 45}
    assert [name for name, job in jobs.load(here).jobs.items() if job.runnable] == ["db"]


@pytest.mark.parametrize("value", ['"soon"', '"10"', "-1", "true", '""', '"1 year"', "[]"])
def test_a_time_that_makes_no_sense_is_named_with_its_line(here: Places, value: str) -> None:
    """A typing error must not turn the watch off."""
    here.config_file.write_text(f"version = 1\n\n[watch]\nstalled_after = {value}\n")
    with pytest.raises(ConfigError, match="line 4, column 1") as error:
        config.load(here)
    assert "stalled_after" in error.value.why
    here.config_file.write_text(f"version = 1\n\n[jobs.home]\nstalled_after = {value}\n")
    assert (config.load(here).limit("home"), jobs.load(here).broken["home"].line) == (600, 4)


def test_a_job_that_is_saved_again_keeps_when_it_stands_still(here: Places) -> None:
    """The window knows nothing of that key and must not lose it."""
    here.config_file.write_text('[jobs.db]\ncommand = ["pg_backup"]\nstalled_after = "1h"\n')
    saving.save_job(here, Job("db", None, command=("pg_backup", "--all")))
    assert config.load(here).limit("db") == 3600
