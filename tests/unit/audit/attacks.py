"""The attacks on an audit log, from a blind edit to a forgery with the key; `test_audit_matrix` tries each of them."""

import base64
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.unit.audit.help import end, filled, start, tamper
from tests.waiting import wait_for
from tray.audit import keys, rotation, segments, spool
from tray.audit.canonical import canonical
from tray.audit.checkpoint import Checkpoint, Signer, VerifierKey
from tray.audit.entry import Action, Draft
from tray.audit.entry_bytes import body_hash, build
from tray.audit.merkle import Frontier, completed_tiles, leaf_hash
from tray.audit.store import AuditLog
from tray.baselines import all_copies, recorded_check
from tray.core import clock
from tray.core.dataclass import dataclass, replace
from tray.core.paths import Places

Rows = list[dict[str, Any]]
SEGMENT = 256
SIZE = 312
STRANGER = VerifierKey("backup-tray/somebody", bytes(32))


def places_in(home: Path) -> Places:
    """The places of an installation that lies in *home*."""
    return Places(home / "config", home / "state", home / "runtime", home / "log")


def opened(here: Places) -> AuditLog:
    """The log, open for appending as every writer opens it."""
    return AuditLog.open(here.audit_db, here.audit_key, copies=here.baselines)


@dataclass(frozen=True)
class Scene:
    """An honest log and what was kept of it.

    Attributes:
        home: The installation now.
        older: All of it as it was before the far checkpoint was taken.
        newer: All of it as it was soon after.
        far: A checkpoint that was carried far away some time ago.
        seed: The secret half of the key.
    """

    home: Path
    older: Path
    newer: Path
    far: bytes
    seed: bytes

    @property
    def here(self) -> Places:
        """The places of the installation."""
        return places_in(self.home)

    def copy(self, to: Path) -> "Scene":
        """The same in another folder, to be tampered with."""
        shutil.copytree(self.home, to, copy_function=shutil.copy)
        return replace(self, home=to)


def scene(folder: Path) -> Scene:
    """Make the honest log: one closed segment, one complete tile, erased details, an open run, a verification."""
    home = folder / "home"
    here = places_in(home)
    home.mkdir(mode=0o700)
    with opened(here) as log:
        log.append([draft for n in range(100) for draft in (start(f"a{n}"), end(f"a{n}"))])
    older = Path(shutil.copytree(home, folder / "older"))
    with opened(here) as log:
        log.append([draft for n in range(27) for draft in (start(f"b{n}"), end(f"b{n}"))])
        assert log.head()[0] == SEGMENT
        segments.rotate(log, SEGMENT)
        log.redact(9, "asked for")
        log.append([end(f"c{n}") for n in range(9)])
        far = log.head()[2]
        log.append([end(f"d{n}") for n in range(4)])
    newer = Path(shutil.copytree(home, folder / "newer"))
    with opened(here) as log:
        log.append([end(f"e{n}") for n in range(39)] + [start("open")])
    recorded_check.check(here)
    assert len(rows_of(here)) == SIZE
    return Scene(home, older, newer, far, keys.load(here.audit_key))


# -- tools of an attacker


def nothing(_: object) -> None:
    """Leave it as it is."""


def rows_of(here: Places) -> Rows:
    """All entries, parsed."""
    with AuditLog.read(here.audit_db) as log:
        return [dict(entry.data) for entry in log.entries(0, 10_000)]


def raw_of(here: Places, seq: int) -> bytes:
    """The bytes of entry *seq*."""
    with AuditLog.read(here.audit_db) as log:
        return log.entry(seq).raw


def set_entry(here: Places, seq: int, raw: bytes | str) -> None:
    """Overwrite an entry and nothing else."""
    tamper(
        here,
        "PRAGMA ignore_check_constraints = ON",
        ("UPDATE entries SET entry = ? WHERE seq = ?", (raw, seq)),
    )


def edited(here: Places, seq: int, old: bytes = b'"actor":"', new: bytes = b'"actor":"x') -> None:
    """Change one value of an entry, which stays well-formed."""
    raw = raw_of(here, seq)
    assert old in raw
    set_entry(here, seq, raw.replace(old, new))


def rewrite(here: Places, edit: Callable[[Rows], object], *, seed: bytes | None = None, segment: bool = False) -> bytes:
    """Edit entries and mend every hash behind them: chain, tiles and head; return the new checkpoint.

    Args:
        seed: The key to sign with; without one the old signature stays.
        segment: Sign the closed segment anew too.
    """
    rows = rows_of(here)
    edit(rows)
    log = rows[0]["log"]
    tree, prev, statements = Frontier(), bytes(32), ["DELETE FROM entries", "DELETE FROM tiles"]
    inserts: list[tuple[str, tuple[Any, ...]]] = []
    for seq, data in enumerate(rows):
        raw = canonical(data | {"seq": seq, "prev": prev.hex()})
        prev = leaf_hash(raw)
        inserts += [("INSERT INTO tiles VALUES (?, ?, ?)", tile) for tile in completed_tiles(tree, prev)]
        inserts.append(("INSERT INTO entries (seq, entry) VALUES (?, ?)", (seq, raw)))
        tree.push(prev)
        if seed is not None and segment and tree.size == SEGMENT:
            note = Signer(seed).sign(Checkpoint(log, SEGMENT, tree.root()))
            inserts.append(("UPDATE segments SET checkpoint = ?", (note,)))
    inserts.append(("UPDATE head SET size = ?, leaf = ?, frontier = ?", (tree.size, prev, tree.to_bytes())))
    note = Signer(seed).sign(Checkpoint(log, tree.size, tree.root())) if seed is not None else b""
    if seed is not None:
        inserts.append(("UPDATE head SET checkpoint = ?", (note,)))
    tamper(here, "BEGIN", *statements, *inserts, ("DELETE FROM bodies WHERE seq >= ?", (tree.size,)), "COMMIT")
    return note


def change(seq: int, **values: Any) -> Callable[[Rows], None]:
    """An edit that gives entry *seq* other values."""

    def edit(rows: Rows) -> None:
        rows[seq] |= values

    return edit


def cut(size: int) -> Callable[[Rows], None]:
    """An edit that drops everything from entry *size* on."""

    def edit(rows: Rows) -> None:
        del rows[size:]

    return edit


def moved(here: Places, shift: int, behind: int) -> list[str]:
    """Statements that move all rows from number *behind* on by *shift*."""
    out = []
    for table in ("entries", "bodies"):
        out.append(f"UPDATE {table} SET seq = -seq WHERE seq >= {behind}")  # noqa: S608 - numbers of ours
        out.append(f"UPDATE {table} SET seq = -seq + {shift} WHERE seq < 0")  # noqa: S608 - the same
    return out


def forged(here: Places, seq: int) -> bytes:
    """A success that never was, fit for place *seq*."""
    rows = rows_of(here)
    prev = leaf_hash(raw_of(here, seq - 1))
    return build(end("forged", body=None), seq=seq, prev=prev, log=rows[0]["log"], recorded_ms=0, body=None)


def by_sql(here: Places, script: str) -> None:
    """Run SQL without any care."""
    connection = sqlite3.connect(here.audit_db)
    connection.executescript(script)
    connection.close()


def put_back(from_: Path, to: Path, *names: str) -> None:
    """Put older files or folders in the place of newer ones."""
    for name in names:
        source, target = from_ / name, to / name
        if target.is_dir():
            shutil.rmtree(target)
        for stale in target.parent.glob(target.name + "-*"):
            stale.unlink()
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)


def resign_copy(here: Places, note: bytes) -> None:
    """Put another checkpoint in the place of the copy beside the configuration."""
    (copy,) = here.baselines.glob("*.checkpoint")
    copy.write_bytes(note)


def everything_anew(here: Places) -> None:
    """Rewrite the whole history under a key of one's own, which takes the place of the old one everywhere beside the log."""
    own = bytes(range(32))
    rows = rows_of(here)
    verifier = VerifierKey(rows[0]["log"], Signer(own).public)
    salt, body = bytes(16), canonical({"public_key": str(verifier)})
    tamper(here, ("UPDATE bodies SET salt = ?, body = ? WHERE seq = 1", (salt, body)))

    def edit(rows: Rows) -> None:
        rows[1]["body"] = body_hash(salt, body)
        rows[100]["job"] = "forged"

    rewrite(here, edit, seed=own, segment=True)
    here.audit_key.unlink()
    keys.create(here.audit_key)
    text = here.audit_key.read_text()
    here.audit_key.write_text(text.split()[0] + " " + base64.b64encode(own).decode() + "\n")
    keys.pin_file(here.audit_key).write_text(f"{verifier}\n")


def with_wal(here: Places) -> None:
    """Leave the newest records in the write-ahead log, as after a crash."""
    beside = here.state.with_name("crashed")
    with opened(here) as log:
        log.append([end("newest")])
        shutil.copytree(here.state, beside)
    shutil.rmtree(here.state)
    beside.rename(here.state)
    assert (here.state / "audit.db-wal").stat().st_size > 0


def standing_says(here: Places, **values: Any) -> None:
    """Let a verification find what was done, then edit the file about it without the key."""
    recorded_check.check(here)
    data = json.loads(here.audit_standing.read_text())
    data["standing"] |= values
    here.audit_standing.write_text(json.dumps(data))


def point_moved(here: Places) -> None:
    """Let the file about the last verification say that it reached the end of the log as it is now."""
    data = json.loads(here.audit_standing.read_text())
    with AuditLog.read(here.audit_db) as log:
        size, _, note = log.head()
        leaf, frontier = log._live().execute("SELECT leaf, frontier FROM head").fetchone()
    data["point"] |= {"size": size, "leaf": leaf.hex(), "frontier": frontier.hex(), "checkpoint": note.decode()}
    here.audit_standing.write_text(json.dumps(data))


def swap(here: Places, one: int, other: int) -> None:
    """Let two entries change places."""
    raws = {one: raw_of(here, other), other: raw_of(here, one)}
    tamper(
        here,
        "PRAGMA ignore_check_constraints = ON",
        ("DELETE FROM entries WHERE seq IN (?, ?)", (one, other)),
        *[("INSERT INTO entries (seq, entry) VALUES (?, ?)", (seq, raw)) for seq, raw in raws.items()],
    )


def insert(here: Places, seq: int) -> None:
    """Put a forged entry in place *seq* and move the rest."""
    raw = forged(here, seq)
    tamper(
        here,
        "PRAGMA ignore_check_constraints = ON",
        *moved(here, 1, seq),
        ("INSERT INTO entries (seq, entry) VALUES (?, ?)", (seq, raw)),
    )


def append_forged(here: Places, *, seed: bytes | None = None, head: bool = False) -> None:
    """Append an entry that was never recorded."""
    seq = len(rows_of(here))
    raw = forged(here, seq)
    tamper(here, ("INSERT INTO entries (seq, entry) VALUES (?, ?)", (seq, raw)))
    if head or seed is not None:
        rewrite(here, nothing, seed=seed)


def prune_by_hand(here: Places) -> None:
    """Drop the closed segment as a pruning would, with the right compact range, but without an entry."""
    tree = Frontier()
    leaf = bytes(32)
    for seq in range(SEGMENT):
        leaf = leaf_hash(raw_of(here, seq))
        tree.push(leaf)
    tamper(
        here,
        ("DELETE FROM bodies WHERE seq < ?", (SEGMENT,)),
        ("DELETE FROM entries WHERE seq < ?", (SEGMENT,)),
        ("UPDATE base SET start = ?, leaf = ?, frontier = ?", (SEGMENT, leaf, tree.to_bytes())),
    )


def another_installation(scene: Scene) -> None:
    """Replace the log, the keys and all else by those of another user's installation."""
    other = filled(places_in(scene.home.parent / "other"))
    shutil.rmtree(scene.here.state)
    shutil.copytree(other.state, scene.here.state)


def begun_anew(here: Places, *, traces: bool) -> None:
    """Delete the log, with keys and all or not, and let the program begin another."""
    if traces:
        here.audit_db.unlink()
    else:
        shutil.rmtree(here.state)
    with opened(here) as log:
        log.append([end("first of the new log")])


def lost_key(here: Places) -> None:
    """Delete the key: the program makes a new one, which the attacker can read."""
    here.audit_key.unlink()
    with opened(here) as log:
        log.append([end("under a new key")])


def append_one(here: Places) -> None:
    """Let the program record one more run, as it would after any manipulation."""
    spool.record(here, [end("later")])


def after_rotation(scene: Scene) -> None:
    """Steal the key after it was changed, and rewrite what came before the change."""
    here = scene.here
    rotation.rotate(here)
    rewrite(here, change(100, job="forged"), seed=keys.load(here.audit_key))


def noise(path: Path, first: int, every: int) -> None:
    """Write noise over pages of a file."""
    raw = bytearray(path.read_bytes())
    for page in range(first, len(raw) // 4096 - 1, every):
        raw[page * 4096 : page * 4096 + 2000] = bytes((page * 31 + at * 17) % 256 for at in range(2000))
    path.write_bytes(raw)


def in_file(path: Path, old: bytes, new: bytes) -> None:
    """Change bytes in a file, keeping its length."""
    raw = path.read_bytes()
    assert raw.count(old) >= 1, old
    assert len(old) == len(new)
    os.chmod(path, 0o600)
    path.write_bytes(raw.replace(old, new, 1))


def below_zero(here: Places) -> None:
    """Put an entry before the first."""
    raw = b'{"id":"x"}'
    tamper(here, "PRAGMA ignore_check_constraints = ON", ("INSERT INTO entries (seq, entry) VALUES (-1, ?)", (raw,)))


def signed_size(here: Places, by: int) -> None:
    """Let the newest checkpoint, whose signature stays, name another size."""
    with AuditLog.read(here.audit_db) as log:
        size, _, note = log.head()
    other = note.replace(f"\n{size}\n".encode(), f"\n{size + by}\n".encode())
    tamper(here, ("UPDATE head SET checkpoint = ?", (other,)))


def edit_waiting(here: Places) -> None:
    """Edit the records that wait in the spool."""
    for path in here.spools[0].iterdir():
        path.write_bytes(path.read_bytes().replace(b"succeeded", b"cancelled"))


def prune_really(here: Places) -> None:
    """Prune the closed segment as the program does."""
    before = clock.now_ms()
    wait_for(lambda: clock.now_ms() > before)
    assert segments.prune(here, 0, all_copies.notes(here))


def forged_takeover(scene: Scene) -> None:
    """Put an older state back, bring in a key of one's own as if the old one were lost, and go on with another history."""
    here = scene.here
    put_back(scene.newer / "state", here.state, "audit.db")
    lost_key(here)


def waiting_forgery(here: Places, action: Action, body: dict[str, Any]) -> None:
    """Put a record into the spool that speaks for the log itself, and let the program take it in."""
    spool.keep(here, [Draft(action, body=body)])
    append_one(here)
