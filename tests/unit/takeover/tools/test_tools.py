"""The tools' configurations, as they write them; `tests/e2e/test_takeover.py` lets the real tools run."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.takeover.machines import NOON_MS, findings, machine, put
from tray.takeover import discover, names, words

DATA = Path(__file__).parents[3] / "data/takeover"
SECTIONED = """
location:
    source_directories: [/home, /etc]
    repositories: [/mnt/a.borg, "ssh://x@nas/./r"]
storage:
    archive_name_format: '{hostname}-docs-{now}'
    encryption_passphrase: hunter2hunter
"""
FLAT = """
source_directories: [/home, ~/Documents]
repositories:
    - path: /mnt/a.borg
      label: near
<<: !include common.yaml
encryption_passphrase: hunter2hunter
"""


def test_borgmatic_1_names_its_sources_in_the_command(tmp_path: Path) -> None:
    """Each repository is a job of its own; the rhythm is the crontab's."""
    put(tmp_path, "/home/ann/.config/borgmatic/config.yaml", SECTIONED)
    entries = findings(tmp_path, "@daily borgmatic --verbosity 1\n")
    assert [(entry.tool, entry.state) for entry in entries.values()] == [("borgmatic", "new")] * 2
    assert {entry.part.repository for entry in entries.values() if entry.part} == {"/mnt/a.borg", "ssh://x@nas/./r"}
    run = names.part(["borg", "create", "/mnt/a.borg::{hostname}-docs-{now}", "/etc", "/home"], {}, "/home/ann")
    assert run.names[0] in {name for entry in entries.values() for name in entry.matches}


def test_borgmatic_2_hands_borg_a_list_that_is_another_one_each_night(tmp_path: Path) -> None:
    """Its runs are one job all the same, by the sources that the list names."""
    put(tmp_path, "/home/ann/.config/borgmatic/config.yaml", FLAT)
    own = "/home/ann/.config/borgmatic/config.yaml"
    passing = "/tmp/borgmatic-x1_2abcd/./borgmatic/bootstrap"
    listed = f"R {own}\n+ {own}\nR {passing}\n+ {passing}\nR {tmp_path}/home/ann/Documents\nR /home\n! fm:*.tmp"
    (entry,) = findings(tmp_path, "@daily borgmatic create\n").values()
    archive = "/mnt/a.borg::{hostname}-{now:%Y-%m-%dT%H:%M:%S.%f}"
    for place in (
        "/tmp/borgmatic-x1_2abcd/borgmatic/tmp0_a1b2c3",
        "/run/user/1000/borgmatic-zzzzzzzz/borgmatic/tmpzzzzzzz9",
    ):
        words = ["borg", "create", "--patterns-from", place, "--log-json", archive]
        assert names.part(words, {}, "/", lambda _: listed).names[0] in entry.matches
        assert not names.part(words, {}, "/").seen  # without the list the run could be of any configuration


def test_two_configurations_of_borgmatic_into_one_repository_are_two_jobs(tmp_path: Path) -> None:
    """Each has names of its own, so that both can be watched; the folders of a pattern are those that it means now."""
    for name, source in (("a", "/srv/a"), ("b", "/srv/b*")):
        text = f"source_directories: [{source}]\nrepositories: [{{path: /mnt/a.borg}}]\n"
        put(tmp_path, f"/home/ann/.config/borgmatic.d/{name}.yaml", text)
    for folder in ("b1", "b2", "c"):
        (tmp_path / "srv" / folder).mkdir(parents=True)
    first, second = findings(tmp_path, "@daily borgmatic create\n").values()
    assert (first.state, second.state) == ("new", "new")
    assert first.matches == ("borg /srv/a to /mnt/a.borg",)
    assert second.matches == ("borg /srv/b1, /srv/b2 to /mnt/a.borg",)
    assert (first.notes, "pattern" in second.notes[0]) == ((), True)


@pytest.mark.parametrize("words_", ["check", "prune --stats", "list", "-v 1 -p -k"])
def test_a_borgmatic_that_makes_no_backup_is_none(tmp_path: Path, words_: str) -> None:
    """A check at noon is no backup at noon; the configuration itself is still there."""
    put(tmp_path, "/home/ann/.config/borgmatic/config.yaml", FLAT)
    (entry,) = findings(tmp_path, f"@daily borgmatic {words_}\n").values()
    assert entry.source == "configuration of borgmatic"
    assert entry.schedule is not None
    assert "nothing that starts it" in entry.schedule.why


TOML = """
version = "1"
[default]
repository = "local:/backup"
password-file = "key"
[default.env]
RESTIC_PASSWORD = "hunter2hunter"
[home]
inherit = "default"
[home.backup]
source = ["/home", "{{ .Env.HOME }}/x"]
tag = ["a", "b"]
schedule = "Mon..Fri 20:30"
[web.backup]
source = "/srv"
host = true
[groups]
all = ["home", "web"]
"""


def test_resticprofile_is_read(tmp_path: Path) -> None:
    """TOML, inherited settings, its schedule; a computed source keeps the name from being foretold."""
    put(tmp_path, "/home/ann/.config/resticprofile/profiles.toml", TOML)
    entries = findings(tmp_path, "0 1 * * * resticprofile --name web backup\n")
    web = entries["resticprofile-web"]
    assert web.matches[0] == "restic /srv with host=web1"
    assert web.schedule is not None
    assert web.schedule.on == "0 1 * * *"
    home = entries["resticprofile-home"]
    assert (home.state, home.schedule is not None and home.schedule.on) == ("prefix", "Mon..Fri 20:30")
    assert "no timer" in " ".join(home.notes)


@pytest.mark.parametrize(("file", "text"), [("json", None), ("yaml", None)])
def test_resticprofile_speaks_json_and_yaml(tmp_path: Path, file: str, text: None) -> None:
    """YAML holds JSON."""
    profile = {
        "version": "2",
        "profiles": {"x": {"repository": "/b", "backup": {"source": ["/x"], "schedule": ["daily"]}}},
    }
    put(tmp_path, f"/home/ann/.config/resticprofile/profiles.{file}", json.dumps(profile))
    (entry,) = findings(tmp_path, "0 1 * * * resticprofile run-schedule backup@x\n").values()
    assert entry.matches[0] == "restic /x to /b"


AUTORESTIC = """
version: 2
locations:
  home:
    from: [/home/ann]
    to: [near, cloud]
    cron: '0 3 * * 0'
    options: {backup: {tag: [mine]}}
  manual:
    from: /srv
    to: near
backends:
  near: {type: local, path: /mnt/b, key: hunter2hunter}
  cloud: {type: b2, path: 'bucket:dir', env: {B2_ACCOUNT_KEY: hunter2hunter}}
"""


def test_autorestic_keeps_a_rhythm_for_each_location(tmp_path: Path) -> None:
    """The crontab calls it every five minutes; the location says when it is due."""
    put(tmp_path, "/home/ann/.autorestic.yml", AUTORESTIC)
    entries = findings(tmp_path, "*/5 * * * * autorestic --ci cron >/dev/null\n")
    rhythms = {name: words.keys(entry).get("on") for name, entry in entries.items()}
    assert rhythms == {
        "autorestic-home-ann": "0 3 * * 0",
        "autorestic-home-ann-2": "0 3 * * 0",
        "autorestic-manual": None,
    }
    near, cloud, by_hand = entries.values()
    assert near.matches[0].startswith("restic ann to b with tag=ar:cron, tag=ar:location:home, tag=mine")
    assert cloud.part is not None
    assert cloud.part.repository == "b2:bucket:dir"
    assert by_hand.source == "configuration of autorestic"


def test_duply_is_read_without_running_its_profile(tmp_path: Path) -> None:
    """Its settings are shell text; a command in them stays a command that is not known."""
    trap = tmp_path / "ran"
    text = f"GPG_PW='hunter2hunter'\nSOURCE='/srv'\nTARGET=\"file:///mnt/d\"\ntouch {trap}\n"
    text += 'DUPL_PARAMS="$DUPL_PARAMS --volsize 50 "\n'
    put(tmp_path, "/home/ann/.duply/web/conf", text)
    (entry,) = findings(tmp_path, "0 2 * * * duply web backup_verify_purge --force\n").values()
    assert not trap.exists()
    assert entry.matches[0] == "duplicity /srv to file:///mnt/d with name=duply_web"


def test_rsnapshot_copies_at_its_first_level_alone(tmp_path: Path) -> None:
    """The others move snapshots."""
    text = "snapshot_root\t/snap/\nretain\talpha\t6\nretain\tbeta\t7\nbackup\t/home/\tlocalhost/\n# backup\t/no/\tx/\n"
    put(tmp_path, "/etc/rsnapshot.conf", text)
    entries = findings(tmp_path, "0 */4 * * * rsnapshot alpha\n30 3 * * * rsnapshot beta\n")
    (entry,) = entries.values()
    assert entry.matches[0] == "rsync /home to /snap/alpha.0/localhost"
    assert any("over in a moment" in note for note in entry.notes)


def test_back_in_time_is_read(tmp_path: Path) -> None:
    """Its crontab line and its profile."""
    settings = {
        "name": "Docs",
        "snapshots.path": "/mnt/bit",
        "snapshots.include.size": "1",
        "snapshots.include.1.value": "/home/ann/docs",
    }
    text = "profiles=1:2\n" + "".join(f"profile2.{key}={value}\n" for key, value in settings.items())
    put(
        tmp_path,
        "/home/ann/.config/backintime/config",
        text + "profile2.schedule.mode=20\nprofile2.schedule.time=1530\n",
    )
    line = "30 15 * * * /usr/bin/nice -n19 /usr/bin/backintime --profile-id 2 backup-job >/dev/null\n"
    entries = findings(tmp_path, line)
    entry = entries["backintime-Docs"]
    assert (entry.tool, entry.engine, entry.state) == ("Back In Time", "rsync", "new")
    assert entry.schedule is not None
    assert entry.schedule.on == "30 15 * * *"


@pytest.mark.parametrize(
    ("settings", "on"),
    [
        ("mode=2", "*/5 * * * *"),
        ("mode=10", "0 * * * *"),
        ("mode=16", "0 */6 * * *"),
        ("mode=19", "0 8,12,18,23 * * *"),
        ("mode=30\nprofile1.schedule.weekday=3\nprofile1.schedule.time=905", "5 9 * * 3"),
        ("mode=40\nprofile1.schedule.day=15", "0 0 15 * *"),
        ("mode=80", "0 0 1 1 *"),
        ("mode=1", None),
        ("mode=25\nprofile1.schedule.repeatedly.period=2", None),
    ],
)
def test_the_schedules_of_back_in_time_are_known(tmp_path: Path, settings: str, on: str | None) -> None:
    """Without a line in the crontab the profile's own schedule is shown, and that nothing starts it."""
    text = "profile1.snapshots.path=/b\nprofile1.snapshots.include.size=1\nprofile1.snapshots.include.1.value=/x\n"
    put(tmp_path, "/home/ann/.config/backintime/config", f"{text}profile1.schedule.{settings}\n")
    (entry,) = findings(tmp_path).values()
    assert entry.schedule is not None
    assert entry.schedule.on == on
    assert entry.schedule.stated == (settings != "mode=1")


@pytest.fixture
def vorta(tmp_path: Path) -> Path:
    """A machine with the settings that a real Vorta 0.11.6 made, and their place."""
    place = tmp_path / "home/ann/.local/share/Vorta/settings.db"
    place.parent.mkdir(parents=True)
    shutil.copy(DATA / "vorta-0.11.6.db", place)
    return place


def test_vorta_is_read_from_its_own_settings(tmp_path: Path, vorta: Path) -> None:
    """Its rhythm is the one of its tray program; the borg that it prepares belongs to the job."""
    before = vorta.read_bytes()
    entries = findings(tmp_path)
    assert {
        name: (entry.state, words.keys(entry).get("on"), words.keys(entry).get("every"))
        for name, entry in entries.items()
    } == {
        "vorta-Main": ("new", "42 3 * * *", None),
        "vorta-Often": ("new", None, "6h"),
        "vorta-By-hand": ("idle", None, None),
        "vorta-Unfinished": ("not understood", None, None),
    }
    assert "only while its tray program runs" in entries["vorta-Main"].notes[0]
    prepared = json.loads((DATA / "vorta-0.11.6.json").read_text())
    for profile, name in (("Main", "vorta-Main"), ("By hand", "vorta-By-hand")):
        assert names.part(prepared[profile], {}, "/").names[0] in entries[name].matches
    assert vorta.read_bytes() == before
    assert [file.name for file in vorta.parent.iterdir()] == ["settings.db"]


@pytest.mark.parametrize(
    "form", ["{hostname.__class__}", "{now:%Y}{now.year}", "{hostname:>999999999}", "{nothing}", "{", "}" * 9]
)
def test_a_hostile_name_of_archives_computes_nothing(tmp_path: Path, vorta: Path, form: str) -> None:
    """Only Vorta's plain variables are filled in."""
    with closing(sqlite3.connect(vorta)) as store:
        store.execute("update backupprofilemodel set new_archive_name = ?", (form,))
        store.commit()
    assert findings(tmp_path)["vorta-Main"].state in ("new", "prefix", "not understood")


def test_a_hostile_settings_file_keeps_no_search_waiting(tmp_path: Path, vorta: Path) -> None:
    """A view that never ends is cut off; a wrong type in a row is an empty value."""
    vorta.unlink()
    endless = "with recursive n(x) as (select 1 union all select x + 1 from n) select x from n"
    with closing(sqlite3.connect(vorta)) as store:
        store.execute("create table repomodel (id, url)")
        columns = "id, name, repo_id, schedule_mode, schedule_interval_count, schedule_interval_unit"
        columns += ", schedule_fixed_hour, schedule_fixed_minute, new_archive_name"
        rows = f"select x,x,x,x,x,x,x,x,x from ({endless}) where x < 0"  # noqa: S608 - nothing of it is a user's
        store.execute(f"create view backupprofilemodel ({columns}) as {rows}")
        store.commit()
    (entry,) = discover.discover(machine(tmp_path), {})
    assert entry.state == "not understood"
    assert list(words.lines(1, entry, NOON_MS))
