"""The last resort of `backup-tray run`: where the watch cannot begin, the command takes the place of this process.

Imports nothing of ours, because our own modules may be what is broken.
"""

import errno
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

started = False
"""Whether the command has started. From then on its exit code is ours, and it is never started again."""

_VALUED = ("--job", "--engine")


def command(arguments: Sequence[str]) -> list[str]:
    """Return the command of `run [OPTIONS] [--] COMMAND…`; empty if *arguments* are no run, or ask for help."""
    if arguments[:1] != ["run"]:
        return []
    rest = list(arguments[1:])
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option == "--":
            break
        if option in ("-h", "--help"):
            return []
        if "=" not in option and len(option) > 2 and any(name.startswith(option) for name in _VALUED):
            rest = rest[1:]
    return rest


def hear_interrupts() -> None:
    """Have Ctrl-C raise KeyboardInterrupt from now on (see `tray.__main__`), unless the caller has us ignore it."""
    import signal  # Python's modules may be broken too: each loads where it is needed

    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def say(text: str) -> None:
    """Write one line for the caller; a standard error that is closed, full or stuck is no obstacle."""
    with suppress(Exception):
        import select  # as above

        if select.select([], [2], [], 0)[1]:
            os.write(2, f"backup-tray: {text}\n".encode("utf-8", "backslashreplace"))


def words(error: BaseException) -> str:
    """Return *error* as the end of a sentence that a person reads."""
    if isinstance(error, MemoryError):
        return "there is no memory left"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}{f' ({error.filename})' if error.filename else ''}"
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def become(argv: Sequence[str], error: BaseException) -> int:
    """Replace this process by *argv*, whose exit code is then ours. Returns an exit code only if the command cannot start."""
    say(f"this run is neither watched nor on record: {words(error)}.")
    with suppress(Exception):
        _restore_signals()
    try:
        _execute(argv)
    except Exception as failed:
        say(f"{argv[0]}: {words(failed)}.")
        return 127 if isinstance(failed, FileNotFoundError) else 126
    return 126


def _restore_signals() -> None:
    """Give the command back the signals that Python ignores."""
    import signal  # as above

    for name in ("SIGPIPE", "SIGXFSZ"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)


def _execute(argv: Sequence[str]) -> None:
    if sys.platform == "win32":  # there is no exec that keeps the caller waiting
        import subprocess  # as above

        sys.exit(subprocess.call(argv))
    try:
        os.execvp(argv[0], list(argv))
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        import shutil  # as above

        os.execv("/bin/sh", ["/bin/sh", shutil.which(argv[0]) or argv[0], *argv[1:]])
