"""Find systemd's timers and the services that they start, the user's and the system's.

`systemctl show` tells which units are loaded and when they start next; the files themselves say the command, since `systemctl`
prints commands without their quotes. Where no manager answers (a container, `su`), the folders of unit files are read.
"""

import os
import re
from collections.abc import Iterator, Mapping

from tray.core import clock, regex
from tray.core.dataclass import dataclass, replace
from tray.takeover import reading, units
from tray.takeover.found import Machine, Start
from tray.takeover.schedule import Schedule
from tray.takeover.units import Unit

_SHOWN = "Id,NextElapseUSecRealtime,ActiveState,UnitFileState"
_SYSTEM_FOLDERS = (
    *("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system"),
    *("/usr/lib/systemd/system", "/lib/systemd/system"),
)
_USER_FOLDERS = ("/etc/systemd/user", "/usr/local/lib/systemd/user", "/usr/lib/systemd/user")
_TIMER = regex.compile(r"[\w:.\\@-]{1,200}\.timer")
_MOST = 400


@dataclass(frozen=True, slots=True)
class _Manager:
    """A manager of systemd: the system's, or the user's own."""

    machine: Machine
    system: bool

    @property
    def call(self) -> list[str]:
        return ["systemctl"] if self.system else ["systemctl", "--user"]

    @property
    def folders(self) -> list[str]:
        machine = self.machine
        if self.system:
            return [machine.root + folder for folder in _SYSTEM_FOLDERS]
        return [
            f"{machine.config}/systemd/user",
            f"{machine.home}/.local/share/systemd/user",
            *(machine.root + folder for folder in _USER_FOLDERS),
        ]

    @property
    def own_folders(self) -> list[str]:
        """The folders in which people put units of their own."""
        return [self.machine.root + "/etc/systemd/system"] if self.system else [f"{self.machine.config}/systemd/user"]

    def shown(self, name: str) -> str:
        """Return how users call the unit."""
        return f"{'system' if self.system else 'user'} timer {name}"


def starts(machine: Machine) -> Iterator[Start]:
    """Yield the services that timers start, and services of people's own that no timer starts."""
    for system in (False, True):
        manager = _Manager(machine, system)
        loaded = _loaded(manager)
        timed = set()
        for name in sorted({*loaded, *_on_disk(manager, ".timer")})[:_MOST]:
            start = _timed(manager, name, loaded.get(name))
            if start is not None:
                timed.add(start[0])
                yield start[1]
        for name in _own_services(manager):
            if name not in timed and (lone := _alone(manager, name)) is not None:
                yield lone


def _loaded(manager: _Manager) -> dict[str, Mapping[str, str]]:
    """Return the properties of each timer that the manager has loaded."""
    words = [*manager.call, "show", "--timestamp=utc", "--all", f"--property={_SHOWN}", "--", "*.timer"]
    try:
        output = manager.machine.ask(words)
    except reading.RefusedError:  # no manager answers, as after `su`: the files tell all but the next start
        output = None
    loaded: dict[str, Mapping[str, str]] = {}
    for block in (output or "").split("\n\n"):
        properties = dict(line.partition("=")[::2] for line in block.split("\n") if "=" in line)
        if _TIMER.fullmatch(properties.get("Id", "")):
            loaded[properties["Id"]] = properties
    return loaded


def _on_disk(manager: _Manager, ending: str) -> set[str]:
    """Return the units that the folders hold, and the instances of templates that are switched on."""
    names = set()
    for folder in manager.folders:
        listed = reading.names(folder)
        names |= {name for name in listed if name.endswith(ending) and not name.endswith(f"@{ending}")}
        for wants in (name for name in listed if name.endswith(".wants")):
            names |= {name for name in reading.names(f"{folder}/{wants}") if name.endswith(ending)}
    return {name for name in names if re.fullmatch(r"[\w:.\\@-]{1,200}", name)}


def _own_services(manager: _Manager) -> list[str]:
    names = {name for folder in manager.own_folders for name in reading.names(folder)}
    return sorted(name for name in names if name.endswith(".service") and "@" not in name)[:_MOST]


def _timed(manager: _Manager, name: str, properties: Mapping[str, str] | None) -> tuple[str, Start] | None:
    """Return the service that the timer *name* starts, with its name; None if it cannot be found."""
    timer = _unit(manager, name)
    if timer is None:
        return None
    service = timer[0].last("Timer", "Unit") or f"{name.removesuffix('.timer')}.service"
    schedule = units.timer(timer[0])
    off = "" if _is_on(manager, name, properties) else "the timer is not switched on"
    next_ms = _next_ms((properties or {}).get("NextElapseUSecRealtime", ""))
    start = _service(manager, service, schedule, manager.shown(name), off=off, next_ms=next_ms)
    return None if start is None else (service, start)


def _alone(manager: _Manager, name: str) -> Start | None:
    where = "system" if manager.system else "user"
    schedule = Schedule("", why="no timer starts it, as far as can be seen")
    start = _service(manager, name, schedule, f"{where} service {name}", off="", next_ms=None)
    return None if start is None else replace(start, idle=True)


def _service(
    manager: _Manager, name: str, schedule: Schedule, source: str, *, off: str, next_ms: int | None
) -> Start | None:
    read = _unit(manager, name)
    if read is None:
        return None
    unit, file = read
    machine = manager.machine
    home, user = ("/root", "root") if manager.system else (machine.home, machine.user)
    specifiers = units.specifiers(name, home=home, user=user, host=machine.host, system=manager.system)
    variables, notes = units.environment(unit, specifiers), []
    for path in units.environment_files(unit, specifiers):
        try:
            variables |= units.settings_in(reading.text(_at(machine, path)))
        except reading.UnreadableError as error:
            notes.append(f"{path}, which holds its variables, could not be read: {error}")
    runs_as = specifiers.expand(unit.last("Service", "User")) if manager.system else user
    folder = specifiers.expand(unit.last("Service", "WorkingDirectory")).removeprefix("-")
    folder = home if folder == "~" else folder or ("/" if manager.system else home)
    return Start(
        source=source,
        file=file.removeprefix(machine.root) if machine.root else file,
        line=None,
        schedule=schedule,
        user=runs_as or "root",
        home=home if not runs_as or runs_as == user else None,
        argvs=tuple(units.commands(unit, specifiers, variables)),
        folder=folder,
        exec_start=_exec_start(unit),
        variables={"HOME": home, "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", **variables},
        how=f"with `{' '.join([*manager.call, 'edit', name])}`, add these lines",
        off=off,
        label=name.removesuffix(".service"),
        next_ms=next_ms,
        notes=tuple(notes),
    )


def _exec_start(unit: Unit) -> str:
    """Return the only command of a service as written; "" if there are several, or if it gives the program another name."""
    values = unit.all("Service", "ExecStart")
    signs = re.match(r"[@\-:+!]*", values[0]) if len(values) == 1 else None
    return "" if signs is None or "@" in signs[0] else values[0]


def _unit(manager: _Manager, name: str) -> tuple[Unit, str] | None:
    """Return a unit with its drop-ins, and its file; None if there is none that can be read."""
    stem, _, kind = name.rpartition(".")
    template = f"{stem.partition('@')[0]}@.{kind}" if "@" in stem else None
    for candidate in [name] + ([template] if template else []):
        for folder in manager.folders:
            path = f"{folder}/{candidate}"
            try:
                text = reading.text(path)
            except reading.UnreadableError:
                continue
            return units.unit([text, *_drop_ins(manager, candidate, name)]), path
    return None


def _drop_ins(manager: _Manager, *names: str) -> list[str]:
    """Return the texts of the drop-ins of a unit, in the order in which systemd reads them."""
    files: dict[str, str] = {}
    for folder in reversed(manager.folders):
        for name in dict.fromkeys(names):
            for file in reading.names(f"{folder}/{name}.d"):
                if file.endswith(".conf"):
                    files[file] = f"{folder}/{name}.d/{file}"
    texts = (reading.script(files[file]) for file in sorted(files))
    return [text for text in texts if text is not None]


def _is_on(manager: _Manager, name: str, properties: Mapping[str, str] | None) -> bool:
    if properties is not None:
        return properties.get("ActiveState") == "active" or properties.get("UnitFileState") in (
            "enabled",
            "enabled-runtime",
        )
    return any(
        os.path.lexists(f"{folder}/{wants}/{name}")
        for folder in manager.folders
        for wants in ("timers.target.wants", "default.target.wants", "basic.target.wants")
    )


def _next_ms(text: str) -> int | None:
    """Return the next start, which `systemctl --timestamp=utc` prints as `Tue 2026-12-01 01:18:25 UTC`."""
    match = re.fullmatch(r"\w+ (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC", text)
    return None if match is None else clock.from_text(f"{match[1]}T{match[2]}.000Z")


def _at(machine: Machine, path: str) -> str:
    return path if path.startswith(machine.home + "/") else machine.root + path
