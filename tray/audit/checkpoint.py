"""Write, sign and read checkpoints: size and root of the log, in the formats C2SP tlog-checkpoint and signed-note (https://c2sp.org).

    origin LF size LF base64(root) LF LF "— " origin SP base64(keyid4 ‖ signature64) LF

The signature (Ed25519) covers everything up to and including the line end before the empty line. A public key is written as a
verifier key: `name+keyid+base64(0x01 ‖ key)`. Nothing here does I/O.

When the key changes, the old key *introduces* the new one: it signs a note of four lines, the log's name, `key.rotated`, the
number of the entry that holds the note, and the new verifier key. No checkpoint reads like that, so only the owner of the old key
can bring in another one.
"""

import base64
import contextlib
import re
from collections.abc import Iterable
from hashlib import sha256

from tray.audit import ed25519
from tray.core import regex
from tray.core.dataclass import dataclass

ROTATED = "rotated"
"""Result of an entry `key.rotated` whose key was introduced by the old one; without that it is "replaced"."""

_ED25519 = b"\x01"
_DASH = "\N{EM DASH} "
_MAX_NOTE = 65_536
_WORD = "checkpoint"
_LINE = regex.compile(rf"\b{_WORD} (\S+) (\d+) ([\w+/]{{43}}=)((?: [^\s\[]\S* [\w+/]+=*(?=\s|$))+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line of a note."""

    name: str
    key_id: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The statement that is signed: the log *origin* had *size* entries, and their tree had this *root*."""

    origin: str
    size: int
    root: bytes

    def text(self) -> bytes:
        """Return the signed text, with its last line end."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n".encode()


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key and the name of the log that it signs."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        """The first 4 bytes of SHA-256(name ‖ LF ‖ 0x01 ‖ public key), after signed-note."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Read a verifier key.

        Raises:
            ValueError: *text* is none, or not of an Ed25519 key.
        """
        name, key_id, encoded = [*text.strip().split("+", 2), "", ""][:3]
        raw = _base64(encoded)
        key = cls(name, raw[1:])
        if not name or raw[:1] != _ED25519 or len(key.public) != 32 or key.key_id.hex() != key_id:
            raise ValueError(f"no Ed25519 verifier key: {text.strip()[:80]!r}")
        return key

    def verifies(self, note: bytes) -> bool:
        """Whether *note* carries a valid signature by this key."""
        text, signatures = split(note)
        return any(
            ed25519.verifies(self.public, signature.value, text)
            for signature in signatures
            if signature.name == self.name and signature.key_id == self.key_id
        )


class Signer:
    """The secret half of a key.

    Raises:
        MemoryError: There is too little memory for a key or a signature.
    """

    def __init__(self, seed: bytes) -> None:
        self._seed, self.public = seed, ed25519.public_of(seed)

    def sign(self, checkpoint: Checkpoint) -> bytes:
        """Return *checkpoint* as a signed note."""
        return self.note(checkpoint.origin, checkpoint.text())

    def note(self, name: str, text: bytes) -> bytes:
        """Return *text*, which ends with a line end, as a note signed by this key under the name *name*."""
        line = base64.b64encode(VerifierKey(name, self.public).key_id + ed25519.sign(self._seed, text)).decode()
        return text + f"\n{_DASH}{name} {line}\n".encode()


def introduction(log: str, entry: int, new: VerifierKey) -> bytes:
    """Return the text that the old key signs to introduce *new* with entry number *entry*."""
    return f"{log}\nkey.rotated\n{entry}\n{new}\n".encode()


def is_introduced(note: bytes, entry: int, old: VerifierKey, new: VerifierKey) -> bool:
    """Whether *old* signed that *new* takes over with entry number *entry*."""
    try:
        text, _ = split(note)
    except ValueError:
        return False
    return text == introduction(old.name, entry, new) and new.name == old.name and old.verifies(note)


def parse(note: bytes) -> Checkpoint:
    """Read the checkpoint out of a note; its signatures are *not* checked (`VerifierKey.verifies`).

    Raises:
        ValueError: *note* is no signed checkpoint.
    """
    text, _ = split(note)
    lines = text.decode().split("\n")
    if len(lines) < 4 or not lines[0] or not _is_number(lines[1]):
        raise ValueError("a checkpoint has an origin, a size and a root on three lines")
    root = _base64(lines[2])
    if len(root) != 32:
        raise ValueError("the root of a checkpoint has 32 bytes")
    return Checkpoint(lines[0], int(lines[1]), root)


def to_line(note: bytes) -> str:
    """Return *note* as one line, for logs that take one: "checkpoint ORIGIN SIZE ROOT NAME SIGNATURE…".

    Raises:
        ValueError: *note* is no signed checkpoint of ours, which has no further lines.
    """
    head = parse(note)
    text, signatures = split(note)
    if text != head.text() or any(" " in name for name in (head.origin, *(item.name for item in signatures))):
        raise ValueError("a checkpoint with further lines does not fit on one")
    parts = [head.origin, str(head.size), base64.b64encode(head.root).decode()]
    for signature in signatures:
        parts += [signature.name, base64.b64encode(signature.key_id + signature.value).decode()]
    return " ".join([_WORD, *parts])


def from_line(line: str) -> bytes:
    """Return the note that `to_line` put on *line*, whatever stands before and behind it.

    Raises:
        ValueError: *line* holds none.
    """
    match = _LINE.search(line)
    if match is None:
        raise ValueError("no checkpoint on this line")
    origin, size, root, signatures = match.groups()
    words = signatures.split()
    lines = "".join(f"{_DASH}{name} {value}\n" for name, value in zip(words[::2], words[1::2], strict=True))
    note = f"{origin}\n{size}\n{root}\n\n{lines}".encode()
    parse(note)
    return note


def notes_in(content: bytes) -> list[bytes]:
    """Return the checkpoints that a file holds: one signed note, or any number of lines such as a system's log has.

    A file that holds nothing of the kind is returned as it is: the reader of the notes says what is wrong with it.
    """
    notes = []
    for line in content.decode("utf-8", "replace").splitlines():
        with contextlib.suppress(ValueError):
            notes.append(from_line(line))
    return notes or [content]


def split(note: bytes) -> tuple[bytes, list[Signature]]:
    """Return a note's signed text and its signatures.

    Raises:
        ValueError: *note* is no signed note.
    """
    if len(note) > _MAX_NOTE:
        raise ValueError("too long for a signed note")
    text, empty, rest = note.rpartition(b"\n\n")
    if not empty or not rest.endswith(b"\n"):
        raise ValueError("a signed note has an empty line before its signatures and ends with a line end")
    return text + b"\n", list(_signatures(rest.decode().split("\n")[:-1]))


def key_ids(note: bytes) -> set[bytes]:
    """Return the ids of the keys that say they signed *note*.

    Raises:
        ValueError: *note* is no signed note.
    """
    return {signature.key_id for signature in split(note)[1]}


def _signatures(lines: Iterable[str]) -> Iterable[Signature]:
    for line in lines:
        if not line.startswith(_DASH):
            raise ValueError("a signature line begins with a dash")
        name, _, encoded = line.removeprefix(_DASH).partition(" ")
        raw = _base64(encoded)
        if not name or len(raw) < 5:
            raise ValueError("a signature line holds a name, a key id and a signature")
        yield Signature(name, raw[:4], raw[4:])


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and (text == "0" or not text.startswith("0")) and len(text) < 20


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ValueError(f"not base64: {text[:80]!r}") from error
