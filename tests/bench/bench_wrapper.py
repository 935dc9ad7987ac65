"""The cost of the wrapper: wall time beside bare restic, and the time until the engine starts.

    python tests/bench/bench_wrapper.py [--pairs 7] [--files 20000] [--rounds 40] [--before CHECKOUT]

Pairs alternate, each first backup goes into a fresh repository; medians of the ratios pair by pair. The repositories are copies
of one that was made before, since making one takes seconds and says nothing.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from tests.e2e.program import PASSWORD, make_repository, make_tree

SUMMARY = '{"message_type":"summary","files_new":1,"total_files_processed":1,"total_bytes_processed":4,"snapshot_id":"abcdef12"}'
PROGRAM = [sys.executable, "-m", "tray"]


def timed(command: list[str], environ: dict[str, str]) -> float:
    """Run *command* and return its wall time in seconds."""
    began = time.perf_counter()
    subprocess.run(command, env=environ, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def backups(folder: Path, environ: dict[str, str], pairs: int, files: int, size: int) -> None:
    """Print the wall time of wrapped and bare first backups."""
    source = make_tree(folder / "source", files=files, size=size)
    wrapped, bare = [], []
    print(f"\nFirst backup of {files:,} files, {files * size / 1e9:.2f} GB, into fresh repositories, {pairs} pairs\n")
    print("| pair | wrapped s | bare s | ratio |\n| --- | --- | --- | --- |")
    for number in range(-1, pairs):
        times = {}
        for kind in ("wrapped", "bare") if number % 2 else ("bare", "wrapped"):
            repository = make_repository(folder / "repository")
            command = ["restic", "-r", str(repository), "--no-cache", "backup", str(source)]
            os.sync()
            times[kind] = timed([*PROGRAM, "run", "--", *command] if kind == "wrapped" else command, environ)
            shutil.rmtree(repository)
        if number < 0:
            continue  # the first pair warms the page cache
        wrapped.append(times["wrapped"])
        bare.append(times["bare"])
        print(f"| {number + 1} | {wrapped[-1]:.3f} | {bare[-1]:.3f} | {wrapped[-1] / bare[-1]:.4f} |")
    ratio = statistics.median(ours / other for ours, other in zip(wrapped, bare, strict=True))
    print(
        f"| median | {statistics.median(wrapped):.3f} | {statistics.median(bare):.3f} | **{ratio:.4f}** (goal ≤ 1.01) |"
    )


def starts(folder: Path, environ: dict[str, str], rounds: int, checkouts: list[Path]) -> None:
    """Print how long each program takes to start a command, and its CPU time until all is over, beside Python alone.

    The rows alternate. The command is a script that tells the time; its own cost stands in a row of its own.
    """
    for name, words in (("restic", SUMMARY), ("true", "")):
        (folder / name).write_text(f"#!/bin/sh\ndate +%s.%N\n[ '{words}' = '' ] || echo '{words}'\n")
        (folder / name).chmod(0o755)
    environ = environ | {"PATH": f"{folder}:{environ['PATH']}"}
    stamp = f"import os; os.execv({str(folder / 'true')!r}, ['true'])"
    rows = {"the command alone": [str(folder / "true")], "bare Python (-I)": [sys.executable, "-I", "-c", stamp]}
    for checkout in checkouts:
        run = [sys.executable, "-I", str(checkout / "tray" / "__main__.py"), "run", "--"]
        rows[f"{checkout.name}: run -- restic backup"] = [*run, "restic", "-r", str(folder), "backup", "/etc"]
        rows[f"{checkout.name}: run -- true"] = [*run, "true"]
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in rows}
    for number in range(-1, rounds):
        for name, command in rows.items():
            before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.time()
            done = subprocess.run(command, env=environ, check=True, capture_output=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            if number >= 0:  # the first round warms the page cache
                took[name].append(((float(done.stdout.split()[0]) - began) * 1000, cpu * 1000))
    print(f"\nFrom start to the command's first words, and CPU of the whole run, {rounds} rounds, median and least\n")
    print("| what | ms | CPU ms |\n| --- | --- | --- |")
    for name, values in took.items():
        columns = (f"{statistics.median(column):.1f} ({min(column):.1f})" for column in zip(*values, strict=True))
        print(f"| {name} | {' | '.join(columns)} |")


def main() -> None:
    """Run both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--size", type=int, default=70_000)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--before", type=Path, help="another checkout, whose start is measured between ours")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environ = {
            **os.environ,
            "RESTIC_PASSWORD": PASSWORD,
            "BACKUP_TRAY_HOME": str(folder / "bt"),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "",  # an installed program has its bytecode
        }
        starts(folder, environ, options.rounds, [ROOT, *([options.before] if options.before else [])])
        if options.pairs:
            backups(folder, environ, options.pairs, options.files, options.size)


if __name__ == "__main__":
    main()
