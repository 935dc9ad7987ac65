"""Renamed jobs: entries keep the names on record, and every reader sees the present ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tray.audit import search, spool
from tray.audit.entry import Action, Draft
from tray.audit.search import Filter
from tray.audit.search.renames import Names
from tray.audit.store import AuditLog
from tray.core import clock
from tray.core.paths import Places


def run(job: str, result: str = "succeeded", *, kind: str = "backup") -> Draft:
    """The end of a run."""
    return Draft(Action.RUN_FINISHED, result=result, job=job, run=clock.new_id(), engine="restic", kind=kind)


def renaming(old: str, new: str) -> Draft:
    """The entry of a renaming."""
    return Draft(Action.JOB_RENAMED, job=new, result="renamed", body={"from": old})


@pytest.mark.parametrize(
    ("renames", "present"),
    [
        ([], {"a": "a", "a (check)": "a (check)"}),
        ([("a", "b")], {"a": "b", "b": "b", "a (check)": "b (check)", "c": "c"}),
        ([("a", "b"), ("b", "c")], {"a": "c", "b": "c", "c": "c"}),
        ([("a", "b"), ("b", "a")], {"a": "a", "b": "a"}),
        ([("a", "c"), ("b", "c")], {"a": "c", "b": "c"}),
        ([("a", "b"), ("c", "a")], {"a": "a", "c": "a", "b": "b"}),
        ([("a", "a")], {"a": "a"}),
        ([("restic /x (home)", "home")], {"restic /x (home)": "home", "restic /x (home) (check)": "home (check)"}),
    ],
)
def test_a_name_leads_to_the_present_one(renames: list[tuple[str, str]], present: dict[str, str]) -> None:
    """Also after several renamings and back; a check follows its job."""
    names = Names(renames)
    assert {name: names.present(name) for name in present} == present


@given(st.lists(st.tuples(*[st.sampled_from("abcde")] * 2), max_size=12), st.sampled_from("abcde"))
def test_present_names_are_settled(renames: list[tuple[str, str]], name: str) -> None:
    """The present name of a present name is itself, and each recorded name leads back."""
    names = Names(renames)
    now = names.present(name)
    assert names.present(now) == now
    assert {names.present(former) for former in names.recorded(name)} == {now}
    assert name in names.recorded(now)


def test_runs_are_found_and_shown_under_the_present_name(places: Places) -> None:
    """History and search know the job by each of its names; the entries stay as they are."""
    spool.record(places, [run("a"), run("other"), run("b"), run("a (check)", kind="check")])
    spool.record(places, [renaming("a", "b"), run("a")])
    with AuditLog.read(places.audit_db) as log:
        for name in ("a", "b"):
            assert [ended.job for ended in log.history(job=name)] == ["b", "b", "b"]
            page = search.search(log, Filter(job=(name,), action=("run.finished",)))
            assert [entry.data["job"] for entry in page.entries] == ["a", "b", "a"]
            assert len(log.good_ends(name, 10)) == 3
        assert [ended.job for ended in log.history(job="b (check)")] == ["b (check)"]
        assert {ended.job for ended in log.history()} == {"b", "b (check)", "other"}


def test_an_erased_renaming_renames_nothing(places: Places) -> None:
    """Its body held the old name."""
    spool.record(places, [run("a"), renaming("a", "b")])
    with AuditLog.open(places.audit_db, places.audit_key) as log:
        (number,) = [entry.seq for entry in log.entries() if entry.data["action"] == "job.renamed"]
        log.redact(number, "a test")
        assert [ended.job for ended in log.history()] == ["a"]
