"""Write reports from a page: a short-lived `backup-tray report` writes the file, so that the window needs no PDF library.

The page names a run or a filter and a format; the user chooses the file in the desktop's own dialog. Nothing that the page sends
can become an option of its own: a run is hex digits, every value of a filter is joined to its option by "=".
"""

import re
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from tray import wording
from tray.core import clock, ourselves
from tray.core.errors import ExportFailedError
from tray.core.paths import Places, private
from tray.report import recovery
from tray.window import bridge, lists

FORMATS: Final = {"pdf": "PDF", "csv": "CSV", "html": "HTML", "jsonl": "JSON Lines"}
_EVER: Final = "--since=1970-01-01T00:00:00.000Z"
"""A filter that asks for nothing: without any option the command takes it for the last run."""

PATIENCE: Final = 300.0
_RUN = re.compile(r"[0-9a-f][0-9a-f-]{3,35}", re.ASCII)
_ERROR = re.compile(r"^backup-tray: (.*)$|^ {2}(why|next): +(.*)$", re.MULTILINE)

Ask = Callable[[str, str], str | None]
"""Lets the user choose a file: gets a name and the name of the format, returns a path or None."""


def whole_run(value: object) -> str:
    """Check for the id of a run that begins with a digit, so that no program takes it for an option (a `bridge.Check`)."""
    run = bridge.run_id(value)
    if not _RUN.fullmatch(run):
        raise ValueError("the id of a run is needed")
    return run


class Writer:
    """Writer of reports, one file at a time: impatient clicks do not pile up dialogs."""

    def __init__(self, ask: Ask) -> None:
        self._ask, self._busy = ask, threading.Lock()

    def of_run(self, run: str, kind: str) -> dict[str, Any]:
        """Write the report of *run* to the file that the user chooses; see `_write`."""
        return self._write(["report", run, f"--format={kind}"], kind, f"backup-report-{wording.short_id(run)}")

    def of_job(self, job: str, with_password: bool) -> dict[str, Any]:
        """Write the recovery sheet of *job* to the file that the user chooses; see `_write`."""
        password = ["--with-password"] if with_password else []
        return self._write(["jobs", "sheet", job, *password], "pdf", f"recovery-sheet-{_plain(job)}")

    def of_filter(self, fields: lists.Fields, what: str, kind: str) -> dict[str, Any]:
        """Write the runs or entries of a filter to the file that the user chooses; see `_write`.

        Args:
            what: "runs" for the ends of runs only, "entries" for every entry.

        Raises:
            BadDayError: A day of the filter is none.
        """
        now = clock.now_ms()
        chosen = lists.options(fields if what == "entries" else {**fields, "action": ""}, now)
        scope = ["--entries", *chosen] if what == "entries" else chosen or [_EVER]
        return self._write(["report", *scope, f"--format={kind}"], kind, f"backup-{what}-{clock.local(now):%Y-%m-%d}")

    def _write(self, command: Sequence[str], kind: str, name: str) -> dict[str, Any]:
        """Return {"path": where it was written}, or {"path": None} if the user chose nothing or is choosing already.

        Raises:
            ExportFailedError: It was not written.
        """
        if not self._busy.acquire(blocking=False):
            return {"path": None}
        try:
            path = self._ask(f"{name}.{kind}", FORMATS[kind])
            if path is None:
                return {"path": None}
            file, force = Path(path), ["--force"]  # the dialog has asked whether it may be replaced
            if not file.suffix:
                file, force = file.with_suffix(f".{kind}"), []  # the dialog asked about another name
            _run([*command, f"--output={file}", *force])
        finally:
            self._busy.release()
        return {"path": wording.escape(str(file))}


def keep_sheet(places: Places, job: str) -> Path:
    """Write the recovery sheet of *job*, without its password, to its private file on this machine, and return that.

    Raises:
        ExportFailedError: It was not written.
        OSError: Its folder cannot be made.
    """
    file = recovery.kept(places, job)
    private(places.config)
    private(file.parent)
    _run(["jobs", "sheet", job, f"--output={file}", "--force"])
    return file


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:60] or "job"


def _run(arguments: Sequence[str]) -> None:
    try:
        done = subprocess.run(
            ourselves.command(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=ourselves.FOLDER,
            env=ourselves.environ(),
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        why = f"It was not finished after {wording.duration(PATIENCE)} and was ended."
        raise ExportFailedError("", why, "Choose a smaller range.") from error
    if done.returncode != 0:
        raise _failure(done.returncode, done.stderr.decode("utf-8", "replace"))


def _failure(code: int, printed: str) -> ExportFailedError:
    """Return the error that the process printed (see `cli.main.tell`)."""
    facts = {"what": "", "why": "", "next": ""}
    for what, name, text in _ERROR.findall(printed[-20_000:]):
        facts[name or "what"] = wording.escape(what or text)
    facts["why"] = facts["why"] or ("" if facts["what"] else f"The process that writes it ended with code {code}.")
    return ExportFailedError(**facts)
