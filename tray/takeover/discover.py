"""Search this machine for existing backups, and put the findings in order: `discover`."""

import os
import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from tray.core import clock
from tray.core.dataclass import replace
from tray.observe.scope import user_name
from tray.takeover import crontabs, reading, schedule, timers, toolbox, understand
from tray.takeover.calls import Budget
from tray.takeover.found import Finding, Machine
from tray.takeover.schedule import Schedule

PLACES = (
    "your crontab (`crontab -l`)",
    "/etc/crontab, /etc/cron.d, and the folders /etc/cron.hourly to /etc/cron.monthly",
    "/etc/anacrontab",
    "systemd's timers and services, yours and the system's",
    f"the configurations of {', '.join(tool.name for tool in toolbox.TOOLS)}, in their usual places",
    "the scripts that any of these start",
)
"""The places at which a search looks, for users."""
_MOST = 500
_ABLE = ("new", "idle")
_ORDER = {"new": 0, "idle": 1}
"""Decided before jobs are looked at, so that a number means the same backup once another one is watched."""
_ALIKE = "its runs cannot be told from those of other commands, but under `backup-tray run` they can"


_THE_REST = Finding(
    "this machine",
    None,
    None,
    "",
    why=f"there are more than {_MOST} backups, and only so many are shown",
    state="not understood",
)


def this_machine() -> Machine:
    """Return this machine and this user."""
    uid = os.geteuid() if hasattr(os, "geteuid") else -1
    home = os.path.expanduser("~")
    return Machine("", home, user_name(uid), uid, socket.gethostname(), clock.now_ms(), dict(os.environ), reading.ask)


def discover(machine: Machine, taken: Mapping[str, Sequence[str]]) -> list[Finding]:
    """Return the backups that exist on *machine*: first those that can be taken over, in the order in which they were found.

    Args:
        machine: The machine and the user.
        taken: The jobs that are configured, by name, each with the automatic names that belong to it.
    """
    starts, budget = [*crontabs.starts(machine), *timers.starts(machine)], Budget()
    every = (finding for start in starts for finding in understand.findings(start, machine, budget))
    findings = _one_each(islice(every, _MOST))
    more = next(every, None) is not None
    findings += _unscheduled(machine, findings)
    findings = _told_apart(findings[:_MOST]) + ([_THE_REST] if more or len(findings) > _MOST else [])
    findings.sort(key=lambda finding: _ORDER.get(finding.state, len(_ORDER)))
    return _named(findings, taken)


def _one_each(findings: Iterable[Finding]) -> list[Finding]:
    """Put findings together that are one backup with several schedules."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for finding in findings:
        key: tuple[object, ...] = (finding.source, finding.command, finding.part)
        if finding.state != "new" or finding.part is None or not finding.part.names:
            key = (len(groups),)
        groups.setdefault(key, []).append(finding)
    return [_joined(group) for group in groups.values()]


def _joined(group: list[Finding]) -> Finding:
    first = group[0]
    schedules = [finding.schedule for finding in group if finding.schedule is not None]
    if len(group) == 1 or not schedules:
        return first
    notes = (*first.notes, f"{len(group)} lines start it")
    return replace(first, schedule=schedule.together(schedules), notes=notes, wrapped="")


def _unscheduled(machine: Machine, findings: Sequence[Finding]) -> list[Finding]:
    """Return the backups of configuration files that no scheduler found so far starts."""
    seen = {name for finding in findings for name in finding.matches}
    used = {origin for finding in findings for origin in finding.configs}
    more: list[Finding] = []
    for tool in toolbox.TOOLS:
        for backup in tool.configured(machine):
            known = understand.known_of(tool, backup)
            matches = [name for part in known.parts for name in part.names]
            if seen.intersection(matches) or backup.origin in used:
                continue
            source = tool.name if backup.runs_itself else f"configuration of {tool.name}"
            missing = (
                Schedule("", why="nothing that starts it was found") if backup.schedule is None else backup.schedule
            )
            notes = known.notes
            if backup.schedule is not None and not backup.runs_itself:
                notes = (
                    *notes,
                    "its configuration states this schedule, but no timer and no crontab line that starts it was found",
                )
            idle = not backup.runs_itself or backup.schedule is None
            state = "not understood" if backup.why else "idle" if idle else "new"
            command = _call_of(tool.programs[0], backup.label)
            common = Finding(source, backup.file or None, None, command, missing, tool.name, notes=notes)
            more += understand.parted(replace(common, why=backup.why, state=state), known, known.label)
    return more


def _call_of(program: str, label: str) -> str:
    return f"{program} ({label})" if label else program


def _told_apart(findings: list[Finding]) -> list[Finding]:
    """Take the automatic names away that several findings share: a run with such a name could be any of theirs."""
    counts: dict[str, int] = {}
    for finding in findings:
        for name in set(finding.matches):
            counts[name] = counts.get(name, 0) + (finding.state in _ABLE)
    return [_without(finding, {name for name in finding.matches if counts[name] > 1}) for finding in findings]


def _without(finding: Finding, shared: set[str]) -> Finding:
    if not shared:
        return finding
    kept = tuple(name for name in finding.matches if name not in shared)
    return replace(
        finding, matches=kept, notes=(*finding.notes, "another backup here gives some of its runs the same name")
    )


def _named(findings: list[Finding], taken: Mapping[str, Sequence[str]]) -> list[Finding]:
    """Give each finding a name of its own, and say which job has it already."""
    owners = {name: job for job, matches in taken.items() for name in matches}
    used, named = set(taken), []
    for finding in findings:
        owner = next((owners[name] for name in finding.matches if name in owners), None)
        if owner is not None and finding.state in _ABLE:
            why = f"the job {owner!r} watches it already"
            named.append(replace(finding, name=owner, state="taken over", why=why))
            continue
        if finding.state in _ABLE and not (finding.matches and finding.part is not None and finding.part.seen):
            finding = replace(finding, state="prefix", why=_ALIKE)
        name = _free(_slug(finding.name), used) if finding.state in (*_ABLE, "prefix", "foreign") else finding.name
        used.add(name)
        named.append(replace(finding, name=name))
    return named


def _slug(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")[:60] or "backup"


def _free(name: str, used: set[str]) -> str:
    return next(text for text in (name, *(f"{name}-{number}" for number in range(2, 10_000))) if text not in used)
