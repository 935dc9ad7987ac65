"""Cancel, pause, resume, and runs that stand still: with real engines, scripts, terminals, and wrappers that die."""

import json
import os
import random
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.e2e.program import PASSWORD, TRAY, make_repository, make_tree, snapshots, start, status, tray
from tests.e2e.test_wrapper_terminal import INTERRUPTED, Terminal
from tests.e2e.trays import end_tracker
from tests.waiting import over, wait_for
from tray import runs
from tray.audit.store import AuditLog
from tray.config import saving
from tray.config.jobs import Job
from tray.core import paths
from tray.core.dataclass import replace
from tray.core.model import Control, EndedRun, LiveRun, Outcome, Phase, Source
from tray.core.paths import Places
from tray.status import control, past_runs
from tray.status.control import LiveRuns

PYTHON = sys.executable


@pytest.fixture(autouse=True)
def tracker() -> Iterator["subprocess.Popen[bytes]"]:
    """A tracker; the fixture ends it, or the one that replaced it."""
    process = start("tracker")
    yield process
    end_tracker()
    process.kill()
    process.wait()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty restic repository whose password is in the environment."""
    monkeypatch.setenv("RESTIC_PASSWORD", PASSWORD)
    monkeypatch.setenv("RESTIC_CACHE_DIR", str(tmp_path / "cache"))
    return make_repository(tmp_path / "repo")


@pytest.fixture
def restic(repository: Path) -> list[str]:
    """The command of a restic backup of its standard input; it lasts as long as the test keeps that open."""
    return ["restic", "-r", str(repository), "backup", "--stdin"]


class Run:
    """A run as cron would start it, without a terminal; its command reads the bytes from `feed`."""

    def __init__(self, *command: str, job: str = "home", endless: bool = False) -> None:
        theirs, self._pipe = os.pipe()
        if endless:  # newer engines do not look for an interrupt while they wait for their input
            os.close(theirs)
            theirs = os.open("/dev/zero", os.O_RDONLY)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
        self.process = start("run", "--job", job, "--", *command, stdin=theirs, **quiet)
        os.close(theirs)
        wait_for(lambda: shown(job), what="the run")

    def feed(self, size: int = 20_000_000) -> "Run":
        """Give the command *size* bytes to back up, and wait until the status shows some of them."""
        data = random.Random(1).randbytes(size)
        while data:
            data = data[os.write(self._pipe, data[:65536]) :]
        return self.at_work()

    def at_work(self) -> "Run":
        """Wait until the engine reports its first bytes."""
        wait_for(lambda: (run := shown()) and run.bytes_done, what="progress")
        return self

    def close(self) -> None:
        """Close the input: the backup then completes."""
        os.close(self._pipe)

    def wait(self) -> int:
        """Return the exit code."""
        return self.process.wait(60)


def going() -> list[LiveRun]:
    """Return the tracker's live runs (asked from this process, which takes no time)."""
    with LiveRuns(paths.places(), "test") as live:
        return list(live.now().values())


def shown(job: str = "home") -> LiveRun | None:
    """Return the live run of *job* as the tracker tells it."""
    return next((run for run in going() if run.job == job and run.tracked), None)


def last() -> EndedRun:
    """Return the newest run on record."""
    return past_runs.history(paths.places(), limit=1)[0]


def engine() -> psutil.Process:
    """Return the process of the command itself."""
    run = shown()
    assert run is not None
    assert run.process is not None
    return psutil.Process(int(run.process.partition("@")[0]))


def body(places: Places, action: str) -> dict[str, Any]:
    """Return the details of the newest entry of *action*, and who wrote it."""
    log = AuditLog.read(places.audit_db)
    try:
        newest = next(entry for entry in reversed(log.entries()) if entry.data["action"] == action)
    finally:
        log.close()
    return {"actor": newest.data["actor"], **(newest.body or {})}


def test_a_cancelled_restic_ends_in_its_own_way_and_leaves_no_lock(
    restic: list[str], repository: Path, places: Places
) -> None:
    """The outcome is cancelled, the exit code restic's own, and the log names the user who asked."""
    run = Run(*restic, endless=True).at_work()
    done = tray("cancel", "home", "--yes")
    assert done.returncode == 0
    assert run.wait() in INTERRUPTED
    assert "home: was cancelled just now" in done.stdout
    assert (last().outcome, last().advice) == (Outcome.CANCELLED, None)
    assert list((repository / "locks").iterdir()) == []
    request = body(places, "run.cancel_requested")
    assert request["from"] == "cli"
    assert f"({os.geteuid()})" in request["actor"]


def test_a_cancelled_borg_ends_in_its_own_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, places: Places) -> None:
    """The wrapper passes on borg's own exit code after an interrupt, and no lock remains."""
    monkeypatch.setenv("BORG_BASE_DIR", str(tmp_path / "borg"))
    monkeypatch.setenv("BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK", "yes")
    subprocess.run(["borg", "init", "-e", "none", tmp_path / "repo"], check=True, capture_output=True)
    # It looks for the interrupt between two files, so standard input will not do.
    big = make_tree(tmp_path / "big", files=300, size=100_000)
    run = Run("borg", "create", "-C", "lzma,9", f"{tmp_path / 'repo'}::one", str(big)).at_work()
    assert tray("cancel", "--yes").returncode == 0
    assert run.wait() in (2, 130)
    assert (last().engine, last().outcome, last().advice) == ("borg", Outcome.CANCELLED, None)
    assert not (tmp_path / "repo" / "lock.exclusive").exists()


def test_cancel_reaches_the_engines_of_a_script_also_those_it_starts_meanwhile(
    restic: list[str], repository: Path, tmp_path: Path
) -> None:
    """A shell goes on with the next line when restic has handled the interrupt; the next restic gets one too."""
    script = tmp_path / "nightly.sh"
    line = shlex.join(restic)
    script.write_text(f"#!/bin/bash\n{line}\nsetsid -w {line}\n{line}\n")
    script.chmod(0o700)
    run = Run(str(script), endless=True)
    wait_for(lambda: any((repository / "locks").iterdir()), what="restic at work")
    children = engine().children(recursive=True)
    assert tray("cancel", "--yes").returncode == 0
    assert run.wait() in (*INTERRUPTED, -signal.SIGINT)
    assert (last().outcome, snapshots(repository)) == (Outcome.CANCELLED, [])
    wait_for(lambda: over(children), what="the end of all")
    assert "started meanwhile" in tray("log", "last").stdout


def test_a_command_that_ignores_signals_is_killed_and_called_cancelled(tmp_path: Path) -> None:
    """No process of the command survives; without a terminal and without --yes the cancel does nothing."""
    run = Run("sh", "-c", f"trap '' INT TERM; touch {tmp_path / 'up'}; sleep 600; true")
    wait_for((tmp_path / "up").exists, what="the trap")
    done = tray("cancel", stdin=subprocess.DEVNULL)
    assert (done.returncode, "--yes" in done.stderr) == (64, True)
    child = engine()
    family = [child, *child.children()]
    assert tray("cancel", "--yes").returncode == 0
    assert run.wait() == -signal.SIGKILL
    assert last().outcome is Outcome.CANCELLED
    wait_for(lambda: over(family), what="the end of all")


def test_a_second_cancel_sends_the_next_signal_at_once(tmp_path: Path) -> None:
    """The first cancel sends an interrupt, which the command survives; the second one sends TERM."""
    code = f"import signal, time, pathlib\nsignal.signal(2, lambda *_: pathlib.Path({str(tmp_path / 'heard')!r}).touch())\n"
    run = Run(PYTHON, "-c", code + f"pathlib.Path({str(tmp_path / 'up')!r}).touch()\nwhile True: time.sleep(1)")
    wait_for((tmp_path / "up").exists, what="the handler")
    assert tray("cancel", "--yes", "--no-wait").returncode == 0
    wait_for((tmp_path / "heard").exists, what="the interrupt")
    assert wait_for(lambda: (now := shown()) and now.can == (Control.CANCEL,), what="it being cancelled")
    refused = tray("pause")
    assert (refused.returncode, "cannot be paused now" in refused.stderr) == (2, True)
    assert tray("cancel", "--yes").returncode == 0
    assert run.wait() == -signal.SIGTERM
    assert last().outcome is Outcome.CANCELLED


def test_a_run_on_a_terminal_is_cancelled_from_another_terminal_which_asks_first(
    restic: list[str], repository: Path, tmp_path: Path
) -> None:
    """The question names the run; a "no" stops nothing, a "yes" leaves the terminal as Ctrl-C would."""
    terminal = Terminal("bash", "--norc", "-i", PS1="$ ")
    other = Terminal("bash", "--norc", "-i", PS1="$ ")
    try:
        terminal.expect(rb"\$ ")
        line = f"{shlex.join([*TRAY, 'run', '--job', 'home', '--', *restic])} </dev/zero; echo code=$?\n"
        terminal.type(line.encode())
        wait_for(lambda: (run := shown()) and run.bytes_done, what="restic at work")  # before, it may leave its lock
        for answer, says in ((b"\n", rb"Nothing was stopped"), (b"y\n", rb"home: was cancelled")):
            other.type(shlex.join([*TRAY, "cancel"]).encode() + b"\n")
            other.expect(rb"Stop home \(restic[^)]*\)\? \[y/N\] $")
            other.type(answer)
            other.expect(says)
            other.seen = b""
        assert int(terminal.expect(rb"code=(\d+)\r\n")[1]) in INTERRUPTED
    finally:
        terminal.close()
        other.close()
    assert (last().outcome, list((repository / "locks").iterdir())) == (Outcome.CANCELLED, [])


def test_the_lock_of_a_killed_restic_is_reported_with_the_command_that_removes_it(
    restic: list[str], repository: Path
) -> None:
    """The advice is only given where a lock is there, and it works as it stands."""
    run = Run(*restic).feed()
    engine().kill()
    assert run.wait() == -signal.SIGKILL
    advice = last().advice or ""
    assert (last().outcome, "still locked" in advice) == (Outcome.FAILED, True)
    subprocess.run(shlex.split(advice.split("`")[1]), check=True, capture_output=True)
    assert list((repository / "locks").iterdir()) == []


def test_a_paused_backup_stands_still_is_shown_so_and_completes_when_resumed(
    restic: list[str], repository: Path, places: Places
) -> None:
    """The engine writes no byte while paused; its snapshot is whole, and the log holds the pause."""
    run = Run(*restic).feed()
    paused = tray("pause", "home")
    assert (paused.returncode, "backup-tray resume" in paused.stdout) == (0, True)
    live = shown()
    assert live is not None
    assert (live.phase, live.bytes_per_second, live.eta_seconds) == (Phase.PAUSED, None, None)
    assert live.can == (Control.CANCEL, Control.RESUME)
    assert wait_for(lambda: engine().status() == psutil.STATUS_STOPPED, what="the engine to stop")
    assert "paused" in tray("status").stdout
    assert json.loads((next(runs.live(places)).path / "run.json").read_text())["paused"] is True
    again = tray("pause")
    assert (again.returncode, "is paused already" in again.stderr) == (2, True)
    written = sum(path.stat().st_size for path in repository.rglob("*") if path.is_file())
    assert tray("status").returncode == 0
    assert sum(path.stat().st_size for path in repository.rglob("*") if path.is_file()) == written
    assert tray("resume").stdout == "home goes on.\n"
    run.close()
    assert run.wait() == 0
    assert (last().outcome, len(snapshots(repository))) == (Outcome.SUCCEEDED, 1)
    subprocess.run(["restic", "-r", repository, "check", "--read-data", "--no-cache"], check=True, capture_output=True)
    assert body(places, "run.finished")["paused_seconds"] >= 1
    assert "paused (cli)" in tray("log", live.run).stdout


def test_a_paused_run_that_is_cancelled_or_gets_a_signal_wakes_up_to_hear_it(tmp_path: Path) -> None:
    """A suspended command cannot handle a signal, so the wrapper continues it first."""
    for stop in ("cancel", "terminate"):
        up = tmp_path / stop
        run = Run("sh", "-c", f"trap 'exit 7' TERM INT; touch {up}; while :; do sleep 0.1; done")
        wait_for(up.exists, what="the trap")
        assert tray("pause").returncode == 0
        if stop == "cancel":
            tray("cancel", "--yes")
        else:
            run.process.terminate()
        assert run.wait() == 7
        assert last().outcome is Outcome.CANCELLED


def test_a_run_whose_wrapper_died_while_it_was_paused_goes_on_and_completes(
    restic: list[str], repository: Path
) -> None:
    """No engine stays suspended for ever: the tracker continues it and records its end."""
    run = Run(*restic).feed()
    assert tray("pause").returncode == 0
    work = engine()
    run.process.kill()
    run.wait()
    wait_for(lambda: work.status() != psutil.STATUS_STOPPED, what="the engine to go on")
    refused = tray("cancel", "home", "--yes")
    assert (refused.returncode, f"kill -INT {work.pid}" in refused.stderr) == (2, True)
    run.close()
    wait_for(lambda: not going(), what="the end")
    assert (last().outcome, last().inferred, len(snapshots(repository))) == (Outcome.SUCCEEDED, True, 1)


def test_a_run_without_progress_is_stalled_until_it_makes_some(
    restic: list[str], repository: Path, places: Places
) -> None:
    """A user suspends the engine with a signal: the status calls it stalled, in words and exit code, until it makes progress."""
    places.config.mkdir(parents=True, mode=0o700)
    places.config_file.write_text('[jobs.home]\nstalled_after = "2s"\n')
    run = Run(*restic).feed()
    work = engine()
    work.suspend()
    wait_for(lambda: (now := shown()) and now.stalled, what="the stall")
    assert (status()["state"], tray("status").returncode) == ("stalled", 1)
    assert "Backing up home: no progress" in tray("status").stdout
    work.resume()
    run.feed()
    wait_for(lambda: (now := shown()) is None or not now.stalled, what="the end of the stall")
    run.close()
    assert run.wait() == 0
    assert body(places, "run.finished")["stalled_seconds"] >= 2
    log = tray("log", "last").stdout
    assert "no progress for" in log
    assert "goes on after" in log


def test_a_run_that_overlaps_the_one_before_says_so() -> None:
    """Status and log say that two nights' runs overlap in one repository."""
    pair = (Run("sleep", "600"), start("run", "--job", "home", "--", "sleep", "600"))
    first = min(going(), key=lambda run: run.run)
    both = wait_for(lambda: len(now := going()) == 2 and all(run.can for run in now) and now, what="two")
    assert {run.overlaps for run in both} == {None, first.run}
    assert "Note: home: a run began at" in tray("status").stdout
    ambiguous = tray("cancel", "home", "--yes")
    assert (ambiguous.returncode, first.run[-8:] in ambiguous.stderr) == (64, True)
    pair[0].process.terminate()
    pair[1].terminate()
    assert [member.wait() for member in pair] == [-signal.SIGTERM, -signal.SIGTERM]


def test_an_impossible_cancel_is_refused_with_reason_and_next_step(
    restic: list[str], tracker: "subprocess.Popen[bytes]"
) -> None:
    """An unknown run, a run that is over, and an observed run cannot be cancelled."""
    refused = tray("cancel", "home", "--yes")
    assert (refused.returncode, "No running backup has the id or the job" in refused.stderr) == (2, True)
    tray("run", "--job", "home", "--", "true")
    over = tray("cancel", last().run, "--yes")
    assert (over.returncode, "ended already" in over.stderr) == (2, True)
    other = subprocess.Popen(
        restic, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        wait_for(lambda: any(run.source is Source.OBSERVED for run in going()), what="the observed run")
        refused = tray("cancel", "--yes")
        assert (refused.returncode, f"`kill -INT {other.pid}`" in refused.stderr) == (2, True)
    finally:
        other.kill()
        other.communicate()


def test_cancel_without_a_tracker_starts_one_and_finds_the_wrapper(tracker: "subprocess.Popen[bytes]") -> None:
    """On a server without a tray, cancel starts a tracker and works."""
    run = Run("sleep", "600")
    end_tracker()
    assert tray("cancel", "--yes").returncode == 0
    assert run.wait() in (-signal.SIGINT, -signal.SIGTERM)
    assert last().outcome is Outcome.CANCELLED


def hooked(places: Places, before: str, engine: Path) -> None:
    """Configure the job `home`, whose command before the backup is *before*, in a shell; its engine makes the file *engine*."""
    job = Job("home", None, command=("touch", str(engine)), before=("sh", "-c", before))
    saving.save_job(places, job)


def entries_of(places: Places, run: str) -> list[str]:
    """The actions on record about *run*, in their order."""
    with AuditLog.read(places.audit_db) as log:
        return [entry.data["action"] for entry in log.entries() if entry.data["run"] == run]


def test_a_cancel_reaches_the_command_before_the_backup(tmp_path: Path) -> None:
    """It may clean up, the engine is never started, and the run is on record as cancelled, after its beginning."""
    here, engine, cleaned = paths.places(), tmp_path / "engine", tmp_path / "cleaned"
    hooked(here, f"trap 'touch {cleaned}; exit 0' INT; while :; do sleep 0.1; done", engine)
    process = start("backup", "home", stderr=subprocess.DEVNULL)
    try:
        with LiveRuns(here, "cli") as live:
            run = wait_for(lambda: next((run for run in live.now().values() if run.can), None), what="the run")
        assert (run.job, run.can, run.tracked) == ("home", (Control.CANCEL,), True)
        tray("cancel", "home", "--yes", check=True)
        assert process.wait(60) != 0
    finally:
        process.kill()
        process.wait()
    assert (cleaned.exists(), engine.exists()) == (True, False)
    (shown,) = status()["jobs"]
    assert (shown["last"]["outcome"], shown["last"]["run"]) == ("cancelled", run.run)
    assert entries_of(here, run.run) == ["run.started", "run.cancel_requested", "run.finished"]
    assert "cancel was asked for (cli)" in tray("log", run.run, check=True).stdout


def test_a_command_before_the_backup_that_ignores_a_cancel_is_ended_all_the_same(tmp_path: Path) -> None:
    """It hears no signal that could be ignored; the engine is not started."""
    here, engine = paths.places(), tmp_path / "engine"
    hooked(here, "trap '' INT TERM; while :; do sleep 0.1; done", engine)
    process = start("backup", "home", stderr=subprocess.DEVNULL)
    try:
        with LiveRuns(here, "cli") as live:
            run = wait_for(lambda: next((run for run in live.now().values() if run.can), None), what="the run")
        control.ask(here, Control.CANCEL, run.run, "window")
        assert process.wait(60) != 0
    finally:
        process.kill()
        process.wait()
    assert not engine.exists()
    (shown,) = status()["jobs"]
    assert shown["last"]["outcome"] == "cancelled"


def test_a_run_stays_known_from_its_first_command_to_its_engine(tmp_path: Path) -> None:
    """One connection to the tracker: between the two no surface calls the run lost or its progress unknown."""
    here, go = paths.places(), tmp_path / "go"
    begun = tmp_path / "begun"
    job = Job("home", None, command=("sh", "-c", f"touch {begun}; while [ ! -e {go} ]; do sleep 0.1; done"))
    saving.save_job(here, replace(job, before=("sh", "-c", "sleep 0.5")))
    process = start("backup", "home", stderr=subprocess.DEVNULL)
    try:
        with LiveRuns(here, "cli") as live:
            first = wait_for(lambda: next((run for run in live.now().values() if run.tracked), None), what="the run")
            wait_for(begun.exists, what="the engine")
            second = wait_for(
                lambda: (run := live.now().get(first.run)) is not None and Control.PAUSE in run.can and run,
                what="the controls of the engine",
            )
        assert second.tracked
        go.touch()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
    assert entries_of(here, first.run) == ["run.started", "run.finished"]
