"""Logs of redrawn lines keep the last state of a line."""

import pytest

from tray.runs.log import ROWS, Screen


def shown(*lines: bytes) -> list[bytes]:
    """Return what a screen makes of *lines*."""
    screen = Screen()
    return [part for line in lines for part in screen.feed(line)] + screen.rest()


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        ([b"one\n", b"two\n"], [b"one", b"two"]),
        ([b"dos\r\n", b"\n"], [b"dos", b""]),
        ([b"1%\r2%\r3%\n"], [b"3%"]),
        ([b"\r1%\r2%", b"\r3%\n", b"end\n"], [b"3%", b"end"]),  # cut into pieces
        ([b"1%\r", b"2%\r", b"done\n"], [b"done"]),  # an engine whose updates come one by one
        ([b"1%\r", b"2%\r", b"\n", b"end\n"], [b"2%", b"end"]),
        ([b"1%\r", b"2%\r"], [b"2%"]),  # never ended
        ([b"\x1b[2K1%\x1b[2K\r2%\x1b[1G3%\n"], [b"3%"]),
        ([b"10%\b\b\b11%\b\b\b12%\n"], [b"12%"]),
        ([b"a\n", b"b\n", b"\x1b[2Aa1\n", b"b1\n", b"\x1b[2A\x1b[2Ka2\n", b"\x1b[2Kb2\n", b"c\n"],
         [b"a", b"b", b"a2", b"b2", b"c"]),
        ([b"\x1b[31mred\x1b[0m\n"], [b"\x1b[31mred\x1b[0m"]),  # colours are no redraw
        ([b"x" * 9, b"y\n"], [b"x" * 9, b"y"]),  # a long line comes in pieces
    ],
)  # fmt: skip
def test_only_the_last_state_of_a_line_is_left(lines: list[bytes], left: list[bytes]) -> None:
    """The log shows the lines as the user would see them on the terminal at the end."""
    assert shown(*lines) == left


def test_a_block_that_is_drawn_again_stays_small() -> None:
    """`docker pull`, `rclone -P`: however often, and with many lines after it."""
    drawn = [b"head\n", *(b"\x1b[3A\x1b[2K%d\n\x1b[2Kx%d\n\x1b[2Ky\n" % (at, at) for at in range(1000))]
    lines = [line + b"\n" for block in drawn for line in block.split(b"\n") if line]
    assert len(shown(*lines, *[b"end\n"] * 500)) <= 500 + 10
    assert len(shown(*[b"\x1b[1A%d\n" % at for at in range(5000)])) <= ROWS
