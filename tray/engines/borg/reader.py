"""Gather what borg says in the course of a run: problems with items, errors, the figures of the archive.

Each line is a JSON message (`--log-json`) or text. Text is read for the same facts as far as it shows them; only messages have a
level, so a text line is an error only by its words.
"""

import re
from collections import deque
from collections.abc import Mapping
from typing import Any

from tray.core import regex
from tray.core.dataclass import dataclass, field
from tray.engines.base import MAX_PROBLEMS, Event, Problem
from tray.engines.findings import MAX_COUNT, MAX_ITEMS, Findings
from tray.engines.text import size_of, text_of

MAX_ALIKE = 20
"""So many problems are kept that say the same of different items: borg complains of a full disk once for every file."""
_MAX_ERRORS = 20
_ITEM = regex.compile(r"(?P<item>.+): (?P<why>\[Errno \d+\] .+)", re.DOTALL)
_WHILE = regex.compile(r"(?<=.): [a-z][a-z_ ]{1,20}$", re.DOTALL)  # borg's activity: "x: dir_open: [Errno 13] …"
_CHANGED = regex.compile(
    r"(?P<item>.+): (?P<why>(?:file changed|file type or inode changed) while we backed it up.*)", re.DOTALL
)
_STOPPED = regex.compile(r"(?:Error: )?Got Ctrl-C / SIGINT|Keyboard interrupt$|Received SIGTERM")
_RC = regex.compile(r"terminating with \w+ status, rc (\d{1,3})$")
_FILES = regex.compile(r"Number of files: (\d{1,18})$")
_NAME = regex.compile(r"Archive name: (.+)$")
_FINGERPRINT = regex.compile(r"Archive fingerprint: ([0-9a-f]{64})$")
_SIZE = r"([\d.]{1,12}) ([kKMGTPEZY]i?)?B"
_SIZES = regex.compile(rf"This archive: +{_SIZE} +{_SIZE} +{_SIZE}$")
_EXCEPTION = regex.compile(r"[\w.]{0,60}(?:Error|Exception): ")
_OF_TRACE = regex.compile(
    r"Traceback |File \"|Platform: |Linux: |Borg: |PID: |sys\.argv: |SSH_ORIGINAL_COMMAND: |-{20,}$|usage: "
)
_DRAWN = regex.compile(rf"{_SIZE} O {_SIZE} C {_SIZE} D (\d{{1,18}}) N(?: (.*))?", re.DOTALL)


@dataclass(slots=True)
class Seen(Findings):
    """The meaning of the output of a run, gathered line by line.

    Attributes:
        saved: borg gave the figures of the archive, which it does once it is saved.
        archive: Its name, or its id where borg said no name.
        counted: How many files borg counted so far; `files` is the number in the archive.
        names: borg's names of the errors (`msgid`).
        failures: Messages of level ERROR.
        remarks: Warnings that are about no item.
        lines: The last lines of plain text.
        unmatched: How many patterns or paths matched nothing.
    """

    saved: bool = False
    archive: str | None = None
    counted: int | None = None
    names: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=50))
    unmatched: int = 0
    _alike: dict[str, int] = field(default_factory=dict)
    _fingerprint: bool = False

    @property
    def complaint(self) -> str:
        """All that may say why it failed, one message a line, and borg's names of the errors last."""
        messages = (problem.message for problem in self.problems[:5])
        return "\n".join((*self.failures, *self.remarks, *messages, *self.lines, *(f"[{name}]" for name in self.names)))

    @property
    def first(self) -> str:
        """The message that says most about a failure: the first error, else the last line of text, else a warning."""
        telling = [line for line in self.lines if not _OF_TRACE.match(line)]
        candidates = (*self.failures[:1], *telling[-1:], *self.remarks[:1], *(p.message for p in self.problems[:1]))
        return next(iter(candidates), "").partition("\n")[0]

    def message(self, message: Mapping[str, Any]) -> tuple[Event, ...]:
        """Take a log message of borg's."""
        text, name, level = (
            text_of(message.get("message")).strip(),
            text_of(message.get("name")),
            message.get("levelname"),
        )
        if not text:
            return ()
        if name == "borg.output.stats":
            self._figures(text)
        elif name == "borg.output.show-rc":
            self._code(text)
        elif not name.startswith("borg.output.") and level in ("WARNING", "ERROR", "CRITICAL"):
            msgid = message.get("msgid")
            if isinstance(msgid, str) and len(self.names) < _MAX_ERRORS:
                self.names.add(msgid)
            return self._trouble(text, fatal=level != "WARNING")
        return ()

    def line(self, text: str) -> tuple[Event, ...]:
        """Take a line of plain text."""
        if not text:
            return ()
        if _STOPPED.match(text):
            self.stopped = True
        elif _RC.match(text):
            self._code(text)
        elif not _EXCEPTION.match(text) and (match := _about_item(text)):
            return self._about(match["item"], text, match["why"])
        else:
            self._figures(text)
            self._unmatched(text)
            self.lines.append(text[:2000])
        return ()

    def document(self, document: Mapping[str, Any]) -> None:
        """Take the document of `--json`."""
        archive = document.get("archive")
        if not isinstance(archive, dict):
            return
        stats = archive.get("stats")
        stats = stats if isinstance(stats, dict) else {}
        self.archive = (text_of(archive.get("name")) or text_of(archive.get("id")))[:500] or None
        self.saved = self.archive is not None
        self.counted = count(stats.get("nfiles"))
        if self.saved:
            self.snapshot, self.files = self.archive, self.counted
            self.bytes_processed = count(stats.get("original_size"))
            self.bytes_added = count(stats.get("deduplicated_size"))

    def _trouble(self, text: str, *, fatal: bool) -> tuple[Event, ...]:
        if _STOPPED.match(text):
            self.stopped = True
            return ()
        if match := _about_item(text):
            return self._about(match["item"], text, match["why"])
        if not fatal:
            self._unmatched(text)
            if len(self.remarks) < _MAX_ERRORS:
                self.remarks.append(text[:2000])
            return ()
        return self._fatal(text)

    def _fatal(self, text: str) -> tuple[Event, ...]:
        """Remember an error; of a traceback the line that names the exception, beside the message before it."""
        self.fatal = True
        errors = self.failures
        if text.startswith("Traceback "):
            last = text.partition("\n\n")[0].strip().rpartition("\n")[2].strip()
            if errors:
                errors[-1] = f"{errors[-1]}: {last}"[:2000]
            else:
                errors.append(last[:2000])
            return ()
        if len(errors) < _MAX_ERRORS:
            errors.append(text[:2000])
        return self._keep(Problem(text[:2000], fatal=True), text[:60])

    def _about(self, item: str, text: str, why: str) -> tuple[Event, ...]:
        """Count an item that is not, or not well, in the archive once."""
        item = _WHILE.sub("", item)[:4096]
        if item in self._known:
            return ()
        if len(self._known) < MAX_ITEMS:
            self._known.add(item)
        return self._keep(Problem(text[:2000], item), why[:30])

    def _keep(self, problem: Problem, kind: str) -> tuple[Event, ...]:
        self.errors += 1
        alike = self._alike.get(kind, 0)
        if alike < MAX_ALIKE and len(self.problems) < MAX_PROBLEMS:
            self._alike[kind] = alike + 1
            self.problems.append(problem)
        return (problem,)

    def _unmatched(self, text: str) -> None:
        self.unmatched += text.startswith("Include pattern ") and text.endswith(" never matched.")

    def _code(self, text: str) -> None:
        if match := _RC.match(text):
            self.announced(int(match[1]))

    def _figures(self, text: str) -> None:
        """Take a line of `--stats`; its sizes are rounded to two decimals."""
        if match := _FILES.match(text):
            self.counted = int(match[1])
        elif match := _NAME.match(text):
            self.archive = match[1][:500]
        elif match := _FINGERPRINT.match(text):
            self._fingerprint, self.archive = True, self.archive or match[1]
        elif self._fingerprint and (match := _SIZES.match(text)):
            self.saved, self.snapshot, self.files = True, self.archive, self.counted
            self.bytes_processed, self.bytes_added = size_of(match[1], match[2]), size_of(match[5], match[6])


def _about_item(text: str) -> "re.Match[str] | None":
    """Return item and trouble of a message about one item; a traceback is none."""
    if text.startswith("Traceback "):
        return None
    return _ITEM.fullmatch(text) or _CHANGED.fullmatch(text)


def drawn(text: str) -> tuple[int | None, int, str] | None:
    """Return bytes, files and path of a line of progress that borg draws without JSON."""
    match = _DRAWN.match(text)
    return (size_of(match[1], match[2]), int(match[7]), (match[8] or "").strip()) if match else None


def count(value: object) -> int | None:
    """Return a number of files or bytes, 0 for a negative one, None for what is none."""
    return min(max(value, 0), MAX_COUNT) if type(value) is int else None
