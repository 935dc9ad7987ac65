"""borg: which programs and command lines, what is added to them, and what a run came to."""

import json

import pytest

from tests.unit.engines.captures import load, names, replay, result
from tests.unit.engines.letters import C, F, L, S, U, W
from tray import engines
from tray.core.model import Outcome, Phase
from tray.engines.base import Exit, Plan, Problem, Progress, Result, Session, Stream
from tray.engines.job_name import is_shared

BORG = engines.named("borg")
ADDED = ("--json", "--log-json", "--progress")


def plan(command: str, **environ: str) -> Plan:
    """Plan *command*."""
    argv = command.split()
    engine, at = engines.recognise(argv, environ)
    assert engine.name == "borg", command
    return engine.plan(argv, at, environ)


def session(command: str = "borg create r::a /home", **environ: str) -> Session:
    """Begin a session of *command*."""
    return BORG.session(plan(command, **environ))


def log(text: str, level: str = "WARNING", name: str = "borg.archiver", **more: str) -> str:
    """Return a log message as borg prints it."""
    return json.dumps({"type": "log_message", "message": text, "levelname": level, "name": name, **more})


def document(files: int = 3, name: str = "a") -> list[str]:
    """Return the lines that `--json` prints at the end."""
    stats = {"nfiles": files, "original_size": 7000, "deduplicated_size": 70}
    return json.dumps({"archive": {"name": name, "id": "ab" * 32, "stats": stats}}, indent=4).split("\n")


def run(
    *err: str, out: list[str] | None = None, exit: Exit, command: str = "borg create r::a /home", **environ: str
) -> Result:
    """Feed stderr and stdout to a run of *command* and conclude it."""
    begun = session(command, **environ)
    for stream, lines in ((Stream.ERR, err), (Stream.OUT, out or [])):
        for text in lines:
            begun.feed(text.encode() + b"\n", stream)
    return begun.conclude(exit)


# Which programs


@pytest.mark.parametrize(
    "program",
    [
        "borg",
        "borg1",
        "borg12",
        "borg-1.4.0",
        "borg_1.2.8",
        "borg-linux-glibc236",
        "borg-linux64",
        "borg-linuxold64",
        "borg-linux-glibc231-x86_64-gh",
        "borg-macos64",
        "borg-freebsd-14-x86_64-gh",
        "borg2",
        "borg.exe",
        "Borg.EXE",
        "/opt/borg-1.4.0/borg",
    ],
)
def test_borg_is_recognised_by_its_names(program: str) -> None:
    """Distribution, official binary or a link with the version in its name: it is borg."""
    engine, at = engines.recognise([program, "create", "r::a", "/home"], {})
    assert (engine.name, at) == ("borg", 0)


@pytest.mark.parametrize(
    "program",
    ["borgmatic", "borg-restore", "borgfs", "borg-backup.sh", "borgbase", "borg-import", "cyborg", "borg_run"],
)
def test_what_only_begins_like_borg_is_another_program(program: str) -> None:
    """A wrapper script around borg takes no flags of borg's."""
    assert engines.recognise([program, "create", "r::a", "/home"], {})[0] is engines.COMMAND


@pytest.mark.parametrize(
    "before",
    ["python3 -m", "/usr/bin/python3", "sudo -u me nice -n 19", "env BORG_PASSPHRASE=x ionice -c3", "timeout 5h"],
)
def test_borg_is_found_behind_its_interpreter_and_wrappers(before: str) -> None:
    """borg is a Python program, and seldom started alone."""
    argv = [*before.split(), "borg", "create", "r::a", "/home"]
    engine, at = engines.recognise(argv, {})
    assert (engine.name, at) == ("borg", len(argv) - 4)
    assert engine.plan(argv, at, {}).argv == (*argv[: at + 2], *ADDED, *argv[at + 2 :])


# Added options


@pytest.mark.parametrize(
    ("command", "added"),
    [
        ("borg create r::a /home", ADDED),
        ("borg create r::a -- /home", ADDED),
        ("borg create -v --list --show-rc r::a /home", ADDED),
        ("borg --debug create r::a /home", ADDED),
        ("borg create --json r::a /home", ADDED[1:]),
        ("borg create --stats r::a /home", ADDED[1:]),
        ("borg create -vs r::a /home", ADDED[1:]),
        ("borg create r::a /home --stat", ADDED[1:]),
        ("borg create --quick-stats r::a /home", ADDED[1:]),
        ("borg create --log-json r::a /home", ("--json", "--progress")),
        ("borg --log-json --progress create r::a /home", ("--json",)),
        ("borg create --json --log-json -p r::a /home", ()),
        ("borg create --progress r::a /home", ()),
        ("borg -p create --stats r::a /home", ()),
        ("borg create --prog --json r::a /home", ()),
        ("borg create --dry-run r::a /home", ()),
        ("borg create -n --list r::a /home", ()),
        ("borg create --help", ()),
        ("chronic borg create r::a /home", ()),
        ("systemd-run borg create r::a /home", ()),
        ("borg prune --keep-daily 7 r", ()),
        ("borg check r", ()),
        ("borg list r", ()),
        ("borg", ()),
    ],
)
def test_only_a_backup_whose_output_is_read_gets_flags(command: str, added: tuple[str, ...]) -> None:
    """Flags are added where they help, after the subcommand, only when absent, and never `--list`."""
    argv = command.split()
    at = next((place for place, word in enumerate(argv) if word == "borg"), 0)
    found = BORG.plan(argv, at, {})
    where = argv.index("create") + 1 if "create" in argv else len(argv)
    assert found.argv == (*argv[:where], *added, *argv[where:])
    assert found.ours is bool(added)
    assert found.env == {}  # BORG_EXIT_CODES would change the code that the caller sees


def test_a_logging_configuration_of_the_users_is_left_alone() -> None:
    """With BORG_LOGGING_CONF borg's messages look as the user wants, so nothing is added."""
    found = plan("borg create r::a /home", BORG_LOGGING_CONF="/etc/borg/logging.conf")
    assert (found.ours, found.spool_stdout) == (False, False)


def test_the_users_own_progress_has_the_terminal_to_itself() -> None:
    """Each version draws its progress in another way, so it is not read from JSON and drawn again."""
    found = plan("borg create --progress r::a /home")
    assert (found.ours, found.spool_stdout, found.returns) == (False, False, True)


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("borg create r::a /home", "backup"),
        ("borg --lock-wait 600 --rsh ssh create r::a /home", "backup"),
        ("borg create --dry-run r::a /home", "dry-run"),
        ("borg create -sn r::a /home", "dry-run"),
        ("borg extract r::a", "restore"),
        ("borg extract --dry-run r::a", "other"),
        ("borg check --repair r", "check"),
        ("borg prune -d 7 r", "prune"),
        ("borg prune -n -d 7 r", "other"),
        ("borg compact r", "compact"),
        ("borg list r", "other"),
        ("borg info r", "other"),
        ("borg mount r /mnt", "other"),
        ("borg serve --restrict-to-path /srv", "other"),
        ("borg break-lock r", "other"),
        ("borg delete r::a", "prune"),
        ("borg with-lock r borg create r::a /home", "other"),
        ("borg create --help", "other"),
        ("borg -V", "other"),
        ("borg", "other"),
        ("borg --lock-wait", "other"),
    ],
)
def test_the_kind_is_that_of_the_subcommand(command: str, kind: str) -> None:
    """Only a backup makes a job green; what only reads is no run of interest."""
    assert plan(command).kind == kind


@pytest.mark.parametrize(
    ("command", "environ", "repository", "sources"),
    [
        ("borg create /mnt/r::a /home /etc", {}, "/mnt/r", ("/home", "/etc")),
        ("borg create ::a /home", {"BORG_REPO": "/mnt/r"}, "/mnt/r", ("/home",)),
        ("borg create ::{hostname}-{now:%Y-%m-%dT%H:%M:%S} /home", {"BORG_REPO": "/mnt/r"}, "/mnt/r", ("/home",)),
        ("borg create ssh://me@nas:22/./r::a /home", {}, "ssh://me@nas:22/./r", ("/home",)),
        ("borg create ssh://me@[2001:db8::1]/./r::a /home", {}, "ssh://me@[2001:db8::1]/./r", ("/home",)),
        ("borg create me@nas:r::a -", {}, "me@nas:r", ("stdin",)),
        ("borg create -e *.o -C zstd,3 --exclude /x r::a /home --one-file-system", {}, "r", ("/home",)),
        ("borg create -Clz4 -e=x --comment=c r::a /home", {}, "r", ("/home",)),
        ("borg -r /mnt/r create a /home", {}, "/mnt/r", ("/home",)),
        ("borg create --repo=/mnt/r a /home", {}, "/mnt/r", ("/home",)),
        ("borg create a /home", {"BORG_REPO": "/mnt/r"}, "/mnt/r", ("/home",)),
        ("env BORG_REPO=/mnt/r borg create ::a /home", {}, "/mnt/r", ("/home",)),
        ("borg create --content-from-command r::a -- pg_dump db", {}, "r", ("the output of pg_dump db",)),
        ("borg create --paths-from-stdin r::a", {}, "r", ("listed in stdin",)),
        ("borg create --paths-from-command r::a -- find /x", {}, "r", ("listed by find /x",)),
        ("borg create r::a -- -odd --list", {}, "r", ("-odd", "--list")),
        ("borg create", {}, None, ()),
        ("borg prune --keep-daily 7 /mnt/r", {}, "/mnt/r", ()),
        ("borg prune -d 7", {"BORG_REPO": "/mnt/r"}, "/mnt/r", ()),
        ("borg check /mnt/r::a", {}, "/mnt/r", ()),
        ("borg compact", {}, None, ()),
        ("borg extract /mnt/r::a home/me", {}, "/mnt/r", ()),
    ],
)
def test_repository_and_sources_are_read_as_borg_reads_them(
    command: str, environ: dict[str, str], repository: str | None, sources: tuple[str, ...]
) -> None:
    """Where to and what, from the command line and BORG_REPO, so that the same command is the same job every night."""
    found = plan(command, **environ)
    assert (found.repository, found.sources) == (repository, sources)


def test_no_password_of_an_address_is_in_the_plan() -> None:
    """Repository and sources are shown, so their secrets are not."""
    found = plan("borg create ssh://joe:hunter2@nas/./r::a /home")
    assert "hunter2" not in f"{found.repository}{found.sources}"


@pytest.mark.parametrize(
    ("command", "unlock"),
    [
        ("borg create /mnt/r::a /home", "borg break-lock /mnt/r"),
        ("borg create /mnt/my$(x)/r::a /home", "borg break-lock '/mnt/my$(x)/r'"),
        ("borg1 check /mnt/r", "borg1 break-lock /mnt/r"),
        ("borg -r /mnt/r create a /home", "borg -r /mnt/r break-lock"),
        ("borg create ::a /home", "borg break-lock"),
        ("python3 -m borg create r::a /home", "borg break-lock r"),
    ],
)
def test_the_lock_is_removed_with_borgs_own_command(command: str, unlock: str) -> None:
    """A person can paste the line; a strange repository name in it starts nothing."""
    assert BORG.unlock(plan(command)) == unlock


# Results of runs


@pytest.mark.parametrize("name", [name for name in names("borg") if load(name).plan().kind == "backup"])
def test_a_run_whose_end_nobody_saw_is_green_only_with_its_figures(name: str) -> None:
    """A process that closes a dead wrapper's run concludes from borg's last words, and never guesses a success."""
    capture = load(name)
    for cut in range(0, len(capture.lines) + 1, max(len(capture.lines) // 15, 1)):
        begun = capture.session()
        lines = capture.lines[:cut]
        replay(begun, lines)
        outcome = begun.conclude(Exit(None)).outcome
        whole = any(line == b"}\n" or b"This archive: " in line for line, _ in lines)
        assert outcome in (S, W, F) if whole else outcome in (L, F, C), lines[-1:]
        assert not (outcome is S and capture.code != 0)


@pytest.mark.parametrize("name", [name for name in names("borg") if "-sig" in name])
def test_a_stop_that_was_asked_for_is_a_cancel(name: str) -> None:
    """Ctrl-C, SIGTERM and `cancel` are the person's wish, however borg then ends."""
    capture = load(name)
    assert result(capture, Exit(capture.exit.code, capture.exit.signal, asked=True)).outcome is C


GONE = log("/x: open_root: [Errno 2] No such file or directory: '/x'")


@pytest.mark.parametrize(
    ("err", "out", "exit", "expected"),
    [
        ((), document(), Exit(0), S),
        ((), document(), Exit(0, asked=True), S),
        ((), document(0), Exit(0), W),
        ((), document(), Exit(1), W),
        ((GONE,), document(), Exit(1), W),
        ((GONE,), document(), Exit(107), W),
        ((GONE,), document(), Exit(127), W),
        ((GONE,), document(0), Exit(1), F),
        ((GONE,), document(0), Exit(107), F),
        ((GONE,), document(0), Exit(None), F),
        ((GONE,), document(), Exit(None), W),
        ((), document(), Exit(None), S),
        ((), document(), Exit(2), F),
        ((), document(), Exit(14), F),
        ((), document(), Exit(99), F),
        ((), document(), Exit(200), F),
        ((), document(), Exit(None, 9), F),
        ((), document()[:-1], Exit(0), U),
        ((), [], Exit(0), U),
        ((), [], Exit(1), F),
        ((), [], Exit(107), F),
        ((), [], Exit(127), F),
        ((), [], Exit(None), L),
        ((log("Repository /r does not exist.", "ERROR"),), [], Exit(None), F),
        ((log("Received SIGTERM", "ERROR"),), [], Exit(143), C),
        ((), [], Exit(143), C),
        ((), [], Exit(130), C),
        ((log("Keyboard interrupt", "ERROR"),), [], Exit(130), C),
        ((log("Error: Got Ctrl-C / SIGINT.", "ERROR"),), [], Exit(2), C),
        ((log("Received SIGHUP.", "ERROR"),), [], Exit(129), F),
        ((), [], Exit(None, 15), F),
        ((), [], Exit(None, 15, asked=True), C),
        ((log("Got Ctrl-C / SIGINT.", "ERROR"),), [], Exit(None, 9), F),
        ((log("terminating with error status, rc 2", "ERROR", "borg.output.show-rc"),), [], Exit(None), F),
        ((log("terminating with success status, rc 0", "INFO", "borg.output.show-rc"),), [], Exit(None), U),
    ],
)
def test_words_and_exit_code_decide_together(
    err: tuple[str, ...], out: list[str], exit: Exit, expected: Outcome
) -> None:
    """Legacy and modern codes alike: neither the figures nor the code alone proves a backup, and an unknown code is a failure."""
    assert run(*err, out=out, exit=exit).outcome is expected


@pytest.mark.parametrize(
    ("lines", "exit", "expected"),
    [
        (["/usr/bin/python3: No module named borg"], Exit(1), F),
        (["sudo: a password is required"], Exit(1), F),
        (["nice: 'borg': No such file or directory"], Exit(127), F),
        (["Traceback (most recent call last):", '  File "x"', "ImportError: no libacl"], Exit(1), F),
        ([], Exit(1), U),
        ([], Exit(105), U),
        ([], Exit(0), S),
        (["1.20 MB O 1.20 MB C 532 B D 17 N home/x"], Exit(1), W),
    ],
)
def test_where_no_figures_were_to_come_a_warning_is_not_taken_for_a_backup(
    lines: list[str], exit: Exit, expected: Outcome
) -> None:
    """With the user's own progress only the code is left: 0 is borg's word for success, 1 may be an empty archive."""
    assert run(*lines, exit=exit, command="borg create --progress r::a /home").outcome is expected


def test_unseen_output_proves_no_backup_with_warnings() -> None:
    """Behind `chronic` borg's words do not come here."""
    for code, expected in ((0, S), (1, U), (2, F), (107, U), (127, F)):
        assert run(exit=Exit(code), command="chronic borg create r::a /home").outcome is expected


def test_an_opaque_wrapper_makes_the_outcome_unknown() -> None:
    """Exit 0 of a systemd-run that does not wait says nothing about the backup."""
    argv = ("systemd-run", "borg", "create", "r::a", "/x")
    assert BORG.session(BORG.plan(argv, 1, {})).conclude(Exit(0)).outcome is U


def test_the_time_limit_of_timeout_is_a_failure_and_says_so() -> None:
    """The user did not cancel the backup that `timeout` cut off, although borg says that a signal came."""
    found = run(log("Received SIGTERM", "ERROR"), exit=Exit(124), command="timeout 5h borg create r::a /x")
    assert found.outcome is F
    assert "timeout" in found.reason


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (13, "no borg repository"),
        (14, "no space left"),
        (15, "config file is damaged"),
        (20, "quota"),
        (30, "name exists already"),
        (50, "no passphrase"),
        (51, "BORG_PASSCOMMAND"),
        (52, "passphrase is wrong"),
        (62, "does not trust"),
        (73, "locked by another borg"),
        (80, "connection"),
        (98, "exit code 98"),
    ],
)
def test_a_modern_exit_code_speaks_without_words(code: int, words: str) -> None:
    """With BORG_EXIT_CODES=modern the code tells the cause, should the message be lost."""
    assert words in run(exit=Exit(code)).reason


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("borg12-wrongpw", "passphrase is wrong"),
        ("borg14-wrongpw-modern", "passphrase is wrong"),
        ("borg12-norepo", "at /data/nowhere; check"),
        ("borg14-norepo-modern", "`borg init`"),
        ("borg12-locked", "wait until that run ends"),
        ("borg12-diskfull", "no space left"),
        ("borg14-diskfull", "no space left"),
        ("borg12-nosource", "/nonexistent/dir"),
        ("borg14-nosource-modern", "disks are mounted"),
        ("borg12-badflag", "unrecognized arguments: --nosuch"),
        ("borg12-sigKILL", "signal 9 (SIGKILL)"),
        ("borg12-unreadable", "2 problems"),
        ("borg12-moved", "`borg info`"),
        ("borg14-nopassphrase", "BORG_PASSPHRASE"),
        ("borg12-check-damaged", "problems"),
        ("borg12-extract-nothing", "Nothing was restored"),
    ],
)
def test_the_reason_is_plain_and_names_the_next_step(name: str, words: str) -> None:
    """A person reads what happened and what to do, not a code."""
    assert words in result(load(name)).reason


def test_what_the_other_side_said_stands_in_the_reason() -> None:
    """A refused login or a changed host key is named, not only that the connection broke."""
    remote = log("Remote: Host key verification failed.")
    found = run(remote, log("Connection closed by remote host.", "ERROR", msgid="ConnectionClosed"), exit=Exit(2))
    assert found.reason.endswith("The other side said: Host key verification failed.")


@pytest.mark.parametrize("name", ["borg12-locked", "borg14-locked-modern", "borg12-locked-prune"])
def test_a_lock_of_another_borg_is_waited_for(name: str) -> None:
    """`break-lock` also removes the lock of a run at work, so it is not offered where that is not known to be over."""
    assert result(load(name)).locked
    assert result(load(name)).advice == "Wait until the other borg ends, then run the backup again."
    assert result(load(name.replace("locked-prune", "norepo").replace("locked", "norepo"))).advice is None


def test_counts_come_from_the_figures() -> None:
    """Files, sizes and archive are borg's own."""
    found = result(load("borg12-first-json"))
    assert (found.files, found.bytes_processed, found.bytes_added) == (20219, 1554077314, 1345280911)
    assert (found.snapshot, found.errors) == ("first", 0)


def test_with_stats_the_figures_are_read_from_the_table() -> None:
    """The table stays the user's; its sizes are rounded to two decimals, with and without `--iec`."""
    found = result(load("borg12-stats"))
    assert (found.outcome, found.files, found.bytes_processed, found.bytes_added) == (S, 41, 1_210_000, 522)
    table = [
        "Archive name: home-2026",
        "Archive fingerprint: " + "ab" * 32,
        "Number of files: 7",
        "This archive:                1.50 KiB              1.66 MiB             3.00 GiB",
    ]
    found = run(
        *(log(line, "INFO", "borg.output.stats") for line in table),
        exit=Exit(0),
        command="borg create --stats --iec r::a /x",
    )
    assert (found.snapshot, found.files, found.bytes_processed, found.bytes_added) == ("home-2026", 7, 1536, 3 << 30)


def test_a_full_disk_is_not_complained_of_a_thousand_times() -> None:
    """borg 1.2 names every file that is left; all are counted, some are kept, and another problem still has its place."""
    full = [log(f"f{number}: read: [Errno 28] No space left on device") for number in range(5000)]
    found = run(*full, *full, log("secret: open: [Errno 13] Permission denied: 'secret'"), exit=Exit(2))
    assert found.errors == 5001
    assert len(found.problems) == 21
    assert found.problems[-1].item == "secret"


def test_names_that_are_no_text_are_shown_escaped() -> None:
    """A line break, an invalid byte and markup in a name do no harm, and the item is the whole name."""
    found = result(load("borg12-weird-unreadable"))
    assert [problem.item for problem in found.problems] == [
        "odd/line\nbreak",
        "odd/<script>alert(1)",
        "odd/inva\\xfflid",
    ]
    assert "\n" not in found.reason


TRACE = 'Traceback (most recent call last):\n  File "x", line 1\nOSError: [Errno 5] Input/output error\n\nPlatform: Linux\nPID: 7'


@pytest.mark.parametrize(
    "lines", [(log("Local Exception", "ERROR"), log(TRACE, "ERROR")), (log(TRACE, "ERROR"),), TRACE.split("\n")]
)
def test_of_a_traceback_the_exception_is_the_reason(lines: tuple[str, ...]) -> None:
    """The person reads which error it was, not the last line of what borg prints about its system."""
    assert "OSError: [Errno 5] Input/output error" in run(*lines, exit=Exit(2)).reason


def test_text_says_the_same_as_messages() -> None:
    """Where the messages are text, as in the user's own progress, borg's words count as well."""
    command = "borg create --progress --stats r::a /x"
    assert run("Received SIGTERM", exit=Exit(2), command=command).outcome is C
    assert run("terminating with signal status, rc 143", exit=Exit(None), command=command).outcome is C
    table = [
        "Archive name: a",
        "Archive fingerprint: " + "ab" * 32,
        "Number of files: 7",
        f"This archive: {' 1.00 kB' * 3}",
    ]
    found = run("x: file changed while we backed it up", *table, exit=Exit(100), command=command)
    assert (found.outcome, found.files, found.bytes_added, found.problems[0].item) == (W, 7, 1000, "x")


def test_figures_in_one_line_are_figures_too() -> None:
    """Whether borg indents its document is its own business; one without an archive proves nothing."""
    whole = json.dumps(json.loads("".join(document())))
    assert run(out=[whole], exit=Exit(0)).outcome is S
    for lines in (
        [whole.replace("archive", "x")],
        ["{", '"archive": 7', "}"],
        ["{", "nothing", "}"],
        ['{"archive": {}}'],
    ):
        assert run(out=lines, exit=Exit(0)).outcome is U


# Other subcommands


@pytest.mark.parametrize(
    ("command", "err", "exit", "expected"),
    [
        ("borg prune -d 7 r", "", Exit(0), S),
        ("borg prune -d 7 r", "something odd", Exit(1), W),
        ("borg prune -d 7 r", "", Exit(2), F),
        ("borg compact r", "", Exit(105), W),
        ("borg compact r", "", Exit(73), F),
        ("borg compact r", "sudo: a password is required", Exit(1), F),
        ("borg compact r", "", Exit(127), F),
        ("borg compact r", "Received SIGTERM", Exit(143), C),
        ("borg compact r", "", Exit(None, 9), F),
        ("borg compact r", "", Exit(None), L),
        ("borg compact r", "", Exit(1, asked=True), C),
        ("borg compact r", "", Exit(200), F),
        ("borg check r", "Archive consistency check complete, problems found.", Exit(1), F),
        ("borg check -v r", "Archive consistency check complete, no problems found.", Exit(0), S),
        ("borg check --repair r", "Archive consistency check complete, problems found.", Exit(0), W),
        ("borg check --repair r", "", Exit(1), W),
        ("borg extract r::a x", "Include pattern 'x' never matched.", Exit(1), F),
        ("borg extract r::a x y", "Include pattern 'x' never matched.", Exit(1), W),
        ("borg extract r::a", "home/x: [Errno 13] Permission denied: 'home/x'", Exit(1), W),
        ("borg create -n r::a /home", "", Exit(0), S),
        ("borg create -n r::a /home", "/x: stat: [Errno 2] No such file or directory: '/x'", Exit(1), W),
        ("systemd-run borg compact r", "", Exit(0), U),
    ],
)
def test_other_subcommands_are_judged_by_code_and_words(command: str, err: str, exit: Exit, expected: Outcome) -> None:
    """A check that found damage is a failure, though borg calls it a warning; so is a restore of nothing."""
    argv = command.split()
    at = argv.index("borg")
    begun = BORG.session(BORG.plan(argv, at, {}))
    for line in (err, log(err)) if err.startswith("home/x") else (err,):  # in text and, if the user asked, in JSON
        assert begun.feed(line.encode() + b"\n", Stream.ERR).relay == line.encode() + b"\n"
    found = begun.conclude(exit)
    assert found.outcome is expected
    assert found.snapshot is None
    assert found.errors <= 1


def test_a_restore_to_stdout_is_not_read() -> None:
    """`borg extract --stdout` prints the file itself; whatever it holds means nothing to us."""
    found = plan("borg extract --stdout r::a db.sql")
    assert found.spool_stdout is False
    begun = BORG.session(found)
    assert begun.feed(b"Received SIGTERM\n", Stream.OUT).relay == b"Received SIGTERM\n"
    assert begun.conclude(Exit(0)).outcome is S


# The live picture


def test_progress_shows_what_borg_says_and_no_total() -> None:
    """borg knows no totals, so none are shown; the end of reading is the phase of finishing."""
    begun = session()
    line = {"type": "archive_progress", "original_size": 9, "nfiles": 2, "path": "x/inva\udcfflid", "time": 1.5}
    (event,) = begun.feed(json.dumps(line).encode() + b"\n", Stream.ERR).events
    assert event == Progress(Phase.COPYING, files_done=2, bytes_done=9, current="x/inva\\xfflid")
    (gone,) = begun.feed(GONE.encode() + b"\n", Stream.ERR).events
    assert gone == Problem("/x: open_root: [Errno 2] No such file or directory: '/x'", "/x")
    (event,) = begun.feed(b'{"time": 1.5, "type": "archive_progress", "finished": true}\n', Stream.ERR).events
    assert event == Progress(Phase.FINISHING, files_done=2, bytes_done=9, errors=1)


@pytest.mark.parametrize("value", [-5, 2**70, "7", 1.5, None, True, [], {}])
def test_strange_numbers_do_not_become_progress(value: object) -> None:
    """Counts are never negative, and what is no count is not known."""
    line = {"type": "archive_progress", "original_size": value, "nfiles": value, "path": value}
    (event,) = session().feed(json.dumps(line).encode() + b"\n", Stream.ERR).events
    assert isinstance(event, Progress)
    assert event.bytes_done in (0, 2**63 - 1) if type(value) is int else event.bytes_done is None
    assert event.files_done == event.bytes_done


@pytest.mark.parametrize("name", ["borg12-progress-text", "borg14-progress-text"])
def test_the_progress_that_borg_draws_itself_is_read_and_left_alone(name: str) -> None:
    """1.2 draws over one line, 1.4 writes a line each time; both tell how far it is."""
    capture = load(name)
    fed = replay(capture.session(), capture.lines)
    assert [one.relay for one in fed] == [line for line, _ in capture.lines]
    seen = [event for one in fed for event in one.events if isinstance(event, Progress)]
    assert seen
    assert max(event.files_done or 0 for event in seen) > 1
    assert max(event.bytes_done or 0 for event in seen) > 4_000_000


def test_borg_is_asked_politely_first() -> None:
    """An interrupt lets borg write a checkpoint; then it is told to end, then it is made to."""
    assert [number.name for number, _ in BORG.stop] == ["SIGINT", "SIGTERM", "SIGKILL"]  # type: ignore[attr-defined] # they are Signals
    assert BORG.stop[0][1] >= 30


NEW_EACH_RUN = "/tmp/borgmatic-x1_2abcd/borgmatic/tmp0_a1b2c3"
OF_BORGMATIC = """R /etc/borgmatic/config.yaml
+ /etc/borgmatic/config.yaml
R /tmp/borgmatic-x1_2abcd/./borgmatic/bootstrap
+ /tmp/borgmatic-x1_2abcd/./borgmatic/bootstrap
R /home
R /run/borgmatic/zfs_snapshots/./srv/data
! fm:*.tmp"""


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        (OF_BORGMATIC, ("/home", "/srv/data")),
        ("R /etc/c.yaml\n+ /etc/c.yaml\n", ("/etc/c.yaml",)),
        ("P fm\n- *.tmp\nR\n", ()),
        ("\0\udcff R\n", ()),
        ("", ()),
        (None, ()),
    ],
)
def test_the_sources_of_a_list_that_each_run_has_anew_are_taken_from_it(
    text: str | None, sources: tuple[str, ...]
) -> None:
    """The list of borgmatic names its own files besides; without sources another backup may have the same name."""
    asked: list[str] = []

    def read(path: str) -> str | None:
        asked.append(path)
        return text

    planned = BORG.listed(plan(f"borg create --patterns-from {NEW_EACH_RUN} /r::{{now}}"), read)
    assert asked == [NEW_EACH_RUN]
    assert planned.sources == sources
    assert is_shared(planned) is (not sources)
    assert ("patterns-from" in str(planned.apart)) is (not sources)


@pytest.mark.parametrize("path", ["/dev/fd/63", "/proc/self/fd/7"])
def test_a_list_that_comes_through_a_descriptor_is_left_alone(path: str) -> None:
    """To read it could take it away from borg; another backup may have the same name then."""
    planned = plan(f"borg create --patterns-from {path} /r::{{now}}")
    assert is_shared(BORG.listed(planned, lambda _: pytest.fail("read")))


def test_a_list_of_the_users_own_is_not_read() -> None:
    """Its path tells the job from others, and stays the same."""
    planned = plan("borg create --patterns-from /etc/patterns /r::{now}")
    assert BORG.listed(planned, lambda _: pytest.fail("read")) == planned
    assert not is_shared(planned)
