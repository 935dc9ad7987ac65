"""Split the command line of an engine into options, their values, and the other words.

Each engine describes its options in tables (`Grammar`), by their long names; the reader is the same for programs that use getopt,
popt, argparse or Go's pflag, apart from the few habits that a grammar names.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from tray.core.dataclass import dataclass, field

Unknown = Literal["switch", "value", "value before the subcommand"]
FALSE = frozenset(("0", "f", "F", "false", "FALSE", "False"))
"""Values that Go's programs take for no: `--dry-run=false`."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """The words behind a program.

    Attributes:
        options: Names without dashes, with their values in order; a switch has the value "".
        words: The words that are neither options nor their values.
        places: The index of each of the words in the command.
        end: Index of the `--` that ended the options, None if there is none.
        typed: All of them, as they stand in the command.
    """

    options: Mapping[str, tuple[str, ...]]
    words: tuple[str, ...]
    places: tuple[int, ...]
    end: int | None = None
    typed: tuple[str, ...] = ()

    def given(self, *names: str) -> bool:
        """Whether one of the options is given, whatever its value."""
        return any(name in self.options for name in names)

    def on(self, *names: str) -> bool:
        """Whether one of the switches is given and not given as false, as Go's programs read it."""
        return any(name in self.options and self.options[name][-1] not in FALSE for name in names)

    def last(self, *names: str) -> str | None:
        """Return the value that counts of the first of the options that is given, None if none is."""
        return next((self.options[name][-1] for name in names if name in self.options), None)

    def every(self, *names: str) -> tuple[str, ...]:
        """Return all values of the options."""
        return tuple(value for name in names for value in self.options.get(name, ()))

    @property
    def at(self) -> int | None:
        """Index of the subcommand: that of the first word before a `--`, None if there is none."""
        return self.places[0] if self.places and (self.end is None or self.places[0] < self.end) else None

    @property
    def subcommand(self) -> str:
        """The subcommand, "" if there is none."""
        return "" if self.at is None else self.words[0]

    @property
    def rest(self) -> tuple[str, ...]:
        """The words behind the subcommand."""
        return self.words if self.at is None else self.words[1:]


@dataclass(frozen=True, slots=True)
class Grammar:
    """The options of a program, and its habits of reading them.

    Attributes:
        values: Options that take a value, as the next word or behind `=`.
        switches: Options without one; needed where names may be shortened, or where an unknown option may take a value.
        also: Letters and other names of options, with the name that they count as.
        optional: Options whose value may follow without a blank, and is never the next word: `-z9`, `--compression=9`.
        pairs: Options that take two words.
        shortens: A long option may be shortened to a beginning that is its own (getopt, optparse, argparse).
        equals: The value of a letter may stand behind `=` too (argparse, pflag).
        unknown: An option that is in no table takes nothing, always a value, or a value before the subcommand (cobra).
    """

    values: frozenset[str] = frozenset()
    switches: frozenset[str] = frozenset()
    also: Mapping[str, str] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    pairs: frozenset[str] = frozenset()
    shortens: bool = False
    equals: bool = False
    unknown: Unknown = "switch"

    def name(self, given: str) -> str:
        """Return the name that a long option counts as."""
        if self.shortens and given and given not in self.values | self.switches | self.optional:
            meant = [name for name in (*self.values, *self.switches, *self.optional) if name.startswith(given)]
            given = meant[0] if len(meant) == 1 else given
        return self.also.get(given, given)

    def takes(self, name: str, *, begun: bool) -> int:
        """Return how many words an option takes; *begun*: the subcommand was there already."""
        if name in self.values:
            return 1
        if name in self.pairs:
            return 2
        return int(name not in self.switches and self.unknown != "switch" and not (begun and self.unknown != "value"))


def grammar(
    *,
    values: str,
    switches: str = "",
    optional: str = "",
    pairs: str = "",
    shortens: bool = True,
    equals: bool = False,
    unknown: Unknown = "switch",
) -> Grammar:
    """Return a grammar, by default of getopt, from words: `help`, with a letter `R:fs-root`, for another name `get=extract`."""
    also: dict[str, str] = {}
    tables = []
    for text in (values, switches, optional, pairs):
        names = []
        for word in text.split():
            letter, name = (word[:1], word[2:]) if word[1:2] == ":" else ("", word)
            name, _, meant = name.partition("=")
            also |= {given: target for given, target in ((letter, name), (name, meant)) if given and target}
            names.append(name)
        tables.append(frozenset(names))
    return Grammar(tables[0], tables[1], also, tables[2], tables[3], shortens=shortens, equals=equals, unknown=unknown)


def read(argv: Sequence[str], start: int, grammar: Grammar) -> Arguments:
    """Read the command line from index *start* on; never raises."""
    options: dict[str, tuple[str, ...]] = {}
    places: list[int] = []
    end = None
    i = start
    while i < len(argv):
        word = argv[i]
        if word == "--":
            end = i
            places += range(i + 1, len(argv))
            break
        if word.startswith("-") and word != "-":
            for name, value, more in _split(word, grammar, begun=bool(places)):
                if more:
                    value = " ".join(argv[i + 1 : i + 1 + more])
                    i += more
                options[name] = (*options.get(name, ()), value)
        else:
            places.append(i)
        i += 1
    return Arguments(options, tuple(argv[place] for place in places), tuple(places), end, tuple(argv[start:]))


def _split(word: str, grammar: Grammar, *, begun: bool) -> list[tuple[str, str, int]]:
    """Split one word into options: name, value, and how many of the next words are its value."""
    if word.startswith("--"):
        given, equals, value = word[2:].partition("=")
        name = grammar.name(given)
        return [(name, value, 0 if equals else grammar.takes(name, begun=begun))]
    options: list[tuple[str, str, int]] = []
    for place, letter in enumerate(word[1:], 2):
        name, rest = grammar.also.get(letter, letter), word[place:]
        if grammar.equals and rest.startswith("="):
            return [*options, (name, rest[1:], 0)]
        if name in grammar.optional:
            return [*options, (name, rest, 0)]
        takes = grammar.takes(name, begun=begun and not rest)  # letters glued to an unknown one are its value
        if takes:
            return [*options, (name, rest, 0 if rest else takes)]
        options.append((name, "", 0))
    return options
