"""Observed runs, which start without the wrapper, of real engines: shown in time, with the true outcome, recorded once."""

import contextlib
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.machine import ROOT
from tests.e2e.program import PASSWORD, make_repository, make_tree, start, status, tray, wrong_password
from tests.waiting import wait_for
from tray import ipc
from tray.audit.store import AuditLog
from tray.core import paths
from tray.core.errors import TrackerGoneError
from tray.core.paths import Places

STRANGER = "54399"
"""A user id that has no account."""
OLD_KERNEL = (
    "from tray.observe import ends, proc; ends.exit_status = lambda _: (None, False); proc.Proc.readable = lambda *_: False;"
    " from tray.cli.main import main; main(['tracker'])"
)


class Tracker:
    """A tracker and a client of it."""

    def __init__(self, places: Places, *argv: str, **environ: str) -> None:
        self._places, self.ended = places, False
        command = [sys.executable, *(argv or ("-m", "tray", "tracker"))]
        self.process = subprocess.Popen(command, env=os.environ | environ)
        self.client = wait_for(self._connect, what="the tracker")

    def _connect(self) -> ipc.Client | None:
        try:
            return ipc.Client(self._places, "cli", timeout=10)
        except TrackerGoneError:
            return None

    def runs(self) -> list[dict[str, Any]]:
        """Return the live runs."""
        return list(self.client.request("status")["runs"])

    def shown(self, accept: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for a run, and return it."""
        return wait_for(lambda: next(filter(accept, self.runs()), None), what="the run")

    def end(self, number: int = signal.SIGTERM) -> None:
        """End the tracker."""
        self.client.close()
        self.process.send_signal(number)
        self.process.wait(60)
        self.ended = True


@pytest.fixture(autouse=True)
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines ask no questions, and keep their caches in the test's folder."""
    for name, value in {
        "RESTIC_PASSWORD": PASSWORD,
        "RESTIC_CACHE_DIR": str(tmp_path / "cache"),
        "BORG_BASE_DIR": str(tmp_path / "borg"),
        "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
        "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
        "RCLONE_CONFIG": os.devnull,
    }.items():
        monkeypatch.setenv(name, value)


@functools.cache
def _borg_template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="borg-template-"))
    subprocess.run(["borg", "init", "-e", "none", folder / "repo"], check=True, stdin=subprocess.DEVNULL)
    return folder / "repo"


def borg_repository(path: Path) -> Path:
    """Make a borg repository without a password."""
    shutil.copytree(_borg_template(), path)
    return path


class Stdin:
    """The standard input of an engine, which goes on until the test closes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        self._fd: int | None = os.open(path, os.O_RDWR)
        os.write(self._fd, b"x" * 5000)

    def close(self) -> None:
        """Let the engine come to its end."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class Starter:
    """Starts engines without the wrapper, as a user or cron does, and trackers; ends all of them."""

    def __init__(self, places: Places, folder: Path) -> None:
        self._places, self._folder = places, folder
        self._held: list[Stdin] = []
        self._trackers: list[Tracker] = []
        self._started: list[subprocess.Popen[bytes]] = []

    def tracker(self, *argv: str, **environ: str) -> Tracker:
        """Start a tracker of this test's instance."""
        self._trackers.append(Tracker(self._places, *argv, **environ))
        return self._trackers[-1]

    def holds(self) -> Stdin:
        """Return an input for an engine, which stays open."""
        self._held.append(Stdin(self._folder / f"held{len(self._held)}"))
        return self._held[-1]

    def starts(self, line: "str | list[str]", **options: Any) -> "subprocess.Popen[bytes]":
        """Start a line of shell, or a command, with the output thrown away."""
        argv = ["sh", "-c", line] if isinstance(line, str) else line
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options}
        self._started.append(subprocess.Popen(argv, **quiet))
        return self._started[-1]

    def end(self) -> None:
        """End everything that still runs."""
        for source in self._held:
            source.close()
        for tracker in self._trackers:
            if not tracker.ended:
                tracker.end()
        for process in self._started:
            if process.poll() is None:
                process.terminate()
            process.wait(60)


@pytest.fixture
def starter(places: Places, tmp_path: Path) -> Iterator[Starter]:
    """Starts engines without the wrapper, and ends them with the test."""
    made = Starter(places, tmp_path)
    yield made
    made.end()


@pytest.fixture
def tracker(starter: Starter) -> Tracker:
    """A tracker of this test's instance."""
    return starter.tracker()


def ended(job: str) -> dict[str, Any]:
    """Wait until the last run of the job whose name matches (long paths are shortened in it) is on record, and return it."""

    def look() -> dict[str, Any] | None:
        runs = [row["last"] for row in status()["jobs"] if re.match(job, row["job"]) and row["last"]]
        return next((last for last in runs if last["entry"] is not None), None)

    try:
        return wait_for(look, seconds=60, what=f"the end of {job}")
    except AssertionError as error:
        places = paths.places()
        left = [str(path) for root in places.run_roots + places.spools for path in root.rglob("*")]
        raise AssertionError(f"{error}; the status says {json.dumps(status())}, and there are {left}") from None


def entries() -> list[dict[str, Any]]:
    """Return the entries of runs in the audit log."""
    shown = tray("audit", "show", "--json", "--limit", "100").stdout
    return [entry for entry in map(json.loads, shown.splitlines()) if entry["run"]]


def test_engines_of_others_appear_in_time_and_end_with_the_truth(
    tmp_path: Path, tracker: Tracker, starter: Starter
) -> None:
    """restic, borg, rclone and rsync at once, from a shell, a daemon and `python -m`: the tracker shows each once, within 2 s."""
    source = make_tree(tmp_path / "src", files=10, size=100_000)
    restic, borg = make_repository(tmp_path / "restic"), borg_repository(tmp_path / "borgs")
    held = [starter.holds(), starter.holds()]
    daemon = f"import os, subprocess; os.fork() and os._exit(0); os.setsid(); subprocess.run(['borg', 'create', '{borg}::a', '-'])"
    lines = {
        "restic": f"restic -r {restic} backup -q --stdin --stdin-filename dump <{held[0].path}",
        "borg": f'{sys.executable} -c "{daemon}" <{held[1].path}',
        "rclone": f"rclone copy --bwlimit 300k {source} {tmp_path}/rclone",
        "rsync": f"cd {tmp_path} && rsync -a --bwlimit=300 src/ rsync/",
    }
    began = time.monotonic()
    started = [starter.starts(line) for line in lines.values()]
    wait_for(lambda: {run["engine"] for run in tracker.runs()} == set(lines), what="all four")
    print(f"\nall four shown {time.monotonic() - began:.2f} s after they were started")
    live = {run["engine"]: run for run in tracker.runs()}
    assert len(tracker.runs()) == 4
    assert {run["source"] for run in live.values()} == {"observed"}
    assert {name: run["repository"].rstrip("/") for name, run in live.items()} == {
        "restic": str(restic),
        "borg": str(borg),
        "rclone": f"{tmp_path}/rclone",
        "rsync": f"{tmp_path}/rsync",
    }
    assert all(run["phase"] == "copying" and run["percent"] is None and run["user"] is None for run in live.values())
    for stdin in held:
        stdin.close()
    for name in lines:
        last = ended(name)
        assert (last["outcome"], last["inferred"], last["source"]) == ("succeeded", True, "observed"), last
    assert all(process.wait(60) == 0 for process in started)
    assert wait_for(lambda: not tracker.runs())
    assert sorted(entry["action"] for entry in entries()) == ["run.closed"] * 4 + ["run.started"] * 4


WRONG = "RESTIC_PASSWORD_COMMAND=\"sh -c 'sleep 0.5; echo wrong'\""
"""A wrong password that takes as long as with real keys, which are slow to derive: a tracker may miss a shorter run."""


def test_exit_codes_are_exact(tmp_path: Path, places: Places, tracker: Tracker, starter: Starter) -> None:
    """An observed run that failed is a failure, one with an unreadable file a warning, a killed one no success."""
    repository = make_repository(tmp_path / "repo")
    held = starter.holds()
    codes = [
        starter.starts(f"(sleep 1.2; echo x) | restic -r {repository} backup -q --stdin --stdin-filename fine"),
        starter.starts(f"restic -r {repository} backup -q /proc/self/mem"),
        starter.starts(f"{WRONG} restic -r {repository} backup -q /etc/hostname"),
        starter.starts(f"exec restic -r {repository} backup -q --stdin --stdin-filename killed <{held.path}"),
    ]
    killed = tracker.shown(lambda run: "killed" in run["job"])
    os.kill(int(killed["process"].partition("@")[0]), signal.SIGKILL)
    runs = {name: ended(f"restic .*{name} to") for name in ("mem", "hostname", "killed", "fine")}
    held.close()
    assert [process.wait(60) for process in codes] == [0, 3, wrong_password(), -9]
    outcomes = {name: last["outcome"] for name, last in runs.items()}
    # Two runs wrote to the repository at once: the tracker cannot tell which of them made the new snapshot.
    assert outcomes == {"mem": "warning", "hostname": "failed", "killed": "failed", "fine": "unknown"}
    assert "signal 9 (SIGKILL)" in runs["killed"]["reason"]
    with AuditLog.read(places.audit_db) as log:
        entry = log.entry_of_run(runs["killed"]["run"])
    assert entry is not None
    assert entry.body is not None
    assert entry.body["evidence"]["end"].startswith("exit status by ")
    assert entry.body["signal"] == signal.SIGKILL


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users can enter."""
    made = Path(tempfile.mkdtemp(prefix="observed-"))
    made.chmod(0o777)
    yield made
    subprocess.run([*ROOT, "rm", "-rf", made], check=True)


def test_a_run_of_another_user_is_shown_with_its_user(open_folder: Path, starter: Starter) -> None:
    """The kernel tells little of another user's processes, but their exact end."""
    source, target = make_tree(open_folder / "src", files=5, size=100_000), open_folder / "target"
    tracker = starter.tracker(BACKUP_TRAY_OBSERVE="all")
    become = [*ROOT, "setpriv", "--reuid", STRANGER, "--regid", STRANGER, "--clear-groups"]
    rsync = starter.starts([*become, "rsync", "-rW", "--bwlimit=200", f"{source}/", f"{target}/"])
    run = tracker.shown(lambda run: run["engine"] == "rsync" and str(target) in (run["repository"] or ""))
    assert run["user"] == f"uid {STRANGER}"
    assert run["job"].endswith(f"(uid {STRANGER})")
    assert rsync.wait(60) == 0
    last = ended(re.escape(run["job"]))
    assert (last["outcome"], last["user"], last["inferred"]) == ("succeeded", f"uid {STRANGER}", True)


def test_a_wrapped_run_is_not_shown_twice_and_a_script_shows_its_steps(
    tmp_path: Path, tracker: Tracker, starter: Starter
) -> None:
    """Three engines in a script are three steps of one run; the script's exit code does not hide a step that failed."""
    source = make_tree(tmp_path / "src", files=5, size=100_000)
    script = tmp_path / "nightly.sh"
    script.write_text(
        f"restic -r {make_repository(tmp_path / 'repo')} backup -q {source}\n"
        f"borg create {tmp_path}/none::a {source}\n"
        f"rsync -a --bwlimit=300 {source}/ {tmp_path}/copy/\n"
        "exit 0\n"
    )
    run = start("run", "--job", "nightly", "--", "sh", script, stderr=subprocess.DEVNULL)
    live = tracker.shown(lambda run: any(step["engine"] == "rsync" for step in run["steps"]))
    assert [(run["job"], run["source"]) for run in tracker.runs()] == [("nightly", "wrapped")]
    assert [step["outcome"] for step in live["steps"]][-1] is None
    assert run.wait(60) == 0
    last = ended("nightly")
    assert last["outcome"] == "warning"
    assert last["reason"].startswith("borg to ")  # a folder whose name looks like a secret may be hidden
    assert last["reason"].endswith("/none ended with exit code 2, but the script went on.")
    steps = [(step["engine"], step["outcome"]) for step in last["steps"]]
    assert steps == [("restic", "succeeded"), ("borg", "failed"), ("rsync", "succeeded")]
    assert {entry["source"] for entry in entries()} == {"wrapped"}


def test_a_tracker_that_was_killed_goes_on_with_the_run_when_it_is_back(tmp_path: Path, starter: Starter) -> None:
    """The new tracker continues the same run and learns its exact end."""
    held = starter.holds()
    borg = starter.starts(
        f"python3 -m borg create {borg_repository(tmp_path / 'repo')}::a - <{held.path}", env=_system_python()
    )
    tracker = starter.tracker()
    before = tracker.shown(lambda run: run["engine"] == "borg")
    tracker.end(signal.SIGKILL)
    assert [run["run"] for run in status()["runs"]] == [before["run"]]
    tracker = starter.tracker()
    after = tracker.shown(lambda run: run["engine"] == "borg")
    assert (after["run"], after["started_at"], after["tracked"]) == (before["run"], before["started_at"], True)
    held.close()
    assert borg.wait(60) == 0
    assert ended("borg")["outcome"] == "succeeded"
    assert [entry["run"] for entry in entries()] == [before["run"]] * 2


def _system_python() -> dict[str, str]:
    """Return an environment in which `python3` is the system's, which has borg as a module."""
    return {**os.environ, "PATH": "/usr/bin:/bin"}


def test_an_end_that_no_tracker_saw_is_unknown_despite_a_new_snapshot(tmp_path: Path, starter: Starter) -> None:
    """A kill ends the tracker before the backups: the reason names restic's snapshot, but the outcome stays unknown."""
    held = [starter.holds(), starter.holds()]
    repository = make_repository(tmp_path / "repo")
    restic = starter.starts(f"exec restic -r {repository} backup -q --stdin --stdin-filename dump <{held[0].path}")
    borg = starter.starts(f"exec borg create {borg_repository(tmp_path / 'borgs')}::a - <{held[1].path}")
    tracker = starter.tracker()
    wait_for(lambda: len(tracker.runs()) == 2, what="both")
    tracker.end(signal.SIGKILL)
    for stdin in held:
        stdin.close()
    assert (restic.wait(60), borg.wait(30)) == (0, 0)
    seen = {job["last"]["engine"]: job["last"] for job in status()["jobs"]}  # viewing is enough to know
    assert {name: last["outcome"] for name, last in seen.items()} == {"restic": "unknown", "borg": "unknown"}
    tracker = starter.tracker()
    run = ended("restic")
    assert (run["outcome"], ended("borg")["outcome"]) == ("unknown", "unknown")
    assert "is new in the repository" in run["reason"]
    assert all(entry["source"] == "observed" for entry in entries())


def test_an_older_kernel_makes_no_false_green(tmp_path: Path, starter: Starter) -> None:
    """An unknown exit status is never a success: restic makes a snapshot also where it could not read a file."""
    tracker = starter.tracker("-c", OLD_KERNEL)
    repository, held = make_repository(tmp_path / "repo"), starter.holds()
    good = starter.starts(f"exec restic -r {repository} backup -q --stdin --stdin-filename dump <{held.path}")
    bad = starter.starts(f"export {WRONG}; exec restic -r {make_repository(tmp_path / 'bad')} backup -q /etc/hostname")
    rsync = starter.starts(
        f"exec rsync -a --bwlimit=300 {make_tree(tmp_path / 'src', files=5, size=100_000)}/ {tmp_path}/copy/"
    )
    tracker.shown(lambda run: "dump" in run["job"])
    held.close()
    assert (good.wait(60), bad.wait(30), rsync.wait(30)) == (0, wrong_password(), 0)
    record = ended("restic .*dump to")
    assert record["outcome"] == "unknown"
    assert "is new in the repository" in record["reason"]
    assert ended("restic .*hostname to")["outcome"] == "unknown"
    assert ended("rsync")["outcome"] == "unknown"


def test_secrets_of_a_strangers_command_line_go_nowhere(
    tmp_path: Path, places: Places, tracker: Tracker, starter: Starter
) -> None:
    """No secret is in the status, the run's log, the audit log, or any other file of the program."""
    held, repository = starter.holds(), make_repository(tmp_path / "repo")
    words = "-o s3.secret=hunter22 --password-command 'echo hunter22'"
    environ = {**os.environ, "AWS_SECRET_ACCESS_KEY": "hunter22"}
    line = f"restic -r {repository} {words} backup --stdin <{held.path}"

    def known() -> bool:
        return any(job["job"].startswith("restic stdin") for job in status()["jobs"])

    for _ in range(4):  # the run lasts a second, which the tracker can miss on a busy machine
        if known():
            break
        assert starter.starts(line, env=environ).wait(60) == wrong_password()
        with contextlib.suppress(AssertionError):
            wait_for(known, seconds=8, what="the run")
    run = ended("restic stdin")
    held.close()
    shown = json.dumps(status()) + tray("log", run["run"]).stdout + tray("report", run["run"]).stdout
    assert "hunter22" not in shown
    assert "***" in tray("log", run["run"]).stdout
    files = [path for path in places.state.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"hunter22" in path.read_bytes()]
