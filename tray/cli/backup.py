"""`backup-tray backup JOB`: run a configured job through the same wrapper as `run`."""

import os
from argparse import ArgumentParser, Namespace
from typing import NoReturn

from tray.errors import ConfigError


def register(parser: ArgumentParser) -> None:
    """Add the arguments of `backup`."""
    parser.add_argument(
        "job", metavar="JOB", help="a job of config.toml, such as one made by `backup-tray window create`"
    )
    parser.add_argument(
        "--no-watch", action="store_true", help="change nothing about the command's output; record start and end only"
    )


def run(args: Namespace) -> NoReturn:
    """Run the job and return the exit code of its engine."""
    from tray import jobs
    from tray.paths import places
    from tray.runner import wrap
    from tray.runner.child import leave

    here = places()
    try:
        job = jobs.find(here, args.job)
    except ConfigError as error:
        wrap.record_failure(here, args.job, f"{error.what} {error.why}".strip())
        raise
    for variable in jobs.CLASHING_VARIABLES:
        if not job.command:
            os.environ.pop(variable, None)
    engine = job.engine if job.command else None
    leave(wrap.run(jobs.command(job), job=job.name, engine=engine, watch=not args.no_watch, places=here))
