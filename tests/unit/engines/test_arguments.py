"""Command lines of engines, split into options and words."""

import pytest

from tray.engines.arguments import Grammar, grammar, read
from tray.engines.tar import ENGINE

GRAMMAR = Grammar(
    values=frozenset(("exclude", "archive-dir", "restore-as-of")),
    switches=frozenset(("dry-run", "exclude-caches")),
    also={"r": "restore-as-of", "t": "restore-as-of", "v": "verbose"},
    pairs=frozenset(("rename",)),
    shortens=True,
)
GO = Grammar(
    values=frozenset(("repo",)),
    switches=frozenset(("quiet",)),
    also={"r": "repo", "q": "quiet"},
    equals=True,
    unknown="value before the subcommand",
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
        ("-vr x a", {"verbose": ("",), "restore-as-of": ("x",)}, ["a"]),
        ("-t3D a", {"restore-as-of": ("3D",)}, ["a"]),
        ("a -- --exclude -r", {}, ["a", "--exclude", "-r"]),
        ("- a", {}, ["-", "a"]),
        ("--new-flag x", {"new-flag": ("",)}, ["x"]),
        ("--exclude", {"exclude": ("",)}, []),
        ("-r", {"restore-as-of": ("",)}, []),
        ("--", {}, []),
    ],
)
def test_no_value_is_taken_for_a_word(given: str, options: dict[str, tuple[str, ...]], words: list[str]) -> None:
    """Whole, shortened, bundled, glued: what belongs to an option is none of the folders to back up."""
    found = read(["program", *given.split()], 1, GRAMMAR)
    assert found.options == options
    assert list(found.words) == words


def test_words_know_where_they_stand() -> None:
    """The wrapper adds its options behind the right word of the command line."""
    found = read(["nice", "p", "-r", "x", "full", "--", "-a"], 2, GRAMMAR)
    assert (found.words, found.places, found.end) == (("full", "-a"), (4, 6), 5)
    assert (found.at, found.subcommand, found.rest) == (4, "full", ("-a",))
    found = read(["p", "--", "full", "-a"], 1, GRAMMAR)
    assert (found.at, found.subcommand, found.rest) == (None, "", ("full", "-a"))


def test_a_forced_engine_is_found_behind_an_unknown_wrapper() -> None:
    """`--engine tar` with a program of one's own in front still reads tar's own words."""
    assert ENGINE.program_at(["mywrap", "-x", "/bin/tar", "cf", "a"], 0) == 2
    assert ENGINE.program_at(["mytar", "cf", "a", "/srv/tar"], 0) == 0
    assert ENGINE.program_at(["mywrap", "a"], 0) == 0
    assert ENGINE.program_at([], 0) == 0


@pytest.mark.parametrize(
    ("given", "options", "command", "rest"),
    [
        ("-r x backup a", {"repo": ("x",)}, "backup", ("a",)),
        ("-r=x backup -qn a", {"repo": ("x",), "quiet": ("",), "n": ("",)}, "backup", ("a",)),
        ("--new x backup --newer a", {"new": ("x",), "newer": ("",)}, "backup", ("a",)),
        ("backup -nx a", {"n": ("x",)}, "backup", ("a",)),
        ("backup -q=false --repo=y a", {"quiet": ("false",), "repo": ("y",)}, "backup", ("a",)),
    ],
)
def test_an_option_that_nobody_knows_is_read_as_the_program_reads_it(
    given: str, options: dict[str, tuple[str, ...]], command: str, rest: tuple[str, ...]
) -> None:
    """Programs made with cobra take the word behind an unknown option for its value until the subcommand has come."""
    found = read(given.split(), 0, GO)
    assert (found.options, found.subcommand, found.rest) == (options, command, rest)


def test_a_switch_that_is_given_as_false_is_given_but_not_on() -> None:
    """`--quiet=false` is a wish of the user's all the same."""
    found = read(["-q=false", "--repo", "a", "--repo", "b"], 0, GO)
    assert (found.given("quiet"), found.on("quiet"), found.on("json")) == (True, False, False)
    assert (found.last("json", "repo"), found.every("repo", "json")) == ("b", ("a", "b"))


def test_a_grammar_is_written_as_words() -> None:
    """A letter stands before its option, and another name of an option behind the one that it has too."""
    table = grammar(values="t:to only", switches="x:extract get=extract", optional="z:compress", pairs="rename")
    words = "p -xz9 -t /a --get --compress=3 -z b --rename c d"
    options = read(tuple(words.split()), 1, table)
    assert options.options == {
        "extract": ("", ""),
        "compress": ("9", "3", ""),
        "to": ("/a",),
        "rename": ("c d",),
    }
    assert options.words == ("b",)
    assert options.typed == ("-xz9", "-t", "/a", "--get", "--compress=3", "-z", "b", "--rename", "c", "d")
