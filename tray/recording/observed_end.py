"""Judge a run that was started without the wrapper: its output was not seen, only its end and its repository.

| seen | outcome |
| --- | --- |
| exit status that the engine's own table calls failed, warning or cancelled | that |
| exit code 0 of an engine that means it (borg, rclone, `rsync -a`, tar) | succeeded |
| exit code 0 of restic, a new snapshot, all sources still there | succeeded |
| the same, but a source is not there | warning |
| exit code 0 of restic, and no new snapshot, or it may be of another run, or a source may have been missing | unknown |
| any of these successes, but its sources stand in a list that each run has anew: another backup may have the same name | unknown |
| exit code 0 of another engine that exits 0 although something is missing (duplicity, rsync without `-r`) | unknown |
| only that it ended: restic, a new snapshot, a source is not there | warning |
| only that it ended, anything else; also with a new snapshot, which restic makes too where it could not read some files | unknown |
| not even that: no tracker was there. restic, and just one snapshot since, soon after the last sign of life | as above |
| not even that, anything else | unknown |

All of them are *inferred*, since no wrapper saw the run. "A new snapshot" was completed between start and end, while no other
run that we know of used the repository, which must be on a local disk.
"""

import os
from typing import Any

from tray import engines
from tray.core import clock
from tray.core.dataclass import replace
from tray.core.model import BACKUP, Outcome
from tray.engines.base import Exit, Fed, Plan, Result, Session, Stream
from tray.repository import local, new_snapshots
from tray.runs import RunInfo, disk_space

_SHARED = (
    "but which backup it was is not known: its sources stand in a list that is another file at each run. "
    "Put `backup-tray run --job NAME --` before the command."
)
SOON_MS = 12 * 3_600_000
"""Time after the last sign of life in which a snapshot may still be that of a run whose end was not seen."""


def conclude(info: RunInfo, last_sign_ms: int) -> tuple[Result, Exit, int, int | None]:
    """Return the run's result, its exit as far as it was seen, when it ended, and how many milliseconds it took, if known.

    Args:
        last_sign_ms: Time when it was last seen alive, for a run whose end was not seen.
    """
    seen = info.seen or {}
    how, finished = _exit(seen), max(_number(seen.get("finished_ms")) or last_sign_ms, info.started_ms)
    if "finished_ms" not in seen:
        seen = {**seen, **_looked(info, seen, last_sign_ms)}
    result = _result(info, seen, how)
    took = finished - info.started_ms if "finished_ms" in seen else None
    return result, how, finished, took


def evidence(info: RunInfo, snapshot: str | None) -> dict[str, Any]:
    """Return the facts by which the run is known, for the body of its entry."""
    seen, child = info.seen or {}, info.child
    return {
        "start": "seen in the process list",
        "noticed_at": _text(seen.get("noticed_ms")),
        "pid": None if child is None else child.pid,
        "process_start": None if child is None else child.start,
        "uid": seen.get("uid"),
        "end": seen.get("how", "not seen"),
        "exit_code": seen.get("code"),
        "signal": seen.get("signal"),
        "repository": None
        if snapshot is None
        else f"new snapshot {snapshot[:8]}" + (f" at {when}" if (when := _text(seen.get("snapshot_ms"))) else ""),
    }


def judge(engine: str, plan: Plan, exit: Exit, seen: dict[str, Any]) -> Result:
    """Return the result of an engine's run from its exit and its repository; see the module.

    Args:
        exit: Its exit, as far as it is known.
        seen: snapshot (id or None), missing (sources that are not there), sure (nothing else may be missing), alone (no other
            run used the repository).
    """
    by_exit = engines.named(engine).session(plan).conclude(exit) if exit.seen else None
    if by_exit is not None and not (by_exit.outcome is Outcome.UNKNOWN and exit.code == 0):
        return by_exit
    begin = f"{engine} ended with exit code 0" if exit.seen else f"{engine} ended, and its exit code was not seen"
    snapshot = seen.get("snapshot")
    if plan.kind != "backup" or not engines.named(engine).proves or not snapshot or not seen.get("alone", True):
        why = f"{begin}, so how it ended is not known." if by_exit is None else by_exit.reason
        return Result(Outcome.UNKNOWN, why)
    made = f"{begin}, and snapshot {snapshot[:8]} is new in the repository"
    missing = [str(source) for source in seen.get("missing") or ()]
    if missing:
        return Result(
            Outcome.WARNING,
            f"{made}, but a source does not exist: {missing[0]}.",
            errors=len(missing),
            snapshot=snapshot,
        )
    if not exit.seen:  # exit code 3: some files could not be read, and the snapshot is there
        why = f"{made}, but whether it could read everything is not known."
        return Result(Outcome.UNKNOWN, why, snapshot=snapshot)
    if not seen.get("sure"):
        return Result(
            Outcome.UNKNOWN, f"{made}, but whether all its sources were there is not known.", snapshot=snapshot
        )
    return Result(Outcome.SUCCEEDED, f"{made}.", snapshot=snapshot)


class Unread:
    """The session of a wrapped run whose output is not read, because the command's own output could then fail (`ulimit -f`).

    Where the engine's exit code 0 alone proves nothing, the repository may tell the rest.
    """

    def __init__(self, session: Session, plan: Plan, engine: str) -> None:
        self._session, self._engine = session, engine
        self._plan = replace(plan, sources=tuple(map(_absolute, plan.sources)))
        self._began_ms = clock.now_ms()
        self._gone, self._sure = new_snapshots.missing(self._plan.sources) if self._proves else ([], False)

    @property
    def _proves(self) -> bool:
        return engines.named(self._engine).proves and self._plan.kind == BACKUP

    def feed(self, line: bytes, stream: Stream) -> Fed:
        """Pass one line on; there are none."""
        return self._session.feed(line, stream)

    def conclude(self, exit: Exit) -> Result:
        """Return the result of the run."""
        result = self._session.conclude(exit)
        if result.outcome is Outcome.FAILED and exit.code and (most := disk_space.file_limit()) is not None:
            why = f"Its output was not read, since files may have at most {most:,} bytes here (`ulimit -f`), which may be why."
            return replace(result, reason=f"{result.reason} {why}")
        if result.outcome is not Outcome.UNKNOWN or exit.code != 0 or not self._proves:
            return result
        folder = local.folder(self._engine, self._plan.repository, os.getcwd())
        repository = self._plan.repository if folder is None else str(folder)
        made = new_snapshots.snapshots(self._engine, repository, self._began_ms, clock.now_ms())
        gone, sure = new_snapshots.missing(self._plan.sources)
        seen = {"missing": sorted({*self._gone, *gone}), "sure": sure and self._sure, "alone": len(made) == 1}
        return judge(self._engine, self._plan, exit, {**seen, "snapshot": made[-1][1] if made else None})


def _absolute(source: str) -> str:
    return source if source.startswith("listed in ") else os.path.abspath(source)


def _result(info: RunInfo, seen: dict[str, Any], exit: Exit) -> Result:
    result = judge(info.engine, Plan(info.command, info.kind, {}, info.repository, info.sources), exit, seen)
    if seen.get("shared") and result.outcome is Outcome.SUCCEEDED:  # it must not hide the failure of another backup
        result = Result(Outcome.UNKNOWN, f"{result.reason.rstrip('.')}, {_SHARED}")
    return replace(result, errors=max(result.errors, int(result.outcome is Outcome.FAILED)))


def _looked(info: RunInfo, seen: dict[str, Any], last_sign_ms: int) -> dict[str, Any]:
    """Return the facts from the repository of a run whose end was not seen."""
    if not seen.get("here") or info.kind != "backup":
        return {}
    made = new_snapshots.snapshots(info.engine, info.repository, info.started_ms, clock.now_ms())
    if len(made) != 1 or made[0][0] > last_sign_ms + SOON_MS:
        return {}
    gone, sure = new_snapshots.missing(info.sources)
    return {
        "snapshot": made[0][1],
        "snapshot_ms": made[0][0],
        "missing": sorted({*seen.get("missing", ()), *gone}),
        "sure": sure and bool(seen.get("sure")),
    }


def _exit(seen: dict[str, Any]) -> Exit:
    return Exit(_number(seen.get("code")), _number(seen.get("signal")))


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(ms: object) -> str | None:
    return clock.to_text(ms) if isinstance(ms, int) else None
