"""Mark jobs in the audit log: `backup-tray seen` and `forget`."""

from argparse import ArgumentParser, Namespace

from tray import wording
from tray.cli import Command
from tray.core.paths import places
from tray.status import marking


def _add_job(parser: ArgumentParser) -> None:
    parser.add_argument("job", metavar="JOB", help="the job, as `backup-tray status` names it")


def _seen(args: Namespace) -> int:
    """Acknowledge a job's last run, or that it never ran; that is an entry of the audit log."""
    ran = marking.acknowledge(places(), args.job).last is not None
    print(
        f"Noted: you have seen {f'how the last run of {args.job!r} ended' if ran else f'that {args.job!r} never ran'}."
    )
    return 0


def _add_jobs(parser: ArgumentParser) -> None:
    parser.add_argument("jobs", metavar="JOB", nargs="+", help="the job, as `backup-tray status` names it")


def _forget(args: Namespace) -> int:
    """Forget jobs that are over or were a typing mistake; each is an entry of the audit log."""
    before = marking.forget(places(), args.jobs)
    for job in dict.fromkeys(args.jobs):
        name = wording.escape(job)
        if job in before:
            print(f"{name} was forgotten before.")
        else:
            print(f"{name} is forgotten: it is not shown until it runs again. Its runs stay in `backup-tray history`.")
    return 0


SEEN = Command(_add_job, _seen, "backup-tray seen home")
FORGET = Command(_add_jobs, _forget, "backup-tray forget hmoe 'old laptop'")
