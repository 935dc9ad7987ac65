"""`backup-tray backup JOB`: run a configured job through the same wrapper as `run`."""

import os
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, NoReturn

from tray.core.errors import ConfigError

if TYPE_CHECKING:
    from tray.config import Job
    from tray.core.paths import Places

EXAMPLES = ("backup-tray backup home",)


def register(parser: ArgumentParser) -> None:
    """Add the arguments of `backup`."""
    parser.add_argument("job", metavar="JOB", help="a job of config.toml, such as one made by `backup-tray create`")
    parser.add_argument(
        "--no-watch", action="store_true", help="change nothing about the command's output; record start and end only"
    )


def run(args: Namespace) -> NoReturn:
    """Run the job and return the exit code of its engine."""
    from tray.core.paths import places
    from tray.jobs import configured
    from tray.wrapper import wrap
    from tray.wrapper.child import leave

    here = places()
    try:
        job = configured.find(here, args.job)
    except ConfigError as error:
        wrap.record_failure(here, args.job, f"{error.what} {error.why}".strip())
        raise
    leave(start(here, job, watch=not args.no_watch))


def start(here: "Places", job: "Job", *, watch: bool = True) -> int:
    """Run *job* in this process and return the exit code of its engine."""
    from tray.jobs import configured
    from tray.wrapper import wrap

    for variable in configured.CLASHING_VARIABLES:
        if not job.command:
            os.environ.pop(variable, None)
    os.environ.update(configured.environment(job))
    engine = job.engine if job.command else None
    return wrap.run(configured.command(job), job=job.name, engine=engine, watch=watch, places=here)
