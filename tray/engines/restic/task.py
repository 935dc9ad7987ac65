"""Read one run of another subcommand of restic, whose output the caller sees untouched.

A `restore`, `check`, `prune` or `forget` that ends well has exit code 0 and no complaint. Last words prove a good end that was not
seen ("no errors were found", "done", the summary), and its complaints tell what is wrong: a repository with errors, files that were
not restored. Of any other subcommand only the exit code and the complaints are known.

Sources: runs of 0.14 and 0.19, and for the JSON of `restore` and `check` (0.17 and later) restic's manual, "Scripting".
"""

from collections.abc import Mapping
from typing import Any

from tray.core import regex
from tray.core.model import Outcome, Phase
from tray.engines.base import Event, Exit, Fed, Progress, Result, Stream
from tray.engines.program import Inner
from tray.engines.restic.outcome import Seen, judged
from tray.engines.restic.text import error_text
from tray.engines.text import count, decode, many_problems, plain, strip_terminal, text_of, valid

_IGNORED = regex.compile(r"ignoring error for (?P<item>.+?): (?P<why>.+)")
_NUMBER = regex.compile(r"Fatal: There were (\d{1,9}) errors")
_RESTORED = regex.compile(r"Summary: Restored (\d{1,15}) (?:/ \d{1,15} )?files/dirs")
_COMPLAINTS = ("Fatal: ", 'Ignoring "', "unable to create lock")  # also where both streams are one
_GOOD = {"check": ("no errors were found",), "prune": ("done",)}
_WELL = {
    "restore": "The restore is complete",
    "check": "The repository was checked: no errors were found",
    "prune": "Snapshots and data that are no longer needed were removed from the repository",
}
_BADLY = {
    "restore": "The restore is not complete",
    "check": "The check found errors in the repository",
    "prune": "Not everything went well",
}


class TaskSession:
    """A run that restores, checks, removes, or does anything else but a backup."""

    def __init__(self, kind: str, name: str, inner: Inner, unlock: str) -> None:
        self._kind, self._name, self._inner, self._unlock = kind, name, inner, unlock
        self._seen = Seen()
        self._good = False

    def feed(self, line: bytes, stream: Stream) -> Fed:
        """Relay the same bytes."""
        if self._kind not in _WELL:
            text = plain(line) if stream is Stream.ERR else ""
            return Fed(() if not text or self._seen.stops(text) else self._seen.complained(text), line)
        body = strip_terminal(line)
        if body[:1] == b"{" and (message := decode(body)) is not None:
            return Fed(self._message(message), line)
        return Fed(self._text(plain(body), stream), line)

    def conclude(self, exit: Exit) -> Result:
        """Conclude from exit code and words together."""
        seen = self._seen
        code, done, verdict = seen.known(exit).code, "", None
        seen.stopped = seen.stopped and exit.seen  # without an end that was seen only last words count
        gave_up = code == 0 and seen.fatal
        good = code == 0 or (code is None and self._good)
        if seen.errors and (code is not None or self._good) and not gave_up:
            verdict = (Outcome.WARNING if good else Outcome.FAILED), self._problems()
        elif good and not gave_up and not exit.asked:
            done = self._well()
        return judged(seen, exit, self._inner, self._name, self._unlock, done=done, verdict=verdict)

    def _well(self) -> str:
        """Say what was done, if it is sure that it was."""
        if self._kind not in _WELL or (self._kind == "check" and not self._good):
            return f"{self._name} ended with exit code 0"  # with --quiet restic says nothing
        if self._kind == "restore" and self._seen.files is not None:
            return f"The restore is complete: {self._seen.files} files and folders"
        return _WELL[self._kind]

    def _problems(self) -> str:
        first = self._seen.problems[0] if self._seen.problems else None
        words = "" if first is None else f"{first.item}: {first.message}" if first.item else first.message
        return f"{_BADLY[self._kind]}: {many_problems(self._seen.errors)}" + (f" ({words[:300]})." if words else ".")

    def _message(self, message: dict[str, Any]) -> tuple[Event, ...]:
        match message.get("message_type"):
            case "status" if self._kind == "restore":
                return (self._status(message),)
            case "summary":
                return self._summary(message)
            case "error":
                item = text_of(message.get("item"))
                return self._seen.problem(valid(error_text(message.get("error"), item)), item or None)
            case "exit_error":
                self._seen.announced(message.get("code") or None)
                lines = text_of(message.get("message")).split("\n")
                return tuple(event for line in lines for event in self._text(line.strip(), Stream.ERR))
        return ()

    def _status(self, message: Mapping[str, Any]) -> Progress:
        total, files_total = count(message, "total_bytes"), count(message, "total_files")
        done = count(message, "bytes_restored") + count(message, "bytes_skipped")
        return Progress(
            Phase.COPYING,
            files_done=count(message, "files_restored") + count(message, "files_skipped"),
            files_total=files_total or None,
            bytes_done=min(done, 2**63 - 1),
            bytes_total=total or None,
            errors=self._seen.errors,
        )

    def _summary(self, message: Mapping[str, Any]) -> tuple[Event, ...]:
        self._good = True
        if self._kind == "restore":
            self._seen.files = count(message, "files_restored")
            self._seen.bytes_processed = count(message, "bytes_restored")
        elif self._kind == "check" and (errors := count(message, "num_errors")):
            self._good = False
            if not self._seen.errors:
                return self._seen.problem(f"restic counted {errors} errors in the repository")
        return ()

    def _text(self, text: str, stream: Stream) -> tuple[Event, ...]:
        seen = self._seen
        if match := _IGNORED.match(text):
            return seen.problem(match["why"], match["item"])
        if match := _NUMBER.match(text):
            seen.errors = max(seen.errors, int(match[1]))
        if seen.stops(text) or not text:
            return ()
        if stream is Stream.OUT and not text.startswith(_COMPLAINTS):
            self._good = self._good or text in _GOOD.get(self._kind, ())
            if self._kind == "restore" and (match := _RESTORED.match(text)):
                self._good, seen.files = True, int(match[1])
            return ()
        if text.startswith('Ignoring "'):  # forget: a snapshot that is not there
            return seen.problem(text)
        return seen.complained(text)
