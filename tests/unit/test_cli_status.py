"""What `backup-tray status` and `history` print, and how errors are told."""

import pytest

from tests.e2e import statuses
from tray.cli import status
from tray.cli.main import tell
from tray.errors import BackupTrayError
from tray.model import Instance, Phase, Source


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")


def test_no_bar_stands_where_nobody_knows_how_far_a_run_is() -> None:
    """An empty bar would read as nothing done; what is known of an observed run fits instead, and how it is known."""
    run = statuses.live("n" * 70, source=Source.OBSERVED, files_done=None, bytes_done=None, instance=Instance.SYSTEM)
    run = run.with_changes(
        files_total=None, bytes_total=None, bytes_per_second=None, eta_seconds=None, io_bytes_per_second=4_300_000
    )
    line = status.text(statuses.judged(running=(run,))).split("\n")[3]
    assert "[" not in line
    assert "reading 4.3 MB" in line
    assert line.endswith(" (system) (observed)")
    assert len(line) <= 80
    assert "[" in status.text(statuses.judged(running=(statuses.live(),)))


def test_a_paused_job_is_called_paused_and_long_names_are_cut() -> None:
    """The list of jobs says the same as the lines above it, and one long name does not push everything aside."""
    run = statuses.live("n" * 70, phase=Phase.PAUSED)
    line = status.text(statuses.judged(running=(run,))).split("\n")[-1]
    assert line.split() == ["n" * 47 + "…", "Paused"]


def test_an_error_is_told_in_three_lines_whatever_its_names_hold(capsys: pytest.CaptureFixture[str]) -> None:
    """A line break in the name of a job cannot look like words of ours."""
    tell(BackupTrayError("a\nb", why="c\x1b[2J", next="d"))
    assert capsys.readouterr().err == "backup-tray: a\\nb\n  why:  c\\x1b[2J\n  next: d\n"
