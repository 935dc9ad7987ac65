"""Answer the page Create First Backup: choices, reach of a target, sizes of folders, and the creation itself."""

import os
import shlex
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from tray import wording
from tray.config.jobs import DEFAULT_ENGINE
from tray.core.errors import BackupTrayError
from tray.core.model import CHECK, shown_name
from tray.core.paths import Places, expand
from tray.jobs import choices, engine_install, first_backup, targets
from tray.window import bridge, export
from tray.window.job_page import Jobs
from tray.window.status_feed import Feed

TELL_SECONDS = 0.4
_NOT_THERE = -1
"""Stands for the size of a folder that does not exist."""
_LOOKS = 4096
"""Files between two looks at the clock while a folder is measured."""


class Desk(Protocol):
    """The window itself, as far as this page may ask it."""

    def choose_folder(self) -> str | None:
        """Let the user choose a folder; None if they did not."""

    def tell_measured(self, path: str, total: int, done: bool) -> None:
        """Tell the page how many bytes a folder takes, or at least so many while it is not *done*."""


class Setup:
    """The page Create First Backup, which makes one at a time."""

    def __init__(self, places: Places, feed: Feed, desk: Desk, jobs: Jobs) -> None:
        self._places, self._feed, self._desk, self._jobs = places, feed, desk, jobs
        self._choosing, self._creating, self._installing = threading.Lock(), threading.Lock(), threading.Lock()
        self._scales = Scales(desk.tell_measured)

    def form(self) -> dict[str, Any]:
        """Return the first values and choices of the form, and the problem that stands in the way, if there is one."""
        name, home = first_backup.suggested(self._places)
        return {
            "name": name,
            "sources": [home],
            "folders": choices.folders(),
            "password": first_backup.generate_password(),
            "remotes": choices.remotes(),
            "example": "http://nas:8000/laptop",
            **self.drives(),
            **self._engine(),
        }

    def drives(self) -> dict[str, Any]:
        """Return the connected drives, each with the folder in which a repository would be made."""
        name, _ = first_backup.suggested(self._places)
        return {
            "drives": [
                {
                    "name": wording.escape(drive.name),
                    "path": drive.path,
                    "place": choices.on_drive(drive.path, name),
                    "room": f"{wording.size(drive.free)} free of {wording.size(drive.total)}",
                    "free": drive.free,
                }
                for drive in choices.drives()
            ]
        }

    def install_engine(self) -> dict[str, Any]:
        """Install the engine by the command that the page shows, and return the problem that is left, if there is one.

        Raises:
            EngineInstallError: It was not installed.
            EngineMissingError: There is no command for it here.
        """
        with self._installing:
            if missing := engine_install.missing(DEFAULT_ENGINE):
                argv = engine_install.command(DEFAULT_ENGINE, terminal=False)
                if not argv:
                    raise missing
                engine_install.install(DEFAULT_ENGINE, argv, terminal=False)
        return self._engine()

    def _engine(self) -> dict[str, Any]:
        missing = engine_install.missing(DEFAULT_ENGINE)
        argv = engine_install.command(DEFAULT_ENGINE, terminal=False) if missing else []
        return {"problem": missing and missing.facts(), "install": shlex.join(argv)}

    def choose(self) -> dict[str, str | None]:
        """Return the folder that the user chose, None if they did not or if they are choosing already."""
        if not self._choosing.acquire(blocking=False):
            return {"path": None}
        try:
            return {"path": self._desk.choose_folder()}
        finally:
            self._choosing.release()

    def measure(self, paths: list[str]) -> None:
        """Measure the folders at *paths* from now on, and no others; the page hears of each."""
        self._scales.weigh(paths)

    def reach(self, sources: list[str], repository: str, key: str, secret: str) -> dict[str, Any]:
        """Return how many bytes a backup may take at a target, None if that is not known, and that in words; nothing is made.

        Raises:
            JobSetupError: It cannot be used.
            EngineMissingError: restic is missing, so an address cannot be asked.
        """
        free = first_backup.reach(sources, repository, _login(key, secret))
        words = "How much room is free there is not known." if free is None else f"{wording.size(free)} are free there."
        return {"room": None if free is None else max(free - targets.ROOM, 0), "words": words}

    def create(
        self, name: str, sources: list[str], repository: str, password: str, key: str, secret: str
    ) -> dict[str, Any]:
        """Make repository and job, start it with the test afterwards, and write the recovery sheet.

        The answer names the job, the last run and the last check of that name before, if there were any; and why there is no
        sheet, if it could not be written.
        """
        with self._creating:
            job = first_backup.create_first_backup(
                self._places,
                name=name,
                sources=sources,
                repository=repository,
                password=password,
                variables=_login(key, secret),
            )
            before, checked = self._last_run(job.name), self._last_run(shown_name(job.name, CHECK))
            self._jobs.first_run(job.name)
        return {
            "job": job.name,
            "shown": wording.escape(job.name),
            "check": wording.escape(shown_name(job.name, CHECK)),
            "before": before,
            "checked": checked,
            "problem": self._sheet(job.name),
        }

    def _sheet(self, job: str) -> dict[str, Any] | None:
        """Write the recovery sheet, and return why it could not be written, if so."""
        try:
            export.keep_sheet(self._places, job)
        except (BackupTrayError, OSError) as error:
            return bridge.facts(error)
        return None

    def _last_run(self, job: str) -> str | None:
        """Return the last run of a job of this name, which is not the one that starts now."""
        status = self._feed.status
        known = () if status is None else status.jobs
        return next((item.last.run for item in known if item.job == job and item.last is not None), None)


class Scales:
    """Measures folders one after the other in the background, those that are asked for now, and tells how far it is."""

    def __init__(self, tell: Callable[[str, int, bool], None]) -> None:
        self._tell, self._changed = tell, threading.Condition()
        self._wanted: tuple[str, ...] = ()
        self._known: dict[str, int] = {}
        self._works = False

    def weigh(self, paths: Sequence[str]) -> None:
        """Measure the folders at *paths*, the first one first; stop with every other. One that is known is told again."""
        with self._changed:
            self._wanted = tuple(dict.fromkeys(paths))
            if not paths:
                self._known.clear()  # the page was left; the next one measures anew
            known = [
                (path, total) for path in self._wanted if (total := self._known.get(path, _NOT_THERE)) != _NOT_THERE
            ]
            begin = not self._works and any(path not in self._known for path in self._wanted)
            self._works = self._works or begin
        for path, total in known:
            self._tell(path, total, True)
        if begin:
            threading.Thread(target=self._work, daemon=True, name="measure").start()

    def _work(self) -> None:
        try:
            self._measure_all()
        except BaseException:
            with self._changed:
                self._works = False  # the next wish begins anew
            raise

    def _measure_all(self) -> None:
        while True:
            with self._changed:
                path = next((path for path in self._wanted if path not in self._known), None)
                if path is None:
                    self._works = False
                    return
            total = self._measured(path) if os.path.lexists(expand(path)) else _NOT_THERE
            if total is not None:
                with self._changed:
                    self._known[path] = total
                if total != _NOT_THERE:
                    self._tell(path, total, True)

    def _measured(self, path: str) -> int | None:
        """Return the size of a folder; None as soon as it is not asked for any more."""
        total, before = 0, time.monotonic()
        for number, taken in enumerate(targets.sizes([expand(path)])):
            total += taken
            if number % _LOOKS == 0 or time.monotonic() - before >= TELL_SECONDS:
                if path not in self._wanted:
                    return None
                if time.monotonic() - before >= TELL_SECONDS:
                    before = time.monotonic()
                    self._tell(path, total, False)
        return total


def _login(key: str, secret: str) -> Mapping[str, str]:
    """Return the variables for the access key that the form holds."""
    pairs = {"AWS_ACCESS_KEY_ID": key.strip(), "AWS_SECRET_ACCESS_KEY": secret.strip()}
    return {name: value for name, value in pairs.items() if value}
