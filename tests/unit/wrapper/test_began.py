import pytest

from tray import engines
from tray.core.model import Outcome
from tray.engines.base import Exit, Result, Stream
from tray.wrapper.began import Began
from tray.wrapper.child import Last

FLOCK, TIMEOUT = Last("flock", children=False), Last("timeout", children=True)
LOCKED = "flock could not get its lock, which another process holds"
COMMANDS = {
    "restic": ("backup /src", "check", "forget --keep-last 1", "restore latest --target /x", "snapshots"),
    "borg": ("create r::a /src", "check r", "prune --keep-last 1 r", "extract r::a", "compact r", "list r"),
    "rclone": ("sync /src r:x", "check /src r:x", "lsd r:"),
    "rsync": ("-a /src/ /x/", "-an /src/ /x/"),
    "tar": ("czf x.tgz /src", "xf x.tgz", "df x.tgz", "tf x.tgz"),
    "duplicity": ("full /src file:///x", "verify file:///x /src", "cleanup --force file:///x"),
    "rdiff-backup": ("/src /x", "verify /x", "list increments /x"),
    "dar": ("-c /b/x -R /src", "-t /b/x", "-l /b/x"),
    "kopia": ("snapshot create /src", "snapshot verify", "maintenance run"),
    "pg_dump": ("-f x.sql db",),
}
CALLS = [(engine, f"{engine} {words}") for engine, calls in COMMANDS.items() for words in calls]


def judged(command: str, code: int, *lines: str, last: Last | None = None) -> Result:
    """Return what a run of *command* comes to, as the wrapper concludes it."""
    argv = command.split()
    engine, at = engines.recognise(argv, {})
    plan = engine.plan(argv, at, {})
    session, began = engine.session(plan), Began(plan.argv, speaks=engine is not engines.COMMAND)
    for line in lines:
        began.line(line.encode() + b"\n")
        session.feed(line.encode() + b"\n", Stream.ERR)
    return began.judge(session.conclude(Exit(code)), Exit(code), last)


@pytest.mark.parametrize(("engine", "call"), CALLS)
def test_a_lock_that_is_taken_is_never_the_engines_failure(engine: str, call: str) -> None:
    """Whatever its exit code 1 means, an engine that `flock` did not start is said not to have been started."""
    result = judged(f"flock -n lk {call}", 1, last=FLOCK)
    assert (result.outcome, result.reason) == (Outcome.FAILED, f"{engine} was not started: {LOCKED} (exit code 1).")


@pytest.mark.parametrize(("engine", "call"), CALLS)
def test_a_lock_that_is_taken_is_no_success_whatever_the_exit_code(engine: str, call: str) -> None:
    """`flock -E 0` calls it fine that nothing was done; the user asked for that, so it is no failure, but nothing is green."""
    result = judged(f"flock -n -E 0 lk {call}", 0, last=FLOCK)
    assert (result.outcome, result.reason) == (Outcome.WARNING, f"{engine} was not started: {LOCKED} (exit code 0).")


@pytest.mark.parametrize(("engine", "call"), CALLS)
@pytest.mark.parametrize(
    ("before", "code", "said", "last"),
    [
        ("sudo -n", 1, "sudo: a password is required", Last("sudo", children=False)),
        ("sudo -n", 1, "sudo: a password is required", Last("sudo", children=True)),
        ("sudo -n", 1, "sudo: a password is required", None),
        ("doas -n", 1, "doas: Authorization required", None),
        ("setpriv --reuid x", 1, "setpriv: uid x not found", Last("setpriv", children=False)),
        ("nice", 127, "nice: 'x': No such file or directory", Last("nice", children=False)),
        ("flock lk nice", 127, "nice: 'x': No such file or directory", Last("flock", children=True)),
        ("timeout 9", 126, "timeout: failed to run command 'x': Permission denied", TIMEOUT),
        ("timeout 9", 127, "timeout: failed to run command 'x': No such file or directory", None),
        ("env A=b", 127, "env: 'x': No such file or directory", None),
        ("systemd-inhibit", 1, "Failed to inhibit: Access denied", Last("systemd-inhibit"[:15], children=False)),
        ("runuser -u x --", 1, "runuser: user x does not exist", Last("runuser", children=False)),
        ("chrt 200", 1, "chrt: unsupported priority value", Last("chrt", children=False)),
        ("prlimit --nofile=z", 1, "prlimit: failed to parse NOFILE limit", None),
        ("/usr/bin/sudo -n /usr/bin/flock lk", 1, "sudo: a password is required", None),
    ],
)
def test_what_stands_before_an_engine_and_refuses_is_named(
    engine: str, call: str, before: str, code: int, said: str, last: Last | None
) -> None:
    """Also where the system does not tell what became of the process."""
    result = judged(f"{before} {call}", code, said, last=last)
    assert (result.outcome, result.reason) == (Outcome.FAILED, f"{engine} was not started: {said}.")


@pytest.mark.parametrize(("engine", "call"), [one for one in CALLS if one[0] != "pg_dump"])
def test_a_silent_failure_behind_two_wrappers_is_not_explained_by_the_engines_codes(engine: str, call: str) -> None:
    """`timeout 9 flock -n lk …`: the code may be flock's, and nothing shows whose it is."""
    result = judged(f"timeout 9 flock -n lk {call}", 1, last=TIMEOUT)
    assert result.outcome is Outcome.FAILED
    assert f"so {engine} may not have been started" in result.reason


@pytest.mark.parametrize(
    ("command", "code", "lines", "last", "outcome"),
    [
        ("nice tar cf x.tar /src", 0, ("Total bytes written: 10240 (10KiB, 1MiB/s)",), Last("tar", False), "succeeded"),
        ("nice tar cf x.tar /src", 1, ("tar: a: file changed as we read it",), Last("tar", False), "warning"),
        ("flock lk tar cf x.tar /src", 0, (), Last("flock", children=True), "succeeded"),
        ("flock lk borg check r", 1, ("repository has problems",), Last("flock", children=True), "failed"),
        ("flock lk rsync -a /src/ /x/", 0, (), Last("flock", children=True), "succeeded"),
        ("flock lk rsync -a /src/ /x/", 0, (), None, "succeeded"),
        ("sudo timeout 9 rsync -aq /src/ /x/", 0, (), Last("sudo", children=True), "succeeded"),
        ("nice -n -5 tar cf x.tar /src", 0, ("nice: cannot set niceness",), Last("tar", False), "succeeded"),
        ("systemd-run --wait --pipe tar cf x.tar /src", 0, (), Last("systemd-run", False), "succeeded"),
        ("timeout 9 false", 1, (), TIMEOUT, "failed"),
        ("flock lk true", 0, (), Last("flock", children=True), "succeeded"),
        ("timeout 9 flock -n -E 0 lk rsync -a /src/ /x/", 0, (), TIMEOUT, "warning"),
    ],
)
def test_what_began_is_judged_as_before(
    command: str, code: int, lines: tuple[str, ...], last: Last | None, outcome: str
) -> None:
    """A silent engine that ended well behind a wrapper is a success; only a taken lock that counts as fine leaves a doubt."""
    result = judged(command, code, *lines, last=last)
    assert result.outcome.value == outcome, result.reason
    assert "not started" not in result.reason


def test_a_run_that_was_stopped_is_not_called_not_started() -> None:
    """A user who stops a run while it waits for its lock has cancelled it."""
    began = Began(["flock", "lk", "restic", "backup", "/src"], speaks=True)
    stopped = Result(Outcome.CANCELLED, "The backup was stopped on request.")
    assert began.judge(stopped, Exit(1, asked=True), FLOCK) is stopped


def test_the_lines_of_time_are_not_the_engines() -> None:
    """GNU time prints its figures also after a lock that was taken."""
    figures = ("Command exited with non-zero status 1", "0.00user 0.00system 0:00.00elapsed 50%CPU", "0inputs+0outputs")
    result = judged("time flock -n lk borg check r", 1, *figures, last=Last("time", children=True))
    assert "may not have been started" in result.reason
