"""The page of existing backups: found as the terminal finds them, and watched by the same call."""

import json
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.unit.takeover.machines import machine
from tray.cli.main import main
from tray.core.errors import UsageError
from tray.core.paths import Places
from tray.takeover import discover, words
from tray.window import bridge, import_page
from tray.window.import_page import Existing

TABLE = """15 2 * * * restic -r /mnt/b backup /srv
0 3 * * * restic -r /mnt/b backup /home --password-command 'echo hunter2hunter'
0 4 * * * tar czf /mnt/etc.tgz /etc
@reboot /opt/backup.sh
"""


@pytest.fixture
def crontab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A machine whose user has a crontab that can change."""
    table = SimpleNamespace(text=TABLE)
    monkeypatch.setattr(discover, "this_machine", lambda: machine(tmp_path / "machine", table.text))
    return table


def rows(page: dict[str, object]) -> dict[str, dict[str, object]]:
    """The rows of all sources, by their titles."""
    return {row["title"]: row for source in page["sources"] for row in source["rows"]}  # type: ignore[attr-defined]


def test_the_page_holds_all_that_the_terminal_says(
    places: Places, crontab: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    """Source, rhythm, reason and line; nothing secret; and all of it may cross to the page."""
    page = Existing(places).search()
    assert main(["jobs", "import", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    found = rows(page)
    assert [row["name"] for row in found.values()] == [entry["name"] or "" for entry in said]
    assert page["able"] == 2
    assert [source["source"] for source in page["sources"]] == ["Crontab of ann"]
    first = found["restic-srv: restic"]
    assert (first["word"], first["rhythm"]) == ("Not watched yet", "Every day at 02:15; next Tue 2026-12-01 02:15")
    assert first["line"] == said[0]["with_prefix"]
    assert "hunter2hunter" not in bridge.literal(page)
    odd = next(row for row in found.values() if row["word"] == "Not understood")
    assert odd["why"] == "/opt/backup.sh is not there."
    assert not odd["able"]
    tar = next(row for row in found.values() if row["word"] == "Needs its line changed")
    assert "run --job" in str(tar["line"])


def test_no_state_of_a_finding_is_green() -> None:
    """A backup that was found has not been seen to run."""
    assert import_page._STATES.keys() == words._STATES.keys()
    assert not [kind for kind, _ in import_page._STATES.values() if kind in ("ok", "run")]


def test_a_watched_backup_is_the_job_that_the_terminal_makes(places: Places, crontab: SimpleNamespace) -> None:
    """The same keys in config.toml, and the same entry; the list stays as it is, but for that row."""
    existing = Existing(places)
    page = existing.search()
    row = existing.watch(page["search"], 0)
    assert (row["word"], row["able"], row["name"]) == ("Watched", False, "restic-srv")
    by_page = tomllib.loads(places.config_file.read_text())["jobs"]["restic-srv"]
    assert main(["jobs", "remove", "restic-srv"]) == 0
    assert main(["jobs", "import", "1", "--name", "other"]) == 0
    assert tomllib.loads(places.config_file.read_text())["jobs"]["other"] == by_page
    assert crontab.text == TABLE


@pytest.mark.parametrize(("search", "number"), [(0, 0), (2, 0), (1, 2), (1, 99), (1, 2**53 - 1)])
def test_an_old_list_or_a_backup_that_cannot_be_watched_makes_no_job(
    places: Places, crontab: SimpleNamespace, search: int, number: int
) -> None:
    """A number means the backup that the user saw, or nothing."""
    existing = Existing(places)
    assert existing.search()["search"] == 1
    with pytest.raises(UsageError):
        existing.watch(search, number)
    assert not places.config_file.exists()


def test_a_second_click_and_a_taken_name_are_told(places: Places, crontab: SimpleNamespace) -> None:
    """Neither makes a second job, and the page gets the words of the error."""
    existing = Existing(places)
    page = existing.search()
    existing.watch(page["search"], 0)
    with pytest.raises(UsageError):
        existing.watch(page["search"], 0)
    assert main(["jobs", "add", "restic-home", "--command", "true"]) == 0
    call = bridge.Call(existing.watch, {"search": bridge.number, "number": bridge.number})
    reply = bridge.answer(call, {"search": page["search"], "number": 1})
    assert "There is a job named 'restic-home' already." in reply["error"]["what"]
