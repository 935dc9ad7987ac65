"""Timers that people have, under a real systemd: found, told with their next start, and watched."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.booted import Booted
from tests.e2e.conftest import Installed

TIMER = """[Timer]
OnCalendar=*-*-* 02:15:00 Europe/Berlin
RandomizedDelaySec=20min
Persistent=true
[Install]
WantedBy=timers.target
"""
SERVICE = """[Service]
Environment=RESTIC_REPOSITORY=%h/repository "RESTIC_PASSWORD=correct horse"
ExecStart=/usr/bin/restic backup --no-cache \\
    %h/papers
"""


@pytest.fixture(scope="module")
def booted(installed: Installed) -> Iterator[Booted]:
    """A machine on which ann and root have timers of their own."""
    machine = Booted(installed)
    try:
        machine.write("ann", "papers/letter", "Dear Bob\n")
        environ = {"RESTIC_REPOSITORY": f"{machine.homes['ann']}/repository", "RESTIC_PASSWORD": "correct horse"}
        machine.user("ann", "restic", "init", **environ)
        for name, text in (
            ("papers.timer", TIMER),
            ("papers.service", SERVICE),
            ("off.timer", TIMER),
            ("off.service", SERVICE),
        ):
            machine.write("ann", f".config/systemd/user/{name}", text)
            machine.root("install", "-m", "644", "/dev/stdin", f"/etc/systemd/system/system-{name}", input=text)
        machine.log_in("ann")
        machine.systemctl("ann", "enable", "--now", "papers.timer")
        machine.systemctl("root", "enable", "--now", "system-papers.timer")
        yield machine
    finally:
        machine.end()


def listed(machine: Booted, name: str) -> dict[str, dict[str, Any]]:
    """The findings of *name*, by their sources."""
    output = machine.tray(name, "jobs", "import", "--json").stdout
    assert "correct horse" not in output
    return {entry["source"]: entry for entry in json.loads(output)}


def test_a_timer_is_told_as_systemd_tells_it(booted: Booted) -> None:
    """Its rhythm from its file, its next start from systemd; without a variable of the session."""
    entries = listed(booted, "ann")
    mine, off, theirs = (
        entries[name]
        for name in ("user timer papers.timer", "user timer off.timer", "system timer system-papers.timer")
    )
    assert (mine["state"], off["state"], theirs["state"]) == ("new", "off", "foreign")
    assert (mine["on"], mine["zone"], mine["delay_seconds"]) == ("*-*-* 02:15:00", "Europe/Berlin", 1200)
    said = booted.systemctl("ann", "show", "--property=NextElapseUSecRealtime", "--value", "papers.timer").split()
    assert said[3] == "UTC"
    assert mine["next"] == f"{said[1]}T{said[2]}.000Z"
    assert listed(booted, "root")["system timer system-papers.timer"]["state"] == "new"


def test_the_run_of_a_watched_timer_belongs_to_its_job(booted: Booted) -> None:
    """The service that systemd starts, seen by the tracker."""
    entry = listed(booted, "ann")["user timer papers.timer"]
    booted.tray("ann", "jobs", "import", str(entry["number"]), "--name", "papers")
    config = booted.user("ann", "cat", f"{booted.homes['ann']}/.config/backup-tray/config.toml").stdout
    assert 'zone = "Europe/Berlin"' in config
    assert 'delay = "20m"' in config
    booted.root(
        "systemd-run",
        "--quiet",
        "--unit=tracker",
        "--uid=ann",
        f"{booted.homes['ann']}/.local/bin/backup-tray",
        "tracker",
    )
    booted.until(
        lambda: "live" in booted.status("ann") or booted.status("ann")["state"] != "unavailable", "the tracker"
    )
    booted.systemctl("ann", "start", "papers.service")
    booted.until(lambda: booted.runs("ann", "papers"), "the run on record")
    assert [(run["source"], run["outcome"]) for run in booted.runs("ann", "papers")] == [("observed", "succeeded")]
    assert listed(booted, "ann")["user timer papers.timer"]["state"] == "taken over"
    booted.root("systemctl", "stop", "tracker")


def test_without_a_session_timers_are_found_in_their_files_and_a_crontab_that_is_forbidden_is_said(
    booted: Booted,
) -> None:
    """As after `su`: no manager of the user's answers, and an administrator keeps ann from cron."""
    booted.log_out("ann")
    booted.until(lambda: not booted.has_manager("ann"), "the end of the user's manager")
    booted.root("sh", "-c", "echo ann >/etc/cron.deny")
    try:
        entries = listed(booted, "ann")
    finally:
        booted.root("rm", "/etc/cron.deny")
        booted.log_in("ann")
    mine = entries["user timer papers.timer"]
    assert mine["state"] in ("new", "taken over")
    assert (mine["on"], mine["delay_seconds"]) == ("*-*-* 02:15:00", 1200)
    assert mine["next"] is not None
    assert entries["crontab of ann"]["state"] == "not understood"
    assert "not allowed" in entries["crontab of ann"]["why"]
