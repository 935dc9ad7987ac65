import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.program import TRAY, last, start, status, tray
from tests.waiting import wait_for
from tray import runs
from tray.core.model import Outcome
from tray.core.paths import Places
from tray.observe.events import Exits
from tray.status import past_runs

PYTHON = sys.executable


def shell(command: str, **options: object) -> "subprocess.CompletedProcess[bytes]":
    """Run a line of shell in which `$TRAY` is the program."""
    environ = {**os.environ, "TRAY": " ".join(TRAY)}
    return subprocess.run(["sh", "-c", command], env=environ, capture_output=True, timeout=60, **options)  # type: ignore[call-overload,no-any-return] # its own options


@pytest.mark.parametrize("code", [0, 1, 3, 77, 255])
def test_the_exit_code_is_the_commands(code: int) -> None:
    """Scripts that read $? get the command's own code; an unknown exit code is a failure."""
    assert tray("run", "--", "sh", "-c", f"exit {code}").returncode == code
    assert last()["outcome"] == ("succeeded" if code == 0 else "failed")


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGTERM, signal.SIGKILL])
def test_death_by_a_signal_is_passed_on_as_the_same_death(number: int) -> None:
    """The wrapper's caller sees the same signal; the user did not ask for it, so the run is a failure."""
    assert tray("run", "--", "sh", "-c", f"kill -{int(number)} $$").returncode == -number
    assert last()["outcome"] == "failed"


def test_a_death_by_signal_leaves_a_closed_run(places: Places) -> None:
    """The wrapper itself closes the run: the spool is gone, and the log holds the command's words."""
    assert tray("run", "--", "sh", "-c", "echo words >&2; kill -TERM $$").returncode == -signal.SIGTERM
    assert list(runs.live(places)) == []
    log = tray("log", last()["run"]).stdout
    assert "words" in log
    assert "the process that watched this run died" not in log


def test_descriptors_that_the_caller_opened_reach_the_command() -> None:
    """`--password-file <(pass show backup)` and BORG_PASSPHRASE_FD name descriptors beyond the first three."""
    done = shell("$TRAY run -- sh -c 'cat /dev/fd/7; cat <&8' 7<<A 8<<B\nseven\nA\neight\nB\n")
    assert (done.returncode, done.stdout) == (0, b"seven\neight\n")


def test_a_script_without_an_interpreter_line_runs_as_without_us(tmp_path: Path) -> None:
    """A shell, cron or `nice` gives it to sh."""
    script = tmp_path / "old.sh"
    script.write_text("echo $1; exit 5\n")
    script.chmod(0o700)
    done = tray("run", "--", script, "a b")
    assert (done.returncode, done.stdout) == (5, "a b\n")


def test_the_command_gets_no_descriptor_of_ours() -> None:
    """A lock, a socket or a spool in its hands would outlive us."""
    ours = tray("run", "--", "sh", "-c", "ls /proc/self/fd 2>/dev/null").stdout.split()
    assert ours == subprocess.check_output(["sh", "-c", "ls /proc/self/fd"], text=True).split()


def test_bytes_of_an_unknown_command_are_not_touched(tmp_path: Path) -> None:
    """`run -- pg_dump > file`: the dump is the backup."""
    data = os.urandom(3_000_000) + b"no line end"
    (tmp_path / "data").write_bytes(data)
    done = shell(f"$TRAY run -- cat {tmp_path}/data > {tmp_path}/copy")
    assert done.returncode == 0
    assert (tmp_path / "copy").read_bytes() == data


def test_the_order_of_both_outputs_in_one_file_is_kept(tmp_path: Path) -> None:
    """`2>&1` means one story in one order."""
    done = shell(
        f"$TRAY run -- sh -c 'for i in 1 2 3 4 5 6 7 8 9; do echo out $i; echo err $i >&2; done' > {tmp_path}/all 2>&1"
    )
    assert done.returncode == 0
    expected = "".join(f"out {number}\nerr {number}\n" for number in range(1, 10))
    assert (tmp_path / "all").read_text() == expected


def test_stderr_of_an_unknown_command_is_passed_on_and_logged() -> None:
    """The log holds the command's error output, and shows file names with control codes as plain text."""
    done = shell(r"""$TRAY run -- sh -c 'printf "bad \033[31mname\n<img onerror>\n\377\n" >&2'""")
    assert done.stderr == b"bad \x1b[31mname\n<img onerror>\n\xff\n"
    log = shell("$TRAY log last").stdout
    assert b"err <img onerror>" in log
    assert b"err \\xff" in log


def test_a_reader_that_leaves_does_not_end_the_backup() -> None:
    """`| head` breaks a pipe; the backup is not the pipe's."""
    done = shell(
        "$TRAY run -- sh -c 'for i in $(seq 20000); do echo line $i >&2; done; exit 7' 2>&1 >/dev/null | head -1"
    )
    assert done.stdout == b"line 1\n"
    ended = wait_for(lambda: status()["last"])
    assert (ended["outcome"], "7" in ended["reason"]) == ("failed", True)


def test_a_reader_that_stops_reading_does_not_stop_the_command(tmp_path: Path) -> None:
    """A full pipe stalls engines that write into it; ours write into a spool."""
    mark = tmp_path / "done"
    run = start(
        "run", "--", "sh", "-c", f"head -c 3000000 /dev/zero | tr '\\0' x >&2; touch {mark}", stderr=subprocess.PIPE
    )
    wait_for(mark.exists, what="the command's end")
    assert run.stderr is not None
    assert len(run.stderr.read()) == 3_000_000
    run.stderr.close()
    assert run.wait(timeout=60) == 0


def test_a_signal_gets_through_a_flood_of_output(tmp_path: Path) -> None:
    """A command that writes faster than we can follow is still stopped at once."""
    script = tmp_path / "flood.py"
    script.write_text(
        "import os, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(41))\n"
        "while True:\n    os.write(2, b'0123456789\\n' * 6000)\n    time.sleep(0.005)\n"
    )
    run = start("run", "--", PYTHON, script, stderr=subprocess.PIPE)
    assert run.stderr is not None
    assert run.stderr.read(100_000)
    run.send_signal(signal.SIGTERM)
    assert len(run.stderr.read()) > 0
    run.stderr.close()
    assert run.wait(timeout=60) == 41
    assert last()["outcome"] == "cancelled"


def test_a_broken_display_does_not_break_the_run(tmp_path: Path) -> None:
    """A library that was removed in the middle of a backup costs the picture only."""
    (tmp_path / "psutil.py").write_text("raise ImportError('removed')")
    environ = {**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ['PYTHONPATH']}"}
    script = "import os, select; select.select([], [], [], 1.5); os.write(2, b'words'); os._exit(9)"
    done = tray("run", "--", PYTHON, "-c", script, env=environ)
    assert (done.returncode, done.stderr) == (9, "words")
    assert (last()["outcome"], "9" in last()["reason"]) == ("failed", True)
    assert "not shown (ImportError: removed)" in tray("log", last()["run"]).stdout


def test_a_reader_that_never_reads_does_not_delay_the_record_of_the_end(tmp_path: Path) -> None:
    """The end is on record before the caller has read everything, and a signal ends the wrapper, which waits for the caller."""
    run = start("run", "--", "sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x >&2; exit 7", stderr=subprocess.PIPE)
    assert run.stderr is not None
    assert wait_for(lambda: status()["last"], what="the record of the end")["outcome"] == "failed"
    assert run.poll() is None
    run.send_signal(signal.SIGTERM)
    assert run.wait(timeout=60) == 7
    run.stderr.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_forwarded_once(tmp_path: Path, number: signal.Signals) -> None:
    """A second interrupt would make an engine give up its orderly end."""
    script = tmp_path / "count.py"
    script.write_text(
        "import signal, sys, time\n"
        "got = []\n"
        f"signal.signal({int(number)}, lambda *_: got.append(1))\n"
        "print('ready', file=sys.stderr, flush=True)\n"
        "while not got: time.sleep(0.01)\n"
        "time.sleep(0.3)\n"
        "sys.exit(40 + len(got))\n"
    )
    run = start("run", "--", PYTHON, script, stderr=subprocess.PIPE)
    assert run.stderr is not None
    assert run.stderr.readline() == b"ready\n"
    run.send_signal(number)
    assert run.wait(timeout=60) == 41
    run.stderr.close()
    assert last()["outcome"] == "cancelled"


def test_a_signal_that_the_caller_ignores_stays_ignored(tmp_path: Path) -> None:
    """Under nohup the command still ignores the hangup."""
    done = shell("trap '' HUP; $TRAY run -- sh -c 'kill -HUP $$; exit 5'")
    assert done.returncode == 5


def test_a_killed_wrapper_of_an_unknown_command_is_lost_only_when_the_command_ended(places: Places) -> None:
    """No process saw the exit code, so the status claims none: the run is lost."""
    run = start("run", "--job", "dump", "--", "sh", "-c", "exec sleep 600")
    child = wait_for(lambda: next((f.info().child for f in runs.live(places) if f.info().child), None))
    run.kill()
    run.wait()
    assert status()["runs"][0]["job"] == "dump"
    os.kill(child.pid, signal.SIGKILL)
    ended = wait_for(lambda: status()["last"])
    assert (ended["job"], ended["outcome"]) == ("dump", "lost")


def test_no_watch_reads_nothing_but_records_start_and_end() -> None:
    """Without spool files the wrapper still records start and end."""
    done = shell("$TRAY run --no-watch -- sh -c 'echo out; echo err >&2; exit 4'")
    assert (done.returncode, done.stdout, done.stderr) == (4, b"out\n", b"err\n")
    assert last()["outcome"] == "failed"


@pytest.mark.parametrize("fd", ["<&-", ">&-", "2>&-"])
def test_a_closed_standard_descriptor_harms_nothing(fd: str) -> None:
    """Some daemons start their children without them; no file of ours may take their number."""
    assert shell(f"$TRAY run -- sh -c 'exit 6' {fd}").returncode == 6
    assert last()["outcome"] == "failed"


def test_cron_finds_the_same_log_and_tracker_without_its_variables(tmp_path: Path, places: Places) -> None:
    """cron and systemd set neither XDG_RUNTIME_DIR nor, sometimes, HOME."""
    import pwd

    code = "from tray.core import paths; here = paths.places(); print(here.state, here.config)"
    home = pwd.getpwuid(os.geteuid()).pw_dir
    clean = {name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH")}
    with_home = subprocess.check_output([PYTHON, "-c", code], env={**clean, "HOME": home}, text=True)
    without = subprocess.check_output([PYTHON, "-c", code], env=clean, text=True)
    assert with_home == without


def test_the_clock_set_back_during_a_run_changes_no_duration(tmp_path: Path) -> None:
    """The end is never before the beginning, and the duration is the time that really passed."""
    script = tmp_path / "skewed.py"
    script.write_text(
        "import sys\nfrom tray.core import clock\nreal = clock.now_ms\nasked = []\n"
        "def now():\n    asked.append(1)\n    return real() - (3_600_000 if len(asked) > 3 else 0)\n"
        "clock.now_ms = now\nfrom tray.cli.main import main\nsys.exit(main(sys.argv[1:]))\n"
    )
    assert subprocess.run([PYTHON, script, "run", "--job", "home", "--", "sleep", "0.3"]).returncode == 0
    ended = last()
    assert ended["outcome"] == "succeeded"
    assert ended["finished_at"] >= ended["started_at"]
    assert 0.2 < ended["duration_seconds"] < 30


def test_names_that_could_do_harm_are_shown_escaped() -> None:
    """A job's name is data, whatever is in it."""
    name = "a\nb\x1b[31m<script>"
    assert tray("run", "--job", name, "--", "true").returncode == 0
    shown = tray("status").stdout
    assert "a\\nb\\x1b[31m<script>" in shown
    assert "\x1b" not in shown + tray("history").stdout + tray("report", "last").stdout
    assert status()["jobs"][0]["job"] == name


@pytest.mark.parametrize("command", [["status"], ["history"], ["report", "last"], ["log", "last"]])
def test_a_locale_that_cannot_show_a_name_shows_it_escaped(command: list[str]) -> None:
    """Latin-1 and plain ASCII are still in use, and cron may set neither."""
    tray("run", "--job", "Ω", "--", "sh", "-c", "echo Ω >&2; exit 1")
    done = tray(*command, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert "\\u03a9" in done.stdout
    assert "Traceback" not in done.stderr


def test_report_names_the_entry_and_the_missing_proof(places: Places) -> None:
    """Without a baseline elsewhere nothing is called intact; the copy beside the configuration is one."""
    tray("run", "--job", "home", "--", "true")
    assert "Inconclusive" not in tray("report", "last").stdout
    for copy in places.baselines.iterdir():
        copy.unlink()
    text = tray("report", "last").stdout
    assert "Audit entry: Inconclusive" in text
    assert re.search(r"Entry +\d+, id ", text)
    assert re.search(r"Entry hash +[0-9a-f]{64}", text)
    assert re.search(r"Finished +\d{4}-\d\d-\d\d [\d:]+ .*UTC", text)


def test_looking_changes_nothing(places: Places) -> None:
    """status, history, log, report: none of them writes an entry or a file that counts."""
    tray("run", "--job", "home", "--", "true")
    before = tray("audit", "show", "--json", "--limit", "100").stdout
    for command in (
        ["status"],
        ["status", "--json"],
        ["history"],
        ["log", "last"],
        ["report", "last"],
        ["audit", "show"],
    ):
        assert tray(*command).returncode in (0, 3)
    assert tray("audit", "show", "--json", "--limit", "100").stdout == before


def test_seen_clears_a_failure_but_makes_nothing_green() -> None:
    """An acknowledged failure is not shown as an alarm any more; there is still no backup."""
    tray("run", "--job", "home", "--", "false")
    assert status()["state"] == "failed"
    assert tray("seen", "home").returncode == 0
    assert status()["state"] == "none"
    assert tray("seen", "nobody").returncode == 2
    tray("run", "--job", "home", "--", "true")
    assert status()["state"] == "ok"


@pytest.mark.parametrize(("command", "exit_code"), [("true", 0), ("false", 2)], ids=["ok", "failed"])
def test_status_exits_as_monitoring_plugins_expect(command: str, exit_code: int) -> None:
    """Nagios and its kin understand the exit code."""
    assert tray("status").returncode == 3
    tray("run", "--", command)
    assert tray("status").returncode == exit_code


@pytest.mark.parametrize(
    "arguments", [["run"], ["run", "--"], ["nonsense"], ["status", "--no-such"], ["log", "zzz"], ["report", "01"]]
)
def test_a_wrong_command_line_gets_an_error_with_next_step(arguments: list[str]) -> None:
    """Never a traceback, always a next step."""
    done = tray(*arguments)
    assert done.returncode != 0
    assert "backup-tray:" in done.stderr
    assert "next:" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_flood_behind_a_reader_that_does_not_read_stays_on_disk(tmp_path: Path) -> None:
    """Output that the caller does not read waits in the spool; the wrapper's memory does not grow with it."""
    mark = tmp_path / "done"
    flood = f"yes $(head -c 200 /dev/zero | tr '\\0' x) | head -c 150000000 >&2; touch {mark}; exec sleep 600"
    run = start("run", "--", "sh", "-c", flood, stderr=subprocess.PIPE)
    wait_for(mark.exists, what="the flood's end")
    peak = next(line for line in Path(f"/proc/{run.pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    assert int(peak.split()[1]) < 120_000  # kB
    run.terminate()
    assert run.stderr is not None
    read = 0
    while chunk := run.stderr.read(1 << 20):
        read += len(chunk)
    run.stderr.close()
    assert run.wait(60) == -signal.SIGTERM
    assert read <= 150_000_000


@pytest.mark.parametrize(
    ("script", "good"),
    [
        ("ls /nope; {tar}", True),
        ("{tar}; ls /nope; exit 0", True),
        ("grep x /nope; {tar}; diff /nope /nope; true", True),
        ("{bad}; date", False),
        ("ls /; {bad}; ls /; true", False),
    ],
)
def test_an_exit_code_beside_a_quick_engine_is_whose_it_is(
    places: Places, tmp_path: Path, script: str, good: bool
) -> None:
    """tar lives for two milliseconds, and `ls /nope` ends with tar's exit code; root learns which was which.

    For another user the outcome stays unknown, or, where the kernel does not report such programs, follows the script's exit code.
    """
    names = {"tar": f"tar -cf {tmp_path}/x.tar -C /etc hostname", "bad": "tar -cf /nope/x.tar /etc/hostname"}
    exits = Exits()
    known = exits._socket is not None
    exits.close()
    expected = {Outcome.SUCCEEDED} if good else {Outcome.WARNING}
    if not known:
        expected |= {Outcome.UNKNOWN, Outcome.SUCCEEDED}
    for _ in range(3):
        assert tray("run", "--job", "q", "--", "sh", "-c", script.format(**names)).returncode == 0
        assert past_runs.history(places, limit=1, job="q")[0].outcome in expected
