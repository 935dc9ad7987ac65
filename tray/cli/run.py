"""Run a backup under watch: `backup-tray run -- COMMAND...`, and `backup-tray backup JOB` for a configured job."""

import os
from collections.abc import Sequence
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from tray.cli import Command
from tray.core.errors import ConfigError, UsageError
from tray.core.paths import places
from tray.wrapper import prepare, wrap
from tray.wrapper.child import leave

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from tray.config.jobs import Job
    from tray.core.paths import Places


def _add_command(parser: "ArgumentParser") -> None:
    parser.add_argument("--job", metavar="NAME", help="the job this run belongs to (default: named after the command)")
    parser.add_argument("--engine", metavar="NAME", help="the backup program, if the command does not show it")
    parser.add_argument("--no-watch", action="store_true", help="only record start, end and exit code; read nothing")
    parser.add_argument("command", nargs="...", metavar="-- COMMAND", help="the backup command, after --")


def _quick(arguments: Sequence[str]) -> "Namespace | None":
    """Read `[--job NAME] [--engine NAME] [--no-watch] -- COMMAND...`; return None for any other form."""
    options: dict[str, object] = {"job": None, "engine": None, "no_watch": False}
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return cast("Namespace", SimpleNamespace(command=["--", *rest], **options))
        if word == "--no-watch":
            options["no_watch"] = True
        elif word in ("--job", "--engine") and rest and not rest[0].startswith("-"):
            options[word[2:]] = rest.pop(0)
        else:
            return None
    return None


def _run(args: "Namespace") -> int:
    """Run the command under watch; the exit code is the command's."""
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not command:
        raise UsageError(
            "There is no command to run.",
            why="Nothing stands after --.",
            next="For example: `backup-tray run -- restic backup /home`",
        )
    job = None if args.job is None else prepare.job_name(args.job)
    code = wrap.run(command, job=job, engine=args.engine, watch=not args.no_watch)
    with suppress(Exception):
        leave(code)
    return code


def _add_job(parser: "ArgumentParser") -> None:
    parser.add_argument("job", metavar="JOB", help="a job of config.toml, such as one made by `backup-tray create`")
    words = "change nothing about the command's output; record start and end only"
    parser.add_argument("--no-watch", action="store_true", help=words)
    hidden = "==SUPPRESS=="  # argparse.SUPPRESS: a scheduler says these, a user does not
    parser.add_argument("--scheduled", action="store_true", help=hidden)
    parser.add_argument("--patience", type=float, default=120.0, metavar="SECONDS", help=hidden)


def _backup(args: "Namespace") -> int:
    """Run the job; the exit code is its engine's."""
    from tray.jobs import configured  # `run` starts without the configuration
    from tray.schedule.turn import take  # as above

    here = places()
    with _on_record(here, args.job):
        job = configured.find(here, args.job)
        configured.command(job)
    turn = take(here, job, scheduled=args.scheduled, patience=args.patience)
    leave(0 if turn is None else start(here, job, watch=not args.no_watch))


def start(here: "Places", job: "Job", *, watch: bool = True) -> int:
    """Run *job* in this process and return the exit code of its engine."""
    from tray.jobs import configured  # `run` starts without the configuration

    with _on_record(here, job.name):
        argv, environ = configured.command(job), configured.environment(job, os.environ)
    for name in os.environ.keys() - environ.keys():
        del os.environ[name]
    os.environ.update(environ)
    engine = job.engine if job.command else None
    return wrap.run(argv, job=job.name, engine=engine, watch=watch, places=here, hooks=configured.hooks(job))


@contextmanager
def _on_record(here: "Places", job: str) -> "Iterator[None]":
    """Put a run of *job* on record that failed before there was a command to start."""
    try:
        yield
    except ConfigError as error:
        from tray.wrapper import record  # a command that starts does not wait for it

        record.failure(here, job, f"{error.what} {error.why}".strip())
        raise


RUN = Command(
    _add_command,
    _run,
    "backup-tray run -- restic backup ~/Documents",
    "backup-tray run --job nightly -- /usr/local/bin/backup.sh",
    "backup-tray run --engine restic -- my-restic backup /home",
    quick=_quick,
)
BACKUP = Command(_add_job, _backup, "backup-tray backup home")
