"""The command line: each command declares its arguments and calls one function of another room.

Only `main` prints errors and chooses their exit codes. A module holds one command or a few that belong together. Each is a
`Command` with its name in capitals: `tray.cli.control.PAUSE` is `backup-tray pause`.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


class Command:
    """A command, or a part of `backup-tray audit`.

    Attributes:
        register: Declares the arguments.
        run: Does the work and returns the exit code.
        examples: Lines at the end of the help.
        quick: Reads the plainest arguments without argparse; returns None for any others.
    """

    def __init__(
        self,
        register: "Callable[[ArgumentParser], None]",
        run: "Callable[[Namespace], int]",
        *examples: str,
        quick: "Callable[[Sequence[str]], Namespace | None]" = lambda _: None,
    ) -> None:
        self.register, self.run, self.examples, self.quick = register, run, examples, quick

    @property
    def epilog(self) -> str:
        """The end of the help: the examples."""
        return "\n".join(("examples:", *(f"  {line}" for line in self.examples)))


def no_arguments(parser: "ArgumentParser") -> None:
    """Declare that there are no arguments."""


def nearest(word: str, known: "Iterable[str]") -> "list[str]":
    """Return the one of the *known* words that *word* probably means; an empty list if none is near."""
    from difflib import get_close_matches  # only after a typing mistake

    return get_close_matches(word, list(known), 1)
