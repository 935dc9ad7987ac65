"""resticprofile: its profiles in TOML, YAML or JSON, and the command lines of restic that it makes of them.

Not read: HCL, includes, and values that its template language computes. Made from its documentation; it was not run here.
"""

from collections.abc import Mapping

from tray.takeover import reading
from tray.takeover.found import Machine
from tray.takeover.schedule import Schedule, together
from tray.takeover.shell import UNKNOWN
from tray.takeover.tools import Asked, Backup, Tool, located, option, table, texts

_NAMES = tuple(f"profiles.{ending}" for ending in ("toml", "yaml", "yml", "json", "conf"))
_SYSTEM = ("/usr/local/etc/resticprofile", "/etc/resticprofile", "/usr/local/etc", "/etc")
_VALUES = (
    "-c",
    "--config",
    "-n",
    "--name",
    "-f",
    "--format",
    "-l",
    "--log",
    "--lock-wait",
    "--theme",
    "--command-output",
)
_FLAGS = ("tag", "host", "files-from", "files-from-verbatim", "files-from-raw", "stdin-filename")
_MOST_PARENTS = 10


def _called(asked: Asked) -> list[Backup]:
    words = list(asked.words)
    verbs = [
        word for at, word in enumerate(words) if not word.startswith("-") and (at == 0 or words[at - 1] not in _VALUES)
    ]
    name = (option(words, "-n", "--name") or ["default"])[-1]
    verb = verbs[0] if verbs else ""
    if verb == "run-schedule" and len(verbs) > 1:
        verb, _, name = verbs[1].partition("@")
    elif "." in verb:
        name, _, verb = verb.rpartition(".")
    if verb != "backup":
        return []
    given = option(words, "-c", "--config")
    path = asked.path(given[-1]) if given else _usual(asked.machine, asked.home, asked.folder)
    if path is None:
        return [Backup(name, "", "restic", why="its configuration file was not found")]
    backups = [
        backup
        for backup in _backups(path, asked.machine)
        if backup.why or backup.label in (name, *_members(path, name))
    ]
    return backups or [Backup(name, path, "restic", why=f"{path} has no profile {name!r} with a backup")]


def _usual(machine: Machine, home: str | None, folder: str | None) -> str | None:
    folders = ([folder] if folder else []) + (
        [f"{home}/.config/resticprofile", f"{home}/resticprofile"] if home else []
    )
    for place in (*folders, *_SYSTEM):
        for name in _NAMES:
            if reading.exists(path := located(machine, f"{place}/{name}")):
                return path
    return None


def _configured(machine: Machine) -> list[Backup]:
    places = [f"{machine.config}/resticprofile", f"{machine.home}/resticprofile", *_SYSTEM[:2]]
    paths = [located(machine, f"{place}/{name}") for place in places for name in _NAMES]
    return [backup for path in paths if reading.exists(path) for backup in _backups(path, machine)]


def _members(path: str, name: str) -> list[str]:
    """Return the profiles of the group *name*."""
    try:
        group = table(reading.settings(path).get("groups")).get(name)
    except reading.UnreadableError:
        return []
    return texts(table(group).get("profiles", group))


def _backups(path: str, machine: Machine) -> list[Backup]:
    shown = path.removeprefix(machine.root) if machine.root else path
    try:
        settings = reading.settings(path)
    except reading.UnreadableError as error:
        return [Backup("", shown, "restic", why=f"{shown} is not understood: {error}")]
    profiles = table(settings.get("profiles")) if str(settings.get("version")) == "2" else settings
    backups = []
    for name in profiles:
        profile = _inherited(profiles, name)
        backup = table(profile.get("backup"))
        if "source" in backup or "stdin" in backup:
            backups.append(_backup(name, shown, profile, backup, machine))
    return backups


def _inherited(profiles: Mapping[str, object], name: str) -> dict[str, object]:
    """Return a profile together with the profile that it inherits."""
    chain = []
    for _ in range(_MOST_PARENTS):
        profile = table(profiles.get(name))
        chain.append(profile)
        name = str(profile.get("inherit") or "")
        if not name:
            break
    grown: dict[str, object] = {}
    for profile in reversed(chain):
        for key, value in profile.items():
            grown[key] = {**table(grown.get(key)), **table(value)} if isinstance(value, dict) else value
    return grown


def _backup(
    name: str, shown: str, profile: Mapping[str, object], backup: Mapping[str, object], machine: Machine
) -> Backup:
    repository = profile.get("repository")
    argv = ["restic", "backup"]
    if isinstance(repository, str):
        argv += ["--repo", _plain(repository)]
    for flag in _FLAGS:
        value = backup.get(flag, profile.get(flag))
        if value is True:
            argv += [f"--{flag}", machine.host] if flag == "host" else []
        elif value is not None:
            argv += [word for text in texts(value) for word in (f"--{flag}", _plain(text))]
    argv += ["--stdin"] if backup.get("stdin") is True else []
    argv += [_plain(source) for source in texts(backup.get("source", []))]
    environ = {
        key.upper(): str(value) for key, value in table(profile.get("env")).items() if isinstance(value, str | int)
    }
    base = profile.get("base-dir")
    folder = _plain(base) if isinstance(base, str) else None
    return Backup(name, shown, "restic", ((tuple(argv),),), environ, folder, schedule=_schedule(backup.get("schedule")))


def _plain(text: str) -> str:
    """Return a value, whose computed parts (`{{ … }}`, `${NAME}`) are not known."""
    return UNKNOWN if "{{" in text or "$" in text else text


def _schedule(value: object) -> Schedule | None:
    """Return the schedule of a profile: OnCalendar, one or several, or a table with `at`."""
    times = texts(table(value).get("at", [])) if isinstance(value, dict) else texts(value) if value is not None else []
    return together([Schedule(time, on=time) for time in times]) if times else None


TOOL = Tool("resticprofile", ("resticprofile",), _called, _configured)
