"""Copies of checkpoints beside the configuration: what may replace what, and that nothing of it can disturb an append."""

import os
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.unit.audit.help import end, mounted
from tests.waiting import wait_for
from tray.audit import checkpoint, keys, near_copy, spool
from tray.audit.checkpoint import Checkpoint, Signer, VerifierKey
from tray.audit.keys import pin
from tray.audit.near_copy import copy_near, stem_of
from tray.audit.store import AuditLog
from tray.audit.verify.check import Result, verify
from tray.baselines.all_copies import footer, notes, pinned
from tray.core.paths import Places, private

LOG = "backup-tray/0a4f6c1e-9d7b-4c55-8f0e-3b5a1c2d4e6f"
OTHER = "backup-tray/11111111-2222-4333-8444-555555555555"
SIGNER = Signer(bytes(range(32)))


def note(size: int, root: int | None = None, log: str = LOG, signer: Signer = SIGNER) -> bytes:
    """A signed checkpoint; by default its root is made of its size."""
    return signer.sign(Checkpoint(log, size, bytes([size if root is None else root]) * 32))


def roots(size: int) -> bytes:
    """The root at *size* of the log that `note` speaks of."""
    return bytes([size]) * 32


def target(places: Places, log: str = LOG) -> Path:
    """Where the copy of *log* lies."""
    return places.baselines / f"{stem_of(log)}.checkpoint"


def test_the_first_copy_makes_a_folder_that_is_private(places: Places) -> None:
    """No other user can read or exchange the copies, whatever the umask."""
    umask = os.umask(0)
    try:
        assert copy_near(places.baselines, note(2), b"") is None
    finally:
        os.umask(umask)
    assert target(places).read_bytes() == note(2)
    assert stat.S_IMODE(places.baselines.stat().st_mode) == 0o700
    assert stat.S_IMODE(target(places).stat().st_mode) == 0o600


def test_a_copy_that_equals_the_checkpoint_before_is_replaced_without_a_look_at_the_log(places: Places) -> None:
    """The ordinary append costs no reading: the copy is what it left behind."""

    def never(size: int) -> bytes:
        raise AssertionError(size)

    copy_near(places.baselines, note(2), b"")
    assert copy_near(places.baselines, note(3), note(2), root_at=never) is None
    assert target(places).read_bytes() == note(3)


def test_a_copy_that_is_behind_is_replaced_if_the_log_continues_it(places: Places) -> None:
    """A wrapper was killed between commit and copy: the next append catches up."""
    copy_near(places.baselines, note(2), b"")
    assert copy_near(places.baselines, note(9), note(8), root_at=roots) is None
    assert target(places).read_bytes() == note(9)


@pytest.mark.parametrize(
    ("there", "why"),
    [
        (note(3, root=99), "other entries"),
        (note(9, root=99), "another root of the same size"),
        (b"no checkpoint", "nothing readable"),
        (note(3, log=OTHER), "another log"),
    ],
)
def test_a_copy_that_contradicts_the_log_stays_and_is_spoken_of(places: Places, there: bytes, why: str) -> None:
    """A rewritten log never overwrites the copy that shows the rewriting."""
    private(places.baselines)
    target(places).write_bytes(there)
    said = copy_near(places.baselines, note(9), note(8), root_at=roots)
    assert said is not None, why
    assert "stays" in said
    assert target(places).read_bytes() == there


def test_a_newer_copy_stays(places: Places) -> None:
    """After a rollback, or when another writer was quicker, the log keeps the copy that saw more entries."""
    copy_near(places.baselines, note(20), b"")
    assert copy_near(places.baselines, note(9), note(8), root_at=roots) is None
    assert target(places).read_bytes() == note(20)


@pytest.mark.parametrize("left", [b"", b"\0" * 200])
def test_a_copy_that_a_power_cut_emptied_is_made_again(places: Places, left: bytes) -> None:
    """Nothing is synced, so an emptied file may be found after a power cut; it says nothing and vouches for nothing."""
    private(places.baselines)
    target(places).write_bytes(left)
    assert copy_near(places.baselines, note(9), note(8)) is None
    assert target(places).read_bytes() == note(9)


def test_keys_are_copied_with_the_first_checkpoint_and_with_a_new_key(places: Places, tmp_path: Path) -> None:
    """A log that is replaced together with its key and its pins is still noticed."""
    old, new = VerifierKey(LOG, SIGNER.public), VerifierKey(LOG, Signer(bytes(32)).public)
    key = private(tmp_path / "state") / "audit.key"
    pin(key, VerifierKey(OTHER, SIGNER.public))
    pin(key, old)
    copy_near(places.baselines, note(2), b"", key=key)
    assert pinned(places) == [old]
    pin(key, new)
    copy_near(places.baselines, note(3, signer=Signer(bytes(32))), note(2), key=key)
    assert pinned(places) == [old, new]


def test_no_key_is_added_where_only_the_checkpoint_vanished(places: Places, tmp_path: Path) -> None:
    """An attacker removes the copy and plants another key: the next honest append does not accept that key."""
    key = private(tmp_path / "state") / "audit.key"
    pin(key, VerifierKey(LOG, SIGNER.public))
    copy_near(places.baselines, note(2), b"", key=key)
    target(places).unlink()
    pin(key, VerifierKey(LOG, Signer(bytes(32)).public))
    copy_near(places.baselines, note(3, signer=Signer(bytes(32))), note(2), key=key)
    assert pinned(places) == [VerifierKey(LOG, SIGNER.public)]


def test_a_folder_that_others_can_enter_is_not_used(places: Places) -> None:
    """Another user could exchange the copies: the wrapper says so, and writes nothing."""
    private(places.baselines).chmod(0o755)
    said = copy_near(places.baselines, note(2), b"")
    assert said is not None
    assert "others can enter it" in said
    assert not target(places).exists()


@pytest.mark.process
def test_a_configuration_folder_that_cannot_be_written_is_no_error(places: Places) -> None:
    """A read-only home costs the copy, said in a sentence, and nothing else."""
    private(places.config)
    code = (
        "import sys; from pathlib import Path; from tray.audit.near_copy import copy_near; "
        "print(copy_near(Path(sys.argv[1]), Path(sys.argv[2]).read_bytes(), b''))"
    )
    given = places.config.parent / "note"
    given.write_bytes(note(2))
    done = mounted(f"mount -t tmpfs -o ro none {places.config}", code, places.baselines, given)
    assert done.returncode == 0, done.stderr
    assert "could not be copied" in done.stdout
    assert "Read-only file system" in done.stdout


def test_a_full_disk_leaves_the_copy_that_was_there(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that could only be written in part never takes the place of a whole one."""
    copy_near(places.baselines, note(2), b"")
    monkeypatch.setattr(os, "write", lambda _handle, content: len(content) // 2)
    said = copy_near(places.baselines, note(3), note(2))
    assert said is not None
    assert "No space left" in said
    assert target(places).read_bytes() == note(2)


def test_a_writer_that_was_stopped_while_it_copied_holds_nobody_up_for_long(places: Places) -> None:
    """Others go on within a moment; their copy is behind and catches up later."""
    import fcntl

    copy_near(places.baselines, note(2), b"")
    handle = os.open(places.baselines, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert copy_near(places.baselines, note(3), note(2)) is None
        assert target(places).read_bytes() == note(2)
    finally:
        os.close(handle)
    copy_near(places.baselines, note(4), note(3), root_at=roots)
    assert target(places).read_bytes() == note(4)


def test_many_writers_leave_the_newest_copy(places: Places) -> None:
    """A slow writer never puts an older copy over a newer one, in whatever order they come."""
    order = [*range(2, 130, 2), *range(3, 130, 2)]
    with ThreadPoolExecutor(4) as pool:
        for size in order:
            pool.submit(copy_near, places.baselines, note(size), note(size - 1), root_at=roots)
    last = checkpoint.parse(target(places).read_bytes())
    assert copy_near(places.baselines, note(129), note(128), root_at=roots) is None
    assert last.root == roots(last.size)
    assert checkpoint.parse(target(places).read_bytes()).size == 129


@pytest.mark.process
def test_whoever_is_killed_while_copying_leaves_a_whole_copy(places: Places) -> None:
    """A kill at any moment leaves the older or the newer copy, and nothing that grows."""
    code = (
        "import sys; from pathlib import Path; from tests.unit.baselines.test_all_copies import note, roots\n"
        "from tray.audit.near_copy import copy_near\n"
        "size = 2\n"
        "while True:\n"
        "    copy_near(Path(sys.argv[1]), note(size, root=1), note(max(size - 1, 1), root=1), root_at=lambda size: b'\\x01' * 32)\n"
        "    size += 1\n"
    )
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", code, str(places.baselines)])
        try:
            before = target(places).stat().st_mtime_ns if target(places).exists() else 0
            wait_for(lambda seen=before: target(places).exists() and target(places).stat().st_mtime_ns > seen)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert VerifierKey(LOG, SIGNER.public).verifies(target(places).read_bytes())
        target(places).unlink()
    assert (
        len(list(places.baselines.iterdir())) <= 1
    )  # at most the one name beside it, which the next writer takes over


def test_found_returns_what_lies_beside_the_configuration(places: Places) -> None:
    """A verification compares with the copies of every log that was kept here, each named by its file."""
    copy_near(places.baselines, note(2), b"")
    copy_near(places.baselines, note(5, log=OTHER), b"")
    assert notes(places) == {str(target(places)): note(2), str(target(places, OTHER)): note(5, log=OTHER)}


def test_found_says_what_it_cannot_use(places: Places) -> None:
    """A copy that was damaged is named, and the others still count."""
    copy_near(places.baselines, note(2), b"")
    target(places, OTHER).write_bytes(b"noise")
    said: list[str] = []
    assert list(notes(places, problems=said)) == [str(target(places))]
    assert said == [
        f"{target(places, OTHER)} is no checkpoint: a signed note has an empty line before its signatures and ends with a line end."
    ]


def test_nothing_is_found_where_nothing_is(places: Places) -> None:
    """Looking makes no folder."""
    assert notes(places) == {}
    assert not places.baselines.exists()


def test_the_footer_is_one_short_line() -> None:
    """A report's foot names log, size and root, so that paper can serve as a baseline."""
    line = footer(checkpoint.parse(note(3)))
    assert line == f"audit log 0a4f6c1e, 3 entries, root {'03' * 8}"
    assert near_copy.stem_of(LOG).startswith(line.split()[2].rstrip(","))


# -- with real logs


def newest(places: Places) -> bytes:
    """The newest checkpoint of the log."""
    with AuditLog.read(places.audit_db) as log:
        return log.head()[2]


def near(places: Places) -> Path:
    """The copy of the log's checkpoint."""
    return target(places, checkpoint.parse(newest(places)).origin)


def test_every_record_leaves_its_checkpoint_beside_the_configuration(places: Places) -> None:
    """Replacing the whole log is noticed without anybody having configured anything."""
    for _ in range(3):
        spool.record(places, [end()])
        assert near(places).read_bytes() == newest(places)
    assert stat.S_IMODE(places.baselines.stat().st_mode) == 0o700


def test_a_log_has_a_copy_from_its_first_moment(places: Places) -> None:
    """Also if nothing is ever recorded in it."""
    AuditLog.open(places.audit_db, places.audit_key, copies=places.baselines).close()
    assert near(places).read_bytes() == newest(places)
    assert [str(key) for key in pinned(places)] == [str(key) for key in keys.pins(places.audit_key)]


def test_whoever_is_killed_between_commit_and_copy_leaves_a_true_baseline(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy is behind; the log verifies by it; the next record brings it up to date across many entries."""
    spool.record(places, [end() for _ in range(300)])
    before = near(places).read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(near_copy, "copy_near", lambda *_, **__: None)
        spool.record(places, [end() for _ in range(300)])
    assert near(places).read_bytes() == before
    assert verify(places.audit_db, places.audit_key, baselines=notes(places)).result is Result.INTACT
    spool.record(places, [end()])
    assert near(places).read_bytes() == newest(places)


@pytest.mark.process
def test_many_recording_processes_leave_a_true_copy(places: Places) -> None:
    """It is at most a few entries behind, and never one that contradicts the log."""
    spool.record(places, [end()])
    code = (
        "from tray.audit import spool; from tray.core.paths import places; from tests.unit.audit.help import end\n"
        "for _ in range(25): assert spool.record(places(), [end()], timeout=30) is not None"
    )
    recording = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]
    assert [process.wait(60) for process in recording] == [0] * 4
    assert verify(places.audit_db, places.audit_key, baselines=notes(places)).result is Result.INTACT
    spool.record(places, [end()])
    assert near(places).read_bytes() == newest(places)


def test_a_log_that_is_put_back_does_not_overwrite_the_copy_that_saw_more(places: Places) -> None:
    """Records go on, and the rollback stays provable until the user acknowledges it."""
    spool.record(places, [end()])
    older = places.audit_db.read_bytes()
    spool.record(places, [end() for _ in range(5)])
    seen = near(places).read_bytes()
    for path in places.state.glob("audit.db*"):
        path.unlink()
    places.audit_db.write_bytes(older)
    for _ in range(9):  # past the size of the copy
        spool.record(places, [end()])
    assert near(places).read_bytes() == seen
    assert verify(places.audit_db, places.audit_key, baselines=notes(places)).result is Result.TAMPERED


@pytest.mark.process
@pytest.mark.parametrize("suffix", [".checkpoint", ".pub"])
def test_a_pipe_in_the_place_of_a_copy_holds_nobody_up(places: Places, suffix: str) -> None:
    """A pipe planted by an attacker stops neither a backup nor a verification, which says which copy it could not use."""
    spool.record(places, [end()])
    (there,) = places.baselines.glob(f"*{suffix}")
    there.unlink()
    os.mkfifo(there)
    code = (
        "from tests.unit.audit.help import end\n"
        "from tray.core import paths\n"
        "from tray.audit import spool\n"
        "from tray.baselines.recorded_check import check\n"
        "places, problems = paths.places(), []\n"
        "assert spool.record(places, [end()]) is not None\n"
        "check(places, problems=problems)\n"
        "print(problems)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert suffix == ".pub" or "no regular file" in done.stdout


def test_a_file_that_others_put_under_the_name_beside_a_copy_is_not_written_into(tmp_path: Path) -> None:
    """In a folder of others that name could be a second name of a file of ours."""
    precious = tmp_path / "precious"
    precious.write_text("keep")
    os.link(precious, tmp_path / ".copy.tmp")
    near_copy.put(tmp_path / "copy", b"fresh")
    assert (precious.read_text(), (tmp_path / "copy").read_bytes()) == ("keep", b"fresh")
