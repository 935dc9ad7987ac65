"""Which engine a command line starts, behind which wrappers, and what its job is called."""

import pytest

from tray import engines
from tray.core.errors import UnknownEngineError, UsageError
from tray.engines import recognise, unwrap
from tray.engines.base import API, Exit
from tray.engines.program import WRAPPERS

BEHIND = [
    "restic",
    "/usr/local/bin/restic",
    "./restic019",
    "restic-0.18.1",
    "restic_0.14.0_linux_amd64",
    "restic.exe",
    "env restic",
    "env -i PATH=/bin -u HOME -C / A=b restic",
    "env --unset=HOME --chdir /tmp restic",
    "/usr/bin/env - restic",
    "nice restic",
    "nice -n 19 restic",
    "nice -n19 restic",
    "nice -19 restic",
    "nice --adjustment=5 restic",
    "ionice -c2 -n7 restic",
    "ionice -c 3 restic",
    "ionice --class idle -t restic",
    "sudo restic",
    "sudo -u backup -E restic",
    "sudo -nu backup -- restic",
    "sudo --user=backup RESTIC_REPOSITORY=/r restic",
    "sudo -H -g wheel A=1 B=2 restic",
    "doas -u root restic",
    "systemd-run --scope restic",
    "systemd-run --user --scope -p MemoryMax=1G --unit=x -q restic",
    "systemd-run --wait --pipe --quiet --property CPUWeight=10 restic",
    "systemd-run -P --wait -u name restic",
    "timeout 5h restic",
    "timeout -k 10 -s INT --foreground 5h restic",
    "timeout --signal=INT 5h restic",
    "nohup restic",
    "setsid -w restic",
    "setsid --wait -c restic",
    "stdbuf -oL restic",
    "stdbuf -o L --error=0 restic",
    "chrt -i 0 restic",
    "chrt --batch 0 restic",
    "taskset 0x1 restic",
    "taskset -c 0,1 restic",
    "flock /run/lock/b restic",
    "flock -n -E 4 /run/lock/b restic",
    "flock --timeout 10 /run/lock/b restic",
    "time -p restic",
    "/usr/bin/time -v -o /tmp/t restic",
    "chronic restic",
    "caffeinate -is -t 3600 restic",
    "unbuffer restic",
    "choom -n 500 -- restic",
    "setpriv --reuid 1000 --clear-groups restic",
    "runuser -u backup -- restic",
    "gosu backup restic",
    "systemd-inhibit --what=sleep --who me restic",
    "trickle -s -u 100 restic",
    "sudo -u x nice -n 10 ionice -c3 env A=1 timeout 5h flock -n /l /opt/restic",
]


@pytest.mark.parametrize("command", BEHIND)
def test_restic_is_found_behind_its_wrappers(command: str) -> None:
    """The engine is recognised wherever it stands, and its place is exact."""
    argv = [*command.split(), "backup", "restic"]
    engine, at = recognise(argv, {})
    assert (engine.name, at) == ("restic", len(argv) - 3)


@pytest.mark.parametrize(
    "command",
    [
        "resticprofile backup",
        "restic-browser",
        "rustic backup",
        "autorestic backup",
        "pg_dump restic",
        "env",
        "env -S restic backup",
        "sudo",
        "sudo -l restic",
        "sudo -e restic",
        "nice -n",
        "timeout 5h",
        "flock /l -c restic",
        "ionice -p 77 restic",
        "chrt -p 1 restic",
        "sh -c restic",
        "echo restic",
        "systemd-run restic backup",
        "systemd-run --wait restic backup",
        "systemd-run --pipe restic backup",
        "systemd-run --on-calendar daily restic backup",
        "setsid restic backup",
        "setsid -f -w restic backup",
        "sudo -b restic backup",
        "tmux new-session restic backup",
        "screen -dm restic backup",
    ],
)
def test_what_is_not_restic_or_hides_its_end_is_any_other_command(command: str) -> None:
    """Nothing is guessed: such a command is known by start, end and exit code only."""
    engine, at = recognise(command.split(), {})
    assert (engine.name, at) == ("command", 0)


def test_an_empty_command_is_any_other_command() -> None:
    """Nothing raises here; the process that starts the command says that it cannot."""
    assert recognise([], {}) == (engines.COMMAND, 0)
    assert engines.COMMAND.session(engines.COMMAND.plan([], 0, {})).conclude(Exit(127)).outcome == "failed"


@pytest.mark.parametrize("name", sorted(WRAPPERS))
def test_a_wrapper_without_a_command_is_its_own_program(name: str) -> None:
    """The search for the program does not step over a wrapper that is run for itself."""
    for argv in ([name], [name, "--"], [name, "-x"]):
        assert unwrap(argv, {}).at == 0


def test_an_engine_can_be_forced() -> None:
    """`--engine` decides, whatever the program is called; its place is behind the wrappers."""
    assert recognise(["nice", "myrestic", "backup"], {}, "restic") == (engines.named("restic"), 1)
    assert recognise(["nice", "restic", "backup"], {}, "command") == (engines.COMMAND, 0)


def test_an_unknown_engine_is_refused_with_the_known_ones() -> None:
    """A typing error is a usage error that lists what there is."""
    with pytest.raises(UnknownEngineError) as caught:
        recognise(["x"], {}, "rustic")
    assert isinstance(caught.value, UsageError)
    assert "restic" in caught.value.why
    assert "command" in caught.value.why


def test_a_stored_engine_that_is_gone_is_any_other_command() -> None:
    """Records of a newer version can be read."""
    assert engines.named("restic") is engines.ENGINES[0].load()
    assert engines.named("borg3") is engines.COMMAND


def test_every_engine_holds_the_contract() -> None:
    """One API version, one name each, and the last one takes anything."""
    assert {engine.load().api for engine in engines.ENGINES} == {API}
    assert len({engine.name for engine in engines.ENGINES}) == len(engines.ENGINES)
    assert engines.COMMAND.recognises("anything")


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("restic", "/mnt/backup", ("/home",)), "restic /home to /mnt/backup"),
        (("restic", "/mnt/backup", ("/home", "/etc")), "restic /etc, /home to /mnt/backup"),
        (("restic", None, ("/home/",)), "restic /home"),
        (("restic", "rest:https://u:pw@h/", ("/",)), "restic / to rest:https://u:***@h"),
        (("command", None, ("pg_dump db",)), "pg_dump db"),
        (("command", None, ()), "command"),
    ],
)
def test_a_job_name_is_readable(arguments: tuple[str, str | None, tuple[str, ...]], name: str) -> None:
    """Engine, sources and repository, as a person would say it."""
    assert engines.job_name(*arguments) == name


def test_the_same_command_is_the_same_job_and_another_is_another() -> None:
    """The success of one job must never hide the failure of another."""
    deep = "/srv/" + "very/" * 30 + "deep"
    commands = [
        ("restic", "/a/repo", ("/x/data",)),
        ("restic", "/b/repo", ("/x/data",)),
        ("restic", "/a/repo", ("/y/data",)),
        ("restic", f"{deep}/1/repo", ("/x/data",)),
        ("restic", f"{deep}/2/repo", ("/x/data",)),
        ("restic", "/a/repo", tuple(f"/x/{n}" for n in range(50))),
        ("restic", "/a/repo", tuple(f"/x/{n}" for n in range(51))),
        ("restic", "/a/repo", ("/x", "/y")),
        ("restic", "/a/repo", ("/x, /y",)),
        ("restic", None, ("/x to /a/repo",)),
        ("restic", "/a/repo", ("/x",)),
    ]
    found = [engines.job_name(*command) for command in commands]
    assert len(set(found)) == len(commands)
    assert found == [engines.job_name(*command) for command in commands]
    assert engines.job_name("restic", "/r", ("/a", "/b")) == engines.job_name("restic", "/r", ("/b", "/a"))


def test_kind_and_folder_tell_jobs_apart() -> None:
    """A check or a dry run is another job than the backup, and so is `backup .` in another folder."""
    name = engines.job_name
    assert name("restic", "/r", ("/a",), kind="dry-run") == "restic dry-run /a to /r"
    assert name("restic", "/r", (), kind="check") == "restic check to /r"
    assert name("restic", "repo", (".",), folder="/srv") == "restic /srv to /srv/repo"
    assert name("restic", "sftp:h:/r", ("../x",), folder="/srv/y") == "restic /srv/x to sftp:h:/r"
    assert name("command", None, ("pg_dump db",), folder="/srv") == "pg_dump db"
    assert name("restic", "named in /etc/r", ("stdin",), folder="/srv") == "restic stdin to named in /etc/r"


@pytest.mark.parametrize("place", ["h:/b", "root@h:/b", "u@h::/b", "r:x", "sftp:u@h:/b", "rest:http://h/b", "C:/b"])
def test_an_address_is_never_taken_for_a_path(place: str) -> None:
    """The job is the same whatever folder it is started from."""
    assert engines.job_name("rsync", place, ("/a",), folder="/root") == f"rsync /a to {place}"


def test_a_job_name_is_short_and_can_be_shown() -> None:
    """Odd names neither break a line nor a terminal."""
    sources = ("/new\nline", "/\x1b[31mred", "/bad\udcff", "/" + "x" * 4096, "/right\u202eleft")
    for source in sources:
        name = engines.job_name("restic", "/r" + source, (source,))
        assert len(name) <= 120
        assert name.isprintable()
        assert name.encode()
