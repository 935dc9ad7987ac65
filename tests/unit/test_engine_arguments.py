"""Command lines of engines, split into options and words."""

import pytest

from tray.engines.arguments import Grammar, program_at, read

GRAMMAR = Grammar(
    values=frozenset(("exclude", "archive-dir")),
    switches=frozenset(("dry-run", "exclude-caches")),
    letters="rt",
    pairs=frozenset(("rename",)),
    shortens=True,
)


@pytest.mark.parametrize(
    ("given", "options", "words"),
    [
        ("full a b", {}, ["full", "a", "b"]),
        ("--exclude x a", {"exclude": ("x",)}, ["a"]),
        ("--exclude=x a --exclude y", {"exclude": ("x", "y")}, ["a"]),
        ("--arch x --dry a", {"archive-dir": ("x",), "dry-run": ("",)}, ["a"]),
        ("--excl x a", {"excl": ("",)}, ["x", "a"]),
        ("--rename a b c", {"rename": ("a b",)}, ["c"]),
        ("-vr x a", {"v": ("",), "r": ("x",)}, ["a"]),
        ("-t3D a", {"t": ("3D",)}, ["a"]),
        ("a -- --exclude -r", {}, ["a", "--exclude", "-r"]),
        ("- a", {}, ["-", "a"]),
        ("--new-flag x", {"new-flag": ("",)}, ["x"]),
        ("--exclude", {"exclude": ("",)}, []),
        ("-r", {"r": ("",)}, []),
        ("--", {}, []),
    ],
)
def test_no_value_is_taken_for_a_word(given: str, options: dict[str, tuple[str, ...]], words: list[str]) -> None:
    """Whole, shortened, bundled, glued: what belongs to an option is none of the folders to back up."""
    found = read(["program", *given.split()], 1, GRAMMAR)
    assert found.options == options
    assert [word for _, word in found.words] == words


def test_words_know_where_they_stand() -> None:
    """What is added to a command line is added behind the right word."""
    assert read(["nice", "p", "-r", "x", "full", "--", "-a"], 2, GRAMMAR).words == ((4, "full"), (6, "-a"))


def test_a_forced_engine_is_found_behind_a_wrapper_that_nobody_knows() -> None:
    """`--engine tar` with a program of one's own in front still reads tar's own words."""
    assert program_at(["mywrap", "-x", "/bin/tar", "cf", "a"], 0, lambda name: name == "tar") == 2
    assert program_at(["mywrap", "a"], 0, lambda name: name == "tar") == 0
    assert program_at([], 0, lambda name: name == "tar") == 0
