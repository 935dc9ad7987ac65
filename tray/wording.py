"""The words that every surface says: tooltip, menu, window and command line call these functions and so cannot disagree.

Pure: status in, plain English out. What is unknown is said to be unknown, an estimate is called one, and no percentage is shown
that nobody knows. Names come out escaped. Sizes are decimal (1 MB = 1,000,000 bytes).
"""

from collections.abc import Iterable

from tray.model import EndedRun, JobStatus, LiveRun, Outcome, Phase, RepositoryState, Source, State, Status

TOOLTIP_UNITS = 127
"""What Windows shows of a tooltip, in UTF-16 units; longer ones are cut there, so ours never are."""

_NAME_UNITS = 40  # of a job's name in a tooltip
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_SHOWN_AS_THEY_ARE = frozenset("\u00a0\u3000\u202f\u200c\u200d")  # spaces, and the joiners that Persian and emoji need
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
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
_DOING = {"backup": "Backing up", "restore": "Restoring", "check": "Checking", "prune": "Pruning"}
_FINE = (State.OK, State.RUNNING)
_DRY_RUN = "dry-run"  # a kind of run that makes no backup (see `tray.status`)


def escape(text: str) -> str:
    r"""Return *text* on one line with everything invisible made visible.

    Control characters, ANSI codes, bidi controls and line separators become `\n`, `\x1b`, `\u202e`; bytes that were no UTF-8
    (surrogates, see PEP 383) become `\xff`. Backslashes stay, so this is for reading, not for parsing back.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _SHOWN_AS_THEY_ARE else _visible(c) for c in text)


def _visible(char: str) -> str:
    code = ord(char)
    if char in _SHORT:
        return _SHORT[char]
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def fit(text: str, units: int) -> str:
    """Return *text*, cut with "…" so that it takes at most *units* UTF-16 units."""
    if _width(text) <= units:
        return text
    kept, used = [], 1
    for char in text:
        used += _width(char)
        if used > units:
            break
        kept.append(char)
    return "".join(kept).rstrip() + "…"


def _width(text: str) -> int:
    return len(text) + sum(char > "\uffff" for char in text)


def size(amount: int) -> str:
    """Return *amount* bytes as "12.3 MB"."""
    value, unit = float(amount), 0
    while unit < len(_UNITS) - 1 and value >= (1000 if unit == 0 else 999.5):
        value, unit = value / 1000, unit + 1
    if unit == 0:
        return f"{amount} B"
    return f"{value:.1f} {_UNITS[unit]}" if value < 99.95 else f"{value:,.0f} {_UNITS[unit]}"


def rate(bytes_per_second: int) -> str:
    """Return a throughput as "12.3 MB/s"."""
    return f"{size(bytes_per_second)}/s"


def count(number: int) -> str:
    """Return *number* as "1,204"."""
    return f"{number:,}"


def plural(number: int, thing: str) -> str:
    """Return "1 file" or "1,204 files"."""
    return f"{count(number)} {thing}" if number == 1 else f"{count(number)} {thing}s"


def duration(seconds: float) -> str:
    """Return a length of time as "0.4 s", "45 s", "6 min 40 s", "2 h 5 min" or "3 d 4 h"."""
    if 0 < seconds < 9.95:
        return f"{max(seconds, 0.1):.1f} s"
    return _span(max(round(seconds), 0))


def _span(seconds: int) -> str:
    """Two units at most, the smaller one left out when it is zero."""
    steps = ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))
    for big, big_name, small, small_name in steps:
        if seconds >= big:
            rest = seconds % big // small
            return f"{seconds // big} {big_name}" + (f" {rest} {small_name}" if rest else "")
    return f"{seconds} s"


def time_left(seconds: float, *, estimate: bool = False) -> str:
    """Return an ETA as "3 min left", rounded so that it does not flicker; *estimate* says "about" before it."""
    if seconds < 10:
        text = "a few seconds"
    elif seconds <= 50:
        text = f"{-(-int(seconds) // 10) * 10} s"
    elif seconds < 3570:
        text = f"{round(seconds / 60) or 1} min"
    else:
        text = _span(round(seconds / 60) * 60)
    return f"about {text} left" if estimate and seconds >= 10 else f"{text} left"


def ago(now_ms: int, ms: int) -> str:
    """Return the age of *ms* as "just now", "5 minutes ago", "2 hours ago"; a time ahead of the clock is said to be so."""
    seconds = (now_ms - ms) // 1000
    if seconds < -60:
        return "at a time ahead of this clock"
    if seconds < 60:
        return "just now"
    for limit, length, name in ((3600, 60, "minute"), (172_800, 3600, "hour"), (5_184_000, 86_400, "day")):
        if seconds < limit:
            return f"{plural(seconds // length, name)} ago"
    months = seconds // 2_629_800
    return f"{plural(months, 'month')} ago" if months < 24 else f"{plural(months // 12, 'year')} ago"


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
    if last is None or last.kind == _DRY_RUN:
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
    first, second = _live(run)
    return f"{first}, {second}" if second else first


def short_line(run: LiveRun) -> str:
    """Return a live run in the few words that fit beside a bar: "home: 42 %, 12.3 MB/s, 3 min left"."""
    facts = _join(_phase_word(run), percent(run) or amount(run), speed(run), _eta(run)) if run.tracked else ""
    return f"{fit(escape(run.job), _NAME_UNITS)}: {facts or 'progress not known'}"


def _live(run: LiveRun, units: int = 1000) -> tuple[str, str]:
    """The two lines of a live run; the second may be empty."""
    head = activity(run, units)
    if not run.tracked:
        return head, "progress not known"
    facts = _join(_phase_word(run), percent(run), amount(run))
    problems = plural(run.errors, "problem") if run.errors else None
    return (f"{head}: {facts}" if facts else head), _join(speed(run), _eta(run), problems)


def _phase_word(run: LiveRun) -> str | None:
    if run.stalled:
        return standstill(run)
    return None if run.phase is Phase.COPYING else run.phase.value


def standstill(run: LiveRun) -> str:
    """Return "no progress for 12 min" about a run that stands still."""
    minutes = (run.since_progress_seconds or 0) // 60
    return f"no progress for {_span(minutes * 60)}" if minutes else "no progress"


def _eta(run: LiveRun) -> str | None:
    if run.eta_seconds is None or run.phase is not Phase.COPYING or run.stalled:
        return None
    return time_left(run.eta_seconds, estimate=run.eta_is_estimate)


def last_line(ended: EndedRun, now_ms: int) -> str:
    """Return everything about an ended run on one line: "home: succeeded 2 hours ago, 12.3 GB, 20,220 files, took 6 min"."""
    return _join(_ended(ended, now_ms), _figures(ended), _reason(ended))


def problems(ended: EndedRun) -> str | None:
    """Return how many problems a run had; None where nobody can say that there were none."""
    told = ended.outcome is Outcome.SUCCEEDED and ended.source is Source.WRAPPED
    return count(ended.errors) if ended.errors or told else None


def _ended(ended: EndedRun, now_ms: int, units: int = 1000) -> str:
    kind = "" if ended.kind == "backup" else f"{escape(ended.kind)} "
    return f"{fit(escape(ended.job), units)}: {kind}{_did(ended, now_ms)}"


def _did(ended: EndedRun, now_ms: int) -> str:
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
    return _reason(ended) or _did(ended, now_ms)


def _figures(ended: EndedRun) -> str:
    return _join(
        None if ended.bytes_processed is None else size(ended.bytes_processed),
        None if ended.files is None else plural(ended.files, "file"),
        None if ended.duration_ms is None else f"took {duration(ended.duration_ms / 1000)}",
    )


def _reason(ended: EndedRun) -> str | None:
    if ended.outcome is Outcome.SUCCEEDED or not ended.reason:
        return None
    return escape(ended.reason.strip()).rstrip(".")


def _join(*parts: str | None) -> str:
    return ", ".join(part for part in parts if part)


def tooltip(status: Status, now_ms: int) -> str:
    """Return the tooltip: one or two lines, at most 127 UTF-16 units in all."""
    first, second = lines(status, now_ms)
    first = fit(first, TOOLTIP_UNITS - 40 if second else TOOLTIP_UNITS)
    return first + "\n" + fit(second, TOOLTIP_UNITS - 1 - _width(first)) if second else first


def menu_line(status: Status, now_ms: int) -> str:
    """Return the tooltip's text on one line, for desktops that show no tooltips."""
    return tooltip(status, now_ms).replace("\n", " · ")


def lines(status: Status, now_ms: int) -> tuple[str, str]:
    """Return what matters most and what comes next; the second may be empty.

    A live run stands beside a bad state, never instead of it. With an error nothing else is said: the rest is old.
    """
    if status.error is not None or status.state is State.UNAVAILABLE:
        return "Backup status unavailable", _why(status, now_ms)
    if status.runs and status.state in (*_FINE, State.NONE):
        return _running(status.runs)
    first, second = _settled(status, now_ms)
    return (first, _beside(status.runs)) if status.runs else (first, second)


def _why(status: Status, now_ms: int) -> str:
    error = status.error or {}
    why = escape((error.get("why") or error.get("what") or "the reason is unknown").strip()).rstrip(".")
    known = status.last is not None or status.jobs or status.runs
    return f"{why}; last known {ago(now_ms, status.as_of_ms)}" if known else why


def _running(runs: tuple[LiveRun, ...]) -> tuple[str, str]:
    if len(runs) == 1:
        return _live(runs[0], _NAME_UNITS)
    return f"{_how_many(runs)} running", _brief(runs[0])


def _how_many(runs: tuple[LiveRun, ...]) -> str:
    return plural(len(runs), "backup" if all(run.kind == "backup" for run in runs) else "run")


def _brief(run: LiveRun) -> str:
    facts = _join(_phase_word(run), percent(run) or amount(run), _eta(run) or speed(run))
    name = fit(escape(run.job), _NAME_UNITS)
    return f"{name}: {facts if run.tracked and facts else 'progress not known'}"


def _beside(runs: tuple[LiveRun, ...]) -> str:
    """A live run in few words, for the second line under a bad state."""
    if len(runs) > 1:
        return f"{_how_many(runs)} running now, {_brief(runs[0])}"
    facts = _join(_phase_word(runs[0]), percent(runs[0]) or amount(runs[0]), _eta(runs[0]) or speed(runs[0]))
    return f"{activity(runs[0], _NAME_UNITS)} now" + (f": {facts}" if facts and runs[0].tracked else "")


def _settled(status: Status, now_ms: int) -> tuple[str, str]:
    """The two lines when nothing runs."""
    if status.state is State.TAMPERED:
        return "The audit log was altered", "choose Verify audit log to see where"
    worst = status.jobs[0] if status.jobs else None
    if status.state is State.WARNING and (worst is None or worst.state in (*_FINE, State.NONE)):
        note = "".join(_first(status.notes))
        told_of = not note or note.startswith("The audit log was begun anew")
        return "Older history is missing" if told_of else "Not everything is known", note or "which job is unknown"
    if status.state in (State.OK, State.RUNNING):
        ended = status.last
        return (_ended_or_seen(ended, now_ms), _summary(status)) if ended else ("Backups are fine", _summary(status))
    if worst is None:
        if status.state is State.NONE:
            return "No backups performed", "Backup Tray has seen none yet"
        return state_word(status.state), "which job is unknown"
    return _trouble(worst, status, now_ms)


def _ended_or_seen(ended: EndedRun, now_ms: int) -> str:
    seen = "" if ended.outcome is Outcome.SUCCEEDED or ended.kind == _DRY_RUN else ", acknowledged"
    return _ended(ended, now_ms, _NAME_UNITS) + seen


def _trouble(worst: JobStatus, status: Status, now_ms: int) -> tuple[str, str]:
    name = fit(escape(worst.job), _NAME_UNITS)
    ended = worst.last
    others = [job for job in status.jobs[1:] if job.state not in (*_FINE, State.NONE)]
    more = f"{plural(len(others), 'more job')} not fine" if others else None
    if worst.state in (State.OVERDUE, State.STALLED):
        last = None if ended is None else f"its last run {_did(ended, now_ms)}"
        if worst.state is State.STALLED and worst.concern:
            last = _join(worst.concern[:1].lower() + worst.concern[1:].rstrip("."), last)
        return f"{name}: {state_word(worst.state).lower()}", _join(last, more)
    if ended is None:
        return f"{name}: {state_word(worst.state).lower()}", more or ""
    if worst.state is State.NONE:
        return _ended_or_seen(ended, now_ms), "no recent success is known"
    if ended.outcome is Outcome.SUCCEEDED:
        return f"{name}: last success {ago(now_ms, ended.finished_ms)}", _join("no backup since then", more)
    reason = _reason(ended) or ("the reason is unknown" if ended.outcome is Outcome.FAILED else None)
    return _ended(ended, now_ms, _NAME_UNITS), "; ".join(part for part in (more, reason) if part)


def _summary(status: Status) -> str:
    """The second line when all is fine: figures of the last run, how many jobs, and a note if there is one."""
    seen = sum(job.state is State.NONE for job in status.jobs)
    jobs = None
    if seen:
        jobs = f"{plural(len(status.jobs), 'job')}: {len(status.jobs) - seen} fine, {seen} acknowledged"
    elif len(status.jobs) > 1:
        jobs = f"all {len(status.jobs)} jobs fine"
    return _join(*_first(status.notes), jobs, None if status.last is None else _figures(status.last))


def _first(notes: Iterable[str]) -> list[str]:
    return [escape(note).rstrip(".") for note in notes][:1]


def _at_a_glance(runs: tuple[LiveRun, ...]) -> str:
    """What runs, how far it is and how long it takes; the other figures stand beside it and would make a big line flicker."""
    if len(runs) > 1:
        return ", ".join(_running(runs))
    run = runs[0]
    facts = _join(_phase_word(run), percent(run), _eta(run)) if run.tracked else "progress unknown"
    return f"{activity(run)}: {facts}" if facts else activity(run)


def headline(status: Status, now_ms: int) -> str:
    """Return one sentence that answers "am I safe?" before anything else."""
    if status.error is not None or status.state is State.UNAVAILABLE:
        return f"Nobody can say now whether your backups are fine: {_why(status, now_ms)}."
    if status.runs and status.state in (*_FINE, State.NONE):
        return f"{_at_a_glance(status.runs)}."
    first, second = _settled(status, now_ms)
    running = f" {_how_many(status.runs)} running now." if status.runs else ""
    match status.state:
        case State.OK | State.RUNNING:
            return f"Your backups are fine ({first})."
        case State.NONE:
            return f"{first}: {second}."
        case State.TAMPERED:
            return f"The history of your backups cannot be trusted: the audit log was altered.{running}"
        case State.WARNING:
            return f"Your backups need a look ({first}).{running}"
        case _:
            return f"Your backups are not fine ({first}).{running}"
