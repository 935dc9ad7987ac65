import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.takeover.machines import NOON_MS, findings, machine, put
from tray.core.dataclass import replace
from tray.takeover import discover, reading, words


def shown(root: Path, crontab: str | None) -> str:
    """Everything that a user can see of the findings: the list, the JSON, the lines with our prefix, the jobs."""
    entries = discover.discover(machine(root, crontab), {})
    texts = [line for at, entry in enumerate(entries, 1) for line in words.lines(at, entry, NOON_MS)]
    texts += [json.dumps(words.to_json(at, entry, NOON_MS, "PREFIX")) for at, entry in enumerate(entries, 1)]
    texts += [json.dumps(words.keys(entry)) for entry in entries]
    return "\n".join(texts)


def test_a_crontab_is_told_in_plain_words(tmp_path: Path) -> None:
    """Source, command, engine, rhythm and the next start."""
    entries = discover.discover(machine(tmp_path, "15 2 * * * restic -r /mnt/b backup /srv\n"), {})
    assert list(words.lines(1, entries[0], NOON_MS)) == [
        "  1  restic-srv: restic",
        "       crontab of ann, line 1: restic -r /mnt/b backup /srv",
        "       /srv to /mnt/b",
        "       every day at 02:15; next Tue 2026-12-01 02:15",
    ]
    assert words.keys(entries[0]) == {
        "engine": "restic",
        "on": "15 2 * * *",
        "watched": "crontab of ann: 15 2 * * * restic -r /mnt/b backup /srv",
        "matches": ["restic /srv to /mnt/b"],
    }


def test_nothing_is_nothing(tmp_path: Path) -> None:
    """A machine without backups has no findings."""
    assert discover.discover(machine(tmp_path, "* * * * * logrotate\n0 1 * * 0 restic check\n"), {}) == []


@pytest.mark.parametrize(
    ("line", "with_prefix"),
    [
        ("15 2 * * * restic -r /b backup /x >/dev/null", "15 2 * * * PREFIX restic -r /b backup /x >/dev/null"),
        (
            r"@daily A=1 B='x y' restic -r /b backup /x --tag $(date +\%F)%yes",
            r"@daily A=1 B='x y' PREFIX restic -r /b backup /x --tag $(date +\%F)%yes",
        ),
        ("1 1 * * * cd /x && nice -n 9 borg create b::a .", "1 1 * * * cd /x && PREFIX nice -n 9 borg create b::a ."),
        ("1 1 * * * sh -c 'restic -r /b backup /x'", "1 1 * * * PREFIX sh -c 'restic -r /b backup /x'"),
    ],
)
def test_the_line_with_our_prefix_is_the_users_own(tmp_path: Path, line: str, with_prefix: str) -> None:
    """Everything else in the line stays as it is."""
    (entry,) = discover.discover(machine(tmp_path, line + "\n"), {})
    assert words.line(entry, "PREFIX") == with_prefix


@pytest.mark.parametrize(
    "line",
    [
        "1 1 * * * RESTIC_PASSWORD=hunter2hunter restic -r /b backup /x",
        "1 1 * * * restic -r rest:https://ann:hunter2hunter@nas/ backup /x",
        "RESTIC_PASSWORD=hunter2hunter\n1 1 * * * restic -r /b backup /x",
        "1 1 * * * borgmatic --override encryption_passphrase=hunter2hunter",
        "1 1 * * * restic -r /b backup /x --password-command 'echo hunter2hunter'",
        "61 1 * * * RESTIC_PASSWORD=hunter2hunter restic backup /x",
        "1 1 * * * /opt/backup.sh --password=hunter2hunter",
        "export RESTIC_PASSWORD=hunter2hunter",
        "* * RESTIC_PASSWORD=hunter2hunter restic backup /x",
        "hunter2hunter * * * * restic backup /x",
    ],
)
def test_no_secret_is_shown(tmp_path: Path, line: str) -> None:
    """Neither in the list nor in JSON, in the lines with our prefix or in config.toml."""
    text = shown(tmp_path, line + "\n")
    assert text
    assert "hunter2hunter" not in text


def test_no_secret_of_a_unit_is_shown(tmp_path: Path) -> None:
    """The line with our prefix is the unit's own, and is not printed if it holds a secret."""
    units = "/home/ann/.config/systemd/user"
    commands = {"a": "restic -r rest:https://u:hunter2hunter@h/ backup /a", "b": "-restic -r %h/b backup ${SOURCE}"}
    for name, command in commands.items():
        variables = "Environment=SOURCE=/b\nEnvironment=RESTIC_PASSWORD=hunter2hunter\n"
        put(tmp_path, f"{units}/{name}.service", f"[Service]\n{variables}ExecStart={command}\n")
    entries = findings(tmp_path)
    assert words.line(entries["a"], "P") == ""
    assert words.line(entries["b"], "P").split("\n")[2] == "ExecStart=-P restic -r %h/b backup ${SOURCE}"
    assert "hunter2" not in shown(tmp_path, None)


def test_a_script_is_read_and_never_run(tmp_path: Path) -> None:
    """Its variables, folders and settings name the job of the engine that it calls."""
    trap = tmp_path / "ran"
    put(tmp_path, "/etc/backup.conf", f"export RESTIC_REPOSITORY=/mnt/b\ntouch {trap}\n")
    body = f"#!/bin/sh -e\n. /etc/backup.conf\ntouch {trap}\ncd /srv\nrestic check || exit 1\nrestic backup $1 .\n"
    put(tmp_path, "/opt/night.sh", body, 0o755)
    entry = findings(tmp_path, "0 1 * * 6 /opt/night.sh --one-file-system\n")["night"]
    assert not trap.exists()
    assert (entry.tool, entry.engine) == ("script", "restic")
    assert entry.matches == ("restic /srv to /mnt/b", "/opt/night.sh --one-file-system")


def test_each_backup_of_a_script_is_a_job_of_its_own(tmp_path: Path) -> None:
    """Or the success of the last would hide the failure of the first."""
    put(tmp_path, "/opt/b.sh", "#!/bin/sh\nrestic -r /b backup /home\nrclone sync /b remote:b\n", 0o755)
    entries = findings(tmp_path, "0 1 * * * /opt/b.sh\n")
    assert {name: entry.matches for name, entry in entries.items()} == {
        "restic-home": ("restic /home to /b",),
        "rclone-b": ("rclone /b to remote:b",),
    }


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("0 1 * * * /opt/gone-backup.sh", "/opt/gone-backup.sh is not there"),
        ("0 1 * * * backup-everything", "no call of a backup program"),
        ("61 1 * * * restic -r /b backup /x", "cron cannot follow its minute '61'"),
        ("0 1 * * * duply web backup", "its profile 'web' was not found"),
        ("0 1 * * * resticprofile backup", "its configuration file was not found"),
        ("0 1 * * * restic -r /b backup '/x", "no call of a backup program"),
    ],
)
def test_a_line_that_is_not_understood_is_shown_with_its_reason(tmp_path: Path, line: str, why: str) -> None:
    """Silence would be taken for "all is seen"."""
    (entry,) = discover.discover(machine(tmp_path, line + "\n"), {})
    assert entry.state == "not understood"
    assert why in entry.why


def test_a_run_under_watch_is_left_alone(tmp_path: Path) -> None:
    """It is a job already."""
    (entry,) = discover.discover(machine(tmp_path, "0 1 * * * nice backup-tray run -- restic backup /x\n"), {})
    assert entry.state == "wrapped"


def test_a_job_that_watches_it_is_named_and_the_numbers_stay(tmp_path: Path) -> None:
    """After `import 1` the second backup is still number 2."""
    crontab = "0 1 * * * restic -r /b backup /x\n0 2 * * * restic -r /b backup /y\n"
    taken = {"mine": ("restic /x to /b",)}
    first, second = discover.discover(machine(tmp_path, crontab), taken)
    assert (first.state, first.name, "'mine'" in first.why) == ("taken over", "mine", True)
    assert (second.state, second.name) == ("new", "restic-y")


def test_names_are_free_and_fit(tmp_path: Path) -> None:
    """A name that a job has is not proposed again, and no name begins with a dash."""
    crontab = "0 1 * * * restic -r /b backup /x\n0 2 * * * restic -r /c backup /x\n0 3 * * * restic -r /d backup /-x\n"
    entries = discover.discover(machine(tmp_path, crontab), {"restic-x": ()})
    assert [entry.name for entry in entries] == ["restic-x-2", "restic-x-3", "restic--x"]


def test_one_backup_at_two_times_is_one_job(tmp_path: Path) -> None:
    """Two lines with the same command state one rhythm."""
    crontab = "0 2 * * * restic -r /b backup /x\n0 14 * * * restic -r /b backup /x\n"
    (entry,) = discover.discover(machine(tmp_path, crontab), {})
    assert entry.schedule is not None
    assert entry.schedule.on == "0 2,14 * * *"


def test_runs_that_look_alike_are_not_watched(tmp_path: Path) -> None:
    """Two backups whose runs have one name: the success of one would hide the failure of the other."""
    crontab = "0 2 * * * restic -r /b backup /x\n0 3 * * 0 restic -r /b backup /x --exclude a\n"
    entries = discover.discover(machine(tmp_path, crontab), {})
    assert [(entry.state, entry.matches) for entry in entries] == [("prefix", ()), ("prefix", ())]


def test_a_run_that_is_never_seen_by_itself_needs_our_prefix(tmp_path: Path) -> None:
    """The tracker notices no tar: everything calls it. A job that waits for it would be overdue for ever."""
    put(tmp_path, "/opt/b.sh", "#!/bin/sh\ntar -czf /mnt/x.tgz /srv\n", 0o755)
    (entry,) = discover.discover(machine(tmp_path, "0 2 * * * /opt/b.sh\n"), {})
    assert entry.state == "prefix"
    assert words.line(entry, "PREFIX") == "0 2 * * * PREFIX /opt/b.sh"


@pytest.mark.parametrize("before", ["sudo -u bob", "su bob -c", "chpst -u bob", "systemd-run --uid bob --wait --pipe"])
def test_a_run_as_another_user_needs_our_prefix(tmp_path: Path, before: str) -> None:
    """The tracker of this user does not see it, or calls it by that user's name."""
    command = "'restic -r /b backup /x'" if before.startswith("su b") else "restic -r /b backup /x"
    (entry,) = discover.discover(machine(tmp_path, f"0 2 * * * {before} {command}\n"), {})
    assert entry.state == "prefix"


def test_more_than_can_be_shown_is_said(tmp_path: Path) -> None:
    """A crontab of thousands of lines is cut off, and not silently."""
    crontab = "".join(f"0 2 * * * restic -r /b backup /{number}\n" for number in range(600))
    entries = discover.discover(machine(tmp_path, crontab), {})
    assert len(entries) == 501
    assert "more than 500 backups" in entries[-1].why


def test_the_systems_own_copies_are_no_backups(tmp_path: Path) -> None:
    """Debian keeps a copy of its list of packages each night."""
    put(tmp_path, "/etc/crontab", "25 6 * * * root run-parts /etc/cron.daily\n")
    put(tmp_path, "/etc/cron.daily/dpkg", "#!/bin/sh\ntar -cf a.tar /var/lib/dpkg/alternatives\n", 0o755)
    assert findings(tmp_path) == {}


def test_the_system_crontabs_are_read(tmp_path: Path) -> None:
    """Those of other users are theirs; files that cron passes over are passed over; each zone is the cron's."""
    put(tmp_path, "/usr/sbin/cron", "")
    put(tmp_path, "/etc/passwd", "pg:x:100:100::/var/lib/pg:/bin/sh\n")
    put(tmp_path, "/etc/crontab", "0 4 * * 1 ann restic -r /mnt/b backup /srv\n")
    put(tmp_path, "/etc/cron.d/more", "CRON_TZ=Asia/Tokyo\n0 5 * * 1 pg restic -r /mnt/b backup ~/dump\n")
    put(tmp_path, "/etc/cron.d/old.bak", "0 5 * * 1 root restic -r /mnt/b backup /old\n")
    entries = findings(tmp_path)
    assert set(entries) == {"restic-srv", "restic-dump"}
    assert (entries["restic-srv"].state, entries["restic-srv"].line) == ("new", 1)
    assert entries["restic-dump"].state == "foreign"
    assert "sudo -u pg backup-tray jobs import" in entries["restic-dump"].why
    assert entries["restic-dump"].part is not None
    assert entries["restic-dump"].part.sources == ("/var/lib/pg/dump",)
    assert entries["restic-dump"].schedule is not None
    assert entries["restic-dump"].schedule.zone is None
    assert "passes over CRON_TZ" in entries["restic-dump"].notes[0]


def test_cronie_counts_in_the_zone_of_its_crontab(tmp_path: Path) -> None:
    """Its program is called crond; the next start is that zone's."""
    put(tmp_path, "/usr/sbin/crond", "")
    crontab = "CRON_TZ=Asia/Tokyo\nRANDOM_DELAY=30\n0 5 * * * restic -r /b backup /x\n"
    (entry,) = discover.discover(machine(tmp_path, crontab), {})
    assert words.keys(entry) | {"watched": ""} == {
        "engine": "restic",
        "on": "0 5 * * *",
        "zone": "Asia/Tokyo",
        "delay": "30m",
        "watched": "",
        "matches": ["restic /x to /b"],
    }
    assert words.next_ms(entry, NOON_MS) == NOON_MS + 8 * 3_600_000


def test_anacron_runs_the_folders_where_it_is_installed(tmp_path: Path) -> None:
    """/etc/crontab leaves /etc/cron.daily to anacron then: every day, at no fixed time."""
    put(tmp_path, "/etc/crontab", "25 6 * * * root test -x /usr/sbin/anacron || run-parts --report /etc/cron.daily\n")
    put(tmp_path, "/etc/anacrontab", "1 5 cron.daily run-parts --report /etc/cron.daily\n")
    put(tmp_path, "/etc/cron.daily/backup", "#!/bin/sh\nrestic -r /b backup /x\n", 0o755)
    put(tmp_path, "/etc/cron.daily/asleep", "#!/bin/sh\nrestic -r /b backup /y\n", 0o644)
    put(tmp_path, "/etc/cron.daily/backup.sh", "#!/bin/sh\nrestic -r /b backup /z\n", 0o755)
    entries = findings(tmp_path)
    assert set(entries) == {"backup", "asleep"}
    assert entries["backup"].schedule is not None
    assert entries["backup"].schedule.on == "25 6 * * *"
    assert entries["asleep"].state == "off"
    put(tmp_path, "/usr/sbin/anacron", "")
    entries = findings(tmp_path)
    assert entries["backup"].schedule is not None
    assert (entries["backup"].schedule.every_ms, entries["backup"].schedule.delay_ms) == (86_400_000, 300_000)


def test_timers_of_the_user_are_read(tmp_path: Path) -> None:
    """Where no systemd answers, its folders do: a timer that is linked is on, and its drop-ins count."""
    units = "/home/ann/.config/systemd/user"
    put(tmp_path, f"{units}/b.timer", "[Timer]\nOnCalendar=daily\nRandomizedDelaySec=15min\n")
    put(tmp_path, f"{units}/b.timer.d/x.conf", "[Timer]\nOnCalendar=\nOnCalendar=Mon..Fri 20:30 Europe/Berlin\n")
    put(tmp_path, f"{units}/b.service", "[Service]\nEnvironmentFile=%h/env\nExecStart=restic backup $WHERE\n")
    put(tmp_path, "/home/ann/env", "RESTIC_REPOSITORY=/mnt/b\nWHERE=/srv\nRESTIC_PASSWORD=hunter2hunter\n")
    assert findings(tmp_path)["b"].state == "off"
    (tmp_path / f".{units}/timers.target.wants").mkdir()
    (tmp_path / f".{units}/timers.target.wants/b.timer").symlink_to("../b.timer")
    entry = findings(tmp_path)["b"]
    assert words.keys(entry) == {
        "engine": "restic",
        "on": "Mon..Fri 20:30",
        "zone": "Europe/Berlin",
        "delay": "15m",
        "watched": "user timer b.timer: OnCalendar=Mon..Fri 20:30 Europe/Berlin restic backup /srv",
        "matches": ["restic /srv to /mnt/b"],
    }
    assert words.line(entry, "P") == "[Service]\nExecStart=\nExecStart=P restic backup $WHERE\nKillMode=mixed"
    assert "hunter2" not in shown(tmp_path, None)


def test_a_template_s_timer_knows_its_instance(tmp_path: Path) -> None:
    """`backup@srv.timer` starts `backup@srv.service`."""
    units = "/home/ann/.config/systemd/user"
    put(tmp_path, f"{units}/backup@.timer", "[Timer]\nOnUnitActiveSec=6h\n")
    put(tmp_path, f"{units}/backup@.service", "[Service]\nExecStart=restic -r /b backup /%I\n")
    (tmp_path / f".{units}/timers.target.wants").mkdir()
    (tmp_path / f".{units}/timers.target.wants/backup@srv-www.timer").symlink_to("../backup@.timer")
    entry = findings(tmp_path)["backup-srv-www"]
    assert entry.matches == ("restic /srv/www to /b",)
    assert words.keys(entry)["every"] == "6h"


@pytest.mark.parametrize(
    "path",
    [
        "/etc/crontab",
        "/etc/cron.d/x",
        "/etc/anacrontab",
        "/etc/borgmatic/config.yaml",
        "/etc/rsnapshot.conf",
        "/etc/resticprofile/profiles.toml",
        "/etc/resticprofile/profiles.json",
        "/home/ann/.autorestic.yml",
        "/home/ann/.duply/web/conf",
        "/home/ann/.config/backintime/config",
        "/home/ann/.local/share/Vorta/settings.db",
        "/home/ann/.config/systemd/user/b.timer",
        "/opt/backup.sh",
    ],
)
@pytest.mark.parametrize("kind", ["pipe", "folder", "loop", "huge", "binary", "broken", "secret"])
def test_an_odd_file_gives_a_line_and_no_failure(tmp_path: Path, path: str, kind: str) -> None:
    """A pipe does not keep the search waiting, a gigabyte does not fill the memory, and the other backups are shown."""
    put(tmp_path, "/usr/sbin/anacron", "")
    file = tmp_path / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    elif kind == "loop":
        file.symlink_to(file.name)
    elif kind == "huge":
        file.touch()
        os.truncate(file, 1 << 30)
    elif kind == "binary":
        file.write_bytes(b"\x7fELF\0\0\xff\xfe" * 50)
    elif kind == "broken":
        file.write_text("{[\"' = : $( \\\n\t- x\n1 1 * *\n%")
    else:
        file.write_text("password: hunter2hunter\npassword = 'hunter2hunter'\n")
    text = shown(tmp_path, "0 1 * * * /opt/backup.sh\n0 2 * * * restic -r /b backup /x\n")
    assert "restic /x to /b" in text
    assert "hunter2" not in text


TEXT = st.text(alphabet="ab12*@/%=:{}[]<>&|;()$'\"`#\\\t\n .-~", max_size=120)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXT, TEXT)
def test_whatever_stands_in_the_files_the_search_comes_to_its_end(tmp_path: Path, text: str, other: str) -> None:
    """Each configuration and crontab holds anything; the one sound backup is shown, as text and as JSON."""
    for path in (
        "/etc/crontab",
        "/etc/anacrontab",
        "/etc/borgmatic/config.yaml",
        "/etc/rsnapshot.conf",
        "/home/ann/.duply/w/conf",
    ):
        put(tmp_path, path, text)
    for path in (
        "/home/ann/.autorestic.yml",
        "/etc/resticprofile/profiles.toml",
        "/home/ann/.config/backintime/config",
    ):
        put(tmp_path, path, other)
    put(tmp_path, "/usr/sbin/anacron", "")
    put(tmp_path, "/home/ann/.config/systemd/user/b.timer", f"[Timer]\nOnCalendar={other}\n")
    put(tmp_path, "/home/ann/.config/systemd/user/b.service", f"[Service]\nExecStart={text}\n")
    said = shown(tmp_path, f"{text}\n0 2 * * * restic -r /sound backup /x\n{other}\n")
    assert "restic /x to /sound" in said


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("no crontab for ann", False),
        ("crontab: can't open 'ann': No such file or directory", False),
        ("", False),
        ("You (ann) are not allowed to use this program (crontab)", True),
        ("crontab: must be privileged to use", True),
    ],
)
def test_a_crontab_that_may_not_be_seen_is_told(tmp_path: Path, said: str, shown: bool) -> None:
    """An empty crontab is none, one that cron keeps from the user is not understood: backups may stand in it."""

    def refuse(_argv: list[str]) -> str | None:
        raise reading.RefusedError(said)

    here = replace(machine(tmp_path), ask=refuse)
    entries = discover.discover(here, {})
    assert [(entry.source, entry.state, said in entry.why) for entry in entries] == (
        [("crontab of ann", "not understood", True)] if shown else []
    )


@pytest.mark.process
def test_a_program_that_fails_is_told_from_one_that_is_not_there() -> None:
    """The first line of its complaint is kept; a program that is missing has none."""
    with pytest.raises(reading.RefusedError, match=r"^no table$"):
        reading.ask(["sh", "-c", "echo no table >&2; echo more >&2; exit 1"])
    assert reading.ask(["/nowhere/crontab", "-l"]) is None
    assert reading.ask(["echo", "fine"]) == "fine\n"
