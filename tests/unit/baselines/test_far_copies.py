"""Checkpoints in further places: other folders, repositories, the system's log; outages are told once, contradictions stay."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.audit.help import end, filled
from tests.unit.baselines.test_system_log import parsed_journal, parsed_syslog, receiving
from tray import config as configuration
from tray.audit import checkpoint, near_copy, spool
from tray.audit.checkpoint import Checkpoint, Signer
from tray.audit.entry import Action
from tray.audit.store import AuditLog
from tray.audit.verify.check import Kind, Result, verify
from tray.baselines import all_copies, far_copies, recorded_check, system_log
from tray.baselines.all_copies import notes, repository
from tray.baselines.far_copies import copy_far
from tray.baselines.recorded_check import check
from tray.config import AuditConfig, Config, saving
from tray.config.jobs import Job
from tray.core import ourselves
from tray.core.paths import Places, private


def kept(*places: object) -> Config:
    """A configuration with baselines in these places."""
    return Config(audit=AuditConfig(baselines=tuple(map(str, places))))


@pytest.fixture
def log(places: Places) -> Places:
    """A log that was kept by the ordinary way of recording."""
    spool.record(filled(places, 2), [end()])
    return places


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    """A folder on another volume."""
    made = tmp_path / "stick"
    made.mkdir()
    return made


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A socket that stands in for journald."""
    monkeypatch.setattr(system_log, "JOURNAL_SOCKET", str(tmp_path / "journal"))
    with receiving(tmp_path / "journal") as made:
        yield made


def newest(places: Places) -> bytes:
    """The newest checkpoint."""
    with AuditLog.read(places.audit_db) as log:
        return log.head()[2]


def copy_in(folder: Path, places: Places) -> Path:
    """Where the copy in *folder* lies."""
    return folder / f"{near_copy.stem_of(checkpoint.parse(newest(places)).origin)}.checkpoint"


def failures(places: Places) -> int:
    """How many outages are on record."""
    with AuditLog.read(places.audit_db) as log:
        return sum(entry.data["action"] == Action.AUDIT_COPY_FAILED for entry in log.entries(0, 10_000))


def test_a_folder_gets_the_newest_checkpoint_and_the_keys(log: Places, stick: Path) -> None:
    """With the stick alone anybody can tell whether this is the same log."""
    assert copy_far(log, kept(stick)) == []
    assert copy_in(stick, log).read_bytes() == newest(log)
    assert near_copy.pins_in(copy_in(stick, log).with_suffix(".pub")) == all_copies.pinned(log)
    spool.record(log, [end()])
    copy_far(log, kept(stick))
    assert copy_in(stick, log).read_bytes() == newest(log)


def test_verification_finds_the_far_copies(log: Places, stick: Path) -> None:
    """Each configured copy counts as a baseline, named by where it is."""
    copy_far(log, kept(stick))
    copies = notes(log, kept(stick))
    assert list(copies) == [str(copy_in(log.baselines, log)), str(copy_in(stick, log))]
    verdict = verify(log.audit_db, log.audit_key, baselines=copies)
    assert verdict.result is Result.INTACT
    assert len(verdict.baselines) == 2


def test_copies_of_other_machines_in_the_same_folder_are_not_ours_to_judge(log: Places, stick: Path) -> None:
    """One stick serves several machines."""
    other = "backup-tray/11111111-2222-4333-8444-555555555555"
    (stick / f"{near_copy.stem_of(other)}.checkpoint").write_bytes(
        Signer(bytes(32)).sign(Checkpoint(other, 3, bytes(32)))
    )
    copy_far(log, kept(stick))
    assert list(notes(log, kept(stick))) == [str(copy_in(log.baselines, log)), str(copy_in(stick, log))]


def test_a_log_that_was_replaced_as_a_whole_contradicts_the_far_copy_too(log: Places, stick: Path) -> None:
    """Its name is still known beside the configuration, so the stick is asked about it."""
    copy_far(log, kept(stick))
    before = copy_in(stick, log)
    for path in [log.audit_db, *log.state.glob("audit.*")]:
        path.unlink(missing_ok=True)
    spool.record(log, [end()])
    copy_far(log, kept(stick))
    assert str(before) in notes(log, kept(stick))


def test_a_disk_that_is_not_there_is_put_on_record_once(log: Places, tmp_path: Path) -> None:
    """Nothing is written where the disk would be mounted, and the backup knows nothing of it."""
    absent = tmp_path / "mnt" / "stick"
    for _ in range(3):
        (said,) = copy_far(log, kept(absent))
        assert "its disk may not be mounted" in said
    assert failures(log) == 1
    assert not absent.exists()
    absent.mkdir(parents=True)
    assert copy_far(log, kept(absent)) == []
    absent.rename(tmp_path / "away")
    copy_far(log, kept(absent))
    assert failures(log) == 2


def test_one_place_that_is_out_does_not_keep_the_others_from_their_copy(
    log: Places, stick: Path, tmp_path: Path
) -> None:
    """Each place is tried by itself."""
    assert len(copy_far(log, kept(tmp_path / "none", stick))) == 1
    assert copy_in(stick, log).exists()


def test_a_copy_that_contradicts_the_log_stays_and_is_told(log: Places, stick: Path) -> None:
    """The proof that the log was rewritten is not overwritten by the log that was rewritten."""
    seen = checkpoint.parse(newest(log))
    forged = Signer(bytes(32)).sign(Checkpoint(seen.origin, 3, bytes(32)))
    copy_in(stick, log).write_bytes(forged)
    (said,) = copy_far(log, kept(stick))
    assert "says something else than the log" in said
    assert copy_in(stick, log).read_bytes() == forged
    assert failures(log) == 1


def test_a_copy_from_before_a_rollback_stays(log: Places, stick: Path) -> None:
    """A genuine older log that was put back is noticed by the copy that saw more."""
    seen = checkpoint.parse(newest(log))
    later = Signer(bytes(32)).sign(Checkpoint(seen.origin, seen.size + 5, bytes(32)))
    copy_in(stick, log).write_bytes(later)
    assert len(copy_far(log, kept(stick))) == 1
    assert copy_in(stick, log).read_bytes() == later


@pytest.mark.parametrize(
    ("job", "folder"),
    [
        (Job("a", "restic", ("/home",), "/srv/repo"), "/srv/repo"),
        (Job("a", "restic", ("/home",), "local:/srv/repo"), "/srv/repo"),
        (Job("a", "restic", ("/home",), "rest:http://host/"), None),
        (Job("a", None, command=("restic", "-r", "/srv/repo", "backup", "/home")), "/srv/repo"),
        (Job("a", None, command=("nice", "borg", "create", "/srv/borg::{now}", "/home")), "/srv/borg"),
        (Job("a", None, command=("borg", "create", "host:borg::{now}", "/home")), None),
        (Job("a", None, command=("rsync", "-a", "/home/", "/srv/copy")), None),
        (Job("a", None, command=("pg_backup", "--all")), None),
    ],
)
def test_repositories_of_restic_and_borg_on_this_machine_can_take_copies(job: Job, folder: str | None) -> None:
    """In the folder of any other engine a new name would be an error, or be deleted as one."""
    assert repository(job) == (None if folder is None else Path(folder))


def test_a_repository_gets_a_folder_of_its_own_for_the_copies(log: Places, tmp_path: Path) -> None:
    """Copies travel with the backups; where there is no repository, nothing is made."""
    for name, place in (("home", "repo"), ("gone", "none")):
        saving.save_job(log, Job(name, "restic", ("/home",), str(tmp_path / place)))
    (tmp_path / "repo").mkdir()
    (tmp_path / "repo" / "config").write_bytes(b"a repository has this file")
    note = newest(log)
    (said,) = copy_far(log, kept("repository"))
    assert "there is no repository" in said
    copy = copy_in(tmp_path / "repo" / "backup-tray", log)
    assert copy.read_bytes() == note
    assert str(copy) in notes(log, kept("repository"))
    assert not (tmp_path / "none").exists()


def test_the_journal_is_told_each_checkpoint_once(log: Places, journal: socket.socket) -> None:
    """One line that can be copied out of the journal and compared with the log, and fields to find it by."""
    for _ in range(2):
        assert copy_far(log, kept("journald")) == []
    told = parsed_journal(journal.recv(65_536))
    assert checkpoint.from_line(told["MESSAGE"]) == newest(log)
    seen = checkpoint.parse(newest(log))
    assert (told["BACKUP_TRAY_LOG"], told["BACKUP_TRAY_SIZE"]) == (seen.origin, str(seen.size))
    journal.setblocking(False)
    with pytest.raises(BlockingIOError):
        journal.recv(1)


def test_syslog_is_told_too(log: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no journald."""
    monkeypatch.setattr(system_log, "SYSLOG_SOCKET", str(tmp_path / "log"))
    with receiving(tmp_path / "log") as taker:
        copy_far(log, kept("syslog"))
        told = taker.recv(65_536).decode()
    assert checkpoint.from_line(told) == newest(log)
    assert f'log="{checkpoint.parse(newest(log)).origin}"' in told


@pytest.mark.process
def test_what_the_journal_was_told_is_a_baseline(log: Places, journal: socket.socket, tmp_path: Path) -> None:
    """`journalctl -t backup-tray -o cat > FILE; backup-tray audit verify --checkpoint FILE` says whether it still holds."""
    copy_far(log, kept("journald"))
    spool.record(log, [end()])
    copy_far(log, kept("journald"))
    lines = [parsed_journal(journal.recv(65_536))["MESSAGE"] for _ in range(2)]
    given = tmp_path / "told"
    given.write_text("\n".join(["run.finished: succeeded", *lines]))
    command = [sys.executable, "-m", "tray", "audit", "verify", "--checkpoint", str(given)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(f"{given} (") == 2


def test_nothing_is_done_where_nothing_is_configured(places: Places) -> None:
    """Neither a log nor a file is made."""
    assert copy_far(places, kept("/media/stick")) == []
    assert far_copies.copy_far(places, Config()) == []
    assert not places.state.exists()


@pytest.mark.process
def test_the_process_at_the_end_of_a_run_copies_and_forwards(log: Places, stick: Path) -> None:
    """It reads the configuration itself, so a wrapper need not."""
    private(log.config)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        port = server.getsockname()[1]
        log.config_file.write_text(f'[audit]\nbaselines = ["{stick}"]\nforward = ["udp://127.0.0.1:{port}"]\n')
        assert configuration.load(log).audit.baselines == (str(stick),)
        done = subprocess.run(
            ourselves.command("tray.baselines.far_copies"), capture_output=True, timeout=60, check=False
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert parsed_syslog(server.recv(4096))[1]["seq"] == "0"
    assert copy_in(stick, log).read_bytes() == newest(log)
    assert far_copies.FILE in {path.name for path in log.state.iterdir()}


@pytest.mark.process
def test_after_a_rollback_was_acknowledged_it_is_not_found_again(log: Places, stick: Path, tmp_path: Path) -> None:
    """A user who restored an older log on purpose says so once; the copies that saw more are kept as evidence."""
    private(log.config)
    log.config_file.write_text(f'[audit]\nbaselines = ["{stick}"]\n')
    config = configuration.load(log)
    kept_log = log.audit_db.read_bytes()
    spool.record(log, [end() for _ in range(9)])
    copy_far(log, config)
    for path in log.state.glob("audit.db*"):
        path.unlink()
    log.audit_db.write_bytes(kept_log)
    assert check(log, config).kind is Kind.ROLLED_BACK
    recorded_check.acknowledge(log, "restored from the backup of Monday")
    assert check(log, config).result is Result.INTACT
    spool.record(log, [end()])
    copy_far(log, config)
    verdict = check(log, config)
    assert (verdict.result, len(verdict.baselines), verdict.breach) == (Result.INTACT, 2, None)
    assert len([*stick.glob("*.aside"), *log.baselines.glob("*.aside")]) == 2
    given = subprocess.run([sys.executable, "-m", "tray", "audit", "verify", "--checkpoint", str(stick)], check=False)
    assert given.returncode == 0


def test_a_restored_log_that_went_on_is_intact_again_once_that_was_acknowledged(log: Places, stick: Path) -> None:
    """It has other entries than the copies saw. They stay as evidence, and every verification says that they do not count."""
    private(log.config)
    log.config_file.write_text(f'[audit]\nbaselines = ["{stick}"]\n')
    config = configuration.load(log)
    kept_log = log.audit_db.read_bytes()
    spool.record(log, [end() for _ in range(3)])
    copy_far(log, config)
    assert check(log, config).result is Result.INTACT
    for path in log.state.glob("audit.db*"):
        path.unlink()
    log.audit_db.write_bytes(kept_log)
    spool.record(log, [end() for _ in range(9)])
    assert check(log, config).kind is Kind.REWRITTEN
    recorded_check.acknowledge(log, "restored from the backup of Monday, and nobody looked before the next run")
    problems: list[str] = []
    verdict = check(log, config, problems=problems)
    assert (verdict.result, verdict.breach) == (Result.INTACT, None)
    assert any("contradicts the log" in problem for problem in problems)
    assert len([*stick.glob("*.aside"), *log.baselines.glob("*.aside")]) == 2


def test_only_what_contradicts_the_log_is_set_aside(log: Places, stick: Path) -> None:
    """A copy that agrees, and one of another log, stay."""
    copy_far(log, kept(stick))
    copy_in(stick, log).with_name("11111111-2222-4333-8444-555555555555.checkpoint").write_bytes(newest(log))
    assert all_copies.set_aside(log, kept(stick)) == []
