"""The queue of messages on a full and on a read-only disk: each failure is told once, before, meanwhile and afterwards."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import mounts
from tests.e2e.conftest import CHECKOUT

STEPS = """
import json, os, sqlite3, sys
from contextlib import closing
from pathlib import Path
from tests.e2e.notify_kills import JOBS, NAME, NOW, at
from tests.unit.notify.help import FINE
from tray.config.channels import ChannelSettings
from tray.core.errors import BackupTrayError
from tray.core.model import State, Status
from tray.core.paths import private
from tray.notify import channels, queue, queue_file, sender
from tray.notify.news import News
from tray.notify.rules import Rules
from tray.notify.worker import Worker

disk, file, steps = at(Path(sys.argv[1])), Path(sys.argv[2]), sys.argv[3:]
queue.PACE_MS = 0
hook = ChannelSettings(NAME, "webhook", {"url": "http://127.0.0.1:9"})

class Channel:
    def send(self, message, status):
        with file.open("a") as notes:
            notes.writelines(f"{event.job} {message.id}\\n" for event in message.events)

channels.load = lambda settings, places: Channel()
Worker._follow_settings = lambda self: None

def told(number):
    for opened in (queue_file.opened, queue_file.elsewhere):
        try:
            with closing(opened(disk)) as waiting:
                news = News(waiting.memory(), Status(State.FAILED, NOW, jobs=JOBS[:number]))
                waiting.tell(news.memory, news.events, Rules({NAME: hook}).deliveries(news.events, NOW), {"looked": NOW + number})
                locks = sender.lock_folder(disk)
                Worker(disk, waiting.file, locks, hook, FINE).run()
                return waiting.file.parent.name
        except (OSError, sqlite3.Error, BackupTrayError):
            continue

def fill(left):
    free = os.statvfs(disk.state)
    (disk.state / "ballast").write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - int(left))))

folders = []
for step in steps:
    if step == "empty":
        (disk.state / "ballast").unlink()
    elif step.startswith("left="):
        fill(step[5:])
    else:
        folders.append(told(int(step)))
print(json.dumps(folders))
"""


def done(command: list[str]) -> list[str]:
    """Run the steps and return the folder of the queue of each."""
    ran = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr
    return list(json.loads(ran.stdout))


def steps(folder: Path, *words: str) -> list[str]:
    """The command that does *words*."""
    return [sys.executable, "-c", STEPS, str(folder), str(folder.parent / "told"), *words]


def told(tmp_path: Path) -> list[str]:
    """The jobs that were told, in order."""
    return [line.rpartition(" ")[0] for line in (tmp_path / "told").read_text().splitlines()]


@pytest.mark.parametrize("left", [0, 4096, 16_384, 65_536])
def test_a_full_disk_keeps_no_failure_from_being_told_once(tmp_path: Path, left: int) -> None:
    """The queue in the runtime folder knows of all that the other one has told, and the other way round."""
    folder = tmp_path / "home"
    state = folder / "state"
    state.mkdir(parents=True, mode=0o700)
    ours = f"size=1m,mode=700,uid={os.geteuid()},gid={os.getegid()}"
    command = steps(folder, "1", f"left={left}", "2", "2", "empty", "3", "3")
    folders = done(mounts.mounted(f"mount -t tmpfs -o {ours} none {state}", *command))
    assert told(tmp_path) == ["job 0", "job 1", "job 2"]
    assert (folders[0], folders[-1]) == ("state", "state")
    assert folders[1] == "runtime" or left
    assert not (folder / "runtime/notify.db").exists()


def test_a_read_only_home_keeps_no_failure_from_being_told_once(tmp_path: Path) -> None:
    """A disk with an error is mounted read-only by the system."""
    folder = tmp_path / "home"
    (folder / "state").mkdir(parents=True, mode=0o700)
    (folder / "runtime").mkdir(mode=0o700)
    state = folder / "state"
    assert done(steps(folder, "1")) == ["state"]
    readonly = f"mount --bind {state} {state}; mount -o remount,ro,bind {state}"
    assert done(mounts.mounted(readonly, *steps(folder, "2", "2"))) == ["runtime", "runtime"]
    assert done(steps(folder, "3")) == ["state"]
    assert told(tmp_path) == ["job 0", "job 1", "job 2"]
    assert not (folder / "runtime/notify.db").exists()
