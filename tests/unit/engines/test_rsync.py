"""rsync: what is added to its command line, what its output means, and what the caller sees of it."""

import re
import signal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.engines.captures import load, names, replay, split
from tests.unit.engines.ends import exits
from tests.unit.engines.letters import C, F, L, S, U, W
from tray import engines
from tray.core.model import Outcome, Phase
from tray.engines.base import Exit, Plan, Problem, Progress, Result, Session, Stream
from tray.engines.text import split_lines

ENGINE = engines.named("rsync")
LOCAL = ("--info=progress2,stats2", "--outbuf=L", "--no-h")


def plan(command: str, **environ: str) -> Plan:
    """Plan a command given as text; `_` stands for a blank within a word."""
    argv = [word.replace("_", " ") for word in command.split()]
    engine, at = engines.recognise(argv, environ)
    return engine.plan(argv, at, environ)


def begin(command: str = "rsync -a src/ dst/") -> Session:
    """Begin a session of a command given as text."""
    return ENGINE.session(plan(command))


def run(out: str, err: str, exit: Exit, command: str = "rsync -a src/ dst/") -> Result:
    """Feed a whole run and conclude it."""
    session = begin(command)
    for text, stream in ((out, Stream.OUT), (err, Stream.ERR)):
        for line in split_lines(text.encode(), returns=True):
            session.feed(line, stream)
    return session.conclude(exit)


def added(command: str) -> tuple[str, ...]:
    """Return the words that the plan adds to *command*."""
    rest = command.split()
    return tuple(word for word in plan(command).argv if not (rest and word == rest[0] and rest.pop(0)))


def progress(name: str) -> list[Progress]:
    """Replay a recorded run and return its progress."""
    capture = load(name)
    found = [event for fed in replay(capture.session(), capture.lines) for event in fed.events]
    return [event for event in found if isinstance(event, Progress)]


def relayed(name: str) -> tuple[bytes, bytes]:
    """Replay a recorded run as if its flags were ours, and return what the caller sees on stdout and stderr."""
    capture = load(name)
    session = capture.session(typed=True)
    shown = {Stream.OUT: b"", Stream.ERR: b""}
    for raw, stream in ((capture.out, Stream.OUT), (capture.err, Stream.ERR)):
        for line in split(raw, returns=True):
            shown[stream] += session.feed(line, stream).relay
    return shown[Stream.OUT], shown[Stream.ERR]


def test_rsync_is_known_by_its_name_and_its_namesakes_are_not() -> None:
    """`rsync3` is rsync; a daemon, a wrapper script and another tool are not."""
    for name in ("rsync", "rsync3", "rsync-3.2.7", "rsync_3.4", "rsync.exe"):
        assert ENGINE.recognises(name), name
    for name in ("rsyncd", "rsync-ssl", "rsyncbackup", "rsync.sh", "grsync", "rsnapshot", "rsync-backup"):
        assert not ENGINE.recognises(name), name


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("rsync -a /home /mnt/backup", "backup"),
        ("rsync -aAX --delete --exclude /tmp / host:/backup", "backup"),
        ("rsync --read-batch=b dst", "backup"),
        ("rsync -an src dst", "dry-run"),
        ("rsync -avh --dry-run src dst", "dry-run"),
        ("rsync -a --dry-run --no-dry-run src dst", "backup"),
        ("rsync -an --no-n src dst", "backup"),
        ("rsync src/", "other"),
        ("rsync --list-only src dst", "other"),
        ("rsync host::", "other"),
        ("rsync --daemon", "other"),
        ("rsync --server -vlogDtpre.iLsfxCIvu . /dst/", "other"),
        ("rsync --server --sender -vlogDtpre.iLsfxCIvu . /src/", "other"),
        ("rsync --version", "other"),
        ("rsync -h", "other"),
        ("rsync --info=help", "other"),
        ("rsync -a --only-write-batch=b src dst", "other"),
    ],
)
def test_only_what_copies_is_a_backup(command: str, kind: str) -> None:
    """A list, a daemon and the far side of another run are no runs of their own, and get nothing added."""
    found = plan(command)
    assert found.kind == kind
    assert found.ours == (kind != "other")
    assert found.spool_stdout == (kind != "other")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("rsync -a src dst", LOCAL),
        ("rsync -a --delete src/ dst/", LOCAL),
        ("rsync -av src dst", LOCAL[:2]),
        ("rsync -ai src dst", LOCAL[:2]),
        ("rsync -a -h src dst", LOCAL[:2]),
        ("rsync -a --out-format=%n src dst", LOCAL[:2]),
        ("rsync -a --info=name src dst", LOCAL),
        ("rsync -a --info=del,stats1 src dst", LOCAL[:2]),
        ("rsync -a --outbuf=N src dst", (LOCAL[0], LOCAL[2])),
        ("rsync -a --stats src dst", ("--info=progress2", "--outbuf=L")),
        ("rsync -a --info=stats2 src dst", ("--info=progress2", "--outbuf=L")),
        ("rsync -a --log-file=x src dst", ("--info=progress2", "--outbuf=L", "--no-h")),
        ("rsync -a src host:dst", ("--info=progress2", "--outbuf=L", "--no-h")),
        ("rsync -a host::module/x dst", ("--info=progress2", "--outbuf=L", "--no-h")),
        ("rsync -a rsync://host/x dst", ("--info=progress2", "--outbuf=L", "--no-h")),
        ("rsync -av src [::1]:dst", ("--info=progress2", "--outbuf=L")),
        ("rsync -aP src dst", ()),
        ("rsync -a --progress src dst", ()),
        ("rsync -a --info=progress2 src dst", ()),
        ("rsync -a --info=all src dst", ()),
        ("rsync -a --progress --no-progress src dst", LOCAL),
        ("rsync -aq src dst", ()),
        ("rsync -a --stderr=all src dst", ()),
        ("rsync -a --msgs2stderr src dst", ()),
        ("chronic rsync -a src dst", ()),
        ("systemd-run rsync -a src dst", ()),
    ],
)
def test_progress_is_asked_for_where_only_we_see_it(command: str, words: tuple[str, ...]) -> None:
    """Never twice, nothing that the other machine would be told, and nothing where the user watches himself."""
    assert added(command) == words
    assert plan(command).ours == bool(words)


def test_what_is_added_stands_before_everything_of_the_users() -> None:
    """Behind `--` it would be a file, and the user's own words have the last say."""
    found = plan("nice -n 5 rsync -a -- -src dst")
    assert found.argv == ("nice", "-n", "5", "rsync", *LOCAL, "-a", "--", "-src", "dst")
    assert found.returns


def test_the_rsync_of_macos_gets_no_option_that_it_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    """It knows no `--info`, and would refuse to copy."""
    monkeypatch.setattr("sys.platform", "darwin")
    assert not plan("rsync -a src dst").ours
    assert not plan("/usr/bin/rsync -a src dst").ours
    assert plan("/opt/homebrew/bin/rsync -a src dst").ours


@pytest.mark.parametrize(
    ("command", "sources", "repository"),
    [
        ("rsync -a /home/ /mnt/b", ("/home/",), "/mnt/b"),
        ("rsync -a /home /etc host:/b", ("/home", "/etc"), "host:/b"),
        ("rsync -e ssh_-p_2222 -a /home me@host:b", ("/home",), "me@host:b"),
        ("rsync -ae ssh /home host:b", ("/home",), "host:b"),
        ("rsync -aessh /home host:b", ("/home",), "host:b"),
        ("rsync --rsync-path sudo_rsync /home host:b", ("/home",), "host:b"),
        ("rsync -a --exclude a --exclude-from b --filter=c -f d --link-dest ../x --bwlimit 5 s dst", ("s",), "dst"),
        ("rsync -a --chown a:b --password-file p -T t -B 5 -M--x --timeout 3 s rsync://h/m", ("s",), "rsync://h/m"),
        ("rsync -a --files-from list / dst", ("/", "listed in list"), "dst"),
        ("rsync -aAXHS --numeric-ids --delete-excluded -x / -- dst", ("/",), "dst"),
        ("rsync --read-batch b dst", ("recorded in b",), "dst"),
    ],
)
def test_sources_and_destination_are_found_among_the_options(
    command: str, sources: tuple[str, ...], repository: str
) -> None:
    """An option's value is no path of the backup."""
    found = plan(command)
    assert (found.sources, found.repository) == (sources, repository)


def test_a_password_for_ssh_is_not_shown() -> None:
    """`sshpass -p` in the remote shell's command is one word of rsync's."""
    from tray.core.redact import Redactor

    for word in ("sshpass -p hunter2 ssh", "sshpass -phunter2 ssh", "/usr/bin/sshpass -p hunter2 ssh"):
        argv = ["rsync", "-e", word, "src", "h:dst"]
        assert "hunter2" not in " ".join(Redactor(argv, {}).argv(argv))
    argv = ["rsync", "--rsh=sshpass -p hunter2 ssh", "src", "h:dst"]
    assert "hunter2" not in " ".join(Redactor(argv, {}).argv(argv))


def test_rsync_is_interrupted_first_and_locks_nothing() -> None:
    """It ends by itself on INT; there is no lock to remove."""
    assert ENGINE.stop[0][0] == signal.SIGINT
    assert ENGINE.unlock(plan("rsync -a src dst")) is None


@pytest.mark.parametrize(
    "scenario",
    [
        "first",
        "incr",
        "nosource",
        "unreadable",
        "vanish",
        "diskfull",
        "partialsource",
        "unwritable",
        "notarget",
        "dryrun",
        "pull",
        "pull-unreadable",
        "sigINT",
    ],
)
def test_a_quiet_run_stays_quiet(scenario: str) -> None:
    """Without `-v` rsync prints only errors: nothing of our progress and figures, not even its newline before an error."""
    capture = load(f"rsync35-{scenario}")
    out, err = relayed(capture.name)
    assert capture.out or scenario == "notarget"
    assert out == b""
    assert err == b"".join(line for line in split(capture.err) if line != b"\n")


def test_lines_of_the_users_own_format_are_kept() -> None:
    """`--out-format` and `-i` go on; only our updates between them are taken out."""
    out, _ = relayed("rsync35-itemize-outformat")
    assert out.startswith(b"created directory rs/d\nBT cd+++++++++ 4096 d000/\n")
    assert all(line.startswith((b"BT ", b"created ")) for line in split(out))
    assert relayed("rsync35-norecurse")[0] == b"skipping directory src\n"


def test_the_list_of_files_that_the_user_asked_for_is_untouched() -> None:
    """`-v` prints as ever: names, an empty line, and its two lines of figures."""
    out, err = relayed("rsync35-verbose-ours")
    assert out.startswith(b"sending incremental file list\ncreated directory dst/c\n./\n")
    lines = out.split(b"\n")
    assert lines[-4] == b""
    assert lines[-3].startswith(b"sent 3,0")
    assert lines[-2].startswith(b"total size is 3,036,004")
    assert b"%" not in out
    assert b"Number of" not in out
    assert rb"\#033[31mred" in out
    assert err == b""
    out, err = relayed("rsync35-unreadable-verbose")
    assert b"\n\nsent 3,0" in out
    assert b"\n\n" not in err


def test_progress_that_the_user_asked_for_is_relayed_as_it_is() -> None:
    """`-P` draws in the terminal, carriage returns and all."""
    capture = load("rsync35-progress1")
    assert b"".join(fed.relay for fed in replay(capture.session(), capture.lines)) == capture.out


def test_a_name_that_looks_like_an_update_is_still_a_name() -> None:
    """Only what follows a carriage return is an update."""
    session = begin("rsync -av src dst")
    name = b"     32,768   0%    0.00kB/s    0:00:00  \n"
    assert session.feed(name, Stream.OUT).relay == name
    assert session.feed(b"\r", Stream.OUT).relay == b""
    assert session.feed(name, Stream.OUT).relay == b""


def test_what_follows_an_update_without_a_newline_is_not_lost() -> None:
    """An error on stderr takes the newline with it that would have ended the update."""
    session = begin("rsync -av src dst")
    session.feed(b"\r", Stream.OUT)
    fed = session.feed(b"     32,768   0%    0.00kB/s    0:00:00  dir/next\n", Stream.OUT)
    assert fed.relay == b"dir/next\n"
    assert isinstance(fed.events[0], Progress)


def test_there_is_no_share_before_the_list_of_files_is_whole() -> None:
    """rsync says 98 % after 199 of 20,220 files; we say that it scans, and afterwards count files."""
    found = progress("rsync35-first")
    scanning = [one for one in found if one.phase is Phase.SCANNING]
    assert len(scanning) > 100
    assert all(one.phase is not Phase.SCANNING for one in found[len(scanning) :])
    assert {one.files_total for one in found[len(scanning) :]} == {22438}
    assert {one.bytes_total for one in found} == {None}
    assert {one.eta_seconds for one in found} == {None}
    assert all((before.files_done or 0) <= (after.files_done or 0) for before, after in pairwise(found))
    assert (found[-1].bytes_done, found[-1].files_done, found[-1].phase) == (1554076180, 22438, Phase.FINISHING)


def test_nothing_left_to_check_is_no_news_while_files_are_still_copied() -> None:
    """Between two parts of its list rsync says `to-chk=0`, and takes it back; a bar must not jump to its end."""
    found = progress("rsync35-unreadable")
    assert [one.files_done for one in found[:4]] == [None, 4, 4, 5]
    assert found[-1].files_done == 16


def test_a_run_that_changes_nothing_moves_on_all_the_same() -> None:
    """rsync's own percentage stays at 0 % to the end; files are checked nevertheless."""
    found = progress("rsync35-incr")
    assert {one.bytes_done for one in found} == {0}
    assert found[-1].files_done == 22438 - 16
    assert found[-1].files_total == 22438


def test_progress_of_single_files_is_no_count_of_bytes() -> None:
    """With `--progress` the number is of the present file; which one it is, is known instead."""
    found = progress("rsync35-progress1")
    assert {one.bytes_done for one in found} == {None}
    assert found[0].current == "big/vm0.img"
    assert found[-1].files_done == 117


def test_numbers_are_read_in_every_language() -> None:
    """Groups of digits by comma or point, or rounded with `-h`."""
    session = begin("rsync -a -h src dst")
    session.feed(b"\r", Stream.OUT)
    for text, expected in ((b"1.554.076", 1554076), (b"1,554,076", 1554076), (b"1.55G", 1550000000), (b"0", 0)):
        (event,) = session.feed(b"  " + text + b"  41%  411,07MB/s    0:00:00 (xfr#1, to-chk=3/9)\r", Stream.OUT).events
        assert isinstance(event, Progress)
        assert event.bytes_done == expected
    assert session.conclude(Exit(0)).bytes_added == 0
    assert load("rsync35-human").session().conclude(Exit(0)).bytes_processed is None


def test_problems_name_the_item_and_what_happened_to_it() -> None:
    """A person reads which file, and why; the name of a temporary file is the name of the file."""
    session = begin()
    lines = [
        'rsync: [sender] send_files failed to open "/s/secret": Permission denied (13)',
        'rsync: [sender] opendir "/s/closed" failed: Permission denied (13)',
        'rsync: [receiver] mkstemp "/d/.name.LVaMoC" failed: Permission denied (13)',
        'rsync: [sender] link_stat "/gone" failed: No such file or directory (2)',
        'file has vanished: "/s/temp"',
        'rsync: read errors mapping "/s/bad": Input/output error (5)',
        'rsync: [sender] send_files failed to open "/s/secret": Permission denied (13)',
    ]
    events = [event for line in lines for event in session.feed(line.encode() + b"\n", Stream.ERR).events]
    assert [(event.item, event.message) for event in events if isinstance(event, Problem)] == [
        ("/s/secret", "it could not be opened: Permission denied"),
        ("/s/closed", "its contents could not be listed: Permission denied"),
        ("/d/name", "it could not be written: Permission denied"),
        ("/gone", "it could not be found: No such file or directory"),
        ("/s/temp", "it vanished before it was copied"),
        ("/s/bad", "read errors mapping: Input/output error"),
    ]


BLOCK = "\nNumber of files: {0} (reg: {1}, dir: 1)\nNumber of regular files transferred: {2}\nTotal bytes received: 1\n"
ONE = BLOCK.format(3, 2, 2)
UNREAD = 'rsync: [sender] send_files failed to open "/s/x": Permission denied (13)\n'
GONE = 'rsync: [sender] link_stat "/gone" failed: No such file or directory (2)\n'
REFUSED = 'rsync: [receiver] mkstemp "/d/.x.LVaMoC" failed: Permission denied (13)\n'
OWNER = 'rsync: [generator] chown "/d/x" failed: Operation not permitted (1)\n'
SAID = "rsync error: some files/attrs were not transferred (see previous errors) (code 23) at main.c(1394) [sender=3.5.0]\n"


@pytest.mark.parametrize(
    ("out", "err", "exit", "expected"),
    [
        (ONE, "", Exit(0), S),
        ("", "", Exit(0), S),
        (BLOCK.format(3, 2, 0), "", Exit(0), S),
        (ONE, UNREAD, Exit(0), W),
        (ONE, UNREAD, Exit(23), W),
        (BLOCK.format(2, 1, 1), UNREAD, Exit(23), F),
        (BLOCK.format(5, 4, 1), UNREAD, Exit(23), W),
        (ONE, GONE, Exit(23), W),
        ("\nNumber of files: 0\nTotal bytes received: 1\n", GONE, Exit(23), F),
        ("", GONE, Exit(23), F),
        (BLOCK.format(5, 4, 1), REFUSED, Exit(23), F),
        (BLOCK.format(5, 4, 2), REFUSED, Exit(23), W),
        (BLOCK.format(5, 4, 0), OWNER, Exit(23), W),
        ("", "", Exit(23), F),
        (ONE, "", Exit(24), W),
        ("", "", Exit(24), W),
        ("\nNumber of files: 0\n", "", Exit(0), W),
        ("skipping directory src\n\nNumber of files: 0\n", "", Exit(0), F),
        *((ONE, "", Exit(code), F) for code in (1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 14, 19, 21, 22, 25, 30, 35, 77, 255)),
        (ONE, "", Exit(20), C),
        ("", "", Exit(12, asked=True), C),
        ("", "", Exit(None, 15, asked=True), C),
        (ONE, "", Exit(0, asked=True), S),
        ("", "", Exit(None, 9), F),
        ("", "", Exit(None), L),
        (ONE, "", Exit(None), S),
        (ONE, UNREAD, Exit(None), W),
        (ONE, UNREAD + SAID, Exit(None), W),
        ("", SAID.replace("23", "12"), Exit(None), F),
        ("", SAID.replace("23", "20"), Exit(None), C),
    ],
)
def test_exit_code_and_words_decide_together(out: str, err: str, exit: Exit, expected: Outcome) -> None:
    """23 is told apart by what came over; an unknown code fails; an unseen end is judged by rsync's own words."""
    found = run(out, err, exit)
    assert found.outcome is expected, found.reason
    assert found.reason.strip()


def test_all_of_several_sources_missing_is_a_failure_also_without_figures() -> None:
    """With `-q` rsync prints no figures, but it names each source that is missing."""
    two = GONE + GONE.replace("gone", "lost")
    assert run("", GONE, Exit(23), "rsync -aq /gone /here dst").outcome is W
    assert run("", two, Exit(23), "rsync -aq /gone /lost dst").outcome is F


def test_an_unseen_exit_code_0_proves_a_copy_only_with_recursion() -> None:
    """Without `-r` a folder is skipped with a message and exit code 0; behind `chronic` we do not see the message."""
    assert run("", "", Exit(0), "chronic rsync src dst").outcome is U
    assert run("", "", Exit(0), "rsync -q src dst").outcome is U
    assert run("", "", Exit(0), "chronic rsync -a src dst").outcome is S
    assert run("", "", Exit(0), "systemd-run rsync -a src dst").outcome is U


def test_a_dry_run_copies_nothing_and_says_so() -> None:
    """Its figures are what would be copied."""
    found = run(ONE, "", Exit(0), "rsync -an src dst")
    assert (found.outcome, found.bytes_added) == (S, None)
    assert "nothing was copied" in found.reason


def test_the_time_limit_of_timeout_is_a_failure_and_says_so() -> None:
    """The user did not stop it, although rsync says that a signal came."""
    found = run("", SAID.replace("23", "20"), Exit(124), "timeout 5h rsync -a src dst")
    assert found.outcome is F
    assert "timeout" in found.reason


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rsync35-nosource", "/nonexistent could not be found; check the path"),
        ("rsync35-partialsource", "/nonexistent"),
        ("rsync35-diskfull", "no space left"),
        ("rsync35-notarget", "could not be written"),
        ("rsync35-norecurse", "only with -r or -a"),
        ("rsync35-badflag", "--nosuch: unknown option"),
        ("rsync35-noremote", "could not be reached"),
        ("rsync35-unwritable", "mkstemp"),
        ("rsync35-maxdelete", "--max-delete"),
        ("rsync35-timeup", "--timeout"),
        ("rsync35-sigKILL", "SIGKILL"),
        ("rsync35-vanish", "vanished"),
    ],
)
def test_the_reason_is_plain(name: str, words: str) -> None:
    """A person reads what happened, not a code."""
    capture = load(name)
    session = capture.session()
    replay(session, capture.lines)
    assert words in session.conclude(capture.exit).reason


def test_a_stored_plan_is_enough_to_understand_a_run() -> None:
    """The helper that closes the run of a dead wrapper has the stored plan and the spool, nothing else."""
    before = plan("rsync -av src dst")
    stored = Plan(before.argv, before.kind, {}, before.repository, before.sources, ours=True, returns=True)
    session = ENGINE.session(stored)
    shown = b"".join(session.feed(line, Stream.OUT).relay for line in split_lines(ONE.encode(), returns=True))
    assert shown == b""
    assert session.conclude(Exit(0)).files == 2


CORPUS = names("rsync")
LINES = sorted({line for name in CORPUS for line, _ in load(name).lines})
COMMANDS = [
    "rsync -a s d",
    "rsync -av s d",
    "rsync -aP s d",
    "rsync -aq s d",
    "rsync s d",
    "rsync -an s h:d",
    "rsync -ah s d",
]
lines = st.one_of(
    st.binary(max_size=120),
    st.sampled_from(LINES),
    st.tuples(st.sampled_from(LINES), st.integers(0, 120), st.binary(max_size=3)).map(
        lambda three: three[0][: three[1]] + three[2] + three[0][three[1] :]
    ),
)


@given(
    st.sampled_from(COMMANDS),
    st.lists(st.tuples(lines, st.sampled_from([Stream.OUT, Stream.ERR])), max_size=12),
    exits,
)
@settings(max_examples=300, deadline=None)
def test_no_output_makes_it_raise_or_turn_green(command: str, output: list[tuple[bytes, Stream]], exit: Exit) -> None:
    """Garbage, half lines and lines of another version are at worst text."""
    session = begin(command)
    for line, stream in ((line, stream) for raw, stream in output for line in split(raw, returns=True)):
        for event in session.feed(line, stream).events:
            if isinstance(event, Progress):
                counts = (event.files_done, event.files_total, event.bytes_done)
                assert all(count is None or 0 <= count < 2**63 for count in counts)
                assert (event.current or "").encode() is not None
            else:
                assert event.message.encode() is not None
                assert (event.item or "").encode() is not None
    result = session.conclude(exit)
    assert result.reason.encode()
    assert "\n" not in result.reason
    if result.outcome is S:
        assert exit.signal is None
        assert exit.code == 0 or (exit.code is None and result.errors == 0)


@given(st.sampled_from(CORPUS), st.data())
@settings(max_examples=100, deadline=None)
def test_a_run_that_was_cut_off_is_never_green(name: str, data: st.DataObject) -> None:
    """Power may fail at any byte: without the figures at the end there is no success."""
    capture = load(name)
    out = capture.out[: data.draw(st.integers(0, len(capture.out)))]
    err = capture.err[: data.draw(st.integers(0, len(capture.err)))]
    session = capture.session()
    for raw, stream in ((err, Stream.ERR), (out, Stream.OUT)):
        for line in split(raw, returns=True):
            session.feed(line, stream)
    outcome = session.conclude(Exit(None)).outcome
    if not re.search(rb"Total bytes received: |total size is ", out):
        assert outcome is not S
