"""Keep the folders of runs: the description, the spools and the lock of a live run, and its log afterwards.

A live run has `<root>/live/<run>/` with `run.json` (who and what, boot id, processes and their start times), `lock` (held by its
wrapper alone), the spool files of the engine's output and the growing `log`. When the run is closed the folder moves to
`<root>/done/<run>/` and keeps `run.json` and `log`. A live folder whose lock is free belongs to the process that takes the lock.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tray.core import files, locks
from tray.core.codec import Coded
from tray.core.dataclass import dataclass, replace
from tray.core.errors import RunNotFoundError, UnsafeFolderError
from tray.core.files import Listing, content, opened
from tray.core.model import LiveRun, Source
from tray.core.paths import Places, private

if sys.platform == "win32":
    import shutil

SCHEMA = 1
SHORTEST_END = 6
"""Letters of the end of an id that are taken for it. The beginnings of ids are alike: they hold the time."""

LOG = "log"
SPOOLS = ("out", "err", "both")
SPOOL_ROOM = 256 * 1024 * 1024
"""Bytes that must be free before an engine's output goes through a spool file."""


@dataclass(frozen=True, slots=True)
class Process(Coded):
    """One process for good: a pid alone is used again."""

    pid: int
    start: str | None

    def alive(self) -> bool:
        """Whether it still runs. Only meaningful in the boot in which it was recorded."""
        return self.start is not None and locks.process_start(self.pid) == self.start


@dataclass(frozen=True, slots=True)
class RunInfo(Coded):
    """The content of `run.json`. Command and repository are redacted; times are `*_ms`.

    Attributes:
        wrapper: Holder of the lock: the wrapper, or the tracker that observes a run of another program.
        child: The engine's process.
        ours, returns: As in the engine's `Plan`; needed to read the spools again.
        source: `core.model.Source` as a word.
        user: Whose process it is, where that is not the owner of the record.
        overlaps: An earlier run of the same job that still went on when this one began.
        paused: It is paused on request; a process that finds it so without its wrapper must let it go on.
        seen: How an observed run was seen to end: `{"finished_ms": …, "code": … | null, "signal": … | null, …}`.
    """

    run: str
    job: str
    engine: str
    kind: str
    started_ms: int
    boot: str
    wrapper: Process
    child: Process | None = None
    repository: str | None = None
    sources: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    ours: bool = False
    returns: bool = False
    source: str = "wrapped"
    user: str | None = None
    overlaps: str | None = None
    paused: bool = False
    seen: dict[str, Any] | None = None
    schema: int = SCHEMA

    JSON_KEYS = MappingProxyType({"started_ms": "started_ms"})

    @classmethod
    def read(cls, path: Path) -> "RunInfo":
        """Read `run.json`.

        Raises:
            OSError: It cannot be read.
            ValueError: It is damaged or of a newer schema.
        """
        data = _parsed(content(path))
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            raise ValueError("damaged, or of another schema")
        return cls.from_json(data)

    def live(self, **more: Any) -> LiveRun:
        """Return the live run as far as this tells, with *more* fields."""
        process = None if self.child is None else f"{self.child.pid}@{self.child.start}"
        facts: dict[str, Any] = {
            "source": Source(self.source),
            "user": self.user,
            "overlaps": self.overlaps,
            "process": process,
        }
        return LiveRun(
            run=self.run,
            job=self.job,
            engine=self.engine,
            kind=self.kind,
            repository=self.repository,
            started_ms=self.started_ms,
            **{**facts, **more},
        )


class RunFolder:
    """One run's folder.

    Attributes:
        handed_over: Another process has the run now.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run = path.name
        self.lock = locks.FileLock(path / "lock")
        self.handed_over = False

    @classmethod
    def create(cls, root: Path, info: RunInfo) -> "RunFolder":
        """Make the folder of a new run under *root*, locked by this process from the first moment anybody can see it.

        Raises:
            OSError: It cannot be made or written.
            UnsafeFolderError: The root is not private.
        """
        private(root)
        live = private(root / "live")
        hidden = cls(live / f".{info.run}")
        hidden.path.mkdir(mode=0o700)
        try:
            hidden.lock.acquire()
            hidden.save(info)
            os.rename(hidden.path, live / info.run)
        except OSError:
            hidden.lock.release()
            hidden.discard()
            raise
        folder = cls(live / info.run)
        folder.lock = hidden.lock
        return folder

    def discard(self) -> None:
        """Take away what could not be made whole."""
        with suppress(OSError):
            for path in self.path.iterdir():
                path.unlink()
            self.path.rmdir()

    @property
    def log(self) -> Path:
        """The redacted, time- and stream-stamped log of the run."""
        return self.path / LOG

    def spool(self, name: str) -> Path:
        """The spool file *name*, one of `SPOOLS`."""
        return self.path / f"{name}.spool"

    @property
    def wrapped(self) -> bool:
        """Whether the wrapper is still there."""
        return locks.is_held(self.path / "lock")

    def info(self) -> RunInfo:
        """Read `run.json`; see `RunInfo.read` for errors."""
        return RunInfo.read(self.path / "run.json")

    def save(self, info: RunInfo) -> None:
        """Write `run.json`, whole or not at all."""
        beside = self.path / "run.json.new"
        with open(beside, "w", encoding="utf-8", newline="\n", opener=files.descriptor) as file:
            json.dump(info.to_json(), file)
        os.replace(beside, self.path / "run.json")

    def running(self, info: RunInfo) -> bool:
        """Whether the run goes on: its wrapper is there, or its engine still runs in this boot."""
        if self.wrapped:
            return not self._closing.exists()
        return info.boot == locks.boot_id() and info.child is not None and info.child.alive()

    def mark_closing(self) -> None:
        """Mark the run as being closed, so that the lock of the closing process does not make it look alive."""
        with suppress(OSError):
            self._closing.touch(mode=0o600)

    @property
    def _closing(self) -> Path:
        return self.path / "closing"

    def hand_over(self) -> None:
        """Leave the run to a process that was forked from this one and has the lock too: `close` then does nothing here."""
        self.handed_over = True

    def close(self) -> None:
        """Drop the spools and move the folder to the ended runs; the lock is released last. Nothing here may fail a backup."""
        if self.handed_over:
            return self.lock.release()
        try:
            for name in SPOOLS:
                self.spool(name).unlink(missing_ok=True)
            done = private(self.path.parent.parent / "done")
            os.rename(self.path, done / self.run)
            for name in ("lock", self._closing.name):
                (done / self.run / name).unlink(missing_ok=True)
        except (OSError, UnsafeFolderError):
            pass  # the run is recorded; a folder that stays in `live` is closed again later, which changes nothing
        finally:
            self.lock.release()


def create(places: Places, info: RunInfo) -> tuple[RunFolder | None, bool]:
    """Make the run's folder in the first root that takes it, and say whether there is room for spool files.

    A full disk under a spool would fail the backup, so a root with room is preferred; without one the folder holds no spool, and
    where no root takes a folder the run goes on without one.
    """
    for roomy in (True, False):
        for root in places.run_roots:
            with suppress(OSError, UnsafeFolderError):
                private(root)
                if not roomy or _room(root) >= SPOOL_ROOM:
                    return RunFolder.create(root, info), roomy
    return None, False


def _room(folder: Path) -> int:
    if sys.platform == "win32":
        return shutil.disk_usage(folder).free
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except RecursionError as error:
        raise ValueError("damaged: it is nested too deeply") from error


def live(places: Places) -> Iterator[RunFolder]:
    """Yield the folders of runs that are not closed."""
    return LiveFolders(places).look()


class LiveFolders:
    """The folders of runs that are not closed, for a caller that asks again and again."""

    def __init__(self, places: Places) -> None:
        self._roots = [(root / "live", Listing(root / "live")) for root in places.run_roots]

    def look(self) -> Iterator[RunFolder]:
        """Yield them as they are now."""
        for root, listing in self._roots:
            for name in listing.names():
                if not name.startswith("."):
                    yield RunFolder(root / name)


def is_called(run: str, words: str) -> bool:
    """Whether *words* are the id of *run*, its beginning, or its end of `SHORTEST_END` letters or more."""
    return run.startswith(words) or (len(words) >= SHORTEST_END and run.endswith(words))


def known(places: Places) -> set[str]:
    """Return the ids of all runs that have a folder, live or ended."""
    ids: set[str] = set()
    for root in places.run_roots:
        for kind in ("live", "done"):
            with suppress(OSError):
                ids.update(name for name in os.listdir(root / kind) if not name.startswith("."))
    return ids


def find(places: Places, run: str) -> RunFolder:
    """Return the folder of the run of the whole id *run*, live or ended.

    Raises:
        RunNotFoundError: There is none, or *run* is no id.
    """
    if run and all(letter in "0123456789abcdef-" for letter in run):
        for root in places.run_roots:
            for kind in ("live", "done"):
                if (root / kind / run).is_dir():
                    return RunFolder(root / kind / run)
    raise RunNotFoundError(run)


def forget(places: Places, run: str) -> None:
    """Remove what is kept of a run that is over: its command and its log. The audit log's entries are no business of this.

    Raises:
        OSError: Something of it cannot be removed.
    """
    if not run or any(letter not in "0123456789abcdef-" for letter in run):
        return
    for root in places.run_roots:
        folder = root / "done" / run
        if folder.is_dir() and not folder.is_symlink():
            for path in folder.iterdir():
                path.unlink(missing_ok=True)
            folder.rmdir()


def read_log(places: Places, run: str, offset: int = 0, limit: int = 256 * 1024) -> tuple[str, int]:
    """Return the run's log from byte *offset*, at most *limit* bytes and whole lines only, and where to go on.

    Raises:
        RunNotFoundError: No folder of this run is left.
    """
    path = find(places, run).log
    try:
        with opened(path) as file:
            text = bytearray()
            while len(text) < limit:
                start, end = files.kept(file.fileno(), offset)
                if start >= end:
                    break
                file.seek(start)
                chunk = file.read(min(limit - len(text), end - start))
                if start > offset:  # the middle of a long log; what follows begins with the rest of a line
                    text += b"%s--- %d bytes of the log are not kept\n" % (
                        b"" if offset == 0 else b"\n",
                        start - offset,
                    )
                    rest = chunk.find(b"\n") + 1
                    chunk, start = chunk[rest:], start + rest
                text += chunk
                offset = start + len(chunk)
    except FileNotFoundError:
        return "", offset
    left = len(text) - text.rindex(b"\n") - 1 if len(text) >= limit and b"\n" in text else 0
    return text[: len(text) - left].decode("utf-8", "replace"), offset - left


def with_child(info: RunInfo, pid: int) -> RunInfo:
    """Return *info* with the engine's process."""
    return replace(info, child=Process(pid, locks.process_start(pid)))
