"""Check that people and their tools hear of failures: the channels of messages, the file of metrics, the hourly round."""

import os
import shlex
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from tray import config, ipc, wording
from tray.config.channels import DESKTOP, ChannelSettings
from tray.core import clock
from tray.core.errors import TrackerGoneError
from tray.core.paths import Places, expand
from tray.doctor import Check, Level
from tray.doctor.desktop import starts_at_login
from tray.notify import overview, secrets
from tray.notify.channels import NotSentError, apprise
from tray.schedule import watch

OLD_MS = 2 * 3_600_000
"""A file of metrics that is older was not written by the last hourly round."""


def channels(places: Places) -> Iterable[Check]:
    """Say how every channel stands; a desktop that shows nothing is no fault, since a server has none."""
    name = "messages"
    known = config.channels.load(places)
    for note in known.notes:
        yield Check(name, Level.WARN, f"{note}.", f"nano {shlex.quote(str(places.config_file))}")
    for standing in overview.standings(places):
        settings = standing.settings
        if settings is None:
            error = known.broken[standing.name]
            yield Check(name, Level.WARN, f"{error.what} {error.why}", error.next)
        elif not settings.enabled:
            yield Check(name, Level.NOTE, f"{standing.name}: turned off.")
        elif (fault := standing.fault or _missing(settings)) is not None:
            level = Level.NOTE if standing.name == DESKTOP else Level.WARN
            what = f"Messages by {standing.name} cannot be sent: {fault.rstrip('.')}."
            yield Check(name, level, what, f"backup-tray notify test {standing.name}")
        else:
            when = standing.state.sent_ms or standing.tested_ms
            sent = "nothing sent yet" if when is None else f"the last message went {wording.ago(clock.now_ms(), when)}"
            yield Check(name, Level.OK, f"{standing.name}: {sent}.")


def _missing(settings: ChannelSettings) -> str | None:
    """Return why a channel will not work although nothing was sent by it yet; the command of a secret is not run for this."""
    if settings.type == "apprise" and (why := apprise.missing()) is not None:
        return why
    if settings.secret_command and shutil.which(expand(settings.secret_command[0])) is None:
        return f"the program that gives its secret, {settings.secret_command[0]}, is not there"
    if settings.secret_file is not None:
        try:
            secrets.of(settings)
        except NotSentError as error:
            return error.why
    return None


def metrics(places: Places) -> Iterator[Check]:
    """Check that the file of [metrics] is written, and not long ago."""
    name = "metrics"
    named = config.load(places).metrics_file
    if named is None:
        return
    file = Path(named)
    folder = file.parent
    write = f"backup-tray metrics --textfile {shlex.quote(named)}"
    if not os.access(folder, os.W_OK | os.X_OK):
        why = "cannot be written by this user" if folder.is_dir() else "is not there"
        yield Check(name, Level.BAD, f"The folder of the file of metrics, {folder}, {why}.", f"ls -ld {folder}")
        return
    try:
        age_ms = clock.now_ms() - file.stat().st_mtime_ns // 1_000_000
    except OSError as error:
        yield Check(name, Level.WARN, f"{file} was not written yet: {error.strerror}.", write)
        return
    if age_ms > OLD_MS:
        what = f"{file} is old: it was written {wording.ago(clock.now_ms(), clock.now_ms() - age_ms)}."
        yield Check(name, Level.WARN, what, "backup-tray notify watch on  (it is then written once an hour)")
    else:
        yield Check(name, Level.OK, f"{file} is up to date.")


def hourly_round(places: Places) -> Check:
    """Check that overdue backups are told: by a tracker that runs, or by a timer of our own."""
    name = "hourly round"
    timer = watch.standing()
    on = "backup-tray notify watch on"
    if timer is not None and timer.fault:
        return Check(name, Level.WARN, f"The timer of the hourly round does not start it: {timer.fault}", on)
    if timer is not None:
        words = f"It is started by a {timer.title} ({timer.where})."
        if timer.needs_login and not _runs(places):
            what = f"{words} It starts only while you are logged in."
            return Check(name, Level.WARN, what, "backup-tray schedule --linger")
        return Check(name, Level.OK, words)
    if _runs(places):
        return Check(name, Level.OK, "The tracker starts it, as long as it runs.")
    hearers = [each for each in config.channels.load(places).channels.values() if each.enabled and each.name != DESKTOP]
    if starts_at_login() or not hearers:
        what = "Nothing starts it now, so no overdue backup is told; the icon has a tracker start it."
        return Check(name, Level.NOTE, f"{what} On a server: `{on}`.")
    what = f"Nothing starts it, so {hearers[0].name} hears of no overdue backup."
    return Check(name, Level.WARN, what, on)


def _runs(places: Places) -> bool:
    try:
        ipc.Client(places, "cli").close()
    except TrackerGoneError:
        return False
    return True
