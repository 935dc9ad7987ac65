"""Searching a long audit log: every filter a page of 100, beside its goal.

    python tests/bench/million.py --folder DIR
    python tests/bench/bench_search.py --folder DIR [--rounds N] [--cpu]

The log in DIR is only read; the index of words is built in a folder of its own and thrown away. Each search opens the log anew, as
the command line does. "Random" are filters drawn from the entries on record, with random times, pages and words, the ones that
cannot match anything among them.
"""

import argparse
import random
import resource
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tray.audit.search import Filter, facets, index_fill, keys, names, search
from tray.audit.store import AuditLog
from tray.core import clock
from tray.core.paths import Places

PAGE = 100
GOAL_MS, JOBS_GOAL_MS = 50.0, 50.0  # of each job its kinds are told apart, in an order that no index has
NAMED = ("action", "engine", "job", "kind", "severity", "source")


tick: Callable[[], float] = time.perf_counter
"""The clock: with `--cpu` the processor's time of this process, which others on the machine do not lengthen."""


def timed(action: Callable[[], object]) -> float:
    """Milliseconds that *action* took."""
    began = tick()
    action()
    return (tick() - began) * 1e3


def line(name: str, times: list[float], goal: float = GOAL_MS, more: str = "") -> None:
    """One line of the table."""
    cuts = statistics.quantiles(times, n=100) if len(times) > 1 else [times[0]] * 99
    verdict = "ok" if cuts[98] <= goal else "TOO SLOW"
    print(f"  {name:<46} {cuts[49]:8.2f} {cuts[98]:8.2f} {max(times):8.2f}   {goal:4.0f} {verdict:<8} {more}")


class Bench:
    """One log, and the searches in it."""

    def __init__(self, db: Path, rounds: int) -> None:
        self.db, self.rounds, self.chance = db, rounds, random.Random(4)
        with AuditLog.read(db) as log:
            self.size = log.head()[0]
            self.values = {name: names(log, name) for name in NAMED}
            self.values["outcome"] = names(log, "result")
            with log._snapshot() as connection:
                self.facets = sum(1 for _ in facets(connection))
                self.newest = next(keys(connection, Filter()))[0]
                oldest = connection.execute("SELECT time FROM entries ORDER BY seq LIMIT 1").fetchone()[0]
        self.oldest = clock.from_text(oldest)

    def ask(self, wanted: Filter, after: tuple[int, int] | None = None) -> int:
        """Open the log, search once, and return the number of matches."""
        with AuditLog.read(self.db) as log:
            page = search(log, wanted, PAGE, after)
        if page.looked_to_ms is not None:
            raise SystemExit(f"the search for {wanted} ran out of time")
        return len(page.entries)

    def named(self, name: str, wanted: Filter, after: tuple[int, int] | None = None) -> None:
        """One line for one filter."""
        hits = self.ask(wanted, after)
        line(name, [timed(lambda: self.ask(wanted, after)) for _ in range(self.rounds)], more=f"{hits} found")

    def moment(self) -> int:
        """Some time of the log."""
        return self.chance.randrange(self.oldest, self.newest)

    def random_filter(self, text: tuple[str, ...] | None = None) -> Filter:
        """Some of the values on record, and perhaps a range of time."""
        given = {
            name: tuple(self.chance.sample(there, min(len(there), self.chance.randrange(1, 4))))
            for name, there in self.values.items()
            if there and self.chance.random() < 0.35
        }
        since, until = sorted((self.moment(), self.moment()))
        return Filter(
            since_ms=since if self.chance.random() < 0.3 else None,
            until_ms=until if self.chance.random() < 0.3 else None,
            text=text,
            **given,
        )

    def random_ones(self, name: str, filters: Iterator[Filter]) -> None:
        """One line for many filters, and the slowest of them."""
        searches = []
        for wanted in filters:
            after = (self.moment(), self.chance.randrange(self.size)) if self.chance.random() < 0.3 else None
            searches.append(
                (timed(lambda wanted=wanted, after=after: self.ask(wanted, after)), repr(wanted.to_json()), after)
            )  # type: ignore[misc] # a default that is bound at once
        line(name, [search[0] for search in searches])
        print(f"    slowest: {max(searches)}")


def without_words(bench: Bench) -> None:
    """Filters that need no index of words."""
    job, engine = bench.values["job"][0], bench.values["engine"][-1]
    first, span = bench.oldest, bench.newest - bench.oldest
    middle = (first + span // 2, 0)
    bench.named("nothing asked", Filter())
    bench.named("nothing asked, from the middle on", Filter(), middle)
    bench.named("info (most entries)", Filter(severity=("info",)))
    bench.named("info, from the middle on", Filter(severity=("info",)), middle)
    bench.named("critical (few)", Filter(severity=("critical",)))
    bench.named("ends of runs", Filter(action=("run.finished", "run.closed")))
    bench.named("one job", Filter(job=(job,)))
    bench.named("one job, failed", Filter(job=(job,), outcome=("failed",)))
    bench.named("two common ones that never meet", Filter(action=("run.started",), outcome=("succeeded",)))
    bench.named(
        "severity and engine that never meet", Filter(severity=("critical",), engine=(engine,), kind=("backup",))
    )
    bench.named("only the oldest entry", Filter(action=("log.created",)))
    bench.named("everything, in the first hundredth", Filter(severity=("info", "error"), until_ms=first + span // 100))
    bench.named(
        "nothing in that range", Filter(severity=("info",), since_ms=bench.newest + 1, until_ms=bench.newest + 2)
    )
    bench.named("all values of all names", Filter(**{name: tuple(there) for name, there in bench.values.items()}))
    bench.random_ones("random, no words", (bench.random_filter() for _ in range(500)))


def with_words(bench: Bench, index: Path) -> None:
    """Filters that go by the index of words."""
    with sqlite3.connect(index) as connection:
        terms = [row[0] for row in connection.execute("SELECT term FROM terms ORDER BY random() LIMIT 3000")]
    connection.close()
    job = bench.values["job"][0]
    for text in ("restic", "backup", "saved", "unable repository refused", "started saved", "finished started restic",
                 "ali", "conn", "srv backup home", "x", "nosuchword", "critical backup"):  # fmt: skip
        bench.named(f"words: {text}", Filter(text=(text,)))
    bench.named("words: saved, and failed", Filter(text=("saved",), outcome=("failed",)))
    bench.named("words: restic, of one job, failed", Filter(text=("restic",), job=(job,), outcome=("failed",)))
    bench.named("words: alice, in the first hundredth", Filter(text=("alice",), until_ms=bench.oldest + 10**9))
    common = ["restic", "backup", "saved", "alice", "run", "info", "succeeded", "started", "home", "srv"]

    def phrase() -> tuple[str, ...]:
        some = [*bench.chance.sample(common, bench.chance.randrange(3)), bench.chance.choice(terms)]
        return (" ".join(word[: bench.chance.randrange(3, 12)] for word in some),)

    bench.random_ones("random, with words", (bench.random_filter(phrase()) for _ in range(500)))
    bench.random_ones(
        "random pairs of common words", (Filter(text=(" ".join(bench.chance.sample(common, 2)),)) for _ in range(200))
    )


def paging(bench: Bench) -> None:
    """One page after the other."""
    for name, wanted in (("ends", Filter(action=("run.finished",))), ("words: restic", Filter(text=("restic",)))):
        times, after = [], None
        with AuditLog.read(bench.db) as log:
            for _ in range(300):
                began = tick()
                page = search(log, wanted, PAGE, after)
                times.append((tick() - began) * 1e3)
                after = page.next
                if after is None:
                    break
        line(f"300 pages on, {name}", times)


def jobs(bench: Bench) -> None:
    """Time the status's question."""
    with AuditLog.read(bench.db) as log:
        number = len(log.jobs())
        line(f"last run of each of {number} jobs", [timed(log.jobs) for _ in range(bench.rounds)], JOBS_GOAL_MS)


def built(places: Places) -> None:
    """Build the index, and print its time and size."""
    began = tick()
    if not index_fill.update(places):
        raise SystemExit("the index cannot be made here")
    took, size = tick() - began, places.search_index.stat().st_size
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"index of words built in {took:.1f} s, {size / 1e6:.1f} MB, {peak} MiB RSS at most")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where `million.py` has made a log")
    parser.add_argument("--rounds", type=int, default=50, help="how often each filter is asked for (default 50)")
    parser.add_argument(
        "--cpu", action="store_true", help="count processor time, on a machine that is used by others too"
    )
    args = parser.parse_args()
    if args.cpu:
        global tick
        tick = time.process_time
    with tempfile.TemporaryDirectory() as name:
        here = Places(*[Path(name)] * 4)
        here.audit_db.symlink_to((args.folder / "audit.db").resolve())
        bench = Bench(here.audit_db, args.rounds)
        clock_name = "processor" if args.cpu else "wall"
        print(
            f"{bench.size:,} entries, {bench.facets:,} different facets; ms of {clock_name} time: p50, p99, most; goal of p99"
        )
        jobs(bench)
        without_words(bench)
        built(here)
        with_words(bench, here.search_index)
        paging(bench)


if __name__ == "__main__":
    main()
