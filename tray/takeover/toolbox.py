"""Find the tool that a command line calls: `TOOLS` names every tool that is known."""

from collections.abc import Sequence

from tray import engines
from tray.engines.text import program_name
from tray.observe import examine
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


def understood(argv: Sequence[str]) -> bool:
    """Whether *argv* needs no look into it: an engine, a tool, or our own wrapper."""
    if not argv:
        return False
    return examine.wraps(argv) or tool_of(argv) is not None or engines.recognise(argv, {})[0] is not engines.COMMAND
