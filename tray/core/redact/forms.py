"""A known secret in the forms in which programs print it, and one expression for all of them."""

import json
import re
from collections.abc import Iterable

from tray.core import regex
from tray.core.redact.plain import is_ordinary, is_worth_learning

_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_BETWEEN = regex.compile(r"[\s:=,;@|&'\"%(){}\[\]<>/\\-]+")
_CLAUSE = regex.compile(r"[\s:,;|&?#'\"(){}\[\]<>]+")
_ALONE = 6
"""Shorter secrets are hidden only where they stand alone, else every log would be unreadable."""
_MOST = 120
_LONGEST = 16_384
_LONGEST_COMMAND = 4096
_CAT = regex.compile(r"\s*(?:cat|head -n ?1|/bin/cat|/usr/bin/cat)\s+(\"[^\"]+\"|'[^']+'|[^\s;|&<>$\"']+)\s*")
_ECHO = regex.compile(
    r"\s*(?:/usr)?(?:/bin/)?(?:echo|printf)\s+(?:-[neE]{1,3}\s+)?(?:[\"']?%s(?:\\n)?[\"']?\s+)?"
    r"(\"[^\"]+\"|'[^']+'|[^\s;|&<>$\"']+)\s*"
)


def learnt(secrets: Iterable[str]) -> frozenset[str]:
    """Return the secrets that are hidden wherever they occur: not those that are ordinary words."""
    values = {secret.strip() for secret in secrets if len(secret) <= _LONGEST}
    values |= {part for secret in tuple(values) for part in parts(secret)}
    known = [secret for secret in values if secret.strip("*") and not is_ordinary(secret)]
    return frozenset(sorted(known, key=len, reverse=True)[:_MOST])


def parts(text: str) -> list[str]:
    """Return what in *text* looks like a secret by itself: of `echo S3cret | x`, `me:S3cret`, `{"key":"S3cret"}`."""
    pieces = []
    for piece in _CLAUSE.split(text):
        pieces += [piece.strip("-@+~"), piece.partition("=")[2], *(part.strip("-") for part in _BETWEEN.split(piece))]
    return [part for part in dict.fromkeys(pieces) if is_worth_learning(part)]


def pattern(secrets: Iterable[str]) -> "tuple[tuple[str, ...], re.Pattern[str] | None]":
    """Return all forms of all secrets, the longest first, and one expression for them."""
    forms = {form for secret in secrets for form in forms_of(secret)}
    if not forms:
        return (), None
    ordered = tuple(sorted(forms, key=lambda form: (-len(form), form)))
    alone = (rf"(?<!\w){re.escape(form)}(?!\w)" if len(form) < _ALONE else re.escape(form) for form in ordered)
    return ordered, re.compile("|".join(alone))


def forms_of(secret: str) -> set[str]:
    """Return *secret* as programs print it: as it is, in JSON (also Go's), in shell quotes, percent-encoded or decoded."""
    forms = {secret} | {
        line.strip() for line in secret.splitlines() if len(line.strip()) >= _ALONE and line[:5] != "-----"
    }
    if not (secret.isascii() and secret.isalnum()):
        raw = _bytes(secret)
        printed = json.dumps(secret, ensure_ascii=False)[1:-1]
        go = printed.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
        forms |= {_decoded(secret), _encoded(raw, ""), _encoded(raw, "/"), raw.decode("utf-8", "backslashreplace")}
        forms |= {raw.decode("utf-8", "replace"), printed, go, json.dumps(secret)[1:-1]}
        forms |= {secret.replace("'", "'\"'\"'"), secret.replace("'", "'\\''")}
    return {form for form in forms if form.strip() and form.strip("*")}


def _bytes(text: str) -> bytes:
    """Return *text* as the bytes that the system gave us, or nearly so if it holds what no system gives."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def _encoded(raw: bytes, safe: str) -> str:
    """Percent-encode; urllib.parse would cost every wrapper milliseconds of its start."""
    return "".join(chr(byte) if chr(byte) in _UNRESERVED or chr(byte) in safe else f"%{byte:02X}" for byte in raw)


def _decoded(text: str) -> str:
    raw = re.sub(rb"%([0-9A-Fa-f]{2})", lambda code: bytes.fromhex(code[1].decode()), _bytes(text))
    return raw.decode("utf-8", "replace")


def printed_file(command: str) -> str:
    """Return the file whose content a password command prints: of `cat FILE`; "" if it does something else."""
    match = _CAT.fullmatch(command) if len(command) < _LONGEST_COMMAND else None
    return "" if match is None else match[1].strip("\"'")


def printed_words(command: str) -> str:
    """Return the words that a password command prints: of `echo WORDS` or `printf %s WORDS`; "" if it does something else."""
    match = _ECHO.fullmatch(command) if len(command) < _LONGEST_COMMAND else None
    return "" if match is None else match[1].strip("\"'")
