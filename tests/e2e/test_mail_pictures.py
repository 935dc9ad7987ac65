"""Mails in a real web view: nothing wider than the screen, light and dark, and pictures to look at."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.e2e.trays import keep
from tests.unit.notify.mail.samples import DAY, NASTY, NOW, digest, failure, message, recovered
from tests.waiting import wait_for
from tray.core.clock import to_text
from tray.core.model.events import Event, EventKind
from tray.notify.mail import as_html
from tray.notify.mail.letter import letter

REPOSITORY = Path(__file__).resolve().parents[2]
HEIGHT = 2600
WEEK = ["", "", "kept", "kept", "kept", "kept", "kept"]


def row(job: str, state: str, word: str, good: int, due: int, size: int, days: list[str]) -> dict[str, Any]:
    """A job of a digest; *good* and *due* are hours before and after now."""
    times = {"last_good": to_text(NOW - good * 3_600_000), "next": to_text(NOW + due * 3_600_000)}
    return {"job": job, "state": state, "word": word, "bytes": size, "days": days, **times}


FINE = [row(job, "ok", "Fine", 12, 12, 4_312_000_000, ["kept"] * 28) for job in ("home", "photos", "mail", "web")]
OVERDUE = [
    row("photos", "overdue", "Overdue", 170, -150, 81_312_000_000, [*["kept"] * 20, "late", *["missed"] * 7]),
    row("database", "failed", "Failed", 18, 6, 1_312_000_000, [*WEEK * 3, *WEEK[:6], "missed"]),
    row("laptop", "ok", "Fine", 40, 3, 912_000_000, [*["kept"] * 9, *["asleep"] * 4, *["kept"] * 15]),
    *FINE[2:],
]
BAD_LINES = ["photos: overdue since 2026-09-15 06:00, last good 7 days ago.", "database: failed 1 hour ago."]
STILL = {"title": "2 backups still need a look", "lines": BAD_LINES}
LONG = "restic: Fatal: unable to open repository at sftp:backup@very-long-host.example.com:/srv/" + "deep/" * 40
MAILS: Mapping[str, tuple[Event, ...]] = {
    "failure": (failure(),),
    "recovered": (recovered(since_ms=NOW - DAY),),
    "many": (failure(), failure(id="e2", job=NASTY, reason=LONG, run="x" * 90), recovered(id="e3", job="web")),
    "digest-fine": (digest(FINE, title="All 4 backups are fine"),),
    "digest-overdue": (digest(OVERDUE, title="1 of 5 backups failed, 1 is overdue", state="failed", lines=BAD_LINES),),
    "reminder": (Event("r", EventKind.REMINDER, NOW, facts=STILL),),
}


SHOWN = {("failure", 600, "light"): "mail-failure.png", ("digest-overdue", 600, "dark"): "mail-digest.png"}
"""The pictures of the page about channels."""


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a tall screen."""
    reader, writer = os.pipe()
    size = f"620x{HEIGHT}x24"
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-screen", "0", size, "-nolisten", "tcp", "-noreset"],
        pass_fds=(writer,),
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    with os.fdopen(reader) as ready:
        number = ready.readline().strip()
    home = tmp_path_factory.mktemp("home")
    own = {"DISPLAY": f":{number}", "HOME": str(home), "GDK_BACKEND": "x11", "NO_AT_BRIDGE": "1", "TZ": "UTC"}
    yield {**os.environ, **own, "XDG_CACHE_HOME": str(home), "DBUS_SESSION_BUS_ADDRESS": "disabled:"}
    server.terminate()
    server.wait(30)


@pytest.mark.usefixtures("utc")
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [600, 320])
@pytest.mark.parametrize("name", MAILS)
def test_a_mail_fits_its_screen(screen: dict[str, str], tmp_path: Path, name: str, width: int, theme: str) -> None:
    """The reader scrolls down only, in the colours of the desktop, and sees every command."""
    written = letter(message(*MAILS[name]), "nas")
    page = tmp_path / "mail.html"
    page.write_text(as_html.written(written))
    gtk = {"GTK_THEME": "Adwaita:dark" if theme == "dark" else "Adwaita"}
    argv = [sys.executable, "-m", "tests.e2e.mail_page", str(page), str(width), str(HEIGHT)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(argv, env=screen | gtk, cwd=REPOSITORY, **pipes) as shown:  # it ends with its standard input
        assert shown.stdout is not None
        known = json.loads(next(line for line in shown.stdout if line.startswith(b"{")))
        picture = grabbed(screen, tmp_path / "screen.png", width, int(known["height"]), theme)
        shown.communicate()
    keep(picture, SHOWN.get((name, width, theme), f"mail-{name}-{theme}-{width}.png"))
    assert known["width"] <= width
    assert known["dark"] is (theme == "dark")
    for command in (*written.commands, *(command for card in written.cards for command in card.commands)):
        assert command in known["text"]


def grabbed(env: dict[str, str], file: Path, width: int, height: int, theme: str) -> Image.Image:
    """Return the picture of the page once it is painted, in the background of its theme."""
    background = (21, 24, 28) if theme == "dark" else (244, 246, 248)

    def painted() -> Image.Image | None:
        subprocess.run(["import", "-window", "root", str(file)], env=env, check=True, timeout=60)
        with Image.open(file) as whole:
            picture = whole.convert("RGB").crop((0, 0, width, min(height, HEIGHT)))
        colours = picture.getcolors(picture.width * picture.height) or ()
        return picture if len(colours) > 32 and picture.getpixel((2, 2)) == background else None

    picture = wait_for(painted, what="the mail on the screen")
    assert picture is not None
    return picture
