"""Read the one secret of a channel: a password, a token, a signing key or an address.

It comes from a file of mode 0600, or from a command such as `secret-tool lookup service backup-tray`, which asks the keyring. It is
read for each message, so a changed secret needs no restart, and stands in no other place.
"""

import os
import shlex
import signal
import stat
import subprocess
import sys
from contextlib import suppress
from threading import Thread

from tray.config.channels import ChannelSettings
from tray.core.files import opened
from tray.core.paths import expand
from tray.notify.channels import NotSentError

MOST = 1 << 14
"""Bytes of a secret; a private key has fewer."""
_SECONDS = 10.0


def of(settings: ChannelSettings) -> str | None:
    """Return the secret of a channel without the line end, None if it names none.

    Raises:
        NotSentError: It cannot be read, is not one line of text, or lies in a file that others can read. Final only where
            the user must change the secret itself: a disk may be mounted, a keyring unlocked.
    """
    if settings.secret_file is not None:
        secret, source = _of_file(expand(settings.secret_file)), f"`{settings.secret_file}`"
    elif settings.secret_command:
        secret, source = _of_command(settings.secret_command), f"`{_program(settings.secret_command)}`"
    else:
        return None
    try:
        text = secret.decode("utf-8").strip("\r\n") if len(secret) <= MOST else ""
    except UnicodeDecodeError:
        text = ""
    if not text.strip() or not text.isprintable():
        raise NotSentError(f"The secret from {source} is not one line of text.", final=True)
    return text


def needed(settings: ChannelSettings) -> str:
    """Return the secret of a channel that cannot work without one; raises as `of` does."""
    secret = of(settings)
    if secret is None:
        why = (
            f"The channel {settings.name} needs a secret: name its file as `secret_file` in [channels.{settings.name}]."
        )
        raise NotSentError(why, final=True)
    return secret


def _of_file(path: str) -> bytes:
    try:
        with opened(path) as file:
            mode = os.fstat(file.fileno()).st_mode
            if sys.platform != "win32" and stat.S_IMODE(mode) & 0o077:
                why = (
                    f"Other users can read {path}, which holds a secret; mend it with `chmod 600 {shlex.quote(path)}`."
                )
                raise NotSentError(why, final=True)
            return file.read(MOST + 1)
    except FileNotFoundError as error:
        make = f"(umask 077; cat > {shlex.quote(path)})"
        how = f"make it with `{make}`, paste the secret, and press Enter and Ctrl-D"
        raise NotSentError(f"There is no {path}, which is to hold the secret; {how}.") from error
    except OSError as error:
        raise NotSentError(f"The secret cannot be read: {path}: {error.strerror}.") from error


def _of_command(argv: tuple[str, ...]) -> bytes:
    """Return the output of *argv*, up to one byte more than a secret may have."""
    command = _program(argv)
    try:
        process = subprocess.Popen(
            [expand(argv[0]), *argv[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise NotSentError(f"`{command}` cannot be run: {error.strerror}.") from error
    reader = _Reader(process)
    reader.start()
    reader.join(_SECONDS)
    late = reader.is_alive()
    with suppress(OSError):
        if sys.platform == "win32":
            process.kill()
        elif late or len(reader.output) > MOST:
            os.killpg(process.pid, signal.SIGKILL)
    code = process.wait()
    if late:
        raise NotSentError(f"`{command}` gave no secret within {_SECONDS:.0f} seconds; is the keyring locked?")
    if code and len(reader.output) <= MOST:
        raise NotSentError(f"`{command}` gave no secret: it ended with exit code {code}; is it in the keyring?")
    return reader.output


class _Reader(Thread):
    """Reads the output of a command: apart, since a program that the command has started may keep it open."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        super().__init__(daemon=True)
        self._process, self.output = process, b""

    def run(self) -> None:
        """Read until the end, or until it is too much; then wait for the command, as far as it ends by itself."""
        assert self._process.stdout is not None
        with self._process.stdout as stdout:
            self.output = stdout.read(MOST + 1)
        if len(self.output) <= MOST:
            self._process.wait()


def _program(argv: tuple[str, ...]) -> str:
    """Return the command as it may be named: its arguments may hold the secret."""
    return shlex.quote(argv[0])
