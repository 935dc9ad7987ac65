"""The sentences of every surface about the audit log as a whole."""

import pytest

from tests.unit.wording.test_wording import NOW, RUN, ended
from tray import wording
from tray.core.clock import DAY_MS
from tray.core.dataclass import replace
from tray.core.model import AuditStanding, Instance, JobHistory, State, Status
from tray.core.model.judge import judge

INTACT = AuditStanding("intact", NOW - 7_200_000, 1204, "All entries agree.", baselines=2)
BREACH = AuditStanding(
    "tampered",
    NOW - 60_000,
    20,
    "Entry 17 was altered.",
    kind="altered",
    first_bad=17,
    breach=True,
    since_ms=NOW - 60_000,
)


@pytest.mark.parametrize(
    ("standing", "line"),
    [
        (None, "Audit log: not verified yet"),
        (INTACT, "Audit log: intact, checked 2 hours ago, 1,204 entries, 2 kept checkpoints agree"),
        (
            replace(INTACT, entries=1, baselines=1),
            "Audit log: intact, checked 2 hours ago, 1 entry, 1 kept checkpoint agrees",
        ),
        (
            replace(INTACT, full=False),
            "Audit log: intact, newest entries checked 2 hours ago, 1,204 entries, 2 kept checkpoints agree",
        ),
        (BREACH, "Audit log: TAMPERED at entry 17 (altered)"),
        (replace(BREACH, first_bad=None, kind="rolled back"), "Audit log: TAMPERED (rolled back)"),
        (
            replace(BREACH, result="intact", since_ms=NOW - 2 * DAY_MS),
            "Audit log: TAMPERED at entry 17 (altered), found 2 days ago and not acknowledged",
        ),
        (
            replace(BREACH, breach=False),
            "Audit log: tampered at entry 17 (altered), acknowledged, checked 1 minute ago",
        ),
        (
            replace(INTACT, result="inconclusive", baselines=0),
            "Audit log: inconclusive, checked 2 hours ago, 1,204 entries, no kept checkpoint to compare with",
        ),
        (
            replace(INTACT, result="unchecked", why="The database is locked."),
            "Audit log: could not be checked 2 hours ago: The database is locked",
        ),
        (replace(BREACH, instance=Instance.SYSTEM), "Audit log (system): TAMPERED at entry 17 (altered)"),
    ],
)
def test_one_line_says_what_a_verification_found_and_when(standing: AuditStanding | None, line: str) -> None:
    """Only a verified log is called intact, and the line tells of a breach until the user has acknowledged it."""
    assert wording.audit_line(standing, NOW) == line


@pytest.mark.parametrize("result", ["inconclusive", "unchecked", "tampered", "of a newer version"])
@pytest.mark.parametrize("breach", [True, False])
def test_only_an_intact_log_is_called_intact(result: str, breach: bool) -> None:
    """Whatever else a verification came to, the word does not appear."""
    assert "intact" not in wording.audit_line(replace(INTACT, result=result, breach=breach), NOW)


def test_names_cannot_forge_the_line() -> None:
    """The line escapes the texts from the file of the last verification."""
    line = wording.audit_line(replace(INTACT, result="unchecked", why="\x1b[31mred\nintact"), NOW)
    assert "\x1b" not in line
    assert "\n" not in line


def test_a_breach_decides_over_every_job() -> None:
    """With a log that was tampered with no job is known to be fine: icon, tooltip and headline say so first."""
    status = judge(NOW, (), [JobHistory("home", ended())], audit=BREACH)
    assert status.state is State.TAMPERED
    assert wording.tooltip(status, NOW) == (
        "Audit log: TAMPERED at entry 17 (altered)\nthe history of your backups cannot be trusted"
    )
    assert wording.headline(status, NOW) == (
        "The history of your backups cannot be trusted. Audit log: TAMPERED at entry 17 (altered)."
    )
    assert Status.from_json(status.to_json()).audit == BREACH


def test_a_live_run_stands_beside_a_breach() -> None:
    """A backup that goes on hides nothing."""
    status = judge(NOW, (RUN,), (), audit=BREACH)
    first, second = wording.tooltip(status, NOW).split("\n")
    assert first == "Audit log: TAMPERED at entry 17 (altered)"
    assert second.startswith("Backing up home now")


@pytest.mark.parametrize("standing", [None, INTACT, replace(BREACH, breach=False), replace(INTACT, result="unchecked")])
def test_without_a_breach_the_log_changes_no_state(standing: AuditStanding | None) -> None:
    """A log that was not verified, or whose breach is acknowledged, makes no job worse."""
    assert judge(NOW, (), [JobHistory("home", ended())], audit=standing).state is State.OK


def test_a_breach_beside_an_error_is_not_shown_as_current() -> None:
    """A log that cannot be read now is called unavailable first."""
    error = {"code": "E", "what": "w", "why": "y", "next": "n"}
    assert judge(NOW, (), (), error=error, audit=BREACH).state is State.UNAVAILABLE


@pytest.mark.parametrize(
    ("standing", "every", "begun", "note"),
    [
        (None, 7 * DAY_MS, NOW - 15 * DAY_MS, "not been verified yet"),
        (None, 7 * DAY_MS, NOW - 13 * DAY_MS, None),
        (None, 7 * DAY_MS, None, None),
        (None, None, NOW - 99 * DAY_MS, None),
        (INTACT, 7 * DAY_MS, NOW - 99 * DAY_MS, None),
        (replace(INTACT, checked_ms=NOW - 20 * DAY_MS), 7 * DAY_MS, NOW - 99 * DAY_MS, "last verified 20 days ago"),
        (replace(INTACT, result="unchecked"), 7 * DAY_MS, NOW - 99 * DAY_MS, "not been verified yet"),
    ],
)
def test_a_log_that_nobody_verified_for_long_is_noted(
    standing: AuditStanding | None, every: int | None, begun: int | None, note: str | None
) -> None:
    """Twice the interval that the user asked for is too long; without an interval nothing is late."""
    found = wording.overdue_note(standing, NOW, every, begun)
    assert (found is None) is (note is None)
    assert note is None or note in (found or "")


def test_of_a_log_that_cannot_be_read_nothing_is_claimed_but_a_breach() -> None:
    """A log that was intact an hour ago may be damaged now, and the line does not begin with the good news."""
    line = wording.audit_line_now(INTACT, NOW, readable=False)
    assert (
        line
        == "Audit log: not known now; before it was intact, checked 2 hours ago, 1,204 entries, 2 kept checkpoints agree"
    )
    assert wording.audit_line_now(None, NOW, readable=False) == "Audit log: not known now"
    assert wording.audit_line_now(BREACH, NOW, readable=False) == wording.audit_line(BREACH, NOW)
    assert wording.audit_line_now(INTACT, NOW, readable=True).startswith("Audit log: intact")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("Audit log: intact, checked just now", "Audit log: intact, checked just now"),
        (
            "Audit log: tampered at entry 3 (altered), acknowledged, checked just now",
            "Audit log: tampered at entry 3, acknowledged",
        ),
        (
            "Audit log: TAMPERED at entry 3 (altered), found 1 hour ago and not acknowledged",
            "Audit log: TAMPERED at entry 3",
        ),
        (
            "Audit log: tampered at entry 1,204,511 (rolled back), acknowledged, checked just now",
            "Audit log: tampered, acknowledged",
        ),
    ],
)
def test_a_line_of_the_menu_keeps_what_was_acknowledged(line: str, shown: str) -> None:
    """Kind and place of a breach go before the word that ends the alarm does."""
    assert wording.menu_audit_line(line).startswith(shown)
    assert len(wording.menu_audit_line(line)) <= wording.MENU_UNITS
