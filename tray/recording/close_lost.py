"""Close runs that are over and have no wrapper: the process that takes the run's lock records the outcome that can be proven.

The output of a wrapped run is still in its spool. If it says that the engine finished, the run is closed so, marked as inferred; if
not, the run is lost. Of an observed run there is no output, only the end that the tracker saw (`observed_end`). A run whose engine
still works in this boot is left alone.
"""

from collections.abc import Iterator
from contextlib import closing as closed
from contextlib import suppress
from pathlib import Path

from tray import engines, runs
from tray.audit import spool
from tray.audit.store import AuditLog
from tray.core import files
from tray.core.errors import AuditMissingError, BackupTrayError
from tray.core.files import opened
from tray.core.model import EndedRun, Outcome, Source
from tray.core.paths import Places
from tray.core.redact import Wary
from tray.engines.base import Exit, Plan, Result, Session, Stream
from tray.engines.text import LINE_LIMIT, split_lines
from tray.recording import observed_end, run_entries
from tray.recording.run_entries import clean, doubted, unknown, unknown_after_mistake
from tray.runs import RunFolder, RunInfo
from tray.runs.log import RunLog

UNSEEN = Exit(None)
_SPOOLS = (("out", Stream.OUT), ("err", Stream.ERR), ("both", Stream.OUT))


def conclude(folder: RunFolder, info: RunInfo) -> tuple[EndedRun, Result]:
    """Return the run's outcome, as far as its spool tells; write nothing.

    Its end is the time of the last sign of life.
    """
    if _observed(info):
        return _conclude_observed(folder, info)[:2]
    result = unknown_after_mistake(lambda: _replayed(folder, info))
    result = clean(result, Wary(info.command, {}))
    finished = max(_last_sign(folder), info.started_ms)
    took = None if result.outcome is Outcome.LOST else finished - info.started_ms  # it may have gone on for longer
    return run_entries.end_of(info, result, finished, took, inferred=True), result


def _replayed(folder: RunFolder, info: RunInfo) -> Result:
    """Return the result that the engine's adapter reads from the spooled output."""
    session = _session(info)
    for name, stream in _SPOOLS:
        for line in _lines(folder.spool(name), returns=info.returns):
            session.feed(line, stream)
    lost = any(_given_back(folder.spool(name)) for name, _ in _SPOOLS)
    return doubted(session.conclude(UNSEEN), "the beginning of its long output is no longer kept" if lost else "")


def _conclude_observed(folder: RunFolder, info: RunInfo) -> tuple[EndedRun, Result, Exit]:
    sign = _last_sign(folder)
    try:
        result, how, finished, took = observed_end.conclude(info, sign)
    except Exception as error:
        result, how, finished, took = unknown(error), UNSEEN, max(sign, info.started_ms), None
    return run_entries.end_of(info, result, finished, took, inferred=True), result, how


def ended(places: Places) -> list[EndedRun]:
    """Return the runs that are over and not closed yet; write nothing."""
    over = []
    for folder in runs.live(places):
        with suppress(OSError, ValueError):
            info = folder.info()
            if not folder.running(info):
                over.append(conclude(folder, info)[0])
    return over


def close(places: Places) -> int:
    """Close every run that is over and has no wrapper; return their number. One end per run is kept, so two closers do no harm."""
    return sum(_closed(places, folder) for folder in list(runs.live(places)))


def _closed(places: Places, folder: RunFolder) -> bool:
    """Close one run; an error of our own does not stop the closing of others, nor of this one the next time."""
    try:
        return _close(places, folder)
    except Exception:
        folder.lock.release()
        return False


def _close(places: Places, folder: RunFolder) -> bool:
    try:
        if folder.running(folder.info()) or not folder.lock.acquire():
            return False
        folder.mark_closing()
        info = folder.info()  # again: the process that held the lock may have written more
    except (OSError, ValueError):
        folder.lock.release()
        return False
    if _observed(info):
        _close_observed(places, folder, info)
    else:
        _close_wrapped(places, folder, info)
    folder.close()
    return True


def _close_wrapped(places: Places, folder: RunFolder, info: RunInfo) -> None:
    last, result = conclude(folder, info)
    begin = [] if _begun(places, info.run) else [run_entries.started(info)]
    spool.record(places, [*begin, run_entries.ended(info, last, UNSEEN, result)], timeout=run_entries.END_SECONDS)
    log = RunLog(folder.log, Wary(info.command, {}))
    log.say("the process that watched this run died; from here on the log was completed from the engine's own output")
    with suppress(Exception):  # the run is on record; its log is a convenience
        _complete(log, folder, info)
    log.say(f"{last.outcome.value} (inferred): {last.reason}")
    log.close()


def _begun(places: Places, run: str) -> bool:
    """Whether the beginning is on record; a wrapper that was killed in its first moments had no time for that."""
    if any(draft.run == run for draft in spool.pending(places)):
        return True
    try:
        log = AuditLog.read(places.audit_db)
    except AuditMissingError:
        return False
    except BackupTrayError:
        return True  # unknown; rather none than two
    with closed(log):
        return log.entry_of_run(run) is not None


def _close_observed(places: Places, folder: RunFolder, info: RunInfo) -> None:
    """Put beginning and end on record at once, with the evidence for both."""
    last, result, how = _conclude_observed(folder, info)
    facts = observed_end.evidence(info, result.snapshot)
    drafts = [run_entries.started(info, evidence=facts), run_entries.ended(info, last, how, result, evidence=facts)]
    spool.record(places, drafts, timeout=run_entries.END_SECONDS)
    log = RunLog(folder.log, Wary(info.command, {}))
    log.say(
        "this run was started without the wrapper, so its output was not seen: `backup-tray run -- COMMAND` keeps it"
    )
    log.say(" ".join(info.command))
    log.say(f"{last.outcome.value} (inferred): {last.reason}")
    log.close()


def _observed(info: RunInfo) -> bool:
    return info.source == Source.OBSERVED.value


def _complete(log: RunLog, folder: RunFolder, info: RunInfo) -> None:
    """Add the lines that the dead wrapper did not write: replay its spool and leave out the lines that the log has already."""
    written = {b"out": 0, b"err": 0}
    with suppress(OSError), opened(folder.log) as file:
        for line in file:
            if line[25:28] in written:
                written[line[25:28]] += 1
    session = _session(info)
    for name, stream in _SPOOLS:
        skip = 0 if _given_back(folder.spool(name)) else written[b"err" if stream is Stream.ERR else b"out"]
        for line in _lines(folder.spool(name), returns=info.returns):
            fed = session.feed(line, stream)
            if fed.relay or not fed.events:
                if skip <= 0:
                    log.line(fed.relay or line, stream)
                skip -= 1


def _session(info: RunInfo) -> Session:
    engine = engines.named(info.engine)
    plan = Plan(
        info.command,
        info.kind,
        {},
        info.repository,
        info.sources,
        spool_stdout=True,
        ours=info.ours,
        returns=info.returns,
    )
    return engine.session(plan)


def _lines(path: Path, *, returns: bool) -> Iterator[bytes]:
    """Yield the kept lines of a spool one by one: it may be larger than our memory."""
    with suppress(OSError), opened(path) as file:
        if start := files.kept(file.fileno(), 0)[0]:
            file.seek(start)
            file.readline()  # the rest of a line
        for line in iter(lambda: file.readline(LINE_LIMIT), b""):
            yield from split_lines(line, returns=returns)


def _given_back(spool: Path) -> bool:
    """Whether the beginning of *spool* was read and is not kept any more."""
    try:
        with opened(spool) as file:
            return files.kept(file.fileno(), 0)[0] > 0
    except OSError:
        return False


def _last_sign(folder: RunFolder) -> int:
    times = [0]
    for path in (folder.path / "run.json", folder.log, *(folder.spool(name) for name, _ in _SPOOLS)):
        with suppress(OSError):
            times.append(path.stat().st_mtime_ns // 1_000_000)
    return max(times)
