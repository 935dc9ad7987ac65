"""Prove that a job's backup can be restored: `backup-tray check JOB`."""

import os
from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager

from tray.cli import Command
from tray.core import ourselves
from tray.core.errors import CheckImpossibleError, ConfigError, UsageError
from tray.core.model import CHECK as KIND
from tray.core.paths import Places, places
from tray.engines.restore_test import RestoreTest
from tray.jobs import configured, ways
from tray.schedule.turn import take
from tray.wrapper import record, wrap
from tray.wrapper.child import leave


def _register(parser: ArgumentParser) -> None:
    parser.add_argument("job", metavar="JOB", help="a job of config.toml, such as one made by `backup-tray create`")
    words = 'how much of the data the engine reads too: a part such as 5%% or 1/10, or "all" (default: as it does by itself)'
    parser.add_argument("--read-data", metavar="PART", help=words)
    parser.add_argument("--scheduled", action="store_true", help=SUPPRESS)  # a scheduler says these, a user does not
    parser.add_argument("--patience", type=float, default=120.0, metavar="SECONDS", help=SUPPRESS)


def _check(args: Namespace) -> int:
    """Run the check as a run of the job; exit code 0 proven, 1 nothing was proven, 2 failed.

    Raises:
        JobNotFoundError, ConfigError: The job is not configured, or not well.
        CheckImpossibleError: Its engine cannot be asked, or its repository is not known.
        AlreadyRunningError: A check of the job goes on.
        UsageError: The engine cannot read such a part of the data.
    """
    here = places()
    with _on_record(here, args.job, scheduled=args.scheduled):
        job = configured.find(here, args.job)
        access = ways.access(job, os.environ)
    read_data = args.read_data or job.check_read_data
    try:
        access.prover.check(access.way, read_data)
    except ValueError as error:
        raise UsageError("The check was not started.", why=f"{error}.", next="Leave out `--read-data`.") from error
    turn = take(here, job, scheduled=args.scheduled, patience=args.patience, kind=KIND)
    if turn is None:
        leave(0)
    adapter = RestoreTest(access.engine.name, access.way.address)
    words = [job.name] if read_data is None else [job.name, read_data]
    os.environ.update(configured.environment(job, os.environ))  # for the commands before and after, as around a backup
    command, hooks = ourselves.command("tray.jobs.proof", *words), configured.hooks(job)
    leave(wrap.run(command, job=job.name, engine=adapter, places=here, hooks=hooks))


@contextmanager
def _on_record(here: Places, job: str, *, scheduled: bool) -> Iterator[None]:
    """Put a check of *job* on record that failed before there was a command to start; a scheduler shows its words to no user."""
    try:
        yield
    except (ConfigError, CheckImpossibleError) as error:
        if isinstance(error, CheckImpossibleError) and not scheduled:
            raise
        record.failure(here, job, " ".join(filter(None, (error.what, error.why))), KIND)
        raise


CHECK = Command(
    _register,
    _check,
    "backup-tray check home                    the engine's check, then 3 random files restored and compared",
    "backup-tray check home --read-data 5%     restic: also read 5 % of the data",
)
