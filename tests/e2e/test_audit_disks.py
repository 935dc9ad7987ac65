"""Every operation on the audit log, on a full or a read-only disk: it reports the error, breaks nothing, and works later."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests import mounts
from tests.e2e.conftest import CHECKOUT

_FULL = """
import json, os, sys
from pathlib import Path
from tests.e2e import kills
from tests.e2e.kills import OPERATIONS, Places
from tray.core.errors import BackupTrayError
disk, problems, refused = Path(sys.argv[1]), [], 0
os.umask(0o077)
for number, (name, operation) in enumerate(OPERATIONS.items()):
    for left in (0, 20_000, 120_000):
        base = disk / f"{number}-{left}"
        places, acknowledged = Places(base / "config", base / "state", base / "runtime", base / "log"), []
        operation.prepare(places)
        before = kills.ids_before(places)
        free = os.statvfs(disk)
        try:
            (disk / "ballast").write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - left)))
            operation.act(places, acknowledged.append)
        except (BackupTrayError, OSError, AssertionError):
            refused += 1
        except Exception as error:
            problems.append(f"{name}, {left} bytes free: {type(error).__name__}: {error}")
        (disk / "ballast").unlink()
        try:
            kills.sound(places, before, acknowledged, first=operation.first)
            operation.settled(places)
            kills.later(places)
            operation.act(places, lambda _: None) if operation.again is None else operation.again(places)
            kills.spool.drain(places)
            kills.sound(places, before, acknowledged, first=False)
            operation.settled(places)
            operation.done(places)
        except Exception as error:
            problems.append(f"{name}, {left} bytes free, afterwards: {type(error).__name__}: {getattr(error, 'why', '')} {error}")
        kills.shutil.rmtree(base)
print(json.dumps([refused, problems]))
"""

_READ_ONLY = """
import json, os, sys
from pathlib import Path
from tests.e2e import kills
from tests.e2e.kills import OPERATIONS, Places
from tray.core.errors import BackupTrayError
disk, problems, refused = Path(sys.argv[1]), [], 0
for number, (name, operation) in enumerate(OPERATIONS.items()):
    base = disk / str(number)
    places, acknowledged = Places(base / "config", base / "state", base / "runtime", base / "log"), []
    before = json.loads((base / "ids").read_text())
    try:
        operation.act(places, acknowledged.append)
    except (BackupTrayError, OSError, AssertionError):
        refused += 1
    except Exception as error:
        problems.append(f"{name}: {type(error).__name__}: {error}")
    try:
        kills.sound(places, before, acknowledged, first=operation.first)
    except Exception as error:
        problems.append(f"{name}, afterwards: {type(error).__name__}: {getattr(error, 'why', '')} {error}")
print(json.dumps([refused, problems]))
"""

_PREPARE = """
import json, os, sys
from pathlib import Path
from tests.e2e.kills import OPERATIONS, Places, ids_before
os.umask(0o077)
for number, operation in enumerate(OPERATIONS.values()):
    base = Path(sys.argv[1]) / str(number)
    places = Places(base / "config", base / "state", base / "runtime", base / "log")
    operation.prepare(places)
    (base / "ids").write_text(json.dumps(ids_before(places)))
"""


_LAST_RESORT = "mount -t tmpfs -o mode=1777 none /var/tmp"
"""The program keeps records that fit nowhere else below this folder; the test removes it."""


def run(command: list[str]) -> list[object]:
    """Run *command* and return its output."""
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout or "[]"))


def test_a_disk_that_fills_up_during_any_operation_breaks_nothing(tmp_path: Path) -> None:
    """With little or no room the operation succeeds or reports why not, the log verifies, and with room again it completes."""
    ours = f"size=12m,mode=700,uid={os.geteuid()},gid={os.getegid()}"
    mount = f"mount -t tmpfs -o {ours} none {tmp_path}; {_LAST_RESORT}"
    refused, problems = run(mounts.mounted(mount, sys.executable, "-c", _FULL, str(tmp_path)))
    assert problems == []
    assert isinstance(refused, int)
    assert refused > 20


def test_a_disk_that_became_read_only_breaks_nothing(tmp_path: Path) -> None:
    """Every operation reports why it failed, and the log on the disk still opens and verifies."""
    run([sys.executable, "-c", _PREPARE, str(tmp_path)])
    mount = f"mount --bind {tmp_path} {tmp_path}; mount -o remount,ro,bind {tmp_path}; {_LAST_RESORT}"
    refused, problems = run(mounts.mounted(mount, sys.executable, "-c", _READ_ONLY, str(tmp_path)))
    assert problems == []
    assert isinstance(refused, int)
    assert refused > 10
