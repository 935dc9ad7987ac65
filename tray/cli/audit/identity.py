"""Print what tells this audit log from any other: `backup-tray audit checkpoint` and `key`."""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from tray import wording
from tray.audit import checkpoint, keys, near_copy
from tray.audit.checkpoint import VerifierKey
from tray.audit.rotation import rotate
from tray.audit.store import AuditLog
from tray.baselines import all_copies
from tray.cli import Command
from tray.core.errors import AuditUnavailableError, UsageError
from tray.core.paths import Places, places


def _add_form(parser: ArgumentParser) -> None:
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--line", action="store_true", help="on one line, as system logs get it")
    words = "instead, the line that stood at the foot of a report over N entries"
    form.add_argument("--size", type=int, metavar="N", help=words)


def _checkpoint(args: Namespace) -> int:
    """Print the newest signed checkpoint, or the line of the log at an earlier size."""
    with AuditLog.read(places().audit_db) as log:
        size, _, note = log.head()
        if not note:
            raise AuditUnavailableError(
                "The log holds no signed checkpoint.", "Look closer: `backup-tray audit verify`."
            )
        if args.size is not None:
            if not 0 < args.size <= size:
                raise UsageError(
                    f"The log never had {args.size} entries." if args.size > size else "That is no number of entries.",
                    why=f"It holds {size}.",
                    next=f"Name a number from 1 to {size}.",
                )
            earlier = checkpoint.Checkpoint(checkpoint.parse(note).origin, args.size, log.root_at(args.size))
            print(all_copies.footer(earlier))
            return 0
    if args.line:
        print(checkpoint.to_line(note))
    else:
        sys.stdout.buffer.write(note)
        sys.stdout.flush()
    return 0


def _add_rotate(parser: ArgumentParser) -> None:
    words = "replace the signing key by a new one, which the old one signs"
    parser.add_argument("--rotate", action="store_true", help=words)
    parser.add_argument("--json", action="store_true", help="one JSON object")


def _key(args: Namespace) -> int:
    """Show the log's name and key; with --rotate change the key first."""
    here = places()
    rotated: dict[str, Any] = {}
    if args.rotate:
        change = rotate(here)
        rotated = {"rotated_at_entry": change.entry, "old_key": str(change.old)}
    facts = {**_facts(here), **rotated}
    print(json.dumps(facts, ensure_ascii=False) if args.json else "\n".join(_lines(facts)))
    return 0


def _facts(here: Places) -> dict[str, Any]:
    with AuditLog.read(here.audit_db) as log:
        size, _, note = log.head()
    name, ids = checkpoint.parse(note).origin, checkpoint.key_ids(note)
    beside, apart = keys.pins(here.audit_key), all_copies.pinned(here)
    known: dict[str, VerifierKey] = {str(key): key for key in [*beside, *apart] if key.name == name}
    current = [key for key in known.values() if key.key_id in ids and key.verifies(note)]
    return {
        "log": name,
        "entries": size,
        "public_key": str(current[-1]) if current else None,
        "pinned": [
            {"file": str(file), "holds": bool(current) and current[-1] in pins}
            for file, pins in (
                (keys.pin_file(here.audit_key), beside),
                (here.baselines / (near_copy.stem_of(name) + near_copy.KEYS), apart),
            )
        ],
        "earlier_keys": [text for text, key in known.items() if key not in current],
        "signing_key": str(here.audit_key),
        "signing_key_fits": _fits(here, note),
    }


def _fits(here: Places, note: bytes) -> bool:
    for file in (here.audit_key, keys.fresh_file(here.audit_key)):
        with suppress(OSError, AuditUnavailableError):
            if keys.known(file, note) is not None:
                return True
    return False


def _lines(facts: dict[str, Any]) -> Iterator[str]:
    escape = wording.escape
    if "rotated_at_entry" in facts:
        yield f"The key was changed with entry {facts['rotated_at_entry']}; the old one introduced the new one and is gone."
    yield f"log:          {escape(facts['log'])}"
    yield f"public key:   {escape(facts['public_key'] or 'none that is pinned signed the newest checkpoint')}"
    for pin in facts["pinned"]:
        yield f"{'pinned in:' if pin['holds'] else 'NOT pinned:':<13} {escape(pin['file'])}"
    for key in facts["earlier_keys"]:
        yield f"earlier key:  {escape(key)}"
    yield f"signing key:  {escape(facts['signing_key'])}"
    if not facts["signing_key_fits"]:
        yield "              is not the one that signed last: the next record brings in another key, and says so"
    yield "next:         keep log and public key elsewhere too, on paper for instance: they tell this log from any other."


CHECKPOINT = Command(_add_form, _checkpoint, "backup-tray audit checkpoint > /media/stick/checkpoint")
KEY = Command(
    _add_rotate,
    _key,
    "backup-tray audit key            note it on paper: it tells this log from any other",
    "backup-tray audit key --rotate",
)
