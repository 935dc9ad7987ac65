"""The page History: ended runs of this user and of the system in one list, newest first, filtered, a page at a time.

Two logs are read, each on from its own place and in its own order, which is that of its records; see `judge.woven`. A page ends
where one of the two may know more.
"""

from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final

from tray import wording
from tray.core import clock
from tray.core.errors import SystemViewError
from tray.core.model import EndedRun, judge
from tray.core.paths import Places
from tray.status import past_runs, system_history
from tray.window import bridge, filters, view

if TYPE_CHECKING:
    from tray.audit.store import AuditLog

PAGE: Final = 50
_ASKED: Final = 200
_LOOKS: Final = 10
"""The service of the system does not filter: so many times it is asked for more before the page says how far it looked."""
_END: Final = "end"
Place = Mapping[str, Any]


def place(value: object) -> Place | None:
    """Check for the `next` of a page of this module (a `bridge.Check`)."""
    if value is None:
        return None
    if not isinstance(value, dict) or value.keys() != {"own", "system"}:
        raise ValueError("a place in the history is needed")
    own = value["own"] if value["own"] == _END else bridge.cursor(value["own"])
    system = value["system"] if value["system"] == _END else bridge.number_or_none(value["system"])
    return {"own": own, "system": system}


def runs(places: Places, fields: filters.Fields, after: Place | None) -> dict[str, Any]:
    """Return a page of the ended runs that the form asks for, and where the next one begins (None at the end).

    Args:
        after: The `next` of the page before, None for the newest.

    Raises:
        BackupTrayError: The log cannot be read, or a day is none.
    """
    now = clock.now_ms()
    own = _Own(places, fields, after, now)
    system = _System(fields, after, now)
    shown = [*own.waiting, *_page(own, system)]
    more = len(shown) < len(own.waiting) + len(own.runs) + len(system.runs) or own.more or system.more
    rest = {"own": own.rest(shown), "system": system.rest(shown)} if more else None
    return {
        "rows": [view.ended(run, now) for run in shown],
        "next": rest,
        "missing": system.missing,
        "note": " ".join(filter(None, (view.looked(own.looked_to_ms, now), system.note(now)))),
    }


def _page(own: "_Own", system: "_System") -> list[EndedRun]:
    """Return the runs of both logs that can be shown: up to a page, and none before which the other log may have another one."""
    woven = judge.woven(own.runs, system.runs)
    ends = [PAGE]
    if own.more:
        ends.append(woven.index(own.runs[-1]) + 1 if own.runs else 0)
    if system.more:
        last = woven.index(system.runs[-1]) + 1 if system.runs else 0
        ends.append(last + sum(1 for _ in takewhile(lambda run: run.finished_ms >= system.edge_ms, woven[last:])))
    return woven[: min(ends)]


class _Own:
    """This user's runs from a place on: those of the log, and before the first of them those whose record waits."""

    def __init__(self, places: Places, fields: filters.Fields, after: Place | None, now: int) -> None:
        self._from = None if after is None else after["own"]
        self._cursors: dict[str, Any] = {}
        self.runs: list[EndedRun] = []
        self.more = False
        self._next: Any = None
        self.looked_to_ms: int | None = None
        with past_runs.reading(places) as log:
            if log is not None and self._from != _END:
                self._read(log, fields, now)
            self.waiting = _waiting(places, log, fields, now)[::-1] if after is None else []

    def _read(self, log: "AuditLog", fields: filters.Fields, now: int) -> None:
        from tray.audit.entry import ended_run
        from tray.audit.search import search

        page = search(log, filters.of_log(fields, now, ends=True), limit=PAGE, after=self._from, recorded=True)
        for entry in page.entries:
            run = ended_run(entry.data, entry.body, entry.seq)
            self.runs.append(run)
            self._cursors[run.run] = [run.finished_ms, entry.seq]
        self._next, self.looked_to_ms = page.next, page.looked_to_ms
        self.more = page.next is not None

    def rest(self, shown: list[EndedRun]) -> Any:
        """Return where to go on behind *shown*."""
        used = [run for run in shown if run.run in self._cursors]
        if len(used) == len(self._cursors):
            return list(self._next) if self._next is not None else _END
        return self._cursors[used[-1].run] if used else self._from


def _waiting(places: Places, log: "AuditLog | None", fields: filters.Fields, now: int) -> list[EndedRun]:
    """Return the runs whose record waits in a spool, or whose end nobody has written down yet."""
    from tray.audit import spool
    from tray.audit.entry import ENDS
    from tray.recording import close_lost

    found = [run for draft in spool.pending(places) if (run := draft.ended()) is not None]
    found += close_lost.ended(places)
    known = set()
    for run in found:
        entry = None if log is None else log.entry_of_run(run.run)
        if entry is not None and entry.data["action"] in ENDS:
            known.add(run.run)
    return [run for run in found if run.run not in known and filters.of_run(fields, run, now)]


class _System:
    """The runs of the system from a place on; its service is asked for them, and they are filtered here."""

    def __init__(self, fields: filters.Fields, after: Place | None, now: int) -> None:
        self._from = None if after is None else after["system"]
        self.runs: list[EndedRun] = []
        self.more, self.edge_ms, self.missing = False, -1, ""
        self._next: Any = self._from
        if self._from == _END:
            return
        try:
            for run in self._read():
                if filters.of_run(fields, run, now):
                    self.runs.append(run)
                if len(self.runs) >= PAGE:
                    break
        except SystemViewError as error:
            self.missing = wording.escape(f"{error.what} {error.why}")
            self.more = False

    def _read(self) -> Iterator[EndedRun]:
        for _ in range(_LOOKS):
            found, following = system_history.history(limit=_ASKED, before=self._next)
            for number, run in enumerate(found):
                self.more = following is not None or number + 1 < len(found)
                self.edge_ms = run.finished_ms if self.more else -1
                self._next = run.entry if run.entry is not None else self._next
                yield run
            if following is None:
                return
            self._next = following

    def rest(self, shown: list[EndedRun]) -> Any:
        """Return where to go on behind *shown*."""
        kept = {run.run for run in shown}
        left = [run for run in self.runs if run.run not in kept]
        if not left:
            return self._next if self.more else _END
        used = [run.entry for run in self.runs if run.run in kept and run.entry is not None]
        return used[-1] if used else self._from

    def note(self, now: int) -> str:
        """Say how far was looked, where that is not as far as the log goes."""
        if not self.more or len(self.runs) >= PAGE:
            return ""
        when = view.absolute(self.edge_ms, now)
        return f"The system's runs were looked through back to {when}; older ones come with the next page."
