import pytest
from hypothesis import given
from hypothesis import strategies as st

from tray.takeover import crontab
from tray.takeover.crontab import Dialect
from tray.takeover.schedule import DAY_MS

PLAIN = Dialect()
CRONIE = Dialect(zones=True, delays=True)


def test_settings_hold_for_the_lines_below_them() -> None:
    """`RESTIC_REPOSITORY` above a line is that line's variable, not the one's before."""
    first, second = crontab.lines("1 1 * * * a\nR = '/mnt/x'\nM=\n1 1 * * * b", PLAIN)
    assert (dict(first.variables), dict(second.variables)) == ({}, {"R": "/mnt/x", "M": ""})
    assert (first.number, second.number) == (1, 4)


def test_a_percent_sign_ends_the_command() -> None:
    r"""The rest is what the command reads; `\%` is a plain one, and the line can be written again as it was."""
    (line,) = crontab.lines(r"1 1 * * * a $(date +\%F) 100\%%first%second", PLAIN)
    assert line.command == "a $(date +%F) 100%"
    assert line.stdin == "first\nsecond"
    assert crontab.written(line.command, line.stdin) == r"a $(date +\%F) 100\%%first%second"


def test_a_system_crontab_names_the_user() -> None:
    """/etc/crontab has a sixth field."""
    (line,) = crontab.lines("15 2 * * 1 postgres  pg_dump x", Dialect(users=True))
    assert (line.user, line.command, line.before) == ("postgres", "pg_dump x", "15 2 * * 1 postgres  ")
    (named,) = crontab.lines("@daily root run", Dialect(users=True))
    assert (named.user, named.command, named.schedule.on) == ("root", "run", "0 0 * * *")


def test_a_time_zone_counts_only_where_cron_knows_it() -> None:
    """Debian's cron passes over CRON_TZ, so a rhythm in that zone would be wrong by hours."""
    text = "CRON_TZ=Europe/Berlin\nRANDOM_DELAY=10\n1 1 * * * a"
    assert crontab.lines(text, PLAIN)[0].schedule.zone is None
    cronie = crontab.lines(text, CRONIE)[0].schedule
    assert (cronie.zone, cronie.delay_ms) == ("Europe/Berlin", 600_000)


@pytest.mark.parametrize("text", ["1 1 * *", "1 1 * * *", "@daily", "1 1 * * * \t", "nonsense", "61 * * * * restic"])
def test_a_line_that_cron_cannot_read_is_kept_with_its_reason(text: str) -> None:
    """The user sees that it does nothing."""
    (line,) = crontab.lines(text, PLAIN)
    assert line.why


def test_reboot_is_no_fault() -> None:
    """It is a schedule that no clock can follow."""
    (line,) = crontab.lines("@reboot restic backup /", PLAIN)
    assert not line.why
    assert not line.schedule.stated


def test_anacron_counts_days() -> None:
    """Period, delay, name and command; lines may be continued."""
    text = "RANDOM_DELAY=45\n1\t5\tcron.daily\trun-parts \\\n /etc/cron.daily\n@monthly 15 m echo\n7 x bad line\n"
    daily, monthly, bad = crontab.anacron_lines(text)
    assert (daily.schedule.every_ms, daily.schedule.delay_ms, daily.label) == (DAY_MS, 50 * 60_000, "cron.daily")
    assert daily.command.split() == ["run-parts", "/etc/cron.daily"]
    assert monthly.schedule.every_ms == 30 * DAY_MS
    assert bad.why


@given(st.text(max_size=200), st.booleans())
def test_any_text_is_read(text: str, users: bool) -> None:
    """No crontab ends the search."""
    for line in [*crontab.lines(text, Dialect(users=users)), *crontab.anacron_lines(text)]:
        assert line.why or line.command
