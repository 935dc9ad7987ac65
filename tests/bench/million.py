"""Make a long audit log to measure with, once in a folder, for every bench that needs one.

    python tests/bench/million.py --folder DIR [--entries N]

50 jobs of five engines over six years: starts and ends with every outcome, restores and checks, runs that were only observed,
edits of the configuration, verifications, some critical entries, some records that were late, and some that a wrong clock dated
ahead. Its content is the same each time, apart from name, salts and key. An existing log is used as it is.
"""

import argparse
import os
import random
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tray.audit.entry import SEVERITY_OF, Action, Draft, Severity
from tray.audit.store import AuditLog
from tray.core import clock
from tray.core.model import Outcome

ENTRIES = 1_000_000
JOBS = 50
ENGINES = ("restic", "borg", "rsync", "rclone", "kopia")
NAMES = ("home", "photos", "mail", "database", "music", "projects", "web", "etc", "archive", "vm")
END_MS = 1_795_000_000_000
SPAN_MS = 6 * 365 * clock.DAY_MS
ACTOR = "alice (1000) on desk, backup-tray 0.2.0"
_BATCH = 4000
_OUTCOMES = [Outcome.SUCCEEDED] * 90 + [Outcome.WARNING] * 4 + [Outcome.FAILED] * 3 + [Outcome.CANCELLED, Outcome.LOST]
_OUTCOMES += [Outcome.UNKNOWN]
_REASONS = {
    Outcome.SUCCEEDED: "All files were saved.",
    Outcome.WARNING: "Some files could not be read; the snapshot is not complete.",
    Outcome.FAILED: "Fatal: unable to open repository at /srv/backup: connection refused",
    Outcome.CANCELLED: "Cancelled by alice.",
    Outcome.LOST: "The run ended without a word.",
    Outcome.UNKNOWN: "No process saw how it ended.",
}


def new_id(chance: random.Random, ms: int) -> str:
    """A UUID of version 7 of the moment *ms*."""
    raw = f"{ms:012x}7{chance.getrandbits(12):03x}{8 + chance.getrandbits(2):x}{chance.getrandbits(60):015x}"
    return f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:]}"


def run(chance: random.Random, number: int, began: int) -> tuple[Draft, Draft]:
    """Start and end of one run, with the details that the wrapper records."""
    at = chance.randrange(JOBS)
    engine = ENGINES[at % len(ENGINES)]
    name, outcome = f"{NAMES[at % len(NAMES)]} {at // len(NAMES) + 1}", chance.choice(_OUTCOMES)
    kind = "backup" if chance.random() < 0.93 else chance.choice(("check", "prune", "restore"))
    observed = chance.random() < 0.05
    repository = f"/srv/backup/{engine}/{name.replace(' ', '-')}"
    seconds = chance.randrange(3, 4000)
    body: dict[str, Any] = {
        "repository": repository,
        "sources": [f"/home/alice/{name.split(' ')[0]}"],
        "command": [engine, "-r", repository, kind, f"/home/alice/{name.split(' ')[0]}", "--json"],
        "user": None,
        "overlaps": None,
        "evidence": None,
    }
    common: dict[str, Any] = {
        "run": new_id(chance, began),
        "job": name,
        "engine": engine,
        "kind": kind,
        "source": "observed" if observed else "wrapped",
        "actor": ACTOR,
    }
    ended = began + seconds * 1000 + chance.randrange(1000)
    start = Draft(
        Action.RUN_STARTED,
        id=new_id(chance, began),
        time_ms=began,
        result="started",
        body=body | {"host": "desk", "pid": chance.randrange(1000, 90_000)},
        **common,
    )
    end = Draft(
        Action.RUN_CLOSED if observed or outcome is Outcome.LOST else Action.RUN_FINISHED,
        id=new_id(chance, ended),
        time_ms=ended,
        result=outcome.value,
        severity=SEVERITY_OF[outcome],
        duration_ms=ended - began,
        bytes_processed=chance.randrange(10**9, 10**11),
        bytes_added=chance.randrange(10**9),
        files=chance.randrange(10**6),
        errors=0 if outcome is Outcome.SUCCEEDED else chance.randrange(5),
        body=body
        | {
            "reason": _REASONS[outcome],
            "started_at": clock.to_text(began),
            "exit_code": 0 if outcome is Outcome.SUCCEEDED else 1,
            "signal": None,
            "snapshot": chance.randbytes(32).hex() if engine == "restic" and kind == "backup" else None,
            "advice": None,
            "paused_seconds": 0,
            "stalled_seconds": 0,
            "steps": [],
            "problems": [{"item": f"/home/alice/file {number}.txt", "message": "permission denied"}]
            if outcome is Outcome.WARNING
            else [],
        },
        **common,
    )
    return start, end


def beside(chance: random.Random, at: int) -> Draft:
    """An entry that is no run's."""
    common: dict[str, Any] = {"id": new_id(chance, at), "time_ms": at, "actor": ACTOR}
    match chance.randrange(20):
        case 0:
            return Draft(
                Action.AUDIT_VERIFIED, result="tampered", severity=Severity.CRITICAL, body={"why": "x"}, **common
            )
        case 1 | 2 | 3:
            job = f"{chance.choice(NAMES)} {chance.randrange(1, 6)}"
            return Draft(Action.CONFIG_CHANGED, job=job, body={"changed": ["paths"]}, **common)
        case 4 | 5 | 6:
            return Draft(
                Action.STATUS_ERROR, result="ERROR_REPOSITORY", severity=Severity.ERROR, body={"why": "x"}, **common
            )
        case 7 | 8:
            return Draft(Action.JOB_SEEN, job=f"{chance.choice(NAMES)} {chance.randrange(1, 6)}", **common)
        case 9:
            return Draft(Action.CLOCK_JUMPED, severity=Severity.WARNING, body={"ms": 3_600_000}, **common)
    return Draft(Action.AUDIT_VERIFIED, result="intact", source="scheduled", body={"entries": 4711}, **common)


def drafts(entries: int) -> Iterator[Draft]:
    """*entries* entries in the order in which they are appended."""
    chance = random.Random(2026)
    made, number, late = 0, 0, list[Draft]()
    while made < entries:
        began = END_MS - SPAN_MS + SPAN_MS * made // entries + chance.randrange(60_000)
        pair: tuple[Draft, ...] = run(chance, number, began)
        number += 1
        dice = chance.random()
        if dice < 0.002:
            late.append(pair[1])
            pair = pair[:1]
        elif dice < 0.0021:
            pair = run(chance, number, END_MS + 400 * clock.DAY_MS)
        elif dice < 0.04:
            pair = (*pair, beside(chance, began + 1000))
        if late and chance.random() < 0.001:
            pair = (*pair, *late)
            late = []
        yield from pair[: entries - made]
        made += len(pair)


def build(folder: Path, entries: int) -> None:
    """Make the log *folder*/audit.db."""
    beside = folder.with_name(folder.name + ".new")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(mode=0o700, parents=True)
    now = clock.now_ms
    clock.now_ms = lambda: END_MS - SPAN_MS
    try:
        with AuditLog.open(beside / "audit.db", beside / "audit.key") as log:
            log._live().execute("PRAGMA synchronous = OFF")
            log._live().execute("PRAGMA cache_size = -400000")
            batch: list[Draft] = []
            for draft in drafts(entries - 2):
                batch.append(draft)
                if len(batch) == _BATCH:
                    append(log, batch)
            append(log, batch)
    finally:
        clock.now_ms = now
    with sqlite3.connect(beside / "audit.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    os.replace(beside, folder)


def append(log: AuditLog, batch: list[Draft]) -> None:
    """Append *batch* at the time of its last entry."""
    if batch:
        at = sorted(draft.time_ms for draft in batch)[len(batch) // 2]
        clock.now_ms = lambda: at
        log.append(batch)
        batch.clear()


def million(folder: Path, entries: int = ENTRIES) -> Path:
    """Return *folder* with the log in it; it is made if it is not there."""
    if not (folder / "audit.db").exists():
        began = time.perf_counter()
        build(folder, entries)
        print(f"made {entries:,} entries in {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return folder


def main() -> None:
    """Make it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where the log is, or is made")
    parser.add_argument("--entries", type=int, default=ENTRIES, help=f"how long it gets (default {ENTRIES:,})")
    args = parser.parse_args()
    folder = million(args.folder, args.entries)
    size = (folder / "audit.db").stat().st_size
    print(f"{folder / 'audit.db'}: {size / 1e6:,.0f} MB, {size / args.entries:,.0f} bytes an entry")


if __name__ == "__main__":
    main()
