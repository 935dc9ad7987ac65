"""Find the run that a person means: `last`, an id, its beginning or its end. Every command and every page of the window asks here.

Words that fit several runs are refused and the runs named, so they never mean one run here and another there.
"""

from collections.abc import Iterable
from contextlib import closing

from tray import runs, wording
from tray.audit import spool
from tray.core import clock
from tray.core.errors import RunAmbiguousError, RunNotFoundError, SystemViewError
from tray.core.paths import Places
from tray.status import StatusSource, past_runs, system_history

LAST = "last"
_WHOLE = 36
"""Letters of a whole id."""
_FEW = 5
"""Candidates that are named."""
_SYSTEM_RUNS = 200
"""The newest runs of the system among which candidates are looked for."""


def resolve(places: Places, words: str, *, system: bool = True) -> str:
    """Return the whole id of the run that *words* mean.

    Args:
        words: `last` or "" for the last run of `Status.last`, else an id, its beginning or its end.
        system: Runs of the system may be meant too. Words that fit no run known here are then returned as they are: only the
            system's service can tell.

    Raises:
        RunNotFoundError: There is none.
        RunAmbiguousError: There are several.
    """
    if words in ("", LAST):
        return _last(places, words, system=system)
    matches = _own(places, words)
    if words in matches:
        return words
    if system and len(words) < _WHOLE:
        matches |= _of_system(words)
    if len(matches) > 1:
        raise RunAmbiguousError(words, _candidates(places, matches))
    if not matches and not system:
        raise RunNotFoundError(words)
    return next(iter(matches), words)


def _last(places: Places, words: str, *, system: bool) -> str:
    """Return the run that the status calls the last one; where that has none, such as after a dry run alone, the newest."""
    with closing(StatusSource(places, role="cli", start_tracker=False, system=system)) as source:
        last = source.poll().last
    if last is not None:
        return last.run
    newest = past_runs.everywhere(places, limit=1) if system else past_runs.history(places, limit=1)
    if not newest:
        raise RunNotFoundError(words)
    return newest[0].run


def _own(places: Places, words: str) -> set[str]:
    """Return the ids of this user's runs that *words* fit: of folders, log and spool."""
    known = {*runs.known(places), *(draft.run for draft in spool.pending(places) if draft.run is not None)}
    called = {run for run in known if runs.is_called(run, words)}
    ends = runs.SHORTEST_END <= len(words) < _WHOLE
    with past_runs.reading(places) as log:
        return called if log is None else called | log.runs_like(words, _FEW + 1, ends=ends)


def _of_system(words: str) -> set[str]:
    """Return the ids of the system's newest runs that *words* fit."""
    try:
        newest = system_history.history(limit=_SYSTEM_RUNS)[0]
    except SystemViewError:
        return set()  # the lists of its runs say so
    return {run.run for run in newest if runs.is_called(run.run, words)}


def _candidates(places: Places, matches: Iterable[str]) -> list[str]:
    """Return the candidates in words: short id, job, and when each began or ended."""
    ids = sorted(matches, reverse=True)
    shorts = [wording.short_id(run) for run in ids]
    named = []
    with past_runs.reading(places) as log:
        names = past_runs.present_names(places, log)
        for run, short in list(zip(ids, shorts, strict=True))[:_FEW]:
            entry = None if log is None else log.entry_of_run(run)
            name = short if shorts.count(short) == 1 else wording.escape(run)
            if entry is not None:
                when = clock.local(clock.from_text(entry.data["time"])).strftime("%Y-%m-%d %H:%M")
                name = f"{name} ({wording.escape(names.present(entry.data['job'] or ''))}, {when})"
            named.append(name)
    return [*named, f"{len(ids) - _FEW} more"] if len(ids) > _FEW else named
