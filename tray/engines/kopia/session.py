"""One run of kopia, understood line by line, in plain text or (where the user asks for it) in JSON.

The estimate of the whole is kopia's own and may grow; sizes are rounded to a tenth of their unit, in thousands or, by
KOPIA_BYTES_STRING_BASE_2, in 1024s.
"""

import re
from typing import Any

from tray.core.model import Phase
from tray.engines.access import ACCESS
from tray.engines.base import Event, Exit, Fed, Plan, Progress, Result, Stream
from tray.engines.decode import decode
from tray.engines.emptied import holds_nothing
from tray.engines.findings import MAX_COUNT, Findings, causes, conclude, whole
from tray.engines.recognise import Inner
from tray.engines.text import plain, valid

_SIZE = r"(\d+(?:\.\d+)?) ?([KMGTPE]?i?B)"
_UPDATE = re.compile(
    rf"\W*(?P<hashing>\d+) hashing, (?P<hashed>\d+) hashed \({_SIZE}\), (?P<cached>\d+) cached \({_SIZE}\), uploaded {_SIZE}"
    rf"(?P<errors>(?: \([^)]*error[^)]*\))*)(?:, estimat(?:ed {_SIZE} \((?P<percent>[\d.]+)%\)(?: (?P<left>\S+) left)?|ing\S*))?.*"
)
_ERRORS = re.compile(r"(\d+) (?:fatal )?errors?")
_LEFT = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_LEVEL = re.compile(r"(?:(?P<level>ERROR|WARN(?:ING)?|INFO|NOTICE|DEBUG)\b:?\s*)?(?P<what>.*)")
_CREATED = re.compile(r"Created(?P<partial> partial)? snapshot with root (?P<root>\S+) and ID (?P<id>[0-9a-f]+)")
_FOUND = re.compile(r"(?P<kind>Found|Ignored) (?P<count>\d+) (?:fatal )?error\(?s?\)? while snapshotting")
_ITEM = re.compile(r"(?:! )?(?:Error when processing|Ignored error when processing) \"(?P<item>.+?)\": (?P<why>.+)")
_TROUBLE = re.compile(r"(?i)\berror|fail|unable|cannot|could ?n[o']t|skipp|ignor|corrupt|missing")
_SAME = "Not saving snapshot because no files have been changed"
_POWERS = "KMGTPE"
_MAX_JSON = 1024 * 1024
CAUSES = causes(
    (
        (r"no space left on device", "There is no space left where the repository (or kopia's cache) is; free some."),
        *ACCESS,
        (r"invalid repository password|(?:wrong|incorrect) password", "The password of the repository is wrong."),
        (
            r"repository is not connected|not connected to a repository",
            "kopia is not connected to a repository; connect with `kopia repository connect`.",
        ),
        (
            r"open repository:.*no such file|repository not initialized",
            "kopia found no repository where it is connected to; check whether its disk is mounted.",
        ),
        (
            r"unable to get local filesystem entry:?(.*)|(?:lstat|stat) (.+): no such file or directory",
            "The source does not exist, so nothing was backed up; check its path, and whether its disk is mounted.",
        ),
        (r"no snapshot sources", "kopia was told nothing to back up; name the folders, or use `--all`."),
        (r"error: (.+)", "kopia gave up: {1}."),
    )
)

EVERYTHING = ("everything backed up before",)
"""What stands for the sources of `snapshot create --all`: nobody knows how many they are."""


class KopiaSession:
    """A run of kopia."""

    def __init__(self, plan: Plan, inner: Inner) -> None:
        self._kind = plan.kind
        self._sources = plan.sources
        self._inner = inner
        self._seen = Findings()
        self._saved = 0
        self._counted = 0
        self._partial = False
        self._same = False
        self._fatal_errors = False
        self._document = bytearray()

    def feed(self, line: bytes, stream: Stream) -> Fed:
        """Take one line; the caller sees all of them as they are."""
        if stream is Stream.OUT and self._kind == "backup" and self._json(line):
            return Fed((), line)
        text = plain(line)
        if " hashed (" in text and (found := _UPDATE.fullmatch(text)):
            return Fed((self._update(found),), line)
        return Fed(self._line(text), line)

    def conclude(self, exit: Exit) -> Result:
        """Conclude from its words and its exit code."""
        result = conclude(self._seen, exit, self._inner, name="kopia", done=self._done(exit), causes=CAUSES)
        return holds_nothing(result) if self._kind == "backup" and self._seen.files == 0 else result

    def _done(self, exit: Exit) -> str:
        """Return what was achieved, "" if that is not proven."""
        if self._kind != "backup":
            done = {"restore": "The files were restored", "check": "The snapshots were verified"}
            good = exit.code == 0 and not self._seen.fatal
            return done.get(self._kind, "kopia did what it was asked to do") if good else ""
        good = exit.code in (0, None) or (exit.code == 1 and self._fatal_errors and not self._seen.fatal)
        if not good or (self._partial and (exit.asked or exit.code != 0)):  # an error may follow
            return ""
        if exit.code is None and (
            self._sources == EVERYTHING or self._saved < len(self._sources)
        ):  # another may have failed
            return ""
        if self._partial:
            self._seen.problem("the snapshot is incomplete")
        if self._saved:
            many = f"{self._saved} snapshots were saved" if self._saved > 1 else "was saved"
            return many if self._saved > 1 else f"Snapshot {(self._seen.snapshot or '')[:8]} {many}"
        return "Nothing had changed, so no new snapshot was made" if self._same and exit.code == 0 else ""

    def _update(self, found: "re.Match[str]") -> Event:
        sizes = found.groups()
        done = min(_bytes(sizes[2], sizes[3]) + _bytes(sizes[5], sizes[6]), MAX_COUNT)
        total = _bytes(sizes[10], sizes[11]) if sizes[10] else None
        files = whole(found["hashed"]) + (0 if total is None else whole(found["cached"]))
        errors = sum(whole(count) for count in _ERRORS.findall(found["errors"] or ""))
        return Progress(
            Phase.SCANNING if total is None else Phase.COPYING,
            files_done=min(files, MAX_COUNT),
            bytes_done=done,
            bytes_total=None if total is None else min(max(total, done), MAX_COUNT),
            eta_seconds=_seconds(found["left"]) if found["left"] else None,
            errors=min(errors, MAX_COUNT),
        )

    def _line(self, text: str) -> tuple[Event, ...]:
        said = _LEVEL.fullmatch(text)
        what, level = (said["what"], said["level"] or "") if said else (text, "")
        if found := _CREATED.search(what):
            self._saved += 1
            self._partial = self._partial or found["partial"] is not None
            self._seen.snapshot = found["id"][:64]
        elif found := _ITEM.search(what):
            return self._seen.problem(found["why"], found["item"])
        elif found := _FOUND.search(what):
            self._fatal_errors = self._fatal_errors or found["kind"] == "Found"
            return self._counts(what, whole(found["count"]))
        elif _SAME in what:
            self._same = True
        elif what.startswith(("error: ", "kopia: error", "error running maintenance")) or level == "ERROR":
            return self._error(what)
        elif level.startswith("WARN") and _TROUBLE.search(what):
            return self._seen.problem(what)
        elif what and not what.startswith("Snapshotting "):
            self._seen.complain(what)
        return ()

    def _counts(self, what: str, count: int) -> tuple[Event, ...]:
        """Take how many errors a snapshot had; each of several snapshots tells its own."""
        seen = self._seen
        seen.complain(what)
        self._counted = min(self._counted + count, MAX_COUNT)
        events = seen.problem(what) if count and not seen.problems else ()
        seen.errors = max(seen.errors, self._counted)
        return events

    def _error(self, what: str) -> tuple[Event, ...]:
        """Take an error about the whole run. After the snapshot (its maintenance failed) it takes nothing from what is saved."""
        self._seen.fatal = True
        self._seen.complain(what, decisive=True)
        return self._seen.problem(what) if self._saved else ()

    def _json(self, line: bytes) -> bool:
        """Whether the line belongs to a manifest in JSON; takes the manifest when it is whole."""
        if not self._document and line[:1] != b"{":
            return False
        self._document += line
        if len(self._document) > _MAX_JSON:
            self._document.clear()
            return False
        if line[:1] in b"{}" and line.rstrip(b"\r\n").endswith(b"}"):
            manifest = decode(bytes(self._document))
            if manifest is not None or line[:1] == b"}":
                self._document.clear()
            if manifest is not None:
                self._manifest(manifest)
        return True

    def _manifest(self, manifest: dict[str, Any]) -> None:
        """Take the manifest of a snapshot: its id, its counts, and what is missing in it."""
        seen, root = self._seen, manifest.get("rootEntry")
        summary = root.get("summ") if isinstance(root, dict) else None
        identity = manifest.get("id")
        if not isinstance(identity, str) or not identity or not isinstance(summary, dict):
            return
        self._saved += 1
        seen.snapshot = valid(identity)[:64]
        seen.files, seen.bytes_processed = _count(summary, "files"), _count(summary, "size")
        reason = manifest.get("incomplete")
        if isinstance(reason, str) and reason:
            seen.problem(f"the snapshot is incomplete: {valid(reason)}")
        failures = summary.get("errors")
        for failure in failures if isinstance(failures, list) else ():
            if isinstance(failure, dict) and isinstance(failure.get("path"), str):
                why = failure.get("error")
                seen.problem(valid(why) if isinstance(why, str) else "could not be read", valid(failure["path"]))
        failed, ignored = _count(summary, "numFailed") or 0, _count(summary, "numIgnoredErrors") or 0
        seen.errors = max(seen.errors, min(failed + ignored, MAX_COUNT))


def _count(message: dict[str, Any], key: str) -> int | None:
    value = message.get(key, 0)
    return value if type(value) is int and 0 <= value <= MAX_COUNT else None


def _bytes(number: str, unit: str) -> int:
    base = 1024 if "i" in unit else 1000
    power = _POWERS.find(unit[:1]) + 1 if len(unit) > 1 else 0
    return min(round(float(number[:15]) * float(base) ** power), MAX_COUNT)


def _seconds(text: str) -> int | None:
    """Return how long Go's "1h2m3s" is."""
    parts = _LEFT.findall(text)
    return min(int(sum(float(number[:15]) * _SECONDS[unit] for number, unit in parts)), MAX_COUNT) if parts else None
