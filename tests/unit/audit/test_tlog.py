"""Exports as C2SP tlog-tiles, proofs of single entries, and the verifier that stands alone: each with each kind of damage."""

import ast
import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pymerkle
import pytest
from pymerkle import InmemoryTree

from tests.unit.audit.help import end, filled, python, tamper, writer
from tests.unit.audit.tiles_check import holds, split
from tray.audit import keys, proof, rotation, salvage, segments, standalone, tlog
from tray.audit.checkpoint import Checkpoint, Signer, VerifierKey, parse
from tray.audit.merkle import leaf_hash
from tray.audit.proof import Proof
from tray.audit.store import AuditLog
from tray.cli.main import main
from tray.core import paths
from tray.core.errors import (
    AuditUnavailableError,
    BackupTrayError,
    EntryNotFoundError,
    EntryPrunedError,
    ProofError,
    RunNotFoundError,
    TilesError,
)
from tray.core.paths import Places

Output = pytest.CaptureFixture[str]
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_SEED = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_OTHER = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
# Keys, a text and two signatures that the Go project publishes with golang.org/x/mod/sumdb/note (note_test.go).
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_SIGNATURE = (
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
GO_OTHERS = (
    "\u2014 EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a log of 602 entries, two full tiles and a partial one, which is made once."""
    home = tmp_path_factory.mktemp("built") / "bt"
    filled(paths.places({paths.HOME_VARIABLE: str(home)}), 300)
    return home


@pytest.fixture
def log(built: Path, places: Places, tmp_path: Path) -> Places:
    """The same log in the places of this test."""
    shutil.copytree(built, tmp_path / "bt")
    return places


def export(places: Places, folder: Path, **more: object) -> tlog.Exported:
    """Export the log into *folder*."""
    with AuditLog.read(places.audit_db) as opened:
        return tlog.export(opened, folder, **more)  # type: ignore[arg-type]


def newest(places: Places) -> bytes:
    """The newest checkpoint."""
    with AuditLog.read(places.audit_db) as opened:
        return opened.head()[2]


def trusted(places: Places) -> str:
    """The first key of the log."""
    return str(keys.pins(places.audit_key)[0])


def check(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the stand-alone verifier isolated and in another folder, as on a machine without Backup Tray."""
    command = [sys.executable, "-I", standalone.__file__, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd="/")


def code(*arguments: str | Path) -> int:
    """Run the stand-alone verifier within this process, which is quicker, and return its exit code."""
    before, sys.argv = sys.argv, ["standalone.py", *map(str, arguments)]
    try:
        return standalone.main()
    finally:
        sys.argv = before


def files(folder: Path) -> dict[str, bytes]:
    """Every file of an export."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


@contextlib.contextmanager
def saying(kind: type[BackupTrayError], word: str) -> Iterator[None]:
    """Expect an error of this *kind* whose reason holds *word*."""
    with pytest.raises(kind) as caught:
        yield
    assert word in caught.value.why


# -- exports


def test_an_export_has_the_layout_of_tlog_tiles(log: Places, tmp_path: Path) -> None:
    """Names, widths and lengths are those of the specification, so any reader of C2SP tlog-tiles can serve and check it."""
    done = export(log, tmp_path / "out")
    found = files(tmp_path / "out")
    assert {
        name: len(content) for name, content in found.items() if name.startswith("tile/") and "entries" not in name
    } == {
        "tile/0/000": 8192,
        "tile/0/001": 8192,
        "tile/0/002.p/90": 90 * 32,
        "tile/1/000.p/2": 64,
    }
    assert {name for name in found if "entries" in name} == {
        "tile/entries/000",
        "tile/entries/001",
        "tile/entries/002.p/90",
    }
    raws = [raw for name in sorted(found) if "entries" in name for raw in split(found[name])]
    assert b"".join(map(leaf_hash, raws)) == b"".join(
        found[name] for name in sorted(found) if name.startswith("tile/0")
    )
    assert found["checkpoint"] == newest(log)
    assert (done.first, done.size, done.root) == (0, 602, parse(newest(log)).root)


def test_numbers_of_tiles_become_folders_of_thousands(tmp_path: Path) -> None:
    """The example of the specification, and the ends of each group of digits."""
    assert tlog.place(tmp_path, 1_234_067, 256) == tmp_path / "x001/x234/067"
    assert tlog.place(tmp_path, 999, 256) == tmp_path / "999"
    assert tlog.place(tmp_path, 1000, 7) == tmp_path / "x001/000.p/7"


def test_only_this_user_can_read_an_export(log: Places, tmp_path: Path) -> None:
    """Entries name jobs and users: files and folders are private whatever the umask."""
    before = os.umask(0)
    try:
        export(log, tmp_path / "out")
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "out", *(tmp_path / "out").rglob("*"))} == {0}


def test_a_second_export_writes_only_what_is_new(log: Places, tmp_path: Path) -> None:
    """Full tiles are not written again; partial ones go when the full one is there; the result equals a fresh export."""
    folder = tmp_path / "out"
    export(log, folder)
    assert export(log, folder).written == 0
    full = folder / "tile/entries/000"
    seen = full.stat().st_mtime_ns
    with writer(log) as opened:
        opened.append([end(f"more-{number}") for number in range(300)])
    assert export(log, folder).size == 902
    assert full.stat().st_mtime_ns == seen
    export(log, tmp_path / "fresh")
    fresh = files(tmp_path / "fresh")
    assert {name: content for name, content in files(folder).items() if name in fresh} == fresh
    assert files(folder).keys() - fresh.keys() == {"tile/1/000.p/2"}, "kept until the full tile is there"
    assert code(folder, "--key", trusted(log)) == 0


def test_an_export_that_was_cut_off_is_finished_by_the_next(
    log: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever write is the last, the checkpoint that is there fits what is there, and the next export completes it."""
    with writer(log) as opened:
        old = export(log, tmp_path / "out")
        opened.append([end(f"more-{number}") for number in range(300)])
    write, left = tlog.write, 0

    def some(path: Path, content: bytes) -> None:
        nonlocal left
        if left == 0:
            path.with_name(f".{path.name}.new").write_bytes(content[:3])
            raise KeyboardInterrupt
        left -= 1
        write(path, content)

    monkeypatch.setattr(tlog, "write", some)
    for count in range(12):
        folder = tmp_path / f"cut-{count}"
        shutil.copytree(tmp_path / "out", folder)
        left = count
        try:
            size = export(log, folder).size
        except KeyboardInterrupt:
            size = old.size
        assert parse((folder / "checkpoint").read_bytes()).size == size
        assert code(folder, "--key", trusted(log)) == 0
        left = 99
        assert export(log, folder).size == 902
        assert code(folder, "--key", trusted(log)) == 0
    assert size == 902


def test_a_folder_of_another_log_is_refused(log: Places, tmp_path: Path) -> None:
    """Nothing is written where another log's tiles are, where more entries are than here, or where other entries are."""
    folder = tmp_path / "out"
    export(log, folder)
    mine = (folder / "checkpoint").read_bytes()
    head, signer = parse(mine), Signer(keys.load(log.audit_key))
    for other, why in (
        (Checkpoint("another/log", head.size, head.root), "another log"),
        (Checkpoint(head.origin, head.size + 1, head.root), "cut off"),
        (Checkpoint(head.origin, head.size, bytes(32)), "rewritten"),
    ):
        (folder / "checkpoint").write_bytes(signer.sign(other))
        before = files(folder)
        with saying(TilesError, why):
            export(log, folder)
        assert files(folder) == before
    (folder / "checkpoint").write_bytes(b"nonsense")
    with saying(TilesError, "none"):
        export(log, folder)


def test_a_log_that_does_not_fit_its_checkpoint_is_not_exported(log: Places, tmp_path: Path) -> None:
    """The export never puts a genuine signature on a log that an attacker tampered with."""
    tamper(log, "UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), 'home', 'hame') AS BLOB) WHERE seq = 601")
    with saying(TilesError, "do not fit"):
        export(log, tmp_path / "out")
    assert not (tmp_path / "out/checkpoint").exists()


def test_two_exports_do_not_write_into_one_folder_at_once(log: Places, tmp_path: Path) -> None:
    """The second says so, and does not wait."""
    from tray.core.locks import FileLock

    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out/.lock") as lock:
        assert lock.acquire()
        with saying(TilesError, "Another process"):
            export(log, tmp_path / "out")


def test_a_folder_that_cannot_be_made_is_said_in_words(log: Places, tmp_path: Path) -> None:
    """A file in the way, or a full disk: one sentence with the name, no traceback."""
    (tmp_path / "file").write_text("")
    with saying(TilesError, "file"):
        export(log, tmp_path / "file")


def test_details_leave_only_when_asked_and_go_when_they_are_erased(log: Places, tmp_path: Path) -> None:
    """By default only keys' details are in an export; with --details all, and those erased since vanish from the copy too."""
    folder = tmp_path / "out"
    export(log, folder)
    assert b"/srv/backup" not in b"".join(files(folder).values())
    lines = [json.loads(line) for line in (folder / "details/000").read_bytes().splitlines()]
    assert [line["seq"] for line in lines] == [1]
    export(log, folder, details=True)
    assert (folder / "details/000").read_bytes().count(b"/srv/backup") == 127
    with writer(log) as opened:
        opened.redact(3, "asked for")
    export(log, folder, details=True)
    assert (folder / "details/000").read_bytes().count(b"/srv/backup") == 126
    assert code(folder, "--key", trusted(log)) == 0


def test_a_range_can_be_archived_up_to_a_checkpoint(log: Places, tmp_path: Path) -> None:
    """A closed segment goes into the archive under the checkpoint of its end; the archive says whether it holds it."""
    folder, root = tmp_path / "archive", b""
    with AuditLog.read(log.audit_db) as opened:
        root = opened.root_at(512)
        note = Signer(keys.load(log.audit_key)).sign(Checkpoint(parse(newest(log)).origin, 512, root))
        done = tlog.export(opened, folder, first=0, size=512, note=note, details=True)
    assert (done.first, done.size) == (0, 512)
    assert holds(folder, 0, 512, root)
    assert holds(folder, 256, 512)
    assert not holds(folder, 0, 513)
    assert not holds(folder, 0, 512, bytes(32))
    assert not holds(tmp_path / "nothing", 0, 256)
    assert code(folder, "--key", trusted(log)) == 0


@pytest.mark.parametrize("name", ["tile/entries/001", "tile/0/001", "tile/1/000.p/2", "checkpoint"])
def test_an_archive_that_was_damaged_does_not_hold_it_and_is_mended(log: Places, tmp_path: Path, name: str) -> None:
    """Nothing is pruned on the strength of a damaged copy; exporting the range again mends entries and tiles."""
    folder = tmp_path / "archive"
    export(log, folder)
    raw = bytearray((folder / name).read_bytes())
    raw[60] ^= 1
    (folder / name).write_bytes(raw)
    assert not holds(folder, 0, 512)
    if name == "checkpoint":
        (folder / name).unlink()
    export(log, folder, first=0)
    assert holds(folder, 0, 512)


# -- the stand-alone verifier


def test_the_verifier_stands_alone() -> None:
    """It imports the standard library and cryptography, and is short enough for its users to read."""
    source = Path(standalone.__file__).read_text()
    assert len(source.splitlines()) < 150
    names = set()
    for item in ast.walk(ast.parse(source)):
        if isinstance(item, ast.Import):
            names |= {name.name.split(".")[0] for name in item.names}
        elif isinstance(item, ast.ImportFrom):
            assert item.level == 0
            names.add(str(item.module).split(".")[0])
    assert names - {"cryptography"} <= sys.stdlib_module_names
    assert "tray" not in names


@pytest.mark.process
def test_the_verifier_runs_without_anything_of_ours(log: Places, tmp_path: Path) -> None:
    """A copy of the one file, isolated from every path: genuine with the key (0), inconclusive without (3)."""
    export(log, tmp_path / "out")
    copy = shutil.copy(standalone.__file__, tmp_path / "verifier.py")
    run = [sys.executable, "-I", copy, tmp_path / "out"]
    found = subprocess.run([*run, "--key", trusted(log)], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.startswith("GENUINE: 'backup-tray/")
    assert "602 entries" in found.stdout
    found = subprocess.run(run, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (found.returncode, found.stdout.split(":")[0]) == (3, "INCONCLUSIVE")


def flip(path: Path, at: int = -5) -> None:
    """Change one bit of a file."""
    raw = bytearray(path.read_bytes())
    raw[at] ^= 1
    path.write_bytes(raw)


def cut(path: Path) -> None:
    """Cut the end off a file."""
    path.write_bytes(path.read_bytes()[:-7])


def more(path: Path) -> None:
    """Append an entry without a signature."""
    path.write_bytes(path.read_bytes() + b"\x00\x02{}")


def swap(path: Path) -> None:
    """Exchange the first two entries of a bundle."""
    first, second, *rest = split(path.read_bytes())
    path.write_bytes(b"".join(len(raw).to_bytes(2, "big") + raw for raw in (second, first, *rest)))


def forget(path: Path) -> None:
    """Leave one entry out of a bundle."""
    path.write_bytes(b"".join(len(raw).to_bytes(2, "big") + raw for raw in split(path.read_bytes())[1:]))


def other_details(path: Path) -> None:
    """Tell another story about an entry."""
    path.write_bytes(path.read_bytes().replace(b"All files were saved", b"No files were saved.", 1))


DAMAGES: list[tuple[Callable[[Path], None], str]] = [
    (flip, "tile/entries/000"),
    (flip, "tile/entries/002.p/90"),
    (flip, "tile/0/001"),
    (flip, "tile/0/002.p/90"),
    (flip, "tile/1/000.p/2"),
    (flip, "checkpoint"),
    (cut, "tile/entries/001"),
    (cut, "tile/entries/002.p/90"),
    (cut, "tile/0/000"),
    (cut, "tile/1/000.p/2"),
    (cut, "checkpoint"),
    (Path.unlink, "tile/entries/000"),
    (Path.unlink, "tile/entries/001"),
    (Path.unlink, "tile/entries/002.p/90"),
    (Path.unlink, "tile/0/000"),
    (Path.unlink, "tile/1/000.p/2"),
    (more, "tile/entries/001"),
    (more, "tile/entries/002.p/90"),
    (swap, "tile/entries/001"),
    (forget, "tile/entries/001"),
    (other_details, "details/001"),
]


@pytest.mark.parametrize(("damage", "name"), DAMAGES, ids=lambda value: getattr(value, "__name__", value))
def test_each_damage_of_an_export_is_found(
    log: Places, tmp_path: Path, capsys: Output, damage: Callable[[Path], None], name: str
) -> None:
    """Altered, cut, missing, added, exchanged: never exit code 0 or 3, and one line that says so."""
    folder = tmp_path / "out"
    export(log, folder, details=True)
    damage(folder / name)
    assert code(folder, "--key", trusted(log)) == 1
    assert code(folder) == 1 or name == "checkpoint"
    assert capsys.readouterr().err.startswith("NOT GENUINE: ")


def test_what_cannot_be_checked_is_told_apart(log: Places, tmp_path: Path, capsys: Output) -> None:
    """A missing folder or checkpoint is exit code 2, words of its own."""
    assert code(tmp_path / "nothing", "--key", trusted(log)) == 2
    export(log, tmp_path / "out")
    (tmp_path / "out/checkpoint").unlink()
    assert code(tmp_path / "out", "--key", trusted(log)) == 2
    assert capsys.readouterr().err.count("COULD NOT BE CHECKED") == 2


def test_an_export_is_compared_with_older_checkpoints(log: Places, tmp_path: Path, capsys: Output) -> None:
    """A checkpoint kept earlier fits; one of another history, of more entries, or by another key does not."""
    folder, key = tmp_path / "out", trusted(log)
    (tmp_path / "old").write_bytes(newest(log))
    with writer(log) as opened:
        opened.append([end(f"more-{number}") for number in range(300)])
    export(log, folder)
    assert code(folder, tmp_path / "old", "--key", key) == 0
    head, signer = parse(newest(log)), Signer(keys.load(log.audit_key))
    for at, other in enumerate(
        (
            signer.sign(Checkpoint(head.origin, 602, bytes(32))),
            signer.sign(Checkpoint(head.origin, head.size, bytes(32))),
            signer.sign(Checkpoint(head.origin, head.size + 1, head.root)),
            Signer(bytes(32)).sign(parse((tmp_path / "old").read_bytes())),
        )
    ):
        (tmp_path / f"other-{at}").write_bytes(other)
        assert code(folder, tmp_path / f"other-{at}", "--key", key) == 1
    assert f"A checkpoint saw {head.size + 1} entries, but {head.size} are here." in capsys.readouterr().err


def test_two_checkpoints_alone_are_compared_as_far_as_they_go(log: Places, tmp_path: Path) -> None:
    """Equal ones are genuine, contradicting ones are not, and of different sizes nothing can be told without the entries."""
    key, head, signer = trusted(log), parse(newest(log)), Signer(keys.load(log.audit_key))
    for name, head_of in (
        ("same", head),
        ("fork", Checkpoint(head.origin, head.size, bytes(32))),
        ("older", Checkpoint(head.origin, 5, bytes(32))),
    ):
        (tmp_path / name).write_bytes(signer.sign(head_of))
    (tmp_path / "newest").write_bytes(newest(log))
    assert code(tmp_path / "newest", tmp_path / "same", "--key", key) == 0
    assert code(tmp_path / "newest", tmp_path / "fork", "--key", key) == 1
    assert code(tmp_path / "newest", tmp_path / "older", "--key", key) == 3


def test_a_key_that_the_old_one_introduced_is_trusted(log: Places, tmp_path: Path) -> None:
    """Who knows only the first key can check an export after the key was changed; a key that took a lost one's place is unknown."""
    first = trusted(log)
    rotation.rotate(log)
    with writer(log) as opened:
        opened.append([end("after")])
    export(log, tmp_path / "out")
    assert code(tmp_path / "out", "--key", first) == 0
    log.audit_key.unlink()
    with writer(log) as opened:
        opened.append([end("with a key that nobody introduced")])
    export(log, tmp_path / "out")
    assert code(tmp_path / "out", "--key", first) == 1
    assert code(tmp_path / "out", "--key", first, "--key", str(keys.pins(log.audit_key)[-1])) == 0


# -- proofs


def test_a_proof_has_the_form_of_tlog_proof(log: Places) -> None:
    """Line by line what C2SP tlog-proof asks for: magic, extra data, index, hashes, an empty line, the checkpoint as it is."""
    found = proof.build(log.audit_db, 7)
    head, _, note = found.to_bytes().partition(b"\n\n")
    magic, extra, index, *path = head.decode().split("\n")
    assert (magic, index, note) == ("c2sp.org/tlog-proof@v1", "index 7", newest(log))
    assert base64.b64decode(extra.removeprefix("extra ")) == found.entry
    assert [len(base64.b64decode(line)) for line in path] == [32] * 10


def test_every_entry_can_be_proven(places: Places, tmp_path: Path) -> None:
    """At each size of a log, with its details or without, a proof is read back and checks, here and by the other verifier."""
    for runs in (0, 1, 2, 5):
        if runs:
            with writer(places) as opened:
                opened.append([end() for _ in range(runs)])
        else:
            filled(places, 0)
        trust = keys.pins(places.audit_key)
        with AuditLog.read(places.audit_db) as opened:
            size = opened.head()[0]
        for seq in range(size):
            for details in (False, True):
                found = proof.build(places.audit_db, seq, details=details)
                assert Proof.from_bytes(found.to_bytes()) == found
                assert found.check(trust).size == size
                (tmp_path / "proof").write_bytes(found.to_bytes())
                assert code(tmp_path / "proof", "--key", str(trust[0])) == 0


def test_details_can_be_proven_later_to_who_has_the_entry(log: Places) -> None:
    """A proof without details names their hash: salt and body that are shown later are compared with it."""
    plain, full = proof.build(log.audit_db, 3), proof.build(log.audit_db, 3, details=True)
    assert plain.details is None
    assert b"/srv/backup" not in base64.b64decode(plain.to_bytes().split(b"\n")[1][6:])
    shown = Proof(plain.index, plain.entry, plain.path, plain.note, full.details)
    shown.check(keys.pins(log.audit_key))
    assert full.details is not None
    lie = Proof(
        plain.index, plain.entry, plain.path, plain.note, (full.details[0], full.details[1].replace(b"saved", b"found"))
    )
    with saying(ProofError, "details"):
        lie.check(keys.pins(log.audit_key))


def test_each_damage_of_a_proof_is_found(log: Places, tmp_path: Path, capsys: Output) -> None:
    """One changed character anywhere in a proof, and neither we nor the stand-alone verifier call it genuine."""
    raw = proof.build(log.audit_db, 601).to_bytes()
    trust = keys.pins(log.audit_key)
    for at in range(0, len(raw) - 1, 7):
        if raw[at + 1 : at + 2] == b"=":
            continue  # the last bits of base64, which mean nothing
        bad = raw[:at] + bytes([raw[at] ^ 0x02]) + raw[at + 1 :]
        with pytest.raises(ProofError):
            Proof.from_bytes(bad).check(trust)
        (tmp_path / "proof").write_bytes(bad)
        assert code(tmp_path / "proof", "--key", str(trust[0])) == 1, (at, raw[at : at + 1])


def test_a_proof_is_only_as_good_as_its_key(log: Places, tmp_path: Path) -> None:
    """A proof that another key signed proves nothing, however well it fits."""
    found = proof.build(log.audit_db, 7)
    forged = Proof(7, found.entry, found.path, Signer(bytes(32)).sign(parse(found.note)))
    for trust in (keys.pins(log.audit_key), []):
        with saying(ProofError, "trusted"):
            forged.check(trust)
    (tmp_path / "proof").write_bytes(forged.to_bytes())
    assert code(tmp_path / "proof", "--key", trusted(log)) == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"c2sp.org/tlog-proof@v1\n",
        b"c2sp.org/tlog-proof@v1\nextra e30=\nindex -1\n\n",
        b"\xff" * 99,
        bytes(9 << 20),
    ],
    ids=["empty", "cut", "negative", "no text", "too long"],
)
def test_what_is_no_proof_is_refused_in_words(raw: bytes) -> None:
    """Whatever a sender passes off as a proof: one error that says why it is none."""
    with pytest.raises(ProofError):
        Proof.from_bytes(raw).check([])


def test_no_proof_is_made_of_a_log_that_was_tampered_with(log: Places) -> None:
    """An entry that is not the one that was signed gets no proof; one that is not there is said to be missing."""
    tamper(log, "UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), 'home', 'hame') AS BLOB) WHERE seq = 300")
    with saying(AuditUnavailableError, "not in the tree"):
        proof.build(log.audit_db, 300)
    with pytest.raises(EntryNotFoundError):
        proof.build(log.audit_db, 602)


# -- other implementations


def test_notes_of_go_verify_and_ours_are_the_same() -> None:
    """The test vectors that Go publishes for signed notes: its keys are read, its signatures verify, ours come out alike."""
    key, other = VerifierKey.parse(GO_KEY), VerifierKey.parse(GO_OTHER)
    note = f"{GO_TEXT}\n{GO_SIGNATURE}{GO_OTHERS}".encode()
    assert (str(key), str(other)) == (GO_KEY, GO_OTHER)
    assert key.verifies(note)
    assert other.verifies(note)
    assert standalone.is_signed(note, [GO_KEY])
    assert standalone.is_signed(note, [GO_OTHER])
    assert not key.verifies(f"{GO_TEXT}\n{GO_OTHERS}".encode())
    assert not key.verifies(note.replace(b"your problem,", b"my problem,"))
    seed = base64.b64decode(GO_SEED.split("+", 4)[4])[1:]
    assert Signer(seed).note("PeterNeumann", GO_TEXT.encode()) == f"{GO_TEXT}\n{GO_SIGNATURE}".encode()


def test_no_part_of_a_go_key_is_taken_for_a_key() -> None:
    """As in Go's own test: every piece of a verifier key, and every one with one character changed, is refused."""
    for first in range(len(GO_KEY)):
        for last in range(first + 1, len(GO_KEY) + 1):
            if (first, last) != (0, len(GO_KEY)):
                with pytest.raises(ValueError):
                    VerifierKey.parse(GO_KEY[first:last])
        with pytest.raises(ValueError):
            VerifierKey.parse(GO_KEY[:first] + chr(ord(GO_KEY[first]) + 1) + GO_KEY[first + 1 :])
    for bad in (
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ):
        with pytest.raises(ValueError):
            VerifierKey.parse(bad)


def test_paths_and_roots_are_those_of_another_library(places: Places) -> None:
    """pymerkle, which knows nothing of us, has the same roots and audit paths, and calls our roots consistent."""
    filled(places, 20)
    with AuditLog.read(places.audit_db) as opened:
        entries = opened.entries(0, 1000)
        size = opened.head()[0]
        tree = InmemoryTree()
        for entry in entries:
            tree.append_entry(entry.raw)
        for old in range(1, size + 1):
            assert opened.root_at(old) == tree.get_root(old)
            theirs = tree.prove_consistency(old, size)
            pymerkle.verify_consistency(opened.root_at(old), opened.root_at(size), theirs)
        for entry in entries:
            theirs_in = tree.prove_inclusion(entry.seq + 1, size)
            mine = opened.inclusion(entry.seq, size)
            assert list(theirs_in.path) == [leaf_hash(entry.raw), *mine]
            assert proof.root_of(entry.leaf, entry.seq, size, mine) == tree.get_root(size)


# -- the commands


def test_the_command_exports_and_puts_that_on_record(log: Places, tmp_path: Path, capsys: Output) -> None:
    """`audit export DIR` says how many entries went out and how to check them; the export is an entry with range and digest."""
    assert main(["audit", "export", "--format", "tiles", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert "602 entries are in" in out
    assert "standalone.py" in out
    with AuditLog.read(log.audit_db) as opened:
        entry = opened.entries(-1)[0]
    assert (entry.data["action"], entry.data["result"]) == ("audit.exported", "done")
    assert entry.body is not None
    assert (entry.body["range"], entry.body["count"], entry.body["details"]) == ([0, 602], 602, False)
    assert code(tmp_path / "out", "--key", trusted(log)) == 0


def test_the_command_proves_an_entry_by_number_or_run(
    log: Places, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """`audit proof SEQ|RUN` prints the proof or writes it to a file; a run is proven by its end; each is an entry."""
    assert main(["audit", "proof", "5"]) == 0
    assert Proof.from_bytes(capfdbinary.readouterr().out).index == 5
    assert main(["audit", "proof", "run-150", "--details", "--output", str(tmp_path / "p")]) == 0
    found = Proof.from_bytes((tmp_path / "p").read_bytes())
    assert (found.data["run"], found.data["action"]) == ("run-150", "run.finished")
    assert found.details is not None
    assert main(["audit", "proof", "last"]) == 0
    with AuditLog.read(log.audit_db) as opened:
        assert [entry.data["action"] for entry in opened.entries(-3)] == ["audit.exported"] * 3
        assert opened.entries(-2)[0].data["run"] == "run-150"
    assert main(["audit", "proof", "nobody"]) == 2
    assert main(["audit", "proof", "99999"]) == 2


def test_errors_of_exports_and_proofs_say_what_to_do() -> None:
    """Each has what, why and a next step."""
    for error in (TilesError(Path("x"), "why"), ProofError("why"), RunNotFoundError("run")):
        assert isinstance(error, BackupTrayError)
        assert error.what
        assert error.why
        assert error.next


@pytest.mark.process
def test_the_verifier_is_a_program_of_its_own(log: Places, tmp_path: Path) -> None:
    """Without arguments it says what it wants; without cryptography it says that it cannot check, not that something is wrong."""
    assert check().returncode == 2
    export(log, tmp_path / "out")
    hidden = (
        "import sys, runpy; sys.modules['cryptography'] = None; sys.argv = sys.argv[1:]; "
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    found = python(hidden, standalone.__file__, tmp_path / "out", "--key", trusted(log))
    assert (found.returncode, "COULD NOT BE CHECKED" in found.stderr) == (2, True)


# -- pruned logs


@pytest.fixture
def pruned(log: Places, tmp_path: Path) -> Places:
    """The log without its first 512 entries, which are in an archive."""
    with writer(log) as opened:
        segments.rotate(opened)
        opened.append([end("after")])
        (tmp_path / "older").write_bytes(opened.head()[2])
    segments.prune(log, 0, {"outside": (tmp_path / "older").read_bytes()}, archive=tmp_path / "archive")
    with AuditLog.read(log.audit_db) as opened:
        assert opened.start() == 512
    return log


def test_of_a_pruned_log_only_what_is_there_is_exported(pruned: Places, tmp_path: Path, capsys: Output) -> None:
    """The export says from where on; it is genuine, since an entry says that older ones were pruned, and older checkpoints fit."""
    assert main(["audit", "export", str(tmp_path / "out")]) == 0
    assert "entries before 512 were pruned" in capsys.readouterr().out
    assert {name for name in files(tmp_path / "out") if name.startswith("tile/entries")} == {"tile/entries/002.p/93"}
    assert code(tmp_path / "out", tmp_path / "older", "--key", trusted(pruned)) == 0
    found = proof.build(pruned.audit_db, 600)
    found.check(keys.pins(pruned.audit_key))
    with pytest.raises(EntryPrunedError):
        proof.build(pruned.audit_db, 511)


def test_the_archive_holds_what_was_pruned(pruned: Places, tmp_path: Path) -> None:
    """The older tiles are in the archive, which is genuine by itself, and which an export completes."""
    archive = tmp_path / "archive"
    assert holds(archive, 0, 512)
    assert code(archive, "--key", trusted(pruned)) == 0
    assert (archive / "details/000").read_bytes().count(b"/srv/backup") == 127
    export(pruned, archive)
    assert holds(archive, 0, 605)
    assert code(archive, tmp_path / "older", "--key", trusted(pruned)) == 0


def test_bundles_that_are_missing_without_a_word_are_found(pruned: Places, tmp_path: Path) -> None:
    """The verifier notices if an attacker deletes more of an export than was pruned, or leaves a hole in its folder."""
    archive = tmp_path / "archive"
    export(pruned, archive)
    shutil.rmtree(archive / "tile/entries/002.p")
    assert code(archive, "--key", trusted(pruned)) == 1
    (archive / "checkpoint").unlink()
    export(pruned, archive)
    (archive / "tile/entries/001").unlink()
    assert code(archive, "--key", trusted(pruned)) == 1
    (archive / "tile/entries/000").unlink()
    assert code(archive, "--key", trusted(pruned)) == 0, "all that was pruned is missing, which an entry says"


def test_a_folder_with_a_hole_is_not_continued(pruned: Places, tmp_path: Path) -> None:
    """An older export that ends before the log begins cannot be completed from it: that is said, and nothing is written."""
    folder = tmp_path / "archive"
    head = parse((folder / "checkpoint").read_bytes())
    (folder / "checkpoint").write_bytes(
        Signer(keys.load(pruned.audit_key)).sign(Checkpoint(head.origin, 300, bytes(32)))
    )
    before = files(folder)
    with saying(TilesError, "keeps only the entries from 512 on"):
        export(pruned, folder)
    assert files(folder) == before


def test_a_pruned_log_is_salvaged_from_where_it_begins(pruned: Places, tmp_path: Path) -> None:
    """The salvage does not call pruned entries lost, and proves the rest over the tree that was kept."""
    found = salvage.salvage(pruned.audit_db, tmp_path / "saved", trusted=keys.pins(pruned.audit_key))
    assert (found.start, found.lost, found.whole) == (512, (), True)
    assert found.entries == {"signed": found.size - 512}
