"""When a job was on, by the changes of its settings."""

from datetime import UTC

import pytest

from tray.core.clock import DAY_MS
from tray.report.on_times import Change, OnTimes, on_times

BEGIN = 1_790_035_200_000
"""2026-09-22 00:00 UTC."""
END = BEGIN + 30 * DAY_MS
OFF, ON = ('"2026-10-02"', BEGIN + 10 * DAY_MS)
"""A day as the entry writes it, and when it begins."""


def day(number: int) -> int:
    """That day of the period."""
    return BEGIN + number * DAY_MS


@pytest.mark.parametrize(
    ("enabled", "until", "present", "expected"),
    [
        ([], [], (True, 0), OnTimes([(BEGIN, END)])),
        ([], [], (False, 0), OnTimes([], True)),
        ([], [], (True, ON), OnTimes([(ON, END)])),
        ([], [], (True, day(40)), OnTimes([], True, day(40))),
        ([(day(5), None, "false")], [], (False, 0), OnTimes([(BEGIN, day(5))], True)),
        ([(day(5), None, "false"), (day(8), "false", None)], [], (True, 0), OnTimes([(BEGIN, day(5)), (day(8), END)])),
        ([(day(-5), None, "false"), (day(8), "false", None)], [], (True, 0), OnTimes([(day(8), END)])),
        ([(day(40), None, "false")], [], (False, 0), OnTimes([(BEGIN, END)])),
        ([(day(40), "false", None)], [], (True, 0), OnTimes([], True)),
        ([], [(day(3), None, OFF)], (True, ON), OnTimes([(BEGIN, day(3)), (ON, END)])),
        ([], [(day(3), None, OFF), (day(5), OFF, None)], (True, 0), OnTimes([(BEGIN, day(3)), (day(5), END)])),
        ([], [(day(40), None, '"2099-01-01"')], (True, day(9999)), OnTimes([(BEGIN, END)])),
        (
            [(day(5), None, "false"), (day(5), "false", None)],
            [(day(5), None, OFF)],
            (True, ON),
            OnTimes([(BEGIN, day(5)), (ON, END)]),
        ),
        ([(day(5), None, "true")], [(day(6), None, '"nonsense"')], (True, 0), OnTimes([(BEGIN, END)])),
    ],
)
def test_a_job_was_on_but_for_the_times_on_record(
    enabled: list[Change], until: list[Change], present: tuple[bool, int], expected: OnTimes
) -> None:
    """Later changes tell how it was before; a value that makes no sense turns nothing off."""
    assert on_times(enabled, until, present, UTC, BEGIN, END) == expected
