"""List every question that a page may ask, with the check of every argument. A page can reach nothing else."""

from collections.abc import Callable
from typing import Any, Protocol

from tray.core import clock
from tray.core.model import BACKUP, CHECK, Control
from tray.core.paths import Places
from tray.jobs import configured, first_backup
from tray.status import control, marking
from tray.window import audit_page, bridge, export, import_page, lists, notify_page, run_pages, verification
from tray.window.bridge import Call
from tray.window.create_page import Setup
from tray.window.job_page import LENGTHS, Jobs, a_job
from tray.window.status_feed import Feed

_PATH, _NAME, _SECRET, _SOURCES = 4096, 80, 1024, 100
_RESTING = 1 << 17
"""A job of a crontab may have any name; it only has to be that of a rest."""
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

    def tell_measured(self, path: str, total: int, done: bool) -> None:
        """Tell the page how many bytes a folder takes, or at least so many while it is not *done*."""

    def tell_ended(self, job: str, error: dict[str, str] | None) -> None:
        """Tell the page that the process of *job* ended; *error* if it did badly."""


def table(places: Places, feed: Feed, desk: Desk) -> dict[str, Call]:
    """Return every call by its name."""
    writer, jobs = export.Writer(desk.choose_file), Jobs(places, desk.tell_ended)
    setup, of_job = Setup(places, feed, desk, jobs), {"job": a_job}
    existing = import_page.Existing(places)
    target = {
        "sources": bridge.texts(_SOURCES, _PATH),
        "repository": bridge.text(_PATH),
        "key": bridge.text(_SECRET),
        "secret": bridge.text(_SECRET),
    }
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
        "notifications": Call(lambda: notify_page.page(places), {}),
        "test_channel": Call(notify_page.send_test, {"channel": notify_page.a_channel}),
        "end_rest": Call(
            lambda job, system: notify_page.end_rest(places, job, system=system),
            {"job": bridge.text(_RESTING), "system": bridge.flag},
        ),
        "snooze": Call(jobs.snooze, {**of_job, "length": bridge.one_of(*LENGTHS)}),
        "turn_off": Call(jobs.turn_off, {**of_job, "until": bridge.text(40)}),
        "turn_on": Call(jobs.turn_on, of_job),
        "job": Call(jobs.page, of_job),
        "back_up": Call(jobs.back_up, of_job),
        "prove_job": Call(jobs.check, of_job),
        "schedule": Call(jobs.schedule, {**of_job, "when": bridge.text(200), "kind": bridge.one_of(BACKUP, CHECK)}),
        "unschedule": Call(jobs.unschedule, {**of_job, "kind": bridge.one_of(BACKUP, CHECK)}),
        "linger": Call(jobs.linger, of_job),
        "keep_sheet": Call(jobs.keep_sheet, of_job),
        "save_sheet": Call(writer.of_job, {**of_job, "with_password": bridge.flag}),
        "existing": Call(existing.search, {}),
        "watch": Call(existing.watch, {"search": bridge.number, "number": bridge.number}),
        "create_form": Call(setup.form, {}),
        "new_password": Call(lambda: {"password": first_backup.generate_password()}, {}),
        "choose_folder": Call(setup.choose, {}),
        "drives": Call(setup.drives, {}),
        "install_engine": Call(setup.install_engine, {}),
        "measure": Call(setup.measure, {"paths": bridge.texts(_SOURCES, _PATH)}),
        "reach": Call(setup.reach, target),
        "create_backup": Call(setup.create, {**target, "name": bridge.text(_NAME), "password": bridge.text(_SECRET)}),
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


def _guide() -> dict[str, Any]:
    places = [{"where": where, "text": text} for where, text in configured.prefixes()]
    return {"places": places, "channels": notify_page.lines()}
