"""The log page: what stands above the log of a run, and the log itself in pieces. Reading changes nothing."""

from contextlib import suppress
from typing import Any

from tray import runs, wording
from tray.core import clock
from tray.core.errors import BackupTrayError, RunNotFoundError
from tray.core.model import Status
from tray.core.paths import Places
from tray.status import run_ids, system_history
from tray.window import report_page, view


def log_head(places: Places, run: str, status: Status | None) -> dict[str, Any]:
    """Return what stands above the log of *run*; empty means the one that goes on, else the last one.

    Raises:
        RunNotFoundError: Its folder is gone or never was.
    """
    now = clock.now_ms()
    if not run:
        run = status.runs[0].run if status is not None and status.runs else "last"
    run = run_ids.resolve(places, run)
    try:
        folder = runs.find(places, run)
    except RunNotFoundError:
        return _system_log_head(places, run)
    head = {
        "run": folder.run,
        "kind": "none",
        "title": "Log of a run",
        "when": "",
        "route": "",
        "ended": False,
        "live": False,
        "note": "",
    }
    with suppress(OSError, ValueError):
        info = folder.info()
        live = folder.path.parent.name == "live" and folder.running(info)
        kind = "run" if live else "none"
        head |= {"live": live, "kind": kind, "title": f"Log of {wording.escape(info.job)}"}
        head |= {
            "when": f"began {view.absolute(info.started_ms, now)}",
            "route": view.route(info.engine, info.repository),
            "note": _ERRORS_ONLY if info.engine == "command" else "",
        }
    with suppress(BackupTrayError):
        shown = report_page.report(places, folder.run)
        if shown["when"]:
            head |= {"kind": shown["run"]["kind"], "title": shown["run"]["title"], "when": shown["when"], "ended": True}
    return head


def _system_log_head(places: Places, run: str) -> dict[str, Any]:
    try:
        known, _, _, live = system_history.log(run)
    except RunNotFoundError:
        raise system_history.no_log(places, run) from None
    head: dict[str, Any] = {
        "run": known,
        "title": "Log of a run of the system",
        "kind": "run" if live else "none",
        "when": "",
        "route": "",
    }
    head |= {"ended": False, "live": live, "note": ""}
    with suppress(BackupTrayError):
        shown = report_page.report(places, known)
        head |= {"title": shown["run"]["title"], "route": shown["run"]["route"]}
        if shown["when"]:
            head |= {"kind": shown["run"]["kind"], "when": shown["when"], "ended": True}
    return head


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
    return {"text": shown, "next": after, "more": after - offset >= MORE, "live": live}


_ERRORS_ONLY = (
    "What this command prints goes to whoever started it and is not kept; the log holds only what it wrote as errors."
)
MORE = 200_000
"""A piece at least this long is not the last one (see `runs.read_log`)."""
