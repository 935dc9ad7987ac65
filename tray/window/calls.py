"""List every question that a page may ask, with the check of every argument. A page can reach nothing else."""

import shutil
import subprocess
import threading
from collections.abc import Callable
from typing import Any, Protocol

from tray import wording
from tray.config.jobs import DEFAULT_ENGINE
from tray.core import clock
from tray.core.errors import BackupStartError, EngineMissingError
from tray.core.model import Control
from tray.core.paths import Places
from tray.jobs import configured, first_backup
from tray.status import control, marking
from tray.window import audit_page, bridge, export, lists, run_pages, verification, view
from tray.window.bridge import Call
from tray.window.status_feed import Feed

_PATH = 4096
PROGRESS_SECONDS = 0.2


class Desk(Protocol):
    """The window itself, as far as a page may ask it."""

    def choose_folder(self) -> str | None:
        """Let the user choose a folder; None if they did not."""

    def choose_file(self, name: str, kind: str) -> str | None:
        """Let the user choose a file to write; None if they did not."""

    def tell_verified(self, done: int, total: int) -> None:
        """Tell the page how far its verification is."""

    def shown(self) -> None:
        """Note that the page was painted for the first time."""

    def tell_ended(self, job: str, error: dict[str, str] | None) -> None:
        """Tell the page that the process of *job* ended; *error* if it did badly."""


def table(places: Places, feed: Feed, desk: Desk) -> dict[str, Call]:
    """Return every call by its name."""
    setup, writer = Setup(places, feed, desk), export.Writer(desk.choose_file)
    return {
        "shown": Call(desk.shown, {}),
        "retry": Call(feed.again, {}),
        "history": Call(
            lambda fields, after: lists.runs(places, fields, after), {"fields": lists.form, "after": lists.place}
        ),
        "report": Call(lambda run: run_pages.report(places, run), {"run": bridge.run_id}),
        "check": Call(lambda entry: verification.check(places, entry), {"entry": bridge.number}),
        "log_head": Call(lambda run: run_pages.log_head(places, run, feed.status), {"run": bridge.run_id}),
        "log": Call(
            lambda run, offset: run_pages.log(places, run, offset), {"run": bridge.run_id, "offset": bridge.number}
        ),
        "audit": Call(lambda: audit_page.overview(places), {}),
        "choices": Call(lambda: lists.offered(places), {}),
        "entries": Call(
            lambda fields, after: lists.entries(places, fields, after),
            {"fields": lists.form, "after": bridge.cursor},
        ),
        "entry": Call(lambda entry: audit_page.entry(places, entry), {"entry": bridge.number}),
        "prove": Call(lambda entry: verification.proven(places, entry), {"entry": bridge.number}),
        "verify": Call(lambda: verification.verify(places, Paced(desk.tell_verified)), {}),
        "acknowledge": Call(lambda reason: verification.acknowledge(places, reason), {"reason": bridge.text(1000)}),
        "export_run": Call(
            writer.of_run,
            {"run": export.whole_run, "kind": bridge.one_of(*export.FORMATS)},
        ),
        "export": Call(
            writer.of_filter,
            {"fields": lists.form, "what": bridge.one_of("runs", "entries"), "kind": bridge.one_of(*export.FORMATS)},
        ),
        "control": Call(
            lambda what, run: control.ask(places, Control(what), run, by="window"),
            {"what": bridge.one_of(*Control), "run": bridge.run_id},
        ),
        "forget": Call(lambda run: marking.forget_of(places, run), {"run": export.whole_run}),
        "guide": Call(_guide, {}),
        "create_form": Call(setup.form, {}),
        "new_password": Call(lambda: {"password": first_backup.generate_password()}, {}),
        "choose_folder": Call(setup.choose, {}),
        "create_backup": Call(
            setup.create,
            {
                "name": bridge.text(80),
                "sources": bridge.texts(100, _PATH),
                "repository": bridge.text(_PATH),
                "password": bridge.text(1024),
            },
        ),
    }


class Paced:
    """Progress of a verification, told a few times a second however often it is called: each telling costs a repaint."""

    def __init__(self, tell: Callable[[int, int], None]) -> None:
        self._tell, self._last = tell, -1.0

    def __call__(self, done: int, total: int) -> None:
        """Take how many entries of how many were read."""
        now = clock.monotonic()
        if now - self._last >= PROGRESS_SECONDS:
            self._last = now
            self._tell(done, total)


def _guide() -> list[dict[str, str]]:
    return [{"where": where, "text": text} for where, text in configured.prefixes()]


class Setup:
    """The page Create First Backup, which makes one at a time."""

    def __init__(self, places: Places, feed: Feed, desk: Desk) -> None:
        self._places, self._feed, self._desk = places, feed, desk
        self._choosing, self._creating = threading.Lock(), threading.Lock()

    def form(self) -> dict[str, Any]:
        """Return the first values of the form, and the problem that stands in the way, if there is one."""
        problem = EngineMissingError("restic").facts() if shutil.which("restic") is None else None
        name, home = first_backup.suggested(self._places)
        return {
            "name": name,
            "sources": [home],
            "repository": "",
            "password": first_backup.generate_password(),
            "problem": problem,
        }

    def choose(self) -> dict[str, str | None]:
        """Return the folder that the user chose, None if they did not or if they are choosing already."""
        if not self._choosing.acquire(blocking=False):
            return {"path": None}
        try:
            return {"path": self._desk.choose_folder()}
        finally:
            self._choosing.release()

    def create(self, name: str, sources: list[str], repository: str, password: str) -> dict[str, Any]:
        """Make repository and job, start it, and return the next steps."""
        with self._creating:
            job = first_backup.create_first_backup(
                self._places, name=name, sources=sources, repository=repository, password=password
            )
            before = self._last_run(job.name)
            process = configured.start(self._places, job)
        threading.Thread(target=self._reap, args=(job.name, process), daemon=True, name="reap").start()
        return {
            "job": job.name,
            "shown": wording.escape(job.name),
            "before": before,
            "route": view.route(job.engine or DEFAULT_ENGINE, job.repository),
            "cron": configured.cron_line(job),
            "password_file": wording.escape(str(job.password_file)),
        }

    def _last_run(self, job: str) -> str | None:
        """Return the last run of a job of this name, which is not the one that starts now."""
        status = self._feed.status
        known = () if status is None else status.jobs
        return next((item.last.run for item in known if item.job == job and item.last is not None), None)

    def _reap(self, job: str, process: "subprocess.Popen[bytes]") -> None:
        code = process.wait()
        self._desk.tell_ended(job, BackupStartError(job, code).facts() if code else None)
