import pytest
from hypothesis import given
from hypothesis import strategies as st

from tray.takeover.shell import UNKNOWN, OddError, Shell, commands


def words(text: str) -> list[tuple[str, ...]]:
    """The words of each simple command of *text*."""
    return [command.words for command in commands(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("restic backup /home >/dev/null 2>&1", [("restic", "backup", "/home")]),
        ("cd /srv && tar c . | gzip > a.gz", [("cd", "/srv"), ("tar", "c", "."), ("gzip",)]),
        ("a 'b c' \"d e\" f\\ g # no more", [("a", "'b c'", '"d e"', "f\\ g")]),
        ('a $(b "c d" | e) `f g` ${h:-i j}', [("a", '$(b "c d" | e)', "`f g`", "${h:-i j}")]),
        ("cat <<END\nrestic backup /x\nEND\nnext", [("cat",), ("next",)]),
        ("a \\\n  b\nc", [("a", "b"), ("c",)]),
        ("(a; b) & c", [("a",), ("b",), ("c",)]),
        ("a 3>&1 4</dev/null b", [("a", "b")]),
        ("", []),
    ],
)
def test_a_text_is_split_as_a_shell_splits_it(text: str, expected: list[tuple[str, ...]]) -> None:
    """The words of each command, without redirections, comments and here-documents."""
    assert words(text) == expected


def test_each_word_knows_its_place() -> None:
    """A prefix of ours can be put before the right program."""
    text = "cd /x && restic backup /y"
    command = commands(text)[1]
    assert text[command.starts[0] :] == "restic backup /y"


@pytest.mark.parametrize("text", ["a 'b", 'a "b', "a $(b", "a ${b", "a `b", "$(" * 50, "x " * 30_000])
def test_an_odd_text_is_refused(text: str) -> None:
    """An open quote makes no guess, and an endless text no endless work."""
    with pytest.raises(OddError):
        commands(text)


SHELL = {"HOME": "/home/ann", "A": "x y", "EMPTY": ""}


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("$A", ["x", "y"]),
        ('"$A"', ["x y"]),
        ("'$A'", ["$A"]),
        ("${A}z", ["x", "yz"]),
        ("${NO:-usual}", ["usual"]),
        ("$NO", [UNKNOWN]),
        ("$EMPTY", []),
        ("~/Documents", ["/home/ann/Documents"]),
        ("$(hostname)-$(date +%F)", ["web1-2026-11-30"]),
        ("`hostname -s`", ["web1"]),
        ("$(cat /etc/secret)", [UNKNOWN]),
        ("$((1 + 2))", [UNKNOWN]),
        ("*.txt", [UNKNOWN + ".txt"]),
        ("'*.txt'", ["*.txt"]),
        ("$1", ["first"]),
        ("$?", [UNKNOWN]),
        ('"a\\"b"', ['a"b']),
        ("{a,b}", [UNKNOWN + "a,b}"]),
        ("$(dirname /opt/x/y)", ["/opt/x"]),
    ],
)
def test_words_are_expanded_without_running_anything(word: str, expected: list[str]) -> None:
    """Known values are put in; every other part is marked as unknown."""
    shell = Shell(dict(SHELL), "/", "web1", "ann", 1_796_040_000.0, ("script", "first"))
    assert shell.expand([word]) == expected


def test_all_arguments_stay_apart() -> None:
    """`"$@"` is each argument of the script."""
    assert Shell(arguments=("s", "a b", "c")).expand(['"$@"']) == ["a b", "c"]


def test_a_value_that_doubles_stays_small() -> None:
    """A hostile script cannot fill the memory."""
    shell = Shell({"a": "x" * 1000})
    for _ in range(60):
        shell.assign('a="$a$a"')
    assert len(shell.variables["a"]) <= 65_536


@given(st.text(alphabet=" ab$(){}'\"`\\;&|<>\n#=~*-", max_size=80))
def test_no_text_fails_in_another_way(text: str) -> None:
    """Any text is split and expanded, or refused as odd."""
    try:
        simple = commands(text)
        for command in simple:
            Shell().expand(command.words)
    except OddError:
        return
