"""Show the contents of repositories: `backup-tray repository`."""

import json
import os
from argparse import ArgumentParser, Namespace
from contextlib import closing

from tray import wording
from tray.cli import Command
from tray.core import clock
from tray.core.errors import RepositoryNotKnownError, UsageError
from tray.core.model import Instance, RepositoryState
from tray.core.paths import places
from tray.repository import ask, look
from tray.repository.ask import Snapshot
from tray.repository.look import Target
from tray.status import StatusSource


def _register(parser: ArgumentParser) -> None:
    words = "only this one: a folder, or an address as the list shows it"
    parser.add_argument("repository", nargs="?", metavar="REPO", help=words)
    words = "look now, and ask the backup program where its password is configured or in the environment"
    parser.add_argument("--refresh", action="store_true", help=words)
    words = "list the snapshots that the repository has, also of runs without a record here"
    parser.add_argument("--snapshots", action="store_true", help=words)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def _repository(args: Namespace) -> int:
    """Show the facts that the repositories tell; exit code 0, or 3 where one cannot be read."""
    here = places()
    chosen = None
    if args.repository is not None:
        chosen = look.target_of(here, args.repository, os.getcwd())
        if chosen is None:
            raise RepositoryNotKnownError(args.repository)
    if args.snapshots:
        return _list(_target(chosen, look.known_targets(here)), as_json=args.json)
    if args.refresh:
        for target in [chosen] if chosen is not None else look.known_targets(here):
            look.look(here, target, os.environ, asked=True)
        look.tidy(here)
    return _show(chosen, as_json=args.json)


def _show(chosen: Target | None, *, as_json: bool) -> int:
    with closing(StatusSource(places(), role="cli", start_tracker=False)) as source:
        states = source.poll().repositories
    if chosen is not None:
        named = (chosen.access.engine, chosen.shown)
        states = tuple(state for state in states if (state.engine, state.repository) == named)
    for state in states:
        print(json.dumps(state.to_json()) if as_json else text(state))
    if not states and not as_json:
        look_at = "look at one: `backup-tray repository --refresh REPO`"
        print(f"No repository is known. Put a backup under watch, or {look_at}.")
    return 3 if any(state.error is not None for state in states) else 0


def text(state: RepositoryState) -> str:
    """Return the facts of a repository, one a line; a fact that is not known is said to be so."""
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
        f"  snapshots: {wording.known(state.snapshots, wording.count, 'not known')}",
        f"  newest:    {newest}",
        f"  size:      {wording.known(state.size, wording.size, 'not known')}",
        f"  lock:      {_lock(state)}",
        f"  as of:     {_when(state.as_of_ms)}, {wording.ago(now, state.as_of_ms)}",
    ]
    if state.lock_command is not None:
        lines.append(f"  unlock:    {wording.escape(state.lock_command)}")
    if state.error is not None:
        facts = {key: wording.escape(words) for key, words in state.error.items()}
        lines += [f"  error:     {facts['what']}", f"  why:       {facts['why']}", f"  next:      {facts['next']}"]
    return "\n".join(lines)


def _lock(state: RepositoryState) -> str:
    if state.locked_by is None:
        return "none seen"
    since = "" if state.locked_since_ms is None else f" since {_when(state.locked_since_ms)}"
    return f"locked by {wording.escape(state.locked_by)}{since}"


def _list(target: Target, *, as_json: bool) -> int:
    snapshots = ask.snapshots(target.access, os.environ)
    for snapshot in snapshots:
        print(json.dumps(snapshot.to_json()) if as_json else _line(snapshot))
    if not as_json:
        count = f"{wording.plural(len(snapshots), 'snapshot')} in {wording.escape(target.shown)}"
        print(f"{count}, told by the repository itself, not by the audit log.")
    return 0


def _line(snapshot: Snapshot) -> str:
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


def _target(chosen: Target | None, known: list[Target]) -> Target:
    """Return the named repository, or the only known one."""
    if chosen is not None:
        return chosen
    if len(known) == 1:
        return known[0]
    names = ", ".join(wording.escape(target.shown) for target in known) or "none yet"
    step = "Name one: `backup-tray repository --snapshots REPO`."
    raise UsageError("`--snapshots` needs a repository.", why=f"Known are: {names}.", next=step)


def _when(ms: int) -> str:
    return clock.local(ms).strftime("%Y-%m-%d %H:%M:%S")


REPOSITORY = Command(
    _register, _repository, "backup-tray repository", "backup-tray repository /media/stick/backup --refresh"
)
