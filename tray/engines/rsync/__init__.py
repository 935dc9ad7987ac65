"""rsync, 3.1 to 3.5.

A transfer gets `--info=progress2` so that its progress is known, `--outbuf=L` so that it comes in time, and for a copy on this
machine `stats2`, for exact figures at the end; the caller sees none of their output. Some of it is left out:

- `stats2` when one end is remote: rsync hands it on, and the other side may be too old for it or allow fixed options only
  (`rrsync`); nor with `--log-file`, which would record it. `progress2` and `--outbuf` concern this side alone.
- Everything when the user asked for progress himself (`-P`, `--progress`, `--info=progress…`): it is understood and relayed as is.
- Everything with `-q` (nothing would come), with `--stderr=all` (it would come on stderr, between errors), when the output does not
  come to us, and for macOS's own rsync, which knows no `--info`. `-v`, `-i`, `--stats` and `--out-format` keep their lines.

Phases: rsync builds its list of files while it copies. Until it says `to-chk` in place of `ir-chk`, totals grow (scanning). Its own
percentage is never used: it starts near 98 %, and ends at 0 % when nothing had to be copied. Files count everything in the list,
folders too. How many bytes there are in all rsync does not tell before the end.

One local run is three processes with one command line: two are forks of the first, so the oldest is the run.
The side that another rsync starts over ssh (`--server`) and a daemon are no runs: their kind is `other`.
"""

import re
import sys
from collections.abc import Mapping, Sequence

from tray.core import regex
from tray.engines.adapter import Adapter, apart_by, planned
from tray.engines.base import Built, Plan, Session, Wish
from tray.engines.command import CodeSession
from tray.engines.program import unwrap
from tray.engines.rsync import options as rsync_options
from tray.engines.rsync.options import Options
from tray.engines.rsync.session import TransferSession

_NO_RUN = ("server", "daemon", "version", "help", "list-only", "only-write-batch")
PROGRESS = "--info=progress2"
STATISTICS = "--info=progress2,stats2"
_CHOOSE = ("port", "include", "include-from", "filter", "min-size", "max-size", "rsh")
_OURS = (PROGRESS, STATISTICS, "--outbuf=L", "--no-h")


class Rsync(Adapter):
    """The engine for rsync."""

    name = "rsync"
    repository = "copy"
    copied_only = True
    counts_files = True
    common = True
    harmless = rsync_options.HARMLESS
    programs = regex.compile(r"rsync(?:3|[-_.]?v?\d+(?:\.[\w.+-]*)?)?(?:\.exe)?", re.IGNORECASE)
    """`rsync`, `rsync3`, `rsync-3.2.7`; not `rsyncd`, `rsync-ssl` or `rsyncbackup`."""

    def plan(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> Plan:
        """Plan the run; the module says which flags are added, and when."""
        inner, at = unwrap(argv, environ), self.program_at(argv, at)
        options = rsync_options.read(argv, at)
        kind = _kind(options)
        visible = kind != "other" and inner.visible
        added = _added(options) if visible and _can_inject(argv, at, options) else ()
        sources, repository = _ends(options) if kind != "other" else ((), None)
        return planned(
            argv,
            environ,
            kind,
            repository=repository,
            sources=sources,
            added=added,
            place=at + 1,
            spool_stdout=visible,
            returns=visible,
            places=() if options.given("remove-source-files", "remove-sent-files") else None,
            apart=lambda shown: _apart(rsync_options.read(shown, at), inner.environ),
        )

    def backup_command(self, wish: Wish) -> Built:
        """Return `rsync --archive --relative`: each source keeps its whole path, so that none takes another one's place.

        Raises:
            ValueError: The address holds a password, or a command would have to print it.
        """
        if wish.hidden:
            raise ValueError("rsync takes no address with a password: name a `password_file`")
        if wish.password_command:
            raise ValueError("rsync reads no password from a command: name a `password_file`")
        password = () if wish.password_file is None else (f"--password-file={wish.password_file}",)
        excludes = (f"--exclude={pattern}" for pattern in wish.excludes)
        argv = ("rsync", "--archive", "--relative", *password, *excludes, *wish.options, "--", *wish.sources)
        return Built((*argv, wish.repository))

    def session(self, plan: Plan) -> Session:
        """Begin to understand one run; everything that it needs to know is in *plan*, also in one that was stored."""
        inner = unwrap(plan.argv, {})
        at = self.program_at(plan.argv, inner.at)
        if plan.kind == "other":
            return CodeSession("rsync", inner)
        words = list(plan.argv[at + 1 :])
        added = set()
        while plan.ours and words and words[0] in _OURS:
            added.add(words.pop(0))
        return TransferSession(plan, rsync_options.read(words, -1), inner, statistics=STATISTICS in added)


def _kind(options: Options) -> str:
    if options.given(*_NO_RUN) or "help" in (options.last("info"), options.last("debug")):
        return "other"
    if len(options.words) < (1 if options.given("read-batch") else 2):  # a source alone is listed
        return "other"
    return "dry-run" if options.given("dry-run") else "backup"


def _can_inject(argv: Sequence[str], at: int, options: Options) -> bool:
    if sys.platform == "darwin" and argv[at] in ("rsync", "/usr/bin/rsync"):
        return False
    asked = options.given("progress") or (options.given("info") and options.info("progress") > 0)
    elsewhere = options.last("stderr") in ("a", "all") or options.given("msgs2stderr")
    return not asked and not elsewhere and not options.given("quiet")


def _added(options: Options) -> tuple[str, ...]:
    quiet = not options.statistics and not options.given(
        "human-readable", "out-format", "log-format", "itemize-changes"
    )
    exact = not options.remote and options.statistics < 2 and not options.given("log-file")
    added = [STATISTICS if exact else PROGRESS]
    added += [] if options.given("outbuf") else ["--outbuf=L"]
    return (*added, *(["--no-h"] if quiet else []))  # digits without separators, where only we read them


def _apart(options: Options, environ: Mapping[str, str]) -> list[str]:
    """Return the options that make it another backup: a selection of files, and the way to the other side."""
    shell = environ.get("RSYNC_RSH", "") if options.remote else ""
    return [word for word in apart_by(options, _CHOOSE, {"rsh": shell}) if word != "rsh=ssh"]


def _ends(options: Options) -> tuple[tuple[str, ...], str | None]:
    """Return sources and destination, as given."""
    batch = options.last("read-batch")
    if batch is not None:
        return (f"recorded in {batch}",), options.words[-1]
    sources: tuple[str, ...] = options.words[:-1]
    if listed := options.last("files-from"):
        sources = (*sources, f"listed in {listed}")
    return sources, options.words[-1]


ENGINE = Rsync()
