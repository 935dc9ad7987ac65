"""Knowledge of programs' command lines, and the user's rules for showing them."""

from typing import TYPE_CHECKING

from tray.core.dataclass import dataclass

if TYPE_CHECKING:  # making these classes would cost each start of a backup half a millisecond
    from collections.abc import Mapping, Sequence
    from typing import Protocol

    class Options(Protocol):
        """How a program's option words are read (`arguments.Grammar`)."""

        @property
        def values(self) -> frozenset[str]:
            """Options that take a value."""
            ...

        @property
        def switches(self) -> frozenset[str]:
            """Options without one."""
            ...

        @property
        def optional(self) -> frozenset[str]:
            """Options whose value, if any, is in the same word."""
            ...

        @property
        def also(self) -> Mapping[str, str]:
            """Letters, with the long name that they count as."""
            ...

        def name(self, given: str) -> str:
            """Return the name that a long option counts as."""
            ...

    class Programs(Protocol):
        """Knowledge of the programs."""

        def harmless(self, program: str) -> "Harmless | None":
            """Return what is harmless in the command line of the program of this name; None if it is not known."""
            ...

        def begins(self, argv: Sequence[str]) -> int:
            """Return the index of the program that stands behind `sudo`, `nice` and their like."""
            ...


@dataclass(frozen=True, slots=True)
class Harmless:
    """Parts of a program's command line that hold no secret, as its adapter knows. The default: none.

    Attributes:
        grammar: How its options are read.
        values: Options, by their long names, whose values may be shown.
        letters: Letters of switches that stand for themselves in the grammar.
        runners: Subcommands with one word, and behind that another command.
        subcommands: Those whose words (paths, names of snapshots) may be shown; "" for a program without subcommands.
    """

    grammar: "Options"
    values: frozenset[str] = frozenset()
    letters: str = ""
    subcommands: frozenset[str] = frozenset()
    runners: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Rules:
    """The user's rules for showing more (`[privacy]` in config.toml).

    Attributes:
        show: Options whose values are shown: `--customer`, `-x`.
        everything: Words of unknown meaning are shown too; secrets by name and place stay hidden.
    """

    show: frozenset[str] = frozenset()
    everything: bool = False
