"""Check the machine's clock, as far as that is possible without asking a time server."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping

from tray.audit.store import AuditLog
from tray.core import clock
from tray.core.clock import EARLIEST_MS, SLACK_MS
from tray.core.errors import BackupTrayError
from tray.core.paths import Places
from tray.doctor import Check, Level

_ANSWER_SECONDS = 5.0
_SYSTEM_FILES = {
    "/var/lib/systemd/timesync/clock": "the last time that systemd-timesyncd knew",
    "/var/log/wtmp": "the newest login on record",
}
"""Files that the system writes by its own clock, and the meaning of their times."""


def wall_clock(places: Places) -> Check:
    """Compare the clock with the newest entry, the times of files, and the state of the time synchronisation."""
    now, state = clock.now_ms(), _synchronisation()
    later = [(words, at) for words, at in _evidence(places) if at > now + SLACK_MS]
    if state.get("NTPSynchronized") == "yes":
        if not later:
            return Check("clock", Level.OK, "It is synchronised with a time server.")
        words, at = later[0]
        what = f"It is synchronised with a time server, but {words} is of {_moment(at)}: the clock was ahead then."
        return Check("clock", Level.NOTE, what)
    if later or now < EARLIEST_MS:
        words, at = later[0] if later else ("this program", EARLIEST_MS)
        what = f"The clock says {_moment(now)}, but {words} is of {_moment(at)}: it is behind now, or was ahead then."
        return Check("clock", Level.WARN, what, _remedy(state))
    if state.get("NTP") == "no" and state.get("CanNTP") == "yes":
        what = "Nothing on record is later than now, but the clock is not kept right by a time server."
        return Check("clock", Level.NOTE, what, _remedy(state))
    return Check("clock", Level.OK, "Nothing on record is later than now.")


def _evidence(places: Places) -> Iterator[tuple[str, int]]:
    """Yield moments that have surely passed if the clock was right when they were recorded."""
    try:
        with AuditLog.read(places.audit_db) as log:
            size, _, _ = log.head()
            recorded = log.entry(size - 1).data["recorded"] if size else None
        if recorded is not None:
            yield "the newest entry of the audit log", clock.from_text(recorded)
    except BackupTrayError:
        pass  # another check reports it
    for file, words in {str(places.audit_db): "the last change of the audit log", **_SYSTEM_FILES}.items():
        try:
            yield f"{words} ({file})", os.stat(file).st_mtime_ns // 1_000_000
        except OSError:
            continue


def _synchronisation() -> Mapping[str, str]:
    """Return the words of `timedatectl show`; none where it is not there or does not answer."""
    try:
        done = subprocess.run(
            ["timedatectl", "show"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_ANSWER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    return {name: value for name, _, value in (line.partition("=") for line in lines)} if done.returncode == 0 else {}


def _remedy(state: Mapping[str, str]) -> str:
    if state.get("CanNTP") == "yes" or (not state and shutil.which("timedatectl")):
        if state.get("NTP") == "yes":
            return "timedatectl timesync-status  (why it is not synchronised)"
        return "sudo timedatectl set-ntp true"
    return f'date  (set it right: sudo date --set "{_moment(clock.now_ms())}")'


def _moment(ms: int) -> str:
    return f"{clock.local(ms):%Y-%m-%d %H:%M}"
