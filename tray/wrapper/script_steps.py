"""The engines that a wrapped script calls, as steps of its run: `backup-tray run -- ./nightly.sh`, borgmatic, resticprofile.

The wrapper looks at its own descendants only: when the kernel tells that a process became an engine or that an engine's program
was opened, four times a second while something happens, and once a second otherwise. A step that begins and ends between two looks
is missed; of the others the exact exit status is known where the kernel tells it. A script that goes on after a step went wrong is
not fine, whatever its own exit code says; unless the same command was called again and succeeded. A step whose end is not known, or
that still runs when the script ends, is no success either: the run is then unknown, unless the wrapper stays until that step ends
too (`stay_behind`).
"""

import os
import sys
from collections.abc import Callable
from contextlib import suppress

from tray import engines
from tray.core import clock
from tray.core.dataclass import dataclass, replace
from tray.core.model import MAX_STEPS, Outcome, Step
from tray.core.paths import HOME_VARIABLE
from tray.engines.base import Exit, Plan, Result
from tray.engines.findings import signal_name
from tray.observe.ends import BY_EVENT, BY_LIST, NOT_KNOWN, End, Ending
from tray.observe.events import Event, Events
from tray.observe.examine import KINDS, OTHER, Found, ancestors, examine, gather
from tray.observe.execs import BURST_SECONDS, GENERAL, Execs
from tray.observe.lister import interesting, is_launcher
from tray.observe.proc import Proc
from tray.observe.scope import Scope
from tray.recording.observed_end import judge
from tray.repository import new_snapshots
from tray.wrapper import result_checks
from tray.wrapper.unmet_steps import DUMPERS, Unseen, with_failure

BUSY_SECONDS = 0.25
CALM_SECONDS = 1.0
_BUSY_FOR_SECONDS = 5.0
_MOST = 500
"""Descendants that are looked at, and calls that are noticed at once; a script with more of them does something else."""
_LINGER_SECONDS = 2.0
"""So long a shell that a script has left behind may take to start an engine."""
_LINGERS = "It ended with exit code 0, but a shell that it left in the background still ran; its end is not known."
_STILL_RUNNING = "It was still running when the script ended."
_TRIES = 5
_NO_BACKUPS = ("dry-run", "restore", "check", "prune", "compact", OTHER)
_SHARE = 100  # a look that took long is followed by a pause so many times as long


@dataclass(slots=True)
class _Called:
    """One step and what is known of it."""

    program: Found
    ending: Ending
    missing: list[str]
    sure: bool
    alone: bool
    place: int | None
    words: tuple[str, ...]
    end: End | None = None
    reason: str = ""
    late: bool = False

    @property
    def name(self) -> str:
        """Its name for a person: "restic check to /mnt/x"."""
        kind = "" if self.program.kind == "backup" else f" {self.program.kind}"
        return f"{self.program.engine}{kind}" + (f" to {self.program.repository}" if self.program.repository else "")

    @property
    def seen(self) -> bool:
        """Whether its exit code or signal is known."""
        return self.end is not None and (self.end.code is not None or self.end.signal is not None)

    @property
    def key(self) -> tuple[object, ...]:
        """A key that a second try shares: the same words for another repository, or elsewhere, are another command.

        Where its environment cannot be read, its repository may be any, so no other call is known to be its second try.
        """
        program = self.program
        alone = None if program.whole or program.repository is not None else program.process
        return (program.command, program.repository, program.sources, program.folder, alone)


class Steps:
    """The steps of one run.

    Args:
        root: The script's own process.
        say: Writes a line of ours to the run's log.
        shares_group: The script is in our own process group.
        empty: Sources of steps that hold no files.
        wrong: Engines that were met and did not succeed, or did something else than their work, whatever came after.
    """

    def __init__(self, root: int, say: Callable[[str], None] = lambda _: None, *, shares_group: bool = False) -> None:
        self.root, self.say, self.shares_group = root, say, shares_group
        self.proc = Proc()
        self.steps: tuple[Step, ...] = ()
        self.pause = BUSY_SECONDS
        self.wrong: set[str] = set()
        self.empty: set[str] = set()
        self.execs, self.events, self.unseen = Execs(), Events(self._is_engine), Unseen()
        self._burst: tuple[float, ...] = ()
        self._names: dict[int, str] = {}
        self._open: list[_Called] = []
        self._bad: dict[tuple[object, ...], _Called] = {}
        self._busy_until = 0.0
        self._count = 0
        self._kinds: set[str] = set()
        self._tries: dict[int, int] = {}
        self._exits: dict[int, int] = {}
        self._late: list[_Called] = []
        self._strangers = False
        self._shells: dict[int, str] = {}
        self._linger_until = 0.0
        self._lingers = False
        self._code: int | None = None

    @property
    def kind(self) -> str | None:
        """The kind of a script whose engines made no backup; None if it is a backup, or not known.

        A script that makes its backup with a program that we do not know may still call rclone or tar for something else, so only
        engines that do nothing but backups show that it only looked.
        """
        if not self._kinds or "backup" in self._kinds:
            return None
        return next(kind for kind in _NO_BACKUPS if kind in self._kinds)

    def close(self) -> None:
        """Give the descriptors back."""
        for opened in (self.execs, self.events, self.unseen.exits):
            opened.close()

    def look(self) -> bool:
        """Take notice of steps that began or ended; True if there were some. `pause` says when to look again."""
        began = clock.monotonic()
        changed = self._told_all()
        changed += [self._begin(pid) for pid in self._walk()]
        changed += [self._check(called) for called in tuple(self._open)]
        now = clock.monotonic()
        if self._open:
            self._linger_until = now + _LINGER_SECONDS
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

    @property
    def running(self) -> list[int]:
        """The processes of steps that go on, and for a moment shells that were left behind, which may start some."""
        shells = self._shells if self._open or clock.monotonic() < self._linger_until else {}
        return [*(called.program.pid for called in self._open), *(pid for pid in shells if self._lives(pid))]

    def _lives(self, pid: int) -> bool:
        stat = self.proc.stat(pid)
        return stat is not None and not stat.gone and stat.start == self._shells.get(pid)

    def script_ended(self, how: Exit) -> None:
        """Take notice of the end of the script, and of engines that it has left behind, also of those that no look has met."""
        for called in tuple(self._open):
            if called.program.pid == self.root:  # the script became the engine (`exec restic …`)
                self._ended(called, End(how.code, how.signal, BY_LIST) if how.seen else End(None, None, NOT_KNOWN))
        left = self._left_behind()
        for pid in left:
            if interesting(self.proc.comm(pid)):
                self._begin(pid)
        self._code = how.code
        self._late = [called for called in tuple(self._open) if not self._check(called)]
        for called in self._late:
            called.late = True
        steps = {called.program.pid for called in self._open}
        others = [pid for pid in left if pid not in steps and steps.isdisjoint(_above(self.proc, pid))]
        self._shells = {
            pid: stat.start for pid in others if is_launcher(self.proc.comm(pid)) and (stat := self.proc.stat(pid))
        }
        self._strangers = len(others) > len(self._shells)
        self._linger_until = clock.monotonic() + _LINGER_SECONDS

    def finish(self) -> None:
        """Give up on steps that still go on: how they end is not known."""
        self._told_all()
        for called in tuple(self._open):
            if not self._check(called):
                self._open.remove(called)
                called.ending.close()
                self._bad.setdefault(called.key, called)
                self._update(called, outcome=Outcome.UNKNOWN, reason=_STILL_RUNNING)
        self._lingers = any(map(self._lives, self._shells))

    def _left_behind(self) -> list[int]:
        """Return what lives on of the script's process group or session; on a terminal the group is our own too."""
        if sys.platform == "win32":
            return []
        ours, us = os.getpgrp(), os.getpid()
        groups = (self.root, ours) if self.shares_group else (self.root,)
        pids = []
        wrapped_around = self.proc.newest() < self.root  # newer processes may have smaller numbers than the script's
        for pid in self.proc.pids():
            if pid <= self.root and not wrapped_around:
                continue
            group, session = self.proc.group(pid)
            stat = self.proc.stat(pid) if group in groups or session == self.root else None
            if stat is not None and not stat.gone and pid != us:
                pids.append(pid)
        return pids[:_MOST]

    def judge(self, result: Result, text: str = "") -> Result:
        """Return *result* with what the steps say: a success of the script alone is none unless every step ended well.

        A script that only started an engine is a success if that engine was all that it left behind, and ended well. Of *text*
        tells `Unseen.failure`.
        """
        if result.outcome is Outcome.SUCCEEDED and not self._bad and self._lingers:
            return replace(result, outcome=Outcome.UNKNOWN, reason=_LINGERS)
        bad, late = list(self._bad.values()), [called for called in self._late if called.end is not None]
        alone = self._code == 0 and not (self._strangers or self._lingers)
        if result.outcome is Outcome.UNKNOWN and not bad and late and alone:
            names = ", ".join(dict.fromkeys(called.name for called in late))
            return replace(result, outcome=Outcome.SUCCEEDED, reason=f"{names} ended well after the script had ended.")
        if result.outcome is Outcome.SUCCEEDED and not bad and (missed := self.unseen.failure(text)) is not None:
            self.wrong.add(missed[0])
            return with_failure(result, *missed)
        if result.outcome not in (Outcome.SUCCEEDED, Outcome.UNKNOWN) or not bad:
            return result
        worst = next((called for called in bad if called.seen), bad[0])
        more = "" if len(bad) == 1 else f" {len(bad)} of its steps did not succeed."
        return replace(
            result,
            outcome=Outcome.WARNING if worst.seen else Outcome.UNKNOWN,
            reason=f"{_what_happened(worst)}.{more}",
            errors=max(result.errors, sum(called.seen for called in bad)),
        )

    def _walk(self) -> list[int]:
        """Return descendants that may have become an engine since the last look; below a step nothing is looked for."""
        names: dict[int, str] = {}
        steps = {called.program.pid for called in self._open}
        waiting, pids = [self.root, *self._shells], []
        while waiting and len(names) < _MOST:
            pid = waiting.pop()
            if pid in steps:
                continue
            names[pid] = self.proc.comm(pid)
            if names[pid] != self._names.get(pid) and interesting(names[pid]):
                pids.append(pid)
            waiting += self.proc.children(pid)
        self._names = names
        return sorted(pids)

    def _begin(self, pid: int) -> bool:
        scope = Scope(os.geteuid() if hasattr(os, "geteuid") else -1, os.environ.get(HOME_VARIABLE) or None, "all")
        facts = gather(self.proc, pid)
        if facts is None:  # just becoming another program, or none of interest: ask some times more
            self._tries[pid] = self._tries.get(pid, 0) + 1
            if not self.proc.command(pid) or self._tries[pid] < _TRIES:
                self._names.pop(pid, None)
            return False
        ending, steps = Ending(self.proc, facts.pid, facts.start), {called.program.pid for called in self._open}
        program = examine(self.proc, facts, scope, KINDS | {OTHER})
        known = not steps.isdisjoint((facts.pid, *(above for above, _ in facts.above)))  # rsync is three processes
        if program is None or known:
            ending.close()
            return False
        self.unseen.met(program.pid, program.engine)
        if program.kind != OTHER or program.engine not in GENERAL:
            self._kinds.add(program.kind)
        if program.kind == OTHER:
            self.wrong.add(program.engine)
            ending.close()
            return False
        gone, sure = new_snapshots.missing(program.sources) if engines.named(program.engine).proves else ([], False)
        others = [called for called in self._open if called.program.repository == program.repository]
        for called in others:
            called.alone = False
        place = len(self.steps) if len(self.steps) < MAX_STEPS else None
        step = Step(program.engine, program.kind, program.started_ms, program.repository)
        called = _Called(program, ending, gone, sure, not others, place, tuple(facts.argv))
        if self._code is not None:
            called.late = True
            self._late.append(called)
        self._open.append(called)
        self._count += 1
        if place is not None:
            self.steps = (*self.steps, step)
        self.say(f"step {self._count} began: {called.name}")
        return True

    def _told_all(self) -> list[bool]:
        """Take all notices of the kernel: what runs first, so that what is opened by then is told with it."""
        events = self.events.drain()
        self.unseen.opened(self.execs.drain())
        changed = [self._told(event) for event in events]
        self.unseen.exits.forget()
        return changed

    def _told(self, event: Event) -> bool:
        """Take one notice of the kernel: a process became an engine, or a step ended."""
        if event.status is not None:
            if any(called.program.pid == event.pid for called in self._open):
                self._exits[event.pid] = event.status
            elif self.unseen.waits_for(event.pid):
                self.unseen.ended(event.pid, event.status, ours=self._is_ours(event.parent))
            return False
        if not self._is_ours(event.pid):
            return False
        # An engine that called it may have begun before the kernel's notices were heard; below a step nothing is another one.
        begun = [self._begin(pid) for pid in dict.fromkeys((*self._walk(), event.pid))]
        return any(begun)

    def _is_ours(self, pid: int) -> bool:
        tops = {self.root, *self._shells}
        return pid in tops or pid in self._names or not tops.isdisjoint(_above(self.proc, pid))

    def _is_engine(self, pid: int) -> bool:
        name = self.proc.comm(pid)
        if not name or interesting(name) or name in DUMPERS:
            self.unseen.glimpsed(pid, name, self.proc.command(pid) if name else ())
        return interesting(name)

    def _check(self, called: _Called) -> bool:
        end = called.ending.check()
        if end is not None and end.code is None and end.signal is None and called.program.pid in self._exits:
            end = End.of(self._exits[called.program.pid], BY_EVENT)
        if end is not None:
            self._ended(called, end)
        return end is not None

    def _ended(self, called: _Called, end: End) -> None:
        self._open.remove(called)
        self._exits.pop(called.program.pid, None)
        called.end = end
        called.ending.close()
        program, now = called.program, clock.now_ms()
        made = (
            new_snapshots.snapshots(program.engine, program.repository, program.started_ms, now) if program.here else []
        )
        gone, sure = new_snapshots.missing(program.sources) if made else ([], False)
        seen = {
            "snapshot": made[-1][1] if made else None,
            "missing": sorted({*called.missing, *gone}),
            "sure": sure and called.sure,
            "alone": called.alone,
        }
        plan = Plan(program.command, program.kind, {}, program.repository, program.sources)
        result = judge(program.engine, plan, Exit(end.code, end.signal), seen)
        with suppress(Exception):  # a look beside what is known of its end
            result = result_checks.of_step(result, program, end.code)
        called.reason = result.reason
        self.empty.update(result.empty_sources)
        # An engine's exit code 0 that proves little alone is as good as the script's own, which is all that is known of it.
        if result.outcome is Outcome.SUCCEEDED or (result.outcome is Outcome.UNKNOWN and end.code == 0):
            self._bad.pop(called.key, None)
            self.unseen.succeeded(called.words, program.repository)
        else:
            self.wrong.add(program.engine)
            self._bad.setdefault(called.key, called)
        self._update(called, finished_ms=max(now, program.started_ms), outcome=result.outcome, reason=result.reason)
        self.say(f"{called.name}: {result.outcome.value}: {result.reason}")

    def _update(self, called: _Called, **changes: object) -> None:
        if called.place is not None:
            step = replace(self.steps[called.place], **changes)
            self.steps = (*self.steps[: called.place], step, *self.steps[called.place + 1 :])


def _above(proc: Proc, pid: int) -> list[int]:
    return [above for above, _ in ancestors(proc, pid)]


def _what_happened(called: _Called) -> str:
    """Say how a step that is no success ended, without a full stop."""
    if called.end is None:
        return f"{called.name} was still running when the script ended, and how it ends is not known"
    but = "after the script had ended" if called.late else "but the script went on"
    if called.end.signal is not None:
        return f"{called.name} was killed by {signal_name(called.end.signal)}, {but}"
    if called.end.code:
        return f"{called.name} ended with exit code {called.end.code}, {but}"
    if not called.seen:
        return f"{called.name} ended, but its exit code was not seen, so whether it succeeded is not known"
    return f"{called.name} did not quite succeed ({called.reason.rstrip('.')}), {but}"
