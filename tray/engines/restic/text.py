"""Make the text again that restic prints without a terminal, from the JSON that it printed instead.

Layout and number formats are restic's own (checked against 0.14 and 0.19, which agree). Three things are not in the JSON and so
cannot be made again: the id of the parent snapshot, the stored size before 0.18, and the text of the errors that 0.14 prints as
`{}`.
"""

import os
from collections.abc import Mapping
from typing import Any

from tray.engines.text import count, valid

_UNITS = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def format_bytes(size: int) -> str:
    """Return "1.447 GiB", or "704 B" below one KiB."""
    for unit, name in _UNITS:
        if size >= unit:
            return f"{size / unit:.3f} {name}"
    return f"{size} B"


def format_seconds(seconds: float) -> str:
    """Return "m:ss", or "h:mm:ss" from one hour on; parts of a second are dropped."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def summary_text(summary: Mapping[str, Any], *, parent: bool, dry: bool) -> str:
    """Return the block that ends a backup, with the line about the parent snapshot that stands before it.

    Args:
        summary: The message of type `summary`; a missing count is 0.
        parent: Whether restic speaks of a parent snapshot at all (not when it reads stdin).
        dry: Nothing was saved.
    """
    lines = [_parent(summary)] if parent else []
    lines += ["", _counts("Files:", "files", summary), _counts("Dirs: ", "dirs", summary), _added(summary, dry), ""]
    size, seconds = format_bytes(count(summary, "total_bytes_processed")), count(summary, "total_duration")
    lines.append(f"processed {count(summary, 'total_files_processed')} files, {size} in {format_seconds(seconds)}")
    if not dry:
        snapshot = summary.get("snapshot_id")
        saved = isinstance(snapshot, str) and snapshot.strip("0")
        lines.append(f"snapshot {str(snapshot)[:8]} saved" if saved else "skipped creating snapshot")
    return "\n".join(lines) + "\n"


def status_text(status: Mapping[str, Any]) -> str:
    """Return the lines that show progress where the user asked for them with RESTIC_PROGRESS_FPS."""
    done, total = count(status, "bytes_done"), count(status, "total_bytes")
    files, total_files = count(status, "files_done"), count(status, "total_files")
    left, errors = count(status, "seconds_remaining"), count(status, "error_count")
    begin = f"[{format_seconds(count(status, 'seconds_elapsed'))}] "
    if not total_files:
        line = f"{begin}{files} files, {format_bytes(done)}, {errors} errors"
    else:
        whole = f"{files} files {format_bytes(done)}, total {total_files} files {format_bytes(total)}, {errors} errors"
        left_to_do = left and done < total
        line = f"{100 * done / total:.2f}%  {whole} ETA {format_seconds(left)}" if left_to_do else whole
        line = begin + line
    current = status.get("current_files")
    names = [name for name in current if isinstance(name, str)] if isinstance(current, list) else []
    return valid("\n".join([line, *names]) + "\n")


def error_text(error: object, item: str) -> str:
    """Return restic's words about one item that it could not back up.

    0.18 and later give a message. Before, the JSON holds Go's error as data: `{Op, Path, Err}` with an error number, or `{}`.
    """
    if isinstance(error, str) and error:
        return error
    if isinstance(error, Mapping):
        if isinstance(error.get("message"), str) and error["message"]:
            return str(error["message"])
        if isinstance(error.get("Op"), str):
            return f"{error['Op']} {error.get('Path', item)}: {_system_error(error.get('Err'))}"
    return f"{item}: could not be read" if item else "something could not be read"


def _system_error(number: object) -> str:
    """Return the words of an error number as Go writes them: in small letters."""
    if type(number) is int and 0 < number < 4096:
        return os.strerror(number).lower()
    return "failed"


def _parent(summary: Mapping[str, Any]) -> str:
    """Return the line about the parent: with one at least the folders above are known, changed or not."""
    known = ("files_changed", "files_unmodified", "dirs_changed", "dirs_unmodified")
    is_known = any(count(summary, key) for key in known)
    return "using parent snapshot" if is_known else "no parent snapshot found, will read all files"


def _counts(title: str, kind: str, summary: Mapping[str, Any]) -> str:
    new, changed, same = (count(summary, f"{kind}_{key}") for key in ("new", "changed", "unmodified"))
    return f"{title}       {new:5d} new, {changed:5d} changed, {same:5d} unmodified"


def _added(summary: Mapping[str, Any], dry: bool) -> str:
    added = count(summary, "data_added")
    stored = count(summary, "data_added_packed") if "data_added_packed" in summary or not added else None
    line = f"{'Would add' if dry else 'Added'} to the repository: {format_bytes(added):<5}"
    return line.rstrip() if stored is None else f"{line} ({format_bytes(stored):<5} stored)"
