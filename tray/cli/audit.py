"""`backup-tray audit verify | show | checkpoint`."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tray import clock, wording
from tray.errors import AuditMissingError, AuditUnavailableError, BackupTrayError, BaselineError
from tray.paths import places

if TYPE_CHECKING:
    from tray.audit.store import StoredEntry
    from tray.audit.verdict import Verdict

EXIT_OF = {"intact": 0, "tampered": 1, "inconclusive": 3}
_RECORD_SECONDS = 5.0
_MAX_NOTE = 65_536


def register(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    commands = parser.add_subparsers(dest="what", required=True, metavar="verify|show|checkpoint")
    verify = commands.add_parser(
        "verify", help="check the whole log: 0 intact, 1 tampered, 2 could not check, 3 inconclusive"
    )
    verify.add_argument(
        "--checkpoint",
        metavar="FILE|DIR",
        type=Path,
        action="append",
        default=[],
        help="a baseline that was kept elsewhere",
    )
    verify.add_argument("--json", action="store_true", help="one JSON object")
    show = commands.add_parser("show", help="print entries")
    show.add_argument("seq", nargs="?", type=int, metavar="SEQ", help="only this entry, with its details")
    show.add_argument("--json", action="store_true", help="the exact bytes that were hashed, one entry a line")
    show.add_argument("--limit", type=int, default=20, metavar="N", help="how many of the newest (default 20)")
    commands.add_parser("checkpoint", help="print the newest signed checkpoint, to be kept elsewhere as a baseline")


def run(args: Namespace) -> int:
    """Do what was asked."""
    parts: dict[str, Callable[[Namespace], int]] = {"verify": _verify, "show": _show, "checkpoint": _checkpoint}
    return parts[args.what](args)


def _verify(args: Namespace) -> int:
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
    print(_json(verdict.to_json()) if args.json else "\n".join(_lines(verdict)))
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
            files = sorted(item for item in path.iterdir() if item.is_file()) if path.is_dir() else [path]
            if not files:
                raise BaselineError(str(path), "The folder is empty.")
            for file in files:
                with file.open("rb") as opened:
                    yield str(file), opened.read(_MAX_NOTE + 1)
        except OSError as error:
            raise BaselineError(str(path), f"It cannot be read: {error.strerror}.") from error


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
    yield f"  checked:  {wording.count(verdict.entries)} entries in {verdict.duration_ms} ms, {_when(verdict.checked_ms)}"
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


def _show(args: Namespace) -> int:
    from tray.audit.store import AuditLog

    with AuditLog.read(places().audit_db) as log:
        found = log.entries(-max(1, args.limit), max(1, args.limit)) if args.seq is None else [log.entry(args.seq)]
    for entry in found:
        if args.json:
            sys.stdout.buffer.write(entry.raw + b"\n")
        elif args.seq is None:
            print(_line(entry))
        else:
            print("\n".join(_details(entry)))
    sys.stdout.flush()
    return 0


def _line(entry: "StoredEntry") -> str:
    data = entry.data
    words = [
        f"{entry.seq:>6}",
        _moment(data["time"]),
        f"{data['action']:<13}",
        f"{data['result']}",
        data["job"],
        data["run"],
    ]
    return "  ".join(wording.escape(str(word)) for word in words if word is not None)


def _details(entry: "StoredEntry") -> Iterator[str]:
    yield f"entry {entry.seq}"
    for key, value in entry.data.items():
        if value is not None:
            text = _moment(value) if key in ("time", "recorded") else str(value)
            yield f"  {key:<16} {wording.escape(text)}"
    yield f"  {'leaf':<16} {entry.leaf.hex()}"
    if entry.erased:
        yield "  details          erased"
    for key, value in (entry.body or {}).items():
        text = value if isinstance(value, str) else _json(value)
        yield f"  > {wording.escape(key):<14} {wording.escape(text)}"


def _checkpoint(args: Namespace) -> int:  # noqa: ARG001 - all parts take the arguments
    from tray.audit.store import AuditLog

    with AuditLog.read(places().audit_db) as log:
        _, _, note = log.head()
    if not note:
        raise AuditUnavailableError("The log holds no signed checkpoint.", "Look closer: `backup-tray audit verify`.")
    sys.stdout.buffer.write(note)
    sys.stdout.flush()
    return 0


def _moment(text: str) -> str:
    try:
        return _when(clock.from_text(text))
    except ValueError:
        return text


def _when(ms: int) -> str:
    """Return a time as people read it, and beside it as the log holds it."""
    return f"{clock.local(ms):%Y-%m-%d %H:%M:%S %Z} ({clock.to_text(ms)})"


def _json(value: object) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)
