"""tar: GNU tar, and bsdtar as far as its exit code goes.

Its progress is what the system counts as written by its process (`Plan.writes`; there is no total: tar does not know it). Its own
checkpoints would tell it too, but tar writes them letter by letter between the words of compressors. A backup with GNU tar gets its
totals at the end: one line, which the caller does not see. Nothing is added

- to a tar that may not be GNU's (`is_gnu`): every other one refuses such an option, and the backup with it,
- when the user asks for checkpoints or totals, or sets TAR_OPTIONS,
- where tar asks questions (`-w`, `-M`): our lines would stand in the middle of them,
- when stderr does not come to us.

The archive itself often is tar's stdout (`tar c . | ssh …`), so that is read only where it certainly is text.

Its exit code tells the truth: 0 all is well, 1 (GNU) files changed while they were read, 2 something is missing or broken. With 2
an archive may be there all the same, without the files that could not be read: that is a warning where the output proves it, by the
totals that tar prints once the archive is closed, and because every complaint is about one file. Everything else is a failure. GNU
tar prints the totals also just before it reports a write error, so they prove nothing without an exit code.

The totals are one line on stderr, "LABEL: 30003200 (29MiB, 212MiB/s)", written in pieces; only the label is translated. Text
before them in the line (a prompt, the words of a compressor) is the caller's.

tar speaks the user's language (38 of them), and the same end has the same verdict in each. So lines that are not in the tables
below are read by their shape: "tar: ITEM: WORDS" before the totals is about one file; after the totals comes at most one
afterword, which names no item; a line about the archive itself is a failure. Other harmless remarks about items come only with
options by which the user himself leaves files out.
"""

import math
import os
import re
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from tray.core import regex
from tray.engines.adapter import Adapter, planned, program_names
from tray.engines.arguments import Arguments
from tray.engines.base import Built, Event, Exit, Fed, Plan, Session, Stream, Wish
from tray.engines.causes import causes
from tray.engines.findings import whole
from tray.engines.line_engine import LineSession
from tray.engines.program import Inner, unwrap
from tray.engines.tar.options import HARMLESS, LEAVE_OUT, Call, call
from tray.engines.text import plain, program_name

ADDED = ("--totals",)
_OTHER_TARS = ("busybox", "toybox", "bsdtar")
_FOLDERS = ("/bin", "/usr/bin")
_SIZE = rb"(?:\d+(?:[.,]\d+)?(?:[KMGTPEZYRQ]?i?B)?|\?)"
_FIGURES = rb"(\d+) \(" + _SIZE + rb", " + _SIZE + rb"/s\)"
_LABEL = b"Total bytes written"
_TOTALS = regex.compile(_LABEL + rb": " + _FIGURES)
_WORDS = rb"(?<![A-Za-z'\x80-\xff])[A-Za-z\x80-\xff][^:/\r\n%\d]{0,99}"
_TRANSLATED = regex.compile(_WORDS + rb": " + _FIGURES)
_BEGUN = regex.compile(_WORDS + rb"(?::(?: (?:\d+(?: (?:\([^()]*\)?)?)?)?)?)?$")
"""The totals up to anywhere, whatever their label."""
_LONGEST = 300
LABEL_SECONDS = 0.5
"""Seconds to wait for the rest of a possible line of totals; a prompt looks like their label."""
KEPT_SECONDS = 60.0
"""Seconds to wait for the end of a line after the totals, which tells whether they were any."""
_MESSAGE = regex.compile(rb"(?:[^ :]*/)?(?:g|gnu)?tar[\w.+-]*(?: \([^()]*\))?: ")
_EMPTY = 10_240  # bytes of an archive without members, unless the user chose other records
_SAID = regex.compile(r"(?:\S*/)?(?:g|gnu|bsd)?tar[\w.+-]*: (?P<message>.+)")
_UNREAD = regex.compile(
    r"(?P<item>.+?): (?:Warning: )?(?P<why>Cannot (?:open|stat|read|readlink|savedir|opendir|chdir)(?:: .+)?|Read error at .+)"
)
_CHANGED = regex.compile(
    r"(?P<item>.+?): (?P<why>[Ff]ile removed before we read it|[Ff]ile changed as we read it|File shrank by .+)"
)
_MISSING = regex.compile(r"(?P<item>.+?): (?P<why>Not found in archive)")
_DIFFERS = regex.compile(r"[A-Z][\w ]* differs?|Not linked to .+|.*No such file or directory")
_LEFT_OUT = regex.compile(r"(?P<item>.+?): (?P<why>(?:socket|door) ignored|Unknown file type; file ignored)")
_ABOUT = regex.compile(r"(?P<item>\S.*?)(?: ?: |：)(?P<why>\S.*)")
"""A line about one item in any language; French puts a blank before the colon, Chinese has a colon of its own."""
_HARMLESS = regex.compile(
    r"Removing (?:leading )?[`'‘\"].* from (?:member names|hard link targets)"
    r"|.+: Directory (?:is new|has been renamed.*)|.+: file is (?:unchanged|the archive); not dumped"
    r"|(?:Write|Read) checkpoint \d+|.+: contains a cache directory tag.*|.+: file is on a different filesystem; not dumped"
)
_FATAL = regex.compile(
    r"Error is not recoverable|Child (?:returned status|died)|.+: Wrote only \d+ of|.+: Cannot (?:write|close)"
)
_MAX_UNKNOWN = 1000
_AFTERWORD = "Exiting with failure status due to previous errors"
_REASONS = r"""
[Nn]o space left on device|kein Speicherplatz mehr|Aucun espace disponible|No queda espacio|Spazio (?:esaurito|non disponibile)
    There is no space left where the archive is written; free some.
Cowardly refusing
    tar was told nothing to archive; name the folders to back up.
Child (?:returned status|died)
    The program that compresses the archive failed; its own words are in the log.
Wrote only \d+ of
    The archive could not be written to its end; perhaps there is no space left.
^tar: (.+?): Cannot stat: No such file
    The source {1} does not exist; check its path, and whether its disk is mounted.
Unexpected EOF in archive
    The archive is cut off: its end is missing.
unrecognized option '?(\S+?)'?$
    tar does not know the option {1}.
^(?:\S*/)?\w*tar: (.+): Cannot open: (.+)$
    The archive {1} could not be opened: {2}.
"""


class TarSession(LineSession):
    """A run of tar."""

    name = "tar"
    others: Mapping[str, str] = MappingProxyType({"restore": "The files were extracted"})
    unproven = (
        "tar ended with exit code 0, but files that could not be read would not be known (`--ignore-failed-read`)."
    )
    causes = causes(_REASONS)

    def __init__(self, plan: Plan, options: Arguments, inner: Inner) -> None:
        super().__init__(plan, options, inner)
        self._gnu = plan.ours
        self._written: int | None = None
        self._kept = [b"", b"", b"", b""]  # by stream: a possible line of totals
        self._changed = False
        self._after = 0
        self._missing: str | None = None
        self._differs: list[tuple[str, str]] = []
        self._unknown: list[tuple[str, str, int]] = []

    def feed(self, line: bytes, stream: Stream) -> Fed:
        """Take one line; the totals that we asked for are not the caller's.

        They come once, and only messages follow: a line like them before any other line was the name of a file.
        """
        body = line.rstrip(b"\r\n")
        kept = self._kept[stream]
        if body.endswith(b")") and (match := _totals(body)):
            at = len(body) - len(match[0])
            self._gnu, self._written = True, whole(match[1])
            self._kept[stream] = line[at:] if self.plan.ours else b""
            return Fed(relay=kept + line[:at] if self.plan.ours else line)
        events = self.line(plain(body), stream)
        if kept and not _MESSAGE.match(body):
            self._kept[stream] = b""
            return Fed(events, kept + line)
        return Fed(events, line)

    def patience(self, part: bytes, stream: Stream) -> float:
        """Wait for the rest of the totals; of a label in another language only a moment, since a prompt looks like one."""
        if self._kept[stream]:
            return KEPT_SECONDS
        end = part[-_LONGEST:]
        if _LABEL in end or _LABEL.startswith(end):
            return math.inf
        return LABEL_SECONDS if _BEGUN.search(end) else 0.0

    def held(self, stream: Stream) -> bytes:  # noqa: ARG002 - of neither stream
        """Nothing: at the end the totals are certain."""
        return b""

    def achieved(self, exit: Exit) -> str:
        """Conclude the achievement from complaints, totals and exit code."""
        seen = self.seen
        seen.bytes_processed = self._written
        self._sort_out(exit.code)
        if self.plan.kind == "backup" and exit.code == 1 and not seen.errors and self._gnu:
            seen.problem("some files changed while they were read")
        done = self._done(exit)
        if not done and self._missing is not None:
            seen.complain(f"tar: {self._missing}", decisive=True)
        return done

    def _done(self, exit: Exit) -> str:
        seen, code = self.seen, exit.code
        if self.plan.kind == "backup":
            forgives = self.options.given("ignore-failed-read") and not self.plan.spool_stdout
            clean = not seen.fatal and not seen.complaints and self._written is not None
            enough = (
                (code == 0 and not forgives)
                or (code == 1 and (self._changed or self._gnu) and not seen.fatal)
                or (code == 2 and clean and seen.errors > 0 and (self._written or 0) > _EMPTY)
            )
            return "The archive was written" if enough else ""
        if self.plan.kind == "check":
            for why, item in self._differs if code == 1 and not seen.errors else ():  # in another language
                seen.problem(why, item)
            compared = code == 0 or (code == 1 and seen.errors > 0)
            return "The archive was compared with the files" if compared else ""
        if code != 0:
            return ""
        if self.plan.kind == "dry-run":
            return "It was a trial: the archive was not kept"
        return self.others.get(self.plan.kind, self.did)

    def line(self, text: str, stream: Stream) -> tuple[Event, ...]:
        """Take a line that is not the totals."""
        said = _SAID.fullmatch(text)
        if said is None:
            item, colon, why = text.rpartition(": ")
            if self.plan.kind == "check" and colon and _DIFFERS.fullmatch(why):
                return self.seen.problem(why, item)
            if self.plan.kind == "check" and stream is Stream.OUT and (match := _ABOUT.fullmatch(text)):
                self._differs = [*self._differs[:_MAX_UNKNOWN], (match["why"], match["item"])]
            if stream is Stream.ERR and text and not self.options.given("verbose"):
                self.seen.complain(text)
            return ()
        message = said["message"]
        if self._written is not None:
            self._after += 1
        if match := _CHANGED.fullmatch(message):
            self._changed = True
            return self.seen.problem(match["why"], match["item"])
        if match := _UNREAD.fullmatch(message) or _MISSING.fullmatch(message):
            if "Warning: " not in message:
                self._missing = self._missing or message
            return self.seen.problem(match["why"], match["item"])
        if match := _LEFT_OUT.fullmatch(message):
            return self.seen.problem(match["why"], match["item"])
        return self._other_words(message, text)

    def _other_words(self, message: str, text: str) -> tuple[Event, ...]:
        """Take a message that is in no table: about the whole run, or in another language."""
        if message == _AFTERWORD or _HARMLESS.fullmatch(message):
            return ()
        if self.plan.kind == "backup" and _FATAL.match(message) is None:
            if len(self._unknown) < _MAX_UNKNOWN:
                self._unknown.append((message, text, self._after))
            return ()
        self.seen.fatal = self.seen.fatal or _FATAL.match(message) is not None
        self.seen.complain(text)
        return ()

    def _sort_out(self, code: int | None) -> None:
        """Tell messages in another language apart by their shape; only GNU tar's have one that can be relied on."""
        items: list[re.Match[str]] = []
        archive = self.options.last("file")
        for message, text, after in self._unknown:
            names_archive = archive is not None and archive in message
            match = None if after or names_archive or not self._gnu else _ABOUT.fullmatch(message)
            if match:
                items.append(match)
            elif not self._gnu or names_archive or after > 1 or _ABOUT.fullmatch(message):
                self.seen.complain(text, decisive=True)
        if self.options.given(
            *LEAVE_OUT
        ):  # remarks about files that the user left out have no error of the system at their end
            errors = [match for match in items if ": " in match["why"]]
            items = (errors or items) if code in (1, 2) else []
        for match in items:
            if ": " in match["why"]:
                self._missing = self._missing or match[0]
            self.seen.problem(match["why"], match["item"])


def _totals(body: bytes) -> "re.Match[bytes] | None":
    """Return the totals at the end of a line."""
    end = body[-_LONGEST:]
    for pattern in (_TOTALS, _TRANSLATED):
        for match in pattern.finditer(end):
            if match.end() == len(end):
                return match
    return None


class Tar(Adapter):
    """The engine for tar."""

    name = "tar"
    repository = "file"
    sized = True
    common = True
    harmless = HARMLESS
    programs = program_names("(?:g|gnu|bsd)?tar")
    """`tar`, `gtar`, `bsdtar`, `tar.exe`; not `tarsnap`, `star` or `tartool`."""

    def plan(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> Plan:
        """Plan the run; the module says which flags are added, and when."""
        inner = unwrap(argv, environ)
        asked = self._call(argv, at)
        visible = asked.kind != "other" and inner.visible
        ours = visible and asked.kind == "backup" and asked.takes_more and not environ.get("TAR_OPTIONS")
        ours = ours and is_gnu(argv[self.program_at(argv, at)], inner.environ)
        archive = asked.archive or (environ.get("TAPE") if asked.kind == "backup" else None)
        return planned(
            argv,
            environ,
            asked.kind,
            repository=None if archive == "-" else archive,
            sources=asked.sources if asked.kind in ("backup", "dry-run") else (),
            added=ADDED if ours else (),
            place=asked.place,
            spool_stdout=visible and asked.speaks and not environ.get("TAR_OPTIONS"),
            writes=asked.kind == "backup" and inner.visible,
            places=asked.places,
            apart=lambda _: (),
        )

    def backup_command(self, wish: Wish) -> Built:
        """Return `tar --create` into one archive, compressed as its name says; the one before stays beside it as `NAME~`.

        Raises:
            ValueError: The place is no file on this machine, or there is a password, for which tar has no use.
        """
        if wish.password_file is not None or wish.password_command:
            raise ValueError("tar encrypts nothing, so a password has no effect: leave it out")
        if not os.path.isabs(wish.repository) or wish.repository.endswith("/"):
            raise ValueError("tar writes one archive: name its file by the whole path, such as /mnt/backup/home.tar.gz")
        excludes = (f"--exclude={pattern}" for pattern in wish.excludes)
        into = ("--auto-compress", "--backup=simple", f"--file={wish.repository}")
        return Built(("tar", "--create", *into, *excludes, *wish.options, "--", *wish.sources))

    def session(self, plan: Plan) -> Session:
        """Begin to read one run."""
        inner = unwrap(plan.argv, {})
        return TarSession(plan, self._call(plan.argv, inner.at).options, inner)

    def _call(self, argv: Sequence[str], at: int) -> Call:
        place = self.program_at(argv, at)
        name = program_name(argv[place]) if argv else ""
        return call(argv, place, bsd=name.lower().startswith("bsd"))


def is_gnu(program: str, environ: Mapping[str, str]) -> bool:
    """Whether *program* certainly is GNU tar: called `gtar`, or the `tar` of a Linux that has no other one under this name.

    Adapters do no I/O, with this one exception of a few looks at file names (some 20 µs): the tar of busybox, toybox, BSD and macOS
    goes by the same name and refuses our options, and then there is no backup.
    """
    name = program_name(program)
    if name in ("gtar", "gnutar"):
        return True
    if name != "tar" or sys.platform != "linux":
        return False
    try:
        file = os.path.realpath(_find(program, environ))
        return os.path.basename(file) in ("tar", "gtar") and os.path.isfile(file) and not _shared(file)
    except (OSError, ValueError):
        return False


def _find(program: str, environ: Mapping[str, str]) -> str:
    """Return the file that is started, as the system would find it."""
    if "/" in program:
        return program
    folders = (environ.get("PATH") or os.defpath).split(os.pathsep)
    paths = (os.path.join(folder, program) for folder in folders)
    return next((path for path in paths if os.access(path, os.X_OK)), "")


def _shared(path: str) -> bool:
    """Whether the file is a hard link to a program that is many in one, or not GNU's."""
    status = os.stat(path)
    for folder in {os.path.dirname(path), *_FOLDERS}:
        for other in _OTHER_TARS:
            try:
                if os.path.samestat(status, os.stat(os.path.join(folder, other))):
                    return True
            except OSError:
                continue
    return False


ENGINE = Tar()
