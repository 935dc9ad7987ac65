"""Record how a run goes on, for `bench_estimate`: times and counters of its progress, as its engine's adapter understands them.

    record_progress.py OUT.json restic -r REPO backup --json TREE

The command must print its progress by itself (`--json`, `--log-json --progress`, `--use-json-log --stats 1s`, `--info=progress2`).
"""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tray import engines
from tray.engines.base import Exit, Progress, Stream
from tray.engines.text import split_lines

POINTS = 100
Row = tuple[float, Stream, bytes]


def main() -> None:
    """Run the command and write the recording."""
    out, *argv = sys.argv[1:]
    rows, code, seconds = watch(argv)
    recording = reduce(argv, rows, code, seconds)
    Path(out).write_text(written(recording))
    print(f"{seconds:.1f} s, {len(recording['points'])} points, {recording['result']}")


def watch(argv: list[str]) -> tuple[list[Row], int, float]:
    """Run the command and return its pieces of output with their times, its exit code, and how long it took."""
    began, rows, lock = time.monotonic(), list[Row](), threading.Lock()
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def read(fd: int, stream: Stream) -> None:
        while data := os.read(fd, 65536):
            with lock:
                rows.append((time.monotonic() - began, stream, data))

    assert child.stdout is not None
    assert child.stderr is not None
    pairs = ((child.stdout.fileno(), Stream.OUT), (child.stderr.fileno(), Stream.ERR))
    threads = [threading.Thread(target=read, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return rows, child.wait(), time.monotonic() - began


def reduce(argv: list[str], rows: list[Row], code: int, seconds: float) -> dict[str, Any]:
    """Return the recording: about `POINTS` times [seconds, phase, files done, files, bytes done, bytes, the engine's time left]."""
    engine, at = engines.recognise(argv, {})
    plan = engine.plan(argv, at, {})
    session, rest = engine.session(plan), {Stream.OUT: b"", Stream.ERR: b""}
    points: list[list[Any]] = []
    for now, stream, data in rows:
        lines = list(split_lines(rest[stream] + data, returns=plan.returns))
        rest[stream] = lines.pop() if lines and not lines[-1].endswith((b"\n", b"\r")) else b""
        for line in lines:
            for seen in session.feed(line, stream).events:
                if isinstance(seen, Progress):
                    counts = (seen.files_done, seen.files_total, seen.bytes_done, seen.bytes_total, seen.eta_seconds)
                    points.append([round(now, 2), seen.phase.value, *counts])
    end = session.conclude(Exit(code))
    return {
        "engine": engine.name,
        "seconds": round(seconds, 2),
        "result": [end.files, end.bytes_processed, end.bytes_added],
        "points": _thinned(points, seconds),
    }


def _thinned(points: list[list[Any]], seconds: float) -> list[list[Any]]:
    kept: list[list[Any]] = []
    for point in points:
        if not kept or point[0] - kept[-1][0] >= seconds / POINTS or point[1] != kept[-1][1]:
            kept.append(point)
    return kept


def written(recording: dict[str, Any]) -> str:
    """Return the recording as text, one point a line."""
    points = ",\n".join(json.dumps(point, separators=(",", ":")) for point in recording["points"])
    head = json.dumps({key: value for key, value in recording.items() if key != "points"})
    return f'{head[:-1]}, "points": [\n{points}\n]}}\n'


if __name__ == "__main__":
    main()
