"""FORMAT.md says enough to write another verifier: its worked example is computed here from nothing but the standard library."""

import base64
import json
import re
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.unit.audit.tiles_check import split
from tray.audit import checkpoint, schema, standalone, store
from tray.audit.checkpoint import VerifierKey
from tray.audit.entry import TYPES, Action, pattern
from tray.audit.proof import Proof

FORMAT = Path(store.__file__).with_name("FORMAT.md")
LOG = "backup-tray/01234567-89ab-4cde-8f01-23456789abcd"
SEED = bytes(range(32))
SALTS = [bytes(range(at, at + 16)) for at in (0x40, 0x50, 0x60)]


def compact(value: object) -> str:
    """Canonical JSON, as far as the example needs it: keys in order, no spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def text64(raw: bytes) -> str:
    """Base64."""
    return base64.b64encode(raw).decode()


def example() -> dict[str, str]:
    """Every value of the worked example by its name."""
    key = Ed25519PrivateKey.from_private_bytes(SEED)
    public = b"\x01" + key.public_key().public_bytes_raw()
    key_id = sha256(LOG.encode() + b"\n" + public).digest()[:4]
    vkey = f"{LOG}+{key_id.hex()}+{text64(public)}"
    values = {"seed": SEED.hex(), "vkey": vkey}
    told = [
        ("log.created", "created", {"program": "backup-tray 0.1.0"}, {}),
        ("key.created", "created", {"public_key": vkey}, {}),
        (
            "run.finished",
            "succeeded",
            {"reason": "All files were saved.", "repository": "/srv/backup"},
            {
                "job": "home",
                "run": "01a20800-0000-7000-8000-00000000000f",
                "engine": "restic",
                "kind": "backup",
                "files": 12,
            },
        ),
    ]
    prev, leaves, entries = "0" * 64, [], []
    for seq, (action, result, body, more) in enumerate(told):
        plain = compact(body)
        named = sha256(b"\x02" + SALTS[seq] + plain.encode()).hexdigest()
        moment = f"2026-11-23T08:00:0{seq}.000Z"
        facts = dict.fromkeys(TYPES) | {
            "v": 1,
            "seq": seq,
            "prev": prev,
            "log": LOG,
            "id": f"01a20800-0000-7000-8000-00000000000{seq}",
            "time": moment,
            "recorded": moment,
            "action": action,
            "actor": "alice (1000) on desk, backup-tray 0.1.0",
            "result": result,
            "severity": "info",
            "body": named,
        }
        entry = compact(facts | more)
        leaf = sha256(b"\x00" + entry.encode()).digest()
        prev = leaf.hex()
        leaves.append(leaf)
        entries.append(entry)
        values |= {f"salt {seq}": SALTS[seq].hex(), f"body {seq}": plain, f"entry {seq}": entry, f"leaf {seq}": prev}
    left = sha256(b"\x01" + leaves[0] + leaves[1]).digest()
    root = sha256(b"\x01" + left + leaves[2]).digest()
    text = f"{LOG}\n3\n{text64(root)}\n"
    note = f"{text}\n\N{EM DASH} {LOG} {text64(key_id + key.sign(text.encode()))}\n"
    extra = f"{entries[2]}\n{SALTS[2].hex()}\n{values['body 2']}"
    proof = f"c2sp.org/tlog-proof@v1\nextra {text64(extra.encode())}\nindex 2\n{text64(left)}\n\n{note}"
    bundle = b"".join(len(entry).to_bytes(2, "big") + entry.encode() for entry in entries)
    return values | {
        "node 0-1": left.hex(),
        "root 3": root.hex(),
        "checkpoint": note,
        "proof": proof,
        "SHA-256 of tile/0/000.p/3": sha256(b"".join(leaves)).hexdigest(),
        "SHA-256 of tile/entries/000.p/3": sha256(bundle).hexdigest(),
    }


def section(values: dict[str, str]) -> str:
    """The worked example as it stands in the text."""
    short = [f"{name}: {value}" for name, value in values.items() if "\n" not in value]
    long = [f"{name}:\n\n```\n{value.rstrip()}\n```" for name, value in values.items() if "\n" in value]
    return "```\n" + "\n".join(short) + "\n```\n\n" + "\n\n".join(long) + "\n"


def test_the_worked_example_is_computed_byte_by_byte() -> None:
    """Who follows the text comes to just these bytes."""
    assert section(example()) in FORMAT.read_text("utf-8")


def test_the_worked_example_is_what_the_program_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Entries, verifier key, checkpoint and proof of the example are genuine for us and for the stand-alone verifier."""
    values = example()
    for seq in range(3):
        assert pattern().fullmatch(values[f"entry {seq}"].encode())
    key = VerifierKey.parse(values["vkey"])
    note = values["checkpoint"].encode()
    assert key.verifies(note)
    assert checkpoint.parse(note).root.hex() == values["root 3"]
    found = Proof.from_bytes(values["proof"].encode())
    assert found.check([key]).size == 3
    assert found.details == (SALTS[2], values["body 2"].encode())
    assert standalone.check_proof(values["proof"].encode()) == note
    assert capsys.readouterr().out == values["entry 2"] + "\n" + values["body 2"] + "\n"
    assert split(bytes.fromhex("0002") + b"{}") == [b"{}"]


def test_the_text_names_every_part_of_the_format() -> None:
    """Each key of an entry, each action, each table and index stands in it, so none is added without being described."""
    text = FORMAT.read_text("utf-8")
    tables = [name for name, sql in schema.STATEMENTS.items() if sql.startswith("CREATE TABLE")]
    for name in (*TYPES, *map(str, Action), *tables, *schema.INDEXES):
        assert re.search(rf"`{re.escape(name)}`", text), name


def test_the_text_holds_no_trace_of_a_machine() -> None:
    """The text names no path of a workplace, and has no typographic dashes but the one that signatures begin with."""
    text = FORMAT.read_text("utf-8")
    assert "/work" not in text
    assert "/tmp" not in text
    assert all(
        line.startswith("\N{EM DASH} ") for line in text.splitlines() if "\N{EM DASH}" in line and "U+2014" not in line
    )
