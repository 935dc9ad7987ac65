"""Logs to test with: drafts, damage, and places where a disk is full or read-only."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import mounts
from tray.audit.entry import SEVERITY_OF, Action, Draft
from tray.audit.merkle import Tiles
from tray.audit.store import AuditLog
from tray.core import clock
from tray.core.clock import new_id
from tray.core.model import Outcome
from tray.core.paths import Places

BODY = {"reason": "All files were saved.", "repository": "/srv/backup", "started_at": "2026-11-23T00:00:00.000Z"}


def start(run: str | None = None, job: str = "home", **more: Any) -> Draft:
    """The start of a run."""
    return Draft(
        Action.RUN_STARTED, run=run or new_id(), job=job, engine="restic", kind="backup", result="started", **more
    )


def end(run: str | None = None, job: str = "home", outcome: Outcome = Outcome.SUCCEEDED, **more: Any) -> Draft:
    """The end of a run."""
    more = {"body": BODY, "action": Action.RUN_FINISHED, "severity": SEVERITY_OF[outcome]} | more
    return Draft(
        **{"run": run or new_id(), "job": job, "engine": "restic", "kind": "backup", "result": outcome.value} | more
    )


def writer(places: Places, timeout: float = 5.0) -> AuditLog:
    """The log of these places, open for appending."""
    return AuditLog.open(places.audit_db, places.audit_key, timeout=timeout)


YEAR = 365 * clock.DAY_MS


@contextmanager
def long_ago(monkeypatch: pytest.MonkeyPatch, years: int = 3) -> Iterator[None]:
    """Record every entry made inside this block as that many years old."""
    now = clock.now_ms()
    with monkeypatch.context() as patch:
        patch.setattr(clock, "now_ms", lambda: now - years * YEAR)
        yield


def filled(places: Places, runs: int = 10) -> Places:
    """Make a log of *runs* whole runs: 2 entries of its own, then start and end in turn."""
    with writer(places) as log:
        for number in range(runs):
            log.append([start(f"run-{number}"), end(f"run-{number}")])
    return places


def tamper(places: Places, *statements: str | tuple[str, tuple[Any, ...]]) -> None:
    """Change the database as an attacker who knows SQL would: drop the triggers and make them again."""
    connection = sqlite3.connect(places.audit_db, isolation_level=None)
    try:
        triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(*(statement if isinstance(statement, tuple) else (statement,)))
        for _, sql in triggers:
            connection.execute(sql)
    finally:
        connection.close()


def entry_bytes(places: Places, seq: int) -> bytes:
    """The bytes of entry *seq*."""
    with AuditLog.read(places.audit_db) as log:
        return log.entry(seq).raw


def python(code: str, *arguments: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run *code* in a Python of its own, with `sys.argv[1:]` the *arguments*."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **more)


def mounted(mount: str, code: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run *code* in a Python whose own view of the file system has *mount* done first (a shell command)."""
    command = mounts.mounted(mount, sys.executable, "-c", code, *map(str, arguments))
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def consistency(log: AuditLog, old: int, new: int) -> list[bytes]:
    """The proof that the tree of the first *new* entries continues that of the first *old*."""
    with log._snapshot() as connection:
        return Tiles(connection).consistency(old, new)


def leaf_hashes(log: AuditLog, first: int, limit: int) -> list[bytes]:
    """The leaf hashes of up to *limit* entries from number *first* on."""
    with log._snapshot() as connection:
        return Tiles(connection).leaf_hashes(first, limit)
