"""The way into a job's repository: which engine, which variables, and what is refused with the way out."""

from pathlib import Path

import pytest

from tray.config.jobs import Job
from tray.core.errors import CheckImpossibleError
from tray.jobs import ways


def test_a_job_of_sources_and_repository_names_both() -> None:
    """The password file is named in a variable; a variable that would contradict it is left out."""
    job = Job("home", sources=("/home/ann",), repository="/r", password_file="/pw")
    access = ways.access(job, {"PATH": "/bin", "RESTIC_PASSWORD_COMMAND": "x", "RESTIC_REPOSITORY_FILE": "y"})
    assert (access.engine.name, access.way.sources, access.way.address) == ("restic", ("/home/ann",), "/r")
    restic = {name: value for name, value in access.environ.items() if name.startswith("RESTIC")}
    assert restic == {"RESTIC_REPOSITORY": "/r", "RESTIC_PASSWORD_FILE": "/pw"}


def test_a_password_command_is_handed_on() -> None:
    """In its variable."""
    job = Job("home", sources=("/a",), repository="/r", password_command=("pass", "my repo"))
    assert ways.access(job, {}).environ["RESTIC_PASSWORD_COMMAND"] == "pass 'my repo'"


@pytest.mark.parametrize("engine", ["restic", "borg"])
def test_a_repository_beside_a_command_is_the_one_to_check(engine: str) -> None:
    """A script that calls the engine: `engine` and `repository` say the rest, without a secret on a command line."""
    job = Job("home", engine=engine, command=("/opt/backup",), repository="ssh://ann:geheim@nas/r", password_file="/pw")
    access = ways.access(job, {})
    assert (access.engine.name, access.way.address, access.way.sources) == (engine, "ssh://ann:geheim@nas/r", ())
    assert "geheim" not in str(access.prover.snapshots(access.way))
    assert "ssh://ann:geheim@nas/r" in access.environ.values()


def test_the_environment_file_counts(tmp_path: Path) -> None:
    """Comments and quotes are read as a shell does."""
    file = tmp_path / "env"
    file.write_text("# x\nexport RESTIC_PASSWORD='a b'\nAWS_ACCESS_KEY_ID=k\n\n")
    job = Job("home", engine=None, command=("restic", "-r", "/r", "backup", "/a"), environment_file=str(file))
    environ = ways.access(job, {}).environ
    assert (environ["RESTIC_PASSWORD"], environ["AWS_ACCESS_KEY_ID"]) == ("a b", "k")


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (Job("a", engine=None, command=("dar", "-c", "/a", "-R", "/etc")), "not of dar"),
        (Job("a", engine=None, command=("/opt/backup",)), "script or another program"),
        (Job("a", engine=None, watched="cron"), "script or another program"),
        (Job("a", engine=None, command=("sudo", "restic", "-r", "/r", "backup", "/a")), "another user"),
        (Job("a", engine=None, command=("restic", "backup", "/a")), "which repository"),
    ],
)
def test_jobs_that_cannot_be_checked(job: Job, words: str) -> None:
    """Each says why, and what to do."""
    with pytest.raises(CheckImpossibleError) as caught:
        ways.access(job, {})
    assert words in caught.value.why
    assert caught.value.next


@pytest.mark.process
def test_no_password_is_asked_for_where_nothing_can_be_checked(tmp_path: Path) -> None:
    """Its command may take its time, or ask the user."""
    asked = tmp_path / "asked"
    command = ("touch", str(asked))
    job = Job("home", "duplicity", ("/a",), "/r", password_command=command)
    with pytest.raises(CheckImpossibleError, match="cannot be checked"):
        ways.access(job, {})
    assert not asked.exists()
