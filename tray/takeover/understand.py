"""Understand the commands of schedulers: make a `Finding` of each `Start` that is a backup."""

import os
import re
import shlex
from collections.abc import Iterator, Sequence

from tray import engines
from tray.core import regex
from tray.core.dataclass import dataclass, replace
from tray.core.model import BACKUP
from tray.core.redact import Redactor
from tray.engines.text import program_name
from tray.observe import examine
from tray.takeover import crontab, names, reading, toolbox
from tray.takeover.calls import Budget, Call, Reader
from tray.takeover.found import Finding, Machine, Start
from tray.takeover.names import Part
from tray.takeover.schedule import Schedule
from tray.takeover.shell import OddError, Shell, commands
from tray.takeover.tools import Asked, Backup, Forms, Tool

_BRIEF = frozenset(known.name for known in engines.ENGINES if known.notice == engines.Notice.IF_IT_LASTS)
_BRIEFLY = "a run of {} that is over in a moment is not noticed; under `backup-tray run` each one is"
PREFIX = "{prefix}"
"""Stands in `Finding.wrapped` where `backup-tray run --job NAME --` goes."""
SCRIPT = "script"
_SYSTEMS_OWN = frozenset(("/etc/cron.daily/dpkg", "/usr/libexec/dpkg/dpkg-db-backup"))
"""Scripts of the system that copy its own small files each night."""
_THEIRS = "{user} runs it, so that user's Backup Tray can watch it: `{sudo} backup-tray jobs import`"
_BACKUP_WORDS = regex.compile(
    r"(?i)backup|restic|borg|duplicity|rclone|rsync|kopia|rdiff|duply|rsnapshot|vorta|backintime|\bdar\b|snapshot"
)
_LONGEST = 400


@dataclass(frozen=True, slots=True)
class _Known:
    """The backups that a command turned out to make.

    Attributes:
        parts: Calls of engines that make backups.
        tool: See `Finding`.
        label: A name for the job.
        at: Where the call begins in the schedule's own text.
        schedule: The schedule that the tool keeps for it, which counts instead of the scheduler's.
        why: The reason why it is not understood.
        notes: See `Finding`.
        config: The tool's configuration file and profile.
    """

    parts: tuple[Part, ...] = ()
    tool: str = ""
    label: str = ""
    at: int | None = None
    schedule: Schedule | None = None
    why: str = ""
    notes: tuple[str, ...] = ()
    config: str = ""


def findings(start: Start, machine: Machine, budget: Budget) -> Iterator[Finding]:
    """Yield the backups that *start* makes; nothing if it makes none. *budget* is that of the whole search."""
    shown = _shown(start)
    base = Finding(start.source, start.file, start.line, shown, start.schedule, how=start.how, next_ms=start.next_ms)
    if start.why:
        if start.line is None or _BACKUP_WORDS.search(shown):
            yield replace(base, why=start.why, state="not understood")
        return
    reader = Reader(lambda path: reading.script(_at(machine, path, start)), toolbox.understood, budget=budget)
    calls = _calls(start, machine, reader)
    if not _SYSTEMS_OWN.isdisjoint(path.removeprefix(machine.root) for path in reader.scripts):
        return
    if any(examine.wraps(call.argv) for call in calls):
        yield replace(base, why="it runs under Backup Tray already", state="wrapped")
        return
    made = [known for call in calls for known in _known(call, start, machine)]
    if not made:
        if _BACKUP_WORDS.search(shown) and not _harmless(calls, reader):
            yield replace(
                base, why=_why_not(calls, machine, start), notes=(*start.notes, *reader.notes), state="not understood"
            )
        return
    alone = sum(len(known.parts) for known in made) == 1
    for known in made:
        yield from _of_known(base, start, machine, known, reader, alone=alone)


def _sudo(user: str) -> str:
    return "sudo" if user == "root" else f"sudo -u {shlex.quote(user)}"


def _of_known(
    base: Finding, start: Start, machine: Machine, known: _Known, reader: Reader, *, alone: bool
) -> Iterator[Finding]:
    """Yield a finding for each backup of *known*; *alone*: it is the only one that the command makes."""
    foreign = start.user != machine.user
    whole = _whole(start).names if alone and known.schedule is None and not foreign else ()
    label = known.label or (_script_label(reader) if alone else "") or start.label
    common = replace(
        base,
        schedule=known.schedule or start.schedule,
        tool=known.tool or (SCRIPT if reader.scripts else ""),
        wrapped="" if known.schedule is not None or foreign else _wrapped(start, known),
        why=start.off or known.why or (_THEIRS.format(user=start.user, sudo=_sudo(start.user)) if foreign else ""),
        notes=(*start.notes, *reader.notes, *known.notes),
        configs=(known.config,) if known.config else (),
        state="off"
        if start.off
        else "not understood"
        if known.why
        else "foreign"
        if foreign
        else "idle"
        if start.idle
        else "new",
    )
    yield from parted(common, known, label, whole)


def parted(common: Finding, known: _Known, label: str, whole: Sequence[str] = ()) -> Iterator[Finding]:
    """Yield *common* for each call of an engine that *known* makes: the runs of each are a job of their own."""
    for part in known.parts or (None,):
        several = len(known.parts) > 1
        name = "-".join(word for word in (label, _end(part) if several and part else "") if word)
        matches = dict.fromkeys((*(part.names if part else ()), *whole))
        brief = part is not None and part.engine in _BRIEF and common.state in ("new", "idle")
        yield replace(
            common,
            notes=(*common.notes, _BRIEFLY.format(part.engine)) if brief and part else common.notes,
            part=part,
            matches=tuple(matches),
            name=name or (part and _label(part)) or "backup",
            several=len(known.parts),
        )


def _calls(start: Start, machine: Machine, reader: Reader) -> list[Call]:
    shell = _shell(start, machine)
    if start.text is not None:
        return list(reader.calls(start.text, shell))
    calls: list[Call] = []
    for argv in start.argvs:
        own = _shell(start, machine)
        calls += reader.call(Call(argv, dict(own.variables), own.folder), own)
    return calls


def _shell(start: Start, machine: Machine) -> Shell:
    return Shell(dict(start.variables), start.folder, machine.host, start.user, machine.now_ms / 1000)


def _at(machine: Machine, path: str, start: Start) -> str:
    """Return where a script is read: below the root of a test's machine, unless it is in a home folder."""
    if not machine.root or path.startswith((machine.root + "/", machine.home + "/", f"{start.home}/")):
        return path
    return machine.root + path


def _known(call: Call, start: Start, machine: Machine) -> Iterator[_Known]:
    """Yield the backups that one call makes."""
    if (tool := toolbox.tool_of(call.argv)) is not None:
        yield from _of_tool(tool[0], tool[1], call, start, machine)
        return
    part = names.part(call.argv, call.environ, call.folder)
    if part.engine != engines.COMMAND.name and part.kind == BACKUP:
        notes = () if part.names else (f"the name of its runs cannot be foretold: {part.shown[:120]}",)
        yield _Known((part,), at=call.at, notes=notes)


def _of_tool(tool: Tool, at: int, call: Call, start: Start, machine: Machine) -> Iterator[_Known]:
    asked = Asked(call.argv[at + 1 :], call.environ, call.folder, start.home, machine)
    for backup in tool.called(asked):
        yield known_of(tool, backup, at=call.at)


def known_of(tool: Tool, backup: Backup, *, at: int | None = None) -> _Known:
    """Return a backup of a tool's configuration, with the names of its runs."""
    parts = [_of_forms(forms, backup) for forms in backup.calls]
    label = "-".join(word for word in (program_name(tool.programs[0]), backup.label) if word)
    return _Known(tuple(parts), tool.name, label, at, backup.schedule, backup.why, backup.notes, backup.origin)


def _of_forms(forms: Forms, backup: Backup) -> Part:
    """Return one call of an engine; its runs may have the name of each form."""
    parts = [names.part(argv, backup.environ, backup.folder) for argv in forms]
    every = tuple(dict.fromkeys(name for part in parts for name in part.names))
    return replace(parts[0], names=every, seen=any(part.seen for part in parts))


def _whole(start: Start) -> Part:
    """Return the whole command as the wrapper would name it; a part without an engine if it is not one simple command."""
    argv: Sequence[str] = ()
    if start.text is None and len(start.argvs) == 1:
        argv = start.argvs[0]
    elif start.text is not None:
        with_shell = Shell(dict(start.variables), start.folder)
        try:
            simple = commands(start.text)
        except OddError:
            simple = []
        if len(simple) == 1:
            argv = with_shell.expand([word for word in simple[0].words if not with_shell.assign(word)])
    if not argv:
        return Part("", BACKUP, None, (), (), "")
    return names.part(argv, start.variables, start.folder)


def _script_label(reader: Reader) -> str:
    return reader.scripts[0].rpartition("/")[2].partition(".")[0] if reader.scripts else ""


def _label(part: Part) -> str:
    """Return a short name from the engine and the first source."""
    return f"{part.engine}-{end}" if (end := _last(next(iter(part.sources), ""))) else part.engine


def _end(part: Part) -> str:
    """Return a word that tells one of several backups: its first source, or its destination."""
    return _last(next(iter(part.sources), "")) or _last(part.repository or "")


def _last(path: str) -> str:
    word = path.rstrip("/").rpartition("/")[2]
    return "" if "…" in word else word


def _harmless(calls: Sequence[Call], reader: Reader) -> bool:
    """Whether each command is an engine's that makes no backup, such as `restic check`, or a tool's."""
    known = [call for call in calls if toolbox.understood(call.argv)]
    return bool(known) and not reader.notes


def _why_not(calls: Sequence[Call], machine: Machine, start: Start) -> str:
    """Return why no backup was found in commands that seem to make one."""
    for call in calls:
        program = call.argv[engines.unwrap(call.argv, {}).at]
        if program.startswith("/"):
            path = _at(machine, program, start)
            if not reading.exists(path):
                return f"{program} is not there"
            if not os.access(path, os.R_OK):
                return f"{program} may not be read by you"
    return "no call of a backup program that Backup Tray knows was found in it"


def _shown(start: Start) -> str:
    """Return the command as it may be shown."""
    if start.text is None:
        texts = [" ".join(Redactor(argv, start.variables).argv(list(argv))) for argv in start.argvs]
        return "; ".join(texts)[:_LONGEST]
    command = ("sh", "-c", start.text)
    return Redactor(command, start.variables).argv(list(command))[-1][:_LONGEST]


def _wrapped(start: Start, known: _Known) -> str:
    """Return the line with `PREFIX` where our command goes; "" where no single place is right, or the line holds a secret."""
    if start.text is None:
        signs = re.match(r"[-:+!]*", start.exec_start)
        at = 0 if signs is None else signs.end()
        text = start.exec_start[at:].lstrip()
        line = f"{start.exec_start[:at]}{PREFIX} {text}"
        written = f"[Service]\nExecStart=\nExecStart={line}\nKillMode=mixed"
    elif known.at is None:
        return ""
    else:
        at = _behind_assignments(start.text, known.at)
        line = f"{start.text[:at]}{PREFIX} {start.text[at:]}"
        text, written = start.text, start.before + (crontab.written(line, start.stdin) if start.percent else line)
    command = ("sh", "-c", text)
    hidden = Redactor(command, start.variables)
    shown = hidden.argv(list(command))[-1] == text and hidden.text(written) == written
    return written if text and shown else ""


def _behind_assignments(text: str, at: int) -> int:
    """Return where the program's name begins, behind assignments such as `RESTIC_REPOSITORY=/mnt/x`."""
    while match := re.match(r"[A-Za-z_]\w*=(?:[^\s'\"\\]|'[^']*'|\"[^\"]*\")*\s+", text[at:]):
        at += match.end()
    return at
