"""The files that a check found wrong, for the next one."""

from pathlib import Path

import pytest

from tray.jobs.suspects import MOST, Suspects


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    """Paths may hold anything; no paths leave no file."""
    suspects = Suspects(tmp_path / "x.suspects")
    paths = ["/a b", '/\u202e\n"', "/\udcff"]
    suspects.keep(paths)
    assert suspects.read() == frozenset(paths)
    suspects.keep(f"/{number}" for number in range(1000))
    assert len(suspects.read()) == MOST
    suspects.keep([])
    assert (suspects.read(), list(tmp_path.iterdir())) == (frozenset(), [])


@pytest.mark.parametrize("text", ["", "{", "7", "[7, null]", "[" * 100_000, '{"a": 1}'])
def test_a_damaged_list_is_none(tmp_path: Path, text: str) -> None:
    """The check goes on."""
    (tmp_path / "x.suspects").write_text(text)
    assert Suspects(tmp_path / "x.suspects").read() == frozenset()


def test_a_list_that_cannot_be_kept_fails_no_check(tmp_path: Path) -> None:
    """As on a full disk."""
    Suspects(tmp_path / "missing" / "x.suspects").keep(["/a"])
    assert Suspects(tmp_path / "missing" / "x.suspects").read() == frozenset()
