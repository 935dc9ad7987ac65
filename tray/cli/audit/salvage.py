"""Save what can be read of a damaged audit log: `backup-tray audit salvage`."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path

from tray import wording
from tray.audit import database, keys, salvage, spool
from tray.audit.entry import Action, Draft, Severity
from tray.audit.salvage import Salvaged
from tray.baselines import all_copies
from tray.cli import Command
from tray.core.errors import BackupTrayError
from tray.core.paths import places

_MAX_RANGES = 20
_WORDS = {
    "signed": "proven by a signed checkpoint",
    "chained": "fit the entry before or behind them",
    "alone": "readable, but nothing is left beside them",
    "contradicted": "NOT the entries that were signed",
}
_FATES = {
    "fit": "are the ones that their entries name",
    "erased": "were erased on purpose",
    "lost": "are lost",
    "altered": "are NOT the ones that their entries name",
    "without entry": "are of entries that are lost",
}


def _register(parser: ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", type=Path, help="the folder to write to")
    words = "another database than the present one: a copy, or one that was moved away"
    parser.add_argument("--from", dest="source", metavar="FILE", type=Path, help=words)


def _salvage(args: Namespace) -> int:
    """Save all that can be read, record that, and print the result: 0 all is there and signed, 1 not, 2 nothing."""
    here = places()
    source = here.audit_db if args.source is None else args.source.absolute()
    if source == here.audit_db and not source.exists():
        raise database.missing(source)
    trusted = list(dict.fromkeys([*keys.pins(here.audit_key), *all_copies.pinned(here)]))
    saved = salvage.salvage(source, args.folder, trusted=trusted, baselines=all_copies.notes(here).values())
    damaged = source == here.audit_db and not (saved.whole and _is_sound(source))
    _record(source, args.folder, saved, damaged)
    print("\n".join(_lines(source, args.folder, saved)))
    if damaged:
        print(f"  next:     {database.put_away(source)}")
    if not saved.count:
        return 2
    return 0 if saved.whole else 1


def _is_sound(db: Path) -> bool:
    """Whether SQLite finds nothing wrong with *db*."""
    try:
        with database.reading(db) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
    except BackupTrayError:
        return False


def _record(source: Path, folder: Path, saved: Salvaged, damaged: bool) -> None:
    """Put the salvage on record: into the log, or into the spool if it is the log that is damaged, which stays as it is."""
    here = places()
    draft = Draft(
        Action.AUDIT_SALVAGED,
        result="whole" if saved.whole else "damaged",
        severity=Severity.INFO if saved.whole else Severity.CRITICAL,
        body={"source": str(source), "folder": str(folder.absolute()), **saved.to_json()},
    )
    if damaged:
        spool.keep(here, [draft])
    else:
        spool.record(here, [draft])


def _lines(source: Path, folder: Path, saved: Salvaged) -> Iterator[str]:
    yield f"{wording.count(saved.count)} entries were read from {wording.escape(str(source))}."
    yield from (
        f"  {wording.count(saved.entries[how]):>9} {words}" for how, words in _WORDS.items() if how in saved.entries
    )
    yield from (
        f"  {wording.count(saved.details[fate]):>9} details {words}"
        for fate, words in _FATES.items()
        if fate in saved.details
    )
    for first, end in saved.lost[:_MAX_RANGES]:
        yield f"  lost:     {f'entry {first}' if end == first + 1 else f'entries {first} to {end - 1}'}"
    if len(saved.lost) > _MAX_RANGES:
        yield f"  lost:     and {len(saved.lost) - _MAX_RANGES} more ranges, see summary.json"
    if saved.unreadable:
        yield f"  disk:     {saved.unreadable} pages could not be read at all"
    if not saved.size_known:
        yield "  note:     how many entries the log had is not known; behind the last one here there may have been more"
    if not saved.checkpoints:
        yield "  note:     no signed checkpoint was left, so nothing can be proven"
    if not saved.trusted:
        yield "  note:     no public key was kept outside of the log, so the keys are only those that it names itself"
    yield f"  in:       {wording.escape(str(folder))}: entries.jsonl, checks.jsonl, details.jsonl, summary.json"


SALVAGE = Command(_register, _salvage, "backup-tray audit salvage ~/salvaged")
