"""Figures of the audit log, beside the same disk and processor without it.

    python tests/bench/bench_audit.py [--folder DIR] [--entries N]

Prints one append beside the disk's own fsync (alternated) and by eight processes at once, verification of a 10 MB log beside raw
SHA-256 over the same bytes, the status's questions in a long log, and the bytes of an entry, by table and index.
"""

import argparse
import hashlib
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tray.audit.entry import Action, Draft
from tray.audit.rows import plain_body
from tray.audit.store import AuditLog
from tray.audit.verify.check import verify
from tray.core.clock import new_id

COMMAND = ["restic", "-r", "/srv/backup/home", "backup", "/home/alice", "--exclude-caches", "--json"]
COMMON: dict[str, Any] = {"engine": "restic", "kind": "backup", "source": "wrapped"}


def drafts(runs: int) -> Iterator[list[Draft]]:
    """Start and end of *runs* runs of 12 jobs, as the wrapper records them."""
    for number in range(runs):
        run, job = new_id(), f"job {number % 12}"
        body = {"repository": "/srv/backup/home", "sources": ["/home/alice"], "command": COMMAND}
        yield [
            Draft(
                Action.RUN_STARTED,
                run=run,
                job=job,
                result="started",
                body=body | {"host": "vm", "pid": 4711},
                **COMMON,
            ),
            Draft(
                Action.RUN_FINISHED,
                run=run,
                job=job,
                result="failed" if number % 9 == 0 else "succeeded",
                duration_ms=123_456,
                bytes_processed=1_450_000_000,
                bytes_added=12_345_678,
                files=20_220,
                errors=0,
                body=body
                | {"reason": "All files were saved.", "exit_code": 0, "snapshot": os.urandom(32).hex(), "problems": []},
                **COMMON,
            ),
        ]


def timed(action: Callable[[], object]) -> float:
    """Seconds that *action* took."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def percentiles(seconds: list[float]) -> str:
    """p50 and p99 in ms."""
    cuts = statistics.quantiles(seconds, n=100)
    return f"{cuts[49] * 1e3:8.3f} ms p50 {cuts[98] * 1e3:8.3f} ms p99"


def appends(folder: Path, rounds: int) -> None:
    """Append single entries, alternated with 4 KiB and an fsync on the same disk."""
    log_seconds, disk_seconds = [], []
    copies = folder / "copies"
    with (
        AuditLog.open(folder / "audit.db", folder / "audit.key", copies=copies) as log,
        (folder / "raw").open("wb") as raw,
    ):

        def write_and_sync() -> None:
            raw.write(bytes(4096))
            raw.flush()
            os.fsync(raw.fileno())

        for pair in drafts(rounds // 2):
            for draft in pair:
                disk_seconds.append(timed(write_and_sync))
                log_seconds.append(timed(lambda draft=draft: log.append([draft])))  # type: ignore[misc] # a default that is bound at once
    ratio = statistics.median(log_seconds) / statistics.median(disk_seconds)
    print(f"append, one entry           {percentiles(log_seconds)}   (goal 1 ms p50; {rounds} alternated with:)")
    print(f"  4 KiB and fsync           {percentiles(disk_seconds)}   ratio of the medians {ratio:.2f} (goal 2)")


def one_of_many(folder: Path, count: int) -> None:
    """Append entries in one process of `together`, and print the seconds of each append."""
    with AuditLog.open(folder / "audit.db", folder / "audit.key", timeout=60, copies=folder / "copies") as log:
        for pair in drafts(count // 2):
            for draft in pair:
                print(timed(lambda draft=draft: log.append([draft])))  # type: ignore[misc] # a default that is bound at once


def together(folder: Path, processes: int, count: int) -> None:
    """Append from several processes at once; there must be no error, fork or gap."""
    AuditLog.open(folder / "audit.db", folder / "audit.key", copies=folder / "copies").close()
    command = [sys.executable, __file__, "--append", str(count), "--folder", str(folder)]
    began = time.perf_counter()
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    seconds = [float(line) for process in running for line in process.communicate()[0].split()]
    took = time.perf_counter() - began
    codes = [process.returncode for process in running]
    note = next((folder / "copies").glob("*.checkpoint")).read_bytes()
    verdict = verify(folder / "audit.db", folder / "audit.key", baselines={"copy": note})
    fine = codes == [0] * processes and verdict.entries == 2 + processes * count and verdict.result == "intact"
    print(
        f"{processes} processes at once        {percentiles(seconds)}   {len(seconds) / took:,.0f} entries/s with their start; "
        f"{'no error, no fork, no gap' if fine else f'FAILED: {codes}, {verdict}'}"
    )


def sizes(db: Path, entries: int) -> None:
    """Bytes that an entry takes, by table and index."""
    total = db.stat().st_size
    print(f"size: {total / entries:,.0f} bytes an entry   (goal 1,000)")
    connection = sqlite3.connect(f"{db.absolute().as_uri()}?mode=ro", uri=True)
    try:
        rows = connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC").fetchall()
        print("  " + ", ".join(f"{name} {size / entries:,.1f}" for name, size in rows if size * 100 > total))
    except sqlite3.OperationalError:
        print("  this SQLite has no dbstat")
    finally:
        connection.close()


def fill(folder: Path, runs: int) -> None:
    """A log of *runs* runs."""
    with AuditLog.open(folder / "audit.db", folder / "audit.key") as log:
        batch: list[Draft] = []
        for pair in drafts(runs):
            batch += pair
            if len(batch) >= 5000:
                log.append(batch)
                batch = []
        log.append(batch)


def verification(folder: Path) -> None:
    """Verify a 10 MB log, and hash the same bytes with nothing else done."""
    fill(folder, 4400)
    with AuditLog.read(folder / "audit.db") as log:
        note, entries = log.head()[2], log.entries(0, 1_000_000)
        bodies = log._live().execute("SELECT salt, body FROM bodies").fetchall()
    contents = [b"\x00" + entry.raw for entry in entries]
    contents += [b"\x02" + salt + plain_body(body) for salt, body in bodies]
    size = (folder / "audit.db").stat().st_size

    def check() -> None:
        assert verify(folder / "audit.db", folder / "audit.key", baselines={"bench": note}).result == "intact"

    def one_by_one() -> None:
        for content in contents:
            hashlib.sha256(content).digest()

    first, ours, raw, whole = timed(check), [], [], []
    file = (folder / "audit.db").read_bytes()
    for _ in range(15):
        ours.append(timed(check))
        raw.append(timed(one_by_one))
        whole.append(timed(lambda: hashlib.sha256(file).digest()))
    tracemalloc.start()
    check()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    mine, theirs, all_bytes = (statistics.median(times) for times in (ours, raw, whole))
    print(
        f"verify a {size / 1e6:.1f} MB log, {len(entries):,} entries: {mine * 1e3:.1f} ms median, {first * 1e3:.1f} ms at first"
    )
    print(
        f"  raw SHA-256, each of its {len(contents):,} entries and bodies: {theirs * 1e3:.1f} ms, ratio {mine / theirs:.1f}"
    )
    print(f"  raw SHA-256, the whole file at once: {all_bytes * 1e3:.1f} ms, ratio {mine / all_bytes:.1f}")
    print(f"  peak of Python's memory while verifying: {peak / 1e6:.2f} MB   (goal 0.2 s, constant memory)")


def questions(folder: Path, entries: int) -> None:
    """Time the status's questions after a change, in a long log."""
    seconds = timed(lambda: fill(folder, entries // 2))
    size = (folder / "audit.db").stat().st_size
    print(
        f"a log of {entries:,} entries, {size / 1e6:,.0f} MB, {entries / seconds:,.0f} entries/s appended in batches:"
    )
    with AuditLog.read(folder / "audit.db") as log:
        middle = log.entry(entries // 2).seq
        asked: dict[str, Callable[[], object]] = {
            "version (every second)": log.version,
            "jobs, 12 of them": log.jobs,
            "open runs": log.open_runs,
            "history, newest 50": log.history,
            "history, 50 from the middle": lambda: log.history(50, middle),
            "one entry": lambda: log.entry(middle),
        }
        for name, ask in asked.items():
            print(f"  {name:<27} {percentiles([timed(ask) for _ in range(200)])}")
    sizes(folder / "audit.db", entries)
    print(f"  verify                      {timed(lambda: verify(folder / 'audit.db', folder / 'audit.key')):8.2f} s")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where to make the logs (default: the folder for temporary files)")
    parser.add_argument("--entries", type=int, default=200_000, help="length of the long log (default 200,000)")
    parser.add_argument("--append", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.append is not None:
        one_of_many(args.folder, args.append)
        return
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folders = [Path(name) / part for part in ("append", "together", "verify", "questions")]
        for folder in folders:
            folder.mkdir(mode=0o700)
        appends(folders[0], 2000)
        together(folders[1], 8, 200)
        verification(folders[2])
        questions(folders[3], args.entries)


if __name__ == "__main__":
    main()
