"""What borg prints: JSON lines, the text that it would have printed without `--log-json`, and the document of `--json`.

From borg's "Frontends" manual and its output: a log line is `{"type": "log_message", "levelname", "name", "message", "msgid"}`,
its text without JSON is the message. Characters that are no Unicode borg itself prints as `?`.
"""

import json
from collections.abc import Mapping
from typing import Any

from tray.engines.text import decode

_MAX_DOCUMENT = 4 * 1024 * 1024
_TYPED = b'{"'


def split(line: bytes) -> tuple[bytes, dict[str, Any] | None]:
    """Return what stands before a JSON message in *line*, and the message; all of *line* and None if there is none.

    Before it may stand a prompt for a passphrase that nobody could answer.
    """
    at = line.find(_TYPED)
    if at < 0:
        return line, None
    found = decode(line[at:])
    return (line, None) if found is None else (line[:at], found)


def as_text(message: Mapping[str, Any]) -> bytes | None:
    """Return the line that borg prints in place of this message without `--log-json`, None if we cannot tell.

    Progress is not among them: nobody sees it who did not ask for it.
    """
    kind, text = message.get("type"), message.get("message", "")
    if kind == "file_status":
        return _bytes(f"{message.get('status', '')!s:>1} {message.get('path', '')}\n")
    if not isinstance(text, str):
        return None
    if kind in ("question_prompt", "question_prompt_retry"):
        return _bytes(text)  # the answer stands on the same line
    known = kind == "log_message" or (isinstance(kind, str) and kind.startswith("question_"))
    return _bytes(text + "\n") if known else None


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def count(value: object) -> int | None:
    """Return a number of files or bytes, 0 for a negative one, None for what is none."""
    return min(max(value, 0), 2**63 - 1) if type(value) is int else None


class Document:
    """Collects the indented JSON document that ends a run with `--json`, line by line."""

    def __init__(self, added: tuple[str, ...]) -> None:
        self._lines: list[bytes] = []
        self._size = 0
        self._hidden = [f'"{flag}",'.encode() for flag in added]
        self._command = False

    @property
    def open(self) -> bool:
        """Whether its end has not come yet."""
        return bool(self._lines)

    def add(self, line: bytes) -> dict[str, Any] | None:
        """Take a line; return the document with its last line, {} if it is none that can be read."""
        self._lines.append(line)
        self._size += len(line)
        if self._size > _MAX_DOCUMENT:
            self._forget()
            return {}
        if line.rstrip(b"\r\n") != b"}":
            return None
        try:
            found = json.loads(b"".join(self._lines).decode("utf-8", "surrogateescape"))
        except (ValueError, RecursionError):
            found = {}
        self._forget()
        return found if isinstance(found, dict) else {}

    def shown(self, line: bytes) -> bytes:
        """Return *line* as the caller sees it who asked for the document: the flags that we added are not among his words."""
        text = line.strip()
        if text == b'"command_line": [':
            self._command = True
        elif text.startswith(b"]"):
            self._command = False
        elif self._command and text in self._hidden:
            self._hidden.remove(text)
            return b""
        return line

    def _forget(self) -> None:
        self._lines, self._size = [], 0
