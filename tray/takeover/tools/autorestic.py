"""autorestic: its locations and backends in YAML, and the command lines of restic that it makes of them.

`autorestic cron` is called every few minutes and starts each location whose own cron line is due. Made from its documentation and
source; it was not run here.
"""

from collections.abc import Mapping

from tray.takeover import reading
from tray.takeover.found import Machine
from tray.takeover.schedule import of_cron
from tray.takeover.tools import Asked, Backup, Tool, option, table, texts

_NAMES = (".autorestic.yml", ".autorestic.yaml", "autorestic.yml", "autorestic.yaml")


def _called(asked: Asked) -> list[Backup]:
    words = list(asked.words)
    verb = next((word for word in words if word in ("backup", "cron")), "")
    if not verb:
        return []
    given = option(words, "-c", "--config")
    path = asked.path(given[-1]) if given else _usual(asked.home, asked.folder)
    if path is None:
        return [Backup("", "", "restic", why="its configuration file was not found")]
    backups = _backups(path, asked.machine, cron=verb == "cron")
    if verb == "cron":
        return [backup for backup in backups if backup.why or backup.schedule is not None]
    chosen = option(words, "-l", "--location")
    timed = [backup for backup in backups if backup.why or not chosen or backup.label in chosen]
    return [backup.without_schedule() for backup in timed]


def _usual(home: str | None, folder: str | None) -> str | None:
    folders = ([folder] if folder else []) + ([home, f"{home}/.config/autorestic"] if home else [])
    return next((path for place in folders for name in _NAMES if reading.exists(path := f"{place}/{name}")), None)


def _configured(machine: Machine) -> list[Backup]:
    path = _usual(machine.home, None)
    return [] if path is None else _backups(path, machine, cron=True)


def _backups(path: str, machine: Machine, *, cron: bool) -> list[Backup]:
    shown = path.removeprefix(machine.root) if machine.root else path
    try:
        settings = reading.settings(path)
    except reading.UnreadableError as error:
        return [Backup("", shown, "restic", why=f"{shown} is not understood: {error}")]
    backends = table(settings.get("backends"))
    folder = path.rpartition("/")[0]
    backups = []
    for name, value in table(settings.get("locations")).items():
        location = table(value)
        places = [_address(table(backends.get(target)), folder) for target in texts(location.get("to") or [])]
        calls = [
            tuple(_command(name, location, place, folder, cron=by_cron) for by_cron in dict.fromkeys((cron, False)))
            for place in places
            if place
        ]
        line = location.get("cron")
        schedule = of_cron(line) if isinstance(line, str) else None
        known = all(places) and bool(places)
        notes = () if known else ("the address of one of its backends is not understood",)
        backups.append(Backup(name, shown, "restic", tuple(calls), folder=folder, schedule=schedule, notes=notes))
    return backups


def _address(backend: Mapping[str, object], folder: str) -> str | None:
    """Return restic's address of a backend."""
    kind, path = str(backend.get("type") or ""), str(backend.get("path") or "")
    if not path or kind not in ("local", "b2", "s3", "sftp", "rest", "azure", "gs", "rclone"):
        return None
    if kind == "local":
        return path if path.startswith("/") else f"{folder}/{path.removeprefix('./')}"
    return f"{kind}:{path}"


def _command(name: str, location: Mapping[str, object], place: str, folder: str, *, cron: bool) -> tuple[str, ...]:
    options = table(table(location.get("options")).get("backup"))
    argv = ["restic", "backup", "--repo", place]
    for flag in ("tag", "host"):
        argv += [word for text in texts(options.get(flag, [])) for word in (f"--{flag}", text)]
    argv += ["--tag", "ar:cron"] if cron else []
    argv += ["--tag", f"ar:location:{name}"]
    sources = texts(location.get("from") or [])
    return (*argv, *(source if source.startswith(("/", "~")) else f"{folder}/{source}" for source in sources))


TOOL = Tool("autorestic", ("autorestic",), _called, _configured)
