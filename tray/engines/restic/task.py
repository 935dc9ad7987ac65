"""One run of `restic restore`, `check`, `prune` or `forget`: its output is relayed untouched, and read for what it came to.

A task that ends well has exit code 0 and no complaint. Last words prove a good end that nobody saw ("no errors were found",
"done", the summary), and its complaints tell what is wrong: a repository with errors, files that were not restored.

Sources: runs of 0.14 and 0.19, and for the JSON of `restore` and `check` (0.17 and later) restic's manual, "Scripting".
"""

import re
from collections.abc import Mapping
from typing import Any

from tray.core.model import Outcome, Phase
from tray.engines.base import MAX_PROBLEMS, Event, Exit, Fed, Problem, Progress, Result, Stream
from tray.engines.findings import conclude_by_code
from tray.engines.program import Inner
from tray.engines.restic.complaints import STOPPED, Complaints
from tray.engines.restic.items import Items
from tray.engines.restic.reasons import is_locked, lock_advice, reason
from tray.engines.restic.text import error_text
from tray.engines.text import count, decode, many_problems, plain, strip_terminal, text_of, valid

_IGNORED = re.compile(r"ignoring error for (?P<item>.+?): (?P<said>.+)")
_NUMBER = re.compile(r"Fatal: There were (\d{1,9}) errors")
_RESTORED = re.compile(r"Summary: Restored (\d{1,15}) (?:/ \d{1,15} )?files/dirs")
_COMPLAINTS = ("Fatal: ", 'Ignoring "', "unable to create lock")  # also where both streams are one
_GOOD = {"check": ("no errors were found",), "prune": ("done",), "restore": ()}
_WELL = {
    "restore": "The restore is complete.",
    "check": "The repository was checked: no errors were found.",
    "prune": "What is no longer needed was removed from the repository.",
}
_BADLY = {
    "restore": "The restore is not complete",
    "check": "The check found errors in the repository",
    "prune": "Not everything went well",
}


class TaskSession:
    """A run that restores, checks or removes."""

    def __init__(self, kind: str, name: str, inner: Inner, unlock: str) -> None:
        self._kind, self._name, self._inner, self._unlock = kind, name, inner, unlock
        self._complaints = Complaints()
        self._items = Items()
        self._problems: list[Problem] = []
        self._errors = 0
        self._good = False
        self._stopped = False
        self._said_code: int | None = None
        self._files: int | None = None
        self._bytes: int | None = None

    def feed(self, line: bytes, stream: Stream) -> Fed:
        """Relay the same bytes."""
        body = strip_terminal(line)
        if body[:1] == b"{" and (message := decode(body)) is not None:
            return Fed(self._message(message), line)
        return Fed(self._text(plain(body), stream), line)

    def conclude(self, exit: Exit) -> Result:
        """Conclude from exit code and words together."""
        known = exit if exit.seen else Exit(self._said_code, asked=exit.asked)
        outcome, why = self._outcome(known)
        return Result(
            outcome,
            why,
            self._files,
            self._bytes,
            errors=self._errors,
            problems=tuple(self._problems),
            advice=lock_advice(exit, self._complaints.text, self._unlock),
            locked=is_locked(self._complaints.text, exit),
        )

    def _outcome(self, exit: Exit) -> tuple[Outcome, str]:
        bad = self._errors > 0
        if not exit.seen and self._good and not self._inner.opaque and not exit.asked:
            return Outcome.SUCCEEDED if not bad else Outcome.WARNING, self._well("") if not bad else self._bad()
        outcome, why = conclude_by_code(self._name, exit, opaque=self._inner.opaque)
        if outcome is Outcome.SUCCEEDED:
            if self._complaints.fatal:
                return Outcome.FAILED, self._why(exit)
            return (Outcome.WARNING, self._bad()) if bad else (Outcome.SUCCEEDED, self._well(why))
        if outcome is Outcome.FAILED and exit.signal is None:
            if (exit.code == 130 or self._stopped) and not (self._inner.timed and exit.code == 124):
                return Outcome.CANCELLED, f"{self._name} was stopped by a signal."
            if bad:
                return Outcome.FAILED, self._bad()
            if self._complaints.text:
                return Outcome.FAILED, self._why(exit)
        if outcome is Outcome.LOST and self._complaints.fatal:
            return Outcome.FAILED, self._why(exit)
        return outcome, why

    def _why(self, exit: Exit) -> str:
        return reason(self._complaints.all, exit, self._complaints.first.rstrip(":"))

    def _well(self, why: str) -> str:
        """Say what was done, if it is sure that it was."""
        if self._kind == "check" and not self._good:
            return why  # with --quiet restic says nothing
        if self._kind == "restore" and self._files is not None:
            return f"The restore is complete: {self._files} files and folders."
        return _WELL[self._kind]

    def _bad(self) -> str:
        many = many_problems(self._errors)
        first = self._problems[0] if self._problems else None
        said = "" if first is None else f"{first.item}: {first.message}" if first.item else first.message
        return f"{_BADLY[self._kind]}: {many}" + (f" ({said[:300]})." if said else ".")

    def _message(self, message: dict[str, Any]) -> tuple[Event, ...]:
        match message.get("message_type"):
            case "status" if self._kind == "restore":
                return (self._status(message),)
            case "summary":
                return self._summary(message)
            case "error":
                item = text_of(message.get("item"))
                return self._problem(Problem(valid(error_text(message.get("error"), item)), item or None))
            case "exit_error":
                code = message.get("code")
                if type(code) is int and 0 < code <= 255:
                    self._said_code = code
                events: tuple[Event, ...] = ()
                for one in text_of(message.get("message")).split("\n"):
                    events += self._text(one.strip(), Stream.ERR)
                return events
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
            errors=self._errors,
        )

    def _summary(self, message: Mapping[str, Any]) -> tuple[Event, ...]:
        self._good = True
        if self._kind == "restore":
            self._files = count(message, "files_restored")
            self._bytes = count(message, "bytes_restored")
        elif self._kind == "check" and (errors := count(message, "num_errors")):
            self._good = False
            if not self._errors:
                return self._problem(Problem(f"restic counted {errors} errors in the repository"))
        return ()

    def _text(self, said: str, stream: Stream) -> tuple[Event, ...]:
        if found := _IGNORED.match(said):
            return self._problem(Problem(found["said"], found["item"]))
        if found := _NUMBER.match(said):
            self._errors = max(self._errors, int(found[1]))
        if STOPPED.search(said):
            self._stopped = True
        elif stream is Stream.OUT and not said.startswith(_COMPLAINTS):
            self._good = self._good or said in _GOOD[self._kind]
            if self._kind == "restore" and (found := _RESTORED.match(said)):
                self._good, self._files = True, int(found[1])
        elif said.startswith('Ignoring "'):  # forget: a snapshot that is not there
            return self._problem(Problem(said))
        elif said:
            fatal = self._complaints.add(said)
            return (Problem(said[7:], fatal=True),) if fatal else ()
        return ()

    def _problem(self, problem: Problem) -> tuple[Event, ...]:
        if not self._items.is_new(problem.item or problem.message):
            return ()
        self._errors += 1
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(problem)
        return (problem,)
