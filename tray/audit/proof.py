"""Prove one entry without the log, in the format C2SP tlog-proof (https://c2sp.org/tlog-proof).

    c2sp.org/tlog-proof@v1 LF
    extra base64(ENTRY [LF SALT LF BODY]) LF
    index SEQ LF
    base64(hash) LF          the audit path (RFC 6962, 2.1.1), from the entry's sibling upward
    LF
    CHECKPOINT               the newest signed checkpoint, as it is

The signature covers the tree, the tree covers the entry, and the entry names SHA-256(0x02 ‖ salt ‖ body): so the details can be
proven too, but need not be shown. A proof holds them only on demand, since an erasure does not reach copies. The owner of a proof
without them can be given salt and body later and compare.
"""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tray.audit import checkpoint, database
from tray.audit.checkpoint import Checkpoint, VerifierKey
from tray.audit.entry import pattern
from tray.audit.entry_bytes import body_hash
from tray.audit.merkle import Tiles, leaf_hash, node_hash
from tray.audit.rows import plain_body
from tray.core.dataclass import dataclass
from tray.core.errors import AuditUnavailableError, EntryNotFoundError, EntryPrunedError, ProofError

MAGIC = "c2sp.org/tlog-proof@v1"
SUFFIX = ".tlog-proof"
MAX_PROOF = 8 << 20

_VERIFY = "Look closer: `backup-tray audit verify`."


@dataclass(frozen=True, slots=True)
class Proof:
    """An entry, its place in the tree, and the checkpoint that vouches for it.

    Attributes:
        entry: The bytes that are hashed.
        path: The hashes beside its way to the root.
        note: The signed checkpoint.
        details: Salt and body of the entry, if they are shown.
    """

    index: int
    entry: bytes
    path: tuple[bytes, ...]
    note: bytes
    details: tuple[bytes, bytes] | None = None

    def to_bytes(self) -> bytes:
        """Return the proof as a file."""
        shown = () if self.details is None else (self.details[0].hex().encode(), self.details[1])
        extra = b"\n".join((self.entry, *shown))
        lines = [MAGIC, f"extra {_text(extra)}", f"index {self.index}", *map(_text, self.path), "", ""]
        return "\n".join(lines).encode() + self.note

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Proof":
        """Read the file that `to_bytes` wrote; nothing is checked (`check`).

        Raises:
            ProofError: *raw* has another form.
        """
        try:
            if len(raw) > MAX_PROOF:
                raise ValueError("it is too long")
            head, _, note = raw.partition(b"\n\n")
            magic, extra, index, *path = head.decode("ascii").split("\n")
            words = (magic, extra[:6], index[:6])
            if words != (MAGIC, "extra ", "index "):
                raise ValueError("its first lines are not those of a proof")
            entry, *more = base64.b64decode(extra[6:], validate=True).split(b"\n")
            if len(more) not in (0, 2):
                raise ValueError("it holds half of the details")
            details = (bytes.fromhex(more[0].decode()), more[1]) if more else None
            proof = cls(int(index[6:]), entry, tuple(map(_hash, path)), note, details)
            if proof.to_bytes() != raw:
                raise ValueError("it is written in an unusual way")
            return proof
        except ValueError as error:
            raise ProofError(f"It is no tlog-proof of an audit entry: {error}.") from error

    def check(self, trusted: Sequence[VerifierKey]) -> Checkpoint:
        """Return the checkpoint that proves the entry.

        Args:
            trusted: The keys of which one must have signed it.

        Raises:
            ProofError: It proves nothing, and why.
        """
        try:
            head = checkpoint.parse(self.note)
        except ValueError as error:
            raise ProofError(f"It holds no checkpoint: {error}.") from error
        if root_of(leaf_hash(self.entry), self.index, head.size, self.path) != head.root:
            raise ProofError("The entry is not in the tree of the checkpoint.")
        match = pattern().fullmatch(self.entry)
        if match is None or int(match["seq"]) != self.index or match["log"][1:-1].decode() != head.origin:
            raise ProofError("The entry is of another place or another log.")
        if self.details is not None and match["body"][1:-1].decode() != body_hash(*self.details):
            raise ProofError("The details are not those of the entry.")
        if not any(key.verifies(self.note) for key in trusted):
            raise ProofError(
                "The checkpoint is not signed by a key that is trusted.", "Compare the key: `backup-tray audit key`."
            )
        return head

    @property
    def data(self) -> dict[str, Any]:
        """The entry, parsed."""
        data: dict[str, Any] = json.loads(self.entry)
        return data


def build(db: Path, seq: int, *, details: bool = False, timeout: float = 5.0) -> Proof:
    """Return the proof that entry *seq* is in the log, under its newest checkpoint.

    Args:
        details: Show the details too, if the entry has any that were not erased.

    Raises:
        EntryNotFoundError, EntryPrunedError: There is no such entry.
        AuditUnavailableError: The log cannot be read, or its tree does not lead to its checkpoint.
    """
    with database.reading(db, timeout) as connection:
        size, note = connection.execute("SELECT size, checkpoint FROM head").fetchone()
        row = connection.execute("SELECT entry FROM entries WHERE seq = ?", (seq,)).fetchone()
        tiles = Tiles(connection)
        if row is None:
            raise EntryPrunedError(seq, tiles.start) if 0 <= seq < tiles.start else EntryNotFoundError(seq, size)
        raw, path = bytes(row[0]), tuple(tiles.inclusion(seq, size))
        if root_of(leaf_hash(raw), seq, size, path) != checkpoint.parse(note).root:
            raise AuditUnavailableError(f"Entry {seq} is not in the tree that was signed.", _VERIFY)
        kept = connection.execute("SELECT salt, body FROM bodies WHERE seq = ?", (seq,)).fetchone() if details else None
        shown = None if kept is None else (bytes(kept[0]), plain_body(bytes(kept[1])))
        return Proof(seq, raw, path, bytes(note), shown)


def root_of(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root to which *path* leads from leaf *index* of *size*; None if its length is wrong (RFC 9162, 2.1.3.2)."""
    at, last, root = index, size - 1, leaf
    if not 0 <= index < size:
        return None
    for other in path:
        if last == 0:
            return None
        while at == last and not at & 1:  # the last subtree of a row has no neighbour
            at, last = at >> 1, last >> 1
        root = node_hash(other, root) if at & 1 else node_hash(root, other)
        at, last = at >> 1, last >> 1
    return root if last == 0 else None


def _hash(text: str) -> bytes:
    raw = base64.b64decode(text, validate=True)
    if len(raw) != 32:
        raise ValueError("a hash has 32 bytes")
    return raw


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
