"""How long hostile process lists keep the tracker silent, and whether our own backup is seen among them.

    python tests/bench/bench_hostile.py [SECONDS [SEED]]

A real tracker looks at a process list of the bench's own (`FakeProc`) that changes all the time, while a client asks
it every few milliseconds. Prints one table: the longest and the 99th percentile of the time to an answer, the processor time that
the tracker used, and how soon a run of our own among the hostile ones was shown. "bare" is the longest time to an answer of a
server that does nothing else, asked in turn with the tracker: the machine's own noise. In the row "own_crowd" our own user has
reached the limit of runs.
"""

import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

import psutil

from tests.unit.observe.help import FakeProc
from tests.waiting import wait_for
from tray import engines, ipc
from tray.core import paths
from tray.core.errors import TrackerGoneError

ME, STRANGER = os.geteuid(), 33 if os.geteuid() != 33 else 34
GOAL_MS = 100
ASK_SECONDS = 0.003
TOKENS = (
    *(
        "@",
        ":",
        "/",
        "//",
        "://",
        "=",
        "-",
        "--",
        "'",
        '"',
        "\\",
        " ",
        "%",
        ",",
        ";",
        ".",
        "[",
        "(",
        "*",
        "+",
        "x",
        "A",
        "0",
    ),
    *(
        "password=",
        "--password ",
        "x://y:",
        "token:",
        "Bearer ",
        "-p",
        "sh -c ",
        "\n",
        "é",
        "\udcff",
        "…",
        "::",
        "env ",
        "sudo ",
    ),
)
TRACKER = """
import sys
from tray.observe.proc import Proc
Proc.__init__.__defaults__ = (sys.argv[1],)
Proc.newest = lambda self: 0
from tray.cli.main import main
sys.exit(main(["tracker"]))
"""
BARE = """
import asyncio, sys
async def answer(reader, writer):
    while line := await reader.readline():
        writer.write(line)
async def main():
    server = await asyncio.start_unix_server(answer, sys.argv[1])
    print(flush=True)
    await server.serve_forever()
asyncio.run(main())
"""
Change = Callable[[FakeProc, "random.Random", int], None]


def quiet(_: FakeProc, __: random.Random, ___: int) -> None:
    """Nothing happens."""


def long_argument(proc: FakeProc, _: random.Random, step: int) -> None:
    """One argument of 60 kB on which expressions once ran for half a minute."""
    proc.add(2000 + step % 50, "restic", "-r", "/n", "backup", "@" + "x://y:" * 10_000, uid=STRANGER, start=step)


def long_lines(proc: FakeProc, _: random.Random, step: int) -> None:
    """Command lines of 2 MB in words of 4 kB."""
    proc.add(2000 + step % 20, "borg", "create", "/r::a", *["@x://y:" * 600] * 500, uid=STRANGER, start=step)


def chain(proc: FakeProc, _: random.Random, step: int) -> None:
    """1,100 processes with equal words, each the child of the one before."""
    for place in range(1100) if not step else ():
        proc.add(2000 + place, "restic", "-r", "/a", "backup", "/b", uid=STRANGER, parent=1999 + place, environ={})


def crowd(proc: FakeProc, _: random.Random, step: int) -> None:
    """5,000 programs called restic of another user."""
    for place in range(5000) if not step else ():
        proc.add(2000 + place, "restic", "-r", f"/{place}", "backup", "/b", uid=STRANGER)


def identities(proc: FakeProc, _: random.Random, step: int) -> None:
    """A program called restic of each of 5,000 user ids, as user namespaces give one person."""
    for place in range(5000) if not step else ():
        proc.add(2000 + place, "restic", "-r", f"/{place}", "backup", "/b", uid=100_000 + place)


def storm(proc: FakeProc, _: random.Random, step: int) -> None:
    """A hundred new ones at each look, a hundred old ones gone."""
    for place in range(100):
        if step > 5:
            proc.remove(2000 + (step - 6) * 100 + place)
        proc.add(2000 + step * 100 + place, "restic", "backup", "/x", uid=STRANGER, start=step)


def own_crowd(proc: FakeProc, chance: random.Random, step: int) -> None:
    """A thousand of our own user's, with hostile words: for these there is no quota."""
    for place in range(1000) if not step else ():
        proc.add(2000 + place, "restic", "-r", hostile(chance, 4000), "backup", hostile(chance, 4000), environ={})


def renamed(proc: FakeProc, _: random.Random, step: int) -> None:
    """500 shells that call themselves restic and sh in turn."""
    for place in range(500):
        name = ("sh", "restic")[step % 2]
        if not step:
            proc.add(2000 + place, "sh", "-c", "x" * 3000, uid=STRANGER)
        (proc.folder_ / str(2000 + place) / "comm").write_text(name + "\n")


def fuzz(proc: FakeProc, chance: random.Random, _: int) -> None:
    """Engines, wrappers, words, users, parents, environments by chance, changed ten at a time."""
    for _ in range(10):
        pid, engine = chance.randrange(2000, 2300), chance.choice([known.name for known in engines.ENGINES])
        words = [hostile(chance, 2 ** chance.randrange(15)) for _ in range(chance.choice((1, 5, 60, 600)))]
        front = chance.choice(
            ([], ["sudo", "-u"], ["env", *words[:3]], ["nice"] * 100, ["python3", "-m"], ["sh", "-c"])
        )
        environ = {"RESTIC_REPOSITORY": hostile(chance, 100_000), "BACKUP_TRAY_HOME": hostile(chance, 1000)}
        proc.add(
            pid,
            *(word.replace("\0", "") for word in (*front, engine, *words)),
            comm=engine,
            parent=chance.randrange(2000, 2300),
            uid=chance.choice((ME, STRANGER, 70_000)),
            environ=chance.choice(
                (None, {}, {key: value.encode(errors="replace").decode() for key, value in environ.items()})
            ),
            state=chance.choice("SRTZ"),
            start=chance.randrange(10**6),
        )


def hostile(chance: random.Random, size: int) -> str:
    """Return a word of about *size* letters: few tokens repeated, so that expressions must go back and forth."""
    few = "".join(chance.choice(TOKENS) for _ in range(chance.randrange(1, 6)))
    return (few * (size // len(few) + 1))[:size] + chance.choice(("", "@", "=", "'", "@host/"))


TABLES: tuple[Change, ...] = (
    quiet,
    long_argument,
    long_lines,
    chain,
    crowd,
    identities,
    storm,
    renamed,
    own_crowd,
    fuzz,
)


def main() -> None:
    """Measure and print."""
    seconds, seed = (int(sys.argv[n]) if len(sys.argv) > n else default for n, default in ((1, 10), (2, 1)))
    head = ("process list", "longest silence", "bare", "99 %", "answers", "processor", "own run shown", "limit said")
    print("{:<14} {:>16} {:>9} {:>9} {:>8} {:>10} {:>14} {:>11}".format(*head))
    worst = 0.0
    for change in TABLES:
        times, bare, used, shown, said = _measure(change, seconds, random.Random(seed))
        times.sort()
        worst = max(worst, times[-1])
        late = times[int(len(times) * 0.99)]
        row = (change.__name__, *(f"{answer * 1000:.1f} ms" for answer in (times[-1], bare, late)), len(times))
        ends = (f"{used * 100 / seconds:.0f} %", "never" if shown is None else f"{shown:.1f} s", said)
        print("{:<14} {:>16} {:>9} {:>9} {:>8} {:>10} {:>14} {:>11}".format(*row, *ends), flush=True)
    print(f"longest time that the tracker was silent: {worst * 1000:.1f} ms (goal: {GOAL_MS} ms)")


def _measure(
    change: Change, seconds: float, chance: random.Random
) -> tuple[list[float], float, float, float | None, str]:
    """Return the times to an answer, the longest of a bare server, the processor time, when our own run was shown, and whether a
    limit was said.
    """
    with tempfile.TemporaryDirectory(prefix="bench-hostile-", dir=_memory(), ignore_cleanup_errors=True) as made:
        os.environ.update(BACKUP_TRAY_HOME=f"{made}/bt", BACKUP_TRAY_OBSERVE="all", PYTHONPATH=str(REPOSITORY))
        proc = FakeProc(Path(made) / "proc")
        change(proc, chance, 0)
        with _tracker(str(proc.root)) as process, _bare(f"{made}/bare.sock") as ask_bare:
            client = wait_for(_connect, what="the tracker")
            times, bare, shown, said = [], 0.0, None, "no"
            begun, steps = time.monotonic(), _steps(proc, change, chance)
            own = begun + seconds / 4
            while (now := time.monotonic()) < begun + seconds:
                next(steps)
                if own and now > own:
                    proc.add(999, "restic", "-r", "/mine", "backup", "/home", environ={}, start=999)
                    own, added = 0.0, now
                asked = time.monotonic()
                answer = client.request("status")
                times.append(time.monotonic() - asked)
                bare = max(bare, ask_bare())
                said = "yes" if answer["notes"] else said
                if shown is None and not own and any(run["repository"] == "/mine" for run in answer["runs"]):
                    shown = time.monotonic() - added
                time.sleep(ASK_SECONDS)
            used = psutil.Process(process.pid).cpu_times()
            client.close()
    return times, bare, used.user + used.system, shown, said


def _steps(proc: FakeProc, change: Change, chance: random.Random) -> Iterator[None]:
    """Change the list five times a second; between two answers, so that the client's own work is not measured."""
    step, due = 1, 0.0
    while True:
        if time.monotonic() >= due:
            change(proc, chance, step)
            step, due = step + 1, time.monotonic() + 0.2
        yield


@contextmanager
def _bare(path: str) -> Iterator[Callable[[], float]]:
    """Start a server that does nothing else; yield a function that asks it and returns the seconds until the answer."""
    process = subprocess.Popen([sys.executable, "-c", BARE, path], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    with socket.socket(socket.AF_UNIX) as conversation:
        conversation.connect(path)

        def ask() -> float:
            asked = time.monotonic()
            conversation.sendall(b"x\n")
            conversation.recv(10)
            return time.monotonic() - asked

        yield ask
    process.kill()
    process.wait()


class _tracker:  # noqa: N801 - used as a function
    """A tracker that looks at another process list."""

    def __init__(self, root: str) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", TRACKER, root])

    def __enter__(self) -> "subprocess.Popen[bytes]":
        return self.process

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()


def _connect() -> ipc.Client | None:
    try:
        return ipc.Client(paths.places(), "cli", timeout=120)
    except TrackerGoneError:
        return None


def _memory() -> str | None:
    return "/dev/shm" if os.path.isdir("/dev/shm") else None


if __name__ == "__main__":
    main()
