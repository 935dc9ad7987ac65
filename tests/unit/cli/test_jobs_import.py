import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.takeover.machines import machine, put
from tray.cli.main import main
from tray.config import jobs
from tray.core.paths import Places
from tray.takeover import discover

CRONTAB = """
15 2 * * * restic -r /mnt/b backup /srv
61 1 * * * borg create r::a /x
0 3 * * 0 RESTIC_PASSWORD=hunter2hunter restic -r /c backup /y
"""[1:]

Say = Callable[[str | None], None]


@pytest.fixture
def crontab(tmp_path: Path, places: Places, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Sets the crontab of the machine on which the command searches; it has nothing else."""

    def say(text: str | None) -> None:
        monkeypatch.setattr(discover, "this_machine", lambda: machine(tmp_path / "machine", text))

    say(CRONTAB)
    return say


def test_the_list_changes_nothing(crontab: Say, places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """It tells what was found, and how to go on; without a terminal nothing is asked."""
    assert main(["jobs", "import"]) == 0
    said = capsys.readouterr().out
    assert "every day at 02:15" in said
    assert "cannot follow its minute '61'" in said
    assert "all 2 that something starts with `--all`" in said
    assert "hunter2" not in said
    assert not places.config_file.exists()


def test_backups_are_watched_on_the_users_word(
    crontab: Say, places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    """A chosen one, then all; each is an entry, and comments stay."""
    places.config.mkdir(parents=True, mode=0o700)
    places.config_file.write_text("version = 1 # mine\n")
    assert main(["jobs", "import", "1", "--name", "web"]) == 0
    assert "web is watched: crontab of ann: 15 2 * * * restic" in capsys.readouterr().out
    assert main(["jobs", "import", "--all"]) == 0
    assert main(["jobs", "import", "--all"]) == 0
    assert "no further backup" in capsys.readouterr().out
    configured = jobs.load(places)
    assert (configured.broken, configured.notes) == ({}, ())
    web, other = configured.jobs.values()
    assert (web.name, web.on, web.matches, web.runnable) == ("web", "15 2 * * *", ("restic /srv to /mnt/b",), False)
    assert (other.name, other.on) == ("restic-y", "0 3 * * 0")
    text = places.config_file.read_text()
    assert text.startswith("version = 1 # mine\n")
    assert "hunter2" not in text
    assert main(["audit", "show", "--json"]) == 0
    actions = [json.loads(line)["action"] for line in capsys.readouterr().out.splitlines()]
    assert actions.count("job.created") == 2


def test_all_means_all_that_something_starts(tmp_path: Path, crontab: Say, places: Places) -> None:
    """A sample configuration that nothing starts would be overdue for ever; by its number it can be watched."""
    put(tmp_path / "machine", "/etc/rsnapshot.conf", "snapshot_root\t/s/\nretain\talpha\t6\nbackup\t/home/\tx/\n")
    assert main(["jobs", "import", "--all"]) == 0
    assert list(jobs.load(places).jobs) == ["restic-srv", "restic-y"]
    assert main(["jobs", "import", "3"]) == 0
    assert list(jobs.load(places).jobs) == ["restic-srv", "restic-y", "rsnapshot"]


def test_json_is_complete(crontab: Say, capsys: pytest.CaptureFixture[str]) -> None:
    """Scripts get each fact that the list shows."""
    assert main(["jobs", "import", "--json"]) == 0
    first, second, third = json.loads(capsys.readouterr().out)
    assert first | {"next": None, "with_prefix": None} == {
        "number": 1,
        "name": "restic-srv",
        "state": "new",
        "source": "crontab of ann",
        "file": None,
        "line": 1,
        "command": "restic -r /mnt/b backup /srv",
        "engine": "restic",
        "tool": None,
        "repository": "/mnt/b",
        "sources": ["/srv"],
        "schedule": "15 2 * * *",
        "on": "15 2 * * *",
        "every_seconds": None,
        "zone": None,
        "delay_seconds": 0,
        "rhythm": "every day at 02:15",
        "next": None,
        "matches": ["restic /srv to /mnt/b"],
        "with_prefix": None,
        "how": "replace the line by this one with `crontab -e`",
        "why": None,
        "notes": [],
    }
    assert first["with_prefix"].endswith(" run --job restic-srv -- restic -r /mnt/b backup /srv")
    assert (second["state"], second["with_prefix"]) == ("new", None), "its line holds a password"
    assert third["state"] == "not understood"


def test_the_lines_with_our_prefix_are_printed(
    crontab: Say, places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ready to be put into the crontab; a line with a password is left to the user."""
    assert main(["jobs", "import", "--lines"]) == 0
    said = capsys.readouterr().out
    assert "\n15 2 * * * " in said
    assert "run --job restic-srv -- restic -r /mnt/b backup /srv\n" in said
    assert "run --job restic-y --` before the command of the backup yourself" in said
    assert "hunter2" not in said
    assert not places.config_file.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["9"], "There is no backup number 9."),
        (["0"], "There is no backup number 0."),
        (["3"], "cannot follow its minute '61'"),
        (["1", "2", "--name", "x"], "cannot name several jobs"),
        (["1", "--name", "-x"], "name"),
        (["x"], "is no whole number"),
    ],
)
def test_a_mistake_is_answered_with_a_next_step(
    crontab: Say, places: Places, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    """And nothing is watched."""
    assert main(["jobs", "import", *arguments]) != 0
    said = capsys.readouterr().err
    assert words in said
    assert "next:" in said
    assert not places.config_file.exists()


def test_nothing_found_is_said(crontab: Say, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where `crontab -l` fails, since the user has none."""
    crontab(None)
    assert main(["jobs", "import"]) == 0
    assert "No backup was found" in capsys.readouterr().out


def test_a_terminal_is_asked(crontab: Say, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """`all`, numbers, or Enter for none."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "")
    assert main(["jobs", "import"]) == 0
    assert not places.config_file.exists()
    monkeypatch.setattr("builtins.input", lambda _: "1, 2")
    assert main(["jobs", "import"]) == 0
    assert len(jobs.load(places).jobs) == 2
