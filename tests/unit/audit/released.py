"""Makes the log of this version that later versions must read: `python -m tests.unit.audit.released FOLDER`."""

import shutil
import sqlite3
import sys
import tempfile
from pathlib import Path

from tests.unit.audit.help import end, start, writer
from tray.audit import rotation, segments
from tray.audit.entry import Action, Draft
from tray.core import paths
from tray.core.model import Outcome
from tray.core.paths import Places


def fill(places: Places) -> bytes:
    """Fill the log with something of everything that a log can hold, and return its newest checkpoint."""
    with writer(places) as log:
        for number in range(299):
            job = ("home", "photos")[number % 2]
            log.append([start(f"run-{number}", job), end(f"run-{number}", job)])
        log.append([start("bad"), end("bad", outcome=Outcome.FAILED, body={"reason": "Password: hunter2"})])
        log.redact(601, "asked for")
        log.append([Draft(Action.JOB_SEEN, job="home", run="bad")])
        segments.rotate(log, 512)
    rotation.rotate(places)
    with writer(places) as log:
        log.append([start("open", "photos")])
    with sqlite3.connect(places.audit_db) as connection:
        (note,) = connection.execute("SELECT checkpoint FROM head").fetchone()
    connection.close()
    return bytes(note)


def main() -> None:
    """Make the folder that the command line names."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as name:
        places = paths.places({paths.HOME_VARIABLE: f"{name}/bt"})
        (folder / "checkpoint").write_bytes(fill(places))
        for kept in (places.audit_db, places.audit_key, places.audit_key.with_suffix(".pub")):
            shutil.copy(kept, folder / kept.name)


if __name__ == "__main__":
    main()
