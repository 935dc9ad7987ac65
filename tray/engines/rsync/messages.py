"""Read the messages of rsync: errors, warnings, and the figures at its end."""

from tray.core import regex
from tray.core.dataclass import dataclass, field
from tray.engines.base import Event
from tray.engines.findings import Findings
from tray.engines.text import plain

_MAX_TEXT = 20  # lines that may say why it failed
_START = regex.compile(
    rb"rsync|(?:file|directory) has vanished|skipping |@?ERROR|WARNING|\*\*\* Skipping|IO error"
    rb"|ssh: |Host key |Permission denied|Connection |kex_exchange|(?:ba)?sh: "
)
"""Messages of rsync and of the programs that connect it begin like this."""
_SAID = regex.compile(r"rsync (?:error|warning): (.*) \(code (\d{1,3})\) at ")
_ERROR = regex.compile(
    r'rsync: (?:\[(?P<role>\w+)\] )?(?P<what>[^"]*)"(?P<item>.*?)"(?P<rest>.*?): (?P<why>[^:()"]+) \(\d+\)(?:\*\*)?$'
)
_VANISHED = regex.compile(r'(?:file|directory) has vanished: "(.*)"')
_VERIFY = regex.compile(r"(?:ERROR|WARNING): (.+) failed verification -- update (discarded|put into partial-dir)")
_SKIPPED = regex.compile(r"skipping directory (.+)$")
_LEFT_OUT = regex.compile(
    r"skipping (?P<what>non-regular file|(?:server|daemon|sender|receiver)-excluded \w+|overly long name:?|long filename|\w+) ?"
    r'"?(?P<item>.*?)"?$'
)
"""Items that rsync leaves out by itself. It is silent about those that the user excluded."""
_MISSING = regex.compile(r"link_stat|change_dir")
_LOST = regex.compile(
    r"send_files failed to open|mkstemp|write failed|read errors mapping|rename|open(?!dir)|copy_file"
)
_ASIDE = regex.compile(
    r"failed to set|ch(?:own|grp|mod)|set_acl|\w*setxattr|rsync_xal|utime|delete_file|cannot delete|unlink|rmdir"
)
_TEMPORARY = regex.compile(r"((?:.*/)?)\.(.+)\.[A-Za-z0-9]{6}")
_UNIT = regex.compile(rb"([\d.,]+)([kKMGTP]?)(?: |\n|\r|$)")
_REG = regex.compile(rb"\(reg: ([\d.,]+)")
_DIR = regex.compile(rb"\bdir: ([\d.,]+)")
_WORDS = {
    "link_stat": "it could not be found",
    "change_dir": "it could not be found",
    "send_files failed to open": "it could not be opened",
    "opendir": "its contents could not be listed",
    "mkstemp": "it could not be written",
    "recv_generator: mkdir": "the folder could not be made",
}


@dataclass(slots=True)
class Seen:
    """The contents of a run's output.

    Attributes:
        complete: The figures that rsync prints when it is done.
        listed: Entries in the list of files, folders too.
        regular: Regular files among them.
        bare: There are folders among them only.
        transferred: Regular files of which the copy began; also those that then failed.
        lost: Regular files in the list that did not come over.
        missing: Sources that are not there.
        unreadable: Problems of the sending side.
        refused: Problems of the receiving side that keep files away, as against owners or times that could not be set.
        skipped: Folders that were left out, because recursion was not asked for.
        left: Other items that were left out.
        deleted: Files that were deleted from the copy; None if that is not known.
        said: Exit codes that rsync announced, the first one first, with its words.
        findings: Problems, lines that may be the reason of a failure, and the figures that are stored.
    """

    complete: bool = False
    listed: int | None = None
    regular: int | None = None
    bare: bool = False
    transferred: int | None = None
    transferred_bytes: int | None = None
    literal: int | None = None
    lost: int = 0
    missing: list[str] = field(default_factory=list)
    unreadable: int = 0
    refused: int = 0
    vanished: int = 0
    skipped: list[str] = field(default_factory=list)
    left: int = 0
    deleted: int | None = None
    said: list[tuple[int, str]] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)


class Messages:
    """Collector of the messages of a run.

    Args:
        wished: The user asked for links, devices or special files to be left out.
    """

    def __init__(self, *, wished: bool = False) -> None:
        self.seen = Seen()
        self._wished = wished

    def take(self, line: bytes) -> tuple[Event, ...] | None:
        """Return the problems that *line* tells of; None if it is no message of rsync's (or of the program that connects it)."""
        if not _START.match(line):
            return None
        text, seen = plain(line), self.seen
        if match := _SAID.match(text):
            if len(seen.said) < _MAX_TEXT:
                seen.said.append((int(match[2]), match[1]))
            return ()
        if match := _VANISHED.match(text):
            seen.vanished += 1
            return seen.findings.problem("it vanished before it was copied", match[1])
        if match := _SKIPPED.match(text):
            if len(seen.skipped) < _MAX_TEXT:
                seen.skipped.append(match[1])
            return seen.findings.problem("this folder was skipped, since neither -r nor -a was given", match[1])
        if match := _LEFT_OUT.fullmatch(text):
            return self._left_out(match["what"], match["item"])
        if text.startswith("***") or "will try again" in text:
            return ()
        seen.findings.complain(text, decisive="[generator] " in text or text.lower().startswith("rsync: [receiver] "))
        return self._problem(text)

    def connection(self, line: bytes) -> None:
        """Take a line of the program that connects rsync (ssh); it may be the reason of a failure."""
        if text := plain(line):
            self.seen.findings.complain(text)

    def _left_out(self, kind: str, item: str) -> tuple[Event, ...]:
        special = kind == "non-regular file"
        if self._wished and special:
            return ()
        why = "it was left out: a link, device or other special file" if special else f"it was left out: {kind}"
        new = self.seen.findings.problem(why, item)
        self.seen.left += len(new)
        return new

    def figures(self, line: bytes, at: int) -> None:
        """Take one line of the statistics, whose words end at *at*. Rounded numbers (`-h`) are not taken for exact ones."""
        seen = self.seen
        match = _UNIT.match(line, at)
        number = exact(match[1]) if match and not match[2] else None
        if line.startswith(b"Number of files: "):
            seen.listed, folders = number, _DIR.search(line)
            seen.bare = bool(number) and folders is not None and exact(folders[1]) == number
            regular = _REG.search(line)
            seen.regular = seen.findings.files = exact(regular[1]) if regular else None if number is None else 0
        elif line.startswith((b"Number of regular files transferred: ", b"Number of files transferred: ")):
            seen.transferred = number
        elif line.startswith(b"Number of deleted files: "):
            folders = _DIR.search(line)
            seen.deleted = None if number is None else max(number - (exact(folders[1]) if folders else 0), 0)
        elif line.startswith(b"Total transferred file size: "):
            seen.transferred_bytes = number
        elif line.startswith((b"Total file size: ", b"total size is ")):
            seen.findings.bytes_processed = number
        elif line.startswith(b"Literal data: "):
            seen.literal = number
        seen.complete = seen.complete or line.startswith((b"Total bytes received: ", b"total size is "))

    def _problem(self, text: str) -> tuple[Event, ...]:
        seen = self.seen
        if match := _VERIFY.match(text):
            seen.lost += 1
            seen.refused += 1
            return seen.findings.problem(f"it failed verification, the update was {match[2]}", match[1])
        match = _ERROR.match(text)
        if not match:
            return ()
        action, item = match["what"].strip(), match["item"]
        if temporary := _TEMPORARY.fullmatch(item) if action.startswith(("mkstemp", "rename")) else None:
            item = temporary[1] + temporary[2]
        new = seen.findings.problem(_words(action, match["why"]), item)
        if not new:
            return ()
        self._count(action, item, (match["role"] or "").lower())
        return new

    def _count(self, action: str, item: str, role: str) -> None:
        seen = self.seen
        seen.lost += bool(_LOST.match(action))
        if _MISSING.match(action) and role in ("", "sender"):
            seen.missing = [*seen.missing[:999], item]
        elif role == "sender" or action.startswith(("send_files", "opendir", "readlink_stat", "read errors")):
            seen.unreadable += 1
        elif not _ASIDE.match(action):
            seen.refused += 1


def _words(action: str, why: str) -> str:
    """Return the problem in words: "it could not be opened: Permission denied"."""
    for begin, words in _WORDS.items():
        if action.startswith(begin):
            return f"{words}: {why}"
    return f"{action}: {why}" if action else why


def exact(digits: bytes) -> int:
    """Return a count whose digits stand in groups, by comma or point as the language has it."""
    return int(digits.replace(b",", b"").replace(b".", b"")[:18] or b"0")
