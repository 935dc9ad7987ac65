"""The file for the textfile collector of Prometheus' node-exporter: written after each run and in each round of housekeeping.

The tracker's helper writes it; where no tracker runs, a process of its own that a wrapper starts after its run
(`core.ourselves.PARTS`). Its age tells when nothing of ours has run for long: `node_textfile_mtime_seconds`.
"""

import errno
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from tray import config
from tray.audit.near_copy import put
from tray.audit.store import AuditLog
from tray.core import clock, paths
from tray.core.errors import BackupTrayError, MetricsFileError
from tray.core.locks import FileLock
from tray.core.paths import Places, private
from tray.metrics import openmetrics
from tray.status import StatusSource

_READABLE_BY_ALL = 0o644
_PATIENCE_SECONDS, _LOOK_SECONDS = 10.0, 0.02


def now(places: Places) -> list[openmetrics.Family]:
    """Return the figures of this moment."""
    with closing(StatusSource(places, role="cli", start_tracker=False)) as source:
        status = source.poll()
    slept = clock.slept_ms()
    awake = None if slept is None else (clock.since_boot_ms() - slept) / 1000
    return openmetrics.families(status, entries=_entries(places), awake_seconds=awake)


def write(places: Places, file: Path) -> None:
    """Let the figures of this moment take the place of *file*.

    Raises:
        MetricsFileError: It cannot be written; the file that was there stays.
    """
    try:
        with _alone(places):  # from the look at the status on: older figures must not come last
            put(file, openmetrics.text(now(places), collector=True).encode(), mode=_READABLE_BY_ALL)
    except OSError as error:
        raise MetricsFileError(file, error) from error


@contextmanager
def _alone(places: Places) -> Iterator[None]:
    """Wait until no other process of ours writes the file.

    Raises:
        OSError: Another one is not done in time, or the state folder takes no lock.
    """
    until = clock.monotonic() + _PATIENCE_SECONDS
    with FileLock(private(places.state) / "metrics.lock") as lock:
        while not lock.acquire():
            if clock.monotonic() >= until:
                raise TimeoutError(errno.ETIMEDOUT, "another process has been writing it for long")
            time.sleep(_LOOK_SECONDS)
        yield


def refreshed(places: Places) -> dict[str, str]:
    """Write the file that config.toml names, as a task of housekeeping does: return by task why it failed."""
    try:
        file = config.load(places).metrics_file
        if file is not None:
            write(places, Path(file))
    except Exception as error:  # housekeeping goes on
        why = f"{error} {error.why}" if isinstance(error, BackupTrayError) else f"{type(error).__name__}: {error}"
        return {"metrics": why}
    return {}


def _entries(places: Places) -> int | None:
    """Return the number of entries in the audit log, None without a log that can be read."""
    if not places.audit_db.exists():
        return None
    with suppress(BackupTrayError, OSError), AuditLog.read(places.audit_db) as log:
        return log.head()[0]
    return None


def main() -> int:
    """Write the file after a run without a tracker."""
    return 1 if refreshed(paths.places()) else 0
