"""The round of work that the tracker starts as a process of its own after runs and once an hour: `backup-tray tracker --care`."""

import os
import sys

from tray.core import sender
from tray.core.paths import Places
from tray.housekeeping import rounds
from tray.metrics import textfile
from tray.recording import tracker_entries
from tray.schedule import reading


def run(places: Places, begun: int | None) -> int:
    """Run one round of housekeeping; its failures go to stderr, for a user who runs it by hand.

    Args:
        places: Folders of the installation.
        begun: When the tracker began, in milliseconds, if that is to be recorded.
    """
    rounds.be_modest()
    if begun is not None:
        tracker_entries.started(places, begun, os.getppid())
    failed = rounds.run(places, started=begun is not None)
    failed |= reading.refreshed(places)
    failed |= textfile.refreshed(places)
    sender.start(places, ends=True)
    for line in rounds.by_reason(failed):
        print(f"backup-tray: {line}", file=sys.stderr)
    return 1 if failed else 0
