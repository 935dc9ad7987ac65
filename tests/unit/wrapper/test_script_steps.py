import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.unit.observe.help import engine
from tests.waiting import wait_for
from tray.core import clock
from tray.core.model import Outcome
from tray.engines.base import Exit, Result
from tray.observe import ends
from tray.observe.events import Event, Events
from tray.wrapper.script_steps import Steps

pytestmark = pytest.mark.process

FINE = Result(Outcome.SUCCEEDED, "sh ended with exit code 0.")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in PATH whose engines do as they are told."""
    for name in ("restic", "rsync"):
        engine(tmp_path / "bin", name)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setenv("RESTIC_REPOSITORY", "s3:host/bucket")
    return tmp_path / "bin"


class Script:
    """A script that runs, and its steps as the wrapper sees them."""

    def __init__(self, text: str, *, group: bool = False) -> None:
        self.said: list[str] = []
        self._process = subprocess.Popen(["sh", "-c", text], stdin=subprocess.PIPE, start_new_session=group)
        self.steps = Steps(self._process.pid, self.said.append)

    def go(self) -> None:
        """Let one `read` in the script go on."""
        self.say("go")

    def say(self, text: str) -> None:
        """Answer one `read` in the script."""
        assert self._process.stdin is not None
        self._process.stdin.write(text.encode() + b"\n")
        self._process.stdin.flush()

    def until(self, count: int) -> None:
        """Look until so many steps have begun."""
        wait_for(lambda: self.steps.look() or len(self.steps.steps) >= count, what="a look")
        wait_for(lambda: (self.steps.look(), len(self.steps.steps) >= count)[1], what=f"{count} steps")

    def until_seen(self, word: str) -> None:
        """Look until an engine that is called with *word* was noticed."""
        wait_for(lambda: self._called(word), what=f"a call with {word}")
        self.steps.look()

    def _called(self, word: str) -> bool:
        proc = self.steps.proc
        return any(proc.command(pid)[1:2] == [word] for pid in proc.children(self._process.pid))

    def end(self) -> Result:
        """Wait for the end and return what the run came to."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        while self._process.poll() is None:
            self.steps.look()
            time.sleep(0.002)
        code = self._process.returncode
        self.steps.script_ended(Exit(code))
        self.steps.finish()
        return self.steps.judge(FINE if code == 0 else Result(Outcome.FAILED, "sh failed."))


@pytest.fixture
def scripts() -> Iterator[list[Script]]:
    """Scripts that are ended whatever happens."""
    started: list[Script] = []
    yield started
    for script in started:
        script.steps.close()
        assert script._process.stdin is not None
        with suppress(OSError):
            script._process.stdin.close()
        if script._process.poll() is None:
            script._process.kill()
            script._process.wait()


def run(scripts: list[Script], text: str) -> Script:
    """Start a script."""
    scripts.append(Script(text))
    return scripts[-1]


def test_a_step_that_fails_makes_the_run_a_warning(programs: Path, scripts: list[Script]) -> None:
    """The script's own exit code 0 hides nothing."""
    script = run(scripts, "restic -c 'read x; exit 1' backup /etc; rsync -ac 'read x; exit 0' /etc/ /mnt/x/; exit 0")
    script.until(1)
    script.go()
    script.until(2)
    script.go()
    result = script.end()
    assert (result.outcome, result.errors) == (Outcome.WARNING, 1)
    assert result.reason == "restic to s3:host/bucket ended with exit code 1, but the script went on."
    first, second = script.steps.steps
    assert (first.engine, first.kind, first.outcome) == ("restic", "backup", Outcome.FAILED)
    assert (second.engine, second.outcome) == ("rsync", Outcome.SUCCEEDED)
    assert first.finished_ms is not None
    assert any("step 1 began: restic to s3:host/bucket" in line for line in script.said)


def test_a_command_that_succeeds_at_the_second_try_is_made_good(programs: Path, scripts: list[Script]) -> None:
    """A script that tries again is no reason to worry; another command's success is no excuse."""
    again = "rsync -ac 'read x; exit $x' /etc/ /mnt/x/"
    script = run(scripts, f"{again}; {again}; true")
    script.until(1)
    script._process.stdin.write(b"12\n")  # type: ignore[union-attr]
    script._process.stdin.flush()  # type: ignore[union-attr]
    script.until(2)
    script._process.stdin.write(b"0\n")  # type: ignore[union-attr]
    assert script.end().outcome is Outcome.SUCCEEDED
    assert [step.outcome for step in script.steps.steps] == [Outcome.FAILED, Outcome.SUCCEEDED]


def test_a_script_that_fails_itself_stays_failed(programs: Path, scripts: list[Script]) -> None:
    """The steps make nothing better."""
    script = run(scripts, "rsync -ac 'read x; exit 0' /etc/ /mnt/x/; exit 4")
    script.until(1)
    script.go()
    assert script.end().outcome is Outcome.FAILED


def test_a_step_that_was_killed_is_named_with_its_signal(programs: Path, scripts: list[Script]) -> None:
    """Out of memory, for instance."""
    script = run(scripts, "restic -c 'read x; kill -9 $$' backup /etc; true")
    script.until(1)
    script.go()
    assert "was killed by signal 9 (SIGKILL), but the script went on" in script.end().reason


def test_processes_of_a_step_are_no_steps_of_their_own(programs: Path, scripts: list[Script]) -> None:
    """rsync is three processes of the same command line."""
    script = run(
        scripts,
        "exec 3<&0; rsync -ac \"rsync -ac 'read x <&3; exit 0' /etc/ /mnt/x/ & wait \\$!; :\" /etc/ /mnt/x/; true",
    )
    script.until(1)
    for _ in range(20):
        script.steps.look()
    script.go()
    script.end()
    assert len(script.steps.steps) == 1


def test_a_script_that_becomes_the_engine_is_its_own_step(programs: Path, scripts: list[Script]) -> None:
    """`exec restic backup` as the last line."""
    script = run(scripts, "read x; exec restic -c 'read x; exit 3' backup /etc")
    script.steps.look()
    script.go()
    script.until(1)
    script.go()
    script.end()
    assert [step.outcome for step in script.steps.steps] == [Outcome.WARNING]


def test_a_step_that_outlives_the_script_is_unknown(programs: Path, scripts: list[Script]) -> None:
    """A step that went into the background has not succeeded yet."""
    script = run(scripts, "exec 3<&0; rsync -ac 'read x <&3; sleep 2' /etc/ /mnt/x/ & read y; exit 0")
    script.until(1)
    script._process.stdin.write(b"a\nb\n")  # type: ignore[union-attr]
    result = script.end()
    assert result.outcome is Outcome.UNKNOWN
    assert "rsync to /mnt/x/ was still running when the script ended" in result.reason
    (step,) = script.steps.steps
    assert (step.outcome, step.finished_ms) == (Outcome.UNKNOWN, None)


def test_without_the_kernels_word_a_step_is_unknown(
    programs: Path, scripts: list[Script], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older kernel: the step ended, and neither a success nor a failure is made of that."""
    monkeypatch.setattr(ends, "exit_status", lambda _: (None, False))
    monkeypatch.setattr(ends.Proc, "readable", lambda *_: False)
    script = run(scripts, "restic -c 'read x; exit 1' backup /etc; read y; true")
    script.steps.events.close()
    script.until(1)
    script.go()
    wait_for(lambda: (script.steps.look(), script.steps.steps[0].outcome)[1])
    assert script.steps.steps[0].outcome is Outcome.UNKNOWN
    result = script.end()
    assert result.outcome is Outcome.UNKNOWN
    assert "its exit code was not seen" in result.reason


def test_looking_gets_rare_when_nothing_happens(programs: Path, scripts: list[Script]) -> None:
    """A script that runs for hours costs one look a second."""
    script = run(scripts, "read x")
    script.steps.look()
    assert script.steps.pause >= 1.0
    script.steps.started()
    pauses = [(script.steps.look(), script.steps.pause)[1] for _ in range(6)]
    assert pauses[0] < 0.01
    assert pauses[-1] >= 1.0
    script.go()
    script.end()


@pytest.mark.parametrize(
    ("engine_name", "code", "outcome"),
    [
        ("borg", 1, Outcome.WARNING),
        ("borg", 2, Outcome.WARNING),
        ("borg", 100, Outcome.WARNING),
        ("restic", 1, Outcome.WARNING),
        ("restic", 3, Outcome.WARNING),
        ("restic", 130, Outcome.WARNING),
        ("rclone", 9, Outcome.WARNING),
        ("tar", 1, Outcome.WARNING),
        ("tar", 2, Outcome.WARNING),
        ("rsync", 24, Outcome.WARNING),
        ("duplicity", 1, Outcome.WARNING),
        ("rdiff-backup", 2, Outcome.WARNING),
        ("kopia", 1, Outcome.WARNING),
        ("dar", 5, Outcome.WARNING),
        ("borg", 0, Outcome.SUCCEEDED),
        ("restic", 0, Outcome.SUCCEEDED),
        ("rclone", 0, Outcome.SUCCEEDED),
        ("tar", 0, Outcome.SUCCEEDED),
        ("rsync", 0, Outcome.SUCCEEDED),
        ("duplicity", 0, Outcome.SUCCEEDED),
        ("rdiff-backup", 0, Outcome.SUCCEEDED),
        ("kopia", 0, Outcome.SUCCEEDED),
        ("dar", 0, Outcome.SUCCEEDED),
    ],
)
def test_every_end_but_exit_code_0_keeps_a_script_from_being_fine(
    programs: Path,
    scripts: list[Script],
    monkeypatch: pytest.MonkeyPatch,
    engine_name: str,
    code: int,
    outcome: Outcome,
) -> None:
    """Whatever an engine means by its exit code, a step that ended otherwise than with 0 never counts for nothing."""
    words = {
        "borg": "create /r::a /etc",
        "restic": "backup /etc",
        "rclone": "copy /etc r:x",
        "tar": "cf /r/a.tar /etc",
        "rsync": "src/ /mnt/x/",
        "duplicity": "full /etc file:///mnt/x",
        "rdiff-backup": "backup /etc /mnt/x",
        "kopia": "snapshot create /etc",
        "dar": "-R /etc",
    }
    shells = {
        "rsync": "-ac 'read x; exit $x'",
        "dar": "-c 'read x; exit $x'",
    }  # what makes a shell of that name read on
    line = words[engine_name]
    engine(programs, engine_name)
    reads = programs.parent / line.split()[0]  # a shell takes the first word for a script
    monkeypatch.chdir(programs.parent)
    command = f"{shells[engine_name]} {line}" if engine_name in shells else line
    if engine_name not in shells:
        reads.write_text("read x; exit $x")
    script = run(scripts, f"{engine_name} {command}; true")
    script.until(1)
    script.say(str(code))
    result = script.end()
    assert result.outcome is outcome, script.said
    if code:
        assert f"ended with exit code {code}, but the script went on" in result.reason


def test_the_same_words_for_another_repository_are_no_second_try(programs: Path, scripts: list[Script]) -> None:
    """The success at one repository hides no failure at another."""
    script = run(scripts, "for r in /a /b; do RESTIC_REPOSITORY=$r restic -c 'read x; exit $x' backup /etc; done; true")
    script.until(1)
    script.say("1")
    script.until(2)
    script.say("0")
    result = script.end()
    assert (result.outcome, result.errors) == (Outcome.WARNING, 1)
    assert "restic to /a ended with exit code 1" in result.reason


@pytest.mark.parametrize(
    ("calls", "kind"),
    [
        (("restic check",), "check"),
        (("restic snapshots",), "other"),
        (("restic forget --prune", "restic check"), "check"),
        (("restic check", "restic backup /etc"), None),
        (("restic backup -n /etc",), "dry-run"),
        (("rclone lsd r:",), None),
    ],
)
def test_a_script_that_makes_no_backup_is_known_by_what_it_calls(
    programs: Path, scripts: list[Script], monkeypatch: pytest.MonkeyPatch, calls: tuple[str, ...], kind: str | None
) -> None:
    """A script that only checks, only looks or only rehearses has made no backup; of one that calls no engine nothing is known."""
    monkeypatch.chdir(programs.parent)
    engine(programs, "rclone")
    for call in calls:
        (programs.parent / call.split()[1]).write_text("read x")  # a shell takes its first word for a script
    script = run(scripts, "; ".join((*calls, "read y; true")))
    for call in calls:
        script.until_seen(call.split()[1])
        script.go()
    script.end()
    assert script.steps.kind == kind


def test_a_step_that_ends_after_the_script_is_its_own_end(programs: Path, scripts: list[Script]) -> None:
    """Where the wrapper stays, an engine in the background is as good as one that the script waited for."""
    engine(programs, "borg")
    for code, outcome in ((0, Outcome.SUCCEEDED), (1, Outcome.WARNING)):
        gate = programs / f"gate{code}"  # two readers of one pipe would take each other's lines
        os.mkfifo(gate)
        script = run(scripts, f"borg -c 'read x <{gate}; exit {code}' create /r::a /etc & read y; exit 0")
        script.until(1)
        script.say("a")
        script._process.wait()
        script.steps.script_ended(Exit(0))
        assert script.steps.running
        gate.write_text("go\n")
        wait_for(lambda script=script: (script.steps.look(), not script.steps.running)[1])
        script.steps.finish()
        unknown = Result(Outcome.UNKNOWN, "It was started, but the shell leaves it in the background.")
        for result in (FINE, unknown):
            assert script.steps.judge(result).outcome is outcome
        script._process.stdin.close()  # type: ignore[union-attr]


def test_an_engine_that_no_look_has_met_is_found_when_the_script_ends(programs: Path, scripts: list[Script]) -> None:
    """`sh -c 'borg … & exit 0'` is over before anybody looks; the process group tells what it left."""
    engine(programs, "borg")
    script = Script("exec 3<&0; borg -c 'read x <&3; exit 2' create /r::a /etc & exit 0", group=True)
    scripts.append(script)
    script._process.wait()
    script.steps.script_ended(Exit(0))
    wait_for(lambda: (script.steps.look(), script.steps.steps)[1], what="the engine, also if it was a shell still")
    script.say("b")
    wait_for(lambda: (script.steps.look(), not script.steps.running)[1])
    script.steps.finish()
    assert script.steps.judge(FINE).reason == "borg to /r ended with exit code 2, after the script had ended."
    script._process.stdin.close()  # type: ignore[union-attr]


def test_a_shell_that_is_left_behind_is_not_waited_for_for_ever(
    programs: Path, scripts: list[Script], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may start an engine any time; what it does is not known, so the run is no success."""
    script = Script("exec 3<&0; (read x <&3; true) & exit 0", group=True)
    scripts.append(script)
    script._process.wait()
    now = clock.monotonic()
    script.steps.script_ended(Exit(0))
    assert script.steps.running
    monkeypatch.setattr(clock, "monotonic", lambda: now + 60)
    assert not script.steps.running
    script.steps.finish()
    assert script.steps.judge(FINE).outcome is Outcome.UNKNOWN
    script.say("x")
    script._process.stdin.close()  # type: ignore[union-attr]


def test_without_exit_codes_of_pidfds_the_process_connector_tells_them(
    programs: Path, scripts: list[Script], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kernels before 6.15 keep no exit status; what the connector told is as exact."""
    monkeypatch.setattr(ends, "exit_status", lambda _: (None, False))
    monkeypatch.setattr(ends.Proc, "readable", lambda *_: False)
    script = run(scripts, "restic -c 'read x; exit 3' backup /etc; read y; true")
    script.until(1)
    (pid,) = script.steps.running
    notices = [[Event(pid, 3 << 8)]]
    monkeypatch.setattr(Events, "drain", lambda _: notices.pop() if notices else [])
    script.go()
    wait_for(lambda: (script.steps.look(), script.steps.steps[0].outcome)[1])
    assert "ended with exit code 3, but the script went on" in script.end().reason


def test_an_engine_of_others_that_the_kernel_tells_of_is_no_step(programs: Path, scripts: list[Script]) -> None:
    """The connector tells of every process on the machine; only the script's own descendants are its steps."""
    script = run(scripts, "read x")
    with subprocess.Popen(["restic", "-c", "read x", "backup", "/etc"], stdin=subprocess.PIPE) as other:
        wait_for(lambda: script.steps.proc.comm(other.pid) == "restic")
        assert not script.steps._told(Event(other.pid, None))
        other.communicate(b"x\n")
    assert script.steps.steps == ()
