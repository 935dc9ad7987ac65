"""`backup-tray audit verify`."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tray import wording
from tray.cli.audit.common import as_json, when
from tray.errors import AuditMissingError, BackupTrayError, BaselineError
from tray.paths import places

if TYPE_CHECKING:
    from tray.audit.verdict import Verdict

EXIT_OF = {"intact": 0, "tampered": 1, "inconclusive": 3}
_RECORD_SECONDS = 5.0
_MAX_FILE = 64 << 20


def register(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--checkpoint",
        metavar="FILE|DIR",
        type=Path,
        action="append",
        default=[],
        help="a baseline that was kept elsewhere",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: Namespace) -> int:
    """Verify, put that on record, and print what it came to."""
    from tray.audit.verify import verify

    here = places()
    notes = dict(_baselines(args.checkpoint))
    try:
        verdict = verify(here.audit_db, here.audit_key, baselines=notes, progress=_progress())
    except AuditMissingError:
        raise
    except BackupTrayError as error:
        _record("could not check", {"why": error.why})
        raise
    body = {key: value for key, value in verdict.to_json().items() if key not in ("result", "checked_at", "method")}
    _record(verdict.result.value, body)
    print(as_json(verdict.to_json()) if args.json else "\n".join(_lines(verdict)))
    return EXIT_OF[verdict.result]


def _record(result: str, body: Mapping[str, Any]) -> None:
    """Put the verification itself on record, after it: what was checked is the log without this entry."""
    from tray.audit import spool
    from tray.audit.entry import Action, Draft, Severity

    severity = {"intact": Severity.INFO, "tampered": Severity.CRITICAL}.get(result, Severity.WARNING)
    spool.record(
        places(), [Draft(Action.AUDIT_VERIFIED, result=result, severity=severity, body=body)], timeout=_RECORD_SECONDS
    )


def _baselines(given: list[Path]) -> Iterator[tuple[str, bytes]]:
    for path in given:
        try:
            files = _files(path) if path.is_dir() else [path]
            if not files:
                raise BaselineError(str(path), "The folder is empty.")
            for file in files:
                with file.open("rb") as opened:
                    yield from _notes(str(file), opened.read(_MAX_FILE))
        except OSError as error:
            raise BaselineError(str(path), f"It cannot be read: {error.strerror}.") from error


def _files(folder: Path) -> list[Path]:
    """Return the files of a folder of baselines; verifier keys that are kept with them are none."""
    return sorted(item for item in folder.iterdir() if item.is_file() and item.suffix != ".pub" and item.name[0] != ".")


def _notes(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield what a file holds: one checkpoint, or all that a system's log was told (`journalctl -t backup-tray -o cat`)."""
    from tray.audit import checkpoint

    notes = checkpoint.notes_in(content)
    if len(notes) == 1:
        yield name, notes[0]
        return
    for note in notes:
        yield f"{name} ({checkpoint.parse(note).size} entries)", note


def _progress() -> Callable[[int, int], None] | None:
    if not sys.stderr.isatty():
        return None

    def show(done: int, total: int) -> None:
        print(f"\r{wording.count(done)} of {wording.count(total)} entries\x1b[K", end="", file=sys.stderr, flush=True)
        if done + 4096 > total:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    return show


def _lines(verdict: "Verdict") -> Iterator[str]:
    from tray.audit.verdict import METHOD

    yield f"{verdict.result.value.upper()}: {wording.escape(verdict.why)}"
    yield f"  log:      {wording.escape(verdict.log or 'unknown')}"
    yield f"  checked:  {wording.count(verdict.entries)} entries in {verdict.duration_ms} ms, {when(verdict.checked_ms)}"
    yield f"  method:   {METHOD}"
    yield f"  root:     {verdict.root}"
    if verdict.kind is not None:
        place = "somewhere" if verdict.first_bad is None else f"from entry {verdict.first_bad} on"
        yield f"  break:    {verdict.kind.value}, {place}"
    for name in verdict.baselines:
        yield f"  baseline: {wording.escape(name)} agrees"
    for note in verdict.notes:
        yield f"  note:     {wording.escape(note)}"
    if verdict.result == "inconclusive":
        yield "  next:     keep a checkpoint elsewhere now, and compare with it later:"
        yield "            backup-tray audit checkpoint > FILE; backup-tray audit verify --checkpoint FILE"
    elif verdict.result == "tampered":
        yield "  next:     keep a copy of the folder as it is, and look at the entries: backup-tray audit show"
