"""Options that the wrapper adds to a restic command line, and facts that it reads from it."""

import signal

import pytest

from tray import engines
from tray.engines.base import Exit, Plan, Stream


def plan(command: str, **environ: str) -> Plan:
    """Plan a command given as text."""
    argv = command.split()
    engine, at = engines.recognise(argv, environ)
    assert engine.name == "restic"
    return engine.plan(argv, at, environ)


@pytest.mark.parametrize(
    ("given", "started"),
    [
        ("restic backup /home", "restic backup --json /home"),
        ("restic -r /r backup /home", "restic -r /r backup --json /home"),
        (
            "restic --repo /r --password-file backup backup /x",
            "restic --repo /r --password-file backup backup --json /x",
        ),
        ("restic --repo=/r -o s3.layout=default backup", "restic --repo=/r -o s3.layout=default backup --json"),
        (
            "restic --cache-dir backup --limit-upload 5 backup a",
            "restic --cache-dir backup --limit-upload 5 backup --json a",
        ),
        ("restic --no-cache backup a", "restic --no-cache backup --json a"),
        ("restic -q backup a", "restic -q backup --json a"),
        ("restic backup -- --json", "restic backup --json -- --json"),
        ("restic backup --exclude --json a", "restic backup --json --exclude --json a"),
        ("restic backup --tag=x -e y a b", "restic backup --json --tag=x -e y a b"),
        ("restic backup --dry-run a", "restic backup --json --dry-run a"),
        ("restic backup --stdin", "restic backup --json --stdin"),
        ("restic --some-new-flag value backup a", "restic --some-new-flag value backup --json a"),
        ("sudo -E restic backup a", "sudo -E restic backup --json a"),
        ("/opt/restic_0.18.0_linux_amd64 backup a", "/opt/restic_0.18.0_linux_amd64 backup --json a"),
    ],
)
def test_json_is_asked_for_right_after_the_subcommand(given: str, started: str) -> None:
    """No value of a flag is taken for the subcommand, and nothing behind `--` for a flag."""
    found = plan(given)
    assert found.argv == tuple(started.split())
    assert found.ours
    assert found.spool_stdout
    assert found.env == {"RESTIC_PROGRESS_FPS": "2"}


@pytest.mark.parametrize(
    "given",
    [
        "restic backup --json a",
        "restic --json backup a",
        "restic -r /r backup a --json",
        "restic backup --json=false a",
        "restic backup -v a",
        "restic backup -qv a",
        "restic backup --verbose=2 a",
        "restic -vv backup a",
    ],
)
def test_what_the_user_asked_for_is_not_changed(given: str) -> None:
    """JSON that the user asked for is relayed as it is; -v prints lines that JSON cannot give back, so it stays text."""
    found = plan(given)
    assert (found.argv, found.env, found.ours, found.spool_stdout) == (tuple(given.split()), {}, False, True)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("restic check", "check"),
        ("restic -r backup check", "check"),
        ("restic restore latest --target backup", "restore"),
        ("restic restore --json latest", "restore"),
        ("restic prune", "prune"),
        ("restic forget --keep-last 3", "prune"),
        ("restic forget --prune --keep-last 3", "prune"),
    ],
)
def test_what_restores_checks_or_removes_is_read_and_not_changed(given: str, kind: str) -> None:
    """These operations are on record too; nothing is added to them."""
    found = plan(given)
    assert (found.kind, found.argv, found.env, found.spool_stdout) == (kind, tuple(given.split()), {}, True)
    assert (found.sources, found.ours) == ((), False)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("chronic restic check", "check"),
        ("restic forget -n --keep-last 3", "other"),
        ("restic prune --dry-run", "other"),
        ("restic dump latest /x", "other"),
        ("restic snapshots", "other"),
        ("restic init", "other"),
        ("restic", "other"),
        ("restic version", "other"),
        ("restic backup --help", "other"),
        ("restic -- backup", "other"),
        ("restic -r backup", "other"),
    ],
)
def test_other_subcommands_are_plain_commands(given: str, kind: str) -> None:
    """Nothing is added to them and their output stays the caller's."""
    found = plan(given)
    assert (found.kind, found.argv, found.env, found.spool_stdout) == (kind, tuple(given.split()), {}, False)
    assert found.sources == ()


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("restic backup a", "backup"),
        ("restic backup -n a", "dry-run"),
        ("restic backup -xn a", "dry-run"),
        ("restic backup -n=false a", "backup"),
        ("restic backup --dry-run=true a", "dry-run"),
        ("restic backup --dry-run=false a", "backup"),
        ("restic backup a -- -n", "backup"),
        ("restic backup --exclude -n a", "backup"),
    ],
)
def test_a_dry_run_is_no_backup(given: str, kind: str) -> None:
    """It saves nothing, so it must not count as one."""
    assert plan(given).kind == kind


@pytest.mark.parametrize(
    ("value", "env"),
    [("10", {}), ("0.016", {}), ("", {"RESTIC_PROGRESS_FPS": "2"}), ("0", {"RESTIC_PROGRESS_FPS": "2"})],
)
def test_a_cadence_that_the_user_chose_stays(value: str, env: dict[str, str]) -> None:
    """Ours comes only where restic would not heed the user's, or there is none."""
    assert plan("restic backup a", RESTIC_PROGRESS_FPS=value).env == env


def test_output_that_does_not_come_here_stays_text() -> None:
    """Behind `chronic` or `systemd-cat` JSON would surprise the reader of the output."""
    for wrapper in ("chronic", "systemd-cat -t backup"):
        found = plan(f"{wrapper} restic backup a")
        assert (found.ours, found.spool_stdout) == (False, False)
        assert "--json" not in found.argv


@pytest.mark.parametrize(
    ("given", "environ", "repository"),
    [
        ("restic -r /r backup a", {}, "/r"),
        ("restic -r/r backup a", {}, "/r"),
        ("restic --repo=/r backup a", {"RESTIC_REPOSITORY": "/other"}, "/r"),
        ("restic backup a --repo /r", {}, "/r"),
        ("restic backup a", {"RESTIC_REPOSITORY": "sftp:u@h:/b"}, "sftp:u@h:/b"),
        ("restic backup a", {"RESTIC_REPOSITORY_FILE": "/etc/repo"}, "named in /etc/repo"),
        ("restic --repository-file /f backup a", {}, "named in /f"),
        ("env RESTIC_REPOSITORY=/e restic backup a", {}, "/e"),
        ("env -u RESTIC_REPOSITORY restic backup a", {"RESTIC_REPOSITORY": "/gone"}, None),
        ("env -i restic backup a", {"RESTIC_REPOSITORY": "/gone"}, None),
        ("sudo RESTIC_REPOSITORY=/s restic backup a", {}, "/s"),
        ("systemd-run --scope -E RESTIC_REPOSITORY=/d restic backup a", {}, "/d"),
        ("restic backup a", {}, None),
        ("restic -r rest:https://me:hunter2@h:8000/p backup a", {}, "rest:https://me:***@h:8000/p"),
    ],
)
def test_the_repository_is_found_and_shown_without_its_password(
    given: str, environ: dict[str, str], repository: str | None
) -> None:
    """Flag before variable, the innermost assignment before the outer one."""
    assert plan(given, **environ).repository == repository


@pytest.mark.parametrize(
    ("given", "sources"),
    [
        ("restic backup /home /etc", ("/home", "/etc")),
        ("restic backup /home -e *.tmp --tag x /etc", ("/home", "/etc")),
        ("restic backup -- -odd", ("-odd",)),
        ("restic backup --files-from list --files-from-raw=raw /a", ("/a", "listed in list", "listed in raw")),
        ("restic backup --stdin", ("stdin",)),
        ("restic backup --stdin --stdin-filename db.sql", ("db.sql",)),
        ("restic backup --stdin-from-command -- pg_dump db", ("stdin",)),
    ],
)
def test_sources_are_named_as_given(given: str, sources: tuple[str, ...]) -> None:
    """A person recognises what is backed up."""
    assert plan(given).sources == sources


def test_a_forced_engine_finds_restic_behind_a_wrapper_we_do_not_know() -> None:
    """`--engine restic` works for wrappers and renamed programs of one's own."""
    for given, started in (
        ("mywrap --x restic backup /a", "mywrap --x restic backup --json /a"),
        ("rst backup /srv/restic", "rst backup --json /srv/restic"),
    ):
        argv = given.split()
        engine, at = engines.recognise(argv, {}, "restic")
        assert engine.plan(argv, at, {}).argv == tuple(started.split())


def test_a_stored_plan_gives_the_same_session() -> None:
    """Who closes a dead wrapper's run has only what was written down: the redacted command without our flags."""
    live = plan("restic backup --skip-if-unchanged -q /home")
    stored = Plan(
        ("restic", "backup", "--skip-if-unchanged", "-q", "/home"), "backup", {}, spool_stdout=True, ours=True
    )
    line = b'{"message_type":"summary","total_files_processed":3}\n'
    found = []
    for one in (live, stored):
        session = engines.named("restic").session(one)
        relay = session.feed(line, Stream.OUT).relay
        found.append((relay, session.conclude(Exit(None))))
    assert found[0] == found[1]
    assert found[0][0] == b""


@pytest.mark.parametrize("name", ["restic", "borg", "kopia"])
def test_an_engine_that_saves_what_it_has_gets_a_minute_before_it_is_told_again(name: str) -> None:
    """An interrupt lets it end its uploads and remove its lock; restic 0.14 leaves the lock on a termination."""
    engine = engines.named(name)
    assert engine.stop[0] == (signal.SIGINT, 60.0)
    assert engine.stop[1][0] == signal.SIGTERM
