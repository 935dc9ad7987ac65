"""duplicity, 0.7 to 3.0: the command stays as it is.

- `--progress` costs the backup: duplicity then goes through the source twice (a rehearsal to learn the total) and waits for its
  display to end. Measured with 0.8.22: an incremental backup of 8,000 small files takes 3.4 s instead of 0.4 s. Where the user asks
  for it, its own estimate of the time left is shown.
- `--log-fd` gives nothing that the text does not say, and a descriptor does not get through `sudo` or a container: the backup would
  fail for want of it. Where the user sends that log to the output, it is understood.

So a run is recorded without progress, from the lines that duplicity prints anyway. Its exit code alone proves nothing: it is 0 also
when it could not read files. The block of statistics, which it prints last, says how many.

Before 3.0 a backup needs no command (`duplicity SOURCE URL`), and the order of folder and address tells a backup from a restore.
Commands and options may be shortened. From duplicity's manual page (0.8.22, 3.0).
"""

import os
import re
from collections.abc import Mapping

from tray.core import regex
from tray.core.model import Phase
from tray.core.redact import Harmless
from tray.engines.adapter import program_names
from tray.engines.arguments import Arguments, grammar
from tray.engines.base import Built, Event, Exit, Progress, Stream, Wish
from tray.engines.causes import causes
from tray.engines.findings import MAX_COUNT, nothing_read, whole
from tray.engines.line_engine import Call, LineEngine, LineSession
from tray.engines.text import words

_GRAMMAR = grammar(
    values="""time archive-dir azure-blob-tier azure-max-block-size azure-max-connections azure-max-single-put-size
    backend-retry-delay cf-backend config-dir current-time encrypt-key encrypt-secret-keyring encrypt-sign-key exclude
    exclude-filelist exclude-globbing-filelist exclude-if-present exclude-older-than exclude-regexp fail-on-volume
    file-changed file-prefix file-prefix-archive file-prefix-manifest file-prefix-signature r:file-to-restore files-from
    full-if-older-than gpg-binary hidden-encrypt-key idr-fakeroot imap-mailbox include include-filelist
    include-globbing-filelist include-regexp log-fd log-file max-blocksize metadata-sync-mode mp-segment-size name num-retries
    par2-redundancy par2-volumes path-to-restore progress-rate t:restore-time s3-endpoint-url s3-kms-grant s3-kms-key-id
    s3-multipart-chunk-size s3-multipart-max-procs s3-multipart-max-timeout s3-region-name show-changes-in-set sign-key
    skip-volume ssl-cacert-file ssl-cacert-path swift-storage-policy tempdir time-separator timeout concurrency v:verbosity
    volsize gpg-options par2-options rsync-options scp-command sftp-command ssh-options webdav-headers""",
    switches="""progress allow-source-mismatch asynchronous-upload compare-data copy-links do-not-restore-ownership dry-run
    exclude-device-files exclude-filelist-stdin exclude-other-filesystems force ftp-passive ftp-regular gio h:help
    ignore-errors imap-full-address include-filelist-stdin log-timestamp mf-purge no-check-remote no-compression no-encryption
    no-files-changed no-print-statistics no-restore-ownership null-separator numeric-owner old-filenames s3-european-buckets
    s3-unencrypted-connection s3-use-new-style s3-use-rrs short-filenames ssh-askpass ssl-no-check-certificate use-agent
    use-scp V:version""",
    pairs="rename",
)
_KINDS = {
    **dict.fromkeys(("backup", "full", "incremental"), "backup"),
    "restore": "restore",
    "verify": "check",
    **dict.fromkeys(("collection-status", "list-current-files", "replicate"), "other"),
    **dict.fromkeys(("cleanup", "remove-older-than", "remove-all-but-n-full", "remove-all-inc-of-but-n-full"), "prune"),
}
_ADDRESS = regex.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_QUIET = {"error": 0, "e": 0, "warning": 2, "w": 2}

_HEADER = regex.compile(r"-{5,}\[ .+ \]-{5,}")
_FIGURE = regex.compile(r"([A-Z][A-Za-z]+) (-?\d+)(?:\.\d+)?(?: \(.*\))?")
_UNREAD = regex.compile(
    r"Error (?:accessing possibly locked file|listing directory|reading|opening|initializing file) (?P<item>.+)"
    r"|Error .* (?:getting delta for|processing) (?P<other>.+)"
)
_DIFFERS = regex.compile(r"Difference found: (?P<what>.+)")
_VERIFIED = regex.compile(r"Verify complete: (\d+) file\(?s?\)? compared, (\d+) difference\(?s?\)? found")
_LEFT_OUT = regex.compile(r"(?:Warning: )?(?:Skipping|Ignoring) (?P<item>.+)")
_GAVE_UP = regex.compile(r"(?:\w+Exception|CommandLineError|GPGError|Traceback|Giving up after)\b")
_COMPARED = regex.compile(r"(?:File|New file|Link) (?P<item>.+?) (?:has |is |does |doesn't |missing)")
_PROGRESS = regex.compile(r"[\d.]+[KMGT]?B \S+ \[[\d.]+[KMGT]?B/s\] \[=*>? *\] (\d+)% ETA (.+)")
_LEFT = regex.compile(r"(\d+) ?(d|h|min|sec)")
_SECONDS = {"d": 86_400, "h": 3600, "min": 60, "sec": 1}
_MACHINE = regex.compile(r"(ERROR|WARNING|NOTICE|INFO|DEBUG) (\d+)(?: (.*))?")
_UPLOAD = "16"
_INTERRUPTED = 4
_LEAST_LEVEL = 2
_RUNNING = regex.compile(r"Another (?:duplicity )?instance is already running")
_REASONS = r"""
[Nn]o space left on device|disk quota exceeded|(?i:temp space has)
    There is no space left on the device; free some where the backup is written, or in the temporary folder.
<access>
(?:[Ss]ource directory|Argument source_path) '?(.+?)'? does not exist
    The source {1} does not exist, so nothing was backed up; check its path, and whether its disk is mounted.
Another (?:duplicity )?instance is already running
    Another duplicity is working with the same archive folder; wait until it ends, then run the backup again.
PASSPHRASE|getpass|EOFError|passphrase.*(?:required|missing)|(?i:bad|wrong) passphrase|Bad session key
    The passphrase is missing or wrong; give it in the variable PASSPHRASE, or use `--no-encryption`.
gpg: (.*[Nn]o (?:public|secret) key)|(?:No|no) secret key
    GnuPG has no such key ({1}); check `--encrypt-key` and whether the key is in this user's keyring.
GPGError|GPG Failed
    GnuPG failed; its own words are in the log of this run.
[Oo]ld signatures not found and incremental specified
    There is no full backup at this address to build upon; make one with `duplicity full`.
Restore destination directory (.+) already exists
    The folder {1} exists already and nothing was overwritten; restore to another one, or add `--force`.
(?:FileNotFoundError|No such file or directory)
    The place for the backup does not exist; check the address, and whether its disk is mounted.
PermissionError|Permission denied
    duplicity may not write there; check who owns the place for the backup.
BackendException: (.+)
    The place for the backup could not be used: {1}. Check the address, the network and the login.
duplicity: error: (.+)|Command ?[Ll]ine ?[Ee]rror: (.+)
    duplicity did not understand its command line: {1}{2}.
"""


class DuplicityRun(LineSession):
    """A run of duplicity; also its machine-readable log where the user sends it to the same place."""

    name = "duplicity"
    unproven = "duplicity ended with exit code 0, but only its statistics prove that it could read all files."
    causes = causes(_REASONS)
    _block: dict[str, int] | None = None
    _statistics: dict[str, int] | None = None
    _compared: int | None = None
    _begun = _usage = False

    def achieved(self, exit: Exit) -> str:
        """Conclude the achievement from statistics, complaints and exit code."""
        seen, kind, code = self.seen, self.plan.kind, exit.code
        self._take_statistics()
        if code == _INTERRUPTED and not seen.complaints:  # on SIGINT it says nothing and exits 4
            seen.stopped = True
        if kind in ("backup", "dry-run"):
            proven = self._statistics is not None or (self._told_all() and code == 0)
            if not proven or code not in (0, None) or seen.fatal:
                return ""
            return "It was a dry run: nothing was saved" if kind == "dry-run" else "The backup was written"
        if self._compared is not None and (
            code in (0, None) or (code == 1 and seen.errors > 0)
        ):  # 1: there are differences
            return f"{self._compared} files were compared with the backup"
        return self.others.get(kind, self.did) if kind != "check" and code == 0 else ""

    def advice(self) -> str | None:
        """Return the advice about a lock that duplicity met: wait, since it goes with its process.

        duplicity itself says which file may be removed. But with that gone a second run destroys files that the first one writes.
        """
        if not _RUNNING.search(self.seen.complaint):
            return None
        if "lockfile.lock" in self.seen.complaint:  # before 0.7.18 the lock is a file that a crash leaves behind
            return "Wait until the other duplicity ends. If none is running for certain, the log of this run names its lock file."
        return "Wait until the other duplicity ends; its lock goes with it."

    def _told_all(self) -> bool:
        """Whether it printed its warnings (at level 2 and above; 3 if none is chosen), and no block, as the user wants it."""
        level = self.options.last("verbosity") or "3"
        number = int(level[:3]) if level.isdecimal() else _QUIET.get(level.lower(), 3)
        return number >= _LEAST_LEVEL and self.options.given("no-print-statistics") and self.plan.spool_stdout

    def line(self, text: str, stream: Stream) -> tuple[Event, ...]:
        """Take one line: of the block, a problem, a figure, progress, or a complaint."""
        text = text.removeprefix(". ")  # which stands before a message in its machine-readable log
        if self._block is not None and self._figure(text):
            return ()
        if text.startswith("---") and _HEADER.fullmatch(text):
            self._block = {}
            return ()
        if text.startswith("Error ") and (match := _UNREAD.fullmatch(text)):
            item = match["item"] or match["other"]
            return self.seen.problem(text[: -len(item)].strip(), item)
        if self.plan.kind == "backup" and (match := _LEFT_OUT.fullmatch(text)):
            return self.seen.problem("duplicity left it out", match["item"])
        if text.startswith("Difference found: ") and (match := _DIFFERS.match(text)):
            item = _COMPARED.match(match["what"])
            return self.seen.problem(match["what"], item["item"] if item else None)
        if match := _VERIFIED.match(text):
            self._compared = whole(match[1])
            self.seen.files = self._compared
            self.seen.errors = max(self.seen.errors, whole(match[2]))
            return ()
        if match := _MACHINE.fullmatch(text):
            return self._machine(match)
        if "% ETA " in text and (match := _PROGRESS.search(text)):
            return (Progress(Phase.COPYING, eta_seconds=_seconds(match[2]) if int(match[1]) else None),)
        if stream is Stream.ERR and text:
            self._complaint(text)
        return self._begin()

    def _complaint(self, text: str) -> None:
        self._usage = self._usage or text.startswith("Usage:")
        error = text.startswith(("duplicity: error", "Command line error", "CommandLineError"))
        self.seen.fatal = self.seen.fatal or _GAVE_UP.match(text) is not None
        self.seen.complain(text, decisive=error or not (self._usage or text.startswith(("gpg:", "="))))

    def _begin(self) -> tuple[Event, ...]:
        """Its first words come when it has looked into the repository; from then on it copies."""
        if self._begun or self.plan.kind not in ("backup", "dry-run"):
            return ()
        self._begun = True
        return (Progress(Phase.COPYING),)

    def _figure(self, text: str) -> bool:
        """Take a line of the block of statistics; False if it is none."""
        assert self._block is not None
        if match := _FIGURE.fullmatch(text):
            self._block[match[1]] = max(whole(match[2].lstrip("-")), 0) * (-1 if match[2].startswith("-") else 1)
            return True
        if len(text) >= 20 and not text.strip("-") and "Errors" in self._block:
            self._statistics = self._block
        elif not text:
            return True
        self._block = None
        return self._statistics is not None and not text.strip("-")

    def _machine(self, match: "re.Match[str]") -> tuple[Event, ...]:
        """Take the line that begins a message of its machine-readable log: level, number, details."""
        if match[1] == "ERROR":
            self.seen.fatal = True
        if match[1] == "NOTICE" and match[2] == _UPLOAD:
            figures = [int(word[:12]) for word in (match[3] or "").split() if word.isdecimal()]
            if len(figures) == 6:  # bytes, seconds, percent, seconds left, speed, whether it is stalled
                known = figures[2] and not figures[5]
                return (Progress(Phase.COPYING, eta_seconds=figures[3] if known else None),)
        return ()

    def _take_statistics(self) -> None:
        seen, known = self.seen, self._statistics
        if known is None:
            return
        seen.files = _positive(known, "SourceFiles")
        seen.bytes_processed = _positive(known, "SourceFileSize")
        seen.bytes_added = None if self.plan.kind == "dry-run" else _positive(known, "TotalDestinationSizeChange")
        seen.errors = max(seen.errors, known["Errors"])
        if seen.errors and known.get("SourceFiles", 2) <= 1:  # the folder itself
            nothing_read(seen)


class Duplicity(LineEngine):
    """The engine for duplicity."""

    name = "duplicity"
    repository = "duplicity"
    sized = True
    grammar = _GRAMMAR
    harmless = Harmless(
        _GRAMMAR,
        _GRAMMAR.values
        - words("gpg-options par2-options rsync-options scp-command sftp-command ssh-options webdav-headers"),
        subcommands=frozenset(("",)),
    )
    choose = (
        *("include", "include-filelist", "include-globbing-filelist", "include-regexp", "files-from"),
        *("file-prefix", "file-prefix-archive", "file-prefix-manifest", "s3-endpoint-url", "s3-region-name", "name"),
        *("ssh-options", "rsync-options", "scp-command", "sftp-command"),
    )
    programs = program_names("duplicity")
    """`duplicity`, `duplicity3`, `duplicity-0.8`; not `duplicity-backup.sh`, which is another program."""
    runs = DuplicityRun

    def call(self, options: Arguments, environ: Mapping[str, str]) -> Call:  # noqa: ARG002 - no variable counts
        """Read command, source and address; without `--force` a command that removes only lists the files that it would remove."""
        kind, names = _command(options)
        address = next((name for name in names if _ADDRESS.match(name)), None)
        rehearses = options.on("dry-run") and kind != "prune"
        if options.on("help", "version") or (kind == "prune" and not options.on("force")):
            return Call("other", repository=address)
        if kind != "backup":
            return Call("other" if rehearses else kind, repository=address)
        second = names[1] if len(names) > 1 else None
        return Call("dry-run" if rehearses else kind, names[:1], address or second)

    def backup_command(self, wish: Wish) -> Built:
        """Return `duplicity SOURCE URL`, which every version takes for a backup; the passphrase goes into the environment.

        Raises:
            ValueError: There are several sources, or the address holds a password or is none.
        """
        if len(wish.sources) > 1:
            raise ValueError(
                "duplicity backs up one folder: make a job for each, or name their common folder and `excludes`"
            )
        if wish.hidden:
            raise ValueError(
                "duplicity takes the password of an address from a variable: put FTP_PASSWORD into an `environment_file`"
            )
        place = f"file://{wish.repository}" if os.path.isabs(wish.repository) else wish.repository
        if not _ADDRESS.match(place):
            raise ValueError("duplicity needs a whole path or an address such as sftp://ann@nas/backup")
        excludes = [word for pattern in wish.excludes for word in ("--exclude", pattern)]
        argv = ("duplicity", *excludes, *wish.options, *wish.sources, place)
        return Built(argv, password_variable="PASSPHRASE")  # noqa: S106 - the name of the variable


def _command(options: Arguments) -> tuple[str, tuple[str, ...]]:
    """Return the kind of the command, and the words behind it."""
    names = options.words
    if not names:
        return "other", ()
    meant = [name for name in _KINDS if name.startswith(names[0])] if names[0] else []
    if names[0] in _KINDS or len(meant) == 1:
        return _KINDS[names[0] if names[0] in _KINDS else meant[0]], names[1:]
    if meant or len(names) != 2:
        return "other", names
    return "restore" if _ADDRESS.match(names[0]) else "backup", names


def _positive(known: dict[str, int], name: str) -> int | None:
    return max(known[name], 0) if name in known else None


def _seconds(text: str) -> int | None:
    """Return how long "1min 30sec" or "< 45sec" is; None while it is stalled."""
    parts = _LEFT.findall(text)
    return min(sum(int(number[:9]) * _SECONDS[unit] for number, unit in parts), MAX_COUNT) if parts else None


ENGINE = Duplicity()
