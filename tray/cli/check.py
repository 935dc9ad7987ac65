"""Prove that a job's backup can be restored: `backup-tray check JOB`."""

import os
from argparse import ArgumentParser, Namespace

from tray.cli import Command
from tray.core import ourselves
from tray.core.errors import UsageError
from tray.core.paths import places
from tray.engines.restore_test import RestoreTest
from tray.jobs import configured, ways
from tray.wrapper import wrap
from tray.wrapper.child import leave


def _register(parser: ArgumentParser) -> None:
    parser.add_argument("job", metavar="JOB", help="a job of config.toml, such as one made by `backup-tray create`")
    words = 'how much of the data the engine reads too: a part such as 5%% or 1/10, or "all" (default: as it does by itself)'
    parser.add_argument("--read-data", metavar="PART", help=words)


def _check(args: Namespace) -> int:
    """Run the check as a run of the job; exit code 0 proven, 1 nothing was proven, 2 failed.

    Raises:
        JobNotFoundError, ConfigError: The job is not configured, or not well.
        CheckImpossibleError: Its engine cannot be asked, or its repository is not known.
        UsageError: The engine cannot read such a part of the data.
    """
    here = places()
    job = configured.find(here, args.job)
    access = ways.access(job, os.environ)
    read_data = args.read_data or job.check_read_data
    try:
        access.prover.check(access.way, read_data)
    except ValueError as error:
        raise UsageError("The check was not started.", why=f"{error}.", next="Leave out `--read-data`.") from error
    adapter = RestoreTest(access.engine.name, access.way.address)
    words = [job.name] if read_data is None else [job.name, read_data]
    os.environ.update(configured.environment(job, os.environ))  # for the commands before and after, as around a backup
    command, hooks = ourselves.command("tray.jobs.proof", *words), configured.hooks(job)
    leave(wrap.run(command, job=job.name, engine=adapter, places=here, hooks=hooks))


CHECK = Command(
    _register,
    _check,
    "backup-tray check home                    the engine's check, then 3 random files restored and compared",
    "backup-tray check home --read-data 5%     restic: also read 5 % of the data",
)
