"""Write a report of a run or a period: `backup-tray report`."""

from argparse import ArgumentParser, Namespace

from tray.cli import Command, options
from tray.core.errors import RunNotFoundError, UsageError
from tray.core.paths import places
from tray.report import create
from tray.report.create import Order
from tray.report.facts import Sheet

FORMATS = ("text", "json", "pdf", "csv", "jsonl", "html")


def _register(parser: ArgumentParser) -> None:
    words = "the run's id from `backup-tray history`, or `last` (default)"
    parser.add_argument("run", metavar="RUN", nargs="?", help=words)
    options.add_filter(parser.add_argument_group("instead of one run, all that match"))
    parser.add_argument("--entries", action="store_true", help="every entry, not only the ends of runs")
    parser.add_argument("--format", choices=FORMATS, help="the format (default: by the name of the file, else text)")
    words = "print it as JSON: short for --format json"
    parser.add_argument("--json", dest="format", action="store_const", const="json", help=words)
    parser.add_argument("--output", metavar="FILE", help="the file to write; `-` is standard output")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    parser.add_argument("--checkpoint", metavar="FILE", help="report on the log as it was at this checkpoint")
    parser.add_argument("--paper", choices=("a4", "letter"), help="the paper of a PDF (default: by the locale)")
    words = "put the details, not only their hash, into a run's proof"
    parser.add_argument("--details", action="store_true", help=words)


def _report(args: Namespace) -> int:
    """Write or print the report."""
    try:
        create.run(places(), _order(args))
    except RunNotFoundError as error:
        raise options.or_a_job(error, args.run, "report") from error
    return 0


def _order(args: Namespace) -> Order:
    given = {name: value for name in options.FILTER if (value := getattr(args, name)) is not None}
    if args.run is not None and (given or args.entries):
        raise UsageError(
            "A report is about one run or about a filter, not both.",
            why=f"The run {args.run!r} was named together with {', '.join(f'--{name}' for name in given) or '--entries'}.",
            next="Leave out one of them.",
        )
    output = args.output
    chosen = args.format or _by_name(output)
    if chosen == "pdf" and output is None:
        raise UsageError("A PDF needs a file.", next="Add `--output report.pdf`, or `--output -` for standard output.")
    return Order(
        run=None if given or args.entries else args.run or "last",
        given=given,
        entries=args.entries,
        format=chosen,
        output=output,
        force=args.force,
        checkpoint=args.checkpoint,
        paper=args.paper,
        details=args.details,
        pdf=as_pdf,
    )


def as_pdf(sheet: Sheet, paper: str) -> bytes:
    """Return a sheet as PDF on *paper*."""
    from tray.report import pdf  # loads reportlab, which only this format needs

    return pdf.written(sheet, paper)


def _by_name(output: str | None) -> str:
    ending = (output or "").rpartition(".")[2].lower()
    return {"htm": "html", "txt": "text"}.get(ending, ending if ending in FORMATS else "text")


REPORT = Command(
    _register,
    _report,
    "backup-tray report last",
    "backup-tray report last --output run.pdf",
    "backup-tray report --month 2026-10 --output october.pdf",
    "backup-tray report --since 7d --outcome failed --format csv --output failures.csv",
)
