"""Compare output byte for byte, bare and under watch: every engine x version x flag x way x language.

    python tests/bench/bench_output.py [ENGINE[=PROGRAM]...]

The end-to-end tests run a part of this; here is all of it: some 700 pairs of runs, half an hour. One line an engine, and each pair
that differs with its first differing lines. The exit code is 1 if one does.
"""

import difflib
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.e2e import newer
from tests.e2e.matrix import ENGINES, Pair, Seen, product
from tray.core import paths


def main() -> int:
    """Run the named engines, or all."""
    named = sys.argv[1:] or [*ENGINES, *(f"{name}={newer.program(name)}" for name in ("borg", "rclone", "duplicity"))]
    differing = 0
    print("| engine | pairs | bytes | differ |\n| --- | ---: | ---: | ---: |")
    for word in named:
        name, _, program = word.partition("=")
        differing += _engine(name, program or name)
    return 1 if differing else 0


def _engine(name: str, program: str) -> int:
    pairs = size = differ = 0
    with tempfile.TemporaryDirectory(prefix="exact-") as made:
        os.environ[paths.HOME_VARIABLE] = f"{made}/bt"
        pair = Pair(Path(made), ENGINES[name], program)
        for flag, way, language in product(ENGINES[name]):
            bare, wrapped = pair.run(flag, way, language)
            pairs, size = pairs + 1, size + len(bare.out) + len(bare.err)
            if bare != wrapped:
                differ += 1
                print(
                    f"{name} {flag!r}, {way}, {language}:",
                    *_lines(bare, wrapped),
                    sep="\n    ",
                    file=sys.stderr,
                    flush=True,
                )
    print(f"| {name} ({program}) | {pairs} | {size:,} | {differ} |", flush=True)
    return differ


def _lines(bare: Seen, wrapped: Seen) -> list[str]:
    lines = [] if bare.code == wrapped.code else [f"exit code {bare.code}, {wrapped.code}"]
    for expected, other in ((bare.out, wrapped.out), (bare.err, wrapped.err)):
        before, after = (text.decode("utf-8", "backslashreplace").splitlines() for text in (expected, other))
        lines += list(difflib.unified_diff(before, after, "bare", "wrapped", lineterm="", n=0))[:12]
    return lines


if __name__ == "__main__":
    sys.exit(main())
