"""Fill the pages about one run: its report, from audit log, spool or the system-wide instance, and its log in pieces.

Every function opens what it needs and closes it again, so that it may be called from any thread. Reading changes nothing.
"""

from contextlib import suppress
from typing import Any

from tray import runs, wording
from tray.core import clock
from tray.core.errors import BackupTrayError, RunNotFoundError
from tray.core.model import EndedRun, Outcome, Status
from tray.core.paths import Places
from tray.report import facts, of_run
from tray.status import past_runs, run_ids, system_history
from tray.window import verification, view

_PENDING = (
    "The record of this run waits to be written to the audit log, which could not be written just then. It is kept."
)
_ERRORS_ONLY = "The program that started this command got its output, which is not kept; the log holds only its errors."
_MORE = 200_000
"""A piece at least this long is not the last one (see `runs.read_log`)."""


def report(places: Places, run: str) -> dict[str, Any]:
    """Return the report of *run* (see `run_ids.resolve`; empty for the last one), this user's or the system's.

    Raises:
        RunNotFoundError: Neither log nor spool knows it.
        BackupTrayError: The log cannot be read, or the system's instance does not answer.
    """
    run = run_ids.resolve(places, run)
    try:
        known = of_run.gather(places, run)
        place = _place(places)
    except RunNotFoundError:
        known, place = of_run.of_system(run), []
    ended, entry, now = known.run, known.entry, clock.now_ms()
    if ended is None and entry is None:
        raise RunNotFoundError(run)
    happened = [row for row in of_run.rows(known) if row[0] != "Sources"]  # these stand below the figures
    shown = {
        "run": _going_on(known) if ended is None else view.ended(ended, now),
        "when": "" if ended is None else _when(ended, now),
        "entry": None if entry is None else entry.seq,
        "number": "" if entry is None else wording.count(entry.seq),
        "paths": list(map(wording.escape, of_run.sources(known))),
        "problems": [[item or "–", message] for item, message in of_run.problems(known)],
        "happened": _marked(happened),
        "facts": [] if entry is None else _marked([*of_run.proof_rows(known), *place]),
        "pending": _PENDING if entry is None else "",
    }
    if entry is not None and known.verdict is not None:
        shown["check"] = verification.checked(known.verdict, entry.seq)
    return shown


def _marked(rows: facts.Rows) -> list[list[str]]:
    """Return each row with its style: a hash or a command stands in letters of one width."""
    return [[name, value, "hash" if name in facts.MONO else ""] for name, value in rows]


def _place(places: Places) -> list[tuple[str, str]]:
    """Return root and size of the log that holds the entry."""
    with past_runs.reading(places) as log:
        if log is None:
            return []
        size, root, _ = log.head()
    return [("Log root", root.hex(" ", -4)), ("Entries in the log", wording.count(size))]


def _going_on(known: of_run.Report) -> dict[str, Any]:
    """Return a run whose start alone is on record."""
    assert known.entry is not None
    data = known.entry.data
    began = clock.from_text(data["time"])
    ended = EndedRun(known.id, known.job, data["engine"] or "", Outcome.UNKNOWN, None, began)
    shown = view.ended(ended, clock.now_ms())
    title = f"{shown['job']}: no end on record yet"
    return shown | {"kind": "run", "word": "No end yet", "title": title, "errors": view.UNKNOWN}


def _when(ended: EndedRun, now_ms: int) -> str:
    begin = "" if ended.started_ms is None else f"{view.absolute(ended.started_ms, now_ms)} to "
    end = view.absolute(ended.finished_ms, now_ms)
    if begin and begin.split()[0] == end.split()[0]:
        end = end.split()[1]
    took = "" if ended.duration_ms is None else f", took {wording.elapsed(ended.duration_ms)}"
    return f"{begin}{end}{took}"


# -- the log


def log_head(places: Places, run: str, status: Status | None) -> dict[str, Any]:
    """Return the head of the page Details of *run*; empty means the run that goes on, else the last one.

    Raises:
        RunNotFoundError: Its folder is gone or never was.
    """
    if not run:
        run = status.runs[0].run if status is not None and status.runs else "last"
    run = run_ids.resolve(places, run)
    head = {"kind": "none", "when": "", "route": "", "ended": False, "live": False, "note": ""}
    try:
        folder = runs.find(places, run)
        head |= {"run": folder.run, "title": "Log of a run"}
        with suppress(OSError, ValueError):
            head |= _of_folder(folder)
    except RunNotFoundError:
        head |= _of_system(places, run)
    with suppress(BackupTrayError):
        shown = report(places, str(head["run"]))
        if shown["when"] or not head["route"]:
            head |= {"title": shown["run"]["title"], "route": head["route"] or shown["run"]["route"]}
        if shown["when"]:
            head |= {"kind": shown["run"]["kind"], "when": shown["when"], "ended": True}
    return head


def _of_folder(folder: runs.RunFolder) -> dict[str, Any]:
    info = folder.info()
    live = folder.path.parent.name == "live" and folder.running(info)
    return {
        "live": live,
        "kind": "run" if live else "none",
        "title": f"Log of {wording.escape(info.job)}",
        "when": f"began {view.absolute(info.started_ms, clock.now_ms())}",
        "route": view.route(info.engine, info.repository),
        "note": _ERRORS_ONLY if info.engine == "command" else "",
    }


def _of_system(places: Places, run: str) -> dict[str, Any]:
    try:
        run, _, _, live = system_history.log(run)
    except RunNotFoundError:
        raise system_history.no_log(places, run) from None
    return {"run": run, "title": "Log of a run of the system", "kind": "run" if live else "none", "live": live}


def log(places: Places, run: str, offset: int) -> dict[str, Any]:
    """Return a piece of the log of *run* from byte *offset*, made safe to look at, and whether there is more already.

    Raises:
        RunNotFoundError: Its folder is gone.
    """
    try:
        live = runs.find(places, run).path.parent.name == "live"
        text, after = runs.read_log(places, run, offset)
    except RunNotFoundError:
        _, text, after, live = system_history.log(run, offset)
    shown = "".join(wording.escape(line) + "\n" for line in text.split("\n")[:-1])
    shown += wording.escape(text.rpartition("\n")[2])
    return {"text": shown, "next": after, "more": after - offset >= _MORE, "live": live}
