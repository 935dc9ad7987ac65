"""Real programs that show notifications, each on a desktop of its own: dunst, Xfce's and mako."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path

import psutil

from tests.e2e.desktop import Desktop, desktop
from tests.e2e.program import started_itself
from tests.notification_doubles import private_bus
from tests.waiting import over, wait_for
from tray.core import paths
from tray.core.paths import Places
from tray.core.sender import PART
from tray.notify import queue_file

NOTIFICATIONS = "org.freedesktop.Notifications"
XFCE = next(Path("/usr/lib").glob("*/xfce4/notifyd/xfce4-notifyd"), Path("xfce4-notifyd"))
_NOBODY = 65534
_CHOOSE = '#!/bin/sh\nread -r label < {wish}; exec grep -F -m 1 -- "#$label"\n'
"""Stands for dmenu: dunst writes the buttons to it, a line each, and reads the one that was chosen."""


class Shower:
    """A program that shows notices.

    Attributes:
        env: The environment of its desktop.
    """

    env: dict[str, str]

    def shown(self) -> int:
        """Return how many notices are open."""
        raise NotImplementedError

    def press(self, label: str) -> None:
        """Press the button *label* of the only notice."""
        raise NotImplementedError


class Dunst(Shower):
    """dunst on X11; `text` holds the notices that it has shown."""

    def __init__(self, desk: Desktop, *, light: bool = False) -> None:
        self.desk, self.env = desk, desk.env
        self._wish, self._log, self._settings = (desk.folder / name for name in ("wish", "notices", "dunstrc"))
        (desk.folder / "choose").write_text(_CHOOSE.format(wish=shlex.quote(str(self._wish))))
        (desk.folder / "note").write_text(
            f'#!/bin/sh\nprintf "%s\\n%s\\n\\0" "$DUNST_SUMMARY" "$DUNST_BODY" >> {shlex.quote(str(self._log))}\n'
        )
        for script in ("choose", "note"):
            (desk.folder / script).chmod(0o755)
        settings = Path("/etc/xdg/dunst/dunstrc").read_text()
        if light:
            for dark, bright in (
                ('"#222222"', '"#f4f4f4"'),
                ('"#285577"', '"#ffffff"'),
                ('"#900000"', '"#ffe0e0"'),
                ('foreground = "#ffffff"', 'foreground = "#202020"'),
                ('foreground = "#888888"', 'foreground = "#505050"'),
            ):
                settings = settings.replace(dark, bright)
        settings = settings.replace("dmenu = /usr/bin/dmenu -p dunst:", f"dmenu = {desk.folder}/choose")
        self._settings.write_text(f"{settings}\n[noted]\n    summary = *\n    script = {desk.folder}/note\n")
        for process in desk.started:
            if process.args == ("dunst",):
                desk.end(process)
        self.start()

    def start(self) -> None:
        """Start it."""
        self.process = self.desk.run("dunst", "-conf", str(self._settings))
        wait_for(lambda: self.desk.owned(NOTIFICATIONS), what="dunst")

    def shown(self) -> int:
        """Return how many notices are open."""
        return int(self._tell("count", "displayed"))

    @property
    def texts(self) -> list[str]:
        """Title and text of all notices that it has shown, in order."""
        return self._log.read_text().split("\n\0")[:-1] if self._log.exists() else []

    def press(self, label: str) -> None:
        """Choose a button in the menu of the notice."""
        self._wish.write_text(f"{label}\n")
        self._tell("context")

    def _tell(self, *words: str) -> str:
        return subprocess.run(
            ["dunstctl", *words], env=self.env, check=True, capture_output=True, text=True, timeout=60
        ).stdout


class Xfce(Shower):
    """Xfce's notification daemon on X11."""

    def __init__(self, desk: Desktop) -> None:
        self.desk, self.env = desk, desk.env
        for process in desk.started:
            if process.args == ("dunst",):
                desk.end(process)
        desk.run(str(XFCE))
        wait_for(lambda: desk.owned(NOTIFICATIONS), what="Xfce's notification daemon")

    def shown(self) -> int:
        """Return how many notices are open."""
        return len(self._places())

    def press(self, label: str) -> None:
        """Click a button of a notice about a failure: there are four, which fill its lower end."""
        labels = ("View Report", "Run Again", "Snooze 1 Day", "Details")
        (place,) = self._places()
        x, y, width, height = place
        at = x + 14 + (2 * labels.index(label) + 1) * (width - 28) // (2 * len(labels))
        self.desk.point(at, y + height - 30)
        self.desk.xdotool("click", "1")

    def _places(self) -> list[tuple[int, int, int, int]]:
        return self.desk.places("NOTIFICATION")


class Mako(Shower):
    """mako on a Wayland compositor without a screen."""

    def __init__(self, folder: Path, bus: str) -> None:
        self.started: list[subprocess.Popen[bytes]] = []
        self._logs = folder
        runtime = Path(tempfile.mkdtemp(prefix="w", dir=tempfile.gettempdir()))  # short, for sockets
        if os.geteuid() == 0:  # as root sway does not start
            os.chown(runtime, _NOBODY, _NOBODY)
        keep = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
        self.env = keep | {"XDG_RUNTIME_DIR": str(runtime), "DBUS_SESSION_BUS_ADDRESS": bus}
        (runtime / "sway.conf").write_text("xwayland disable\n")
        headless = {"WLR_BACKENDS": "headless", "WLR_LIBINPUT_NO_DEVICES": "1", "WLR_RENDERER": "pixman"}
        nobody = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        self._start(["sway", "-c", str(runtime / "sway.conf")], headless | {"HOME": str(runtime)}, **nobody)
        (socket,) = wait_for(lambda: [p for p in runtime.glob("wayland-*") if p.suffix != ".lock"], what="sway")
        self.env["WAYLAND_DISPLAY"] = socket.name
        self.mako = self._start(["mako"], {})
        wait_for(lambda: self._said().returncode == 0, what="mako")

    def _start(self, argv: list[str], env: dict[str, str], **options: object) -> "subprocess.Popen[bytes]":
        with (self._logs / f"{argv[0]}.log").open("ab") as log:
            made = subprocess.Popen(argv, env=self.env | env, stdout=log, stderr=log, cwd="/", **options)  # type: ignore[call-overload]
        self.started.append(made)
        return made

    def _said(self) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(["makoctl", "list"], env=self.env, capture_output=True, text=True, timeout=60)

    def listed(self) -> list[dict[str, dict[str, object]]]:
        """Return the open notices, as mako lists them."""
        return list(json.loads(self._said().stdout)["data"][0])

    def shown(self) -> int:
        """Return how many notices are open."""
        return len(self.listed())

    def press(self, label: str) -> None:
        """Invoke the button *label* of the only notice."""
        (notice,) = self.listed()
        actions = notice["actions"]["data"]
        assert isinstance(actions, dict)
        key = next((key for key, text in actions.items() if text == label and key != "default"), "")
        assert key, notice
        subprocess.run(["makoctl", "invoke", key], env=self.env, check=True, timeout=60)

    def close(self) -> None:
        """End mako and the compositor."""
        for process in reversed(self.started):
            process.terminate()
            process.wait(60)
        shutil.rmtree(self.env["XDG_RUNTIME_DIR"])


@contextmanager
def shower(kind: str, folder: Path) -> Iterator[Shower]:
    """Run a desktop with a notification server of *kind*; at the end no window and no sender of the test is left."""
    try:
        if kind == "mako":
            with private_bus() as bus:
                made = Mako(folder, bus)
                try:
                    yield made
                finally:
                    made.close()
        else:
            with desktop(folder / "desk", "none") as desk:
                yield Xfce(desk) if kind == "xfce" else Dunst(desk, light=kind == "dunst-light")
    finally:
        end("window")
        end(PART)
        end("tray.notify.desktop.trial")


def a_minute_passes(places: Places) -> None:
    """Let the desktop be told of the next event at once, when the sender has noted that it has told of the one before."""
    with closing(queue_file.opened(places)) as queue:
        wait_for(lambda: queue.mark("sent:desktop"), what="the note of the sender")
        queue.set_mark("sent:desktop", None)


def ours(verb: str) -> list[psutil.Process]:
    """Return the processes of this test that the program started itself with the command *verb*."""
    home, running = os.environ[paths.HOME_VARIABLE], []
    for process in psutil.process_iter(["cmdline"]):
        with suppress(psutil.Error):
            if started_itself(process.info["cmdline"], verb) and process.environ().get(paths.HOME_VARIABLE) == home:
                running.append(process)
    return running


def end(verb: str) -> None:
    """End them."""
    for process in ours(verb):
        with suppress(psutil.Error):
            process.terminate()
            wait_for(partial(over, [process]), what=f"the end of {verb}")


def pages() -> list[str]:
    """Return the pages of the windows of this test."""
    with suppress(psutil.Error):
        return [process.cmdline()[-1] for process in ours("window")]
    return []


def run(env: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of the program on that desktop."""
    argv = [sys.executable, "-m", "tray", *arguments]
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=120)
