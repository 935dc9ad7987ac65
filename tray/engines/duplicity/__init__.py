"""duplicity, 0.7 to 3.0: nothing is added to its command line.

- `--progress` costs the backup: duplicity then goes through the source twice (a rehearsal to learn the total) and waits for its
  display to end. Measured with 0.8.22: an incremental backup of 8,000 small files takes 3.4 s instead of 0.4 s. Where the user asks
  for it, its own estimate of the time left is shown.
- `--log-fd` gives nothing that the text does not say, and a descriptor does not get through `sudo` or a container: the backup would
  fail for want of it.

So a run is recorded without progress, from what duplicity prints anyway. Its exit code alone proves nothing: it is 0 also when
files could not be read. The block of statistics, which it prints last, says how many.
"""

from collections.abc import Mapping, Sequence

from tray.engines.adapter import Adapter, apart_by, planned, program_names
from tray.engines.arguments import Arguments
from tray.engines.base import Plan, Session
from tray.engines.duplicity import options as duplicity_options
from tray.engines.duplicity.options import command, is_address
from tray.engines.duplicity.session import DuplicitySession
from tray.engines.program import unwrap

_KINDS = {"backup": "backup", "restore": "restore", "verify": "check"}
_CHOOSE = (
    *("include", "include-filelist", "include-globbing-filelist", "include-regexp", "files-from"),
    *("file-prefix", "file-prefix-archive", "file-prefix-manifest", "s3-endpoint-url", "s3-region-name", "name"),
    *("ssh-options", "rsync-options", "scp-command", "sftp-command"),
)
"""What else makes it another backup: what alone is included, under which names, and by which way the place is reached."""
_REMOVES = ("cleanup", "remove-older-than", "remove-all-but-n-full", "remove-all-inc-of-but-n-full")


class Duplicity(Adapter):
    """The engine for duplicity."""

    name = "duplicity"
    repository = "duplicity"
    sized = True
    harmless = duplicity_options.HARMLESS
    programs = program_names("duplicity")
    """`duplicity`, `duplicity3`, `duplicity-0.8`; not `duplicity-backup.sh`, which is somebody's script."""

    def plan(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> Plan:
        """Plan the run; the command stays as it is."""
        inner, at = unwrap(argv, environ), self.program_at(argv, at)
        options = duplicity_options.read(argv, at)
        kind, sources, repository = _read(options)
        return planned(
            argv,
            environ,
            kind,
            repository=repository,
            sources=sources,
            spool_stdout=kind != "other" and inner.visible,
            apart=lambda shown: apart_by(duplicity_options.read(shown, at), _CHOOSE),
        )

    def session(self, plan: Plan) -> Session:
        """Begin to understand one run."""
        inner = unwrap(plan.argv, {})
        options = duplicity_options.read(plan.argv, self.program_at(plan.argv, inner.at))
        return DuplicitySession(plan, options, inner)


def _read(options: Arguments) -> tuple[str, tuple[str, ...], str | None]:
    """Return kind, sources and repository."""
    verb, words = command(options)
    address = next((word for word in words if is_address(word)), None)
    if options.on("help", "version"):
        return "other", (), address
    if verb in _REMOVES:
        return "prune" if options.on("force") else "other", (), address  # else it only lists what it would remove
    kind = _KINDS.get(verb, "other")
    if kind == "backup":
        return "dry-run" if options.on("dry-run") else "backup", tuple(words[:1]), address or _second(words)
    return "other" if options.on("dry-run") else kind, (), address


def _second(words: Sequence[str]) -> str | None:
    return words[1] if len(words) > 1 else None


ENGINE = Duplicity()
