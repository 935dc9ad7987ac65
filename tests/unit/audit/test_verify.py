"""Who changes the log is caught, at the entry and by the kind of change; and nothing is called intact without proof."""

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.audit.help import end, entry_bytes, filled, start, tamper, writer
from tray.audit import keys
from tray.audit.checkpoint import Checkpoint, Signer, VerifierKey
from tray.audit.entry_bytes import build
from tray.audit.merkle import Frontier, leaf_hash
from tray.audit.store import AuditLog
from tray.audit.verify.check import Kind, Result, Verdict, verify
from tray.core.errors import AuditMissingError, AuditUnavailableError, BaselineError
from tray.core.paths import Places


def check(places: Places, **baselines: bytes) -> Verdict:
    """Verify, with baselines by name."""
    return verify(places.audit_db, places.audit_key, baselines=baselines)


def finding(places: Places, **baselines: bytes) -> tuple[Kind | None, int | None]:
    """The kind of a break and the first bad entry."""
    verdict = check(places, **baselines)
    assert verdict.result is Result.TAMPERED, verdict.why
    return verdict.kind, verdict.first_bad


def note_of(places: Places) -> bytes:
    """The newest signed checkpoint."""
    with AuditLog.read(places.audit_db) as log:
        return log.head()[2]


def set_entry(seq: int, raw: bytes) -> tuple[str, tuple[object, ...]]:
    """The statement that overwrites an entry."""
    return "UPDATE entries SET entry = ? WHERE seq = ?", (raw, seq)


def rebuilt(places: Places, seq: int, seed: bytes | None = None) -> list[tuple[str, tuple[object, ...]]]:
    """Statements that turn entry *seq* into a success of another job and mend everything behind it, as a clever forger would.

    Args:
        seed: The key to sign with; without one the old checkpoint stays.
    """
    with AuditLog.read(places.audit_db) as log:
        entries, note = log.entries(0, 10_000), log.head()[2]
    tree, prev, statements = Frontier(), bytes(32), []
    for entry in entries:
        data = dict(entry.data) | {"prev": prev.hex()}
        if entry.seq == seq:
            data["job"] = "forged"
        raw = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        if raw != entry.raw:
            statements.append(set_entry(entry.seq, raw))
        prev = leaf_hash(raw)
        tree.push(prev)
    origin = entries[0].data["log"]
    if seed is not None:
        note = Signer(seed).sign(Checkpoint(origin, tree.size, tree.root()))
    head = "UPDATE head SET leaf = ?, frontier = ?, checkpoint = ?"
    return [*statements, (head, (prev, tree.to_bytes(), note))]


def test_an_honest_log_is_intact_only_beside_a_baseline(places: Places) -> None:
    """Without anything from outside the result is inconclusive, and says why."""
    note = note_of(filled(places))
    verdict = check(places)
    assert (verdict.result, verdict.entries, verdict.kind) == (Result.INCONCLUSIVE, 22, None)
    assert "baseline" in verdict.why
    verdict = check(places, usb=note)
    assert (verdict.result, verdict.baselines, verdict.first_bad) == (Result.INTACT, ("usb",), None)


def test_older_baselines_still_agree_with_a_grown_log(places: Places) -> None:
    """Every checkpoint that was ever printed stays a baseline, and the verdict says how far it reaches."""
    notes = {}
    with writer(places) as log:
        for number in range(9):
            log.append([end(f"r{number}")])
            notes[f"n{number}"] = log.head()[2]
    verdict = check(places, **notes)
    assert (verdict.result, len(verdict.baselines)) == (Result.INTACT, 9)
    assert any("first 3 entries" in note for note in check(places, old=notes["n0"]).notes)


def test_verification_works_while_others_append(places: Places) -> None:
    """It reads one state; an append in the middle neither disturbs it nor waits for it."""
    with writer(places, timeout=1) as log:
        log.append([end(f"r{number}") for number in range(5000)])
        seen: list[tuple[int, int]] = []

        def disturb(done: int, total: int) -> None:
            seen.append((done, total))
            log.append([end("in the middle")])

        verdict = verify(places.audit_db, places.audit_key, progress=disturb)
    assert (verdict.result, verdict.entries) == (Result.INCONCLUSIVE, 5002)
    assert seen == [(4096, 5002)]
    assert check(places).entries == 5003


@pytest.mark.parametrize("seq", [0, 1, 2, 7, 12, 20])
def test_whoever_edits_one_entry_is_caught_at_that_entry(places: Places, seq: int) -> None:
    """One changed value in an entry that stays well-formed: named exactly, at the beginning, in the middle, near the end."""
    filled(places)
    raw = entry_bytes(places, seq)
    tamper(places, set_entry(seq, raw.replace(b'"actor":"', b'"actor":"x')))
    assert finding(places) == (Kind.ALTERED, seq)


def test_an_edited_last_entry_is_caught(places: Places) -> None:
    """No later entry vouches for the last one, but the signed root does."""
    for runs in (1, 2, 3):
        here = Places(places.config, places.state / str(runs), places.runtime, places.log)
        last = 2 * runs + 1
        filled(here, runs)
        tamper(here, set_entry(last, entry_bytes(here, last).replace(b"succeeded", b"cancelled")))
        assert finding(here) == (Kind.ALTERED, last)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"id":"x","seq":5}',
        b'{"id":"x","seq":5,"v":1}',
        b'[{"id":"x"}]',
        b'{"id":"x","seq":5,"z":"' + b"z" * 70_000 + b'"}',
    ],
)
def test_what_is_no_entry_is_caught(places: Places, raw: bytes) -> None:
    """Something else in place of an entry, however large."""
    filled(places)
    tamper(places, "PRAGMA ignore_check_constraints = ON", set_entry(5, raw))
    assert finding(places) == (Kind.ALTERED, 5)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"files":null', b'"files":1.0'),
        (b'"files":null', b'"files": null'),
        (b'"files":null', b'"files":-1'),
        (b'"files":null', b'"files":null,"files":1'),
        (b'"result":"succeeded"', b'"result":"succeede\\u0064"'),
        (b'"result":"succeeded"', b'"result":"\xff"'),
        (b'"result":"succeeded"', b'"result":null'),
        (b'"action":"run.finished"', b'"action":"run.forged"'),
        (b'"v":1', b'"v":2'),
    ],
)
def test_only_the_canonical_form_counts(places: Places, old: bytes, new: bytes) -> None:
    """Bytes that two programs could read differently are no entry, even if they say the same."""
    filled(places)
    raw = entry_bytes(places, 5)
    assert old in raw
    tamper(
        places,
        "PRAGMA ignore_check_constraints = ON",
        set_entry(5, raw.replace(old, new)),
    )
    assert finding(places) == (Kind.ALTERED, 5)


def test_a_removed_entry_is_missed(places: Places) -> None:
    """A gap in the numbers is named."""
    filled(places)
    tamper(places, "DELETE FROM bodies WHERE seq = 6", "DELETE FROM entries WHERE seq = 6")
    assert finding(places) == (Kind.MISSING, 6)


def test_a_removed_entry_is_missed_even_when_the_rest_moves_up(places: Places) -> None:
    """Renumbering the rows hides nothing: the number stands in the entry itself."""
    filled(places)
    tamper(
        places,
        "PRAGMA ignore_check_constraints = ON",
        "DELETE FROM bodies WHERE seq = 6",
        "DELETE FROM entries WHERE seq = 6",
        "UPDATE entries SET seq = seq - 1 WHERE seq > 6",
    )
    assert finding(places) == (Kind.MISSING, 6)


def test_a_cut_tail_is_noticed(places: Places) -> None:
    """Fewer entries than were signed."""
    filled(places)
    tamper(places, "DELETE FROM bodies WHERE seq >= 20", "DELETE FROM entries WHERE seq >= 20")
    assert finding(places) == (Kind.TRUNCATED, 20)


def test_a_rollback_to_an_older_signed_state_needs_a_baseline(places: Places, tmp_path: Path) -> None:
    """An old copy of the whole log is consistent: only a newer checkpoint from outside tells, and we say so."""
    filled(places, 3)
    copy = places.audit_db.read_bytes()
    assert not (places.state / "audit.db-wal").exists()
    with writer(places) as log:
        log.append([end("failed yesterday")])
        note = log.head()[2]
    places.audit_db.write_bytes(copy)
    assert check(places).result is Result.INCONCLUSIVE
    assert finding(places, mail=note) == (Kind.ROLLED_BACK, 8)


def test_an_unsigned_entry_at_the_end_is_noticed(places: Places) -> None:
    """More entries than were signed: an attacker without the key appended them."""
    filled(places)
    with AuditLog.read(places.audit_db) as log:
        last, name = log.entry(21), log.entry(0).data["log"]
    raw = build(end("forged", body=None), seq=22, prev=last.leaf, log=name, recorded_ms=0, body=None)
    tamper(places, ("INSERT INTO entries (seq, entry) VALUES (22, ?)", (raw,)))
    assert finding(places) == (Kind.ADDED, 22)


def test_a_rewritten_chain_does_not_fit_the_signed_root(places: Places) -> None:
    """A forger who mends all hashes still lacks the key."""
    filled(places)
    tamper(places, *rebuilt(places, 5))
    assert finding(places)[0] is Kind.REWRITTEN


def test_a_rewritten_chain_is_located_by_what_the_head_remembers(places: Places) -> None:
    """If the head was left alone, the first subtree that differs bounds the place: no entry before it was touched."""
    filled(places)  # 22 entries: subtrees of 16, 4 and 2
    statements = rebuilt(places, 18)
    tamper(places, *statements[:-1])
    assert finding(places) == (Kind.REWRITTEN, 16)


def test_a_log_signed_by_a_strange_key_is_noticed(places: Places) -> None:
    """The forger signs with a key of their own."""
    filled(places)
    tamper(places, *rebuilt(places, 5, seed=bytes(32)))
    assert finding(places) == (Kind.UNKNOWN_KEY, None)


@pytest.mark.parametrize("note", [b"", b"x", None, "text"])
def test_a_missing_or_broken_signature_is_never_intact(places: Places, note: object) -> None:
    """No signature, no proof, whatever else fits, and with the right baseline too."""
    filled(places)
    baseline = note_of(places)
    signed = baseline.replace(b"\xe2\x80\x94", b"-") if note is None else note
    tamper(places, ("UPDATE head SET checkpoint = ?", (signed,)))
    assert finding(places) == (Kind.UNSIGNED, None)
    assert finding(places, usb=baseline) == (Kind.UNSIGNED, None)


def test_who_holds_the_key_is_caught_by_a_baseline(places: Places) -> None:
    """Key and log in one hand leave no trace inside; a checkpoint kept elsewhere does."""
    filled(places)
    baseline = note_of(places)
    tamper(places, *rebuilt(places, 5, seed=keys.load(places.audit_key)))
    assert check(places).result is Result.INCONCLUSIVE
    assert finding(places, usb=baseline)[0] is Kind.REWRITTEN


def test_of_several_baselines_the_agreeing_ones_bound_the_break(places: Places) -> None:
    """An older baseline proves that the entries it still vouches for were not touched."""
    with writer(places) as log:
        log.append([end(f"r{n}") for n in range(4)])
        old = log.head()[2]
        log.append([end(f"s{n}") for n in range(4)])
        new = log.head()[2]
    tamper(places, *rebuilt(places, 8, seed=keys.load(places.audit_key)))
    assert finding(places, old=old, new=new) == (Kind.REWRITTEN, 6)


def test_a_replaced_log_is_noticed(places: Places, tmp_path: Path) -> None:
    """An attacker replaces this log by another one, well signed by another key."""
    baseline = note_of(filled(places))
    other = filled(Places(tmp_path / "c", tmp_path / "s", tmp_path / "r", tmp_path / "l"))
    os.replace(other.audit_db, places.audit_db)
    os.replace(other.audit_key, places.audit_key)
    assert finding(places) == (Kind.UNKNOWN_KEY, None)
    assert finding(places, usb=baseline) == (Kind.REPLACED, None)
    os.replace(other.audit_key.with_suffix(".pub"), places.audit_key.with_suffix(".pub"))
    assert check(places).result is Result.INCONCLUSIVE  # everything was replaced: only a baseline can tell
    assert finding(places, usb=baseline) == (Kind.REPLACED, None)


def test_without_pinned_keys_the_key_file_counts(places: Places) -> None:
    """If `audit.pub` is lost, the signing key itself still tells; if that is lost too, the verdict says what is missing."""
    filled(places)
    places.audit_key.with_suffix(".pub").unlink()
    assert check(places).notes == ()
    kept = places.audit_key.read_bytes()
    places.audit_key.unlink()
    keys.create(places.audit_key)
    assert finding(places)[0] is Kind.UNKNOWN_KEY
    places.audit_key.unlink()
    assert "pinned" in check(places).notes[0]
    keys.write_new(places.audit_key, kept)
    assert check(places).notes == ()


def test_a_lost_key_is_replaced_openly(places: Places) -> None:
    """Records go on under a new key; the entry about it keeps the old checkpoint, and older baselines still count."""
    baseline = note_of(filled(places))
    places.audit_key.unlink()
    with writer(places) as log:
        log.append([end("later")])
        entry = log.entry(22)
        assert (entry.data["action"], entry.data["severity"]) == ("key.rotated", "critical")
        assert entry.body is not None
        assert entry.body["checkpoint"] == baseline.decode()
    verdict = check(places, usb=baseline)
    assert (verdict.result, verdict.entries) == (Result.INCONCLUSIVE, 24)
    assert (
        "at entry 22 a new key took over" in verdict.why
    )  # anybody could have brought one in: a newer baseline must cover it
    verdict = check(places, usb=baseline, newer=note_of(places))
    assert (verdict.result, len(verdict.baselines)) == (Result.INTACT, 2)
    assert any("entry 22" in note for note in verdict.notes)


def test_a_key_change_that_the_old_key_did_not_vouch_for_is_noticed(places: Places) -> None:
    """Rewriting the past, then pretending that the key was lost, does not work."""
    filled(places)
    tamper(places, *rebuilt(places, 5, seed=bytes(range(32))))
    places.audit_key.unlink()
    with writer(places) as log:
        log.append([end("later")])
    assert finding(places) == (Kind.KEY, 22)


def test_altered_details_are_caught(places: Places) -> None:
    """Bodies are bound to their entries by hash and salt."""
    filled(places)
    tamper(places, "UPDATE bodies SET body = CAST('{}' AS BLOB) WHERE seq = 7")
    assert finding(places) == (Kind.BODY, 7)


def test_details_of_another_type_are_caught(places: Places) -> None:
    """Text where bytes belong is an alteration like any other, not a traceback."""
    filled(places)
    tamper(places, "UPDATE bodies SET body = CAST(body AS TEXT) WHERE seq = 7")
    assert finding(places) == (Kind.BODY, 7)
    tamper(places, "UPDATE head SET frontier = 'text'")
    assert finding(places) == (Kind.INDEX, None)


def test_erasing_the_key_is_noticed(places: Places) -> None:
    """Even with an entry that claims the erasure: without its key the log proves nothing."""
    filled(places)
    tamper(places, "DELETE FROM bodies WHERE seq = 1")
    assert finding(places) == (Kind.BODY, 1)


def test_missing_details_are_caught_unless_their_erasure_is_on_record(places: Places) -> None:
    """Details may go, but not silently."""
    with writer(filled(places)) as log:
        log.redact(9, "asked for")
    assert check(places).result is Result.INCONCLUSIVE
    tamper(places, "DELETE FROM bodies WHERE seq = 11")
    assert finding(places) == (Kind.BODY, 11)


@pytest.mark.parametrize(("seq", "named"), [(6, 6), (22, None), (-1, None)])
def test_details_without_an_entry_that_names_them_are_caught(places: Places, seq: int, named: int | None) -> None:
    """Verification catches details that an attacker adds under an entry that has none, or beyond the end."""
    filled(places)
    tamper(places, ("INSERT INTO bodies VALUES (?, x'00', CAST('{}' AS BLOB))", (seq,)))
    assert finding(places) == (Kind.BODY, named)


@pytest.mark.parametrize(
    "change",
    [
        "DROP TRIGGER no_delete",
        "DROP INDEX run_end",
        "CREATE VIEW entries2 AS SELECT * FROM entries",
        "CREATE TRIGGER more AFTER INSERT ON entries BEGIN DELETE FROM bodies; END",
        "DROP TRIGGER at_the_end; CREATE TRIGGER at_the_end BEFORE INSERT ON entries BEGIN SELECT 1; END",
    ],
)
def test_a_changed_schema_is_noticed(places: Places, change: str) -> None:
    """Guard-rails taken down, or columns that say something else than the entries."""
    filled(places)
    connection = sqlite3.connect(places.audit_db)
    connection.executescript(change)
    connection.close()
    assert finding(places) == (Kind.SCHEMA, None)


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO open_runs VALUES ('ghost', 3)",
        "DELETE FROM open_runs",
        "UPDATE head SET frontier = x'00'",
        "UPDATE head SET size = size + 1",
    ],
)
def test_what_only_serves_speed_must_agree_with_the_entries(places: Places, change: str) -> None:
    """Verification notices an attacker who hides a lost run by taking it out of the list of open runs."""
    with writer(filled(places)) as log:
        log.append([start("open")])
    tamper(places, change)
    assert finding(places)[0] is Kind.INDEX


def test_an_index_that_disagrees_is_noticed(places: Places) -> None:
    """Status reads indexes; one that was edited in the file itself shows another outcome than the entries."""
    with writer(filled(places)) as log:
        log.append([end("bad", job="the-one-job-to-find")])
    raw = places.audit_db.read_bytes()
    mark = b'"restic","the-one-job-to-find"'  # as the index of facets holds it; the entry itself has keys in between
    at = raw.index(mark)
    places.audit_db.write_bytes(raw[:at] + mark.replace(b"find", b"hide") + raw[at + len(mark) :])
    assert finding(places)[0] is Kind.INDEX


def test_a_missing_head_is_noticed(places: Places) -> None:
    """The signature goes with it."""
    filled(places)
    tamper(places, "DELETE FROM head")
    assert finding(places) == (Kind.MISSING, None)


def test_noise_in_the_middle_of_the_file_is_a_finding(places: Places) -> None:
    """Damaged pages are no reason to say that all is well, nor for a traceback."""
    filled(places, 300)
    raw = bytearray(places.audit_db.read_bytes())
    for page in range(10, len(raw) // 4096 - 1, 7):
        raw[page * 4096 : page * 4096 + 2000] = bytes((page * 31 + at * 17) % 256 for at in range(2000))
    places.audit_db.write_bytes(raw)
    kind, first = finding(places)
    assert kind in (Kind.DAMAGED, Kind.ALTERED, Kind.BODY, Kind.MISSING, Kind.TRUNCATED, Kind.INDEX)
    assert first is None or 0 <= first <= 602


@pytest.mark.parametrize("step", [511, 4096, 40_000])
def test_no_altered_byte_is_called_intact(places: Places, step: int) -> None:
    """Bytes flipped all over the file: every result is a finding, an error in words, or (in unused space) the honest one."""
    note = note_of(filled(places, 60))
    raw = places.audit_db.read_bytes()
    with AuditLog.read(places.audit_db) as log:
        before = [entry.raw for entry in log.entries(0, 1000)]
    for at in range(100, len(raw), max(step, len(raw) // 60)):
        places.audit_db.write_bytes(raw[:at] + bytes([raw[at] ^ 0x55]) + raw[at + 1 :])
        try:
            verdict = check(places, usb=note)
        except AuditUnavailableError:
            continue
        if verdict.result is Result.INTACT:
            with AuditLog.read(places.audit_db) as log:
                assert [entry.raw for entry in log.entries(0, 1000)] == before


@pytest.mark.parametrize(
    "break_it",
    [
        lambda _: b"",
        lambda _: b"\x00" * 100,
        lambda note: note[:40],
        lambda note: note[:-20] + (b"A" if note[-20:-19] != b"A" else b"B") + note[-19:],
    ],
)
def test_a_broken_baseline_is_an_error_and_no_verdict(places: Places, break_it: Callable[[bytes], bytes]) -> None:
    """A damaged file proves nothing: neither intact nor tampered."""
    broken = break_it(note_of(filled(places)))
    with pytest.raises(BaselineError, match="usb cannot serve"):
        check(places, usb=broken)


def test_a_baseline_by_a_strange_key_is_noticed(places: Places) -> None:
    """A checkpoint of this very tree, but signed by a key that the log does not name."""
    filled(places)
    with AuditLog.read(places.audit_db) as log:
        size, root, note = log.head()
    origin = note.split(b"\n")[0].decode()
    forged = Signer(bytes(32)).sign(Checkpoint(origin, size, root))
    assert finding(places, usb=forged) == (Kind.UNKNOWN_KEY, None)


def test_verification_changes_nothing(places: Places) -> None:
    """Not a byte of log, keys and pins."""
    filled(places)
    before = {
        file: file.read_bytes() for file in places.state.glob("audit.*") if file.suffix in (".db", ".key", ".pub")
    }
    check(places)
    assert {file: file.read_bytes() for file in before} == before


def test_verification_without_a_log_says_so(places: Places) -> None:
    """Could not check is neither intact nor tampered."""
    with pytest.raises(AuditMissingError):
        check(places)
    filled(places)
    places.audit_db.write_bytes(b"noise" * 1000)
    with pytest.raises(AuditUnavailableError, match="cannot be used"):
        check(places)


def test_the_pinned_key_is_one_that_other_tools_read(places: Places) -> None:
    """`audit.pub` holds C2SP verifier keys; with it anybody checks a printed checkpoint."""
    note = note_of(filled(places))
    key = VerifierKey.parse(places.audit_key.with_suffix(".pub").read_text())
    assert key.verifies(note)
