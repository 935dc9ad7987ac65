"""Query the past of the system-wide instance. Each function opens one connection and closes it.

Where there is no such instance, or this user may not see it, it has no past; one that does not answer raises.
"""

from contextlib import suppress
from typing import Any

from tray import ipc
from tray.audit.store import AuditLog
from tray.core import paths
from tray.core.errors import (
    BackupTrayError,
    LogNotKeptError,
    NotInGroupError,
    RunAmbiguousError,
    RunNotFoundError,
    SystemViewError,
)
from tray.core.model import EndedRun
from tray.core.paths import Places
from tray.ipc.system_client import NEWER, connect
from tray.status.system_status import ended

ANSWER_SECONDS = 30.0
"""Before it answers with a report the service verifies the whole log."""


def history(*, limit: int = 50, job: str | None = None, before: int | None = None) -> tuple[list[EndedRun], int | None]:
    """Return ended runs of the system, the newest first, and where the next page begins (None at the end).

    Raises:
        SystemViewError: It does not answer.
    """
    answer = _ask({"type": "history", "limit": limit, "job": job, "before": before})
    if answer is None:
        return [], None
    try:
        return [ended(EndedRun.from_json(run)) for run in answer["runs"]], answer["next"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SystemViewError(NEWER) from error


def report(run: str) -> dict[str, Any]:
    """Return the data that `report.of_run.Report.from_json` takes, of the run of the system whose id starts with *run*.

    Raises:
        RunNotFoundError: It knows no such run, or there is no such instance for this user.
        SystemViewError: It does not answer.
    """
    report: dict[str, Any] = _answer_about({"type": "report", "run": run})["report"]
    return report


def log(run: str, offset: int = 0) -> tuple[str, str, int, bool]:
    """Return the full id of the run, its log from byte *offset* (whole lines), where to go on, and whether it still runs.

    Raises:
        RunNotFoundError: It has no log of such a run, or there is no such instance for this user.
        SystemViewError: It does not answer.
    """
    answer = _answer_about({"type": "log", "run": run, "offset": offset})
    try:
        return str(answer["run"]), str(answer["text"]), int(answer["next"]), bool(answer["live"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SystemViewError(NEWER) from error


def no_log(places: Places, run: str) -> BackupTrayError:
    """Return the error for a run without a folder: its log is not kept any more, if this user's audit log knows the run."""
    with suppress(BackupTrayError), AuditLog.read(places.audit_db) as known:
        if known.entry_of_run(run) is not None:
            return LogNotKeptError(run)
    return RunNotFoundError(run)


def _answer_about(question: ipc.Message) -> ipc.Message:
    answer = _ask(question)
    if answer is None:
        raise RunNotFoundError(str(question["run"]))
    return answer


def _ask(question: ipc.Message) -> ipc.Message | None:
    """Return the answer; None where there is no such instance that this user may ask."""
    folder = paths.system_view()
    if folder is None:
        return None
    talk = None
    with suppress(NotInGroupError):
        talk = connect(folder, "cli")
    if talk is None:
        return None
    try:
        talk.send(question)
        answer = talk.receive(ANSWER_SECONDS)
    finally:
        talk.close()
    if answer["type"] == "failed":
        raise _failure(answer, str(question.get("run") or ""))
    if answer["type"] != question["type"]:
        raise SystemViewError(NEWER)
    return answer


def _failure(answer: ipc.Message, run: str) -> BackupTrayError:
    """Return the error that the service met, as one of ours."""
    error = answer.get("error")
    facts = error if isinstance(error, dict) else {}
    if facts.get("code") == RunNotFoundError.code:
        return RunNotFoundError(run)
    if facts.get("code") == RunAmbiguousError.code:
        return RunAmbiguousError(run, why=str(facts.get("why") or ""))
    return SystemViewError(f"{facts.get('what', '')} {facts.get('why', '')}".strip() or NEWER)
