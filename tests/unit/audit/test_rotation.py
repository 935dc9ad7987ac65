"""A new signing key: introduced by the old one, whatever is killed or works at the same time; and the loss of a key."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.audit.help import end, filled
from tests.waiting import wait_for
from tray.audit import checkpoint, keys, last_check, rotation, spool
from tray.audit.checkpoint import Signer, VerifierKey
from tray.audit.entry import Action, Severity
from tray.audit.rows import StoredEntry
from tray.audit.store import AuditLog
from tray.audit.verify.check import Result, verify
from tray.baselines import all_copies
from tray.baselines.recorded_check import check
from tray.core.errors import AuditMissingError, AuditStandingError, AuditUnavailableError
from tray.core.paths import Places


def changes(places: Places) -> list[StoredEntry]:
    """The entries that bring in a key after the first one."""
    with AuditLog.read(places.audit_db) as log:
        return [entry for entry in log.entries(0, 10_000) if entry.data["action"] == Action.KEY_ROTATED]


def newest(places: Places) -> bytes:
    """The newest checkpoint."""
    with AuditLog.read(places.audit_db) as log:
        return log.head()[2]


def holds(places: Places) -> bool:
    """Whether the log verifies with the copies beside the configuration."""
    verdict = verify(places.audit_db, places.audit_key, baselines=all_copies.notes(places))
    assert verdict.result is Result.INTACT, verdict.why
    return True


def test_the_old_key_introduces_the_new_one(places: Places) -> None:
    """Verification shows the user that the holder of the old key chose the new one, and everything still holds."""
    spool.record(filled(places), [end()])
    before = keys.load(places.audit_key)
    done = rotation.rotate(places)
    (entry,) = changes(places)
    assert (entry.seq, entry.data["result"], entry.data["severity"]) == (done.entry, "rotated", Severity.WARNING)
    assert entry.body is not None
    assert VerifierKey.parse(entry.body["public_key"]) == done.new
    assert checkpoint.is_introduced(entry.body["introduction"].encode(), done.entry, done.old, done.new)
    assert done.old.verifies(entry.body["checkpoint"].encode())
    assert checkpoint.parse(entry.body["checkpoint"].encode()).size == done.entry
    assert done.new.verifies(newest(places))
    assert keys.load(places.audit_key) != before
    assert not keys.fresh_file(places.audit_key).exists()
    spool.record(places, [end()])
    assert len(changes(places)) == 1
    assert holds(places)


def test_a_new_key_is_pinned_in_both_places(places: Places) -> None:
    """A log that is replaced together with its keys is noticed by either."""
    spool.record(filled(places), [end()])
    done = rotation.rotate(places)
    assert keys.pins(places.audit_key) == [done.old, done.new]
    assert all_copies.pinned(places) == [done.old, done.new]


def test_an_introduction_counts_only_for_its_entry_its_key_and_its_log() -> None:
    """A signature that was given once cannot be used for anything else."""
    signer = Signer(bytes(32))
    old, new = VerifierKey("log", signer.public), VerifierKey("log", Signer(bytes(range(32))).public)
    note = signer.note("log", checkpoint.introduction("log", 7, new))
    assert checkpoint.is_introduced(note, 7, old, new)
    assert not checkpoint.is_introduced(note, 8, old, new)
    assert not checkpoint.is_introduced(note, 7, old, old)
    assert not checkpoint.is_introduced(note, 7, new, new)
    assert not checkpoint.is_introduced(note, 7, VerifierKey("other", signer.public), VerifierKey("other", new.public))
    assert not checkpoint.is_introduced(b"noise", 7, old, new)
    with pytest.raises(ValueError):
        checkpoint.parse(note)


def test_keys_can_be_changed_again_and_again(places: Places) -> None:
    """Every key vouches for the next."""
    spool.record(filled(places), [end()])
    for _ in range(3):
        rotation.rotate(places)
    assert [entry.data["result"] for entry in changes(places)] == ["rotated"] * 3
    assert holds(places)


@pytest.mark.parametrize("finished_by", ["record", "rotate"])
def test_whoever_is_killed_before_the_last_step_is_finished_by_the_next(
    places: Places, monkeypatch: pytest.MonkeyPatch, finished_by: str
) -> None:
    """The log knows the new key, the file still holds the old one: the next append takes the new one, without a second change."""
    spool.record(filled(places), [end()])

    def killed(signer: Path, key: Path) -> None:
        raise KeyboardInterrupt(signer, key)

    with monkeypatch.context() as patch:
        patch.setattr(rotation.os, "replace", _only_to(places.audit_key, killed))
        with pytest.raises(KeyboardInterrupt):
            rotation.rotate(places)
    assert keys.fresh_file(places.audit_key).exists()
    if finished_by == "record":
        spool.record(places, [end()])
    else:
        rotation.rotate(places)
    assert [entry.data["result"] for entry in changes(places)] == ["rotated"] * (1 if finished_by == "record" else 2)
    assert keys.known(places.audit_key, newest(places)) is not None
    assert not keys.fresh_file(places.audit_key).exists()
    assert holds(places)


def _only_to(target: Path, act: object) -> object:
    """`os.replace`, except that *act* is called in its place when something would take the place of *target*."""
    really = os.replace

    def replace(source: Path, to: Path) -> None:
        if Path(to) == target:
            act(source, to)  # type: ignore[operator]
        really(source, to)

    return replace


def test_whoever_is_killed_before_the_log_knows_leaves_the_old_key(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a kill in the middle of a rotation the log is signed with the old key, until a rotation introduces a new one."""
    spool.record(filled(places), [end()])
    before = keys.load(places.audit_key)
    with monkeypatch.context() as patch:
        patch.setattr(AuditLog, "change_key", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            rotation.rotate(places)
    spool.record(places, [end()])
    assert keys.load(places.audit_key) == before
    assert changes(places) == []
    rotation.rotate(places)
    assert holds(places)


_ROTATE = "from tray.audit import rotation; from tray.core.paths import places\nwhile True: rotation.rotate(places())"
_RECORD = (
    "from tray.audit import spool; from tray.core.paths import places; from tests.unit.audit.help import end\n"
    "for _ in range(40): assert spool.record(places(), [end()]) is not None"
)


@pytest.mark.process
def test_records_and_changes_of_the_key_at_once_do_not_disturb_each_other(places: Places) -> None:
    """No append meets a key that the log does not know: not one loud replacement, and no record has to wait in the spool."""
    spool.record(filled(places, 2), [end()])
    changing = subprocess.Popen([sys.executable, "-c", _ROTATE])
    try:
        writers = [subprocess.Popen([sys.executable, "-c", _RECORD]) for _ in range(2)]
        assert [writer.wait(60) for writer in writers] == [0, 0]
        wait_for(lambda: len(changes(places)) > 1)
        assert all(holds(places) for _ in range(40))  # a verification meets no key that it cannot know yet
    finally:
        changing.send_signal(signal.SIGKILL)
        changing.wait()
    spool.record(places, [end()])
    assert {entry.data["result"] for entry in changes(places)} == {"rotated"}
    assert holds(places)


@pytest.mark.process
def test_kills_while_the_key_is_changed_lose_neither_key_nor_log(places: Places) -> None:
    """Whenever it is killed, the next record is signed by a key that was introduced."""
    spool.record(filled(places, 2), [end()])
    for moment in range(8):
        process = subprocess.Popen([sys.executable, "-c", _ROTATE])
        count = len(changes(places))
        try:
            wait_for(lambda seen=count, more=moment % 3: len(changes(places)) > seen + more)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert spool.record(places, [end()]) is not None
    assert {entry.data["result"] for entry in changes(places)} == {"rotated"}
    assert holds(places)


def test_a_lost_key_is_replaced_loudly_and_old_entries_stay_verifiable(places: Places) -> None:
    """The wrapper still records a backup; every reader is told that no old key vouched for the new one."""
    spool.record(filled(places), [end()])
    kept = newest(places)
    places.audit_key.unlink()
    spool.record(places, [end()])
    (entry,) = changes(places)
    assert (entry.data["result"], entry.data["severity"]) == ("replaced", Severity.CRITICAL)
    assert "introduction" not in (entry.body or {})
    verdict = verify(places.audit_db, places.audit_key, baselines={"kept": kept})
    assert verdict.first_bad is None


def test_a_lost_key_cannot_be_rotated(places: Places) -> None:
    """Without the old key none can introduce the new one, and the command says so instead of rotating quietly."""
    spool.record(filled(places), [end()])
    places.audit_key.unlink()
    with pytest.raises(AuditUnavailableError, match="cannot be used") as caught:
        rotation.rotate(places)
    assert "is gone" in caught.value.why
    assert changes(places) == []


def test_a_foreign_key_cannot_introduce_another(places: Places) -> None:
    """A key file that did not sign the log is refused, and nothing is changed."""
    spool.record(filled(places), [end()])
    size = checkpoint.parse(newest(places)).size
    keys.create(places.audit_key)
    with pytest.raises(AuditUnavailableError):
        rotation.rotate(places)
    assert checkpoint.parse(newest(places)).size == size


def test_without_a_log_there_is_no_key_to_change(places: Places) -> None:
    """Asking for a new key makes no log."""
    with pytest.raises(AuditMissingError):
        rotation.rotate(places)
    assert not places.state.exists()


def test_what_the_last_check_came_to_stays_known_when_the_key_is_changed(places: Places) -> None:
    """The file is authenticated with the signing key: changing the key must not make it look edited."""
    spool.record(filled(places), [end()])
    check(places)
    before = last_check.read(places)
    rotation.rotate(places)
    assert before is not None
    assert last_check.read(places) == before
    assert last_check.point(places) is not None


def test_a_standing_that_was_edited_is_not_vouched_for_by_a_new_key(places: Places) -> None:
    """A change of the key makes nothing believable that was not."""
    spool.record(filled(places), [end()])
    check(places)
    places.audit_standing.write_bytes(places.audit_standing.read_bytes().replace(b'"entries":', b'"entries":1'))
    rotation.rotate(places)
    with pytest.raises(AuditStandingError):
        last_check.read(places)
