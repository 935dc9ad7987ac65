"""Send one message by Apprise, in a process of its own: one of `core.ourselves.PARTS`.

Apprise loads some hundred modules, has no deadline for a whole try, and reads an answer to its end. So the channel starts this
process, ends it when its time is up, and none of it stays. Address and message come as JSON by standard input, where no other
user sees them; the result is one line of JSON.
"""

import json
import logging
import re
import sys
from contextlib import redirect_stdout, suppress
from io import StringIO
from typing import Any

import apprise

if sys.platform != "win32":
    import resource

MOST_INPUT = 1 << 20
_MOST_MEMORY = 1 << 30
"""Bytes of address space: an answer of a gigabyte must not take the memory of the machine."""
_CODE = re.compile(r"\berror=(\d{3})\b")


class _Codes(logging.Handler):
    """Finds the codes of HTTP in the log of Apprise, and keeps nothing else of it: its lines may quote the address."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.newest: int | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Look at one line."""
        with suppress(Exception):
            if match := _CODE.search(record.getMessage()):
                self.newest = int(match[1])


def main() -> int:
    """Send the message, and print whether that worked and whether the address was understood."""
    _limit()
    order = json.loads(sys.stdin.buffer.read(MOST_INPUT))
    log = logging.getLogger("apprise")
    codes = _Codes()
    log.addHandler(codes)
    log.propagate = False
    with redirect_stdout(StringIO()):
        result = sent(order)
    print(json.dumps({**result, "code": codes.newest}))
    return 0


def sent(order: dict[str, str]) -> dict[str, Any]:
    """Return whether the address in *order* is "known" to Apprise, and whether the message was "sent"."""
    plugin = apprise.Apprise.instantiate(order["url"])
    if plugin is None:
        return {"known": False, "sent": False}
    sender = apprise.Apprise()
    sender.add(plugin)
    done = sender.notify(
        title=order["title"],
        body=order["body"],
        notify_type=apprise.NotifyType(order["type"]),
        body_format=apprise.NotifyFormat.TEXT,
    )
    return {"known": True, "sent": bool(done)}


def _limit() -> None:
    if sys.platform != "win32":
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
