"""Read bytes of an engine's output as lines, as text that can be stored and shown, and as JSON."""

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tray.core import regex

LINE_LIMIT = 1024 * 1024
"""A longer line, in bytes, is read in pieces of this length."""


def split_lines(text: bytes, *, returns: bool) -> Iterator[bytes]:
    """Yield the lines of *text* with their ends; of an engine whose updates end with a carriage return, each update alone."""
    yield from re.findall(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+" if returns else rb"[^\n]*\n|[^\n]+", text)


_LEAD = regex.compile(rb"(?:\r|\x1b\[[0-9;]*[A-Za-z])+")


def strip_terminal(line: bytes) -> bytes:
    r"""Return *line* without its line end, and without the codes that restic puts before it on a terminal (`\r\e[2K`)."""
    line = line.rstrip(b"\r\n")
    lead = _LEAD.match(line)
    return line[lead.end() :] if lead else line


def plain(line: bytes) -> str:
    r"""Return *line* as text without line end and surrounding blanks; bytes that are no UTF-8 become visible as `\xNN`."""
    return strip_terminal(line).decode("utf-8", "backslashreplace").strip()


def valid(text: str) -> str:
    """Return *text* with lone surrogates (bytes that were no UTF-8, broken JSON escapes) made visible."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join(_shown(char) if "\ud800" <= char <= "\udfff" else char for char in text)
    return text


def _shown(char: str) -> str:
    code = ord(char)
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def with_item(item: str | None, message: str) -> str:
    """Return a problem in words, with its item, which many messages begin with or quote."""
    if not item or message.startswith(item) or ("/" in item and item in message):
        return message
    return f"{item} ({message})"


def begins_in(part: bytes, word: bytes) -> bool:
    """Whether *word*, or its beginning at the end, stands in *part*."""
    return word in part or any(part.endswith(word[:size]) for size in range(1, len(word)))


def many_problems(errors: int) -> str:
    """Return "1 problem" or "2 problems"."""
    return "1 problem" if errors == 1 else f"{errors} problems"


def decode(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object in *body*, or None; bytes that are no UTF-8 come back as lone surrogates."""
    try:
        value = json.loads(body.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def count(message: Mapping[str, Any], key: str) -> int:
    """Return a count of *message*, 0 where it is missing (Go's programs leave out zeros) or cannot be one."""
    value = message.get(key, 0)
    return int(value) if type(value) in (int, float) and 0 <= value < 2**63 else 0


def text_of(value: object) -> str:
    """Return *value* if it is text."""
    return valid(value) if isinstance(value, str) else ""


def first_text(value: object) -> str | None:
    """Return the first text of a list."""
    return valid(value[0]) if isinstance(value, list) and value and isinstance(value[0], str) else None


def words(text: str) -> frozenset[str]:
    """Return the words of *text* as a set."""
    return frozenset(text.split())


def program_name(path: str) -> str:
    """Return the last part of a program's path, also of a Windows one."""
    return posixpath.basename(path.replace("\\", "/"))


def size_of(number: str, unit: str | None) -> int | None:
    """Return "1.66 MB" or "1.447 GiB" in bytes, as far as that can be stored; None if it is no number."""
    if number.count(".") > 1 or not number.strip("."):
        return None
    letter = (unit or "B")[0].upper()
    power = "BKMGTPEZY".index(letter)
    return min(round(float(number) * float(1024 if unit and "i" in unit else 1000) ** power), 2**63 - 1)
