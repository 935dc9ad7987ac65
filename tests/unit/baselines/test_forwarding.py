"""New entries go to journald and to syslog servers: at least once, in order, and failures are told once for each outage."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.audit.help import end, filled, start
from tests.unit.baselines.test_system_log import parsed_journal, parsed_syslog, receiving
from tray.audit import spool
from tray.audit.entry import Action
from tray.audit.store import AuditLog
from tray.baselines import forwarding, system_log
from tray.baselines.forwarding import forward, waiting
from tray.config import AuditConfig, Config
from tray.core.dataclass import replace
from tray.core.model import Outcome
from tray.core.paths import Places

JOURNALD = Config(audit=AuditConfig(forward=("journald",)))


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A socket that stands in for journald."""
    monkeypatch.setattr(system_log, "JOURNAL_SOCKET", str(tmp_path / "journal"))
    with receiving(tmp_path / "journal") as made:
        yield made


def taken(receiver: socket.socket) -> list[dict[str, str]]:
    """All that *receiver* has got."""
    receiver.setblocking(False)
    found = []
    try:
        while True:
            found.append(parsed_journal(receiver.recv(65_536)))
    except BlockingIOError:
        return found


def seqs(receiver: socket.socket) -> list[int]:
    """The numbers of the entries that *receiver* has got."""
    return [int(entry["BACKUP_TRAY_SEQ"]) for entry in taken(receiver)]


def failures(places: Places) -> int:
    """How many outages are on record."""
    with AuditLog.read(places.audit_db) as log:
        return sum(entry.data["action"] == Action.FORWARD_FAILED for entry in log.entries(0, 10_000))


def test_every_new_entry_is_sent_once_and_in_order(places: Places, journal: socket.socket) -> None:
    """A call sends what came since the last one, and nothing twice."""
    filled(places, 2)
    assert forward(places, JOURNALD) == 6
    assert seqs(journal) == [0, 1, 2, 3, 4, 5]
    assert forward(places, JOURNALD) == 0
    spool.record(places, [start(), end()])
    assert waiting(places, JOURNALD) == {"journald": 2}
    assert forward(places, JOURNALD) == 2
    assert seqs(journal) == [6, 7]


def test_an_entry_arrives_with_its_fields_and_without_its_details(places: Places, journal: socket.socket) -> None:
    """A server can filter by job and severity and compare hashes; paths and messages stay here."""
    spool.record(places, [end("run-1", job="my home", outcome=Outcome.FAILED, errors=3)])
    forward(places, JOURNALD)
    last = taken(journal)[-1]
    with AuditLog.read(places.audit_db) as log:
        entry = log.entry(2)
    assert last["BACKUP_TRAY_HASH"] == entry.leaf.hex()
    assert last["BACKUP_TRAY_LOG"] == entry.data["log"]
    assert (last["BACKUP_TRAY_JOB"], last["BACKUP_TRAY_RUN"], last["BACKUP_TRAY_RESULT"]) == (
        "my home",
        "run-1",
        "failed",
    )
    assert last["PRIORITY"] == "3"
    assert last["MESSAGE"].startswith(
        "run.finished: failed, job my home, engine restic, kind backup, run run-1, 3 errors, by "
    )
    assert "/srv/backup" not in str(last)


def test_a_syslog_server_gets_the_same_as_rfc_5424(places: Places) -> None:
    """The moment is that of the event, however late it is sent."""
    filled(places, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        config = Config(audit=AuditConfig(forward=(f"udp://127.0.0.1:{server.getsockname()[1]}",)))
        assert forward(places, config) == 4
        received = [parsed_syslog(server.recv(4096)) for _ in range(4)]
    header, data = received[-1]
    with AuditLog.read(places.audit_db) as log:
        entry = log.entry(3)
    assert (header["msgid"], header["time"]) == ("run.finished", entry.data["time"])
    assert (data["seq"], data["job"], data["hash"]) == ("3", "home", entry.leaf.hex())


def test_what_was_missed_is_sent_when_the_receiver_is_back(
    places: Places, journal: socket.socket, tmp_path: Path
) -> None:
    """An outage is put on record once, however many calls fail; afterwards nothing is missing, not even that entry."""
    filled(places, 1)
    forward(places, JOURNALD)
    assert seqs(journal) == [0, 1, 2, 3]
    (tmp_path / "journal").rename(tmp_path / "away")
    spool.record(places, [end()])
    for _ in range(4):
        assert forward(places, JOURNALD) == 0
    assert failures(places) == 1
    (tmp_path / "away").rename(tmp_path / "journal")
    assert forward(places, JOURNALD) == 2
    assert seqs(journal) == [4, 5]
    assert forward(places, JOURNALD) == 0


def test_a_second_outage_is_put_on_record_again(places: Places, journal: socket.socket, tmp_path: Path) -> None:
    """Once for each outage, not once for ever."""
    filled(places, 1)
    for _ in range(2):
        (tmp_path / "journal").rename(tmp_path / "away")
        spool.record(places, [end()])
        forward(places, JOURNALD)
        (tmp_path / "away").rename(tmp_path / "journal")
        forward(places, JOURNALD)
    assert failures(places) == 2


def test_one_receiver_that_is_out_does_not_hold_up_another(places: Places, journal: socket.socket) -> None:
    """The entry about the outage reaches the other one and causes nothing further: there is no loop."""
    filled(places, 1)
    config = Config(audit=AuditConfig(forward=("udp://127.0.0.1:9", "journald")))
    for _ in range(5):
        forward(places, config)
    got = taken(journal)
    assert [entry["BACKUP_TRAY_ACTION"] for entry in got].count("audit.forward_failed") == 1
    assert len(got) == 5
    assert failures(places) == 1


def test_a_new_receiver_gets_the_newest_entries_first_and_not_the_years_before(
    places: Places, journal: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Switching it on floods no receiver, and shows at once that it works."""
    monkeypatch.setattr(forwarding, "FIRST", 3)
    filled(places, 10)
    assert forward(places, JOURNALD) == 3
    assert seqs(journal) == [19, 20, 21]


def test_batches_are_sent_until_the_time_is_up(
    places: Places, journal: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backlog is worked off in pieces; each call does at least one of them."""
    monkeypatch.setattr(forwarding, "BATCH", 3)
    filled(places, 3)  # a socket takes ten datagrams before its receiver must read them
    sent = []
    while number := forward(places, JOURNALD, seconds=0):
        sent.append(number)
    assert sent == [3, 3, 2]
    assert seqs(journal) == list(range(8))


def test_whoever_is_killed_before_the_cursor_is_kept_sends_again(
    places: Places, journal: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At least once: rather twice than never."""
    filled(places, 1)
    with monkeypatch.context() as patch:
        patch.setattr("tray.baselines.unreached.Memory.save", lambda _self: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            forward(places, JOURNALD)
    assert seqs(journal) == [0, 1, 2, 3]
    assert forward(places, JOURNALD) == 4
    assert seqs(journal) == [0, 1, 2, 3]


def test_after_a_rollback_the_newest_entries_are_sent_again(places: Places, journal: socket.socket) -> None:
    """A cursor that points at another entry than the one that was sent counts for nothing."""
    filled(places, 1)
    forward(places, JOURNALD)
    seqs(journal)
    for path in [places.audit_db, *places.state.glob("audit.db-*"), places.audit_key]:
        path.unlink()
    filled(places, 3)
    assert forward(places, JOURNALD) == 8
    assert seqs(journal) == list(range(8))


def test_nothing_is_done_where_nothing_is_configured_or_no_log_is(places: Places, journal: socket.socket) -> None:
    """Forwarding makes neither log nor file."""
    assert forward(places, JOURNALD) == 0
    assert not places.state.exists()
    filled(places, 1)
    assert forward(places, Config()) == 0
    assert not (places.state / forwarding.FILE).exists()
    assert taken(journal) == []


def test_two_at_once_do_not_send_twice(places: Places, journal: socket.socket) -> None:
    """The tracker's helper and the end of a run may meet: one of them does the work."""
    filled(places, 1)
    with forwarding.alone(places.state / forwarding.FILE) as mine:
        assert mine
        assert forward(places, JOURNALD) == 0
    assert forward(places, JOURNALD) == 4


def test_a_receiver_that_is_configured_no_more_is_forgotten(places: Places, journal: socket.socket) -> None:
    """Configured again later, it begins with the newest entries."""
    filled(places, 1)
    forward(places, JOURNALD)
    forward(places, replace(JOURNALD, audit=AuditConfig(forward=("udp://127.0.0.1:9",))))
    assert "journald" not in (places.state / forwarding.FILE).read_text()
