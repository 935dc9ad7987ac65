"""A headless desktop for tests: X server, session bus, window manager, notifications and, as asked, a panel.

The fixture starts each process, waits until it is ready, and ends it by its id. Nothing here sleeps for luck: waits poll with a
deadline.
"""

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dbus_fast import Message, MessageType, unpack_variants
from dbus_fast.aio import MessageBus
from PIL import Image

from tests.waiting import wait_for

REPOSITORY = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT = 1280, 800
AGAIN_SECONDS = 6.0
"""Seconds that a tooltip may take before the pointer moves there again."""
PANEL_HEIGHT = 32
ITEM = "org.kde.StatusNotifierItem"
WATCHER = "org.kde.StatusNotifierWatcher"
MENU = "com.canonical.dbusmenu"

_PANEL_SETTINGS = """<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array"><value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="length" type="uint" value="100"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="size" type="uint" value="32"/>
      <property name="plugin-ids" type="array">
        <value type="int" value="1"/><value type="int" value="2"/><value type="int" value="3"/>
      </property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="tasklist"/>
    <property name="plugin-2" type="string" value="separator">
      <property name="expand" type="bool" value="true"/><property name="style" type="uint" value="0"/>
    </property>
    <property name="plugin-3" type="string" value="systray"/>
  </property>
</channel>
"""


class Desktop:
    """A running desktop.

    Args:
        folder: A folder of its own, for HOME, sockets and logs.
        host: The panel that shows icons: "xfce" (StatusNotifierItem), "trayer" (XEmbed), or "none".
    """

    def __init__(self, folder: Path, host: str = "xfce") -> None:
        self.folder, self.host = folder, host
        self.started: list[subprocess.Popen[bytes]] = []
        self._logs = folder / "logs"
        home, runtime = folder / "home", folder / "run"
        for made in (self._logs, home):
            made.mkdir(parents=True)
        runtime.mkdir(mode=0o700)
        keep = {
            name: value
            for name, value in os.environ.items()
            if name not in ("WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS")
        }
        self.env: dict[str, str] = keep | {
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(runtime),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "XDG_CACHE_HOME": str(home / ".cache"),
            "XDG_SESSION_TYPE": "x11",
            "GDK_BACKEND": "x11",
            "NO_AT_BRIDGE": "1",
        }
        self.panel: subprocess.Popen[bytes] | None = None
        self.spot = (WIDTH - 12, 16 if host == "xfce" else HEIGHT - 16)

    # Life.

    def start(self) -> None:
        """Start everything and wait until it is there."""
        screen = f"{WIDTH}x{HEIGHT}x24"
        number = self._announced(
            ["Xvfb", "-displayfd", "{fd}", "-screen", "0", screen, "-nolisten", "tcp", "-noreset"], "xvfb"
        )
        self.env["DISPLAY"] = f":{number}"
        self.start_bus()
        self.run("openbox")
        self.run("dunst")
        wait_for(lambda: self.owned("org.freedesktop.Notifications"), what="dunst")
        self.start_panel()

    def start_bus(self) -> None:
        """Start a session bus; processes started from now on use it."""
        self.env["DBUS_SESSION_BUS_ADDRESS"] = self._announced(
            ["dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address={fd}"], "dbus"
        )
        self.bus = self.started[-1]

    def start_panel(self) -> None:
        """Start the panel and wait until it takes icons."""
        if self.host == "xfce":
            settings = Path(self.env["XDG_CONFIG_HOME"], "xfce4/xfconf/xfce-perchannel-xml/xfce4-panel.xml")
            settings.parent.mkdir(parents=True, exist_ok=True)
            settings.write_text(_PANEL_SETTINGS)
            self.panel = self.run("xfce4-panel", "--disable-wm-check")
            wait_for(lambda: self.owned(WATCHER), what="the panel's StatusNotifierWatcher")
        elif self.host == "trayer":
            options = "--edge bottom --align right --widthtype request --height 32 --SetDockType true --expand true"
            self.panel = self.run("trayer", *options.split())
            wait_for(self._has_xembed, what="trayer's selection")

    def _has_xembed(self) -> bool:
        from tray.icon import xembed

        return xembed.has_tray(self.env)

    def stop_panel(self) -> None:
        """End the panel as if it had crashed."""
        assert self.panel is not None
        self.end(self.panel, kill=True)
        self.panel = None

    def close(self) -> None:
        """End everything that was started, the newest first."""
        for process in reversed(self.started):
            self.end(process)

    def end(self, process: subprocess.Popen[bytes], *, kill: bool = False) -> int:
        """End a process that this desktop started, and return its exit code."""
        if process.poll() is None:
            process.kill() if kill else process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
        return process.wait(60)

    def run(self, *argv: str, log: str = "", env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a program on this desktop, its output in `logs/`."""
        with (self._logs / f"{log or Path(argv[0]).name}.log").open("ab") as output:
            process = subprocess.Popen(
                argv,
                env=self.env | dict(env or {}),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self.started.append(process)
        return process

    def tray(self, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start our tray, or another command of ours."""
        return self.run(sys.executable, "-m", "tray", *arguments, log="tray", env=env)

    def log(self, name: str) -> str:
        """Return a program's output so far."""
        path = self._logs / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _announced(self, argv: Sequence[str], log: str) -> str:
        """Start a program that writes one line to a descriptor when it is ready, and return the line."""
        reader, writer = os.pipe()
        try:
            with (self._logs / f"{log}.log").open("ab") as output:
                command = [word.format(fd=writer) for word in argv]
                self.started.append(
                    subprocess.Popen(command, env=self.env, pass_fds=(writer,), stdout=output, stderr=output)
                )
        finally:
            os.close(writer)
        with os.fdopen(reader) as ready:
            line = ready.readline().strip()
        assert line, f"{argv[0]} did not start: {self.log(log)}"
        return line

    # The bus.

    def call(
        self, to: str, path: str, interface: str, member: str, signature: str = "", *values: Any
    ) -> list[Any] | None:
        """Call a method on the session bus; None if it failed."""
        return asyncio.run(self._call(to, path, interface, member, signature, values))

    async def _call(
        self, to: str, path: str, interface: str, member: str, signature: str, values: Sequence[Any]
    ) -> list[Any] | None:
        bus = await MessageBus(bus_address=self.env["DBUS_SESSION_BUS_ADDRESS"]).connect()
        try:
            call = Message(to, path, interface, member, signature=signature, body=list(values))
            reply = await asyncio.wait_for(bus.call(call), 10)
        finally:
            bus.disconnect()
        return unpack_variants(reply.body) if reply and reply.message_type is MessageType.METHOD_RETURN else None

    def owned(self, name: str) -> bool:
        """Return whether a process owns *name* on the session bus."""
        bus = "org.freedesktop.DBus"
        return bool((self.call(bus, "/org/freedesktop/DBus", bus, "NameHasOwner", "s", name) or [False])[0])

    def get(self, to: str, path: str, interface: str, name: str) -> Any:
        """Return a property, None if it cannot be had."""
        reply = self.call(to, path, "org.freedesktop.DBus.Properties", "Get", "ss", interface, name)
        return reply and reply[0]

    def items(self) -> list[str]:
        """Return the bus names of the icons that the panel knows."""
        known = self.get(WATCHER, "/StatusNotifierWatcher", WATCHER, "RegisteredStatusNotifierItems") or []
        return [item.partition("/")[0] for item in known]

    def item(self) -> str:
        """Wait for the one icon and return its bus name."""
        return wait_for(lambda: self.items()[:1], what="an icon in the panel")[0]

    def tooltip(self, item: str) -> str:
        """Return the icon's tooltip, as a panel reads it."""
        _, _, title, body = self.get(item, "/StatusNotifierItem", ITEM, "ToolTip") or ("", [], "", "")
        return f"{title}\n{body}" if body else str(title)

    def menu(self, item: str) -> dict[str, tuple[int, bool]]:
        """Return the menu: id and whether it can be chosen, by label."""
        reply = self.call(item, "/MenuBar", MENU, "GetLayout", "iias", 0, -1, [])
        assert reply is not None
        entries = [(child[0], child[1]) for child in reply[1][2]]
        return {row["label"]: (number, row["enabled"]) for number, row in entries if "label" in row}

    def choose(self, item: str, label: str) -> None:
        """Click an item of the menu, as a panel does."""
        from dbus_fast import Variant

        number, _ = self.menu(item)[label]
        assert self.call(item, "/MenuBar", MENU, "Event", "isvu", number, "clicked", Variant("i", 0), 0) is not None

    # The screen. `spot` is where the icon is: Xfce's panel is at the top, trayer at the bottom, both begin at the right.

    def screenshot(self, path: Path) -> Image.Image:
        """Take a picture of the whole screen."""
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["import", "-window", "root", str(path)], env=self.env, check=True, timeout=60)
        with Image.open(path) as picture:
            return picture.convert("RGB")

    def corner(self, path: Path) -> Image.Image:
        """Take a picture of the right end of the panel, where the icon is."""
        _, y = self.spot
        return self.screenshot(path).crop((WIDTH - 40, y - PANEL_HEIGHT // 2, WIDTH, y + PANEL_HEIGHT // 2))

    def point(self, x: int, y: int) -> None:
        """Move the pointer there, in two steps as a hand does."""
        for step in (3, 0):
            self.xdotool("mousemove", str(x - step), str(y))

    def hover(self) -> tuple[int, int, int, int]:
        """Point at the icon and wait for its tooltip to be drawn; returns its place: x, y, width, height."""
        empty = self.screenshot(self.folder / "pictures/empty.png")
        pointed = 0.0

        def shown() -> tuple[int, int, int, int] | None:
            nonlocal pointed
            # A panel that is just drawing may miss that the pointer came.
            if time.monotonic() - pointed > AGAIN_SECONDS:
                self.away()
                self.point(*self.spot)
                pointed = time.monotonic()
            return self._drawn("TOOLTIP", empty)

        return wait_for(shown, what="a tooltip on the screen")

    def _drawn(self, kind: str, before: Image.Image) -> tuple[int, int, int, int] | None:
        """Return the place of a window of a kind once the screen has changed there, so that it is placed and painted."""
        if (place := self._placed(kind)) is None:
            return None
        x, y, width, height = place
        box = (max(x, 0), max(y, 0), min(x + width, WIDTH), min(y + height, HEIGHT))
        now = self.screenshot(self.folder / "pictures/now.png").crop(box)
        return place if now.tobytes() != before.crop(box).tobytes() else None

    def click(self, button: int) -> None:
        """Click the icon."""
        self.point(*self.spot)
        self.xdotool("click", str(button))

    def away(self) -> None:
        """Point at nothing: neither at the icon nor into a window, whose buttons would light up."""
        self.point(20, HEIGHT // 2)

    def xdotool(self, *arguments: str) -> None:
        """Move the pointer and press keys and buttons with xdotool."""
        subprocess.run(["xdotool", *arguments], env=self.env, check=True, timeout=60)

    def windows(self) -> list[tuple[str, int, int, int, int]]:
        """Return id, x, y, width and height of every top window, the invisible ones included."""
        listed = subprocess.run(
            ["xwininfo", "-root", "-children"], env=self.env, capture_output=True, text=True, timeout=60
        )
        rows = re.findall(
            r"^ +(0x[0-9a-f]+) .* (\d+)x(\d+)\+-?\d+\+-?\d+ +\+(-?\d+)\+(-?\d+)$", listed.stdout, re.MULTILINE
        )
        return [(row[0], int(row[3]), int(row[4]), int(row[1]), int(row[2])) for row in rows]

    def titles(self, part: str) -> list[str]:
        """Return the ids of visible windows whose title holds *part*."""
        command = ["xdotool", "search", "--onlyvisible", "--name", part]
        return subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=60).stdout.split()

    def menu_place(self) -> tuple[int, int, int, int] | None:
        """Return where a menu is open: x, y, width, height; None if there is none."""
        return self._placed("POPUP_MENU") or self._placed("DROPDOWN_MENU")

    def _placed(self, kind: str) -> tuple[int, int, int, int] | None:
        """Return the place of the first visible window of a kind."""
        return next(iter(self.places(kind)), None)

    def places(self, kind: str) -> list[tuple[int, int, int, int]]:
        """Return the places of the visible windows of a kind (EWMH, _NET_WM_WINDOW_TYPE): x, y, width, height."""
        return [
            (place[0], place[1], place[2], place[3])
            for window, *place in self.windows()
            if kind in self._output("xprop", "-id", window, "_NET_WM_WINDOW_TYPE")
            and "IsViewable" in self._output("xwininfo", "-id", window)
        ]

    def _output(self, *argv: str) -> str:
        return subprocess.run(argv, env=self.env, capture_output=True, text=True, timeout=60).stdout


@contextmanager
def desktop(folder: Path, host: str = "xfce") -> Iterator[Desktop]:
    """Run a desktop in *folder* for as long as the block lasts."""
    made = Desktop(folder, host)
    try:
        made.start()
        yield made
    finally:
        made.close()
