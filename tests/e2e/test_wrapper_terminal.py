import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.program import PASSWORD, TRAY, last, make_repository, make_tree, snapshots, start, status
from tests.e2e.trays import end_tracker
from tests.waiting import wait_for

INTERRUPTED = (130, 1)  # the exit codes of restic 0.14 and of 0.18
SLOW = ("--limit-upload", "9000")  # KiB/s; restic reads some 50 MB ahead of it


class Terminal:
    """A program on a terminal of its own, as in a terminal window."""

    def __init__(self, *command: str | Path, **environ: str) -> None:
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update({"TERM": "xterm", "COLUMNS": "120", "LINES": "30", **environ})
            os.execvp(str(command[0]), [str(word) for word in command])
        self.status: int | None = None

    def expect(self, pattern: bytes, seconds: float = 30) -> "re.Match[bytes]":
        """Wait until *pattern* is on the screen."""
        deadline = time.monotonic() + seconds
        while True:
            match = re.search(pattern, self.seen, re.DOTALL)
            if match:
                return match
            left = deadline - time.monotonic()
            assert left > 0, f"waited in vain for {pattern!r}; seen: {self.seen[-2000:]!r}"
            self._read(left)

    def type(self, text: bytes) -> None:
        """Press keys."""
        os.write(self.fd, text)

    def wait(self, seconds: float = 30) -> int:
        """Return the exit code, or minus the signal."""
        deadline = time.monotonic() + seconds
        while self.status is None:
            self._read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            assert time.monotonic() < deadline, f"it does not end; seen: {self.seen[-2000:]!r}"
        while self._read(0.05):
            pass
        return self.status

    def close(self) -> None:
        """Hang up, and end the processes that are left."""
        os.close(self.fd)
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def _read(self, seconds: float) -> bool:
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # no process has the other side open any more
            return False
        self.seen += data
        return bool(data)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    """Terminals that are closed in the end."""
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()
    end_tracker()  # `status --watch` started one


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty restic repository; its password is not in the environment."""
    monkeypatch.setenv("RESTIC_CACHE_DIR", str(tmp_path / "cache"))
    return make_repository(tmp_path / "repo")


def test_a_password_prompt_works_as_without_us(tmp_path: Path, repository: Path, terminals: list[Terminal]) -> None:
    """restic asks on the terminal, hides the typed password, and the backup runs."""
    source = make_tree(tmp_path / "source")
    terminal = Terminal(*TRAY, "run", "--job", "home", "--", "restic", "-r", repository, "backup", source)
    terminals.append(terminal)
    terminal.expect(b"enter password for repository")
    wait_for(lambda: not termios.tcgetattr(terminal.fd)[3] & termios.ECHO, what="the hidden input")
    terminal.type(PASSWORD.encode() + b"\n")
    assert terminal.wait() == 0
    assert PASSWORD.encode() not in terminal.seen
    after_summary = terminal.seen.partition(b" saved")[2]
    assert after_summary, "the summary came"
    assert b"[-" not in after_summary, "no bar stands below the summary"
    assert b"[#" not in after_summary
    assert last()["outcome"] == "succeeded"
    assert len(_snapshots(repository)) == 1


def test_a_password_prompt_that_is_interrupted_leaves_the_terminal_as_it_was(
    tmp_path: Path, repository: Path, terminals: list[Terminal]
) -> None:
    """The terminal shows typed text again, and the run is on record as cancelled."""
    shell = Terminal("bash", "--norc", "-i", PS1="$ ")
    terminals.append(shell)
    shell.expect(rb"\$ ")
    line = shlex.join([*TRAY, "run", "--job", "home", "--", "restic", "-r", str(repository), "backup", str(tmp_path)])
    shell.type(f"stty -a; {line}; echo code=$?; stty -a; echo over=$?\n".encode())
    shell.expect(b"enter password for repository")
    wait_for(lambda: not termios.tcgetattr(shell.fd)[3] & termios.ECHO, what="the hidden input")
    shell.type(b"\x03")
    shell.expect(rb"code=\d+\r\n.*over=0\r\n")
    settings = re.findall(rb"speed \d+ baud.*?-extproc", shell.seen, re.DOTALL)
    assert len(settings) == 2
    assert settings[0] == settings[1]
    assert last()["outcome"] in ("cancelled", "failed")


def _snapshots(repository: Path) -> list[object]:
    os.environ["RESTIC_PASSWORD"] = PASSWORD
    try:
        return snapshots(repository)
    finally:
        del os.environ["RESTIC_PASSWORD"]


def test_progress_is_drawn_and_ctrl_c_is_a_cancel_that_arrives_once(
    tmp_path: Path, repository: Path, terminals: list[Terminal]
) -> None:
    """A live bar with the percentage, then an orderly end that leaves no lock."""
    big = make_tree(tmp_path / "big", files=24, size=5_000_000)
    terminal = Terminal(
        *TRAY, "run", "--job", "home", "--", "restic", "-r", repository, *SLOW, "backup", big, RESTIC_PASSWORD=PASSWORD
    )
    terminals.append(terminal)
    terminal.expect(rb"\[#+-*\] Backing up home: \d+ %")
    terminal.type(b"\x03")
    assert terminal.wait() in INTERRUPTED
    assert last()["outcome"] == "cancelled"
    assert list((repository / "locks").iterdir()) == []
    assert terminal.seen.count(b"received, cleaning up") == 1


def test_a_terminal_that_is_stopped_keeps_no_signal_from_the_command(
    tmp_path: Path, repository: Path, terminals: list[Terminal]
) -> None:
    """On Ctrl-S, or when the connection hangs, the progress bar does not hold up a signal."""
    big = make_tree(tmp_path / "big", files=24, size=5_000_000)
    terminal = Terminal(
        *TRAY, "run", "--job", "home", "--", "restic", "-r", repository, *SLOW, "backup", big, RESTIC_PASSWORD=PASSWORD
    )
    terminals.append(terminal)
    terminal.expect(rb"\[#+-*\] Backing up home: \d+ %")
    slave = os.open(os.readlink(f"/proc/{terminal.pid}/fd/0"), os.O_RDWR | os.O_NOCTTY)
    terminal.type(b"\x13")
    wait_for(lambda: not select.select([], [slave], [], 0)[1], what="the stopped terminal")
    os.kill(terminal.pid, signal.SIGTERM)
    wait_for(lambda: status()["last"], what="the end")
    assert last()["outcome"] == "cancelled"
    terminal.type(b"\x11")
    terminal.wait()
    os.close(slave)


def test_an_interactive_command_keeps_its_terminal(terminals: list[Terminal]) -> None:
    """An unknown command sees the terminal on all three descriptors, reads from it, and its death by Ctrl-C is a cancel."""
    script = "test -t 0 && test -t 1 && test -t 2 && echo all; printf 'name? '; read n; echo got $n; printf 'again? '; read m"
    terminal = Terminal(*TRAY, "run", "--", "sh", "-c", script)
    terminals.append(terminal)
    terminal.expect(rb"all\r\n")
    terminal.expect(rb"name\? ")
    terminal.type(b"joe\n")
    terminal.expect(b"got joe")
    terminal.expect(rb"again\? ")
    terminal.type(b"\x03")
    assert terminal.wait() in (130, -signal.SIGINT, 1)
    assert last()["outcome"] == "cancelled"


def _shell(terminals: list[Terminal]) -> Terminal:
    """An interactive shell with job control."""
    shell = Terminal("bash", "--norc", "-i", PS1="$ ")
    terminals.append(shell)
    shell.expect(rb"\$ ")
    return shell


def test_a_prompt_on_the_terminal_works_although_stdin_is_none(terminals: list[Terminal]) -> None:
    """sudo and ssh ask on /dev/tty; in a background group the kernel would stop them for ever."""
    shell = _shell(terminals)
    ask = "printf 'name? ' >/dev/tty; read n </dev/tty; echo got $n"
    shell.type(f'{" ".join(TRAY)} run -- sh -c "{ask.replace("$", chr(92) + "$")}" </dev/null\n'.encode())
    shell.expect(rb"\rname\? ")
    shell.type(b"joe\n")
    shell.expect(rb"\ngot joe\r\n")


def test_a_pager_behind_us_keeps_the_keyboard(terminals: list[Terminal]) -> None:
    """`run … | less` reads keys while the command still runs."""
    shell = _shell(terminals)
    pager = "(read l; echo $l; read k </dev/tty; echo key $k)"
    shell.type(f"{' '.join(TRAY)} run -- sh -c 'echo up; exec sleep 600' | {pager}\n".encode())
    shell.expect(rb"\rup\r\n")
    shell.type(b"q\n")
    shell.expect(rb"\nkey q\r\n")
    shell.type(b"\x03")
    wait_for(lambda: status()["last"], what="the end")


def test_ctrl_c_ends_the_script_around_us_too(tmp_path: Path, terminals: list[Terminal]) -> None:
    """A loop over several backups stops where the user stopped it."""
    shell = _shell(terminals)
    shell.type(
        f"bash -c '{' '.join(TRAY)} run -- sh -c \"echo up; exec sleep 600\"; touch {tmp_path}/next'; echo E''ND\n".encode()
    )
    shell.expect(rb"\rup\r\n")
    shell.type(b"\x03")
    wait_for(lambda: status()["last"], what="the end")
    shell.type(b"echo af''ter\n")
    shell.expect(rb"\rafter\r\n")
    assert not (tmp_path / "next").exists()
    assert last()["outcome"] == "cancelled"


def test_an_interrupt_that_is_sent_to_us_on_a_terminal_is_forwarded_once(terminals: list[Terminal]) -> None:
    """Without a pressed key the kernel signals the wrapper alone, so the wrapper forwards it."""
    script = (
        "import signal, sys, time\ngot = []\nsignal.signal(signal.SIGINT, lambda *_: got.append(1))\nprint('up', flush=True)\n"
        "while not got: time.sleep(0.01)\ntime.sleep(0.3)\nsys.exit(40 + len(got))"
    )
    terminal = Terminal(*TRAY, "run", "--", sys.executable, "-c", script)
    terminals.append(terminal)
    terminal.expect(b"up")
    os.kill(terminal.pid, signal.SIGINT)
    assert terminal.wait() == 41
    assert last()["outcome"] == "cancelled"


def test_ctrl_z_and_fg_stop_and_continue_both(tmp_path: Path, terminals: list[Terminal]) -> None:
    """The shell's job control sees one job."""
    mark = tmp_path / "mark"
    script = f"import time, pathlib; print('up', flush=True)\nwhile not pathlib.Path({str(mark)!r}).exists(): time.sleep(0.02)"
    shell = Terminal("bash", "--norc", "-i", PS1="$ ")
    terminals.append(shell)
    shell.expect(rb"\$ ")
    shell.type(f'{" ".join(TRAY)} run --job home -- {sys.executable} -c "{script}"; echo code=$?\n'.encode())
    shell.expect(rb"up\r\n")
    shell.type(b"\x1a")
    shell.expect(rb"Stopped")
    shell.type(b"jobs\n")
    shell.expect(rb"Stopped.*Stopped")
    shell.type(b"fg\n")
    mark.touch()
    wait_for(lambda: not status()["runs"] and status()["last"], what="the end")
    shell.type(b"echo still here\n")
    shell.expect(rb"\rstill here\r\n")
    assert last()["outcome"] == "succeeded"
    shell.type(b"exit\n")
    shell.wait()


def test_status_watch_draws_and_ends_on_ctrl_c(terminals: list[Terminal]) -> None:
    """`status --watch` says the one sentence and stays."""
    terminal = Terminal(*TRAY, "status", "--watch")
    terminals.append(terminal)
    terminal.expect(b"No backups performed")
    terminal.type(b"\x03")
    assert terminal.wait() == 3


def test_status_watch_draws_the_bar_of_a_run_on_another_terminal(
    tmp_path: Path, repository: Path, terminals: list[Terminal]
) -> None:
    """A second terminal shows the same progress, and the one sentence again when the run is over."""
    big = make_tree(tmp_path / "big", files=24, size=5_000_000)
    environ = {**os.environ, "RESTIC_PASSWORD": PASSWORD}
    watching = Terminal(*TRAY, "status", "--watch")
    terminals.append(watching)
    watching.expect(b"No backups performed")
    run = start(
        "run",
        "--job",
        "home",
        "--",
        "restic",
        "-r",
        repository,
        *SLOW,
        "backup",
        big,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environ,
    )
    watching.expect(rb"\[#+-*\] Backing up home: \d+ %, \d+ of 24 files", seconds=60)
    run.send_signal(signal.SIGINT)
    run.wait(60)
    watching.expect(rb"home: was cancelled")
    watching.type(b"\x03")
    assert watching.wait() == 3, "a run that was cancelled is neutral, and there is no other"
