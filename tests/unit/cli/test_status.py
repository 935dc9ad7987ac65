"""The output of `backup-tray status` and `history`, and of errors."""

import re

import pytest

from tests.e2e import statuses
from tests.unit.wording.test_audit import BREACH
from tray.cli import status
from tray.cli.main import tell
from tray.core.errors import BackupTrayError
from tray.core.model import Instance, Outcome, Phase, Source
from tray.core.model.judge import judge


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


def test_a_paused_job_is_called_paused_and_long_names_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list of jobs says the same as the lines above it, and one long name does not push everything aside."""
    run = statuses.live("n" * 70, phase=Phase.PAUSED)

    def listed(*, terminal: bool) -> list[str]:
        lines = status.text(statuses.judged(running=(run,)), terminal=terminal).split("\n")
        return lines[lines.index("Jobs:") + 1].split()

    monkeypatch.setenv("NO_COLOR", "1")
    assert listed(terminal=True) == ["n" * 47 + "…", "Paused"]
    assert listed(terminal=False) == ["n" * 70, "Paused"], "who reads a pipe needs the name whole"


def test_states_have_colours_on_a_terminal_that_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Red is seen before it is read; a pipe, a dumb terminal and NO_COLOR get the plain words."""
    told = statuses.judged(statuses.ended("home", Outcome.FAILED), statuses.ended("mail", Outcome.SUCCEEDED))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    painted, plain = status.text(told, terminal=True), status.text(told)
    assert "\x1b[31mFailed\x1b[0m " in painted
    assert "\x1b[32mFine\x1b[0m " in painted
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == plain
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        monkeypatch.setenv(name, value)
        assert status.text(told, terminal=True) == plain


def test_an_error_is_told_in_three_lines_whatever_its_names_hold(capsys: pytest.CaptureFixture[str]) -> None:
    """A line break in the name of a job cannot look like words of ours."""
    tell(BackupTrayError("a\nb", why="c\x1b[2J", next="d"))
    assert capsys.readouterr().err == "backup-tray: a\\nb\n  why:  c\\x1b[2J\n  next: d\n"


def test_the_audit_log_has_a_line_and_a_breach_is_critical() -> None:
    """The terminal shows the same line as the menu, and monitoring gets its exit code."""
    assert "\n\nAudit log: not verified yet" in status.text(statuses.judged(statuses.ended("home", Outcome.SUCCEEDED)))
    told = judge(statuses.NOW, (), (), audit=BREACH)
    assert "\n\nAudit log: TAMPERED at entry 17 (altered)" in status.text(told)
    assert status.EXIT_CODES[told.state] == 2
    assert told.to_json()["audit"]["breach"] is True


def test_where_nothing_was_ever_recorded_no_log_is_spoken_of() -> None:
    """A machine without backups has no audit log that could be in any state."""
    assert "Audit log" not in status.text(judge(statuses.NOW, (), ()))
