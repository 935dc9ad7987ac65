"""Read the password of a job's repository, for an engine that takes it from a variable alone, and for the recovery sheet."""

import shlex
import subprocess
from pathlib import Path

from tray.config.jobs import Job
from tray.config.toml_text import toml_name
from tray.core.errors import ConfigError
from tray.core.files import content
from tray.core.paths import expand

_MOST = 1 << 16
_SECONDS = 60.0


def read(job: Job) -> str | None:
    """Return the password in the job's file, or the one that its command prints, without the line end; None without either.

    Raises:
        ConfigError: It cannot be read, or there is none; the error holds no word of it.
    """
    try:
        if job.password_file is not None:
            answer = content(expand(job.password_file), _MOST)
        elif job.password_command:
            answer = _printed(job.password_command)
        else:
            return None
        known = answer.decode("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError, subprocess.SubprocessError) as error:
        raise _fault(job, f"cannot be read: {_words(error)}") from error
    if not known or "\0" in known:
        raise _fault(job, "is empty" if not known else "holds a NUL")
    return known


def _printed(argv: tuple[str, ...]) -> bytes:
    done = subprocess.run(
        [expand(argv[0]), *argv[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=_SECONDS, check=True
    )
    return done.stdout[:_MOST]


def _words(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return f"its command ended with exit code {error.returncode}"
    if isinstance(error, subprocess.TimeoutExpired):
        return f"its command gave no answer within {_SECONDS:.0f} seconds"
    return getattr(error, "strerror", None) or "it is no text"


def _fault(job: Job, why: str) -> ConfigError:
    key = "password_command" if job.password_file is None else "password_file"
    step = (
        f"Try the command yourself: `{shlex.join(job.password_command)}`."
        if job.password_file is None
        else f"Look at the file: `ls -l {shlex.quote(expand(job.password_file))}`."
    )
    where = toml_name(("jobs", job.name))
    return ConfigError(Path("config.toml"), f"In [{where}]: the password of `{key}` {why}.", next=step)
