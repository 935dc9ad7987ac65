import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.waiting import wait_for
from tray.config.channels import ChannelSettings
from tray.notify import secrets
from tray.notify.channels import NotSentError

SECRET = "hunter2-hunter2"


def of_file(path: Path | str) -> str | None:
    """Return the secret in a file."""
    return secrets.of(ChannelSettings("phone", "ntfy", secret_file=str(path)))


def of_command(*argv: str) -> str | None:
    """Return the secret that a command prints."""
    return secrets.of(ChannelSettings("phone", "ntfy", secret_command=argv))


def python(code: str) -> tuple[str, ...]:
    """Return a command that runs *code*, in which the secret stands."""
    return sys.executable, "-S", "-c", f"import os, sys, time  # {SECRET}\n{code}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of mode 0600 with a secret."""
    path = tmp_path / "secret"
    path.touch(0o600)
    path.write_text(f"{SECRET}\n")
    return path


def test_a_channel_may_have_no_secret() -> None:
    """One that needs it says how to name it."""
    settings = ChannelSettings("phone", "ntfy")
    assert secrets.of(settings) is None
    with pytest.raises(NotSentError, match=r"`secret_file` in \[channels\.phone\]") as caught:
        secrets.needed(settings)
    assert caught.value.final


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
def test_a_secret_is_the_line_in_its_file(file: Path, end: str) -> None:
    """Editors end a line in their ways; spaces belong to the secret."""
    file.write_bytes(f" {SECRET} ü".encode() + end.encode())
    assert of_file(file) == f" {SECRET} ü"


def test_a_link_to_the_file_is_followed(file: Path, tmp_path: Path) -> None:
    """Users keep their secrets in one folder; the mode of the file counts."""
    (tmp_path / "link").symlink_to(file)
    assert of_file(tmp_path / "link") == SECRET
    file.chmod(0o644)
    with pytest.raises(NotSentError, match="Other users"):
        of_file(tmp_path / "link")


def test_a_home_folder_is_expanded(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration names `~/.config/…`."""
    monkeypatch.setattr(secrets, "expand", lambda path: path.replace("~", str(file.parent)))
    assert of_file("~/secret") == SECRET


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o602, 0o666])
def test_a_file_that_others_can_read_is_refused(file: Path, mode: int) -> None:
    """The error holds the command that mends it."""
    file.chmod(mode)
    with pytest.raises(NotSentError) as caught:
        of_file(file)
    assert caught.value.final
    assert f"`chmod 600 {file}`" in caught.value.why
    assert SECRET not in caught.value.why


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"  \n", b"two\nlines\n", b"\xff\xfe\x00", b"a\x00b", b"\x1b[31m", "a\u202eb".encode(), b"x" * 16_385],
    ids=["empty", "line end", "blank", "two lines", "no UTF-8", "NUL", "control", "bidi", "too long"],
)
def test_a_content_that_is_no_line_is_refused(file: Path, content: bytes) -> None:
    """A private key, an image or an empty file was named by mistake."""
    file.write_bytes(content)
    with pytest.raises(NotSentError, match="is not one line of text") as caught:
        of_file(file)
    assert caught.value.final


def test_a_missing_file_is_tried_again(tmp_path: Path) -> None:
    """It may lie on a disk that is not mounted yet."""
    with pytest.raises(NotSentError, match="There is no ") as caught:
        of_file(tmp_path / "missing")
    assert not caught.value.final


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_a_path_that_is_no_file_is_not_read(tmp_path: Path, make: object) -> None:
    """A pipe would block for ever, a device would never end."""
    make(tmp_path / "odd")  # type: ignore[operator]
    with pytest.raises(NotSentError, match="no regular file"):
        of_file(tmp_path / "odd")


@pytest.mark.process
def test_a_command_prints_the_secret() -> None:
    """Such as `secret-tool lookup`, which asks the keyring."""
    assert of_command(*python(f"print('{SECRET}')")) == SECRET


@pytest.mark.process
def test_a_command_that_fails_is_tried_again() -> None:
    """The keyring may be unlocked by then; the error names the program, never its arguments."""
    with pytest.raises(NotSentError, match="exit code 3") as caught:
        of_command(*python(f"print('{SECRET}'); sys.exit(3)"))
    assert not caught.value.final
    assert SECRET not in caught.value.why


@pytest.mark.process
def test_a_missing_command_is_named() -> None:
    """The user mistyped it, or the package is not installed."""
    with pytest.raises(NotSentError, match="`secret-tol` cannot be run: No such file") as caught:
        of_command("secret-tol", "lookup", SECRET)
    assert SECRET not in caught.value.why


@pytest.mark.process
@pytest.mark.parametrize("child", [False, True])
def test_a_command_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, child: bool) -> None:
    """A locked keyring waits for its password; nothing of the command is left, nor of a program that it started."""
    monkeypatch.setattr(secrets, "_SECONDS", 1.0)
    code = f"pid = os.fork() if {child} else 0\nif not pid: open('{tmp_path}/pid', 'w').write(str(os.getpid()))"
    with pytest.raises(NotSentError, match="is the keyring locked") as caught:
        of_command(*python(f"{code}\nif not pid or not {child}: time.sleep(600)"))
    assert not caught.value.final
    assert SECRET not in caught.value.why
    pid = int((tmp_path / "pid").read_text())
    wait_for(lambda: not _lives(pid), what="the end of the command")


@pytest.mark.process
def test_a_command_that_prints_a_gigabyte_is_ended() -> None:
    """Only so much is read as a secret can have."""
    with pytest.raises(NotSentError, match="is not one line of text"):
        of_command(*python("while True: sys.stdout.write('x' * 65536)"))
    assert not [thread for thread in threading.enumerate() if isinstance(thread, secrets._Reader)]


@pytest.mark.process
@pytest.mark.parametrize("output", ["''", "'two\\nlines'", "'\\x07'"])
def test_an_output_that_is_no_line_is_refused(output: str) -> None:
    """The command asks for something else than meant."""
    with pytest.raises(NotSentError, match="is not one line of text"):
        of_command(*python(f"print({output})"))


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@pytest.mark.process
def test_a_file_that_is_missing_can_be_made_by_the_command_that_is_named(tmp_path: Path) -> None:
    """A newcomer copies the lines of a channel before there is a secret; the command makes the file for this user alone."""
    path = tmp_path / "the secret"
    with pytest.raises(NotSentError, match="There is no ") as caught:
        of_file(path)
    command = caught.value.why.partition("`")[2].partition("`")[0]
    subprocess.run(["sh", "-c", command], input=f"{SECRET}\n", text=True, check=True)
    assert of_file(path) == SECRET
