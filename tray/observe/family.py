"""Whose descendant a process is: what a wrapper of ours started is on record already."""

from collections.abc import Iterator, Sequence

from tray.engines.text import program_name
from tray.observe.proc import Proc

DEEP = 64
"""How far up ancestors are looked for."""
_PROGRAM = "backup-tray"
_FILE = "/tray/__main__.py"
_WRAPS = ("run", "backup")


def ancestors(proc: Proc, pid: int) -> Iterator[tuple[int, str]]:
    """Yield pid and start of the parent of *pid*, of its parent, and so on."""
    here = proc.stat(pid)
    for _ in range(DEEP):
        if here is None or here.parent < 1:
            return
        above, here = here.parent, proc.stat(here.parent)
        if here is not None:
            yield above, here.start


def wraps(argv: Sequence[str]) -> bool:
    """Whether this command line is a wrapper of ours: `backup-tray run …`, `python3 -m tray backup …`; whoever started it."""
    for place, word in enumerate(argv[:-1]):
        as_module = word == "tray" and place > 0 and argv[place - 1] == "-m"
        ours = program_name(word) == _PROGRAM or as_module or word.endswith(_FILE)
        if ours:
            return argv[place + 1] in _WRAPS
    return False
