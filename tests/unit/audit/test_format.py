"""The format that others verify with their own tools: canonical JSON, tree hashing, signed notes, entries."""

import base64
import hashlib
import json
from pathlib import Path

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from tests.unit.audit.help import end, entry_bytes, start, writer
from tray.audit import checkpoint, rows
from tray.audit.canonical import canonical, plain, valid_text
from tray.audit.checkpoint import Checkpoint, Signer, VerifierKey
from tray.audit.entry import MAX_ENTRY, TYPES, Action, Draft, pattern
from tray.audit.entry_bytes import body_bytes, build
from tray.audit.merkle import EMPTY_ROOT, Frontier, leaf_hash
from tray.core import clock
from tray.core.model import Outcome
from tray.core.paths import Places

INTEGERS = st.integers(-(2**53) + 1, 2**53 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | INTEGERS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
# The leaves and roots of the reference tree of Certificate Transparency (RFC 6962 implementations test with them).
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@given(JSON)
def test_canonical_json_is_what_an_independent_implementation_writes(value: object) -> None:
    """Anybody's RFC 8785 library gives the bytes that we hash."""
    assert canonical(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


def test_keys_are_sorted_by_utf16_code_units() -> None:
    """The example of RFC 8785, section 3.2.3: an emoji sorts before U+FB33, unlike by code point."""
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    found = json.loads(canonical(dict.fromkeys(keys, 1)))
    assert list(found) == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


@pytest.mark.parametrize("value", [1.0, 2**53, -(2**53), "\ud800", {1: 2}, {"\udc80": 1}, b"x", {1, 2}, float("nan")])
def test_canonical_json_refuses_what_others_could_read_differently(value: object) -> None:
    """No float, no number that a double cannot hold, no broken Unicode ever reaches a hash."""
    with pytest.raises(ValueError):
        canonical(value)


@given(
    st.recursive(
        st.floats() | st.integers() | st.text(st.characters()) | st.binary() | st.none(), st.lists, max_leaves=5
    )
)
def test_anything_can_be_made_plain(value: object) -> None:
    """A record is never lost because of what an engine said."""
    canonical(plain({"said": value}))


def test_names_that_are_no_utf8_are_kept_readable() -> None:
    """A file name of broken bytes comes out with its bytes visible."""
    assert valid_text(b"caf\xe9".decode("utf-8", "surrogateescape")) == "caf\\xe9"
    assert valid_text("\ud800x") == "\\ud800x"
    assert valid_text("naïve 😀") == "naïve 😀"


def test_tree_gives_the_roots_of_certificate_transparency() -> None:
    """The known answers of RFC 6962's reference tree."""
    tree = Frontier()
    assert tree.root() == EMPTY_ROOT == hashlib.sha256(b"").digest()
    for leaf, root in zip(LEAVES, ROOTS, strict=True):
        tree.push(leaf_hash(bytes.fromhex(leaf)))
        assert tree.root().hex() == root


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=70))
def test_tree_agrees_with_an_independent_implementation(entries: list[bytes]) -> None:
    """pymerkle computes the same root for every size."""
    theirs, ours = InmemoryTree(algorithm="sha256"), Frontier()
    for entry in entries:
        theirs.append_entry(entry)
        ours.push(leaf_hash(entry))
        assert ours.root() == theirs.get_root()


@given(st.integers(0, 300))
def test_frontier_survives_being_stored(size: int) -> None:
    """The next writer goes on from the stored bytes as if it had seen every entry."""
    tree = Frontier()
    for number in range(size):
        tree.push(leaf_hash(b"%d" % number))
    again = Frontier.from_bytes(size, tree.to_bytes())
    again.push(leaf_hash(b"next"))
    tree.push(leaf_hash(b"next"))
    assert (again.root(), again.size) == (tree.root(), size + 1)


@pytest.mark.parametrize(("size", "row"), [(1, b""), (0, b"x"), (3, bytes(32)), (2, bytes(31)), (-1, b"")])
def test_frontier_of_the_wrong_length_is_refused(size: int, row: bytes) -> None:
    """A damaged head is an error, not a wrong root."""
    with pytest.raises(ValueError, match="no frontier"):
        Frontier.from_bytes(size, row)


def test_frontiers_tell_where_they_differ() -> None:
    """The first subtree that differs bounds the first altered entry from below."""
    one, other = Frontier(), Frontier()
    for number in range(7):
        one.push(leaf_hash(b"%d" % number))
        other.push(leaf_hash(b"%d" % number if number != 5 else b"x"))
    assert one.first_difference(other) == 4
    assert one.first_difference(one.copy()) is None


GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_signed_notes_of_other_tools_verify() -> None:
    """The example of Go's note package, which the C2SP format comes from, verifies with our code, and not once altered."""
    key = VerifierKey.parse(GO_KEY)
    assert str(key) == GO_KEY
    assert key.verifies(GO_NOTE.encode())
    assert not key.verifies(GO_NOTE.replace("answer", "Answer").encode())
    assert not VerifierKey("Somebody", key.public).verifies(GO_NOTE.encode())


def test_checkpoint_has_exactly_the_c2sp_form() -> None:
    """Every byte by the specification, checked without our own parser."""
    signer, origin = Signer(bytes(range(32))), "backup-tray/3b304987-7294-44ae-a560-621905153241"
    note = signer.sign(Checkpoint(origin, 7, bytes(32)))
    text, line = note.decode().split("\n\n")
    assert text == f"{origin}\n7\n{base64.b64encode(bytes(32)).decode()}"
    dash, name, encoded = line.split(" ")
    raw = base64.b64decode(encoded.removesuffix("\n"), validate=True)
    assert (dash, name, line[-1], len(raw)) == ("\u2014", origin, "\n", 68)
    assert raw[:4] == hashlib.sha256(origin.encode() + b"\n\x01" + signer.public).digest()[:4]
    Ed25519PublicKey.from_public_bytes(signer.public).verify(raw[4:], (text + "\n").encode())
    assert checkpoint.parse(note) == Checkpoint(origin, 7, bytes(32))
    assert checkpoint.key_ids(note) == {raw[:4]}


@given(st.binary(max_size=200) | st.builds(lambda at: GO_NOTE.encode()[:at], st.integers(0, 300)))
def test_no_garbage_breaks_the_note_parser(garbage: bytes) -> None:
    """The parser refuses every text that is no checkpoint with ValueError."""
    with pytest.raises(ValueError):
        checkpoint.parse(garbage)


@pytest.mark.parametrize(
    "text",
    ["", "x", "a+b", "a+00000000+AQ==", GO_KEY.replace("c74f20a3", "c74f20a4"), GO_KEY.replace("+AR", "+BR"), "a+b+!"],
)
def test_broken_verifier_keys_are_refused(text: str) -> None:
    """A pinned key is taken only if its id fits."""
    with pytest.raises(ValueError):
        VerifierKey.parse(text)


def test_every_entry_has_every_key(places: Places) -> None:
    """Readers need no case for absent keys: null says that nothing is known."""
    keys = (
        "v seq prev log id time recorded action actor result severity job run engine kind source duration_ms bytes_processed "
        "bytes_added files errors body"
    )
    with writer(places) as log:
        log.append([start(), end(files=0, errors=3), Draft(Action.JOB_SEEN)])
        for entry in log.entries():
            assert set(entry.data) == set(keys.split()) == set(TYPES)
            assert entry.raw == rfc8785.dumps(dict(entry.data))
            assert pattern().fullmatch(entry.raw)
            assert entry.leaf == hashlib.sha256(b"\x00" + entry.raw).digest()


def test_stored_log_follows_the_published_format(places: Places) -> None:
    """Chain, tree and body hashes as the design fixes them, computed here with nothing of ours."""
    with writer(places) as log:
        log.append([start(), end(body={"reason": "x"})])
        stored, (size, root, note) = log.entries(), log.head()
        salt, body = log._live().execute("SELECT salt, body FROM bodies WHERE seq = 3").fetchone()
    before = "0" * 64
    theirs = InmemoryTree(algorithm="sha256")
    for entry in stored:
        assert entry.data["prev"] == before
        before = hashlib.sha256(b"\x00" + entry.raw).hexdigest()
        theirs.append_entry(entry.raw)
    assert stored[3].data["body"] == hashlib.sha256(b"\x02" + salt + rows.plain_body(body)).hexdigest()
    assert (len(salt), rows.plain_body(body)) == (16, b'{"reason":"x"}')
    assert size == 4
    assert root == theirs.get_root()
    assert note.decode().split("\n")[:3] == [stored[0].data["log"], "4", base64.b64encode(root).decode()]


@given(
    st.builds(
        Draft,
        action=st.sampled_from(Action),
        actor=st.text(),
        result=st.text(),
        job=st.none() | st.text(st.characters()),
        run=st.none() | st.text(max_size=3000),
        duration_ms=st.none() | st.integers(),
        files=st.none() | st.integers(),
        body=st.none() | st.dictionaries(st.text(), JSON | st.floats(), max_size=3),
    )
)
def test_any_draft_becomes_a_valid_entry(draft: Draft) -> None:
    """Odd names, huge numbers and long texts are cut or dropped, never refused; the entry stays canonical and small."""
    raw = build(
        draft, seq=5, prev=bytes(32), log="backup-tray/3b304987-7294-44ae-a560-621905153241", recorded_ms=0, body=None
    )
    assert rfc8785.dumps(json.loads(raw)) == raw
    assert len(raw) <= MAX_ENTRY
    assert Draft.from_line(draft.to_line()).to_line() == draft.to_line()


def test_the_longest_texts_still_fit() -> None:
    """Texts of control characters take six bytes each in JSON, and the entry stays below its limit."""
    worst = "\x01" * 5000
    draft = Draft(
        Action.RUN_FINISHED, actor=worst, result=worst, job=worst, run=worst, engine=worst, kind=worst, source=worst
    )
    raw = build(
        draft, seq=0, prev=bytes(32), log="backup-tray/3b304987-7294-44ae-a560-621905153241", recorded_ms=0, body=None
    )
    assert len(raw) <= MAX_ENTRY


def test_a_giant_body_keeps_its_short_facts() -> None:
    """A body of megabytes is cut to what a report needs most."""
    raw = body_bytes({"reason": "disk full", "exit_code": 1, "problems": ["x" * 2000] * 1000})
    assert raw is not None
    assert json.loads(raw) == {"reason": "disk full", "exit_code": 1, "cut": True}


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"action":"run.finished"}',
        b'{"action":"no.such","actor":"a","id":"01a2070e-7584-7f24-9728-dfff5c8c394d","time_ms":0}',
        b'{"action":"run.finished","actor":"a","id":"../../etc/passwd","time_ms":0}',
        b'{"action":"run.finished","actor":"a","id":"01a2070e-7584-7f24-9728-dfff5c8c394d","time_ms":-1}',
        b'{"action":"run.finished","actor":"a","id":"01a2070e-7584-7f24-9728-dfff5c8c394d","time_ms":0,"body":[]}',
        b'{"action":"run.finished","actor":"a","id":"01a2070e-7584-7f24-9728-dfff5c8c394d","time_ms":0,"other":1}',
    ],
)
def test_what_is_no_draft_is_refused(line: bytes) -> None:
    """The spool takes back only what it wrote."""
    with pytest.raises(ValueError):
        Draft.from_line(line)


def test_a_spooled_end_is_as_good_as_a_stored_one(places: Places) -> None:
    """Status shows a waiting record with the same facts as once it is appended."""
    draft = end("r", outcome=Outcome.FAILED, duration_ms=1500, bytes_added=7, source="observed")
    with writer(places) as log:
        (seq,) = log.append([draft])
        (stored,) = log.history()
    waiting = Draft.from_line(draft.to_line()).ended()
    assert waiting is not None
    assert (waiting.entry, stored.entry) == (None, seq)
    assert {**waiting.to_json(), "entry": seq} == stored.to_json()
    assert start("r").ended() is None
    opened = Draft.from_line(start("r", job="j", body={"repository": "/srv"}).to_line()).opened()
    assert opened is not None
    assert (opened.run, opened.job, opened.repository, opened.entry) == ("r", "j", "/srv", None)
    assert end("r").opened() is None


def test_an_unknown_outcome_is_never_green(places: Places) -> None:
    """A word of a newer version counts as unknown."""
    with writer(places) as log:
        log.append([Draft(Action.RUN_FINISHED, run="r", job="j", result="splendid")])
        assert log.history()[0].outcome is Outcome.UNKNOWN
        assert log.jobs()[0].last_good is None


def test_an_end_without_a_job_is_still_seen(places: Places) -> None:
    """The list of jobs shows an outcome even if its entry names no job."""
    with writer(places) as log:
        log.append([Draft(Action.RUN_FINISHED, run="r", result="failed")])
        assert [job.last.outcome for job in log.jobs()] == [Outcome.FAILED]


def test_the_actor_names_who_where_and_with_what() -> None:
    """NFR-AUD-04: an entry answers who did it."""
    import re

    assert re.fullmatch(r"\S+ \(\d+\) on \S+, backup-tray \S+", Draft(Action.JOB_SEEN).actor)


def test_times_of_an_entry_are_both_kept(places: Places, tmp_path: Path) -> None:
    """When it happened and when it was appended are two facts."""
    with writer(places) as log:
        log.append([end(time_ms=clock.from_text("2026-01-02T03:04:05.678Z"))])
    data = json.loads(entry_bytes(places, 2))
    assert data["time"] == "2026-01-02T03:04:05.678Z"
    assert abs(clock.from_text(data["recorded"]) - clock.now_ms()) < 60_000
