"""One run of duplicity, understood line by line; also its machine-readable log where the user sends it to the same place."""

import re

from tray.core.model import Phase
from tray.engines import findings
from tray.engines.arguments import Arguments
from tray.engines.base import Event, Exit, Fed, Plan, Progress, Result, Stream
from tray.engines.duplicity.options import shows_warnings
from tray.engines.duplicity.reasons import CAUSES, advice
from tray.engines.findings import Findings, conclude, whole
from tray.engines.program import Inner
from tray.engines.text import plain

_HEADER = re.compile(r"-{5,}\[ .+ \]-{5,}")
_FIGURE = re.compile(r"([A-Z][A-Za-z]+) (-?\d+)(?:\.\d+)?(?: \(.*\))?")
_UNREAD = re.compile(
    r"Error (?:accessing possibly locked file|listing directory|reading|opening|initializing file) (?P<item>.+)"
    r"|Error .* (?:getting delta for|processing) (?P<other>.+)"
)
_DIFFERS = re.compile(r"Difference found: (?P<what>.+)")
_VERIFIED = re.compile(r"Verify complete: (\d+) file\(?s?\)? compared, (\d+) difference\(?s?\)? found")
_LEFT_OUT = re.compile(r"(?:Warning: )?(?:Skipping|Ignoring) (?P<item>.+)")
_GAVE_UP = re.compile(r"(?:\w+Exception|CommandLineError|GPGError|Traceback|Giving up after)\b")
_COMPARED = re.compile(r"(?:File|New file|Link) (?P<item>.+?) (?:has |is |does |doesn't |missing)")
_PROGRESS = re.compile(r"[\d.]+[KMGT]?B \S+ \[[\d.]+[KMGT]?B/s\] \[=*>? *\] (\d+)% ETA (.+)")
_LEFT = re.compile(r"(\d+) ?(d|h|min|sec)")
_SECONDS = {"d": 86_400, "h": 3600, "min": 60, "sec": 1}
_MACHINE = re.compile(r"(ERROR|WARNING|NOTICE|INFO|DEBUG) (\d+)(?: (.*))?")
_UPLOAD = "16"
_INTERRUPTED = 4
_UNPROVEN = "duplicity ended with exit code 0, but without its statistics nobody knows whether it could read all files."


class DuplicitySession:
    """A run of duplicity."""

    def __init__(self, plan: Plan, options: Arguments, inner: Inner) -> None:
        self._kind = plan.kind
        self._watched = plan.spool_stdout
        self._inner = inner
        # Without the block its warnings must do; where they are not printed either, nothing is known.
        self._speaks = options.given("no-print-statistics") and shows_warnings(options)
        self._seen = Findings()
        self._block: dict[str, int] | None = None
        self._statistics: dict[str, int] | None = None
        self._compared: int | None = None
        self._begun = False
        self._usage = False

    def feed(self, line: bytes, stream: Stream) -> Fed:
        """Take one line; the caller sees all of them as they are."""
        text = plain(line).removeprefix(". ")  # which stands before a message in its machine-readable log
        return Fed(self._line(text, stream), line)

    def conclude(self, exit: Exit) -> Result:
        """Conclude from statistics, complaints and exit code."""
        seen = self._seen
        self._take_statistics()
        if exit.code == _INTERRUPTED and not seen.complaints:  # on SIGINT it says nothing and exits 4
            seen.stopped = True
        return conclude(
            seen,
            exit,
            self._inner,
            name="duplicity",
            done=self._done(exit),
            unproven=_UNPROVEN,
            causes=CAUSES,
            advice=advice(seen.complaint),
        )

    def _done(self, exit: Exit) -> str:
        """Return what was achieved, "" if that is not proven."""
        if self._kind in ("backup", "dry-run"):
            proven = self._statistics is not None or (self._speaks and self._watched and exit.code == 0)
            if not proven or exit.code not in (0, None) or self._seen.fatal:
                return ""
            return "It was a dry run: nothing was saved" if self._kind == "dry-run" else "The backup was written"
        told = exit.code in (0, None) or (exit.code == 1 and self._seen.errors > 0)  # 1: there are differences
        if self._compared is not None and told:
            return f"{self._compared} files were compared with the backup"
        if self._kind == "check" or exit.code != 0:
            return ""
        return "The files were restored" if self._kind == "restore" else "duplicity did what it was asked to do"

    def _line(self, text: str, stream: Stream) -> tuple[Event, ...]:
        if self._block is not None and self._figure(text):
            return ()
        if text.startswith("---") and _HEADER.fullmatch(text):
            self._block = {}
            return ()
        if text.startswith("Error ") and (found := _UNREAD.fullmatch(text)):
            item = found["item"] or found["other"]
            return self._seen.problem(text[: -len(item)].strip(), item)
        if self._kind == "backup" and (found := _LEFT_OUT.fullmatch(text)):
            return self._seen.problem("duplicity left it out", found["item"])
        if text.startswith("Difference found: ") and (found := _DIFFERS.match(text)):
            item = _COMPARED.match(found["what"])
            return self._seen.problem(found["what"], item["item"] if item else None)
        if found := _VERIFIED.match(text):
            self._compared = whole(found[1])
            self._seen.files = self._compared
            self._seen.errors = max(self._seen.errors, whole(found[2]))
            return ()
        if found := _MACHINE.fullmatch(text):
            return self._machine(found)
        if "% ETA " in text and (found := _PROGRESS.search(text)):
            return (Progress(Phase.COPYING, eta_seconds=_seconds(found[2]) if int(found[1]) else None),)
        if stream is Stream.ERR and text:
            self._complaint(text)
        return self._begin()

    def _complaint(self, text: str) -> None:
        self._usage = self._usage or text.startswith("Usage:")
        error = text.startswith(("duplicity: error", "Command line error", "CommandLineError"))
        self._seen.fatal = self._seen.fatal or _GAVE_UP.match(text) is not None
        self._seen.complain(text, decisive=error or not (self._usage or text.startswith(("gpg:", "="))))

    def _begin(self) -> tuple[Event, ...]:
        """Its first words come when it has looked into the repository; from then on it copies."""
        if self._begun or self._kind not in ("backup", "dry-run"):
            return ()
        self._begun = True
        return (Progress(Phase.COPYING),)

    def _figure(self, text: str) -> bool:
        """Take a line of the block of statistics; False if it is none."""
        assert self._block is not None
        if found := _FIGURE.fullmatch(text):
            self._block[found[1]] = max(whole(found[2].lstrip("-")), 0) * (-1 if found[2].startswith("-") else 1)
            return True
        if len(text) >= 20 and not text.strip("-") and "Errors" in self._block:
            self._statistics = self._block
        elif not text:
            return True
        self._block = None
        return self._statistics is not None and not text.strip("-")

    def _machine(self, found: "re.Match[str]") -> tuple[Event, ...]:
        """Take the line that begins a message of its machine-readable log: level, number, details."""
        if found[1] == "ERROR":
            self._seen.fatal = True
        if found[1] == "NOTICE" and found[2] == _UPLOAD:
            figures = [int(word[:12]) for word in (found[3] or "").split() if word.isdecimal()]
            if len(figures) == 6:  # bytes, seconds, percent, seconds left, speed, whether it is stalled
                known = figures[2] and not figures[5]
                return (Progress(Phase.COPYING, eta_seconds=figures[3] if known else None),)
        return ()

    def _take_statistics(self) -> None:
        seen, known = self._seen, self._statistics
        if known is None:
            return
        seen.files = _positive(known, "SourceFiles")
        seen.bytes_processed = _positive(known, "SourceFileSize")
        seen.bytes_added = None if self._kind == "dry-run" else _positive(known, "TotalDestinationSizeChange")
        seen.errors = max(seen.errors, known["Errors"])
        if seen.errors and known.get("SourceFiles", 2) <= 1:  # the folder itself
            findings.nothing_read(seen)


def _positive(known: dict[str, int], name: str) -> int | None:
    return max(known[name], 0) if name in known else None


def _seconds(text: str) -> int | None:
    """Return how long "1min 30sec" or "< 45sec" is; None while it is stalled."""
    parts = _LEFT.findall(text)
    return min(sum(int(number[:9]) * _SECONDS[unit] for number, unit in parts), findings.MAX_COUNT) if parts else None
