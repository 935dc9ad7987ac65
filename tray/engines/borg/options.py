"""borg's command line, read as borg itself reads it (argparse): subcommand, flags, repository, archive, paths.

Options may stand before and after the subcommand and among the paths, long ones may be shortened as long as they stay unambiguous,
and nothing after `--` is one. The names come from the manual of borg 1.2 and 1.4; `--repo` is borg 2's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tray.engines.recognise import words

_SHORT = {
    "h": "help",
    "V": "version",
    "v": "info",
    "p": "progress",
    "r": "repo",
    "n": "dry-run",
    "s": "stats",
    "e": "exclude",
    "x": "one-file-system",
    "c": "checkpoint-interval",
    "C": "compression",
    "P": "prefix",
    "a": "glob-archives",
    "H": "keep-hourly",
    "d": "keep-daily",
    "w": "keep-weekly",
    "m": "keep-monthly",
    "y": "keep-yearly",
}
_SAME = {"verbose": "info"}
_SWITCHES = words(
    """help version critical error warning info verbose debug progress iec log-json bypass-lock show-version show-rc
    consider-part-files dry-run stats quick-stats list json no-cache-sync no-cache-sync-forced content-from-command
    paths-from-stdin paths-from-command paths-from-shell-command exclude-caches keep-exclude-tags exclude-nodump
    exclude-dataless one-file-system numeric-owner numeric-ids noatime atime noctime nobirthtime nobsdflags noflags
    noacls noxattrs sparse read-special repair repository-only archives-only verify-data save-space force
    cleanup-commits stdout continue"""
)
_VALUES = words(
    """debug-topic lock-wait umask remote-path remote-ratelimit upload-ratelimit remote-buffer upload-buffer
    debug-profile rsh repo socket filter stdin-name stdin-user stdin-group stdin-mode paths-delimiter exclude
    exclude-from pattern patterns-from exclude-if-present files-cache files-changed comment timestamp
    checkpoint-interval chunker-params compression prefix glob-archives match-archives sort-by first last oldest newest
    older newer max-duration keep-within keep-last keep-minutely keep-secondly keep-hourly keep-daily keep-weekly
    keep-monthly keep-13weekly keep-3monthly keep-yearly threshold strip-components undelete-archives"""
)
_LONG = _SWITCHES | _VALUES


@dataclass(frozen=True, slots=True)
class Options:
    """A borg command line.

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

    def on(self, *names: str) -> bool:
        """Whether one of these is given."""
        return any(name in self.flags for name in names)


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
                    i += 1
                    value = argv[i] if i < len(argv) else ""
                flags[name] = (*flags.get(name, ()), value)
        elif place is None:
            place = i
        else:
            rest.append(word)
        i += 1
    return Options(place, "" if place is None else argv[place], flags, tuple(rest))


def _flags(word: str) -> list[tuple[str, str | None]]:
    """Split one word into flags; the value None means that one must follow. What we do not know is taken for a switch."""
    if word.startswith("--"):
        name, equals, value = word[2:].partition("=")
        name = _whole(name)
        return [(name, value if equals else None if name in _VALUES else "true")]
    found: list[tuple[str, str | None]] = []
    for place, letter in enumerate(word[1:], 2):
        name = _SHORT.get(letter, letter)
        if name in _VALUES:
            return [*found, (name, word[place:].removeprefix("=") or None)]
        found.append((name, "true"))
    return found


def _whole(name: str) -> str:
    """Return the whole name of a long option that may be shortened."""
    if name not in _LONG:
        meant = [long for long in _LONG if long.startswith(name)]
        name = meant[0] if len(meant) == 1 else name
    return _SAME.get(name, name)


def place(options: Options, environ: Mapping[str, str]) -> tuple[str | None, tuple[str, ...]]:
    """Return the repository and the words behind repository and archive, which are the paths.

    borg 1 names both in one word (`REPO::ARCHIVE`, `::ARCHIVE` with BORG_REPO); borg 2 has `--repo` and a word for the archive.
    """
    named = options.flags.get("repo", (None,))[-1] or environ.get("BORG_REPO") or None
    if not options.words:
        return named, ()
    first, paths = options.words[0], options.words[1:]
    before, colons, archive = first.rpartition("::")
    if colons and "/" not in archive:
        return before or named, paths
    if options.on("repo") or (named and options.subcommand in ("create", "extract")):
        return named, paths  # a name of an archive
    return first or named, paths
