"""The choice of files, and the comparison of restored files with their sources."""

import os
import random
from pathlib import Path

import pytest

from tray.engines.proving import Item
from tray.jobs import samples
from tray.jobs.samples import FILES, MOST_BYTES, Match, Sample, compare, digest, fault


def sample(sizes: list[int], seed: int = 1) -> Sample:
    """A sample of files of these sizes."""
    made = Sample(_chance=random.Random(seed))
    for number, size in enumerate(sizes):
        made.add(Item(f"/f{number}", size))
    return made


def test_at_most_three_files_and_fifty_mebibytes_are_chosen() -> None:
    """Whatever their sizes."""
    for sizes in ([10] * 100, [MOST_BYTES] * 5, [MOST_BYTES // 2 + 1] * 40, [1, MOST_BYTES, 2]):
        chosen = sample(sizes).chosen()
        assert 1 <= len(chosen) <= FILES
        assert sum(item.size for item in chosen) <= MOST_BYTES


def test_suspects_are_chosen_whatever_chance_says() -> None:
    """All of them, as far as there is room, and others only beside fewer than three."""
    for suspects in ({"/f7"}, {"/f0", "/f1", "/f2", "/f3", "/f99"}):
        made = Sample(frozenset(suspects))
        for number in range(100):
            made.add(Item(f"/f{number}", 10))
        chosen = {item.path for item in made.chosen()}
        assert chosen >= suspects
        assert len(chosen) == max(FILES, len(suspects))


def test_empty_and_huge_files_are_never_chosen() -> None:
    """The first prove nothing, the others cost too much."""
    assert sample([0, MOST_BYTES + 1]).chosen() == []
    assert sample([0, MOST_BYTES + 1]).files == 2


def test_each_file_has_the_same_chance() -> None:
    """The last of the snapshot as well as the first."""
    counts = dict.fromkeys(range(40), 0)
    for seed in range(2000):
        for item in sample([1] * 40, seed).chosen():
            counts[int(item.path[2:])] += 1
    expected = 2000 * FILES / 40
    assert all(expected * 0.6 < count < expected * 1.4 for count in counts.values())


def test_a_listing_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """After so many files no more are wanted, and that is said."""
    monkeypatch.setattr(samples, "MOST_LISTED", 5)
    made = Sample()
    assert [made.add(Item("/f", 1)) for _ in range(5)] == [True, True, True, True, False]
    assert not made.whole


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A restored file and its source, alike in bytes, size and time."""
    restored, source = tmp_path / "restored", tmp_path / "source"
    for path in (restored, source):
        path.write_bytes(b"abc")
        os.utime(path, ns=(0, 1_000_000_007))
    return restored, source


def item(source: Path, *, touched: bool = False) -> Item:
    """The file in the snapshot, as the source is now, or before it was touched."""
    return Item(str(source), 3, source.stat().st_ctime_ns // 1000 - 10 * touched)


def test_the_same_bytes_are_the_same(pair: tuple[Path, Path]) -> None:
    """Compared one by one."""
    assert compare(pair[0], str(pair[1]), item(pair[1])) is Match.SAME


def test_other_bytes_of_an_untouched_source_differ(pair: tuple[Path, Path]) -> None:
    """Size and times say that it is the same file, so one of the two is damaged."""
    pair[0].write_bytes(b"abd")
    os.utime(pair[0], ns=(0, 1_000_000_007))
    assert compare(pair[0], str(pair[1]), item(pair[1])) is Match.DIFFERS
    assert compare(pair[0], str(pair[1]), item(pair[1], touched=True)) is Match.CHANGED


def test_other_bytes_and_another_size_or_time_are_a_change(pair: tuple[Path, Path]) -> None:
    """Not a failure; the same bytes are a proof also where the source was only touched."""
    os.utime(pair[1], ns=(0, 2_000_000_000))
    assert compare(pair[0], str(pair[1]), item(pair[1])) is Match.SAME
    pair[1].write_bytes(b"abd")
    os.utime(pair[1], ns=(0, 2_000_000_000))
    assert compare(pair[0], str(pair[1]), item(pair[1])) is Match.CHANGED
    pair[1].write_bytes(b"abcd")
    assert compare(pair[0], str(pair[1]), item(pair[1])) is Match.CHANGED


@pytest.mark.parametrize(
    ("restored_ns", "source_ns", "match"),
    [
        (1_000_000_000, 1_500_000_007, Match.DIFFERS),  # tar, and most remotes: whole seconds
        (4_000_000_000, 5_900_000_007, Match.DIFFERS),  # FAT: two of them
        (1_120_000_000, 1_129_999_999, Match.DIFFERS),  # exFAT
        (1_000_000_000, 2_000_000_001, Match.CHANGED),
        (4_000_000_000, 6_000_000_001, Match.CHANGED),
        (1_120_000_000, 1_130_000_001, Match.CHANGED),
        (1_000_000_007, 1_000_003_100, Match.CHANGED),
    ],
)
def test_a_time_that_was_kept_coarsely_counts_as_far_as_it_goes(
    pair: tuple[Path, Path], restored_ns: int, source_ns: int, match: Match
) -> None:
    """Damage on a FAT disk is not taken for a change of the source."""
    pair[0].write_bytes(b"abd")
    os.utime(pair[0], ns=(0, restored_ns))
    os.utime(pair[1], ns=(0, source_ns))
    assert compare(pair[0], str(pair[1]), Item("/f", 3)) is match


def test_a_source_that_is_away_is_gone(pair: tuple[Path, Path]) -> None:
    """Also where a folder or a link stands in its place now, or the snapshot names no absolute path."""
    assert compare(pair[0], None, item(pair[1])) is Match.GONE
    pair[1].unlink()
    assert compare(pair[0], str(pair[1]), Item("/", 3)) is Match.GONE
    pair[1].symlink_to(pair[0])
    assert compare(pair[0], str(pair[1]), Item("/", 3)) is Match.GONE


def test_faults_of_a_restored_file(pair: tuple[Path, Path]) -> None:
    """Missing, of another size, or no file."""
    path = pair[0]
    assert fault(path, Item("/f", 3)) == ""
    assert fault(path, Item("/f", 4)) == "has 3 bytes after the restore instead of 4"
    assert fault(path.with_name("none"), Item("/f", 3)) == "was not restored"
    assert fault(path.parent, Item("/f", 3)) == "is no regular file after the restore"


def test_the_digest_is_sha256(pair: tuple[Path, Path]) -> None:
    """In hex, of the contents."""
    assert digest(pair[0]) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
