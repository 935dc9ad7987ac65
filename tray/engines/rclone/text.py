"""rclone's log as it writes it without `--use-json-log`, made again from its JSON.

    2026/11/23 00:59:00 NOTICE: object: message        on stderr
    <5>NOTICE: object: message                         the same under systemd

Versions before 1.70 name the levels in JSON as their logging library does: what is `warning` there is NOTICE in the log.
"""

import re
from collections.abc import Mapping
from typing import Any

from tray.engines.text import valid

_LEVELS = {"warning": "NOTICE", "fatal": "CRITICAL", "panic": "EMERGENCY"}
_PRIORITY = {"EMERGENCY": 0, "ALERT": 1, "CRITICAL": 2, "ERROR": 3, "WARNING": 4, "NOTICE": 5, "INFO": 6, "DEBUG": 7}
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d:\d\d:\d\d)")


def level_of(message: Mapping[str, Any]) -> str:
    """Return the level of a message as the plain log names it."""
    name = message.get("level")
    return _LEVELS.get(name, name.upper()) if isinstance(name, str) else "NOTICE"


def log_line(message: Mapping[str, Any], *, systemd: bool) -> str:
    """Return the line (or lines, a message may hold several) that stands for *message* in the plain log, with its end."""
    level = level_of(message)
    when = _TIME.match(str(message.get("time", "")))
    begin = f"<{_PRIORITY.get(level, 5)}>" if systemd else f"{when[1]}/{when[2]}/{when[3]} {when[4]} " if when else ""
    name = f"{message['object']}: " if "object" in message else ""
    text = valid(f"{begin}{level:<6}: {name}{message['msg']}")
    return text if text.endswith("\n") else text + "\n"
