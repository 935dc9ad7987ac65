"""`backup-tray forget JOB...`."""

from argparse import ArgumentParser, Namespace

from tray.core.paths import places

EXAMPLES = ("backup-tray forget hmoe 'old laptop'",)


def register(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("jobs", metavar="JOB", nargs="+", help="the job, as `backup-tray status` names it")


def run(args: Namespace) -> int:
    """Forget jobs that are over or were a typing mistake; each is an entry of the audit log."""
    from tray import wording
    from tray.status import marking

    before = marking.forget(places(), args.jobs)
    for job in dict.fromkeys(args.jobs):
        name = wording.escape(job)
        if job in before:
            print(f"{name} was forgotten before.")
        else:
            print(f"{name} is forgotten: it is not shown until it runs again. Its runs stay in `backup-tray history`.")
    return 0
