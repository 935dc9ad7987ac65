"""rclone, 1.49 and later; seen: 1.60, and by its sources the newest.

`sync`, `copy`, `copyto`, `move`, `moveto` and `bisync` get `--use-json-log` and statistics once a second, so that their progress is
known. The caller sees the log as rclone writes it without that: each line is made again from its JSON, our statistics are left out.

- With `-v`, in a dry run, or when the user has his statistics shown, only `--use-json-log` is added: he gets them at his own pace.
  With `-q` ours come at the level ERROR, else at NOTICE. A `--stats` of his own is kept. Never `-v` or `-P`.
- Nothing is added when the log goes elsewhere (`--log-file`, `--syslog`) or has another format (`--log-format`, `--use-json-log`,
  `--log-systemd`), with `-P` (it replaces the log) or `-i` (it asks), when the output does not come to us, and to other
  subcommands. RCLONE_* variables count like their flags. Statistics that rclone prints as text are read then.
- Under systemd rclone puts `<5>` in place of the date. The variable that tells it so (INVOCATION_ID) is repeated in `Plan.env`,
  unchanged, for the session to know. From 1.70 on it looks at its stderr instead, which is ours: then the date stays.
- A name that is no UTF-8 may differ: JSON has a replacement character where the plain log has the bytes.

Phases: rclone lists, compares and copies at the same time, and its totals count the files found so far; nothing says when it has
found all. A share of such a total would run ahead and fall back, so the phase is `scanning` until the totals have stood still for
ten seconds while fewer files wait than `--max-backlog` (beyond it rclone does not look), twice as long after each time that this
was wrong; with `--check-first`, until the first byte is copied. rclone's own time left is a share of the same totals: not used.

rclone leaves no locks, except `bisync`: a killed one leaves a lock file, whose name rclone tells when the next run meets it.
"""

import re
from collections.abc import Mapping, Sequence

from tray.engines.adapter import Adapter, apart_by, planned, program_names
from tray.engines.base import Built, Plan, Session, Wish
from tray.engines.command import CodeSession
from tray.engines.program import Inner, unwrap
from tray.engines.rclone import options as rclone_options
from tray.engines.rclone.options import TRANSFERS, Options, level, level_name, without_secrets
from tray.engines.rclone.session import TransferSession
from tray.engines.text import program_name

_ELSEWHERE = ("use-json-log", "log-format", "log-file")
_OTHERWISE = ("progress", "interactive", "syslog", "log-systemd")
_OTHERS = {
    **dict.fromkeys(("check", "cryptcheck", "checksum"), "check"),
    **dict.fromkeys(("delete", "deletefile", "purge", "cleanup", "rmdir", "rmdirs", "dedupe"), "prune"),
}
"""Subcommands that copy nothing, with their kinds."""
_CHOOSE = (
    *("config", "include", "include-from", "filter", "filter-from", "files-from", "files-from-raw"),
    *("min-age", "max-age", "min-size", "max-size"),
)
"""Options that say whose remotes these are, or select files."""
WHERE = (
    *("-host", "-user", "-port", "-endpoint", "-url", "-account", "-bucket", "-remote", "-region", "-share", "-domain"),
    *("-drive-id", "-root-folder-id", "-team-drive", "-impersonate", "-ssh", "-shared-with-me", "-trashed-only"),
)
"""How the names of options end that say where a remote is: `--sftp-host`, `--drive-team-drive`."""
_FROM_STDIN = "rcat"
JSON, LEVEL, STATS = "--use-json-log", "--stats-log-level", "--stats"
SYSTEMD = "INVOCATION_ID"


class Rclone(Adapter):
    """The engine for rclone."""

    name = "rclone"
    repository = "copy"
    copied_only = True
    version_word = True
    harmless = rclone_options.HARMLESS
    programs = program_names("rclone")
    """`rclone`, `rclone-v1.60.1`, `rclone.exe`; not `rclone-browser`, `rclonefs` or `rclone_jobber.sh`."""

    def plan(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> Plan:
        """Plan the run; the module says which flags are added, and when."""
        inner, at = unwrap(argv, environ), self.program_at(argv, at)
        options = rclone_options.read(argv, at, inner.environ)
        kind = _kind(options)
        visible = kind in ("backup", "dry-run") and inner.visible and options.subcommand in TRANSFERS
        added = _added(options) if visible else ()
        ends = [without_secrets(word) for word in options.rest[:2]] if kind in ("backup", "dry-run", "check") else []
        if options.subcommand == _FROM_STDIN:
            ends = ["stdin", *ends[:1]]
        return planned(
            argv,
            environ,
            kind,
            repository=ends[1] if len(ends) == 2 else None,
            sources=ends[:1] if kind != "check" else (),
            added=added,
            place=(options.at or 0) + 1,
            env=_repeated(argv, at, inner) if added else {},
            spool_stdout=visible,
            places=() if options.subcommand in ("move", "moveto") else None,
            apart=lambda shown: _apart(rclone_options.read(shown, at), inner.environ),
        )

    def backup_command(self, wish: Wish) -> Built:
        """Return `rclone copy`, which removes nothing at the destination; the password is that of rclone's own configuration.

        Raises:
            ValueError: There are several sources, or the address holds a password.
        """
        if len(wish.sources) > 1:
            raise ValueError(
                "rclone copies one source: make a job for each, or name their common folder and `excludes`"
            )
        if wish.hidden:
            raise ValueError("rclone takes no address with a password: keep it in a remote of `rclone config`")
        env: dict[str, str] = {}
        clears: tuple[str, ...] = ()
        if wish.password_file is not None or wish.password_command:
            reads = wish.password_command or ("cat", wish.password_file or "")
            env, clears = {"RCLONE_PASSWORD_COMMAND": " ".join(map(_quoted, reads))}, ("RCLONE_CONFIG_PASS",)
        excludes = [word for pattern in wish.excludes for word in ("--exclude", pattern)]
        return Built(("rclone", "copy", *excludes, *wish.options, "--", *wish.sources, wish.repository), env, clears)

    def session(self, plan: Plan) -> Session:
        """Begin to understand one run; everything that it needs to know is in *plan*, also in one that was stored."""
        inner = unwrap(plan.argv, {})
        options = rclone_options.read(plan.argv, self.program_at(plan.argv, inner.at))
        if plan.kind not in ("backup", "dry-run") or options.subcommand == _FROM_STDIN:
            return CodeSession(f"rclone {options.subcommand}".rstrip(), inner)
        place = (options.at or 0) + 1
        drop = plan.ours and plan.argv[place : place + 1] == (LEVEL,)  # first only where we asked for statistics
        added = _ours(plan.argv[place:]) if plan.ours else ()
        return TransferSession(plan, options, inner, added, drop_stats=drop, systemd=SYSTEMD in plan.env)

    def unlock(self, plan: Plan) -> str | None:  # noqa: ARG002 - the name of bisync's lock file depends on what is in its cache
        """Leave the lock file of `bisync`: only rclone knows its name, and says it in a message (see `Result.advice`)."""
        return None


def _quoted(word: str) -> str:
    """Return *word* as rclone reads a list that spaces separate: between double quotes, which are doubled inside."""
    return '"' + word.replace('"', '""') + '"' if not word or re.search(r'[\s"]', word) else word


def _kind(options: Options) -> str:
    if options.on("help", "version"):
        return "other"
    dry = options.on("dry-run")
    if options.subcommand in _OTHERS:
        return "other" if dry else _OTHERS[options.subcommand]
    if options.subcommand not in (*TRANSFERS, _FROM_STDIN):
        return "other"
    return "dry-run" if dry else "backup"


def _apart(options: Options, environ: Mapping[str, str]) -> list[str]:
    """Return the options that make it another backup: whose remotes these are, where they are, a selection of files."""
    where = [name for name in options.options if name.endswith(WHERE)]
    return apart_by(options, (*_CHOOSE, *where), {"config": environ.get("RCLONE_CONFIG", "")})


def _added(options: Options) -> tuple[str, ...]:
    if options.given(*_ELSEWHERE) or options.on(*_OTHERWISE):
        return ()
    if (
        options.stats_level <= options.log_level
        or options.given("stats-log-level")
        or options.log_level < level("ERROR")
    ):
        return (JSON,)
    ours = (LEVEL, level_name(min(options.log_level, level("NOTICE"))), JSON)
    return ours if options.given("stats") else (*ours, STATS, "1s")


def _ours(words: Sequence[str]) -> Sequence[str]:
    """Return the flags of ours with which *words* begin: see `_added`."""
    if words[:1] != (LEVEL,):
        return words[:1]
    return words[:5] if words[3:5] == (STATS, "1s") else words[:3]


def _repeated(argv: Sequence[str], at: int, inner: Inner) -> dict[str, str]:
    """Return the variable that makes rclone log for systemd, as it is anyway; sudo takes it away."""
    value = inner.environ.get(SYSTEMD)
    hidden = any(program_name(word) in ("sudo", "doas") for word in argv[:at])
    return {SYSTEMD: value} if value and not hidden else {}


ENGINE = Rclone()
