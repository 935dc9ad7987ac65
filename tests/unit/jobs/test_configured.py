"""The command line of a job: built by its engine, and without a secret."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from tray.config.jobs import Job
from tray.core.errors import ConfigError, JobWatchedError
from tray.jobs import configured

SECRET = "rest:https://ann:hunter2@nas/backup"


def job(**fields: Any) -> Job:
    """A job of two sources, unless *fields* say otherwise."""
    return Job(**{"name": "x", "sources": ("/a", "/b"), "repository": "/r"} | fields)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "restic backup --repo /r /a /b"),
        (
            {"password_file": "/pw", "excludes": ("*.tmp", "/a/x y"), "options": ("-v",)},
            "restic backup --repo /r --password-file /pw --exclude '*.tmp' --exclude '/a/x y' -v /a /b",
        ),
        ({"repository": SECRET}, "restic backup /a /b"),
        ({"engine": "borg", "excludes": ("*.tmp",)}, "borg create --exclude '*.tmp' '/r::{hostname}-{now}' /a /b"),
        (
            {"engine": "borg", "repository": "ssh://ann:hunter2@nas/b", "options": ("--stats",)},
            "borg create --stats '::{hostname}-{now}' /a /b",
        ),
        (
            {"engine": "rsync", "excludes": ("*.tmp",), "password_file": "/pw", "repository": "nas::module"},
            "rsync --archive --relative --password-file=/pw '--exclude=*.tmp' -- /a /b nas::module",
        ),
        (
            {"engine": "rclone", "sources": ("/a",), "repository": "nas:b", "excludes": ("*.tmp",), "options": ("-v",)},
            "rclone copy --exclude '*.tmp' -v -- /a nas:b",
        ),
        (
            {"engine": "tar", "repository": "/r/home.tar.gz", "excludes": ("*.tmp",), "options": ("--acls",)},
            "tar --create --auto-compress --backup=simple --file=/r/home.tar.gz '--exclude=*.tmp' --acls -- /a /b",
        ),
        (
            {"engine": "duplicity", "sources": ("/a",), "excludes": ("**.tmp",), "options": ("--no-encryption",)},
            "duplicity --exclude '**.tmp' --no-encryption /a file:///r",
        ),
        (
            {"engine": "duplicity", "sources": ("/a",), "repository": "sftp://ann@nas/b"},
            "duplicity /a sftp://ann@nas/b",
        ),
        (
            {"engine": "kopia", "repository": "/k/repository.config", "options": ("--parallel=2",)},
            "kopia snapshot create --config-file=/k/repository.config --parallel=2 /a /b",
        ),
        ({"command": ("tar", "c", "/a")}, "tar c /a"),
    ],
)
def test_a_command_line_is_built(fields: dict[str, Any], words: str) -> None:
    """As the user would type it, with every part of the job."""
    argv = configured.command(job(**fields))
    assert argv == shlex.split(words)
    assert "hunter2" not in str(argv)


@pytest.mark.parametrize(
    ("fields", "env"),
    [
        ({"repository": SECRET}, {"RESTIC_REPOSITORY": SECRET}),
        ({"password_command": ("pass", "my home")}, {"RESTIC_PASSWORD_COMMAND": "pass 'my home'"}),
        ({"password_command": ("pass", "ann's", "")}, {"RESTIC_PASSWORD_COMMAND": "pass \"ann's\" ''"}),
        ({"engine": "borg", "password_file": "/my pw"}, {"BORG_PASSCOMMAND": "cat -- '/my pw'"}),
        ({"engine": "borg", "password_command": ("pass", "a b")}, {"BORG_PASSCOMMAND": "pass 'a b'"}),
        ({"engine": "borg", "repository": "ssh://a:hunter2@n/b"}, {"BORG_REPO": "ssh://a:hunter2@n/b"}),
        (
            {"engine": "rclone", "sources": ("/a",), "password_command": ("pass", 'a "b"')},
            {"RCLONE_PASSWORD_COMMAND": 'pass "a ""b"""'},
        ),
        ({"engine": "rclone", "sources": ("/a",), "password_file": "/pw"}, {"RCLONE_PASSWORD_COMMAND": "cat /pw"}),
    ],
)
def test_a_secret_goes_into_the_environment(fields: dict[str, Any], env: dict[str, str]) -> None:
    """A list of processes shows command lines to every user."""
    assert configured.environment(job(**fields), {}) == env


@pytest.mark.parametrize(
    ("fields", "clears"),
    [
        ({"password_file": "/pw"}, ("RESTIC_PASSWORD_COMMAND", "RESTIC_REPOSITORY_FILE")),
        ({"password_command": ("pass",)}, ("RESTIC_PASSWORD_FILE",)),
        ({"engine": "borg", "password_file": "/pw"}, ("BORG_PASSPHRASE",)),
    ],
)
def test_the_job_counts_more_than_the_environment(fields: dict[str, Any], clears: tuple[str, ...]) -> None:
    """Engines refuse two sources of a password, or prefer the wrong one."""
    environ = configured.environment(job(**fields), dict.fromkeys((*clears, "PATH"), "x"))
    assert [name for name, value in environ.items() if value == "x"] == ["PATH"]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"engine": "dar"}, "no command line of dar is built"),
        ({"engine": "tar", "repository": "nas:home.tar"}, "by the whole path"),
        ({"engine": "tar", "repository": "/r/"}, "tar writes one archive"),
        ({"engine": "tar", "repository": "/r/a.tar", "password_file": "/pw"}, "tar encrypts nothing"),
        ({"engine": "duplicity"}, "duplicity backs up one folder"),
        ({"engine": "duplicity", "sources": ("/a",), "repository": "r"}, "a whole path or an address"),
        ({"engine": "duplicity", "sources": ("/a",), "repository": "sftp://ann:hunter2@nas/b"}, "FTP_PASSWORD"),
        ({"engine": "kopia", "repository": "/r"}, "connect once with `kopia repository connect`"),
        ({"engine": "kopia", "repository": "/k/r.config", "excludes": ("*.tmp",)}, "kopia policy set SOURCE"),
        ({"engine": "brog"}, "brog"),
        ({"engine": "rclone"}, "copies one source"),
        ({"engine": "rclone", "sources": ("/a",), "repository": SECRET}, "no address with a password"),
        ({"engine": "rsync", "password_command": ("pass",)}, "no password from a command"),
        ({"engine": "rsync", "repository": "rsync://ann:hunter2@nas/b"}, "no address with a password"),
        ({"password_command": ("pass", "a'b\"c")}, "put it into a script"),
        ({"password_command": ("pass", "a b\\")}, "put it into a script"),
    ],
)
def test_a_job_that_has_no_command_line_names_the_way_out(fields: dict[str, Any], why: str) -> None:
    """The user learns why, and how to give the whole command."""
    with pytest.raises(ConfigError) as caught:
        configured.command(job(**fields))
    assert why in caught.value.why
    assert "jobs edit x --command" in caught.value.next
    assert "hunter2" not in caught.value.why


def test_a_watched_job_says_who_starts_it() -> None:
    """It is no fault of the configuration, and the user learns how to have it run from here."""
    with pytest.raises(JobWatchedError) as caught:
        configured.command(Job("x", watched="crontab of ann"))
    assert "crontab of ann starts it" in caught.value.why
    assert "jobs edit x --command" in caught.value.next


def test_an_environment_file_is_read(tmp_path: Path) -> None:
    """As systemd and shells write it."""
    file = tmp_path / "env"
    file.write_text("# mine\n\nA=1\nexport B='two words'\nC=\"x\"\n D = no\n".replace(" D = no\n", "D=a=b\n"))
    environ = configured.environment(job(environment_file=str(file)), {"A": "0", "Z": "z"})
    assert environ == {"A": "1", "B": "two words", "C": "x", "D": "a=b", "Z": "z"}


@pytest.mark.parametrize("text", ["A=1\nhunter2\n", None, b"\xff=1"])
def test_a_faulty_environment_file_is_named_without_its_content(tmp_path: Path, text: str | bytes | None) -> None:
    """The line may be a secret."""
    file = tmp_path / "env"
    if isinstance(text, bytes):
        file.write_bytes(text)
    elif text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        configured.environment(job(environment_file=str(file)), {})
    assert str(file) in caught.value.what + caught.value.why
    assert "hunter2" not in caught.value.what + caught.value.why
    if isinstance(text, str):
        assert caught.value.line == 2


@pytest.mark.parametrize(
    ("fields", "variable"),
    [
        ({"engine": "duplicity", "sources": ("/a",)}, "PASSPHRASE"),
        ({"engine": "kopia", "repository": "/k/repository.config"}, "KOPIA_PASSWORD"),
    ],
)
def test_a_password_that_only_a_variable_takes_is_read(tmp_path: Path, fields: dict[str, Any], variable: str) -> None:
    """From the job's file, before one in the environment; without a file the environment's own counts."""
    file = tmp_path / "pw"
    file.write_text("hunter2\n")
    assert configured.environment(job(password_file=str(file), **fields), {variable: "old"}) == {variable: "hunter2"}
    assert configured.environment(job(**fields), {variable: "old"}) == {variable: "old"}
