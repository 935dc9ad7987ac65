"""How a run shows its command: the user's rules, secrets in files, marks of masked commands, outputs in pieces."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tray import config, engines, runs
from tray.config.jobs import Job
from tray.core import clock
from tray.core.errors import ConfigError, JobSetupError, RepositoryAskError
from tray.core.paths import Places, places
from tray.core.redact import HIDDEN, OVERLAP, Lines, Redactor, Rules
from tray.jobs import configured, first_backup
from tray.recording import close_lost
from tray.repository import ask
from tray.repository.ask import Access
from tray.runs import Process, RunInfo
from tray.runs.log import RunLog
from tray.wrapper import prepare

SECRET = "hunter2!Zq9w"
ARGV = ["nightly", "--customer", "aB3dE6gH9j", "-x", "kQ7rT2vX", "--password", SECRET, "zZ1yY2xX3"]


@pytest.fixture
def here(tmp_path: Path) -> Places:
    """Places of an installation of its own."""
    found = places({"BACKUP_TRAY_HOME": str(tmp_path)})
    found.config.mkdir(mode=0o700)
    return found


def test_the_user_may_see_more(here: Places) -> None:
    """Options that he names are shown; with "all" every word whose meaning is not known; passwords never."""
    assert prepare.redactor(here, ARGV, {}).argv(ARGV) == [
        *("nightly", "--customer", "***", "-x", "***", "--password", "***", "***")
    ]
    here.config_file.write_text('[privacy]\nshow = ["--customer", "-x"]\n')
    assert prepare.redactor(here, ARGV, {}).argv(ARGV) == [*ARGV[:6], "***", "***"]
    here.config_file.write_text('[privacy]\ncommands = "all"\n')
    assert prepare.redactor(here, ARGV, {}).argv(ARGV) == [*ARGV[:6], "***", "zZ1yY2xX3"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('[privacy]\nshow = "--tag"\n', "list of options"),
        ('[privacy]\nshow = ["tag"]\n', "list of options"),
        ("[privacy]\nshow = [1]\n", "list of options"),
        ('[privacy]\ncommands = "full"\n', '"known" or "all"'),
        ("privacy = 1\n", "table"),
    ],
)
def test_a_wrong_rule_is_said_and_shows_nothing_more(here: Places, text: str, why: str) -> None:
    """A typing mistake in the configuration neither stops a backup nor shows its secrets."""
    here.config_file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        config.load(here)
    assert why in caught.value.why
    assert "[privacy]" in caught.value.why
    assert SECRET not in " ".join(prepare.redactor(here, ARGV, {}).argv(ARGV))


@pytest.mark.skipif(os.name == "nt", reason="there are no named pipes")
def test_a_configuration_that_waits_for_somebody_is_passed_over(here: Places) -> None:
    """A named pipe in the place of the file does not keep the backup waiting."""
    os.mkfifo(here.config_file)
    assert prepare.redactor(here, ARGV, {}).argv(ARGV)[-2:] == ["***", "***"]


FILES = [
    (["restic", "--password-file", "{F}", "backup"], {}, f"{SECRET}\n"),
    (["restic", "-p", "{F}", "backup"], {}, SECRET),
    (["restic", "--password-file={F}", "backup"], {}, f"{SECRET}\r\n"),
    (["restic", "--password-command", "cat {F}", "backup"], {}, f"{SECRET}\n"),
    (["restic", "backup"], {"RESTIC_PASSWORD_FILE": "{F}"}, f"{SECRET}\n"),
    (["restic", "backup"], {"RESTIC_PASSWORD_COMMAND": "cat {F}"}, f"{SECRET}\n"),
    (["borg", "create"], {"BORG_PASSCOMMAND": "cat {F}"}, f"{SECRET}\n"),
    (["rsync", "-a", "--password-file={F}", "a", "h::b"], {}, f"{SECRET}\n"),
    (["sh", "-c", "restic --password-file {F} backup"], {}, f"{SECRET}\n"),
    (["mytool", "--secret-file", "{F}"], {}, f"{SECRET}\n"),
    (["pg_dump"], {"PGPASSFILE": "{F}"}, f"# mine\nhost:5432:db:me:{SECRET}\n"),
    (["mytool"], {"DB_PASSWORD_FILE": "{F}"}, f"[client]\nuser = root\npassword = '{SECRET}'\n"),
]


@pytest.mark.parametrize(("argv", "environ", "text"), FILES)
def test_what_a_password_file_holds_is_hidden(
    argv: list[str], environ: dict[str, str], text: str, tmp_path: Path
) -> None:
    """The program may print it; the name of the file stays readable."""
    file = tmp_path / "geheim.txt"
    file.write_text(text)
    argv = [word.replace("{F}", str(file)) for word in argv]
    known = Redactor(argv, {name: value.replace("{F}", str(file)) for name, value in environ.items()})
    assert known.argv(argv) == argv
    prepare.read_secrets(known)
    assert known.text(f"wrong password {SECRET}, root") == "wrong password ***, root"
    assert str(file) in known.text(f"cannot read {file}")


@pytest.mark.skipif(os.name == "nt", reason="there are no named pipes")
def test_files_that_are_none_are_not_waited_for(tmp_path: Path) -> None:
    """From a pipe, a folder, a missing or huge file the wrapper learns nothing, and does not wait for it."""
    pipe, huge = tmp_path / "pipe", tmp_path / "huge"
    os.mkfifo(pipe)
    with huge.open("wb") as file:
        file.truncate(1 << 40)
    for path in (pipe, huge, tmp_path, tmp_path / "missing"):
        known = Redactor(["restic", "--password-file", str(path), "backup"], {})
        prepare.read_secrets(known)
        assert known.text("nothing hidden") == "nothing hidden"


def test_masked_commands_keep_their_own_names(here: Places, tmp_path: Path) -> None:
    """Two commands that are shown alike are two jobs, the same command is the same job every night, and no key tells the words."""
    one, other = prepare.mark(here, ["aB3dE6gH9j"]), prepare.mark(here, ["kQ7rT2vX"])
    assert one != other
    assert one == prepare.mark(here, ["aB3dE6gH9j"])
    assert prepare.mark(here, []) == ""
    assert stat.S_IMODE((here.state / prepare.KEY).stat().st_mode) == 0o600 or os.name == "nt"
    elsewhere = places({"BACKUP_TRAY_HOME": str(tmp_path / "other")})
    assert prepare.mark(elsewhere, ["aB3dE6gH9j"]) != one


@pytest.mark.parametrize("date", ["20261129T0200", "2026-11-29T02-00-00", "2026-11-29_0200", "20261129"])
def test_a_date_in_a_word_is_no_doubt(here: Places, date: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same command is the same job every night, whatever its date is glued to."""
    assert Redactor(["nightly.sh", f"backup_{date}", f"/srv/x-{date}.tar"], {}).doubts == ()
    now = clock.from_text("2026-11-29T02:00:00Z")
    monkeypatch.setattr(clock, "now_ms", lambda: now)
    one = prepare.mark(here, [f"kQ7rT2vX-{date}"])
    monkeypatch.setattr(clock, "now_ms", lambda: now + 86_400_000)
    assert prepare.mark(here, [f"kQ7rT2vX-{date.replace('1129', '1130').replace('11-29', '11-30')}"]) == one


def test_a_name_that_looks_like_a_secret_is_masked(
    here: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two such names stay two jobs; names as people give them stay, and so does what the user wants to see."""
    monkeypatch.setenv("BACKUP_TRAY_HOME", str(tmp_path))
    for name in ("home", "nas-daily", "DB_Prod_2024", "Fotos täglich", "srv01 /mnt/b 2026-11-29", "web01.example.org"):
        assert prepare.job_name(name) == name
    one, other = prepare.job_name(f"shop {SECRET}"), prepare.job_name("shop aB3dE6gH9j")
    assert one.startswith("shop *** #")
    assert one != other
    assert prepare.job_name(f"shop {SECRET}") == one
    here.config_file.write_text('[privacy]\nshow = ["--job"]\n')
    assert prepare.job_name(f"shop {SECRET}") == f"shop {SECRET}"


def test_the_name_of_a_configured_job_stays(here: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the job of that name would never get a run, and be overdue for ever; a broken setting beside it does not matter."""
    monkeypatch.setenv("BACKUP_TRAY_HOME", str(tmp_path))
    assert prepare.job_name("MacBookPro16") != "MacBookPro16"
    here.config_file.write_text('[jobs.MacBookPro16]\nevery = "1d"\n[runs]\nkeep = 7\n')
    assert prepare.job_name("MacBookPro16") == "MacBookPro16"
    here.config_file.write_text("x = [ # MacBookPro16")
    assert prepare.job_name("MacBookPro16").startswith("*** #")


def test_a_state_folder_that_cannot_be_used_gives_no_mark(here: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """The backup runs; nothing of ours is left behind."""

    def fails(*_: object) -> None:
        raise PermissionError(1, "no links here")

    monkeypatch.setattr(os, "link", fails)
    assert prepare.mark(here, ["aB3dE6gH9j"]) == ""
    assert list(here.state.iterdir()) == []
    here.state.rmdir()
    here.state.write_text("no folder")
    assert prepare.mark(here, ["aB3dE6gH9j"]) == ""


def test_a_secret_that_changes_leaves_the_name(here: Places) -> None:
    """A new password is no new job: only words whose meaning is not known count."""
    for secret in (SECRET, "tR5uV8wX1y"):
        argv = ["sh", "-c", f"mysqldump -u root --password={secret} shop | gzip >x.gz"]
        assert Redactor(argv, {}).doubts == ()


@given(st.integers(0, 200_000), st.integers(1, 200_000))
@settings(max_examples=60, deadline=None)
def test_a_secret_over_the_seam_of_a_long_line_is_hidden(before: int, cut: int) -> None:
    """A line of more than a megabyte comes in pieces, and a secret may lie in two of them."""
    raw = b"a" * before + SECRET.encode() + b"b" * 200_000 + b"\n"
    lines = Lines(Redactor((), {"RESTIC_PASSWORD": SECRET}))
    size = max(cut, 65_536)
    shown = b"".join(lines.take(raw[at : at + size]) for at in range(0, len(raw), size)) + lines.rest()
    assert SECRET.encode() not in shown
    assert shown.replace(HIDDEN.encode(), b"") == b"a" * before + b"b" * 200_000 + b"\n"


def test_the_end_of_an_unfinished_line_comes_out() -> None:
    """Text that the wrapper holds back is not lost."""
    lines = Lines(Redactor((), {}))
    raw = b"x" * 100_000
    assert len(lines.take(raw)) == len(raw) - OVERLAP
    assert len(lines.rest()) == OVERLAP
    assert lines.rest() == b""


def test_a_private_key_of_many_lines_is_hidden() -> None:
    """Each of its lines comes alone; what follows its end is shown again."""
    lines = Lines(Redactor((), {}))
    printed = [
        "key:",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "b3BlbnNzaC1r",
        "AAAAB3Nza",
        "-----END OPENSSH PRIVATE KEY-----",
        "done",
    ]
    shown = [lines.take(f"{line}\n".encode()).decode() for line in printed]
    assert shown == ["key:\n", f"{printed[1]}***", "***\n", "***\n", f"***{printed[4]}\n", "done\n"]


def test_words_of_our_own_in_the_log_hold_no_secret(tmp_path: Path) -> None:
    """A mistake of ours may quote the line that it was made at."""
    log = RunLog(tmp_path / "log", Redactor((), {"PASS": SECRET}))
    log.say(f"a line was not understood (ValueError: {SECRET})")
    log.close()
    assert (tmp_path / "log").read_text().endswith(" --- a line was not understood (ValueError: ***)\n")


def test_a_key_without_an_end_does_not_blank_the_log() -> None:
    """A command prints the first line of a key alone."""
    lines = Lines(Redactor((), {}))
    lines.take(b"-----BEGIN PRIVATE KEY-----\n")
    shown = [lines.take(b"line\n") for _ in range(600)]
    assert shown[0] == b"***\n"
    assert shown[-1] == b"line\n"


def test_the_words_of_a_run_whose_wrapper_died_are_hidden_too(here: Places) -> None:
    """Who closes it knows neither its environment nor its command's secrets, only what stands in the spool."""
    argv = ["restic", "-r", "b", "backup", "/a", "--foo", "***"]
    wrapper = Process(os.getpid(), None)
    info = RunInfo(
        "0197", "home", "restic", "backup", 1, "", wrapper, repository="b", sources=("/a",), command=tuple(argv)
    )
    folder, _ = runs.create(here, info)
    assert folder is not None
    folder.spool("err").write_text(
        f"Fatal: unable to open config file: login rest:http://me:{SECRET}@h with {SECRET} failed\n"
        f"error: open /x/5fa8c1b29d44e1f3 denied to {SECRET}\n"
    )
    ended, result = close_lost.conclude(folder, info)
    folder.close()
    told = f"{ended.reason} {ended.advice} {result}"
    assert "unable to open config file" in told
    assert "5fa8c1b29d44e1f3" in told
    assert SECRET not in told


def test_a_mistake_in_the_walk_masks_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """It must neither stop a backup nor show a secret."""
    from tray.core.redact.command import Walk

    def fails(*_: object) -> list[str]:
        raise ZeroDivisionError

    monkeypatch.setattr(Walk, "command", fails)
    assert Redactor(ARGV, {}, Rules()).argv(ARGV) == [HIDDEN] * len(ARGV)


ADDRESSES = {
    "restic": f"rest:https://me:{SECRET}@host:8000/repo",
    "borg": f"ssh://me:{SECRET}@host/./repo",
}


@pytest.mark.process
@pytest.mark.skipif(os.name == "nt", reason="the engine is a script for a shell")
@pytest.mark.parametrize("engine", ADDRESSES)
def test_a_password_in_an_address_reaches_no_command_line_of_ours(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every user of the machine can list command lines; the environment of a process only its owner can read."""
    program = tmp_path / engine
    told = 'echo "cannot open $RESTIC_REPOSITORY$BORG_REPO" >&2'
    program.write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/said\nenv >{tmp_path}/env\n{told}\nexit 1\n')
    program.chmod(0o755)
    environ = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "RESTIC_REPOSITORY_FILE": "/other",
        "RESTIC_REPOSITORY": "/other",
    }
    monkeypatch.setenv("PATH", environ["PATH"])
    with pytest.raises(RepositoryAskError) as caught:
        ask.snapshots(Access(engine, ADDRESSES[engine]), environ)
    assert SECRET not in (tmp_path / "said").read_text()
    assert ADDRESSES[engine] in (tmp_path / "env").read_text()
    if engine == "restic":  # it would contradict the address
        assert "RESTIC_REPOSITORY_FILE" not in (tmp_path / "env").read_text()
    error = caught.value
    assert SECRET not in f"{error.what} {error.why} {error.next}"
    assert f"-r '{ADDRESSES[engine]}" not in error.next


def test_a_configured_address_with_a_password_goes_into_the_environment() -> None:
    """And one without stays in the command, where a person sees it."""
    secret = Job("home", sources=("/home",), repository=ADDRESSES["restic"], password_file="/pw")
    assert configured.command(secret) == ["restic", "backup", "--password-file", "/pw", "/home"]
    assert configured.environment(secret, {}) == {"RESTIC_REPOSITORY": ADDRESSES["restic"]}
    plain = Job("home", sources=("/home",), repository="sftp:me@host:/srv/r")
    assert configured.command(plain) == ["restic", "backup", "--repo", "sftp:me@host:/srv/r", "/home"]
    assert configured.environment(plain, {}) == {}


@pytest.mark.parametrize(
    "address", [*ADDRESSES.values(), f"sftp:me:{SECRET}@host:/r", f"rest:https://me:a/{SECRET}@host/r"]
)
def test_no_first_backup_goes_to_an_address_with_a_password(address: str) -> None:
    """`restic init` would show it to everybody."""
    with pytest.raises(JobSetupError) as caught:
        first_backup.checked_repository(address, ["/home"])
    assert SECRET not in f"{caught.value.what} {caught.value.why} {caught.value.next}"


@pytest.mark.parametrize(
    ("argv", "advice"),
    [
        (
            ["restic", "-r", ADDRESSES["restic"], "backup", "/x"],
            "RESTIC_REPOSITORY='rest:https://me:***@host:8000/repo' restic unlock",
        ),
        (["borg", "create", f"{ADDRESSES['borg']}::a", "/x"], "BORG_REPO='ssh://me:***@host/./repo' borg break-lock"),
        (["restic", "-r", "/mnt/r", "backup", "/x"], "restic -r /mnt/r unlock"),
        (["borg", "create", "/mnt/r::a", "/x"], "borg break-lock /mnt/r"),
    ],
)
def test_no_advice_puts_a_password_into_a_command_line(argv: list[str], advice: str) -> None:
    """Who follows the advice fills the password in where `ps` does not show it."""
    engine, at = engines.recognise(argv, {})
    assert engine.unlock(engine.plan(argv, at, {})) == advice
