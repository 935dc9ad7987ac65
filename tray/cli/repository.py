"""`backup-tray repository [--refresh] [--snapshots] [--json] [REPO]`."""

import json
import os
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from tray import wording
from tray.core import clock
from tray.core.model import Instance
from tray.core.paths import places

if TYPE_CHECKING:
    from tray.core.model import RepositoryState
    from tray.repository.ask import Snapshot
    from tray.repository.targets import Target

EXAMPLES = (
    "backup-tray repository",
    "backup-tray repository /media/stick/backup --refresh",
)


def register(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("repository", nargs="?", metavar="REPO", help="only this one: a folder, or an address as known")
    parser.add_argument(
        "--refresh",
        action="store_true",
        help="look now, and ask the engine where its password is configured or in the environment",
    )
    parser.add_argument(
        "--snapshots",
        action="store_true",
        help="list the snapshots that the engine tells of: past runs without an audit entry",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def run(args: Namespace) -> int:
    """Show what the repositories say of themselves; 0, or 3 where one cannot be read."""
    from tray.core.errors import RepositoryNotKnownError
    from tray.repository import look, targets

    here = places()
    chosen = None
    if args.repository is not None:
        chosen = targets.of_address(here, args.repository, os.getcwd())
        if chosen is None:
            raise RepositoryNotKnownError(args.repository)
    if args.snapshots:
        return _list(_one(chosen, targets.known(here)), as_json=args.json)
    if args.refresh:
        for target in [chosen] if chosen is not None else targets.known(here):
            look.look(here, target, os.environ, asked=True)
        look.tidy(here)
    return _show(chosen, as_json=args.json)


def _show(chosen: "Target | None", *, as_json: bool) -> int:
    from tray.status import StatusSource

    source = StatusSource(places(), role="cli", start_tracker=False)
    try:
        found = list(source.poll().repositories)
    finally:
        source.close()
    if chosen is not None:
        found = [state for state in found if (state.engine, state.repository) == (chosen.access.engine, chosen.shown)]
    for state in found:
        print(json.dumps(state.to_json()) if as_json else text(state))
    if not found and not as_json:
        print(
            "No repository is known. Put a backup under watch, or look at one: `backup-tray repository --refresh REPO`."
        )
    return 3 if any(state.error is not None for state in found) else 0


def text(state: "RepositoryState") -> str:
    """Return a repository for a person: one fact a line, those that nobody knows said so."""
    now = clock.now_ms()
    newest = "not known"
    if state.last_snapshot_ms is not None:
        newest = f"{_when(state.last_snapshot_ms)}, {wording.ago(now, state.last_snapshot_ms)}"
        newest += "" if state.last_snapshot is None else f" ({wording.escape(state.last_snapshot[:32])})"
    elif state.snapshots == 0:
        newest = "none"
    whose = " (system)" if state.instance is Instance.SYSTEM else ""
    lines = [
        f"{wording.escape(state.engine)} → {wording.escape(state.repository)}{whose}",
        f"  snapshots: {'not known' if state.snapshots is None else wording.count(state.snapshots)}",
        f"  newest:    {newest}",
        f"  size:      {'not known' if state.size is None else wording.size(state.size)}",
        f"  lock:      {_lock(state)}",
        f"  as of:     {_when(state.as_of_ms)}, {wording.ago(now, state.as_of_ms)}",
    ]
    if state.lock_command is not None:
        lines.append(f"  unlock:    {wording.escape(state.lock_command)}")
    if state.error is not None:
        facts = {key: wording.escape(said) for key, said in state.error.items()}
        lines += [f"  error:     {facts['what']}", f"  why:       {facts['why']}", f"  next:      {facts['next']}"]
    return "\n".join(lines)


def _lock(state: "RepositoryState") -> str:
    if state.locked_by is None:
        return "none seen"
    since = "" if state.locked_since_ms is None else f" since {_when(state.locked_since_ms)}"
    return f"locked by {wording.escape(state.locked_by)}{since}"


def _list(target: "Target", *, as_json: bool) -> int:
    from tray.repository import ask

    found = ask.snapshots(target.access, os.environ)
    for snapshot in found:
        print(json.dumps(snapshot.to_json()) if as_json else _line(snapshot))
    if not as_json:
        told = f"{wording.plural(len(found), 'snapshot')} in {wording.escape(target.shown)}"
        print(f"{told}, told by the repository itself, not by the audit log.")
    return 0


def _line(snapshot: "Snapshot") -> str:
    facts = [
        _when(snapshot.time_ms),
        snapshot.id[:8] if len(snapshot.id) == 64 else wording.escape(snapshot.id),
        "" if snapshot.files is None else wording.plural(snapshot.files, "file"),
        "" if snapshot.bytes is None else wording.size(snapshot.bytes),
        "" if snapshot.seconds is None else wording.duration(snapshot.seconds),
        "" if snapshot.host is None else wording.escape(snapshot.host),
        " ".join(wording.escape(path) for path in snapshot.paths),
    ]
    return "  ".join(fact for fact in facts if fact)


def _one(chosen: "Target | None", known: "list[Target]") -> "Target":
    """Return the repository that is meant: the named one, or the only one."""
    from tray.core.errors import UsageError

    if chosen is not None:
        return chosen
    if len(known) == 1:
        return known[0]
    names = ", ".join(wording.escape(target.shown) for target in known) or "none yet"
    raise UsageError(
        "`--snapshots` needs a repository.",
        why=f"Known are: {names}.",
        next="Name one: `backup-tray repository --snapshots REPO`.",
    )


def _when(ms: int) -> str:
    return clock.local(ms).strftime("%Y-%m-%d %H:%M:%S")
