"""Check exports, proofs and checkpoints of an audit log (FORMAT.md) with Python 3.11 and `cryptography`, without Backup Tray.

Exit code 0: genuine; 1: not what was signed; 2: not checked; 3: it fits together, but no trusted key (--key) or tree joins it.
"""

import argparse
import json
import sys
from base64 import b64decode
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

with suppress(ImportError):  # then a signature cannot be checked
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def must(holds: object, why: str) -> None:
    """Raise ValueError with *why* unless something *holds*."""
    if not holds:
        raise ValueError(why)


def fold(hashes: bytes) -> bytes:
    """Return the Merkle root over 2^n hashes in a row (RFC 6962, section 2.1)."""
    while len(hashes) > 32:
        hashes = b"".join(sha256(b"\x01" + hashes[at : at + 64]).digest() for at in range(0, len(hashes), 64))
    return hashes


def head(note: bytes) -> tuple[str, int, bytes]:
    """Return origin, size and root of a checkpoint."""
    origin, size, root, *_ = note.decode().split("\n")
    return origin, int(size), b64decode(root, validate=True)


def is_signed(note: bytes, keys: list[str]) -> bool:
    """Whether one of *keys* (Ed25519 verifier keys of signed-note) signed *note*; a broken signature by one of them is an error."""
    text, _, lines = note.rpartition(b"\n\n")
    for dash, signer, value in map(str.split, lines.decode().splitlines()):
        for name, _, encoded in (key.split("+", 2) for key in keys):
            public, signature = b64decode(encoded, validate=True), b64decode(value)
            key_id = sha256(name.encode() + b"\n" + public).digest()[:4]
            if (dash, signer, signature[:4], public[:1]) == ("\N{EM DASH}", name, key_id, b"\x01"):
                Ed25519PublicKey.from_public_bytes(public[1:]).verify(signature[4:], text + b"\n")
                return True
    return False


def check_entry(raw: bytes, seq: int, origin: str, salt: str, body: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return an entry and its *body* ("": not there) if it is of this place and log, and names this body."""
    entry = json.loads(raw)
    named = not body or sha256(b"\x02" + bytes.fromhex(salt) + body.encode()).hexdigest() == entry["body"]
    must(entry["seq"] == seq and entry["log"] == origin and named, f"Entry {seq} or its details are of elsewhere.")
    return entry, json.loads(body or "{}")


def check_proof(raw: bytes) -> bytes:
    """Check that the entry in a C2SP tlog-proof is in the tree of its checkpoint, print it, and return the checkpoint."""
    lines, note = raw.partition(b"\n\n")[0].decode().split("\n"), raw.partition(b"\n\n")[2]
    entry, salt, body, *_ = [*b64decode(lines[1].removeprefix("extra ")).decode().split("\n"), "", ""]
    (origin, size, root), index = head(note), int(lines[2].removeprefix("index "))
    at, last, node = index, size - 1, sha256(b"\x00" + entry.encode()).digest()
    for other in map(b64decode, lines[3:]):
        while at == last and not at & 1 and at:  # a subtree at the right edge has no neighbour at this height
            at, last = at >> 1, last >> 1
        node, at, last = fold(other + node if at & 1 else node + other), at >> 1, last >> 1
    must(at == last == 0 and node == root, "The entry is not in the tree of this checkpoint.")
    check_entry(entry.encode(), index, origin, salt, body)
    print(entry, body, sep="\n" if body else "")
    return note


def read(folder: Path, number: int, count: int) -> bytes:
    """Return tile *number* of a row of *count* items: the one of the width that this needs, or the full one; b"" without any."""
    *groups, last = (f"{int(group):03}" for group in f"{number:,}".split(","))
    full = folder.joinpath(*(f"x{group}" for group in groups), last)
    partial = full.with_name(f"{last}.p") / str(count - number * 256)
    return next((path.read_bytes() for path in (partial, full) if path.is_file()), b"")


def root_at(folder: Path, size: int, end: int) -> bytes:
    """Return the root over the first *end* of *size* entries, from the tiles."""
    must(0 < end <= size, f"A checkpoint saw {end} entries, but {size} are here.")
    root = b""
    while end:
        height = (end & -end).bit_length() - 1
        end, level, width = end - (1 << height), height // 8, 32 << height % 8
        number, first = divmod(end >> 8 * level, 256)
        root = fold(fold(read(folder / f"tile/{level}", number, size >> 8 * level)[32 * first :][:width]) + root)
    return root


def check_export(folder: Path, keys: list[str]) -> int:
    """Check entries and tiles of an export, add to *keys* those that a trusted key introduced, and return the export's size."""
    origin, size, _ = head((folder / "checkpoint").read_bytes())
    first, pruned, prev = -1, 0, "0" * 64
    for number in range(-(-size // 256)):
        bundle, leaves, lines = (read(folder / name, number, size) for name in ("tile/entries", "tile/0", "details"))
        if first < 0 and not bundle:
            continue  # pruned: a later entry must say so
        first, at = number * 256 if first < 0 else first, 0
        details = {item["seq"]: (item["salt"], item["body"]) for item in map(json.loads, lines.splitlines())}
        for seq in range(number * 256, min(size, (number + 1) * 256)):
            raw = bundle[at + 2 : (at := at + 2 + int.from_bytes(bundle[at : at + 2], "big"))]
            leaf = sha256(b"\x00" + raw).digest()
            must(leaf == leaves[seq % 256 * 32 :][:32], f"Entry {seq} is missing or was altered.")
            entry, body = check_entry(raw, seq, origin, *details.get(seq, ("", "")))
            must(entry["prev"] == prev or seq == first > 0, f"Entry {seq} does not follow the one before it.")
            prev, pruned = leaf.hex(), int(body["start"]) if entry["action"] == "audit.pruned" else pruned
            said = body.get("introduction", "").split("\n")
            if said[:3] == [origin, "key.rotated", str(seq)] and is_signed("\n".join(said).encode(), keys):
                keys.append(said[3])
        must(at == len(bundle), f"The bundle {number} of entries holds more than was signed.")
    for level in range(1, 8):
        for child in range(first // 256 if level == 1 else 0, size >> 8 * level):
            row = read(folder / f"tile/{level}", child // 256, size >> 8 * level)[child % 256 * 32 :][:32]
            below = read(folder / f"tile/{level - 1}", child, size >> 8 * (level - 1))
            must(row == fold(below), f"Tile {child // 256} of level {level} does not fit the one below it.")
    must(0 <= first <= pruned, f"The entries before {first} are missing, and none says that they were pruned.")
    return size


def main() -> int:
    """Check the files that the command line names, print the result, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", nargs="+", type=Path, help="folder of tiles, tlog-proof or checkpoint")
    parser.add_argument("--key", action="append", default=[], metavar="VKEY", help="a verifier key that you trust")
    args = parser.parse_args()
    try:
        notes = [(path / "checkpoint" if path.is_dir() else path).read_bytes() for path in args.path]
        notes = [check_proof(note) if note.startswith(b"c2sp.org/tlog-proof@v1\n") else note for note in notes]
        heads = {head(note) for note in notes}
        must(len({size for _, size, _ in heads}) == len(heads), "The checkpoints contradict each other.")
        for folder, size in [(folder, check_export(folder, args.key)) for folder in args.path if folder.is_dir()]:
            must(all(root_at(folder, size, end) == root for _, end, root in heads), "Other entries were signed.")
        must(not args.key or all(is_signed(note, args.key) for note in notes), "No key that you trust signed it.")
    except Exception as error:
        code, word = (2, "COULD NOT BE CHECKED") if isinstance(error, OSError | NameError) else (1, "NOT GENUINE")
        print(f"{word}: {error or type(error).__name__}", file=sys.stderr)
        return code
    code = 0 if args.key and (len(heads) == 1 or any(map(Path.is_dir, args.path))) else 3
    for origin, size, root in heads:
        print("INCONCLUSIVE" if code else "GENUINE", f"{origin!r}, {size} entries, root {root.hex()}", sep=": ")
    return code


if __name__ == "__main__":
    sys.exit(main())
