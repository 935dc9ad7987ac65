"""Changes of jobs: in config.toml with its comments, on record key by key, and seen on every surface."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tray import config
from tray.audit import spool
from tray.audit.entry import Action, Draft
from tray.audit.store import AuditLog
from tray.config import jobs
from tray.core import clock
from tray.core.clock import DAY_MS
from tray.core.errors import ConfigError, ConfigWriteError, JobChangeError, JobNotFoundError
from tray.core.model import JobStatus, State, Status
from tray.core.paths import Places, private
from tray.housekeeping import config_changes
from tray.jobs import configured, editing
from tray.status import StatusSource, past_runs

FILE = """\
# mine
version = 1

[jobs.home]  # the big one
command = ["backup-home", "--token=hunter2"]
# at night
every = "1d"
unknown = 1

# about the database
[jobs.database]
command = ["pg_backup"]

[watch]
stalled_after = "5m"
"""


@pytest.fixture
def here(places: Places) -> Places:
    """An installation with two configured jobs, which has looked at its configuration before and put both on record."""
    private(places.config)
    places.config_file.write_text(FILE)
    config_changes.check(places)
    assert [entry[0] for entry in entries(places)] == ["job.created", "job.created"]
    return places


def ran(places: Places, job: str, result: str = "succeeded", **more: Any) -> None:
    """Put a run of *job* on record."""
    how = {"job": job, "run": clock.new_id(), "engine": "restic", "kind": "backup", "source": "wrapped", **more}
    spool.record(places, [Draft(Action.RUN_STARTED, result="started", **how)])
    spool.record(places, [Draft(Action.RUN_FINISHED, result=result, body={"reason": "so"}, **how)])


def status(places: Places) -> Status:
    """The status now."""
    source = StatusSource(places, role="cli", start_tracker=False, system=False)
    try:
        return source.poll()
    finally:
        source.close()


def ran_jobs(places: Places) -> list[JobStatus]:
    """The jobs that the status shows with a run."""
    return [job for job in status(places).jobs if job.last is not None]


def entries(places: Places) -> list[tuple[str, str | None, str]]:
    """Action, job and result of the entries about jobs and the configuration."""
    with AuditLog.read(places.audit_db) as log:
        listed = [entry.data for entry in log.entries(0, 1000)]
    return [
        (data["action"], data["job"], data["result"])
        for data in listed
        if data["action"].startswith(("job.", "config."))
    ]


def changes(places: Places) -> list[dict[str, Any]]:
    """The changed keys of the newest change of the configuration."""
    with AuditLog.read(places.audit_db) as log:
        newest = [entry for entry in log.entries(0, 1000) if entry.data["action"] == "config.changed"][-1]
    assert newest.body is not None
    return list(newest.body["changes"])


def test_a_job_is_added_with_its_keys(here: Places) -> None:
    """It can be run at once, the rest of the file stays, and the change is on record once."""
    job = editing.add(here, "photos", {"command": ["sync-photos"], "on": "Mon 03:00", "check": {"every": "30d"}})
    assert job == jobs.load(here).jobs["photos"] == configured.find(here, "photos")
    assert (job.on, job.check_every_ms) == ("Mon 03:00", 30 * DAY_MS)
    assert here.config_file.read_text().startswith(FILE[: FILE.index("[watch]")])
    config_changes.check(here)
    assert entries(here)[2:] == [("config.changed", "photos", "changed"), ("job.created", "photos", "done")]
    assert {change["key"]: change["to"] for change in changes(here)}["jobs.photos.on"] == '"Mon 03:00"'


def test_an_edit_keeps_comments_and_sets_other_forms_of_a_rhythm_aside(here: Places) -> None:
    """`every` and `on` exclude each other; the later word counts."""
    editing.edit(here, "home", {"on": "daily", "max_age": "3d"})
    assert here.config_file.read_text() == FILE.replace(
        'every = "1d"\nunknown = 1\n', 'unknown = 1\non = "daily"\nmax_age = "3d"\n'
    )
    assert {change["key"]: (change["from"], change["to"]) for change in changes(here)} == {
        "jobs.home.every": ('"1d"', None),
        "jobs.home.on": (None, '"daily"'),
        "jobs.home.max_age": (None, '"3d"'),
    }
    editing.edit(here, "home", {"max_age": None})
    assert "max_age" not in here.config_file.read_text()


def test_no_secret_of_a_command_is_on_record(here: Places) -> None:
    """The entry names the key and hides the word."""
    editing.edit(here, "home", {"command": ["backup-home", "--token=hunter3"]})
    assert "hunter" not in str(changes(here))


@pytest.mark.parametrize(
    "table", ['check = { on = "monthly", read_data = "5%" }', '[jobs.photos.check]\non = "monthly"\nread_data = "5%"']
)
def test_another_rhythm_of_the_checks_keeps_what_else_is_said_of_them(here: Places, table: str) -> None:
    """The part of the data that they read was chosen once, and is not asked for again."""
    here.config_file.write_text(f'[jobs.photos]\ncommand = ["sync-photos"]\n{table}\n')
    job = editing.edit(here, "photos", {"check": {"every": "30d"}})
    assert job.check is not None
    assert (job.check.every_ms, job.check.on, job.check.read_data) == (30 * DAY_MS, None, "5%")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda here: editing.add(here, "home", {"command": ["x"]}), "already"),
        (lambda here: editing.add(here, "-x", {"command": ["x"]}), "cannot be called"),
        (lambda here: editing.add(here, "x", {"sources": ["/a"]}), "was not made"),
        (lambda here: editing.add(here, "x", {"engine": "dar", "sources": ["/a"], "repository": "/r"}), "was not made"),
        (lambda here: editing.edit(here, "home", {"every": "daily"}), "was not changed"),
        (lambda here: editing.rename(here, "home", "database"), "already"),
        (lambda here: editing.rename(here, "home", " x"), "cannot be called"),
        (lambda here: editing.merge(here, "home", "home"), "one job"),
        (lambda here: editing.merge(here, "home", "database"), "was not merged"),
        (lambda here: editing.remove(here, "nightly"), "not in config.toml"),
    ],
)
def test_a_change_that_makes_no_sense_changes_nothing(
    here: Places, change: Callable[[Places], object], words: str
) -> None:
    """The user learns why and what to do; file and log stay as they are."""
    ran(here, "nightly")
    before = len(entries(here))
    with pytest.raises(JobChangeError, match=words) as caught:
        change(here)
    assert caught.value.why
    assert caught.value.next
    assert here.config_file.read_text() == FILE
    assert len(entries(here)) == before


@pytest.mark.parametrize("verb", [editing.edit, editing.rename, editing.merge, editing.retire, editing.remove])
def test_an_unknown_job_is_named_with_its_neighbours(here: Places, verb: Callable[..., object]) -> None:
    """A typing error makes no job."""
    more = {"edit": ({"every": "1d"},), "rename": ("x",), "merge": ("home",)}.get(verb.__name__, ())
    with pytest.raises(JobNotFoundError) as caught:
        verb(here, "hmoe", *more)
    assert "home" in caught.value.why
    assert "backup-tray jobs" in caught.value.next
    assert here.config_file.read_text() == FILE


def test_a_broken_job_can_be_mended(here: Places) -> None:
    """A fault in another key does not keep the user from changing this one."""
    here.config_file.write_text(FILE.replace('every = "1d"', 'every = "daily"'))
    editing.edit(here, "home", {"max_age": "3d"})
    editing.edit(here, "home", {"every": "12h"})
    assert jobs.load(here).broken == {}
    assert [result for action, _, result in entries(here) if action == "config.changed"] == ["changed"] * 3


def test_a_broken_file_is_left_alone(here: Places) -> None:
    """Nothing is lost by a change of another job."""
    here.config_file.write_text("[jobs.home\n")
    with pytest.raises(ConfigError):
        editing.edit(here, "home", {"every": "1d"})
    assert here.config_file.read_text() == "[jobs.home\n"


def test_a_job_of_the_log_gets_a_rhythm(here: Places) -> None:
    """A crontab's job is watched from then on; this program does not start it."""
    ran(here, "nightly")
    job = editing.edit(here, "nightly", {"every": "1d"})
    assert (job.every_ms, job.runnable) == (DAY_MS, False)
    assert here.config_file.read_text() == FILE.replace("\n[watch]", '\n[jobs.nightly]\nevery = "1d"\n\n[watch]')


def test_a_removed_job_leaves_its_neighbours_and_its_runs(here: Places) -> None:
    """Comments of the next job stay with it."""
    ran(here, "home")
    editing.remove(here, "home")
    begin, end = FILE.index("[jobs.home]"), FILE.index("\n# about")
    assert here.config_file.read_text() == FILE[:begin] + FILE[end:]
    assert [run.job for run in past_runs.history(here)] == ["home"]
    assert entries(here)[-1] == ("config.changed", "home", "changed")


def test_a_renamed_job_keeps_its_history_on_every_surface(here: Places) -> None:
    """File, status and history tell the new name, also of runs that still carry the old one."""
    ran(here, "home", "failed")
    editing.rename(here, "home", "big one")
    ran(here, "home")
    ran(here, "home (check)", kind="check")
    text = here.config_file.read_text()
    assert text == FILE.replace("[jobs.home]", '[jobs."big one"]').replace(
        "unknown = 1\n", 'unknown = 1\nmatches = ["home"]\n'
    )
    shown = {job.job: job.state for job in ran_jobs(here)}
    assert shown == {"big one": State.OK, "big one (check)": State.NONE}
    assert {run.job for run in past_runs.history(here, job="home")} == {"big one"}
    assert len(past_runs.history(here, job="big one")) == 2
    assert configured.find(here, "home").name == "big one"
    assert config.load(here).owner("home (check)") == "big one (check)"
    assert ("job.renamed", "big one", "renamed") in entries(here)
    with pytest.raises(JobNotFoundError, match="home") as caught:
        editing.edit(here, "home", {"every": "2d"})
    assert "big one" in caught.value.why
    with pytest.raises(JobChangeError, match="former name"):
        editing.add(here, "home", {"command": ["x"]})
    editing.rename(here, "big one", "home")
    assert {job.job for job in ran_jobs(here)} == {"home", "home (check)"}
    assert jobs.load(here).jobs["home"].matches == ("big one",)


def test_a_job_of_the_log_is_renamed(here: Places) -> None:
    """An automatic name gives way to a short one, also for the runs to come."""
    ran(here, "restic /home to /mnt/b")
    editing.rename(here, "restic /home to /mnt/b", "nightly")
    assert jobs.load(here).jobs["nightly"].matches == ("restic /home to /mnt/b",)
    assert [job.job for job in ran_jobs(here)] == ["nightly"]


def test_a_merged_job_has_one_history(here: Places) -> None:
    """The later run decides, whichever name it carries."""
    ran(here, "home", "failed")
    ran(here, "old laptop")
    editing.edit(here, "old laptop", {"every": "1w", "matches": ["restic /old"]})
    editing.merge(here, "old laptop", "home")
    (job,) = ran_jobs(here)
    assert (job.job, job.state, job.streak) == ("home", State.OK, 0)
    assert jobs.load(here).jobs["home"].matches == ("old laptop", "restic /old")
    assert "old laptop" not in jobs.load(here).jobs
    ran(here, "home", "failed")
    (job,) = ran_jobs(here)
    assert (job.state, job.streak, job.last_good is not None) == (State.FAILED, 2, True)
    assert {entry[2] for entry in entries(here) if entry[0] == "job.renamed"} == {"merged"}


def test_a_retired_job_is_not_judged_until_it_runs_again(here: Places) -> None:
    """Its runs and settings stay; so does the rest."""
    ran(here, "nightly", "failed")
    ran(here, "nightly (check)", "failed", kind="check")
    editing.edit(here, "nightly", {"every": "1d"})
    editing.rename(here, "nightly", "old")
    editing.retire(here, "old")
    assert ran_jobs(here) == []
    assert "old" not in {job.job for job in status(here).jobs if job.state is not State.NONE}
    assert jobs.load(here).jobs["old"].enabled is False
    assert len(past_runs.history(here, job="old")) == 1
    ran(here, "nightly")
    assert [job.job for job in ran_jobs(here)] == ["old"]


def test_an_edit_by_hand_just_before_is_recorded_as_such(here: Places) -> None:
    """The program takes no other's change for its own."""
    here.config_file.write_text(FILE.replace('every = "1d"', 'every = "2d"'))
    editing.edit(here, "home", {"max_age": "9d"})
    config_changes.check(here)
    with AuditLog.read(here.audit_db) as log:
        bodies = [entry.body or {} for entry in log.entries(0, 100) if entry.data["action"] == "config.changed"]
    assert [(body["change"], [each["key"] for each in body["changes"]]) for body in bodies] == [
        ("edited outside this program", ["jobs.home.every"]),
        ("job changed", ["jobs.home.max_age"]),
    ]


def test_a_job_that_never_ran_leaves_its_name_free(here: Places) -> None:
    """A typing mistake that was removed is no job; made again much later, it is expected from then on."""
    editing.add(here, "hoem", {"command": ["x"], "every": "1d"})
    editing.remove(here, "hoem")
    assert "hoem" not in editing.known(here).all
    editing.add(here, "hoem", {"command": ["x"], "every": "1d"})
    assert "hoem" in editing.known(here).all


def test_a_retired_job_is_called_so(here: Places) -> None:
    """Its name stays known, and its next run makes it a job like any other."""
    ran(here, "old")
    assert not editing.known(here, judged=True).is_over("old")
    editing.retire(here, "old")
    assert editing.known(here, judged=True).is_over("old")
    assert not editing.known(here, judged=True).is_over("home")
    ran(here, "old")
    assert not editing.known(here, judged=True).is_over("old")


@pytest.mark.process
def test_changes_at_once_are_each_recorded_once(here: Places) -> None:
    """No process takes the change of another one for an edit by hand, and none is lost."""
    code = "import sys; from tray.jobs import editing; from tray.core.paths import places"
    code += "; editing.add(places(), sys.argv[1], {'command': ['x']})"
    names = [f"job{number}" for number in range(6)]
    started = [subprocess.Popen([sys.executable, "-c", code, name]) for name in names]
    assert [process.wait() for process in started] == [0] * len(names)
    config_changes.check(here)
    assert jobs.load(here).jobs.keys() >= set(names)
    assert sorted(entry[1] or "by hand" for entry in entries(here) if entry[0] == "config.changed") == names


@pytest.mark.process
def test_housekeeping_waits_for_no_writer(here: Places) -> None:
    """A process that was stopped while it changes the configuration must not hold up the care for runs; the edit is seen later."""
    code = "import sys; from tray.config import saving; from tray.core.paths import places"
    code += "\nwith saving.locked(places()): print('held', flush=True); sys.stdin.read()"
    argv = [sys.executable, "-c", code]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        before = entries(here)
        here.config_file.write_text(FILE.replace('every = "1d"', 'every = "2d"'))
        config_changes.check(here)
        assert entries(here) == before
    assert process.returncode == 0
    config_changes.check(here)
    assert entries(here) == [*before, ("config.changed", None, "changed")]


def test_a_change_that_cannot_be_put_on_record_is_not_made(here: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk of the record may be full though that of the configuration is not."""
    before = here.config_file.read_bytes()

    def full(_: Places) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(config_changes, "check", full)
    with pytest.raises(ConfigWriteError) as caught:
        editing.edit(here, "home", {"every": "2d"})
    assert str(here.state) in caught.value.next
    assert here.config_file.read_bytes() == before


@pytest.mark.parametrize(
    "name", ["", " x", "-x", "a\nb", "x" * 81, "home (check)", "other (restore)", "rest:https://u:pw@host/x"]
)
def test_names_that_cannot_be_those_of_a_job_are_refused(here: Places, name: str) -> None:
    """A name fits on a line, holds no password, and is not that of another job's checks."""
    ran(here, "nightly")
    for verb in (lambda: editing.rename(here, "nightly", name), lambda: editing.add(here, name, {"command": ["x"]})):
        with pytest.raises(JobChangeError):
            verb()
    assert here.config_file.read_text() == FILE


def test_a_full_disk_changes_nothing(here: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user hears that the file is as before, why, and the next step."""
    before = here.config_file.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigWriteError, match="was not changed") as caught:
        editing.edit(here, "home", {"every": "2d"})
    assert "df -h" in caught.value.next
    assert "No space left" in caught.value.why
    monkeypatch.undo()
    assert here.config_file.read_bytes() == before
    assert [file.name for file in here.config.iterdir() if file.is_file()] == ["config.toml"]
