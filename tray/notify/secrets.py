"""Read the one secret of a channel: a password, a token, a signing key or an address.

It comes from a file of mode 0600, or from a command such as `secret-tool lookup service backup-tray`, which asks the keyring. It is
read for each message, so a changed secret needs no restart, and stands in no other place.
"""

import os
import shlex
import stat
import subprocess
import sys

from tray.config.channels import ChannelSettings
from tray.core.files import opened
from tray.core.paths import expand
from tray.notify.channels import NotSentError

_MOST = 1 << 14
_SECONDS = 10.0


def of(settings: ChannelSettings) -> str | None:
    """Return the secret of a channel without the line end, None if it names none.

    Raises:
        NotSentError: It cannot be read, is empty, or lies in a file that others can read.
    """
    if settings.secret_file is not None:
        secret, source = _of_file(expand(settings.secret_file)), f"`{settings.secret_file}`"
    elif settings.secret_command:
        secret, source = _of_command(settings.secret_command), f"`{shlex.join(settings.secret_command)}`"
    else:
        return None
    try:
        text = secret.decode("utf-8").strip("\r\n")
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
            return file.read(_MOST)
    except OSError as error:
        raise NotSentError(f"The secret cannot be read: {path}: {error.strerror}.", final=True) from error


def _of_command(argv: tuple[str, ...]) -> bytes:
    command = shlex.join(argv)
    try:
        done = subprocess.run(
            [expand(argv[0]), *argv[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise NotSentError(
            f"`{command}` gave no secret within {_SECONDS:.0f} seconds; is the keyring locked?"
        ) from error
    except subprocess.CalledProcessError as error:
        raise NotSentError(f"`{command}` gave no secret: it ended with exit code {error.returncode}.") from error
    except OSError as error:
        raise NotSentError(f"`{command}` cannot be run: {error.strerror}.", final=True) from error
    return done.stdout[:_MOST]
