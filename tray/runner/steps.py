"""The engines that a wrapped script calls, as steps of its run: `backup-tray run -- ./nightly.sh`, borgmatic, resticprofile.

The wrapper looks at its own descendants only: when the kernel tells that an engine's program was opened, four times a second while
something happens, and once a second otherwise. A step that begins and ends between two looks is missed; of the others the exact
exit status is known where the kernel tells it. A script that goes on after a step went wrong is not fine, whatever its own exit
code says; unless the same command was called again and succeeded. A step whose end is not known, or that still runs when the
script ends, is no success either: the run is then unknown.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tray import clock
from tray.engines.base import Exit, Plan, Result
from tray.engines.command import signal_name
from tray.model import MAX_STEPS, Outcome, Step
from tray.observe.ends import BY_LIST, NOT_KNOWN, End, Ending
from tray.observe.execs import BURST_SECONDS, GENERAL, Execs
from tray.observe.lister import interesting
from tray.observe.look import KINDS, OTHER, Found, examine, gather
from tray.observe.proc import Proc
from tray.observe.scope import Scope
from tray.paths import HOME_VARIABLE
from tray.runner.seen import judge
from tray.tracker import proof

BUSY_SECONDS = 0.25
CALM_SECONDS = 1.0
_BUSY_FOR_SECONDS = 5.0
_MOST = 500
"""Descendants that are looked at, and calls that are noticed at once; a script with more of them does something else."""
_STILL_RUNNING = "It was still running when the script ended."
_NO_BACKUPS = ("dry-run", "restore", "check", "prune", "compact", OTHER)
_SHARE = 100
"""A look that took long is followed by a pause so many times as long."""


@dataclass(slots=True)
class _Called:
    """One step and what is known of it."""

    found: Found
    ending: Ending
    missing: list[str]
    sure: bool
    alone: bool
    place: int | None
    end: End | None = None
    reason: str = ""

    @property
    def name(self) -> str:
        """What a person calls it: "restic check to /mnt/x"."""
        kind = "" if self.found.kind == "backup" else f" {self.found.kind}"
        return f"{self.found.engine}{kind}" + (f" to {self.found.repository}" if self.found.repository else "")

    @property
    def seen(self) -> bool:
        """Whether its exit code or signal is known."""
        return self.end is not None and (self.end.code is not None or self.end.signal is not None)

    @property
    def key(self) -> tuple[object, ...]:
        """What a second try has in common with it: the same words for another repository, or elsewhere, are another command.

        Where its environment cannot be read, its repository may be any, so no other call is known to be its second try.
        """
        found = self.found
        alone = None if found.whole or found.repository is not None else found.process
        return (found.command, found.repository, found.sources, found.folder, alone)


@dataclass(slots=True)
class Steps:
    """The steps of one run.

    Args:
        root: The script's own process.
        say: Writes a line of ours to the run's log.
    """

    root: int
    say: Callable[[str], None] = lambda _: None
    proc: Proc = field(default_factory=Proc)
    steps: tuple[Step, ...] = ()
    pause: float = BUSY_SECONDS
    execs: Execs = field(default_factory=Execs)
    _burst: tuple[float, ...] = ()
    _names: dict[int, str] = field(default_factory=dict)
    _open: list[_Called] = field(default_factory=list)
    _bad: dict[tuple[object, ...], _Called] = field(default_factory=dict)
    _busy_until: float = 0.0
    _count: int = 0
    _kinds: set[str] = field(default_factory=set)

    @property
    def kind(self) -> str | None:
        """What the script did if the engines that it called made no backup: then it is none; None if it is one, or not known.

        A script that makes its backup with a program that we do not know may still call rclone or tar for something else, so only
        engines that do nothing but backups show that it only looked.
        """
        if not self._kinds or "backup" in self._kinds:
            return None
        return next(kind for kind in _NO_BACKUPS if kind in self._kinds)

    def look(self) -> bool:
        """Take notice of steps that began or ended; True if there were some. `pause` says when to look again."""
        began = clock.monotonic()
        changed = [self._begin(pid) for pid in self._walk()]
        changed += [self._check(one) for one in tuple(self._open)]
        now = clock.monotonic()
        if any(changed):
            self._busy_until = now + _BUSY_FOR_SECONDS
        if self._burst:
            self.pause, self._burst = self._burst[0], self._burst[1:]
            return any(changed)
        self.pause = max(BUSY_SECONDS if now < self._busy_until else CALM_SECONDS, (now - began) * _SHARE)
        return any(changed)

    def started(self) -> None:
        """Take notice that an engine's program was opened: look some times soon, it may be over in a moment."""
        if self._count < _MOST:
            self._burst, self.pause = BURST_SECONDS, 0.0

    def finish(self, how: Exit) -> None:
        """Take notice of the end of the script: what still goes on is none of its steps any more."""
        for one in tuple(self._open):
            if one.found.pid == self.root:  # the script became the engine (`exec restic …`)
                self._ended(one, End(how.code, how.signal, BY_LIST) if how.seen else End(None, None, NOT_KNOWN))
            elif not self._check(one):
                one.ending.close()
                self._bad.setdefault(one.key, one)
                self._update(one, outcome=Outcome.UNKNOWN, reason=_STILL_RUNNING)

    def judge(self, result: Result) -> Result:
        """Return *result* with what the steps say: a success of the script alone is none unless every step ended well."""
        bad = list(self._bad.values())
        if result.outcome is not Outcome.SUCCEEDED or not bad:
            return result
        worst = next((one for one in bad if one.seen), bad[0])
        more = "" if len(bad) == 1 else f" {len(bad)} of its steps did not succeed."
        return replace(
            result,
            outcome=Outcome.WARNING if worst.seen else Outcome.UNKNOWN,
            reason=f"{_what_happened(worst)}.{more}",
            errors=max(result.errors, sum(one.seen for one in bad)),
        )

    def _walk(self) -> list[int]:
        """Return descendants that may have become an engine since the last look; below a step nothing is looked for."""
        names: dict[int, str] = {}
        steps = {one.found.pid for one in self._open}
        waiting, found = [self.root], []
        while waiting and len(names) < _MOST:
            pid = waiting.pop()
            if pid in steps:
                continue
            names[pid] = self.proc.comm(pid)
            if names[pid] != self._names.get(pid) and interesting(names[pid]):
                found.append(pid)
            waiting += self.proc.children(pid)
        self._names = names
        return sorted(found)

    def _begin(self, pid: int) -> bool:
        scope = Scope(os.geteuid() if hasattr(os, "geteuid") else -1, os.environ.get(HOME_VARIABLE) or None, "all")
        facts = gather(self.proc, pid)
        if facts is None:
            if not self.proc.command(pid):
                self._names.pop(pid, None)  # just becoming another program: ask once more
            return False
        ending, steps = Ending(self.proc, facts.pid, facts.start), {one.found.pid for one in self._open}
        found = examine(self.proc, facts, scope, KINDS | {OTHER})
        known = not steps.isdisjoint((facts.pid, *(above for above, _ in facts.above)))  # rsync is three processes
        if found is None or known:
            ending.close()
            return False
        if found.kind != OTHER or found.engine not in GENERAL:
            self._kinds.add(found.kind)
        if found.kind == OTHER:
            ending.close()
            return False
        gone, sure = proof.missing(found.sources) if found.engine in proof.PROVES else ([], False)
        others = [one for one in self._open if one.found.repository == found.repository]
        for one in others:
            one.alone = False
        place = len(self.steps) if len(self.steps) < MAX_STEPS else None
        step = Step(found.engine, found.kind, found.started_ms, found.repository)
        one = _Called(found, ending, gone, sure, not others, place)
        self._open.append(one)
        self._count += 1
        if place is not None:
            self.steps = (*self.steps, step)
        self.say(f"step {self._count} began: {one.name}")
        return True

    def _check(self, one: _Called) -> bool:
        end = one.ending.check()
        if end is not None:
            self._ended(one, end)
        return end is not None

    def _ended(self, one: _Called, end: End) -> None:
        self._open.remove(one)
        one.end = end
        one.ending.close()
        found, now = one.found, clock.now_ms()
        made = proof.snapshots(found.engine, found.repository, found.started_ms, now) if found.here else []
        gone, sure = proof.missing(found.sources) if made else ([], False)
        seen = {
            "snapshot": made[-1][1] if made else None,
            "missing": sorted({*one.missing, *gone}),
            "sure": sure and one.sure,
            "alone": one.alone,
        }
        plan = Plan(found.command, found.kind, {}, found.repository, found.sources)
        result = judge(found.engine, plan, Exit(end.code, end.signal), seen)
        one.reason = result.reason
        # An engine's exit code 0 that proves little alone is as good as the script's own, which is all that is known of it.
        if result.outcome is Outcome.SUCCEEDED or (result.outcome is Outcome.UNKNOWN and end.code == 0):
            self._bad.pop(one.key, None)
        else:
            self._bad.setdefault(one.key, one)
        self._update(one, finished_ms=max(now, found.started_ms), outcome=result.outcome, reason=result.reason)
        self.say(f"{one.name}: {result.outcome.value}: {result.reason}")

    def _update(self, one: _Called, **changes: object) -> None:
        if one.place is not None:
            step = replace(self.steps[one.place], **changes)  # type: ignore[arg-type] # names and types as in Step
            self.steps = (*self.steps[: one.place], step, *self.steps[one.place + 1 :])


def _what_happened(one: _Called) -> str:
    """Say how a step that is no success ended, without a full stop."""
    if one.end is None:
        return f"{one.name} was still running when the script ended, and how it ends is not known"
    if one.end.signal is not None:
        return f"{one.name} was killed by {signal_name(one.end.signal)}, but the script went on"
    if one.end.code:
        return f"{one.name} ended with exit code {one.end.code}, but the script went on"
    if not one.seen:
        return f"{one.name} ended, but its exit code was not seen, so whether it succeeded is not known"
    return f"{one.name} did not quite succeed ({one.reason.rstrip('.')}), but the script went on"
