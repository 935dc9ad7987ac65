"""Housekeeping: its round, and the tasks that look at clock, configuration and recorder."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.audit.help import end, entry_bytes, filled, start, tamper
from tray.audit import last_check, spool
from tray.audit.rows import StoredEntry
from tray.audit.store import AuditLog
from tray.baselines.recorded_check import check
from tray.cli.main import main
from tray.config import jobs
from tray.config.jobs import Job
from tray.core import clock
from tray.core.errors import AuditUnavailableError
from tray.core.locks import FileLock
from tray.core.model import State
from tray.core.paths import Places
from tray.doctor import Level
from tray.doctor import records as doctor_records
from tray.housekeeping import clock_jumps, config_changes, rounds, task_memory, tasks
from tray.housekeeping.clock_jumps import Clocks, Jump
from tray.housekeeping.tasks import Round
from tray.jobs import engine_install, first_backup
from tray.observe import awake_log, boots
from tray.observe.awake_log import BOOT, OFF, Mark
from tray.recording import tracker_entries
from tray.status import StatusSource

NOW = 1_800_000_000_000
HOUR = 3_600_000


def entries(places: Places, *actions: str) -> list[StoredEntry]:
    """The log's entries of these actions, the oldest first."""
    with AuditLog.read(places.audit_db) as log:
        return [entry for entry in log.entries(0, 10_000) if entry.data["action"] in actions]


def body(entry: StoredEntry) -> dict[str, Any]:
    """The details of an entry, which must be there."""
    assert entry.body is not None
    return dict(entry.body)


def kept(places: Places) -> None:
    """A log whose newest checkpoint has its copy in a place apart, as every record makes it."""
    filled(places, 1)
    assert spool.record(places, [start("r"), end("r")]) is not None


def write(places: Places, text: str) -> None:
    """Change the configuration as an editor does."""
    places.config.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = places.config / "edited"
    beside.write_text(text)
    beside.replace(places.config_file)


# The round.


def test_a_task_that_fails_stops_no_other_and_is_noted(places: Places) -> None:
    """One thing that is broken must not keep the rest from being done; the note says since when, and goes when it is mended."""
    filled(places, 1)
    done: list[str] = []

    def broken(_: Round) -> None:
        raise AuditUnavailableError("It is locked.")

    def bug(_: Round) -> None:
        raise RuntimeError("a bug")

    broken_tasks: dict[str, tasks.Task] = {"a": broken, "b": bug, "c": lambda _: done.append("c")}
    failed = rounds.run(places, tasks=broken_tasks)
    assert done == ["c"]
    assert failed == {"a": "The audit log cannot be used. It is locked.", "b": "RuntimeError: a bug"}
    noted = rounds.failures(places)
    assert {name: note["why"] for name, note in noted.items()} == failed
    rounds.run(places, tasks=broken_tasks)
    assert rounds.failures(places) == noted
    (said,) = doctor_records.housekeeping(places)
    assert said.level is Level.WARN
    assert "b: RuntimeError: a bug" in said.what
    assert rounds.run(places, tasks={"a": lambda _: None}) == {}
    assert rounds.failures(places) == {}
    assert doctor_records.housekeeping(places)[0].level is Level.OK


def test_without_a_log_nothing_is_done_and_none_is_begun(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log begins with the first run, not with housekeeping; after a loss a new one would hide the loss."""
    done: list[str] = []
    assert rounds.run(places, started=True, tasks={"a": lambda _: done.append("a")}) == {}
    tracker_entries.started(places, NOW, 1)
    tracker_entries.stopped(places, "idle")
    monkeypatch.setattr(rounds, "be_modest", lambda: None)
    assert main(["tracker", "--care", "--begun", "1"]) == 0
    assert done == []
    assert not places.state.exists() or list(places.state.iterdir()) == []


def test_two_rounds_at_once_are_one(places: Places) -> None:
    """The second round ends at once, and does nothing of the first's work again."""
    filled(places, 1)
    with FileLock(task_memory.folder(places) / "lock") as lock:
        assert lock.acquire()
        assert rounds.run(places, tasks={"a": lambda _: pytest.fail("done twice")}) == {}


def test_a_memory_is_replaced_in_one_step_and_private(places: Places) -> None:
    """Half a file is never read back, others do not read it, and what did not change is not written."""
    task_memory.save(places, "x", {"a": 1})
    file = places.state / "care" / "x.json"
    before = file.stat()
    assert stat.S_IMODE(before.st_mode) == 0o600
    task_memory.save(places, "x", {"a": 1})
    assert file.stat().st_ino == before.st_ino
    task_memory.save(places, "x", {"a": 2})
    assert task_memory.load(places, "x") == {"a": 2}
    assert [path.name for path in file.parent.iterdir()] == ["x.json"]
    file.write_bytes(b"\xff{")
    assert task_memory.load(places, "x") == {}


def test_records_that_wait_are_appended(places: Places) -> None:
    """The next round appends records that a full disk kept out of the log."""
    filled(places, 1)
    spool.keep(places, [start("late"), end("late")])
    tasks.close_lost_runs(Round(places))
    assert spool.pending(places) == []
    assert len(entries(places, "run.started", "run.finished")) == 4


# The recorder.


def test_start_and_stop_of_the_recorder_are_entries(places: Places) -> None:
    """The log tells from when until when a tracker watched, which one, and why it ended."""
    filled(places, 1)
    tracker_entries.started(places, NOW, 4711)
    tracker_entries.stopped(places, "handover")
    began, ended = entries(places, "recorder.started", "recorder.stopped")
    assert began.data["time"] == clock.to_text(NOW)
    assert body(began)["pid"] == 4711
    assert body(ended) == {"pid": os.getpid(), "why": "handover"}
    assert {entry.data["severity"] for entry in (began, ended)} == {"info"}
    assert f"({os.geteuid()}) on " in began.data["actor"]


# The clock.


@pytest.mark.parametrize(
    ("before", "now", "jump"),
    [
        (Clocks(NOW, 1000, "a"), Clocks(NOW + HOUR, 1000 + HOUR, "a"), None),
        (Clocks(NOW, 0, "a"), Clocks(NOW + 9 * HOUR, 9 * HOUR, "a"), None),
        (Clocks(NOW, 0, "a"), Clocks(NOW + HOUR + 59_000, HOUR, "a"), None),
        (Clocks(NOW, 0, "a"), Clocks(NOW + 2 * HOUR, HOUR, "a"), Jump(NOW + HOUR, NOW + 2 * HOUR)),
        (Clocks(NOW, 0, "a"), Clocks(NOW - HOUR, HOUR, "a"), Jump(NOW + HOUR, NOW - HOUR)),
        (Clocks(NOW, 5 * HOUR, "a"), Clocks(NOW + 99 * HOUR, 1000, "b"), None),
        (Clocks(NOW, 5 * HOUR, "a"), Clocks(NOW - HOUR, 1000, "b"), Jump(NOW, NOW - HOUR, True)),
    ],
    ids=["went on", "slept", "drifted", "set forward", "set back", "restarted", "restarted in the past"],
)
def test_only_a_clock_that_was_set_jumps(before: Clocks, now: Clocks, jump: Jump | None) -> None:
    """Sleep, drift and a restart are no jump; setting the clock by more than a minute leaves a trace."""
    assert clock_jumps.jumped(before, now) == jump


def test_a_jump_is_an_entry_once(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """From, to and by how much, with the severity of a warning; the next round begins from the new time."""
    filled(places, 1)
    moment = [Clocks(NOW, 0, "a"), Clocks(NOW - HOUR, 60_000, "a"), Clocks(NOW - HOUR + 5000, 65_000, "a")]
    monkeypatch.setattr(clock_jumps, "read", lambda: moment.pop(0))
    for _ in range(3):
        clock_jumps.check(places)
    (entry,) = entries(places, "clock.jumped")
    assert (entry.data["result"], entry.data["severity"]) == ("set back", "warning")
    assert body(entry) == {
        "from": clock.to_text(NOW + 60_000),
        "to": clock.to_text(NOW - HOUR),
        "seconds": -3660,
        "restarted": False,
    }


def test_the_real_clocks_go_on_together(places: Places) -> None:
    """A clock that was not set leaves no entry."""
    filled(places, 1)
    clock_jumps.check(places)
    clock_jumps.check(places)
    assert entries(places, "clock.jumped") == []
    assert abs(clock.since_boot_ms() - clock_jumps.read().boot_ms) < 5000


# The configuration.

FIRST = """version = 1
[jobs.home]
sources = ["/home"]
repository = "rest:https://ann:hunter2@nas/home"
options = ["--exclude-caches"]
[jobs.home.env]
AWS_SECRET_ACCESS_KEY = "sesame-one"
"""


@pytest.fixture
def configured(places: Places) -> Iterator[Places]:
    """A log, and a configuration that was seen."""
    filled(places, 1)
    write(places, FIRST)
    config_changes.check(places)
    assert entries(places, "config.changed") == []
    yield places
    for path in (*places.state.rglob("*"),):
        if path.is_file():
            raw = path.read_bytes()
            assert not any(secret in raw for secret in (b"hunter2", b"sesame")), path


def test_an_edit_is_an_entry_key_by_key(configured: Places) -> None:
    """The entry lists changed, added and removed keys with both values, and when the file was written."""
    write(
        configured, FIRST.replace('"/home"', '"/home", "/etc"').replace("options", "password_file = '/p'\n#") + "x=1\n"
    )
    config_changes.check(configured)
    config_changes.check(configured)
    (entry,) = entries(configured, "config.changed")
    assert (entry.data["result"], entry.data["severity"]) == ("changed", "info")
    said = body(entry)
    assert said["change"] == "edited outside this program"
    assert said["file"] == str(configured.config_file)
    assert clock.from_text(said["modified_at"]) <= clock.now_ms()
    assert said["changes"] == [
        {"key": "jobs.home.env.x", "from": None, "to": "1"},
        {"key": "jobs.home.options", "from": '["--exclude-caches"]', "to": None},
        {"key": "jobs.home.password_file", "from": None, "to": '"/p"'},
        {"key": "jobs.home.sources", "from": '["/home"]', "to": '["/home", "/etc"]'},
    ]


def test_a_secret_that_changed_is_said_to_have_changed_and_never_shown(configured: Places) -> None:
    """A new password is worth an entry; neither the old nor the new one gets anywhere (the fixture looks)."""
    write(configured, FIRST.replace("sesame-one", "sesame-two").replace("hunter2", "hunter22"))
    config_changes.check(configured)
    (entry,) = entries(configured, "config.changed")
    assert body(entry)["changes"] == [
        {"key": "jobs.home.env.AWS_SECRET_ACCESS_KEY", "from": "***", "to": "***"},
        {
            "key": "jobs.home.repository",
            "from": '"rest:https://ann:***@nas/home"',
            "to": '"rest:https://ann:***@nas/home"',
        },
    ]


def test_a_command_with_a_password_is_hidden_too(configured: Places) -> None:
    """Options of a command line are redacted as everywhere."""
    write(configured, FIRST + '[jobs.db]\ncommand = ["dump", "--password", "sesame", "--api-token=sesame"]\n')
    config_changes.check(configured)
    (entry,) = entries(configured, "config.changed")
    assert body(entry)["changes"] == [
        {"key": "jobs.db.command", "from": None, "to": '["dump", "--password", "***", "--api-token=***"]'}
    ]


def test_an_address_of_a_channel_is_shown_up_to_its_host(configured: Places) -> None:
    """Behind it may stand a token, also under a mistyped key; a topic lets its readers in, as a password does."""
    hooks = [f'[channels.{name}]\nurl = "{url}"\n' for name, url in ADDRESSES.items()]
    phone = '[channels.phone]\ntype = "ntfy"\ntopic = "sesame"\nulr = "https://push.example/sesame"\n'
    write(configured, FIRST + "".join(hooks) + phone)
    config_changes.check(configured)
    write(configured, FIRST + "".join(hooks).replace("sesame", "sesame2") + phone.replace("sesame", "sesame2"))
    config_changes.check(configured)
    _, entry = entries(configured, "config.changed")
    assert {change["key"]: change["to"] for change in body(entry)["changes"]} == {
        "channels.apprise.url": '"tgram://***"',
        "channels.hook.url": '"https://hooks.example/***"',
        "channels.kuma.url": '"https://kuma.example/***"',
        "channels.login.url": '"https://ntfy.example/***"',
        "channels.phone.topic": "***",
        "channels.phone.ulr": '"https://push.example/***"',
    }


ADDRESSES = {
    "hook": "https://hooks.example/services/sesame?key=sesame",
    "kuma": "https://kuma.example/api/push/sesame",
    "apprise": "tgram://sesame/sesame",
    "login": "https://ann:sesame@ntfy.example/sesame",
}


def test_who_makes_the_audit_log_weaker_leaves_a_warning(configured: Places) -> None:
    """Fewer baselines or verifications are more than an ordinary change."""
    write(configured, FIRST + '[audit]\nverify_every = "off"\n')
    config_changes.check(configured)
    (entry,) = entries(configured, "config.changed")
    assert entry.data["severity"] == "warning"


def test_a_file_that_makes_no_sense_is_an_entry_once_without_its_words(configured: Places) -> None:
    """The reason names a line and quotes nothing; once mended only what really changed is said."""
    write(configured, FIRST + 'password = "sesame\n')
    config_changes.check(configured)
    config_changes.check(configured)
    write(configured, FIRST.replace("--exclude-caches", "--verbose"))
    config_changes.check(configured)
    broken, mended = entries(configured, "config.changed")
    assert (broken.data["result"], broken.data["severity"]) == ("not readable", "warning")
    assert body(broken)["why"] == "It is not valid TOML, line 8."
    assert [change["key"] for change in body(mended)["changes"]] == ["jobs.home.options"]


def test_a_file_that_is_gone_is_an_entry(configured: Places) -> None:
    """Without its configuration a nightly job does not run any more."""
    configured.config_file.unlink()
    config_changes.check(configured)
    (entry,) = entries(configured, "config.changed")
    assert entry.data["result"] == "removed"
    assert len(body(entry)["changes"]) == 5


def test_what_the_program_writes_itself_is_not_an_edit(configured: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that the window adds has one entry, its own; an edit of another key at the same time has one too."""
    write(configured, FIRST.replace("--exclude-caches", "--verbose"))
    monkeypatch.setattr(first_backup, "_init", lambda *_: None)
    monkeypatch.setattr(engine_install, "missing", lambda _: None)
    source = configured.state / "source"
    source.mkdir()
    first_backup.create_first_backup(
        configured, name="new", sources=[str(source)], repository=str(configured.state / "repo"), password="sesame"
    )
    config_changes.check(configured)
    own, edited = entries(configured, "config.changed")
    assert body(own)["change"] == "job added"
    assert [change["key"] for change in body(edited)["changes"]] == ["jobs.home.options"]
    for file in configured.config.glob("new*.password"):
        file.unlink()


def test_a_job_in_the_file_for_the_first_time_is_an_entry_of_its_own(configured: Places) -> None:
    """From that on it is expected to run; writing the file again begins nothing anew, a new table of the job does."""
    made = FIRST + '[jobs."two words"]\ncommand = ["true"]\nevery = "1d"\n'
    for text in (made, made + "\n", made + "stalled_after = '5m'\n"):
        write(configured, text)
        config_changes.check(configured)
    (new,) = entries(configured, "job.created")
    assert (new.data["job"], body(new)["keys"]) == ("two words", ["command", "every"])
    write(configured, FIRST)
    config_changes.check(configured)
    write(configured, made)
    config_changes.check(configured)
    assert [entry.data["job"] for entry in entries(configured, "job.created")] == ["two words", "two words"]


def test_the_first_look_at_the_file_records_only_jobs_that_the_log_does_not_know(places: Places) -> None:
    """A job that has run since long ago does not begin anew because this program looks at the file for the first time."""
    filled(places, 1)
    write(places, FIRST + '[jobs.new]\ncommand = ["true"]\n')
    config_changes.check(places)
    assert [entry.data["job"] for entry in entries(places, "job.created")] == ["new"]


def test_a_great_many_changes_are_counted(configured: Places) -> None:
    """An entry stays small, and says how much it leaves out."""
    many = "".join(f'[jobs.j{number}]\ncommand = ["true"]\n' for number in range(config_changes.MAX_CHANGES + 5))
    write(configured, FIRST + many)
    config_changes.check(configured)
    (entry,) = entries(configured, "config.changed")
    assert len(body(entry)["changes"]) == config_changes.MAX_CHANGES
    assert body(entry)["more"] == 5


def test_a_memory_that_was_damaged_is_begun_again_in_silence(configured: Places) -> None:
    """Without a last known state the changes are not known, so none are made up."""
    (configured.state / "care" / "configuration.json").write_text(json.dumps({"values": 7}))
    config_changes.check(configured)
    assert entries(configured, "config.changed") == []
    assert jobs.load(configured).jobs["home"] == Job(
        "home", sources=("/home",), repository="rest:https://ann:hunter2@nas/home", options=("--exclude-caches",)
    )


# The verification.

WEEK = 7 * clock.DAY_MS


@pytest.mark.parametrize(
    ("every", "last", "tried", "due"),
    [
        (WEEK, None, None, True),
        (WEEK, NOW - WEEK, None, True),
        (WEEK, NOW - WEEK + 1, None, False),
        (WEEK, NOW + 1, None, True),
        (None, None, None, False),
        (WEEK, None, NOW - 1000, False),
        (WEEK, None, NOW - clock.DAY_MS, True),
        (HOUR, NOW - 2 * HOUR, NOW - HOUR, True),
        (HOUR, NOW - 2 * HOUR, NOW - HOUR + 1, False),
    ],
)
def test_the_whole_log_is_verified_as_often_as_configured(
    every: int | None, last: int | None, tried: int | None, due: bool
) -> None:
    """Never is due at once, a time ahead of the clock counts for nothing, and what failed is not tried every hour."""
    assert tasks.is_due(every, last, tried, NOW) is due


def test_a_scheduled_verification_is_an_entry_and_is_not_repeated(places: Places) -> None:
    """The first round checks all; the rounds after it nothing, until it is due again; a start looks at what is new, silently."""
    kept(places)
    for started in (False, False, True):
        tasks.verify(Round(places, started))
    (entry,) = entries(places, "audit.verified")
    assert (entry.data["result"], entry.data["source"], entry.data["severity"]) == ("intact", "scheduled", "info")
    found = last_check.read(places)
    assert found is not None
    assert (found.result, found.breach, found.full) == ("intact", False, False)


def test_a_start_finds_what_was_rolled_back_meanwhile(places: Places) -> None:
    """A change of the log without a tracker is found when the next one starts, and stays a breach."""
    filled(places, 2)
    tasks.verify(Round(places))
    with AuditLog.open(places.audit_db, places.audit_key) as log:
        log.append([start(), end()])
    tamper(
        places,
        "DELETE FROM entries WHERE seq = (SELECT max(seq) FROM entries)",
    )
    tasks.verify(Round(places, started=True))
    found = last_check.read(places)
    assert found is not None
    assert found.breach
    source = StatusSource(places, role="cli", start_tracker=False)
    told = source.poll()
    assert (
        told.state is State.UNAVAILABLE
    )  # entries are missing, so nothing is known of the jobs; the alarm goes on beside it
    assert told.audit is not None
    assert told.audit.breach
    source.close()


def test_a_broken_configuration_keeps_nobody_from_verifying(places: Places) -> None:
    """The defaults hold until the file is mended."""
    filled(places, 1)
    write(places, "[audit\n")
    tasks.verify(Round(places))
    assert len(entries(places, "audit.verified")) == 1


def test_a_standing_that_cannot_be_believed_is_said_and_never_intact(places: Places) -> None:
    """An edit of the file beside the log makes it a doubt, not a green line."""
    kept(places)
    tasks.verify(Round(places))
    status = StatusSource(places, role="cli", start_tracker=False)
    assert (status.poll().audit or pytest.fail("none")).result == "intact"
    text = places.audit_standing.read_text()
    for forged in (text.replace('"entries":', '"entries":1'), "no json", ""):
        places.audit_standing.write_text(forged)
        now = status.poll()
        assert now.audit is not None
        assert now.audit.result == "unchecked"
        assert now.state is State.WARNING
        assert any("cannot be read" in note for note in now.notes)
    places.audit_standing.write_text(text)
    assert (status.poll().audit or pytest.fail("none")).result == "intact"
    status.close()


def test_a_log_that_was_destroyed_after_a_breach_is_unavailable_and_the_breach_is_still_told(places: Places) -> None:
    """Noise over the database ends no alarm: a tray that starts now shows it too."""
    kept(places)
    raw = entry_bytes(places, 3).replace(b'"home"', b'"hole"')
    tamper(places, ("UPDATE entries SET entry = ? WHERE seq = 3", (raw,)))
    tasks.verify(Round(places))
    for beside in places.state.glob("audit.db-*"):
        beside.unlink()
    places.audit_db.write_bytes(os.urandom(16_384))
    assert "damaged" in rounds.run(places, started=True, tasks={"v": tasks.verify})["v"]
    status = StatusSource(places, role="cli", start_tracker=False)
    now = status.poll()
    status.close()
    assert now.state is State.UNAVAILABLE
    assert now.audit is not None
    assert (now.audit.breach, now.audit.first_bad) == (True, 3)


def test_a_log_that_is_gone_is_not_forgotten(places: Places) -> None:
    """Log and key taken away together look like a fresh machine, but for what was verified here."""
    filled(places, 1)
    tasks.verify(Round(places))
    places.audit_db.unlink()
    places.audit_key.unlink()
    for beside in places.state.glob("audit.db-*"):
        beside.unlink()
    status = StatusSource(places, role="cli", start_tracker=False)
    now = status.poll()
    status.close()
    assert now.state is not State.OK
    assert now.state is not State.NONE


# Segments, pruning, and what others do for us.


@pytest.fixture
def aged(places: Places, monkeypatch: pytest.MonkeyPatch) -> Places:
    """A log of some hundred entries that were made a month ago, with copies of its checkpoints; a week is to be kept."""
    now = clock.now_ms()
    with monkeypatch.context() as patch:
        patch.setattr(clock, "now_ms", lambda: now - 30 * clock.DAY_MS)
        filled(places, 1)
        assert spool.record(places, [draft for n in range(300) for draft in (start(f"x{n}"), end(f"x{n}"))]) is not None
    write(places, '[audit]\nsegment = 256\nretention = "7d"\n')
    return places


def first_of(places: Places) -> int:
    """The number of the first entry that is there."""
    with AuditLog.read(places.audit_db) as log:
        return log.entries(0, 1)[0].seq


def test_segments_are_closed_at_the_length_that_is_configured(aged: Places) -> None:
    """Each closed one is an entry; a round in which none is due adds nothing."""
    tasks.close_segments(Round(aged))
    closed = entries(aged, "audit.rotated")
    assert [body(entry)["size"] for entry in closed] == [256, 512]
    tasks.close_segments(Round(aged))
    assert entries(aged, "audit.rotated") == closed


def test_what_is_older_than_is_kept_goes_once_a_checkpoint_elsewhere_covers_it(aged: Places) -> None:
    """Pruning is an entry, the log goes on verifying, and what the configuration keeps stays."""
    for _ in range(2):
        assert rounds.run(aged) == {}
    assert first_of(aged) > 0
    assert entries(aged, "audit.pruned")
    assert check(aged).result == "intact"
    status = StatusSource(aged, role="cli", start_tracker=False)
    assert status.poll().error is None
    status.close()


def test_nothing_is_pruned_where_nobody_asked_for_it(aged: Places) -> None:
    """Everything is kept for ever, unless the configuration says otherwise."""
    write(aged, "[audit]\nsegment = 256\n")
    assert rounds.run(aged) == {}
    assert first_of(aged) == 0


def test_while_a_breach_is_open_nothing_is_pruned(aged: Places) -> None:
    """The pruned entries might be the proof; the refusal is noted, and every other task runs."""
    tasks.close_segments(Round(aged))
    raw = entry_bytes(aged, 100).replace(b'"home"', b'"hole"')
    tamper(aged, ("UPDATE entries SET entry = ? WHERE seq = 100", (raw,)))
    failed = rounds.run(aged)
    assert list(failed) == ["pruning"]
    assert "tampered" in failed["pruning"]
    assert first_of(aged) == 0


def test_a_whole_round_with_real_tasks_leaves_a_log_that_verifies(places: Places) -> None:
    """All tasks in their order on a fresh log: nothing fails, a second round finds nothing to do."""
    kept(places)
    assert rounds.run(places, started=True) == {}
    with AuditLog.read(places.audit_db) as log:
        size = log.head()[0]
    assert rounds.run(places) == {}
    with AuditLog.read(places.audit_db) as log:
        assert log.head()[0] == size
    assert places.search_index.exists()
    assert check(places).result == "intact"


def test_checkpoints_are_copied_to_the_places_that_are_configured(places: Places, tmp_path: Path) -> None:
    """A folder on another disk gets the newest checkpoint with the next round."""
    kept(places)
    far = tmp_path / "stick"
    far.mkdir()
    write(places, f'[audit]\nbaselines = ["{far}"]\n')
    assert rounds.run(places) == {}
    assert list(far.rglob("*.checkpoint"))


def test_the_starts_of_the_machine_are_taken_from_journald_once_a_boot_where_wtmp_is_empty(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may take journald seconds to tell them."""
    started = clock.now_ms() - clock.since_boot_ms()
    told = [Mark(BOOT, started - 2 * clock.DAY_MS), Mark(OFF, started - clock.DAY_MS), Mark(BOOT, started + 2000)]
    asked = iter([told])
    monkeypatch.setattr(boots, "journalled", lambda: next(asked))
    monkeypatch.setattr(boots, "recorded", list)
    for _ in range(2):
        tasks.note_boots(Round(places))
    assert awake_log.read(places) == told


def test_journald_is_not_asked_where_wtmp_tells_the_starts(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every status reads wtmp by itself."""
    monkeypatch.setattr(boots, "recorded", lambda: [Mark(BOOT, clock.now_ms())])
    monkeypatch.setattr(boots, "journalled", lambda: pytest.fail("asked"))
    tasks.note_boots(Round(places))
    assert awake_log.read(places) == []
