"""Bodies as they lie in the database: short, and the same when they are read."""

import json
import sqlite3
import zlib
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.audit.help import BODY, end, start, writer
from tray.audit import rows
from tray.audit.entry import MAX_BODY, Action, Draft
from tray.audit.entry_bytes import body_bytes, body_hash
from tray.audit.verify.check import verify
from tray.core.paths import Places

OBJECTS = st.dictionaries(
    st.text(), st.one_of(st.text(), st.integers(-(2**53) + 1, 2**53 - 1), st.booleans(), st.none())
)


@given(OBJECTS)
def test_what_is_packed_comes_back(body: dict[str, object]) -> None:
    """Not a byte is lost, whatever stands in a body."""
    raw = body_bytes(body)
    assert raw is not None
    assert rows.plain_body(rows.packed_body(Action.RUN_FINISHED, raw)) == raw


def test_a_plain_body_is_read_as_it_is() -> None:
    """The log stores a body plain if SQL reads it or if packing would not make it shorter."""
    assert rows.plain_body(b'{"a":1}') == b'{"a":1}'
    assert rows.packed_body(Action.AUDIT_REDACTED, b'{"entry":4}') == b'{"entry":4}'


def test_the_dictionary_never_changes() -> None:
    """Bodies that were stored years ago are read with it: a better one gets another mark."""
    assert sha256(rows.DICTIONARY).hexdigest() == "52dbd92cff033549a0a8014f990369b40243ad29e41bce8030ea4d9270fc86ba"


def test_an_ordinary_body_takes_a_third() -> None:
    """That is what the dictionary is for."""
    raw = body_bytes(BODY | {"command": ["restic", "-r", "/srv/backup", "backup", "/home/alice"], "problems": []})
    assert raw is not None
    assert len(rows.packed_body(Action.RUN_FINISHED, raw)) < len(raw) / 3


@pytest.mark.parametrize(
    "stored",
    [
        b"\x01",
        b"\x01\x00\x01\x02",
        b"\x01" + bytes(40),
        rows.packed_body(Action.RUN_FINISHED, b'{"a":"bcdefgh"}' * 9)[:-1],
    ],
)
def test_a_damaged_body_is_an_error(stored: bytes) -> None:
    """Readers turn a ValueError into "the audit log holds something that is no entry"."""
    with pytest.raises(ValueError):
        rows.plain_body(stored)


def test_a_body_that_unpacks_to_more_than_any_body_has_is_an_error() -> None:
    """An attacker who can write the database cannot make a reader fill the memory."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, 0, rows.DICTIONARY)
    bomb = b"\x01" + packer.compress(b" " * (MAX_BODY * 50)) + packer.flush()
    with pytest.raises(ValueError):
        rows.plain_body(bomb)


def test_the_hash_is_over_the_plain_body(places: Places) -> None:
    """A user who verifies an export needs no dictionary."""
    with writer(places) as log:
        log.append([end("a")])
        entry = log.entry(2)
    connection = sqlite3.connect(places.audit_db)
    salt, stored = connection.execute("SELECT salt, body FROM bodies WHERE seq = 2").fetchone()
    connection.close()
    assert stored[:1] == b"\x01"
    assert entry.data["body"] == body_hash(salt, json.dumps(BODY, separators=(",", ":"), sort_keys=True).encode())
    assert entry.body == BODY


def test_packed_bodies_verify_and_can_be_erased(places: Places) -> None:
    """The triggers that guard bodies read those of audit.redacted, which stay plain."""
    with writer(places) as log:
        log.append([start("a", body={"sources": ["/home"] * 9}), end("a"), Draft(Action.JOB_SEEN, job="home")])
        log.redact(3, "asked for")
        assert log.entry(3).erased
        assert log.entry(2).body == {"sources": ["/home"] * 9}
    assert verify(places.audit_db, places.audit_key).why.startswith("The log is intact in itself")
