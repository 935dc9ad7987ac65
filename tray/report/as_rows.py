"""Write reports for machines: CSV (RFC 4180) and JSON Lines (the bytes that were hashed)."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import Any

from tray import wording
from tray.audit.rows import StoredEntry
from tray.core import clock
from tray.report.basis import run_of

# fmt: off
COLUMNS = (
    "entry", "time", "recorded", "action", "result", "severity", "job", "run", "engine", "kind", "source", "repository",
    "started", "duration_seconds", "bytes_processed", "bytes_added", "files", "errors", "reason", "exit_code", "snapshot",
    "actor", "id", "entry_hash",
)
# fmt: on
"""The header; columns may be added at the end, none is renamed."""

_BOM = b"\xef\xbb\xbf"
_FORMULA = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
"""First characters by which a spreadsheet takes a text for a formula, in their full-width forms too."""

_WITHIN = re.compile(rf"""([;\t][\s"']*)(?=[{re.escape(_FORMULA)}])""")
"""Places within a field where a spreadsheet begins another cell if its own separator is the semicolon, as in German or French, or
the tab: it does not take our quotes for quotes, since they do not stand where its cells begin."""


def as_csv(entries: Iterable[StoredEntry]) -> bytes:
    """Return entries as CSV: every field quoted, CRLF, UTF-8 with a byte order mark, which spreadsheets need to know it.

    Times are RFC 3339 in UTC. A text that a spreadsheet would take for a formula begins with an apostrophe; invisible characters
    are shown as on every surface.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for entry in entries:
        writer.writerow([_field(value) for value in _values(entry)])
    return _BOM + text.getvalue().encode()


def _field(value: object) -> str:
    if value is None:
        return ""
    text = str(value)
    if not isinstance(value, str):
        return text
    guarded = text.lstrip()[:1] in tuple(_FORMULA) or text[:1] in tuple(_FORMULA)
    return ("'" if guarded else "") + wording.escape(_WITHIN.sub(r"\1'", text))


def _values(entry: StoredEntry) -> Iterator[Any]:
    data, body, run = entry.data, entry.body or {}, run_of(entry)
    yield entry.seq
    for name in ("time", "recorded", "action", "result", "severity", "job", "run", "engine", "kind", "source"):
        yield data[name]
    yield body.get("repository")
    yield None if run is None or run.started_ms is None else clock.to_text(run.started_ms)
    yield None if data["duration_ms"] is None else f"{data['duration_ms'] / 1000:.3f}"
    for name in ("bytes_processed", "bytes_added", "files", "errors"):
        yield data[name]
    for name in ("reason", "exit_code", "snapshot"):
        yield body.get(name)
    yield data["actor"]
    yield data["id"]
    yield entry.leaf.hex()


def as_lines(entries: Iterable[StoredEntry]) -> bytes:
    """Return the exact bytes of the entries, one a line: SHA-256(0x00 ‖ line) is the leaf hash."""
    return b"".join(entry.raw + b"\n" for entry in entries)
