"""Real engines, bare and under `backup-tray run`: a caller must see the same bytes with every flag and every kind of stream.

Each run of an engine has one flag, one language and one way for its streams (`WAYS`). Text that varies from run to run by
itself (times, rates, ids, the order of lines from several threads) is made the same on both sides, and nothing else is.
"""

import itertools
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.e2e.program import PASSWORD, TRAY, make_repository, make_tree
from tests.e2e.twins import READS_NO_MORE
from tests.waiting import wait_for
from tray.core import clock
from tray.core.dataclass import dataclass

LANGUAGES = ("en", "de", "ja")
WAYS = ("pipes", "one pipe", "files", "one file", "no stdout", "no stderr")
"""Each stream a pipe; `2>&1 |`; each a file; `>file 2>&1`; `>/dev/null`; `2>/dev/null`."""
_SIDES = ("bare", "wrapped")
Rules = tuple[tuple[bytes, bytes], ...]
_ID = (rb"\b[0-9a-f]{8,64}\b", b"ID")


@dataclass(frozen=True)
class Engine:
    """How an engine is called.

    Attributes:
        name: Its name, as its program is called.
        flags: Flags to add to a backup, one at a time.
        words: The backup, behind the program; `{flag}` and `{n}`, the number of the run, are replaced.
        prepare: A command that each folder needs once.
        varies: Expressions for text that differs from run to run, each with its replacement.
        known: Expressions for lines that the wrapper cannot give back as they were, each with its replacement
            (`tray/wrapper/README.md`).
        languages: It speaks more than English.
        unordered: With these flags the order of its lines differs from run to run.
        unordered_when_merged: So it does where both streams are one, since its processes buffer apart.
    """

    name: str
    flags: tuple[str, ...]
    words: tuple[str, ...]
    varies: Rules
    prepare: tuple[str, ...] = ()
    known: Rules = ()
    languages: bool = False
    unordered: tuple[str, ...] = ()
    unordered_when_merged: bool = False


_RATE = (rb"[\d.,]+ ?[kKMGT]?i?B(?:ytes?)?/s(?:ec)?", b"RATE")
_SHUT = "shut"
ENGINES = {
    engine.name: engine
    for engine in (
        Engine(
            "restic",
            ("", "-v", "-q", "--json", "-vv", "--dry-run"),
            ("-r", "repository", "backup", "{flag}", "source", _SHUT, "missing"),
            (
                _ID,
                (rb"\d+\.\d+s\b| in \d+:\d\d|\[\d+:\d\d\]", b"TIME"),
                (
                    rb'"(?:total_duration|seconds_elapsed|seconds_remaining|backup_start|backup_end|data_added|data_added_packed)":[^,}]*',
                    b"FIGURE",
                ),
                (rb'(?m)^\{"message_type":"status".*\n', b""),
                (rb"[\d.]+ KiB added|(?<=to the repository: )[\d.]+ KiB|\d+ B metadata", b"SIZE"),
            ),
            known=(
                # In 0.14's JSON there is neither the id of the parent, nor the stored size, nor the text of some errors.
                (rb"using parent snapshot ID", b"using parent snapshot"),
                (rb"(?<=error: )(?:Open: open )?shut/d2: .*", b"shut/d2"),
                (rb"(?m)^((?:Added to|Would add to) the repository: .*?)(?: \(.* stored\))?$", rb"\1"),
            ),
            unordered=("-vv",),
            unordered_when_merged=True,
        ),
        Engine(
            "borg",
            ("", "-v", "--show-rc", "--stats", "--list", "--json", "--progress", "--warning", "--dry-run"),
            ("create", "{flag}", "repo::n{n}", "source", _SHUT, "missing"),
            (
                _ID,
                (rb"(?m)(?:Time \(\w+\): +|Duration: ).*$", b"TIME"),
                (rb'"(duration|start|end|time|\w+_?modified|\w+_size|\w+_csize)": [^,\n]*', b"FIGURE"),
                (rb"[\d.]+ [kM]?B\b", b"SIZE"),
            ),
            prepare=("init", "-e", "none", "repo"),
            unordered=("--list", "--dry-run"),
        ),
        Engine(
            "rclone",
            # Not -P, to which nothing is added: how often it draws depends on the clock.
            ("", "-v", "-q", "-vv", "--stats-one-line", "--use-json-log", "--dry-run"),
            ("copy", "--config", "rclone.conf", "--retries", "1", "{flag}", ".", "/twin{n}"),
            (
                (rb"\d{4}[/-]\d\d[/-]\d\d[ T][\d:.]+(?:Z|[+-]\d\d:\d\d)?", b"DATE"),
                _RATE,
                (rb"Elapsed time: +\S+|ETA \S+|\d+(?:\.\d+)?m?s\b", b"TIME"),
                (rb"\.[0-9a-f]{8}\.partial", b".PARTIAL"),
                (rb"(errors and|last error was): .*", rb"\1: ONE OF THEM"),
                (rb'(?<="source":")[^"]*', b"PLACE"),
            ),
            unordered=("", "-v", "-q", "-vv", "--stats-one-line", "--use-json-log", "--dry-run"),
        ),
        Engine(
            "rsync",
            ("", "-v", "-q", "-vv", "--progress", "-i", "--stats", "--info=progress2", "--dry-run", "--out-format=%n"),
            ("-a", "{flag}", "source/", _SHUT, "missing", "copy{n}/"),
            (
                (rb"[\d.,]+[KMG]? bytes/sec|(?<=time: )[\d.]+| +[\d.]+[kMG]B/s +\S+", b"#"),
                (rb"(?m)(sent|received):? [\d.,]+[KMG]?|(?<=size: )[\d,]+$|speedup is \S+", b"#"),
            ),
            unordered_when_merged=True,
        ),
        Engine(
            "tar",
            ("", "-v", "-vv", "--totals", "--checkpoint=1", "--zstd", "-I gzip", "--warning=all"),
            ("-c", "{flag}", "-f", "{n}.tar", "source", _SHUT, "missing"),
            (_RATE,),
            languages=True,
        ),
        Engine(
            "duplicity",
            ("", "-v5", "-v1", "--progress", "-v8", "--print-statistics", "--no-print-statistics", "--dry-run"),
            (
                "{flag}",
                "--no-encryption",
                "--allow-source-mismatch",
                "--name",
                "n",
                "--archive-dir",
                "../archive-{side}",
                ".",
                "file://{place}/../copy-{side}",
            ),
            (
                (rb"(?m)^(?:Elapsed|Start|End)Time.*$", b"TIME"),
                (rb"\d{8}T\d{6}Z|\w{3} \w{3} +\d+ [\d:]+ \d{4}|\d\d:\d\d:\d\d(?:[.,]\d+)?|\d{4}-\d\d-\d\d", b"TIME"),
                (rb"duplicity-\w+-tempdir|mktemp-\S+|/tmp\w{8}|tmp\w{8}", b"TEMP"),
                (rb"(?m)^.*(?:ize|bytes|SHA1|PID|pid|fd\b).*$", b"FIGURE"),
                (rb"\d{6,}|\d+(?:,\d{3})+|(?<=\()\d+(?=\))", b"NUMBER"),
                _RATE,
            ),
            languages=True,
            unordered=("-v5", "-v8"),
        ),
        Engine(
            "rdiff-backup",
            ("", "-v3", "-v5", "-v1", "--print-statistics", "--no-file-statistics"),
            ("{flag}", ".", "../copy-{side}"),
            (
                (rb"\w{3} \w{3} +\d+ [\d:]+ \d{4}", b"DATE"),
                (rb"\d{4}-\d\d-\d\dT[\d:+-]+", b"DATE"),
                (rb"(?m)^\w+Time .*$|^.*(?:bytes|Size).*$", b"FIGURE"),
                (rb"rdiff-backup\.tmp\.\d+", b"TEMP"),
            ),
        ),
    )
}


@dataclass(frozen=True)
class Seen:
    """The output and exit code that a caller sees."""

    code: int
    out: bytes
    err: bytes


class Pair:
    """Two folders with the same files for one engine, in which the same commands are run in the same order.

    Args:
        folder: Where they are made.
        engine: The engine.
        program: Its program.
    """

    def __init__(self, folder: Path, engine: Engine, program: str) -> None:
        self._folder, self._engine, self._program, self._number, self._ended = folder, engine, program, 0, 0
        for side in _SIDES:
            place = folder / side
            make_tree(place / "source", files=8, size=2000)
            make_tree(place / _SHUT, files=3, size=2000)
            (place / _SHUT / "d1/file1").chmod(0)
            (place / _SHUT / "d2").chmod(0)
            (place / "rclone.conf").touch()
            if engine.name == "restic":
                make_repository(place / "repository")
            if engine.prepare:
                self._call(side, [program, *engine.prepare], "pipes", "en")

    def run(self, flag: str, way: str, language: str) -> tuple[Seen, Seen]:
        """Run the next backup in both folders; return both outputs, made comparable."""
        self._number += 1
        if self._number > 1:  # some engines name a backup by its second
            wait_for(lambda: int(clock.now_ms() / 1000) > self._ended, what="another second")
        with ThreadPoolExecutor() as pool:
            sides = [pool.submit(self._seen, side, flag, way, language) for side in _SIDES]
            bare, wrapped = (side.result() for side in sides)
        self._ended = int(clock.now_ms() / 1000)
        return bare, wrapped

    def _seen(self, side: str, flag: str, way: str, language: str) -> Seen:
        place = self._folder / side
        (place / "source/d0/file0").write_bytes(self._number.to_bytes() * 3000)
        words: list[str] = [*READS_NO_MORE, self._program]
        for word in self._engine.words:
            filled = word.replace("{n}", str(self._number)).replace("{side}", side).replace("{place}", str(place))
            words += flag.split() if word == "{flag}" else [filled.replace("/twin", str(self._folder / f"{side}-copy"))]
        begin = [*TRAY, "run", "--job", "j", "--"] if side == "wrapped" else []
        seen = self._call(side, [*begin, *words], way, language)
        mixed = flag in self._engine.unordered or (self._engine.unordered_when_merged and way.startswith("one"))
        return Seen(seen.code, *(self._comparable(text, side, mixed=mixed) for text in (seen.out, seen.err)))

    def _call(self, side: str, argv: Sequence[str], way: str, language: str) -> Seen:
        out, err = self._folder / f"{side}.out", self._folder / f"{side}.err"
        with out.open("wb") as out_file, err.open("wb") as err_file:
            into = {
                "pipes": (subprocess.PIPE, subprocess.PIPE),
                "one pipe": (subprocess.PIPE, subprocess.STDOUT),
                "files": (out_file, err_file),
                "one file": (out_file, subprocess.STDOUT),
                "no stdout": (subprocess.DEVNULL, subprocess.PIPE),
                "no stderr": (subprocess.PIPE, subprocess.DEVNULL),
            }[way]
            done = subprocess.run(
                argv,
                cwd=self._folder / side,
                env=self._environ(side, language),
                stdin=subprocess.DEVNULL,
                stdout=into[0],
                stderr=into[1],
                timeout=120,
                check=False,
            )
        return Seen(done.returncode, out.read_bytes() + (done.stdout or b""), err.read_bytes() + (done.stderr or b""))

    def _environ(self, side: str, language: str) -> dict[str, str]:
        base = self._folder / f"{side}-base"
        base.mkdir(exist_ok=True)
        return {
            **os.environ,
            "LANGUAGE": language,
            "LC_ALL": "C.UTF-8",
            "RESTIC_PASSWORD": PASSWORD,
            "RESTIC_CACHE_DIR": str(base / "restic"),
            "BORG_BASE_DIR": str(base),
            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
            "HOME": str(base),
        }

    def _comparable(self, text: bytes, side: str, *, mixed: bool) -> bytes:
        text = text.replace(bytes(self._folder / side), b"/twin").replace(f"-{side}".encode(), b"")
        for pattern, word in (*self._engine.varies, *self._engine.known):
            text = re.sub(pattern, word, text)
        return b"".join(sorted(text.splitlines(keepends=True))) if mixed else text


def rotated(engine: Engine) -> Iterator[tuple[str, str, str]]:
    """Yield each flag of *engine* once, with ways and languages in turn: a part of `product` that has each of them."""
    begin = list(ENGINES).index(engine.name)
    for number, flag in enumerate(engine.flags):
        yield flag, WAYS[(begin + number) % len(WAYS)], LANGUAGES[number % len(LANGUAGES)]


def product(engine: Engine) -> Iterator[tuple[str, str, str]]:
    """Yield every combination of flag, way and language of *engine*."""
    yield from itertools.product(engine.flags, WAYS, LANGUAGES if engine.languages else LANGUAGES[:1])
