"""The base of engines that print lines, with the smallest engine that can be made of it."""

from collections.abc import Mapping

import pytest

from tray.core.model import Outcome
from tray.engines.adapter import program_names
from tray.engines.arguments import Arguments, grammar
from tray.engines.base import Event, Exit, Plan, Stream
from tray.engines.causes import causes
from tray.engines.line_engine import Call, LineEngine, LineSession


class TinyRun(LineSession):
    """A run of an engine that says `failed: FILE`, and `done` at its end."""

    name = "tiny"
    causes = causes("disk full\n    There is no space left.\n")

    def line(self, text: str, stream: Stream) -> tuple[Event, ...]:
        """Take one line."""
        if text.startswith("failed: "):
            return self.seen.problem("it could not be read", text.removeprefix("failed: "))
        if text == "done":
            self.seen.files = 3
        elif stream is Stream.ERR:
            self.seen.complain(text)
        return ()

    def achieved(self, exit: Exit) -> str:
        """Believe exit code 0 only with the last line."""
        if self.plan.kind != "backup":
            return super().achieved(exit)
        return "The files were saved" if exit.code == 0 and self.seen.files is not None else ""


class Tiny(LineEngine):
    """An engine with two commands and one option of each sort."""

    name = "tiny"
    programs = program_names("tiny")
    grammar = grammar(values="t:to only", switches="n:dry-run", optional="z:compress")
    choose = ("only",)
    runs = TinyRun

    def call(self, options: Arguments, environ: Mapping[str, str]) -> Call:
        """Read `tiny save FOLDER -t PLACE` and `tiny load`."""
        kind = {"save": "backup", "load": "restore"}.get(options.subcommand, "other")
        place = options.last("to") or environ.get("TINY_TO")
        return Call(kind, options.rest if kind == "backup" else (), place, ("--plain",), pipes=place == "-")


def plan(command: str, **environ: str) -> Plan:
    """Plan a command given as text."""
    argv = command.split()
    return Tiny().plan(argv, argv.index("tiny"), environ)


def test_a_command_line_becomes_a_plan() -> None:
    """Flags of ours stand behind the program, and options that choose files tell jobs apart."""
    planned = plan("nice tiny save /home -z9 -t /b --only x")
    assert planned.argv == ("nice", "tiny", "--plain", "save", "/home", "-z9", "-t", "/b", "--only", "x")
    assert (planned.kind, planned.sources, planned.repository) == ("backup", ("/home",), "/b")
    assert (planned.apart, planned.ours, planned.spool_stdout) == (("only=x",), True, True)
    assert plan("tiny save /home", TINY_TO="/c").repository == "/c"


@pytest.mark.parametrize("command", ["tiny list", "chronic tiny save /home", "tiny save /home -t -"])
def test_an_output_that_is_not_ours_to_read_is_left_alone(command: str) -> None:
    """Of another command, behind a program that hides it, or where it is the backup itself."""
    assert not plan(command).spool_stdout


@pytest.mark.parametrize(
    ("command", "lines", "exit", "outcome", "words"),
    [
        ("save /x", "done", Exit(0), Outcome.SUCCEEDED, "The files were saved."),
        ("save /x", "failed: /x/a\ndone", Exit(0), Outcome.WARNING, "/x/a (it could not be read)"),
        ("save /x", "", Exit(0), Outcome.UNKNOWN, "it did not say that it was done"),
        ("save /x", "disk full", Exit(3), Outcome.FAILED, "There is no space left."),
        ("save /x", "odd", Exit(3), Outcome.FAILED, "exit code 3: odd"),
        ("save /x", "done", Exit(None), Outcome.LOST, "tiny"),
        ("save /x", "", Exit(None, 2, asked=True), Outcome.CANCELLED, "stopped on request"),
        ("load", "", Exit(0), Outcome.SUCCEEDED, "The files were restored."),
        ("list", "", Exit(0), Outcome.SUCCEEDED, "tiny did what it was asked to do."),
    ],
)
def test_words_and_exit_code_become_a_result(
    command: str, lines: str, exit: Exit, outcome: Outcome, words: str
) -> None:
    """The rules that all engines share need no word in the adapter."""
    session = Tiny().session(plan(f"tiny {command}"))
    for line in lines.splitlines(keepends=True):
        assert session.feed(line.encode(), Stream.ERR).relay == line.encode()
    ended = session.conclude(exit)
    assert ended.outcome is outcome
    assert words in ended.reason
