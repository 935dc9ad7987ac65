"""One run of tar, understood line by line.

Its exit code tells the truth: 0 all is well, 1 (GNU) files changed while they were read, 2 something is missing or broken. With 2
an archive may be there all the same, without the files that could not be read: that is a warning where the output proves it, by the
totals that tar prints once the archive is closed, and because every complaint is about one file. Everything else is a failure. GNU
tar prints the totals also just before it reports a write error, so they prove nothing where nobody saw the end.

The totals are one line on stderr, "LABEL: 30003200 (29MiB, 212MiB/s)", written in pieces; only the label is translated. What stands
before them in the line (a prompt, the words of a compressor) is the caller's.

tar speaks the user's language (38 of them), and the same end has the same verdict in each. So lines that are not in the tables
below are read by their shape: "tar: ITEM: WORDS" before the totals is about one file; after the totals comes at most one
afterword, which names no item; what names the archive itself is a failure. Other harmless remarks about items come only with
options by which the user himself leaves files out.
"""

import math
import re

from tray.engines.base import Event, Exit, Fed, Plan, Result, Stream
from tray.engines.findings import Findings, causes, conclude, whole
from tray.engines.program import Inner
from tray.engines.tar.options import Call
from tray.engines.text import plain

_SIZE = rb"(?:\d+(?:[.,]\d+)?(?:[KMGTPEZYRQ]?i?B)?|\?)"
_FIGURES = rb"(\d+) \(" + _SIZE + rb", " + _SIZE + rb"/s\)"
_LABEL = b"Total bytes written"
_TOTALS = re.compile(_LABEL + rb": " + _FIGURES)
_WORDS = rb"(?<![A-Za-z'\x80-\xff])[A-Za-z\x80-\xff][^:/\r\n%\d]{0,99}"
_TRANSLATED = re.compile(_WORDS + rb": " + _FIGURES)
_BEGUN = re.compile(_WORDS + rb"(?::(?: (?:\d+(?: (?:\([^()]*\)?)?)?)?)?)?$")
"""The totals up to anywhere, whatever their label."""
_LONGEST = 300
LABEL_SECONDS = 0.5
"""So long the rest of what may be the totals may take; a prompt looks like their label."""
KEPT_SECONDS = 60.0
"""So long a line after the totals may take to end, which tells whether they were any."""
_MESSAGE = re.compile(rb"(?:[^ :]*/)?(?:g|gnu)?tar[\w.+-]*(?: \([^()]*\))?: ")
_EMPTY = 10_240  # bytes of an archive without members, unless the user chose other records
_SAID = re.compile(r"(?:\S*/)?(?:g|gnu|bsd)?tar[\w.+-]*: (?P<what>.+)")
_UNREAD = re.compile(
    r"(?P<item>.+?): (?:Warning: )?(?P<why>Cannot (?:open|stat|read|readlink|savedir|opendir|chdir)(?:: .+)?|Read error at .+)"
)
_CHANGED = re.compile(
    r"(?P<item>.+?): (?P<why>[Ff]ile removed before we read it|[Ff]ile changed as we read it|File shrank by .+)"
)
_MISSING = re.compile(r"(?P<item>.+?): (?P<why>Not found in archive)")
_DIFFERS = re.compile(r"[A-Z][\w ]* differs?|Not linked to .+|.*No such file or directory")
_LEFT_OUT = re.compile(r"(?P<item>.+?): (?P<why>(?:socket|door) ignored|Unknown file type; file ignored)")
_ABOUT = re.compile(r"(?P<item>\S.*?)(?: ?: |：)(?P<why>\S.*)")
"""A line about one item in any language; French puts a blank before the colon, Chinese has a colon of its own."""
_HARMLESS = re.compile(
    r"Removing (?:leading )?[`'‘\"].* from (?:member names|hard link targets)"
    r"|.+: Directory (?:is new|has been renamed.*)|.+: file is (?:unchanged|the archive); not dumped"
    r"|(?:Write|Read) checkpoint \d+|.+: contains a cache directory tag.*|.+: file is on a different filesystem; not dumped"
)
_FATAL = re.compile(
    r"Error is not recoverable|Child (?:returned status|died)|.+: Wrote only \d+ of|.+: Cannot (?:write|close)"
)
_MAX_UNKNOWN = 1000
_AFTERWORD = "Exiting with failure status due to previous errors"
CAUSES = causes(
    (
        (
            (
                r"[Nn]o space left on device|kein Speicherplatz mehr|Aucun espace disponible|No queda espacio"
                r"|Spazio (?:esaurito|non disponibile)"
            ),
            "There is no space left where the archive is written; free some.",
        ),
        (r"Cowardly refusing", "tar was told nothing to archive; name the folders to back up."),
        (
            r"Child (?:returned status|died)",
            "The program that compresses the archive failed; its own words are in the log.",
        ),
        (r"Wrote only \d+ of", "The archive could not be written to its end; perhaps there is no space left."),
        (
            r"^tar: (.+?): Cannot stat: No such file",
            "The source {1} does not exist; check its path, and whether its disk is mounted.",
        ),
        (r"Unexpected EOF in archive", "The archive is cut off: its end is missing."),
        (r"unrecognized option '?(\S+?)'?$", "tar does not know the option {1}."),
        (r"^(?:\S*/)?\w*tar: (.+): Cannot open: (.+)$", "The archive {1} could not be opened: {2}."),
    )
)


class TarSession:
    """A run of tar."""

    def __init__(self, plan: Plan, asked: Call, inner: Inner) -> None:
        self._kind = plan.kind
        self._ours = plan.ours
        self._inner = inner
        self._forgives = asked.forgives and not plan.spool_stdout
        self._names = asked.names
        self._archive = asked.archive
        self._chosen = asked.chooses  # what is left out then may be what the user wished
        self._gnu = plan.ours
        self._seen = Findings()
        self._written: int | None = None
        self._kept = [b"", b"", b"", b""]  # by stream: what may be the totals
        self._changed = False
        self._after = 0
        self._missing: str | None = None
        self._differs: list[tuple[str, str]] = []
        self._unknown: list[tuple[str, str, int]] = []

    def feed(self, line: bytes, stream: Stream) -> Fed:
        """Take one line; the totals that we asked for are not the caller's.

        They come once, and only messages follow: what looked like them before any other line was the name of a file.
        """
        body = line.rstrip(b"\r\n")
        kept = self._kept[stream]
        if body.endswith(b")") and (found := _totals(body)):
            at = len(body) - len(found[0])
            self._gnu, self._written = True, whole(found[1])
            self._kept[stream] = line[at:] if self._ours else b""
            return Fed(relay=kept + line[:at] if self._ours else line)
        events = self._line(plain(body), stream)
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

    def held(self, stream: Stream) -> bytes:  # noqa: ARG002
        """Nothing: at the end the totals are certain."""
        return b""

    def conclude(self, exit: Exit) -> Result:
        """Conclude from complaints, totals and exit code."""
        seen = self._seen
        seen.bytes_processed = self._written
        self._sort_out(exit.code)
        if self._kind == "backup" and exit.code == 1 and not seen.errors and self._gnu:
            seen.problem("some files changed while they were read")
        done = self._done(exit)
        if not done and self._missing is not None:
            seen.complain(f"tar: {self._missing}", decisive=True)
        unproven = (
            "tar ended with exit code 0, but files that could not be read would not be known (`--ignore-failed-read`)."
        )
        return conclude(seen, exit, self._inner, name="tar", done=done, unproven=unproven, causes=CAUSES)

    def _done(self, exit: Exit) -> str:
        """Return what was achieved, "" if that is not proven."""
        seen, code = self._seen, exit.code
        if self._kind == "backup":
            clean = not seen.fatal and not seen.complaints and self._written is not None
            enough = (
                (code == 0 and not self._forgives)
                or (code == 1 and (self._changed or self._gnu) and not seen.fatal)
                or (code == 2 and clean and seen.errors > 0 and (self._written or 0) > _EMPTY)
            )
            return "The archive was written" if enough else ""
        if self._kind == "check":
            for why, item in self._differs if code == 1 and not seen.errors else ():  # in another language
                seen.problem(why, item)
            compared = code == 0 or (code == 1 and seen.errors > 0)
            return "The archive was compared with the files" if compared else ""
        if code != 0:
            return ""
        if self._kind == "dry-run":
            return "It was a trial: the archive was not kept"
        return "The files were extracted" if self._kind == "restore" else "tar did what it was asked to do"

    def _line(self, text: str, stream: Stream) -> tuple[Event, ...]:
        said = _SAID.fullmatch(text)
        if said is None:
            item, colon, why = text.rpartition(": ")
            if self._kind == "check" and colon and _DIFFERS.fullmatch(why):
                return self._seen.problem(why, item)
            if self._kind == "check" and stream is Stream.OUT and (found := _ABOUT.fullmatch(text)):
                self._differs = [*self._differs[:_MAX_UNKNOWN], (found["why"], found["item"])]
            if stream is Stream.ERR and text and not self._names:
                self._seen.complain(text)
            return ()
        what = said["what"]
        if self._written is not None:
            self._after += 1
        if found := _CHANGED.fullmatch(what):
            self._changed = True
            return self._seen.problem(found["why"], found["item"])
        if found := _UNREAD.fullmatch(what) or _MISSING.fullmatch(what):
            if "Warning: " not in what:
                self._missing = self._missing or what
            return self._seen.problem(found["why"], found["item"])
        if found := _LEFT_OUT.fullmatch(what):
            return self._seen.problem(found["why"], found["item"])
        return self._other_words(what, text)

    def _other_words(self, what: str, text: str) -> tuple[Event, ...]:
        """Take a message that is in no table: about the whole run, or in another language."""
        if what == _AFTERWORD or _HARMLESS.fullmatch(what):
            return ()
        if self._kind == "backup" and _FATAL.match(what) is None:
            if len(self._unknown) < _MAX_UNKNOWN:
                self._unknown.append((what, text, self._after))
            return ()
        self._seen.fatal = self._seen.fatal or _FATAL.match(what) is not None
        self._seen.complain(text)
        return ()

    def _sort_out(self, code: int | None) -> None:
        """Tell messages in another language apart by their shape; only GNU tar's have one that can be relied on."""
        items: list[re.Match[str]] = []
        for what, text, after in self._unknown:
            names_archive = self._archive is not None and self._archive in what
            found = None if after or names_archive or not self._gnu else _ABOUT.fullmatch(what)
            if found:
                items.append(found)
            elif not self._gnu or names_archive or after > 1 or _ABOUT.fullmatch(what):
                self._seen.complain(text, decisive=True)
        if self._chosen:  # remarks about what the user left out have no error of the system at their end
            errors = [found for found in items if ": " in found["why"]]
            items = (errors or items) if code in (1, 2) else []
        for found in items:
            if ": " in found["why"]:
                self._missing = self._missing or found[0]
            self._seen.problem(found["why"], found["item"])


def _totals(body: bytes) -> "re.Match[bytes] | None":
    """Return the totals at the end of a line."""
    end = body[-_LONGEST:]
    for pattern in (_TOTALS, _TRANSLATED):
        for found in pattern.finditer(end):
            if found.end() == len(end):
                return found
    return None
