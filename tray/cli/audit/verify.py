"""`backup-tray audit verify`."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tray import config, wording
from tray.cli.audit.common import as_json
from tray.core.errors import BaselineError, ConfigError
from tray.core.paths import Places, places

if TYPE_CHECKING:
    from tray.audit.verify.verdict import Verdict

EXIT_OF = {"intact": 0, "tampered": 1, "inconclusive": 3}
_MAX_FILE = 64 << 20

EXAMPLES = (
    "backup-tray audit verify",
    "backup-tray audit verify --checkpoint /media/stick/checkpoint",
)


def register(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--checkpoint",
        metavar="FILE|DIR",
        type=Path,
        action="append",
        default=[],
        help="a baseline that was kept elsewhere, beside those that are always compared with",
    )
    parser.add_argument(
        "--incremental", action="store_true", help="only what came after the last check, if that found nothing"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: Namespace) -> int:
    """Verify, put that on record, and print what it came to."""
    from tray.baselines.recorded_check import check

    here = places()
    problems: list[str] = []
    given = dict(_baselines(args.checkpoint))
    verdict = check(
        here,
        _config(here, problems),
        given=given,
        incremental=args.incremental,
        progress=_progress(),
        problems=problems,
    )
    if args.json:
        print(as_json(verdict.to_json() | {"problems": problems}))
    else:
        print("\n".join(_lines(verdict, problems)))
    return EXIT_OF[verdict.result]


def _config(here: Places, problems: list[str]) -> config.Config | None:
    """Return the configuration, which names further places of baselines; a broken one is said, and the rest goes on."""
    try:
        return config.load(here)
    except ConfigError as error:
        problems.append(f"The configured places of baselines were left out: {error.why}")
        return None


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
    """Return the files of a folder of baselines; keys, and what was set aside, are kept with them."""
    return sorted(
        item
        for item in folder.iterdir()
        if item.is_file() and item.suffix not in (".pub", ".aside") and item.name[0] != "."
    )


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


def _lines(verdict: "Verdict", problems: list[str]) -> Iterator[str]:
    from tray.audit.verify.verdict import METHOD

    what = "entries" if verdict.full else "entries, of them only those after the last check,"
    yield f"{verdict.result.value.upper()}: {wording.escape(verdict.why)}"
    yield f"  log:      {wording.escape(verdict.log or 'unknown')}"
    broken = verdict.result == "tampered"  # it ended there: how much was read before, and its root, say nothing
    read = "until it broke off," if broken else f"{wording.count(verdict.entries)} {what}"
    yield f"  checked:  {read} in {verdict.duration_ms} ms, {wording.both_times(verdict.checked_ms)}"
    yield f"  method:   {METHOD}"
    if not broken:
        yield f"  root:     {verdict.root}"
    if verdict.kind is not None:
        place = (
            "in no single entry" if verdict.first_bad is None else f"from entry {wording.count(verdict.first_bad)} on"
        )
        yield f"  break:    {verdict.kind.value}, {place}"
    for name in verdict.baselines:
        if len(verdict.baselines) == 1 and name in verdict.why:
            break  # the sentence names it
        yield f"  baseline: {wording.escape(name)} agrees"
    for note in (*verdict.notes, *problems):
        yield f"  note:     {wording.escape(note)}"
    if verdict.breach is not None:
        yield f"  note:     Entry {verdict.breach} says that the log was tampered with; nobody has acknowledged that."
    yield from _next(verdict)


def _next(verdict: "Verdict") -> Iterator[str]:
    if verdict.result == "inconclusive":
        yield "  next:     keep a checkpoint elsewhere now, and compare with it later:"
        yield "            backup-tray audit checkpoint > FILE; backup-tray audit verify --checkpoint FILE"
    elif verdict.result == "tampered":
        yield "  next:     keep a copy of the folder as it is, and look at the entries: backup-tray audit show"
        yield "            once you know why (you moved a damaged log away, or restored an older one), say it:"
        yield "            backup-tray audit acknowledge --reason TEXT"
