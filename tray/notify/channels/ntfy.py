"""ntfy: a message to the phone, as JSON to the root of the server (https://docs.ntfy.sh/publish/#publish-as-json).

There is neither `click` nor `actions`: they open web pages, and Backup Tray has none that a phone could reach. The text ends with
the entry and the command that shows more.
"""

import json
from urllib.parse import urlsplit

from tray.config.channels import ChannelSettings
from tray.core.model import Status
from tray.core.model.events import EventKind, Message
from tray.core.paths import Places
from tray.notify import secrets
from tray.notify.channels import NotSentError, http
from tray.wording import messages

SERVER = "https://ntfy.sh"
MOST_MESSAGE = 4096
"""Bytes of the text; a server takes a longer one for an attachment."""
MOST_BODY = 8192
"""Bytes of the whole JSON that a server reads."""
_PRIORITIES = {messages.CRITICAL: 5, messages.ERROR: 4}
_TAGS = {messages.CRITICAL: "rotating_light", messages.ERROR: "x", messages.WARNING: "warning"}
_GOOD = (EventKind.RECOVERED, EventKind.SUCCESS)
_ADVICE = {413: "The ntfy server takes no message of this length (HTTP 413)."}


class Channel:
    """A topic of an ntfy server; the secret, if there is one, is an access token."""

    def __init__(self, settings: ChannelSettings, places: Places) -> None:
        self._settings = settings

    def send(self, message: Message, status: Status) -> None:
        """Publish *message*."""
        options, token = self._settings.options, secrets.of(self._settings)
        topic, url = str(options["topic"]), str(options.get("url", SERVER))
        if urlsplit(url).path.strip("/"):  # there a server would take the JSON for the text of a message
            raise NotSentError("`url` must be the root of the ntfy server, such as https://ntfy.sh.", final=True)
        request = http.Request(
            "POST",
            url,
            body=_body(message, topic),
            headers={"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})},
            ca_file=options.get("ca_file"),
            hidden=(topic, *([token] if token else [])),
            advice=_ADVICE,
        )
        answer = http.send(request)
        if answer.body and "id" not in http.data_of(answer):
            raise http.stranger(request, "ntfy")


def _body(message: Message, topic: str) -> bytes:
    severity = messages.severity(message)
    good = all(event.kind in _GOOD for event in message.events)
    data = {
        "topic": topic,
        "title": messages.title(message),
        "priority": _PRIORITIES.get(severity, 3),
        "tags": ["white_check_mark"] if good else [_TAGS[severity]] if severity in _TAGS else [],
    }
    end = f"\n\n{messages.more(message)}"
    text = messages.text(message, message.made_ms)
    room = MOST_MESSAGE - len(end.encode())
    while True:
        body = json.dumps({**data, "message": cut(text, room) + end}, ensure_ascii=False).encode("utf-8", "replace")
        if len(body) <= MOST_BODY:
            return body
        room -= len(body) - MOST_BODY  # quotes and backslashes take two bytes each in JSON


def cut(text: str, most: int) -> str:
    """Return *text*, cut with "…" so that it takes at most *most* bytes of UTF-8."""
    raw = text.encode("utf-8", "replace")
    return text if len(raw) <= most else raw[: max(most - 3, 0)].decode("utf-8", "ignore") + "…"
