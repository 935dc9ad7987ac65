"""rdiff-backup's command lines: the new one with actions (2.2 and later), and the old one, whose options choose what to do.

rdiff-backup itself takes a command line for a new one when any of its words is the name of an action, and so do we. From its manual
pages (1.2.8, 2.0.5, 2.2.2).
"""

from collections.abc import Sequence

from tray.core.dataclass import dataclass
from tray.core.redact import Harmless
from tray.engines.arguments import Arguments, Grammar, read
from tray.engines.text import words

_SHOWN = words(
    """api-version chars-to-quote current-time exclude exclude-filelist exclude-globbing-filelist
    exclude-if-present exclude-regexp group-mapping-file include include-filelist include-globbing-filelist
    include-regexp max-file-size min-file-size no-compression-regexp not-compressed-regexp override-chars-to-quote
    remote-tempdir tempdir terminal-verbosity user-mapping-file verbosity at older-than increment
    changed-since compare-at-time compare-full-at-time compare-hash-at-time list-at-time list-changed-since
    remove-older-than restore-as-of verify-at-time config size method"""
)
"""Options whose values hold no secret."""
_VALUES = _SHOWN | words("remote-schema")
_SWITCHES = words(
    """acls allow-duplicate-timestamps backup-mode calculate-average carbonfile check-destination-dir compare
    compare-full compare-hash compare-inode compression create-full-path eas exclude-device-files exclude-fifos
    exclude-filelist-stdin exclude-globbing-filelist-stdin exclude-other-filesystems exclude-sockets
    exclude-special-files exclude-symbolic-links file-statistics force fsync hard-links help include-device-files
    include-fifos include-sockets include-special-files include-symbolic-links list-increment-sizes list-increments
    never-drop-acls new no-acls no-carbonfile no-compare-inode no-compression no-eas no-file-statistics
    no-fsync no-hard-links no-new no-print-statistics no-resource-forks no-ssh-compression null-separator
    parsable-output preserve-numerical-ids print-statistics resource-forks server ssh-compression
    ssh-no-compression tempdir test-server use-compatible-timestamps verify version"""
)
_GRAMMAR = Grammar(
    values=_VALUES,
    switches=_SWITCHES,
    also={
        "b": "backup-mode",
        "h": "help",
        "l": "list-increments",
        "r": "restore-as-of",
        "v": "verbosity",
        "V": "version",
    },
    shortens=True,
)
HARMLESS = Harmless(_GRAMMAR, _SHOWN, subcommands=frozenset(("",)))
_OTHER = words("calculate complete info list regress server test")
CHOOSE = (
    *("include", "include-filelist", "include-globbing-filelist", "include-regexp", "min-file-size", "max-file-size"),
    "remote-schema",
)
"""What else makes it another backup: what alone is included, and by which way the other side is reached."""
_ACTIONS = {
    "backup": "backup",
    "restore": "restore",
    "verify": "check",
    "compare": "check",
    "remove": "prune",
    **dict.fromkeys(_OTHER, "other"),
}
_OLD = (  # the first that is there decides
    (("help", "version"), "other"),
    (("server", "test-server", "check-destination-dir", "calculate-average"), "other"),
    (("list-increments", "list-increment-sizes", "list-at-time", "list-changed-since"), "other"),
    (("remove-older-than",), "prune"),
    (("restore-as-of",), "restore"),
    (("verify", "verify-at-time", "compare", "compare-full", "compare-hash"), "check"),
    (("compare-at-time", "compare-full-at-time", "compare-hash-at-time"), "check"),
    (("backup-mode",), "backup"),
)


@dataclass(frozen=True, slots=True)
class Call:
    """What a command line asks for.

    Attributes:
        at: Index of the word behind which an option may be put: the action, or the program.
        new: It is a command line with an action.
        chose_statistics: The user said whether he wants to see statistics.
        speaks: It prints its warnings (as it does unless the user asks for less), and no statistics, as the user wants it.
    """

    at: int
    new: bool
    kind: str
    sources: tuple[str, ...] = ()
    repository: str | None = None
    chose_statistics: bool = False
    speaks: bool = False


def arguments_of(argv: Sequence[str], at: int) -> Arguments:
    """Read the options and words of the command line whose program stands at index *at*."""
    return read(argv, at + 1, _GRAMMAR)


def call(argv: Sequence[str], at: int) -> Call:
    """Read the command line whose program stands at index *at*; never raises."""
    options = arguments_of(argv, at)
    given = argv[at + 1 :]
    new = "--new" in given or ("--no-new" not in given and any(word in _ACTIONS for word in given))
    chose = options.given("print-statistics", "no-print-statistics")
    level = options.last("verbosity", "terminal-verbosity")
    shows = not (level or "").isdecimal() or int((level or "")[:3]) >= 2
    names = list(options.words)
    if not new:
        kind, place = _old(options), at
    else:
        kind = "other" if options.given("help", "version") or not names else _ACTIONS.get(names[0], "other")
        place = options.places[0] if names else at
        names = names[2:] if kind == "prune" else names[1:]
    sources, repository = _places(kind, names)
    if kind == "backup" and repository is None:
        kind = "other"  # it says how it is called, and ends
    return Call(place, new, kind, sources, repository, chose, shows and options.given("no-print-statistics"))


def _old(options: Arguments) -> str:
    for names, kind in _OLD:
        if options.given(*names):
            return kind
    first = options.words[0] if options.words else ""
    return "restore" if "/rdiff-backup-data/increments" in first else "backup"


def _places(kind: str, names: Sequence[str]) -> tuple[tuple[str, ...], str | None]:
    """Return sources and repository."""
    if kind == "backup":
        return tuple(names[:1]), names[1] if len(names) == 2 else None
    if kind == "restore":
        return (), names[0] if names else None
    return (), names[-1] if names else None
