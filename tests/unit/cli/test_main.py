import re
import shlex
from argparse import ArgumentParser
from pathlib import Path

import pytest

from tray import __version__
from tray.cli import parser
from tray.cli.audit import PARTS
from tray.cli.jobs import PARTS as JOB_PARTS
from tray.cli.main import COMMANDS, load, main
from tray.window import instance

README = Path(__file__).parents[3] / "README.md"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A user who asks gets an answer and exit code 0."""
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0
    said = capsys.readouterr().out
    assert f"usage: backup-tray {command}" in said
    assert f"examples:\n  {'sudo ' if command == 'system' else ''}backup-tray" in said
    assert "--begun" not in said, "what only the program itself uses is not shown"


@pytest.mark.parametrize("part", PARTS)
def test_every_part_of_audit_has_help_with_an_example(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The same for what stands behind `audit`."""
    with pytest.raises(SystemExit):
        main(["audit", part, "--help"])
    assert f"examples:\n  backup-tray audit {part}" in capsys.readouterr().out


@pytest.mark.parametrize("part", JOB_PARTS)
def test_every_part_of_jobs_has_help_with_an_example(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The same for what stands behind `jobs`."""
    with pytest.raises(SystemExit):
        main(["jobs", part, "--help"])
    assert f"examples:\n  backup-tray jobs {part}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command", [*COMMANDS, *(f"audit.{part}" for part in PARTS), *(f"jobs.{part}" for part in JOB_PARTS)]
)
def test_every_example_of_the_help_is_understood(command: str) -> None:
    """A user can type the examples of the help as they are printed."""
    group, _, part = command.partition(".")
    for line in ({"audit": PARTS, "jobs": JOB_PARTS}[group][part][0] if part else load(command)).examples:
        typed = re.split(r"   | [|>] ", line.removeprefix("sudo "))[0]
        _, name, *words = [*shlex.split(typed), "tray"][: max(2, len(shlex.split(typed)))]
        parser = ArgumentParser(exit_on_error=False)
        load(name).register(parser)
        given = parser.parse_args(words)
        if name == "window":
            instance.page_of(given.page)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_stands_in_the_readme(command: str) -> None:
    """The README names every command."""
    assert f"backup-tray {command}" in README.read_text(encoding="utf-8")


def test_the_overview_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """`backup-tray --help` is complete."""
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {command} " in shown for command in COMMANDS)


def test_an_unknown_command_gets_the_next_step(capsys: pytest.CaptureFixture[str]) -> None:
    """A typing error is answered with where to look."""
    assert main(["stauts"]) == 64
    said = capsys.readouterr().err
    assert "Did you mean `backup-tray status`?" in said
    assert "backup-tray --help" in said


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    """One number, in one place."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"backup-tray {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["audit", "bogus"], "There is no 'bogus'; choose from verify, show,"),
        (["audit", "redact", "x"], "SEQ: 'x' is no whole number."),
        (["history", "--limit", "many"], "--limit: 'many' is no whole number."),
        (["audit"], "Something is missing: PART."),
        (["status", "--jsno"], "There is no '--jsno' here. Did you mean '--json'?"),
        (["status", "home"], "There is no 'home' here."),
        (
            ["jobs", "add", "x", "--evry", "1d"],
            "Did you mean '--every'?\n  next: Look at the options: `backup-tray jobs add --help`",
        ),
    ],
)
def test_what_the_parser_refuses_is_said_in_words(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistyped part or number is answered in plain English, with the command that helps."""
    assert main(arguments) == 64
    said = capsys.readouterr().err
    assert words in said
    assert "--help`" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["--", "restic", "backup"],
        ["--job", "home", "--", "a", "--", "b"],
        ["--engine", "borg", "--no-watch", "--", "--", "x"],
        ["--"],
    ],
)
def test_a_plain_run_is_read_without_argparse_as_with_it(arguments: list[str]) -> None:
    """The quick way changes nothing but the time."""
    run = load("run")
    quick = run.quick(arguments)
    assert quick is not None
    assert vars(quick) == vars(parser.parse("run", "", run, arguments))


@pytest.mark.parametrize(
    "arguments", [["restic"], ["--job"], ["--job", "-x", "--", "a"], ["--help"], ["--job=a", "--", "b"], []]
)
def test_any_other_form_of_run_is_left_to_argparse(arguments: list[str]) -> None:
    """Help and mistakes are said in one place."""
    assert load("run").quick(arguments) is None
