"""The process that shows the desktop's test message and stays while the user may click it: `core.ourselves.PARTS`.

GNOME takes a notice away with the process that showed it, and a button starts nothing without one. The first line of its output is
`SENT`, or why the message was not sent.
"""

import os
import sys

from tray.config.channels import DESKTOP, UNNAMED
from tray.core import clock, paths
from tray.notify import fill, overview
from tray.notify.channels import NotSentError
from tray.notify.channels.desktop import Channel
from tray.notify.worker import LOOK_SECONDS

SENT = "sent"
SECONDS = 60.0
"""So long the notice can be clicked."""


def main() -> int:
    """Show it, in a process that its starter need not reap."""
    if hasattr(os, "fork") and os.fork():
        os._exit(0)
    places = paths.places()
    settings = fill.settings(places).channels.get(DESKTOP, UNNAMED)
    channel = Channel(settings, places)
    try:
        channel.send(overview.test_message(settings.name), fill.present(places))
        why = SENT
    except NotSentError as error:
        why = error.why
    sys.stdout.write(f"{why}\n")
    sys.stdout.flush()
    os.close(sys.stdout.fileno())
    until = clock.monotonic() + SECONDS
    while clock.monotonic() < until and channel.open_notices():
        channel.serve(LOOK_SECONDS)
    channel.close()
    os._exit(0)  # its standard output is closed
