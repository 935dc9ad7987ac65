"""Remember the notices that the desktop shows: their numbers there, and the commands that a click starts.

They are kept in a file of the state folder, so a later process replaces a notice of an earlier one. The file names the program that
shows them by its place on the bus, since another one counts anew.
"""

import json
from collections.abc import Mapping
from contextlib import suppress

from tray.audit.near_copy import put
from tray.core.dataclass import dataclass
from tray.core.errors import BackupTrayError
from tray.core.files import content
from tray.core.paths import Places, private

FILE = "notices.json"
MOST = 200
"""So many notices are remembered, the newest."""
STARTABLE = ("window", "backup", "check", "notify")
"""The commands of this program that a click may start."""


@dataclass(frozen=True, slots=True)
class ShownNotice:
    """A notice that the desktop shows.

    Attributes:
        id: Its number there.
        shown_ms: When it was shown.
        commands: By key of an action, the command that it starts.
    """

    id: int
    shown_ms: int
    commands: Mapping[str, tuple[str, ...]]


class ShownNotices:
    """The notices of one program that shows them.

    Attributes:
        notices: By the key of their subject.
    """

    def __init__(self, places: Places) -> None:
        self._path = places.state / FILE
        self._desktop = ""
        self._closed: dict[int, ShownNotice] = {}
        self.notices: dict[str, ShownNotice] = {}
        with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):  # a damaged file: nothing is replaced
            kept = json.loads(content(self._path))
            self.notices = {str(key): _read(notice) for key, notice in kept["notices"].items()}
            self._desktop = str(kept["desktop"])

    def of_desktop(self, name: str) -> None:
        """Forget the notices that another program than *name* has shown."""
        if name != self._desktop:
            self._desktop = name
            self.notices.clear()
            self._closed.clear()

    def note(self, key: str, shown: ShownNotice) -> None:
        """Remember a notice in the place of the one before it."""
        self.notices.pop(key, None)
        self.notices[key] = shown
        while len(self.notices) > MOST:
            self.notices.pop(next(iter(self.notices)))
        self._keep()

    def close(self, number: int) -> bool:
        """Note that a notice is gone, and return whether it was one of these. A click on it may still be reported once."""
        for key, notice in self.notices.items():
            if notice.id == number:
                self._closed = {number: self.notices.pop(key)}
                self._keep()
                return True
        return False

    def command(self, number: int, action: str) -> tuple[str, ...]:
        """Return the command of an action of a notice; nothing if it has no such action, or is none of these."""
        for notice in (*self.notices.values(), *self._closed.values()):
            if notice.id == number:
                return notice.commands.get(action, ())
        return ()

    def _keep(self) -> None:
        kept = {
            key: {"id": notice.id, "shown_ms": notice.shown_ms, "commands": notice.commands}
            for key, notice in self.notices.items()
        }
        text = json.dumps({"desktop": self._desktop, "notices": kept})
        with suppress(OSError, BackupTrayError):  # without it the next process shows a second notice beside the first
            private(self._path.parent)
            put(self._path, text.encode())


def _read(kept: Mapping[str, object]) -> ShownNotice:
    commands = kept["commands"]
    number, shown_ms = kept["id"], kept["shown_ms"]
    if not isinstance(commands, dict) or not isinstance(number, int) or not isinstance(shown_ms, int):
        raise TypeError("no notice")
    return ShownNotice(
        number,
        shown_ms,
        {
            str(key): tuple(map(str, command))
            for key, command in commands.items()
            if command[:1] and command[0] in STARTABLE
        },
    )
