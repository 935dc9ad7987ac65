"""A skipped run: an entry with its reason, and no run."""

import pytest

from tray.audit.store import AuditLog
from tray.core.paths import Places
from tray.recording import skips


@pytest.mark.parametrize("reason", skips.REASONS)
def test_a_skip_is_an_entry_with_its_reason(places: Places, reason: str) -> None:
    """A person who reads the log finds why nothing was backed up; the job's last run stays what it was."""
    skips.record(places, "home", reason, "It skipped rest:https://me:secret@nas/b.", engine="restic")
    with AuditLog.read(places.audit_db) as log:
        entry = log.entries(-1)[0]
        assert (log.history(), log.jobs(), log.open_runs()) == ([], [], [])
    facts = {name: entry.data[name] for name in ("action", "result", "job", "engine", "kind", "run", "severity")}
    assert facts == {
        "action": "run.skipped",
        "result": reason,
        "job": "home",
        "engine": "restic",
        "kind": "backup",
        "run": None,
        "severity": "info",
    }
    assert entry.body is not None
    assert "It skipped" in entry.body["reason"]
    assert "secret" not in entry.body["reason"]
