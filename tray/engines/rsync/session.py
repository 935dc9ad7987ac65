r"""One run of rsync, understood line by line.

A line ends at `\n` or `\r`: rsync writes each update after a carriage return, and ends the last one with a newline before it prints
anything else, also when that goes to stderr (then the empty line is on stderr). All of this is taken out again where it is ours.
"""

import re

from tray.engines.base import Event, Exit, Fed, Plan, Progress, Result, Stream
from tray.engines.recognise import Inner
from tray.engines.rsync.messages import Messages
from tray.engines.rsync.options import Options
from tray.engines.rsync.outcome import conclude
from tray.engines.text import plain
from tray.model import Phase

_UPDATE = re.compile(
    rb" *([\d.,]+)([kKMGTP]?) +\d+% +[\d.,]+[kKMGTP]?B/s +(?:\d+:\d\d:\d\d|\?\?:\?\?:\?\?)"
    rb"(?: +\(xfr#(\d+), (ir|to)-chk=(\d+)/(\d+)\))? *"
)
_BLOCK = re.compile(
    rb"(?:Number of (?:created |deleted )?files|Number of (?:regular )?files transferred|Total (?:transferred )?file size"
    rb"|Literal data|Matched data|File list (?:size|generation time|transfer time)|Total bytes (?:sent|received)): "
)
_END = re.compile(rb"sent [\d.,]+[kKMGTP]? bytes  received |total size is ")
_FIGURES = (b"Number of ", b"Total ", b"Literal data: ", b"Matched data: ", b"File list ", b"sent ", b"total size is ")
_OWN = re.compile(
    rb"rsync: |rsync error: |rsync warning: |file has vanished: |directory has vanished: |IO error |WARNING: |ERROR: "
)
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
        self._drop_block = statistics
        self._drop_end = statistics and not options.statistics
        self._overall = plan.ours or options.info("progress") >= 2
        self._names = bool(options.verbose) or options.given("progress") or options.info("name") > 0
        self._messages = Messages()
        self._returned = [False, False, False, False]  # by stream: the last line ended with a carriage return
        self._held = [b"", b"", b"", b""]  # by stream: an empty line of which the next one will tell whose it is
        self._name = b""
        self._progress = Progress(Phase.SCANNING)
        self._copied = -1
        self._exact = True

    def feed(self, line: bytes, stream: Stream) -> Fed:
        """Take one line of either stream."""
        after, self._returned[stream] = self._returned[stream], line.endswith(b"\r")
        if after and (found := _UPDATE.match(line)):
            return self._update(found, line, stream)
        if line in (b"\n", b"\r\n", b"\r"):
            return self._empty(line, stream)
        return Fed(self._text(line, stream), self._relay(line, stream))

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
        if not rest.strip(b"\r\n"):
            return Fed((self._progress,), b"" if self._ours else line)
        # The newline that would have ended the update went to stderr, before an error: what follows it here is another line.
        events = (self._progress, *self._text(rest, stream))
        return Fed(events, self._relay(rest, stream) if self._ours else line)

    def _empty(self, line: bytes, stream: Stream) -> Fed:
        r"""An empty line may come with what follows it. A lone `\r` begins an update."""
        if not self._ours:
            return Fed(relay=line)
        if line == b"\r":
            return Fed()
        before, self._held[stream] = self._held[stream], line
        return Fed(relay=before)

    def _relay(self, line: bytes, stream: Stream) -> bytes:
        """Return what the caller must see of *line*, with an empty line before it if that was rsync's own."""
        held, self._held[stream] = self._held[stream], b""
        if not self._ours:
            return line
        if stream is Stream.OUT and line.startswith(_FIGURES):
            if (self._drop_block and _BLOCK.match(line)) or (self._drop_end and _END.match(line)):
                return b""
            if line.startswith(b"sent ") and _END.match(line):
                return (
                    held or b"\n"
                ) + line  # its empty line may have ended an update whose own newline went to stderr
        # "building file list ... " of -v may be ended in the same way, and that is not ours.
        ours = self._copied >= 0 or not self._options.verbose
        return line if held and ours and _OWN.match(line) else held + line

    def _text(self, line: bytes, stream: Stream) -> tuple[Event, ...]:
        events = self._messages.take(line)
        if events is not None:
            return events
        if stream is Stream.OUT:
            if found := _BLOCK.match(line) or _END.match(line):
                self._messages.figures(line, found.end())
            elif self._names and not line.startswith(_NO_NAMES):
                self._name = line
        return ()


def _number(digits: bytes, unit: bytes) -> int | None:
    """Return a count as rsync prints it: digits in groups (by comma or point, as the language has it), or with `-h` 1.23G."""
    if not unit:
        return int(digits.replace(b",", b"").replace(b".", b"")[:18] or b"0")
    try:
        return int(float(digits.replace(b",", b".")[:18]) * _UNITS[unit])
    except ValueError:
        return None
