"""`backup-tray window [PAGE]`."""

from argparse import ArgumentParser, Namespace

from tray.errors import BackupTrayError, NoWebViewError
from tray.paths import places


def register(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "page",
        metavar="PAGE",
        nargs="?",
        default="dashboard",
        help="dashboard (the default), history, audit, create, guide, report[/RUN] or log[/RUN]",
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
        _print_status()
        raise
    except BackupTrayError as error:
        tell(error)
        app.leave(error.exit_code)
    app.leave(0)
    return 0


def _print_status() -> None:
    """Print what the window would have shown."""
    from tray.cli import status
    from tray.fetch import StatusSource

    source = StatusSource(places(), role="cli", start_tracker=False)
    try:
        print(status.text(source.poll()), flush=True)
    finally:
        source.close()
