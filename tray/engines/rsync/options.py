"""rsync's command line, read as rsync itself reads it (popt): options anywhere, values glued on or in the next word, paths."""

from collections.abc import Sequence

from tray.core import regex
from tray.core.redact import Harmless
from tray.engines import arguments
from tray.engines.arguments import Arguments, grammar
from tray.engines.text import words

_GRAMMAR = grammar(
    values="""e:rsh f:filter B:block-size T:temp-dir M:remote-option @:modify-window info debug stderr backup-dir suffix
    confine-root chmod checksum-choice cc max-delete max-size min-size max-alloc partial-dir usermap groupmap chown timeout
    contimeout compare-dest copy-dest link-dest compress-choice zc compress-level zl compress-threads zt skip-compress exclude
    exclude-from include include-from files-from copy-as address port sockopts outbuf out-format log-format log-file
    log-file-format password-file early-input bwlimit stop-after time-limit stop-at write-batch only-write-batch read-batch
    protocol iconv checksum-seed config rsync-path dparam""",
    switches="""v:verbose q:quiet n:dry-run i:itemize-changes h:human-readable a:archive r:recursive d:dirs V:version
    P:progress R:relative no-relative backup update inplace append append-verify links copy-links copy-unsafe-links safe-links
    hard-links perms executability acls xattrs owner group devices specials t:times atimes open-noatime crtimes omit-dir-times
    omit-link-times super fake-super sparse preallocate write-devices whole-file no-whole-file checksum one-file-system
    existing ignore-existing remove-source-files delete delete-before delete-during delete-delay delete-after delete-excluded
    ignore-missing-args delete-missing-args ignore-errors force partial delay-updates prune-empty-dirs numeric-ids
    ignore-times size-only fuzzy compress cvs-exclude from0 old-args secluded-args trust-sender blocking-io stats 8-bit-output
    list-only fsync ipv4 ipv6 no-motd help no-perms no-owner no-group no-times no-links no-h mkpath munge-links keep-dirlinks
    copy-dirlinks copy-devices""",
    shortens=False,
)
HARMLESS = Harmless(
    _GRAMMAR,
    _GRAMMAR.values - words("rsh rsync-path remote-option dparam"),
    letters="abcdghijklmnopqrstuvwxyzACDEFGHIJKLNOPRSUVWXYZ0468",
    subcommands=frozenset(("",)),
)
_REMOTE = regex.compile(r"rsync://|(?:[^/:\[]*\[[^/\]]*\]|[^/:]+)::?")
_ITEM = regex.compile(r"([a-z]+)(\d*)")


class Options(Arguments):
    """An rsync command line; its words are the paths: sources, and the destination last."""

    __slots__ = ()

    @property
    def verbose(self) -> int:
        """How often `-v` is given."""
        return len(self.every("verbose"))

    @property
    def remote(self) -> bool:
        """Whether one end is on another machine."""
        return any(map(is_remote, self.words))

    def info(self, name: str) -> int:
        """The level of a kind of information that `--info` asks for (0 if it does not)."""
        level = 0
        for word in ",".join(self.every("info")).lower().split(","):
            item = _ITEM.fullmatch(word)
            if item and item[1] in (name, "all"):
                level = int(item[2][:4] or 1)
            elif item and item[1] == "none":
                level = 0
        return level

    @property
    def statistics(self) -> int:
        """How much of its statistics rsync prints at the end: nothing, two lines, or the whole block (2 and more)."""
        asked = self.info("stats") if self.given("info") else 0
        return max(asked, 2 if self.given("stats") else 0, min(self.verbose, 1))


def read(argv: Sequence[str], at: int) -> Options:
    """Read the command line whose program stands at index *at*; `--no-OPTION` (also with its letter) takes one back."""
    given = arguments.read(argv, at + 1, _GRAMMAR)
    options: dict[str, tuple[str, ...]] = {}
    for name, values in given.options.items():
        undone = name.removeprefix("no-")
        if undone != name:
            options.pop(_GRAMMAR.also.get(undone, undone), None)
        options[name] = (*options.get(name, ()), *values)
    return Options(options, given.words, given.places, given.end)


def is_remote(path: str) -> bool:
    """Whether *path* is on another machine: `host:path`, `host::module`, `rsync://…`; not `./a:b` or `/a:b`."""
    return _REMOTE.match(path) is not None
