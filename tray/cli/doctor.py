"""`backup-tray doctor`: say what works here, what does not, and how to mend it."""

import json
from argparse import ArgumentParser, Namespace

from tray import doctor
from tray.cli import Command
from tray.core.paths import places
from tray.wording import escape


def _register(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the checks as JSON")


def _run(args: Namespace) -> int:
    """Print every check; exit code 0 if there is nothing to mend, else 1."""
    checks = doctor.examine(places())
    if args.json:
        print(json.dumps([check.to_json() for check in checks], indent=2))
    else:
        for check in checks:
            print(f"{check.level.value:<4}  {check.name}: {escape(check.what)}")
            if check.remedy:
                print(f"      mend it: {escape(check.remedy)}")
    return 0 if doctor.fine(checks) else 1


DOCTOR = Command(_register, _run, "backup-tray doctor               exit code 0 if there is nothing to mend, else 1")
