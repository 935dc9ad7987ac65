"""Everything that matters is an entry: where each action is recorded, and what every entry has."""

import ast
import re
from pathlib import Path

import pytest

import tray
from tray.audit.entry import Action, Draft
from tray.audit.entry_bytes import build

ROOT = Path(tray.__file__).parent

RECORDED = {
    Action.LOG_CREATED: ("audit/append.py", "a log is begun; critical if there was one before"),
    Action.KEY_CREATED: ("audit/append.py", "the log's first signing key was made"),
    Action.KEY_ROTATED: ("audit/append.py", "another signing key took over; critical if the old one was lost"),
    Action.RUN_STARTED: (
        "recording/run_entries.py",
        "a run began: backup, restore, check or any other, wrapped or observed",
    ),
    Action.RUN_FINISHED: ("recording/run_entries.py", "a run ended and its wrapper saw how"),
    Action.RUN_CLOSED: (
        "recording/run_entries.py",
        "a run ended without its wrapper; what is known of its end is said",
    ),
    Action.RUN_SKIPPED: ("recording/skips.py", "conditions kept a run of a job from starting; no engine was started"),
    Action.RUN_CANCEL_REQUESTED: ("recording/run_entries.py", "the user asked for a run to be cancelled"),
    Action.JOB_SEEN: ("status/marking.py", "the user acknowledged how a job's last run ended"),
    Action.JOB_FORGOTTEN: (
        "status/marking.py",
        "the user said that a job is over: it is not judged or shown until its next run",
    ),
    Action.JOB_RENAMED: (
        "jobs/editing.py",
        "the user renamed a job, or merged it with another; the entries of its runs stay as they are",
    ),
    Action.JOB_CREATED: (
        "jobs/first_backup.py",
        "this program made a job, or it stood in `config.toml` for the first time",
    ),
    Action.CONFIG_CHANGED: (
        "housekeeping/config_changes.py",
        "the configuration was edited by hand: key by key, no passwords",
    ),
    Action.REPOSITORY_CREATED: ("jobs/first_backup.py", "this program made a repository"),
    Action.STATUS_ERROR: ("recording/outage.py", "the status could not be fetched; once for each outage"),
    Action.NOTIFICATION_FAILED: (
        "notify/outages.py",
        "a channel could not send a message, or the desktop showed none; once for each outage",
    ),
    Action.JOB_OVERDUE: (
        "notify/fill.py",
        "messages said that the job is overdue; the entry has the id of the event in each of them",
    ),
    Action.JOB_SNOOZED: ("notify/snooze.py", "the user put the messages about the job to rest, or ended that rest"),
    Action.RECORDER_STARTED: ("recording/tracker_entries.py", "a tracker began"),
    Action.RECORDER_STOPPED: ("recording/tracker_entries.py", "a tracker ended: idle, by a signal, or for a newer one"),
    Action.CLOCK_JUMPED: ("housekeeping/clock_jumps.py", "the clock was set by more than a minute"),
    Action.AUDIT_VERIFIED: ("baselines/recorded_check.py", "the log was verified, by the user or as scheduled"),
    Action.AUDIT_ACKNOWLEDGED: (
        "audit/verify/seal.py",
        "the user gave a reason why a breach is no cause for alarm any more",
    ),
    Action.AUDIT_EXPORTED: ("report/create.py", "a part of the log was handed out: report, tiles or proof"),
    Action.AUDIT_REDACTED: ("audit/store.py", "the details of an entry were erased"),
    Action.AUDIT_ROTATED: ("audit/segments.py", "a segment of the log was closed"),
    Action.AUDIT_PRUNED: ("audit/segments.py", "the oldest segment was removed"),
    Action.AUDIT_SALVAGED: ("cli/audit/salvage.py", "what could be read of a damaged log was saved"),
    Action.AUDIT_COPY_FAILED: (
        "baselines/far_copies.py",
        "a checkpoint could not be copied to a place; once for each outage",
    ),
    Action.FORWARD_FAILED: (
        "baselines/forwarding.py",
        "a receiver of entries could not be reached; once for each outage",
    ),
}
"""By action: the module that records it, and when."""


def recorded(module: str) -> set[str]:
    """The actions that *module* names other than to compare with them."""
    tree = ast.parse((ROOT / module).read_text())
    compared = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare | ast.MatchValue)
        for inner in ast.walk(node)
    }
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "Action"
        and id(node) not in compared
    }


def test_every_action_is_in_the_table() -> None:
    """Every action in the code has a row in the table that says where it is recorded and when."""
    assert set(RECORDED) == set(Action)


@pytest.mark.parametrize("action", RECORDED)
def test_no_action_is_one_that_nothing_records(action: Action) -> None:
    """A word in the list that never becomes an entry would promise what is not kept."""
    module, when = RECORDED[action]
    assert action.name in recorded(module)
    assert when


@pytest.mark.parametrize("action", Action)
def test_every_entry_says_who_did_what_with_which_result_and_how_much_it_matters(action: Action) -> None:
    """FR-AUD-001: severity, actor, action and result are never empty."""
    draft = Draft(action)
    facts = draft.facts()
    assert all(facts[key] for key in ("severity", "actor", "action", "result", "time", "id"))
    assert " on " in facts["actor"]
    assert build(draft, seq=1, prev=bytes(32), log=f"backup-tray/{draft.id}", recorded_ms=draft.time_ms, body=None)


def test_the_page_about_the_audit_log_lists_every_action_and_when_it_is_recorded() -> None:
    """A person who reads the log can look up what a word in it means; no word is explained that cannot occur."""
    page = (ROOT / "audit" / "README.md").read_text()
    rows = dict(re.findall(r"^\| `([a-z]+\.[a-z_]+)` \| (.+) \|$", page, flags=re.MULTILINE))
    assert rows == {action.value: when for action, (_, when) in RECORDED.items()}
