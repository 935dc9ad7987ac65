"""Verification trusts its last result only if this program wrote it, and going on from there misses no new entry."""

import json
import os
import shutil
from typing import Any

import pytest

from tests.unit.audit import attacks as by
from tests.unit.audit.attacks import change, cut, rewrite
from tests.unit.audit.help import end, filled, start
from tray.audit import keys, last_check, rotation, spool
from tray.audit.checkpoint import Checkpoint
from tray.audit.entry import Action
from tray.audit.merkle import Frontier, Tiles
from tray.audit.store import AuditLog
from tray.audit.verify.check import Kind, Result, verify
from tray.audit.verify.tables import is_consistent
from tray.audit.verify.verdict import Verdict
from tray.baselines import all_copies, recorded_check
from tray.cli.main import main
from tray.core import clock
from tray.core.errors import AuditStandingError, AuditUnavailableError, NoBreachError
from tray.core.paths import Places


@pytest.fixture
def kept(places: Places) -> Places:
    """A log with copies of its checkpoint, verified just now."""
    with by.opened(places) as log:
        log.append([draft for n in range(140) for draft in (start(f"r{n}"), end(f"r{n}"))])
    recorded_check.check(places)
    return places


def since(places: Places, **options: Any) -> Verdict:
    """Go on from the last check, against what is kept beside the configuration."""
    options = {"kept": all_copies.notes(places), "pinned": all_copies.pinned(places)} | options
    return verify(places.audit_db, places.audit_key, since=last_check.point(places), **options)


def actions(places: Places) -> list[tuple[str, str]]:
    """Action and result of the newest entries."""
    with AuditLog.read(places.audit_db) as log:
        return [(entry.data["action"], entry.data["result"]) for entry in log.entries(-3)]


def test_a_check_goes_on_where_the_last_one_ended(kept: Places) -> None:
    """Only what is new is read; the rest is proved by the tree to be continued, and older baselines are compared too."""
    with AuditLog.read(kept.audit_db) as log:
        old = log.head()[2]
    with by.opened(kept) as log:
        log.append([end(f"new {n}") for n in range(300)])  # across a tile
    verdict = since(kept, baselines={"older": old})
    assert (verdict.result, verdict.full, verdict.entries) == (Result.INTACT, False, 583)
    assert verdict.why.startswith("301 entries came after the last check")
    assert len(verdict.baselines) == 2
    assert verdict.point is not None
    assert verdict.point.size == 583


def test_whatever_is_wrong_with_what_is_new_is_found(kept: Places) -> None:
    """An altered, missing or forged new entry, and a log that was cut, in the same words as by a full verification."""
    with by.opened(kept) as log:
        log.append([end(f"new {n}") for n in range(9)])
    shutil.copytree(kept.state, kept.state.with_name("kept"))
    for act, kind in (
        (lambda: by.edited(kept, 285), Kind.ALTERED),
        (lambda: by.swap(kept, 286, 288), Kind.REORDERED),
        (lambda: rewrite(kept, change(285, job="forged")), Kind.REWRITTEN),
        (lambda: rewrite(kept, cut(285)), Kind.TRUNCATED),
        (lambda: by.by_sql(kept, "CREATE TABLE more (x)"), Kind.SCHEMA),
    ):
        act()
        verdict = since(kept)
        assert (verdict.result, verdict.kind, verdict.full) == (Result.TAMPERED, kind, True)
        shutil.rmtree(kept.state)
        shutil.copytree(kept.state.with_name("kept"), kept.state)


def test_the_point_itself_notices_a_rewrite_with_the_key(kept: Places) -> None:
    """Who has the key and forgets the file about the last check is noticed without any outside baseline."""
    rewrite(kept, change(100, job="forged"), seed=keys.load(kept.audit_key))
    verdict = since(kept, kept={}, pinned=())
    assert (verdict.kind, verdict.full) == (Kind.REWRITTEN, True)
    assert "the last check" in verdict.why


def test_the_point_never_makes_a_log_intact(kept: Places) -> None:
    """It lies beside the log: it may accuse, but only an outside baseline acquits."""
    verdict = since(kept, kept={}, pinned=())
    assert (verdict.result, verdict.full, verdict.baselines) == (Result.INCONCLUSIVE, False, ())


@pytest.mark.parametrize("size", [1, 2, 3, 127, 128, 255, 256, 257, 280])
def test_older_baselines_need_no_trust_in_the_tiles(kept: Places, size: int) -> None:
    """A proof of consistency from the tiles counts only if it leads to both roots; one that was edited leads nowhere."""
    with AuditLog.read(kept.audit_db) as log, log._snapshot() as connection:
        tiles = Tiles(connection)
        old, now, root = Checkpoint("log", size, tiles.root_at(size)), tiles.size, tiles.root_at(tiles.size)
        proof = tiles.consistency(size, now)
    assert is_consistent(old, now, root, proof)
    assert not is_consistent(Checkpoint("log", size, bytes(32)), now, root, proof)
    assert not is_consistent(old, now, bytes(32), proof)
    assert not is_consistent(old, now, root, proof[:-1])
    assert not is_consistent(old, now, root, [*proof, bytes(32)])
    assert not is_consistent(old, now, root, [bytes(32), *proof[1:]])


def test_edges_of_consistency() -> None:
    """Nothing continues to anything; a tree continues itself; none continues a longer one."""
    tree = Frontier()
    empty, root = Checkpoint("log", 0, tree.root()), bytes(range(32))
    assert is_consistent(empty, 5, root, [])
    assert not is_consistent(Checkpoint("log", 0, root), 5, root, [])
    assert is_consistent(Checkpoint("log", 5, root), 5, root, [])
    assert not is_consistent(Checkpoint("log", 6, root), 5, root, [])
    assert not is_consistent(Checkpoint("log", 4, root), 5, root, [])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data.clear(),
        lambda data: data["standing"].update(result="intact", entries=9),
        lambda data: data["point"].update(size=1),
        lambda data: data.update(code="0" * 64),
        lambda data: data.pop("code"),
        lambda data: data.update(version=2),
        lambda data: data.update(standing=7),
        lambda data: data["standing"].pop("why"),
        lambda data: data["standing"].update(checked_at="soon"),
    ],
)
def test_an_edited_file_is_not_believed(kept: Places, spoil: Any) -> None:
    """Verification uses neither its result nor its point: it checks all again, and no surface shows the log as intact."""
    assert last_check.point(kept) is not None
    data = json.loads(kept.audit_standing.read_text())
    spoil(data)
    kept.audit_standing.write_text(json.dumps(data))
    with pytest.raises(AuditStandingError):
        last_check.read(kept)
    assert (last_check.point(kept), last_check.witness(kept), last_check.full_ms(kept)) == (None, None, None)
    assert since(kept).full
    assert recorded_check.check(kept).result is Result.INTACT
    found = last_check.read(kept)
    assert found is not None
    assert (found.result, found.full, found.breach) == ("intact", True, False)


@pytest.mark.parametrize("raw", [b"", b"noise", b"[]", b"{", b"\xff" * 2_000_000, b'{"version":[' + b"[" * 90_000])
def test_a_broken_file_is_never_intact(kept: Places, raw: bytes) -> None:
    """Whatever lies there in its place."""
    kept.audit_standing.write_bytes(raw)
    with pytest.raises(AuditStandingError, match="is not known"):
        last_check.read(kept)
    assert since(kept).full


def test_without_the_key_nothing_is_believed_but_a_breach(kept: Places) -> None:
    """Without the key it is unknown who wrote the file; "intact" needs proof, an alarm does not."""
    kept.audit_key.unlink()
    with pytest.raises(AuditStandingError) as told:
        last_check.read(kept)
    assert "cannot be authenticated" in told.value.why
    data = json.loads(kept.audit_standing.read_text())
    data["standing"]["breach"] = True
    kept.audit_standing.write_text(json.dumps(data))
    found = last_check.read(kept)
    assert found is not None
    assert found.breach


def test_another_key_asks_for_a_full_check_once(kept: Places) -> None:
    """A result authenticated with a lost key does not count; afterwards all goes on as before."""
    by.lost_key(kept)
    with pytest.raises(AuditStandingError) as told:
        last_check.read(kept)
    assert "present signing key" in told.value.why
    verdict = recorded_check.check(kept, incremental=True)
    assert (verdict.result, verdict.full, len(verdict.notes)) == (Result.INTACT, True, 1)
    assert "took over at entry 283" in verdict.notes[0]
    assert not recorded_check.check(kept, incremental=True).full


def test_a_change_of_the_key_costs_no_full_check(kept: Places) -> None:
    """The key that was introduced by the old one takes over what the old one authenticated."""
    rotation.rotate(kept)
    assert last_check.read(kept) is not None
    verdict = recorded_check.check(kept, incremental=True)
    assert (verdict.result, verdict.full, verdict.notes) == (Result.INTACT, False, ())


def test_an_acknowledged_rollback_rings_no_more(kept: Places) -> None:
    """A machine that was set back on purpose goes on from there, and is verified like any other."""
    old = kept.state.with_name("old")
    shutil.copytree(kept.state, old)
    with by.opened(kept) as log:
        log.append([end("newer"), end("newest")])
    recorded_check.check(kept)
    by.put_back(old, kept.state, "audit.db")
    assert recorded_check.check(kept).kind is Kind.ROLLED_BACK
    recorded_check.acknowledge(kept, "set back on purpose")
    by.append_one(kept)
    assert recorded_check.check(kept).result is Result.INTACT
    found = last_check.read(kept)
    assert found is not None
    assert (found.result, found.breach) == ("intact", False)


def test_a_log_that_was_never_verified_has_no_standing(places: Places) -> None:
    """None, which is neither good nor bad."""
    filled(places)
    assert (last_check.read(places), last_check.point(places), last_check.full_ms(places)) == (None, None, None)


def test_a_breach_stays_until_it_is_acknowledged(kept: Places) -> None:
    """It stays even if the log was repaired and a later check finds nothing; the reason goes on record."""
    raw = by.raw_of(kept, 100)
    by.edited(kept, 100)
    assert recorded_check.check(kept).kind is Kind.ALTERED
    found = last_check.read(kept)
    assert found is not None
    assert (found.result, found.kind, found.first_bad, found.breach) == ("tampered", "altered", 100, True)
    assert last_check.point(kept) is None
    by.set_entry(kept, 100, raw)
    verdict = recorded_check.check(kept)
    assert (verdict.result, verdict.breach) == (Result.INTACT, 283)
    found = last_check.read(kept)
    assert found is not None
    assert (found.result, found.breach, found.since_ms is not None) == ("intact", True, True)
    recorded_check.acknowledge(kept, "it was I")
    assert actions(kept)[-1][0] == "audit.acknowledged"
    found = last_check.read(kept)
    assert found is not None
    assert (found.result, found.breach, found.since_ms) == ("intact", False, None)
    assert recorded_check.check(kept).breach is None
    with pytest.raises(NoBreachError):
        recorded_check.acknowledge(kept, "again")


def test_a_breach_is_remembered_by_the_log_itself(kept: Places) -> None:
    """Who mends the log and deletes the file about the last check hides nothing: the alarm is an entry."""
    raw = by.raw_of(kept, 100)
    by.edited(kept, 100)
    recorded_check.check(kept)
    by.set_entry(kept, 100, raw)
    kept.audit_standing.unlink()
    recorded_check.check(kept)
    found = last_check.read(kept)
    assert found is not None
    assert (found.result, found.breach) == ("intact", True)


def test_an_older_file_put_back_is_no_way_around_a_breach(kept: Places) -> None:
    """Genuine, but the entry about the breach lies behind the point that it names."""
    before = kept.audit_standing.read_bytes()
    raw = by.raw_of(kept, 100)
    by.edited(kept, 100)
    recorded_check.check(kept)
    by.set_entry(kept, 100, raw)
    kept.audit_standing.write_bytes(before)
    verdict = recorded_check.check(kept, incremental=True, scheduled=True)
    assert (verdict.result, verdict.full) == (Result.INTACT, False)
    found = last_check.read(kept)
    assert found is not None
    assert found.breach


def test_the_same_finding_is_no_breach_twice(kept: Places) -> None:
    """An acknowledged finding stays on record as tampered, but does not alarm again; another finding does."""
    by.edited(kept, 100)
    recorded_check.check(kept)
    recorded_check.acknowledge(kept, "known")
    for _ in range(2):
        assert recorded_check.check(kept).result is Result.TAMPERED
        found = last_check.read(kept)
        assert found is not None
        assert (found.result, found.breach) == ("tampered", False)
    by.edited(kept, 50)
    recorded_check.check(kept)
    found = last_check.read(kept)
    assert found is not None
    assert (found.first_bad, found.breach) == (50, True)


def test_an_earlier_log_is_settled_by_an_entry_of_the_new_one(kept: Places) -> None:
    """Who begins anew for a good reason says so once, and the copies of the old checkpoints may stay."""
    by.begun_anew(kept, traces=True)
    verdict = recorded_check.check(kept)
    assert (verdict.kind, len(verdict.others)) == (Kind.REPLACED, 1)
    assert recorded_check.check(kept).kind is Kind.REPLACED
    recorded_check.acknowledge(kept, "the disk died")
    verdict = recorded_check.check(kept)
    assert verdict.result is Result.INTACT
    assert any("An earlier log" in note for note in verdict.notes)


def test_what_could_not_be_checked_keeps_breach_and_point(kept: Places) -> None:
    """An unreadable database is "unchecked", on record, and no way to silence an alarm."""
    db = kept.audit_db.read_bytes()
    kept.audit_db.write_bytes(b"noise" * 999)
    with pytest.raises(AuditUnavailableError):
        recorded_check.check(kept)
    found = last_check.read(kept)
    assert found is not None
    assert (found.result, found.breach) == ("unchecked", False)
    for stale in kept.state.glob("audit.db-*"):
        stale.unlink()
    kept.audit_db.write_bytes(db)
    by.edited(kept, 100)
    recorded_check.check(kept)
    kept.audit_db.write_bytes(b"noise" * 999)
    for stale in kept.state.glob("audit.db-*"):
        stale.unlink()
    with pytest.raises(AuditUnavailableError):
        recorded_check.check(kept)
    found = last_check.read(kept)
    assert found is not None
    assert (found.result, found.breach, found.first_bad) == ("unchecked", True, 100)


def test_a_quiet_check_at_start_up_is_no_entry(kept: Places) -> None:
    """A scheduled look at what is new leaves no trace if all is well; every other check is on record."""
    before = len(by.rows_of(kept))
    assert recorded_check.check(kept, incremental=True, scheduled=True).result is Result.INTACT
    assert len(by.rows_of(kept)) == before
    recorded_check.check(kept, scheduled=True)
    assert (len(by.rows_of(kept)), by.rows_of(kept)[-1]["source"]) == (before + 1, "scheduled")
    by.edited(kept, before)
    assert recorded_check.check(kept, incremental=True, scheduled=True).result is Result.TAMPERED
    assert actions(kept)[-1] == ("audit.verified", "tampered")


def test_the_standing_knows_when_all_was_checked(kept: Places) -> None:
    """A look at what is new does not put off the full verification that is due."""
    first = last_check.full_ms(kept)
    assert first is not None
    assert clock.now_ms() - first < 60_000
    recorded_check.check(kept, incremental=True)
    assert last_check.full_ms(kept) == first
    found = last_check.read(kept)
    assert found is not None
    assert not found.full


def test_damaged_copies_are_noted_and_left_out(kept: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """A copy that was found and is broken proves nothing either way; the command says so, and the rest counts."""
    far = kept.config.with_name("far")
    shutil.copytree(kept.baselines, far)
    (copy,) = kept.baselines.glob("*.checkpoint")
    note = copy.read_bytes()
    copy.write_bytes(note[:-20] + (b"A" if note[-20:-19] != b"A" else b"B") + note[-19:])
    assert main(["audit", "verify"]) == 3
    assert "its signature is broken" in capsys.readouterr().out
    assert main(["audit", "verify", "--checkpoint", str(far)]) == 0


def test_the_command_says_what_it_checked(kept: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """`--incremental` in words and in JSON; a broken configuration costs the places that it names, not the verification."""
    assert main(["audit", "verify", "--incremental"]) == 0
    assert "of them only those after the last check" in capsys.readouterr().out
    kept.config_file.write_text("version = ")
    os.chmod(kept.config_file, 0o600)
    assert main(["audit", "verify", "--incremental", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["full"], len(told["problems"]), told["result"]) == (False, 1, "intact")


def test_the_command_reports_rollback_and_open_breach(kept: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1 and the word for what it was; afterwards what was found stays in view until it is acknowledged."""
    old = kept.state.with_name("old")
    shutil.copytree(kept.state, old)
    with by.opened(kept) as log:
        log.append([end("newer")])
    newest = kept.state.with_name("newest")
    shutil.copytree(kept.state, newest)
    by.put_back(old, kept.state, "audit.db")
    assert main(["audit", "verify"]) == 1
    assert "rolled back, from entry 283 on" in capsys.readouterr().out
    by.put_back(newest, kept.state, "audit.db")
    assert main(["audit", "verify"]) == 0
    assert main(["audit", "acknowledge", "--reason", "a snapshot of the machine was tried"]) == 0


def test_nothing_is_left_behind(kept: Places) -> None:
    """The file is private and stands alone: no temporary files, no thread, no lock that is held."""
    recorded_check.check(kept)
    names = {path.name for path in kept.state.iterdir()}
    assert {name for name in names if "tmp" in name or name.endswith(("-wal", "-shm"))} == set()
    assert kept.audit_standing.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("action", sorted(spool.OF_THE_LOG))
def test_a_waiting_record_cannot_speak_for_the_log(kept: Places, action: Action) -> None:
    """A file in a spool is unsigned: one that brings in a key or acknowledges a breach is kept aside and never appended."""
    before = len(by.rows_of(kept))
    by.waiting_forgery(kept, action, {"public_key": str(by.STRANGER), "logs": ["backup-tray/other"]})
    assert [row["action"] for row in by.rows_of(kept)[before:]] == ["run.finished"]
    assert len(spool.pending_bad(kept)) == 1
    assert since(kept).result is Result.INTACT


def test_an_acknowledgement_that_cannot_be_recorded_is_none(kept: Places) -> None:
    """It is an entry or it did not happen: the alarm goes on."""
    by.edited(kept, 100)
    recorded_check.check(kept)
    kept.audit_db.write_bytes(b"noise" * 999)
    with pytest.raises(AuditUnavailableError):
        recorded_check.acknowledge(kept, "hidden")
    found = last_check.read(kept)
    assert found is not None
    assert found.breach
