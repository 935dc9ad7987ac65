"""Figures of verification, beside raw SHA-256 over the same pieces.

    python tests/bench/bench_verify.py [--million FOLDER] [--folder DIR]

Prints a 10 MB log, a log of a million entries (made by million.py, only read), and a check at start-up of a few new entries. Each
whole verification runs in a child process of its own, so that its memory is its own. CPU time stands beside the time by the clock:
entries and indexes are checked by two threads, which on a machine that does nothing else run side by side.
"""

import argparse
import hashlib
import json
import os
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from bench_audit import drafts

from tray.audit.rows import plain_body
from tray.audit.store import AuditLog
from tray.audit.verify.check import verify
from tray.audit.verify.stream import Pass
from tray.audit.verify.tables import Head, begin

MIB = 1 << 20


def timed(action: Callable[[], object]) -> float:
    """Seconds that *action* took."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def note_of(folder: Path) -> bytes:
    """The newest checkpoint of the log in *folder*."""
    with AuditLog.read(folder / "audit.db") as log:
        return log.head()[2]


def peak() -> int:
    """The most memory that this process had, in bytes; on Linux `ru_maxrss` counts the parent's too, as it was at the fork."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def child(folder: Path) -> None:
    """Verify the log in *folder* in this process and print time and memory, as JSON."""
    note = note_of(folder)
    began, cpu = time.perf_counter(), time.process_time()
    verdict = verify(folder / "audit.db", folder / "audit.key", baselines={"bench": note})
    figures = {
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - cpu,
        "entries": verdict.entries,
        "result": verdict.result.value,
        "rss": peak(),
    }
    print(json.dumps(figures))


def whole(folder: Path, rounds: int) -> dict[str, float]:
    """The median of *rounds* verifications, each in a process of its own."""
    results = []
    for _ in range(rounds):
        command = [sys.executable, __file__, "--child", str(folder)]
        results.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    assert all(result["result"] == "intact" for result in results)
    return {
        name: statistics.median(result[name] for result in results) for name in ("seconds", "cpu", "entries", "rss")
    }


def raw(folder: Path) -> tuple[float, float, int]:
    """Seconds to hash each entry and body once with nothing else done, to read them, and how many pieces that is."""
    connection = sqlite3.connect(f"{(folder / 'audit.db').as_uri()}?mode=ro", uri=True)
    hashing, reading, count = 0.0, 0.0, 0
    for query in ("SELECT entry FROM entries NOT INDEXED ORDER BY seq", "SELECT salt, body FROM bodies ORDER BY seq"):
        cursor = connection.execute(query)
        while True:
            began = time.perf_counter()
            rows = cursor.fetchmany(4096)
            reading += time.perf_counter() - began
            if not rows:
                break
            pieces = [b"\x00" + row[0] if len(row) == 1 else b"\x02" + row[0] + plain_body(row[1]) for row in rows]
            began = time.perf_counter()
            for piece in pieces:
                hashlib.sha256(piece).digest()
            hashing += time.perf_counter() - began
            count += len(pieces)
    connection.close()
    return hashing, reading, count


def parts(folder: Path) -> tuple[float, float]:
    """CPU seconds of the stream of entries, and of SQLite's comparison of indexes, one after the other."""
    connection = sqlite3.connect(f"{(folder / 'audit.db').as_uri()}?mode=ro", uri=True, isolation_level=None)
    connection.execute("BEGIN")
    head = Head.read(connection)
    began = time.process_time()
    Pass(connection, begin(connection, head), head.size, head.leaf, (), None).run()
    stream = time.process_time() - began
    began = time.process_time()
    connection.execute("PRAGMA integrity_check(1)").fetchone()
    indexes = time.process_time() - began
    connection.close()
    return stream, indexes


def show(name: str, folder: Path, goal: float, rounds: int) -> None:
    """One log, ours beside raw SHA-256."""
    ours = whole(folder, rounds)
    hashing, reading, pieces = raw(folder)
    stream, indexes = parts(folder)
    size = (folder / "audit.db").stat().st_size
    print(f"{name}: {int(ours['entries']):,} entries, {size / 1e6:,.1f} MB")
    print(
        f"  verify                        {ours['seconds']:8.3f} s by the clock, {ours['cpu']:.3f} s CPU   (goal {goal:g} s)"
    )
    print(f"    entries, one thread         {stream:8.3f} s CPU, {stream / ours['entries'] * 1e6:.1f} µs an entry")
    print(f"    indexes, beside it          {indexes:8.3f} s CPU")
    print(f"  raw SHA-256, {pieces:>9,} pieces {hashing:8.3f} s, ratio {ours['seconds'] / hashing:.1f}")
    print(f"    reading them from SQLite    {reading:8.3f} s")
    print(f"  resident memory, at most      {ours['rss'] / MIB:8.1f} MiB   (goal 40 MiB)")


def start_up(folder: Path, beside: Path) -> None:
    """Time the check at the tracker's start: 20 new entries in the long log, of which the bench copies only the end."""
    shutil.copytree(folder, beside)
    db, key = beside / "audit.db", beside / "audit.key"
    note = note_of(beside)
    point = verify(db, key, baselines={"bench": note}).point
    with AuditLog.open(db, key) as log:
        for pair in list(drafts(10)):
            log.append(pair)
    seconds = [timed(lambda: verify(db, key, since=point, baselines={"bench": note})) for _ in range(20)]
    verdict = verify(db, key, since=point, baselines={"bench": note})
    assert (verdict.result, verdict.full) == ("intact", False)
    cuts = statistics.quantiles(seconds, n=20)
    print(
        f"start-up, 20 new entries behind {verdict.entries - 20:,}: {cuts[9] * 1e3:.1f} ms p50, {cuts[18] * 1e3:.1f} ms p95"
    )
    print("  without imports; an older baseline is compared by a proof of consistency   (goal 50 ms)")


def fill(folder: Path, megabytes: int) -> None:
    """A log of about so many megabytes."""
    folder.mkdir(mode=0o700)
    with AuditLog.open(folder / "audit.db", folder / "audit.key") as log:
        while (folder / "audit.db").stat().st_size < megabytes * 1_000_000:
            log.append([draft for pair in drafts(200) for draft in pair])
            log.flush()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--million", type=Path, help="the folder of a log that million.py made")
    parser.add_argument("--folder", type=Path, help="where to make the other logs (default: for temporary files)")
    parser.add_argument("--rounds", type=int, default=3, help="verifications of the long log (default 3)")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child is not None:
        child(args.child)
        return
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    print(
        f"{os.cpu_count()} processors, load {load:.1f}, SQLite {sqlite3.sqlite_version}, Python {sys.version.split()[0]}"
    )
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        short = Path(name) / "short"
        fill(short, 10)
        show("10 MB", short, 0.2, 9)
        if args.million is not None:
            show("a million", args.million, 8, args.rounds)
        start_up(short if args.million is None else args.million, Path(name) / "start")


if __name__ == "__main__":
    main()
