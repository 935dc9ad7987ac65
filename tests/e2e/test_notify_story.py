"""One job is neglected, breaks and heals, while real servers listen: each of them hears the same story once and in its order.

People hear by mail, on the desktop and by ntfy, their tools by a signed webhook, healthchecks, Uptime Kuma, Home Assistant behind a
real broker, and Prometheus with Alertmanager. The ids in the messages are those of the entries in the audit log.
"""

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.desktop import Desktop
from tests.e2e.mail_servers import Mailbox, serving
from tests.e2e.program import TRAY
from tests.e2e.test_metrics import Monitoring
from tests.e2e.test_notify_mqtt import PASSWORD, USER, Mosquitto
from tests.e2e.trays import record
from tests.home_assistant import HomeAssistant
from tests.receivers import Healthchecks, Kuma, Ntfy, Webhook
from tests.waiting import wait_for
from tray.audit.store import AuditLog
from tray.core import clock
from tray.core.paths import Places, private

STORY = ["overdue", "failure", "recovered"]
TITLES = ["home: backup overdue", "home: backup failed", "home: backup succeeded again"]
KEY = "whsec_" + base64.b64encode(b"k" * 24).decode()
TOKEN = "tk_not_for_everybody"
MORE_UPTIME = 100_000
"""Seconds: no channel tells of an overdue job within minutes of the start of the machine, which may be young."""


class World:
    """All listeners, and the machine on which the job runs."""

    def __init__(self, places: Places, folder: Path, stack: ExitStack) -> None:
        self.places, self.folder = places, folder
        self.mailbox = Mailbox()
        self.mail_port = stack.enter_context(serving(self.mailbox))
        self.ntfy = stack.enter_context(Ntfy(token=TOKEN))
        self.webhook = stack.enter_context(Webhook(secret=KEY))
        self.checks = stack.enter_context(Healthchecks())
        self.kuma = stack.enter_context(Kuma())
        self.monitoring = Monitoring(made(folder / "monitoring"))
        stack.callback(self.monitoring.close)
        self.monitoring.start()
        self.broker = Mosquitto(made(folder / "broker"))
        stack.callback(self.broker.close)
        self.broker.start()
        self.house: HomeAssistant = self.broker.assistant()
        self.desktop = Desktop(made(folder / "desk"), "none")
        stack.callback(self.desktop.close)
        self.desktop.start()

    def secret(self, name: str, text: str) -> str:
        """A file that only its owner can read."""
        file = self.folder / f"{name}.secret"
        file.touch(mode=0o600)
        file.write_text(f"{text}\n")
        return str(file)

    def configure(self) -> None:
        """Describe the job and every channel."""
        private(self.places.config)
        self.places.config_file.write_text(f"""
[jobs.home]
every = "1d"
[metrics]
textfile = "{self.monitoring.textfiles}/backup-tray.prom"
[channels.mail]
to = ["ann@example.com"]
server = "smtp://127.0.0.1:{self.mail_port}"
[channels.phone]
type = "ntfy"
url = "{self.ntfy.url}"
topic = "backups"
secret_file = "{self.secret("token", TOKEN)}"
[channels.hook]
type = "webhook"
url = "{self.webhook.url}/backups"
secret_file = "{self.secret("key", KEY)}"
[channels.healthchecks]
url = "{self.checks.url}"
secret_file = "{self.secret("ping", "k" * 22)}"
[channels.kuma]
url = "{self.kuma.url}/api/push/pushtoken1"
[channels.house]
type = "mqtt"
url = "mqtt://127.0.0.1:{self.broker.port}"
user = "{USER}"
secret_file = "{self.secret("broker", PASSWORD)}"
""")

    def tray(self, *arguments: str) -> int:
        """Run one command on the desktop, on a machine that started long ago."""
        young = clock.since_boot_ms() < MORE_UPTIME * 1000
        older = ["unshare", "--time", f"--boottime={MORE_UPTIME}", "--fork"] if young and os.geteuid() == 0 else []
        return subprocess.run([*older, *TRAY, *arguments], env=self.desktop.env, timeout=120, check=False).returncode

    def entries(self) -> list[dict[str, Any]]:
        """The entries that tell the story."""
        with AuditLog.read(self.places.audit_db) as log:
            kept = [{**entry.data, "seq": entry.seq} for entry in log.entries(limit=1000)]
        return [entry for entry in kept if entry["action"] in ("run.finished", "job.overdue")]

    def notices(self) -> list[str]:
        """The titles of the notices that dunst has shown, the oldest first."""
        asked = ["dunstctl", "history"]
        subprocess.run(["dunstctl", "close-all"], env=self.desktop.env, check=True, timeout=60)
        shown = subprocess.run(asked, env=self.desktop.env, capture_output=True, check=True, timeout=60).stdout
        return [entry["summary"]["data"] for entry in reversed(json.loads(shown)["data"][0])]


def made(folder: Path) -> Path:
    """Make a folder and return it."""
    folder.mkdir()
    return folder


@pytest.fixture
def world(places: Places, tmp_path: Path) -> Iterator[World]:
    """The listeners."""
    with ExitStack() as stack:
        world = World(places, made(tmp_path / "world"), stack)
        world.configure()
        yield world


def test_every_channel_tells_the_same_story_once_and_in_order(world: World) -> None:
    """Neglect, break, heal; no channel hears more or less, and each id leads to the entry that says the same."""
    record("home", "succeeded", hours=72)
    assert world.tray("tracker", "--care") == 0, "the round of housekeeping that the system's timer starts"
    hears(world, 1)
    wait_for(lambda: ("BackupOverdue", "home", "firing") in world.monitoring.alerts.seen, what="the first alarm")
    assert world.tray("run", "--job", "home", "--", "false") == 1
    hears(world, 2)
    wait_for(lambda: ("BackupFailed", "home", "firing") in world.monitoring.alerts.seen, what="the second alarm")
    assert world.tray("run", "--job", "home", "--", "true") == 0
    hears(world, 3)
    assert [mail["Subject"] for _, mail in world.mailbox.mails] == TITLES
    assert [message["title"] for message in world.ntfy.seen] == TITLES
    assert world.notices() == TITLES
    assert [message["type"] for message in world.webhook.seen] == [f"backup.{kind}" for kind in STORY]
    assert world.webhook.repeated == world.webhook.refused == world.ntfy.refused == world.checks.refused == []
    the_ids_lead_to_the_entries(world)
    the_tools_agree(world)


def hears(world: World, number: int) -> None:
    """Wait until every channel for people has had so many messages; each has one a minute at most."""
    for heard in (world.mailbox.mails, world.ntfy.seen, world.webhook.seen):
        wait_for(lambda heard=heard: len(heard) >= number, seconds=200, what=f"message {number}")  # type: ignore[misc]
    wait_for(lambda: TITLES[number - 1] in world.notices(), seconds=200, what=f"notice {number}")


def the_ids_lead_to_the_entries(world: World) -> None:
    """The log has an entry for each event, with the same id, run and number."""
    story = world.entries()[1:]
    assert [entry["action"] for entry in story] == ["job.overdue", "run.finished", "run.finished"]
    assert [message["webhook-id"] for message in world.webhook.seen] == [entry["id"] for entry in story]
    for message, entry in zip(world.webhook.seen[1:], story[1:], strict=True):
        (event,) = message["data"]["events"]
        assert (event["run"], event["entry"], event["log"]) == (entry["run"], entry["seq"], entry["log"])
    for (_, mail), entry in zip(world.mailbox.mails[1:], story[1:], strict=True):
        text = mail.get_body(("plain",))
        assert text is not None
        assert entry["run"][-8:] in text.get_content()
    first, *others = (mail for _, mail in world.mailbox.mails)
    assert [mail["In-Reply-To"] for mail in others] == [first["Message-ID"]] * 2, "one incident is one thread"
    runs = [(ping["action"], ping["rid"]) for ping in world.checks.seen if ping["rid"]]
    assert runs == [("fail", story[1]["run"]), ("success", story[2]["run"])]


def the_tools_agree(world: World) -> None:
    """The job was down and is up again, wherever its state is shown."""
    wait_for(lambda: {*world.checks.states.values()} == {"up"}, what="the check that is up")
    wait_for(lambda: world.kuma.seen[-1]["status"] == "up", what="the push that is up")
    assert {push["status"] for push in world.kuma.seen[:-1]} == {"down"}
    wait_for(
        lambda: "ok" in world.house.states.values() or '"ok"' in " ".join(world.house.states.values()), what="the state"
    )
    for name in ("BackupOverdue", "BackupFailed"):
        ends = [(name, "home", "firing"), (name, "home", "resolved")]
        wait_for(lambda name=name: (name, "home", "resolved") in world.monitoring.alerts.seen, what="the end")  # type: ignore[misc]
        assert [alert for alert in world.monitoring.alerts.seen if alert[0] == name] == ends
