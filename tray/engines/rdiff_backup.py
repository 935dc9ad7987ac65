"""rdiff-backup, 1.2 to 2.2, with the old command line (`rdiff-backup SOURCE TARGET`) and the new one (`rdiff-backup backup …`).

It has no progress. A backup gets `--print-statistics`, so that its end is known from its own figures: its exit code is 0 also when
it could not read files. The caller does not see that block, which comes last. The command stays as it is when the user chose to see
statistics or not, when the output does not come to us, and for anything but a backup.

rdiff-backup takes a command line for a new one when any of its words is the name of an action. From its manual pages (1.2.8, 2.0.5,
2.2.2).
"""

import math
import re
import shlex
from collections.abc import Mapping

from tray.core import regex
from tray.core.model import Phase
from tray.core.redact import Harmless
from tray.engines.adapter import program_names
from tray.engines.arguments import Arguments, grammar
from tray.engines.base import Event, Exit, Fed, Plan, Progress, Stream
from tray.engines.causes import causes
from tray.engines.findings import nothing_read, whole
from tray.engines.line_engine import Call, LineEngine, LineSession
from tray.engines.text import plain, words

_GRAMMAR = grammar(
    values="""api-version chars-to-quote current-time exclude exclude-filelist exclude-globbing-filelist exclude-if-present
    exclude-regexp group-mapping-file include include-filelist include-globbing-filelist include-regexp max-file-size
    min-file-size no-compression-regexp not-compressed-regexp override-chars-to-quote remote-tempdir tempdir
    terminal-verbosity user-mapping-file v:verbosity at older-than increment changed-since compare-at-time
    compare-full-at-time compare-hash-at-time list-at-time list-changed-since remove-older-than r:restore-as-of verify-at-time
    config size method remote-schema""",
    switches="""new acls allow-duplicate-timestamps b:backup-mode calculate-average carbonfile check-destination-dir compare
    compare-full compare-hash compare-inode compression create-full-path eas exclude-device-files exclude-fifos
    exclude-filelist-stdin exclude-globbing-filelist-stdin exclude-other-filesystems exclude-sockets exclude-special-files
    exclude-symbolic-links file-statistics force fsync hard-links h:help include-device-files include-fifos include-sockets
    include-special-files include-symbolic-links list-increment-sizes l:list-increments never-drop-acls no-acls no-carbonfile
    no-compare-inode no-compression no-eas no-file-statistics no-fsync no-hard-links no-new no-print-statistics
    no-resource-forks no-ssh-compression null-separator parsable-output preserve-numerical-ids print-statistics resource-forks
    server ssh-compression ssh-no-compression test-server use-compatible-timestamps verify V:version""",
)
_ACTIONS = {
    "backup": "backup",
    "restore": "restore",
    "verify": "check",
    "compare": "check",
    "remove": "prune",
    **dict.fromkeys(words("calculate complete info list regress server test"), "other"),
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
_STATISTICS = "--print-statistics"
_HEADER = regex.compile(rb"-{10,}\[ Session statistics \]-{10,}")
_RULE = b"-" * 10
_MESSAGE = regex.compile(
    rb"(?:WARNING|ERROR|FATAL|NOTE|INFO|DEBUG|\w*Error|\w*Exception|Fatal Error|KeyboardInterrupt|Traceback)\b|[* ] |.*: error"
)
_LEAST_LEVEL = 2
_MOST_LINES = 200
"""The block has some 20 lines; where its end does not come, it ends here."""
_FIGURE = regex.compile(rb"([A-Z][A-Za-z]+) (-?\d+)(?:\.\d+)?(?: \(.*\))?")
_UNREAD = regex.compile(r"(?:WARNING: )?(?P<kind>ListError|UpdateError|SpecialFileError):? (?P<rest>.*)")
_QUOTED = regex.compile(r"(?:'(?P<item>.*?)'|(?P<bare>\S+))(?: (?:\[Errno \d+\] )?(?P<why>.+?)(?:: b['\"].*)?)?")
_DAMAGED = regex.compile(r"(?:WARNING: )?Computed SHA1 digest of (?:file )?(?P<item>.+?)(?: '[0-9a-f]{40}'|$)")
_NO_HASH = regex.compile(r"(?:WARNING: )?Cannot find SHA1 digest for file (?P<item>.+?), ")
_DIFFERS = regex.compile(r"(?P<what>changed|new|deleted): (?P<item>.+)|Metadata.* differ.*|(?P<odd>.+?) differs")
_STARTED = regex.compile(r"(?:NOTE: )?Starting (?:mirror|increment operation) ")
_STOPPED = regex.compile(r"SignalException: (?:2|15)\b|^KeyboardInterrupt")
_DECISIVE = regex.compile(r"ERROR:|Fatal Error:|FATAL|rdiff-backup: error|(?:\w+\.)*\w*(?:Error|Exception)\b")
_UNHASHED = regex.compile(r"(?:NOTE: )?Verification found (\d+) files? without hash")
_HARMLESS = (
    "command line interface is deprecated",
    "deprecated command line interface",
    "emitted warnings, see previous",
)
_NOTHING = ("No increment is older than", "No increments older than")
_WARNED = frozenset((2, 4, 6, 8, 10, 12, 14))
"""Since 2.2 its exit code is made of 1 (failed), 2 (warnings), 4 (a file failed) and 8 (a file differs); so is 2 a wrong use."""
_REASONS = r"""
process\s+id (\d+) is still running|previous rdiff-backup session with process
    Another rdiff-backup is working in this repository; wait until it ends, then run the backup again.
[Nn]o space left on device
    There is no space left where the backup is written; free some, then run it again.
<access>
Source path (.+?) does not exist|Source directory (.+?) (?:does not exist|not found)
    The source {1}{2} does not exist, so nothing was backed up; check its path, and whether its disk is mounted.
Unable to delete and/or create directory (.+)
    The repository's folder {1} could not be made; check the path, and whether its disk is mounted.
does not look like a rdiff-backup repository|couldn't be identified as being within an existing backup
    There is no rdiff-backup repository at this place; check the path, and whether its disk is mounted.
The last backup is not in the past
    The last backup is not in the past: another one is running there, or the clock was set back.
Target path (.+?) exists and isn't empty
    The folder {1} is not empty and nothing was overwritten; use another one.
found (\d+) potentially corrupted files
    The repository is damaged: {1} of its files do not match their checksums.
rdiff-backup: error: (.+)
    rdiff-backup did not understand its command line: {1}.
^(?:ERROR|Fatal Error): (.+)
    rdiff-backup gave up: {1}.
"""


class RdiffBackupRun(LineSession):
    """A run of rdiff-backup."""

    name = "rdiff-backup"
    nothing = 1  # it counts the folder itself
    others: Mapping[str, str] = {"restore": "The files were restored", "prune": "Old increments were removed"}
    unproven = "rdiff-backup ended with exit code 0, but only its statistics prove that it could read all files."
    causes = causes(_REASONS)

    _block: dict[str, int] | None = None
    _in_block = 0
    _statistics: dict[str, int] | None = None
    _warnings: tuple[str, ...] = ()
    _damaged = _nothing = _misused = False

    def feed(self, line: bytes, stream: Stream) -> Fed:
        """Take one line; the block of statistics that we asked for is not the caller's."""
        body = line.rstrip(b"\r\n")
        if self._figure(body, stream):
            return Fed((), b"" if self.plan.ours else line)
        return Fed(self.line(plain(body), stream), line)

    def patience(self, part: bytes, stream: Stream) -> float:  # noqa: ARG002 - the block comes on either
        """Wait for the end of each line of the block."""
        header = part[:1] == b"-" and (part.startswith(_RULE) or _RULE.startswith(part))
        return math.inf if self._block is not None or header else 0.0

    def held(self, stream: Stream) -> bytes:  # noqa: ARG002 - of neither stream
        """Nothing: whether a line belongs to the block is known at once."""
        return b""

    def achieved(self, exit: Exit) -> str:
        """Conclude the achievement from statistics, warnings and exit code."""
        seen, kind, code = self.seen, self.plan.kind, exit.code
        self._take_statistics()
        if code in _WARNED and not seen.errors and not self._nothing and self._warnings:
            seen.problem(self._warnings[0])
        warned = code in _WARNED and not self._misused and bool(self._warnings or seen.errors)
        if kind == "backup":
            proven = self._statistics is not None or (self._told_all() and code == 0)
            return "The backup was written" if proven and not seen.fatal and (code in (0, None) or warned) else ""
        if kind == "check":
            compared = code == 0 or (code in (1, *_WARNED) and seen.errors > 0)
            return "The backup was compared" if compared and not self._damaged else ""
        if code != 0 and not warned:
            return ""
        return "There was nothing to remove" if self._nothing else self.others.get(kind, self.did)

    def advice(self) -> str | None:
        """Return how to check a session that seems to run still."""
        if match := re.search(r"id (\d+) is still running", self.seen.complaint):
            return f"Check with `ps -p {match[1]}` whether that one is an rdiff-backup; if not, run the backup once with `--force`."
        return None

    def _told_all(self) -> bool:
        """Whether it printed its warnings (as it does unless the user asks for less), and no statistics, as the user wants it."""
        level = self.options.last("verbosity", "terminal-verbosity") or ""
        prints = not level.isdecimal() or int(level[:3]) >= _LEAST_LEVEL
        return prints and self.options.given("no-print-statistics") and self.plan.spool_stdout

    def _figure(self, body: bytes, stream: Stream) -> bool:
        """Whether the line belongs to the block of statistics, which goes from its header to a rule; takes its figures.

        Versions add lines to it. A message is none of them, nor is anything on stderr.
        """
        if self._block is None:
            if body.startswith(_RULE) and _HEADER.fullmatch(body):
                self._block, self._in_block = {}, 0
                return True
            return False
        if match := _FIGURE.fullmatch(body):
            number = whole(match[2].lstrip(b"-"))
            self._block[match[1].decode()] = -number if match[2].startswith(b"-") else number
            return True
        self._in_block += 1
        ends = len(body) >= 20 and not body.strip(b"-")
        if ends and "Errors" in self._block:
            self._statistics = self._block
        if ends or self._in_block > _MOST_LINES:
            self._block = None
        return ends or (stream is not Stream.ERR and not _MESSAGE.match(body))

    def line(self, text: str, stream: Stream) -> tuple[Event, ...]:
        """Take one line that is not in the block."""
        if unread := _UNREAD.match(text):
            named = _QUOTED.fullmatch(unread["rest"])
            item = (named["item"] or named["bare"]) if named else None
            return self.seen.problem((named["why"] if named else None) or unread["kind"], item)
        if self.plan.kind == "check" and (events := self._checked(text, stream)) is not None:
            return events
        if _STOPPED.search(text):
            self.seen.stopped = True
        elif any(words in text for words in _NOTHING):
            self._nothing = True
        elif text.startswith("WARNING: "):
            if not any(words in text for words in _HARMLESS) and len(self._warnings) < 10:
                self._warnings = (*self._warnings, text[9:2000])
        elif stream is Stream.ERR and text:
            self._complaint(text)
        elif _STARTED.match(text):
            return (Progress(Phase.COPYING),)
        return ()

    def _complaint(self, text: str) -> None:
        decisive = _DECISIVE.match(text) is not None
        self._misused = self._misused or text.startswith(("usage:", "rdiff-backup: error"))
        self.seen.fatal = self.seen.fatal or decisive
        if text.startswith("ERROR: Action "):  # only says at which step it gave up
            decisive = False
        self.seen.complain(text, decisive=decisive)

    def _checked(self, text: str, stream: Stream) -> tuple[Event, ...] | None:
        if match := _DAMAGED.match(text):
            self._damaged = True
            return self.seen.problem("its checksum does not match", match["item"])
        if match := _NO_HASH.match(text):
            return self.seen.problem("it has no checksum", match["item"])
        if match := _UNHASHED.match(text):
            self.seen.errors = max(self.seen.errors, whole(match[1]))
            return ()
        if stream is Stream.OUT and (match := _DIFFERS.fullmatch(text)):
            item = match["item"] or match["odd"]
            return self.seen.problem(match["what"] or "differs", item)
        return None

    def _take_statistics(self) -> None:
        seen, known = self.seen, self._statistics
        if known is None:
            return
        seen.files, seen.bytes_processed = known.get("SourceFiles"), known.get("SourceFileSize")
        if "TotalDestinationSizeChange" in known:
            seen.bytes_added = max(known["TotalDestinationSizeChange"], 0)
        seen.errors = max(seen.errors, known["Errors"])
        if seen.errors and known.get("SourceFileSize") == 0:
            nothing_read(seen)


class RdiffBackup(LineEngine):
    """The engine for rdiff-backup."""

    name = "rdiff-backup"
    repository = "rdiff-backup"
    grammar = _GRAMMAR
    harmless = Harmless(_GRAMMAR, _GRAMMAR.values - words("remote-schema"), subcommands=frozenset(("",)))
    choose = (
        *("include", "include-filelist", "include-globbing-filelist", "include-regexp"),
        *("min-file-size", "max-file-size", "remote-schema"),
    )
    programs = program_names("rdiff-backup")
    """`rdiff-backup`, `rdiff-backup-2.2`, `rdiff-backup.exe`; not `rdiff-backup-statistics`."""
    runs = RdiffBackupRun

    def call(self, options: Arguments, environ: Mapping[str, str]) -> Call:  # noqa: ARG002 - no variable counts
        """Read a command line with an action, or an old one, whose options choose the action."""
        names, place = list(options.words), None
        if not _is_new(options):
            kind = _old_kind(options)
        else:
            kind = "other" if options.given("help", "version") or not names else _ACTIONS.get(names[0], "other")
            place = options.places[0] + 1 if names else None
            names = names[2:] if kind == "prune" else names[1:]
        if kind == "backup" and len(names) != 2:
            return Call("other")  # it says how it is called, and ends
        chose = kind != "backup" or options.given("print-statistics", "no-print-statistics")
        repository = names[0 if kind == "restore" else -1] if names else None
        return Call(kind, names[:1] if kind == "backup" else (), repository, () if chose else (_STATISTICS,), place)

    def unlock(self, plan: Plan) -> str | None:
        """Return the command that undoes the half of a killed run; the next backup would do so by itself."""
        place = shlex.quote(plan.repository or "REPOSITORY")
        new = _is_new(self.options(plan))
        return f"rdiff-backup regress {place}" if new else f"rdiff-backup --check-destination-dir {place}"


def _is_new(options: Arguments) -> bool:
    typed = options.typed
    return "--new" in typed or ("--no-new" not in typed and any(word in _ACTIONS for word in typed))


def _old_kind(options: Arguments) -> str:
    for names, kind in _OLD:
        if options.given(*names):
            return kind
    first = options.words[0] if options.words else ""
    return "restore" if "/rdiff-backup-data/increments" in first else "backup"


ENGINE = RdiffBackup()
