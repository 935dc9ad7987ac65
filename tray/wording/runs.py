"""What is said of a run or a job: what it does, how far it is, how it ended, and why."""

from tray.model import EndedRun, JobStatus, LiveRun, Outcome, Phase, RepositoryState, Source, State
from tray.wording.figures import ago, count, duration, escape, fit, plural, rate, size, time_left

NAME_UNITS = 40
"""UTF-16 units of a job's name in a tooltip."""

_STATE_WORDS = {
    State.OK: "Fine",
    State.RUNNING: "Running",
    State.WARNING: "Warning",
    State.STALLED: "Stalled",
    State.FAILED: "Failed",
    State.OVERDUE: "Overdue",
    State.TAMPERED: "Tampered",
    State.NONE: "No backups yet",
    State.UNAVAILABLE: "Unavailable",
}
_OUTCOME_WORDS = {
    Outcome.SUCCEEDED: "succeeded",
    Outcome.WARNING: "finished with warnings",
    Outcome.FAILED: "failed",
    Outcome.CANCELLED: "was cancelled",
    Outcome.LOST: "was lost, nobody saw its end",
    Outcome.UNKNOWN: "ended, how is unknown",
}
_DOING = {
    "backup": "Backing up",
    "restore": "Restoring",
    "check": "Checking",
    "prune": "Pruning",
    "compact": "Compacting",
}
DRY_RUN = "dry-run"  # a kind of run that makes no backup (see `tray.status`)


def percent(run: LiveRun) -> str | None:
    """Return "42 %", or None while nobody knows it; the same figure as in `status --json`."""
    return None if run.fraction is None else f"{int(run.fraction * 100)} %"


def state_word(state: State) -> str:
    """Return *state* in a word or two, as a heading or a badge shows it."""
    return _STATE_WORDS[state]


def job_word(item: JobStatus) -> str:
    """Return a job's state in a word or two; after a bad end that somebody has seen neither "fine" nor "no backups yet"."""
    return "Acknowledged" if acknowledged(item) else state_word(item.state)


def acknowledged(item: JobStatus) -> bool:
    """Whether somebody has seen that the job's last run ended badly, or too long ago."""
    last = item.last
    if last is None or last.kind == DRY_RUN:
        return False
    return item.state is State.NONE or (item.state is State.OK and last.outcome is not Outcome.SUCCEEDED)


def outcome_word(outcome: Outcome) -> str:
    """Return *outcome* as what the run did: "succeeded", "was cancelled"."""
    return _OUTCOME_WORDS[outcome]


def activity(run: LiveRun, units: int = 1000) -> str:
    """Return "Backing up home"."""
    return f"{_DOING.get(run.kind, 'Running')} {fit(escape(run.job), units)}"


def amount(run: LiveRun) -> str | None:
    """Return "1,204 of 20,220 files" (bytes where files are unknown), "1,204 files so far" while the total is unknown."""
    known = run.phase is not Phase.SCANNING
    if run.files_done is not None:
        if known and run.files_total:
            return f"{count(run.files_done)} of {plural(run.files_total, 'file')}"
        return f"{plural(run.files_done, 'file')} so far"
    if run.bytes_done is not None:
        if known and run.bytes_total:
            return f"{size(run.bytes_done)} of {size(run.bytes_total)}"
        return f"{size(run.bytes_done)} so far"
    return None


def speed(run: LiveRun) -> str | None:
    """Return "12.3 MB/s", or "reading 12.3 MB/s" where only the I/O of an unknown command can be seen."""
    if run.stalled:
        return None
    if run.bytes_per_second is not None:
        return rate(run.bytes_per_second)
    return None if run.io_bytes_per_second is None else f"reading {rate(run.io_bytes_per_second)}"


def run_line(run: LiveRun) -> str:
    """Return everything about a live run on one line."""
    first, second = live(run)
    return f"{first}, {second}" if second else first


def short_line(run: LiveRun) -> str:
    """Return a live run in the few words that fit beside a bar: "home: 42 %, 12.3 MB/s, 3 min left"."""
    facts = join(phase_word(run), percent(run) or amount(run), speed(run), eta(run)) if run.tracked else ""
    return f"{fit(escape(run.job), NAME_UNITS)}: {facts or 'progress not known'}"


def live(run: LiveRun, units: int = 1000) -> tuple[str, str]:
    """The two lines of a live run; the second may be empty."""
    head = activity(run, units)
    if not run.tracked:
        return head, "progress not known"
    facts = join(phase_word(run), percent(run), amount(run))
    problems = plural(run.errors, "problem") if run.errors else None
    return (f"{head}: {facts}" if facts else head), join(speed(run), eta(run), problems)


def phase_word(run: LiveRun) -> str | None:
    """Return the phase in a word, None while it copies."""
    if run.stalled:
        return standstill(run)
    return None if run.phase is Phase.COPYING else run.phase.value


def standstill(run: LiveRun) -> str:
    """Return "no progress for 12 min" about a run that stands still."""
    minutes = (run.since_progress_seconds or 0) // 60
    return f"no progress for {duration(minutes * 60)}" if minutes else "no progress"


def eta(run: LiveRun) -> str | None:
    """Return the time left, None where nobody knows it."""
    if run.eta_seconds is None or run.phase is not Phase.COPYING or run.stalled:
        return None
    return time_left(run.eta_seconds, estimate=run.eta_is_estimate)


def last_line(ended: EndedRun, now_ms: int) -> str:
    """Return everything about an ended run on one line: "home: succeeded 2 hours ago, 12.3 GB, 20,220 files, took 6 min"."""
    return join(ended_words(ended, now_ms), figures(ended), reason_words(ended))


def problems(ended: EndedRun) -> str | None:
    """Return how many problems a run had; None where nobody can say that there were none."""
    told = ended.outcome is Outcome.SUCCEEDED and ended.source is Source.WRAPPED
    return count(ended.errors) if ended.errors or told else None


def added(ended: EndedRun, *, short: bool = False) -> str | None:
    """Return what a run added to its repository; None where that is not known.

    Where the engine does not say what was stored, the figure is that before compression: "829 MB before compression", *short*
    "≤ 829 MB".
    """
    if ended.bytes_added is None:
        return None
    words = size(ended.bytes_added)
    if not ended.uncompressed:
        return words
    return f"≤ {words}" if short else f"{words} before compression"


def ended_words(ended: EndedRun, now_ms: int, units: int = 1000) -> str:
    """Return what a run did and how long ago."""
    kind = "" if ended.kind == "backup" else f"{escape(ended.kind)} "
    return f"{fit(escape(ended.job), units)}: {kind}{did(ended, now_ms)}"


def did(ended: EndedRun, now_ms: int) -> str:
    """Return the outcome with its age."""
    age = ago(now_ms, ended.finished_ms)
    match ended.outcome:
        case Outcome.LOST:
            return f"was lost {age}, nobody saw its end"
        case Outcome.UNKNOWN:
            return f"ended {age}, how is unknown"
        case outcome:
            return f"{_OUTCOME_WORDS[outcome]} {age}"


def repository_line(state: RepositoryState, now_ms: int) -> str:
    """Return a repository in one line: what is in it, who locks it, and when that was seen."""
    facts = []
    if state.snapshots is not None:
        facts.append(plural(state.snapshots, "snapshot"))
    if state.last_snapshot_ms is not None:
        facts.append(f"newest {ago(now_ms, state.last_snapshot_ms)}")
    if state.size is not None:
        facts.append(size(state.size))
    if state.locked_by is not None:
        facts.append(f"locked by {escape(state.locked_by)}")
    if state.error is not None:
        facts.append(f"not readable: {escape(state.error['why'])}".rstrip("."))
    seen = f"as of {ago(now_ms, state.as_of_ms)}"
    return f"{escape(state.engine)} → {escape(state.repository)}: {', '.join([*facts, seen])}"


def why(item: JobStatus, now_ms: int) -> str:
    """Return why a job is as it is, for a list of jobs that need a look: "" if it never ran."""
    ended = item.last
    if ended is None:
        return ""
    if ended.outcome is Outcome.SUCCEEDED:
        late = ", no backup since then" if item.state is State.WARNING else ""
        return f"last success {ago(now_ms, ended.finished_ms)}{late}"
    return reason_words(ended) or did(ended, now_ms)


def figures(ended: EndedRun) -> str:
    """Return size, files and duration, as far as they are known."""
    return join(
        None if ended.bytes_processed is None else size(ended.bytes_processed),
        None if ended.files is None else plural(ended.files, "file"),
        None if ended.duration_ms is None else f"took {duration(ended.duration_ms / 1000)}",
    )


def reason_words(ended: EndedRun) -> str | None:
    """Return why a run did not simply succeed, None where nothing is said."""
    if ended.outcome is Outcome.SUCCEEDED or not ended.reason:
        return None
    return escape(ended.reason.strip()).rstrip(".")


def join(*parts: str | None) -> str:
    """Return *parts* that say something, with commas between them."""
    return ", ".join(part for part in parts if part)
