"""The entry point: `backup-tray` and `python -m tray`. By this file's path the program starts itself (see `tray.core.ourselves`).

Imports as little as possible: if our own modules are broken, `backup-tray run -- COMMAND` still runs the command.

Ctrl-C ends the program as the system has it, by the signal and without a word, until a command that wants to know of it begins, and
again once that is over.
"""

import _signal  # type: ignore[import-not-found]  # the part of `signal` that costs nothing
import gc
import os
import sys

if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:  # not where the caller has us ignore it
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_THIRD = ("site-packages", "dist-packages")


def secure() -> None:
    """See that no module comes from the working folder, and that `tray` is this very copy, wherever it lies."""
    if not sys.flags.safe_path and sys.path and sys.path[0] != HOME:
        del sys.path[0]  # the working folder (`-m`), or the folder of this file
    if HOME not in sys.path:  # before other people's packages, after Python's own modules
        places = [place for place, folder in enumerate(sys.path) if os.path.basename(folder) in _THIRD]
        sys.path.insert(places[0] if places else len(sys.path), HOME)


def main() -> int:
    """Run the command line, or the one of `ourselves.PARTS` that is named; if we are broken, a backup runs without us."""
    secure()
    from tray import last_resort  # `secure` first decides which copy that is

    try:
        return _program()
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        argv = last_resort.command(sys.argv[1:])
        if last_resort.started or not argv:
            raise
        return last_resort.become(argv, error)
    finally:
        if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
            _signal.signal(_signal.SIGINT, _signal.SIG_DFL)


def _program() -> int:
    gc.disable()  # modules that load stay: a search for garbage in them takes a tenth of the time in which a backup starts
    if len(sys.argv) > 1 and sys.argv[1].startswith("tray."):
        from importlib import import_module  # the command line starts without it

        from tray import last_resort  # as in `main`
        from tray.core import ourselves  # as in `main`

        if sys.argv[1] in ourselves.PARTS:
            part = import_module(sys.argv.pop(1))
            last_resort.hear_interrupts()
            gc.enable()
            return int(part.main() or 0)
    from tray.cli import main as program  # as in `main`; an error in it is caught there

    return program.main()


if __name__ == "__main__":
    sys.exit(main())
