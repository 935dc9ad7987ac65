"""rclone: what is added to its command line, what its log means, and what the caller sees of it."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.engines.captures import load, names, replay, split
from tests.unit.engines.ends import exits
from tests.unit.engines.letters import C, F, L, S, U, W
from tray import engines
from tray.core.model import Outcome, Phase
from tray.engines.base import Exit, Fed, Plan, Problem, Progress, Result, Session, Stream

ENGINE = engines.named("rclone")
STATS = ("--stats-log-level", "NOTICE", "--use-json-log", "--stats", "1s")
JSON = ("--use-json-log",)


def plan(command: str, **environ: str) -> Plan:
    """Plan a command given as text."""
    argv = command.split()
    engine, at = engines.recognise(argv, environ)
    return engine.plan(argv, at, environ)


def begin(command: str = "rclone sync src dst", **environ: str) -> Session:
    """Begin a session of a command given as text."""
    return ENGINE.session(plan(command, **environ))


def message(level: str, msg: str, **fields: Any) -> bytes:
    """Return one line of the log in JSON."""
    return json.dumps({"level": level, "msg": msg, "time": "2026-11-23T00:59:01.5+01:00", **fields}).encode() + b"\n"


def stats(**fields: Any) -> bytes:
    """Return a line of statistics."""
    return message("warning", "\nTransferred: …\n\n", stats=fields)


def feed(session: Session, line: bytes) -> Fed:
    """Feed one line of stderr."""
    return session.feed(line, Stream.ERR)


def progress(session: Session, **fields: Any) -> Progress:
    """Feed statistics and return what they meant."""
    (event,) = feed(session, stats(**fields)).events
    assert isinstance(event, Progress)
    return event


def added(command: str, **environ: str) -> tuple[str, ...]:
    """Return the words that the plan adds to *command*."""
    rest = command.split()
    return tuple(word for word in plan(command, **environ).argv if not (rest and word == rest[0] and rest.pop(0)))


def relayed(name: str) -> str:
    """Replay a recorded run as if its flags were ours, and return what the caller sees."""
    capture = load(name)
    return b"".join(fed.relay for fed in replay(capture.session(typed=True), capture.lines)).decode()


def test_rclone_is_known_by_its_name_and_its_namesakes_are_not() -> None:
    """A version in the name is no other program; a browser for it is."""
    for name in ("rclone", "rclone-v1.60", "rclone_1.75.0_linux", "rclone1.66", "rclone.exe"):
        assert ENGINE.recognises(name), name
    for name in ("rclone-browser", "rclonefs", "rclone_jobber.sh", "rclone.sh", "xrclone"):
        assert not ENGINE.recognises(name), name


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        *((f"rclone {name} src dst", "backup") for name in ("sync", "copy", "copyto", "move", "moveto", "bisync")),
        ("rclone --config x -v sync src dst", "backup"),
        ("rclone sync -n src dst", "dry-run"),
        ("rclone sync src dst --dry-run", "dry-run"),
        ("rclone sync --dry-run=false src dst", "backup"),
        ("rclone check src dst", "check"),
        ("rclone cryptcheck src dst", "check"),
        ("rclone ls src", "other"),
        ("rclone mount remote: /mnt", "other"),
        ("rclone serve http x", "other"),
        ("rclone sync --help", "other"),
        ("rclone version", "other"),
        ("rclone", "other"),
    ],
)
def test_only_what_copies_is_a_backup(command: str, kind: str) -> None:
    """A command that only reads, mounts or serves is no backup, and the wrapper adds nothing to it."""
    found = plan(command)
    assert found.kind == kind
    assert found.spool_stdout == found.ours == (kind in ("backup", "dry-run"))


@pytest.mark.parametrize(
    ("command", "environ", "words"),
    [
        ("rclone sync src dst", {}, STATS),
        ("rclone sync -q src dst", {}, ("--stats-log-level", "ERROR", *STATS[2:])),
        ("rclone sync --log-level ERROR src dst", {}, ("--stats-log-level", "ERROR", *STATS[2:])),
        ("rclone sync --stats 10s src dst", {}, STATS[:3]),
        ("rclone sync -v src dst", {}, JSON),
        ("rclone sync -vv src dst", {}, JSON),
        ("rclone sync --log-level=INFO src dst", {}, JSON),
        ("rclone sync -n src dst", {}, JSON),
        ("rclone sync --stats-log-level NOTICE src dst", {}, JSON),
        ("rclone sync --stats-log-level DEBUG src dst", {}, JSON),
        ("rclone sync -v --stats 5s --stats-one-line src dst", {}, JSON),
        ("rclone sync -P src dst", {}, ()),
        ("rclone sync --progress src dst", {}, ()),
        ("rclone sync -i src dst", {}, ()),
        ("rclone sync --use-json-log src dst", {}, ()),
        ("rclone sync --use-json-log=false src dst", {}, ()),
        ("rclone sync --log-file x src dst", {}, ()),
        ("rclone sync --log-format date,time,UTC src dst", {}, ()),
        ("rclone sync --syslog src dst", {}, ()),
        ("rclone sync --log-systemd src dst", {}, ()),
        ("rclone sync src dst", {"RCLONE_VERBOSE": "1"}, JSON),
        ("rclone sync src dst", {"RCLONE_LOG_LEVEL": "INFO"}, JSON),
        ("rclone sync src dst", {"RCLONE_QUIET": "true"}, ("--stats-log-level", "ERROR", *STATS[2:])),
        ("rclone sync src dst", {"RCLONE_STATS": "1m"}, STATS[:3]),
        ("rclone sync src dst", {"RCLONE_STATS_LOG_LEVEL": "NOTICE"}, JSON),
        ("rclone sync src dst", {"RCLONE_DRY_RUN": "true"}, JSON),
        ("rclone sync src dst", {"RCLONE_LOG_FILE": "x"}, ()),
        ("rclone sync src dst", {"RCLONE_PROGRESS": "true"}, ()),
        ("rclone sync src dst", {"RCLONE_PROGRESS": "false"}, STATS),
        ("rclone sync src dst", {"RCLONE_USE_JSON_LOG": "true"}, ()),
        ("env RCLONE_VERBOSE=1 rclone sync src dst", {}, JSON),
        ("chronic rclone sync src dst", {}, ()),
        ("systemd-run rclone sync src dst", {}, ()),
    ],
)
def test_statistics_are_asked_for_where_the_users_view_can_be_kept(
    command: str, environ: dict[str, str], words: tuple[str, ...]
) -> None:
    """Flags and variables of the user's own decide; never `-v` or `-P`."""
    assert added(command, **environ) == words
    assert plan(command, **environ).ours == bool(words)


def test_what_is_added_stands_behind_the_subcommand() -> None:
    """Before it rclone would take it too, but behind `--` it would be a path."""
    assert plan("nice rclone --config c copy -- a b").argv == (
        "nice",
        "rclone",
        "--config",
        "c",
        "copy",
        *STATS,
        "--",
        "a",
        "b",
    )


@pytest.mark.parametrize(
    ("command", "source", "repository"),
    [
        ("rclone sync /home remote:backup", "/home", "remote:backup"),
        ("rclone --config c sync --transfers 8 /home --exclude x remote:b", "/home", "remote:b"),
        ("rclone copy -vP --fast-list --drive-skip-gdocs --bwlimit=1M a b:c", "a", "b:c"),
        ("rclone sync --s3-region eu-1 --s3-no-check-bucket a b:c", "a", "b:c"),
        ("rclone sync --some-new-switch a b:c", "a", "b:c"),
        ("rclone sync --some-new-flag value a b:c", "a", "b:c"),
        ("rclone --some-new-switch sync a b:c", "a", "b:c"),
        ("rclone bisync a b:c --resync", "a", "b:c"),
        ("rclone sync a :sftp,host=h,user=u,pass=0bscured:/path", "a", ":sftp,host=h,user=u:/path"),
        ('rclone sync a :webdav,url="https://h:1/d,x",pass="a:b,c":p', "a", ":webdav:p"),
        ("rclone sync a remote,shared_secret_thing=x:p", "a", "remote:p"),
        ("rclone sync a,b c,d", "a,b", "c,d"),
    ],
)
def test_both_ends_are_found_and_their_secrets_left_out(command: str, source: str, repository: str) -> None:
    """An unknown flag of a newer version does not hide them; an obscured password is no less a password."""
    found = plan(command)
    assert (found.sources, found.repository) == ((source,), repository)


def test_secrets_of_rclone_are_not_shown() -> None:
    """Keys by their flags, variables and in connection strings."""
    from tray.core.redact import Redactor

    argv = [
        "rclone",
        "sync",
        "--azureblob-key",
        "k3yk3y",
        "--sftp-pass=0bscured",
        "/x",
        ":s3,secret_access_key=s3cr3t:b",
    ]
    environ = {"RCLONE_CONFIG_PASS": "c0nfig", "RCLONE_CONFIG_AZ_KEY": "azk3yazk3y"}
    shown = " ".join(Redactor(argv, environ).argv(argv)) + Redactor(argv, environ).text("c0nfig azk3yazk3y")
    assert not re.search("k3y|0bscured|s3cr3t|c0nfig", shown)


def test_rclone_locks_nothing_that_has_a_name_before_it_is_met() -> None:
    """Only `bisync` locks, and says how its lock file is called: that becomes the advice."""
    assert ENGINE.unlock(plan("rclone bisync a b")) is None
    capture = load("rclone160-bisync-locked")
    session = capture.session()
    replay(session, capture.lines)
    found = session.conclude(capture.exit)
    assert "`rclone deletefile /data/wd/data_src..data_dst.lck`" in (found.advice or "")


def test_the_log_reads_as_rclone_writes_it_without_our_flags() -> None:
    """A cron mail must read as before: our statistics are gone, and each message is the line that it would have been."""
    assert re.fullmatch(
        r"2026/11/23 \d\d:\d\d:\d\d NOTICE: Local file system at /data/src: Replacing invalid UTF-8 characters in .*\n",
        relayed("rclone160-first"),
    )
    lines = relayed("rclone160-unreadable").splitlines()
    said = [line[20:] for line in lines]
    assert (
        "ERROR : a/file1: Failed to copy: failed to open source object: open /data/src_u/a/file1: permission denied"
        in said
    )
    assert all(
        re.match(r"2026/11/23 \d\d:\d\d:\d\d (?:ERROR : |NOTICE: |Failed to sync with 2 errors)", line)
        for line in lines
    )
    assert not any("Transferred" in line or line.startswith("{") for line in lines)


def test_the_statistics_that_the_user_asked_for_are_kept() -> None:
    """With `-v` he sees each file and the block at the end."""
    out = relayed("rclone160-first-verbose")
    assert out.count("INFO  : ") == 18
    assert re.search(
        r"INFO  : \nTransferred:   \t +2.895 MiB / 2.895 MiB, 100%.*\nTransferred: +17 / 17, 100%\nElapsed time: .*\n\n$",
        out,
    )
    assert "NOTICE: \nTransferred:" in relayed("rclone160-dryrun")


def test_under_systemd_the_priority_stands_in_place_of_the_date() -> None:
    """The journal shows an error as an error, as it did before."""
    line = message("error", "no", object="x", objectType="*local.Object")
    assert feed(begin(INVOCATION_ID="5"), line).relay == b"<3>ERROR : x: no\n"
    assert feed(begin("sudo rclone sync a b", INVOCATION_ID="5"), line).relay == b"2026/11/23 00:59:01 ERROR : x: no\n"
    assert plan("rclone sync a b", INVOCATION_ID="5").env == {"INVOCATION_ID": "5"}


def test_a_run_of_a_new_version_is_understood_alike() -> None:
    """1.70 and later log their last words as a message too, begin their JSON with the time, and do not ask that variable."""
    session = begin(INVOCATION_ID="5")
    shown = b""
    for level, msg, fields in (
        (
            "error",
            "Failed to copy: failed to open source object: open /x: permission denied",
            {"object": "x", "objectType": "*local.Object"},
        ),
        ("error", "Attempt 3/3 failed with 1 errors and: open /x", {}),
        ("notice", "\nTransferred: 3\n\n", {"stats": {"transfers": 3, "bytes": 9, "listed": 5, "errors": 1}}),
        ("notice", "Failed to sync: open /x: permission denied", {}),
    ):
        found = {
            "time": "2026-11-23T00:59:01.5+01:00",
            "level": level,
            "msg": msg,
            **fields,
            "source": "slog/logger.go:256",
        }
        shown += feed(session, json.dumps(found, separators=(",", ":")).encode() + b"\n").relay
    assert shown.decode().splitlines() == [
        "2026/11/23 00:59:01 ERROR : x: Failed to copy: failed to open source object: open /x: permission denied",
        "2026/11/23 00:59:01 ERROR : Attempt 3/3 failed with 1 errors and: open /x",
        "2026/11/23 00:59:01 NOTICE: Failed to sync: open /x: permission denied",
    ]
    ended = session.conclude(Exit(1))
    assert (ended.outcome, ended.files, ended.errors) == (W, 3, 1)


def test_json_that_the_user_asked_for_is_passed_on_verbatim() -> None:
    """A script that parses it goes on working."""
    capture = load("rclone160-statsone-json")
    assert b"".join(fed.relay for fed in replay(capture.session(), capture.lines)) == capture.err


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("warning", "NOTICE: "),
        ("notice", "NOTICE: "),
        ("info", "INFO  : "),
        ("debug", "DEBUG : "),
        ("error", "ERROR : "),
        ("critical", "CRITICAL: "),
        ("fatal", "CRITICAL: "),
    ],
)
def test_the_levels_of_old_and_new_versions_are_named_alike(level: str, expected: str) -> None:
    """1.70 changed its logging library, not its log."""
    assert feed(begin(), message(level, "text")).relay == f"2026/11/23 00:59:01 {expected}text\n".encode()


def test_odd_names_reach_the_log_as_rclone_wrote_them() -> None:
    """Control characters, markup and half of a surrogate pair never make the relay fail."""
    found = feed(begin(), message("warning", "x", object="<script>\x1b[31m\ud800é"))
    assert found.relay.decode() == "2026/11/23 00:59:01 NOTICE: <script>\x1b[31m\\ud800é: x\n"


def test_totals_that_still_grow_give_no_share() -> None:
    """rclone finds while it copies: in the whole recorded run its totals were never to be trusted."""
    capture = load("rclone160-statsone-json")
    found = [event for fed in replay(capture.session(), capture.lines) for event in fed.events]
    assert all(isinstance(event, Progress) and event.eta_seconds is None for event in found)
    early = [event for event in found[:12] if isinstance(event, Progress)]
    assert {one.phase for one in early} == {Phase.SCANNING}
    assert len({one.bytes_total for one in early}) > 5
    assert early[0] == Progress(Phase.SCANNING, 69, 8902, 1000969, 1147403728, None, "d015/s06/file_09215.dat", 0)


def test_totals_count_when_they_have_stood_still() -> None:
    """Ten seconds; twice as long once that was wrong; and never while rclone's queue is full."""
    session = begin()
    some = {"bytes": 5, "totalBytes": 100, "transfers": 1, "totalTransfers": 9}
    assert progress(session, **some, elapsedTime=1).phase is Phase.SCANNING
    assert progress(session, **some, elapsedTime=10.5).phase is Phase.SCANNING
    assert progress(session, **some, elapsedTime=11).phase is Phase.COPYING
    more = {**some, "totalBytes": 200}
    assert progress(session, **more, elapsedTime=12).phase is Phase.SCANNING
    assert progress(session, **more, elapsedTime=31).phase is Phase.SCANNING
    assert progress(session, **more, elapsedTime=32).phase is Phase.COPYING
    full = {**some, "totalTransfers": 10_001}
    session = begin()
    progress(session, **full, elapsedTime=1)
    assert progress(session, **full, elapsedTime=100).phase is Phase.SCANNING
    session = begin("rclone sync --max-backlog 20000 a b")
    progress(session, **full, elapsedTime=1)
    assert progress(session, **full, elapsedTime=100).phase is Phase.COPYING
    session = begin()
    progress(session, **some, elapsedTime=1, checking=["x"])
    assert progress(session, **some, elapsedTime=100, checking=["x"]).phase is Phase.SCANNING


def test_with_check_first_totals_count_from_the_first_byte() -> None:
    """All is compared before anything is copied then."""
    session = begin("rclone sync --check-first a b")
    assert progress(session, bytes=0, totalBytes=100, totalTransfers=9, elapsedTime=50).phase is Phase.SCANNING
    assert progress(session, bytes=1, totalBytes=100, totalTransfers=9, elapsedTime=51).phase is Phase.COPYING


def test_with_verbose_each_file_that_came_is_progress() -> None:
    """Statistics come once a minute then; a run must not look as if it stood still."""
    session = begin("rclone sync -v a b")
    for number in (1, 2):
        (event,) = feed(
            session, message("info", "Copied (new)", object=f"f{number}", objectType="*local.Object")
        ).events
        assert isinstance(event, Progress)
        assert (event.files_done, event.current) == (number, f"f{number}")


def test_printed_statistics_are_read_where_json_was_not_to_be_had() -> None:
    """With `-P` or `--log-format` rclone prints blocks of text; their rounded sizes are not stored as exact ones."""
    capture = load("rclone160-progress-json")
    session = capture.session()
    found = [event for fed in replay(session, capture.lines) for event in fed.events]
    first = found[0]
    assert isinstance(first, Progress)
    assert (first.files_done, first.files_total) == (352, 10364)
    assert (first.bytes_done, first.bytes_total) == (int(31.655 * 2**20), int(1.092 * 2**30))
    ended = session.conclude(Exit(0))
    assert (ended.outcome, ended.files, ended.bytes_added) == (S, 20220, None)


LOST = message(
    "error",
    "Failed to copy: failed to open source object: open /x: permission denied",
    object="x",
    objectType="*local.Object",
)
SHUT = message("error", 'failed to open directory "c": open /c: permission denied', object="c", objectType="string")
WRITE = message("error", "Failed to copy: mkdir /d: permission denied", object="x", objectType="*local.Object")
FULL = message("error", "Failed to copy: write /d/x: no space left on device", object="x", objectType="*local.Object")
ROOT = message(
    "error", "error reading source root directory: directory not found", object="Local at /s", objectType="*local.Fs"
)
ECHO = message("error", "not deleting files as there were IO errors", object="Local at /d", objectType="*local.Fs")
AGAIN = message("error", "Attempt 1/3 failed with 1 errors and: x")
LAST = message("error", "Attempt 3/3 failed with 1 errors and: x")
GOOD = message("error", "Attempt 2/3 succeeded")
SOME = stats(transfers=3, checks=0, bytes=9)
NONE = stats(transfers=0, checks=5)
EMPTY = stats(transfers=0, checks=5, deletes=5)
ENDED = b"2026/11/23 00:53:34 Failed to sync: directory not found\n"
STOPPED = message("info", "Signal received: interrupt")


def run(*lines: bytes, exit: Exit, command: str = "rclone sync src dst") -> Result:
    """Feed a whole run and conclude it."""
    session = begin(command)
    for line in lines:
        feed(session, line)
    return session.conclude(exit)


@pytest.mark.parametrize(
    ("lines", "exit", "expected"),
    [
        ((SOME,), Exit(0), S),
        ((NONE,), Exit(0), S),
        ((), Exit(0), S),
        ((stats(transfers=3, errors=1),), Exit(0), W),
        ((LOST, SOME), Exit(0), W),
        ((LOST, AGAIN, GOOD, SOME), Exit(0), S),
        ((LOST, ECHO, AGAIN, LOST, ECHO, LAST, SOME, ENDED), Exit(1), W),
        ((LOST, SHUT, LAST, NONE), Exit(6), W),
        ((LOST, WRITE.replace(b'"x"', b'"y"'), LAST, NONE), Exit(1), F),
        ((WRITE, LAST, SOME), Exit(1), W),
        ((LOST, LAST, stats(transfers=0, checks=0)), Exit(1), F),
        ((LOST, LAST), Exit(1), F),
        ((FULL, LAST, SOME), Exit(1), F),
        ((ROOT, LAST, SOME), Exit(1), F),
        ((ROOT, ECHO, LAST, ENDED), Exit(3), F),
        ((LOST, SOME), Exit(3), F),
        ((LOST, SOME), Exit(7), F),
        ((SOME,), Exit(1), F),
        ((), Exit(1), F),
        ((SOME,), Exit(2), F),
        ((SOME,), Exit(4), F),
        ((SOME,), Exit(8), W),
        ((NONE,), Exit(8), F),
        ((SOME,), Exit(10), W),
        ((NONE,), Exit(10), F),
        ((NONE,), Exit(9), W),
        ((SOME,), Exit(77), F),
        ((EMPTY,), Exit(0), W),
        ((SOME,), Exit(None, 9), F),
        ((SOME,), Exit(None, 2), F),
        ((SOME,), Exit(None, 2, asked=True), C),
        ((LOST, SOME), Exit(1, asked=True), C),
        ((SOME,), Exit(0, asked=True), S),
        ((STOPPED, SOME), Exit(130), C),
        ((), Exit(143), C),
        ((SOME,), Exit(None), L),
        ((SOME, ENDED), Exit(None), F),
        ((), Exit(None), L),
    ],
)
def test_exit_code_and_words_decide_together(lines: tuple[bytes, ...], exit: Exit, expected: Outcome) -> None:
    """Partial only if something came over and each error is about one item; an unknown code fails; an unseen end is lost."""
    found = run(*lines, exit=exit)
    assert found.outcome is expected, found.reason
    assert found.reason.strip()


def test_an_error_that_comes_with_each_attempt_is_one_problem() -> None:
    """rclone tries three times; the user reads it once."""
    session = begin()
    events = [event for line in (LOST, AGAIN, LOST, SHUT, LAST, SOME) for event in feed(session, line).events]
    assert [event.item for event in events if isinstance(event, Problem)] == ["x", "c"]
    found = session.conclude(Exit(1))
    assert (found.errors, [problem.item for problem in found.problems]) == (2, ["x", "c"])


def test_an_emptied_copy_is_no_clean_success_of_a_sync() -> None:
    """The disk of the source was not mounted: rclone made the copy as empty as the mount point."""
    assert "5 files were deleted from the copy" in run(EMPTY, exit=Exit(0)).reason
    assert run(EMPTY, exit=Exit(0), command="rclone move src dst").outcome is S


def test_a_dry_run_copies_nothing_and_says_so() -> None:
    """Its figures are what would be copied."""
    found = run(SOME, exit=Exit(0), command="rclone sync -n src dst")
    assert (found.outcome, found.files, found.bytes_added) == (S, None, None)
    assert "nothing was copied" in found.reason


def test_the_time_limit_of_timeout_is_a_failure_and_says_so() -> None:
    """The user did not stop it."""
    found = run(SOME, exit=Exit(124), command="timeout 5h rclone sync src dst")
    assert found.outcome is F
    assert "timeout" in found.reason
    assert run(exit=Exit(0), command="systemd-run rclone sync src dst").outcome is U


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rclone160-nosource", "The source does not exist"),
        ("rclone160-noremote-json", "`rclone listremotes`"),
        ("rclone160-badflag-json", "unknown flag: --nosuch"),
        ("rclone160-diskfull", "no space left"),
        ("rclone160-unwritable", "permission denied"),
        ("rclone160-bisync-noresync", "--resync"),
        ("rclone160-bisync-locked", "/data/wd/data_src..data_dst.lck"),
        ("rclone160-sigKILL", "SIGKILL"),
        ("rclone160-maxtransfer", "max-transfer"),
    ],
)
def test_the_reason_is_plain_and_names_the_next_step(name: str, words: str) -> None:
    """A person reads what happened and what to do, not a code."""
    capture = load(name)
    session = capture.session()
    replay(session, capture.lines)
    assert words in session.conclude(capture.exit).reason


def test_a_stored_plan_is_enough_to_understand_a_run() -> None:
    """The helper that closes the run of a dead wrapper has the stored plan and the spool, nothing else."""
    before = plan("rclone sync -v src dst")
    stored = Plan(before.argv, before.kind, {}, before.repository, before.sources, ours=True)
    assert feed(ENGINE.session(stored), SOME).relay != b""
    assert feed(ENGINE.session(plan("rclone sync src dst")), SOME).relay == b""


CORPUS = names("rclone")
LINES = sorted({line for name in CORPUS for line, _ in load(name).lines if len(line) < 1500})
COMMANDS = [
    "rclone sync a b",
    "rclone sync -v a b",
    "rclone copy -P a b",
    "rclone move -q a b",
    "rclone sync -n a b",
    "rclone check a b",
]
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)
keys = st.sampled_from(
    ["level", "msg", "time", "object", "objectType", "stats", "transferring", "bytes", "transfers", "elapsedTime"]
)
lines = st.one_of(
    st.binary(max_size=120),
    st.sampled_from(LINES),
    st.dictionaries(keys, values, max_size=6).map(
        lambda found: json.dumps({"level": "error", "msg": "", **found}).encode() + b"\n"
    ),
    st.dictionaries(keys, values, max_size=6).map(lambda found: stats(**found)),
    st.tuples(st.sampled_from(LINES), st.integers(0, 300), st.binary(max_size=3)).map(
        lambda three: three[0][: three[1]] + three[2] + three[0][three[1] :]
    ),
)


@given(st.sampled_from(COMMANDS), st.lists(lines, max_size=10), exits)
@settings(max_examples=300, deadline=None)
def test_no_output_makes_it_raise_or_turn_green(command: str, output: list[bytes], exit: Exit) -> None:
    """Garbage, half lines and messages of another shape are at worst text."""
    session = begin(command)
    for line in output:
        fed = feed(session, line)
        for event in fed.events:
            if isinstance(event, Progress):
                counts = (event.files_done, event.files_total, event.bytes_done, event.bytes_total)
                assert all(count is None or 0 <= count < 2**63 for count in counts)
                assert (event.current or "").encode() is not None
            else:
                assert event.message.encode() is not None
                assert (event.item or "").encode() is not None
    result = session.conclude(exit)
    assert result.reason.encode()
    if result.outcome is S:
        assert exit.code == 0
        assert exit.signal is None


@given(st.sampled_from(CORPUS), st.data())
@settings(max_examples=100, deadline=None)
def test_a_run_without_a_seen_end_is_never_green(name: str, data: st.DataObject) -> None:
    """Its last statistics may be those of a minute before the end."""
    capture = load(name)
    session = capture.session()
    raw = capture.err + capture.out
    for line in split(raw[: data.draw(st.integers(0, len(raw)))]):
        feed(session, line)
    assert session.conclude(Exit(None)).outcome is not S
