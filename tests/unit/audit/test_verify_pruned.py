"""A log whose oldest part was pruned still proves the rest, and no attacker can pass off a deletion as a pruning."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.audit import attacks as by
from tests.unit.audit.help import end, start, tamper
from tests.waiting import wait_for
from tray.audit import last_check, rotation, segments
from tray.audit.segments import prune
from tray.audit.store import AuditLog
from tray.audit.verify.check import Kind, Result, Verdict, verify
from tray.baselines import all_copies, recorded_check
from tray.core import clock
from tray.core.dataclass import replace
from tray.core.paths import Places

NOTES: dict[str, bytes] = {}


def checked(places: Places, **more: bytes) -> Verdict:
    """Verify against the copies beside the configuration and *more*."""
    kept = all_copies.notes(places)
    return verify(places.audit_db, places.audit_key, kept=kept, pinned=all_copies.pinned(places), baselines=more)


@pytest.fixture
def pruned(template: Path, tmp_path: Path) -> Places:
    """A copy of the pruned log, to be tampered with."""
    return by.places_in(Path(shutil.copytree(template, tmp_path / "home")))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of 4 closed segments, the key changed in the second, of which the first two were pruned one after the other."""
    home = tmp_path_factory.mktemp("pruned") / "home"
    home.mkdir(mode=0o700)
    places = by.places_in(home)
    with by.opened(places) as log:
        log.append([draft for n in range(49) for draft in (start(f"a{n}"), end(f"a{n}"))])
        NOTES["at 100"] = log.head()[2]
        log.append([end(f"b{n}") for n in range(200)])
    rotation.rotate(places)
    with by.opened(places) as log:
        log.append([end(f"c{n}") for n in range(211)])
        NOTES["at 512"] = log.head()[2]
        assert log.head()[0] == 512
        log.append([end(f"d{n}") for n in range(600)])
        segments.rotate(log, 256)
        NOTES["newer"] = log.head()[2]
        log.append([end("later")])
    before = clock.now_ms()
    wait_for(lambda: clock.now_ms() > before)
    found = all_copies.notes(places)
    assert [segment.size for segment in prune(places, 0, found, most=1)] == [256]
    assert [segment.size for segment in prune(places, 0, all_copies.notes(places), most=1)] == [512]
    return home


def test_what_is_left_of_a_pruned_log_is_intact(pruned: Places) -> None:
    """From the compact range on: chain, tree, joins and the keys that signed what went, one of them changed meanwhile."""
    verdict = checked(pruned, **NOTES)
    assert (verdict.result, verdict.kind, verdict.entries) == (Result.INTACT, None, 1119), verdict.why
    assert any("before 512 were pruned" in note for note in verdict.notes)
    with AuditLog.read(pruned.audit_db) as log:
        assert log.entries(0, 1)[0].seq == 512


def test_a_baseline_that_is_older_than_what_is_left_still_counts_where_the_tiles_prove_it(pruned: Places) -> None:
    """At a tile's end verification can prove that the log continues it; between tiles it cannot, and says so."""
    verdict = checked(pruned, **{name: NOTES[name] for name in ("at 100", "at 512")})
    assert "at 512" in verdict.baselines
    assert "at 100" not in verdict.baselines
    assert any("at 100" in note and "too old" in note for note in verdict.notes)


def test_a_pruned_log_is_checked_from_where_the_last_check_ended(pruned: Places) -> None:
    """Pruning comes between two checks, or between none: both go on."""
    assert recorded_check.check(pruned).result is Result.INTACT
    with by.opened(pruned) as log:
        log.append([end("new")])
    prune(pruned, 0, all_copies.notes(pruned), most=1)
    point = last_check.point(pruned)
    assert point is not None
    verdict = verify(pruned.audit_db, pruned.audit_key, since=point, kept=all_copies.notes(pruned))
    assert (verdict.result, verdict.full) == (Result.INTACT, False)
    assert recorded_check.check(pruned).result is Result.INTACT


def test_a_point_that_was_pruned_away_asks_for_a_full_check(pruned: Places) -> None:
    """Verification can no longer read the entries between that point and the rest of the log."""
    verdict = checked(pruned)
    assert verdict.point is not None
    stale = replace(verdict.point, size=300)
    assert verify(pruned.audit_db, pruned.audit_key, since=stale, kept=all_copies.notes(pruned)).full


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (
            lambda p: tamper(p, "DELETE FROM bodies WHERE seq < 768", "DELETE FROM entries WHERE seq < 768"),
            Kind.MISSING,
        ),
        (lambda p: tamper(p, "UPDATE base SET start = 0, leaf = zeroblob(32), frontier = x''"), Kind.MISSING),
        (lambda p: tamper(p, "UPDATE base SET leaf = zeroblob(32)"), Kind.ALTERED),
        (lambda p: tamper(p, "UPDATE base SET frontier = zeroblob(32)"), Kind.REWRITTEN),
        (lambda p: tamper(p, "UPDATE base SET frontier = 'text'"), Kind.INDEX),
        (lambda p: tamper(p, "UPDATE base SET frontier = x'00'"), Kind.INDEX),
        (lambda p: tamper(p, "DELETE FROM base"), Kind.MISSING),
        (lambda p: tamper(p, "DELETE FROM segments WHERE first = 0"), Kind.MISSING),
        (lambda p: tamper(p, "DELETE FROM segments WHERE first = 256"), Kind.MISSING),
        (lambda p: tamper(p, "DELETE FROM segments WHERE first = 768"), Kind.MISSING),
        (
            lambda p: tamper(p, ("UPDATE segments SET checkpoint = ? WHERE first = 0", (NOTES["at 512"],))),
            Kind.REWRITTEN,
        ),
        (lambda p: tamper(p, "UPDATE tiles SET hash = zeroblob(32) WHERE number = 1"), Kind.REWRITTEN),
        (lambda p: tamper(p, "DELETE FROM tiles WHERE number = 0 AND level = 0"), Kind.REWRITTEN),
        (lambda p: by.edited(p, 512), Kind.ALTERED),
        (lambda p: tamper(p, "INSERT INTO bodies SELECT 100, salt, body FROM bodies WHERE seq = 600"), Kind.BODY),
    ],
)
def test_whatever_does_not_fit_the_pruned_part_is_found(
    pruned: Places, act: Callable[[Places], None], kind: Kind
) -> None:
    """A later beginning, none at all, other compact ranges, lost joins, tiles of what went."""
    act(pruned)
    verdict = verify(pruned.audit_db, pruned.audit_key)
    assert (verdict.result, verdict.kind) == (Result.TAMPERED, kind), verdict.why


def test_without_the_entry_about_it_a_pruning_is_a_deletion(pruned: Places) -> None:
    """Its details hold the keys: without them nothing that was signed can be checked, and that is no small matter."""
    seqs = [row["seq"] for row in by.rows_of(pruned) if row["action"] == "audit.pruned"]
    tamper(pruned, ("DELETE FROM bodies WHERE seq = ?", (seqs[-1],)))
    verdict = verify(pruned.audit_db, pruned.audit_key)
    assert (verdict.result, verdict.kind) == (Result.TAMPERED, Kind.KEY)
