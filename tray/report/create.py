"""Make a report from beginning to end: read, say it as a sheet, write the file, put the export on record."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from tray.audit import proof, spool
from tray.audit.entry import ENDS, Action, Draft
from tray.audit.rows import StoredEntry
from tray.audit.search.conditions import Filter, parse
from tray.audit.store import AuditLog
from tray.core import clock
from tray.core.dataclass import dataclass, field, replace
from tray.core.errors import (
    AuditMissingError,
    BaselineError,
    NothingMatchesError,
    RunNotFoundError,
    SystemOwnedError,
)
from tray.core.paths import Places
from tray.report import as_html, as_json, as_rows, as_text, basis, facts, of_period, of_run, save
from tray.report.basis import Base
from tray.report.job_rhythms import Rhythms
from tray.report.of_run import Report
from tray.status import past_runs, run_ids

_MAX_NOTE = 65_536
_RECORD_SECONDS = 5.0
_LETTER = ("US", "CA", "MX", "PH", "CL", "CO", "VE", "GT", "CR", "PA", "DO", "PR")
"""Countries that print on Letter."""


@dataclass(frozen=True, slots=True)
class Order:
    """A report that the user asks for.

    Attributes:
        run: Beginning of an id, or `last`; None for a filter.
        given: The filter as the user wrote it.
        entries: Whether every entry counts, not only the ends of runs.
        output: A file, `-`, or None to print.
        checkpoint: A file with the checkpoint that the report rests on.
        details: Whether the proof of a run holds the details.
        pdf: Draws a sheet on a paper; `report.pdf.written`, which loads reportlab.
    """

    run: str | None
    given: Mapping[str, str]
    entries: bool = False
    format: str = "text"
    output: str | None = None
    force: bool = False
    checkpoint: str | None = None
    paper: str | None = None
    details: bool = False
    pdf: Callable[[facts.Sheet, str], bytes] = lambda _sheet, _paper: b""


@dataclass(frozen=True, slots=True)
class _Made:
    """A report, the files beside it by the ending of their name, and the facts for the entry about the export."""

    content: bytes
    body: Mapping[str, Any]
    job: str | None = None
    run: str | None = None
    beside: Mapping[str, bytes] = field(default_factory=dict)


def run(places: Places, order: Order) -> None:
    """Make the report and put it on record, unless it was only printed for a person to read.

    Raises:
        BackupTrayError: It could not be made, and why; then nothing is left behind.
    """
    output = order.output or save.STDOUT
    save.free(output, force=order.force)
    made = _of_filter(places, order) if order.run is None else _of_run(places, order, order.run)
    if output == save.STDOUT and order.format == "text":
        print(made.content.decode().rstrip("\n"))
        return
    if output != save.STDOUT:
        for ending in made.beside:
            save.free(output + ending, force=order.force)
    digest = save.deliver(made.content, output, force=order.force)
    _beside(made, output, order)
    file = output if output == save.STDOUT else Path(output).name
    body = {**made.body, "format": order.format, "file": file, "sha256": digest}
    body = {name: value for name, value in body.items() if value is not None}
    draft = Draft(Action.AUDIT_EXPORTED, result="exported", job=made.job, run=made.run, body=body)
    spool.record(places, [draft], timeout=_RECORD_SECONDS)


def _beside(made: _Made, output: str, order: Order) -> None:
    if output != save.STDOUT:
        for ending, content in made.beside.items():
            save.put(Path(output + ending), content, force=order.force)
    elif made.beside:
        print("Note: the proof goes beside a file, not to standard output: give `--output FILE`.", file=sys.stderr)


# -- one run


def _of_run(places: Places, order: Order, asked: str) -> _Made:
    run = run_ids.resolve(places, asked)
    try:
        report = of_run.gather(places, run, verify=lambda: of_run.verified(places))
    except RunNotFoundError:
        report = of_run.of_system(run)
        if order.checkpoint is not None or order.format == "jsonl":
            again = f"sudo backup-tray report {run} --format {order.format} --output FILE"
            raise SystemOwnedError("A report that proves a run of the system's", again) from None
    if report.of_system or report.entry is None:  # without a checkpoint of this log
        if report.entry is None and order.format in ("csv", "jsonl"):
            raise NothingMatchesError("The record of this run waits in the spool, so there is no entry yet.")
        return _made(order, report, report.entry, None, lambda: of_run.sheet(report, None, []))
    with past_runs.reading(places) as log:
        if log is None:
            raise AuditMissingError(places.audit_db)
        return _own(places, order, report, report.entry, log)


def _own(places: Places, order: Order, report: Report, entry: StoredEntry, log: AuditLog) -> _Made:
    rests = basis.base(log, _pinned(order), report.verdict)
    if entry.seq >= rests.size:
        why = f"The run's entry is number {entry.seq}, but the checkpoint covers only the first {rests.size} entries."
        raise NothingMatchesError(why)
    report = replace(report, verdict=rests.verdict)

    def sheet() -> facts.Sheet:
        charted = [] if report.run is None else basis.earlier(log, report.run, rests)
        expected = None if report.run is None else Rhythms(places, log, rests).of_run(report.run)
        return of_run.sheet(report, rests, charted, proven=basis.included(log, entry, rests), expected=expected)

    made = _made(order, report, entry, rests, sheet)
    if order.format != "jsonl":
        return made
    path = tuple(log.inclusion(entry.seq, rests.size))
    built = proof.Proof(entry.seq, entry.raw, path, rests.note)
    if order.details:
        built = replace(built, details=proof.build(places.audit_db, entry.seq, details=True).details)
    return replace(made, beside={proof.SUFFIX: built.to_bytes()})


def _made(
    order: Order, report: Report, entry: StoredEntry | None, rests: Base | None, sheet: Callable[[], facts.Sheet]
) -> _Made:
    """Return the report of a run in the format that the user asks for; *sheet* is made only if the format needs it."""
    rows = _rows(order, [] if entry is None else [entry])
    body = {
        "about": "run",
        "instance": "system" if report.of_system else None,
        "entry": None if entry is None else entry.seq,
        "checkpoint_size": None if rests is None else rests.size,
        "count": 1,
    }
    content = drawn(order, sheet()) if rows is None else rows
    return _Made(content, body, report.job or None, report.id or None)


def _rows(order: Order, entries: Iterable[StoredEntry]) -> bytes | None:
    """Return entries in a format for machines; None if the user asks for one that draws a sheet."""
    if order.format == "csv":
        return as_rows.as_csv(entries)
    return as_rows.as_lines(entries) if order.format == "jsonl" else None


def drawn(order: Order, sheet: facts.Sheet) -> bytes:
    """Return a sheet in the order's format: text, JSON, HTML or PDF."""
    if order.format == "text":
        return as_text.written(sheet)
    if order.format == "json":
        return as_json.written(sheet)
    if order.format == "html":
        return as_html.written(sheet)
    return order.pdf(sheet, order.paper or paper_of(os.environ))


# -- a period or a filter


def _of_filter(places: Places, order: Order) -> _Made:
    wanted = parse(order.given, clock.now_ms())
    verdict = None if order.format in ("csv", "jsonl") else of_run.verified(places)
    with past_runs.reading(places) as log:
        if log is None:
            raise AuditMissingError(places.audit_db)
        rests = basis.base(log, _pinned(order), verdict)
        entries = _Counted(basis.matching(log, wanted, rests, entries=order.entries))
        of_entries = order.entries or any(action not in ENDS for action in wanted.action or ())
        content, expected = _rows(order, entries), False
        if content is None and of_entries:
            content = drawn(order, of_period.sheet_of_entries(entries, wanted, rests))
        elif content is None:
            summary = _summary(places, log, wanted, rests, entries)
            expected = bool(summary.rhythms) and wanted.since_ms is not None
            content = drawn(order, of_period.sheet(summary, every_run=order.format != "text"))
    if not entries.count and not expected:
        raise NothingMatchesError("No entry of the audit log matches.")
    body = {
        "about": "entries" if of_entries else "runs",
        "filter": wanted.to_json(),
        "checkpoint_size": rests.size,
        "count": entries.count,
    }
    return _Made(content, body, beside={".checkpoint": rests.note} if order.format == "jsonl" else {})


def _summary(places: Places, log: AuditLog, wanted: Filter, rests: Base, entries: "_Counted") -> of_period.Summary:
    """Return the summary of a period, with how the jobs kept their rhythms."""
    rhythms = Rhythms(places, log, rests)
    runs = (run for entry in entries if (run := basis.run_of(entry, rhythms.names)) is not None)
    before = partial(basis.backup_before, log, moment_ms=wanted.since_ms, rests=rests)
    summary = of_period.summarise(runs, wanted, rests, before)
    if not summary.whole:
        return summary
    begin = summary.begin_ms if wanted.since_ms is None else wanted.since_ms
    kept = rhythms.of_period(summary.runs, wanted.job, begin, min(summary.end_ms, rests.until_ms))
    return replace(summary, rhythms=kept, fault=rhythms.fault)


class _Counted:
    """Entries, counted while they are read."""

    def __init__(self, entries: Iterable[StoredEntry]) -> None:
        self._entries, self.count = entries, 0

    def __iter__(self) -> Iterator[StoredEntry]:
        for entry in self._entries:
            self.count += 1
            yield entry


# -- both


def _pinned(order: Order) -> tuple[str, bytes] | None:
    if order.checkpoint is None:
        return None
    try:
        with open(order.checkpoint, "rb") as file:
            return order.checkpoint, file.read(_MAX_NOTE + 1)
    except OSError as error:
        raise BaselineError(order.checkpoint, f"It cannot be read: {error.strerror}.") from error


def paper_of(environ: Mapping[str, str]) -> str:
    """Return "letter" where the locale is of a country that uses it, else "a4"."""
    locale = next((value for name in ("LC_ALL", "LC_PAPER", "LANG") if (value := environ.get(name))), "")
    return "letter" if locale.partition(".")[0].rpartition("_")[2] in _LETTER else "a4"
