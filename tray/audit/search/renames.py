"""The names of jobs that were renamed or merged: entries keep the names under which they were recorded, readers map them.

An entry `job.renamed` says that all runs of one name, past and future, belong to another. So the log itself never changes, and a
crontab that still starts `run --job OLD` adds to the history of the job's present name.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping

from tray.audit.entry import Action, Draft
from tray.audit.rows import ENTRY, stored
from tray.audit.schema import FACET
from tray.audit.search.by_facets import range_of
from tray.audit.search.conditions import KINDS, Filter
from tray.core.dataclass import replace

_RENAMES = f"SELECT seq FROM entries INDEXED BY facet WHERE {FACET} >= ? AND {FACET} < ?"  # noqa: S608 - of a constant of ours
_OF_KIND = tuple(f" ({kind})" for kind in KINDS)


class Names:
    """The present names of jobs, by the names on record.

    Args:
        renames: Old and new name of each renaming, the oldest first. A name that a later one gives is present again.
    """

    def __init__(self, renames: Iterable[tuple[str, str]] = ()) -> None:
        self._present: dict[str, str] = {}
        self._take(renames)

    def _take(self, renames: Iterable[tuple[str, str]]) -> None:
        for old, new in renames:
            if old != new:
                self._present = {name: new if now == old else now for name, now in self._present.items()}
                self._present[old] = new
                self._present.pop(new, None)

    def with_renames(self, renames: Iterable[tuple[str, str]]) -> "Names":
        """Return these names after further *renames*: those whose entries still wait for the log."""
        more = list(renames)
        if not more:
            return self
        names = Names()
        names._present = dict(self._present)
        names._take(more)
        return names

    def with_owners(self, owners: Mapping[str, str]) -> "Names":
        """Return these names, and those of jobs that belong to another one by the configuration: *owners*, by name."""
        more = {old: self.present(owner) for old, owner in owners.items() if old not in self._present and old != owner}
        if not more:
            return self
        names = Names()
        names._present = {name: more.get(now, now) for name, now in self._present.items()} | more
        return names

    @property
    def renamed(self) -> Mapping[str, str]:
        """The present name by each name that is not present any more."""
        return self._present

    def present(self, name: str) -> str:
        """Return the present name of the job that is on record as *name*; "home (check)" follows "home"."""
        if not self._present or name in self._present:
            return self._present.get(name, name)
        suffix = next((suffix for suffix in _OF_KIND if name.endswith(suffix)), "")
        base = name.removesuffix(suffix)
        return self._present.get(base, base) + suffix

    def base(self, name: str) -> str:
        """Return the present name of the job that is on record as *name*; of "home (check)" that of "home"."""
        now = self.present(name)
        return now.removesuffix(next((suffix for suffix in _OF_KIND if now.endswith(suffix)), ""))

    def recorded(self, name: str) -> tuple[str, ...]:
        """Return every name under which runs of the job *name* may be on record; *name* may be any one of them."""
        now = self.present(name)
        if not self._present:
            return (name,)
        suffix = next((suffix for suffix in _OF_KIND if now.endswith(suffix)), "")
        base = now.removesuffix(suffix)
        former = (old for old, new in self._present.items() if new == now)
        of_base = (old + suffix for old, new in self._present.items() if suffix and new == base)
        return tuple(dict.fromkeys((now, *former, *of_base)))

    def widened(self, wanted: Filter) -> Filter:
        """Return *wanted* with every recorded name of each job in it."""
        if not self._present or not wanted.job:
            return wanted
        return replace(wanted, job=tuple(dict.fromkeys(name for job in wanted.job for name in self.recorded(job))))


NONE = Names()
"""No job was renamed."""


def waiting(drafts: Iterable[Draft]) -> list[tuple[str, str]]:
    """Return old and new name of each renaming among *drafts*, which wait for the log, in their order."""
    renamed = (draft for draft in drafts if draft.action is Action.JOB_RENAMED and draft.job is not None)
    return [
        (old, draft.job) for draft in renamed if isinstance(old := (draft.body or {}).get("from"), str) and draft.job
    ]


def read(connection: sqlite3.Connection) -> Names:
    """Return the names that the log gives to jobs; costs one look into an index where no job was renamed."""
    numbers = sorted(seq for (seq,) in connection.execute(_RENAMES, range_of([Action.JOB_RENAMED])))
    return Names(_pairs(connection, numbers)) if numbers else NONE


def _pairs(connection: sqlite3.Connection, numbers: Iterable[int]) -> Iterator[tuple[str, str]]:
    for seq in numbers:
        entry = stored(connection.execute(f"{ENTRY} entries.seq = ?", (seq,)).fetchone())
        old, new = (entry.body or {}).get("from"), entry.data["job"]
        if isinstance(old, str) and isinstance(new, str):  # an erased body renames nothing any more
            yield old, new
