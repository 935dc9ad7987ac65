"""Any other command: its exit code, and nothing else, says what it came to."""

import pytest

from tray.core.model import Outcome
from tray.engines import COMMAND
from tray.engines.base import Exit, Stream


def conclude(exit: Exit, *stderr: bytes, argv: tuple[str, ...] = ("pg_dump", "db")) -> tuple[Outcome, str]:
    """Run a command that prints *stderr* and ends so."""
    session = COMMAND.session(COMMAND.plan(argv, 0, {}))
    for line in stderr:
        session.feed(line, Stream.ERR)
    found = session.conclude(exit)
    return found.outcome, found.reason


@pytest.mark.parametrize(
    ("exit", "outcome", "words"),
    [
        (Exit(0), Outcome.SUCCEEDED, "exit code 0"),
        (Exit(1), Outcome.FAILED, "exit code 1: cannot connect"),
        (Exit(3), Outcome.FAILED, "exit code 3"),
        (Exit(130), Outcome.FAILED, "exit code 130"),
        (Exit(124), Outcome.FAILED, "time"),
        (Exit(127), Outcome.FAILED, "not found"),
        (Exit(None, 9), Outcome.FAILED, "SIGKILL"),
        (Exit(None, 15), Outcome.FAILED, "SIGTERM"),
        (Exit(None, 250), Outcome.FAILED, "signal 250"),
        (Exit(None, 15, asked=True), Outcome.CANCELLED, "request"),
        (Exit(0, asked=True), Outcome.CANCELLED, "request"),
        (Exit(None), Outcome.LOST, "was not seen"),
    ],
)
def test_the_exit_decides(exit: Exit, outcome: Outcome, words: str) -> None:
    """0 is a success, a stop that was asked for a cancel, and all else a failure with its last words."""
    found, reason = conclude(exit, b"warming up\n", b"cannot connect\n", b"\n")
    assert found is outcome
    assert words in reason
    assert "pg_dump" in reason


def test_output_is_relayed_byte_for_byte() -> None:
    """The caller gets the command's output byte for byte, valid text or not."""
    session = COMMAND.session(COMMAND.plan(["x"], 0, {}))
    for line in (b"plain\n", b"\xff\xfe\x00\r", b'{"message_type":"summary"}\n', b"no end"):
        for stream in Stream:
            fed = session.feed(line, stream)
            assert (fed.relay, fed.events) == (line, ())


def test_the_plan_leaves_the_command_alone() -> None:
    """Its stdout is never spooled (`pg_dump > file`), and nothing is added."""
    plan = COMMAND.plan(["env", "A=1", "pg_dump", "--password=hunter2", "db"], 0, {})
    assert plan.argv == ("env", "A=1", "pg_dump", "--password=hunter2", "db")
    assert (plan.env, plan.spool_stdout, plan.ours, plan.kind) == ({}, False, False, "backup")
    assert plan.sources == ("pg_dump --password=*** db",)


def test_a_command_that_runs_on_by_itself_is_unknown() -> None:
    """Exit 0 of a starter is no success of what it started; its failure is one."""
    argv = ("systemd-run", "tar", "c", "/")
    assert conclude(Exit(0), argv=argv)[0] is Outcome.UNKNOWN
    assert conclude(Exit(1), argv=argv)[0] is Outcome.FAILED
