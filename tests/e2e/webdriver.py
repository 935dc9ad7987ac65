"""Drive the real window as a user does: selenium, WebKitWebDriver, the real page."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from PIL import Image
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.client_config import ClientConfig
from selenium.webdriver.remote.remote_connection import RemoteConnection
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.webkitgtk.options import Options
from selenium.webdriver.webkitgtk.service import Service
from urllib3.exceptions import ReadTimeoutError

from tests.e2e import automated
from tests.e2e.trays import keep
from tests.mounts import mounted
from tests.waiting import over, wait_for
from tray.core.model import Status

REPOSITORY = Path(__file__).resolve().parents[2]
DRIVER = "/usr/bin/WebKitWebDriver"

# The driver's own text of an element lacks the part that `overflow` cuts off.
_HOLDING = """
const [selector, text] = arguments;
return [...document.querySelectorAll(selector)].find((one) => one.checkVisibility() && one.innerText.includes(text)) || null
"""


class Driven:
    """A window under control.

    Args:
        folder: For the launcher, the statuses and the printed output.
        env: The environment of a desktop, with BACKUP_TRAY_HOME.
        fed: The test sets the status (`push`); otherwise the window shows the real one.
        mount: Shell commands that give the window mounts of its own.
    """

    def __init__(
        self, folder: Path, env: Mapping[str, str], page: str = "dashboard", *, fed: bool = True, mount: str = ""
    ) -> None:
        self.folder = folder
        self._times = folder / "times"
        self._pid_file, self._fifo = folder / "window.pid", folder / "statuses"
        self.env = dict(env) | {automated.PID_FILE: str(self._pid_file), "PYTHONPATH": str(REPOSITORY)}
        self.env["BACKUP_TRAY_WINDOW_TIMES"] = str(self._times)
        if fed:
            os.mkfifo(self._fifo)
            self.env[automated.STATUSES] = str(self._fifo)
        self._launcher = folder / "launch"
        words = f'"{sys.executable}" -m tests.e2e.automated {page} "$@" 2>"{folder}/window.err"'
        if mount:  # the driver's own variable may not reach it through sudo
            kept = shlex.join(mounted(mount, "env", *(f"{name}={value}" for name, value in self.env.items())))
            words = f'{kept} WEBKIT_INSPECTOR_SERVER="$WEBKIT_INSPECTOR_SERVER" {words}'
        self._launcher.write_text(f"#!/bin/sh\nexec {words}\n")
        self._launcher.chmod(0o755)
        self._fed = fed
        self._feed: Any = None

    def start(self, first: Status | None = None) -> None:
        """Start driver and window; *first* is the status that the window finds."""
        if self._fed:
            self._feed = os.fdopen(os.open(self._fifo, os.O_RDWR), "w", encoding="utf-8")
            if first is not None:
                self.push(first)
        options = Options()
        options.binary_location = str(self._launcher)
        options.add_argument("--automation")
        options.set_capability("browserName", automated.NAME)
        options.set_capability("browserVersion", "1.0")
        options.page_load_strategy = "none"  # nothing is ever loaded; a refused navigation must not be waited for
        self._service = Service(DRIVER, env=self.env)
        self._service.start()
        connection = RemoteConnection(client_config=ClientConfig(self._service.service_url, timeout=20))
        self.driver = webdriver.Remote(command_executor=connection, options=options)
        # A script that the driver sends while the page is still being loaded may never be answered.
        wait_for(lambda: self._times.exists() and self._times.read_text(), what="the page to be shown")
        self.wait("#page[data-page]")

    @property
    def pid(self) -> int:
        """The window's process."""
        return int(self._pid_file.read_text())

    def push(self, status: Status) -> None:
        """Make *status* the present one."""
        self._feed.write(automated.encode(status))
        self._feed.flush()

    def close(self) -> None:
        """End driver and window."""
        try:
            self.driver.quit()
        except (AttributeError, WebDriverException):
            pass
        try:
            self._service.stop()
        except AttributeError:
            pass  # it never started
        if self._pid_file.exists() and psutil.pid_exists(self.pid):
            end_tree(self.pid)
        if self._feed is not None:
            self._feed.close()

    # -- eyes and hands

    def find(self, selector: str) -> WebElement | None:
        """Return the first element for a CSS *selector* that can be seen, or None."""
        try:
            return next(
                (element for element in self.driver.find_elements(By.CSS_SELECTOR, selector) if element.is_displayed()),
                None,
            )
        except WebDriverException:
            return None

    def wait(self, selector: str, text: str = "") -> WebElement:
        """Wait for an element that can be seen and holds *text*."""
        try:
            element = wait_for(lambda: self._holding(selector, text), what=f"{selector} with {text!r}")
        except AssertionError as error:
            raise AssertionError(f"{error}; the page says: {self.text()[:800]!r}") from None
        assert element is not None
        return element

    def read(self, selector: str, text: str = "") -> str:
        """Wait for an element that holds *text* and return its whole text."""
        return str(self.script("return arguments[0].innerText", self.wait(selector, text)))

    def _holding(self, selector: str, text: str) -> WebElement | None:
        try:
            element = self.script(_HOLDING, selector, text)
            return element if isinstance(element, WebElement) else None
        except WebDriverException:
            return None

    def text(self) -> str:
        """Return the page's whole visible text."""
        try:
            return str(self.script("return document.body.innerText"))
        except (AttributeError, WebDriverException):
            return "nothing"

    def click(self, selector: str, text: str = "") -> None:
        """Click an element, as soon as it can be seen; also if the page draws it anew meanwhile."""

        def clicked() -> bool:
            try:
                self.wait(selector, text).click()
            except StaleElementReferenceException:
                return False
            return True

        wait_for(clicked, what=f"a click on {selector}")

    def type(self, selector: str, text: str) -> None:
        """Replace the text of a field."""
        field = self.wait(selector)
        field.clear()
        field.send_keys(text)

    def script(self, body: str, *arguments: Any) -> Any:
        """Run JavaScript as the driver does, beside the page's policy.

        Under load WebKitWebDriver loses an answer now and then, and answers the next question: so this asks twice.
        """
        try:
            return self.driver.execute_script(body, *arguments)
        except ReadTimeoutError:
            return self.driver.execute_script(body, *arguments)

    def ask(self, name: str, message: Any, ident: str = "777") -> None:
        """Send a raw message through pywebview's door, as a hostile script in the page would."""
        self.script("window.pywebview._jsApiCallback(arguments[0], arguments[1], arguments[2])", name, message, ident)

    def keep(self, name: str) -> None:
        """Save a picture for the README, as `trays.keep` does."""

        def painted() -> Image.Image | None:
            with Image.open(self.picture(self.folder / name)) as picture:
                shown = picture.convert("RGB")
            return shown if len(shown.getcolors(shown.width * shown.height) or ()) > 32 else None

        screen = wait_for(painted, what="something on the screen")
        assert screen is not None
        keep(screen, name)

    def hand(self, *arguments: str) -> str:
        """Run xdotool and return its output."""
        done = subprocess.run(["xdotool", *arguments], env=self.env, capture_output=True, text=True, timeout=60)
        return done.stdout.strip()

    def picture(self, path: Path) -> Path:
        """Save a picture of the window as it is on the screen; the driver's own never comes back after some scrolling."""
        path.parent.mkdir(parents=True, exist_ok=True)
        window = self.hand(
            "search", "--all", "--onlyvisible", "--pid", str(self.pid), "--name", "^Backup Status$"
        ).split()[0]
        subprocess.run(["import", "-window", window, str(path)], env=self.env, check=True, timeout=60)
        return path

    def resize(self, width: int, height: int) -> None:
        """Give the window another size."""
        self.driver.set_window_size(width, height)
        wait_for(lambda: abs(int(self.script("return innerWidth")) - width) < 40, what=f"a width of {width}")


@contextmanager
def driven(
    folder: Path,
    env: Mapping[str, str],
    first: Status | None = None,
    page: str = "dashboard",
    *,
    fed: bool = True,
    mount: str = "",
) -> Iterator[Driven]:
    """Run a window under control for as long as the block lasts."""
    folder.mkdir(parents=True, exist_ok=True)
    window = Driven(folder, env, page, fed=fed, mount=mount)
    try:
        window.start(first)
        yield window
    finally:
        window.close()


def end_tree(pid: int) -> None:
    """End a process that a test started, with its children; skip a process that has just ended."""
    try:
        process = psutil.Process(pid)
        family = [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.send_signal(signal.SIGKILL)
    wait_for(lambda: over(family), what="the end of a process")


def gone(pids: list[int]) -> Callable[[], bool]:
    """Return a question: have all these processes ended?"""

    def ask() -> bool:
        with suppress(psutil.NoSuchProcess):
            return over(psutil.Process(pid) for pid in pids if psutil.pid_exists(pid))
        return False  # asked again

    return ask
