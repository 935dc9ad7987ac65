"""Give the tests a home, a folder for temporary files and a time zone of their own; touch no file of the user, leave none behind.

The first process of a run makes both folders and removes them; its workers and their children inherit the environment. Set
KEEP_TEST_FILES to look at them afterwards. In the time zone it is about noon: a run that ended "two hours ago" ended today, also
where the tests run at midnight. Tests of midnight itself give their own moments.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PREFIX = "bt-"
SHARED = "TEST_SHARED_TMP"
"""Names the real folder for temporary files, for files that must be where every user can write."""
BASE = "TEST_OWN_BASE"
"""Names the folder that holds home and temporary files of the tests."""
_USERS = (
    *("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"),
    *("GNUPGHOME", "HISTFILE", "GIT_CONFIG_GLOBAL", "RCLONE_CONFIG", "PYTHONUSERBASE"),
)
LOCALES = Path(__file__).parent.parent / ".venv-test/locale"
"""Languages that check.sh makes, for engines that are tried in them."""


def begin() -> Path | None:
    """Let this process and its children live in folders of their own; return them, None if an earlier call did so."""
    if LOCALES.is_dir():
        os.environ.setdefault("LOCPATH", str(LOCALES))
    if SHARED in os.environ:
        return None
    os.environ[SHARED] = tempfile.gettempdir()
    base = Path(tempfile.mkdtemp(prefix=PREFIX))  # short: the path of a socket takes 107 bytes
    for name in _USERS:
        os.environ.pop(name, None)
    for variable, name, mode in (("HOME", "h", 0o700), ("TMPDIR", "t", 0o1777)):
        (base / name).mkdir()
        (base / name).chmod(mode)
        os.environ[variable] = str(base / name)
    base.chmod(0o711)  # some tests share files with another user
    os.environ[BASE] = str(base)
    os.environ["TZ"] = noon(time.gmtime().tm_hour)
    if sys.platform != "win32":
        time.tzset()
    tempfile.tempdir = None
    return base


def noon(hour: int) -> str:
    """Return the time zone in which it is noon when it is *hour* in UTC; in its name, as in POSIX, east is negative."""
    return f"Etc/GMT{hour - 12:+d}"


def end(base: Path) -> None:
    """Remove the folders, also files that root or another user made in them."""
    tempfile.tempdir = None
    os.environ["TMPDIR"] = os.environ.pop(SHARED)
    if "KEEP_TEST_FILES" in os.environ:
        print(f"the files of the tests are kept: {base}", file=sys.stderr)
        return
    for folder, _, _ in os.walk(base):  # some tests close folders
        try:
            os.chmod(folder, 0o700, follow_symlinks=False)
        except (OSError, NotImplementedError):
            pass
    shutil.rmtree(base, ignore_errors=True)
    if base.exists():
        subprocess.run(["sudo", "-n", "rm", "-rf", "--one-file-system", base], check=False, capture_output=True)
