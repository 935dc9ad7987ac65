"""Parse the arguments of a command, and say in plain words what is wrong with them."""

import re
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from typing import NoReturn

from tray.cli import Command, nearest
from tray.core.errors import UsageError


def parse(name: str, text: str, command: Command, arguments: Sequence[str]) -> Namespace:
    """Return the parsed *arguments* of *command*.

    Args:
        name: The command's name.
        text: One line of help.
        command: The command.
        arguments: The words behind the name.

    Raises:
        UsageError: They make no sense.
    """
    parser = _Parser(
        prog=f"backup-tray {name}",
        description=f"{text[:1].upper()}{text[1:]}".rstrip(".") + ".",
        epilog=command.epilog,
        formatter_class=RawDescriptionHelpFormatter,
    )
    command.register(parser)
    return parser.parse_args(arguments)


def add_parts(parser: ArgumentParser, parts: Mapping[str, tuple[Command, str]], *, required: bool) -> None:
    """Declare the parts of a command, such as `backup-tray audit verify`; the chosen one's function becomes `act`.

    Args:
        parser: The command's parser.
        parts: By name, the part and its one line of help.
        required: Whether a part must be named.
    """
    choices = parser.add_subparsers(dest="part", required=required, metavar="PART")
    for name, (command, words) in parts.items():
        part = choices.add_parser(
            name,
            help=words,
            description=f"{words[0].upper()}{words[1:]}.",
            epilog=command.epilog,
            formatter_class=RawDescriptionHelpFormatter,
        )
        command.register(part)
        part.set_defaults(act=command.run)


def run_part(args: Namespace) -> int:
    """Run the chosen part and return its exit code."""
    return int(args.act(args))


def _in_words(message: str) -> str:
    """Return the parser's message in plain words: "there is no 'x'; choose from a, b", "'x' is no whole number"."""
    if match := re.fullmatch(r"argument .*: invalid choice: ('.*') \(choose from (.*)\)", message, re.DOTALL):
        return f"There is no {match[1]}; choose from {match[2].replace(chr(39), '')}."
    if match := re.fullmatch(r"argument (.*): invalid int value: ('.*')", message, re.DOTALL):
        return f"{match[1]}: {match[2]} is no whole number."
    if match := re.fullmatch(r"the following arguments are required: (.*)", message, re.DOTALL):
        return f"Something is missing: {match[1]}."
    return f"{message[:1].upper()}{message[1:]}{'' if message.endswith('?') else '.'}"


class _Parser(ArgumentParser):
    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def] # as argparse has it
        """Refuse unknown arguments here, where it is known to which part of the command they were given."""
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"there is no {unknown[0]!r} here{self._nearest(unknown[0])}")
        return known, unknown

    def _nearest(self, word: str) -> str:
        return "".join(
            f". Did you mean {name!r}?" for name in nearest(word.partition("=")[0], self._option_string_actions)
        )

    def error(self, message: str) -> NoReturn:
        raise UsageError(_in_words(message), next=f"Look at the options: `{self.prog} --help`.")
