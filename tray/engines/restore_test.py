"""Read a run of `backup-tray check`, whose command is `tray.jobs.proof`: the engine's check and a small restore.

That command prints one JSON object a line; the caller sees the object's `text` in its place. Lines of the engine come indented, so
nothing that an engine or a file name says can be taken for one of these objects. Every object has `text`, and one of

    problem, item     a restored file that differs, or another problem
    done, total       progress: files, compared and chosen
    outcome, reason   the result: succeeded, warning or failed; with `advice` and `proof`, if there is one
"""

import signal
from collections.abc import Mapping, Sequence
from typing import Any

from tray.core.dataclass import replace
from tray.core.model import Outcome, Phase
from tray.core.redact import Redactor
from tray.engines.base import API, STOP, Event, Exit, Fed, Plan, Progress, Result, Stop, Stream, Traits
from tray.engines.findings import Findings, conclude
from tray.engines.program import unwrap
from tray.engines.text import count, decode, text_of, valid

NAME = "The check"
_OUTCOMES = {
    Outcome.SUCCEEDED.value: Outcome.SUCCEEDED,
    Outcome.WARNING.value: Outcome.WARNING,
    Outcome.FAILED.value: Outcome.FAILED,
}


class RestoreTest(Traits):
    """The adapter of such a run; on record is the engine that did the work.

    Args:
        engine: Name of that engine.
        repository: Its repository, as the user named it; None if it is not known.
    """

    api = API
    stop: Stop = ((signal.SIGINT, 60.0), (signal.SIGTERM, 20.0), STOP[-1])

    def __init__(self, engine: str, repository: str | None) -> None:
        self.name, self._repository = engine, repository

    def recognises(self, program: str) -> bool:  # noqa: ARG002 - the contract
        """Recognise no program: `backup-tray check` names this adapter itself."""
        return False

    def plan(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> Plan:  # noqa: ARG002 - the contract
        """Start *argv* as it is."""
        place = None if self._repository is None else Redactor((), environ).text(self._repository)
        return Plan(tuple(argv), "check", {}, place, spool_stdout=True, ours=True)

    def session(self, plan: Plan) -> "RestoreTestSession":
        """Begin to read one run."""
        return RestoreTestSession(plan)

    def unlock(self, plan: Plan) -> str | None:  # noqa: ARG002 - the contract
        """Name no command: a check takes no lock."""
        return None


class RestoreTestSession:
    """One run of a check."""

    def __init__(self, plan: Plan) -> None:
        self._inner = unwrap(plan.argv, {})
        self._seen = Findings()
        self._said: dict[str, Any] | None = None

    def feed(self, line: bytes, stream: Stream) -> Fed:
        """Take one line; an object of ours becomes its text."""
        said = decode(line) if line[:1] == b"{" and stream is Stream.OUT else None
        if said is None:
            return Fed(relay=line)
        text = text_of(said.get("text"))
        return Fed(self._events(said), f"{text}\n".encode() if text else b"")

    def _events(self, said: dict[str, Any]) -> tuple[Event, ...]:
        if "outcome" in said:
            self._said = said
        elif "problem" in said:
            return self._seen.problem(text_of(said["problem"]), text_of(said.get("item")) or None)
        elif "done" in said:
            return (Progress(Phase.COPYING, files_done=count(said, "done"), files_total=count(said, "total")),)
        return ()

    def conclude(self, exit: Exit) -> Result:
        """Conclude from the last object, which the exit code must confirm."""
        said = self._said or {}
        outcome = _OUTCOMES.get(text_of(said.get("outcome")), Outcome.FAILED)
        agreed = self._said is not None and (exit.code == 0) == (outcome is Outcome.SUCCEEDED)
        verdict = (outcome, valid(text_of(said.get("reason")))[:2000]) if agreed else None
        result = conclude(self._seen, exit, self._inner, name=NAME, verdict=verdict)
        if verdict is None or (result.outcome, result.reason) != verdict:
            return result
        proof = said.get("proof")
        if isinstance(proof, dict) and outcome is not Outcome.FAILED:
            result = replace(result, proof=proof, files=count(proof, "files"), bytes_processed=count(proof, "bytes"))
        return replace(result, advice=text_of(said.get("advice")) or None)
