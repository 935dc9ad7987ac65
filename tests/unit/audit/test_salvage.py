"""Salvage: whatever was done to the database file, all that is readable comes out, nothing false is believed, nothing crashes."""

import json
import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.audit.help import end, filled, start, tamper, writer
from tray.audit import keys, rotation, spool
from tray.audit.checkpoint import VerifierKey
from tray.audit.entry_bytes import body_hash
from tray.audit.merkle import leaf_hash
from tray.audit.salvage import Salvaged, salvage
from tray.audit.store import AuditLog
from tray.cli.main import main
from tray.core import paths
from tray.core.errors import AuditUnavailableError
from tray.core.paths import Places

Output = pytest.CaptureFixture[str]
PAGE = 4096


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a log of 1,202 entries, some of them too long for one page, which is made once."""
    home = tmp_path_factory.mktemp("built") / "bt"
    places = paths.places({paths.HOME_VARIABLE: str(home)})
    filled(places, 300)
    with writer(places) as log:
        log.append([end(f"long-{number}", body={"reason": "x" * 3000 * number}) for number in range(5)])
        log.append([item for number in range(297) for item in (start(f"later-{number}"), end(f"later-{number}"))])
        log.append([start("the last")])
    return home


@pytest.fixture
def log(built: Path, places: Places, tmp_path: Path) -> Places:
    """The same log in the places of this test."""
    shutil.copytree(built, tmp_path / "bt")
    return places


@pytest.fixture(scope="module")
def genuine(built: Path) -> dict[int, bytes]:
    """Every entry as it was written."""
    with AuditLog.read(paths.places({paths.HOME_VARIABLE: str(built)}).audit_db) as log:
        return {entry.seq: entry.raw for entry in log.entries(0, 10_000)}


def trusted(places: Places) -> list[VerifierKey]:
    """The pinned keys."""
    return keys.pins(places.audit_key)


def lines(path: Path) -> list[dict[str, object]]:
    """The objects of a file of JSON Lines."""
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def holds_true(found: Salvaged, folder: Path, genuine: dict[int, bytes]) -> None:
    """Every entry that is called signed or chained is the genuine one, and every body that fits is the one it names."""
    raws = (folder / "entries.jsonl").read_bytes().splitlines()
    checks = lines(folder / "checks.jsonl")
    assert len(raws) == len(checks) == found.count
    hashes = {}
    for raw, line in zip(raws, checks, strict=True):
        assert leaf_hash(raw).hex() == line["leaf"]
        seq = line["seq"]
        assert isinstance(seq, int)
        if line["entry"] == "signed":
            assert raw == genuine[seq]
        hashes[seq] = json.loads(raw)["body"]
    for line in lines(folder / "details.jsonl"):
        seq, salt, body = line["seq"], line["salt"], line["body"]
        assert isinstance(seq, int)
        assert isinstance(salt, str)
        assert isinstance(body, str)
        if line["fits"]:
            assert body_hash(bytes.fromhex(salt), body.encode()) == hashes[seq]
    lost = {seq for first, last in found.lost for seq in range(first, last)}
    # Where nothing tells how many entries there were, those behind the last one are not told by number, and that is said.
    told = set(genuine) if found.size_known else {seq for seq in genuine if seq < found.size}
    assert lost | {int(str(line["seq"])) for line in checks} >= told


def test_a_healthy_log_comes_out_whole(log: Places, tmp_path: Path, genuine: dict[int, bytes]) -> None:
    """Each entry byte by byte, proven by the signature; each body; the long ones too."""
    found = salvage(log.audit_db, tmp_path / "out", trusted=trusted(log))
    assert found.whole
    assert found.entries == {"signed": len(genuine)}
    assert (found.lost, found.size) == ((), len(genuine))
    assert (tmp_path / "out/entries.jsonl").read_bytes().splitlines() == list(genuine.values())
    holds_true(found, tmp_path / "out", genuine)
    assert json.loads((tmp_path / "out/summary.json").read_bytes())["entries"] == {"signed": len(genuine)}


def test_only_this_user_can_read_what_was_salvaged(log: Places, tmp_path: Path) -> None:
    """Details name files and users."""
    salvage(log.audit_db, tmp_path / "out", trusted=trusted(log))
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "out", *(tmp_path / "out").iterdir())} == {0}


def noise(raw: bytearray, chance: random.Random) -> None:
    """Random bytes over some pages."""
    for page in chance.sample(range(len(raw) // PAGE), chance.randint(1, 40)):
        raw[page * PAGE : (page + 1) * PAGE] = chance.randbytes(PAGE)


def zeros(raw: bytearray, chance: random.Random) -> None:
    """Some pages gone, as on a disk that lost blocks."""
    for page in chance.sample(range(len(raw) // PAGE), chance.randint(1, 40)):
        raw[page * PAGE : (page + 1) * PAGE] = bytes(PAGE)


def truncated(raw: bytearray, chance: random.Random) -> None:
    """The end is missing, not always at the end of a page."""
    del raw[chance.randrange(len(raw)) :]


def header(raw: bytearray, chance: random.Random) -> None:
    """The first page, which says what the file is, is noise."""
    raw[: chance.choice((16, 100, PAGE))] = chance.randbytes(chance.choice((16, 100, PAGE)))


def bits(raw: bytearray, chance: random.Random) -> None:
    """Single bits turned over, anywhere."""
    for at in chance.sample(range(len(raw)), 200):
        raw[at] ^= 1 << chance.randrange(8)


def shifted(raw: bytearray, chance: random.Random) -> None:
    """Two pages stand in each other's place."""
    one, other = chance.sample(range(1, len(raw) // PAGE), 2)
    first, second = raw[one * PAGE : (one + 1) * PAGE], raw[other * PAGE : (other + 1) * PAGE]
    raw[one * PAGE : (one + 1) * PAGE], raw[other * PAGE : (other + 1) * PAGE] = second, first


@pytest.mark.parametrize("damage", [noise, zeros, truncated, header, bits, shifted], ids=lambda item: item.__name__)
def test_random_damage_never_crashes_and_nothing_false_is_believed(
    log: Places, tmp_path: Path, genuine: dict[int, bytes], damage: Callable[[bytearray, random.Random], None]
) -> None:
    """Four seeds each: the damaged file is not touched, signed entries are the genuine ones, the rest is named as lost."""
    whole = log.audit_db.read_bytes()
    for seed in range(4):
        chance = random.Random(f"{damage.__name__} {seed}")
        raw = bytearray(whole)
        damage(raw, chance)
        log.audit_db.write_bytes(raw)
        before = sorted((path.name, path.stat().st_mtime_ns) for path in log.state.iterdir())
        found = salvage(log.audit_db, tmp_path / f"out-{seed}", trusted=trusted(log))
        assert log.audit_db.read_bytes() == raw
        assert sorted((path.name, path.stat().st_mtime_ns) for path in log.state.iterdir()) == before
        holds_true(found, tmp_path / f"out-{seed}", genuine)
        assert found.count > 0 or damage is truncated


def test_everything_at_once_and_pure_noise(log: Places, tmp_path: Path, genuine: dict[int, bytes]) -> None:
    """All damages together, file after file; a file of noise, an empty one and one byte give nothing, and no error."""
    whole = log.audit_db.read_bytes()
    for seed in range(4):
        chance = random.Random(seed)
        raw = bytearray(whole)
        for damage in (bits, noise, zeros, shifted, header):
            damage(raw, chance)
        log.audit_db.write_bytes(raw)
        holds_true(
            salvage(log.audit_db, tmp_path / f"out-{seed}", trusted=trusted(log)), tmp_path / f"out-{seed}", genuine
        )
    for number, content in enumerate((b"", b"x", random.Random(0).randbytes(300_001), b"SQLite format 3\x00")):
        log.audit_db.write_bytes(content)
        found = salvage(log.audit_db, tmp_path / f"nothing-{number}")
        assert (found.count, found.whole, found.log) == (0, False, None)


@pytest.mark.parametrize("moved", [-4080, -84, -16, 1, 84, 3996, 4080, 5000])
@pytest.mark.parametrize("cut", [0, 1500])
def test_bytes_lost_or_added_in_front_cost_their_own_page_only(
    log: Places, tmp_path: Path, genuine: dict[int, bytes], moved: int, cut: int
) -> None:
    """A copy that began late, or has another header in front: no entry falls between two pages; also where the end is cut."""
    raw = bytearray(log.audit_db.read_bytes())
    raw[: max(-moved, 0)] = random.Random(moved).randbytes(max(moved, 0))
    log.audit_db.write_bytes(raw[: len(raw) - cut])
    found = salvage(log.audit_db, tmp_path / "out", trusted=trusted(log))
    holds_true(found, tmp_path / "out", genuine)
    spread = sum(len(entry) > PAGE // 2 for entry in genuine.values())
    assert found.count >= len(genuine) - spread - (cut and 8)
    assert cut or found.entries["signed"] == found.count


def test_where_nothing_tells_the_size_that_is_said(log: Places, tmp_path: Path, capsys: Output) -> None:
    """With head and checkpoints gone, the last entry that is left may not have been the last."""
    raw = log.audit_db.read_bytes()
    log.audit_db.write_bytes(
        b"".join(raw[at : at + PAGE] for at in range(0, len(raw), PAGE) if _says_no_size(raw[at : at + PAGE]))
    )
    assert not salvage(log.audit_db, tmp_path / "out", trusted=trusted(log)).size_known
    copy = shutil.move(log.audit_db, tmp_path / "copy.db")
    shutil.rmtree(log.state.parent)
    assert main(["audit", "salvage", str(tmp_path / "again"), "--from", str(copy)]) == 1
    assert "how many entries the log had is not known" in capsys.readouterr().out


def _says_no_size(page: bytes) -> bool:
    """Whether a page holds neither the log's head nor a checkpoint."""
    return b"\n\n\xe2\x80\x94 backup-tray/" not in page and b'"checkpoint":"' not in page


def test_what_sqlite_cannot_reach_is_found(log: Places, tmp_path: Path, genuine: dict[int, bytes]) -> None:
    """With the first page gone SQLite opens nothing at all; every entry that has its page is there, and signed."""
    raw = bytearray(log.audit_db.read_bytes())
    raw[:PAGE] = random.Random(1).randbytes(PAGE)
    log.audit_db.write_bytes(raw)
    with pytest.raises(AuditUnavailableError):
        AuditLog.read(log.audit_db)
    found = salvage(log.audit_db, tmp_path / "out", trusted=trusted(log))
    assert found.entries == {"signed": len(genuine)}


def test_a_gap_costs_the_proof_of_its_own_tile_only(log: Places, tmp_path: Path, genuine: dict[int, bytes]) -> None:
    """Where entries are lost, those of other tiles stay proven by the tree, those behind the gap by the chain."""
    pages = _pages_of(log.audit_db, range(300, 320))
    raw = bytearray(log.audit_db.read_bytes())
    for page in pages:
        raw[(page - 1) * PAGE : page * PAGE] = bytes(PAGE)
    log.audit_db.write_bytes(raw)
    found = salvage(log.audit_db, tmp_path / "out", trusted=trusted(log))
    how = {line["seq"]: line["entry"] for line in lines(tmp_path / "out/checks.jsonl")}
    ((first, last),) = found.lost
    assert set(genuine) - set(how) == set(range(first, last))
    assert {how[seq] for seq in range(256)} == {"signed"}
    assert {how[seq] for seq in range(256, first)} == {"chained"}
    assert {how[seq] for seq in range(last, len(genuine))} == {"signed"}
    assert found.entries["signed"] == 256 + len(genuine) - last


def _pages_of(db: Path, wanted: range) -> set[int]:
    """The pages that hold these entries."""
    raw = db.read_bytes()
    return {1 + raw.index(b'"seq":%d,"severity"' % seq) // PAGE for seq in wanted}


def test_an_altered_entry_is_not_believed(log: Places, tmp_path: Path) -> None:
    """Who edits an entry in a damaged log does not get it out as genuine: what was signed contradicts it."""
    tamper(log, "UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), 'home', 'hame') AS BLOB) WHERE seq = 700")
    found = salvage(log.audit_db, tmp_path / "out", trusted=trusted(log))
    how = {line["seq"]: line["entry"] for line in lines(tmp_path / "out/checks.jsonl")}
    assert (how[700], how[699], how[701]) == ("contradicted", "signed", "signed")
    assert not found.whole


def test_a_forged_log_is_not_called_signed(log: Places, tmp_path: Path) -> None:
    """Signed means: by a key that was kept outside. With another key nothing is; without any the summary says so."""
    found = salvage(log.audit_db, tmp_path / "out", trusted=[VerifierKey(trusted(log)[0].name, bytes(32))])
    assert found.entries.get("signed", 0) == 0
    assert not found.checkpoints
    found = salvage(log.audit_db, tmp_path / "out", trusted=[])
    assert (found.trusted, found.entries) == (False, {"signed": found.size})


_ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS seq, x'00' AS salt, x'00' AS body FROM n"


@pytest.mark.parametrize(
    "hostile",
    [
        f"DROP TABLE bodies; CREATE VIEW bodies AS {_ENDLESS}",
        f"DROP TABLE bodies; CREATE TABLE bodies (seq TEXT, salt, body); INSERT INTO bodies {_ENDLESS} LIMIT 200000",
        "UPDATE head SET size = 9007199254740991",
        "UPDATE head SET frontier = 'x', checkpoint = 1.5",
        "UPDATE base SET start = 9007199254740990, frontier = zeroblob(32 * 52)",
        (
            "UPDATE base SET start = 9007199254740990, frontier = zeroblob(32 * 52);"
            "UPDATE head SET size = 9007199254740991, frontier = zeroblob(32 * 53)"
        ),
        "DROP TABLE tiles; CREATE TABLE tiles (level, number, hash); INSERT INTO tiles VALUES (0, 0, 'x'), (0, 1, NULL)",
        "UPDATE bodies SET body = x'01' || randomblob(50)",
        "UPDATE bodies SET salt = 7",
        "UPDATE head SET frontier = zeroblob(50000000), checkpoint = 9007199254740991",
    ],
)
def test_a_hostile_database_is_read_in_bounded_time(log: Places, tmp_path: Path, hostile: str) -> None:
    """Who made the file may want us to read for ever: entries come out all the same, and nothing false is believed."""
    with sqlite3.connect(log.audit_db) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.executescript(hostile)
    connection.close()
    found = salvage(log.audit_db, tmp_path / "out", trusted=trusted(log))
    assert (found.count, found.entries.get("contradicted", 0)) == (1202, 0)


def test_nothing_is_left_of_the_copy(log: Places, tmp_path: Path) -> None:
    """SQLite works on a copy beside what comes out; a pipe in the place of the write-ahead log is not waited for."""
    beside = log.audit_db.with_name("audit.db-wal")
    beside.unlink(missing_ok=True)
    os.mkfifo(beside)
    salvage(log.audit_db, tmp_path / "out", trusted=trusted(log))
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {name for name in names if not name.startswith("checkpoint-")} == {
        "entries.jsonl",
        "checks.jsonl",
        "details.jsonl",
        "summary.json",
    }


def test_erased_details_stay_erased(log: Places, tmp_path: Path) -> None:
    """Erased details do not come back, even if an old copy of their page is still about; nor are they called lost."""
    with sqlite3.connect(log.audit_db) as connection:
        salt, body = connection.execute("SELECT salt, body FROM bodies WHERE seq = 3").fetchone()
    connection.close()
    with writer(log) as opened:
        opened.redact(3, "asked for")
    tamper(log, ("INSERT INTO bodies (seq, salt, body) VALUES (3, ?, ?)", (salt, body)))
    found = salvage(log.audit_db, tmp_path / "out", trusted=trusted(log))
    assert found.details["erased"] == 1
    assert 3 not in {line["seq"] for line in lines(tmp_path / "out/details.jsonl")}


def test_lost_and_altered_details_are_told_apart(log: Places, tmp_path: Path) -> None:
    """Details that are gone and details that were exchanged are counted, and make the log not whole."""
    tamper(
        log,
        "DELETE FROM bodies WHERE seq = 5",
        ("UPDATE bodies SET body = ? WHERE seq = 7", (b'{"reason":"another"}',)),
    )
    found = salvage(log.audit_db, tmp_path / "out", trusted=trusted(log))
    assert (found.details["lost"], found.details["altered"]) == (1, 1)
    assert not found.whole


def test_keys_that_were_changed_are_all_trusted(log: Places, tmp_path: Path) -> None:
    """Checkpoints by the old and the new key count, since both are pinned."""
    rotation.rotate(log)
    with writer(log) as opened:
        opened.append([end("after")])
    found = salvage(log.audit_db, tmp_path / "out", trusted=trusted(log))
    assert found.whole
    assert len(found.checkpoints) == 2


@pytest.fixture
def unmerged(log: Places, tmp_path: Path) -> Places:
    """A log whose newest entries are only in the write-ahead log, as after a power cut."""
    held = sqlite3.connect(log.audit_db, isolation_level=None)
    held.execute("PRAGMA wal_autocheckpoint = 0")
    held.execute("BEGIN")
    held.execute("SELECT max(seq) FROM entries").fetchone()
    with writer(log) as opened:
        opened.append([end(f"new-{number}") for number in range(20)])
    for name in ("audit.db", "audit.db-wal"):
        shutil.copy(log.state / name, tmp_path / name)
    held.close()
    for name in ("audit.db", "audit.db-wal", "audit.db-shm"):
        (log.state / name).unlink(missing_ok=True)
    for name in ("audit.db", "audit.db-wal"):
        shutil.copy(tmp_path / name, log.state / name)
    return log


def test_the_write_ahead_log_is_read_too(unmerged: Places, tmp_path: Path, genuine: dict[int, bytes]) -> None:
    """Entries that are only there come out, signed; without it they are lost, and the copied checkpoint tells how many."""
    wal = unmerged.audit_db.with_name("audit.db-wal")
    assert wal.stat().st_size > 0
    found = salvage(unmerged.audit_db, tmp_path / "out", trusted=trusted(unmerged))
    assert (found.whole, found.count) == (True, len(genuine) + 20)
    newest = (tmp_path / f"out/checkpoint-{found.size}").read_bytes()
    wal.unlink()
    found = salvage(unmerged.audit_db, tmp_path / "without", trusted=trusted(unmerged), baselines=[newest])
    assert found.lost == ((len(genuine), len(genuine) + 20),)
    assert found.entries == {"signed": len(genuine)}


def test_a_damaged_write_ahead_log_gives_what_it_has(
    unmerged: Places, tmp_path: Path, genuine: dict[int, bytes]
) -> None:
    """SQLite drops all that follows the first broken frame; here every frame that is left counts."""
    wal = unmerged.audit_db.with_name("audit.db-wal")
    whole = wal.read_bytes()
    for seed in range(6):
        chance = random.Random(seed)
        raw = bytearray(whole)
        raw[:32] = chance.randbytes(32)
        for _ in range(3):
            at = chance.randrange(len(raw) - 50)
            raw[at : at + 50] = chance.randbytes(50)
        wal.write_bytes(raw)
        found = salvage(unmerged.audit_db, tmp_path / f"out-{seed}", trusted=trusted(unmerged))
        assert found.count >= len(genuine)
        assert log_is_untouched(unmerged, raw)


def log_is_untouched(places: Places, wal: bytes) -> bool:
    """Whether the write-ahead log is as it was, and SQLite has left no index beside it."""
    return (
        places.audit_db.with_name("audit.db-wal").read_bytes() == wal
        and not places.audit_db.with_name("audit.db-shm").exists()
    )


# -- the command


def test_the_command_says_what_was_saved_and_what_comes_next(log: Places, tmp_path: Path, capsys: Output) -> None:
    """`audit salvage DIR` on a damaged log: exit code 1, figures, ranges, the next step; the record waits in the spool."""
    pages = _pages_of(log.audit_db, range(300, 320))
    raw = bytearray(log.audit_db.read_bytes())
    for page in pages:
        raw[(page - 1) * PAGE : page * PAGE] = random.Random(page).randbytes(PAGE)
    log.audit_db.write_bytes(raw)
    assert main(["audit", "salvage", str(tmp_path / "out")]) == 1
    out = capsys.readouterr().out
    for word in ("entries were read", "proven by a signed checkpoint", "lost:", "next:", "mkdir"):
        assert word in out
    assert log.audit_db.read_bytes() == raw
    (draft,) = spool.pending(log)
    assert (draft.action, draft.result, draft.severity) == ("audit.salvaged", "damaged", "critical")


def test_a_salvage_of_a_healthy_log_is_an_entry_of_it(log: Places, tmp_path: Path, capsys: Output) -> None:
    """Exit code 0, and the record goes into the log; so does one of a copy elsewhere."""
    shutil.copy(log.audit_db, tmp_path / "copy.db")
    assert main(["audit", "salvage", str(tmp_path / "out")]) == 0
    (tmp_path / "copy.db").write_bytes((tmp_path / "copy.db").read_bytes()[:100_000])
    assert main(["audit", "salvage", str(tmp_path / "out"), "--from", str(tmp_path / "copy.db")]) == 1
    capsys.readouterr()
    with AuditLog.read(log.audit_db) as opened:
        assert [entry.data["result"] for entry in opened.entries(-2)] == ["whole", "damaged"]
    assert not spool.pending(log)


def test_nothing_to_salvage_is_said(log: Places, tmp_path: Path, capsys: Output) -> None:
    """A file of noise is exit code 2 with zero entries; a missing one the usual words; a folder that cannot be made as well."""
    log.audit_db.write_bytes(os.urandom(20_000))
    assert main(["audit", "salvage", str(tmp_path / "out")]) == 2
    assert "0 entries were read" in capsys.readouterr().out
    assert main(["audit", "salvage", str(tmp_path / "out"), "--from", str(tmp_path / "missing")]) == 2
    (tmp_path / "file").write_text("")
    assert main(["audit", "salvage", str(tmp_path / "file")]) == 2
    log.audit_db.unlink()
    assert main(["audit", "salvage", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.count("next:") == 3


def test_a_damaged_log_names_salvage_as_the_next_step(log: Places, tmp_path: Path, capsys: Output) -> None:
    """The error that everybody meets leads here, and the command in it works as it stands."""
    raw = bytearray(log.audit_db.read_bytes())
    raw[100:PAGE] = random.Random(1).randbytes(PAGE - 100)
    log.audit_db.write_bytes(raw)
    with pytest.raises(AuditUnavailableError) as caught, AuditLog.read(log.audit_db) as opened:
        opened.head()
    command = caught.value.next.split("`")[1]
    assert command.startswith("backup-tray audit salvage ")
    assert main(command.split()[1:]) == 0
    assert "mkdir" in capsys.readouterr().out
    assert (log.state / "salvaged/entries.jsonl").stat().st_size > 0
    assert log.audit_db.read_bytes() == raw
    assert [draft.action for draft in spool.pending(log)] == ["audit.salvaged"]
