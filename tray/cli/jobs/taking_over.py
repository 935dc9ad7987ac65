"""Find the backups that this machine makes already, and watch them: `backup-tray jobs import`."""

import json
import sys
from argparse import Namespace
from collections.abc import Sequence

from tray.core.errors import UsageError
from tray.core.paths import Places, places
from tray.jobs import watching
from tray.takeover import discover, words
from tray.takeover.found import Finding
from tray.wording import escape


def run(args: Namespace) -> int:
    """Show the backups that exist, or make watched jobs of those that the user chooses."""
    here = places()
    search = watching.search(here)
    findings, now_ms = search.findings, search.machine.now_ms
    if args.json:
        listed = [words.to_json(at, entry, now_ms, watching.prefix(entry)) for at, entry in enumerate(findings, 1)]
        print(json.dumps(listed, indent=2))
        return 0
    if args.lines:
        return _print_lines(_chosen(findings, args, every=not args.numbers))
    if not args.numbers and not args.all:
        _show(findings, now_ms)
        args.numbers = _asked(findings)
        if not args.numbers:
            return 0
    return _take(here, _chosen(findings, args, every=args.all), args.name)


def _chosen(findings: Sequence[Finding], args: Namespace, *, every: bool) -> list[Finding]:
    """Return the findings that the user means.

    Raises:
        UsageError: There is no such number, or that one cannot be taken over.
    """
    if every:
        return [finding for finding in findings if finding.state == "new" or (args.lines and finding.wrapped)]
    for number in args.numbers:
        if not 0 < number <= len(findings):
            raise UsageError(f"There is no backup number {number}.", next="See the list: `backup-tray jobs import`.")
        finding = findings[number - 1]
        if finding.state not in ("new", "idle") and not args.lines:
            why = f"{finding.why[:1].upper()}{finding.why[1:]}."
            raise UsageError(
                f"Backup number {number} cannot be watched.", why=why, next="See `backup-tray jobs import`."
            )
    return [findings[number - 1] for number in dict.fromkeys(args.numbers)]


def _show(findings: Sequence[Finding], now_ms: int) -> None:
    if not findings:
        print("No backup was found. Backup Tray looked at:\n" + "\n".join(f"- {place}" for place in discover.PLACES))
        return
    print("Backups that this machine makes already; nothing of theirs is changed:\n")
    for number, finding in enumerate(findings, 1):
        print("\n".join(words.lines(number, finding, now_ms)), end="\n\n")
    able = sum(finding.state == "new" for finding in findings)
    if able:
        print(f"Watch them: `backup-tray jobs import N…`, or all {able} that something starts with `--all`.")
        print(f"{watching.SEEN} See it with `backup-tray jobs import --lines`.")


def _asked(findings: Sequence[Finding]) -> list[int]:
    """Ask at the terminal which backups to watch; return their numbers, none without a terminal.

    Raises:
        UsageError: The answer is no list of numbers.
    """
    able = [number for number, finding in enumerate(findings, 1) if finding.state == "new"]
    if not any(finding.state in ("new", "idle") for finding in findings) or not (
        sys.stdin.isatty() and sys.stdout.isatty()
    ):
        return []
    try:
        answer = input("\nWhich of them shall be watched? [numbers, all, or Enter for none] ").replace(",", " ").split()
    except EOFError:
        return []
    if [word.lower() for word in answer] == ["all"]:
        return able
    if not all(word.isdecimal() for word in answer):
        raise UsageError("The answer is no list of numbers.", next="Type for example `1 3`, or `all`.")
    return [int(word) for word in answer]


def _take(here: Places, chosen: Sequence[Finding], name: str | None) -> int:
    """Save a watched job for each finding.

    Raises:
        UsageError: `--name` does not fit.
        JobChangeError: There is such a job.
    """
    if not chosen:
        print("There is no further backup that can be watched; `backup-tray jobs import` shows the list.")
        return 0
    if name is not None and len(chosen) > 1:
        raise UsageError("A single name cannot name several jobs.", next="Take them over one by one.")
    for finding in chosen:
        job = watching.watch(here, finding, name)
        print(f"{escape(job.name)} is watched: {escape(job.watched or '')}")
    return 0


def _print_lines(chosen: Sequence[Finding]) -> int:
    """Print the lines with our prefix, each with its place."""
    printed = set()
    for finding in chosen:
        line = words.line(finding, watching.prefix(finding))
        if not line:
            print(
                f"# {escape(finding.source)}: put `{watching.prefix(finding)}` before the command of the backup yourself:"
            )
            print(f"#   {escape(finding.command)}\n")
        elif finding.wrapped not in printed:
            printed.add(finding.wrapped)
            print(f"# {escape(finding.source)}: {escape(finding.how)}\n{line}\n")
    return 0
