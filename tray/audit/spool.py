"""Record entries; while the audit log cannot take them, keep them as small files and append each later, exactly once.

Every process records with `record`. The folders of the spool are tried in the order of `Places.spools`; a reboot may lose records
that only the last resorts took (the runtime folder, syslog). A file has the name of its record's id, which holds the time and is
unique in the log: so a process that is killed between appending a record and removing its file causes no second entry.
"""

import contextlib
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tray.audit.entry import ENDS, Action, Draft
from tray.audit.keys import write_new
from tray.core import clock, files, paths
from tray.core.dataclass import replace
from tray.core.errors import AuditUnavailableError, UnsafeFolderError
from tray.core.paths import Places

if TYPE_CHECKING:
    from tray.audit.store import AuditLog
else:
    try:
        from tray.audit.store import AuditLog
    except ImportError:  # a Python without SQLite: records wait in the spool
        AuditLog = None
if sys.platform != "win32":
    import syslog

MAX_FILE = 4 << 20
BATCH = 200
BAD = ".bad"
OF_THE_LOG = frozenset(
    {
        Action.LOG_CREATED,
        Action.KEY_CREATED,
        Action.KEY_ROTATED,
        Action.AUDIT_ROTATED,
        Action.AUDIT_PRUNED,
        Action.AUDIT_REDACTED,
        Action.AUDIT_ACKNOWLEDGED,
    }
)
"""Actions for which a verification takes the log's word. They are appended at once or not at all: a file in a spool, which is not
signed, must not bring in a key, cover up an erasure or silence an alarm."""

_SUFFIX = ".json"


def record(places: Places, drafts: Sequence[Draft], *, timeout: float = 5.0) -> list[int] | None:
    """Put *drafts* on record: into the audit log, after all waiting records; if that cannot be, into a spool.

    Never raises for a log that cannot be written: a backup must not fail because of its record.

    Args:
        timeout: Seconds to wait for a log that others keep locked.

    Returns:
        The entries' numbers; None if the records wait in a spool; an empty list if no folder can be written, and they went to
        syslog, where `status` does not find them.
    """
    try:
        with _opened(places, timeout) as log:
            _drain(places, log)
            return log.append(drafts)
    except Exception:
        return None if keep(places, drafts) else []


def keep(places: Places, drafts: Sequence[Draft]) -> bool:
    """Put *drafts* into a spool at once, without trying the log: for a caller that must not begin a new one.

    Returns:
        Whether a folder took all of them.
    """
    kept = [_put(places, draft) for draft in drafts]
    return all(kept)


def drain(places: Places, *, timeout: float = 5.0) -> int:
    """Append all waiting records to the audit log and return their number.

    Raises:
        AuditUnavailableError: The log cannot take them; they go on waiting.
    """
    if not any(_files(places)):
        _clear(places)
        return 0
    with _opened(places, timeout) as log:
        return _drain(places, log)


def pending(places: Places) -> list[Draft]:
    """Return the records that wait, in the order in which they were made; nothing is changed."""
    return sorted({draft.id: draft for _, draft in _read(places) if draft is not None}.values(), key=_order)


def pending_bad(places: Places) -> list[Path]:
    """Return spool files that hold no record (damaged, or of a newer version); they are kept, never appended."""
    bad = [path for folder in _folders(places) for path in _list(folder, BAD)]
    return sorted(bad + [path for path, draft in _read(places) if draft is None])


def _opened(places: Places, timeout: float) -> AuditLog:
    if AuditLog is None:
        raise AuditUnavailableError("This Python has no SQLite.")
    return AuditLog.open(places.audit_db, places.audit_key, timeout=timeout, copies=places.baselines)


def _drain(places: Places, log: AuditLog) -> int:
    _clear(places)
    waiting: dict[str, tuple[Draft, list[Path]]] = {}
    for path, draft in _read(places):
        if draft is None:
            with contextlib.suppress(OSError):
                path.rename(path.with_name(path.name + BAD))
        else:
            waiting.setdefault(draft.id, (draft, []))[1].append(path)
    ordered = sorted(waiting.values(), key=lambda item: _order(item[0]))
    for at in range(0, len(ordered), BATCH):
        batch = ordered[at : at + BATCH]
        log.append([draft for draft, _ in batch])
        for _, spooled in batch:
            for path in spooled:
                with contextlib.suppress(OSError):  # another process drained it too; or it stays, and its id is known
                    path.unlink()
    return len(ordered)


def _clear(places: Places) -> None:
    """Remove files whose writer was killed, also beside the log; a writer needs less than a day."""
    for folder in (places.state, *_folders(places)):
        for path in _list(folder, ".tmp"):
            with contextlib.suppress(OSError):
                if path.lstat().st_mtime_ns // 1_000_000 < clock.now_ms() - clock.DAY_MS:
                    path.unlink()


def _order(draft: Draft) -> tuple[str, bool, str]:
    """Sort by the millisecond in the id; in the same one a run starts before it ends."""
    return draft.id[:13], draft.action in ENDS, draft.id


def _put(places: Places, draft: Draft) -> bool:
    """Keep *draft* in the first folder that can be written; without any, tell syslog and return False."""
    for folder in places.spools:
        with contextlib.suppress(Exception):  # a full disk, a folder of another user: the next folder may work
            paths.private(folder.parent)
            write_new(paths.private(folder) / f"{draft.id}{_SUFFIX}", draft.to_line())
            return True
    with contextlib.suppress(Exception):
        _to_syslog(draft)
    return False


def _to_syslog(draft: Draft) -> None:
    """Write one line of JSON without the body, which everybody who reads the system's log may see: the last resort."""
    if sys.platform != "win32":
        syslog.openlog("backup-tray", 0, syslog.LOG_USER)
        syslog.syslog(syslog.LOG_ERR, replace(draft, body=None).to_line().decode().strip())


def _read(places: Places) -> Iterator[tuple[Path, Draft | None]]:
    """Yield each spool file with its record, or None if it holds none. A file that vanishes or cannot be opened is left out."""
    for path in _files(places):
        try:
            handle = files.descriptor(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        except OSError:
            continue
        with open(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                continue
            try:
                draft = Draft.from_line(file.read(MAX_FILE))
                ours = path.name == f"{draft.id}{_SUFFIX}" and draft.action not in OF_THE_LOG
                yield path, draft if ours else None
            except OSError:
                continue
            except (ValueError, TypeError, LookupError, RecursionError):
                yield path, None


def _files(places: Places) -> Iterator[Path]:
    for folder in _folders(places):
        yield from _list(folder, _SUFFIX)


def _folders(places: Places) -> Iterator[Path]:
    """Yield the spool folders that exist and that no other user can have written to."""
    for folder in places.spools:
        with contextlib.suppress(OSError, UnsafeFolderError):
            for level in (folder.parent, folder):
                paths.check_private(level, level.lstat())
            yield folder


def _list(folder: Path, suffix: str) -> list[Path]:
    try:
        with os.scandir(folder) as items:
            return sorted(Path(item.path) for item in items if item.name.endswith(suffix))
    except OSError:
        return []
