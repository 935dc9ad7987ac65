"""Before the start: the standard descriptors, where the output goes, and what is known of the run."""

import os
from collections.abc import Sequence

from tray import engines
from tray.core import clock, locks
from tray.core.model import BACKUP
from tray.core.paths import Places
from tray.core.redact import HIDDEN, Redactor
from tray.engines.base import LOG_FD, Plan
from tray.runs import Process, RunFolder, RunInfo, disk_space
from tray.wrapper import privacy
from tray.wrapper.outputs import Outputs


def need_standard_descriptors() -> None:
    """Open the null device where a standard descriptor is closed, else a file of ours would get its number."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def outputs(folder: RunFolder | None, plan: Plan) -> Outputs:
    """Return where the output goes; past us where no spool can be made, or where it would fail a command that a pipe does not."""
    log = any(LOG_FD in word for word in plan.argv)
    try:
        folder = None if disk_space.limited() else folder
        chosen = Outputs(
            folder, spool_stdout=plan.spool_stdout, spool_stderr=True, log=log, asks=plan.asks, returns=plan.returns
        )
        if plan.spool_stdout or all(tail.free() >= disk_space.LEAST_UNKNOWN for tail in chosen.tails):
            return chosen
        chosen.close()
    except OSError:
        pass
    return Outputs(None, spool_stdout=plan.spool_stdout, spool_stderr=True)


def describe(
    places: Places, name: str, plan: Plan, argv: Sequence[str], job: str | None, redactor: Redactor
) -> RunInfo:
    """Return the run of the command *argv*, which begins now."""
    repository = None if plan.repository is None else redactor.text(plan.repository)
    job = None if job is None else redactor.text(job)
    if job is not None and plan.kind != BACKUP:
        job = f"{job} ({plan.kind})"  # else a check or a rehearsal would stand where the last real backup belongs
    return RunInfo(
        run=clock.new_id(),
        job=job or _job_name(places, name, plan, repository, redactor),
        engine=name,
        kind=plan.kind,
        started_ms=clock.now_ms(),
        boot=locks.boot_id(),
        wrapper=Process(os.getpid(), locks.process_start(os.getpid())),
        repository=repository,
        sources=plan.sources,
        command=tuple(redactor.argv(list(argv))),
        ours=plan.ours,
        returns=plan.returns,
    )


def _job_name(places: Places, name: str, plan: Plan, repository: str | None, redactor: Redactor) -> str:
    apart = tuple(map(redactor.text, plan.apart))
    ours = (os.getpid(), os.getppid())
    found = engines.job_name(
        name, repository, plan.sources, kind=plan.kind, folder=folder_now(), apart=apart, pids=ours
    )
    marked = name == engines.COMMAND.name or any(HIDDEN in one for one in apart)
    return found + privacy.mark(places, redactor.doubts) if marked else found


def folder_now() -> str | None:
    """Return the working folder, None if it was removed."""
    try:
        return os.getcwd()
    except OSError:
        return None
