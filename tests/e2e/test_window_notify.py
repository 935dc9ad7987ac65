"""Notifications in the real window: channels in words, a test that arrives and one that does not, and messages that rest."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import statuses
from tests.e2e.desktop import Desktop, desktop
from tests.e2e.test_window_backup import end_tracker
from tests.e2e.test_window_page import _PALE_TEXTS, _SMALL_TARGETS
from tests.e2e.webdriver import Driven, driven
from tests.waiting import wait_for
from tray.config import jobs
from tray.core import clock
from tray.core.paths import Places, private
from tray.notify import outages, snooze

pytestmark = pytest.mark.e2e
HOSTILE = '<b>"bad"</b>'


class Receiver(ThreadingHTTPServer):
    """A real receiver of webhooks, which answers with a code and, if it is to hang, only once it is let go."""

    daemon_threads = True

    def __init__(self) -> None:
        self.code, self.bodies = 200, list[dict[str, Any]]()
        self.let_go = threading.Event()
        self.let_go.set()
        super().__init__(("127.0.0.1", 0), Hook)

    @property
    def url(self) -> str:
        """The address to which messages are to be sent."""
        return f"http://127.0.0.1:{self.server_port}/hook"


class Hook(BaseHTTPRequestHandler):
    """One request."""

    server: Receiver

    def do_POST(self) -> None:
        """Take a message."""
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.server.let_go.wait(60)
        self.send_response(self.server.code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that listens."""
    with Receiver() as made:
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        try:
            yield made
        finally:
            made.let_go.set()
            made.shutdown()
            thread.join(10)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desktop]:
    """A screen without a panel."""
    with desktop(tmp_path_factory.mktemp("desk") / "d", "none") as made:
        yield made


def configure(places: Places, receiver: Receiver | None) -> None:
    """Write config.toml with a channel that can send, one that cannot, one that is turned off and one with a fault."""
    private(places.config)
    hook = "" if receiver is None else f'[channels.hook]\ntype = "webhook"\nurl = "{receiver.url}"\n'
    places.config_file.write_text(
        f"""version = 1
[notify]
quiet = "22:00-07:00"
{hook}
[channels.mail]
to = ["ann@example.com"]
server = "smtp://127.0.0.1:9"
digest = "Mon 08:00"
only_if_older_than = "3d"
[channels.phone]
type = "ntfy"
topic = "backups"
enabled = false
[channels.kuma]
[channels.house]
type = "mqtt"
url = "mqtt://broker.example.com"
[jobs.home]
command = ["true"]
notify = ["failure", "overdue"]
[jobs.'{HOSTILE}']
command = ["true"]
"""
    )


@contextmanager
def opened(
    desk: Desktop, places: Places, folder: Path, page: str = "notifications", theme: str = "Adwaita"
) -> Iterator[Driven]:
    """Open the window with the configuration of *places*."""
    env = {**desk.env, "BACKUP_TRAY_HOME": str(places.state.parent), "GTK_THEME": theme}
    with driven(folder, env, statuses.judged(statuses.ended("home"), statuses.ended(HOSTILE)), page) as window:
        yield window


def card(window: Driven, name: str) -> str:
    """The text of a channel's card."""
    return str(window.script(f"return document.querySelector('[data-key=channel-{name}]').innerText"))


def test_a_test_arrives_or_says_why_not_while_the_page_goes_on(
    desk: Desktop, places: Places, receiver: Receiver, tmp_path: Path
) -> None:
    """The button is busy as long as the receiver does not answer; other pages and other channels work meanwhile."""
    configure(places, receiver)
    with opened(desk, places, tmp_path / "w") as window:
        window.wait("h1", "Notifications")
        assert "Not tried yet" in card(window, "hook")
        assert "Turned off" in card(window, "phone")
        assert "needs `url`".replace("`", "") in card(window, "kuma")
        receiver.let_go.clear()
        window.click("[data-key=channel-hook] button", "Test")
        wait_for(lambda: receiver.bodies, what="the message at the receiver")
        assert window.read("[data-key=channel-hook] button") == "Testing…"
        window.click("[data-key=channel-mail] button", "Test")
        window.wait("[data-key=channel-mail] .banner", "127.0.0.1:9")
        assert "Testing…" in card(window, "hook")
        window.script("BT.visit('dashboard')")
        window.wait("#page[data-page=dashboard] h1")
        window.script("BT.visit('notifications')")
        window.wait("[data-key=channel-hook] button", "Testing…")
        receiver.let_go.set()
        window.wait("[data-key=channel-hook] .tag", "Sent")
        window.wait("[data-key=channel-hook] .tag", "Ready")
        window.wait("[data-key=channel-mail] .tag", "Cannot send")
        assert window.read(".hero", "cannot send")
        assert [body["type"] for body in receiver.bodies] == ["backup.test"]
        window.keep("window-notifications.png")
        receiver.code = 500
        window.script("document.querySelector('[data-key=channel-hook] button').focus()")
        window.hand("key", "Return")
        assert "HTTP 500" in window.read("[data-key=channel-hook] .banner", "The message was not sent by hook.")
        window.wait("[data-key=channel-hook] .tag", "Cannot send")
        label = "return document.activeElement.getAttribute('aria-label')"
        wait_for(lambda: window.script(label) == "Test hook", what="the focus on the button that was pressed")


def test_messages_about_a_job_rest_and_the_page_ends_it(desk: Desktop, places: Places, tmp_path: Path) -> None:
    """From the page of the job, whose name holds markup, to the list of all rests; by keyboard."""
    configure(places, None)
    with opened(desk, places, tmp_path / "w", "dashboard") as window:
        window.click(".jobs button", HOSTILE)
        window.wait("#card-messages select")
        window.script("document.getElementById('length').focus()")
        window.hand("key", "Down")
        window.hand("key", "Tab")
        window.hand("key", "Return")
        window.wait("#card-messages .tag", "Resting")
        (rest,) = snooze.rests(places)
        assert rest.job == HOSTILE
        assert clock.DAY_MS - 600_000 < rest.until_ms - clock.now_ms() <= clock.DAY_MS
        assert window.script("return document.activeElement.dataset.do") == "end-snooze"
        window.click("#card-messages button", "Notifications")
        assert HOSTILE in window.read("#page .card", "rest until")
        window.click("[data-do=end-rest]")
        wait_for(lambda: not snooze.rests(places), what="the end of the rest")
        wait_for(lambda: window.find("[data-do=end-rest]") is None, what="the page without it")
        window.script(f"BT.visit(BT.jobPage({json.dumps(HOSTILE)}))")
        window.click("[data-do=snooze]")
        window.click("[data-do=end-snooze]")
        window.wait("#card-messages select")
        assert snooze.rests(places) == []


def test_a_job_is_turned_off_until_a_day(desk: Desktop, places: Places, tmp_path: Path) -> None:
    """A day that is none is answered in the card, and the page says until when the job is off."""
    configure(places, None)
    with opened(desk, places, tmp_path / "w", "job/home") as window:
        window.type("#off-until", "soon")
        window.hand("key", "Return")
        window.wait("#card-off .banner", "A date is written like 2026-12-24.")
        window.type("#off-until", "2099-12-24")
        window.click("#turn-off")
        window.wait("#card-off .tag", "Off until 2099-12-24")
        assert jobs.load(places).jobs["home"].is_off(clock.now_ms())
        window.keep("window-job-off.png")
        window.click("#card-off button", "Turn it on")
        window.wait("#off-until")
        assert not jobs.load(places).jobs["home"].is_off(clock.now_ms())


def test_the_dashboard_leads_to_a_channel_that_cannot_send(desk: Desktop, places: Places, tmp_path: Path) -> None:
    """The real status names the channel after a test that failed, and its link opens the page."""
    configure(places, None)
    outages.remember(places, "mail", "The mail server 127.0.0.1:9 cannot be reached: Connection refused.")
    env = {**desk.env, "BACKUP_TRAY_HOME": str(places.state.parent)}
    with driven(tmp_path / "w", env, fed=False) as window:
        try:
            assert "Connection refused" in window.read(".note.warn", "Messages by mail cannot be sent")
            window.keep("window-dashboard-unsent.png")
            window.click(".note.warn button", "Notifications")
            window.wait("[data-key=channel-mail] .tag", "Cannot send")
        finally:
            end_tracker(places)


def test_without_a_channel_the_page_shows_how_to_add_each(desk: Desktop, places: Places, tmp_path: Path) -> None:
    """The desktop alone is told; each kind of channel has its lines and a button that copies them."""
    with opened(desk, places, tmp_path / "w") as window:
        assert "this desktop only" in window.read("#page", "Be told elsewhere, too")
        for kind in ("Mail", "ntfy", "Webhook", "Apprise", "healthchecks", "Uptime Kuma", "Home Assistant"):
            window.wait("summary", kind)
        window.click("summary", "Mail")
        assert "[channels.mail]" in window.read(".copybox", "smtp://")
        window.click("details[open] [data-do=copy]")
        window.wait("details[open] [data-do=copy]", "Copied")
        window.script("BT.visit('guide')")
        window.click("summary", "Uptime Kuma")
        window.wait(".copybox", "[channels.kuma]")


@pytest.mark.parametrize("theme", ["Adwaita", "Adwaita:dark"], ids=["light", "dark"])
def test_the_page_fits_narrow_windows_in_both_themes(
    desk: Desktop, places: Places, receiver: Receiver, tmp_path: Path, theme: str
) -> None:
    """Nothing is cut off, every text has contrast, and each target has size; a refused test and a rest are on it."""
    configure(places, receiver)
    outages.remember(places, "mail", "The mail server 127.0.0.1:9 cannot be reached: Connection refused.")
    snooze.put(places, "home", clock.now_ms() + clock.DAY_MS)
    with opened(desk, places, tmp_path / "w", theme=theme) as window:
        window.click("[data-key=channel-hook] button", "Test")
        window.wait("[data-key=channel-hook] .tag", "Sent")
        window.click("[data-key=channel-mail] button", "Test")
        window.wait("[data-key=channel-mail] .banner", "127.0.0.1:9")
        for width in (1080, 576, 400):
            window.resize(width, 1400)
            assert window.script("return document.documentElement.scrollWidth <= innerWidth"), width
            assert window.script(_PALE_TEXTS) == []
            assert window.script(_SMALL_TARGETS) == []
            window.keep(f"window-notifications-{width}-{theme.replace(':', '-')}.png")
        window.script("BT.visit('job/home')")
        window.wait("#card-messages .tag", "Resting")
        window.resize(1080, 1400)
        assert window.script(_PALE_TEXTS) == []
        assert window.script(_SMALL_TARGETS) == []
        window.keep(f"window-job-rests-{theme.replace(':', '-')}.png")
