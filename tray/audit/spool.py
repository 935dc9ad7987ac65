"""Where records wait that the audit log cannot take just now: one small file for each, appended later, exactly once.

`record` is how everybody records. The spool's folders are tried in the order of `Places.spools`; what is on the last resorts only
(the runtime folder, syslog) a reboot may lose. Files are named by the record's id, which holds the time and is unique in the
log, so a record that was appended but not yet removed when somebody was killed is not appended twice.
"""

import contextlib
import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tray.audit.entry import ENDS, Action, Draft
from tray.core import clock, files, paths
from tray.core.errors import UnsafeFolderError
from tray.core.paths import Places

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
"""What a verification takes the log's word for. It is appended at once or not at all: a file in a spool, which is not signed, must
not bring in a key, cover up an erasure or silence an alarm."""

_SUFFIX = ".json"


def record(places: Places, drafts: Sequence[Draft], *, timeout: float = 5.0) -> list[int] | None:
    """Put *drafts* on record: into the audit log, after whatever still waits; if that cannot be, into a spool.

    Never raises for a log that cannot be written: a backup must not fail because of its record.

    Args:
        timeout: Seconds to wait for a log that others keep locked.

    Returns:
        The entries' numbers; None if the records wait in a spool; an empty list if no folder can be written, and they went to
        syslog, where `status` does not find them.
    """
    try:
        from tray.audit.store import AuditLog

        with AuditLog.open(places.audit_db, places.audit_key, timeout=timeout, copies=places.baselines) as log:
            _drain(places, log.append)
            return log.append(drafts)
    except Exception:
        return None if keep(places, drafts) else []


def keep(places: Places, drafts: Sequence[Draft]) -> bool:
    """Put *drafts* into a spool at once, without trying the log: for whoever must not begin a new one.

    Returns:
        Whether a folder took all of them.
    """
    kept = [_put(places, draft) for draft in drafts]
    return all(kept)


def drain(places: Places, *, timeout: float = 5.0) -> int:
    """Append all that waits to the audit log and return how many records that were.

    Raises:
        AuditUnavailableError: The log cannot take them; they go on waiting.
    """
    if not any(_files(places)):
        _clear(places)
        return 0
    from tray.audit.store import AuditLog

    with AuditLog.open(places.audit_db, places.audit_key, timeout=timeout, copies=places.baselines) as log:
        return _drain(places, log.append)


def pending(places: Places) -> list[Draft]:
    """Return the records that wait, in the order in which they were made; nothing is changed."""
    found = {draft.id: draft for _, draft in _read(places) if draft is not None}
    return sorted(found.values(), key=_order)


def pending_bad(places: Places) -> list[Path]:
    """Return spool files that hold no record (damaged, or of a newer version); they are kept, never appended."""
    bad = [path for folder in _folders(places) for path in _list(folder, BAD)]
    return sorted(bad + [path for path, draft in _read(places) if draft is None])


def _drain(places: Places, append: Callable[[Sequence[Draft]], list[int]]) -> int:
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
        append([draft for draft, _ in batch])
        for _, spooled in batch:
            for path in spooled:
                with contextlib.suppress(OSError):  # somebody else drained it too; or it stays, and its id is known
                    path.unlink()
    return len(ordered)


def _clear(places: Places) -> None:
    """Remove files that somebody began to write and was killed, beside the log too; a day later nobody is at it any more."""
    for folder in (places.state, *_folders(places)):
        for path in _list(folder, ".tmp"):
            with contextlib.suppress(OSError):
                if path.lstat().st_mtime_ns // 1_000_000 < clock.now_ms() - clock.DAY_MS:
                    path.unlink()


def _order(draft: Draft) -> tuple[str, bool, str]:
    """Sort by the millisecond in the id; in the same one a run starts before it ends."""
    return draft.id[:13], draft.action in ENDS, draft.id


def _put(places: Places, draft: Draft) -> bool:
    """Keep *draft* in the first folder that can be written; False if there is none, it is then told to syslog."""
    for folder in places.spools:
        with contextlib.suppress(Exception):  # a full disk, a folder of somebody else: the next one may do
            from tray.audit.keys import write_new

            paths.private(folder.parent)
            write_new(paths.private(folder) / f"{draft.id}{_SUFFIX}", draft.to_line())
            return True
    with contextlib.suppress(Exception):
        _to_syslog(draft)
    return False


def _to_syslog(draft: Draft) -> None:
    """The last resort: one line of JSON without the body, which anybody who reads the system's log may see."""
    if sys.platform != "win32":
        import syslog

        from tray.core.dataclass import replace

        syslog.openlog("backup-tray", 0, syslog.LOG_USER)
        syslog.syslog(syslog.LOG_ERR, replace(draft, body=None).to_line().decode().strip())


def _read(places: Places) -> Iterator[tuple[Path, Draft | None]]:
    """Yield each spool file with its record, or None if it holds none. One that vanishes or cannot be opened is left out."""
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
    """Yield the spool folders that are there and that nobody else can have written to."""
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
