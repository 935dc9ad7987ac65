"""`backup-tray audit acknowledge`: a breach stays until the user says why it is no cause for alarm."""

import json

import pytest

from tests.unit.audit.help import end, entry_bytes, filled, start, tamper, writer
from tray.audit import last_check
from tray.audit.redact import redact
from tray.audit.store import AuditLog
from tray.baselines import recorded_check
from tray.baselines.recorded_check import check
from tray.cli.main import main
from tray.core.model import AuditStanding, State, Status
from tray.core.paths import Places
from tray.status import StatusSource


def polled(places: Places) -> Status:
    """The status now."""
    source = StatusSource(places, role="cli", start_tracker=False)
    try:
        return source.poll()
    finally:
        source.close()


@pytest.fixture
def breached(places: Places) -> Places:
    """A log that was verified after an attacker altered an entry."""
    filled(places, 5)
    altered = entry_bytes(places, 7).replace(b'"succeeded"', b'"failed"').replace(b'"started"', b'"stopped"')
    tamper(places, ("UPDATE entries SET entry = ? WHERE seq = 7", (altered,)))
    assert check(places).first_bad == 7
    return places


def test_a_breach_is_acknowledged_with_a_reason_that_is_on_record(
    breached: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    """The status is tampered until then; the entry names the reason; the same finding is no breach again, and stays a note."""
    assert polled(breached).state is State.TAMPERED
    assert main(["audit", "acknowledge", "--reason", " restored by me "]) == 0
    now = polled(breached)
    assert now.state is not State.TAMPERED
    assert any("acknowledged" in note for note in now.notes)
    with AuditLog.read(breached.audit_db) as log:
        (entry,) = log.entries(-1, 1)
    assert (entry.data["action"], (entry.body or {})["reason"]) == ("audit.acknowledged", "restored by me")
    assert check(breached).first_bad == 7
    assert polled(breached).state is not State.TAMPERED
    assert "on record" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["--reason", ""], ["--reason", "  "]])
def test_without_a_reason_nothing_is_acknowledged(breached: Places, arguments: list[str]) -> None:
    """A click is not enough."""
    assert main(["audit", "acknowledge", *arguments]) == 64
    assert polled(breached).state is State.TAMPERED


def test_without_a_breach_there_is_nothing_to_acknowledge(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """A reason that is given beforehand would silence the alarm that comes later."""
    filled(places, 1)
    assert main(["audit", "acknowledge", "--reason", "just in case"]) != 0
    assert "why:" in capsys.readouterr().err
    check(places)
    assert main(["audit", "acknowledge", "--reason", "just in case"]) != 0
    with AuditLog.read(places.audit_db) as log:
        assert all(json.loads(entry.raw)["action"] != "audit.acknowledged" for entry in log.entries(0, 100))


def test_another_finding_is_a_breach_again(breached: Places) -> None:
    """The user acknowledged that finding, not the log for ever."""
    assert main(["audit", "acknowledge", "--reason", "known"]) == 0
    raw = entry_bytes(breached, 3).replace(b'"home"', b'"hole"')
    tamper(breached, ("UPDATE entries SET entry = ? WHERE seq = 3", (raw,)))
    check(breached)
    found = last_check.read(breached)
    assert found is not None
    assert (found.breach, found.first_bad) == (True, 3)
    assert polled(breached).state is State.TAMPERED


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM bodies WHERE seq = 9",
        "DELETE FROM entries WHERE seq = 10",
        "UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), 'run-0', 'run-7') AS BLOB) WHERE seq = 3",
        "UPDATE bodies SET salt = zeroblob(16) WHERE seq = 15",
        "DROP INDEX at",
    ],
)
def test_what_is_changed_after_an_acknowledgement_is_a_breach_again(breached: Places, statement: str) -> None:
    """A known finding hides no attacker, neither before nor after the entries of that time; but growing is no change."""
    recorded_check.acknowledge(breached, "known")
    with writer(breached) as log:
        log.append([start(), end()])
    check(breached)
    assert not current(breached).breach
    tamper(breached, statement)
    check(breached)
    assert current(breached).breach
    recorded_check.acknowledge(breached, "known too")
    check(breached)
    assert not current(breached).breach


def test_what_is_erased_after_an_acknowledgement_is_no_breach(breached: Places) -> None:
    """Erasing personal data changes what was there, as it should."""
    recorded_check.acknowledge(breached, "known")
    redact(breached, 9, "personal")
    check(breached)
    assert not current(breached).breach
    tamper(breached, "DELETE FROM bodies WHERE seq = 11")
    redact(breached, 5, "personal")
    check(breached)
    assert current(breached).breach


def current(places: Places) -> AuditStanding:
    """The standing now."""
    found = last_check.read(places)
    assert found is not None
    return found
