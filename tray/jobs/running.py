"""Tell whether a backup of a job goes on, by whichever way it was started."""

from tray import runs
from tray.config.jobs import Job
from tray.core.model import BACKUP
from tray.core.paths import Places


def backup_of(places: Places, job: Job) -> bool:
    """Whether a backup of *job* goes on under watch, also under a name that its `matches` lists."""
    names = {job.name, *job.matches}
    for folder in runs.live(places):
        try:
            info = folder.info()
        except (OSError, ValueError):
            continue  # just closed, or damaged
        if info.job in names and info.kind == BACKUP and folder.running(info):
            return True
    return False
