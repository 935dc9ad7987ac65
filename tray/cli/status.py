"""Show the status in the terminal: `backup-tray status`."""

import json
import sys
import threading
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import closing

from tray import wording
from tray.cli import Command
from tray.core import clock
from tray.core.errors import BackupTrayError, JobNotFoundError
from tray.core.model import WORST_FIRST, Instance, JobStatus, LiveRun, Phase, Source, State, Status
from tray.core.paths import places
from tray.status import StatusSource, schedules
from tray.wording import progress_bar
from tray.wording.near_names import known_jobs

EXIT_CODES = {
    State.OK: 0,
    State.RUNNING: 0,
    State.WARNING: 1,
    State.STALLED: 1,
    State.FAILED: 2,
    State.OVERDUE: 2,
    State.TAMPERED: 2,
    State.NONE: 3,
    State.UNAVAILABLE: 3,
}
"""Exit codes as monitoring plugins use them: 0 fine, 1 warning, 2 critical, 3 unknown."""

_FINE = (State.OK, State.RUNNING, State.NONE)
"""States in which the bar alone tells enough."""
_OLD_MS = 5000
NAME_COLUMNS = 48
"""Columns of a job's name in the list on a terminal; a pipe and `--json` have it whole."""
_NARROW = 30
"""If fewer cells are left for a job's last run, it goes below the job's name."""
_BEGIN = "Put the backup that you have under watch: `backup-tray run -- COMMAND...`; or make one: `backup-tray create`."
_COLOURS = {
    State.OK: "32",
    State.RUNNING: "34",
    State.WARNING: "33",
    State.STALLED: "33",
    State.FAILED: "31",
    State.OVERDUE: "31",
    State.TAMPERED: "1;31",
    State.UNAVAILABLE: "1",
}
"""The colour of a state's word on a terminal (ECMA-48); the word itself says the same."""


def _register(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the status as JSON, one line")
    parser.add_argument("--watch", action="store_true", help="follow it until interrupted (Ctrl-C)")
    words = "add the figures that Nagios, Icinga and others keep (performance data of a monitoring plugin)"
    parser.add_argument("--perfdata", action="store_true", help=words)
    words = "explain the state of JOB: last good backup, expected time, tolerance, awake time since then"
    parser.add_argument("--why", metavar="JOB", help=words)


def _status(args: Namespace) -> int:
    """Show the status; the exit code says it too."""
    if schedules.old(places()):
        from tray.schedule import reading  # seldom: where a tracker runs, it looks each hour

        reading.refreshed(places())
    with closing(StatusSource(places(), role="cli", start_tracker=args.watch)) as source:
        if args.watch:
            return _watch(source, as_json=args.json)
        status = source.poll()
        if args.why is not None:
            return _why(status, args.why, as_json=args.json)
        print(_printed(status, args))
        return EXIT_CODES[status.state]


def _printed(status: Status, args: Namespace) -> str:
    """Return the status as JSON, as a monitoring plugin prints it, or for a person."""
    if args.json:
        return json.dumps(status.to_json())
    if args.perfdata:
        from tray.metrics import perfdata  # people do without

        return perfdata.beside(text(status), status, clock.now_ms())
    return text(status, terminal=sys.stdout.isatty())


def _why(status: Status, name: str, *, as_json: bool) -> int:
    """Explain the state of the job *name*; the exit code is that of this job."""
    named = [job for job in status.jobs if job.job == name]
    if not named and status.error is None:
        raise JobNotFoundError(name, known_jobs(name, (job.job for job in status.jobs), "No job has run yet"))
    if not named:
        print(text(status))
        return EXIT_CODES[status.state]
    if as_json:
        print(json.dumps({"jobs": [job.to_json() for job in named]}))
    else:
        print("\n".join(line for job in named for line in _explained(job, clock.now_ms())))
        if status.error is not None:
            print(f"{status.error['what']} {status.error['why']} This is old, from {_time(status.as_of_ms)}.")
    worst = min((job.state for job in named), key=WORST_FIRST.index)
    return EXIT_CODES[worst if status.error is None else status.state]


def _explained(job: JobStatus, now: int) -> Iterator[str]:
    """Yield the job's word and its last run, then the arithmetic behind the word."""
    yield f"{wording.escape(job.job)}{_whose(job.instance)}: {wording.job_word(job)}"
    if (last := wording.job_line(job, now)) != "":
        yield f"  {last[:1].upper()}{last[1:]}."
    if job.proven is not None:
        yield f"  {wording.proven_words(job, now).capitalize()}: {wording.proof_words(job.proven)}."
    yield f"  {job.why or 'Nothing is known about its rhythm, so a success older than 7 days is not called fine.'}"


def _time(ms: int) -> str:
    return f"{clock.local(ms):%Y-%m-%d %H:%M:%S}"


def text(status: Status, *, terminal: bool = False) -> str:
    """Return the status for a person: the answer first, then what runs, then every job.

    Args:
        terminal: It goes to a terminal: long names are cut, long lines folded, and states have colours.
    """
    now = clock.now_ms()
    paint = terminal and progress_bar.coloured()
    head = wording.headline(status, now)
    if status.error is not None:  # why is said below
        head = head.partition(": ")[0].rstrip(".") + "."
    head = progress_bar.folded(head) if terminal else head
    lines = [_painted(head, status.state) if paint else head]
    if status.error is not None:
        error = BackupTrayError(status.error["what"], why=status.error["why"], next=status.error["next"])
        lines += [f"  what: {error.what}", f"  why:  {error.why}", f"  next: {error.next}"]
        lines.append(f"  code: {status.error['code']}")
        if status.jobs:
            old = f"The rest is old, from {_time(status.as_of_ms)}."
            lines.append(old if now - status.as_of_ms > _OLD_MS else "The rest is from the record.")
    if status.runs:
        columns = max(progress_bar.columns(), 80) - 2
        lines += ["", "Running now:", *(f"  {_run_line(run, columns)}" for run in status.runs)]
        if any(run.source is Source.OBSERVED for run in status.runs):
            lines.append("  observed: started without `backup-tray run`; the tracker found it in the process list")
    if status.jobs:
        lines += ["", "Jobs:", *_job_lines(status, now, terminal=terminal, paint=paint)]
    elif status.state is State.NONE and not status.runs and wording.ALL_FORGOTTEN not in status.notes:
        lines.append(_BEGIN)
    audit = wording.audit_line_now(status.audit, now, readable=status.error is None)
    if status.audit is not None or (status.jobs and status.error is None):
        lines += ["", audit]
    lines += [f"Note: {wording.escape(note)}." for note in status.notes if note not in (audit, wording.ALL_FORGOTTEN)]
    return "\n".join(lines)


def _job_lines(status: Status, now: int, *, terminal: bool, paint: bool) -> Iterator[str]:
    """Yield a job's name, its state and its last run under those of the others; on a terminal folded under its column."""
    escaped = [wording.escape(job.job) for job in status.jobs]
    shown = [wording.fit(name, NAME_COLUMNS) for name in escaped] if terminal else escaped
    names = [name + _whose(job.instance) for name, job in zip(shown, status.jobs, strict=True)]
    paused = {(run.job, run.instance) for run in status.runs if run.phase is Phase.PAUSED}
    width = max(map(len, names))
    words = max(9, *(len(wording.job_word(job)) for job in status.jobs))
    column = 6 + width + words
    below = terminal and progress_bar.columns() - column < _NARROW
    for job, name in zip(status.jobs, names, strict=True):
        last = wording.job_line(job, now)
        halted = job.state is State.RUNNING and (job.job, job.instance) in paused
        word = "Paused" if halted else wording.job_word(job)
        head = f"  {name:<{width}}  "
        line = f"{head}{word:<{words}}  {last}".rstrip()
        if terminal and last:
            under = f"{head}{word}\n{progress_bar.folded('    ' + last, 4)}"
            line = under if below else progress_bar.folded(line, column)
        yield head + _painted(word, job.state) + line[len(head) + len(word) :] if paint else line


def _run_line(run: LiveRun, columns: int) -> str:
    """Return a live run with its bar; without one if its progress is not known, as an empty bar would look like 0 %."""
    whose = _whose(run.instance) + (" (observed)" if run.source is Source.OBSERVED else "")
    if run.fraction is not None:
        return progress_bar.line([run], columns - len(whose)) + whose
    text, room = wording.run_line(run), columns - len(whose)
    return wording.fit(text if len(text) <= room else wording.short_line(run), room) + whose


def _painted(text: str, state: State) -> str:
    colour = _COLOURS.get(state)
    return text if colour is None else f"\x1b[{colour}m{text}\x1b[0m"


def _whose(instance: Instance) -> str:
    return " (system)" if instance is Instance.SYSTEM else ""


def _watch(source: StatusSource, *, as_json: bool) -> int:
    """Follow the status: on a terminal with a bar that is redrawn, else with a line for each change."""
    screen = progress_bar.Display(1)
    shown = ""
    status = None
    try:
        for status in source.follow(threading.Event()):
            if as_json:
                print(json.dumps(status.to_json()), flush=True)
                continue
            barred = status.own_runs and screen.active and status.state in _FINE
            words = "" if barred else _line(status)
            if words and words != shown:
                screen.clear()
                print(words, flush=True)
            shown = words
            if status.own_runs:
                screen.show(status.own_runs)
            else:
                screen.clear()
    except KeyboardInterrupt:
        screen.clear()
    return EXIT_CODES[State.NONE if status is None else status.state]


def _line(status: Status) -> str:
    """Return the headline, with a note if the configuration cannot be followed."""
    head = wording.headline(status, clock.now_ms())
    notes = (f"Note: {wording.escape(note)}." for note in status.notes if note.startswith(wording.UNFOLLOWED))
    return " ".join((head, *notes))


STATUS = Command(
    _register,
    _status,
    "backup-tray status               exit code 0 fine, 1 warning, 2 failed, 3 not known",
    "backup-tray status --watch       until Ctrl-C",
    "backup-tray status --json",
    "backup-tray status --perfdata     as a check of Nagios or Icinga",
    "backup-tray status --why home     why that job is fine, late or overdue",
)
