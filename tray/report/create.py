"""Making a report from beginning to end: read, lay out, write, put on record."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tray import wording
from tray.core import clock
from tray.core.errors import (
    AuditMissingError,
    BaselineError,
    NothingMatchesError,
    RunNotFoundError,
    SystemOwnedError,
    SystemViewError,
)
from tray.core.model import Instance
from tray.core.paths import Places
from tray.ipc.system_client import NEWER
from tray.report import basis as bases
from tray.report import period_facts, run_facts, save
from tray.report.as_text import period_text, text
from tray.report.of_run import Report, gather, verified
from tray.report.summary import asked_words, summarise
from tray.status import past_runs, run_ids, system_history

if TYPE_CHECKING:
    from tray.audit.rows import StoredEntry
    from tray.audit.search.conditions import Filter
    from tray.audit.store import AuditLog
    from tray.report.basis import Base
    from tray.report.facts import Sheet

_MAX_NOTE = 65_536
_LETTER = ("US", "CA", "MX", "PH", "CL", "CO", "VE", "GT", "CR", "PA", "DO", "PR")
"""Countries whose paper is Letter."""


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody asked for.

    Attributes:
        run: Beginning of an id, or `last`; None for a filter.
        given: The filter as it was written.
        entries: Every entry, not only the ends of runs.
        output: A file, `-`, or None to print.
        checkpoint: A file with the checkpoint that the report rests on.
        details: Put the details into the proof of a run.
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


@dataclass(frozen=True, slots=True)
class _Made:
    """A report, and the files beside it, by what is added to its name."""

    content: bytes
    count: int
    beside: Mapping[str, bytes]
    body: Mapping[str, Any]
    job: str | None = None
    run: str | None = None


def run(places: Places, order: Order) -> None:
    """Make the report that was asked for and put it on record, unless it was only printed for a person to read.

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
    body = {
        **made.body,
        "format": order.format,
        "count": made.count,
        "file": output if output == save.STDOUT else Path(output).name,
        "sha256": digest,
    }
    save.record(places, body=body, job=made.job, run=made.run)


def _beside(made: _Made, output: str, order: Order) -> None:
    if output != save.STDOUT:
        for ending, content in made.beside.items():
            save.put(Path(output + ending), content, force=order.force)
    elif made.beside:
        print("Note: the proof goes beside a file, not to standard output: give `--output FILE`.", file=sys.stderr)


# -- one run


def _of_run(places: Places, order: Order, asked: str) -> _Made:
    asked = run_ids.resolve(places, asked)
    try:
        found = gather(places, asked, verify=lambda: verified(places))
    except RunNotFoundError:
        return _of_system(order, asked)
    if order.format == "text" and order.checkpoint is None:
        return _made(found, text(found).encode() + b"\n", None)
    if found.entry is None:  # the record waits in the spool
        if order.format in ("csv", "jsonl"):
            raise NothingMatchesError("The record of this run waits in the spool, so there is no entry yet.")
        return _made(found, _written(order, run_facts.sheet(found, None, [])), None)
    with past_runs.reading(places) as log:
        if log is None:
            raise AuditMissingError(places.audit_db)
        return _own(places, order, found, log)


def _own(places: Places, order: Order, found: Report, log: "AuditLog") -> _Made:
    entry = found.entry
    assert entry is not None
    rests = bases.base(log, _pinned(order), found.verdict)
    if entry.seq >= rests.size:
        why = f"The run's entry is number {entry.seq}, but the checkpoint covers only the first {rests.size} entries."
        raise NothingMatchesError(why)
    if order.format == "jsonl":
        return _proven(places, order, found, rests)
    if order.format == "csv":
        from tray.report.as_rows import as_csv

        return _made(found, as_csv([entry]), rests)
    if order.format == "text":
        return _made(
            found,
            f"{text(replace(found, verdict=rests.verdict))}\n  {'Checkpoint':<10}  {rests.foot}\n".encode(),
            rests,
        )
    charted = [] if found.run is None else bases.earlier(log, found.run, rests)
    proven = bases.included(log, entry, rests)
    return _made(found, _written(order, run_facts.sheet(found, rests, charted, proven=proven)), rests)


def _proven(places: Places, order: Order, found: Report, rests: "Base") -> _Made:
    """The bytes of the run's entry, and beside them the proof that it is in the log."""
    from tray.audit import proof
    from tray.report.as_rows import as_lines

    entry = found.entry
    assert entry is not None
    if order.checkpoint is not None:
        with past_runs.reading(places) as log:
            assert log is not None
            path = tuple(log.inclusion(entry.seq, rests.size))
        built = proof.Proof(entry.seq, entry.raw, path, rests.note)
        if order.details:
            built = replace(built, details=proof.build(places.audit_db, entry.seq, details=True).details)
    else:
        built = proof.build(places.audit_db, entry.seq, details=order.details)
    made = _made(found, as_lines([entry]), rests)
    return replace(made, beside={proof.SUFFIX: built.to_bytes()})


def _of_system(order: Order, asked: str) -> _Made:
    """The report of a run of the system's: what its service tells, without a checkpoint of its log."""
    told = system_history.report(asked)
    try:
        found = Report.from_json(told)
    except ValueError as error:
        raise SystemViewError(NEWER) from error
    if order.checkpoint is not None or order.format == "jsonl":
        again = f"sudo backup-tray report {asked} --format {order.format} --output FILE"
        raise SystemOwnedError("A report that proves a run of the system's", again)
    if order.format == "text":
        return _made(found, text(found).encode() + b"\n", None)
    if order.format == "csv":
        from tray.report.as_rows import as_csv

        return _made(found, as_csv([] if found.entry is None else [found.entry]), None)
    return _made(found, _written(order, run_facts.sheet(found, None, [])), None)


def _written(order: Order, sheet: "Sheet") -> bytes:
    """Return a sheet as HTML or PDF; only the latter loads reportlab."""
    if order.format == "html":
        from tray.report import as_html

        return as_html.written(sheet)
    from tray.report import pdf

    return pdf.written(sheet, order.paper or paper_of(os.environ))


def _made(found: Report, content: bytes, rests: "Base | None") -> _Made:
    run, entry = found.run, found.entry
    system = run is not None and run.instance is Instance.SYSTEM
    body: dict[str, Any] = {
        "about": "run",
        "instance": "system" if system else None,
        "entry": None if entry is None else entry.seq,
        "checkpoint_size": None if rests is None else rests.size,
    }
    named = run.run if run is not None else (entry.data["run"] if entry is not None else None)
    job = run.job if run is not None else (entry.data["job"] if entry is not None else None)
    return _Made(content, 1, {}, {name: value for name, value in body.items() if value is not None}, job, named)


# -- a period or a filter


def _of_filter(places: Places, order: Order) -> _Made:
    wanted = _wanted(order.given)
    checked = None if order.format in ("csv", "jsonl") else verified(places)
    with past_runs.reading(places) as log:
        if log is None:
            raise AuditMissingError(places.audit_db)
        rests = bases.base(log, _pinned(order), checked)
        found = bases.matching(log, wanted, rests, entries=order.entries)
        content, count = _filled(
            order, wanted, found, rests, lambda job: bases.backup_before(log, job, wanted.since_ms, rests)
        )
    if not count:
        raise NothingMatchesError("No entry of the audit log matches.")
    body = {
        "about": "entries" if _is_about_entries(order, wanted) else "runs",
        "filter": wanted.to_json(),
        "checkpoint_size": rests.size,
    }
    beside = {".checkpoint": rests.note} if order.format == "jsonl" else {}
    return _Made(content, count, beside, body)


def _is_about_entries(order: Order, wanted: "Filter") -> bool:
    from tray.audit.entry import ENDS

    return order.entries or any(action not in ENDS for action in wanted.action or ())


def _filled(
    order: Order,
    wanted: "Filter",
    found: "Iterable[StoredEntry]",
    rests: "Base",
    before: "Callable[[str], int | None]",
) -> tuple[bytes, int]:
    """Return the report and how much it holds."""
    counted = _Counted(found)
    if order.format in ("csv", "jsonl"):
        from tray.report import as_rows

        return (as_rows.as_csv if order.format == "csv" else as_rows.as_lines)(counted), counted.count
    if _is_about_entries(order, wanted):
        return _listed(order, wanted, counted, rests), counted.count
    summary = summarise((one for entry in counted if (one := bases.run_of(entry)) is not None), wanted, rests, before)
    if order.format == "text":
        return period_text(summary).encode() + b"\n", counted.count
    return _written(order, period_facts.of_period(summary)), counted.count


def _listed(order: Order, wanted: "Filter", found: "_Counted", rests: "Base") -> bytes:
    if order.format != "text":
        return _written(order, period_facts.of_entries(found, asked_words(wanted), rests))
    lines = []
    for entry in found:
        data = entry.data
        words = (data["time"], data["action"], data["result"], data["severity"], data["job"] or "", data["actor"])
        lines.append("  ".join([f"{entry.seq:>8}", *(wording.escape(str(word)) for word in words)]))
    return "\n".join([*lines, "", f"Checkpoint: {rests.foot}", ""]).encode()


class _Counted:
    """Counts the entries that pass."""

    def __init__(self, found: "Iterable[StoredEntry]") -> None:
        self._found, self.count = found, 0

    def __iter__(self) -> "Any":
        for entry in self._found:
            self.count += 1
            yield entry


def _wanted(given: Mapping[str, str]) -> "Filter":
    from tray.audit.search.conditions import parse

    return parse(given, clock.now_ms())


# -- what both need


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
    named = next((found for name in ("LC_ALL", "LC_PAPER", "LANG") if (found := environ.get(name))), "")
    return "letter" if named.partition(".")[0].rpartition("_")[2] in _LETTER else "a4"
