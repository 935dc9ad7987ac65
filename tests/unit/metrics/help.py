"""Jobs and runs for the tests of the figures."""

from typing import Any

from tray.core.model import EndedRun, JobStatus, Outcome, State

NOW = 1_790_000_000_500


def run(outcome: Outcome = Outcome.SUCCEEDED, **more: Any) -> EndedRun:
    """A run that ended now."""
    fields = {"run": "id", "job": "home", "engine": "restic", "started_ms": NOW - 1000, "finished_ms": NOW}
    return EndedRun(**(fields | {"outcome": outcome, "repository": "/disk"} | more))


def job(name: str, state: State, last: EndedRun | None, **more: Any) -> JobStatus:
    """A job whose last run was good if it succeeded."""
    good = last if last is not None and last.outcome is Outcome.SUCCEEDED else None
    return JobStatus(name, state, last, **({"last_good": good} | more))
