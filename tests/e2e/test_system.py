"""Root's backups in other users' trays: real users of a real kernel, root's service, and attackers."""

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.machine import ROOT, Machine
from tests.waiting import wait_for
from tray import ipc

ANN, BOB, EVE = 54_301, 54_302, 54_303
SECRETS = ("topsecret", "hunter2", "s3cr3t")
_RESTIC = """#!/bin/sh
[ "$1" != version ] || { echo "restic 0.14.0"; exit; }
while IFS= read -r line; do case $line in exit*) exit "${line#exit }" ;; *) printf '%s\\n' "$line" ;; esac; done <"$FEED"
"""


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A machine on which root's service runs."""
    made = Machine()
    try:
        made.serve()
        yield made
    finally:
        made.end()


@pytest.fixture(autouse=True)
def nothing_runs_on(machine: Machine) -> Iterator[None]:
    """End the backups that a test started."""
    yield
    machine.end_started("restic-")


class Backup:
    """A backup of root's under watch, whose restic prints the lines that the test chooses."""

    def __init__(self, machine: Machine, job: str, *words: str) -> None:
        folder = machine.ours / f"restic-{job}"
        folder.mkdir()
        (folder / "restic").write_text(_RESTIC)
        (folder / "restic").chmod(0o755)
        os.mkfifo(folder / "feed")
        command = [folder / "restic", "-r", "/srv/repo", *words, "backup", "/etc"]
        argv = machine.root_tray("run", "--job", job, "--", *command)
        at = argv.index("-i") + 1
        argv[at:at] = [f"FEED={folder}/feed", "RESTIC_PASSWORD=hunter2", "AWS_SECRET_ACCESS_KEY=s3cr3t"]
        self.process = machine.start(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._feed = machine.open.enter_context((folder / "feed").open("w"))

    def says(self, **message: object) -> None:
        """Have restic print one message."""
        self._feed.write(json.dumps(message) + "\n")
        self._feed.flush()

    def progress(self, done: int, total: int = 1000) -> None:
        """Have restic print how far it is."""
        self.says(
            message_type="status",
            percent_done=done / total,
            total_files=10,
            files_done=1,
            total_bytes=total,
            bytes_done=done,
            seconds_remaining=60,
            current_files=["/etc/shadow"],
        )

    def ends(self, code: int = 0) -> None:
        """Have restic end."""
        if code == 0:
            self.says(
                message_type="summary",
                files_new=1,
                files_changed=0,
                files_unmodified=0,
                data_added=10,
                total_files_processed=1,
                total_bytes_processed=1000,
                total_duration=1.0,
                snapshot_id="ab12cd34",
            )
        self._feed.write(f"exit {code}\n")
        self._feed.close()
        assert self.process.wait(60) == code


def backup(machine: Machine, job: str, code: int = 0, *words: str) -> None:
    """Make one backup of root's from its beginning to its end."""
    made = Backup(machine, job, *words)
    made.progress(500)
    made.ends(code)


def job_of(status: dict[str, Any], name: str) -> dict[str, Any] | None:
    """Return a job in a status."""
    return next((job for job in status["jobs"] if job["job"] == name), None)


def until(machine: Machine, uid: int, what: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """Return the first status of the user for which *what* is true."""

    def ask() -> dict[str, Any] | None:
        answer = machine.status(uid)
        return answer if what(answer) else None

    answer = wait_for(ask, what="the status")
    assert answer is not None
    return answer


def test_a_member_sees_roots_run_with_progress_and_its_end(machine: Machine) -> None:
    """A member sees root's cron job beside the member's own runs, labelled, and cannot change any of it."""
    assert machine.run(machine.user_tray(ANN, "run", "--job", "mine", "--", "true")).returncode == 0
    nightly = Backup(machine, "nightly")
    nightly.progress(420)
    shown = until(machine, ANN, lambda status: status["runs"] and status["runs"][0]["bytes_done"] == 420)
    (run,) = shown["runs"]
    assert (run["job"], run["instance"], run["percent"], run["can"]) == ("nightly", "system", 42, [])
    assert run["current"] == "/etc/shadow"
    assert shown["state"] == "running"
    refused = machine.run(machine.user_tray(ANN, "seen", "nightly"))
    nightly.ends()
    ended = until(machine, ANN, lambda status: not status["runs"] and (job_of(status, "nightly") or {}).get("last"))
    assert {job["job"]: (job["instance"], job["state"]) for job in ended["jobs"]} == {
        "mine": ("user", "ok"),
        "nightly": ("system", "ok"),
    }
    assert (ended["last"]["job"], ended["last"]["instance"], ended["state"]) == ("nightly", "system", "ok")
    text = machine.run(machine.user_tray(ANN, "status")).stdout
    assert "nightly (system)" in text
    assert "mine (system)" not in text
    assert (refused.returncode, "sudo backup-tray seen nightly" in refused.stderr) == (2, True), refused.stderr


def test_the_commands_about_the_past_find_roots_runs_too(machine: Machine) -> None:
    """Members get history, report and log of root's runs, marked as the system's."""
    backup(machine, "weekly", 1)
    until(machine, ANN, lambda status: (job_of(status, "weekly") or {}).get("state") == "failed")
    lines = machine.run(machine.user_tray(ANN, "history", "--json")).stdout.splitlines()
    newest = json.loads(lines[0])
    assert (newest["job"], newest["instance"], newest["outcome"]) == ("weekly", "system", "failed")
    report = machine.run(machine.user_tray(ANN, "report", newest["run"][:23])).stdout
    assert "the system's (root's)" in report
    assert re.search(r"Audit entry: (Intact|Inconclusive)", report)
    log = machine.run(machine.user_tray(ANN, "log", newest["run"])).stdout
    assert log == machine.as_root(*machine.root_tray("log", newest["run"])[len(ROOT) :]).stdout
    assert "failed" in log
    machine.as_root(*machine.root_tray("seen", "weekly")[len(ROOT) :])
    until(machine, ANN, lambda status: (job_of(status, "weekly") or {}).get("state") == "none")


def test_a_user_outside_the_group_reads_how_to_join(machine: Machine) -> None:
    """A stranger reads one line with the command; the status shows no backup of root's and keeps the stranger's own state."""
    assert machine.run(machine.user_tray(BOB, "run", "--job", "mine", "--", "true", member=False)).returncode == 0
    shown = machine.status(BOB, member=False)
    assert (shown["state"], [job["job"] for job in shown["jobs"]]) == ("ok", ["mine"])
    (note,) = shown["notes"]
    assert "you are not in the group backup-tray" in note
    assert f"sudo usermod -aG backup-tray {BOB}" in note
    doctor = machine.run(machine.user_tray(BOB, "doctor", member=False)).stdout
    assert (
        "ok    system's instance: Root's backups are not shown: you are not in the group backup-tray. An admin"
        in doctor
    )
    assert machine.run(machine.user_tray(BOB, "history", member=False)).stdout.count("\n") == 1


def test_nothing_that_a_member_sends_changes_anything(machine: Machine) -> None:
    """Forged runs, orders to stop, garbage, endless lines and readers that never read do not change root's run and status."""
    nightly = Backup(machine, "guarded")
    nightly.progress(300)
    before = until(machine, ANN, lambda status: status["runs"] and status["runs"][0]["bytes_done"] == 300)
    run = before["runs"][0]["run"]
    pid = machine.service_pid()
    forged = before["runs"][0] | {"run": "0190cccc-0000-7000-8000-000000000001", "job": "forged"}
    orders: list[ipc.Message] = [
        {"type": "run.started", "run": forged},
        {"type": "run.progress", "run": run, "bytes_done": 999},
        {"type": "run.finished", "run": run, "last": {"outcome": "succeeded"}},
        *({"type": kind, "run": run} for kind in ("cancel", "pause", "resume", "seen", "handover", "no such thing")),
    ]
    for order in orders:
        said = machine.talk(ipc.hello("wrapper"), order, uid=EVE, answers=2)
        assert [message["type"] for message in said] == ["hello", "refused"], order
    for line in (b"\x00\xff garbage\n", b"[1]\n", b"{" * 9000 + b"\n", b"x" * 10_000_000, b'{"type":"log","run":7}\n'):
        said = machine.talk(ipc.hello("cli"), line, uid=EVE)
        assert [message["type"] for message in said] == ["hello", "error"], line[:20]
    assert [message["type"] for message in machine.talk({"type": "status"}, uid=EVE)] == ["error"]
    argv = machine.as_user(EVE, machine.python, "-c", _MUTE, machine.view / "view.sock")
    mute = machine.start(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert mute.stdout is not None
    assert mute.stdout.readline() == b"60\n"
    for done in range(301, 340):
        nightly.progress(done)
    after = until(machine, ANN, lambda status: status["runs"] and status["runs"][0]["bytes_done"] == 339)
    assert [live["run"] for live in after["runs"]] == [run]
    assert job_of(after, "forged") is None
    assert machine.root_status()["runs"][0]["run"] == run
    assert machine.service_pid() == pid
    assert int(_memory(machine, pid)) < 80_000
    mute.kill()
    argv = machine.as_user(EVE, machine.python, "-c", _FLOOD, machine.view / "view.sock")
    flood = machine.start(argv, stdout=subprocess.PIPE)
    assert flood.stdout is not None
    assert flood.stdout.readline() == b"on\n"
    assert machine.status(ANN)["notes"] == []
    assert flood.poll() is None
    machine.as_root("pkill", "-KILL", "--parent", str(flood.pid), check=False)
    flood.kill()
    nightly.ends()
    assert "refused from user 54303" in machine.log()
    assert machine.log().count("refused from user 54303") < 4


_MUTE = """
import json, socket, sys
talks = []
for _ in range(60):
    talk = socket.socket(socket.AF_UNIX)
    talk.connect(sys.argv[1])
    try:
        talk.sendall(b'{"type":"hello","protocol":[1,0]}\\n{"type":"subscribe"}\\n' + b'{"type":"history"}\\n' * 500)
    except OSError:
        pass
    talks.append(talk)
print(len(talks), flush=True)
sys.stdin.read()
"""


_FLOOD = """
import contextlib, socket, sys
for number in range(10**9):
    with socket.socket(socket.AF_UNIX) as talk, contextlib.suppress(OSError):
        talk.connect(sys.argv[1])
        talk.sendall(b'{"type":"hello","protocol":[1,0]}\\n{"type":"status"}\\n')
    if number == 1000:
        print("on", flush=True)
"""


def _memory(machine: Machine, pid: int) -> str:
    rollup = machine.as_root("cat", f"/proc/{pid}/smaps_rollup").stdout
    return next(line.split()[1] for line in rollup.splitlines() if line.startswith("Pss:"))


def test_secrets_of_roots_command_lines_never_appear(machine: Machine) -> None:
    """No answer to a member holds a password from addresses, options or the environment."""
    secret = ("--password-command", "echo hunter2", "-r", "rest:https://ann:topsecret@nas/repo")
    running = Backup(machine, "secret", *secret)
    running.progress(1)
    seen = until(machine, ANN, lambda status: [run for run in status["runs"] if run["job"] == "secret"])
    run = seen["runs"][-1]["run"]
    live = machine.talk(ipc.hello("cli"), {"type": "status"}, {"type": "log", "run": run}, answers=3)
    running.ends(1)
    until(machine, ANN, lambda status: (job_of(status, "secret") or {}).get("last"))
    past = machine.talk(
        ipc.hello("cli"),
        {"type": "status"},
        {"type": "history"},
        {"type": "report", "run": run},
        {"type": "log", "run": run},
        answers=5,
    )
    assert [message["type"] for message in live[:3]] == ["hello", "status", "log"]
    assert [message["type"] for message in past] == ["hello", "status", "history", "report", "log"]
    said = json.dumps(live + past)
    assert "rest:https://ann:***@nas/repo" in said
    assert [secret for secret in SECRETS if secret in said] == []


def test_a_socket_of_another_user_is_not_believed(machine: Machine, tmp_path: Path) -> None:
    """A user who puts a socket in the place of root's cannot make anything look fine."""
    folder = machine.base / "trap"
    machine.as_root("install", "-d", "-m", "777", folder)
    argv = machine.as_user(EVE, machine.python, "-c", _FAKE, folder / "view.sock")
    trap = machine.start(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert trap.stdout is not None
    assert trap.stdout.readline() == b"\n"
    machine.as_root("chmod", "666", folder / "view.sock")
    done = machine.run(machine.user_tray(ANN, "status", "--json", BACKUP_TRAY_SYSTEM=str(folder)))
    shown = json.loads(done.stdout)
    assert (shown["state"], shown["runs"]) == ("warning", [])
    assert f"belongs to user {EVE}, not 0" in shown["notes"][0]


_FAKE = """
import socket, sys
trap = socket.socket(socket.AF_UNIX)
trap.bind(sys.argv[1])
trap.listen()
print(flush=True)
trap.accept()
input()
"""


def test_a_killed_service_is_shown_as_such_until_it_is_back(machine: Machine) -> None:
    """Meanwhile the status marks root's jobs as not known now, keeps a failure, and shows none of root's runs as running."""
    backup(machine, "kept", 1)
    nightly = Backup(machine, "long")
    nightly.progress(100)
    watching = machine.start(machine.user_tray(ANN, "status", "--watch", "--json"), stdout=subprocess.PIPE, text=True)
    assert watching.stdout is not None
    lines = iter(watching.stdout)

    def seen(what: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        return next(status for status in map(json.loads, lines) if what(status))

    seen(lambda status: any(run["job"] == "long" for run in status["runs"]))
    machine.as_root("kill", "-9", str(machine.service_pid()))
    began = time.monotonic()
    gone = seen(lambda status: status["notes"])
    assert time.monotonic() - began < 5
    assert "The system's backups (root's) are not known now. Its service" in gone["notes"][0]
    kept = job_of(gone, "kept")
    assert kept is not None
    assert (kept["state"], "Not known now; last known" in kept["concern"], gone["runs"]) == ("failed", True, [])
    assert {job["state"] for job in gone["jobs"] if job["instance"] == "system"} <= {"failed", "warning"}
    once = machine.run(machine.user_tray(ANN, "status"))
    assert (once.returncode, "Not everything is known" in once.stdout) == (1, True), once.stdout
    machine.serve()
    back = seen(lambda status: not status["notes"])
    assert [run["job"] for run in back["runs"]] == ["long"]
    nightly.ends()
    seen(lambda status: not status["runs"])
    watching.terminate()


def test_a_folder_that_a_stranger_made_first_is_not_used(machine: Machine) -> None:
    """Without a login the runtime folder would be in /tmp: a stranger who took its name gets nothing and blocks no run."""
    shared = machine.base / "tmp"
    machine.as_root("install", "-d", "-m", "1777", shared)
    trap = shared / f"runtime-{ANN}"
    assert machine.run(machine.as_user(EVE, "mkdir", "-m", "777", trap)).returncode == 0
    nowhere = {"BACKUP_TRAY_HOME": "", "TMPDIR": str(shared)}
    assert machine.run(machine.user_tray(ANN, "run", "--job", "cron", "--", "true", **nowhere)).returncode == 0
    assert "cron" in machine.run(machine.user_tray(ANN, "status", **nowhere)).stdout
    doctor = machine.run(machine.user_tray(ANN, "doctor", **nowhere)).stdout
    assert f"ok    runtime folder: {machine.base}/user-{ANN}/.local/state/backup-tray/runtime" in doctor
    assert machine.as_root("ls", "-A", trap).stdout == ""
    named = machine.run(machine.user_tray(ANN, "tracker", BACKUP_TRAY_HOME=str(trap / "mine")))
    assert (named.returncode, f"{trap}, on the way to it, was made by another user" in named.stderr) == (2, True)


def test_with_accounts_as_an_administrator_makes_them(machine: Machine) -> None:
    """groupadd, useradd, usermod and a new login suffice; the note that names them is right."""
    name = f"bt{os.getpid()}"
    machine.as_root("groupadd", "--system", f"{name}g")
    try:
        machine.as_root("useradd", "--no-create-home", "--home-dir", "/nonexistent", name)
        other = Machine(group=f"{name}g")
        try:
            other.serve()
            argv = other.user_tray(0, "status", "--json")
            at = argv.index("setpriv")
            login = ["setpriv", f"--reuid={name}", f"--regid={name}", "--init-groups"]
            argv[at : argv.index("env", at)] = login
            refused = json.loads(other.run(argv).stdout)
            assert f"sudo usermod -aG {name}g {name}" in refused["notes"][0]
            other.as_root("usermod", "-aG", f"{name}g", name)
            assert json.loads(other.run(argv).stdout)["notes"] == []
            argv[at : at + len(login)] = [*login[:3], "--clear-groups"]
            assert "in this session. Log in again" in json.loads(other.run(argv).stdout)["notes"][0]
        finally:
            other.end()
    finally:
        machine.as_root("userdel", name, check=False)
        machine.as_root("groupdel", f"{name}g", check=False)
