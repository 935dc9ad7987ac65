import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tray.core import clock
from tray.core.model import MAX_CURRENT, AuditStanding, LiveRun, Phase, clip

RUN = LiveRun("r", "home", "restic", 1_700_000_000_123)

counts = st.none() | st.integers(0, 2**63 - 1)


@given(files=counts, total=counts, done=counts, size=counts, phase=st.sampled_from(Phase), name=st.none() | st.text())
def test_a_live_run_survives_the_wire(
    files: int | None, total: int | None, done: int | None, size: int | None, phase: Phase, name: str | None
) -> None:
    """Tray and window show the same values as the wrapper knows, at any size."""
    run = RUN.with_changes(
        files_done=files, files_total=total, bytes_done=done, bytes_total=size, phase=phase, current=name
    )
    assert LiveRun.from_json(json.loads(json.dumps(run.to_json()))) == run


@pytest.mark.parametrize(
    "broken",
    [
        {"run": 5},
        {"job": None},
        {"started_at": "yesterday"},
        {"started_at": "2026-01-01T00:00:00"},
        {"phase": "dancing"},
        {"files_done": -1},
        {"files_done": True},
        {"bytes_total": 1.5},
        {"bytes_total": 2**63},
        {"current": ["x"]},
    ],
)
def test_a_live_run_of_the_wrong_form_is_refused(broken: dict[str, object]) -> None:
    """Every message from the socket is checked before a surface shows it."""
    with pytest.raises(ValueError):
        LiveRun.from_json({**RUN.to_json(), **broken})


@pytest.mark.parametrize("broken", [None, [], 1, "intact", True])
def test_a_standing_of_the_wrong_form_is_refused(broken: object) -> None:
    """A damaged file, or another program's answer, is a ValueError like that of every other object."""
    with pytest.raises(ValueError, match="not an object"):
        AuditStanding.from_json(broken)  # type: ignore[arg-type]


def test_a_fraction_is_known_only_when_the_total_is() -> None:
    """No percentage while scanning, none without a total, and never more than all."""
    copying = RUN.with_changes(phase=Phase.COPYING)
    assert RUN.with_changes(bytes_done=5, bytes_total=10).fraction is None
    assert copying.with_changes(bytes_done=5).fraction is None
    assert copying.with_changes(bytes_done=5, bytes_total=0).fraction is None
    assert copying.with_changes(bytes_done=5, bytes_total=10).fraction == 0.5
    assert copying.with_changes(bytes_done=50, bytes_total=10).fraction == 1.0
    assert copying.with_changes(files_done=1, files_total=4).fraction == 0.25


def test_figures_hold_at_ten_terabytes_and_ten_million_files() -> None:
    """NFR-SCAL-01."""
    run = RUN.with_changes(
        phase=Phase.COPYING,
        files_done=9_999_999,
        files_total=10_000_000,
        bytes_done=9_999_999_999_999,
        bytes_total=10**13,
    )
    assert run.to_json()["percent"] == 99
    assert LiveRun.from_json(run.to_json()) == run


@given(st.text())
def test_a_clipped_name_fits_and_keeps_its_end(name: str) -> None:
    """The end of a path names the file."""
    short = clip(name)
    assert len(short.encode()) <= MAX_CURRENT
    if len(name.encode()) <= MAX_CURRENT:
        assert short == name
    else:
        assert name.endswith(short[1:])


def test_names_that_are_no_text_are_made_visible() -> None:
    """A file name need not be UTF-8."""
    assert clip("a\udcffb") == "a\\udcffb"


@given(st.integers(0, 253_402_300_799_998))
def test_times_survive_as_text_and_sort_like_time(ms: int) -> None:
    """The audit log's form of time loses nothing."""
    assert clock.from_text(clock.to_text(ms)) == ms
    assert clock.to_text(ms) < clock.to_text(ms + 1)


@pytest.mark.parametrize("bad", [-1, 253_402_300_800_000])
def test_times_beyond_four_digit_years_are_refused(bad: int) -> None:
    """They would not sort any more."""
    with pytest.raises(ValueError):
        clock.to_text(bad)


def test_ids_are_uuids_of_version_7_that_sort_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replaying a spool in the order of names is replaying it in the order of time."""
    import uuid

    made = []
    for ms in (1, 1000, 1_700_000_000_000, 2_000_000_000_000):
        monkeypatch.setattr(clock, "now_ms", lambda ms=ms: ms)
        made.append(clock.new_id())
        parsed = uuid.UUID(made[-1])
        assert (parsed.version, parsed.variant, parsed.int >> 80) == (7, uuid.RFC_4122, ms)
    assert made == sorted(made)
