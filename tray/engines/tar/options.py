"""tar's command line in its three forms: `tar czf A B`, `tar -czf A B`, `tar --create --gzip --file=A B`.

In the first form the letters' values follow in the order of the letters. From GNU tar's manual (1.34) and bsdtar(1).
"""

import posixpath
from collections.abc import Mapping, Sequence

from tray.core.dataclass import dataclass, replace
from tray.core.redact import Harmless
from tray.engines import arguments
from tray.engines.arguments import Arguments, Grammar, grammar
from tray.engines.text import words

_GNU = grammar(
    values="""add-file after-date b:blocking-factor C:directory exclude X:exclude-from exclude-ignore exclude-ignore-recursive
    exclude-tag exclude-tag-all exclude-tag-under f:file T:files-from H:format group group-map hole-detection index-file
    V:label level g:listed-incremental mode mtime N:newer newer-mtime no-quote-chars owner owner-map pax-option quote-chars
    quoting-style record-size set-mtime-format sort sparse-version K:starting-file strip-components suffix L:tape-length
    transform volno-file warning xattrs-exclude xattrs-include xform checkpoint-action F:info-script new-volume-script
    rmt-command rsh-command set-mtime-command to-command I:use-compress-program""",
    switches="""absolute-names acls r:append atime-preserve auto-compress backup block-number bzip2 catenate checkpoint
    check-device check-links d:compare concatenate c:create delay-directory-restore delete dereference diff=compare x:extract
    force-local full-time get=extract gzip hard-dereference help ignore-command-error ignore-failed-read ignore-zeros
    incremental w:interactive confirmation=interactive keep-old-files list lzma M:multi-volume no-recursion null numeric-owner
    one-file-system one-top-level overwrite preserve-permissions read-full-records recursion remove-files same-owner seek
    selinux show-stored-names skip-old-files sparse test-label O:to-stdout totals touch u:update utc v:verbose verify version
    wildcards xattrs xz zstd""",
)
_BSD = replace(_GNU, also={**_GNU.also, "s": "transform"})
_SECRET = words(
    """checkpoint-action info-script new-volume-script rmt-command rsh-command set-mtime-command to-command use-compress-program"""
)
"""Options whose values may hold a secret."""
HARMLESS = Harmless(
    _GNU,
    _GNU.values - _SECRET,
    letters="abcdfghijklmnoprstuvwxzABDEGIJMOPQRSUWZ0123456789",
    subcommands=frozenset(("",)),
)
_MODES = ("create", "append", "update", "extract", "compare")  # the first that is there decides
_KINDS = {"create": "backup", "append": "backup", "update": "backup", "extract": "restore", "compare": "check"}
_OURS_ALREADY = ("checkpoint", "checkpoint-action", "totals")
_ASKS = ("interactive", "multi-volume", "info-script", "new-volume-script")
_RUNS = ("to-command", "info-script", "new-volume-script")
LEAVE_OUT = words(
    """update newer newer-mtime after-date incremental listed-incremental one-file-system exclude-caches exclude-caches-all
    exclude-caches-under exclude-tag exclude-tag-all exclude-tag-under exclude-ignore exclude-ignore-recursive
    exclude-vcs-ignores"""
)
"""Options by which the user makes tar leave files out, of which it may tell."""
_NOWHERE = ("/dev/null", "//dev/null", "nul", "/dev/zero", "/dev/full")
"""Archives that keep nothing: for GNU tar a way to learn how much there is, without reading it."""
_STDOUT = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")


@dataclass(frozen=True, slots=True)
class Call:
    """The meaning of a command line.

    Attributes:
        place: Index at which more options may be put.
        archive: The archive's name, None if it has none.
        places: Where its sources stand; empty if that cannot be told, or if they are gone afterwards.
        speaks: Its stdout certainly is text.
        takes_more: It may be given checkpoints and totals.
    """

    place: int
    kind: str
    options: Arguments
    sources: tuple[str, ...] = ()
    archive: str | None = None
    places: tuple[str, ...] = ()
    speaks: bool = False
    takes_more: bool = False


def call(argv: Sequence[str], at: int, *, bsd: bool = False) -> Call:
    """Read the command line whose program stands at index *at*; never raises."""
    table = _BSD if bsd else _GNU
    old, start, whole = _bundle(argv, at + 1, table)
    new = arguments.read(argv, start, table)
    both = {**old, **{name: (*old.get(name, ()), *values) for name, values in new.options.items()}}
    options = Arguments(both, new.words, new.places)
    mode = next((mode for mode in _MODES if options.given(mode)), "")
    kind = "other" if options.given("help", "version", "delete", "usage") else _KINDS.get(mode, "other")
    archive = options.last("file")
    if kind == "backup" and archive is not None and posixpath.normpath(archive).lower() in _NOWHERE:
        kind = "dry-run"
    lists = options.every("files-from")
    folders = options.every("directory")
    sources = _by_folder(argv, start, table, old.get("directory", ())) if folders else options.words
    return Call(
        place=start,
        kind=kind,
        options=options,
        sources=(*sources, *(f"listed in {path}" for path in lists)),
        places=_places(options),
        archive=archive,
        speaks=_speaks(options, kind, archive),
        takes_more=whole and not options.given(*_OURS_ALREADY, *_ASKS),
    )


def _by_folder(argv: Sequence[str], start: int, table: Grammar, before: Sequence[str]) -> tuple[str, ...]:
    """Return the paths of the sources: each `-C` holds for the words behind it, relative to the one before."""
    folder, at, sources = posixpath.join("", *before), start, []
    for place in arguments.read(argv, start, table).places:
        folder = posixpath.join(folder, *arguments.read(argv[at:place], 0, table).every("directory"))
        sources.append(posixpath.normpath(posixpath.join(folder, argv[place])))
        at = place + 1
    return tuple(sources)


def _places(options: Arguments) -> tuple[str, ...]:
    """Return where the sources stand: with `-C` in that folder, if it is one for all."""
    folders = options.every("directory")
    if len(folders) > 1 or options.given("files-from", "remove-files"):
        return ()
    return tuple(posixpath.join(*folders, word) for word in options.words)


def _speaks(options: Arguments, kind: str, archive: str | None) -> bool:
    executes = any("exec" in value for value in options.every("checkpoint-action"))
    if executes or options.given("to-stdout", *_RUNS):
        return False
    return kind in ("restore", "check") or (archive is not None and archive not in _STDOUT)


def _bundle(argv: Sequence[str], start: int, table: Grammar) -> tuple[Mapping[str, tuple[str, ...]], int, bool]:
    """Read letters without a dash: options, where the rest begins, and whether each letter has its value."""
    if start >= len(argv) or argv[start].startswith("-"):
        return {}, start, True
    options: dict[str, tuple[str, ...]] = {}
    rest = start + 1
    for letter in argv[start]:
        name, value = table.also.get(letter, letter), ""
        if name in table.values:
            value = argv[rest] if rest < len(argv) else ""
            rest += 1
        options[name] = (*options.get(name, ()), value)
    return options, min(rest, len(argv)), rest <= len(argv)
