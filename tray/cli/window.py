"""`backup-tray window [PAGE]`."""

import sys
from argparse import ArgumentParser, Namespace
from types import ModuleType

from tray.errors import BackupTrayError, NoWebViewError, RunNotFoundError
from tray.paths import places

EXAMPLES = (
    "backup-tray window               the Dashboard",
    "backup-tray window history",
    "backup-tray window report/last   the report of the newest run",
)


def register(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "page",
        metavar="PAGE",
        nargs="?",
        default="dashboard",
        help="dashboard (the default), history, audit, verify, create, guide, report[/RUN], log[/RUN] or entry/NUMBER",
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
    shown = {"report": report, "log": log, "history": history}.get(name)
    if shown is not None:
        try:
            shown.run(_arguments(shown, [] if shown is history else [run or "last"]))
            sys.stdout.flush()
            return
        except RunNotFoundError:
            pass  # there is none: the status says what there is
    source = StatusSource(places(), role="cli", start_tracker=False)
    try:
        print(status.text(source.poll()), flush=True)
    finally:
        source.close()


def _arguments(command: ModuleType, words: list[str]) -> Namespace:
    """Return what *command* takes when somebody types these words behind it."""
    parser = ArgumentParser()
    command.register(parser)
    return parser.parse_args(words)
