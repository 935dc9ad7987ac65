"""`backup-tray audit proof`."""

import shlex
import sys
from argparse import ArgumentParser, Namespace
from hashlib import sha256
from pathlib import Path

from tray import wording
from tray.cli.audit.common import entry_number
from tray.core.paths import places

EXAMPLES = ("backup-tray audit proof last --output run.tlog-proof",)


def register(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "entry",
        metavar="SEQ|RUN",
        help="number of an entry, or a run (its id, as `backup-tray history` shows it, or `last`): its end",
    )
    parser.add_argument("--output", metavar="FILE", type=Path, help="where to, instead of the terminal")
    parser.add_argument(
        "--details", action="store_true", help="show the details too, which can be erased in the log only"
    )


def run(args: Namespace) -> int:
    """Write the proof, and put that on record."""
    from tray.audit import proof, spool, standalone, tlog
    from tray.audit.entry import Action, Draft

    here = places()
    seq = entry_number(args.entry)
    found = proof.build(here.audit_db, seq, details=args.details)
    raw = found.to_bytes()
    if args.output is None:
        sys.stdout.buffer.write(raw)
        sys.stdout.flush()
    else:
        tlog.write(args.output, raw)
        print(f"Entry {seq} is proven by {wording.escape(str(args.output))}.")
        print(f"  check:  python3 {shlex.quote(standalone.__file__)} {shlex.quote(str(args.output))} --key VKEY")
        print("          VKEY is what `backup-tray audit key` shows")
    body = {
        "format": "C2SP tlog-proof",
        "range": [seq, seq + 1],
        "count": 1,
        "details": found.details is not None,
        "digest": sha256(raw).hexdigest(),
    }
    spool.record(here, [Draft(Action.AUDIT_EXPORTED, job=found.data["job"], run=found.data["run"], body=body)])
    return 0
