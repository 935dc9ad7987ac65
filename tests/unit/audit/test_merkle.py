"""The tree read back from the log, held against an implementation of others, at every size, also over several levels of tiles."""

import pytest
from pymerkle import InmemoryTree

from tests.unit.audit.help import consistency, leaf_hashes, start, writer
from tray.audit import merkle
from tray.audit.checkpoint import Checkpoint
from tray.audit.merkle import EMPTY_ROOT, Frontier, leaf_hash
from tray.audit.store import AuditLog
from tray.audit.verify.tables import is_consistent
from tray.core.errors import AuditUnavailableError, EntryPrunedError
from tray.core.paths import Places


def tree_of(log: AuditLog) -> InmemoryTree:
    """The same log in pymerkle."""
    theirs = InmemoryTree(algorithm="sha256")
    for entry in log.entries(0, 10_000):
        theirs.append_entry(entry.raw)
    return theirs


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles of 4 hashes: 70 entries have three levels of them, as 16,777,216 have with 256."""
    monkeypatch.setattr(merkle, "WIDTH", 4)
    monkeypatch.setattr(merkle, "HEIGHT", 2)


@pytest.mark.usefixtures("narrow")
def test_roots_and_proofs_are_those_of_the_standard_at_every_size(places: Places) -> None:
    """RFC 6962: a user with pymerkle gets the same bytes, for each size and each entry."""
    with writer(places) as log:
        log.append([start() for _ in range(68)])
        theirs = tree_of(log)
        roots = [EMPTY_ROOT, *(theirs.get_root(size) for size in range(1, 71))]
        for size in range(71):
            assert log.root_at(size) == roots[size]
        for size in (1, 2, 3, 4, 5, 16, 17, 63, 64, 65, 70):
            for seq in range(size):
                path = theirs.prove_inclusion(seq + 1, size).serialize()["path"]
                assert [step.hex() for step in log.inclusion(seq, size)] == path[1:]
            for old in range(1, size + 1):
                assert is_consistent(Checkpoint("x", old, roots[old]), size, roots[size], consistency(log, old, size))


@pytest.mark.usefixtures("narrow")
def test_tiles_are_the_roots_of_whole_subtrees(places: Places) -> None:
    """Each level holds the hashes of the level below, complete tiles only."""
    with writer(places) as log:
        for count in (1, 1, 30, 36):
            log.append([start() for _ in range(count)])
        theirs = tree_of(log)
        rows = log._live().execute("SELECT level, number, hash FROM tiles ORDER BY level, number").fetchall()
    assert [(level, number) for level, number, _ in rows] == [
        *((0, number) for number in range(17)),
        *((1, number) for number in range(4)),
        (2, 0),
    ]
    assert [row[2] for row in rows if row[1] == 0] == [theirs.get_root(4), theirs.get_root(16), theirs.get_root(64)]


def test_a_tile_is_written_by_the_append_that_completes_it(places: Places) -> None:
    """At 256 entries, not before, and whether they came one by one or all at once."""
    with writer(places) as log:
        log.append([start() for _ in range(253)])
        count = "SELECT count(*) FROM tiles"
        assert log._live().execute(count).fetchone() == (0,)
        log.append([start()])
        assert log._live().execute(count).fetchone() == (1,)
        log.append([start() for _ in range(600)])
        assert log._live().execute(count).fetchone() == (3,)
        assert log._live().execute("SELECT hash FROM tiles WHERE number = 1").fetchone()[0] != log.root_at(512)


def test_a_frontier_of_an_earlier_size_goes_on_to_the_same_root(places: Places) -> None:
    """Pruning keeps it, and what comes behind is hashed on from there."""
    with writer(places) as log:
        log.append([start() for _ in range(700)])
        with log._snapshot() as connection:
            frontier = merkle.Tiles(connection).frontier_at(512)
        for leaf in leaf_hashes(log, 512, 1000):
            frontier.push(leaf)
        assert (frontier.size, frontier.root()) == log.head()[:2]


def test_leaf_hashes_are_those_of_the_entries(places: Places) -> None:
    """No more than asked for, no more than there are."""
    with writer(places) as log:
        log.append([start() for _ in range(8)])
        expected = [leaf_hash(entry.raw) for entry in log.entries()]
        assert (leaf_hashes(log, 0, 100), leaf_hashes(log, 3, 2)) == (expected, expected[3:5])


def test_a_question_about_entries_that_are_not_there_is_an_error(places: Places) -> None:
    """Neither a root of a future size nor a proof of an entry behind it."""
    with writer(places) as log:
        log.append([start()])
        for ask in (
            lambda: log.root_at(4),
            lambda: log.root_at(-1),
            lambda: log.inclusion(3, 3),
            lambda: log.inclusion(-1, 3),
            lambda: consistency(log, 3, 2),
            lambda: consistency(log, 2, 4),
        ):
            with pytest.raises(AuditUnavailableError):
                ask()
        with pytest.raises(EntryPrunedError):
            leaf_hashes(log, -1, 3)


def test_a_question_reads_few_rows_in_a_long_log(places: Places) -> None:
    """At most one tile of each level on each side, whatever the length."""
    with writer(places) as log:
        log.append([start() for _ in range(3000)])
        with log._snapshot() as connection:
            tree = merkle.Tiles(connection)
            tree.inclusion(700, 2900)
            assert set(tree._read) == {(0, 2), (0, 11), (1, 0)}


def test_a_frontier_is_checked_for_its_size() -> None:
    """`completed` relies on this check."""
    assert merkle.completed_tiles(Frontier(), bytes(32)) == []
    full = Frontier()
    for number in range(255):
        full.push(leaf_hash(bytes([number])))
    last = leaf_hash(b"\xff")
    ((level, number, root),) = merkle.completed_tiles(full, last)
    full.push(last)
    assert (level, number, root) == (0, 0, full.root())
