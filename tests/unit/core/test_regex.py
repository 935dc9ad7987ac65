import re

import pytest

from tray.core import regex


def test_an_expression_is_compiled_when_it_is_first_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start pays only for the expressions that it needs."""
    compiled: list[str] = []
    real = re.compile
    monkeypatch.setattr(re, "compile", lambda text, flags=0: compiled.append(text) or real(text, flags))
    word = regex.compile(r"(\w+) (?P<last>b+)", re.IGNORECASE)
    assert compiled == []
    match = word.fullmatch("a BB")
    assert match is not None
    assert (match[1], match["last"], word.sub("x", "a b"), word.search("c")) == ("a", "BB", "x", None)
    assert word.match(" a b", 1) is not None


def test_it_has_the_attributes_of_a_compiled_expression() -> None:
    """A caller can read the text and the groups of an expression."""
    number = regex.compile(rb"(\d)")
    assert (number.pattern, number.groups, number.findall(b"1 2")) == (rb"(\d)", 1, [b"1", b"2"])
