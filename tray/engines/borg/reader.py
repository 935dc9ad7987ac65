"""What borg says in the course of a run, gathered: problems with items, errors, the figures of the archive.

Each line is a JSON message (`--log-json`) or text. Text is read for the same facts as far as it shows them; only messages have a
level, so a text line is an error only by its words.
"""

import re
from collections import deque
from collections.abc import Mapping
from typing import Any

from tray.core.dataclass import dataclass, field
from tray.engines.base import MAX_PROBLEMS, Event, Problem
from tray.engines.borg.messages import count
from tray.engines.text import valid

MAX_ALIKE = 20
"""Of these, so many that say the same of different items: a full disk is complained of once for every file."""
_MAX_KNOWN = 50_000
_MAX_ERRORS = 20
_ITEM = re.compile(r"(?P<item>.+): (?P<why>\[Errno \d+\] .+)", re.DOTALL)
_WHILE = re.compile(r"(?<=.): [a-z][a-z_ ]{1,20}$", re.DOTALL)  # what borg was doing: "x: dir_open: [Errno 13] …"
_CHANGED = re.compile(
    r"(?P<item>.+): (?P<why>(?:file changed|file type or inode changed) while we backed it up.*)", re.DOTALL
)
_STOPPED = re.compile(r"(?:Error: )?Got Ctrl-C / SIGINT|Keyboard interrupt$|Received SIGTERM")
_RC = re.compile(r"terminating with \w+ status, rc (\d{1,3})$")
_FIGURES = (
    ("files", re.compile(r"Number of files: (\d{1,18})$")),
    ("archive", re.compile(r"Archive name: (.+)$")),
    ("fingerprint", re.compile(r"Archive fingerprint: ([0-9a-f]{64})$")),
)
_SIZE = r"([\d.]{1,12}) ([kKMGTPEZY]i?)?B"
_SIZES = re.compile(rf"This archive: +{_SIZE} +{_SIZE} +{_SIZE}$")
_POWERS = "kMGTPEZY"
_EXCEPTION = re.compile(r"[\w.]{0,60}(?:Error|Exception): ")
_OF_TRACE = re.compile(
    r"Traceback |File \"|Platform: |Linux: |Borg: |PID: |sys\.argv: |SSH_ORIGINAL_COMMAND: |-{20,}$|usage: "
)
_DRAWN = re.compile(rf"{_SIZE} O {_SIZE} C {_SIZE} D (\d{{1,18}}) N(?: (.*))?", re.DOTALL)


@dataclass(slots=True)
class Seen:
    """What the output of a run said.

    Attributes:
        saved: borg gave the figures of the archive, which it does once it is saved.
        archive: Its name, or its id where it said no name.
        stopped: The line in which borg said that an interrupt or termination stops it.
        said_code: The exit code that borg announced (`--show-rc`).
        names: borg's names of the errors (`msgid`).
        fatal: Messages of level ERROR.
        remarks: Warnings that are about no item.
        lines: The last lines of plain text.
        unmatched: How many patterns or paths matched nothing.
    """

    saved: bool = False
    archive: str | None = None
    files: int | None = None
    bytes_processed: int | None = None
    bytes_added: int | None = None
    stopped: str = ""
    said_code: int | None = None
    names: set[str] = field(default_factory=set)
    fatal: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=50))
    unmatched: int = 0
    errors: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All that may say why it failed, one message a line."""
        return "\n".join((*self.fatal, *self.remarks, *(problem.message for problem in self.problems[:5]), *self.lines))

    @property
    def first(self) -> str:
        """The message that says most about a failure: the first error, else the last line of text, else a warning."""
        telling = [line for line in self.lines if not _OF_TRACE.match(line)]
        for found in (self.fatal[:1], telling[-1:], self.remarks[:1]):
            if found:
                return found[0].partition("\n")[0]
        return self.problems[0].message if self.problems else ""


class Reader:
    """Gathers what is said into a `Seen`, and says which of it are problems."""

    def __init__(self) -> None:
        self.seen = Seen()
        self._known: set[str] = set()
        self._alike: dict[str, int] = {}
        self._fingerprint = False

    def message(self, message: Mapping[str, Any]) -> tuple[Event, ...]:
        """Take a log message of borg's."""
        said, name, level = message.get("message"), message.get("name"), message.get("levelname")
        if not isinstance(said, str) or not said.strip():
            return ()
        said = valid(said).strip()
        name = name if isinstance(name, str) else ""
        if name == "borg.output.stats":
            self._figures(said)
        elif name == "borg.output.show-rc":
            self._code(said)
        elif not name.startswith("borg.output.") and level in ("WARNING", "ERROR", "CRITICAL"):
            msgid = message.get("msgid")
            if isinstance(msgid, str) and len(self.seen.names) < _MAX_ERRORS:
                self.seen.names.add(msgid)
            return self._trouble(said, fatal=level != "WARNING")
        return ()

    def text(self, text: str) -> tuple[Event, ...]:
        """Take a line of plain text."""
        if not text:
            return ()
        if _STOPPED.match(text):
            self.seen.stopped = text
        elif _RC.match(text):
            self._code(text)
        elif not _EXCEPTION.match(text) and (found := _about_item(text)):
            return self._problem(found["item"], text, found["why"])
        else:
            self._figures(text)
            self._unmatched(text)
            self.seen.lines.append(text[:2000])
        return ()

    def document(self, document: Mapping[str, Any]) -> None:
        """Take what `--json` printed."""
        archive = document.get("archive")
        if not isinstance(archive, dict):
            return
        stats = archive.get("stats")
        stats = stats if isinstance(stats, dict) else {}
        name = next((text for key in ("name", "id") if isinstance(text := archive.get(key), str) and text), None)
        self.seen.saved = name is not None
        self.seen.archive = None if name is None else valid(name)[:500]
        self.seen.files = count(stats.get("nfiles"))
        self.seen.bytes_processed = count(stats.get("original_size"))
        self.seen.bytes_added = count(stats.get("deduplicated_size"))

    def _trouble(self, said: str, *, fatal: bool) -> tuple[Event, ...]:
        if _STOPPED.match(said):
            self.seen.stopped = said
            return ()
        if found := _about_item(said):
            return self._problem(found["item"], said, found["why"])
        if not fatal:
            self._unmatched(said)
            if len(self.seen.remarks) < _MAX_ERRORS:
                self.seen.remarks.append(said[:2000])
            return ()
        return self._fatal(said)

    def _fatal(self, said: str) -> tuple[Event, ...]:
        """Remember an error; of a traceback the line that names the exception, beside the message before it."""
        errors = self.seen.fatal
        if said.startswith("Traceback "):
            last = said.partition("\n\n")[0].strip().rpartition("\n")[2].strip()
            if errors:
                errors[-1] = f"{errors[-1]}: {last}"[:2000]
            else:
                errors.append(last[:2000])
            return ()
        if len(errors) < _MAX_ERRORS:
            errors.append(said[:2000])
        self.seen.errors += 1
        problem = Problem(said[:2000], fatal=True)
        self._keep(problem, said[:60])
        return (problem,)

    def _problem(self, item: str, said: str, why: str) -> tuple[Event, ...]:
        """Count an item that is not, or not well, in the archive once."""
        item = _WHILE.sub("", item)[:4096]
        if item in self._known:
            return ()
        if len(self._known) < _MAX_KNOWN:
            self._known.add(item)
        self.seen.errors += 1
        problem = Problem(said[:2000], item)
        self._keep(problem, why[:30])
        return (problem,)

    def _keep(self, problem: Problem, kind: str) -> None:
        alike = self._alike.get(kind, 0)
        if alike < MAX_ALIKE and len(self.seen.problems) < MAX_PROBLEMS:
            self._alike[kind] = alike + 1
            self.seen.problems.append(problem)

    def _unmatched(self, said: str) -> None:
        self.seen.unmatched += said.startswith("Include pattern ") and said.endswith(" never matched.")

    def _code(self, said: str) -> None:
        if (found := _RC.match(said)) and int(found[1]) < 256:
            self.seen.said_code = int(found[1])

    def _figures(self, said: str) -> None:
        """Take a line of `--stats`; its sizes are rounded to two decimals."""
        seen = self.seen
        for what, pattern in _FIGURES:
            if found := pattern.match(said):
                if what == "files":
                    seen.files = int(found[1])
                elif what == "archive":
                    seen.archive = found[1][:500]
                else:
                    self._fingerprint, seen.archive = True, seen.archive or found[1]
                return
        if self._fingerprint and (sizes := _SIZES.match(said)):
            seen.saved = True
            seen.bytes_processed, seen.bytes_added = _size(sizes[1], sizes[2]), _size(sizes[5], sizes[6])


def _about_item(said: str) -> "re.Match[str] | None":
    """Return item and trouble of a message about one item; a traceback is none."""
    if said.startswith("Traceback "):
        return None
    return _ITEM.fullmatch(said) or _CHANGED.fullmatch(said)


def drawn(text: str) -> tuple[int | None, int, str] | None:
    """Return bytes, files and path of a line of progress that borg draws without JSON."""
    found = _DRAWN.match(text)
    return (_size(found[1], found[2]), int(found[7]), (found[8] or "").strip()) if found else None


def _size(number: str, unit: str | None) -> int | None:
    """Return "1.66 MB" in bytes."""
    if number.count(".") > 1 or not number.strip("."):
        return None
    power = 0 if not unit else _POWERS.index(unit[0].replace("K", "k")) + 1
    return min(round(float(number) * float(1024 if unit and "i" in unit else 1000) ** power), 2**63 - 1)
