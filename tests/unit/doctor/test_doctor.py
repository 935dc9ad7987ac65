"""The doctor: names what is wrong and the command that mends it, and never faints."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tray import doctor, runs
from tray.audit.entry import Action, Draft
from tray.audit.spool import record
from tray.cli.main import main
from tray.config import saving
from tray.config.jobs import Job
from tray.core import locks, paths
from tray.core.errors import NotInGroupError, surfaces
from tray.core.paths import Places, private
from tray.doctor import Check, Level, installation, records, watchers
from tray.doctor import desktop as doctor_desktop
from tray.doctor import panel as doctor_panel
from tray.engines import ENGINES
from tray.jobs import configured


@pytest.fixture(autouse=True)
def no_desktop(monkeypatch: pytest.MonkeyPatch) -> None:
    """No check reaches the tester's desktop, loads a web view, or waits for engines that are slow to start."""
    monkeypatch.setattr(installation, "ENGINES", ENGINES[:1])
    monkeypatch.setattr(doctor_desktop, "_ASK_GI", "print(2.50)")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "XDG_CURRENT_DESKTOP"):
        monkeypatch.delenv(name, raising=False)


def found(places: Places, name: str) -> list[Check]:
    """Return the answers of one check."""
    return [check for check in doctor.examine(places) if check.name == name]


def program(path: Path, text: str) -> Path:
    """Make a shell script that can be run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.process
def test_a_fresh_installation_is_healthy(places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Right after the installation there is nothing to mend, and the checks create nothing."""
    command = program(tmp_path / "bin/backup-tray", "")
    program(tmp_path / "bin/restic", "echo restic 0.14.0 compiled with go1.19")
    monkeypatch.setenv("PATH", str(command.parent))
    monkeypatch.setattr(configured, "launcher_places", lambda: [command])
    checks = doctor.examine(places)
    assert {check.name for check in checks if check.level is Level.NOTE} - {"steps of scripts"} == {
        *(
            "audit log",
            "baselines",
            "tracker",
            "runs of others",
            "system's instance",
            "schedules",
            "hourly round",
            "tray",
            "start at login",
        )
    }, "what is not in use is neither praised nor blamed"
    assert doctor.fine(checks)
    assert any("restic 0.14.0" in check.what for check in checks)
    assert not (tmp_path / "bt").exists()


@pytest.mark.process
def test_every_answer_that_is_not_fine_has_a_remedy(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """A complaint without a next step is no help."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(configured, "launcher_places", list)
    private(places.config)
    places.config_file.write_text("[jobs.x\n")
    wrong = [check for check in doctor.examine(places) if not doctor.fine([check])]
    assert {"configuration", "backup engines", "command"} <= {check.name for check in wrong}
    assert all(check.remedy for check in wrong)


@pytest.mark.process
def test_a_folder_that_others_can_enter_is_named_with_its_remedy(places: Places) -> None:
    """Private files in an open folder are said so, with the chmod that mends it."""
    private(places.state).chmod(0o755)
    (check,) = found(places, "state folder")
    assert check.level is Level.BAD
    assert f"chmod 700 {places.state}" in check.remedy


@pytest.mark.process
@pytest.mark.parametrize("exists", [True, False])
def test_a_read_only_home_is_named(places: Places, monkeypatch: pytest.MonkeyPatch, exists: bool) -> None:
    """On a read-only file system the doctor says so, whether our folder is there or would have to be made."""
    if exists:
        private(places.state)

    def denied(path: object, mode: int) -> bool:
        return False

    flags = os.statvfs("/")
    monkeypatch.setattr(os, "access", denied)
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result((*flags[:8], os.ST_RDONLY, flags[9])))
    (check,) = found(places, "state folder")
    assert check.level is Level.BAD
    assert "read-only" in check.what
    assert "remount,rw" in check.remedy


@pytest.mark.process
def test_a_broken_configuration_is_named_with_its_line(places: Places) -> None:
    """The doctor shows the same error as everything else."""
    private(places.config)
    places.config_file.write_text("version = 1\n[jobs.home\n")
    (check,) = found(places, "configuration")
    assert (check.level, "line 2" in check.what) == (Level.BAD, True)


@pytest.mark.process
def test_password_files_are_looked_after(places: Places, tmp_path: Path) -> None:
    """A password that others can read, or that is gone, is found before it is needed."""
    secret = tmp_path / "open.password"
    secret.write_text("x")
    secret.chmod(0o644)
    saving.save_job(places, Job(name="a", sources=("/a",), repository="/r", password_file=str(secret)))
    saving.save_job(places, Job(name="b", sources=("/a",), repository="/r", password_file="/no/such/file"))
    listed, is_open, gone = found(places, "configuration")
    assert "2 jobs: a, b" in listed.what
    assert (is_open.level, is_open.remedy) == (Level.WARN, f"chmod 600 {secret}")
    assert (gone.level, "cannot be restored" in gone.remedy) == (Level.BAD, True)


@pytest.mark.process
def test_a_good_log_is_called_intact(places: Places) -> None:
    """An untouched log is read and verified in itself."""
    record(places, [Draft(action=Action.STATUS_ERROR)], timeout=5)
    before = places.audit_db.read_bytes()
    (check,) = found(places, "audit log")
    assert (check.level, "intact" in check.what) == (Level.OK, True)
    assert places.audit_db.read_bytes() == before


@pytest.mark.process
@pytest.mark.parametrize("spoil", ["noise", "edit"])
def test_a_damaged_log_is_never_called_fine(places: Places, spoil: str) -> None:
    """Neither noise nor one altered word passes."""
    record(places, [Draft(action=Action.STATUS_ERROR, job="original")], timeout=5)
    raw = places.audit_db.read_bytes()
    wal = places.audit_db.with_name(places.audit_db.name + "-wal")
    if spoil == "noise":
        places.audit_db.write_bytes(b"\x5a" * len(raw))
    else:
        for file in (places.audit_db, wal):
            if file.exists():
                file.write_bytes(file.read_bytes().replace(b"original", b"0riginal"))
    (check,) = found(places, "audit log")
    assert check.level is Level.BAD
    assert check.remedy
    if spoil == "noise":
        save, move = check.remedy.split("`")[1::2]  # what is advised works
        assert main(save.split()[1:]) == 2, "of noise nothing can be saved"
        subprocess.run(["sh", "-c", move], check=True)
        assert (places.state / "damaged" / "audit.db").exists()
        record(places, [Draft(action=Action.STATUS_ERROR)], timeout=5)
        (check,) = found(places, "audit log")
        assert (check.level, "audit acknowledge" in check.remedy) == (Level.BAD, True), "another log stands here"
        assert main(["audit", "verify"]) == 1
        assert main(["audit", "acknowledge", "--reason", "moved the damaged one away"]) == 0
        (check,) = found(places, "audit log")
        assert check.level is Level.OK


@pytest.mark.process
def test_a_large_log_is_not_verified_on_the_way(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor stays quick with years of history, and says what it did not do."""
    record(places, [Draft(action=Action.STATUS_ERROR)], timeout=5)
    monkeypatch.setattr(records, "QUICK_BYTES", 10)
    (check,) = found(places, "audit log")
    assert "not verified now" in check.what


@pytest.mark.process
def test_waiting_records_are_counted(places: Places) -> None:
    """Records that the log could not take are not forgotten."""
    private(places.state)
    places.audit_db.mkdir()
    assert record(places, [Draft(action=Action.STATUS_ERROR), Draft(action=Action.STATUS_ERROR)], timeout=0.1) is None
    (check,) = found(places, "records waiting")
    assert (check.level, "2 records" in check.what) == (Level.WARN, True)
    for folder in filter(Path.is_dir, places.spools):
        for file in folder.iterdir():
            file.write_bytes(b"\x00garbage")
    (check,) = found(places, "records waiting")
    assert (
        check.level,
        "Damaged and set aside in the spool (where records wait for the log): 2 records" in check.what,
    ) == (Level.WARN, True)


@pytest.mark.process
def test_runs_whose_wrapper_was_killed_are_found(places: Places) -> None:
    """A run without its wrapper is named, and who closes it."""
    info = runs.RunInfo(
        run="0199",
        job="home",
        engine="restic",
        kind="backup",
        started_ms=1,
        boot="another",
        wrapper=runs.Process(1, "0"),
    )
    folder = runs.RunFolder.create(places.runs, info)
    (check,) = found(places, "runs")
    assert (check.level, check.what) == (Level.OK, "1 run now.")
    folder.lock.release()
    assert not locks.is_held(folder.path / "lock")
    (check,) = found(places, "runs")
    assert (check.level, "0199" in check.what) == (Level.WARN, True)


@pytest.mark.process
def test_an_engine_that_hangs_or_fails_is_no_obstacle(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken restic is one line of the answer."""
    program(tmp_path / "bin/restic", "exit 3")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (check,) = found(places, "backup engines")
    assert "does not say its version" in check.what

    def hangs(argv: list[str], **_: object) -> None:
        raise subprocess.TimeoutExpired(argv, 10)

    monkeypatch.setattr(subprocess, "run", hangs)
    (check,) = found(places, "backup engines")
    assert "does not answer" in check.what


@pytest.mark.process
def test_only_engines_that_are_there_are_named(places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not all of them are needed; each is asked for its version in its own way."""
    for name, ask in (("restic", "version"), ("borg", "--version"), ("rclone", "version"), ("rsync", "--version")):
        program(tmp_path / "bin" / name, f'[ "$1" = {ask} ] && echo "{name}   1.2.3"')
    monkeypatch.setattr(installation, "ENGINES", ENGINES)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    lines = found(places, "backup engines")
    assert sorted(check.what for check in lines) == [
        f"{tmp_path}/bin/{name}: {name} 1.2.3." for name in ("borg", "rclone", "restic", "rsync")
    ]
    assert {check.level for check in lines} == {Level.OK}


@pytest.mark.process
def test_a_machine_without_any_backup_program_is_told_so(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """tar and rsync are everywhere and prove nothing."""
    monkeypatch.setattr(installation, "ENGINES", ENGINES)
    program(tmp_path / "bin/tar", "echo tar 1.34")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    tar, none = found(places, "backup engines")
    assert (tar.level, none.level, none.remedy) == (Level.OK, Level.WARN, "sudo apt install restic")


@pytest.mark.process
def test_the_systems_instance_is_looked_at(places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None, one that does not run, one that must not be seen (yet): each has its own line; only what can be mended is a fault."""
    (none,) = found(places, "system's instance")
    assert (none.level, "Not set up" in none.what) == (Level.NOTE, True)
    folder = tmp_path / "view"
    monkeypatch.setenv(paths.SYSTEM_VARIABLE, str(folder))
    folder.mkdir()
    (dead,) = found(places, "system's instance")
    assert (dead.level, "is not running" in dead.what, "systemctl" in dead.remedy) == (Level.WARN, True, True)
    for added, level in ((False, Level.OK), (True, Level.WARN)):

        def denied(*_: object, added: bool = added) -> None:
            raise NotInGroupError("viewers", "ann", added=added)

        monkeypatch.setattr(watchers, "connect", denied)
        (outside,) = found(places, "system's instance")
        assert (outside.level, "viewers" in outside.what) == (level, True)
        assert ("log in again" in f"{outside.what} {outside.remedy}".lower()) is True

    class Talk:
        def send(self, _: object) -> None: ...

        def receive(self, _: float) -> dict[str, object]:
            return {"type": "status", "status": {"jobs": [1, 2]}}

        def close(self) -> None: ...

    monkeypatch.setattr(watchers, "connect", lambda *_: Talk())
    (alive,) = found(places, "system's instance")
    assert (alive.level, "2 jobs" in alive.what) == (Level.OK, True)


@pytest.mark.process
def test_the_command_must_be_the_installed_one(places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not installed, not in PATH, hidden by another: each has its own remedy."""
    ours, other = tmp_path / "ours/backup-tray", program(tmp_path / "other/backup-tray", "")
    monkeypatch.setattr(configured, "launcher_places", lambda: [ours])
    monkeypatch.setenv("PATH", "")
    said = [found(places, "command")[0].what]
    program(ours, "")
    said.append(found(places, "command")[0].what)
    monkeypatch.setenv("PATH", f"{other.parent}:{ours.parent}")
    said.append(found(places, "command")[0].what)
    monkeypatch.setenv("PATH", f"{ours.parent}:{other.parent}")
    said.append(found(places, "command")[0].what)
    for text, expected in zip(said, ("not installed", "not in PATH", "finds", "in PATH."), strict=True):
        assert expected in text


@pytest.mark.process
def test_a_check_that_fails_does_not_hide_the_others(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong in one place, the rest is answered."""

    def faints(_: Places) -> list[Check]:
        raise ZeroDivisionError("oh")

    def denied(_: Places) -> list[Check]:
        raise PermissionError(13, "Permission denied", "/secret")

    monkeypatch.setattr(installation, "command", faints)
    monkeypatch.setattr(installation, "engines", denied)
    checks = {check.name: check for check in doctor.examine(places)}
    assert "ZeroDivisionError" in checks["command"].what
    assert "/secret" in checks["backup engines"].what
    assert "tray" in checks


@pytest.mark.process
@pytest.mark.parametrize(
    ("library", "broken", "whole"), [("dbus_fast", "tray", "window"), ("sqlite3", "audit log", "tray")]
)
def test_a_library_that_is_missing_fails_only_the_checks_that_need_it(library: str, broken: str, whole: str) -> None:
    """After an upgrade that went wrong, the doctor still answers, and names the library."""
    code = f"import sys; sys.modules['{library}'] = None; from tray.cli.main import main; main(['doctor', '--json'])"
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env={"BACKUP_TRAY_HOME": "/no/such"}, check=True
    )
    checks = {check["name"]: check["what"] for check in json.loads(done.stdout)}
    assert library in checks[broken]
    assert "failed" not in checks[whole]


def test_the_command_line_says_the_same(
    places: Places, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """People get lines, machines JSON, and both an exit code; names that would steer a terminal are shown escaped."""
    monkeypatch.setattr(doctor, "examine", lambda _: [Check("x", Level.WARN, "what\x1b[2J", "do it")])
    assert main(["doctor"]) == 1
    assert capsys.readouterr().out == "warn  x: what\\x1b[2J\n      mend it: do it\n"
    monkeypatch.setattr(doctor, "examine", lambda _: [Check("x", Level.OK, "fine")])
    assert main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"name": "x", "level": "ok", "what": "fine", "remedy": ""}]


@pytest.mark.process
def test_it_works_with_an_empty_environment() -> None:
    """From cron, without HOME or anything else, it answers in full."""
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-m", "tray", "doctor"],
        env={"BACKUP_TRAY_HOME": "/no/such"},
        cwd=root,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr == ""
    assert "start at login" in done.stdout


def test_plain_gnome_is_told_the_package_and_the_new_login(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """GNOME has no tray: the one package that brings it, and that a new login is needed, are named."""
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    monkeypatch.setenv("XDG_CURRENT_DESKTOP", "ubuntu:GNOME")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    answer = doctor_panel.tray(paths.places())
    assert not answer.fine
    assert "gnome-shell-extension-appindicator" in answer.remedy
    assert "log out and in" in answer.remedy


@pytest.mark.parametrize(
    ("watcher", "older", "fine", "said"),
    [
        (True, False, True, "StatusNotifierWatcher"),
        (False, True, True, "XEmbed"),
        (False, False, False, "window opens instead"),
    ],
)
def test_each_kind_of_panel_is_known(
    monkeypatch: pytest.MonkeyPatch, watcher: bool, older: bool, fine: bool, said: str
) -> None:
    """Today's panels, older ones, and none."""
    monkeypatch.setenv("DISPLAY", ":1")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/none")
    monkeypatch.setattr(doctor_panel, "_watcher_answers", lambda: watcher)
    monkeypatch.setattr(doctor_panel.xembed, "has_tray", lambda: older)
    answer = doctor_panel.tray(paths.places())
    assert (answer.fine, said in answer.what) == (fine, True)


def test_an_icon_on_a_dead_bus_is_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without an answer the icon does not count as shown."""
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    assert not doctor_panel.icon_shown(os.getpid())

    async def never(_: int) -> bool:
        await asyncio.Event().wait()
        return True

    monkeypatch.setattr(doctor_panel, "_registered", never)
    monkeypatch.setattr(doctor_panel, "_ASK_SECONDS", 0.01)
    assert not doctor_panel.icon_shown(os.getpid())


@pytest.mark.process
@pytest.mark.parametrize(
    ("script", "screen", "fine", "said"),
    [
        ("echo 2.50", True, True, "WebKitGTK 2.50"),
        ("echo 'No module named gi' >&2; exit 1", True, False, "No module named gi"),
        ("exit 1", False, True, "no screen that would need one"),
    ],
)
def test_the_web_view_is_asked_in_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, screen: bool, fine: bool, said: str
) -> None:
    """A missing web view names its packages where there is a screen, and is no fault where there is none."""
    monkeypatch.setattr(sys, "executable", str(program(tmp_path / "python", script)))
    monkeypatch.setattr(surfaces, "sees_system_packages", lambda: True)
    if screen:
        monkeypatch.setenv("DISPLAY", ":1")
    answer = doctor_desktop.web_view(paths.places())
    assert (answer.fine, said in answer.what) == (fine, True)
    assert answer.fine or "gir1.2-webkit2-4.1" in answer.remedy


@pytest.mark.parametrize(
    ("write", "fine", "said"),
    [
        (lambda file: file.write_text("[Desktop Entry]\nExec=x\n"), True, "starts with your session"),
        (lambda file: file.write_text("[Desktop Entry]\nExec=x\nHidden=true\n"), True, "Switched off by you"),
        (lambda _: None, False, "does not start"),
    ],
)
def test_the_start_with_the_session_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], object], fine: bool, said: str
) -> None:
    """Set up, switched off on purpose, or missing are three different answers."""
    monkeypatch.setenv("DISPLAY", ":1")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "none"))
    (tmp_path / "autostart").mkdir()
    write(tmp_path / "autostart/backup-tray.desktop")
    answer = doctor_desktop.autostart(paths.places())
    assert (answer.fine, said in answer.what) == (fine, True)


@pytest.mark.parametrize(
    ("release", "connector", "level", "words"),
    [
        ("6.15.2-arch", False, Level.OK, "It is known how each engine ends"),
        ("6.12.1", True, Level.OK, "inside a container"),
        ("6.1.0-13-amd64", True, Level.OK, "inside a container"),
        ("6.1.0-13-amd64", False, Level.NOTE, "mostly ends as unknown"),
        ("5.10.0", False, Level.NOTE, "Wrap each engine within it"),
    ],
)
def test_where_the_ends_of_a_scripts_engines_are_not_known_that_is_said(
    monkeypatch: pytest.MonkeyPatch, release: str, connector: bool, level: Level, words: str
) -> None:
    """An ordinary user on an old kernel learns why each night is unknown, and what helps."""
    kernel = os.uname_result(("Linux", "here", release, "#1", "x86_64"))
    monkeypatch.setattr(os, "uname", lambda: kernel)
    ours, theirs = socket.socketpair()
    monkeypatch.setattr("tray.observe.events._listen", lambda: ours if connector else None)
    (check,) = watchers.steps(paths.places())
    ours.close()
    theirs.close()
    assert check.level is level
    assert words in check.what


@pytest.mark.process
def test_whether_runs_of_others_are_seen_is_said(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user learns when observing is off, and that an older kernel tells no exit status."""
    if sys.platform != "linux":
        return

    def said() -> str:
        return next(check.what for check in doctor.examine(places) if check.name == "runs of others")

    assert said().startswith("They are not seen now")
    monkeypatch.setattr(watchers, "_tracked", lambda _: True)
    for release, words in (("6.15.2-arch", "exact exit status"), ("6.1.0-13-amd64", "seldom tells how they ended")):
        kernel = os.uname_result(("Linux", "here", release, "#1", "x86_64"))
        monkeypatch.setattr(os, "uname", lambda kernel=kernel: kernel)
        assert words in said()
    monkeypatch.setenv("BACKUP_TRAY_OBSERVE", "off")
    assert said().startswith("They are not looked for")
