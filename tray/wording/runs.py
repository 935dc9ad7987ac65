"""Say how a run or a job is: what it does, how far it is, how it ended, and why."""

from tray.core.model import BACKUP, EndedRun, JobStatus, LiveRun, Outcome, Phase, Proof, RepositoryState, Source, State
from tray.wording import expectations
from tray.wording.numbers import ago, count, duration, elapsed, escape, fit, plural, rate, size, time_left

SHORT_ID = 8
"""Letters of a run's short id."""

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
    Outcome.LOST: "was lost: the wrapper stopped before the backup ended",
    Outcome.UNKNOWN: "ended, how is not known",
}
_DONE = {"dry-run": "Dry run", "check": "Checked", "restore": "Restored"}
"""The state of a job whose runs are no backups: never "Fine", which would be taken for a backup's."""

_DOING = {
    "backup": "Backing up",
    "restore": "Restoring",
    "check": "Checking",
    "prune": "Pruning",
    "compact": "Compacting",
}


def percent(run: LiveRun) -> str | None:
    """Return "42 %", or None while it is not known; the same figure as in `status --json`."""
    return None if run.fraction is None else f"{int(run.fraction * 100)} %"


def state_word(state: State) -> str:
    """Return *state* in a word or two, as a heading or a badge shows it."""
    return _STATE_WORDS[state]


def job_word(item: JobStatus) -> str:
    """Return a job's state in a word or two; where nothing is wrong, by its last run."""
    if item.about is not None and item.about.user is not None:
        return "Not counted"
    if acknowledged(item):
        return "Acknowledged"
    if (said := expectations.word(item)) is not None:
        return said
    if item.state is not State.NONE or item.about is None:
        return state_word(item.state)
    if item.about.outcome is Outcome.CANCELLED:
        return "Cancelled"
    return state_word(State.NONE) if item.kind == BACKUP else _DONE.get(item.kind, "Done")


def acknowledged(item: JobStatus) -> bool:
    """Whether the user has seen that the job's last run ended badly, or too long ago, or that it never ran."""
    if not item.seen or expectations.is_disabled(item):
        return False
    if item.about is None:
        return item.state is State.NONE
    return item.about.outcome is not Outcome.SUCCEEDED if item.state is State.OK else item.state is State.NONE


def outcome_word(outcome: Outcome) -> str:
    """Return *outcome* as a verb: "succeeded", "was cancelled"."""
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
    """Return the two lines of a live run; the second may be empty."""
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
    """Return the time left, None where it is not known."""
    if run.eta_seconds is None or run.phase is not Phase.COPYING or run.stalled:
        return None
    return time_left(run.eta_seconds, estimate=run.eta_is_estimate)


def last_line(ended: EndedRun, now_ms: int) -> str:
    """Return everything about an ended run on one line: "home: succeeded 2 hours ago, 12.3 GB, took 6 min"."""
    return because(join(ended_words(ended, now_ms), figures(ended)), ended)


def problems(ended: EndedRun) -> str | None:
    """Return how many problems a run had; None where it is not known that there were none."""
    known = ended.outcome is Outcome.SUCCEEDED and ended.source is Source.WRAPPED
    return count(ended.errors) if ended.errors or known else None


def added(ended: EndedRun, *, short: bool = False) -> str | None:
    """Return the size that a run added to its repository; None where that is not known.

    Where the engine does not tell the stored size, the figure is that before compression: "829 MB before compression", *short*
    "≤ 829 MB".
    """
    if ended.bytes_added is None:
        return None
    words = size(ended.bytes_added)
    if not ended.uncompressed:
        return words
    return f"≤ {words}" if short else f"{words} before compression"


def ended_words(ended: EndedRun, now_ms: int, units: int = 1000) -> str:
    """Return the outcome of a run and its age, and its kind where the job's name does not say so."""
    plain = ended.kind in (BACKUP, "other", *ended.job.replace("(", " ").replace(")", " ").split())
    kind = "" if plain else f"{escape(ended.kind)} "
    return f"{fit(escape(ended.job), units)}: {kind}{did(ended, now_ms)}"


def did(ended: EndedRun, now_ms: int) -> str:
    """Return the outcome with its age."""
    age = ago(now_ms, ended.finished_ms)
    match ended.outcome:
        case Outcome.LOST:
            return f"was lost {age}"
        case Outcome.UNKNOWN:
            return f"ended {age}, how is not known"
        case outcome:
            return f"{_OUTCOME_WORDS[outcome]} {age}"


def repository_line(state: RepositoryState, now_ms: int) -> str:
    """Return a repository in one line: its content, its lock, and the time of the look."""
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
    """Return why a job is as it is and when it was last good, beside its badge in a list of jobs that need a look."""
    ended = item.about
    if item.concern is not None:
        return _beside(job_word(item), escape(item.concern))
    if ended is None:
        return ""
    if ended.outcome is Outcome.SUCCEEDED:
        late = "no backup since then" if item.state is State.WARNING else None
        return join(good_words(item, now_ms) or did(ended, now_ms), late)
    times = f"{ended_word(ended)} {count(item.streak)} times" if item.streak > 1 else did(ended, now_ms)
    return because(join(times, good_words(item, now_ms)), ended)


def job_line(item: JobStatus, now_ms: int) -> str:
    """Return the line about a job in a list: its concern, how and why its last run ended, and when it was last good."""
    parts = [_beside(job_word(item), escape((item.concern or "").strip()).rstrip("."))]
    last = item.last
    if last is None and acknowledged(item):
        parts.append("never ran")
    if last is not None:
        parts.append(because(join(did(last, now_ms), figures(last)), last))
    if item.about is not None and item.about != last:
        parts.append(did(item.about, now_ms))
    if item.kind == BACKUP and item.known and last is not None and item.last_good != last:
        times = f"{count(item.streak)} bad ends" + ("" if item.last_good is None else " since")
        parts.append(join(good_words(item, now_ms), times if item.streak > 1 else None))
    if item.state in (State.OK, State.NONE) and not acknowledged(item):
        parts.append(expectations.next_words(item, now_ms))
    if item.kind == BACKUP:
        parts.append(proven_words(item, now_ms))
    return "; ".join(part for part in parts if part)


def _beside(badge: str, text: str) -> str:
    """Return *text* as it stands beside a badge that may say its beginning: "Expected by 12:00" beside "Never ran"."""
    if not text.startswith(badge):
        return text
    rest = text[len(badge) :].lstrip(" ,")
    return rest[:1].upper() + rest[1:]


def proven_words(item: JobStatus, now_ms: int) -> str:
    """Return "last proven restorable 12 days ago", "" if it never was."""
    return "" if item.proven is None else f"last proven restorable {ago(now_ms, item.proven.at_ms)}"


def proof_words(proof: Proof) -> str:
    """Return "3 files, 1.2 MB, of snapshot 4f3c21ab"."""
    of = "" if proof.snapshot is None else f", of snapshot {escape(proof.snapshot[:16])}"
    return f"{plural(proof.files, 'file')}, {size(proof.bytes)}{of}"


def because(text: str, ended: EndedRun) -> str:
    """Return *text* with the reason behind it, a sentence of its own: "failed 2 hours ago: The disk is full"."""
    reason = reason_words(ended)
    return f"{text}: {reason}" if reason else text


def good_words(item: JobStatus, now_ms: int) -> str | None:
    """Return "last good 3 days ago" or "never good yet"; None where that is no question or not known."""
    if item.kind != BACKUP:
        return None
    if item.last_good is None:
        return "never good yet" if item.known else None
    if item.last_good == item.about and item.last_good.outcome is Outcome.WARNING:
        return None
    return f"last good {ago(now_ms, item.last_good.finished_ms)}"


def ended_word(ended: EndedRun) -> str:
    """Return how a run ended that is one of several bad ones: "failed", which a lost one counts as."""
    return "failed" if ended.outcome is Outcome.LOST else _OUTCOME_WORDS[ended.outcome].partition(",")[0]


def short_id(run: str) -> str:
    """Return the one short form of a run's id: its end. Ids of one minute begin alike, and every command takes the end too."""
    return escape(run[-SHORT_ID:])


def figures(ended: EndedRun) -> str:
    """Return size, files and duration, as far as they are known."""
    return join(
        None if ended.bytes_processed is None else size(ended.bytes_processed),
        None if ended.files is None else plural(ended.files, "file"),
        None if ended.duration_ms is None else f"took {elapsed(ended.duration_ms)}",
    )


def reason_words(ended: EndedRun) -> str | None:
    """Return why a run did not simply succeed, None where no reason is on record."""
    if ended.outcome is Outcome.SUCCEEDED or not ended.reason:
        return None
    return escape(ended.reason.strip()).rstrip(".")


def join(*parts: str | None) -> str:
    """Return *parts* that say something, with commas between them."""
    return ", ".join(part for part in parts if part)
