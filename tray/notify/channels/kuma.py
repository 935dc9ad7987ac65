"""Uptime Kuma: a push monitor, which is up or down and shows a line of text (`/api/push/TOKEN?status=up&msg=OK&ping=`).

A monitor stands for all jobs of the channel: it is up only while none of them has failed or is overdue. A warning leaves it up, and
stands in the text. `ping` is how long the run took, in milliseconds.
"""

from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from tray.config.channels import ChannelSettings
from tray.core.model import Status
from tray.core.model.events import Message
from tray.core.paths import Places
from tray.notify import secrets
from tray.notify.channels import NotSentError, http
from tray.notify.channels.standing import Grade, Standing
from tray.wording import messages
from tray.wording.numbers import fit

MOST_TEXT = 250
_PUSH = "/api/push/"
_MOST_PING = 100_000_000_000
_ADVICE = {404: "Uptime Kuma knows no active monitor with this token (HTTP 404): it is paused, or it was deleted."}


class Channel:
    """A push monitor: `url` is the address that Kuma shows, or only that of the server if the secret is the token."""

    def __init__(self, settings: ChannelSettings, places: Places) -> None:
        self._settings = settings

    def send(self, message: Message, status: Status) -> None:
        """Push how the jobs stand, with the title of *message*."""
        options, token = self._settings.options, secrets.of(self._settings)
        standing = Standing(self._settings, message, status)
        others = standing.others()
        text = fit(messages.title(message) + (f"; {others}" if others else ""), MOST_TEXT)
        took = message.events[-1].duration_ms
        query = {
            "status": "down" if standing.worst is Grade.BAD else "up",
            "msg": text,
            "ping": "" if took is None else str(min(took, _MOST_PING)),
        }
        request = http.Request(
            "GET",
            _address(self._settings.name, str(options["url"]), token, query),
            ca_file=options.get("ca_file"),
            hidden=() if token is None else (token,),
            advice=_ADVICE,
        )
        answer = http.send(request)
        if answer.body and http.data_of(answer).get("ok") is not True:
            raise http.stranger(request, "Uptime Kuma")


def _address(channel: str, url: str, token: str | None, query: dict[str, str]) -> str:
    """Return the address of a push; the query of `url`, which Kuma shows as an example, is replaced."""
    parts = urlsplit(url)
    path = (
        parts.path if token is None else f"{parts.path.partition(_PUSH)[0].rstrip('/')}{_PUSH}{quote(token, safe='')}"
    )
    if not path.rpartition(_PUSH)[2] or _PUSH not in path:
        why = (
            f"The channel {channel} needs the address that Uptime Kuma shows for its push monitor as `url`,"
            " or the token at its end as the secret."
        )
        raise NotSentError(why, final=True)
    return urlunsplit((parts.scheme, parts.netloc, path, urlencode(query, errors="replace"), ""))
