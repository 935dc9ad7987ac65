r"""Read one run of rsync line by line.

A line ends at `\n` or `\r`: rsync writes each update after a carriage return, and ends the last one with a newline before it prints
anything else, also when that goes to stderr (then the empty line is on stderr). All of this is taken out again where it is ours.
"""

import math
import re
from enum import Enum

from tray.core import regex
from tray.core.model import Phase
from tray.engines.base import Exit, Fed, Plan, Progress, Result, Stream
from tray.engines.causes import no_access
from tray.engines.program import Inner
from tray.engines.rsync.messages import Messages, exact
from tray.engines.rsync.options import Options
from tray.engines.rsync.outcome import conclude
from tray.engines.text import plain

_UPDATE = regex.compile(
    rb" *([\d.,]+)([kKMGTP]?) +\d+% +[\d.,]+[kKMGTP]?B/s +(?:\d+:\d\d:\d\d|\?\?:\?\?:\?\?)"
    rb"(?: +\(xfr#(\d+), (ir|to)-chk=(\d+)/(\d+)\))? *"
)
_BLOCK = regex.compile(
    rb"(?:Number of (?:created |deleted )?files|Number of (?:regular )?files transferred|Total (?:transferred )?file size"
    rb"|Literal data|Matched data|File list (?:size|generation time|transfer time)|Total bytes (?:sent|received)): "
)
_END = regex.compile(rb"sent [\d.,]+[kKMGTP]? bytes  received |total size is ")
_CUT_UPDATE = regex.compile(
    rb" +[\d.,]*[kKMGTP]?(?: +\d*%?(?: +[\d.,]*(?:[kKMGTP]?B?/?s?)(?: +[\d:?]*[ (\w#,=/-]*)?)?)?"
)
"""An update that a killed rsync did not finish."""
_CUT_COUNTS = regex.compile(rb"\(x?f?r?#?[\d, irto\-chk=/]*")
_OWN = regex.compile(
    rb"rsync: |rsync error: |rsync warning: |file has vanished: |directory has vanished: |IO error |WARNING: |ERROR: "
)
_NO_SPECIALS = ("no-links", "no-l", "no-devices", "no-specials", "no-D", "safe-links")
_FIRST = 20
"""So many lines at the beginning may hold words of ssh on stdout too, where both streams are one."""
_UNITS = {b"": 1, b"k": 1000, b"K": 1000, b"M": 1000**2, b"G": 1000**3, b"T": 1000**4, b"P": 1000**5}
_NO_NAMES = (b"sending incremental file list", b"receiving ", b"building file list", b"created directory ", b"created ")
_FIRST_LINE = b"Number of files: "
_LAST_LINE = b"total size is "
_LABELLED = regex.compile(rb"[^:\r\n]{3,80}: ?[\d.,]+")
_NUMBERS = regex.compile(rb"(?<![\w.,])\d[\d.,]*[kKMGTP]?(?!\w)")
_MOST = 100
"""Lines that are kept back at most."""


class _At(Enum):
    """How far the block is."""

    OUTSIDE = 0
    EMPTY = 1  # an empty line, which may begin it
    FIGURES = 2
    GAP = 3  # the empty line after the figures
    END = 4  # between the last two lines


class Block:
    r"""The block of statistics that we asked rsync for, taken out by its structure: versions add lines, and languages change words.

        \n
        Number of files: 3 (reg: 2, dir: 1)     LABEL: NUMBER…, any number of lines
        \n
        sent 191 bytes  received 57 bytes  496.00 bytes/sec        three numbers
        total size is 4  speedup is 0.02                           two numbers

    Once its first line is one that we know, it goes on to its end whatever comes between; else each line must have its form.
    With the first line that has not, all that was kept is given back. A message among them is no part of it.

    Args:
        drop: We asked for the block.
        drop_end: We asked for its last two lines too; else they are the user's, with the empty line before them.
    """

    def __init__(self, *, drop: bool, drop_end: bool) -> None:
        self._drop, self._drop_end = drop, drop_end
        self._at = _At.OUTSIDE
        self._kept: list[bytes] = []
        self._certain = False
        self._gap = b""

    @property
    def inside(self) -> bool:
        """Whether the next line may belong to it."""
        return self._at is not _At.OUTSIDE

    @property
    def figures(self) -> bool:
        """Whether the block has begun, beyond its empty line."""
        return self._at not in (_At.OUTSIDE, _At.EMPTY)

    def empty(self, line: bytes) -> bytes:
        """Take an empty line; return the bytes that the caller gets now."""
        if self._at is _At.FIGURES:
            self._at, self._gap = _At.GAP, line
            self._kept.append(line)
            return b""
        before = b"" if self._certain else self.give_back()
        self._at, self._kept = (self._at if self._certain else _At.EMPTY), [*self._kept, line]
        return before

    def give_back(self) -> bytes:
        """Return all that was kept; nothing has begun."""
        kept = b"".join(self._kept)
        self._at, self._kept, self._certain = _At.OUTSIDE, [], False
        return kept

    def interrupted(self, *, ours: bool) -> bytes:
        """Take a message after an empty line, which is not shown if it is *ours*; the block may still follow."""
        kept, self._kept = self._kept, []
        return b"" if ours else b"".join(kept)

    def take(self, line: bytes) -> bytes:
        """Take a line that is no message; return the bytes that the caller gets now: the line unless it belongs to the block."""
        self._kept.append(line)
        step = {_At.EMPTY: self._first, _At.FIGURES: self._figure, _At.GAP: self._sent, _At.END: self._total}[self._at]
        given = step(line)
        return self.give_back() if len(self._kept) > _MOST and not self._certain else given

    def rest(self) -> bytes:
        """Return the lines that are kept at the end of the output, if they are no block: words of another program."""
        ours = self._certain or (self._at is _At.EMPTY and self._drop)
        return self._forget() if ours else self.give_back()

    def _forget(self) -> bytes:
        self.give_back()
        return b""

    def _first(self, line: bytes) -> bytes:
        self._certain = self._drop and line.startswith(_FIRST_LINE)
        self._at = _At.FIGURES
        return self._figure(line) if self._drop else self.give_back()

    def _figure(self, line: bytes) -> bytes:
        return b"" if self._certain or _LABELLED.match(line) else self.give_back()

    def _sent(self, line: bytes) -> bytes:
        if len(_NUMBERS.findall(line)) < 3 and not line.startswith(b"sent "):
            return b"" if self._certain else self.give_back()
        if self._drop_end:
            self._at, self._kept = _At.END, []
            return b""
        self._forget()
        return self._gap + line

    def _total(self, line: bytes) -> bytes:
        if self._certain and not line.startswith(_LAST_LINE):
            return b""
        self._forget()
        return b"" if len(_NUMBERS.findall(line)) >= 2 else line


class TransferSession:
    """Reader of a run that copies, or lists the files that it would copy.

    Args:
        plan: The plan that was started.
        options: The command line without our flags.
        inner: Programs that stand before rsync.
        statistics: We added the block of statistics.
    """

    def __init__(self, plan: Plan, options: Options, inner: Inner, *, statistics: bool) -> None:
        self._plan, self._options, self._inner = plan, options, inner
        self._ours = plan.ours
        self._blocks = [Block(drop=statistics, drop_end=not options.statistics) for _ in range(4)]  # by stream
        self._overall = plan.ours or options.info("progress") >= 2
        self._names = bool(options.verbose) or options.given("progress") or options.info("name") > 0
        self._messages = Messages(wished=options.given(*_NO_SPECIALS))
        self._returned = [False, False, False, False]  # by stream: the last line ended with a carriage return
        self._name = b""
        self._progress = Progress(Phase.SCANNING)
        self._copied = -1
        self._lines = 0
        self._exact = True

    def feed(self, line: bytes, stream: Stream) -> Fed:
        """Take one line of either stream."""
        after, self._returned[stream] = self._returned[stream], line.endswith(b"\r")
        if after and (match := _UPDATE.match(line)):
            return self._update(match, line, stream)
        if after and self._ours and _CUT_UPDATE.fullmatch(line):
            return Fed()
        if line in (b"\n", b"\r\n", b"\r"):
            return self._empty(line, stream)
        return self._text(line, stream, shown=line)

    def patience(self, part: bytes, stream: Stream) -> float:  # noqa: ARG002 - where it stands tells
        """Wait for the end of a possible update or line of the block."""
        return math.inf if self._returned[stream] or self._blocks[stream].inside else 0.0

    def held(self, stream: Stream) -> bytes:
        """Return the lines that looked like the block and were none."""
        ended = stream is Stream.ERR and self._copied >= 0  # the newline of an update
        rest = self._blocks[stream].rest()
        return b"" if ended and not rest.strip() else rest

    def conclude(self, exit: Exit) -> Result:
        """Conclude from the output and the exit."""
        seen = self._messages.seen
        if self._overall and self._exact and seen.transferred_bytes is None and self._copied >= 0:
            seen.transferred_bytes = self._progress.bytes_done
        if seen.listed is None and self._progress.phase is not Phase.SCANNING:
            seen.listed = self._progress.files_total
        if seen.transferred is None and self._copied >= 0:
            seen.transferred = self._copied
        return conclude(seen, exit, self._plan, self._options, self._inner)

    def _update(self, match: "re.Match[bytes]", line: bytes, stream: Stream) -> Fed:
        size, unit, copied, kind, left, total = match.groups()
        last = self._progress
        phase, done, files = last.phase, last.files_done, last.files_total
        if kind is not None:
            # Between two parts of its list rsync says that nothing is left to check, and takes it back: no news.
            if left != b"0" or int(copied[:18]) != self._copied:
                files, remaining = int(total[:18]), int(left[:18])
                done = max(done or 0, files - remaining, 0)
                phase = Phase.SCANNING if kind == b"ir" else Phase.COPYING if remaining else Phase.FINISHING
            elif files is None:
                files = int(total[:18])
                phase = Phase.SCANNING if kind == b"ir" else Phase.COPYING
            self._copied = int(copied[:18])
        elif phase is Phase.FINISHING:
            phase = Phase.COPYING
        current = plain(self._name) if self._names and self._name else None
        amount = _number(size, unit) if self._overall else None
        self._exact = not unit
        self._progress = Progress(phase, done, files, amount, None, None, current, self._messages.seen.findings.errors)
        rest = line[match.end() :]
        if not rest.strip(b"\r\n") or (self._ours and _CUT_COUNTS.fullmatch(rest)):
            return Fed((self._progress,), b"" if self._ours else line)
        # The newline that would have ended the update went to stderr, before an error: the rest here is another line.
        fed = self._text(rest, stream, shown=rest if self._ours else line)
        return Fed((self._progress, *fed.events), fed.relay)

    def _empty(self, line: bytes, stream: Stream) -> Fed:
        r"""Take an empty line, which may belong to the next one. A lone `\r` begins an update."""
        if not self._ours:
            return Fed(relay=line)
        return Fed() if line == b"\r" else Fed(relay=self._blocks[stream].empty(line))

    def _text(self, line: bytes, stream: Stream, *, shown: bytes) -> Fed:
        """Take a line that is no update: a message, a line of the block, or any other. Of the block the caller sees nothing."""
        block, events = self._blocks[stream], self._messages.take(line)
        if events is None:
            self._other(line, stream)
        if not self._ours:
            return Fed(events or (), shown)
        if not block.inside:
            # Its empty line may have ended an update whose own newline went to stderr.
            lost = self._copied >= 0 and stream is Stream.OUT and line.startswith(b"sent ") and _END.match(line)
            return Fed(events or (), b"\n" + shown if lost else shown)
        if events is None:
            return Fed(relay=block.take(shown))
        if block.figures:
            return Fed(events, shown)
        # "building file list ... " of -v may be ended by an empty line too, and that is not ours.
        ours = (self._copied >= 0 or not self._options.verbose) and _OWN.match(line)
        return Fed(events, block.interrupted(ours=bool(ours)) + shown)

    def _other(self, line: bytes, stream: Stream) -> None:
        """Take figures, and names where they are printed."""
        self._lines += 1
        if stream is Stream.ERR or (self._lines <= _FIRST and no_access(plain(line[:2000]))):
            self._messages.connection(line)
        if stream is Stream.OUT:
            if match := _BLOCK.match(line) or _END.match(line):
                self._messages.figures(line, match.end())
            elif self._names and not line.startswith(_NO_NAMES) and not self._blocks[stream].figures:
                self._name = line


def _number(digits: bytes, unit: bytes) -> int | None:
    """Return a count as rsync prints it: digits in groups (by comma or point, as the language has it), or with `-h` 1.23G."""
    if not unit:
        return exact(digits)
    try:
        return int(float(digits.replace(b",", b".")[:18]) * _UNITS[unit])
    except ValueError:
        return None
