"""Tell whether a backup or a check of a job goes on, by whichever way it was started."""

from tray import runs
from tray.config.jobs import Job
from tray.core.model import BACKUP, shown_name
from tray.core.paths import Places


def goes_on(places: Places, job: Job, kind: str = BACKUP) -> bool:
    """Whether a run of *job* of this *kind* goes on under watch, also under a name that its `matches` lists."""
    names = {shown_name(name, kind) for name in (job.name, *job.matches)}
    for folder in runs.live(places):
        try:
            info = folder.info()
        except (OSError, ValueError):
            continue  # just closed, or damaged
        if info.job in names and info.kind == kind and folder.running(info):
            return True
    return False
