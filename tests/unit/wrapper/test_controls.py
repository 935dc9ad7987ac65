"""Who may ask what of a run, and how a wrapper does it, with a command that only pretends."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.waiting import wait_for
from tray import ipc, runs
from tray.core import errors, locks, process_tree
from tray.core.errors import ControlRefusedError
from tray.core.model import Control, Instance, LiveRun, Outcome, Phase, Source
from tray.core.paths import Places
from tray.engines import COMMAND
from tray.engines.base import STOP, Exit, Plan, Result
from tray.runs.left_paused import release
from tray.status import control
from tray.tracker.state import refusal
from tray.wrapper import result_checks
from tray.wrapper.child import Child
from tray.wrapper.controls import Controls, shown
from tray.wrapper.stall import Stall

LIVE = LiveRun(run="r1", job="home", engine="restic", started_ms=0, can=tuple(Control), process="4711@99")


@pytest.mark.parametrize(
    ("run", "reachable", "kind", "says"),
    [
        (None, False, errors.RunNotLiveError, "backup-tray status"),
        (LIVE.with_changes(source=Source.OBSERVED, user="ann"), False, errors.RunObservedError, "sudo kill -INT 4711"),
        (LIVE.with_changes(source=Source.OBSERVED), True, errors.RunObservedError, "`kill -INT 4711`"),
        (LIVE.with_changes(instance=Instance.SYSTEM), True, errors.RunElsewhereError, "sudo backup-tray pause r1"),
        (LIVE, False, errors.RunUntrackedError, "kill -INT 4711"),
        (LIVE.with_changes(can=()), True, errors.ControlImpossibleError, "another user"),
        (
            LIVE.with_changes(phase=Phase.PAUSED, can=(Control.CANCEL,)),
            True,
            errors.ControlImpossibleError,
            "paused already",
        ),
        (LIVE.with_changes(can=(Control.CANCEL,)), True, errors.ControlImpossibleError, "cannot be paused now"),
    ],
)
def test_a_refusal_says_what_why_and_what_to_do(
    run: LiveRun | None, reachable: bool, kind: type[ControlRefusedError], says: str
) -> None:
    """Each reason is an error of its own, and survives the way over the socket."""
    error = refusal("r1", run, Control.PAUSE, reachable=reachable)
    assert type(error) is kind
    assert error is not None
    assert all((error.what, error.why, error.next))
    assert says in f"{error.what} {error.why} {error.next}"
    told = ControlRefusedError.of(json.loads(json.dumps(error.facts())))
    assert told.facts() == error.facts()


def test_what_can_be_done_is_not_refused() -> None:
    """A tracked run of ours obeys."""
    assert all(refusal("r1", LIVE, wish, reachable=True) is None for wish in Control)


def test_an_answer_without_words_is_still_an_error_with_a_next_step() -> None:
    """A tracker of another version may say less."""
    assert ControlRefusedError.of({"type": "refused", "why": "no"}).facts() == {
        "code": "ERROR_CONTROL_REFUSED",
        "what": "That is not possible now.",
        "why": "no",
        "next": "Look at it: `backup-tray status`.",
    }


@pytest.fixture
def children() -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Processes that are ended in the end."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process_tree.resume(process.pid)
        process_tree.kill(process.pid)
        process.wait()


def spawn(children: "list[subprocess.Popen[bytes]]", script: str, up: Path) -> "subprocess.Popen[bytes]":
    """Start a script in a session of its own and wait until it has made the file *up*."""
    children.append(subprocess.Popen(["sh", "-c", script], start_new_session=True))
    wait_for(up.exists, what="the script")
    return children[-1]


@pytest.mark.process
def test_a_tree_is_stopped_and_goes_on_as_a_whole(children: "list[subprocess.Popen[bytes]]", tmp_path: Path) -> None:
    """Children and grandchildren too, also in groups of their own."""
    up = tmp_path / "up"
    root = spawn(children, f"(setsid sh -c 'sleep 600; true') & (sleep 600; true) & : >{up}; wait", up)
    # Each in its own program: a shell that waits for the start of another (vfork) is not seen to stop.
    wait_for(
        lambda: [process_tree.command(one)[:1] for one in process_tree.tree(root.pid)].count(["sleep"]) == 2,
        what="the tree",
    )
    everybody = process_tree.tree(root.pid)
    process_tree.stop(root.pid)
    wait_for(lambda: {process.status() for process in everybody} == {psutil.STATUS_STOPPED}, what="all to stop")
    process_tree.resume(root.pid)
    wait_for(lambda: not process_tree.any_stopped(root.pid), what="all to go on")
    assert process_tree.kill(root.pid) >= 5
    root.wait()
    wait_for(lambda: not any(map(alive, everybody)), what="their end")


def alive(process: psutil.Process) -> bool:
    """Whether *process* still runs."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.process
def test_an_engines_helper_in_a_group_of_its_own_is_left_to_the_engine(
    children: "list[subprocess.Popen[bytes]]", tmp_path: Path
) -> None:
    """restic needs the ssh or rclone that it has started to remove its lock; a script's own background groups are interrupted."""
    mark = "trap 'touch {0}; exit' TERM; : >{0}.up; while :; do sleep 0.05; done"
    helper, apart = (f'setsid sh -c "{mark.format(tmp_path / name)}" &' for name in ("helper", "apart"))
    engine = tmp_path / "restic"
    engine.write_text(f"{helper}\n{mark.format(tmp_path / 'engine')}\n")
    root = spawn(children, f"{apart} trap : TERM; sh {engine}; wait", tmp_path / "engine.up")
    for name in ("helper", "apart"):  # each in its group, and listening
        wait_for((tmp_path / f"{name}.up").exists, what=name)
    started = psutil.Process(root.pid).children(recursive=True)
    try:
        assert process_tree.interrupt(root.pid, signal.SIGTERM, is_engine=lambda argv: str(engine) in argv) >= 2
        wait_for((tmp_path / "engine").exists, what="the engine to hear")
        wait_for((tmp_path / "apart").exists, what="the script's own to hear")
        assert not (tmp_path / "helper").exists()
    finally:
        for process in started:
            with suppress(psutil.Error):
                process.kill()


class Scene:
    """A command under control, with a clock of the test's own."""

    def __init__(self, command: list[str], *, stop: object = STOP, script: bool = True) -> None:
        self.said: list[str] = []
        self.noted: list[str] = []
        self.kept: list[bool] = []
        self.child = Child(command, os.environ, stdout=None, stderr=None)
        self.controls = Controls(
            self.child,
            stop,  # type: ignore[arg-type]
            script=script,
            say=self.said.append,
            note=self.noted.append,
            keep=self.kept.append,
        )

    def ended(self) -> Exit:
        """Wait for the end."""
        wait_for(self.child.check, what="the end")
        assert self.child.exit is not None
        return self.child.exit


@pytest.mark.process
def test_signals_come_in_the_engines_order_each_when_its_time_is_up(tmp_path: Path) -> None:
    """First the gentle signal, then the next, in the end the one that kills; the wrapper takes no step twice."""
    up = tmp_path / "up"
    scene = Scene(
        [
            "sh",
            "-c",
            f"trap 'touch {tmp_path}/int' INT; trap 'touch {tmp_path}/term' TERM; : >{up}; while :; do sleep 0.05; done",
        ]
    )
    wait_for(up.exists, what="the traps")
    scene.controls.take(Control.CANCEL, "window", 100.0)
    assert scene.controls.can == (Control.CANCEL,)
    wait_for((tmp_path / "int").exists, what="the interrupt")
    scene.controls.tick(119.9)
    assert not (tmp_path / "term").exists()
    scene.controls.tick(120.1)
    wait_for((tmp_path / "term").exists, what="the termination")
    scene.controls.tick(131)
    assert scene.ended() == Exit(None, signal.SIGKILL, asked=True)
    assert scene.controls.can == ()
    assert scene.noted == ["window"]
    assert [line.split()[0] for line in scene.said] == ["cancel", "SIGINT", "SIGTERM", "SIGKILL"]


@pytest.mark.process
def test_a_command_that_was_quicker_than_the_cancel_keeps_its_own_end() -> None:
    """A signal that reached no process is no cancel."""
    scene = Scene(["true"])
    wait_for(lambda: psutil.Process(scene.child.pid).status() == psutil.STATUS_ZOMBIE, what="its end")
    scene.controls.take(Control.CANCEL, "cli", 1.0)
    assert scene.ended() == Exit(0, None, asked=False)


@pytest.mark.process
def test_time_paused_is_counted_and_remembered_on_disk_only_while_it_lasts() -> None:
    """A process that finds the flag and no wrapper lets the command go on."""
    scene = Scene(["sleep", "600"])
    scene.controls.take(Control.PAUSE, "tray", 10.0)
    assert scene.controls.can == (Control.CANCEL, Control.RESUME)
    scene.controls.take(Control.RESUME, "tray", 75.0)
    assert (scene.kept, scene.controls.paused_seconds) == ([True, False], 65)
    scene.controls.take(Control.RESUME, "tray", 80.0)
    assert "not possible now" in scene.said[-1]
    scene.controls.take(Control.PAUSE, "???", 90.0)
    scene.controls.take(Control.CANCEL, "cli", 95.0)
    assert scene.ended().asked
    assert (scene.kept, scene.controls.paused_seconds) == ([True, False, True, False], 70)
    assert "paused (another program)" in scene.said


@pytest.mark.process
def test_a_paused_command_that_somebody_else_continued_is_not_shown_as_paused() -> None:
    """`kill -CONT`, or `fg` in its terminal."""
    scene = Scene(["sleep", "600"])
    scene.controls.take(Control.PAUSE, "cli", 10.0)
    wait_for(lambda: process_tree.is_stopped(scene.child.pid), what="it to stop")
    scene.controls.tick(19.0)
    os.kill(scene.child.pid, signal.SIGCONT)
    wait_for(lambda: not process_tree.is_stopped(scene.child.pid), what="it to go on")
    scene.controls.tick(20.0)
    assert (scene.controls.paused, scene.said[-1]) == (False, "goes on: another process continued it")
    scene.controls.take(Control.CANCEL, "cli", 21.0)
    scene.ended()


@pytest.mark.process
def test_what_a_paused_command_had_started_goes_on_when_the_command_is_killed(tmp_path: Path) -> None:
    """Its children have no wrapper then, and no other process would ever let them go on."""
    up = tmp_path / "up"
    scene = Scene(["sh", "-c", f"sleep 600 & : >{up}; wait"])
    wait_for(up.exists, what="the script")
    sleeper = wait_for(lambda: process_tree.tree(scene.child.pid)[1:], what="its child")[0]
    try:
        scene.controls.take(Control.PAUSE, "cli", 10.0)
        wait_for(lambda: process_tree.is_stopped(sleeper.pid), what="it to stop")
        os.kill(scene.child.pid, signal.SIGKILL)
        assert scene.ended() == Exit(None, signal.SIGKILL, asked=False)
        scene.controls.ended(11.0)
        wait_for(lambda: not process_tree.is_stopped(sleeper.pid), what="it to go on")
        assert alive(sleeper)
    finally:
        sleeper.kill()


@pytest.mark.process
def test_a_command_that_cannot_be_suspended_is_not_called_paused_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for a disk that does not answer; what it does is said as it is."""
    monkeypatch.setattr(process_tree, "stop", lambda _: [])
    scene = Scene(["sleep", "600"])
    scene.controls.take(Control.PAUSE, "cli", 10.0)
    scene.controls.tick(14.0)
    assert scene.controls.paused
    scene.controls.tick(16.0)
    assert (scene.controls.paused, scene.said[-1], scene.kept) == (False, "it could not be paused", [True, False])
    scene.controls.take(Control.CANCEL, "cli", 17.0)
    scene.ended()


@pytest.mark.process
def test_a_run_paused_while_it_scans_shows_no_percentage() -> None:
    """Totals that still grow would make one in the phase "paused"."""
    scene = Scene(["sleep", "600"])
    stall = Stall(lambda: None, lambda: None, scene.said.append, 0.0)
    scene.controls.take(Control.PAUSE, "cli", 1.0)
    live = LIVE.with_changes(bytes_done=5, bytes_total=10, bytes_per_second=3, eta_seconds=9)
    assert shown(live.with_changes(phase=Phase.SCANNING), scene.controls, stall).fraction is None
    copying = shown(live.with_changes(phase=Phase.COPYING), scene.controls, stall)
    assert (copying.phase, copying.fraction, copying.bytes_per_second) == (Phase.PAUSED, 0.5, None)
    scene.controls.take(Control.CANCEL, "cli", 2.0)
    scene.ended()


@pytest.mark.process
def test_a_run_that_stands_still_tells_neither_speed_nor_time_left() -> None:
    """On no surface: they are taken out where the picture of the run is made."""
    scene = Scene(["sleep", "600"])
    stall = Stall(lambda: 60.0, lambda: None, scene.said.append, 0.0)
    live = LIVE.with_changes(phase=Phase.COPYING, bytes_done=5, bytes_total=10, bytes_per_second=3, eta_seconds=9)
    told = []
    for second in range(90):
        stall.tick(float(second), live, paused=False)
        told.append(shown(live, scene.controls, stall))
    assert (told[10].stalled, told[10].eta_seconds, told[10].bytes_per_second) == (False, 9, 3)
    assert (told[-1].stalled, told[-1].eta_seconds, told[-1].bytes_per_second) == (True, None, None)
    scene.controls.take(Control.CANCEL, "cli", 2.0)
    scene.ended()


def folder(places: Places, child: int, *, boot: str | None = None, **changes: object) -> runs.RunFolder:
    """Make the folder of a run whose wrapper is us."""
    info = runs.RunInfo(
        run=str(changes.pop("run", "01")),
        job="home",
        engine="restic",
        kind="backup",
        started_ms=1,
        boot=boot or locks.boot_id(),
        wrapper=runs.Process(os.getpid(), None),
        **changes,  # type: ignore[arg-type]
    )
    made, _ = runs.create(places, info)
    assert made is not None
    made.save(runs.with_child(info, child))
    return made


@pytest.mark.process
def test_only_a_paused_run_without_its_wrapper_is_let_go_on(
    places: Places, children: "list[subprocess.Popen[bytes]]", tmp_path: Path
) -> None:
    """A living wrapper decides itself; in another boot the number belongs to another process."""
    work = spawn(children, f": >{tmp_path / 'up'}; exec sleep 600", tmp_path / "up")
    process_tree.stop(work.pid)
    wait_for(lambda: process_tree.is_stopped(work.pid), what="it to stop")
    paused = folder(places, work.pid, paused=True)
    assert not release(paused, paused.info())
    paused.lock.release()
    other = folder(places, work.pid, run="02", paused=True, boot="another")
    other.lock.release()
    assert not release(other, other.info())
    assert process_tree.is_stopped(work.pid)
    assert release(paused, paused.info())
    wait_for(lambda: not process_tree.is_stopped(work.pid), what="it to go on")


@pytest.mark.process
def test_what_a_paused_command_had_started_goes_on_when_wrapper_and_command_were_killed(
    places: Places, tmp_path: Path
) -> None:
    """No process stays stopped for good, also where only the session tells whose it was."""
    script = f"sleep 600 & echo $! > {tmp_path / 'pid'}; wait"
    with subprocess.Popen(["sh", "-c", script], start_new_session=True) as command:
        paused = folder(places, command.pid, paused=True)
        paused.lock.release()
        below = int(wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))
        process_tree.stop(command.pid)
        wait_for(lambda: process_tree.is_stopped(below), what="it to stop")
        command.kill()
    try:
        assert release(paused, paused.info())
        wait_for(lambda: not process_tree.is_stopped(below), what="it to go on")
        assert not release(paused, paused.info())
    finally:
        os.kill(below, signal.SIGKILL)


def test_a_run_overlaps_the_newest_earlier_one_of_its_job_that_still_goes_on(places: Places) -> None:
    """One that is over, a later one, and one of another job do not count."""
    made = [folder(places, os.getpid(), run=name) for name in ("01", "02", "09")]
    over = folder(places, 2**22 + 1, run="03")
    over.lock.release()
    mine = made[0].info()
    assert result_checks.earlier(places, with_run(mine, "05")) == "02"
    assert result_checks.earlier(places, with_run(mine, "01")) is None
    assert result_checks.earlier(places, with_run(mine, "05", job="other")) is None
    for one in made:
        one.close()


def with_run(info: runs.RunInfo, run: str, job: str = "home") -> runs.RunInfo:
    """Return *info* of another run."""
    from tray.core.dataclass import replace

    return replace(info, run=run, job=job)


class Locking:
    """An engine with a command that removes a lock."""

    name = "restic"

    @staticmethod
    def unlock(plan: Plan) -> str:
        """Return it."""
        return f"restic -r {plan.repository} unlock"


@pytest.mark.parametrize(
    ("outcome", "number", "locked", "before", "after"),
    [
        (Outcome.CANCELLED, None, True, None, "Remove the lock with `restic -r"),
        (Outcome.FAILED, signal.SIGKILL, True, "It may be locked: `restic -r {0} unlock`.", "is still locked"),
        (Outcome.FAILED, signal.SIGKILL, False, "It may be locked: `restic -r {0} unlock`.", None),
        (Outcome.FAILED, signal.SIGKILL, True, "Mend the disk.", "Mend the disk."),
        (Outcome.FAILED, None, True, None, None),
        (Outcome.SUCCEEDED, None, True, None, None),
    ],
)
def test_a_lock_is_only_spoken_of_after_a_stopped_run_that_really_left_one(
    places: Places,
    tmp_path: Path,
    outcome: Outcome,
    number: int | None,
    locked: bool,
    before: str | None,
    after: str | None,
) -> None:
    """A fact that the wrapper can look up replaces an engine's "perhaps"; other advice stays."""
    repository = tmp_path / "repo"
    (repository / "locks").mkdir(parents=True)
    (repository / "config").touch()
    if locked:
        (repository / "locks" / ("a" * 64)).touch()
    mine = with_run(folder(places, os.getpid()).info(), "01")
    plan = Plan((), "backup", {}, repository=str(repository))
    result = Result(outcome, "why", advice=before and before.format(repository))
    found = result_checks.advised(result, Exit(None, number), Locking(), plan, mine, places).advice  # type: ignore[arg-type]
    assert found is None if after is None else after in (found or "")


def test_any_other_command_has_no_lock_to_speak_of(places: Places) -> None:
    """It is unknown whether it locks anything."""
    result = Result(Outcome.CANCELLED, "why")
    mine = folder(places, os.getpid()).info()
    assert result_checks.advised(result, Exit(130), COMMAND, Plan((), "backup", {}), mine, places) is result


def test_a_run_is_chosen_by_job_or_the_beginning_of_its_id(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several that fit are named; one that cannot be asked is refused before anybody is asked whether they are sure."""
    known = {
        name: LIVE.with_changes(run=name, job=job)
        for name, job in (("01a", "home"), ("01b", "photos"), ("02c", "photos"))
    }
    monkeypatch.setattr(control.LiveRuns, "now", lambda _: known)
    live = control.LiveRuns(places, "cli")
    assert live.choose("home", Control.CANCEL).run == "01a"
    assert live.choose("02", Control.CANCEL).run == "02c"
    for words in ("photos", "01", ""):
        with pytest.raises(errors.UsageError, match="Several runs go on"):
            live.choose(words, Control.CANCEL)
    with pytest.raises(errors.RunNotLiveError):
        live.choose("none", Control.CANCEL)
    known["02c"] = known["02c"].with_changes(source=Source.OBSERVED)
    with pytest.raises(ControlRefusedError, match="not ours to stop"):
        live.choose("02c", Control.CANCEL)
    live.__exit__()


def test_messages_of_a_newer_tracker_do_not_disturb_a_wrapper() -> None:
    """Unknown words, wishes about other runs, and nonsense are passed over."""
    from tray.wrapper.publisher import _wish

    assert _wish(ipc.encode({"type": "cancel", "run": "r", "by": "tray"}), "r") == (Control.CANCEL, "tray")
    for line in (
        b"",
        b"cancel",
        b'{"type":"cancel"',
        b'["cancel"]',
        b'{"type": "cancel", "run": "x"}',
        b'{"type":"dance","run":"r"}',
    ):
        assert _wish(line, "r") is None
