"""Say a finding in plain words, as JSON, and as the keys of a watched job in config.toml."""

from collections.abc import Iterator
from typing import Any

from tray import config
from tray.core import clock
from tray.rhythm import slots
from tray.rhythm.zones import zone
from tray.takeover import schedule
from tray.takeover.found import Finding
from tray.takeover.schedule import Schedule
from tray.takeover.understand import PREFIX
from tray.wording import escape

_MOST_WATCHED = 400
_IN = " " * 7


def keys(finding: Finding) -> dict[str, Any]:
    """Return the keys of the job in config.toml that watches *finding*; its scheduler's rhythm, if that states one."""
    plan = _followed(finding.schedule)
    values = {
        "engine": finding.engine,
        "on": plan.on,
        "every": None if plan.every_ms is None else config.length_text(plan.every_ms),
        "zone": plan.zone,
        "delay": config.length_text(plan.delay_ms) if plan.delay_ms and plan.stated else None,
        "watched": watched(finding),
        "matches": list(finding.matches),
    }
    return {key: value for key, value in values.items() if value is not None}


def watched(finding: Finding) -> str:
    """Return who starts it: "crontab of ann: 15 2 * * * restic backup /home"."""
    text = finding.schedule.text if finding.schedule is not None else ""
    said = f"{finding.source}: {' '.join(part for part in (text, finding.command) if part)}"
    return escape(said)[:_MOST_WATCHED]


def _followed(plan: Schedule | None) -> Schedule:
    """Return the schedule, without a rhythm if the reader of rhythms cannot follow it."""
    if plan is None:
        return Schedule("")
    if plan.on is not None and (fault := slots.fault(plan.on, plan.zone)) is not None:
        return Schedule(plan.text, delay_ms=plan.delay_ms, why=fault)
    return plan


def next_ms(finding: Finding, now_ms: int) -> int | None:
    """Return when it is expected next; None if no clock says that."""
    if finding.next_ms is not None and finding.next_ms > now_ms:
        return finding.next_ms
    plan = _followed(finding.schedule)
    if plan.on is None:
        return None
    return next(iter(slots.calendar(plan.on, zone(plan.zone)).after(now_ms)), None)


def line(finding: Finding, prefix: str) -> str:
    """Return the line of its owner with our command before the backup's; "" where there is none.

    Args:
        finding: The finding.
        prefix: The command that starts Backup Tray's wrapper, up to `--`.
    """
    return finding.wrapped.replace(PREFIX, prefix) if finding.wrapped else ""


def lines(number: int, finding: Finding, now_ms: int) -> Iterator[str]:
    """Yield the lines that tell a user about a finding."""
    yield f"{number:>3}  {escape(title(finding))}"
    yield f"{_IN}{escape(place(finding))}: {escape(finding.command)}"
    if target := copied(finding):
        yield f"{_IN}{escape(target)}"
    if when := rhythm(finding, now_ms):
        yield f"{_IN}{escape(when)}"
    if finding.why:
        yield f"{_IN}{_STATES[finding.state]}: {escape(finding.why)}"
    for note in dict.fromkeys(finding.notes):
        yield f"{_IN}note: {escape(note)}"


def place(finding: Finding) -> str:
    """Return who starts it, with file and line: "crontab of ann, line 3"."""
    where = f", line {finding.line}" if finding.line is not None else ""
    file = f" ({finding.file})" if finding.file and finding.file not in finding.source else ""
    return finding.source + file + where


def copied(finding: Finding) -> str:
    """Return source and destination: "/home to /mnt/b"; "" where they are not known."""
    if finding.part is None:
        return ""
    end = f" to {finding.part.repository}" if finding.part.repository is not None else ""
    return (", ".join(finding.part.sources) or "?") + end


def rhythm(finding: Finding, now_ms: int) -> str:
    """Return its rhythm and the next start: "every day at 02:15; next Tue 2026-12-01 02:15"; "" where there is none to tell."""
    if finding.state not in ("new", "idle", "prefix", "foreign", "taken over"):
        return ""
    return f"{_rhythm(finding)}{_next(finding, now_ms)}"


def title(finding: Finding) -> str:
    """Return the name and the engine, or how it stands."""
    if finding.part is None:
        return finding.name or "?"
    return f"{finding.name}: {finding.part.engine}" + (f" by {finding.tool}" if finding.tool else "")


_STATES = {
    "new": "note",
    "idle": "note",
    "taken over": "watched",
    "wrapped": "under watch",
    "off": "switched off",
    "prefix": "not to be watched",
    "foreign": "not yours",
    "not understood": "not understood",
}


def _rhythm(finding: Finding) -> str:
    plan = _followed(finding.schedule)
    said = schedule.in_words(plan)
    return f"{said}: {plan.why}" if plan.why and not plan.stated else said


def _next(finding: Finding, now_ms: int) -> str:
    moment = next_ms(finding, now_ms)
    return "" if moment is None else f"; next {clock.local(moment):%a %Y-%m-%d %H:%M}"


def to_json(number: int, finding: Finding, now_ms: int, prefix: str) -> dict[str, Any]:
    """Return a finding as JSON; every text in it may be shown."""
    plan, part, moment = _followed(finding.schedule), finding.part, next_ms(finding, now_ms)
    return {
        "number": number,
        "name": finding.name or None,
        "state": finding.state,
        "source": finding.source,
        "file": finding.file,
        "line": finding.line,
        "command": finding.command,
        "engine": finding.engine,
        "tool": finding.tool or None,
        "repository": None if part is None else part.repository,
        "sources": [] if part is None else list(part.sources),
        "schedule": plan.text or None,
        "on": plan.on,
        "every_seconds": None if plan.every_ms is None else plan.every_ms // 1000,
        "zone": plan.zone,
        "delay_seconds": plan.delay_ms // 1000,
        "rhythm": _rhythm(finding),
        "next": None if moment is None else clock.to_text(moment),
        "matches": list(finding.matches),
        "with_prefix": line(finding, prefix) or None,
        "how": finding.how or None,
        "why": finding.why or None,
        "notes": list(dict.fromkeys(finding.notes)),
    }
