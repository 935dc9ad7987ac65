"""The alarm about an audit log that was tampered with: once when it is found, at every start, and daily until acknowledged.

Pure: it only says when there is something to tell, and what.
"""

from tray import wording
from tray.core.model import AuditStanding, Instance

DAILY_SECONDS = 86_400.0
MISSED_SECONDS = 300.0
"""Where nobody could be told, at a login that is quicker than the desktop's notifications, it is due again so soon."""

_DO = "Keep a copy of the log's folder as it is, look at it with `backup-tray audit verify`, then acknowledge it: `{}`."
_COMMAND = "backup-tray audit acknowledge --reason TEXT"


class Alarm:
    """When to say it."""

    def __init__(self) -> None:
        self._about: object = None
        self._next = 0.0

    def due(self, standing: AuditStanding | None, now: float) -> bool:
        """Whether people must be told of *standing* now; if so it is due again in a day.

        Args:
            now: Seconds on a clock that nobody can set.
        """
        if standing is None or not standing.breach:
            self._about = None
            return False
        about = (standing.instance, standing.kind, standing.first_bad, standing.since_ms)
        if about == self._about and now < self._next:
            return False
        self._about, self._next = about, now + DAILY_SECONDS
        return True

    def missed(self, now: float) -> None:
        """Nobody could be told."""
        self._next = min(self._next, now + MISSED_SECONDS)


def words(standing: AuditStanding, now_ms: int, footer: str = "") -> tuple[str, str]:
    """Return title and text of the notification.

    Args:
        footer: What identifies the log, on a line of its own at the end: it may be compared with later.
    """
    command = f"sudo {_COMMAND}" if standing.instance is Instance.SYSTEM else _COMMAND
    text = f"{wording.escape(standing.why)} {_DO.format(command)}".strip()
    return wording.audit_line(standing, now_ms), f"{text}\n{footer}" if footer else text
