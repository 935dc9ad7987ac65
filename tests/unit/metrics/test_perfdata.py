"""The figures of a status behind the first line, as monitoring plugins have them."""

import re

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.metrics.help import NOW, job, run
from tray.core.model import Instance, Outcome, State, Status
from tray.metrics import perfdata

FIGURE = re.compile(r"'(?:[^'=|]|'')+'=-?[0-9.]+(?:e[+-]?[0-9]+)?(?:s|B);;;0")


def test_a_job_has_age_duration_and_size() -> None:
    """Of the last good backup, and of the last run."""
    item = job("home", State.OK, run(duration_ms=1_500, bytes_processed=42))
    text = perfdata.beside("Fine.\n\nJobs:", Status(State.OK, NOW, jobs=(item,)), NOW + 90_000)
    assert text == "Fine. | 'home age'=90s;;;0 'home duration'=1.5s;;;0 'home size'=42B;;;0\n\nJobs:"


def test_an_unknown_figure_is_left_out() -> None:
    """A job that was never good has no age, a clock that went back gives none, and an unreadable status has no figure."""
    failed = Status(State.FAILED, NOW, jobs=(job("home", State.FAILED, run(Outcome.FAILED)),))
    assert perfdata.beside("Failed.", failed, NOW) == "Failed."
    fine = Status(State.OK, NOW, jobs=(job("home", State.OK, run()),))
    assert perfdata.beside("Fine.", fine, NOW - 1000) == "Fine."
    error = {"code": "E", "what": "w", "why": "y", "next": "n"}
    unread = Status(State.UNAVAILABLE, NOW, jobs=fine.jobs, error=error)
    assert perfdata.beside("Unknown.", unread, NOW) == "Unknown."


def test_jobs_of_one_name_in_two_instances_are_told_apart() -> None:
    """Root's home is not the user's."""
    jobs = (job("home", State.OK, run()), job("home", State.OK, run(), instance=Instance.SYSTEM))
    text = perfdata.beside("Fine.", Status(State.OK, NOW, jobs=jobs), NOW)
    assert "'user home age'=0s;;;0 'system home age'=0s;;;0" in text


@given(name=st.text(max_size=40), words=st.text(max_size=40))
def test_no_name_forges_a_figure(name: str, words: str) -> None:
    """There is one bar, and behind it only figures of ours on one line."""
    item = job(name, State.OK, run(duration_ms=10))
    text = perfdata.beside(f"{words}\nx|y", Status(State.OK, NOW, jobs=(item,)), NOW)
    assert text.count("|") == 1
    figures = text.partition("| ")[2].partition("\n")[0]
    assert FIGURE.sub("", figures).strip() == ""
    assert len(FIGURE.findall(figures)) == 2
