"""Bytes of an engine's output as text that can be stored and shown: always valid Unicode, one line."""

import re

_LEAD = re.compile(rb"(?:\r|\x1b\[[0-9;]*[A-Za-z])+")


def strip_terminal(line: bytes) -> bytes:
    r"""Return *line* without what restic puts before it on a terminal (`\r\e[2K`) and without its line end."""
    line = line.rstrip(b"\r\n")
    lead = _LEAD.match(line)
    return line[lead.end() :] if lead else line


def plain(line: bytes) -> str:
    r"""Return *line* as text without line end and surrounding blanks; what is no UTF-8 becomes visible as `\xNN`."""
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


def named(item: str | None, message: str) -> str:
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
