"""A webhook, signed as Standard Webhooks has it (https://www.standardwebhooks.com).

The body is JSON:

    {"type": "backup.failure", "timestamp": "2026-11-30T02:12:00.000Z", "data": {…}}

`type` is "backup." and the kind of the event, or "backup.several". `timestamp` is when it happened. `data` has

    message           id of the message; the same at every try, and in all its parts
    part, parts       1 and 1; a message that is too large comes in several requests, each with an id of its own
    title, text       the words that every channel has, escaped
    severity          "critical", "error", "warning" or "info"
    command           the command that shows more
    events            all events of this part in full: `entry`, `run` and `log` lead to the entry in the audit log;
                      names and reasons are as they are, not escaped

`webhook-id` is the id of the event, so that a receiver drops a second one; of several events the id of the message, and the number
of the part. Without a secret nothing is signed: then only the secrecy of the address tells a receiver that a message is ours.
"""

import base64
import binascii
import hmac
import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from tray.config.channels import ChannelSettings
from tray.core import clock
from tray.core.model import Status
from tray.core.model.events import Message
from tray.core.paths import Places
from tray.notify import secrets
from tray.notify.channels import NotSentError, http, parts
from tray.wording import messages

PREFIX = "whsec_"
MOST_EVENTS = 200
MOST_BYTES = 400_000
"""Of the events of one request: web servers take a million bytes, unless they are configured."""
_MOST_TEXT = 4000
"""Characters of one text of an event; no name, reason or advice of ours is longer."""
_ADVICE = {413: "The webhook takes no message of this length (HTTP 413)."}


class Channel:
    """A webhook; the secret, if there is one, is the signing key: "whsec_" and the key in base64."""

    def __init__(self, settings: ChannelSettings, places: Places) -> None:
        self._settings, self._places = settings, places

    def send(self, message: Message, status: Status) -> None:
        """Post *message*, in as many parts as it takes."""
        secret = secrets.of(self._settings)
        key = None if secret is None else _key(secret)
        bodies = list(_bodies(message))
        first = message.events[0].id if len(message.events) == 1 else message.id
        ids = [first if number == 1 else f"{first}-{number}" for number in range(1, len(bodies) + 1)]
        posts = [(name, partial(self._post, name, body, key)) for name, body in zip(ids, bodies, strict=True)]
        parts.send(self._places, self._settings.name, message.id, posts)

    def _post(self, name: str, body: bytes, key: bytes | None, seconds: float) -> None:
        options, stamp = self._settings.options, str(clock.now_ms() // 1000)
        headers = {"Content-Type": "application/json", "webhook-id": name, "webhook-timestamp": stamp}
        if key is not None:
            headers["webhook-signature"] = signature(key, name, stamp, body)
        url, ca_file = str(options["url"]), options.get("ca_file")
        http.send(
            http.Request("POST", url, body=body, headers=headers, ca_file=ca_file, advice=_ADVICE, seconds=seconds)
        )


def signature(key: bytes, name: str, stamp: str, body: bytes) -> str:
    """Return the value of `webhook-signature` for a message with the id *name*, sent at *stamp*."""
    digest = hmac.digest(key, f"{name}.{stamp}.".encode() + body, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"


def _key(secret: str) -> bytes:
    text = secret.removeprefix(PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)  # services leave the padding out
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not key:
        why = f'The signing key of the webhook must be "{PREFIX}" and the key in base64; make one with `{MAKE}`.'
        raise NotSentError(why, final=True)
    return key


MAKE = f'echo "{PREFIX}$(head -c 32 /dev/urandom | base64)"'
"""Makes a signing key."""


def _bodies(message: Message) -> Iterator[bytes]:
    """Yield the body of each part; the same at every try."""
    events = [_clipped(event.to_json()) for event in message.events]
    groups = list(_groups(events))
    kind = f"backup.{message.events[0].kind.value if len(events) == 1 else 'several'}"
    stamp = clock.to_text(message.events[0].at_ms if len(events) == 1 else message.made_ms)
    said = {
        "title": messages.title(message),
        "text": messages.text(message, message.made_ms),
        "severity": messages.severity(message),
        "command": messages.command(message),
    }
    for number, group in enumerate(groups, 1):
        data = {"message": message.id, "part": number, "parts": len(groups), **said, "events": group}
        yield _json({"type": kind, "timestamp": stamp, "data": data})


def _groups(events: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    size = 0
    for event in events:
        length = len(_json(event))
        if group and (len(group) == MOST_EVENTS or size + length > MOST_BYTES):
            yield group
            group, size = [], 0
        group.append(event)
        size += length
    yield group


def _clipped(value: Any) -> Any:
    """Return *value* with no text in it longer than any of ours should be."""
    match value:
        case str():
            return value if len(value) <= _MOST_TEXT else value[: _MOST_TEXT - 1] + "…"
        case Mapping():
            return {key: _clipped(item) for key, item in value.items()}
        case list() | tuple():
            return [_clipped(item) for item in value]
        case _:
            return value


def _json(data: Any) -> bytes:
    """Return *data* as JSON in UTF-8; half a surrogate pair, which no reader takes, becomes "?"."""
    return json.dumps(data, ensure_ascii=False).encode("utf-8", "replace")
