"""Show the status in Home Assistant, by an MQTT broker: retained messages that describe a device, and the values of its entities.

Each message of the queue has the present status published, whatever it is about. A small file remembers which jobs the broker
keeps, so that those that are gone are removed there too.
"""

import re
import socket
from contextlib import suppress
from urllib.parse import urlsplit

from tray.audit.store import AuditLog
from tray.config.channels import ChannelSettings
from tray.core import clock
from tray.core.errors import BackupTrayError, UnsafeFolderError
from tray.core.model import Status
from tray.core.model.events import Message
from tray.core.paths import Places
from tray.housekeeping import task_memory
from tray.notify import secrets, tls
from tray.notify.channels import PATIENCE_SECONDS, NotSentError
from tray.notify.mqtt import connection, home_assistant
from tray.notify.mqtt.home_assistant import Published

_TOPIC = re.compile(r"[^+#\x00-\x1f]{1,200}")
_PORTS = {"mqtt": 1883, "mqtts": 8883}


class Channel:
    """One broker."""

    def __init__(self, settings: ChannelSettings, places: Places) -> None:
        self._settings, self._places = settings, places
        self._memory = f"notify-{settings.name}"

    def send(self, message: Message, status: Status) -> None:
        """Publish *status*; see `Channel.send`."""
        until = clock.monotonic() + PATIENCE_SECONDS
        options, before = self._settings.options, self._before()
        news, after = home_assistant.messages(
            status,
            before,
            log=self._log(message, before),
            host=socket.gethostname(),
            prefix=_prefix(options.get("prefix")),
            only=self._settings.jobs,
        )
        url = urlsplit(str(options["url"]))
        address = (url.hostname or "", url.port or _PORTS[url.scheme])
        password, user = secrets.of(self._settings), options.get("user")
        login = None if password is None and user is None else (str(user or ""), password)
        context = tls.context(options.get("ca_file")) if url.scheme == "mqtts" else None
        connection.publish(address, news, until=until, tls=context, login=login)
        with suppress(OSError, UnsafeFolderError):  # on a full disk a job that is gone later stays at the broker
            task_memory.save(self._places, self._memory, after.to_json())

    def _before(self) -> Published:
        with suppress(ValueError):
            return Published.from_json(task_memory.load(self._places, self._memory))
        return Published()

    def _log(self, message: Message, before: Published) -> str:
        """Return the UUID of the audit log, which names the device."""
        with suppress(BackupTrayError, OSError), AuditLog.read(self._places.audit_db) as log:
            return log.head()[2].split(b"\n", 1)[0].decode().removeprefix("backup-tray/")
        known = next((event.log for event in message.events if event.log is not None), "") or before.log
        if not known:
            raise NotSentError("There is no audit log yet, whose id names the device; the first backup makes it.")
        return known.removeprefix("backup-tray/")


def _prefix(value: object) -> str:
    """Return the topic under which Home Assistant looks for devices."""
    prefix = str(value or home_assistant.PREFIX).strip("/")
    if not _TOPIC.fullmatch(prefix):
        raise NotSentError("`prefix` must be a topic of at most 200 characters, without + and #.", final=True)
    return prefix
