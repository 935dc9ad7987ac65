"""JSON that an engine printed: whatever is missing or of another type counts as nothing."""

import json
from collections.abc import Mapping
from typing import Any

from tray.engines.text import valid


def decode(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object in *body*, or None; bytes that are no UTF-8 come back as lone surrogates."""
    try:
        found = json.loads(body.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def count(message: Mapping[str, Any], key: str) -> int:
    """Return a whole number of *message*, 0 where it is missing (Go's programs leave out zeros) or cannot be one."""
    value = message.get(key, 0)
    return value if type(value) is int and 0 <= value < 2**63 else 0


def text_of(value: object) -> str:
    """Return *value* if it is text."""
    return valid(value) if isinstance(value, str) else ""


def first_text(value: object) -> str | None:
    """Return the first text of a list."""
    return valid(value[0]) if isinstance(value, list) and value and isinstance(value[0], str) else None
