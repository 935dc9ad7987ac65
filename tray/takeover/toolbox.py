"""Find the tool that a command line calls: `TOOLS` names every tool that is known."""

from collections.abc import Sequence

from tray import engines
from tray.engines.text import program_name
from tray.takeover.tools import Tool, autorestic, back_in_time, borgmatic, duply, resticprofile, rsnapshot, vorta

TOOLS: tuple[Tool, ...] = (
    borgmatic.TOOL,
    resticprofile.TOOL,
    autorestic.TOOL,
    duply.TOOL,
    rsnapshot.TOOL,
    back_in_time.TOOL,
    vorta.TOOL,
)
_OURS = ("backup-tray",)
_STARTS = ("run", "backup")


def tool_of(argv: Sequence[str]) -> tuple[Tool, int] | None:
    """Return the tool that *argv* calls, and the index of its program; None for any other command."""
    at = engines.unwrap(argv, {}).at if argv else 0
    for place, word in list(enumerate(argv))[at : at + 2]:  # the second word if an interpreter stands before it
        name = program_name(word)
        for tool in TOOLS:
            if name in tool.programs:
                return tool, place
        if not name.startswith("python"):
            break
    return None


def wraps(argv: Sequence[str]) -> bool:
    """Whether *argv* is a run under Backup Tray: `backup-tray run …`, `backup-tray backup JOB`."""
    at = engines.unwrap(argv, {}).at if argv else 0
    return len(argv) > at + 1 and program_name(argv[at]) in _OURS and argv[at + 1] in _STARTS


def understood(argv: Sequence[str]) -> bool:
    """Whether *argv* needs no look into it: an engine, a tool, or our own wrapper."""
    if not argv:
        return False
    return wraps(argv) or tool_of(argv) is not None or engines.recognise(argv, {})[0] is not engines.COMMAND
