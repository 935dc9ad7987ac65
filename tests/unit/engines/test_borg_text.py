"""borg's messages as text again: the caller sees with us what borg prints without us."""

import json
from collections.abc import Mapping

import pytest

from tests.unit.engines.captures import load, names, replay, result
from tray import engines
from tray.core.dataclass import replace
from tray.core.model import Outcome
from tray.engines.base import Exit, Plan, Stream

BORG = engines.named("borg")
TYPED = [name for name in names("borg") if load(name).typed is not None]


def relayed(command: str, *lines: Mapping[str, object] | str, stream: Stream = Stream.ERR) -> bytes:
    """Return what the caller of *command* sees of *lines*."""
    argv = command.split()
    session = BORG.session(BORG.plan(argv, 0, {}))
    raw = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    return b"".join(session.feed(line.encode() + b"\n", stream).relay for line in raw)


@pytest.mark.parametrize("name", TYPED)
def test_nobody_sees_json_that_he_did_not_ask_for(name: str) -> None:
    """Of a run with our flags the caller gets text on stderr and nothing on stdout, as without them."""
    capture = load(name)
    session = capture.session(typed=True)
    plan = capture.plan(typed=True)
    assert sorted(plan.argv) == sorted(capture.argv)
    out = b"".join(session.feed(line, stream).relay for line, stream in capture.lines if stream is Stream.OUT)
    err = b"".join(session.feed(line, stream).relay for line, stream in capture.lines if stream is Stream.ERR)
    assert out == b"" or "--json" in capture.plan(typed=True).argv
    assert b'{"' not in err
    assert b"archive_progress" not in err


@pytest.mark.parametrize("name", TYPED)
def test_a_dead_wrappers_run_is_concluded_from_the_users_own_words(name: str) -> None:
    """The record holds the command as it was typed, not as it was started; what we added is found again."""
    capture = load(name)
    assert capture.typed is not None
    live = capture.plan(typed=True)
    stored = Plan(
        capture.typed, live.kind, {}, live.repository, live.sources, spool_stdout=True, ours=live.ours, returns=True
    )
    session = BORG.session(stored)
    again = capture.session(typed=True)
    assert replay(session, capture.lines) == replay(again, capture.lines)
    assert session.conclude(capture.exit) == result(capture) == again.conclude(capture.exit)


def test_messages_read_as_borg_writes_them() -> None:
    """Warnings, the list of files, the table of figures: each in borg's own words, byte for byte."""
    command = "borg create --list --stats r::a x"
    table = ["-" * 78, "", "This archive:                1.66 MB              1.66 MB                556 B"]
    told = relayed(
        command,
        {"type": "file_status", "status": "A", "path": "x/y"},
        {"type": "file_status", "status": "", "path": "x/z"},
        {
            "type": "log_message",
            "levelname": "WARNING",
            "name": "borg.archiver",
            "message": "x: stat: [Errno 2] No: 'ü'",
        },
        *({"type": "log_message", "levelname": "INFO", "name": "borg.output.stats", "message": line} for line in table),
    )
    assert told == "A x/y\n  x/z\nx: stat: [Errno 2] No: 'ü'\n".encode() + "\n".join([*table, ""]).encode()


def test_a_name_that_is_no_text_reads_as_borg_prints_it() -> None:
    """borg writes a question mark for each byte that is no UTF-8."""
    line = {"type": "log_message", "levelname": "WARNING", "name": "b", "message": "inva\udcfflid: [Errno 13] no"}
    assert relayed("borg create r::a x", line) == b"inva?lid: [Errno 13] no\n"


def test_a_question_is_asked_on_one_line_and_at_once() -> None:
    """The user sees the question at once, without a line end behind it, and then its answer."""
    told = relayed(
        "borg create r::a x",
        {"type": "question_prompt", "message": "Continue? [yN] ", "msgid": "X"},
        {"type": "question_env_answer", "message": "yes (from X)", "msgid": "X", "env_var": "X"},
        {"type": "question_prompt_retry", "message": "Again? ", "msgid": "X"},
    )
    assert told == b"Continue? [yN] yes (from X)\nAgain? "


def test_a_prompt_before_a_message_stays_before_it() -> None:
    """Without a terminal to type the passphrase at, the prompt stays on the line of the error."""
    line = 'Enter passphrase for key /r: {"type": "log_message", "message": "no", "levelname": "ERROR", "name": "b"}'
    assert relayed("borg create r::a x", line) == b"Enter passphrase for key /r: no\n"
    assert relayed("borg create --log-json r::a x", line) == line.encode() + b"\n"


@pytest.mark.parametrize(
    "line",
    [
        '{"type": "file_status", "status": "A", "path": "x"}',
        '{"type": "log_message", "levelname": "INFO", "name": "b", "message": "hello"}',
        '{"type": "question_prompt", "message": "Sure? "}',
        '{"type": "of_tomorrow", "message": "x"}',
    ],
)
def test_json_that_the_user_asked_for_is_passed_on_verbatim(line: str) -> None:
    """A script that reads borg's messages goes on working, without our progress among them."""
    progress = '{"type": "archive_progress", "nfiles": 1, "original_size": 2, "path": "x"}'
    assert relayed("borg create --log-json r::a x", progress, line) == line.encode() + b"\n"
    both = f"{progress}\n{line}\n".encode()
    assert relayed("borg create --log-json --progress r::a x", progress, line) == both


def test_what_nobody_knows_is_passed_on() -> None:
    """A message of another type, of a later version, is better seen as JSON than not at all."""
    line = '{"type": "of_tomorrow", "text": "x"}'
    assert relayed("borg create r::a x", line) == line.encode() + b"\n"


DOCUMENT = """\
{
    "archive": {
        "command_line": [
            "borg",
            "create",
            "--log-json",
            "--progress",
            "--json",
            "r::a",
            "--progress",
            "x"
        ],
        "name": "a",
        "stats": {
            "nfiles": 1
        }
    }
}
"""


def test_the_users_own_document_does_not_hold_our_flags() -> None:
    """borg repeats its command in it; the words that we added were not the user's."""
    session = BORG.session(BORG.plan(["borg", "create", "--json", "r::a", "x"], 0, {}))
    told = b"".join(session.feed(line, Stream.OUT).relay for line in DOCUMENT.encode().splitlines(keepends=True))
    words = json.loads(told)["archive"]["command_line"]
    assert words == ["borg", "create", "--json", "r::a", "--progress", "x"]
    assert session.conclude(Exit(0)).outcome is Outcome.SUCCEEDED


def test_the_document_is_found_among_messages_in_one_stream() -> None:
    """With `2>&1` both outputs come mixed; the caller still sees only the text."""
    session = BORG.session(BORG.plan(["borg", "create", "r::a", "x"], 0, {}))
    said = '{"type": "log_message", "levelname": "WARNING", "name": "b", "message": "y: [Errno 13] no"}\n'
    lines = [said, *DOCUMENT.splitlines(keepends=True)[:5], said, *DOCUMENT.splitlines(keepends=True)[5:], "text\n"]
    told = b"".join(session.feed(line.encode(), Stream.OUT).relay for line in lines)
    assert told == b"y: [Errno 13] no\n" * 2 + b"text\n"
    assert session.conclude(Exit(1)).outcome is Outcome.WARNING


def test_without_a_spool_nothing_was_added_and_all_is_passed_on() -> None:
    """Where the disk is too full for a spool, the command is started as it was typed and read as text."""
    plan = BORG.plan(["borg", "create", "r::a", "x"], 0, {})
    bare = replace(plan, argv=("borg", "create", "r::a", "x"), env={}, spool_stdout=False, ours=False)
    session = BORG.session(bare)
    line = b'{"type": "log_message", "message": "x"}\n'
    assert session.feed(line, Stream.ERR).relay == line
    assert session.conclude(Exit(0)).outcome is Outcome.SUCCEEDED
    assert BORG.session(bare).conclude(Exit(1)).outcome is Outcome.UNKNOWN
