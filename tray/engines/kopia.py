"""kopia, by its documented output; it was not run.

From kopia's reference (kopia.io, "Command-Line Interface") and its public issue threads: it reports its progress on stderr several
times a second, each time with a carriage return; then it names the snapshot. Errors end it with exit code 1. The estimate of the
whole is kopia's own and may grow; sizes are rounded to a tenth of their unit.

The command stays as it is. `--json` would say more, but with it kopia ends with exit code 0 where it ends with 1 without it (files
that it cannot read), and the caller must see the output of kopia alone.
"""

import os
import re
import signal
from collections.abc import Mapping
from typing import Any

from tray.core import regex
from tray.core.model import Phase
from tray.core.redact import Harmless
from tray.engines.adapter import program_names
from tray.engines.arguments import Arguments, grammar
from tray.engines.base import STOP, Built, Event, Exit, Fed, Progress, Stop, Stream, Wish
from tray.engines.causes import causes
from tray.engines.findings import MAX_COUNT, whole
from tray.engines.line_engine import Call, LineEngine, LineSession
from tray.engines.text import count, decode, text_of, words

_GRAMMAR = grammar(
    values="""config-file log-file log-dir log-level file-log-level content-log-file log-dir-max-files log-dir-max-age
    timezone progress-update-interval progress-estimation-type upload-limit-mb checkpoint-interval force-hash parallel
    start-time end-time stdin-file tags pin log-dir-detail log-entry-detail override-source verify-files-percent
    file-parallelism file-queue-length max-errors sources directory-id file-id mode skip-times snapshot-time safety
    metrics-listen-addr max-download-speed-mb-per-second max-upload-speed-mb-per-second p:password persist-credentials
    description""",
    switches="""progress all help version json no-progress fail-fast""",
    shortens=False,
)
_KINDS = {
    ("snapshot", "create"): "backup",
    ("snapshot", "restore"): "restore",
    ("snapshot", "verify"): "check",
    ("snapshot", "expire"): "prune",
    ("snapshot", "delete"): "prune",
    ("content", "verify"): "check",
    ("maintenance", "run"): "prune",
}
_EVERYTHING = ("everything backed up before",)
"""Stands for the sources of `snapshot create --all`, whose number is not known."""
_SIZE = r"(\d+(?:\.\d+)?) ?([KMGTPE]?i?B)"
_UPDATE = regex.compile(
    rf"\W*\d+ hashing, (?P<hashed>\d+) hashed \({_SIZE}\), (?P<cached>\d+) cached \({_SIZE}\), uploaded {_SIZE}"
    rf"(?P<errors>(?: \([^)]*error[^)]*\))*)(?:, estimat(?:ed {_SIZE} \([\d.]+%\)(?: (?P<left>\S+) left)?|ing\S*))?.*"
)
_ERRORS = regex.compile(r"(\d+) (?:fatal )?errors?")
_LEFT = regex.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_LEVEL = regex.compile(r"(?:(?P<level>ERROR|WARN(?:ING)?|INFO|NOTICE|DEBUG)\b:?\s*)?(?P<message>.*)")
_CREATED = regex.compile(r"Created(?P<partial> partial)? snapshot with root \S+ and ID (?P<id>[0-9a-f]+)")
_COUNTED = regex.compile(r"(?P<kind>Found|Ignored) (?P<count>\d+) (?:fatal )?error\(?s?\)? while snapshotting")
_ITEM = regex.compile(r"(?:! )?(?:Error when processing|Ignored error when processing) \"(?P<item>.+?)\": (?P<why>.+)")
_TROUBLE = regex.compile(r"(?i)\berror|fail|unable|cannot|could ?n[o']t|skipp|ignor|corrupt|missing")
_SAME = "Not saving snapshot because no files have been changed"
_MAX_JSON = 1024 * 1024
_REASONS = r"""
no space left on device
    There is no space left where the repository (or kopia's cache) is; free some.
<access>
invalid repository password|(?:wrong|incorrect) password
    The password of the repository is wrong.
repository is not connected|not connected to a repository
    kopia is not connected to a repository; connect with `kopia repository connect`.
open repository:.*no such file|repository not initialized
    kopia found no repository where it is connected to; check whether its disk is mounted.
unable to get local filesystem entry:?|l?stat .+: no such file or directory
    The source does not exist, so nothing was backed up; check its path, and whether its disk is mounted.
no snapshot sources
    kopia was told nothing to back up; name the folders, or use `--all`.
error: (.+)
    kopia gave up: {1}.
"""


class KopiaRun(LineSession):
    """A run of kopia, in plain text or (where the user asks for it) in JSON."""

    name = "kopia"
    others: Mapping[str, str] = {"restore": "The files were restored", "check": "The snapshots were verified"}
    causes = causes(_REASONS)
    _saved = 0
    _counted = 0
    _partial = _same = _fatal_errors = False
    _document = b""

    def feed(self, line: bytes, stream: Stream) -> Fed:
        """Take one line; a manifest in JSON has many."""
        if stream is Stream.OUT and self.plan.kind == "backup" and self._json(line):
            return Fed((), line)
        return super().feed(line, stream)

    def line(self, text: str, stream: Stream) -> tuple[Event, ...]:  # noqa: ARG002 - its words may come on either
        """Take an update of its progress, or a message."""
        if " hashed (" in text and (update := _UPDATE.fullmatch(text)):
            return (_progress(update),)
        said = _LEVEL.fullmatch(text)
        message, level = (said["message"], said["level"] or "") if said else (text, "")
        if match := _CREATED.search(message):
            self._saved += 1
            self._partial = self._partial or match["partial"] is not None
            self.seen.snapshot = match["id"][:64]
        elif match := _ITEM.search(message):
            return self.seen.problem(match["why"], match["item"])
        elif match := _COUNTED.search(message):
            self._fatal_errors = self._fatal_errors or match["kind"] == "Found"
            return self._counts(message, whole(match["count"]))
        elif _SAME in message:
            self._same = True
        elif message.startswith(("error: ", "kopia: error", "error running maintenance")) or level == "ERROR":
            self.seen.fatal = True
            self.seen.complain(message, decisive=True)
            return self.seen.problem(message) if self._saved else ()  # its maintenance failed: the snapshot stays saved
        elif level.startswith("WARN") and _TROUBLE.search(message):
            return self.seen.problem(message)
        elif message and not message.startswith("Snapshotting "):
            self.seen.complain(message)
        return ()

    def achieved(self, exit: Exit) -> str:
        """Return how many snapshots were saved; one that is named may be followed by an error about the next source."""
        if self.plan.kind != "backup":
            return super().achieved(exit)
        good = exit.code in (0, None) or (exit.code == 1 and self._fatal_errors and not self.seen.fatal)
        if not good or (self._partial and (exit.asked or exit.code != 0)):
            return ""
        sources = self.plan.sources
        if exit.code is None and (sources == _EVERYTHING or self._saved < len(sources)):
            return ""
        if self._partial:
            self.seen.problem("the snapshot is incomplete")
        if self._saved > 1:
            return f"{self._saved} snapshots were saved"
        if self._saved:
            return f"Snapshot {(self.seen.snapshot or '')[:8]} was saved"
        return "Nothing had changed, so no new snapshot was made" if self._same and exit.code == 0 else ""

    def _counts(self, message: str, errors: int) -> tuple[Event, ...]:
        """Take how many errors a snapshot had; each of several snapshots tells its own."""
        self.seen.complain(message)
        self._counted = min(self._counted + errors, MAX_COUNT)
        events = self.seen.problem(message) if errors and not self.seen.problems else ()
        self.seen.errors = max(self.seen.errors, self._counted)
        return events

    def _json(self, line: bytes) -> bool:
        """Take a line of a manifest in JSON, and the manifest with its last one; False if it is none."""
        if not self._document and line[:1] != b"{":
            return False
        self._document += line
        if len(self._document) > _MAX_JSON:
            self._document = b""
            return False
        if line[:1] in b"{}" and line.rstrip(b"\r\n").endswith(b"}"):
            manifest = decode(self._document)
            if manifest is not None or line[:1] == b"}":
                self._document = b""
            if manifest is not None:
                self._manifest(manifest)
        return True

    def _manifest(self, manifest: Mapping[str, Any]) -> None:
        """Take the manifest of a snapshot: its id, its counts, and the files that are missing in it."""
        seen, root = self.seen, manifest.get("rootEntry")
        summary = root.get("summ") if isinstance(root, dict) else None
        identity = text_of(manifest.get("id"))
        if not identity or not isinstance(summary, dict):
            return
        self._saved += 1
        seen.snapshot = identity[:64]
        seen.files, seen.bytes_processed = count(summary, "files"), count(summary, "size")
        if reason := text_of(manifest.get("incomplete")):
            seen.problem(f"the snapshot is incomplete: {reason}")
        failures = summary.get("errors")
        for failure in failures if isinstance(failures, list) else ():
            if isinstance(failure, dict) and isinstance(failure.get("path"), str):
                seen.problem(text_of(failure.get("error")) or "could not be read", text_of(failure["path"]))
        seen.errors = max(seen.errors, min(count(summary, "numFailed") + count(summary, "numIgnoredErrors"), MAX_COUNT))


class Kopia(LineEngine):
    """The engine for kopia."""

    name = "kopia"
    counts_files = True
    programs = program_names("kopia")
    """`kopia`, `kopia-0.17`, `kopia.exe`; not `kopia-ui`."""
    grammar = _GRAMMAR
    harmless = Harmless(
        _GRAMMAR,
        _GRAMMAR.values - words("password persist-credentials description"),
        subcommands=words("snapshot snap restore maintenance policy show ls list diff"),
    )
    choose = ("override-source", "tags", "stdin-file")
    stop: Stop = ((signal.SIGINT, 60.0), *STOP[1:])  # it first saves an incomplete snapshot
    returns = True
    runs = KopiaRun

    def call(self, options: Arguments, environ: Mapping[str, str]) -> Call:
        """Read group and verb; the configuration stands for the repository, which kopia's command lines do not name."""
        config = options.last("config-file") or environ.get("KOPIA_CONFIG_PATH")
        repository = f"connected in {config}" if config else None
        group, verb, *rest = (*options.words, "", "")
        group = "snapshot" if group == "snap" else group
        kind = "restore" if group == "restore" else _KINDS.get((group, verb), "other")
        # Without `--delete` these only list the snapshots that they would remove.
        lists = verb in ("expire", "delete") and not options.on("delete")
        if lists or options.given("help", "help-long", "help-man", "version"):
            kind = "other"
        sources = _EVERYTHING if options.given("all") else [word for word in rest if word]
        return Call(kind, sources if kind == "backup" else (), repository)

    def backup_command(self, wish: Wish) -> Built:
        """Return `kopia snapshot create`; kopia keeps the password where it was connected, or takes it from the environment.

        Like all of this module it follows kopia's documentation, and was not run.

        Raises:
            ValueError: The repository is no file of a connection, or files are to be left out, which kopia does by its policy.
        """
        if not os.path.isabs(wish.repository) or not wish.repository.endswith(".config"):
            raise ValueError(
                "kopia's command line names no repository: connect once with `kopia repository connect`, and name the file that "
                "this writes as the `repository`, such as ~/.config/kopia/repository.config"
            )
        if wish.excludes:
            raise ValueError(
                "kopia leaves files out by its policy: `kopia policy set SOURCE --add-ignore PATTERN` in place of `excludes`"
            )
        argv = ("kopia", "snapshot", "create", f"--config-file={wish.repository}", *wish.options, *wish.sources)
        return Built(argv, password_variable="KOPIA_PASSWORD")  # noqa: S106 - the name of the variable


def _progress(update: "re.Match[str]") -> Progress:
    """Return how far kopia is: hashed and cached is done, and there is no whole before it estimates one."""
    sizes = update.groups()
    done = min(_bytes(sizes[1], sizes[2]) + _bytes(sizes[4], sizes[5]), MAX_COUNT)
    total = _bytes(sizes[9], sizes[10]) if sizes[9] else None
    files = whole(update["hashed"]) + (0 if total is None else whole(update["cached"]))
    return Progress(
        Phase.SCANNING if total is None else Phase.COPYING,
        files_done=min(files, MAX_COUNT),
        bytes_done=done,
        bytes_total=None if total is None else min(max(total, done), MAX_COUNT),
        eta_seconds=_seconds(update["left"]) if update["left"] else None,
        errors=min(sum(whole(number) for number in _ERRORS.findall(update["errors"] or "")), MAX_COUNT),
    )


def _bytes(number: str, unit: str) -> int:
    """Return a size, in 1024s where KOPIA_BYTES_STRING_BASE_2 is set."""
    base = 1024 if "i" in unit else 1000
    power = "KMGTPE".find(unit[:1]) + 1 if len(unit) > 1 else 0
    return min(round(float(number[:15]) * float(base) ** power), MAX_COUNT)


def _seconds(text: str) -> int | None:
    """Return how long Go's "1h2m3s" is."""
    parts = _LEFT.findall(text)
    return min(int(sum(float(number[:15]) * _SECONDS[unit] for number, unit in parts)), MAX_COUNT) if parts else None


ENGINE = Kopia()
