"""Hand out entries in forms that other tools can verify: `backup-tray audit export` and `proof`."""

import shlex
import sys
from argparse import ArgumentParser, Namespace
from hashlib import sha256
from pathlib import Path

from tray import wording
from tray.audit import proof, spool, tlog
from tray.audit.entry import Action, Draft
from tray.audit.store import AuditLog
from tray.cli import Command, options
from tray.cli.audit.show import entry_number
from tray.core.paths import places


def _add_folder(parser: ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", type=Path, help="the target; files of an earlier export are kept")
    parser.add_argument("--format", choices=["tiles"], default="tiles", help="C2SP tlog-tiles, the only one so far")
    words = "the details too: copies of the folder keep them when they are erased from the log later"
    parser.add_argument("--details", action="store_true", help=words)


def _export(args: Namespace) -> int:
    """Export the log, record that, and say how to check the folder."""
    here = places()
    with AuditLog.read(here.audit_db) as log:
        written = tlog.export(log, args.folder, details=args.details, progress=options.progress())
    count = written.size - written.first
    body = {
        "format": "C2SP tlog-tiles",
        "folder": str(args.folder.absolute()),
        "range": [written.first, written.size],
        "count": count,
        "details": args.details,
        "digest": written.digest,
    }
    spool.record(here, [Draft(Action.AUDIT_EXPORTED, body=body)])
    print(f"{wording.count(count)} entries are in {wording.escape(str(args.folder))}.")
    print(f"  files:  {wording.count(written.written)} written, the others were there")
    if written.first:
        print(f"  note:   the entries before {wording.count(written.first)} were pruned; the archive may have them")
    print(f"  root:   {written.root.hex()}")
    _print_check(args.folder)
    return 0


def _print_check(path: Path) -> None:
    print(f"  check:  python3 {shlex.quote(str(tlog.VERIFIER))} {shlex.quote(str(path))} --key VKEY")
    print("          VKEY is what `backup-tray audit key` shows")


def _add_entry(parser: ArgumentParser) -> None:
    words = "number of an entry, or a run (its id, as `backup-tray history` shows it, or `last`): its end"
    parser.add_argument("entry", metavar="SEQ|RUN", help=words)
    parser.add_argument("--output", metavar="FILE", type=Path, help="the file to write, instead of the terminal")
    words = "show the details too, which can be erased in the log only"
    parser.add_argument("--details", action="store_true", help=words)


def _proof(args: Namespace) -> int:
    """Write the proof, and record that."""
    here = places()
    seq = entry_number(args.entry)
    built = proof.build(here.audit_db, seq, details=args.details)
    raw = built.to_bytes()
    if args.output is None:
        sys.stdout.buffer.write(raw)
        sys.stdout.flush()
    else:
        tlog.write(args.output, raw)
        print(f"Entry {seq} is proven by {wording.escape(str(args.output))}.")
        _print_check(args.output)
    body = {
        "format": "C2SP tlog-proof",
        "range": [seq, seq + 1],
        "count": 1,
        "details": built.details is not None,
        "digest": sha256(raw).hexdigest(),
    }
    spool.record(here, [Draft(Action.AUDIT_EXPORTED, job=built.data["job"], run=built.data["run"], body=body)])
    return 0


EXPORT = Command(_add_folder, _export, "backup-tray audit export /media/stick/log")
PROOF = Command(_add_entry, _proof, "backup-tray audit proof last --output run.tlog-proof")
