"""Cancel, pause and resume a run on request, in small steps between two looks at the output.

Cancel goes the engine's own way (`Engine.stop`): each signal in turn, with the time it has to act, until the command has ended; a
second request sends the next signal at once. The run still ends as the command ends.
"""

import signal
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tray import engines
from tray.core.model import Control, LiveRun, Phase
from tray.engines.base import Stop
from tray.wrapper.child import Child
from tray.wrapper.stall import Stall

if TYPE_CHECKING:
    from tray.core.process_tree import Process

SWEEP_SECONDS = 0.5
"""So often a script that is being stopped is searched for an engine that it has started meanwhile."""
AGAIN_SECONDS = 2.0
STOP_SECONDS = 5.0
"""A process that waits for a disk takes note of a signal when the disk has answered."""
_SIGKILL = getattr(signal, "SIGKILL", signal.SIGTERM)
_WHENCE = ("cli", "tray", "window")


class Controls:
    """The requests to one run.

    Args:
        child: The command.
        stop: Its engine's way to be stopped.
        script: It is no engine itself but may start some.
        say: Writes a line into the run's log.
        note: Puts a cancel on record; gets where it came from.
        keep: Remembers on disk whether the run is paused, for the case that we die meanwhile.
    """

    def __init__(
        self,
        child: Child,
        stop: Stop,
        *,
        script: bool,
        say: Callable[[str], None],
        note: Callable[[str], None],
        keep: Callable[[bool], None],
    ) -> None:
        self._child, self._stop, self._script = child, stop, script
        self._say, self._note, self._keep = say, note, keep
        self._step: int | None = None
        self._due = self._sweep = float("inf")
        self._paused_at: float | None = None
        self._paused_seconds = 0.0
        self._stands = False
        self._stopped: Sequence[Process] = ()
        self._signalled: set[tuple[int, float]] = set()
        self._may: bool | None = None

    @property
    def paused(self) -> bool:
        """Whether the run is paused on request."""
        return self._paused_at is not None

    @property
    def cancelling(self) -> bool:
        """Whether the run is being stopped."""
        return self._step is not None

    @property
    def paused_seconds(self) -> int:
        """How long the run has been paused until it last went on."""
        return round(self._paused_seconds)

    @property
    def can(self) -> tuple[Control, ...]:
        """The requests that are possible now."""
        if self._child.exit is not None or not self._permitted():
            return ()
        if self.cancelling or sys.platform == "win32":
            return (Control.CANCEL,)
        return (Control.CANCEL, Control.RESUME if self.paused else Control.PAUSE)

    def take(self, wish: Control, by: str, now: float) -> None:
        """Carry out a request; one that is not possible now is only logged."""
        origin = whence(by)
        if wish not in self.can:
            self._say(f"{wish.value} was asked for ({origin}), which is not possible now")
        elif wish is Control.CANCEL:
            self._say(f"cancel was asked for ({origin})")
            again = self.cancelling
            self._insist(now)
            if not again:
                self._note(origin)
        elif wish is Control.PAUSE:
            self._pause(origin, now)
        else:
            self._go_on(f"resumed ({origin})", now)

    def tick(self, now: float) -> None:
        """Do what is due: the next signal, or to notice that a paused run goes on, or must."""
        if self._child.exit is not None:
            return
        if self.paused:
            self._look_at_pause(now)
        if now >= self._due:
            self._insist(now)
        elif now >= self._sweep:
            self._sweep = now + SWEEP_SECONDS
            self._stop_new_engines()

    def wait_seconds(self, now: float) -> float:
        """How long `tick` has nothing to do."""
        return max(0.0, min(self._due, self._sweep) - now)

    def ended(self, now: float) -> None:
        """Take notice that the command has ended; its children go on without it, also if it was killed during a pause."""
        if self._stopped:
            self._resume()
        self._unpause(now)
        self._due = self._sweep = float("inf")

    def _unpause(self, now: float) -> None:
        if self._paused_at is not None:
            self._paused_seconds += now - self._paused_at
            self._paused_at = None
            self._keep(False)

    def _permitted(self) -> bool:
        if self._may is None:
            self._may = self._child.permits()
        return self._may

    def _insist(self, now: float) -> None:
        """Send the next signal, and let a suspended command go on to hear it."""
        from tray.core import process_tree  # psutil is slow to load, and few runs are asked for anything

        if self._child.check():
            return  # it was quicker
        last = len(self._stop) - 1
        repeated = self._step == last  # what waits for a disk takes its time even to be killed
        self._step = 0 if self._step is None else min(self._step + 1, last)
        while self._step < last and process_tree.ignored(self._child.pid, self._stop[self._step][0]):
            self._say(f"{_name(self._stop[self._step][0])} is ignored")
            self._step += 1
        number, seconds = self._stop[self._step]
        reached = self._send(number)
        if self._stopped or process_tree.any_stopped(self._child.pid):
            self._resume()
        self._unpause(now)
        self._sweep = now + SWEEP_SECONDS if self._script else float("inf")
        self._due = now + (seconds if self._step < last else max(seconds, AGAIN_SECONDS))
        if not repeated:
            self._say(f"{_name(number)} was sent to {_processes(reached)}")

    def _send(self, number: int) -> int:
        from tray.core import process_tree  # psutil is slow to load, and few runs are asked for anything

        pid = self._child.pid
        if number == _SIGKILL:
            reached = process_tree.kill(pid)
        else:
            self._signalled.update(map(process_tree.mark, process_tree.tree(pid)))
            reached = process_tree.interrupt(pid, number, is_engine=is_engine)
        if reached:
            self._child.ask()
        return reached

    def _stop_new_engines(self) -> None:
        """Interrupt engines that a script starts although it is being stopped: a shell goes on when restic has handled the signal.

        Whatever else it starts may be its way to clean up.
        """
        from tray.core import process_tree  # psutil is slow to load, and few runs are asked for anything

        assert self._step is not None
        number = self._stop[self._step][0]
        for process in process_tree.tree(self._child.pid):
            mark = process_tree.mark(process)
            if mark not in self._signalled and _works(process_tree.command(process)):
                self._signalled.add(mark)
                self._say(f"{_name(number)} was sent to process {process.pid}, which was started meanwhile")
                process_tree.interrupt(process.pid, number, is_engine=is_engine)

    def _pause(self, whence: str, now: float) -> None:
        from tray.core import process_tree  # psutil is slow to load, and few runs are asked for anything

        self._keep(True)
        self._paused_at, self._stands = now, False
        self._stopped = process_tree.stop(self._child.pid)
        self._say(f"paused ({whence})")

    def _go_on(self, why: str, now: float) -> None:
        self._resume()
        self._say(why)
        self._unpause(now)

    def _resume(self) -> None:
        """Let all go on that we have stopped, and all that belongs to the command as long as its number is its own."""
        from tray.core import process_tree  # psutil is slow to load, and few runs are asked for anything

        left = [] if self._child.exit is not None else process_tree.tree(self._child.pid)
        stopped, self._stopped = self._stopped, ()
        process_tree.go_on(list(dict.fromkeys((*stopped, *left))))

    def _look_at_pause(self, now: float) -> None:
        from tray.core import process_tree  # psutil is slow to load, and few runs are asked for anything

        if self._child.was_asked:  # Ctrl-C, systemctl stop: a suspended command would never hear it
            self._go_on("goes on, to hear the signal", now)
        elif process_tree.is_stopped(self._child.pid):
            self._stands = True
        elif self._stands:
            self._go_on("goes on: another process continued it", now)
        elif self._paused_at is not None and now - self._paused_at > STOP_SECONDS:
            self._go_on("it could not be paused", now)


def whence(by: str) -> str:
    """Return the surface from which a request came, as it goes on record."""
    return by if by in _WHENCE else "another program"


def shown(live: LiveRun, controls: Controls, stall: Stall) -> LiveRun:
    """Return the picture of the run with what can be done with it, and whether it is paused or stands still."""
    if controls.paused:
        live = live.with_changes(
            phase=Phase.PAUSED,
            # While it scans, the totals still grow; in the phase "paused" they would make a percentage.
            **(dict.fromkeys(("files_total", "bytes_total")) if live.phase is Phase.SCANNING else {}),
        )
    if controls.paused or stall.stalled:
        live = live.with_changes(
            **dict.fromkeys(("bytes_per_second", "io_bytes_per_second", "eta_seconds")), eta_is_estimate=False
        )
    minutes = stall.minutes
    return live.with_changes(
        can=controls.can,
        stalled=stall.stalled,
        since_progress_seconds=None if minutes is None else minutes * 60,
    )


def is_engine(argv: Sequence[str]) -> bool:
    """Whether the command line *argv* is that of a backup engine."""
    return bool(argv) and engines.recognise(argv, {})[0] is not engines.COMMAND


def _works(argv: Sequence[str]) -> bool:
    """Whether *argv* is an engine that does more than look, or help: `restic unlock` is how a script cleans up."""
    adapter, at = engines.recognise(argv, {})
    return adapter is not engines.COMMAND and adapter.plan(argv, at, {}).kind != "other"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _processes(count: int) -> str:
    return "1 process" if count == 1 else f"{count} processes"
