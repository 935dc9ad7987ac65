"""The wrapper does not touch output: real engines, old and new, in every way to call them, and stand-ins for odd ones."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e import newer
from tests.e2e.matrix import ENGINES, Pair, rotated
from tests.e2e.program import TRAY
from tests.e2e.stand_ins import BEGIN, STAND_INS, StandIn

NEWER = ("borg", "rclone", "duplicity")


@pytest.mark.parametrize("name", [*ENGINES, *(f"newer {name}" for name in NEWER)])
def test_a_caller_sees_the_same_bytes_of_a_real_engine(name: str, tmp_path: Path) -> None:
    """No byte differs: each flag, with its streams as pipes, one pipe, files, one file or nowhere, in three languages."""
    engine = ENGINES[name.removeprefix("newer ")]
    pair = Pair(tmp_path / "pair", engine, newer.program(engine.name) if name.startswith("newer ") else engine.name)
    said = 0
    for flag, way, language in rotated(engine):
        bare, wrapped = pair.run(flag, way, language)
        assert wrapped == bare, (flag, way, language)
        said += len(bare.out) + len(bare.err)
    assert said > 300  # it did say something


@pytest.mark.parametrize("merged", [False, True], ids=["two pipes", "one pipe"])
@pytest.mark.parametrize("stand_in", STAND_INS, ids=lambda stand_in: stand_in.name)
def test_a_caller_sees_the_same_bytes_of_an_engine_that_behaves_oddly(
    stand_in: StandIn, merged: bool, tmp_path: Path
) -> None:
    """No byte differs either with pieces of lines, new messages, other languages, long lines and kills."""
    argv = stand_in.command.split()
    environ = named(argv[0], BEGIN + stand_in.script, tmp_path)
    bare, wrapped = (
        subprocess.run(
            [*begin, *argv],
            cwd=tmp_path,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merged else subprocess.PIPE,
            timeout=60,
            check=False,
        )
        for begin in ([], [*TRAY, "run", "--"])
    )
    assert (bare.returncode, wrapped.returncode) == (stand_in.code, stand_in.code)
    assert wrapped.stdout == bare.stdout
    assert wrapped.stderr == bare.stderr
    assert (tmp_path / "was-added").exists()  # else it would have proved nothing


def named(name: str, script: str, folder: Path) -> dict[str, str]:
    """Make a program called *name*; return an environment whose PATH has it first."""
    program = folder / "bin" / name
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\n{script}\n")
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}


def test_the_last_words_of_any_other_command_are_relayed_without_an_end(tmp_path: Path) -> None:
    """The wrapper adds nothing to such output, so it keeps nothing back."""
    environ = named("some-command", BEGIN + r"""say(b"a{"); say(b"[2{x: ", b"{", to=2)""", tmp_path)
    done = subprocess.run(
        [*TRAY, "run", "--", "some-command"], env=environ, capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"a{", b"[2{x: {")


@pytest.mark.parametrize("prompt", [b"Passphrase: ", b"[2{odd}? ", b"{y/n}"])
@pytest.mark.parametrize(
    "argv",
    [["tar", "-cf", "a.tar", "a"], ["restic", "-r", "r", "backup", "a"], ["some-command"]],
    ids=lambda argv: argv[0],
)
def test_a_prompt_is_seen_before_its_answer(argv: list[str], prompt: bytes, tmp_path: Path) -> None:
    """The user sees the question although its line has no end yet."""
    environ = named(argv[0], f"import os\nos.write(2, {prompt!r})\nos.read(0, 1)", tmp_path)
    run = subprocess.Popen(
        [*TRAY, "run", "--", *argv], cwd=tmp_path, env=environ, stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert run.stderr is not None
    assert run.stderr.read(len(prompt)) == prompt
    out, err = run.communicate(b"x", timeout=60)
    assert (run.returncode, out, err) == (0, None, b"")
