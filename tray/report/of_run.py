"""What is known about one run: its end, the entry that says so, and whether that entry can be believed."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tray.core import clock
from tray.core.errors import ConfigError, RunNotFoundError, SystemViewError
from tray.core.model import EndedRun, Instance
from tray.core.paths import Places
from tray.ipc.system_client import NEWER
from tray.status import past_runs, system_history

if TYPE_CHECKING:
    from tray.audit.entry import Draft
    from tray.audit.rows import StoredEntry
    from tray.audit.verify import Verdict

DISBELIEVED = "NOT to be believed: "
"""Before the answer of a report whose log was altered: what it says is no good news then, and its sign is not green."""

LONG_LOG = 200_000
"""Entries that are verified anew for every report; it takes a second or two."""


@dataclass(frozen=True, slots=True)
class Report:
    """What is known about one run.

    Attributes:
        run: The run's end; None while only its start is on record.
        entry: Its entry; None while its record waits in the spool.
        body: Its details; None once erased.
        verdict: The verification of the whole log that holds the entry; reading it records nothing.
    """

    run: EndedRun | None
    entry: "StoredEntry | None"
    body: Mapping[str, Any] | None
    verdict: "Verdict | None"

    def to_json(self) -> dict[str, Any]:
        """Return the report as the system-wide instance tells it."""
        entry, verdict = self.entry, self.verdict
        return {
            "run": None if self.run is None else self.run.to_json(),
            "entry": None if entry is None else {"seq": entry.seq, "raw": entry.raw.decode()},
            "body": self.body,
            "verdict": None if verdict is None else verdict.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Report":
        """Build a report of the system's from one that was told.

        Raises:
            ValueError: It makes no sense.
        """
        try:
            entry, run, told = data["entry"], data["run"], data["verdict"]
            return cls(
                run=None if run is None else replace(EndedRun.from_json(run), instance=Instance.SYSTEM),
                entry=None if entry is None else _entry(entry["seq"], entry["raw"].encode(), data["body"]),
                body=data["body"],
                verdict=None if told is None else _verdict(told),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no report: {error}") from error


def find(places: Places, run: str) -> Report:
    """Return the report of the run of the whole id *run*, one of this user's own or of the system's.

    Raises:
        RunNotFoundError: There is no such run.
        BackupTrayError: The log cannot be read, or the system's instance does not answer.
    """
    try:
        return gather(places, run)
    except RunNotFoundError:
        told = system_history.report(run)
    try:
        return Report.from_json(told)
    except ValueError as error:
        raise SystemViewError(NEWER) from error


def verified(places: Places) -> "Verdict":
    """Return the verification of the log against every baseline that is kept; it records nothing.

    A very long log is checked from the end of an earlier complete check on, if there is an authentic one (`Verdict.full`).
    """
    from tray import config
    from tray.audit import last_check
    from tray.audit.verify import verify, verify_since
    from tray.baselines import all_copies

    try:
        settings = config.load(places)
    except ConfigError:
        settings = None  # the copies beside the configuration still count
    point = last_check.point(places)
    kept, pinned = all_copies.found(places, settings), all_copies.pinned(places)
    if point is not None and point.size > LONG_LOG:
        return verify_since(places.audit_db, places.audit_key, point, kept=kept, pinned=pinned)
    witness = last_check.witness(places)
    return verify(places.audit_db, places.audit_key, kept=kept, pinned=pinned, witness=witness)


def gather(places: Places, run: str, *, verify: "Callable[[], Verdict] | None" = None) -> Report:
    """Collect the report of the run of the whole id *run*, one of this log.

    Args:
        verify: Verifies the log, for callers who have done so just now.

    Raises:
        RunNotFoundError: There is no such run.
        AuditUnavailableError: The log cannot be read.
    """
    waiting = _waiting(places, run)
    with past_runs.reading(places) as log:
        entry = None if log is None else log.entry_of_run(run)
    if entry is None and waiting is None:
        raise RunNotFoundError(run)
    if waiting is not None and (entry is None or waiting.ended() is not None):
        return Report(waiting.ended(), None, waiting.body, None)
    assert entry is not None
    from tray.audit.entry import ENDS, ended_run

    ended = ended_run(entry.data, entry.body, entry.seq) if entry.data["action"] in ENDS else None
    return Report(ended, entry, entry.body, verified(places) if verify is None else verify())


def _entry(seq: int, raw: bytes, body: Mapping[str, Any] | None) -> "StoredEntry":
    from tray.audit.merkle import leaf_hash
    from tray.audit.rows import StoredEntry

    return StoredEntry(seq, raw, json.loads(raw), body, leaf_hash(raw))


def _verdict(told: Mapping[str, Any]) -> "Verdict":
    from tray.audit.verify.verdict import Result, Verdict

    return Verdict(Result(told["result"]), told["entries"], clock.from_text(told["checked_at"]), str(told["why"]))


def _waiting(places: Places, run: str) -> "Draft | None":
    from tray.audit import spool

    mine = [draft for draft in spool.pending(places) if draft.run == run]
    return mine[-1] if mine else None
