"""Reading one field of an object that came from elsewhere, and cutting a name to what may travel."""

from collections.abc import Mapping
from typing import Any

MAX_CURRENT = 512  # bytes of the current file's name that travel over the socket


def clip(text: str, limit: int = MAX_CURRENT) -> str:
    """Return *text* cut to *limit* bytes of UTF-8, keeping the end of a path, which names the file."""
    raw = text.encode("utf-8", "backslashreplace")
    if len(raw) <= limit:
        return raw.decode()
    return "…" + raw[len(raw) - limit + 3 :].decode("utf-8", "ignore")


def required(data: Mapping[str, Any], key: str, kind: type[str]) -> str:
    """Return the text *key*; ValueError if it is missing or no text."""
    value = data.get(key)
    if not isinstance(value, kind):
        raise ValueError(f"{key} must be text")
    return value


def optional(data: Mapping[str, Any], key: str, kind: type[str]) -> str | None:
    """Return the text *key*, None if it is missing or null; ValueError if it is no text."""
    return None if data.get(key) is None else required(data, key, kind)


def count(data: Mapping[str, Any], key: str) -> int | None:
    """Return the number *key*, None if it is missing or null; ValueError if it is no whole number from 0 to 2^63."""
    value = data.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise ValueError(f"{key} must be a whole number that is not negative")
    return value
