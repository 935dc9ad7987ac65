"""Watch a run: lines become events, events become the live state, and the caller sees the output unchanged."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tray.core import clock
from tray.core.model import Outcome, Phase, Step
from tray.core.redact import Redactor
from tray.engines import COMMAND
from tray.engines.base import Event, Exit, Fed, Progress, Result, Session, Stream
from tray.engines.command import CodeSession, with_failures
from tray.runs import RunInfo, disk_space
from tray.runs.log import RunLog
from tray.wording.progress_bar import Display
from tray.wrapper.child import Child
from tray.wrapper.controls import Controls, shown
from tray.wrapper.live_state import LiveState, first
from tray.wrapper.outputs import FLOOD, Outputs, Tail
from tray.wrapper.publisher import Publisher
from tray.wrapper.relay import LEFT_OUT, Exact, Relay
from tray.wrapper.stall import IoRate, Stall, Written
from tray.wrapper.waker import FORWARDED, Waker

if TYPE_CHECKING:
    from tray.wrapper.began import Began
    from tray.wrapper.script_steps import Steps

TICK_SECONDS = 1.0
GIVE_UP_SECONDS = 5.0
_ENDING = frozenset(FORWARDED)


class Watch:
    """One run under watch. `follow` returns when the command has ended and its output is understood, `deliver` when it is read.

    Attributes:
        relay: The way to the caller.
        ahead: By descriptor, the beginning of an unfinished line that the caller has seen already.
        began: Judges whose exit code it is, where wrappers stand before the command.
        news: Function that is called at each look until it returns True, once another thread has read the past.
    """

    def __init__(
        self,
        info: RunInfo,
        child: Child,
        outputs: Outputs,
        session: Session,
        log: RunLog,
        publisher: Publisher,
        waker: Waker,
        redactor: Redactor,
        controls: Controls,
        stall: Stall,
        written: Written | None = None,
    ) -> None:
        self._child, self._outputs, self._session = child, outputs, session
        self._log, self._publisher, self._waker = log, publisher, waker
        self._controls, self._stall = controls, stall
        self._exact = Exact(session, ours=info.ours)
        self._written = written
        self._said = self._left_out = 0
        known = any(tail.stream is Stream.OUT for tail in outputs.tails)
        self.state = LiveState(first(info, known), redactor)
        self._shown = self.state.live
        self.relay = Relay(outputs.tails[0].path.parent if outputs.tails else None)
        self._plain, self._command = info.engine == COMMAND.name, info.command
        self._give_up = float("inf")  # when the reader has no more time: a signal came just after the command's end
        self._hurried = False  # a signal came after the command's end: nothing more is waited for
        self._display = Display(2 if known else -1)
        self.ahead: dict[int, bytes] = {}
        self.began: Began | None = None
        self.news: Callable[[], bool] | None = None
        self._showing = True
        self._spoken = False  # the newest line was for people: no bar stands below it until there is progress again
        self._reading: IoRate | None = None
        # A short command ends before it is worth the import of psutil.
        silent = written is not None or not known
        self._next_reading = clock.monotonic() + TICK_SECONDS if silent else float("inf")
        self._steps: Steps | None = None
        self._next_steps = float("inf")
        waker.watch_files([tail.path for tail in outputs.tails])

    def look(self) -> None:
        """Take in what has been written until now, and show it."""
        for tail in self._outputs.tails:
            if self.relay.full:
                break  # what the reader does not take waits in the spool, not in our memory
            self._take(tail)
            tail.shrink()
            self._prompt(tail)
        self._make_room()
        self._outputs.watch_over()
        self.relay.flush()
        self._obey()
        if self._showing:
            try:
                self._show()
            except (
                Exception
            ) as error:  # see _understand: a backup goes on, and is recorded, also without a picture of it
                self._showing = False
                self._log.say(f"from here on the run is not shown ({type(error).__name__}: {error})")
        self._log.flush()

    def _take(self, tail: Tail) -> None:
        self._log.behind = tail.behind
        flood = self._plain and tail.behind > FLOOD
        for block in tail.blocks():
            if flood:
                self._block(block, tail)
            else:
                for line in tail.cut(block):
                    self._line(line, tail)
            self._make_room()

    def _block(self, block: bytes, tail: Tail) -> None:
        """Take many lines of a command of which nothing but the last line tells anything."""
        self._understand(block[block.rstrip(b"\n").rfind(b"\n") + 1 :], tail.stream)
        self._said += len(block)
        self._stall.heard(len(block), words=True)
        self._log.block(block, tail.stream)
        self._relayed(block, tail)

    def _make_room(self) -> None:
        """Keep less while the disk is nearly full: the command's own output must not fail for want of room."""
        for tail in self._outputs.tails:
            if tail.crowded:
                self._leave_out(tail, tail.skip())
            if tail.free() < disk_space.LOW:
                tail.shrink(0)
                if self.relay.full and self._child.exit is None:
                    self.relay.shed()

    def _leave_out(self, tail: Tail, lost: int) -> None:
        """Say that *lost* bytes of output are not read: they came faster than that, and the disk is nearly full."""
        lost -= len(self.ahead.pop(tail.to, b""))  # the caller has seen the beginning of the line
        self._left_out += lost
        self._exact.forget(tail)
        self._log.say(f"{lost} bytes of output were left out here: the disk is nearly full")
        self._pass(tail.to, LEFT_OUT % lost)

    def _show(self) -> None:
        if self.news is not None and self.news():
            self.news = None
        now = clock.monotonic()
        self._sample(now)
        self._look_at_steps(now)
        self.state.tick(now, paused=self._controls.paused)
        self._stall.tick(now, self.state.live, paused=self._controls.paused)
        self._shown = shown(self.state.live, self._controls, self._stall)
        self._publisher.offer(self._shown)
        if self._child.exit is None and not self._spoken:
            self._display.show([self._shown])

    def _obey(self) -> None:
        """Carry out requests; an error of ours in that must not reach the backup."""
        now = clock.monotonic()
        try:
            for wish, whence in self._publisher.wishes(self._shown.run):
                self._controls.take(wish, whence, now)
            self._controls.tick(now)
        except Exception as error:
            self._log.say(f"what was asked for could not be done ({type(error).__name__}: {error})")

    def follow(self) -> Exit:
        """Watch until the command has ended and what it said is taken in; say how it ended."""
        while not self._child.check():
            self.look()
            for number in sorted(self._waker.wait(self._pause(), self.relay.waiting)):
                self._signal(number)
        self._controls.ended(clock.monotonic())
        assert self._child.exit is not None
        try:
            if self._steps is not None:
                self._steps.script_ended(self._child.exit)
        except Exception as error:  # see _understand
            self._log.say(f"what the script left behind was not seen ({type(error).__name__}: {error})")
        self._drain()
        return self._child.exit

    def _drain(self) -> None:
        """Take in all that has been written until now."""
        self._outputs.ended()
        for tail in self._outputs.tails:
            tail.ended()
        self._catch_up()
        for tail in self._outputs.tails:
            self._last(tail)
        self._display.clear()
        self.relay.flush()

    @property
    def left_behind(self) -> list[int]:
        """The engines that a script has started and that go on."""
        return [] if self._steps is None else self._steps.running

    def stay(self) -> None:
        """Watch on until the engines that were left behind have ended too; a signal to us gives them a moment for that."""
        self.relay, give_up = Relay(), float("inf")
        for tail in self._outputs.tails:
            tail.goes_on()
        while self.left_behind and clock.monotonic() < give_up:
            self.look()
            if self._waker.wait(self._pause(), self.relay.waiting).intersection(FORWARDED):
                give_up = min(give_up, clock.monotonic() + GIVE_UP_SECONDS)
        self._drain()

    def conclude(self, how: Exit) -> Result:
        """Say what the run came to that ended in this way."""
        for tail in self._outputs.tails:
            tail.close()  # the record of the end needs descriptors
        return self._conclude(how)

    def _catch_up(self) -> None:
        """Take the rest of what the command wrote; a signal to us ends that, as it would have ended the command."""
        self.look()
        while self._behind():
            full = self.relay.full
            came = self._waker.wait(TICK_SECONDS if full else 0.0, self.relay.waiting if full else ()) & _ENDING
            if came or clock.monotonic() > self._give_up:
                self._hurried = True
                self._log.say("a signal came: the rest of the output was not read")
                return
            self.look()

    def deliver(self) -> None:
        """Pass on the rest however long the reader takes, as the command itself would have. It would have died of a signal."""
        if self._hurried:
            return
        while self.relay.waiting and clock.monotonic() < self._give_up:
            if self._waker.wait(TICK_SECONDS, self.relay.waiting).intersection(FORWARDED):
                return
            self.relay.flush()

    def _conclude(self, how: Exit) -> Result:
        try:
            result = self._session.conclude(how)
            if not self._plain and result.outcome is Outcome.SUCCEEDED and (unread := self._unread):
                result = Result(Outcome.UNKNOWN, unread)
            if self.began is not None:
                result = self.began.judge(result, how, self._child.last)
            if self._steps is not None:
                self._steps.finish()
                result = self._steps.judge(result, self._text())
            return self._heard(result)
        except Exception as error:  # see _understand; what cannot be judged is no success
            return Result(Outcome.UNKNOWN, f"The end could not be judged ({type(error).__name__}: {error}).")

    @property
    def _unread(self) -> str:
        """Why some of the output was not read, in which errors may have stood; "" if all was."""
        if self._left_out:
            return f"{self._left_out} bytes of its output were not read, because the disk was nearly full."
        return "The rest of its output was not read, because a signal came." if self._hurried else ""

    def _text(self) -> str:
        """Return the script's text if all that it says on stderr was read; see `Unseen.failure`."""
        whole = not self._unread and any(tail.stream is Stream.ERR for tail in self._outputs.tails)
        if not whole or not isinstance(self._session, CodeSession):
            return ""
        from tray.wrapper import unmet_steps  # a script's steps have loaded it

        return unmet_steps.seen_text(self._command, self._session.failures)

    def _heard(self, result: Result) -> Result:
        """Return *result* with the failures that programs of a script told, and whose ends were not seen."""
        if not (isinstance(self._session, CodeSession) and self._session.failures):
            return result
        return with_failures(result, self._session.failures, set() if self._steps is None else self._steps.wrong)

    def _behind(self) -> bool:
        return any(tail.more for tail in self._outputs.tails)

    def _pause(self) -> float:
        if self._behind() and not self.relay.full:
            return 0.0
        seconds = min(TICK_SECONDS, self._controls.wait_seconds(clock.monotonic()))
        if not self._showing:
            return seconds
        next_look = max(0.0, self._next_steps - clock.monotonic())
        return min(seconds, next_look, self._publisher.wait_seconds(self._shown))

    def _signal(self, number: int) -> None:
        if number not in FORWARDED:
            return
        if self._child.check():
            self._log.say(f"signal {number} came after the command's end")
            self._give_up = clock.monotonic() + GIVE_UP_SECONDS
            return
        self._log.say(f"signal {number} came and is passed on")
        self._child.forward(number)

    def _line(self, line: bytes, tail: Tail) -> None:
        if not (line := self._exact.whole(line, tail)):
            return
        if self.began is not None:
            self.began.line(line)
        fed = self._understand(line, tail.stream)
        for event in fed.events:
            self.state.event(event)
        self._said += len(line)
        words = not self._only_progress(fed.events)
        self._spoken = words and bool(fed.relay)
        self._stall.heard(len(line), words=words)
        if words:
            self._log.line(fed.relay or line, tail.stream)
        self._relayed(fed.relay, tail)

    def _relayed(self, data: bytes, tail: Tail) -> None:
        """Pass on *data*, less its beginning that the caller has seen already; what came out shorter, he has seen whole."""
        ahead = self.ahead.pop(tail.to, b"")
        if not ahead.startswith(data):
            self._pass(tail.to, data.removeprefix(ahead))

    def _understand(self, line: bytes, stream: Stream) -> Fed:
        """Feed the adapter; a mistake of ours in it must not reach the backup, the line is then passed on as it is."""
        try:
            return self._session.feed(line, stream)
        except Exception as error:
            self._log.say(f"a line was not understood ({type(error).__name__}: {error})")
            return Fed(relay=line)

    def _prompt(self, tail: Tail) -> None:
        """Pass on the beginning of a line at once: a prompt has no line end. A line that may be our addition waits for its end."""
        part, ahead = tail.part, self.ahead.get(tail.to, b"")
        if len(part) <= len(ahead) or self._exact.waits(part, len(ahead), tail):
            return
        self._pass(tail.to, part.removeprefix(ahead))
        self.ahead[tail.to] = part
        self._spoken = True

    def _last(self, tail: Tail) -> None:
        """Take the line that never came to its end, and what was kept back until nothing more can come."""
        rest = self._exact.rest(tail)
        if rest:
            fed = self._understand(rest, tail.stream)
            for event in fed.events:
                self.state.event(event)
            self._log.line(fed.relay or rest, tail.stream)
            ours = fed.relay == rest and self._exact.is_ours(rest, tail.stream)
            self._relayed(b"" if ours else fed.relay, tail)
        self._pass(tail.to, self._exact.held(tail.stream))

    def _pass(self, to: int, data: bytes) -> None:
        if data:
            self._display.clear()
            self.relay.write(to, data)

    def _sample(self, now: float) -> None:
        if now < self._next_reading:
            return
        self._next_reading = now + TICK_SECONDS
        if self._written is None:
            self._reading = self._reading or IoRate(self._child.pid)
            self.state.reading(self._reading.sample(now))
        elif (done := self._written.sample() - self._said) > 0:
            self.state.event(Progress(Phase.COPYING, bytes_done=done))

    @property
    def steps(self) -> tuple[Step, ...]:
        """The engines that a script has called so far."""
        return () if self._steps is None else self._steps.steps

    @property
    def kind(self) -> str | None:
        """The kind of a script by the engines that it called; None if they do not tell."""
        return None if self._steps is None else self._steps.kind

    @property
    def empty_sources(self) -> tuple[str, ...]:
        """Sources of a script's steps that hold no files."""
        return () if self._steps is None else tuple(sorted(self._steps.empty))

    def look_at(self, steps: "Steps") -> None:
        """Look at the steps of a script from now on."""
        self._steps, self._next_steps = steps, 0.0
        self._waker.watch_opens(steps.execs.fd)
        self._waker.watch_events(steps.events)
        self.state.steps(steps.steps)

    def _look_at_steps(self, now: float) -> None:
        opened = self._waker.opened()
        if now < self._next_steps and not opened:
            return
        if self._steps is None:
            return
        if opened:
            self._steps.started()
        if self._steps.look():
            self.state.steps(self._steps.steps)
        self._next_steps = clock.monotonic() + self._steps.pause

    @staticmethod
    def _only_progress(events: tuple[Event, ...]) -> bool:
        return bool(events) and all(isinstance(event, Progress) for event in events)
