"""The page of existing backups, in the real window: cron's real table and systemd's own folders, and a job made with a click."""

import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import statuses
from tests.e2e.desktop import Desktop, desktop
from tests.e2e.test_takeover import OWN_CRONTABS
from tests.e2e.test_takeover_systemd import SERVICE, TIMER
from tests.e2e.test_window_page import _PALE_TEXTS, _SMALL_TARGETS
from tests.e2e.webdriver import Driven, driven
from tests.waiting import wait_for
from tray.core.model import State, Status
from tray.core.paths import Places

pytestmark = pytest.mark.e2e

TABLE = r"""# my backups
RESTIC_PASSWORD_FILE=/root/secret
15 2 * * * restic -r /mnt/disk/backup backup /home/ann/Documents >/dev/null 2>&1
0 3 * * 1-5 borg create /mnt/disk/borg::{{now}} /srv/<script>alert(1)</script>
30 4 * * * /opt/nightly-backup.sh --to \%s
@reboot rclone sync /srv/photos nas:photos
0 5 * * * tar czf /mnt/disk/etc.tgz /etc
"""
NO_SYSTEM = """for folder in /usr/lib/systemd/system /usr/lib/systemd/user; do
    [ ! -d "$folder" ] || mount -t tmpfs tmpfs "$folder"
done
mount -t tmpfs tmpfs "$scratch"
mkdir "$scratch/up" "$scratch/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$scratch/up,workdir=$scratch/work" /etc
rm -rf /etc/cron.* /etc/crontab /etc/anacrontab /etc/rsnapshot.conf /etc/borgmatic* /etc/systemd"""
"""A view of the machine without backups of its own; a copy-on-write layer takes the changes and goes with the test."""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desktop]:
    """A screen without a panel."""
    with desktop(tmp_path / "desk", "none") as made:
        yield made


def mounts(tmp_path: Path, table: str) -> str:
    """The commands after which the user's crontab holds *table*; nothing of this machine is changed."""
    (tmp_path / "table").write_text(table)
    (tmp_path / "scratch").mkdir()
    take = f"crontab {tmp_path / 'table'}" if table else ""
    return f"{OWN_CRONTABS}\nscratch={tmp_path / 'scratch'}\n{NO_SYSTEM}\n{take}"


def a_timer(desk: Desktop) -> None:
    """Put a timer that is switched on into the user's own folder; systemd itself finds nothing to say against its files."""
    folder = Path(desk.env["XDG_CONFIG_HOME"], "systemd/user")
    wants = folder / "timers.target.wants"
    wants.mkdir(parents=True)
    (folder / "papers.timer").write_text(TIMER)
    (folder / "papers.service").write_text(SERVICE)
    (wants / "papers.timer").symlink_to(folder / "papers.timer")
    checked = subprocess.run(
        ["systemd-analyze", "--user", "verify", folder / "papers.timer"], env=desk.env, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stderr


def jobs(places: Places) -> dict[str, dict[str, object]]:
    """The jobs of config.toml."""
    return dict(tomllib.loads(places.config_file.read_text())["jobs"]) if places.config_file.exists() else {}


def card(window: Driven, text: str) -> str:
    """The text of the card that holds *text*."""
    return window.read(".existing", text)


def test_existing_backups_are_told_in_plain_words_and_watched_with_a_click(
    desk: Desktop, places: Places, tmp_path: Path
) -> None:
    """From the empty Dashboard to a watched job: asked first, with the rhythm of the crontab, which stays as it is."""
    a_timer(desk)
    mount = mounts(tmp_path, TABLE)
    with driven(
        tmp_path / "w", {**desk.env, "BACKUP_TRAY_HOME": str(places.state.parent)}, fed=False, mount=mount
    ) as window:
        window.wait("h1", "No backups performed")
        window.click("button", "Find backups that run here already")
        window.wait("h1", "Existing backups")
        first = card(window, "restic-Documents")
        for words in (
            "Not watched yet",
            "Every day at 02:15; next",
            "/home/ann/Documents to /mnt/disk/backup",
            "line 3",
        ):
            assert words in first
        assert "Monday to Friday at 03:00" in card(window, "borg")
        assert "/srv/<script>alert(1)</script>" in card(window, "borg")
        assert "time of Europe/Berlin, up to 20 minutes later" in card(window, "papers")
        odd = card(window, "nightly-backup.sh")
        assert "Not understood" in odd
        assert "/opt/nightly-backup.sh is not there" in odd
        assert "Its rhythm is learnt from its runs" in card(window, "rclone")
        assert "Needs its line changed" in card(window, "tar czf")
        assert "correct horse" not in window.text()
        assert "Your crontab (crontab -l)" in window.text()
        window.keep("window-import.png")
        before = window.script("return document.querySelectorAll('.existing').length")

        window.click("[aria-label='Watch restic-Documents']")
        assert "Nothing of the backup itself is changed" in window.read("#confirm-text", "Every day at 02:15")
        window.click("#confirm-no")
        assert jobs(places) == {}
        window.click("[aria-label='Watch restic-Documents']")
        window.click("#confirm-yes")
        wait_for(lambda: "Watched" in card(window, "restic-Documents"), what="the job")
        job = jobs(places)["restic-Documents"]
        assert (job["on"], job["engine"]) == ("15 2 * * *", "restic")
        assert str(job["watched"]).startswith("crontab of ")
        assert window.script("return document.querySelectorAll('.existing').length") == before
        window.script("document.querySelector('.existing summary').click()")
        assert "run --job restic-Documents -- restic -r /mnt/disk/backup" in window.read(".existing pre")
        window.click("button", "Search again")
        wait_for(lambda: "Watched" in card(window, "restic-Documents"), what="the new list")
        window.click("button", "Dashboard")
        window.wait("tbody", "restic-Documents")


def test_a_machine_without_backups_is_told_where_backup_tray_looked(
    desk: Desktop, places: Places, tmp_path: Path
) -> None:
    """An empty list is no promise: the page names the places, and the ways that are left."""
    env = {**desk.env, "BACKUP_TRAY_HOME": str(places.state.parent)}
    with driven(tmp_path / "w", env, Status(State.NONE, 0), "import", mount=mounts(tmp_path, "")) as window:
        window.wait("h1", "No existing backup found")
        text = window.text()
        for place in ("Your crontab", "/etc/cron.d", "Systemd's timers", "borgmatic", "Vorta"):
            assert place in text
        window.keep("window-import-empty.png")


@pytest.mark.parametrize("theme", ["Adwaita", "Adwaita:dark"], ids=["light", "dark"])
def test_the_page_fits_narrow_windows_and_works_by_keyboard(
    desk: Desktop, places: Places, tmp_path: Path, theme: str
) -> None:
    """Nothing is cut off, every text has contrast, and a job is watched without a mouse."""
    a_timer(desk)
    env = {**desk.env, "BACKUP_TRAY_HOME": str(places.state.parent), "GTK_THEME": theme}
    shown = statuses.judged(statuses.ended("home"))
    with driven(tmp_path / "w", env, shown, "import", mount=mounts(tmp_path, TABLE)) as window:
        window.wait(".existing", "restic-Documents")
        window.script("for (const one of document.querySelectorAll('details')) one.open = true")
        for width in (1080, 400):
            window.resize(width, 700)
            assert window.script("return document.documentElement.scrollWidth <= innerWidth"), width
            assert window.script(_PALE_TEXTS) == []
            assert window.script(_SMALL_TARGETS) == []
            window.keep(f"window-import-{width}-{theme.replace(':', '-')}.png")
        window.script("document.getElementById('title').focus()")

        def reached() -> bool:
            window.hand("key", "Tab")
            return bool(window.script("return document.activeElement.dataset.do") == "watch")

        wait_for(reached, what="the first button by the keyboard")
        name = str(window.script("return document.activeElement.getAttribute('aria-label')")).removeprefix("Watch ")
        window.hand("key", "Return")
        window.wait("#confirm", f"Watch {name}?")
        wait_for(lambda: window.script("return document.activeElement.id") == "confirm-no", what="the focus")
        window.hand("key", "Tab")
        window.hand("key", "Return")
        wait_for(lambda: name in jobs(places), what="the job")
        wait_for(lambda: "Watched" in card(window, name), what="the page")
        assert window.script("return document.activeElement !== document.body")
