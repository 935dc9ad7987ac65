import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.status.test_source import record
from tray.core import clock
from tray.core.errors import RepositoryCacheError
from tray.core.model import Outcome, RepositoryState, State
from tray.core.paths import Places
from tray.repository import cache
from tray.repository.cache import Entry, Expected, Room
from tray.runs import Process
from tray.status import StatusSource

NOW = clock.now_ms()
STATE = RepositoryState(
    "/mnt/b", "restic", NOW, snapshots=3, last_snapshot="ab" * 32, last_snapshot_ms=NOW - 5, size=12, locked_by="me"
)
ENTRY = Entry(
    STATE,
    folder="/mnt/b",
    jobs=("home", "etc"),
    used_ms=NOW - 4,
    looked_ms=NOW,
    asked_ms=NOW - 9,
    mark="1 2",
    expected=(Expected("home", "0190aaaa", "abababab", NOW - 100, "absent"),),
    stuck=Process(4711, "99"),
    rooms=(Room(NOW - 9, 5, 10), Room(NOW, 4, 10)),
)


def kept(places: Places, raw: str | bytes, name: str = ENTRY.name) -> Path:
    """Put *raw* where the cache has a file."""
    cache.home(places).mkdir(parents=True, exist_ok=True, mode=0o700)
    path = cache.home(places) / name
    path.write_bytes(raw.encode() if isinstance(raw, str) else raw)
    return path


def poll(places: Places) -> "tuple[State, list[RepositoryState], tuple[str, ...]]":
    """Return what `backup-tray status` would show."""
    source = StatusSource(places, role="cli", start_tracker=False, system=False)
    try:
        found = source.poll()
        json.dumps(found.to_json())
        return found.state, list(found.repositories), found.notes
    finally:
        source.close()


def test_what_was_kept_is_read_again(places: Places) -> None:
    """Every field survives, in a file for the owner alone, and nothing else is left beside it."""
    cache.write(places, ENTRY)
    path = cache.home(places) / ENTRY.name
    assert cache.read(path) == ENTRY
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert os.listdir(path.parent) == [ENTRY.name]


def test_one_repository_has_one_file(places: Places) -> None:
    """The same folder is the same file for the same engine only."""
    assert cache.name_of("restic", "/a") == cache.name_of("restic", "/a")
    assert len({cache.name_of("restic", "/a"), cache.name_of("restic", "/b"), cache.name_of("borg", "/a")}) == 3


def test_polls_see_a_change_at_once(places: Places) -> None:
    """A file that was replaced is read again, one that is gone is forgotten."""
    reader = cache.Cache(places)
    assert reader.contents() == cache.Contents({}, {})
    cache.write(places, ENTRY)
    assert list(reader.contents().entries.values()) == [ENTRY]
    again = cache.known(places, ENTRY.name)
    assert again is not None
    cache.write(places, again.of_job("third"))
    assert reader.contents().entries[ENTRY.name].jobs == ("home", "etc", "third")
    cache.forget(places, ENTRY.name)
    assert reader.contents().entries == {}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff\xfe",
        b'{"schema": 1}',
        b'{"schema": 2, "state": {}}',
        b"[" * 100_000,
        b" " * 300_000,
        json.dumps({**ENTRY.to_json(), "state": {**STATE.to_json(), "as_of": "0001-01-01T00:00:00Z"}}).encode(),
        json.dumps({**ENTRY.to_json(), "state": {**STATE.to_json(), "snapshots": -1}}).encode(),
        json.dumps({**ENTRY.to_json(), "expected": [3]}).encode(),
        json.dumps({**ENTRY.to_json(), "stuck": [1]}).encode(),
        json.dumps({**ENTRY.to_json(), "looked_at": 1.5}).encode(),
    ],
)
def test_a_damaged_cache_is_an_error_with_a_way_out_and_nothing_is_called_fine(raw: bytes, places: Places) -> None:
    """AF-2: what, why and next are shown, in the repository's place and as a note; a hidden warning must not turn green."""
    record(places, "home", Outcome.SUCCEEDED)
    kept(places, raw)
    state, (shown,), notes = poll(places)
    assert state is State.WARNING
    assert shown.error is not None
    assert shown.error["code"] == "ERROR_REPOSITORY_CACHE"
    assert ENTRY.name in shown.error["why"]
    assert "backup-tray repository --refresh" in shown.error["next"]
    assert len(notes) == 1
    assert "cannot be read" in notes[0]


@given(st.data())
def test_no_cache_file_can_crash_its_reader(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Whatever stands in the file is an entry or an error, never anything else."""
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    anything = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)
    document = ENTRY.to_json()
    at = data.draw(st.sampled_from(["top", "state", "expected"]))
    target = {"top": document, "state": document["state"], "expected": document["expected"][0]}[at]
    target[data.draw(st.sampled_from(sorted(target)))] = data.draw(anything)
    path = tmp_path_factory.mktemp("cache") / "x.json"
    path.write_text(json.dumps(document))
    try:
        found = cache.read(path)
    except RepositoryCacheError:
        return
    assert cache.Entry.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_an_unreadable_file_is_an_error_and_the_next_look_mends_it(places: Places) -> None:
    """A folder in the place of the file cannot be read by anybody; what can be read beside it is still shown."""
    cache.write(places, ENTRY)
    (cache.home(places) / ("f" * 32 + ".json")).mkdir()
    assert [state.error is None for state in poll(places)[1]] == [True, False]
    kept(places, "garbage")
    assert [state.error is None for state in poll(places)[1]] == [False, False]
    cache.write(places, ENTRY)
    assert [state.error is None for state in poll(places)[1]] == [True, False]


def test_a_cache_whose_folder_cannot_be_read_says_so(places: Places) -> None:
    """No list is not an empty list."""
    places.state.mkdir(parents=True, mode=0o700)
    cache.home(places).write_text("in the way")
    state, (shown,), _ = poll(places)
    assert state is State.WARNING
    assert shown.error is not None
    assert str(cache.home(places)) in shown.error["why"]
    with pytest.raises(RepositoryCacheError):
        cache.write(places, ENTRY)


def test_what_was_known_is_shown_dated_when_the_file_breaks_under_a_reader(places: Places) -> None:
    """A window that is open keeps the last good data beside the error."""
    cache.write(places, ENTRY)
    source = StatusSource(places, role="cli", start_tracker=False, system=False)
    assert source.poll().repositories == (STATE,)
    kept(places, "{")
    (broken,) = source.poll().repositories
    source.close()
    assert (broken.as_of_ms, broken.snapshots, broken.repository) == (NOW, 3, "/mnt/b")
    assert broken.error is not None


def test_the_error_goes_on_record_once(places: Places) -> None:
    """AF-2: who looks later learns that it could not be read."""
    record(places, "home", Outcome.SUCCEEDED)
    kept(places, "{")
    poll(places)
    poll(places)
    from tray.audit.store import AuditLog

    log = AuditLog.read(places.audit_db)
    results = [entry.data["result"] for entry in log.entries()]
    log.close()
    assert results.count("ERROR_REPOSITORY_CACHE") == 1


def test_polling_changes_nothing_in_the_cache(places: Places) -> None:
    """Viewing reads."""
    cache.write(places, ENTRY)
    folder = cache.home(places)
    before = [(path.name, path.stat().st_mtime_ns, path.stat().st_ctime_ns) for path in [folder, *folder.iterdir()]]
    poll(places)
    poll(places)
    assert before == [
        (path.name, path.stat().st_mtime_ns, path.stat().st_ctime_ns) for path in [folder, *folder.iterdir()]
    ]


def test_two_writers_do_not_wait_for_each_other_for_long(places: Places) -> None:
    """A lock that another process keeps costs the wrapper a moment, never its end."""
    with cache.alone(places):
        began = clock.monotonic()
        with cache.alone(places):
            cache.write(places, ENTRY)
        assert clock.monotonic() - began < 2
    assert cache.known(places, ENTRY.name) == ENTRY


def test_a_full_disk_leaves_the_old_file(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of a file never takes the place of a whole one, and nothing is left beside it."""
    cache.write(places, ENTRY)
    monkeypatch.setattr(cache.os, "write", lambda _, raw: len(raw) // 2)
    with pytest.raises(RepositoryCacheError) as caught:
        cache.write(places, ENTRY.of_job("other"))
    assert "No space left" in caught.value.why
    assert os.listdir(cache.home(places)) == [ENTRY.name]
    assert cache.known(places, ENTRY.name) == ENTRY


def test_jobs_with_ever_new_names_do_not_make_the_file_grow(places: Places) -> None:
    """A job named by the date of each run must not fill the cache until it is too long to be read."""
    entry = ENTRY
    for number in range(500):
        job = f"night {number} {'x' * 100}"
        entry = entry.of_job(job).expecting(job, Expected(job, "r" * 36, "a" * 64, NOW))
    cache.write(places, entry)
    found = cache.known(places, entry.name)
    assert found is not None
    assert len(found.jobs) == len(found.expected) == cache.MAX_JOBS
    assert f"night 499 {'x' * 100}" in [made.job for made in found.expected]
