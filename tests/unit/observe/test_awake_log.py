"""Marks of the time in which the machine was awake: few, small, and harmless when damaged."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tray.core import clock, locks
from tray.core.paths import Places, private
from tray.observe import awake_log, boots
from tray.observe.awake_log import BEAT, BOOT, END, OFF, RUN, Keeper, Mark

MINUTE, HOUR, DAY = 60_000, 3_600_000, clock.DAY_MS
START = 1_795_000_000_000


class Machine:
    """A machine whose clocks go on when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall, self.since, self.slept, self.boot = START, HOUR, 0, "boot-a"
        monkeypatch.setattr(clock, "now_ms", lambda: self.wall)
        monkeypatch.setattr(clock, "since_boot_ms", lambda: self.since)
        monkeypatch.setattr(clock, "slept_ms", lambda: self.slept)
        monkeypatch.setattr(locks, "boot_id", lambda: self.boot)

    def work(self, ms: int) -> None:
        """Let time pass."""
        self.wall += ms
        self.since += ms

    def sleep(self, ms: int) -> None:
        """Let time pass in which the machine sleeps."""
        self.work(ms)
        self.slept += ms


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Return a machine that has been awake for an hour."""
    return Machine(monkeypatch)


def test_a_quiet_day_of_the_tracker_takes_one_line(places: Places, machine: Machine) -> None:
    """Every five minutes it overwrites its sign of life; nothing grows."""
    keeper = Keeper(places)
    keeper.begin()
    for _ in range(288):
        machine.work(5 * MINUTE)
        keeper.beat()
    assert len(awake_log.parsed(places.awake_log.read_bytes())) == 1
    assert [mark.wall_ms for mark in awake_log.read(places)] == [START, START + DAY]


def test_a_sleep_is_known_by_the_moments_before_and_after_it(places: Places, machine: Machine) -> None:
    """The tracker's timer stands still with the machine, so the next sign of life comes soon after the sleep."""
    keeper = Keeper(places)
    keeper.begin()
    machine.work(5 * MINUTE)
    keeper.beat()
    machine.sleep(8 * HOUR)
    machine.work(5 * MINUTE)
    keeper.beat()
    _, before, after = awake_log.parsed(places.awake_log.read_bytes())
    assert (before.slept_ms, after.slept_ms) == (0, 8 * HOUR)
    assert after.since_boot_ms - before.since_boot_ms == 8 * HOUR + 5 * MINUTE


def test_the_last_sign_of_life_outlives_a_power_cut_and_the_next_tracker(places: Places, machine: Machine) -> None:
    """The next tracker puts it on record before it overwrites it."""
    keeper = Keeper(places)
    keeper.begin()
    machine.work(5 * MINUTE)
    keeper.beat()
    machine.wall, machine.since, machine.boot = START + DAY, MINUTE, "boot-b"
    Keeper(places).begin()
    marks = awake_log.parsed(places.awake_log.read_bytes())
    assert [(mark.kind, mark.boot, mark.wall_ms) for mark in marks] == [
        (BEAT, "boot-a", START),
        (BEAT, "boot-a", START + 5 * MINUTE),
        (BEAT, "boot-b", START + DAY),
    ]


def test_a_tracker_that_ends_says_so(places: Places, machine: Machine) -> None:
    """After that the machine may be on or off: no sign of life is left behind."""
    keeper = Keeper(places)
    keeper.begin()
    machine.work(MINUTE)
    keeper.end()
    assert [mark.kind for mark in awake_log.read(places)] == [BEAT, END]


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\0" * 100,
        b"1 beat 1795000000000 boot-a 3600000 0 00000000\n",
        b"1 beat 1795000000000 boot-a 36",
        "1 beät 1 ß 1 1 00000000\n".encode(),
        b"\xff\xfe\n" * 50,
    ],
)
def test_damage_costs_the_damaged_lines_alone(places: Places, machine: Machine, damage: bytes) -> None:
    """A torn line does not take the next one with it, and noise is no mark."""
    awake_log.note_run(places)
    with open(places.awake_log, "ab") as file:
        file.write(damage)
    machine.work(MINUTE)
    awake_log.note_run(places)
    assert [mark.wall_ms for mark in awake_log.read(places)] == [START, START + MINUTE]


@given(raw=st.binary(max_size=400))
def test_noise_never_raises_and_is_never_a_mark(raw: bytes) -> None:
    """A checksum stands on each line."""
    assert awake_log.parsed(raw) == []
    assert boots.parsed(raw) == []


@given(
    kind=st.sampled_from([BEAT, END, RUN]),
    times=st.lists(st.integers(0, 1 << 45), min_size=3, max_size=3).map(sorted),
    boot=st.uuids().map(str),
    place=st.integers(0, 200),
)
def test_a_mark_is_read_as_it_was_written_and_not_with_a_digit_changed(
    kind: str, times: list[int], boot: str, place: int
) -> None:
    """One changed byte is noticed."""
    mark = Mark(kind, times[2], boot, times[1], times[0])
    line = mark.line()
    assert awake_log.parsed(line) == [mark]
    at = place % (len(line) - 1)
    changed = line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]
    assert awake_log.parsed(changed) == []


def test_times_that_make_no_sense_are_no_mark(machine: Machine) -> None:
    """A machine did not sleep longer than it ran, nor run before 1970."""
    for mark in (Mark(BEAT, START, "b", 5, 6), Mark(BEAT, 4, "b", 5, 1), Mark(BEAT, -1), Mark("x", START)):
        assert awake_log.parsed(mark.line()) == []


def test_a_full_disk_a_pipe_and_a_foreign_folder_cost_nothing_but_the_mark(places: Places, machine: Machine) -> None:
    """No run and no tracker suffers from it, or waits."""
    private(places.state)
    os.mkfifo(places.awake_log)
    keeper = Keeper(places)
    for step in (keeper.begin, keeper.beat, keeper.end, lambda: awake_log.note_run(places)):
        step()
    assert awake_log.read(places) == []
    places.awake_log.unlink()
    places.state.chmod(0o777)
    awake_log.note_run(places)
    assert not places.awake_log.exists()


def test_the_file_stays_small_and_keeps_what_tells_something(places: Places, machine: Machine) -> None:
    """A wrapper that runs each quarter of an hour for months leaves the two ends of each stretch and every sleep."""
    marks = []
    for day in range(120):
        for _ in range(40):
            machine.work(15 * MINUTE)
            marks.append(awake_log.now(RUN))
        machine.sleep(14 * HOUR)
        if day == 60:
            machine.since, machine.slept, machine.boot = MINUTE, 0, "boot-b"
    for begin in range(0, len(marks), 100):
        awake_log.append(places, [mark for mark in marks[begin : begin + 100] if mark is not None])
    assert places.awake_log.stat().st_size < awake_log.MOST_BYTES + 20_000
    kept = awake_log.compacted([mark for mark in marks if mark is not None])
    assert len(kept) <= 2 * 121
    assert (kept[0], kept[-1]) == (marks[0], marks[-1])
    assert awake_log.compacted(kept) == kept


def test_a_file_that_is_far_too_long_is_begun_anew(places: Places, machine: Machine) -> None:
    """It was damaged; what it held is not known."""
    private(places.state)
    places.awake_log.write_bytes(b"x" * (5 << 20))
    awake_log.note_run(places)
    assert places.awake_log.stat().st_size < 1000
    machine.work(MINUTE)
    awake_log.note_run(places)
    assert [mark.wall_ms for mark in awake_log.read(places)] == [START + MINUTE]


def test_many_writers_lose_no_mark(places: Places, machine: Machine) -> None:
    """Each mark is one write at the end of the file."""

    def write() -> None:
        for _ in range(50):
            awake_log.note_run(places)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(awake_log.read(places)) == 200


def test_where_the_system_does_not_tell_nothing_is_noted(
    places: Places, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the boot's id or the time of sleep a mark would say nothing."""
    machine.boot = locks.UNKNOWN_BOOT
    awake_log.note_run(places)
    machine.boot = "boot-a"
    monkeypatch.setattr(clock, "slept_ms", lambda: None)
    Keeper(places).begin()
    assert awake_log.read(places) == []


def test_this_machine_tells_its_sleep() -> None:
    """The kernel's two clocks agree, but for the sleep."""
    slept, since = clock.slept_ms(), clock.since_boot_ms()
    assert slept is not None
    assert 0 <= slept <= since
    assert awake_log.now(BEAT) is not None


@pytest.mark.process
def test_a_sleep_is_read_from_the_clocks_of_the_kernel() -> None:
    """In a time namespace whose clock of all time is ten hours ahead of the clock that stops during sleep."""
    code = "from tray.observe import awake_log; print(awake_log.now('beat').slept_ms)"
    command = ["unshare", "-r", "--time", "--boottime", "36000", sys.executable, "-c", code]
    shown = int(subprocess.check_output(command))
    slept = clock.slept_ms()
    assert slept is not None
    assert abs(shown - slept - 36_000_000) < 1000


UTMP = (
    "[2] [00000] [~~  ] [reboot  ] [~           ] [6.1.0-18-amd64      ] [0.0.0.0        ] [2026-11-01T08:00:00,000000+00:00]\n"
    "[7] [01234] [ts/0] [alice   ] [pts/0       ] [10.0.0.7            ] [10.0.0.7       ] [2026-11-01T08:05:00,000000+00:00]\n"
    "[1] [00000] [~~  ] [shutdown] [~           ] [6.1.0-18-amd64      ] [0.0.0.0        ] [2026-11-01T20:00:00,500000+00:00]\n"
    "[2] [00000] [~~  ] [reboot  ] [~           ] [6.1.0-18-amd64      ] [0.0.0.0        ] [2026-11-02T08:00:00,000000+00:00]\n"
)


@pytest.mark.process
def test_wtmp_tells_when_the_machine_started_and_went_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written by util-linux, in the form of this machine; the beginning of a long file may be cut anywhere."""
    raw = subprocess.run(["utmpdump", "-r"], input=UTMP.encode(), capture_output=True, check=True).stdout
    file = tmp_path / "wtmp"
    file.write_bytes(raw)
    monkeypatch.setattr(boots, "WTMP", (tmp_path / "none", file))
    known = [(mark.kind, clock.to_text(mark.wall_ms)) for mark in boots.recorded()]
    assert known == [
        (BOOT, "2026-11-01T08:00:00.000Z"),
        (OFF, "2026-11-01T20:00:00.500Z"),
        (BOOT, "2026-11-02T08:00:00.000Z"),
    ]
    monkeypatch.setattr(boots, "_MOST_BYTES", len(raw) - 100)
    assert [mark.kind for mark in boots.recorded()] == [OFF, BOOT]


def test_a_wtmp_of_the_wide_form_is_read_as_well() -> None:
    """As on aarch64."""
    form = boots._FORMS[1]
    row = (2, 0, b"~", b"~~", b"reboot", b"", 0, 0, 0, START // 1000, 0, 0, 0, 0, 0)
    assert (form.size, boots.parsed(form.pack(*row) * 3)) == (400, [Mark(BOOT, START)] * 3)


def test_another_form_and_a_missing_file_tell_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer system keeps no wtmp, or something else under its name."""
    monkeypatch.setattr(boots, "WTMP", (tmp_path / "none", tmp_path))
    assert boots.recorded() == []
    assert boots.parsed(b"SQLite format 3\0" * 100) == []


@pytest.mark.process
@pytest.mark.parametrize(
    ("says", "kinds"),
    [
        (
            '[{"index":-1,"first_entry":1793500000000000,"last_entry":1793600000000000},{"index":0,"first_entry":1793700000000000}]',
            [BOOT, OFF, BOOT],
        ),
        ("-1 0123456789 Sun 2026-11-01", []),
        ('[{"index":"x"}]', []),
        ("7", []),
    ],
)
def test_journald_tells_it_where_it_speaks_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, kinds: list[str]
) -> None:
    """An older one prints a table for people, from which nothing is taken."""
    program = tmp_path / "journalctl"
    program.write_text(f"#!/bin/sh\ncat <<'E'\n{says}\nE\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert [mark.kind for mark in boots.journalled()] == kinds
