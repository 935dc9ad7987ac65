"""What every recorded run of every engine comes to: the table engine x scenario -> outcome, and the false greens and alarms in it.

The recordings are in `tests/data/<engine>`; what a person would call each one stands beside it in `expected.json`.
"""

import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.unit.engine_captures import expected, folders, load, names, result
from tray.model import Outcome

GREEN = (Outcome.SUCCEEDED,)


def main() -> None:
    """Print the table and the count of what is wrong in it."""
    counts: Counter[str] = Counter()
    for engine in folders():
        known = expected(engine)
        print(f"{engine} ({len(known)})")
        for name in names(engine):
            capture = load(name)
            found, right = result(capture).outcome, known.get(name)
            wrong = "" if found is right else f"  <- {right}"
            print(f"  {name:<48}{capture.plan().kind:<10}{capture.code:>4}  {found.value}{wrong}")
            counts[found.value] += 1
            counts["false greens"] += found in GREEN and right not in GREEN
            counts["false alarms"] += found not in GREEN and right in GREEN
            counts["runs"] += 1
    words = ", ".join(f"{counts[outcome.value]} {outcome.value}" for outcome in Outcome if counts[outcome.value])
    print(f"\n{counts['runs']} recorded runs: {words}")
    print(f"{counts['false greens']} false greens, {counts['false alarms']} false alarms")


if __name__ == "__main__":
    main()
