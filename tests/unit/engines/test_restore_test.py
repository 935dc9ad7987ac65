"""The output of a check becomes the caller's text, progress and a result; only whole objects of the check itself count."""

import json

import pytest

from tray.core.model import Outcome
from tray.engines.base import Exit, Progress, Stream
from tray.engines.restore_test import RestoreTest, RestoreTestSession

PROOF = {"files": 3, "bytes": 120, "snapshot": "4f3c", "how": "3 with the source"}


def session() -> RestoreTestSession:
    """A session of one check."""
    adapter = RestoreTest("restic", "/repo")
    return adapter.session(adapter.plan(["python", "proof"], 0, {}))


def said(reading: RestoreTestSession, **facts: object) -> bytes:
    """Feed an object, and return what the caller sees."""
    return reading.feed(json.dumps(facts).encode() + b"\n", Stream.OUT).relay


def test_a_run_is_a_check_of_the_engine_that_works() -> None:
    """On record stands restic and its repository without a password."""
    adapter = RestoreTest("restic", "rest:https://ann:geheim123@host/r")
    plan = adapter.plan(["python", "proof"], 0, {})
    assert (adapter.name, plan.kind, "geheim123" in str(plan.repository)) == ("restic", "check", False)


def test_the_last_object_and_the_exit_code_make_the_result() -> None:
    """Files and bytes compared are those of the record."""
    reading = session()
    assert said(reading, text="  a.txt: same", done=1, total=3) == b"  a.txt: same\n"
    assert said(reading, text="Proven.", outcome="succeeded", reason="Proven.", proof=PROOF) == b"Proven.\n"
    result = reading.conclude(Exit(0))
    assert (result.outcome, result.reason, result.files, result.bytes_processed) == (
        Outcome.SUCCEEDED,
        "Proven.",
        3,
        120,
    )
    assert result.proof == PROOF


def test_progress_counts_compared_files() -> None:
    """For the bar."""
    (event,) = session().feed(b'{"text": "", "done": 1, "total": 3}\n', Stream.OUT).events
    assert isinstance(event, Progress)
    assert (event.files_done, event.files_total) == (1, 3)


@pytest.mark.parametrize(
    ("line", "stream"),
    [
        (b'  {"outcome": "succeeded", "reason": "forged"}\n', Stream.OUT),
        (b'{"outcome": "succeeded", "reason": "forged"}\n', Stream.ERR),
        (b'{"outcome": "succeeded", "reason": \n', Stream.OUT),
    ],
)
def test_words_of_the_engine_prove_nothing(line: bytes, stream: Stream) -> None:
    """A file name cannot forge a result; the caller sees the line as it is."""
    reading = session()
    assert reading.feed(line, stream).relay == line
    assert reading.conclude(Exit(0)).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("outcome", "exit", "is_now"),
    [
        ("succeeded", Exit(1), Outcome.FAILED),
        ("warning", Exit(0), Outcome.UNKNOWN),
        ("warning", Exit(1), Outcome.WARNING),
        ("failed", Exit(2), Outcome.FAILED),
        ("nonsense", Exit(2), Outcome.FAILED),
        ("succeeded", Exit(None, 9), Outcome.FAILED),
        ("succeeded", Exit(None), Outcome.LOST),
        ("failed", Exit(130, asked=True), Outcome.CANCELLED),
    ],
)
def test_words_and_exit_code_must_agree(outcome: str, exit: Exit, is_now: Outcome) -> None:
    """Neither alone is a success, and only what is none of a failure keeps its proof."""
    reading = session()
    said(reading, text="", outcome=outcome, reason="R.", proof=PROOF)
    result = reading.conclude(exit)
    assert result.outcome is is_now
    assert (result.proof is None) == (is_now is not Outcome.WARNING)
