"""One run of rdiff-backup, understood line by line: its warnings, and the figures that it prints last."""

import math
import re

from tray.core.model import Phase
from tray.engines.access import ACCESS
from tray.engines.base import Event, Exit, Fed, Plan, Progress, Result, Stream
from tray.engines.findings import Findings, causes, conclude, holds_nothing, nothing_read, whole
from tray.engines.program import Inner
from tray.engines.rdiff_backup.options import Call
from tray.engines.text import plain

_HEADER = re.compile(rb"-{10,}\[ Session statistics \]-{10,}")
_RULE = b"-" * 10
_MESSAGE = re.compile(
    rb"(?:WARNING|ERROR|FATAL|NOTE|INFO|DEBUG|\w*Error|\w*Exception|Fatal Error|KeyboardInterrupt|Traceback)\b|[* ] |.*: error"
)
_MOST_LINES = 200
"""The block has some 20 lines; where its end does not come, it ends here."""
_FIGURE = re.compile(rb"([A-Z][A-Za-z]+) (-?\d+)(?:\.\d+)?(?: \(.*\))?")
_UNREAD = re.compile(r"(?:WARNING: )?(?P<kind>ListError|UpdateError|SpecialFileError):? (?P<rest>.*)")
_QUOTED = re.compile(r"(?:'(?P<item>.*?)'|(?P<bare>\S+))(?: (?:\[Errno \d+\] )?(?P<why>.+?)(?:: b['\"].*)?)?")
_DAMAGED = re.compile(r"(?:WARNING: )?Computed SHA1 digest of (?:file )?(?P<item>.+?)(?: '[0-9a-f]{40}'|$)")
_NO_HASH = re.compile(r"(?:WARNING: )?Cannot find SHA1 digest for file (?P<item>.+?), ")
_DIFFERS = re.compile(r"(?P<what>changed|new|deleted): (?P<item>.+)|Metadata.* differ.*|(?P<odd>.+?) differs")
_STARTED = re.compile(r"(?:NOTE: )?Starting (?:mirror|increment operation) ")
_STOPPED = re.compile(r"SignalException: (?:2|15)\b|^KeyboardInterrupt")
_DECISIVE = re.compile(r"ERROR:|Fatal Error:|FATAL|rdiff-backup: error|(?:\w+\.)*\w*(?:Error|Exception)\b")
_UNHASHED = re.compile(r"(?:NOTE: )?Verification found (\d+) files? without hash")
_HARMLESS = (
    "command line interface is deprecated",
    "deprecated command line interface",
    "emitted warnings, see previous",
)
_NOTHING = ("No increment is older than", "No increments older than")
WARNED = frozenset((2, 4, 6, 8, 10, 12, 14))
"""Since 2.2 its exit code is made of 1 (failed), 2 (warnings), 4 (a file failed) and 8 (a file differs); so is 2 a wrong use."""
_UNPROVEN = (
    "rdiff-backup ended with exit code 0, but without its statistics nobody knows whether it could read all files."
)
CAUSES = causes(
    (
        (
            r"process\s+id (\d+) is still running|previous rdiff-backup session with process",
            "Another rdiff-backup is working in this repository; wait until it ends, then run the backup again.",
        ),
        (
            r"[Nn]o space left on device",
            "There is no space left where the backup is written; free some, then run it again.",
        ),
        *ACCESS,
        (
            r"Source path (.+?) does not exist|Source directory (.+?) (?:does not exist|not found)",
            "The source {1}{2} does not exist, so nothing was backed up; check its path, and whether its disk is mounted.",
        ),
        (
            r"Unable to delete and/or create directory (.+)",
            "The repository's folder {1} could not be made; check the path, and whether its disk is mounted.",
        ),
        (
            r"does not look like a rdiff-backup repository|couldn't be identified as being within an existing backup",
            "There is no rdiff-backup repository at this place; check the path, and whether its disk is mounted.",
        ),
        (
            r"The last backup is not in the past",
            "The last backup is not in the past: another one is running there, or the clock was set back.",
        ),
        (
            r"Target path (.+?) exists and isn't empty",
            "The folder {1} is not empty and nothing was overwritten; use another one.",
        ),
        (
            r"found (\d+) potentially corrupted files",
            "The repository is damaged: {1} of its files do not match their checksums.",
        ),
        (r"rdiff-backup: error: (.+)", "rdiff-backup did not understand its command line: {1}."),
        (r"^(?:ERROR|Fatal Error): (.+)", "rdiff-backup gave up: {1}."),
    )
)


class RdiffBackupSession:
    """A run of rdiff-backup."""

    def __init__(self, plan: Plan, asked: Call, inner: Inner) -> None:
        self._kind = plan.kind
        self._ours = plan.ours
        self._watched = plan.spool_stdout
        self._inner = inner
        self._speaks = asked.speaks
        self._seen = Findings()
        self._block: dict[str, int] | None = None
        self._in_block = 0
        self._statistics: dict[str, int] | None = None
        self._warnings: list[str] = []
        self._damaged = False
        self._nothing = False
        self._misused = False

    def feed(self, line: bytes, stream: Stream) -> Fed:
        """Take one line; the block of statistics that we asked for is not the caller's."""
        body = line.rstrip(b"\r\n")
        if self._figure(body, stream):
            return Fed((), b"" if self._ours else line)
        return Fed(self._line(plain(body), stream), line)

    def patience(self, part: bytes, stream: Stream) -> float:  # noqa: ARG002 - the block comes on either
        """Wait for the end of each line of the block."""
        header = part[:1] == b"-" and (part.startswith(_RULE) or _RULE.startswith(part))
        return math.inf if self._block is not None or header else 0.0

    def held(self, stream: Stream) -> bytes:  # noqa: ARG002
        """Nothing: whether a line belongs to the block is known at once."""
        return b""

    def conclude(self, exit: Exit) -> Result:
        """Conclude from statistics, warnings and exit code."""
        seen = self._seen
        self._take_statistics()
        if exit.code in WARNED and not seen.errors and not self._nothing:
            for warning in self._warnings[:1]:
                seen.problem(warning)
        result = conclude(
            seen,
            exit,
            self._inner,
            name="rdiff-backup",
            done=self._done(exit),
            unproven=_UNPROVEN if self._kind == "backup" else "",
            causes=CAUSES,
            advice=_advice(seen.complaint),
        )
        empty = self._kind == "backup" and self._statistics is not None and self._statistics.get("SourceFiles", 2) <= 1
        return holds_nothing(result) if empty else result

    def _done(self, exit: Exit) -> str:
        """Return what was achieved, "" if that is not proven."""
        warned = exit.code in WARNED and not self._misused and bool(self._warnings or self._seen.errors)
        if self._kind == "backup":
            proven = self._statistics is not None
            proven = (proven or (self._speaks and self._watched and exit.code == 0)) and not self._seen.fatal
            good = exit.code in (0, None) or warned
            return "The backup was written" if proven and good else ""
        if self._kind == "check":
            if self._damaged:
                return ""
            compared = exit.code == 0 or (exit.code in (1, *WARNED) and self._seen.errors > 0)
            return "The backup was compared" if compared else ""
        if exit.code == 0 or warned:
            done = {"restore": "The files were restored", "prune": "Old increments were removed"}
            return (
                "There was nothing to remove"
                if self._nothing
                else done.get(self._kind, "rdiff-backup did what it was asked to do")
            )
        return ""

    def _figure(self, body: bytes, stream: Stream) -> bool:
        """Whether the line belongs to the block of statistics, which goes from its header to a rule; takes its figures.

        Versions add lines to it. A message is none of them, nor is anything on stderr.
        """
        if self._block is None:
            if body.startswith(_RULE) and _HEADER.fullmatch(body):
                self._block, self._in_block = {}, 0
                return True
            return False
        if found := _FIGURE.fullmatch(body):
            number = whole(found[2].lstrip(b"-"))
            self._block[found[1].decode()] = -number if found[2].startswith(b"-") else number
            return True
        self._in_block += 1
        ends = len(body) >= 20 and not body.strip(b"-")
        if ends and "Errors" in self._block:
            self._statistics = self._block
        if ends or self._in_block > _MOST_LINES:
            self._block = None
        return ends or (stream is not Stream.ERR and not _MESSAGE.match(body))

    def _line(self, text: str, stream: Stream) -> tuple[Event, ...]:
        if found := _UNREAD.match(text):
            named = _QUOTED.fullmatch(found["rest"])
            item = (named["item"] or named["bare"]) if named else None
            return self._seen.problem((named["why"] if named else None) or found["kind"], item)
        if self._kind == "check" and (events := self._checked(text, stream)) is not None:
            return events
        if _STOPPED.search(text):
            self._seen.stopped = True
        elif any(words in text for words in _NOTHING):
            self._nothing = True
        elif text.startswith("WARNING: "):
            if not any(words in text for words in _HARMLESS) and len(self._warnings) < 10:
                self._warnings.append(text[9:2000])
        elif stream is Stream.ERR and text:
            self._complaint(text)
        elif _STARTED.match(text):
            return (Progress(Phase.COPYING),)
        return ()

    def _complaint(self, text: str) -> None:
        decisive = _DECISIVE.match(text) is not None
        self._misused = self._misused or text.startswith(("usage:", "rdiff-backup: error"))
        self._seen.fatal = self._seen.fatal or decisive
        if text.startswith("ERROR: Action "):  # only says at which step it gave up
            decisive = False
        self._seen.complain(text, decisive=decisive)

    def _checked(self, text: str, stream: Stream) -> tuple[Event, ...] | None:
        if found := _DAMAGED.match(text):
            self._damaged = True
            return self._seen.problem("its checksum does not match", found["item"])
        if found := _NO_HASH.match(text):
            return self._seen.problem("it has no checksum", found["item"])
        if found := _UNHASHED.match(text):
            self._seen.errors = max(self._seen.errors, whole(found[1]))
            return ()
        if stream is Stream.OUT and (found := _DIFFERS.fullmatch(text)):
            item = found["item"] or found["odd"]
            return self._seen.problem(found["what"] or "differs", item)
        return None

    def _take_statistics(self) -> None:
        seen, known = self._seen, self._statistics
        if known is None:
            return
        seen.files, seen.bytes_processed = known.get("SourceFiles"), known.get("SourceFileSize")
        if "TotalDestinationSizeChange" in known:
            seen.bytes_added = max(known["TotalDestinationSizeChange"], 0)
        seen.errors = max(seen.errors, known["Errors"])
        if seen.errors and known.get("SourceFileSize") == 0:
            nothing_read(seen)


def _advice(text: str) -> str | None:
    """Return what to do about a session that seems to run still."""
    if found := re.search(r"id (\d+) is still running", text):
        return f"Check with `ps -p {found[1]}` whether that one is an rdiff-backup; if not, run the backup once with `--force`."
    return None
