import subprocess
import sys

import pytest

from tray.core.dataclass import asdict, dataclass, field, fields, replace


@dataclass(frozen=True, slots=True)
class Point:
    """A frozen class."""

    x: int
    y: int = 0
    tags: tuple[str, ...] = ()


@dataclass(slots=True)
class Basket:
    """A class whose objects change."""

    owner: str
    items: list[str] = field(default_factory=list)
    size: int = 0

    def __post_init__(self) -> None:
        self.size = len(self.items)


@dataclass(frozen=True, slots=True)
class Deep(Point):
    """A class with the fields of another one."""

    z: int = 0


def test_fields_are_set_by_place_and_by_name() -> None:
    """A class is used as one of Python's `dataclasses`."""
    assert (Point(1).x, Point(1).y, Point(1, 2, ("a",)).tags, Point(y=3, x=2).y) == (1, 0, ("a",), 3)
    assert repr(Point(1)) == "Point(x=1, y=0, tags=())"
    assert Deep(1, 2, z=3) == Deep(1, 2, (), 3)
    assert fields(Deep) == ("x", "y", "tags", "z")
    match Point(1, 2):
        case Point(1, y):
            assert y == 2


def test_objects_are_equal_by_class_and_values() -> None:
    """Frozen objects are keys of a dictionary; objects that change are not."""
    assert Point(1) == Point(1, 0) != Point(2)
    assert Point(1) != Deep(1)
    assert {Point(1): "a"}[Point(1)] == "a"
    with pytest.raises(TypeError):
        hash(Basket("a"))


def test_a_copy_has_the_changes_and_nothing_else() -> None:
    """`replace` leaves the original as it is."""
    point = Point(1, tags=("a",))
    assert replace(point, y=5) == Point(1, 5, ("a",))
    assert point.y == 0
    assert asdict(point) == {"x": 1, "y": 0, "tags": ("a",)}


def test_each_object_gets_a_default_of_its_own() -> None:
    """One basket does not fill another one."""
    first, second = Basket("a"), Basket("b")
    first.items.append("apple")
    assert second.items == []
    assert Basket("c", ["x"]).size == 1


@pytest.mark.parametrize("arguments", [{}, {"x": 1, "z": 2}])
def test_missing_and_unknown_fields_are_refused(arguments: dict[str, int]) -> None:
    """A misspelt name does not pass for a default."""
    with pytest.raises(TypeError):
        Point(**arguments)
    with pytest.raises(TypeError):
        replace(Point(1), w=1)
    with pytest.raises(TypeError):
        Point(1, 2, (), 4)  # type: ignore[call-arg]


def test_a_frozen_object_does_not_change() -> None:
    """The surfaces share one status between threads."""
    point = Point(1)
    with pytest.raises(AttributeError, match="frozen"):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(AttributeError, match="frozen"):
        del point.x
    with pytest.raises(AttributeError):
        Basket("a").other = 1  # type: ignore[attr-defined]


@pytest.mark.process
def test_its_import_loads_no_inspect() -> None:
    """The wrapper starts without Python's `dataclasses`."""
    code = (
        "import sys, tray.wrapper.wrap, tray.audit.spool; print(sys.modules.keys() & {'dataclasses', 'inspect', 'ast'})"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"
