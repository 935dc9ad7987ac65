"""Show messages as notices of the desktop, and start the commands of their buttons.

GNOME takes a notice away when the process that showed it leaves the session bus, and tells only that process of a click. So the
sender keeps its channel as long as a notice is open (`Channel.open_notices`) and serves it (`Channel.serve`). A file in the state
folder remembers the notices, so that a later sender replaces or withdraws those of an earlier one.
"""

import asyncio
from contextlib import suppress
from typing import Any

from dbus_fast import Variant

from tray.config import jobs
from tray.config.channels import ChannelSettings
from tray.core import clock
from tray.core.errors import BackupTrayError
from tray.core.model import BACKUP, CHECK, Instance, Status, shown_name
from tray.core.model.events import Event, Message
from tray.core.paths import Places
from tray.notify.channels import PATIENCE_SECONDS, NotSentError
from tray.notify.desktop import notices
from tray.notify.desktop.clicks import Clicks
from tray.notify.desktop.notification_server import NotificationServer
from tray.notify.desktop.shown_notices import ShownNotice, ShownNotices

LONGEST_MS = 24 * 3_600_000
"""So long after it was shown a notice keeps its sender; GNOME takes it away then."""
_APP = "Backup Status"
_AS_USUAL = -1
"""How long a notice stays is the desktop's decision."""
_VERBS = {BACKUP: "backup", CHECK: "check"}


class Channel:
    """The desktop of this user. One thread uses it."""

    def __init__(self, settings: ChannelSettings, places: Places) -> None:
        self._places = places
        self._runner = asyncio.Runner()
        self._server = NotificationServer(self._heard, self._replaced)
        self._shown = ShownNotices(places)
        self._clicks = Clicks()
        self._news = asyncio.Event()
        self._clicked: list[tuple[int, str, str | None]] = []
        self._token: tuple[int, str] = (0, "")
        self._mine: set[int] = set()
        self._gone: set[int] = set()

    def send(self, message: Message, status: Status) -> None:
        """Show the notices of *message*, and take those away that it ends. A message may have waited for a session for days.

        Raises:
            NotSentError: There is no desktop, or it shows no notifications.
        """
        self._runner.run(self._send(notices.still_true(message, status)))

    def open_notices(self) -> bool:
        """Whether the user may still click a notice that this object has shown, or a click is not dealt with yet."""
        if self._clicked or self._clicks.young():
            return True
        if not self._server.connected:
            return False
        oldest = clock.now_ms() - LONGEST_MS
        return any(notice.id in self._mine and notice.shown_ms > oldest for notice in self._shown.notices.values())

    def serve(self, seconds: float) -> None:
        """Start the commands of buttons that the user clicks, for so long; return early after a click."""
        self._runner.run(self._serve(seconds))

    def close(self) -> None:
        """Leave the bus; notices stay where the desktop lets them."""
        self._runner.run(self._server.leave())
        self._runner.close()

    # -- show

    async def _send(self, message: Message) -> None:
        shown, gone = notices.of(message, clock.now_ms(), self._run_again)
        withdrawn = [notice.id for key, notice in self._shown.notices.items() if key in gone]
        if not shown and not withdrawn:
            return
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._deliver(shown, withdrawn)
        except TimeoutError as error:
            raise NotSentError("The desktop did not answer in time.") from error
        except (OSError, EOFError) as error:
            await self._server.leave()
            raise NotSentError("The connection to the session bus was lost.") from error

    async def _deliver(self, shown: list[notices.Notice], withdrawn: list[int]) -> None:
        await self._server.connect()
        able = await self._server.abilities() if shown else notices.Abilities()
        await self._server.find_owner()  # the question may have started it
        if self._server.owner:
            self._shown.of_desktop(self._server.place)
        for number in withdrawn:
            if self._shown.close(number):
                await self._close(number)
        for notice in shown:
            await self._show(notice, able)

    async def _show(self, notice: notices.Notice, able: notices.Abilities) -> None:
        old, place = self._shown.notices.get(notice.key), self._server.place
        self._gone.clear()
        number = await self._notify(0 if old is None else old.id, notice, able)
        if number in self._gone or self._server.place != place:
            return  # it was closed, or the desktop ended, before this line was reached
        self._shown.note(notice.key, ShownNotice(number, clock.now_ms(), {a.key: a.command for a in notice.actions}))
        self._mine.add(number)

    async def _notify(self, replaces: int, notice: notices.Notice, able: notices.Abilities) -> int:
        picture, title, body, actions, hints = notices.call(notice, able)
        values = {name: Variant(kind, value) for name, (kind, value) in hints.items()}
        answer = await self._server.ask(
            "Notify", "susssasa{sv}i", _APP, replaces, picture, title, body, actions, values, _AS_USUAL
        )
        match answer:
            case [int(number)]:
                return number
            case _:
                raise NotSentError("The desktop gave no number for the notification.")

    async def _close(self, number: int) -> None:
        with suppress(NotSentError):  # it was closed meanwhile
            await self._server.ask("CloseNotification", "u", number)

    def _run_again(self, event: Event) -> tuple[str, ...]:
        """Return the command that makes the backup, or the check, of the event's job once more; nothing if there is none."""
        if event.job is None or event.instance is not Instance.USER or event.job_kind not in _VERBS:
            return ()
        try:
            configured = jobs.load(self._places)
        except (BackupTrayError, OSError):
            return ()
        names = {name: name for name in configured.jobs} | dict(configured.owners)
        for name, job in names.items():
            if shown_name(name, event.job_kind) == event.job and job in configured.jobs:
                return (_VERBS[event.job_kind], job) if configured.jobs[job].runnable else ()
        return ()

    # -- clicks

    async def _serve(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
        self._news.clear()
        clicked, self._clicked = self._clicked, []
        failed = []
        try:
            for number, key, token in clicked:
                failed.append(await self._do(number, key, token))
            for title, text in filter(None, (*failed, *self._clicks.failures())):
                await self._tell(title, text)
        except (OSError, EOFError, TimeoutError, NotSentError):
            pass  # the bus is gone, and the desktop with it

    async def _do(self, number: int, key: str, token: str | None) -> tuple[str, str] | None:
        """Start the command of a button; return title and text if that failed."""
        command = self._shown.command(number, key)
        if not command:
            return None
        failed = self._clicks.start(command, await self._server.desktop_variables(), token)
        if self._shown.close(number):
            await self._close(number)
        return failed

    async def _tell(self, title: str, text: str) -> None:
        """Say why a click did nothing."""
        await self._notify(0, notices.plain(title, text), await self._server.abilities())

    def _heard(self, signal: str, values: list[Any]) -> None:
        match signal, values:
            case "ActivationToken", [int(number), str(token)]:
                self._token = number, token
            case "ActionInvoked", [int(number), str(key)]:
                self._clicked.append((number, key, self._token[1] if self._token[0] == number else None))
                self._news.set()
            case "NotificationClosed", [int(number), *_]:
                self._gone.add(number)
                if self._shown.close(number):
                    self._news.set()

    def _replaced(self) -> None:
        """Note that another program shows notifications from now on: the notices of the one before are gone."""
        self._mine.clear()
        self._news.set()
