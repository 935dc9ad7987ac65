"""Read one run of `restic backup` line by line.

Any line may be missing, cut, doubled or garbled, and never raises here. restic's own words decide together with the exit code:
neither alone proves a backup.
"""

import math
from typing import Any

from tray.core import regex
from tray.core.model import Phase
from tray.engines.arguments import Arguments
from tray.engines.base import Event, Exit, Fed, Plan, Progress, Result, Stream
from tray.engines.program import Inner
from tray.engines.restic.outcome import Seen, conclude
from tray.engines.restic.text import error_text, status_text, summary_text
from tray.engines.text import begins_in, count, decode, first_text, plain, size_of, strip_terminal, text_of, valid

_MESSAGE = b'{"message_type"'
_MAX_ETA = 10 * 365 * 86_400
_SKIPPED = regex.compile(r'(?:pattern )?"?(?P<item>.+?)"? (?:does not exist|does not match any files), skipping$')
_LEFT_OUT = regex.compile(r"(?:[Ww]arning: )?(?:.+, skipping|incomplete metadata for (?P<item>.+?): (?P<why>.+))$")
_PROCESSED = regex.compile(r"processed (\d+) files?, ")
_STORED = regex.compile(r"Added to the repository: +[\d.]+ \w+ *\(([\d.]{1,15}) ([KMGT]?i?B) +stored\)")
_SAVED = regex.compile(r"snapshot ([0-9a-f]{8,64}) saved$")


class BackupSession:
    """A run of `restic backup`, in JSON or (with `-v`) in plain text."""

    def __init__(self, plan: Plan, options: Arguments, inner: Inner, unlock: str) -> None:
        self._ours = plan.ours
        self._unlock = unlock
        self._inner = inner
        self._watched = plan.spool_stdout
        self._quiet = options.on("quiet")
        self._parent = not (options.on("stdin", "stdin-from-command"))
        self._scanned = options.on("no-scan")  # without a scan there are no totals to wait for
        self._json = plan.ours or options.on("json")
        # A cadence that the user asked for also puts progress into restic's plain output; ours must not.
        self._progress_text = plan.ours and "RESTIC_PROGRESS_FPS" not in plan.env
        self._seen = Seen(dry=plan.kind == "dry-run", may_skip=options.on("skip-if-unchanged"))

    def feed(self, line: bytes, stream: Stream) -> Fed:
        """Take one line of either stream."""
        body = strip_terminal(line)
        if body[:1] == b"{" and (message := decode(body)) is not None:
            return self._message(message, line, stream)
        if self._ours and (at := line.find(_MESSAGE)) > 0 and (message := decode(line[at:])) is not None:
            fed = self._message(message, line[at:], stream)  # behind a prompt or a helper's words without a line end
            return Fed(fed.events, line[:at] + fed.relay)
        return Fed(self._plain_text(plain(body), stream), line)

    def patience(self, part: bytes, stream: Stream) -> float:  # noqa: ARG002 - JSON comes on either
        """Wait for the end of a message; the caller gets its text."""
        return math.inf if begins_in(part, _MESSAGE) else 0.0

    def conclude(self, exit: Exit) -> Result:
        """Conclude from restic's words and its exit."""
        return conclude(self._seen, exit, self._inner, watched=self._watched, unlock=self._unlock)

    def _message(self, message: dict[str, Any], line: bytes, stream: Stream) -> Fed:
        match message.get("message_type"):
            case "status":
                events, text = self._status(message), status_text(message) if self._progress_text else ""
            case "summary":
                events, text = (), self._summary(message)
            case "error":
                events, text = self._error(message)
            case "exit_error":
                events, text = self._exit_error(message)
            case "verbose_status":
                self._scanned = self._scanned or message.get("action") == "scan_finished"
                events, text = (), ""
            case _:  # restic adds message types over time; on stderr one may matter to the caller
                return Fed(relay=b"" if self._ours and stream is Stream.OUT and "message_type" in message else line)
        return Fed(events, text.encode() if self._ours else line)

    def _status(self, message: dict[str, Any]) -> tuple[Event, ...]:
        if "action" in message:  # 0.14 with -vv
            self._scanned = self._scanned or message["action"] == "scan_finished"
            return ()
        left = count(message, "seconds_remaining")
        self._scanned = self._scanned or left > 0
        done, total = count(message, "bytes_done"), count(message, "total_bytes")
        files, files_total = count(message, "files_done"), count(message, "total_files")
        phase = Phase.SCANNING
        if self._scanned:
            whole = files_total > 0 and done >= total and (total > 0 or files >= files_total)
            phase = Phase.FINISHING if whole else Phase.COPYING
        return (
            Progress(
                phase,
                files_done=files,
                files_total=files_total or None,
                bytes_done=done,
                bytes_total=total or None,
                eta_seconds=left if phase is Phase.COPYING and 0 < left < _MAX_ETA else None,
                current=first_text(message.get("current_files")),
                errors=self._seen.errors,
            ),
        )

    def _summary(self, message: dict[str, Any]) -> str:
        seen = self._seen
        seen.summary = True
        seen.dry = seen.dry or message.get("dry_run") is True
        seen.files = count(message, "total_files_processed")
        seen.bytes_processed = count(message, "total_bytes_processed")
        packed = "data_added_packed" in message
        added = count(message, "data_added_packed" if packed else "data_added")
        seen.bytes_added = None if seen.dry else added
        seen.uncompressed = not packed and added > 0
        snapshot = text_of(message.get("snapshot_id"))[:64]
        seen.snapshot = snapshot if snapshot.strip("0") and not seen.dry else None
        return "" if self._quiet else valid(summary_text(message, parent=self._parent, dry=seen.dry))

    def _error(self, message: dict[str, Any]) -> tuple[tuple[Event, ...], str]:
        item = text_of(message.get("item"))
        words = valid(error_text(message.get("error"), item))
        scan = message.get("during") == "scan"
        events = self._seen.problem(words, item or None, scan=scan)
        return events, "" if scan else f"error: {words}\n"  # without -v restic is silent about errors of the scan

    def _exit_error(self, message: dict[str, Any]) -> tuple[tuple[Event, ...], str]:
        text = text_of(message.get("message"))
        self._seen.announced(message.get("code"))
        lines = (self._plain_text(line.strip(), Stream.ERR) for line in text.split("\n"))
        return tuple(event for events in lines for event in events), text + "\n"

    def _plain_text(self, text: str, stream: Stream) -> tuple[Event, ...]:
        """Understand a line that is no JSON."""
        seen = self._seen
        if seen.stops(text):
            return ()
        if match := _SKIPPED.match(text):
            return seen.problem("this source does not exist", match["item"])
        if match := _LEFT_OUT.match(text):
            return seen.problem(match["why"] or text, match["item"])
        if text.startswith("error: "):
            return seen.problem(text[7:])
        if text.startswith("Warning: at least one source file could not be read"):
            seen.incomplete = True
        elif stream is Stream.OUT and self._text_summary(text):
            return ()
        elif text and (self._json or stream is not Stream.OUT or text.startswith("Fatal: ")):
            return seen.complained(text)
        return ()

    def _text_summary(self, text: str) -> bool:
        """Take a line of the summary; also where JSON was asked for, and a script called restic answers in text."""
        if match := _PROCESSED.match(text):
            self._seen.files = int(match[1][:18])
            self._seen.summary = self._seen.dry
        elif match := _STORED.match(text):
            self._seen.bytes_added = size_of(match[1], match[2])
        elif match := _SAVED.match(text):
            self._seen.snapshot, self._seen.summary = match[1], True
        elif text == "skipped creating snapshot":
            self._seen.summary = True
        else:
            return False
        return True
