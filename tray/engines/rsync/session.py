r"""One run of rsync, understood line by line.

A line ends at `\n` or `\r`: rsync writes each update after a carriage return, and ends the last one with a newline before it prints
anything else, also when that goes to stderr (then the empty line is on stderr). All of this is taken out again where it is ours.
"""

import math
import re

from tray.core.model import Phase
from tray.engines import access
from tray.engines.base import Exit, Fed, Plan, Progress, Result, Stream
from tray.engines.program import Inner
from tray.engines.rsync.block import Block
from tray.engines.rsync.messages import Messages
from tray.engines.rsync.options import Options
from tray.engines.rsync.outcome import conclude
from tray.engines.text import plain

_UPDATE = re.compile(
    rb" *([\d.,]+)([kKMGTP]?) +\d+% +[\d.,]+[kKMGTP]?B/s +(?:\d+:\d\d:\d\d|\?\?:\?\?:\?\?)"
    rb"(?: +\(xfr#(\d+), (ir|to)-chk=(\d+)/(\d+)\))? *"
)
_BLOCK = re.compile(
    rb"(?:Number of (?:created |deleted )?files|Number of (?:regular )?files transferred|Total (?:transferred )?file size"
    rb"|Literal data|Matched data|File list (?:size|generation time|transfer time)|Total bytes (?:sent|received)): "
)
_END = re.compile(rb"sent [\d.,]+[kKMGTP]? bytes  received |total size is ")
_CUT_UPDATE = re.compile(rb" +[\d.,]*[kKMGTP]?(?: +\d*%?(?: +[\d.,]*(?:[kKMGTP]?B?/?s?)(?: +[\d:?]*[ (\w#,=/-]*)?)?)?")
"""An update that a killed rsync did not finish."""
_CUT_COUNTS = re.compile(rb"\(x?f?r?#?[\d, irto\-chk=/]*")
_OWN = re.compile(
    rb"rsync: |rsync error: |rsync warning: |file has vanished: |directory has vanished: |IO error |WARNING: |ERROR: "
)
_NO_SPECIALS = ("no-links", "no-l", "no-devices", "no-specials", "no-D", "safe-links")
_FIRST = 20
"""Among so many lines at the beginning what ssh says is looked for also on stdout, where both are one."""
_UNITS = {b"": 1, b"k": 1000, b"K": 1000, b"M": 1000**2, b"G": 1000**3, b"T": 1000**4, b"P": 1000**5}
_NO_NAMES = (b"sending incremental file list", b"receiving ", b"building file list", b"created directory ", b"created ")


class TransferSession:
    """A run that copies, or says what it would copy.

    Args:
        plan: What was started.
        options: The command line without what we added.
        inner: What stands before rsync.
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
        if after and (found := _UPDATE.match(line)):
            return self._update(found, line, stream)
        if after and self._ours and _CUT_UPDATE.fullmatch(line):
            return Fed()
        if line in (b"\n", b"\r\n", b"\r"):
            return self._empty(line, stream)
        return self._text(line, stream, shown=line)

    def patience(self, part: bytes, stream: Stream) -> float:  # noqa: ARG002 - where it stands tells
        """Wait for the end of what may be an update or a line of the block."""
        return math.inf if self._returned[stream] or self._blocks[stream].inside else 0.0

    def held(self, stream: Stream) -> bytes:
        """Return what looked like the block and was none."""
        ended = stream is Stream.ERR and self._copied >= 0  # the newline of an update
        rest = self._blocks[stream].rest()
        return b"" if ended and not rest.strip() else rest

    def conclude(self, exit: Exit) -> Result:
        """Conclude from what was seen and how it ended."""
        seen = self._messages.seen
        if self._overall and self._exact and seen.transferred_bytes is None and self._copied >= 0:
            seen.transferred_bytes = self._progress.bytes_done
        if seen.listed is None and self._progress.phase is not Phase.SCANNING:
            seen.listed = self._progress.files_total
        if seen.transferred is None and self._copied >= 0:
            seen.transferred = self._copied
        return conclude(seen, exit, self._plan, self._options, self._inner)

    def _update(self, found: "re.Match[bytes]", line: bytes, stream: Stream) -> Fed:
        size, unit, copied, kind, left, total = found.groups()
        now = self._progress
        phase, done, files = now.phase, now.files_done, now.files_total
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
        self._progress = Progress(phase, done, files, amount, None, None, current, self._messages.seen.found.errors)
        rest = line[found.end() :]
        if not rest.strip(b"\r\n") or (self._ours and _CUT_COUNTS.fullmatch(rest)):
            return Fed((self._progress,), b"" if self._ours else line)
        # The newline that would have ended the update went to stderr, before an error: what follows it here is another line.
        fed = self._text(rest, stream, shown=rest if self._ours else line)
        return Fed((self._progress, *fed.events), fed.relay)

    def _empty(self, line: bytes, stream: Stream) -> Fed:
        r"""An empty line may come with what follows it. A lone `\r` begins an update."""
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
        if stream is Stream.ERR or (self._lines <= _FIRST and access.why(plain(line[:2000]))):
            self._messages.connection(line)
        if stream is Stream.OUT:
            if found := _BLOCK.match(line) or _END.match(line):
                self._messages.figures(line, found.end())
            elif self._names and not line.startswith(_NO_NAMES) and not self._blocks[stream].figures:
                self._name = line


def _number(digits: bytes, unit: bytes) -> int | None:
    """Return a count as rsync prints it: digits in groups (by comma or point, as the language has it), or with `-h` 1.23G."""
    if not unit:
        return int(digits.replace(b",", b"").replace(b".", b"")[:18] or b"0")
    try:
        return int(float(digits.replace(b",", b".")[:18]) * _UNITS[unit])
    except ValueError:
        return None
