import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tray.rhythm import slots
from tray.takeover import units
from tray.takeover.schedule import DAY_MS, HOUR_MS, MINUTE_MS
from tray.takeover.shell import UNKNOWN

HERE = units.specifiers("backup@srv-data.service", home="/home/ann", user="ann", host="web1.lan", system=False)


def test_drop_ins_change_a_unit() -> None:
    """An empty value takes back those before it, as systemd reads it."""
    unit = units.unit(
        ["[Timer]\nOnCalendar=daily\nOnCalendar=12:00\n", "[Timer]\nOnCalendar=\nOnCalendar=weekly\n# c\n; d\n"]
    )
    assert unit.all("Timer", "OnCalendar") == ("weekly",)
    continued = units.unit(["[Service]\nExecStart=/bin/a \\\n  b\n"])
    assert units.commands(continued, HERE, {}) == [("/bin/a", "b")]


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("15min", 15 * MINUTE_MS),
        ("1h 30m", 90 * MINUTE_MS),
        ("90", 90_000),
        ("1d", DAY_MS),
        ("1.5h", 90 * MINUTE_MS),
        ("x", None),
        ("", None),
    ],
)
def test_spans_are_read(text: str, ms: int | None) -> None:
    """The spans of systemd.time(7)."""
    assert units.span(text) == ms


@pytest.mark.process
@pytest.mark.parametrize("text", ["15min", "1h 30m", "90", "2weeks 3days", "1.5h", "5s", "1M"])
def test_spans_are_those_of_systemd(text: str) -> None:
    """systemd itself says how long each is."""
    said = subprocess.run(["systemd-analyze", "timespan", text], capture_output=True, text=True, check=True).stdout
    microseconds = next(int(line.split(":")[1]) for line in said.split("\n") if "μs:" in line or "us:" in line)
    assert units.span(text) == pytest.approx(microseconds / 1000, rel=0.001)


def test_a_timer_states_its_rhythm() -> None:
    """Calendar, zone and the delay by chance."""
    timer = units.timer(units.unit(["[Timer]\nOnCalendar=Mon..Fri 20:30 Europe/Berlin\nRandomizedDelaySec=1h\n"]))
    assert (timer.on, timer.zone, timer.delay_ms) == ("Mon..Fri 20:30", "Europe/Berlin", HOUR_MS)
    assert slots.fault(timer.on or "", timer.zone) is None


def test_a_timer_with_several_times_states_them_all() -> None:
    """One OnCalendar a line; times in two zones fit into no rhythm."""
    timer = units.timer(units.unit(["[Timer]\nOnCalendar=02:00\nOnCalendar=14:00 UTC\n"]))
    assert "several time zones" in timer.why
    timer = units.timer(units.unit(["[Timer]\nOnCalendar=02:00\nOnCalendar=14:00\n"]))
    assert timer.on == "02:00\n14:00"


def test_a_timer_that_repeats_states_an_interval() -> None:
    """`OnUnitActiveSec=1d` is every day; after a boot alone is no rhythm."""
    assert units.timer(units.unit(["[Timer]\nOnBootSec=15min\nOnUnitActiveSec=1d\n"])).every_ms == DAY_MS
    once = units.timer(units.unit(["[Timer]\nOnBootSec=15min\n"]))
    assert not once.stated
    assert "after the machine" in once.why
    assert units.timer(units.unit([""])).why


@pytest.mark.parametrize(
    ("value", "argv"),
    [
        ("/usr/bin/restic backup %h/Documents", ("/usr/bin/restic", "backup", "/home/ann/Documents")),
        ('-/bin/a "b c" 100%%', ("/bin/a", "b c", "100%")),
        ("@/bin/a zero b", ("/bin/a", "b")),
        ("/bin/a $OPTS ${REPO} $$x", ("/bin/a", "-v", "-q", "/mnt/r r", "$x")),
        ("/bin/a %i /%I %H", ("/bin/a", "srv-data", "/srv/data", "web1.lan")),
        ("/bin/a %b", ("/bin/a", UNKNOWN)),
        ("/bin/a ; b | c", ("/bin/a", ";", "b", "|", "c")),
    ],
)
def test_commands_are_read_as_systemd_reads_them(value: str, argv: tuple[str, ...]) -> None:
    """Quotes, specifiers and variables; no shell."""
    unit = units.unit([f"[Service]\nExecStart={value}\n"])
    assert units.commands(unit, HERE, {"OPTS": "-v -q", "REPO": "/mnt/r r"}) == [argv]


def test_variables_of_a_service_are_read() -> None:
    """From the unit, and from the file that it names."""
    unit = units.unit(['[Service]\nEnvironment=A=1 "B=x y"\nEnvironmentFile=-/etc/x\nEnvironmentFile=%h/y\n'])
    assert units.environment(unit, HERE) == {"A": "1", "B": "x y"}
    assert units.environment_files(unit, HERE) == ["/etc/x", "/home/ann/y"]
    assert units.settings_in("# c\nA=1\nexport B='x y'\nno\n=z\n") == {"A": "1", "B": "x y"}


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    """No unit file ends the search."""
    unit = units.unit([text, "[Service]\nExecStart=" + text.replace("\n", " ")])
    units.timer(unit)
    units.commands(unit, HERE, {})
    units.environment(unit, HERE)
