"""The files under a command's output never fail a command that succeeds bare, and stay small."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.program import TRAY, start, tray
from tests.mounts import mounted
from tests.waiting import wait_for
from tray import runs
from tray.core import files
from tray.core.model import Outcome
from tray.core.paths import Places
from tray.core.redact import Redactor
from tray.engines.base import Stream
from tray.runs import disk_space
from tray.runs import log as logs
from tray.runs.log import RunLog
from tray.status import past_runs
from tray.wrapper import fallback, outputs
from tray.wrapper.outputs import Tail
from tray.wrapper.relay import LEFT_OUT, Relay


def test_a_limit_on_the_size_of_files_does_not_reach_a_pipe(places: Places) -> None:
    """Under `ulimit -f` or LimitFSIZE= the command writes its output to the caller's pipe, byte for byte as without us."""
    command = "head -c 200000 /dev/zero | tr '\\0' a >&2"
    line = f'ulimit -f 8; {" ".join(TRAY)} run --job f -- sh -c "$C" 2>&1 >/dev/null | wc -c; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["bash", "-c", line], env={**os.environ, "C": command}, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout.strip()) == (0, "200000")
    assert [end.outcome for end in past_runs.history(places, limit=5, job="f")] == [Outcome.SUCCEEDED]


@pytest.mark.parametrize(
    ("blocks", "sources", "outcome", "why"),
    [
        (100_000, "src", Outcome.SUCCEEDED, "is new in the repository"),
        (100_000, "src nope", Outcome.WARNING, "a source does not exist: "),
        (100, "src", Outcome.FAILED, "files may have at most 102,400 bytes here (`ulimit -f`), which may be why"),
    ],
)
def test_under_a_limit_on_the_size_of_files_the_repository_proves_the_backup(
    places: Places, tmp_path: Path, blocks: int, sources: str, outcome: Outcome, why: str
) -> None:
    """The wrapper does not read restic's output there; the repository must prove the exit code 0."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src/x").write_bytes(os.urandom(400_000))
    line = f"ulimit -f {blocks}; exec {' '.join(TRAY)} run --job r -- restic -r {tmp_path}/r backup {sources}"
    environ = {**os.environ, "RESTIC_PASSWORD": "x", "TMPDIR": str(tmp_path)}
    subprocess.run(["restic", "-r", tmp_path / "r", "init"], env=environ, check=True, capture_output=True)
    done = subprocess.run(["bash", "-c", line], env=environ, cwd=tmp_path, capture_output=True, timeout=60)
    (end,) = past_runs.history(places, limit=5, job="r")
    assert (end.outcome, done.returncode) == (outcome, int(outcome is Outcome.FAILED)), end.reason
    assert why in str(end.reason)


@pytest.mark.parametrize("script", ["tar -cf {0}/x.tar {0}/y", "sh -c 'tar -cf {0}/x.tar {0}/y; true'"])
def test_a_command_that_a_limit_killed_says_which(places: Places, tmp_path: Path, script: str) -> None:
    """The reason explains SIGXFSZ in words, for the command and for a script's step."""
    (tmp_path / "y").write_bytes(bytes(400_000))
    line = f"ulimit -f 100; exec {' '.join(TRAY)} run --job k -- {script.format(tmp_path)}"
    subprocess.run(["bash", "-c", line], capture_output=True, timeout=60)
    (end,) = past_runs.history(places, limit=5, job="k")
    assert end.outcome in (Outcome.FAILED, Outcome.WARNING)
    assert "file size limit" in str(end.reason)


def test_a_small_disk_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that prints 200 MB while our files have room for 100 MB runs as without us."""
    command = "set -o pipefail; head -c 200000000 /dev/zero | tr '\\0' x | fold -w 65536 >&2 || exit 7"
    mount = f"mount -t tmpfs -o size=100m,mode=777 t {tmp_path}; mount -t tmpfs -o size=100m,mode=777 t /var/tmp"
    line = (
        f"mkdir {tmp_path}/h;"
        f' {" ".join(TRAY)} run --job x -- bash -c "$C" 2>&1 >/dev/null | wc -c; exit ${{PIPESTATUS[0]}}'
    )
    monkeypatch.setenv("C", command)
    monkeypatch.setenv("BACKUP_TRAY_HOME", str(tmp_path / "h"))
    done = subprocess.run(mounted(mount, "bash", "-c", line), capture_output=True, timeout=120)
    assert (done.returncode, done.stdout.strip()) == (0, b"200003051")


def test_a_flood_leaves_the_disk_to_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine writes faster than we read: before the disk is full the wrapper leaves unread output out and says so.

    The output left out may have held errors, so such a run is no success.
    """
    (tmp_path / "bin").mkdir()
    engine = tmp_path / "bin/restic"
    engine.write_text(
        "#!/bin/sh\nhead -c 900000000 /dev/zero | tr '\\0' x | fold -w 60000 >&2 || exit 7\n"
        """echo '{"message_type":"summary","snapshot_id":"abcdef12","total_files_processed":1}'\n"""
    )
    engine.chmod(0o755)
    home = tmp_path / "disk"
    home.mkdir()
    run = f'"$@" 2>&1 >/dev/null | tee {tmp_path}/said | wc -c; echo ${{PIPESTATUS[0]}}; tail -n 1 {home}/h/state/runs/done/*/log'
    monkeypatch.setenv("BACKUP_TRAY_HOME", str(home / "h"))
    line = mounted(
        f"mount -t tmpfs -o size=400m,mode=777 t {home}; mount -t tmpfs -o size=10m,mode=1777 t /var/tmp",
        *(
            "bash",
            "-c",
            f"mkdir {home}/h; {run}",
            "bash",
            *TRAY,
            "run",
            "--job",
            "f",
            "--",
            str(engine),
            "backup",
            "/etc",
        ),
    )
    done = subprocess.run(line, capture_output=True, text=True, timeout=120)
    passed, code, *end = done.stdout.split()
    assert code == "0", done.stdout + done.stderr
    said = [
        int(count) for count in re.findall(rb"(\d+) bytes of output were left out", (tmp_path / "said").read_bytes())
    ]
    notices = sum(len(LEFT_OUT % lost) for lost in said)
    assert int(passed) - notices + sum(said) == 900_014_999
    assert end[2] == ("unknown:" if said else "succeeded:")


def test_left_out_output_ends_with_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte is either read or counted as left out, and reading goes on with a whole line."""
    tail = Tail(tmp_path / "spool", Stream.ERR, 2)
    lines = b"".join(b"%07d\n" % at for at in range(1_000_000))
    os.write(tail.write_fd, lines[:100_003])
    first = b"".join(tail.blocks())
    os.write(tail.write_fd, lines[100_003:])
    assert not tail.crowded
    monkeypatch.setattr(disk_space, "free", lambda _: disk_space.LOW - 1)
    assert tail.crowded
    lost = tail.skip()
    last = b"".join(tail.blocks())
    assert not tail.crowded
    assert len(first) + lost + len(last) == len(lines)
    assert lines.startswith(first)
    assert lines.endswith(last)
    assert last.startswith(b"0")
    assert len(last) > outputs.LINE_LIMIT - 100
    tail.close()


def test_the_beginning_of_a_line_that_the_caller_has_seen_is_not_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wrapper relays a prompt before its line ends; if it leaves out the rest of the line, it counts only the rest."""
    tail = Tail(tmp_path / "spool", Stream.ERR, 2)
    os.write(tail.write_fd, b"go on? ")
    assert b"".join(tail.blocks()) == b""
    os.write(tail.write_fd, b"x" * 60_000 + b"\n" * (2 * outputs.LINE_LIMIT + 1))
    seen: list[bytes] = []
    relay, ahead = Relay(), {2: b"go on? "}
    monkeypatch.setattr(relay, "write", lambda _, data: seen.append(data))
    fallback.leave_out(relay, tail, ahead)
    assert (seen, ahead) == ([LEFT_OUT % (60_001 + outputs.LINE_LIMIT + 1)], {})
    tail.close()


def test_read_output_is_given_back_to_the_disk(tmp_path: Path) -> None:
    """Only the newest part of a long output stays; the code that concludes from it sees that the beginning is gone."""
    tail = Tail(tmp_path / "spool", Stream.ERR, 2)
    fd = tail.write_fd
    block, read = b"0123456789abcde\n" * 4096, 0
    for _ in range(100):
        os.write(fd, block * 16)
        while tail.behind:
            read += sum(map(len, tail.blocks()))
        tail.shrink(disk_space.BLOCK)
        assert os.stat(tmp_path / "spool").st_blocks * 512 < 2 * disk_space.RESERVE
    assert read == len(block) * 16 * 100
    assert files.kept(fd, 0)[0] > 90 << 20
    tail.close()


def test_a_killed_wrapper_whose_spool_has_lost_its_beginning_is_no_success(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lost output may have held errors."""
    from tests.unit.runs.test_runs import info  # a run's facts
    from tray.recording import close_lost

    folder = runs.RunFolder.create(places.runs, info(ours=True, command=("restic", "backup", "/x")))
    with folder.spool("out").open("wb") as file:
        disk_space.reserve(file.fileno(), 0)
        file.write(b'{"message_type":"status","percent_done":0}\n' * 100_000)
        file.write(b'{"message_type":"summary","snapshot_id":"abcdef12","total_files_processed":1}\n')
        file.flush()
        assert close_lost.conclude(folder, folder.info())[0].outcome is Outcome.SUCCEEDED
        assert disk_space.give_back(file.fileno(), 0, 1 << 20)
    assert close_lost.conclude(folder, folder.info())[0].outcome is Outcome.UNKNOWN
    folder.close()


def test_a_long_log_keeps_its_beginning_and_its_end(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fatal line stands at the end; the log drops the lines between and marks their place."""
    from tests.unit.runs.test_runs import info

    for name, size in (("HEAD", 1 << 20), ("TAIL", 2 << 20), ("_STEP", 1 << 20)):
        monkeypatch.setattr(logs, name, size)
    folder = runs.RunFolder.create(places.runs, info())
    log = RunLog(folder.log, Redactor((), {}))
    for at in range(200_000):
        log.line(b"line %06d %s\n" % (at, b"x" * 60), Stream.ERR)
        if at % 100 == 0:
            log.flush()
    log.say("the end")
    log.close()
    assert folder.log.stat().st_blocks * 512 < 6 << 20 < folder.log.stat().st_size
    text, offset = "", 0
    while True:
        piece, after = runs.read_log(places, folder.run, offset)
        if after == offset:
            break
        text, offset = text + piece, after
    assert "line 000000" in text
    assert "line 199999" in text
    assert text.endswith("the end\n")
    assert "bytes of the log are not kept" in text
    assert "\0" not in text
    folder.close()


def test_lines_that_the_log_will_not_keep_are_not_cleaned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a gigabyte of errors the wrapper cleans only the lines that the log keeps of secrets: the end comes soon."""
    monkeypatch.setattr(logs, "HEAD", 1000)
    log = RunLog(tmp_path / "log", Redactor((), {}))
    log.line(b"x" * 2000 + b"\n", Stream.ERR)
    log.behind = logs.TAIL + 1
    monkeypatch.setattr(log, "_show", lambda *_: pytest.fail("looked at"))
    log.block(b"middle\n" * 1000, Stream.ERR)
    monkeypatch.undo()
    log.behind = 0
    log.line(b"end\n", Stream.ERR)
    log.close()
    text = (tmp_path / "log").read_text()
    assert "7000 bytes of output were left out here" in text
    assert text.endswith("end\n")


def test_a_signal_ends_the_catching_up(tmp_path: Path) -> None:
    """The command has ended and the caller does not read: TERM ends the wrapper at once, with the end on record."""
    mark = tmp_path / "done"
    flood = f"yes abcdefghijklmno | head -c 100000000 >&2; touch {mark}"
    run = start("run", "--job", "t", "--", "sh", "-c", flood, stderr=subprocess.PIPE)
    wait_for(mark.exists, what="the flood's end")
    wait_for(lambda: json.loads(tray("status", "--json").stdout)["jobs"], what="the job in the status")
    run.terminate()
    assert run.wait(60) in (0, -15)
    assert run.stderr is not None
    run.stderr.close()
    assert tray("status").returncode == 0


def test_outputs_that_cannot_be_made_leave_nothing_open(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the quota used up the command gets the caller's own descriptors."""
    from tests.unit.runs.test_runs import info

    folder = runs.RunFolder.create(places.runs, info())
    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(
        outputs.disk_space, "reserve", lambda *_: (_ for _ in ()).throw(OSError(122, "Disk quota exceeded"))
    )
    with pytest.raises(OSError, match="quota"):
        outputs.Outputs(folder, spool_stdout=True, spool_stderr=True)
    assert len(os.listdir("/proc/self/fd")) == before
    folder.close()
