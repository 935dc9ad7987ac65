"""Noise over any part of the database: everything that reads or writes the log goes on, and says what is true."""

import contextlib
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.audit.help import end, start
from tray.audit import redact, rotation, segments, spool
from tray.audit.search import index_fill
from tray.audit.store import AuditLog
from tray.baselines import all_copies, recorded_check
from tray.cli.main import main
from tray.core import clock, paths
from tray.core.errors import BackupTrayError
from tray.core.model import Status
from tray.core.paths import Places
from tray.doctor import records as doctor_records
from tray.housekeeping import rounds
from tray.status import StatusSource
from tray.window import audit_page, lists, run_pages, verification

PAGE = 4096
SEEDS = 80
GROUPS = 4
"""The damages are tried in so many tests, for as many workers."""

EMPTY = dict.fromkeys(lists._FIELDS, "")
Damage = Callable[[random.Random, bytearray], None]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a log with several jobs, a long entry, a failed run, and a copy of its checkpoint, which is made once."""
    home = tmp_path_factory.mktemp("built") / "bt"
    places = paths.places({paths.HOME_VARIABLE: str(home)})
    with AuditLog.open(places.audit_db, places.audit_key, copies=places.baselines) as log:
        for number in range(30):
            log.append([start(f"run-{number}", job=f"job-{number % 3}"), end(f"run-{number}", job=f"job-{number % 3}")])
        log.append([end("long", body={"reason": "x" * 9000})])
        log.append([start("goes on")])
    recorded_check.check(places)
    index_fill.update(places)
    return home


def a_page(chance: random.Random, data: bytearray) -> None:
    """Noise over one whole page."""
    at = chance.randrange(len(data) // PAGE) * PAGE
    data[at : at + PAGE] = chance.randbytes(PAGE)


def some_bytes(chance: random.Random, data: bytearray) -> None:
    """A few bytes anywhere."""
    for _ in range(chance.randint(1, 8)):
        data[chance.randrange(len(data))] = chance.randrange(256)


def a_bit(chance: random.Random, data: bytearray) -> None:
    """One bit."""
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def zeros(chance: random.Random, data: bytearray) -> None:
    """Blocks that a disk gave back empty."""
    at = chance.randrange(len(data) // 512) * 512
    length = 512 * chance.randint(1, 20)
    data[at : at + length] = bytes(len(data[at : at + length]))


def exchanged(chance: random.Random, data: bytearray) -> None:
    """Two pages, each in the place of the other."""
    one, two = (chance.randrange(1, len(data) // PAGE) * PAGE for _ in range(2))
    data[one : one + PAGE], data[two : two + PAGE] = data[two : two + PAGE], data[one : one + PAGE]


def cut(chance: random.Random, data: bytearray) -> None:
    """The end is gone."""
    del data[chance.randrange(len(data)) :]


def the_beginnings(chance: random.Random, data: bytearray) -> None:
    """Damage bytes that SQLite reads first of a page: the file's header, or the page's kind and its cells' places."""
    page = chance.choice([0, chance.randrange(len(data) // PAGE)]) * PAGE
    for _ in range(3):
        data[page + chance.randrange(110)] = chance.randrange(256)


DAMAGES: tuple[Damage, ...] = (a_page, some_bytes, a_bit, zeros, exchanged, cut, the_beginnings)


def content(db: Path) -> list[tuple[object, ...]]:
    """Entries and details, as SQLite gives them."""
    connection = sqlite3.connect(f"file:{db}?mode=ro", uri=True)
    try:
        query = "SELECT entries.seq, entry, salt, body FROM entries LEFT JOIN bodies ON bodies.seq = entries.seq "
        return connection.execute(query + "ORDER BY entries.seq").fetchall()
    finally:
        connection.close()


def looks(places: Places) -> dict[str, Callable[[], object]]:
    """Everything that looks at the log, or writes to it."""
    asked = lists.form(EMPTY)
    searched = lists.form(EMPTY | {"text": "saved"})
    return {
        "status": lambda: polled(places),
        "status in words": lambda: main(["status"]),
        "history": lambda: main(["history"]),
        "history of a job": lambda: main(["history", "--job", "job-1"]),
        "report": lambda: main(["report", "last"]),
        "report as csv": lambda: main(["report", "--since", "2020-01-01", "--format", "csv"]),
        "show": lambda: main(["audit", "show", "--limit", "20"]),
        "show one": lambda: main(["audit", "show", "7"]),
        "show by text": lambda: main(["audit", "show", "--text", "saved"]),
        "key": lambda: main(["audit", "key"]),
        "checkpoint": lambda: main(["audit", "checkpoint"]),
        "proof": lambda: main(["audit", "proof", "9"]),
        "doctor": lambda: doctor_records.audit_log(places),
        "doctor, waiting": lambda: list(doctor_records.waiting(places)),
        "window: overview": lambda: audit_page.overview(places),
        "window: lists": lambda: lists.offered(places),
        "window: entries": lambda: lists.entries(places, asked, None),
        "window: search": lambda: lists.entries(places, searched, None),
        "window: entry": lambda: audit_page.entry(places, 5),
        "window: history": lambda: lists.runs(places, asked, None),
        "window: report": lambda: run_pages.report(places, "run-3"),
        "window: check": lambda: verification.check(places, 5),
        "window: proof": lambda: verification.proven(places, 5),
        "words": lambda: index_fill.update(places),
        "check of what is new": lambda: recorded_check.check(places, incremental=True, scheduled=True),
        "verify": lambda: main(["audit", "verify"]),
        "rotate": lambda: close(places),
        "prune": lambda: segments.prune(places, clock.DAY_MS, all_copies.notes(places)),
        "redact": lambda: redact.redact(places, 8, "asked for"),
        "key change": lambda: rotation.rotate(places),
        "care": lambda: rounds.run(places, started=True),
    }


def polled(places: Places) -> Status:
    """The status, asked for once."""
    with contextlib.closing(StatusSource(places, role="cli", start_tracker=False)) as source:
        return source.poll()


def close(places: Places) -> None:
    """Close what can be closed."""
    with AuditLog.open(places.audit_db, places.audit_key, copies=places.baselines) as log:
        segments.rotate(log, 256)


@pytest.mark.parametrize("group", range(GROUPS))
def test_noise_is_reported_and_nothing_ends_in_a_traceback(
    group: int, built: Path, places: Places, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is damaged: each command and page answers or says in words what is wrong, and a new record is kept."""
    whole = content(paths.places({paths.HOME_VARIABLE: str(built)}).audit_db)
    problems, bad = [], 0
    for seed in range(group, SEEDS, GROUPS):
        chance = random.Random(seed)
        damage = DAMAGES[seed // GROUPS % len(DAMAGES)]
        shutil.copytree(built, tmp_path / "bt")
        data = bytearray(places.audit_db.read_bytes())
        damage(chance, data)
        places.audit_db.write_bytes(data)
        what = f"seed {seed}, {damage.__name__}"
        for name, look in looks(places).items():
            try:
                answer = look()
            except BackupTrayError as error:
                if not error.what or (not error.why and not error.next):
                    problems.append(f"{what}: {name} says nothing")
            except Exception as error:
                problems.append(f"{what}: {name}: {type(error).__name__}: {error}")
            else:
                if name == "verify" and answer == 0 and content(places.audit_db)[: len(whole)] != whole:
                    problems.append(f"{what}: called intact")
                bad += name == "verify" and answer != 0
            if "Traceback" in capsys.readouterr().err:
                problems.append(f"{what}: {name} prints a traceback")
        if spool.record(places, [end("new")]) is None and "new" not in {one.run for one in spool.pending(places)}:
            problems.append(f"{what}: a record was lost")
        shutil.rmtree(tmp_path / "bt")
    assert problems == []
    assert bad > SEEDS / GROUPS / 3
