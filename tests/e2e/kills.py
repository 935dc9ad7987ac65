"""The operations on an audit log that tests kill at every step, and the conditions that must hold after each kill.

`python -m tests.e2e.kills FOLDER MOST MOMENTS [OPERATION...]` prints, as JSON, how many children were killed, and every broken
condition: at most MOST kills before changing system calls, spread over all of them (with 10000: before each), and MOMENTS at random
moments.
"""

import contextlib
import json
import os
import random
import re
import shutil
import sqlite3
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.e2e import killing
from tests.e2e.killing import Acknowledge
from tests.unit.audit.help import end, start
from tests.unit.audit.tiles_check import holds
from tray.audit import checkpoint, keys, proof, redact, rotation, segments, spool, standalone, tlog
from tray.audit.entry import Action
from tray.audit.search import index_fill, search
from tray.audit.search.conditions import Filter
from tray.audit.store import AuditLog
from tray.audit.verify.check import Result, verify
from tray.baselines import all_copies, far_copies, recorded_check
from tray.config import Config
from tray.core import clock, paths
from tray.core.dataclass import dataclass, replace
from tray.core.errors import RedactRefusedError
from tray.core.paths import Places
from tray.report import create, save

YEAR = 365 * clock.DAY_MS
SECRET = "somebody's name, which was never meant to be kept"
_FIRST, _SECOND = start("killed-1", job="tried"), end("killed-1", job="tried")
_WAITING = [end(f"waiting-{number}", job="tried") for number in range(5)]
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_BIG = b"one line of a report\n" * 20_000


@dataclass(frozen=True)
class Operation:
    """One operation on a log.

    Attributes:
        prepare: Makes the places as they are before the operation.
        act: Does the operation, and passes on the id of each draft once the log has acknowledged it.
        settled: Asserts the conditions that hold after every kill; gets the acknowledged ids.
        done: Asserts the conditions that hold once the operation was repeated after the kill.
        again: Repeats the operation, if that differs from `act`.
        first: Whether there may be no log yet.
    """

    prepare: Callable[[Places], object]
    act: Callable[[Places, Acknowledge], object]
    settled: Callable[[Places], object] = lambda _: None
    done: Callable[[Places], object] = lambda _: None
    again: Callable[[Places], object] | None = None
    first: bool = False


def opened(places: Places) -> AuditLog:
    """The log, for appending, with the copy of its checkpoint."""
    return AuditLog.open(places.audit_db, places.audit_key, copies=places.baselines)


# -- places to begin with


def small(places: Places) -> None:
    """A log of a few entries."""
    with opened(places) as log:
        log.append([draft for number in range(4) for draft in (start(f"run-{number}"), end(f"run-{number}"))])


def without_a_copy(places: Places) -> None:
    """A log of a few entries whose configuration folder was lost."""
    small(places)
    shutil.rmtree(places.config)


def with_waiting(places: Places) -> None:
    """A log, and records that wait in two spools."""
    small(places)
    spool.keep(places, _WAITING[:3])
    spool.keep(replace(places, state=places.runtime / "elsewhere"), [])
    folder = paths.private(paths.private(places.runtime) / "spool")
    for draft in _WAITING[2:]:  # one of them waits in both
        keys.write_new(folder / f"{draft.id}.json", draft.to_line())


def aged(places: Places) -> None:
    """600 entries of three years ago, 30 of today, and one of the details of an old one erased."""
    now = clock.now_ms
    try:
        clock.now_ms = lambda: now() - 3 * YEAR
        with opened(places) as log:
            log.append([draft for number in range(299) for draft in (start(f"a{number}"), end(f"a{number}"))])
    finally:
        clock.now_ms = now
    with opened(places) as log:
        log.append([end(f"c{number}") for number in range(30)])


def closed(places: Places) -> None:
    """The same, in closed segments."""
    aged(places)
    with opened(places) as log:
        segments.rotate(log, 256)


def personal(places: Places) -> None:
    """A log with a detail that must go, and an index of words that knows it."""
    small(places)
    with opened(places) as log:
        log.append([end("personal", body={"reason": SECRET})])
    index_fill.update(places)


def indexed(places: Places) -> None:
    """A log whose index of words lacks the last entries."""
    small(places)
    index_fill.update(places)
    with opened(places) as log:
        log.append([end(f"later-{number}", body={"reason": f"needle {number}"}) for number in range(20)])


def restored(places: Places) -> None:
    """A log that came back from a copy, as one file that has no write-ahead log yet."""
    small(places)
    connection = sqlite3.connect(places.audit_db)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()


def exported(places: Places) -> None:
    """A log of 600 entries that was exported before it had the last 400 of them."""
    with opened(places) as log:
        log.append([draft for number in range(100) for draft in (start(f"a{number}"), end(f"a{number}"))])
        tlog.export(log, out(places), details=True)
        log.append([draft for number in range(200) for draft in (start(f"b{number}"), end(f"b{number}"))])


def nothing(places: Places) -> None:
    """No log at all."""
    paths.private(places.state.parent)


def verified(places: Places) -> None:
    """A log that was verified once."""
    small(places)
    recorded_check.check(places)


def out(places: Places) -> Path:
    """The folder of exports."""
    return places.state.parent / "out"


def with_out(places: Places) -> None:
    """A log and an empty folder."""
    small(places)
    out(places).mkdir()


# -- operations


def append(places: Places, tell: Acknowledge) -> None:
    """Start and end of a run, in two transactions."""
    with opened(places) as log:
        for draft in (_FIRST, _SECOND):
            log.append([draft])
            tell(draft.id)


def record(places: Places, tell: Acknowledge) -> None:
    """A record as every part of the program makes it."""
    for draft in (_FIRST, _SECOND):
        spool.record(places, [draft])
        tell(draft.id)


def keep(places: Places, tell: Acknowledge) -> None:
    """Records that cannot go to the log."""
    for draft in (_FIRST, _SECOND):
        spool.keep(places, [draft])
        tell(draft.id)


def close_segments(places: Places, tell: Acknowledge) -> None:
    """Close two segments."""
    with opened(places) as log:
        segments.rotate(log, 256)
    tell("done")


def forget(places: Places, tell: Acknowledge) -> None:
    """Prune entries older than a year."""
    segments.prune(places, YEAR, all_copies.notes(places))
    tell("done")


def forget_with_archive(places: Places, tell: Acknowledge) -> None:
    """The same, copied to an archive before."""
    segments.prune(places, YEAR, all_copies.notes(places), archive=out(places))
    tell("done")


def personal_entry(places: Places) -> int:
    """Number of the entry whose details must go."""
    with AuditLog.read(places.audit_db) as log:
        entry = log.entry_of_run("personal")
    assert entry is not None
    return entry.seq


def erase(places: Places, _: Acknowledge) -> None:
    """Erase the personal detail."""
    redact.redact(places, personal_entry(places), "asked for")


def erase_again(places: Places) -> None:
    """Erase it again, which finishes an unfinished erasure or refuses a finished one."""
    with contextlib.suppress(RedactRefusedError):
        erase(places, lambda _: None)


def export(places: Places, _: Acknowledge) -> None:
    """Export the new entries."""
    with AuditLog.read(places.audit_db) as log:
        tlog.export(log, out(places), details=True)


def prove(places: Places, _: Acknowledge) -> None:
    """Write the proof of an entry to a file."""
    tlog.write(out(places) / "proof", proof.build(places.audit_db, 3, details=True).to_bytes())


def put_report(places: Places, _: Acknowledge) -> None:
    """Write a large report to a file."""
    save.put(out(places) / "report.txt", _BIG, force=True)


def report(places: Places, _: Acknowledge) -> None:
    """Make a report of a run with its proof."""
    order = create.Order("run-1", {}, format="jsonl", output=str(out(places) / "report.jsonl"), force=True)
    create.run(places, order)


def index(places: Places, _: Acknowledge) -> None:
    """Bring the index of words up to date."""
    assert index_fill.update(places)


def check(places: Places, _: Acknowledge) -> None:
    """Verify, and keep and record the result."""
    assert recorded_check.check(places).result is not Result.TAMPERED


def copy_far(places: Places, _: Acknowledge) -> None:
    """Copy the checkpoint to another folder."""
    config = Config()
    far = replace(config, audit=replace(config.audit, baselines=(str(out(places)),)))
    assert far_copies.copy_far(places, far) == []


# -- conditions


def changed_by_introduction(places: Places) -> None:
    """No key was lost: every new key was introduced by the one before, and the newest is there."""
    with AuditLog.read(places.audit_db) as log:
        changes = [entry for entry in log.entries(0, 1000) if entry.data["action"] == Action.KEY_ROTATED]
        note = log.head()[2]
    assert {entry.data["result"] for entry in changes} <= {"rotated"}, "a key was lost"
    fresh = keys.fresh_file(places.audit_key)
    holders = [file for file in (places.audit_key, fresh) if file.exists() and keys.known(file, note) is not None]
    assert holders, "no file holds the key that signed last"


def waits_no_more(places: Places) -> None:
    """Everything that waited is in the log."""
    assert spool.pending(places) == []
    assert spool.pending_bad(places) == []
    ids = ids_in_log(places)
    assert all(ids.count(draft.id) == 1 for draft in _WAITING)


def two_segments(places: Places) -> None:
    """Two segments are closed, each once."""
    with AuditLog.read(places.audit_db) as log:
        assert [(segment.first, segment.size) for segment in segments.closed(log)] == [(0, 256), (256, 512)]
        assert [entry.data["action"] for entry in log.entries(600)].count("audit.rotated") == 2


def whole_segments(places: Places) -> None:
    """The log begins where a segment ends."""
    with AuditLog.read(places.audit_db) as log:
        assert log.start() in (0, 256, 512)


def forgotten(places: Places) -> None:
    """Two segments are gone, each once."""
    with AuditLog.read(places.audit_db) as log:
        assert log.start() == 512
        assert [entry.data["action"] for entry in log.entries(512, 500)].count("audit.pruned") == 2


def archived(places: Places) -> None:
    """The archive holds each pruned entry, and held it before the log dropped it."""
    with AuditLog.read(places.audit_db) as log:
        first = log.start()
    if first:
        assert holds(out(places), 0, first), "pruned, and not in the archive"


def erased(places: Places) -> None:
    """The detail is gone everywhere, and the log says so once."""
    seq = personal_entry(places)
    with AuditLog.read(places.audit_db) as log:
        assert log.entry(seq).erased
        assert [entry.data["action"] for entry in log.entries(0, 100)].count("audit.redacted") == 1
    salt = (places.state.parent / "salt").read_bytes()
    assert not [item for item in files(places.state) if salt in item.read_bytes()], "its details are still in a file"
    names = {place.name for place in files(places.state)}
    assert "search.db" not in names or not terms(places) & {"somebody", "somebody's"}, (
        "its words are still in the index"
    )


def terms(places: Places) -> set[str]:
    """The words that the index knows."""
    connection = sqlite3.connect(places.search_index)
    try:
        return {row[0] for row in connection.execute("SELECT term FROM terms")}
    finally:
        connection.close()


def personal_with_salt(places: Places) -> None:
    """The same log, and a note of the bytes beside the details in the file."""
    personal(places)
    connection = sqlite3.connect(places.audit_db)
    try:
        (salt,) = connection.execute("SELECT salt FROM bodies WHERE seq = ?", (personal_entry(places),)).fetchone()
    finally:
        connection.close()
    (places.state.parent / "salt").write_bytes(salt)


def holds_what_it_says(places: Places) -> None:
    """If there is a checkpoint in the folder, then all that it covers is there too, also for the stand-alone verifier."""
    note = out(places) / tlog.CHECKPOINT
    if note.exists():
        seen = checkpoint.parse(note.read_bytes())
        assert holds(out(places), 0, seen.size, seen.root), "the folder lacks entries that its checkpoint covers"
        assert standalone.check_export(out(places), [str(key) for key in keys.pins(places.audit_key)]) == seen.size


def holds_all(places: Places) -> None:
    """The folder holds the whole log."""
    with AuditLog.read(places.audit_db) as log:
        size, root, _ = log.head()
    assert holds(out(places), 0, size, root)


def proves(places: Places) -> None:
    """The file is not there, or it proves."""
    file = out(places) / "proof"
    if file.exists():
        assert proof.Proof.from_bytes(file.read_bytes()).check(keys.pins(places.audit_key)).size > 3


def is_whole(places: Places) -> None:
    """The file is not there, or it is whole."""
    file = out(places) / "report.txt"
    assert not file.exists() or file.read_bytes() == _BIG


def is_lines(places: Places) -> None:
    """The report is not there, or each of its lines is whole."""
    file = out(places) / "report.jsonl"
    if file.exists():
        assert file.read_bytes().endswith(b"\n")
        assert all(json.loads(line) for line in file.read_bytes().splitlines())


def finds(places: Places) -> None:
    """A search finds all, whatever the index is like."""
    with AuditLog.read(places.audit_db) as log:
        entries = search(log, Filter(text=("needle",)), 100).entries
    assert len({entry.seq for entry in entries}) == len(entries) == 20


def indexed_all(places: Places) -> None:
    """The index is sound and knows each entry once."""
    connection = sqlite3.connect(places.search_index)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        state = connection.execute("SELECT done, start FROM state").fetchone()
    finally:
        connection.close()
    size = len(ids_in_log(places))
    assert state == (size, 0)


OPERATIONS = {
    "append": Operation(small, append),
    "append, the copy beside is lost": Operation(without_a_copy, append),
    "a new log": Operation(nothing, record, first=True),
    "record and drain": Operation(with_waiting, record, done=waits_no_more),
    "into the spool": Operation(small, keep, again=spool.drain),
    "key change": Operation(small, lambda places, _: rotation.rotate(places), changed_by_introduction),
    "closing segments": Operation(aged, close_segments, done=two_segments),
    "pruning": Operation(closed, forget, whole_segments, forgotten),
    "pruning with archive": Operation(closed, forget_with_archive, archived, forgotten),
    "erasing": Operation(personal_with_salt, erase, done=erased, again=erase_again),
    "first append to a copy": Operation(restored, append),
    "export of tiles": Operation(exported, export, holds_what_it_says, holds_all),
    "proof in a file": Operation(with_out, prove, proves),
    "report in a file": Operation(with_out, put_report, is_whole),
    "report of a run": Operation(with_out, report, is_lines),
    "index of words": Operation(indexed, index, finds, indexed_all),
    "verification": Operation(verified, check),
    "copy elsewhere": Operation(with_out, copy_far),
}


# -- trying


def ids_before(places: Places) -> list[str]:
    """The ids of all entries of a log of any format, in their order; it stays as it is."""
    if not places.audit_db.exists():
        return []
    connection = sqlite3.connect(f"file:{places.audit_db}?mode=ro", uri=True)
    try:
        return [row[0] for row in connection.execute("SELECT id FROM entries ORDER BY seq")]
    finally:
        connection.close()


def ids_in_log(places: Places) -> list[str]:
    """The ids of all entries, in their order, which must be without a gap."""
    if not places.audit_db.exists():
        return []
    with AuditLog.read(places.audit_db) as log:
        entries = log.entries(0, 10_000)
        first, size = log.start(), log.head()[0]
    assert [entry.seq for entry in entries] == list(range(first, size)), "the log has a gap"
    return [str(entry.data["id"]) for entry in entries]


def sound(places: Places, before: Iterable[str], acknowledged: Iterable[str], *, first: bool) -> None:
    """Assert that all that was acknowledged is there exactly once, and that the log verifies."""
    ids = ids_in_log(places)
    waiting = [draft.id for draft in spool.pending(places)]
    assert len(set(ids)) == len(ids), "an entry is there twice"
    assert set(acknowledged) - {"done"} <= {*ids, *waiting}, "an acknowledged entry is missing"
    if ids:
        kept = [known for known in before if known in ids]
        assert ids[: len(kept)] == kept, "an old entry is missing"
        near = all_copies.notes(places)
        verdict = verify(places.audit_db, places.audit_key, kept=near, pinned=all_copies.pinned(places))
        assert verdict.result is (Result.INTACT if near else Result.INCONCLUSIVE), f"{verdict.result}: {verdict.why}"
    else:
        assert first, "the log is gone"


def files(folder: Path) -> list[Path]:
    """The files below *folder* that SQLite does not come and go with."""
    return [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(("-wal", "-shm"))]


def names(places: Places) -> list[str]:
    """The names of all files in the places; a new log has a name of its own."""
    folder = places.state.parent
    return sorted(_UUID.sub("LOG", str(path.relative_to(folder))) for path in files(folder))


def later(places: Places) -> None:
    """Let two days pass for unfinished files: only then is it certain that no process still writes them."""
    for path in files(places.state.parent):
        if path.name.startswith("."):
            moment = clock.now_ms() / 1000 - 2 * 86_400
            os.utime(path, (moment, moment))


class Trial:
    """One operation, tried again and again from the same state."""

    def __init__(self, operation: Operation, folder: Path) -> None:
        self._operation, self._folder, self._number = operation, folder, 0
        template = self._places(folder / "template")
        operation.prepare(template)
        self._ids = ids_before(template)
        self.kills = 0
        self.problems: list[str] = []
        places = self._fresh()
        began = time.perf_counter()
        ended = killing.run(lambda tell: operation.act(places, tell), self._errors())
        self.steps, self.seconds = ended.steps, time.perf_counter() - began
        self._names: list[str] | None = None
        self._look(places, ended.acknowledged, "not killed")

    def at(self, step: int) -> None:
        """Kill before changing system call number *step*."""
        self._try(f"step {step} of {self.steps}", kill_at=step)

    def after(self, moment: float) -> None:
        """Kill after *moment* seconds."""
        self._try(f"after {moment:.6f} s", moment=moment)

    def _try(self, what: str, *, kill_at: int = 0, moment: float = 0.0) -> None:
        places = self._fresh()
        ended = killing.run(
            lambda tell: self._operation.act(places, tell), self._errors(), kill_at=kill_at, moment=moment
        )
        self.kills += ended.killed
        self._look(places, ended.acknowledged, what)
        shutil.rmtree(places.state.parent)

    def _look(self, places: Places, acknowledged: tuple[str, ...], what: str) -> None:
        operation = self._operation
        try:
            sound(places, self._ids, acknowledged, first=operation.first)
            operation.settled(places)
            later(places)
            if operation.again is None:
                operation.act(places, lambda _: None)
            else:
                operation.again(places)
            spool.drain(places)
            sound(places, self._ids, acknowledged, first=False)
            operation.settled(places)
            operation.done(places)
            self._names = self._names or names(places)
            present = names(places)
            assert present == self._names, f"left behind: {set(present) ^ set(self._names)}"
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            self.problems.append(
                f"{what}: {getattr(error, 'why', '') or error or type(error).__name__} ({where.name}:{where.lineno})"
            )

    def _fresh(self) -> Places:
        self._number += 1
        folder = self._folder / str(self._number)
        shutil.copytree(self._folder / "template", folder)
        return self._places(folder)

    def _places(self, folder: Path) -> Places:
        return Places(folder / "config", folder / "state", folder / "runtime", folder / "log")

    def _errors(self) -> Path:
        return self._folder / "errors"


def main(folder: str, most: str, moments: str, *chosen: str) -> None:
    """Try operations, all by default, and print each one's result."""
    os.umask(0o077)
    killing.sync_nothing()
    results = {}
    for number, name in enumerate(chosen or OPERATIONS):
        trial = Trial(OPERATIONS[name], Path(folder) / f"operation-{number}")
        steps = min(int(most), trial.steps)
        for step in range(steps):
            trial.at(1 + step * trial.steps // steps)
        moment = random.Random(name)
        for _ in range(int(moments)):
            trial.after(max(1e-6, moment.uniform(0, trial.seconds * 0.8)))
        results[name] = {"kills": trial.kills, "steps": trial.steps, "problems": trial.problems}
    print(json.dumps(results))


if __name__ == "__main__":
    main(*sys.argv[1:])
