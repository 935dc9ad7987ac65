"""Verify the audit log: `backup-tray audit verify`."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path

from tray import config, wording
from tray.audit import checkpoint
from tray.audit.verify.verdict import METHOD, Verdict
from tray.baselines.recorded_check import check
from tray.cli import Command, options
from tray.core.errors import BaselineError, ConfigError
from tray.core.paths import Places, places

EXIT_OF = {"intact": 0, "tampered": 1, "inconclusive": 3}
_MAX_FILE = 64 << 20


def _register(parser: ArgumentParser) -> None:
    words = "a baseline, that is a checkpoint that you kept elsewhere; the log is compared with it too"
    parser.add_argument("--checkpoint", metavar="FILE|DIR", type=Path, action="append", default=[], help=words)
    words = "only entries that came after the last check, if that found nothing"
    parser.add_argument("--incremental", action="store_true", help=words)
    parser.add_argument("--json", action="store_true", help="one JSON object")


def _verify(args: Namespace) -> int:
    """Verify the log, record the result, and print it."""
    here = places()
    problems: list[str] = []
    given = dict(_baselines(args.checkpoint))
    settings, progress = _config(here, problems), options.progress()
    verdict = check(here, settings, given=given, incremental=args.incremental, progress=progress, problems=problems)
    if args.json:
        print(json.dumps(verdict.to_json() | {"problems": problems}, ensure_ascii=False))
    else:
        print("\n".join(_lines(verdict, problems)))
    return EXIT_OF[verdict.result]


def _config(here: Places, problems: list[str]) -> config.Config | None:
    """Return the configuration, which names further places of baselines; if it is broken, note that as a problem."""
    try:
        return config.load(here)
    except ConfigError as error:
        problems.append(f"The configured places of baselines were left out: {error.why}")
        return None


def _baselines(given: list[Path]) -> Iterator[tuple[str, bytes]]:
    for path in given:
        try:
            files = sorted(filter(_is_baseline, path.iterdir())) if path.is_dir() else [path]
            if not files:
                raise BaselineError(str(path), "The folder is empty.")
            for file in files:
                with file.open("rb") as opened:
                    yield from _notes(str(file), opened.read(_MAX_FILE))
        except OSError as error:
            raise BaselineError(str(path), f"It cannot be read: {error.strerror}.") from error


def _is_baseline(file: Path) -> bool:
    """Whether *file* of a folder of baselines is one, not a key or a file set aside."""
    return file.is_file() and file.suffix not in (".pub", ".aside") and file.name[0] != "."


def _notes(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the checkpoints in a file: one, or all that a system log received (`journalctl -t backup-tray -o cat`)."""
    notes = checkpoint.notes_in(content)
    if len(notes) == 1:
        yield name, notes[0]
        return
    for note in notes:
        yield f"{name} ({checkpoint.parse(note).size} entries)", note


def _lines(verdict: Verdict, problems: list[str]) -> Iterator[str]:
    part = "entries" if verdict.full else "entries, of them only those after the last check,"
    yield f"{verdict.result.value.upper()}: {wording.escape(verdict.why)}"
    yield f"  log:      {wording.escape(verdict.log or 'unknown')}"
    broken = verdict.result == "tampered"  # it ended there: how much was read before, and its root, say nothing
    read = "until it broke off," if broken else f"{wording.count(verdict.entries)} {part}"
    yield f"  checked:  {read} in {verdict.duration_ms} ms, {wording.both_times(verdict.checked_ms)}"
    yield f"  method:   {METHOD}"
    if not broken:
        yield f"  root:     {verdict.root}"
    if verdict.kind is not None:
        first = verdict.first_bad
        place = "in no single entry" if first is None else f"from entry {wording.count(first)} on"
        yield f"  break:    {verdict.kind.value}, {place}"
    for name in verdict.baselines:
        if len(verdict.baselines) == 1 and name in verdict.why:
            break  # the sentence names it
        yield f"  baseline: {wording.escape(name)} agrees"
    for note in (*verdict.notes, *problems):
        yield f"  note:     {wording.escape(note)}"
    if verdict.breach is not None:
        yield f"  note:     Entry {verdict.breach} says that the log was tampered with; that has not been acknowledged."
    yield from _next(verdict)


def _next(verdict: Verdict) -> Iterator[str]:
    if verdict.result == "inconclusive":
        yield "  next:     keep a checkpoint elsewhere now, and compare with it later:"
        yield "            backup-tray audit checkpoint > FILE; backup-tray audit verify --checkpoint FILE"
    elif verdict.result == "tampered":
        yield "  next:     keep a copy of the folder as it is, and look at the entries: backup-tray audit show"
        yield "            once you know why (you moved a damaged log away, or restored an older one), say it:"
        yield "            backup-tray audit acknowledge --reason TEXT"


VERIFY = Command(
    _register,
    _verify,
    "backup-tray audit verify",
    "backup-tray audit verify --checkpoint /media/stick/checkpoint",
)
