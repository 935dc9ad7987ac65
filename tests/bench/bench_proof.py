"""Time to build and check the proof of one entry among many, and the cost of an export and its verification.

    python tests/bench/million.py --folder DIR
    python tests/bench/bench_proof.py --folder DIR [--export DIR]

The log in --folder is only read. With --export the whole of it is written there as tiles (two thirds of the database's size), is
exported again, and is checked by the stand-alone verifier.
"""

import argparse
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tray.audit import keys, proof, standalone, tlog
from tray.audit.proof import Proof
from tray.audit.store import AuditLog

ROUNDS = 500


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--export", type=Path)
    args = parser.parse_args()
    db, trusted = args.folder / "audit.db", keys.pins(args.folder / "audit.key")
    with AuditLog.read(db) as log:
        first, size = log.start(), log.head()[0]
    chance = random.Random(1)
    places = [chance.randrange(first, size) for _ in range(ROUNDS)]
    proofs = [proof.build(db, seq, details=True) for seq in places[:10]]
    proofs[0].check(trusted)  # imports cryptography, once
    print(f"{size:,} entries, {ROUNDS} proofs")
    print(f"{'step':<28}{'p50 ms':>9}{'p99 ms':>9}{'goal':>7}")
    built: list[Proof] = []
    row("build, log opened anew", places, lambda seq: built.append(proof.build(db, seq, details=True)), 10)
    raws = [item.to_bytes() for item in built]
    row("read and check, signed too", raws, lambda raw: Proof.from_bytes(raw).check(trusted), 1)
    print(f"a proof has {len(built[0].path)} hashes and {len(raws[0]):,} bytes")
    if args.export is not None:
        export(db, args.export, str(trusted[-1]))


def row(step: str, items: list[object] | list[int] | list[bytes], work: Callable[..., object], goal: float) -> None:
    """Time *work* on each item and print a line of the table."""
    times = []
    for item in items:
        began = time.perf_counter()
        work(item)
        times.append(time.perf_counter() - began)
    times.sort()
    print(f"{step:<28}{times[len(times) // 2] * 1e3:>9.3f}{times[len(times) * 99 // 100] * 1e3:>9.3f}{goal:>7}")


def export(db: Path, folder: Path, key: str) -> None:
    """Time a first export, a second one, and the check by the verifier that stands alone."""
    for step in ("export, first", "export, nothing new"):
        began = time.perf_counter()
        with AuditLog.read(db) as log:
            done = tlog.export(log, folder)
        print(f"{step:<28}{time.perf_counter() - began:>9.2f} s, {done.written} files written")
    began = time.perf_counter()
    subprocess.run([sys.executable, "-I", standalone.__file__, str(folder), "--key", key], check=True)
    print(f"{'stand-alone verification':<28}{time.perf_counter() - began:>9.2f} s")


if __name__ == "__main__":
    main()
