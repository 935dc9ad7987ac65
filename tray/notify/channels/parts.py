"""Send a message in parts, each of which the other side acknowledges; a new try sends only those that were not.

The settled parts are remembered in a file beside the other memories of tasks, so they are known after a crash too. Between an
answer and the write of that file lies the only moment at which a crash lets a part be sent twice.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from tray.core import clock
from tray.core.errors import UnsafeFolderError
from tray.core.paths import Places
from tray.housekeeping import task_memory
from tray.notify.channels import NotSentError
from tray.notify.channels.http import SECONDS
from tray.wording.numbers import count

Part = tuple[str, Callable[[float], object]]
"""Its id within the message, and the function that sends it within so many seconds or raises NotSentError."""
_LEAST_SECONDS = 2.0
"""With less time than this left no further part is begun."""


def send(places: Places, channel: str, message: str, parts: Sequence[Part]) -> None:
    """Send *parts* in order, as many as the patience for one try allows. A part that is refused for good stops no other.

    Args:
        channel: The channel's name.
        message: Id of the message.

    Raises:
        NotSentError: Not all of them were sent; final if each of the others was refused for good.
    """
    if len(parts) == 1:
        parts[0][1](SECONDS)
        return
    memory = f"notify-{channel}"
    settled = _settled(task_memory.load(places, memory), message)
    end = clock.monotonic() + SECONDS
    for name, part in parts:
        if name in settled:
            continue
        if (left := end - clock.monotonic()) < _LEAST_SECONDS:
            raise NotSentError(f"{_so_many(settled, parts)} The others follow.")
        settled[name] = _refusal(part, left)
        with suppress(OSError, UnsafeFolderError):  # a full disk must not keep the other parts back
            task_memory.save(places, memory, {"message": message, "settled": settled})
    if refused := next(filter(None, settled.values()), ""):
        raise NotSentError(f"{_so_many(settled, parts)} {refused}", final=True)


def _settled(known: Mapping[str, Any], message: str) -> dict[str, str]:
    """Return the parts of *message* that were settled, each with why it was refused or ""; none if the memory is damaged."""
    settled = known.get("settled") if known.get("message") == message else None
    if not isinstance(settled, dict):
        return {}
    return {str(name): why for name, why in settled.items() if isinstance(why, str)}


def _refusal(part: Callable[[float], object], seconds: float) -> str:
    """Send *part*, and return why it was refused for good, "" if it was taken."""
    try:
        part(seconds)
    except NotSentError as error:
        if not error.final:
            raise
        return error.why
    return ""


def _so_many(settled: dict[str, str], parts: Sequence[Part]) -> str:
    taken = sum(not why for why in settled.values())
    return f"{count(taken)} of {count(len(parts))} parts of the message were taken."
