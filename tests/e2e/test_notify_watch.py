"""Overdue backups are told on a server: no icon, no tracker, a timer of the real systemd, on a machine that boots for this."""

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.e2e.booted import USERS, Booted
from tests.e2e.conftest import Installed

PAST = """
import sys
from tray.audit.entry import Action, Draft
from tray.audit.store import AuditLog
from tray.core import clock
from tray.core.paths import places, private
from tray.observe import awake_log
here, day = places(), clock.DAY_MS
private(here.config)
private(here.state)
drafts = []
for days in range(60, 30, -1):
    how = {"job": "home", "run": clock.new_id(), "engine": "restic", "kind": "backup", "source": "wrapped"}
    at = clock.now_ms() - days * day
    drafts.append(Draft(Action.RUN_STARTED, time_ms=at - 1000, result="started", **how))
    drafts.append(Draft(Action.RUN_FINISHED, time_ms=at, result="succeeded", duration_ms=1000, **how))
with AuditLog.open(here.audit_db, here.audit_key) as log:
    log.append(drafts)
awake_log.append(here, [awake_log.Mark(awake_log.BOOT, clock.now_ms() - 40 * day)])  # it was on all the time
"""
"""Thirty good backups, the last one thirty days ago."""


class Webhook:
    """A receiver of our messages; `works` False: it refuses them; `waits_seconds`: it takes its time for an answer."""

    def __init__(self) -> None:
        self.works, self.events, self.waits_seconds = True, list[dict[str, Any]](), 0.0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                time.sleep(outer.waits_seconds)  # a slow server
                if outer.works:
                    outer.events += body["data"]["events"]
                self.send_response(200 if outer.works else 503)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Be quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self.server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """A receiver that listens."""
    made = Webhook()
    yield made
    made.close()


@pytest.fixture(scope="module")
def booted(installed: Installed) -> Iterator[Booted]:
    """A machine on which ann has the program."""
    machine = Booted(installed)
    try:
        yield machine
    finally:
        machine.end()


@pytest.fixture
def lingering(booted: Booted, webhook: Webhook) -> Iterator[Booted]:
    """The machine with ann's manager and no login, and a channel."""
    text = (
        'version = 1\n[jobs.home]\ncommand = ["true"]\nevery = "1d"\n[jobs.broken]\ncommand = ["false"]\nevery = "1d"\n'
    )
    text += f'[channels.hook]\ntype = "webhook"\nurl = "http://127.0.0.1:{webhook.server.server_port}/"\n'
    booted.write("ann", ".config/backup-tray/config.toml", text)
    home = booted.homes["ann"]
    booted.root("rm", "-rf", home / ".local/state/backup-tray", home / ".config/backup-tray/baselines")
    booted.root("loginctl", "enable-linger", "ann")
    booted.until(lambda: booted.has_manager("ann"), "the user's manager")
    yield booted
    booted.root("loginctl", "disable-linger", "ann")
    booted.until(lambda: not booted.has_manager("ann"), "the end of the user's manager")


@pytest.mark.parametrize("kill", ["mixed", "control-group"])
def test_a_service_that_ends_takes_no_message_along(
    lingering: Booted, installed: Installed, webhook: Webhook, kill: str
) -> None:
    """systemd ends all processes of a service with it, in which `backup-tray run` stands; the sender is outside of it by then."""
    webhook.waits_seconds = 1.0
    start = ["systemd-run", "--user", "--wait", "--quiet", "--collect", f"--property=KillMode={kill}"]
    command = [str(installed.launcher), "run", "--job", "own", "--no-watch", "--", "false"]
    runtime = f"/run/user/{USERS['ann']}"
    lingering.user("ann", *start, "--property=Type=oneshot", *command, check=False, XDG_RUNTIME_DIR=runtime)
    lingering.until(lambda: webhook.events, "the message", seconds=20)
    assert [(event["kind"], event["job"]) for event in webhook.events] == [("failure", "own")]


def test_a_service_of_the_system_without_a_manager_of_the_user_waits_for_the_message(
    booted: Booted, lingering: Booted, installed: Installed, webhook: Webhook
) -> None:
    """Nothing can lead the sender out of it then; asked to end, it sends the messages that are due before it does."""
    booted.root("loginctl", "disable-linger", "ann")
    booted.until(lambda: not booted.has_manager("ann"), "the end of the user's manager")
    webhook.waits_seconds = 1.0
    start = ["systemd-run", "--wait", "--quiet", "--collect", f"--uid={USERS['ann']}", "--property=Type=oneshot"]
    command = [str(installed.launcher), "run", "--job", "own", "--no-watch", "--", "false"]
    booted.root(*start, *command, check=False)
    booted.until(lambda: webhook.events, "the message", seconds=20)
    assert [(event["kind"], event["job"]) for event in webhook.events] == [("failure", "own")]


def test_a_schedule_that_fails_is_told(lingering: Booted, webhook: Webhook) -> None:
    """The same of our own units."""
    webhook.waits_seconds = 1.0
    lingering.tray("ann", "schedule", "broken", "--on", "daily")
    lingering.systemctl("ann", "start", "backup-tray-broken.service", check=False)
    lingering.until(lambda: webhook.events, "the message", seconds=20)
    assert [(event["kind"], event["job"]) for event in webhook.events] == [("failure", "broken")]
    lingering.tray("ann", "schedule", "broken", "--remove")


def test_the_line_of_cron_tells_too(lingering: Booted, installed: Installed, webhook: Webhook) -> None:
    """Run as cron does, by a shell with next to nothing in its environment."""
    lingering.user("ann", installed.prefix / "venv/bin/python", "-c", PAST)
    assert "(cron, crontab)" in lingering.tray("ann", "notify", "watch", "on", "--by", "cron").stdout
    (line,) = [line for line in lingering.user("ann", "crontab", "-l").stdout.splitlines() if "--care" in line]
    lingering.user("ann", "/bin/sh", "-c", line.split(maxsplit=5)[5])
    lingering.until(lambda: webhook.events, "the message", seconds=30)
    assert [(event["kind"], event["job"]) for event in webhook.events] == [("overdue", "home")]
    for by in ("systemd", "cron"):
        lingering.tray("ann", "notify", "watch", "on", "--by", by)
        assert ("--care" in lingering.user("ann", "crontab", "-l", check=False).stdout) is (by == "cron"), (
            "only one of them"
        )
        assert ("backup-tray.watch" in lingering.systemctl("ann", "list-timers", "--all")) is (by == "systemd")
    lingering.tray("ann", "notify", "watch", "off")
    assert "--care" not in lingering.user("ann", "crontab", "-l", check=False).stdout


def test_an_overdue_backup_is_told_by_a_timer_alone(lingering: Booted, installed: Installed, webhook: Webhook) -> None:
    """No user is logged in: the round tells, its sender tries a refused message again, and a timer that is off is named."""
    booted = lingering
    booted.user("ann", installed.prefix / "venv/bin/python", "-c", PAST)
    said = booted.tray("ann", "notify", "watch", "on").stdout
    assert "once an hour (systemd timer of this user, backup-tray.watch.timer)" in said
    assert "only while you are logged in" not in said
    assert "backup-tray.watch.timer" in booted.systemctl("ann", "list-timers")

    webhook.works = False
    booted.systemctl("ann", "start", "backup-tray.watch.service")
    booted.until(
        lambda: "HTTP 503" in booted.tray("ann", "notify", "status", check=False).stdout, "the refusal on record"
    )
    webhook.works = True
    booted.until(lambda: webhook.events, "the second try, by the sender that outlived the round", seconds=120)
    assert [(event["kind"], event["job"]) for event in webhook.events] == [("overdue", "home")]
    assert not any("backup-tray tracker" in line for line in booted.root("ps", "ax").stdout.splitlines())
    booted.systemctl("ann", "start", "backup-tray.watch.service")
    booted.systemctl("ann", "start", "backup-tray.watch.service")
    assert len(webhook.events) == 1, "an incident is told once"

    booted.systemctl("ann", "disable", "--now", "backup-tray.watch.timer")
    broken = booted.tray("ann", "notify", "watch", check=False)
    assert broken.returncode == 1
    assert "Its timer is disabled." in broken.stdout
    booted.tray("ann", "notify", "watch", "on")
    assert "next: " in booted.tray("ann", "notify", "watch").stdout
    assert "does not run by itself any more" in booted.tray("ann", "notify", "watch", "off").stdout
    assert "backup-tray" not in booted.systemctl("ann", "list-timers", "--all")
