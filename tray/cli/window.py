"""Open the window: `backup-tray window [PAGE]`. Without a web view, print the same here."""

import sys
import tempfile
import time
from argparse import SUPPRESS, ArgumentParser, Namespace
from contextlib import closing, suppress

from tray.cli import Command
from tray.cli.main import tell
from tray.core import ourselves
from tray.core.errors import BackupTrayError, NoWebViewError
from tray.core.paths import Places, places
from tray.window import app, instance

_LOOK_SECONDS = 0.05


def _register(parser: ArgumentParser) -> None:
    words = (
        "dashboard (the default), history, audit, verify, create, import, guide, job/NAME, report[/RUN], log[/RUN] or "
        "entry/NUMBER"
    )
    parser.add_argument("page", metavar="PAGE", nargs="?", default="dashboard", help=words)
    parser.add_argument("--stay", action="store_true", help=SUPPRESS)  # be the window, also in a terminal


def _window(args: Namespace) -> int:
    """Open the window, or raise the one that is open; without a web view print the same report here."""
    page = instance.page_of(args.page)
    here = places()
    if sys.stdin is not None and sys.stdin.isatty() and not args.stay:
        return _apart(here, page)
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


def _apart(here: Places, page: str) -> int:
    """Open the window in a process apart from this terminal, which is free as soon as the page is shown.

    If no window opens, print the output of that process, and return its exit code.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = ourselves.start("window", page, "--stay", stdout=out, stderr=err)
        while process.poll() is None:
            with suppress(OSError, ValueError):  # it does not listen yet
                instance.ask(here.runtime / instance.SOCKET, page)
                return 0
            time.sleep(_LOOK_SECONDS)
        for file, to in ((out, sys.stdout), (err, sys.stderr)):
            file.seek(0)
            to.write(file.read().decode("utf-8", "replace"))
            to.flush()
        return process.returncode


def _print_instead(page: str) -> None:
    """Print the content of *page* in place of the window: a report, a log, the history, existing backups, or the status."""
    from tray.cli import history, jobs, report, status  # only here: a window has its own pages
    from tray.status import StatusSource

    name, _, run = page.partition("/")
    existing, _ = jobs.PARTS["import"]
    command = {"report": report.REPORT, "log": history.LOG, "history": history.HISTORY, "import": existing}.get(name)
    if command is not None:
        parser = ArgumentParser()
        command.register(parser)
        try:
            command.run(parser.parse_args([] if name in ("history", "import") else [run or "last"]))
            sys.stdout.flush()
            return
        except BackupTrayError:
            pass  # there is no such run, or no list: the status tells what is on record, and why it cannot be read
    with closing(StatusSource(places(), role="cli", start_tracker=False)) as source:
        print(status.text(source.poll()), flush=True)


WINDOW = Command(
    _register,
    _window,
    "backup-tray window               the Dashboard",
    "backup-tray window history",
    "backup-tray window report/last   the report of the newest run",
)
