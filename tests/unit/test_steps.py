import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.observe_help import engine
from tests.waiting import wait_for
from tray.engines.base import Exit, Result
from tray.model import Outcome
from tray.observe import ends
from tray.runner.steps import Steps

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

    def __init__(self, text: str) -> None:
        self.said: list[str] = []
        self._process = subprocess.Popen(["sh", "-c", text], stdin=subprocess.PIPE)
        self.steps = Steps(self._process.pid, self.said.append)

    def go(self) -> None:
        """Let one `read` in the script go on."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"go\n")
        self._process.stdin.flush()

    def until(self, count: int) -> None:
        """Look until so many steps have begun."""
        wait_for(lambda: self.steps.look() or len(self.steps.steps) >= count, what="a look")
        wait_for(lambda: (self.steps.look(), len(self.steps.steps) >= count)[1], what=f"{count} steps")

    def end(self) -> Result:
        """Wait for the end and return what the run came to."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        while self._process.poll() is None:
            self.steps.look()
            time.sleep(0.002)
        code = self._process.returncode
        self.steps.finish(Exit(code))
        return self.steps.judge(FINE if code == 0 else Result(Outcome.FAILED, "sh failed."))


@pytest.fixture
def scripts() -> Iterator[list[Script]]:
    """Scripts that are ended whatever happens."""
    started: list[Script] = []
    yield started
    for script in started:
        script.steps.execs.close()
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
    """What went into the background has not succeeded yet."""
    script = run(scripts, "exec 3<&0; rsync -ac 'read x <&3; sleep 2' /etc/ /mnt/x/ & read y; exit 0")
    script.until(1)
    script._process.stdin.write(b"a\nb\n")  # type: ignore[union-attr]
    assert script.end().outcome is Outcome.SUCCEEDED
    (step,) = script.steps.steps
    assert (step.outcome, step.finished_ms) == (Outcome.UNKNOWN, None)


def test_without_the_kernels_word_a_step_is_unknown(
    programs: Path, scripts: list[Script], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older kernel: the step ended, and neither a success nor a failure is made of that."""
    monkeypatch.setattr(ends, "exit_status", lambda _: (None, False))
    monkeypatch.setattr(ends.Proc, "readable", lambda *_: False)
    script = run(scripts, "restic -c 'read x; exit 1' backup /etc; read y; true")
    script.until(1)
    script.go()
    wait_for(lambda: (script.steps.look(), script.steps.steps[0].outcome)[1])
    assert script.steps.steps[0].outcome is Outcome.UNKNOWN
    assert script.end().outcome is Outcome.SUCCEEDED


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
