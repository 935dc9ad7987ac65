"""Write canonical JSON after RFC 8785, as far as an entry needs it: no floats.

`canonical` is strict and gives the bytes that are hashed; `plain` makes anything fit for it.
"""

import json
from collections.abc import Mapping
from typing import Any

MAX_INT = 2**53
"""Whole numbers stay below this: every JSON reader holds them exactly."""

_MAX_DEPTH = 24


def canonical(value: Any) -> bytes:
    """Return *value* as canonical JSON (RFC 8785): objects, arrays, texts, whole numbers below 2^53, booleans and null.

    Raises:
        ValueError: A float, a number out of range, text that is not valid Unicode, or another type.
    """
    return _ENCODER.encode(_ordered(value)).encode("utf-8")


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False)


def _ordered(value: Any) -> Any:
    match value:
        case None | bool() | str():
            return value
        case int():
            if abs(value) < MAX_INT:
                return value
            raise ValueError(f"number out of range: {value}")
        case Mapping():
            if not all(isinstance(key, str) for key in value):
                raise ValueError("the keys of an object are texts")
            return {key: _ordered(value[key]) for key in sorted(value, key=_utf16)}
        case list() | tuple():
            return [_ordered(item) for item in value]
    raise ValueError(f"not allowed in canonical JSON: {type(value).__name__}")


def _utf16(key: str) -> bytes:
    # RFC 8785 sorts by UTF-16 code units, which differs from code points above U+FFFF.
    return key.encode("utf-16-be")


def plain(value: Any, depth: int = 0) -> Any:
    """Return *value* with all that canonical JSON cannot hold turned into text: nothing is refused, little is lost."""
    match value:
        case None | bool():
            return value
        case str():
            return valid_text(value)
        case int():
            return value if abs(value) < MAX_INT else str(value)
        case bytes():
            return value.decode("utf-8", "backslashreplace")
        case Mapping() if depth < _MAX_DEPTH:
            return {valid_text(str(key)): plain(item, depth + 1) for key, item in value.items()}
        case list() | tuple() if depth < _MAX_DEPTH:
            return [plain(item, depth + 1) for item in value]
    return valid_text(str(value))


def valid_text(text: str) -> str:
    r"""Return *text* as valid Unicode: bytes of a file name that were no UTF-8 become `\xNN`."""
    try:
        text.encode()
        return text
    except UnicodeEncodeError:
        try:
            return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        except UnicodeEncodeError:
            return text.encode("utf-8", "backslashreplace").decode()
