"""The outcome of every recorded run of every engine: the table engine x scenario -> outcome, with its false greens and alarms.

The recordings are in `tests/data/<engine>`; `expected.json` there holds the outcome that a person chose for each. Each is judged
again behind each wrapper, with both streams as one (`2>&1`), in each language that was recorded, and as a step of a script, whose
output is not seen. Last come ends at clocks that were set wrong.

A warning that an engine gives in words alone, with exit code 0, a step cannot show. Those are counted apart.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.unit.engines.captures import Capture, expected, folders, load, names, replay, result
from tray import engines
from tray.core.model import EndedRun, Outcome, State, judge
from tray.engines.base import Stream
from tray.recording import observed_end

GREEN = (Outcome.SUCCEEDED,)
WRAPPERS = (
    "flock -n /run/lock/backup",
    "sudo -n -u nobody",
    "timeout 5h",
    "nice -n 10 ionice -c 3",
    "systemd-inhibit --what=sleep",
    "setpriv --no-new-privs",
    "env LC_ALL=C",
    "caffeinate -i",
)
BLIND = ("chronic", "systemd-run", "setsid", "sudo -b", "tmux new -d")
"""Behind these the wrapper sees neither the engine's output nor its end."""
LANGUAGES = ("de", "fr")
NOW = 1_795_000_000_000
DAY = 86_400_000
CLOCKS = (
    ("an hour ago", -DAY // 24, True),
    ("30 days ago", -30 * DAY, False),
    ("tomorrow", DAY, False),
    ("1970", -NOW, False),
)


def behind(capture: Capture, wrapper: str) -> Outcome:
    """Judge the run as if *wrapper* had stood before it."""
    argv = (*wrapper.split(), *capture.argv)
    engine, at = engines.recognise(argv, {})
    session = engine.session(engine.plan(argv, at, {}))
    replay(session, capture.lines)
    return session.conclude(capture.exit).outcome


def merged(capture: Capture) -> Outcome:
    """Judge the run with both streams as one."""
    session = capture.session()
    for line, _ in capture.lines:
        session.feed(line, Stream.OUT)
    return session.conclude(capture.exit).outcome


def as_step(capture: Capture) -> Outcome:
    """Judge the run as a step of a script: by its exit alone."""
    return observed_end.judge(capture.engine, capture.plan(), capture.exit, {}).outcome


def variants(name: str, capture: Capture, right: Outcome) -> Iterator[tuple[str, Outcome, Outcome]]:
    """Yield the run's outcome in other surroundings: their name, the outcome, and the right one."""
    for wrapper in WRAPPERS:
        if "timeout" not in wrapper or capture.code not in (124, 137):
            yield wrapper.split()[0], behind(capture, wrapper), right
    if capture.plan().spool_stdout:
        yield "2>&1", merged(capture), right
    for language in LANGUAGES:
        base = name.removesuffix(f"-{language}")
        if base != name and base in names(capture.engine):
            yield f"as in {language}", result(load(base)).outcome, right


def count(counts: Counter[str], outcome: Outcome, right: Outcome | None) -> None:
    """Count one judgement."""
    counts["judged"] += 1
    counts["false greens"] += outcome in GREEN and right not in GREEN
    counts["false alarms"] += outcome not in GREEN and right in GREEN


def clocks(counts: Counter[str]) -> None:
    """Judge a success whose time a wrong clock gave it."""
    for when, shift, fine in CLOCKS:
        run = EndedRun("r", "home", "restic", Outcome.SUCCEEDED, NOW + shift, max(NOW + shift, 0))
        state = judge.judge(NOW, (), (judge.with_run(None, run),)).state
        print(f"  a success of {when:<38}{state.value}")
        count(counts, *((Outcome.SUCCEEDED if good else Outcome.UNKNOWN) for good in (state is State.OK, fine)))


def main() -> None:
    """Print the table and count its errors."""
    counts: Counter[str] = Counter()
    for engine in folders():
        known = expected(engine)
        print(f"{engine} ({len(known)})")
        for name in names(engine):
            capture = load(name)
            judged, right = result(capture).outcome, known[name]
            wrong = "" if judged is right else f"  <- {right}"
            count(counts, judged, right)
            counts[judged.value] += 1
            for where, other, should in variants(name, capture, right):
                wrong += "" if other is should else f"  {where}: {other.value}"
                count(counts, other, should)
            for wrapper in BLIND:
                other = behind(capture, wrapper)
                silent = other in GREEN and right not in GREEN
                counts["words unseen"] += silent and capture.code == 0
                counts["false greens"] += silent and capture.code != 0
            step = as_step(capture)
            counts["words unseen"] += step in GREEN and right not in GREEN and capture.code == 0
            counts["false greens"] += step in GREEN and right not in GREEN and capture.code != 0
            print(
                f"  {name:<48}{capture.plan().kind:<10}{capture.code:>4}  {judged.value:<10} step: {step.value}{wrong}"
            )
            counts["runs"] += 1
    print("clocks")
    clocks(counts)
    words = ", ".join(f"{counts[outcome.value]} {outcome.value}" for outcome in Outcome if counts[outcome.value])
    print(f"\n{counts['runs']} recorded runs: {words}; judged {counts['judged']} times in all")
    print(
        f"{counts['words unseen']} warnings with exit code 0 in words that a script's step or a hiding wrapper does not show"
    )
    print(f"{counts['false greens']} false greens, {counts['false alarms']} false alarms")


if __name__ == "__main__":
    main()
