"""Segments and pruning: a log that is kept for years forgets its oldest part, and what is left still proves itself."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from pymerkle import InmemoryTree

from tests.unit.audit.help import consistency, end, long_ago, start, tamper
from tests.unit.audit.tiles_check import holds
from tray.audit import keys, rotation, segments, spool, tlog
from tray.audit.checkpoint import Checkpoint, VerifierKey, parse
from tray.audit.entry import Action, Draft
from tray.audit.store import AuditLog
from tray.audit.verify.check import verify
from tray.audit.verify.tables import is_consistent
from tray.baselines import all_copies
from tray.cli.main import main
from tray.core import clock
from tray.core.clock import DAY_MS
from tray.core.errors import AuditUnavailableError, EntryPrunedError, PruneRefusedError
from tray.core.paths import Places

YEAR = 365 * DAY_MS


@pytest.fixture
def aged(places: Places, monkeypatch: pytest.MonkeyPatch) -> Places:
    """A log with 600 entries of three years ago, and the key changed among them; then 400 of today."""
    with long_ago(monkeypatch):
        with AuditLog.open(places.audit_db, places.audit_key, copies=places.baselines) as log:
            log.append([draft for number in range(150) for draft in (start(f"a{number}"), end(f"a{number}"))])
        rotation.rotate(places)
        with AuditLog.open(places.audit_db, places.audit_key, copies=places.baselines) as log:
            log.append([draft for number in range(148) for draft in (start(f"b{number}"), end(f"b{number}"))])
    with AuditLog.open(places.audit_db, places.audit_key, copies=places.baselines) as log:
        log.append([draft for number in range(200) for draft in (start(f"c{number}"), end(f"c{number}"))])
    return places


def close(places: Places, entries: int | None = 256) -> list[segments.Segment]:
    """Close what is due."""
    with AuditLog.open(places.audit_db, places.audit_key, copies=places.baselines) as log:
        return segments.rotate(log, entries)


def forget(places: Places, **more: object) -> list[segments.Segment]:
    """Prune what is older than a year."""
    return segments.prune(places, YEAR, all_copies.notes(places), **more)  # type: ignore[arg-type]


def check(places: Places, **notes: bytes) -> tuple[str, str]:
    """Verify with the copies beside the configuration; return the result and its reason."""
    verdict = verify(places.audit_db, places.audit_key, baselines=all_copies.notes(places) | notes)
    return verdict.result.value, verdict.why


def test_a_segment_ends_between_tiles_with_a_checkpoint_of_its_size(aged: Places) -> None:
    """The log alone tells at that moment which entries are closed, and they can be pruned as whole tiles."""
    first, second, third = close(aged)
    assert [(one.first, one.size) for one in (first, second, third)] == [(0, 256), (256, 512), (512, 768)]
    with AuditLog.read(aged.audit_db) as log:
        for one in (first, second, third):
            seen = parse(one.note)
            assert (seen.size, seen.root) == (one.size, log.root_at(one.size))
            assert any(key.verifies(one.note) for key in keys.pins(aged.audit_key))
        assert [entry.data["action"] for entry in log.entries(-3)] == ["audit.rotated"] * 3
        assert segments.closed(log) == [first, second, third]
    assert close(aged) == []
    assert check(aged)[0] == "intact"


def test_rotate_without_a_length_closes_all_that_can_be_closed(aged: Places) -> None:
    """`audit rotate` by hand: up to the last multiple of 256."""
    (one,) = close(aged, None)
    assert (one.first, one.size) == (0, 768)
    assert close(aged, None) == []
    with pytest.raises(AuditUnavailableError):
        close(aged, 100)


def test_a_pruned_log_proves_what_is_left(aged: Places) -> None:
    """The old entries are gone, and the rest continues them: chain, tree, keys and baselines verify, and it goes on growing."""
    with AuditLog.read(aged.audit_db) as log:
        old = parse(log.head()[2])
        kept, raw = log.root_at(512), log.entry(600).raw
    close(aged)
    gone = forget(aged)
    assert [one.size for one in gone] == [256, 512]
    assert check(aged) == ("intact", check(aged)[1])
    with AuditLog.open(aged.audit_db, aged.audit_key, copies=aged.baselines) as log:
        assert log.start() == 512
        assert log.entries(0, 1)[0].seq == 512
        assert (log.root_at(512), log.root_at(old.size), log.entry(600).raw) == (kept, old.root, raw)
        with pytest.raises(EntryPrunedError):
            log.entry(511)
        with pytest.raises(EntryPrunedError):
            log.root_at(300)
        log.append([end("new")])
        last = [entry for entry in log.entries(-4) if entry.data["action"] == "audit.pruned"][-1]
        assert last.body is not None
        assert (last.body["start"], last.body["root"], len(last.body["keys"])) == (512, kept.hex(), 2)
        assert len(log.history(5000)) == 1 + 200 + (600 - 512) // 2
    assert check(aged)[0] == "intact"
    assert not {row for row in open_ids(aged) if row < 512}


def open_ids(places: Places) -> list[int]:
    """The numbers of all bodies."""
    connection = sqlite3.connect(places.audit_db)
    try:
        return [row[0] for row in connection.execute("SELECT seq FROM bodies")]
    finally:
        connection.close()


def test_proofs_reach_over_what_was_pruned(aged: Places) -> None:
    """An independent implementation gives the same proof of an entry as a log whose beginning is gone."""
    with AuditLog.read(aged.audit_db) as log:
        leaves = [entry.raw for entry in log.entries(0, 768)]
    close(aged)
    forget(aged)
    theirs = InmemoryTree(algorithm="sha256")
    for leaf in leaves:
        theirs.append_entry(leaf)
    path = theirs.prove_inclusion(601, 768).serialize()["path"]
    with AuditLog.read(aged.audit_db) as log:
        assert [step.hex() for step in log.inclusion(600, 768)] == path[1:]
        assert log.root_at(768) == theirs.get_root(768)
        old, new = Checkpoint("x", 512, theirs.get_root(512)), theirs.get_root(768)
        assert is_consistent(old, 768, new, consistency(log, 512, 768))


def test_what_is_young_stays(aged: Places) -> None:
    """The third segment holds entries of today."""
    close(aged)
    assert [one.size for one in segments.prune(aged, 5 * YEAR, all_copies.notes(aged))] == []
    forget(aged)
    with AuditLog.read(aged.audit_db) as log:
        plan = segments.plan(log, YEAR, all_copies.notes(aged))
    assert (plan.segments, plan.kept) == ((), "Entry 767 is younger than that.")


def test_nothing_goes_without_a_checkpoint_outside(aged: Places) -> None:
    """No baseline, one of another log, one that is too short, one that is not signed, one of other entries: all are refused."""
    close(aged)
    (name, note), *_ = all_copies.notes(aged).items()
    forged = note.replace(b"\n", b"\n1", 1)
    with AuditLog.read(aged.audit_db) as log:
        short = segments.closed(log)[0].note
        for notes in (
            {},
            {"forged": forged},
            {"noise": b"noise"},
            {"other": note.replace(b"backup-tray/", b"backup-tray/0")},
        ):
            assert segments.plan(log, YEAR, notes).segments == ()
        assert [one.size for one in segments.plan(log, YEAR, {"short": short}).segments] == [256]
        assert [one.size for one in segments.plan(log, YEAR, {name: note}).segments] == [256, 512]


def test_a_run_that_is_still_open_keeps_its_start(aged: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its start the tracker could not call the run lost later."""
    tamper(aged, "INSERT INTO open_runs (run, seq) VALUES ('x', 400)")
    close(aged)
    with AuditLog.read(aged.audit_db) as log:
        plan = segments.plan(log, YEAR, all_copies.notes(aged))
    assert [one.size for one in plan.segments] == [256]
    assert "entry 400" in plan.kept


def test_a_record_that_waits_in_a_spool_is_never_appended_twice(aged: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its id is what tells that it is in the log; so its entry stays as long as the file cannot be removed."""
    with AuditLog.read(aged.audit_db) as log:
        entry = log.entry(5)
    draft = Draft(Action.RUN_FINISHED, id=entry.data["id"], time_ms=clock.now_ms(), run="a1", job="home")
    spool.keep(aged, [draft])
    close(aged)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda *_, **__: (_ for _ in ()).throw(PermissionError))
        with pytest.raises(PruneRefusedError, match="kept") as caught:
            forget(aged)
    assert "entry 5" in caught.value.why
    assert [one.size for one in forget(aged)] == [256, 512]
    assert spool.pending(aged) == []
    assert check(aged)[0] == "intact"


def test_a_segment_is_in_the_archive_before_it_goes(aged: Places, tmp_path: Path) -> None:
    """As tiles with the details, which other tools verify; an archive of another log is refused and nothing goes."""
    close(aged)
    archive = tmp_path / "archive"
    assert len(forget(aged, archive=archive)) == 2
    with AuditLog.read(aged.audit_db) as log:
        root = parse(segments.closed(log)[1].note).root
    assert holds(archive, 0, 512, root)
    assert list((archive / tlog.DETAILS).rglob("*"))
    assert parse((archive / tlog.CHECKPOINT).read_bytes()).size == 512


def test_a_larger_or_damaged_archive_is_used_and_mended(aged: Places, tmp_path: Path) -> None:
    """A copy of the whole log by hand is no obstacle, and a file that was damaged since is written again."""
    close(aged)
    archive = tmp_path / "archive"
    with AuditLog.read(aged.audit_db) as log:
        size = log.head()[0]
        tlog.export(log, archive, details=True)
    (archive / tlog.ENTRIES / "000").write_bytes(b"noise")
    assert len(forget(aged, archive=archive)) == 2
    with AuditLog.read(aged.audit_db) as log:
        assert holds(archive, 0, 512, log.root_at(512))
    assert parse((archive / tlog.CHECKPOINT).read_bytes()).size == size


def test_a_broken_archive_keeps_everything(aged: Places, tmp_path: Path) -> None:
    """A folder that cannot be written is an error, and the log is as it was."""
    close(aged)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Exception, match="cannot be written"):
        forget(aged, archive=tmp_path / "file")
    with AuditLog.read(aged.audit_db) as log:
        assert log.start() == 0


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM entries WHERE seq = 0",
        "DELETE FROM bodies WHERE seq = 3",
        "UPDATE base SET start = 256",
        "UPDATE base SET start = 300",
        "DELETE FROM base",
        "DELETE FROM segments",
        "UPDATE segments SET size = 512",
        "DELETE FROM tiles",
        "UPDATE tiles SET number = 77",
    ],
)
def test_the_triggers_allow_nothing_but_pruning(aged: Places, statement: str) -> None:
    """A slip of the hand in SQL changes nothing (a guard-rail; verification is what finds intent)."""
    close(aged)
    connection = sqlite3.connect(aged.audit_db, isolation_level=None)
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(statement)
    connection.close()


def test_pruning_again_takes_the_keys_along(aged: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second pruning knows the keys of the first, though the entries that introduced them are gone."""
    close(aged)
    assert len(forget(aged, most=1)) == 1
    assert len(forget(aged, most=1)) == 1
    later = clock.now_ms() + 2 * YEAR
    monkeypatch.setattr(clock, "now_ms", lambda: later)
    assert [one.size for one in forget(aged)] == [768]
    with AuditLog.read(aged.audit_db) as log, log._snapshot() as connection:
        known = segments.keys_before(connection, 768)
    assert [str(key) for key in keys.pins(aged.audit_key)] == known
    assert all(VerifierKey.parse(key) for key in known)
    assert check(aged)[0] == "intact"


_STEPS = """
import os, signal, sys
from pathlib import Path
from tray.audit import segments
from tray.baselines import all_copies
from tray.audit.store import AuditLog
from tray.audit import database
from tray.core.paths import places
here, left = places(), int(sys.argv[1])
def step():
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return 0
opened = database.connect_writer
def connect_writer(*args):
    connection = opened(*args)
    connection.set_progress_handler(step, 500)
    return connection
database.connect_writer = connect_writer
with AuditLog.open(here.audit_db, here.audit_key, copies=here.baselines) as log:
    segments.rotate(log, 256)
segments.prune(here, 365 * 86_400_000, all_copies.notes(here))
"""


@pytest.mark.process
def test_rotation_and_pruning_may_be_killed_at_any_step(aged: Places) -> None:
    """Each is one transaction: the log verifies after every kill, and the next try finishes."""
    left, killed = 0, 0
    while (code := subprocess.run([sys.executable, "-c", _STEPS, str(left)], check=False).returncode) != 0:
        assert code == -signal.SIGKILL
        assert check(aged)[0] == "intact"
        killed, left = killed + 1, left * 2 + 5
    assert killed >= 5
    with AuditLog.read(aged.audit_db) as log:
        assert log.start() == 512
    assert check(aged)[0] == "intact"


def test_the_command_line_rotates_and_prunes(aged: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """By hand: close, see what would go, let it go; without `--yes` and without a terminal nothing is assumed."""
    assert main(["audit", "rotate"]) == 0
    assert "entries 0 to 767" in capsys.readouterr().out
    assert main(["audit", "rotate"]) == 0
    assert "Nothing to close" in capsys.readouterr().out
    assert main(["audit", "prune"]) == 64
    assert main(["audit", "prune", "--older-than", "365"]) == 2
    assert "younger" in capsys.readouterr().err


def test_the_command_line_asks_before_it_prunes(aged: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run and a missing `--yes` change nothing."""
    close(aged)
    assert main(["audit", "prune", "--older-than", "365", "--dry-run"]) == 0
    assert "entries 0 to 511" in capsys.readouterr().out
    assert main(["audit", "prune", "--older-than", "365"]) == 64
    with AuditLog.read(aged.audit_db) as log:
        assert log.start() == 0
    assert main(["audit", "prune", "--older-than", "365", "--yes"]) == 0
    assert "begins with entry 512" in capsys.readouterr().out
    assert check(aged)[0] == "intact"


def test_rotating_begins_no_log(places: Places) -> None:
    """Where there is none, there is nothing to close."""
    assert main(["audit", "rotate"]) != 0
    assert not places.audit_db.exists()


def test_what_was_pruned_is_not_left_in_the_files(aged: Places) -> None:
    """Overwritten in the database, and no longer in the write-ahead log."""
    with AuditLog.read(aged.audit_db) as log:
        trace = log.entry(100).data["id"].encode()
    assert trace in aged.audit_db.read_bytes()
    close(aged)
    forget(aged)
    assert not [item for item in os.scandir(aged.state) if item.is_file() and trace in Path(item).read_bytes()]
