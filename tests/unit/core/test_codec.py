from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import pytest

from tray.core.codec import Coded
from tray.core.dataclass import dataclass


class Color(StrEnum):
    """A closed list of words."""

    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Part(Coded):
    """A part of a whole."""

    name: str
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Whole(Coded):
    """One field of each kind."""

    name: str
    began_ms: int
    took_ms: int | None = None
    raw_ms: int = 0
    count: int = 0
    done: bool = False
    color: Color = Color.RED
    colors: tuple[Color, ...] = ()
    parts: tuple[Part, ...] = ()
    words: tuple[str, ...] = ()
    first: Part | None = None
    texts: Mapping[str, str] | None = None
    facts: dict[str, Any] | None = None
    secret: int = 0

    JSON_KEYS = MappingProxyType({"took_ms": "took_seconds", "raw_ms": "raw_ms", "secret": None})


FULL = Whole(
    "n",
    1_700_000_000_123,
    took_ms=2500,
    raw_ms=7,
    count=3,
    done=True,
    color=Color.BLUE,
    colors=(Color.RED,),
    parts=(Part("a", 1), Part("b")),
    words=("x",),
    first=Part("f"),
    texts={"a": "b"},
    facts={"c": [1]},
)


def test_what_is_written_is_read_back() -> None:
    """Wrapper, tracker and window hold the same."""
    data = FULL.to_json()
    assert Whole.from_json(data) == FULL
    assert (data["began_at"], data["took_seconds"], data["raw_ms"]) == ("2023-11-14T22:13:20.123Z", 2.5, 7)
    assert data["parts"] == [{"name": "a", "size": 1}, {"name": "b", "size": None}]
    assert "secret" not in data


def test_unknown_keys_and_words_of_a_newer_version_are_ignored() -> None:
    """A newer program may say more."""
    data = {"name": "n", "began_at": "2026-01-01T00:00:00Z", "new": 1, "colors": ["red", "green"], "count": None}
    assert Whole.from_json(data) == Whole("n", 1_767_225_600_000, colors=(Color.RED,))


@pytest.mark.parametrize(
    "broken",
    [
        {"name": None},
        {"name": 1},
        {"began_at": 5},
        {"began_at": "soon"},
        {"took_seconds": -1},
        {"took_seconds": "2"},
        {"took_seconds": float("nan")},
        {"raw_ms": "1"},
        {"count": -1},
        {"count": True},
        {"count": 2**63},
        {"done": 1},
        {"color": "green"},
        {"colors": "red"},
        {"parts": {}},
        {"parts": ["a"]},
        {"parts": [{"size": 1}]},
        {"words": [1]},
        {"first": []},
        {"texts": {"a": 1}},
        {"facts": []},
    ],
)
def test_values_of_the_wrong_type_are_refused(broken: dict[str, object]) -> None:
    """Nothing that comes from elsewhere is shown unchecked."""
    with pytest.raises(ValueError):
        Whole.from_json({**FULL.to_json(), **broken})


def test_what_is_no_object_is_refused() -> None:
    """A list is no run."""
    with pytest.raises(ValueError):
        Whole.from_json([])  # type: ignore[arg-type]
