"""Answer the page of notifications: how every channel stands, a test of one, and the messages about jobs that rest."""

import json
import subprocess
from typing import Any
from urllib.parse import urlsplit

from tray import wording
from tray.config import channels as configured
from tray.config import jobs
from tray.config.channels import DESKTOP, ChannelSettings
from tray.core import clock, ourselves
from tray.core.errors import MessageNotSentError
from tray.core.model import Instance
from tray.core.paths import Places
from tray.notify import overview, snooze
from tray.notify.channels import PATIENCE_SECONDS
from tray.wording import channel_lines
from tray.wording import channels as words

TEST_SECONDS = PATIENCE_SECONDS + 20
"""The longest that a test may take, the start of its process included."""
MOST_WHY, MOST_NAME = 500, 60
"""Units of a reason and of a name that the page shows."""
_KINDS = {words.READY: "ok", words.DEAD: "fail", words.OFF: "paused", words.UNTRIED: "unknown", words.ABSENT: "unknown"}
_SERVERS = {"mail": "", "ntfy": "https://ntfy.sh"}
"""The server that a kind of channel uses where config.toml names none."""


def a_channel(value: object) -> str:
    """Check for a name that a channel can have, so that no program takes it for an option (a `bridge.Check`)."""
    if not isinstance(value, str) or not configured.is_name(value):
        raise ValueError("the name of a channel is needed")
    return value


def page(places: Places) -> dict[str, Any]:
    """Return everything that the page shows.

    Raises:
        ConfigError: The configuration file is broken, so no channel is known.
    """
    now_ms = clock.now_ms()
    rows = overview.standings(places)
    said = words.summary({row.name: row.word for row in rows})
    return {
        "kind": said[0],
        "summary": said[1],
        "channels": [_channel(row, now_ms) for row in rows],
        "alone": [row.name for row in rows] == [DESKTOP],
        "of_jobs": _of_jobs(places),
        "rests": [_rest(rest, now_ms) for rest in snooze.rests(places)],
        "lines": lines(),
        "file": wording.escape(str(places.config_file)),
    }


def send_test(channel: str) -> dict[str, Any]:
    """Send a test message by *channel* in a process of its own, which takes up to `TEST_SECONDS`, and return how that ended.

    Returns:
        {"error": None, or the facts of the error}.
    """
    process = ourselves.start("notify", "test", channel, "--json", stdout=subprocess.PIPE)
    try:
        out, _ = process.communicate(timeout=TEST_SECONDS)
        said = json.loads(out)
        error = None if said["sent"] else {key: str(text) for key, text in said["error"].items()}
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        error = MessageNotSentError(channel, f"The test was ended after {TEST_SECONDS:.0f} seconds.").facts()
    except (ValueError, KeyError, TypeError, AttributeError):
        why = f"The process of the test ended with exit code {process.returncode} and said nothing."
        error = MessageNotSentError(channel, why).facts()
    return {"error": None if error is None else {key: wording.escape(text) for key, text in error.items()}}


def end_rest(places: Places, job: str, *, system: bool) -> dict[str, Any]:
    """Send messages about *job* again, and return the page.

    Raises:
        QueueUnavailableError: It cannot be noted.
        ConfigError: As `page`.
    """
    snooze.put(places, job, None, Instance.SYSTEM if system else Instance.USER)
    return page(places)


def lines() -> list[dict[str, Any]]:
    """Return for each kind of channel the lines of config.toml that add it."""
    return [
        {"type": kind.type, "title": kind.title, "about": kind.about, "lines": kind.lines, "then": list(kind.then)}
        for kind in channel_lines.ALL
    ]


def _channel(row: overview.Standing, now_ms: int) -> dict[str, Any]:
    settings, state = row.settings, row.state
    kind = None if settings is None else settings.type
    off, shown = row.word == words.OFF, wording.fit(wording.escape(row.name), MOST_NAME)
    facts = (words.last(state.sent_ms, row.tested_ms, now_ms), words.waits(state))
    return {
        "name": row.name,
        "shown": shown,
        "title": channel_lines.TITLES.get(kind or "", shown),
        "whom": "" if settings is None else _whom(settings),
        "kind": _KINDS[row.word],
        "word": row.word,
        "why": wording.fit(wording.escape(row.fault or ""), MOST_WHY),
        "facts": [f"{fact[0].upper()}{fact[1:]}." for fact in facts if fact],
        "next": words.next_try(state, now_ms),
        "rules": [] if settings is None or off else words.rules(settings),
        "testable": settings is not None,
    }


def _whom(settings: ChannelSettings) -> str:
    """Return whom a channel serves, and its address without any secret: "for people, to ann@example.com"."""
    options = settings.options
    server = urlsplit(str(options.get("server") or options.get("url") or _SERVERS.get(settings.type, ""))).hostname
    to = wording.escape(", ".join(options.get("to", ())))
    if settings.type == "apprise":
        server = None  # its address may hold a token in place of a host
    return ", ".join(
        filter(
            None,
            (
                words.FOR_WHOM[settings.takes],
                f"to {to}" if to else "",
                f"by {wording.escape(server)}" if server else "",
            ),
        )
    )


def _of_jobs(places: Places) -> list[dict[str, str]]:
    """Return the jobs whose own `notify` takes the place of the events of every channel for people."""
    known = jobs.load(places).jobs.values()
    return [
        {
            "job": wording.fit(wording.escape(job.name), MOST_NAME),
            "text": f"Messages only about {words.events(job.notify)}.",
        }
        for job in known
        if job.notify is not None
    ]


def _rest(rest: snooze.Rest, now_ms: int) -> dict[str, Any]:
    system = rest.instance is Instance.SYSTEM
    return {"job": rest.job, "system": system, "text": words.resting(rest.job, rest.until_ms, now_ms, system=system)}
