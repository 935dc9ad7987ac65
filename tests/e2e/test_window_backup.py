"""Create First Backup, from the empty page to the verified record, with real restic."""

import json
import stat
import subprocess
import tempfile
import time
import tomllib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest
from pypdf import PdfReader

from tests.e2e.desktop import Desktop, desktop
from tests.e2e.program import make_tree, start, started_itself
from tests.e2e.test_takeover import OWN_CRONTABS
from tests.e2e.webdriver import Driven, driven
from tests.waiting import over, wait_for
from tray.audit.store import AuditLog
from tray.core import paths
from tray.core.paths import Places

pytestmark = pytest.mark.e2e


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a short name for everything that a picture shows."""
    with tempfile.TemporaryDirectory(prefix="demo-") as name:
        monkeypatch.setenv(paths.HOME_VARIABLE, f"{name}/tray")
        yield Path(name)


@pytest.fixture
def desk(short: Path, tmp_path: Path) -> Iterator[Desktop]:
    """A screen without a panel."""
    with desktop(tmp_path / "desk", "none") as made:
        yield made


@pytest.fixture
def window(desk: Desktop, tmp_path: Path) -> Iterator[Driven]:
    """The window on an installation that has seen nothing yet."""
    with driven(tmp_path / "w", desk.env, fed=False, mount=OWN_CRONTABS) as made:
        try:
            yield made
        finally:
            end_tracker(paths.places())


def end_tracker(places: Places) -> None:
    """End the tracker that the window started for these places."""
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if started_itself(words, "tracker") and _home(process) == str(places.state.parent):
            process.terminate()
            wait_for(partial(over, [process]), what="the tracker's end")


def _home(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(paths.HOME_VARIABLE)
    except psutil.Error:
        return None


def _fill(window: Driven, source: Path, repository: Path) -> str:
    """Fill in the form and return the generated password."""
    window.click("button", "Create First Backup")
    window.wait("#create-form")
    window.type("#source-0", str(source))
    window.type("#repository", str(repository))
    return window.read("#made-password")


def test_the_first_backup_from_the_empty_page_to_its_verified_record(
    window: Driven, places: Places, short: Path
) -> None:
    """Six clicks after the empty page there is an encrypted copy, a saved job, a record, a proof, a sheet and a schedule."""
    source, repository = make_tree(short / "Documents"), short / "disk" / "backup"
    repository.parent.mkdir()
    window.wait("h1", "No backups performed")
    window.keep("window-empty.png")
    password = _fill(window, source, repository)
    assert not window.wait("#go").is_enabled(), "the backup starts only after the password is kept"
    window.click("#kept")
    window.click("#go")

    window.wait("h1", "home: succeeded")
    assert "This job does not run by itself yet" in window.read("#card-schedule")
    window.click("#set-schedule")
    assert "30 20 * * *" in window.read("#card-schedule", "Scheduled")
    window.wait("#card-proof .tag", "Proven")
    assert "restored and compared" in window.read("#card-proof")
    window.click("button", "Check it each month by itself")
    assert "0 0 1 * *" in window.read("#card-proof", "Scheduled")
    window.keep("window-job.png")
    assert password not in window.text()
    sheet = places.config / "recovery" / "home.pdf"
    assert str(sheet) in window.read("#card-sheet")
    assert stat.S_IMODE(sheet.stat().st_mode) == 0o600
    words = "".join(page.extract_text() for page in PdfReader(sheet).pages)
    assert "restic" in words
    assert password not in words

    job = tomllib.loads(places.config_file.read_text())["jobs"]["home"]
    secret = Path(job["password_file"])
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert secret.read_text().strip() == password
    snapshots = subprocess.check_output(
        ["restic", "-r", repository, "--password-file", secret, "snapshots", "--json"],
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert [snapshot["paths"] for snapshot in json.loads(snapshots)] == [[str(source)]]

    window.click("button", "View Report")
    window.wait("h1", "home: succeeded")
    report = window.read("#page", "Unchanged since it was written")
    window.keep("window-report.png")
    for words in ("Entry hash", "run.finished, succeeded", "Exit code", "UTC", "Snapshot", "Log root", str(source)):
        assert words in report
    assert password not in report
    window.click("button", "Full log")
    assert window.read("#log-text", "snapshot")
    with AuditLog.read(places.audit_db) as log:
        assert password not in "".join(str(entry.data) + str(entry.body) for entry in log.entries())


def test_a_verification_that_is_asked_for_is_on_record(window: Driven, places: Places, tmp_path: Path) -> None:
    """Verify now, and Verify in the icon's menu, check the whole log, show the result, and add one entry each."""
    window.wait("h1", "No backups performed")
    _fill(window, make_tree(tmp_path / "documents"), tmp_path / "backup")
    window.click("#kept")
    window.click("#go")
    window.wait("h1", "home: succeeded")

    def checks() -> list[str]:
        with AuditLog.read(places.audit_db) as log:
            entries = log.entries(0, 1000)
        verified = [entry.data for entry in entries if entry.data["action"] == "audit.verified"]
        return [entry["result"] for entry in verified if entry["source"] is None]

    window.script("BT.visit('audit')")
    window.click("button", "Verify now")
    assert "Intact" in window.read("#page", "entries read")
    assert checks() == ["intact"]
    assert "Audit verified" in window.read("tbody tr")

    window.script("BT.visit('history')")
    window.wait("#page table", "home")
    window.script("BT.visit('verify')")  # the tray's menu: the check was asked for, so it starts at once
    wait_for(lambda: len(checks()) == 2, what="the second check")
    assert "Intact" in window.read("#page", "entries read")
    assert checks() == ["intact", "intact"]
    window.script("BT.visit('dashboard')")
    assert "1 kept checkpoint" in window.read(".auditline", "Audit log intact")


def test_an_input_that_cannot_work_has_its_error_beside_the_field(window: Driven, tmp_path: Path) -> None:
    """The page names a folder that does not exist, with a next step; the form keeps its text, and no repository appears."""
    repository = tmp_path / "backup"
    window.wait("h1", "No backups performed")
    _fill(window, tmp_path / "nowhere", repository)
    window.click("#kept")
    window.click("#go")
    assert "nowhere" in window.read("#form-problem .banner")
    assert window.wait("#source-0").get_attribute("aria-invalid") == "true"
    assert window.wait("#repository").get_attribute("value") == str(repository)
    assert not repository.exists()


def test_folders_are_chosen_in_the_desktops_own_dialog(window: Driven, tmp_path: Path) -> None:
    """The button opens the desktop's own folder dialog, and the choice goes into the form."""
    target = tmp_path / "disk"
    target.mkdir()
    window.wait("h1", "No backups performed")
    window.click("button", "Create First Backup")
    window.wait("#create-form")
    window.click("[data-do=choose-target]")
    dialog = wait_for(lambda: window.hand("search", "--onlyvisible", "--name", "^Open folder$"), what="the dialog")
    window.hand("windowactivate", "--sync", dialog.split()[0])
    wait_for(lambda: window.hand("getactivewindow") == dialog.split()[0], what="the dialog to have the keyboard")

    typed_at = 0.0

    def chosen() -> bool:
        """Type the path, again where a slow dialog lost letters; Return first takes a completion, then closes it."""
        nonlocal typed_at
        if not window.hand("search", "--onlyvisible", "--name", "^Open folder$"):
            return bool(window.script("return document.getElementById('repository').value"))
        if time.monotonic() - typed_at > 8:
            window.hand("key", "ctrl+a")
            window.hand("type", "--delay", "40", str(target))
            typed_at = time.monotonic()
        window.hand("key", "Return")
        return False

    wait_for(chosen, seconds=60, what="the choice")
    assert window.wait("#repository").get_attribute("value") == str(target)


def test_a_typed_password_must_be_typed_twice(window: Driven, tmp_path: Path) -> None:
    """A typing error cannot lock the user out of the backup."""
    window.wait("h1", "No backups performed")
    _fill(window, make_tree(tmp_path / "documents", files=2), tmp_path / "backup")
    window.click("#kind-typed")
    window.click("#kept")
    window.type("#password", "correct horse")
    window.type("#again", "correct hors")
    assert not window.wait("#go").is_enabled()
    window.wait("#again").send_keys("e")
    assert window.wait("#go").is_enabled()


def test_the_log_of_a_live_run_follows(window: Driven, tmp_path: Path) -> None:
    """Details of a run that goes on shows its new lines without being asked, and its end."""
    gate = tmp_path / "gate"
    script = f"echo first line >&2; while ! test -e {gate}; do sleep 0.1; done; echo last line >&2"
    run = start("run", "--job", "slow", "--", "sh", "-c", script, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    window.wait(".card", "slow")
    window.click("button", "Details")
    window.wait("h1", "slow")
    window.wait("#log-text", "first line")
    gate.touch()
    window.wait("#log-text", "last line")
    window.wait("h1", "slow: succeeded")
    assert run.communicate(timeout=60)[1] == b"first line\nlast line\n"
