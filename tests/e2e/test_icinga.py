"""`backup-tray status --perfdata` as a check of a real Icinga."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.program import TRAY, tray
from tests.waiting import wait_for
from tray.core.paths import Places

CONFIGURATION = r"""
include <itl>
object CheckerComponent "checker" {}
object CheckCommand "backup" { command = [ COMMAND ] }
object Host "us" { check_command = "dummy" }
object Service "backups" {
  host_name = "us", check_command = "backup", check_interval = 1s, retry_interval = 1s, max_check_attempts = 1
}
object PerfdataWriter "figures" {
  service_perfdata_path = "FOLDER/service", service_temp_path = "FOLDER/service.tmp"
  host_perfdata_path = "FOLDER/host", host_temp_path = "FOLDER/host.tmp"
  rotation_interval = 1s
  service_format_template = "$service.state$\t$service.perfdata$\t$service.output$"
}
"""


@pytest.fixture
def icinga(tmp_path: Path, places: Places) -> Iterator[Path]:
    """A folder into which an Icinga writes the state, the text and the figures of each check."""
    command = ", ".join(f'"{word}"' for word in [*TRAY, "status", "--perfdata"])
    (tmp_path / "icinga2.conf").write_text(CONFIGURATION.replace("COMMAND", command).replace("FOLDER", str(tmp_path)))
    argv = ["icinga2", "daemon", "-c", str(tmp_path / "icinga2.conf"), "-x", "warning"]
    names = ("DataDir", "LogDir", "InitRunDir", "CacheDir", "SpoolDir")
    for name in names:
        (tmp_path / name).mkdir()
    user, group = (subprocess.check_output(["id", option], text=True).strip() for option in ("-un", "-gn"))
    argv += [f"-D{name}={tmp_path / name}" for name in names]
    argv += [f"-DPidPath={tmp_path / 'pid'}", f"-DRunAsUser={user}", f"-DRunAsGroup={group}"]
    with open(tmp_path / "icinga.log", "wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)
    try:
        yield tmp_path
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # its end by request takes minutes now and then
        process.wait(60)


def checks(folder: Path) -> list[list[str]]:
    """State, figures and first line of each check so far."""
    lines = [line for file in sorted(folder.glob("service.[0-9]*")) for line in file.read_text().splitlines()]
    return [line.split("\t") for line in lines if line.count("\t") == 2]


def test_icinga_has_state_text_and_figures(icinga: Path) -> None:
    """OK after a success with the age of the backup, CRITICAL after a failure."""
    assert tray("run", "--job", "it's | home", "--", "true").returncode == 0
    fine = wait_for(lambda: [check for check in checks(icinga) if check[0] == "OK"], what="a good check")[-1]
    assert fine[2].startswith("Your backup is fine: it's ¦ home")
    assert "'it''s ¦ home age'=" in fine[1]
    assert tray("run", "--job", "it's | home", "--", "false").returncode == 1
    wait_for(lambda: any(check[0] == "CRITICAL" for check in checks(icinga)), what="a critical check")
