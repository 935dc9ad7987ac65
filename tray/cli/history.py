"""`backup-tray history [--json] [--job NAME] [--limit N]`."""

import json
import sys
from argparse import ArgumentParser, Namespace

from tray import clock, wording
from tray.model import Instance, Source
from tray.paths import places


def register(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--job", metavar="NAME", help="only runs of this job")
    parser.add_argument("--limit", type=int, default=50, metavar="N", help="how many (default 50)")


def run(args: Namespace) -> int:
    """Print past runs, the newest first."""
    from tray import past

    found, missing = past.everywhere(places(), limit=max(1, args.limit), job=args.job)
    for ended in found:
        if args.json:
            print(json.dumps(ended.to_json()))
        else:
            when = clock.local(ended.finished_ms).strftime("%Y-%m-%d %H:%M:%S")
            marks = (("system", ended.instance is Instance.SYSTEM), ("observed", ended.source is Source.OBSERVED))
            whose = "".join(f"  ({mark})" for mark, holds in marks if holds)
            print(f"{when}  {ended.run}  {wording.last_line(ended, clock.now_ms())}{whose}")
    if missing:
        print(f"Note: {missing}", file=sys.stderr)
    if not found and not args.json:
        print("No backups performed. Backup Tray has seen none yet.")
    return 0
