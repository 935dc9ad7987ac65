"""Start the tray: one for each user, with everything that the icon's `App` needs."""

import ctypes
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path

from tray.core import ourselves, sender, succession
from tray.core.errors import BackupStartError, BackupTrayError
from tray.core.locks import FileLock
from tray.core.model import Control
from tray.core.paths import Places, private
from tray.core.started import Started

LIMIT = 256 * 1024
"""Bytes of the tray's log, which never grows beyond two such files."""

_M_ARENA_MAX = -8
"""The number of glibc's malloc.h."""

_log = logging.getLogger("tray.icon")
_PROOF_CODES = range(2)
"""Exit codes of a check that came to its end: proven, or nothing to compare; the record of its run says which."""
_SIGNALLED = 128
"""Exit codes from here on are those of a command that a signal has ended: the user cancelled it."""


def main(places: Places) -> int:
    """Be the tray of this user, or have the window opened if there is one already; return the exit code."""
    share_one_heap()
    load_without_openssl()
    lock = _claim(places)
    if lock is None:
        if reason := Started().start("window", "dashboard"):
            raise BackupTrayError("The window did not open.", why=reason, next="Run `backup-tray window`.")
        return 0
    with lock:
        log_to_file(places)
        from tray.icon.app import App, Source  # after `load_without_openssl`; a second tray needs neither

        def source() -> Source:
            from tray.status import StatusSource  # in the thread that polls, while the icon already shows

            return StatusSource(places, role="tray", start_tracker=True)

        def ask(control: Control, run: str) -> None:
            from tray.status import control as controls  # at the first click

            controls.ask(places, control, run, by="tray")

        login = True

        def changed() -> None:
            nonlocal login
            process = sender.start(places, login=login)
            login = False
            if process is not None:  # it leaves a child behind and ends at once; a thread reaps it
                threading.Thread(target=process.wait, daemon=True, name="sender").start()

        return App(
            source,
            ask=ask,
            check=check,
            settled=give_back,
            changed=changed,
        ).run()


def check(job: str) -> None:
    """Start a check of *job* and wait for its end.

    Raises:
        BackupStartError: It ended badly.
    """
    try:
        code = ourselves.start("check", job).wait()
    except OSError as error:
        raise BackupTrayError(
            "The check did not start.", why=f"{error.strerror or error}.", next="Try it again."
        ) from error
    if code not in _PROOF_CODES and 0 <= code < _SIGNALLED:
        raise BackupStartError(job, code, "check")


def _claim(places: Places) -> FileLock | None:
    """Return the lock of the one tray, None if another holds it. Without a place for a lock an icon is better than none.

    A tray whose program was replaced since it started makes way for this one.
    """
    try:
        lock = FileLock(private(places.runtime) / "tray.lock")
        if not lock.acquire() and not (succession.make_way(lock.path) and lock.acquire()):
            return None
        succession.sign(lock.path)
        return lock
    except (OSError, BackupTrayError) as error:
        _log.warning("cannot make sure that this is the only tray: %s", error)
        return FileLock(places.runtime / "tray.lock")


# -- a small log, little memory


class SmallFile(logging.FileHandler):
    """A log file that is set aside as `*.1` when it reaches `LIMIT`; `logging.handlers` would cost a megabyte of memory."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, in a new file if the old one is full."""
        if self.stream is not None and self.stream.tell() > LIMIT:
            self.close()
            path = Path(self.baseFilename)
            path.replace(path.with_name(path.name + ".1"))
            self.stream = self._open()
        super().emit(record)


def log_to_file(places: Places) -> None:
    """Write warnings and worse of this process to `tray.log`; without a place for it they go to stderr."""
    handler: logging.Handler
    try:
        handler = SmallFile(private(places.log) / "tray.log", encoding="utf-8", errors="backslashreplace", delay=False)
    except (OSError, BackupTrayError):
        handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Keep these modules from being imported within the block; the libraries that ask for them are written to do without."""
    blocked = [name for name in names if name not in sys.modules]
    for name in blocked:
        sys.modules[name] = None  # type: ignore[assignment] # documented: an import then raises ModuleNotFoundError
    try:
        yield
    finally:
        for name in blocked:
            del sys.modules[name]


def load_without_openssl() -> None:
    """Load asyncio and hashing without OpenSSL: TLS would cost 4 MiB and 4 ms, and libcrypto another MiB.

    Python hashes without it too; only an entry that the tray itself puts on record loads libcrypto, to sign it.
    """
    if sys.platform == "linux":
        with without("ssl", "_hashlib"):
            for name in ("asyncio", "hashlib", "hmac"):
                import_module(name)


def share_one_heap() -> None:
    """Have all threads take memory from one heap; glibc would keep one for each. Call it before the first thread starts."""
    _tell_glibc("mallopt", _M_ARENA_MAX, 1)


def give_back() -> None:
    """Give memory back that the start needed and that is free now: together with the one heap 0.6 MiB."""
    _tell_glibc("malloc_trim", 0)


def _tell_glibc(function: str, *numbers: int) -> None:
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            getattr(ctypes.CDLL(None), function)(*numbers)
