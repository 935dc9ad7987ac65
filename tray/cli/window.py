"""`backup-tray window [PAGE]`."""

import sys
from argparse import ArgumentParser, Namespace

from tray.errors import BackupTrayError, NoWebViewError, RunNotFoundError
from tray.paths import places


def register(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "page",
        metavar="PAGE",
        nargs="?",
        default="dashboard",
        help="dashboard (the default), history, audit, verify, create, guide, report[/RUN] or log[/RUN]",
    )


def run(args: Namespace) -> int:
    """Open the window, or raise the one that is open; without a web view print the same report here."""
    from tray.cli.main import tell
    from tray.window import app, pages

    page = pages.parse(args.page)
    here = places()
    app.note_failures(here)
    try:
        app.open_window(here, page)
    except NoWebViewError:
        _print_instead(page)
        raise
    except BackupTrayError as error:
        tell(error)
        app.leave(error.exit_code)
    app.leave(0)
    return 0


def _print_instead(page: str) -> None:
    """Print what the window would have shown: the report or the log that was asked for, the history, or the status."""
    from tray.cli import history, log, report, status
    from tray.fetch import StatusSource

    name, _, run = page.partition("/")
    shown = {"report": report, "log": log}.get(name)
    if shown is not None:
        try:
            shown.run(Namespace(run=run or "last", format="text"))
            sys.stdout.flush()
            return
        except RunNotFoundError:
            pass  # there is none: the status says what there is
    elif name == "history":
        history.run(Namespace(json=False, job=None, limit=50))
        sys.stdout.flush()
        return
    source = StatusSource(places(), role="cli", start_tracker=False)
    try:
        print(status.text(source.poll()), flush=True)
    finally:
        source.close()
