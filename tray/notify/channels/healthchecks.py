"""healthchecks: a ping after each run (https://healthchecks.io/docs/http_api/), to one check or to one for each job.

- `url` ends with the uuid of a check, or the secret is one: that check stands for all jobs of the channel. A success is pinged only
  while all of them are fine; else the ping goes to `/log`, so that the check is late and not green.
- The secret is the ping key of a project, or `url` ends with it: each job has a check of its own, by a slug made of the job's name
  (`slugs`), and a missing check is made. Machines that share a project need jobs of different names.

A failure and an overdue backup go to `/fail`, a run with warnings to `/log`. There is no `/start`: Backup Tray tells of events, and
a start is none. `alive = true` adds a check "backup-tray-HOST" that hears each time when the audit log was verified, and fails when
the log was tampered with; with a uuid the check is about that alone.
"""

import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Collection, Mapping
from functools import partial
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from tray.config.channels import ChannelSettings
from tray.core.dataclass import dataclass, replace
from tray.core.model import Instance, Outcome, Status
from tray.core.model.events import Event, EventKind, Message
from tray.core.paths import Places
from tray.notify import secrets
from tray.notify.channels import NotSentError, http, parts
from tray.notify.channels.standing import Grade, Standing
from tray.wording import messages

MOST_BODY = 10_000
"""Bytes of the text of a ping that every server keeps."""
SUCCESS, FAIL, LOG = "", "/fail", "/log"
_LONGEST_SLUG = 80
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_GOOD = (EventKind.RECOVERED, EventKind.SUCCESS)
_OF_KIND = {EventKind.FAILURE: FAIL, EventKind.OVERDUE: FAIL, EventKind.BREACH: FAIL, EventKind.ALIVE: SUCCESS}
_OWN = (EventKind.ALIVE, EventKind.BREACH, EventKind.TEST)
"""Events about Backup Tray itself."""
_LIMITED_SECONDS = 60.0
Job = tuple[Instance, str]
"""Whose job, and its name."""


@dataclass(frozen=True, slots=True)
class Ping:
    """One ping: its id, the check by its slug ("" where `url` names it), the action, the text and the run."""

    id: str
    slug: str
    action: str
    text: str
    run: str | None = None


class Channel:
    """A check, or the checks of a project."""

    def __init__(self, settings: ChannelSettings, places: Places) -> None:
        self._settings, self._places = settings, places

    def send(self, message: Message, status: Status) -> None:
        """Ping for each job of *message* once, with its newest event."""
        base, by_uuid = self._base()
        pings = self._of_one(message, status) if by_uuid else self._of_jobs(message, status)
        sends = [(ping.id, partial(self._ping, base, ping)) for ping in pings]
        if sends:
            parts.send(self._places, self._settings.name, message.id, sends)

    def _base(self) -> tuple[str, bool]:
        """Return the address to which slug and action are added, and whether it is that of one check."""
        secret = secrets.of(self._settings)
        address = urlsplit(str(self._settings.options["url"]))
        path = address.path.rstrip("/") + (f"/{quote(secret, safe='')}" if secret is not None else "")
        words = [word.lower() if _UUID.fullmatch(word) else word for word in path.split("/")]
        if sum(bool(_UUID.fullmatch(word)) for word in words) > (1 if secret is None or _UUID.fullmatch(secret) else 0):
            why = (
                f"[channels.{self._settings.name}] names a check by its uuid and a ping key too: leave out one of them."
            )
            raise NotSentError(why, final=True)
        if not path:
            why = (
                f"The channel {self._settings.name} needs the ping key of a project, or the uuid of a check:"
                f" name a file that holds it as `secret_file` in [channels.{self._settings.name}]."
            )
            raise NotSentError(why, final=True)
        return urlunsplit((address.scheme, address.netloc, "/".join(words), "", "")), bool(_UUID.fullmatch(words[-1]))

    def _of_one(self, message: Message, status: Status) -> list[Ping]:
        """Return the ping of a check that stands for all jobs, or for Backup Tray itself."""
        alive = bool(self._settings.options.get("alive"))
        wanted = [event for event in message.events if not alive or event.kind in _OWN]
        if not wanted:
            return []
        message = replace(message, events=tuple(wanted))
        newest = wanted[-1]
        standing = Standing(self._settings, message, status)
        actions = {_action(event) for event in _newest(message).values()}
        action = FAIL if FAIL in actions else LOG if LOG in actions else SUCCESS
        if action == SUCCESS and not alive and standing.worst is not Grade.FINE:
            action = LOG
        others = "" if alive else standing.others()
        return [Ping(message.id, "", action, _text(message) + (f"\n\n{others}" if others else ""), newest.run)]

    def _of_jobs(self, message: Message, status: Status) -> list[Ping]:
        """Return the pings of the checks of jobs, each with its newest event."""
        newest = _newest(message)
        known = {(job.instance, job.job) for job in status.jobs}
        own = own_slug(message.events[0].host)
        checks = slugs(known | {(instance, job) for instance, job in newest if job is not None}, own)
        pings = []
        for (instance, job), event in newest.items():
            if job is None and event.kind is not EventKind.TEST and not self._settings.options.get("alive"):
                continue
            check = own if job is None else checks[instance, job]
            text = _text(replace(message, events=(event,)))
            pings.append(Ping(event.id, check, _action(event), text, event.run))
        return pings

    def _ping(self, base: str, ping: Ping, seconds: float) -> None:
        query = {"create": "1"} if ping.slug else {}
        if ping.run is not None and _UUID.fullmatch(ping.run):
            query["rid"] = ping.run.lower()
        place = f"{base}/{ping.slug}" if ping.slug else base
        request = http.Request(
            "POST",
            f"{place}{ping.action}" + (f"?{urlencode(query)}" if query else ""),
            body=_tail(ping.text),
            headers={"Content-Type": "text/plain; charset=utf-8"},
            ca_file=self._settings.options.get("ca_file"),
            advice=_advice(ping.slug),
            seconds=seconds,
        )
        _check(request, http.send(request))


def _check(request: http.Request, answer: http.Answer) -> None:
    """Raise where the server says "OK" and means no: it answers so to a uuid, for the sake of old clients."""
    words = answer.body.strip()
    if words.startswith(b"OK (not found"):
        why = f"{request.host} knows no check with this uuid: it was deleted, or the address is mistyped."
        raise NotSentError(why, final=True)
    if words.startswith(b"OK ("):
        raise NotSentError(f"{request.host} takes no more pings for now.", after_seconds=_LIMITED_SECONDS)
    if words and not words.startswith((b"OK", b"Created")):
        raise http.stranger(request, "healthchecks")


def _advice(check: str) -> Mapping[int, str]:
    if not check:
        return {404: "The healthchecks server knows no check at this address (HTTP 404)."}
    return {
        404: "The healthchecks server knows no project with this ping key, or the project may have no more checks (HTTP 404).",
        409: f"Several checks of the project have the slug {check} (HTTP 409): give each another one.",
    }


def _newest(message: Message) -> dict[tuple[Instance, str | None], Event]:
    """Return the newest event of each job, and of Backup Tray itself, in the order in which they happened."""
    newest: dict[tuple[Instance, str | None], Event] = {}
    for event in message.events:
        place = (Instance.USER if event.job is None else event.instance, event.job)
        newest.pop(place, None)
        newest[place] = event
    return newest


def _action(event: Event) -> str:
    if event.kind in _GOOD:
        return SUCCESS if event.outcome in (Outcome.SUCCEEDED, Outcome.WARNING) else LOG
    if event.kind is EventKind.FAILURE and event.outcome in (Outcome.CANCELLED, Outcome.UNKNOWN):
        return LOG
    return _OF_KIND.get(event.kind, LOG)


def _text(message: Message) -> str:
    return "\n\n".join([messages.title(message), messages.text(message, message.made_ms), messages.more(message)])


def _tail(text: str) -> bytes:
    """Return the end of *text* as UTF-8, as long as a server keeps it."""
    raw = text.encode("utf-8", "replace")
    return raw if len(raw) <= MOST_BODY else raw[-MOST_BODY:].decode("utf-8", "ignore").encode()


def own_slug(host: str | None) -> str:
    """Return the slug of the check of Backup Tray itself on this machine."""
    return f"backup-tray-{_plain(host or '')[0]}".rstrip("-")


def slugs(jobs: Collection[Job], taken: str) -> dict[Job, str]:
    """Return the slug of each job's check: "restic-srv-backup" for "restic /srv/backup".

    A part drawn from the name is added where letters got lost, or where another job has the same slug: two jobs with one check
    would hide each other's failures.

    Args:
        jobs: All jobs that there are.
        taken: A slug that no job may have.
    """
    plain = {job: _slug(job) for job in jobs}
    often = Counter(text for text, _ in plain.values())
    often[taken] += 1
    made = {}
    for job, (text, lossy) in plain.items():
        alone = often[text] == 1 or (text == job[1] and text != taken)
        made[job] = text if text and alone and not lossy else f"{text or 'job'}-{_mark(job)}"
    return made


def _mark(job: Job) -> str:
    return f"{zlib.crc32(f'{job[0].value} {job[1]}'.encode('utf-8', 'replace')):08x}"


def _slug(job: Job) -> tuple[str, bool]:
    return _plain(job[1] + ("-system" if job[0] is Instance.SYSTEM else ""))


def _plain(name: str) -> tuple[str, bool]:
    """Return *name* in the letters of a slug, and whether other letters or digits got lost."""
    spread = unicodedata.normalize("NFKD", name.lower())
    kept = "".join(char for char in spread if char.isascii() or not unicodedata.combining(char))
    text = re.sub(r"[^a-z0-9_]+", "-", kept).strip("-")
    lossy = len(text) > _LONGEST_SLUG or any(char.isalnum() and not char.isascii() for char in kept)
    return text[:_LONGEST_SLUG].rstrip("-"), lossy
