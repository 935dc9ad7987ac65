"""restic, 0.14 to 0.19.

A `backup` gets `--json` and a calm cadence, so that its progress is known; the caller sees that JSON as the plain text that
restic prints without a terminal. Nothing is added

- when the user asked for JSON: it is relayed as it is,
- with `-v`: JSON has no equivalent of those lines. The run is then recorded without progress, from restic's own summary lines,
- when the output does not come to us (`chronic`, `systemd-cat`), or its end cannot be seen (`systemd-run` without `--wait`),
- to any other subcommand. The output of `restore`, `check`, `prune` and `forget` is read all the same, and relayed untouched; the
  others are plain commands, known by their exit code, whose stdout (`restic dump`) stays the caller's.

A dry run saves nothing, so its kind is `dry-run` and its result names no snapshot: it never counts as a backup. A rehearsal of
another subcommand is of the kind `other`.
"""

import shlex
import signal
from collections.abc import Mapping, Sequence

from tray.core.redact import HIDDEN, Harmless
from tray.engines.adapter import Adapter, apart_by, planned, program_names
from tray.engines.arguments import Arguments, grammar, read
from tray.engines.base import STOP, Built, Plan, Session, Stop, Wish
from tray.engines.program import unwrap
from tray.engines.restic.session import BackupSession
from tray.engines.restic.task import TaskSession
from tray.engines.text import words

GRAMMAR = grammar(
    values="""password-command o:option http-user-agent r:repo repository-file p:password-file key-hint retry-lock cache-dir cacert
    tls-client-cert limit-upload limit-download compression pack-size stuck-request-timeout parent g:group-by e:exclude iexclude
    exclude-file iexclude-file exclude-if-present exclude-larger-than stdin-filename tag H:host files-from files-from-verbatim
    files-from-raw time read-concurrency keep-last keep-hourly keep-daily keep-weekly keep-monthly keep-yearly keep-within
    keep-within-hourly keep-within-daily keep-within-weekly keep-within-monthly keep-within-yearly keep-tag read-data-subset target
    include iinclude include-file iinclude-file path max-unused max-repack-size snapshot-template time-template owner-root""",
    switches="""json q:quiet v:verbose h:help version no-cache cleanup-cache no-lock insecure-no-password insecure-tls
    no-extra-verify f:force x:one-file-system exclude-caches exclude-cloud-files stdin stdin-from-command with-atime ignore-inode
    ignore-ctime use-fs-snapshot n:dry-run skip-if-unchanged no-scan prune""",
    shortens=False,
    equals=True,
    unknown="value before the subcommand",
)
"""The options as restic reads them (cobra, pflag): the first word that is neither a flag nor its value is the subcommand."""
_HARMLESS = Harmless(
    GRAMMAR,
    GRAMMAR.values - words("password-command option http-user-agent"),
    subcommands=words(
        """backup restore check forget prune snapshots ls find diff stats unlock cat copy dump init list mount migrate rebuild-index
        repair tag rewrite recover version self-update cache"""
    ),
)
_KINDS = {"backup": "backup", "restore": "restore", "check": "check", "prune": "prune", "forget": "prune"}
_READ = frozenset(("backup", "dry-run", "restore", "check", "prune"))
_HELPERS = ("sftp.command", "sftp.args", "rclone.program", "rclone.args")
_LISTS = ("files-from", "files-from-verbatim", "files-from-raw")
_PASSWORDS = ("password-file", "password-command", "insecure-no-password", "help", "version")
CADENCE = {"RESTIC_PROGRESS_FPS": "2"}
"""Two lines a second cost the backup nothing; restic's own 10 to 60 cost up to 5 %. Without `--json` it would fill a cron mail."""


class Restic(Adapter):
    """The engine for restic."""

    name = "restic"
    repository = "restic"
    sized = True
    spares_strangers = True
    counts_files = True
    proves = True
    spares_locks = True
    stale_ms = 30 * 60_000  # it renews a lock every 5 minutes
    asks = ("restic", "--no-lock", "--json", "snapshots")
    asks_lock = ("restic", "--no-lock", "cat", "lock")
    address_begins = ("rest:", "s3:", "sftp:", "b2:", "azure:", "gs:", "swift:", "rclone:")
    address_variables = ("RESTIC_REPOSITORY", "RESTIC_REPOSITORY_FILE")
    address_option = "-r"
    password_variables = ("RESTIC_PASSWORD", "RESTIC_PASSWORD_FILE", "RESTIC_PASSWORD_COMMAND")
    file_option = "--password-file"
    entry_example = "RESTIC_PASSWORD_FILE=FILE"
    version_word = True
    harmless = _HARMLESS
    programs = program_names("restic")
    """`restic`, `restic019`, `restic_0.18.0_linux_amd64`, `restic.exe`; not `resticprofile` or `restic-browser`."""
    stop: Stop = ((signal.SIGINT, 60.0), *STOP[1:])
    """An interrupt lets it end its uploads and remove its lock, slow as its line may be; 0.14 leaves the lock on TERM."""

    def plan(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> Plan:
        """Plan the run; the module says when flags are added."""
        at = self.program_at(argv, at)
        inner, options = unwrap(argv, environ), read(argv, at + 1, GRAMMAR)
        kind = _kind(options)
        backup = kind in ("backup", "dry-run")
        visible = kind in _READ and inner.visible
        ours = backup and visible and not options.given("json", "verbose")
        return planned(
            argv,
            environ,
            kind,
            repository=repository_of(options, inner.environ),
            sources=_sources(options) if backup else (),
            added=("--json",) if ours else (),
            place=(options.at or 0) + 1,
            env=CADENCE if ours and not _has_cadence(inner.environ) else {},
            spool_stdout=visible,
            asks=not (options.given(*_PASSWORDS) or any(map(inner.environ.get, self.password_variables))),
            apart=lambda shown: _apart(read(shown, at + 1, GRAMMAR), inner.environ),
        )

    def backup_command(self, wish: Wish) -> Built:
        """Return `restic backup`; an address with a secret, and a command that prints the password, go into the environment."""
        env = {"RESTIC_REPOSITORY": wish.repository} if wish.hidden else {}
        argv = ["restic", "backup", *([] if wish.hidden else ["--repo", wish.repository])]
        clears = ["RESTIC_REPOSITORY_FILE"]
        if wish.password_file is not None:
            argv += ["--password-file", wish.password_file]
            clears.append("RESTIC_PASSWORD_COMMAND")
        elif wish.password_command:
            env["RESTIC_PASSWORD_COMMAND"] = " ".join(map(_quoted, wish.password_command))
            clears.append("RESTIC_PASSWORD_FILE")
        argv += [word for pattern in wish.excludes for word in ("--exclude", pattern)]
        return Built((*argv, *wish.options, *wish.sources), env, tuple(clears))

    def session(self, plan: Plan) -> Session:
        """Begin to read one run by its *plan* alone, which may have been stored."""
        inner = unwrap(plan.argv, {})
        options = read(plan.argv, self.program_at(plan.argv, inner.at) + 1, GRAMMAR)
        if plan.kind in ("backup", "dry-run"):
            return BackupSession(plan, options, inner, self.unlock(plan))
        return TaskSession(plan.kind, f"restic {options.subcommand}".rstrip(), inner, self.unlock(plan))

    def unlock(self, plan: Plan) -> str:
        """Return `restic unlock`, which removes only locks whose process is gone."""
        place = plan.repository
        named = place is not None and not place.startswith("named in ")
        if named and HIDDEN in (place or ""):  # the password is filled in there, where no list of processes shows it
            return f"RESTIC_REPOSITORY={shlex.quote(place or '')} restic unlock"
        return f"restic -r {shlex.quote(place or '')} unlock" if named else "restic unlock"


def _quoted(word: str) -> str:
    """Return *word* so that restic, which knows no escapes inside quotes, reads it as one.

    Raises:
        ValueError: It holds both kinds of quotes, or ends with a backslash.
    """
    if word and not any(sign.isspace() or sign in "\"'\\" for sign in word):
        return word
    quote = "'" if "'" not in word else '"'
    if quote in word or word.endswith("\\"):
        raise ValueError(
            "restic cannot read a `password_command` with such quotes or backslashes: put it into a script"
        )
    return f"{quote}{word}{quote}"


def _has_cadence(environ: Mapping[str, str]) -> bool:
    """Whether the user chose a cadence; restic ignores values that are no positive number."""
    try:
        return float(environ.get("RESTIC_PROGRESS_FPS", "0")) > 0
    except ValueError:
        return False


def _kind(options: Arguments) -> str:
    if options.on("help", "version"):
        return "other"
    if options.on("dry-run"):
        return "dry-run" if options.subcommand == "backup" else "other"
    return _KINDS.get(options.subcommand, "other")


def repository_of(options: Arguments, environ: Mapping[str, str]) -> str | None:
    """Return the destination; of a file that holds the address only the file's name (nothing is read here)."""
    given = options.last("repo"), options.last("repository-file")
    for address, file in (given, (environ.get("RESTIC_REPOSITORY"), environ.get("RESTIC_REPOSITORY_FILE"))):
        if address or file:
            return address or f"named in {file}"
    return None


def _apart(options: Arguments, environ: Mapping[str, str]) -> list[str]:
    """Return the facts that make it another backup: host and tags, the command that is saved, the way to the repository."""
    facts = apart_by(options, ("host", "tag"), {"host": environ.get("RESTIC_HOST", "")})
    facts += [value for value in options.every("option") if value.partition("=")[0] in _HELPERS]
    return facts + ([f"command={' '.join(options.rest)}"] if options.on("stdin-from-command") else [])


def _sources(options: Arguments) -> list[str]:
    """Return the sources, as given."""
    if options.on("stdin", "stdin-from-command"):
        return [options.last("stdin-filename") or "stdin"]
    return [*options.rest, *(f"listed in {file}" for file in options.every(*_LISTS))]


ENGINE = Restic()
