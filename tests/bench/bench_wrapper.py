"""The cost of the wrapper: wall time beside bare restic, and the time until the engine starts.

    python tests/bench/bench_wrapper.py [--pairs 7] [--files 20000]

Pairs alternate, each first backup goes into a fresh repository; medians of the ratios pair by pair. The repositories are copies
of one that was made before, since making one takes seconds and says nothing.
"""

import argparse
import os
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


def starts(folder: Path, environ: dict[str, str], rounds: int) -> None:
    """Print how long it takes from our start until the command is executed, beside Python alone doing nothing else."""
    stamp = folder / "restic"
    stamp.write_text("#!/bin/sh\nexec date +%s.%N\n")
    stamp.chmod(0o755)
    wrapper = [*PROGRAM, "run", "--no-watch", "--", str(stamp), "backup"]
    python = [sys.executable, "-c", f"import os; os.execv({str(stamp)!r}, ['restic'])"]
    direct = [str(stamp)]
    took: dict[str, list[float]] = {"wrapper": [], "bare Python": [], "directly": []}
    for _ in range(rounds):
        for name, command in (("wrapper", wrapper), ("bare Python", python), ("directly", direct)):
            began = time.time()
            done = subprocess.run(command, env=environ, check=True, capture_output=True)
            took[name].append((float(done.stdout) - began) * 1000)
    floor = statistics.median(took["directly"])
    print(f"\nFrom start to the engine's first instruction, {rounds} rounds, median\n")
    print("| what | ms | added to the engine |\n| --- | --- | --- |")
    for name, values in took.items():
        print(f"| {name} | {statistics.median(values):.1f} | {statistics.median(values) - floor:.1f} |")
    ratio = statistics.median(took["wrapper"]) / statistics.median(took["bare Python"])
    print(f"\nwrapper : bare Python = **{ratio:.2f}** (goal: ≤ 100 ms added)")


def main() -> None:
    """Run both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--size", type=int, default=70_000)
    parser.add_argument("--rounds", type=int, default=25)
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
        starts(folder, environ, options.rounds)
        backups(folder, environ, options.pairs, options.files, options.size)


if __name__ == "__main__":
    main()
