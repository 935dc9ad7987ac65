"""Judge a check: which snapshot it is about, and whether the restored files prove that a backup can be restored. Pure."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from tray.core.dataclass import dataclass
from tray.core.model import Outcome
from tray.engines.proving import Item, Snapshot
from tray.jobs.samples import Match
from tray.wording import plural, size


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a check, as the last line says it.

    Attributes:
        proof: files, bytes, snapshot and how they were compared; None if nothing was.
    """

    outcome: Outcome
    reason: str
    advice: str | None = None
    proof: Mapping[str, Any] | None = None


def newest(known: Sequence[Snapshot], sources: Sequence[str]) -> Snapshot | None:
    """Return the newest snapshot of *sources*; without known sources the newest of all."""
    fit = [snapshot for snapshot in known if snapshot.sources is None or _holds(snapshot.sources, sources)]
    return max(fit, key=lambda snapshot: snapshot.time_ms, default=None)


def _holds(paths: Sequence[str], sources: Sequence[str]) -> bool:
    """Whether a snapshot of *paths* holds all *sources*; a relative one may be named as it is, or from the root."""
    known = set(map(os.path.normpath, paths))
    return all({os.path.normpath(source), os.path.abspath(source)} & known for source in sources)


def named(snapshot: Snapshot) -> str:
    """Return "snapshot 4f3c21ab", or "the copy" of an engine that makes only one."""
    return f"snapshot {snapshot.id[:16]}" if snapshot.id else "the copy"


def judged(snapshot: Snapshot, compared: Sequence[tuple[Item, Match, bool]], doubt: str) -> Verdict:
    """Return the result where no restored file is wrong.

    Args:
        compared: Each file, how it compares with its source, and whether it equals the hash in the snapshot.
        doubt: The engine's warning; empty if it has none.
    """
    proven = [(item, match, by_hash) for item, match, by_hash in compared if match is Match.SAME or by_hash]
    ways_of = {
        "with the source": sum(match is Match.SAME for _, match, _ in proven),
        "with the snapshot's hash": sum(match is not Match.SAME for _, match, _ in proven),
    }
    changed = sum(match is Match.CHANGED for _, match, _ in compared)
    if not proven:
        but = "all of them have changed since" if changed == len(compared) else "their sources are not there or changed"
        return unproven(f"{plural(len(compared), 'file')} could be restored, but {but}")
    total = sum(item.size for item, _, _ in proven)
    how = " and ".join(f"{number} {way}" for way, number in ways_of.items() if number)
    reason = (
        f"Proven restorable: {plural(len(proven), 'file')}, {size(total)}, of {named(snapshot)} "
        f"restored and compared, {how}"
    )
    if changed:
        reason += f"; {changed} changed since the backup"
    proof = {
        "files": len(proven),
        "bytes": total,
        "snapshot": snapshot.id or None,
        "how": how,
        "changed_since": changed,
        "restored": len(compared),
    }
    if doubt:
        return Verdict(Outcome.WARNING, f"{reason}; but the check warns: {doubt}", proof=proof)
    return Verdict(Outcome.SUCCEEDED, f"{reason}.", proof=proof)


def unproven(why: str, advice: str | None = None) -> Verdict:
    """Return the result of a check that compared nothing: a warning."""
    return Verdict(Outcome.WARNING, f"Nothing was proven: {why}.", advice)
