"""Read one run of rclone line by line: JSON where we or the user asked for it, else its plain log.

From the JSON its log is made again as rclone writes it without `--use-json-log`:

    2026/11/23 00:59:00 NOTICE: object: message        on stderr
    <5>NOTICE: object: message                         the same under systemd
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tray.core import regex
from tray.engines.base import Event, Exit, Fed, Plan, Progress, Result, Stream
from tray.engines.findings import Findings
from tray.engines.program import Inner
from tray.engines.rclone.options import Options
from tray.engines.rclone.outcome import Seen, conclude, is_reading
from tray.engines.rclone.statistics import Printed, Settled, Statistics
from tray.engines.text import begins_in, decode, plain, strip_terminal, valid

_LINE = regex.compile(
    r"(?:<\d>)?(?:\d{4}[/-]\d\d[/-]\d\d \d\d:\d\d:\d\d(?:\.\d+)? )?"
    r"(?P<level>EMERGENCY|ALERT|CRITICAL|ERROR|WARNING|NOTICE|INFO|DEBUG) *: (?P<text>.*)"
)
_FATAL = regex.compile(
    r"(?:\d{4}[/-]\d\d[/-]\d\d \d\d:\d\d:\d\d )?(?P<text>(?:Failed to |Fatal error: |Error: |Source doesn't exist ).*)"
)
_ITEM = regex.compile(
    r"(?P<item>.+?): (?P<text>(?:Failed to |failed to |Couldn't |corrupted on transfer|error listing|can't copy).*)"
)
_FS = regex.compile(r".+ at .*|.*\w+ (?:bucket|root) .*")
_DONE = regex.compile(r"(?P<item>.+): (?P<text>(?:Copied|Moved|Multi-thread Copied) \(.*|Updated .*)")
_ATTEMPT = regex.compile(r"Attempt (\d+)/(\d+) (failed|succeeded)")
_ECHO = regex.compile(r"(?:.*: )?(?:not deleting |not removing |Fatal error received|Can't retry |Cancelling sync)")
_LEFT_OUT = regex.compile(
    r"(?:(?P<item>.+?): )?(?P<text>(?:Can't|Couldn't|Duplicate|Entry doesn't|Ignoring|Skipping) .*)"
)
"""rclone tells of items that it leaves out by itself at the level NOTICE. "Skipped copy as --dry-run is set" is something else."""
_JSON = regex.compile(rb'\{"(?:level|time)":"')
_STOPPED = "Signal received: "
_BAD = frozenset(("EMERGENCY", "ALERT", "CRITICAL", "ERROR"))
_COPIED = ("Copied (", "Moved (", "Updated ", "Multi-thread Copied (")
_SAME_LEVEL = {"warning": "NOTICE", "fatal": "CRITICAL", "panic": "EMERGENCY"}
"""Before 1.70 the JSON names the levels as rclone's logging library does: its `warning` is NOTICE in the log."""
_PRIORITY = {"EMERGENCY": 0, "ALERT": 1, "CRITICAL": 2, "ERROR": 3, "WARNING": 4, "NOTICE": 5, "INFO": 6, "DEBUG": 7}
_TIME = regex.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d:\d\d:\d\d)")


class TransferSession:
    """Reader of a run that copies, or lists the files that it would copy.

    Args:
        plan: The plan that was started.
        options: Its command line.
        inner: Programs that stand before rclone.
        added: The words that we added to its command line.
        drop_stats: The statistics are ours, so the caller gets none.
        systemd: rclone logs for systemd.
    """

    def __init__(
        self, plan: Plan, options: Options, inner: Inner, added: Sequence[str], *, drop_stats: bool, systemd: bool
    ) -> None:
        self._plan, self._options, self._inner = plan, options, inner
        self._ours, self._drop, self._systemd = plan.ours, drop_stats, systemd
        self._added = f" {' '.join(map(_quoted, added))} " if added else ""
        self._seen = Seen()
        self._named = Findings()  # over all attempts: one that comes again is no new event
        self._settled = Settled(options)
        self._printed = Printed()

    def feed(self, line: bytes, stream: Stream) -> Fed:  # noqa: ARG002 - its log may come on either
        """Take one line of either stream."""
        if line[:1] == b"{" and (message := _decode(line)) is not None:
            return self._message(message, line)
        if (
            self._ours
            and line.endswith(b"}\n")
            and (match := _JSON.search(line))
            and (message := _decode(line[match.start() :]))
        ):
            fed = self._message(message, line[match.start() :])  # behind words that did not end their line
            return Fed(fed.events, line[: match.start()] + fed.relay)
        return Fed(self._text(line), line)

    def patience(self, part: bytes, stream: Stream) -> float:  # noqa: ARG002 - its log may come on either
        """Wait for the end of a message; the caller gets its text."""
        return math.inf if begins_in(part, b'{"level":') or begins_in(part, b'{"time":') else 0.0

    def held(self, stream: Stream) -> bytes:  # noqa: ARG002 - of neither stream
        """Nothing: each message is a line of its own."""
        return b""

    def conclude(self, exit: Exit) -> Result:
        """Conclude from the output and the exit."""
        return conclude(self._seen, exit, self._plan, self._options, self._inner)

    def _message(self, message: dict[str, Any], line: bytes) -> Fed:
        stats = message.get("stats")
        events: tuple[Event, ...]
        if isinstance(stats, dict):
            events = self._statistics(Statistics.of(stats))
        else:
            events = self._said(
                _level(message), str(message["msg"]), _object(message), str(message.get("objectType", ""))
            )
        if not self._ours:
            return Fed(events, line)
        if self._drop and isinstance(stats, dict):
            return Fed(events)
        # Versions whose JSON begins with the time look at their stderr, not at a variable, to know whether the journal reads it.
        systemd = self._systemd and not line.startswith(b'{"time"')
        return Fed(events, _log_line(self._as_called(message), systemd=systemd).encode())

    def _as_called(self, message: dict[str, Any]) -> dict[str, Any]:
        """Return the message; the one that repeats the command (`-vv`) without our flags."""
        text = message["msg"]
        if not self._added or not isinstance(text, str) or " starting with parameters [" not in text:
            return message
        return {**message, "msg": text.replace(self._added, " ", 1)}

    def _text(self, line: bytes) -> tuple[Event, ...]:
        body = strip_terminal(line)
        if whole := self._printed.take(body):
            return self._statistics(whole)
        text = plain(body)
        if match := _LINE.match(text):
            pattern = _ITEM if match["level"] in _BAD else _LEFT_OUT if match["level"] == "NOTICE" else _DONE
            name = pattern.match(match["text"])
            if name and name["item"] and not _FS.fullmatch(name["item"]) and not _ATTEMPT.match(name["item"]):
                return self._said(match["level"], name["text"], name["item"], "")
            return self._said(match["level"], match["text"], None, "")
        self._last_words(text)
        return ()

    def _last_words(self, text: str) -> bool:
        """Take the line with which rclone ends on an error, if *text* is one."""
        if match := _FATAL.match(text):
            self._seen.gave_up = True
            self._seen.now.complain(match["text"])
        return match is not None

    def _said(self, level: str, text: str, item: str | None, kind: str) -> tuple[Event, ...]:
        """Take a message of the log."""
        if item is None and self._last_words(valid(text).partition("\n")[0]):
            return ()
        if level not in _BAD:
            if text.startswith(_STOPPED):
                self._seen.now.stopped = True
            if level == "NOTICE" and item is not None and not kind.endswith("Fs") and _LEFT_OUT.match(text):
                return self._left_out(valid(text).partition("\n")[0], valid(item))
            return self._copied(text, item)
        seen = self._seen
        text = valid(text).partition("\n")[0]
        if match := _ATTEMPT.match(text):
            if match[3] == "succeeded" or int(match[1][:9]) < int(match[2][:9]):
                seen.begin_again()  # the next lines say which of the problems are still there
        elif item is not None and not kind.endswith("Fs"):
            seen.now.complain(text, decisive=not is_reading(text))
            seen.now.problem(text, valid(item))
            return self._named.problem(text, valid(item))
        elif not _ECHO.match(text):
            seen.general = True
            seen.now.complain(text, decisive=True)
        return ()

    def _left_out(self, text: str, item: str) -> tuple[Event, ...]:
        self._seen.left.problem(text, item)
        return self._named.problem(text, item)

    def _copied(self, text: str, item: str | None) -> tuple[Event, ...]:
        """With `-v` each file is named when it is there; between two statistics that is the progress."""
        if item is None or not text.startswith(_COPIED):
            return ()
        self._seen.copied += 1
        return (self._settled.copied(valid(item), self._seen.copied, self._named.errors),)

    def _statistics(self, stats: Statistics) -> tuple[Event, ...]:
        self._seen.stats = stats
        progress: Progress = self._settled.take(stats, self._named.errors)
        return (progress,)


def _quoted(word: str) -> str:
    return f'"{word}"'


def _decode(line: bytes) -> dict[str, Any] | None:
    """Return the message of the log in *line*, or None."""
    match = decode(line)
    return match if match is not None and "level" in match and "msg" in match else None


def _object(message: Mapping[str, Any]) -> str | None:
    name = message.get("object")
    return str(name) if name is not None else None


def _level(message: Mapping[str, Any]) -> str:
    """Return the level of a message as the plain log names it."""
    name = message.get("level")
    return _SAME_LEVEL.get(name, name.upper()) if isinstance(name, str) else "NOTICE"


def _log_line(message: Mapping[str, Any], *, systemd: bool) -> str:
    """Return the line (or lines, a message may hold several) that stands for *message* in the plain log, with its end."""
    level = _level(message)
    when = _TIME.match(str(message.get("time", "")))
    begin = f"<{_PRIORITY.get(level, 5)}>" if systemd else f"{when[1]}/{when[2]}/{when[3]} {when[4]} " if when else ""
    name = f"{message['object']}: " if "object" in message else ""
    text = valid(f"{begin}{level:<6}: {name}{message['msg']}")
    return text if text.endswith("\n") else text + "\n"
