"""Start the process that sends messages (`tray.notify.sender`), where any could arrive. It is never waited for."""

import os
import subprocess

from tray.core import ourselves
from tray.core.files import content
from tray.core.locks import is_held
from tray.core.paths import HOME_VARIABLE, Places, session_bus

PART = "tray.notify.sender"
LOGIN = "login"
"""The argument that tells the sender of the begin of a session."""
NEXT, LOOK = "next", "look"
"""Locks below `notify` in the state folder: of the process that waits for its turn to look for news, and of the one that looks."""
_WORDS = b"channels"
"""The configuration is not parsed for this: a word of it decides whether there may be channels."""


def start(places: Places, *, login: bool = False) -> "subprocess.Popen[bytes] | None":
    """Start the sender and return its process; None where nothing could be told (no channel, and no desktop session),
    or where another one has been started and has not looked yet.

    Its caller reaps it, or ends soon. A sender that cannot be started costs nothing but the message: the next one sends it.

    Args:
        login: A session of the user begins.
    """
    waits = not login and is_held(places.state / "notify" / NEXT, unknown=False)
    if waits or not _may_tell(places):  # the one that waits has not looked yet, and will see the same
        return None
    environ = ourselves.environ()
    if HOME_VARIABLE in os.environ:
        environ[HOME_VARIABLE] = str(places.config.parent)
    try:
        return ourselves.start(PART, *((LOGIN,) if login else ()), environment=environ)
    except OSError:
        return None


def _may_tell(places: Places) -> bool:
    if session_bus() is not None:
        return True
    try:
        return _WORDS in content(places.config_file)
    except OSError:
        return False
