"""Logs to report on: months of runs of several jobs, and one run with everything that can go wrong on a page."""

from tests.unit.audit.help import end, start
from tray.audit.entry import Draft
from tray.audit.store import AuditLog
from tray.core.model import Outcome
from tray.core.paths import Places

BEGIN = 1_790_000_000_000
HOUR = 3_600_000
NASTY = "=1+1\n<script>alert(1)</script> \u202egnp.exe\u202c 東京 שלום عربي \U0001f4a9 " + "x" * 200
PROBLEMS = [
    {"item": f"/home/ana/{'very/' * 30}file-{number}\n", "message": "permission denied"} for number in range(400)
]
STEPS = [
    {
        "engine": "restic",
        "kind": "backup",
        "repository": f"/srv/{number}",
        "started_at": "2026-09-21T00:00:00.000Z",
        "finished_at": "2026-09-21T00:01:00.000Z",
        "outcome": "succeeded",
        "reason": None,
    }
    for number in range(30)
]


def ended(number: int, job: str = "home", outcome: Outcome = Outcome.SUCCEEDED, **more: object) -> Draft:
    """The end of run *number*, an hour after the one before."""
    at = BEGIN + number * HOUR
    figures = {
        "duration_ms": 60_000 + number * 777 % 90_000,
        "bytes_processed": 4_200_000_000 + number * 31_000_000 % 900_000_000,
        "bytes_added": 96_000_000,
        "files": 20_220 + number,
        "errors": 0,
    }
    body = {
        "reason": "All files were saved." if outcome is Outcome.SUCCEEDED else "restic ended with exit code 3.",
        "repository": "/media/backup/restic",
        "command": ["restic", "backup", "/home/ana"],
        "sources": ["/home/ana"],
        "exit_code": 0,
        "snapshot": "3f2a" * 16,
    }
    run = f"019a0000-0000-7000-8000-{number:012d}"
    fields = {"run": run, "job": job, "outcome": outcome, "time_ms": at, "source": "wrapped", "body": body}
    return end(**(fields | figures | more))  # type: ignore[arg-type]


def nasty(number: int) -> Draft:
    """The end of a run whose every text is too long, invisible, or has a meaning to some program."""
    body = {
        "reason": NASTY,
        "advice": NASTY * 3,
        "repository": NASTY,
        "command": ["sh", "-c", NASTY],
        "sources": [NASTY] * 20,
        "exit_code": 3,
        "snapshot": NASTY,
        "user": NASTY,
        "evidence": {"saw": NASTY},
        "problems": PROBLEMS,
        "steps": STEPS,
    }
    return ended(number, NASTY, Outcome.FAILED, body=body, errors=400, duration_ms=None)


def outcome_of(number: int) -> Outcome:
    """Mostly success, and each other outcome now and then."""
    others = {7: Outcome.WARNING, 31: Outcome.FAILED, 53: Outcome.CANCELLED, 61: Outcome.LOST, 83: Outcome.UNKNOWN}
    return next((word for every, word in others.items() if number % every == every - 1), Outcome.SUCCEEDED)


def writer(places: Places) -> AuditLog:
    """The log of these places, with copies of its checkpoint apart from it, as the program itself opens it."""
    return AuditLog.open(places.audit_db, places.audit_key, copies=places.baselines)


def months(
    places: Places, runs: int = 60, *, every: int = 1, jobs: tuple[str, ...] = ("home", "photos", "etc")
) -> Places:
    """A log of *runs* runs, *every* so many hours, of *jobs* in turn."""
    drafts = [ended(at * every, jobs[at % len(jobs)], outcome_of(at)) for at in range(runs)]
    with writer(places) as log:
        for at in range(0, len(drafts), 500):
            log.append(drafts[at : at + 500])
    return places


__all__ = ["NASTY", "PROBLEMS", "STEPS", "ended", "months", "nasty", "outcome_of", "start", "writer"]
