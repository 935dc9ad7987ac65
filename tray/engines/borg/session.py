"""Read one run of borg line by line.

borg prints JSON lines, the text that it would have printed without `--log-json`, and the document of `--json`. By its manual
("Frontends") and its output a log line is `{"type": "log_message", "levelname", "name", "message", "msgid"}`; its text without JSON
is the message. borg itself prints characters that are no Unicode as `?`. Any line may be missing, cut, doubled or garbled, and
never raises here.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

from tray.core.model import Phase
from tray.engines.arguments import Arguments
from tray.engines.base import Event, Exit, Fed, Plan, Progress, Result, Stream
from tray.engines.borg.outcome import conclude_create, conclude_other
from tray.engines.borg.reader import Seen, count, drawn
from tray.engines.program import Inner
from tray.engines.text import decode, plain, text_of

_MAX_DOCUMENT = 4 * 1024 * 1024
_PROGRESS = ("archive_progress", "progress_message", "progress_percent")
_NOTHING = Progress(Phase.COPYING)


def split(line: bytes) -> tuple[bytes, dict[str, Any] | None]:
    """Return the bytes before a JSON message in *line* (such as a prompt), and the message; *line* and None without one."""
    at = line.find(b'{"')
    message = decode(line[at:]) if at >= 0 else None
    return (line, None) if message is None else (line[:at], message)


def as_text(message: Mapping[str, Any]) -> bytes | None:
    """Return the line that borg prints in place of this message without `--log-json`, None for progress and unknown messages."""
    kind, text = message.get("type"), message.get("message", "")
    if kind == "file_status":
        text = f"{message.get('status', '')!s:>1} {message.get('path', '')}"
    elif not isinstance(text, str) or not isinstance(kind, str) or not kind.startswith(("log_message", "question_")):
        return None
    end = "" if kind in ("question_prompt", "question_prompt_retry") else "\n"  # the answer stands on the same line
    return (text + end).encode("utf-8", "replace")


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
            document = json.loads(b"".join(self._lines).decode("utf-8", "surrogateescape"))
        except (ValueError, RecursionError):
            document = {}
        self._forget()
        return document if isinstance(document, dict) else {}

    def shown(self, line: bytes) -> bytes:
        """Return *line* as a caller who asked for the document sees it: without the flags that we added to the command."""
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


class CreateSession:
    """A run of `borg create`.

    Args:
        added: The flags that we added to it, in any order.
    """

    def __init__(self, plan: Plan, options: Arguments, inner: Inner, added: tuple[str, ...]) -> None:
        self._inner = inner
        self._texts = "--log-json" in added  # messages become text again
        self._hides_progress = "--progress" in added
        self._hides_document = "--json" in added
        has_document = self._hides_document or options.given("json")
        self._tells = plan.spool_stdout and (has_document or options.given("stats", "quick-stats"))
        self._document = Document(added) if has_document else None
        self._seen = Seen()
        self._answered = False
        self._last = _NOTHING

    def feed(self, line: bytes, stream: Stream) -> Fed:
        """Take one line of either stream."""
        if line.startswith(b'{"') or (line[-2:] == b"}\n" and b'{"' in line):
            before, message = split(line)
            self._answered = self._answered or message is not None
            if message is not None and (fed := self._message(message, line, before)) is not None:
                return fed
        if self._document is not None and stream is not Stream.ERR and (self._document.open or line.rstrip() == b"{"):
            return self._of_document(self._document, line)
        text = plain(line)
        return Fed(self._drawn(text) or self._seen.line(text), line)

    def patience(self, part: bytes, stream: Stream) -> float:
        """Wait for the end of a message, and of each line of the document; the bytes before a message may be a prompt."""
        document = self._document is not None and stream is not Stream.ERR and (self._document.open or part[:1] == b"{")
        return math.inf if document or b'{"' in part or part.endswith(b"{") else 0.0

    def conclude(self, exit: Exit) -> Result:
        """Conclude from borg's words and its exit."""
        # A script called borg that drops our flags answers in text: then its warnings must do.
        text = self._texts and not self._answered and self._seen.errors > 0
        tells = self._tells and (not text or exit.code in (0, None))
        return conclude_create(self._seen, exit, self._inner, tells=tells)

    def _message(self, message: dict[str, Any], line: bytes, before: bytes) -> Fed | None:
        """Understand a JSON message; None if it is none of borg's."""
        kind = message.get("type")
        if kind in _PROGRESS:
            events: tuple[Event, ...] = self._progress(message) if kind == "archive_progress" else self._saving(message)
            return Fed(events, before if self._hides_progress else line)
        if kind == "log_message":
            events = self._seen.message(message)
        elif isinstance(kind, str):
            events = ()  # borg adds types over time
        elif self._document is not None and "archive" in message:
            self._seen.document(message)
            return Fed(relay=before if self._hides_document else line)
        else:
            return None
        text = as_text(message) if self._texts else None
        return Fed(events, line if text is None else before + text)

    def _of_document(self, document: Document, line: bytes) -> Fed:
        whole = document.add(line)
        if whole:
            self._seen.document(whole)
        return Fed(relay=b"" if self._hides_document else document.shown(line))

    def _progress(self, message: Mapping[str, Any]) -> tuple[Event, ...]:
        if message.get("finished") is True:
            return self._finishing()
        files, size = count(message.get("nfiles")), count(message.get("original_size"))
        return self._reached(Phase.COPYING, files, size, text_of(message.get("path")))

    def _drawn(self, text: str) -> tuple[Event, ...]:
        """Read a line of the progress that borg draws itself; its sizes are rounded."""
        progress = drawn(text)
        if progress is None:
            return ()
        size, self._seen.counted, path = progress
        return self._reached(Phase.COPYING, self._seen.counted, size, path)

    def _saving(self, message: Mapping[str, Any]) -> tuple[Event, ...]:
        """Of the other progress only the end is of interest: the cache is written when all is read."""
        if message.get("msgid") == "cache.commit":
            return self._finishing()
        return () if self._last is _NOTHING else (self._last,)

    def _finishing(self) -> tuple[Event, ...]:
        return self._reached(Phase.FINISHING, self._last.files_done, self._last.bytes_done)

    def _reached(self, phase: Phase, files: int | None, size: int | None, path: str = "") -> tuple[Event, ...]:
        self._last = Progress(phase, files, bytes_done=size, current=path or None, errors=self._seen.errors)
        return (self._last,)


class OtherSession:
    """A run of another subcommand, or one whose output is not ours to read: nothing is changed, the exit code decides."""

    def __init__(self, plan: Plan, options: Arguments, inner: Inner, paths: int) -> None:
        self._name = f"borg {options.subcommand}".rstrip()
        self._kind, self._inner = plan.kind, inner
        self._paths, self._repair = paths, options.given("repair")
        self._seen = Seen()

    def feed(self, line: bytes, stream: Stream) -> Fed:
        """Relay the same bytes; stderr may hold the reason of a failure."""
        if stream is not Stream.ERR:
            return Fed(relay=line)
        _, message = split(line)
        if message is None:
            return Fed(self._seen.line(plain(line)), line)
        return Fed(self._seen.message(message) if message.get("type") == "log_message" else (), line)

    def conclude(self, exit: Exit) -> Result:
        """Conclude from the exit code and borg's words."""
        words, repair = self._paths, self._repair
        return conclude_other(self._name, self._kind, self._seen, exit, self._inner, words=words, repair=repair)
