"""The judgement of a check: which snapshot counts, and when restored files prove something."""

import pytest

from tray.core.model import Outcome
from tray.engines.proving import Item, Snapshot
from tray.jobs.samples import Match
from tray.jobs.verdicts import judged, newest

SNAPSHOT = Snapshot("4f3c" * 16, 1000, ("/home/ann",))
FILE = Item("/home/ann/a", 1000)


@pytest.mark.parametrize(
    ("sources", "chosen"),
    [
        (("/home/ann",), "mine"),
        (("/home/ann/",), "mine"),
        (("/home/bob", "/etc"), "both"),
        (("/home/bob",), "both"),
        (("/srv",), None),
        ((), "both"),
    ],
)
def test_the_newest_snapshot_of_the_jobs_sources_counts(sources: tuple[str, ...], chosen: str | None) -> None:
    """A newer one of another job in the same repository proves nothing about this job."""
    known = [
        Snapshot("old", 1, ("/home/ann",)),
        Snapshot("mine", 2, ("/home/ann",)),
        Snapshot("both", 3, ("/etc", "/home/bob")),
    ]
    snapshot = newest(known, sources)
    assert (None if snapshot is None else snapshot.id) == chosen


def test_a_snapshot_whose_sources_are_not_known_counts() -> None:
    """The engine does not say whose it is."""
    assert newest([Snapshot("a", 1)], ("/home/ann",)) == Snapshot("a", 1)


def test_only_compared_files_are_proven() -> None:
    """A file that was restored but compared with nothing is none of them."""
    verdict = judged(SNAPSHOT, [(FILE, Match.SAME, False), (FILE, Match.CHANGED, False), (FILE, Match.GONE, True)], "")
    assert verdict.outcome is Outcome.SUCCEEDED
    assert verdict.proof == {
        "files": 2,
        "bytes": 2000,
        "snapshot": SNAPSHOT.id,
        "how": "1 with the source and 1 with the snapshot's hash",
        "changed_since": 1,
        "restored": 3,
    }
    assert verdict.reason == (
        "Proven restorable: 2 files, 2.0 kB, of snapshot 4f3c4f3c4f3c4f3c restored and compared, "
        "1 with the source and 1 with the snapshot's hash; 1 changed since the backup."
    )


@pytest.mark.parametrize("match", [Match.CHANGED, Match.GONE])
def test_without_a_comparison_nothing_is_proven(match: Match) -> None:
    """That is a warning, never a success."""
    verdict = judged(SNAPSHOT, [(FILE, match, False)], "")
    assert (verdict.outcome, verdict.proof) == (Outcome.WARNING, None)
    assert verdict.reason.startswith("Nothing was proven: 1 file could be restored, but ")


def test_a_warning_of_the_engines_check_stays_one() -> None:
    """The files are proven all the same."""
    verdict = judged(SNAPSHOT, [(FILE, Match.SAME, False)], "a pack is not referenced.")
    assert (verdict.outcome, verdict.proof is None) == (Outcome.WARNING, False)
    assert verdict.reason.endswith("but the check warns: a pack is not referenced.")
