"""A command line of an engine, split into options, their values, and the other words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tray.engines.recognise import program_name


@dataclass(frozen=True, slots=True)
class Arguments:
    """What stands behind a program.

    Attributes:
        options: Names without dashes, with their values in order; a switch has the value "".
        words: The words that are neither options nor their values, each with its index in the command.
    """

    options: Mapping[str, tuple[str, ...]]
    words: tuple[tuple[int, str], ...]

    def on(self, *names: str) -> bool:
        """Whether one of the options is given."""
        return any(name in self.options for name in names)

    def last(self, *names: str) -> str | None:
        """Return the value of the first of the options that is given, None if none is."""
        return next((self.options[name][-1] for name in names if name in self.options), None)

    def word(self, place: int) -> str | None:
        """Return the word at *place*, None if there are not so many."""
        return self.words[place][1] if place < len(self.words) else None


@dataclass(frozen=True, slots=True)
class Grammar:
    """How a program reads its options.

    Attributes:
        values: Long options that take a value, as the next word or behind `=`.
        switches: Long options without one; needed only where names may be shortened.
        letters: Short options that take a value.
        pairs: Long options that take two words.
        shortens: A long option may be shortened to a beginning that is its own (getopt, optparse, argparse).
    """

    values: frozenset[str] = frozenset()
    switches: frozenset[str] = frozenset()
    letters: str = ""
    pairs: frozenset[str] = frozenset()
    shortens: bool = False

    def name(self, given: str) -> str:
        """Return the whole name of a long option."""
        if not self.shortens or not given or given in self.values or given in self.switches:
            return given
        meant = [name for name in (*self.values, *self.switches) if name.startswith(given)]
        return meant[0] if len(meant) == 1 else given


def read(argv: Sequence[str], start: int, grammar: Grammar) -> Arguments:
    """Read the command line from index *start* on; never raises."""
    options: dict[str, tuple[str, ...]] = {}
    words: list[tuple[int, str]] = []
    i = start
    while i < len(argv):
        word = argv[i]
        if word == "--":
            words += enumerate(argv[i + 1 :], i + 1)
            break
        if word.startswith("-") and word != "-":
            for name, value, more in _options(word, grammar):
                if more:
                    value = " ".join(argv[i + 1 : i + 1 + more])
                    i += more
                options[name] = (*options.get(name, ()), value)
        else:
            words.append((i, word))
        i += 1
    return Arguments(options, tuple(words))


def _options(word: str, grammar: Grammar) -> list[tuple[str, str, int]]:
    """Split one word into options: name, value, and how many of the next words are its value."""
    if word.startswith("--"):
        given, equals, value = word[2:].partition("=")
        name = grammar.name(given)
        takes = 2 if name in grammar.pairs else 1 if name in grammar.values else 0
        return [(name, value, 0 if equals else takes)]
    found: list[tuple[str, str, int]] = []
    for place, letter in enumerate(word[1:], 2):
        if letter in grammar.letters:
            return [*found, (letter, word[place:], 0 if word[place:] else 1)]
        found.append((letter, "", 0))
    return found


def program_at(argv: Sequence[str], at: int, recognises: Callable[[str], bool]) -> int:
    """Return where the engine stands: at *at*, unless it was forced and a wrapper that we do not know stands there."""
    if not argv or recognises(program_name(argv[at])):
        return at
    return next((i for i in range(at + 1, len(argv)) if recognises(program_name(argv[i]))), at)
