"""What somebody types for a first backup, checked before anything is made.

Each function raises `JobSetupError`, whose `field` names the input at fault, and says why and what to do.
"""

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from tray import config
from tray.core.errors import JobSetupError
from tray.core.paths import Places, expand
from tray.core.redact import Redactor

_MOUNT_ROOTS = (Path("/media"), Path("/mnt"), Path("/run/media"))


def check_name(places: Places, name: str) -> None:
    """Raise JobSetupError unless *name* can be a job's name and is free."""
    if not config.is_name(name):
        raise JobSetupError(
            "name",
            "The backup's name cannot be used.",
            why="A name has 1 to 80 letters, digits and signs, and begins neither with a dash nor with a space.",
            next="Choose a short name such as `home`.",
        )
    if name in config.load(places).jobs:
        raise JobSetupError(
            "name",
            f"There is already a backup named {name!r}.",
            why="Two backups of one name could not be told apart.",
            next=f"Choose another name, or run the present one: `backup-tray backup {shlex.quote(name)}`.",
        )


def check_password(password: str) -> None:
    """Raise JobSetupError unless restic reads *password* back from a file as it is."""
    if not password:
        why = "It is empty. Without a password anybody who gets the repository could read your files."
    elif password != password.strip() or not password.isprintable():
        why = "It begins or ends with a space, or holds a line break; restic would not read it back the same."
    else:
        return
    raise JobSetupError("password", "The password cannot be used.", why=why, next="Type another one, or have one made.")


def checked_sources(sources: Sequence[str]) -> list[str]:
    """Return the sources as absolute paths."""
    if not sources:
        raise JobSetupError(
            "sources",
            "There is nothing to back up.",
            why="No folder was chosen.",
            next="Choose one, such as your home folder.",
        )
    paths = [absolute("sources", source) for source in sources]
    for path in paths:
        if not os.path.lexists(path):
            raise JobSetupError(
                "sources",
                f"{path} cannot be backed up.",
                why="There is no such file or folder.",
                next="Look for a typing error; if it is on another disk, connect that first.",
            )
    return paths


def checked_repository(repository: str, sources: Sequence[str]) -> str:
    """Return the repository: an address of restic's as it is, or the absolute path of a folder that is empty or not there."""
    if re.match(r"[a-z0-9]+:", repository) and not repository.startswith("local:"):
        if Redactor((), {}).text(repository) != repository:
            raise JobSetupError(
                "repository",
                "The repository's address holds a password.",
                why="It would be seen by everybody who lists the processes of this machine.",
                next="Set that repository up with restic itself, and put `backup-tray run --` before its command.",
            )
        return repository
    path = Path(absolute("repository", repository.removeprefix("local:")))
    real = path.resolve()
    for source in sources:
        if real.is_relative_to(Path(source).resolve()):
            raise JobSetupError(
                "repository",
                f"The repository {path} would lie inside {source}, which is to be backed up.",
                why="Each backup would then hold all the earlier ones again.",
                next="Choose a folder outside of it, best on another disk.",
            )
    _check_target(path)
    return str(path)


def _check_target(path: Path) -> None:
    """Make sure that restic can make *path*."""
    mounted = next((root for root in _MOUNT_ROOTS if path.is_relative_to(root)), None)
    if mounted and not path.parent.is_dir():
        raise JobSetupError(
            "repository",
            f"The folder {path.parent} is not there.",
            why=f"Below {mounted} that mostly means that the disk is not connected; the backup would fill this disk instead.",
            next=f"Connect the disk, or make the folder with `mkdir -p {shlex.quote(str(path.parent))}`.",
        )
    if _is_repository(path):
        raise JobSetupError(
            "repository",
            f"{path} is a restic repository already.",
            why="Its password is the one that it was made with, so it cannot be made anew.",
            next="Choose another folder; or keep your own restic command, with `backup-tray run --` before it.",
        )
    if why := _taken(path):
        raise JobSetupError(
            "repository",
            f"{path} cannot become a repository.",
            why=why,
            next=f"Choose another folder, such as {path.parent / 'backup-repository'}.",
        )


def _is_repository(path: Path) -> bool:
    return all(os.path.lexists(path / name) for name in ("config", "keys", "snapshots"))


def _taken(path: Path) -> str:
    """Return why nothing new can be made at *path*, or ""."""
    try:
        if os.listdir(path):
            return "It exists and is not empty; a new repository needs a folder of its own."
    except FileNotFoundError:
        return "It is a link that leads nowhere." if path.is_symlink() else ""
    except NotADirectoryError:
        return "It, or a part of its path, is a file and no folder."
    except OSError as error:
        return f"It cannot be read: {error.strerror}."
    return ""


def absolute(field: str, text: str) -> str:
    """Return *text* as an absolute path, `~` meaning the home folder."""
    path = expand(text)
    if not text or "\0" in text or not os.path.isabs(path):
        raise JobSetupError(
            field,
            f"{text!r} is not a full path.",
            why="A backup may run from anywhere, so its folders must be named in full.",
            next="Write it from the root on, such as /home/ann/Documents, or with ~/ for your home folder.",
        )
    return os.path.normpath(path)
