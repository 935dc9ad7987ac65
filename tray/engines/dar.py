"""dar, 2.7: an engine in one module, and the one to copy.

dar prints nothing while it works (unless the user asks for it), so its progress is the number of bytes that its process writes. Its
exit code is 0 when all went well, 5 when it could not read files, 11 when files changed meanwhile, and 4 when it had a question but
no terminal.

It says nothing of a `-g` that is not there, so the wrapper looks for that. A folder that it cannot list leaves the exit code at 0,
and only one line tells of it. In English those lines are known. In another language (French, Swedish) every line before the
statistics counts as a problem; with `-v`, which adds lines, the result is unknown.
"""

import posixpath
from collections.abc import Mapping

from tray.core import regex
from tray.core.model import Phase
from tray.core.redact import Harmless
from tray.engines.adapter import program_names
from tray.engines.arguments import Arguments, grammar
from tray.engines.base import Event, Exit, Progress, Stream
from tray.engines.causes import causes
from tray.engines.findings import MAX_COUNT, whole
from tray.engines.line_engine import Call, LineEngine, LineSession
from tray.engines.text import words

_GRAMMAR = grammar(
    values="""c:create x:extract l:list t:test d:diff C:isolate +:merge y:add-missing-catalogue A:ref @:aux R:fs-root X:exclude
    I:include P:prune g:go-into [:include-from-file ]:exclude-from-file u:exclude-ea U:include-ea 4:fsa-scope a:alter B:batch
    s:slice S:first-slice Z:exclude-compression Y:include-compression m:mincompr 1:sparse-file-min-size ^:slice-mode
    _:retry-on-change 3:hash /:overwriting-policy 9:min-digits G:multi-thread j:network-retry-delay #:crypto-block
    *:ref-crypto-block %:aux-crypto-block T:kdf-param 8:delta 6:delta-sig-min-size {:include-delta-sig }:exclude-delta-sig
    <:backup-hook-include >:backup-hook-exclude 2:dirty-behavior ':modified-data-detection i:input o:output pipe-fd
    \\:ignored-as-symlink .:user-comment 7:sign K:key J:ref-key $:aux-key E:execute F:ref-execute ~:aux-execute
    =:backup-hook-execute""",
    switches="""h:help V:version q:quiet b:beep N:noconf Q:no-questions n:no-overwrite e:dry-run 0:sequential-read D:empty-dir
    nodump r:recent f:flat ,:cache-directory-tagging""",
    optional="v:verbose w:no-warn O:comparison-field H:hour z:compression p:pause M:mount-points k:deleted 5:exclude-by-ea",
)
_SECRET = words("key ref-key aux-key execute ref-execute aux-execute backup-hook-execute user-comment sign")
"""Options whose values may hold a secret; all others are shown."""
_KINDS = {"create": "backup", "extract": "restore", "test": "check", "diff": "check"}
_PROBLEM = regex.compile(
    r"(?:Cannot read directory contents: |Error while (?:saving|restoring|considering file) (?!data: )|Error reading inode of file "
    r"|Failed reading inode information for |(?:Warning: )?Failed reading |ERR |DIFF )(?P<item>.+?) ?: (?P<why>.+)"
    r"|WARNING! File modified while reading it.*(?:retry allowed: |File is )(?P<changed>.+)"
    r"|(?P<kept>.+) not restored \(user choice\)"
)
_ADDED = regex.compile(r"Adding (?:\w+ )+to archive: (.+)")
_RULE = regex.compile(r"-{40,}")
_FIGURE = regex.compile(r"(\d+) (?:inode|item)\(s\) (.+)")
_SAVED = ("saved", "with only metadata changed", "not saved (no inode/file change)")
_LOST = regex.compile(r"failed to|changed at the moment|with error|do not match")
_BEGIN = regex.compile(r"(?:No|Aucun|Ingen) terminal|Arguments read|Archive \w+ termination|Disabling signal")
_HARMLESS = regex.compile(r"Final memory cleanup|Warning, the archive ")
_DONE = {
    "backup": "The archive was written",
    "dry-run": "It was a dry run: nothing was saved",
    "restore": "The files were restored",
    "check": "The archive was read and compared",
}
_ALL_RULES = 3
_MOST = 100
_REASONS = r"""
No space left on device
    There is no space left where the archive is written; free some.
filesystem information at (.+?):
    The source {1} does not exist, so nothing was backed up; check its path, and whether its disk is mounted.
Error opening directory: (.+?) : No such file
    The folder {1} for the archive does not exist; check its path, and whether its disk is mounted.
No backup file is present in (\S+) for archive (.+?),
    There is no archive {2} in {1}; check its name.
about to be overwritten|Overwriting not allowed
    The archive exists already and was kept; give each archive a name of its own.
user command
    A command that dar was to run (`-E`, `-F`) failed; its own words are in the log of this run.
elastic buffer
    The archive could not be read: the password is wrong, or the archive is damaged.
corrupted in the archive|end of the archive is corrupted|Cannot open catalogue
    The archive is damaged.
<access>
(?:Parse error: +|aborting operation: |while asking: |following reason: |saving data: )(.+)
    dar gave up: {1}.
"""


class DarRun(LineSession):
    """A run of dar."""

    name = "dar"
    unproven = (
        "dar ended with exit code 0, but its lines about folders that it could not read are not known in this language."
    )
    causes = causes(_REASONS)
    _rules = 0
    _english = False
    _unknown: tuple[str, ...] = ()

    def line(self, text: str, stream: Stream) -> tuple[Event, ...]:
        """Take a line of the statistics, which stand between rules, or one before them."""
        if _RULE.fullmatch(text):
            self._rules += 1
        elif self._rules:
            self._figure(text)
        elif match := _ADDED.fullmatch(text):
            return (Progress(Phase.COPYING, current=match[1]),)
        elif match := _PROBLEM.fullmatch(text):
            why = match["why"] or (
                "it changed while dar was reading it" if match["changed"] else "it was left as it is"
            )
            return self.seen.problem(why, match["item"] or match["changed"] or match["kept"])
        elif text.startswith("Received signal: "):
            self.seen.stopped = True
        elif stream is Stream.ERR and text:
            self.seen.complain(text, decisive=not _BEGIN.match(text))
        elif text and not (_HARMLESS.match(text) or _BEGIN.match(text)) and len(self._unknown) < _MOST:
            self._unknown = (*self._unknown, text)
        return ()

    def achieved(self, exit: Exit) -> str:
        """Conclude the achievement; where files are missing (5, 11), only if the statistics prove that dar came to its end."""
        seen, partly = self.seen, exit.code in (5, 11)
        if self.plan.kind == "other":
            return super().achieved(exit)
        if seen.stopped or exit.code not in (0, 5, 11) or (partly and self.options.given("test")):
            return ""
        if not self._english and self._unknown:
            if exit.code == 0 and self.options.given("verbose"):
                return ""
            for text in self._unknown:
                seen.problem(text)
        if partly and self._rules < _ALL_RULES and not (self.options.given("quiet") and seen.errors):
            return ""
        if partly and not seen.errors:
            seen.problem("some files could not be read, or they changed meanwhile")
        return _DONE[self.plan.kind]

    def _figure(self, text: str) -> None:
        self._english = self._english or text.startswith("Total number of ")
        if match := _FIGURE.fullmatch(text):
            number = whole(match[1])
            if match[2] in _SAVED:
                self.seen.files = min((self.seen.files or 0) + number, MAX_COUNT)
            elif _LOST.match(match[2]):
                self.seen.errors = max(self.seen.errors, number)


class Dar(LineEngine):
    """The engine for dar."""

    name = "dar"
    programs = program_names("dar")
    """`dar`, `dar-2.7`, `dar.exe`; not `dar_manager`."""
    grammar = _GRAMMAR
    harmless = Harmless(_GRAMMAR, (_GRAMMAR.values | _GRAMMAR.optional) - _SECRET, subcommands=frozenset(("",)))
    choose = ("include",)
    passes_over_missing = True
    writes = True
    runs = DarRun

    def call(self, options: Arguments, environ: Mapping[str, str]) -> Call:  # noqa: ARG002 - no variable counts
        """Read the command, the archive, and the sources: folders below `-R`, and lists of them."""
        command = next((name for name in _KINDS if options.given(name)), "")
        kind = "other" if options.given("help", "version") else _KINDS.get(command, "other")
        if options.given("dry-run"):
            kind = "dry-run" if kind == "backup" else "other"
        root = options.last("fs-root") or "."
        below = [posixpath.normpath(posixpath.join(root, path)) for path in options.every("go-into")]
        lists = [f"listed in {path}" for path in options.every("include-from-file", "batch")]
        archive = options.last(command) or None
        return Call(
            kind,
            (*(below or [root]), *lists) if command == "create" else (),
            None if archive == "-" else archive,
            pipes=archive == "-",
        )


ENGINE = Dar()
