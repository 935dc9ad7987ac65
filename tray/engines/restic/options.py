"""restic's command line, read as restic itself reads it (cobra and pflag): subcommand, flags, sources.

The subcommand is the first word that is neither a flag nor a flag's value; flags may stand anywhere, and nothing after `--` is one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tray.engines.recognise import words

_SHORT = {
    "r": "repo",
    "p": "password-file",
    "q": "quiet",
    "v": "verbose",
    "o": "option",
    "h": "help",
    "f": "force",
    "x": "one-file-system",
    "n": "dry-run",
    "e": "exclude",
    "H": "host",
    "g": "group-by",
}
_SWITCHES = words(
    """json quiet verbose help version no-cache cleanup-cache no-lock insecure-no-password insecure-tls no-extra-verify
    force one-file-system exclude-caches exclude-cloud-files stdin stdin-from-command with-atime ignore-inode
    ignore-ctime use-fs-snapshot dry-run skip-if-unchanged no-scan prune"""
)
_VALUES = words(
    """repo repository-file password-file password-command key-hint retry-lock cache-dir cacert tls-client-cert
    limit-upload limit-download option compression pack-size http-user-agent stuck-request-timeout parent group-by
    exclude iexclude exclude-file iexclude-file exclude-if-present exclude-larger-than stdin-filename tag host
    files-from files-from-verbatim files-from-raw time read-concurrency"""
)
_FALSE = frozenset(("0", "f", "F", "false", "FALSE", "False"))


@dataclass(frozen=True, slots=True)
class Options:
    """A restic command line.

    Attributes:
        at: Index of the subcommand, None if there is none.
        subcommand: Its name, "" if there is none.
        flags: Long names with their values, in order; a switch has the value "true".
        words: The words that are neither flags nor their values, after the subcommand.
    """

    at: int | None
    subcommand: str
    flags: Mapping[str, tuple[str, ...]]
    words: tuple[str, ...]

    def on(self, name: str) -> bool:
        """Whether the switch is given and not given as false."""
        values = self.flags.get(name)
        return values is not None and values[-1] not in _FALSE

    def last(self, name: str) -> str | None:
        """The value that counts, None if the flag is not given."""
        values = self.flags.get(name)
        return values[-1] if values else None


def read(argv: Sequence[str], at: int) -> Options:
    """Read the command line whose program stands at index *at*; never raises."""
    flags: dict[str, tuple[str, ...]] = {}
    rest: list[str] = []
    place: int | None = None
    i = at + 1
    while i < len(argv):
        word = argv[i]
        if word == "--":
            rest += argv[i + 1 :]
            break
        if word.startswith("-") and word != "-":
            for name, value in _flags(word):
                if value is None:  # its value is the next word
                    if place is None or name in _VALUES:
                        i += 1
                        value = argv[i] if i < len(argv) else ""
                    else:
                        value = "true"
                flags[name] = (*flags.get(name, ()), value)
        elif place is None:
            place = i
        else:
            rest.append(word)
        i += 1
    return Options(place, "" if place is None else argv[place], flags, tuple(rest))


def _flags(word: str) -> list[tuple[str, str | None]]:
    """Split one word into flags; the value None means that one may follow."""
    if word.startswith("--"):
        name, equals, value = word[2:].partition("=")
        return [(name, value if equals else "true" if name in _SWITCHES else None)]
    found: list[tuple[str, str | None]] = []
    for place, letter in enumerate(word[1:], 2):
        name = _SHORT.get(letter, letter)
        rest = word[place:]
        if rest.startswith("="):
            return [*found, (name, rest[1:])]
        if name not in _SWITCHES:
            return [*found, (name, rest or None)]
        found.append((name, "true"))
    return found
