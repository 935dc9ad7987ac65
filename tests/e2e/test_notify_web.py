"""The channels over HTTP by the program itself: real runs tell strict receivers, and no secret of a channel gets anywhere."""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.e2e.program import last, tray
from tests.receivers import Healthchecks, Incoming, Kuma, Ntfy, Receiver, Reply, Webhook
from tests.waiting import over, wait_for
from tray.core import paths
from tray.core.paths import HOME_VARIABLE, Places
from tray.housekeeping import config_changes

TOKENS = ("tk_sesame0", "whsec_c2VzYW1lMQ==", "sesame2sesame2sesame2k", "sesame3token", "sesame4topic")
TOKEN, KEY, PING_KEY, PUSH, TOPIC = TOKENS


@pytest.fixture(autouse=True)
def ended_senders(places: Places, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """End the senders that wait for the next try; let no proxy stand in between."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    yield
    ours = []
    for process in psutil.process_iter(["cmdline"]):
        with suppress(psutil.Error):
            if "tray.notify.sender" in (process.info["cmdline"] or ()):
                if process.environ().get(HOME_VARIABLE) == os.environ[HOME_VARIABLE]:
                    process.terminate()
                    ours.append(process)
    wait_for(lambda: over(ours), what="the end of the senders")


def configure(places: Places, urls: Mapping[str, str]) -> None:
    """Write config.toml with a channel for each address, whose secrets lie in files."""
    for folder in (places.config.parent, places.config):
        folder.mkdir(mode=0o700, exist_ok=True)
    secrets = {"ntfy": TOKEN, "webhook": KEY, "healthchecks": PING_KEY}
    lines = ["version = 1", "[channels.desktop]", "enabled = false"]
    for kind, url in urls.items():
        lines += [f"[channels.my-{kind}]", f'type = "{kind}"', f'url = "{url}"']
        lines += [f'topic = "{TOPIC}"'] if kind == "ntfy" else []
        lines += ['events = ["failure", "recovered"]'] if kind in ("ntfy", "webhook") else []
        if kind in secrets:
            file = places.config / f"{kind}.secret"
            file.touch(0o600)
            file.write_text(secrets[kind] + "\n")
            lines.append(f'secret_file = "{file}"')
    places.config_file.write_text("\n".join(lines) + "\n")


def run(code: int) -> str:
    """Run a backup that ends with *code* and return its id."""
    assert tray("run", "--job", "home", "--", "sh", "-c", f"exit {code}").returncode == code
    return str(last()["run"])


def test_each_tool_tells_the_same_story(places: Places) -> None:
    """A backup fails, fails again and recovers: people hear of it twice, tools of every run, all with the same ids."""
    with Ntfy(TOKEN) as ntfy, Webhook(KEY) as hook, Healthchecks(key=PING_KEY) as pings, Kuma((PUSH,)) as kuma:
        kuma_url = f"{kuma.url}/api/push/{PUSH}?status=up&msg=OK&ping="
        servers: dict[str, Receiver] = {"ntfy": ntfy, "webhook": hook, "healthchecks": pings, "kuma": kuma}
        configure(places, {**{kind: server.url for kind, server in servers.items()}, "kuma": kuma_url})
        failed = run(1)
        for server in servers.values():
            wait_for(lambda server=server: server.seen, what="the failure")  # type: ignore[misc]
        again = run(1)
        wait_for(lambda: len(pings.seen) == 2 and len(kuma.seen) == 2, what="the second failure")
        good = run(0)
        for server in servers.values():
            wait_for(lambda server=server: "succeeded" in str(server.seen[-1]), what="the recovery")  # type: ignore[misc]
    assert [server.refused for server in servers.values()] == [[]] * 4
    assert [seen["title"] for seen in ntfy.seen] == ["home: backup failed", "home: backup succeeded again"]
    events = [event for seen in hook.seen for event in seen["data"]["events"]]
    assert [(event["kind"], event["run"]) for event in events] == [("failure", failed), ("recovered", good)]
    assert len({event["incident"] for event in events}) == 1
    assert [(seen["action"], seen["rid"]) for seen in pings.seen] == [
        ("fail", failed),
        ("fail", again),
        ("success", good),
    ]
    assert [seen["status"] for seen in kuma.seen] == ["down", "down", "up"]
    assert f"Entry {events[0]['entry']} of the audit log" in ntfy.seen[0]["message"]
    assert tray("report", failed).returncode == 0


def test_a_test_message_reaches_each_tool_and_turns_nothing_green(places: Places) -> None:
    """`notify test` shows that the settings are right; a monitor stays down while a backup is not fine."""
    with Ntfy(TOKEN) as ntfy, Webhook(KEY) as hook, Healthchecks(key=PING_KEY) as pings, Kuma((PUSH,)) as kuma:
        servers: dict[str, Receiver] = {"ntfy": ntfy, "webhook": hook, "healthchecks": pings, "kuma": kuma}
        kuma_url = f"{kuma.url}/api/push/{PUSH}"
        configure(places, {})
        run(1)
        configure(places, {**{kind: server.url for kind, server in servers.items()}, "kuma": kuma_url})
        for kind in servers:
            done = tray("notify", "test", f"my-{kind}")
            assert done.returncode == 0, done.stderr
            assert "Test message" in str(servers[kind].seen)
    assert {seen["status"] for seen in kuma.seen} == {"down"}
    assert "success" not in {seen["action"] for seen in pings.seen}


class Echo(Receiver):
    """A server that refuses each request, and repeats all of it in its answer."""

    status = 401

    def take(self, request: Incoming) -> Reply:
        """Refuse it."""
        self.seen.append(request._asdict())
        said = f"{request.headers.get('authorization')} {request.target} {request.body.decode()}"
        more = {"Content-Type": "text/plain", "Location": f"http://127.0.0.1:1{request.target}"}
        return self.status, said, more


@pytest.mark.parametrize("status", [401, 404, 500, 302])
def test_no_secret_of_a_channel_is_kept_or_shown(places: Places, status: int) -> None:
    """Status, log, queue, memory and every command that shows them hold no token of a channel."""
    with Echo() as server:
        server.status = status
        urls = dict.fromkeys(("ntfy", "webhook", "healthchecks"), server.url)
        configure(places, {**urls, "kuma": f"{server.url}/api/push/{PUSH}?status=up"})
        config_changes.check(places)
        run(1)
        wait_for(lambda: tray("notify", "status").stdout.count("why:") == 4, what="four failures")
        places.config_file.write_text(places.config_file.read_text().replace("?status=up", "?status=up&more=1"))
        config_changes.check(places)
        commands = ("notify status --json", "audit show --json", "doctor", "notify test my-kuma", "notify test my-ntfy")
        shown = [tray(*words.split()) for words in commands]
    assert any(TOKEN in seen["headers"].get("authorization", "") for seen in server.seen)
    assert '"config.changed"' in shown[1].stdout
    for done in shown:
        assert not [token for token in TOKENS if token in done.stdout + done.stderr]
    assert not holders(places)


def holders(places: Places) -> list[str]:
    """Return the files outside the folder of the configuration's own files that hold a token."""
    own = {places.config_file, *places.config.glob("*.secret")}
    files = [Path(folder, name) for folder, _, names in os.walk(paths.places().config.parent) for name in names]
    files = [file for file in files if file not in own and stat.S_ISREG(file.stat().st_mode)]
    assert places.audit_db in files
    return [str(file) for file in files if any(token.encode() in file.read_bytes() for token in TOKENS)]
