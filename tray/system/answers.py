"""Answer questions about past runs from root's log and run folders; answering changes nothing."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from tray import ipc, runs
from tray.core import clock
from tray.core.errors import BackupTrayError, RunNotFoundError
from tray.core.paths import Places
from tray.report import of_run
from tray.status import past_runs, run_ids
from tray.status.system_status import ended

ROWS = 200
"""Runs in one answer at most."""
VERIFIED_SECONDS = 60.0
"""Time for which a verification of the whole log is good, as long as the log has the same size and root."""
LONGEST_REST = 2.0


class Answers:
    """Answers to one question at a time; after each it rests as long as it worked, so that clients use half a core at most."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._rested = 0.0
        self._verdict: tuple[object, float, Any] | None = None
        self._known: Mapping[str, Callable[[ipc.Message], ipc.Message]] = {
            "history": self._history,
            "report": self._report,
            "log": self._log,
        }

    def knows(self, kind: str) -> bool:
        """Whether this kind of question has an answer."""
        return kind in self._known

    def answer(self, question: ipc.Message) -> bytes:
        """Return the line that answers *question*; a question that makes no sense raises ValueError."""
        time.sleep(max(self._rested - clock.monotonic(), 0.0))
        began = clock.monotonic()
        try:
            line = ipc.encode(self._known[question["type"]](question))
            if len(line) > ipc.MAX_REPLY:
                line = _failed(BackupTrayError("The answer is too long.", next="Ask as root, on this machine."))
        except BackupTrayError as error:
            line = _failed(error)
        except OSError as error:
            line = _failed(BackupTrayError("The system's record cannot be read.", why=f"{error.strerror or error}."))
        now = clock.monotonic()
        self._rested = now + min(now - began, LONGEST_REST)
        return line

    def _history(self, question: ipc.Message) -> ipc.Message:
        limit = max(1, min(_number(question, "limit") or ROWS, ROWS))
        before = _number(question, "before")
        job = question.get("job")
        if not isinstance(job, str | None):
            raise ValueError("job must be text")
        if before is None:
            past = past_runs.history(self._places, limit=limit, job=job)
        else:
            with past_runs.reading(self._places) as log:
                past = [] if log is None else log.history(limit=limit, before=before, job=job)
        more = len(past) >= limit and past[-1].entry is not None
        rows = [ended(run).to_json() for run in past]
        return {"type": "history", "runs": rows, "next": past[-1].entry if more else None}

    def _report(self, question: ipc.Message) -> ipc.Message:
        run = run_ids.resolve(self._places, _run(question), system=False)
        return {"type": "report", "report": of_run.gather(self._places, run, verify=self._verified).to_json()}

    def _log(self, question: ipc.Message) -> ipc.Message:
        run, offset = _run(question), _number(question, "offset") or 0
        folder = runs.find(self._places, run_ids.resolve(self._places, run, system=False))
        text, after = runs.read_log(self._places, folder.run, offset)
        live = folder.path.parent.name == "live" and folder.wrapped
        return {"type": "log", "run": folder.run, "text": text, "next": after, "live": live}

    def _verified(self) -> Any:
        with past_runs.reading(self._places) as log:
            head = None if log is None else log.head()[:2]
        known = self._verdict
        if known is None or known[0] != head or clock.monotonic() - known[1] > VERIFIED_SECONDS:
            known = self._verdict = (head, clock.monotonic(), of_run.verified(self._places))
        return known[2]


def _failed(error: BackupTrayError) -> bytes:
    return ipc.encode({"type": "failed", "error": error.facts()})


def _run(question: ipc.Message) -> str:
    run = question.get("run")
    if not isinstance(run, str) or len(run) > 64:
        raise ValueError("run must be the beginning of an id")
    if run != "last" and not (run and all(letter in "0123456789abcdef-" for letter in run)):
        raise RunNotFoundError(run)
    return run


def _number(question: ipc.Message, key: str) -> int | None:
    number = question.get(key)
    if number is None:
        return None
    if type(number) is not int or not 0 <= number < 2**53:
        raise ValueError(f"{key} must be a whole number that is not negative")
    return number
