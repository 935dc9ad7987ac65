"""borg, 1.2 and 1.4; borg 2's way to name the repository is understood too.

A `create` gets `--log-json` and `--progress`, so that its progress and its messages are known, and `--json` for the figures of the
archive; the caller sees that JSON as the plain text that borg prints without. Nothing is added

- with the user's own `--progress` (and no `--log-json`): each version draws it in its own way, on a terminal and elsewhere. It is
  left alone; on a terminal borg then has the terminal to itself,
- with `--stats`, whose table borg does not print together with JSON: then no `--json`; the figures are read from the table,
- in a dry run, which has neither progress nor figures,
- with BORG_LOGGING_CONF, where the user sets the form of the messages,
- when the output does not come to us (`chronic`, `systemd-cat`), or its end cannot be seen (`systemd-run` without `--wait`),
- to any other subcommand: those are known by their exit code and their words.

BORG_EXIT_CODES is never set: it changes the code that the caller sees. borg knows no totals while it works. The sizes of the table
of `--stats` are rounded to two decimals by borg, and recorded so. borg 1.0 has no JSON: it wants `backup-tray run --no-watch`.
"""

import re
import shlex
import signal
from collections.abc import Callable, Mapping, Sequence

from tray.core import regex
from tray.core.dataclass import asdict, dataclass, replace
from tray.core.redact import HIDDEN, Harmless
from tray.engines import nightly
from tray.engines.adapter import Adapter, apart_by, planned
from tray.engines.arguments import Arguments, grammar, read
from tray.engines.base import STOP, Built, Plan, Session, Stop, Wish
from tray.engines.borg.session import CreateSession, OtherSession
from tray.engines.program import unwrap
from tray.engines.text import program_name, words

GRAMMAR = grammar(
    values="""rsh comment debug-topic lock-wait umask remote-path remote-ratelimit upload-ratelimit remote-buffer upload-buffer
    debug-profile r:repo socket filter stdin-name stdin-user stdin-group stdin-mode paths-delimiter e:exclude exclude-from pattern
    patterns-from exclude-if-present files-cache files-changed timestamp c:checkpoint-interval chunker-params C:compression
    P:prefix a:glob-archives match-archives sort-by first last oldest newest older newer max-duration keep-within keep-last
    keep-minutely keep-secondly H:keep-hourly d:keep-daily w:keep-weekly m:keep-monthly keep-13weekly keep-3monthly y:keep-yearly
    threshold strip-components undelete-archives""",
    switches="""h:help V:version critical error warning info v:verbose debug p:progress iec log-json bypass-lock show-version
    show-rc consider-part-files n:dry-run s:stats quick-stats list json no-cache-sync no-cache-sync-forced content-from-command
    paths-from-stdin paths-from-command paths-from-shell-command exclude-caches keep-exclude-tags exclude-nodump exclude-dataless
    x:one-file-system numeric-owner numeric-ids noatime atime noctime nobirthtime nobsdflags noflags noacls noxattrs sparse
    read-special repair repository-only archives-only verify-data save-space force cleanup-commits stdout continue""",
    equals=True,
)
"""borg's options as borg itself reads them (argparse), from the manual of 1.2 and 1.4; `--repo` is borg 2's."""
_HARMLESS = Harmless(
    GRAMMAR,
    GRAMMAR.values - words("rsh comment"),
    subcommands=words(
        """create extract check prune compact list info delete rename diff mount umount init break-lock upgrade recreate with-lock
        export-tar import-tar transfer rcreate rinfo rlist rdelete repo-create repo-info repo-list repo-delete repo-compress"""
    ),
    runners=frozenset(("with-lock",)),
)
_KINDS = {
    "create": "backup",
    "extract": "restore",
    "check": "check",
    "prune": "prune",
    "delete": "prune",
    "compact": "compact",
}
_REHEARSED = {"create": "dry-run", "extract": "other", "prune": "other", "delete": "other", "compact": "other"}
_PATTERNS = "patterns-from="
_DESCRIPTORS = ("/dev/", "/proc/")
"""Another process has other descriptors, and where one is shared, a look at it would take the list away from borg."""
_LISTS = ("paths-from-stdin", "paths-from-command", "paths-from-shell-command")


@dataclass(frozen=True, slots=True)
class BorgPlan(Plan):
    """A plan that remembers the added flags, which its command alone would not tell from the user's own words."""

    added: tuple[str, ...] = ()


class Borg(Adapter):
    """The engine for borg."""

    name = "borg"
    repository = "borg"
    sized = True
    spares_strangers = True
    counts_files = True
    asks = ("borg", "list", "--bypass-lock", "--json")
    address_begins = ("ssh://",)
    address_variables = ("BORG_REPO",)
    password_variables = ("BORG_PASSPHRASE", "BORG_PASSCOMMAND", "BORG_PASSPHRASE_FD")
    entry_example = "BORG_PASSCOMMAND='cat FILE'"
    may_be_open = True
    harmless = _HARMLESS
    programs = regex.compile(
        r"borg(?:backup)?(?:\d[\w.+-]*|[-_.]v?\d[\w.+-]*|-(?:linux|macos|freebsd|windows)[\w.+-]*)?(?:\.exe)?",
        re.IGNORECASE,
    )
    """`borg`, `borg1`, `borg-1.4.0`, `borg-linux-glibc236`, `borg.exe`; not `borgmatic`, `borgfs` or `borg-restore`."""
    stop: Stop = ((signal.SIGINT, 60.0), (signal.SIGTERM, 20.0), STOP[-1])
    """An interrupt makes it write a checkpoint, which on a slow line takes a while; then it clears up and leaves."""

    def plan(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> Plan:
        """Plan the run; the module says when flags are added."""
        at = self.program_at(argv, at)
        inner, options = unwrap(argv, environ), read(argv, at + 1, GRAMMAR)
        kind = _kind(options)
        readable = kind == "backup" and inner.visible and "BORG_LOGGING_CONF" not in inner.environ
        draws = options.given("progress") and not options.given("log-json")
        visible = readable and not draws
        added = _missing(options) if visible else ()
        repository, _, paths = places_of(options, inner.environ)
        plan = planned(
            argv,
            environ,
            kind,
            repository=repository,
            sources=_sources(options, paths) if kind in ("backup", "dry-run") else (),
            added=added,
            place=(options.at or 0) + 1,
            spool_stdout=visible,
            returns=readable,  # an unfinished line is then part of a message, or of the user's own progress, and no prompt
            apart=lambda shown: _apart(read(shown, at + 1, GRAMMAR), inner.environ),
        )
        return BorgPlan(**asdict(plan), added=added)

    def listed(self, plan: Plan, read: Callable[[str], str | None]) -> Plan:
        """Take the roots of a list of patterns in a temporary file for sources, as borgmatic 2 hands them over."""
        lists = [fact for fact in plan.apart if fact.startswith(_PATTERNS) and nightly.passing(fact)]
        paths = [fact.removeprefix(_PATTERNS) for fact in lists]
        files = [path for path in paths if not path.startswith(_DESCRIPTORS)]
        roots = [root for path in files for root in _roots(read(path) or "")]
        if lists and not roots and not plan.sources:
            return plan
        apart = tuple(fact for fact in plan.apart if fact not in lists)
        return replace(plan, sources=(*plan.sources, *roots), apart=apart)

    def backup_command(self, wish: Wish) -> Built:
        """Return `borg create` of borg 1, with an archive named after host and time; the password goes into the environment."""
        env = {"BORG_REPO": wish.repository} if wish.hidden else {}
        clears: tuple[str, ...] = ()
        if wish.password_file is not None or wish.password_command:
            reads = wish.password_command or ("cat", "--", wish.password_file or "")
            env["BORG_PASSCOMMAND"], clears = shlex.join(reads), ("BORG_PASSPHRASE", "BORG_PASSPHRASE_FD")
        excludes = [word for pattern in wish.excludes for word in ("--exclude", pattern)]
        archive = f"{'' if wish.hidden else wish.repository}::{{hostname}}-{{now}}"
        return Built(("borg", "create", *excludes, *wish.options, archive, *wish.sources), env, clears)

    def session(self, plan: Plan) -> Session:
        """Begin to read one run by its *plan* alone, which may have been stored."""
        inner = unwrap(plan.argv, {})
        options = read(plan.argv, self.program_at(plan.argv, inner.at) + 1, GRAMMAR)
        if plan.kind == "backup":
            added = (plan.added if isinstance(plan, BorgPlan) else _missing(options)) if plan.ours else ()
            return CreateSession(plan, options, inner, added)
        *_, paths = places_of(options, {} if plan.repository is None else {"BORG_REPO": plan.repository})
        return OtherSession(plan, options, inner, len(paths))

    def unlock(self, plan: Plan) -> str:
        """Return `borg break-lock`, which removes every lock: for when no other borg works on the repository."""
        at = self.program_at(plan.argv, unwrap(plan.argv, {}).at)
        program = shlex.quote(program_name(plan.argv[at])) if plan.argv else "borg"
        program = program if self.recognises(program) else "borg"
        if plan.repository is None:
            return f"{program} break-lock"
        repository = shlex.quote(plan.repository)
        if HIDDEN in repository:  # the password is filled in there, where no list of processes shows it
            return f"BORG_REPO={repository} {program} break-lock"
        by_option = read(plan.argv, at + 1, GRAMMAR).given("repo")  # borg 2
        return f"{program} -r {repository} break-lock" if by_option else f"{program} break-lock {repository}"


def _kind(options: Arguments) -> str:
    if options.given("help", "version"):
        return "other"
    if options.given("dry-run") and options.subcommand in _REHEARSED:
        return _REHEARSED[options.subcommand]
    return _KINDS.get(options.subcommand, "other")


def _missing(options: Arguments) -> tuple[str, ...]:
    """Return the flags that a visible `create` lacks."""
    figures = options.given("json", "stats", "quick-stats")
    wanted = [] if figures else ["--json"]
    return (*wanted, *(f"--{name}" for name in ("log-json", "progress") if not options.given(name)))


def _apart(options: Arguments, environ: Mapping[str, str]) -> list[str]:
    """Return the facts that make it another backup: the name of the archive, its patterns, the way to the repository."""
    parts = apart_by(options, ("rsh", "pattern", "patterns-from", "stdin-name"), {"rsh": environ.get("BORG_RSH", "")})
    name = places_of(options, environ)[1]
    return parts + ([f"archive={name}"] if name else [])


def places_of(options: Arguments, environ: Mapping[str, str]) -> tuple[str | None, str | None, tuple[str, ...]]:
    """Return repository, archive and paths.

    borg 1 names both in one word (`REPO::ARCHIVE`, `::ARCHIVE` with BORG_REPO); borg 2 has `--repo` and a word for the archive.
    """
    named = options.last("repo") or environ.get("BORG_REPO") or None
    if not options.rest:
        return named, None, ()
    first, paths = options.rest[0], options.rest[1:]
    before, colons, archive = first.rpartition("::")
    if colons and "/" not in archive:
        return before or named, archive, paths
    if options.given("repo") or (named and options.subcommand in ("create", "extract")):
        return named, first, paths  # a name of an archive
    return first or named, None, paths


def _roots(patterns: str) -> list[str]:
    """Return the sources that a list of patterns names.

    borgmatic adds its own files, each as a root that is included as well; they count only where nothing else does. A path behind
    `/./` is the source itself, of which borg gets a snapshot in another folder.
    """
    lines = [(line[:1], line[1:].strip()) for line in patterns.split("\n")]
    own = {path for sign, path in lines if sign == "+"}
    roots = [path for sign, path in lines if sign in ("R", "r") and path]
    wanted = [path for path in roots if path not in own] or roots
    return [f"/{path.rpartition('/./')[2]}" if "/./" in path else path for path in wanted]


def _sources(options: Arguments, paths: Sequence[str]) -> Sequence[str]:
    """Return the sources, as given."""
    if options.given("content-from-command"):
        return [" ".join(("the output of", *paths))]
    if options.given(*_LISTS):
        return [" ".join(("listed by", *paths)) if paths else "listed in stdin"]
    return ["stdin" if path == "-" else path for path in paths]


ENGINE = Borg()
