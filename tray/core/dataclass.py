"""The part of Python's `dataclasses` that this program uses, without the cost of its import.

`dataclasses` loads `inspect` and compiles the methods of each class, which takes a fifth of the time in which the wrapper starts.
Here all classes share their methods. A class is hashable if it is frozen.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeVar, cast, dataclass_transform

T = TypeVar("T")
_REQUIRED = object()


class _Factory:
    """The default of a field of which each object gets its own."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make


def field(*, default_factory: Callable[[], T]) -> T:
    """Declare a field whose default *default_factory* makes anew for each object."""
    return cast(T, _Factory(default_factory))


@dataclass_transform(field_specifiers=(field,))
def dataclass(*, frozen: bool = False, slots: bool = False) -> Callable[[type[T]], type[T]]:
    """Return the decorator that makes a class with the annotated fields, as `dataclasses.dataclass` does.

    Args:
        frozen: No field can be set after `__init__`.
        slots: The objects have no other attributes than their fields.
    """

    def decorate(cls: type[T]) -> type[T]:
        space = {name: value for name, value in vars(cls).items() if name not in ("__dict__", "__weakref__")}
        own = tuple(cls.__annotations__)
        inherited: dict[str, object] = getattr(cls, "__defaults__", {})
        defaults = {**inherited, **{name: space.pop(name, _REQUIRED) for name in own}}
        names = tuple(defaults)
        space |= {"__slots__": own if slots else (*own, "__dict__"), "__match_args__": names, "__defaults__": defaults}
        space |= {"__init__": _init, "__eq__": _eq, "__repr__": _repr, "__hash__": _hash if frozen else None}
        if frozen:
            space["__setattr__"] = space["__delattr__"] = _refuse
        made: Any = type(cls.__name__, cls.__bases__, space)
        made.__rows__ = tuple((getattr(made, name).__set__, name, default) for name, default in defaults.items())
        made.__values__ = attrgetter(*names)
        return cast("type[T]", made)

    return decorate


def replace(record: T, **changes: Any) -> T:
    """Return a copy of *record*, an object of a dataclass, with *changes*."""
    return type(record)(**{**asdict(record), **changes})


def asdict(record: object) -> dict[str, Any]:
    """Return the values of *record* by the names of its fields; the values stay what they are."""
    return {name: getattr(record, name) for name in fields(record)}


def fields(record: object) -> tuple[str, ...]:
    """Return the names of the fields of a dataclass or of an object of one."""
    return cast("tuple[str, ...]", record.__match_args__)  # type: ignore[attr-defined] # `dataclass` sets it


def _init(self: Any, *values: object, **named: object) -> None:
    rows = self.__rows__
    for (put, _, _), value in zip(rows, values, strict=False):
        put(self, value)
    for put, name, default in rows[len(values) :]:
        value = named.pop(name, default) if named else default
        if value is _REQUIRED:
            raise TypeError(f"{type(self).__name__} needs {name}")
        put(self, value.make() if value.__class__ is _Factory else value)
    if named or len(values) > len(rows):
        raise TypeError(
            f"{type(self).__name__} takes {fields(self)} once each, not also {tuple(named) or values[len(rows) :]}"
        )
    if hasattr(self, "__post_init__"):
        self.__post_init__()


def _eq(self: Any, other: Any) -> bool:
    return self.__values__(self) == other.__values__(other) if other.__class__ is self.__class__ else NotImplemented


def _hash(self: Any) -> int:
    return hash(self.__values__(self))


def _repr(self: Any) -> str:
    return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in asdict(self).items())})"


def _refuse(self: object, name: str, *_: object) -> None:
    raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be changed")
