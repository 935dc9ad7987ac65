"""The cost of reading repositories: the wrapper's look at its end, one poll of the status cache, one look of the helper.

    python tests/bench/bench_repository.py [--rounds 300] [--snapshots 2000] [--packs 20000] [--repositories 20]

The repository is made of empty files: only names and times are read.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from tests.unit.repository.test_files import restic
from tests.unit.runs.test_runs import info
from tray.core import clock, paths
from tray.core.dataclass import replace
from tray.core.model import Outcome, RepositoryState
from tray.engines.base import Result
from tray.repository import after, cache, look
from tray.repository.cache import Entry
from tray.status.kept_files import Repositories


def timed(name: str, rounds: int, act: Callable[[], object]) -> None:
    """Print how long *act* takes."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        act()
        times.append((time.perf_counter() - began) * 1000)
    times.sort()
    print(f"| {name} | {statistics.median(times):.3f} | {times[int(len(times) * 0.99)]:.3f} |")


def imports(rounds: int) -> None:
    """Print the cost of the import for a wrapper that has loaded everything else; it happens while the command works."""
    code = (
        "import time; import tray.wrapper.wrap, tray.audit.spool, tray.audit.store; began = time.perf_counter(); "
        "import tray.repository.after; print(time.perf_counter() - began)"
    )
    times = [float(subprocess.check_output([sys.executable, "-c", code], cwd=ROOT)) * 1000 for _ in range(rounds)]
    print(f"| the import, beside the running command | {statistics.median(times):.3f} | {max(times):.3f} |")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--snapshots", type=int, default=2000)
    parser.add_argument("--packs", type=int, default=20_000)
    parser.add_argument("--repositories", type=int, default=20)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ[paths.HOME_VARIABLE] = f"{folder}/bt"
        places, now = paths.places(), clock.now_ms()
        made = restic(Path(folder) / "r", *((f"{number:08x}", now - number) for number in range(args.snapshots)))
        for number in range(args.packs):
            pack = made / "data" / f"{number % 256:02x}" / f"{number:064x}"
            pack.parent.mkdir(exist_ok=True)
            pack.touch()
        about = info(repository=str(made), started_ms=now)
        result = Result(Outcome.SUCCEEDED, "", snapshot="00000000")
        print(
            f"restic repository of {args.snapshots:,} snapshots and {args.packs:,} packs, {args.repositories} in the cache\n"
        )
        print("| what | median ms | p99 ms |\n| --- | --- | --- |")
        timed("the wrapper's look at its end", args.rounds, lambda: after.look(places, about, result, "/"))
        imports(10)
        (target,) = look.known_targets(places)
        timed("the helper's look, size known", 20, lambda: look.look(places, target, {}))

        def measure() -> None:
            known = cache.known(places, target.name)
            assert known is not None
            cache.write(places, replace(known, mark=""))
            look.look(places, target, {})

        timed("the helper's look, size measured", 10, measure)
        for number in range(args.repositories - 1):
            cache.write(places, Entry(RepositoryState(f"/mnt/{number}", "restic", now, snapshots=3)))
        reader = Repositories(places)

        def poll() -> None:
            reader.read()
            reader.notes(now)
            reader.concerns(())
            reader.states(())

        time.sleep(2.5)  # until the folder counts as settled
        timed("a poll, nothing changed", args.rounds, poll)

        def changed() -> None:
            cache.write(places, Entry(RepositoryState("/mnt/0", "restic", now, snapshots=3)))
            poll()

        timed("a poll, one repository changed (with the write)", args.rounds, changed)


if __name__ == "__main__":
    main()
