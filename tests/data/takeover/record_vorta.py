"""Let a real Vorta make its settings and one command line of borg; the tests read both. Prints the command line as JSON.

    python -m venv v && v/bin/pip install vorta==0.11.6
    mkdir -p /srv/backup/a.borg
    sudo unshare -u sh -c 'hostname web1; QT_QPA_PLATFORM=offscreen v/bin/python record_vorta.py FOLDER' >vorta-0.11.6.json

The settings are in FOLDER/settings.db afterwards.
"""

# ruff: noqa: E402, F401 - Vorta wants its modules imported in this order
# mypy: ignore-errors

import json
import sys
from pathlib import Path

import peewee
from vorta import config

config.SETTINGS_DIR = Path(sys.argv[1])

import vorta.application
from vorta.borg.create import BorgCreateJob
from vorta.store.connection import init_db
from vorta.store.models import BackupProfileModel, RepoModel, SourceFileModel

store = peewee.SqliteDatabase(str(config.SETTINGS_DIR / "settings.db"), pragmas={"journal_mode": "wal"})
init_db(store)
near = RepoModel.create(url="/srv/backup/a.borg", encryption="none")
far = RepoModel.create(url="ssh://ann@nas/./r", encryption="none")
daily = BackupProfileModel.create(
    name="Main", repo=near, schedule_mode="fixed", schedule_fixed_hour=3, schedule_fixed_minute=42
)
often = BackupProfileModel.create(
    name="Often", repo=far, schedule_mode="interval", schedule_interval_unit="hours", schedule_interval_count=6
)
by_hand = BackupProfileModel.create(
    name="By hand", repo=near, new_archive_name="{hostname}-{profile_slug}-{now:%Y%m%d}"
)
BackupProfileModel.create(name="Unfinished")
for profile, folder in ((daily, "/home/ann"), (daily, "/etc"), (often, "/srv"), (by_hand, "/home/ann/photos")):
    SourceFileModel.create(dir=folder, profile=profile)
print(
    json.dumps(
        {"Main": BorgCreateJob.prepare(daily)["cmd"], "By hand": BorgCreateJob.prepare(by_hand)["cmd"]}, indent=1
    )
)
store.execute_sql("pragma journal_mode = delete")
store.execute_sql("vacuum")
