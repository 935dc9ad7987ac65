"""Jobs: the first one made with real restic, its command line, and what other backups put in front of theirs."""

import json
import os
import re
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tray.audit.store import AuditLog
from tray.config import jobs, saving
from tray.config.jobs import Job
from tray.core import ourselves
from tray.core.errors import EngineMissingError, JobNotFoundError, JobSetupError, JobWatchedError, RepositoryInitError
from tray.core.paths import Places, places
from tray.jobs import configured, first_backup


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """Places of an installation of its own, also for the processes that we start, and a source `tmp_path/src`."""
    monkeypatch.setenv("BACKUP_TRAY_HOME", str(tmp_path / "bt"))
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a").write_text("a")
    return places()


@pytest.fixture
def fake_restic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `restic` first in PATH that writes its arguments and environment down; its exit code stands in the file `code`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "restic"
    program.write_text(
        f"#!{sys.executable}\n"
        "import json, os, pathlib, sys\n"
        "if 'cat' in sys.argv:\n    sys.exit('Fatal: unable to open config file: <config/> does not exist')\n"
        f"here = pathlib.Path({str(folder)!r})\n"
        "(here / 'seen.json').write_text(json.dumps({'argv': sys.argv[1:], 'environ': dict(os.environ)}))\n"
        "code = here / 'code'\n"
        "print('Fatal: no space left on device\\nmore', file=sys.stderr) if code.exists() else None\n"
        "sys.exit(int(code.read_text()) if code.exists() else 0)\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def create(here: Places, tmp_path: Path, **changes: object) -> Job:
    """Make the first backup with good input, but for *changes*."""
    given = {
        "name": "home",
        "sources": [str(tmp_path / "src")],
        "repository": str(tmp_path / "repo"),
        "password": "secret word",
    }
    return first_backup.create_first_backup(here, **(given | changes))  # type: ignore[arg-type]


@pytest.mark.process
def test_the_first_backup_is_a_real_repository(here: Places, tmp_path: Path) -> None:
    """After the form, restic itself opens the repository with the password file that the job names."""
    job = create(here, tmp_path)
    assert job == jobs.load(here).jobs["home"] == configured.find(here, "home")
    backup = subprocess.run(configured.command(job), capture_output=True, check=False)
    assert backup.returncode == 0, backup.stderr
    listed = subprocess.run(
        ["restic", "-r", job.repository or "", "-p", job.password_file or "", "snapshots", "--json"],
        capture_output=True,
        check=True,
    )
    assert [snapshot["paths"] for snapshot in json.loads(listed.stdout)] == [[str(tmp_path / "src")]]


@pytest.mark.process
def test_the_password_is_in_a_private_file_and_nowhere_else(here: Places, tmp_path: Path, fake_restic: Path) -> None:
    """Neither a process list, nor the configuration, nor the audit log shows the password."""
    job = create(here, tmp_path)
    secret = Path(job.password_file or "")
    assert secret.read_text() == "secret word\n"
    assert secret.parent == here.config
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    seen = json.loads((fake_restic / "seen.json").read_text())
    assert "secret word" not in json.dumps(seen)
    assert str(secret) in seen["argv"]
    others = [file for file in (tmp_path / "bt").rglob("*") if file.is_file() and file != secret]
    assert others
    assert not [file for file in others if b"secret word" in file.read_bytes()]


@pytest.mark.process
def test_the_change_is_in_the_audit_log(here: Places, tmp_path: Path, fake_restic: Path) -> None:
    """A new job is a change of the configuration, and that is on record."""
    create(here, tmp_path)
    with AuditLog.read(here.audit_db) as log:
        found = [(entry.data["action"], entry.data["job"]) for entry in log.entries()]
    assert found[-3:] == [("repository.created", "home"), ("job.created", "home"), ("config.changed", "home")]


@pytest.mark.process
@pytest.mark.parametrize("variable", configured.CLASHING_VARIABLES)
def test_variables_that_contradict_the_job_do_not_reach_restic(
    here: Places, tmp_path: Path, fake_restic: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """A user who exports RESTIC_PASSWORD_COMMAND can still make a first backup."""
    monkeypatch.setenv(variable, "x")
    create(here, tmp_path)
    assert variable not in json.loads((fake_restic / "seen.json").read_text())["environ"]


@pytest.mark.process
def test_a_failed_init_leaves_nothing_behind(here: Places, tmp_path: Path, fake_restic: Path) -> None:
    """After an error one can simply try again."""
    (fake_restic / "code").write_text("1")
    with pytest.raises(RepositoryInitError) as caught:
        create(here, tmp_path)
    assert caught.value.why == "Fatal: no space left on device"
    assert list(here.config.iterdir()) == []
    (fake_restic / "code").unlink()
    assert create(here, tmp_path).name == "home"


def test_a_slow_init_keeps_the_password(
    here: Places, tmp_path: Path, fake_restic: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repository that may have been made never loses its password."""

    def slow(argv: list[str], **_: object) -> None:
        raise subprocess.TimeoutExpired(argv, 300)

    monkeypatch.setattr(subprocess, "run", slow)
    with pytest.raises(RepositoryInitError) as caught:
        create(here, tmp_path)
    secret = here.config / "home.password"
    assert secret.read_text() == "secret word\n"
    assert str(secret) in caught.value.why


def test_without_restic_the_command_that_installs_it_is_named(
    here: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The most likely thing to be missing is one command away."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineMissingError) as caught:
        create(here, tmp_path)
    assert "sudo apt install restic" in caught.value.next


@pytest.mark.parametrize("name", ["", "-rf", " home", "a\nb", "x" * 81])
def test_a_name_that_no_menu_can_show_is_refused(here: Places, tmp_path: Path, name: str) -> None:
    """A job's name is printed in many places and typed on a command line."""
    with pytest.raises(JobSetupError) as caught:
        create(here, tmp_path, name=name)
    assert caught.value.field == "name"


@pytest.mark.process
def test_a_name_in_use_is_refused(here: Places, tmp_path: Path, fake_restic: Path) -> None:
    """Two jobs of one name could not be told apart."""
    create(here, tmp_path)
    with pytest.raises(JobSetupError, match="already a backup named 'home'"):
        create(here, tmp_path, repository=str(tmp_path / "other"))


@pytest.mark.process
def test_two_jobs_never_share_a_password_file(here: Places, tmp_path: Path, fake_restic: Path) -> None:
    """Names that look alike as file names must not overwrite each other's password."""
    first = create(here, tmp_path, name="my files")
    second = create(here, tmp_path, name="my-files", repository=str(tmp_path / "repo2"), password="other")
    assert Path(first.password_file or "").read_text() == "secret word\n"
    assert Path(second.password_file or "").read_text() == "other\n"


@pytest.mark.parametrize("password", ["", " x", "x\n", "a\nb"])
def test_a_password_that_restic_would_read_differently_is_refused(here: Places, tmp_path: Path, password: str) -> None:
    """restic trims the file: the typed password would open nothing later."""
    with pytest.raises(JobSetupError) as caught:
        create(here, tmp_path, password=password)
    assert caught.value.field == "password"


@pytest.mark.parametrize("sources", [[], ["relative"], ["/no/such/folder"], [""], ["a\0b"]])
def test_sources_that_do_not_exist_are_refused(here: Places, tmp_path: Path, sources: list[str]) -> None:
    """A backup of nothing must not look like a backup."""
    with pytest.raises(JobSetupError) as caught:
        create(here, tmp_path, sources=sources)
    assert caught.value.field == "sources"
    assert caught.value.next


def test_a_repository_inside_a_source_is_refused(here: Places, tmp_path: Path) -> None:
    """Each backup would hold all the earlier ones, also when a link hides it."""
    (tmp_path / "link").symlink_to(tmp_path / "src")
    for inside in (tmp_path / "src" / "repo", tmp_path / "link" / "repo"):
        with pytest.raises(JobSetupError, match="would lie inside") as caught:
            create(here, tmp_path, repository=str(inside))
        assert caught.value.field == "repository"


def test_a_folder_in_use_is_refused(here: Places, tmp_path: Path) -> None:
    """A repository never mixes with other files, whatever stands in its place."""
    full = tmp_path / "full"
    full.mkdir()
    (full / "x").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    for target, why in [
        (full, "not empty"),
        (full / "x", "a file"),
        (full / "x" / "y", "a file"),
        (tmp_path / "dangling", "a link"),
    ]:
        with pytest.raises(JobSetupError) as caught:
            create(here, tmp_path, repository=str(target))
        assert caught.value.field == "repository"
        assert why in caught.value.why


def test_an_existing_repository_is_named_as_one(here: Places, tmp_path: Path) -> None:
    """A user who already has a repository is led to the prefix instead."""
    for name in ("config", "keys", "snapshots"):
        (tmp_path / "repo" / name).mkdir(parents=True)
    with pytest.raises(JobSetupError, match="is a restic repository already") as caught:
        create(here, tmp_path)
    assert "backup-tray run --" in caught.value.next


def test_a_disk_that_is_not_connected_is_noticed(here: Places, tmp_path: Path) -> None:
    """A missing mount point must not fill the system's own disk."""
    with pytest.raises(JobSetupError) as caught:
        create(here, tmp_path, repository="/media/no-such-disk-here/backup")
    assert "not connected" in caught.value.why


@pytest.mark.process
def test_an_address_with_a_password_is_refused(here: Places, tmp_path: Path, fake_restic: Path) -> None:
    """An address stands in the process list; a server without a password in it is fine."""
    with pytest.raises(JobSetupError) as caught:
        create(here, tmp_path, repository="rest:https://ann:pw@host/repo")
    assert "pw" not in caught.value.what + caught.value.why.replace("password", "")
    assert create(here, tmp_path, repository="sftp:ann@host:/repo").repository == "sftp:ann@host:/repo"


def test_generated_passwords_are_strong_and_readable() -> None:
    """At least 128 bits, without letters that people confuse, and never twice the same."""
    made = {first_backup.generate_password() for _ in range(200)}
    assert len(made) == 200
    for password in made:
        assert re.fullmatch(r"([a-z2-9]{4}-){6}[a-z2-9]{4}", password)
        assert not set(password) & set("0o1li")
    assert 31**28 > 2**128


def test_a_command_names_the_password_file_only() -> None:
    """The command line of a job is what one would type by hand."""
    job = Job(name="x", sources=("/a", "/b"), repository="/r", password_file="/pw", options=("--one-file-system",))
    assert configured.command(job) == [
        "restic",
        "backup",
        "--repo",
        "/r",
        "--password-file",
        "/pw",
        "--one-file-system",
        "/a",
        "/b",
    ]
    assert configured.command(Job(name="y", command=("true", "x"))) == ["true", "x"]
    with pytest.raises(JobWatchedError):
        configured.command(Job(name="z"))


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """cron starts elsewhere: the command line names full paths."""
    argv = configured.command(Job(name="x", sources=("~/Documents",), repository="~"))
    assert os.path.isabs(argv[-1])
    assert argv[-1].endswith("/Documents")
    assert argv[3] == os.path.dirname(argv[-1])


@pytest.mark.process
def test_a_missing_job_names_those_that_exist(here: Places, tmp_path: Path, fake_restic: Path) -> None:
    """A typing error shows the right names."""
    create(here, tmp_path)
    with pytest.raises(JobNotFoundError) as caught:
        configured.find(here, "hme")
    assert "home" in caught.value.why


@pytest.mark.process
def test_start_is_a_process_of_its_own(here: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup started from the window survives the window, sees the same places, and prints on no terminal."""
    note = tmp_path / "note.json"
    program = tmp_path / "python"
    program.write_text(
        f"#!{sys.executable}\n"
        "import json, os, pathlib, sys\n"
        "ends = [os.readlink(f'/proc/self/fd/{n}') for n in (0, 1, 2)]\n"
        "facts = {'argv': sys.argv[1:], 'leader': os.getsid(0) == os.getpid(), 'ends': ends}\n"
        "facts['home'] = os.environ['BACKUP_TRAY_HOME']\n"
        f"pathlib.Path({str(note)!r}).write_text(json.dumps(facts))\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    job = Job(name="my files", command=("true",))
    with pytest.raises(JobNotFoundError):
        configured.start(here, job)
    saving.save_job(here, job)
    assert configured.start(here, job).wait(60) == 0
    assert json.loads(note.read_text()) == {
        "argv": [*ourselves.command("backup", "my files")[1:]],
        "leader": True,
        "ends": ["/dev/null"] * 3,
        "home": str(tmp_path / "bt"),
    }


def test_the_cron_line_is_safe_to_paste(here: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the installed command in full, keeps a trial a trial, and cron does not cut it at a percent sign."""
    installed = tmp_path / "backup-tray"
    installed.write_text("")
    installed.chmod(0o755)
    monkeypatch.setattr(configured, "launcher_places", lambda: [tmp_path / "none", installed])
    line = configured.cron_line(Job(name="100% mine"))
    assert line == rf"15 2 * * * BACKUP_TRAY_HOME={tmp_path / 'bt'} {installed} backup '100\% mine'"
    monkeypatch.delenv("BACKUP_TRAY_HOME")
    assert configured.cron_line(Job(name="x")) == f"15 2 * * * {installed} backup x"


def test_without_an_installed_command_the_line_still_works(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In a checkout the interpreter and our own file are named, isolated from the folder that cron starts in."""
    monkeypatch.setattr(configured, "launcher_places", list)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert configured.launcher() == shlex.join(ourselves.command())


def test_the_launcher_is_looked_for_where_it_is_installed() -> None:
    """Root's command is the system's; a user's own comes before it."""
    found = configured.launcher_places()
    assert found[-1] == Path("/usr/local/bin/backup-tray")
    assert len(found) == (1 if os.geteuid() == 0 else 2)


def test_prefixes_name_the_command_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """cron and systemd know no PATH of ours."""
    monkeypatch.setattr(configured, "launcher", lambda: "/usr/local/bin/backup-tray")
    found = dict(configured.prefixes())
    assert list(found) == ["crontab", "systemd unit", "borgmatic", "resticprofile"]
    for text in found.values():
        assert "/usr/local/bin/backup-tray run " in text
        assert " -- " in text


def test_a_login_that_no_file_can_hold_is_refused_at_its_field() -> None:
    """The reader of the file would give the engine another value."""
    for value in ("two\nlines", " spaced", '"quoted"'):
        with pytest.raises(JobSetupError) as caught:
            first_backup.checked_login("s3:host/bucket", {"AWS_SECRET_ACCESS_KEY": value})
        assert caught.value.field == "login"
        assert value not in f"{caught.value} {caught.value.why} {caught.value.next}"
    assert first_backup.checked_login("/media/stick", {"AWS_SECRET_ACCESS_KEY": "x"}) == {}
