"""JSON of dataclasses: a key for each field, written and checked by the field's type."""

from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType, UnionType
from typing import Any, Self, TypeVar, get_args, get_origin

from tray.core import clock
from tray.core.dataclass import dataclass, fields

C = TypeVar("C", bound="Coded")
_MOST = 2**63
_NONE = type(None)


class Coded:
    """Base of dataclasses that have a JSON form.

    Unknown keys are ignored, since a newer version may have written them. A missing key, or null, means the default. An integer
    must be from 0 to 2^63, and unknown words in a list are left out.

    A field `NAME_ms` is a time, written as RFC 3339 text under `NAME_at`, unless `JSON_KEYS` gives another key: under `…_seconds`
    it is a duration in seconds, under `…_ms` a number of milliseconds.

    Attributes:
        JSON_KEYS: Keys that differ from their field's name; None for a field that is not written.
    """

    __slots__ = ()
    JSON_KEYS: Mapping[str, str | None] = MappingProxyType({})

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {field.key: _written(getattr(self, field.name), field) for field in _fields(self.__class__)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Build the object from its JSON form.

        Raises:
            ValueError: A key is missing or has a value of the wrong type.
        """
        return from_json(cls, data)


def from_json(kind: type[C], data: Mapping[str, Any]) -> C:
    """Build an object of *kind* as `Coded.from_json` does, for a class that has a `from_json` of its own."""
    if not isinstance(data, Mapping):
        raise ValueError(f"{kind.__name__}: not an object")
    values = {}
    for field in _fields(kind):
        value = data.get(field.key)
        if value is not None:
            values[field.name] = field.read(value, field.key)
        elif field.nullable:
            values[field.name] = None
    try:
        return kind(**values)
    except TypeError as error:
        raise ValueError(str(error)) from error


def check(kind: type[Coded], data: Mapping[str, Any]) -> None:
    """Check the values that *data* has for fields of *kind*; raise ValueError for a wrong one, null included where it is one."""
    for field in _fields(kind):
        if field.key in data and not (data[field.key] is None and field.nullable):
            field.read(data[field.key], field.key)


@dataclass(frozen=True, slots=True)
class _Field:
    """The way of one field to JSON and back."""

    name: str
    key: str
    nullable: bool
    read: Callable[[Any, str], Any]


_KNOWN: dict[type, tuple[_Field, ...]] = {}


def _fields(kind: type[Coded]) -> tuple[_Field, ...]:
    if (known := _KNOWN.get(kind)) is not None:
        return known
    types = {
        name: said for base in reversed(kind.__mro__) for name, said in getattr(base, "__annotations__", {}).items()
    }
    made = []
    for name in fields(kind):
        key = kind.JSON_KEYS.get(name, name.removesuffix("_ms") + "_at" if name.endswith("_ms") else name)
        if key is not None:
            kinds = [each for each in _alternatives(types[name]) if each is not _NONE]
            nullable = len(kinds) < len(_alternatives(types[name]))
            made.append(_Field(name, key, nullable, _reader(kinds[0], name, key)))
    _KNOWN[kind] = tuple(made)
    return _KNOWN[kind]


def _alternatives(said: Any) -> tuple[Any, ...]:
    return get_args(said) if get_origin(said) is UnionType else (said,)


def _written(value: Any, field: _Field) -> Any:
    if field.read in _WRITERS and value is not None:
        return _WRITERS[field.read](value)
    return _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Coded):
        return value.to_json()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return dict(value) if isinstance(value, Mapping) else value


def _reader(kind: Any, name: str, key: str) -> Callable[[Any, str], Any]:
    """Return the function that checks and converts a value of *kind*."""
    if kind is int and name.endswith("_ms") and not key.endswith("_ms"):
        return _duration if key.endswith("_seconds") else _time
    if kind in _READERS:
        return _READERS[kind]
    if get_origin(kind) is tuple:
        item = get_args(kind)[0]
        words = isinstance(item, type) and issubclass(item, Enum)
        return _words(item) if words else _list(_reader(item, "", ""))
    if get_origin(kind) is not None:
        return _texts if get_args(kind)[1] is str else _object
    if issubclass(kind, Coded):
        return lambda value, _: kind.from_json(value)
    return lambda value, _: kind(value)


def _list(read: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    def read_all(value: Any, key: str) -> tuple[Any, ...]:
        return tuple(read(item, key) for item in _checked(value, key, list | tuple, "a list"))

    return read_all


def _words(kind: Any) -> Callable[[Any, str], Any]:
    known = {word.value: word for word in kind}

    def read_words(value: Any, key: str) -> tuple[Any, ...]:
        return tuple(known[word] for word in map(str, _checked(value, key, list | tuple, "a list")) if word in known)

    return read_words


def _checked(value: Any, key: str, kind: Any, name: str) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"{key} must be {name}")
    return value


def _text(value: Any, key: str) -> Any:
    return _checked(value, key, str, "text")


def _flag(value: Any, key: str) -> Any:
    return _checked(value, key, bool, "true or false")


def _object(value: Any, key: str) -> Any:
    return dict(_checked(value, key, Mapping, "an object"))


def _texts(value: Any, key: str) -> Any:
    texts = _object(value, key)
    if not all(isinstance(text, str) for text in texts.values()):
        raise ValueError(f"{key} must hold texts")
    return texts


def _count(value: Any, key: str) -> int:
    if type(value) is not int or not 0 <= value < _MOST:
        raise ValueError(f"{key} must be a whole number that is not negative")
    return value


def _time(value: Any, key: str) -> int:
    return clock.from_text(_text(value, key))


def _duration(value: Any, key: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _MOST:
        raise ValueError(f"{key} must be a number that is not negative")
    return round(value * 1000)


_READERS: dict[Any, Callable[[Any, str], Any]] = {str: _text, bool: _flag, int: _count}
_WRITERS: dict[Callable[[Any, str], Any], Callable[[int], Any]] = {
    _time: clock.to_text,
    _duration: lambda milliseconds: milliseconds / 1000,
}
