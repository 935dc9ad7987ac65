"""Parts of a path that the system names anew for each run: temporary folders, process and descriptor numbers, counted snapshots.

Only what is certain: a number that merely looks like a process (`/tmp/vm-1042`) stays, unless it is the very process that runs the
command. Imported only where a word may hold one.
"""

import re
from collections.abc import Sequence

_CHANCE = (
    r"(?=[a-zA-Z]*\d)(?=[a-z\d]*[A-Z])(?=[A-Z\d]*[a-z])(?![A-Za-z]+\d+(?![A-Za-z\d]))[A-Za-z\d]{6,12}(?![A-Za-z\d])"
)
_LEAST_PID = 1000
_NO_SCRIPT = r"(?![^\s'\"]{0,200}\.(?:sh|bash|zsh|py|pl|rb|php|js)(?![\w.]))"  # two scripts are two, wherever they are
_FORMS: tuple[tuple[str, str], ...] = (
    (rf"(?<=/)tmp\.[A-Za-z\d]{{6,12}}(?![A-Za-z\d]){_NO_SCRIPT}", "TMP"),  # mktemp
    (rf"(?<=/tmp/)tmp[a-z\d_]{{8}}(?![A-Za-z\d_]){_NO_SCRIPT}", "TMP"),  # Python
    (rf"(?<=/tmp/)((?:[^/\s'\"]*[._-])?){_CHANCE}{_NO_SCRIPT}", r"\1TMP"),  # mktemp -t name.XXXXXX
    (rf"(?<=/shm/)((?:[^/\s'\"]*[._-])?){_CHANCE}{_NO_SCRIPT}", r"\1TMP"),
    (r"(?<=/proc/)\d+(?=/)", "PID"),
    (r"(?<=/dev/fd/)\d+(?!\d)|(?<=/self/fd/)\d+(?!\d)", "N"),  # <(…)
    (r"(?<=/\.snapshots/)\d+(?=/snapshot)", "N"),  # snapper
    (r"(?<=HarddiskVolumeShadowCopy)\d+", "N"),  # Windows
)


def settled(text: str, pids: Sequence[int]) -> str:
    """Return *text* with `TMP`, `PID` or `N` in the place of what is another one each time.

    Args:
        pids: The processes that run the command: what a script calls `$$`.
    """
    for pattern, put in _FORMS:
        text = re.sub(pattern, put, text)
    for pid in pids:
        if pid >= _LEAST_PID:
            text = re.sub(rf"(?<!\d){pid}(?!\d)", "PID", text)
    return text
