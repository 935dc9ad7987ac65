"""The words of the product as frozen data: states, outcomes, runs, and the one status that every surface shows.

Times are `*_ms` (see `core.clock`), sizes bytes, rates bytes per second, None means unknown. `to_json` gives the fixed form of
`status --json`; `from_json` validates what comes from elsewhere. Nothing here does I/O.

runs.py    LiveRun, EndedRun, Step, and the closed lists of words
status.py  JobStatus, RepositoryState, AuditStanding, Status
expectation.py  how a job stands against its rhythm
judge.py   the status from the histories of all jobs
"""

from tray.core.model.expectation import Expectation, Word
from tray.core.model.runs import (
    BACKUP,
    CHECK,
    DRY_RUN,
    MAX_CURRENT,
    MAX_STEPS,
    WORST_FIRST,
    Control,
    EndedRun,
    Instance,
    LiveRun,
    Outcome,
    Phase,
    Proof,
    Source,
    State,
    Step,
    clip,
    proof_of,
    steps_of,
)
from tray.core.model.status import AuditStanding, Expected, JobHistory, JobStatus, RepositoryState, Status, shown_name

__all__ = [
    "BACKUP",
    "CHECK",
    "DRY_RUN",
    "MAX_CURRENT",
    "MAX_STEPS",
    "WORST_FIRST",
    "AuditStanding",
    "Control",
    "EndedRun",
    "Expectation",
    "Expected",
    "Instance",
    "JobHistory",
    "JobStatus",
    "LiveRun",
    "Outcome",
    "Phase",
    "Proof",
    "RepositoryState",
    "Source",
    "State",
    "Status",
    "Step",
    "Word",
    "clip",
    "proof_of",
    "shown_name",
    "steps_of",
]
