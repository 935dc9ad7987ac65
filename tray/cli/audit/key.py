"""`backup-tray audit key`."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tray import wording
from tray.cli.audit.common import as_json
from tray.core.paths import Places, places

if TYPE_CHECKING:
    from tray.audit.checkpoint import VerifierKey

EXAMPLES = (
    "backup-tray audit key            note it on paper: it tells this log from any other",
    "backup-tray audit key --rotate",
)


def register(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--rotate", action="store_true", help="replace the signing key by a new one, which the old one signs"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: Namespace) -> int:
    """Show the log's name and key, after changing the key if that was asked for."""
    here = places()
    rotated: dict[str, Any] = {}
    if args.rotate:
        from tray.audit.rotation import rotate

        done = rotate(here)
        rotated = {"rotated_at_entry": done.entry, "old_key": str(done.old)}
    facts = {**_facts(here), **rotated}
    print(as_json(facts) if args.json else "\n".join(_lines(facts)))
    return 0


def _facts(here: Places) -> dict[str, Any]:
    from tray.audit import checkpoint, keys, near_copy
    from tray.audit.store import AuditLog
    from tray.baselines import all_copies

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
    from tray.audit import keys
    from tray.core.errors import AuditUnavailableError

    for file in (here.audit_key, keys.fresh_file(here.audit_key)):
        try:
            if keys.known(file, note) is not None:
                return True
        except (OSError, AuditUnavailableError):
            continue
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
