"""Check that runs are watched: the tracker, observation, the steps of scripts, and the system's instance."""

import os
import re
import sys

from tray import config, ipc, wording
from tray.core import paths
from tray.core.errors import ConfigError, NotInGroupError, SystemViewError, TrackerGoneError
from tray.core.paths import Places
from tray.doctor import Check, Level
from tray.ipc.system_client import connect
from tray.observe.events import Events
from tray.observe.scope import VARIABLE, Scope

_ANSWER_SECONDS = 2.0
_TELLS_EXITS = (6, 15)  # the first Linux that tells how another user's process ended


def tracker(places: Places) -> list[Check]:
    """Ask whether a tracker answers."""
    try:
        client = ipc.Client(places, "cli")
    except TrackerGoneError as error:
        if error.why == "No tracker is running.":
            return [Check("tracker", Level.NOTE, "None is running; icon and window start one when they need it.")]
        return [Check("tracker", Level.BAD, f"{error.what} {error.why}", error.next)]
    client.close()
    version, pid = (client.tracker.get(key, "unknown") for key in ("version", "pid"))
    return [Check("tracker", Level.OK, f"It answers (version {version}, process {pid}).")]


def observation(places: Places) -> list[Check]:
    """Say whether the tracker sees runs started without `backup-tray run`, and how well it can know their end."""
    name = "runs of others"
    if sys.platform != "linux":
        return [
            Check(name, Level.NOTE, "They are seen on Linux only; put yours under watch: `backup-tray run -- COMMAND`.")
        ]
    if Scope.of(os.environ).off or not _observes(places):
        what = f"They are not looked for: {VARIABLE} or [observe] in {places.config_file} says so."
        return [Check(name, Level.NOTE, what)]
    if not _tracked(places):
        what = "They are not seen now: the tracker looks for them, and none is running. The icon starts one."
        return [Check(name, Level.NOTE, what)]
    if _release() >= _TELLS_EXITS:
        return [Check(name, Level.OK, "A tracker sees them, with their exact exit status.")]
    what = "A tracker sees them; this kernel (before 6.15) seldom tells how they ended, so many end as unknown."
    return [Check(name, Level.OK, f"{what} Put yours under watch: `backup-tray run -- COMMAND`.")]


def steps(_: Places) -> list[Check]:
    """Say whether the wrapper can know how the engines end that a wrapped script calls."""
    name = "steps of scripts"
    if sys.platform != "linux":
        return [Check(name, Level.NOTE, "The engines that a script calls are seen on Linux only; wrap each of them.")]
    if _release() >= _TELLS_EXITS:
        return [Check(name, Level.OK, "It is known how each engine ends that a wrapped script calls.")]
    events = Events()
    heard = events.fd is not None
    events.close()
    if heard:
        what = "It is known how each engine ends that a wrapped script calls, but inside a container (kernel before 6.15) seldom."
        return [Check(name, Level.OK, what)]
    what = (
        "This kernel (before 6.15) seldom tells this user how an engine ended that a wrapped script calls, so a script with engines"
        " mostly ends as unknown. Wrap each engine within it: `backup-tray run -- restic backup ...`; or run it as root."
    )
    return [Check(name, Level.NOTE, what)]


def _release() -> tuple[int, ...]:
    if sys.platform == "win32":
        return ()
    return tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))


def _tracked(places: Places) -> bool:
    try:
        ipc.Client(places, "cli").close()
    except TrackerGoneError:
        return False
    return True


def _observes(places: Places) -> bool:
    try:
        return config.load(places).observe
    except ConfigError:
        return True  # the tracker then takes the default; another check reports the fault


def system(_: Places) -> list[Check]:
    """Check that root's backups are shown to this user, or, as root, to others."""
    name = "system's instance"
    folder = paths.system_view() or paths.view_folder()
    try:
        talk = connect(folder, "cli")
        if talk is None:
            what = "Not set up, so only root sees root's backups. Set it up: `sudo installers/linux/install.sh`."
            return [Check(name, Level.NOTE, what)]
        try:
            talk.send({"type": "status"})
            jobs = talk.receive(_ANSWER_SECONDS)["status"]["jobs"]
        finally:
            talk.close()
    except NotInGroupError as error:
        if error.added:
            return [Check(name, Level.WARN, error.what, error.next)]
        return [Check(name, Level.OK, f"{error.what} {error.next}")]
    except SystemViewError as error:
        remedy = "sudo systemctl restart backup-tray  (why it ended: journalctl -u backup-tray)"
        return [Check(name, Level.WARN, f"{error.what} {error.why}", remedy)]
    return [Check(name, Level.OK, f"It answers; it shows {wording.plural(len(jobs), 'job')} of root's.")]
