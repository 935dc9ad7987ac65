"""`backup-tray seen JOB`."""

from argparse import ArgumentParser, Namespace

from tray.core.paths import places

EXAMPLES = ("backup-tray seen home",)


def register(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("job", metavar="JOB", help="the job, as `backup-tray status` names it")


def run(args: Namespace) -> int:
    """Acknowledge a job's last run; that is an entry of the audit log."""
    from tray.status import marking

    marking.acknowledge(places(), args.job)
    print(f"Noted: you have seen how the last run of {args.job!r} ended.")
    return 0
