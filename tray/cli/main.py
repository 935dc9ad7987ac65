"""Run a command line: import the command's module, and turn errors into words and exit codes."""

import atexit
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper

from tray import __version__, last_resort
from tray.cli import Command, nearest
from tray.core.errors import BackupTrayError, UnexpectedError, UsageError

COMMANDS = {
    "tray": ("background", "show the icon"),
    "tracker": ("background", "run the tracker, which knows the runs of now, in the foreground"),
    "window": ("window", "open the window, or raise the one that is open"),
    "run": ("run", "run a backup command under watch: start it, follow it and record it"),
    "create": ("create", "make a first backup here in the terminal"),
    "backup": ("run", "run a configured job"),
    "check": ("check", "prove that a job's backup can be restored: check it, restore a few files and compare them"),
    "schedule": ("schedule", "have the system start a job again and again: by systemd or cron"),
    "jobs": ("jobs", "which backups there are to be, and how often each is expected"),
    "status": ("status", "are my backups fine? The same answer as the icon"),
    "history": ("history", "past runs"),
    "log": ("history", "the full log of a run"),
    "report": ("report", "a report of a run or a period: text, PDF, HTML, CSV, JSON Lines"),
    "repository": ("repository", "what is in the repositories: snapshots, size, locks"),
    "notify": ("notify", "try a channel, see how the channels stand, and put messages about a job to rest"),
    "metrics": ("metrics", "the status as figures for Prometheus and other monitoring systems"),
    "cancel": ("control", "stop a run"),
    "pause": ("control", "suspend a run and all its processes"),
    "resume": ("control", "let a paused run go on"),
    "seen": ("marks", "acknowledge a job's failure"),
    "forget": ("marks", "no longer show a job that is over or was a typing mistake"),
    "audit": ("audit", "verify and show the audit log: the record of all runs"),
    "system": ("background", "as root: show root's backups to a group of users"),
    "doctor": ("doctor", "what works here, what does not, and how to mend it"),
}
"""Every command: its module in `tray.cli`, and one line of help."""

_STARTS = ("run", "backup")
"""Commands that a signal ends until they pass it on to the command that they start, and that look for garbage only from then on."""

_CANNOT_SAY = {"status": 3}
"""The exit codes of an error where the usual ones would be read as an answer: a monitoring plugin's 3 is "unknown"."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    if arguments is None:
        atexit.register(_introduce_log)
    argv = list(sys.argv[1:] if arguments is None else arguments)
    command = argv[0] if argv and not argv[0].startswith("-") else "tray"
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a locale without UTF-8 cannot show every name
    try:
        return _dispatch(command, argv)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if last_resort.command(argv) and not last_resort.started and not isinstance(error, BackupTrayError):
            raise  # `tray.__main__` runs the backup without us
        return _failed(command, error)


def _dispatch(command: str, argv: list[str]) -> int:
    if argv and argv[0] in ("-h", "--help", "help"):
        print(overview())
        return 0
    if argv and argv[0] == "--version":
        print(f"backup-tray {__version__}")
        return 0
    if command not in COMMANDS:
        raise UsageError(
            f"There is no command {command!r}.", next=f"{_nearest(command)}All commands: `backup-tray --help`."
        )
    chosen, text = load(command), COMMANDS[command][1]
    arguments = argv[1:] if argv[:1] == [command] else argv
    parsed = chosen.quick(arguments)
    if parsed is None:
        from tray.cli import parser  # argparse costs a start as much as the whole wrapper's code

        parsed = parser.parse(command, text, chosen, arguments)
    if command not in _STARTS:
        last_resort.hear_interrupts()
        gc.enable()
    return int(chosen.run(parsed))


def load(command: str) -> Command:
    """Import the module of *command*, and no other command's, and return the command."""
    module = import_module(f"tray.cli.{COMMANDS[command][0]}")
    return getattr(module, command.upper())  # type: ignore[no-any-return] # each module has it: the tests ask


def _failed(command: str, error: Exception) -> int:
    """Print *error* and return the exit code of *command*."""
    match error:
        case BackupTrayError():
            tell(error)
            return error.exit_code if isinstance(error, UsageError) else _CANNOT_SAY.get(command, error.exit_code)
        case BrokenPipeError():
            # The reader of our output left (`| head`): nothing is wrong, and Python must not complain while it flushes.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return 0
        case OSError():
            about = f"The system said so about {error.filename}." if error.filename else "The system said so."
            tell(BackupTrayError(f"{error.strerror or error}.", why=about, next="Run `backup-tray doctor`."))
            return _CANNOT_SAY.get(command, 2)
    unexpected = UnexpectedError(error)
    tell(unexpected)
    return _CANNOT_SAY.get(command, 2 if command == "audit" else unexpected.exit_code)


def overview() -> str:
    """Return the list of commands, one line each."""
    width = max(map(len, COMMANDS))
    lines = "\n".join(f"  {name:<{width}}  {text}" for name, (_, text) in COMMANDS.items())
    return f"""\
usage: backup-tray [COMMAND] [OPTIONS]

You always know whether your backups are fine. Without a command: shows the icon.

{lines}

examples:
  backup-tray run -- restic backup ~/Documents    the backup that you have, under watch
  backup-tray create                              a first backup, if you have none yet
  backup-tray status                              are my backups fine?

More about one command: backup-tray COMMAND --help"""


def tell(error: BackupTrayError) -> None:
    """Print *error* for a person: the event, its cause, the next step; names in it may hold anything."""
    from tray.wording import escape  # a start without an error needs no words

    lines = [f"backup-tray: {escape(error.what)}"]
    if error.why:
        lines.append(f"  why:  {escape(error.why)}")
    if error.next:
        lines.append(f"  next: {escape(error.next)}")
    print("\n".join(lines), file=sys.stderr)


def _introduce_log() -> None:
    """Tell a person at a terminal, once, where the first recorded run can be seen; cron's mail stays as it is."""
    append = sys.modules.get("tray.audit.append")
    if append is None or not append.made or sys.stderr is None or not sys.stderr.isatty():
        return
    print(
        "backup-tray: this is the first run on record here; `backup-tray status` shows how your backups are.",
        file=sys.stderr,
    )


def _nearest(word: str) -> str:
    """Return a question for the command that *word* probably means, as the beginning of a hint; "" if none is near."""
    return "".join(f"Did you mean `backup-tray {name}`? " for name in nearest(word, COMMANDS))
