"""Statuses for tests of the surfaces."""

from tray.core import clock
from tray.core.model import EndedRun, JobHistory, LiveRun, Outcome, Phase, State, Status, judge

NOW = 1_790_000_000_000
HOUR = 3_600_000
NASTY = "a<img src=x onerror=alert(1)>\n\x1b[31mred</script>\u2028\u202e\"'&"
"""A name that tries everything: markup, a line break, an ANSI code, the end of a script, bidi, quotes."""


def ended(
    job: str, outcome: Outcome = Outcome.SUCCEEDED, *, hours: float = 2, now: int | None = None, **more: object
) -> EndedRun:
    """Return a run of *job* that ended *hours* ago."""
    finished = (clock.now_ms() if now is None else now) - int(hours * HOUR)
    facts: dict[str, object] = {
        "run": f"0190aaaa-0000-7000-8000-{abs(hash(job)) % 10**12:012d}",
        "job": job,
        "engine": "restic",
        "repository": "/media/backup/restic",
        "outcome": outcome,
        "started_ms": finished - 400_000,
        "finished_ms": finished,
        "duration_ms": 400_000,
        "bytes_processed": 4_312_000_000,
        "bytes_added": 96_400_000,
        "files": 20_220,
        "entry": 12,
    }
    return EndedRun(**(facts | more))  # type: ignore[arg-type] # the facts are an EndedRun's


def live(job: str = "home", **more: object) -> LiveRun:
    """Return a run at 42 %."""
    facts: dict[str, object] = {
        "run": "0190bbbb-0000-7000-8000-000000000001",
        "job": job,
        "engine": "restic",
        "repository": "/media/backup/restic",
        "started_ms": clock.now_ms() - 150_000,
        "phase": Phase.COPYING,
        "files_done": 8_502,
        "files_total": 20_220,
        "bytes_done": 1_811_000_000,
        "bytes_total": 4_312_000_000,
        "bytes_per_second": 12_300_000,
        "eta_seconds": 203,
        "current": "/home/me/Pictures/2026/Summer in the north/IMG_2041.CR3",
    }
    return LiveRun(**(facts | more))  # type: ignore[arg-type] # the facts are a LiveRun's


def judged(*runs: EndedRun, running: tuple[LiveRun, ...] = (), notes: tuple[str, ...] = ()) -> Status:
    """Return the status of jobs whose last runs are *runs*."""
    good = (Outcome.SUCCEEDED, Outcome.WARNING)
    jobs = [JobHistory(run.job, run, run if run.outcome in good else None, run.kind) for run in runs]
    return judge.judge(clock.now_ms(), running, jobs, notes=notes)


def empty() -> Status:
    """Return the status of an installation without runs."""
    return judged()


def broken(old: Status | None = None) -> Status:
    """Return the status for an unreadable log; *old* is the last one that could be read."""
    error = {
        "code": "ERROR_STATUS_FETCH",
        "what": "The backup status cannot be read.",
        "why": "The audit log is locked by another program.",
        "next": "Run `backup-tray doctor`; it names the cause and the command that mends it.",
    }
    if old is None:
        return Status(State.UNAVAILABLE, clock.now_ms(), error)
    return Status(State.UNAVAILABLE, clock.now_ms() - 6 * 60_000, error, (), old.jobs, old.last)
