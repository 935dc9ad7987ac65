"""Tell commands that only start something and leave: `docker run -d`, `systemctl start --no-block`, `at`, `sh -c 'restic … &'`.

Their exit code 0 says that something was started, not how it ended, so such a run is unknown. Words are read from left to right as
far as that decides; of a shell's text only the last command counts, since a command that a script puts into the background before
its real work is a helper of that work.

The options come from the manual pages.
"""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from tray.core import regex
from tray.engines.text import program_name, words

SHELLS = words("sh bash dash ash zsh ksh mksh fish rbash")
_ALWAYS: Mapping[str, str] = {
    **dict.fromkeys(("at", "batch", "tsp", "task-spooler", "sbatch", "qsub", "bsub"), "puts the command into a queue"),
    **dict.fromkeys(("daemonize", "daemon", "start-stop-daemon", "abduco", "dtach"), "lets the command run by itself"),
    **dict.fromkeys(("screen", "tmux", "zellij", "byobu"), "lets the command run in a session of its own"),
}
_WAITS: Mapping[str, frozenset[str]] = {
    "sbatch": words("-W --wait"),
    "qsub": words("-sync -I"),
    "bsub": words("-K -I -Ip -Is"),
}
_STARTS: Mapping[str, frozenset[str]] = {
    "az": words("--no-wait"),
    "gcloud": words("--async"),
    "initctl": words("--no-wait"),
    "launchctl": words("start kickstart load bootstrap submit"),
    "nomad": words("-detach --detach"),
    "pueue": words("add"),
    "systemctl": words("--no-block"),
    "virsh": words("backup-begin"),
}
"""By program: the subcommand or option with which it leaves its work to a server."""
_LEAVES = "`{}` does not wait for what it starts"
_AWS_VERBS = words("create-snapshot create-image submit-job")
DOCKER = words("docker podman nerdctl docker-compose podman-compose")
KUBE = words("kubectl oc k3s microk8s helm")
_KUBE_VERBS = words(
    "create apply replace scale patch rollout run exec wait logs get delete attach debug cp install upgrade"
)
TEXT = words("su runuser flock script")
"""Programs that take a shell's text behind `-c` themselves."""
SSH_VALUES = "bcDeEFIiJlLmOopQRSWwBP"
"""The options of ssh that take a value."""
TRIVIAL = words("exit true : echo printf disown sleep date logger return fi done esac } set") | {""}
"""Commands of a shell's text that are no work."""
_LEADS = words("if then else do while until ! { exec command builtin time eval")
"""Words before a command that are the shell's own."""
_MAY_LEAVE = frozenset((*_ALWAYS, *_STARTS, *DOCKER, *KUBE, *SHELLS, *TEXT)) | words(
    "aws ssh autossh cpulimit chroot nsenter unshare lxc incus busybox doas sudo systemd-nspawn"
)
"""Programs that may leave before the work is done, or start a shell that does."""
_ASSIGNMENT = regex.compile(r"[A-Za-z_]\w*=")
"""How a word begins that sets a variable."""
DOCKER_VALUES = words(
    """-e --env -v --volume -w --workdir -u --user -p --publish -h --hostname -l --label -m --memory -a --attach -c --cpu-shares
    --name --network --net --entrypoint --env-file --mount --restart --cpus --cidfile --add-host --dns --device --log-driver
    --log-opt --link --pull --platform --runtime --ip --ipc --pid --uts --userns --ulimit --tmpfs --shm-size --security-opt
    --volumes-from --label-file --cap-add --cap-drop --gpus --memory-swap --detach-keys --index --scale -f --file --profile
    --project-name"""
)
"""The options of docker and its like that take a value."""

Opaque = Callable[[Sequence[str]], str]
"""Tells why the end of a command cannot be seen, "" if it can; `program.unwrap` knows that, and stands above this module."""


def reason(argv: Sequence[str], opaque: Opaque) -> str:
    """Return why the exit code of *argv* says nothing of the work ("docker run -d …"), "" if it may say something."""
    name, rest = program_name(argv[0]), argv[1:]
    if name not in _MAY_LEAVE:
        return ""
    if name in _ALWAYS:
        waits = not _WAITS.get(name, frozenset()).isdisjoint(argv)
        return "" if waits else f"{name} {_ALWAYS[name]} and does not tell how it ended"
    if name in DOCKER and (why := _container(name, rest)):
        return why
    if name in ("ssh", "autossh") and (why := _ssh(name, rest, opaque)):
        return why
    if name == "gcloud" and "execute" in rest and "jobs" in rest and not _given(rest, "", "--wait"):
        return "`gcloud run jobs execute` without `--wait` does not wait for what it starts"
    if name == "cpulimit" and _given(rest, "b", "--background"):
        return f"`{name} -b` goes into the background"
    if starter := _starter(name, rest):
        return _LEAVES.format(starter)
    return _in_shell(argv, opaque)


def _given(rest: Sequence[str], letter: str, *names: str) -> bool:
    """Whether one of the options is among *rest*, a letter also in a bundle; `--detach=false` takes it back."""
    for word in rest:
        name, equals, value = word.partition("=")
        if name in names:
            return not equals or value.lower() not in ("false", "0")
        if letter and word[:1] == "-" and word[1:2] != "-" and word[1:].isalpha() and letter in word:
            return True
    return False


def _starter(name: str, rest: Sequence[str]) -> str:
    """Return the call that leaves its work to a server, "" if this is none."""
    if name in KUBE:
        return _kube_start(name, rest)
    if name == "aws":
        verbs = (word for word in rest if word.startswith("start-") or word in _AWS_VERBS)
        return next((f"{name} … {verb}" for verb in verbs), "")
    return next((f"{name} {word}" for word in rest if word in _STARTS.get(name, ())), "")


def _container(name: str, rest: Sequence[str]) -> str:
    """Read `docker start`, `docker create`, `docker run -d`, `docker exec -d`, `docker compose up -d`."""
    verbs = [word for word in rest if not word.startswith("-")]
    composes = name.endswith("compose") or "compose" in verbs[:3]
    wanted = ("up", "run", "exec", "start") if composes else ("run", "exec", "start", "create")
    place = next((at for at, word in enumerate(rest) if word in wanted), None)
    if place is None or verbs[0] in ("build", "image", "volume", "network"):
        return ""
    verb, options = rest[place], _options(rest[place + 1 :])
    attached = verb == "start" and not composes and _given(options, "a", "--attach", "--interactive")
    if verb in ("start", "create") and not attached:
        return _LEAVES.format(f"{name} {verb}")
    call = f"{name} compose {verb}" if composes and not name.endswith("compose") else f"{name} {verb}"
    detached = _given(options, "d", "--detach", "--detached")
    return f"`{call} -d` lets the container's command run by itself and does not wait for it" if detached else ""


def _options(rest: Sequence[str]) -> list[str]:
    """Return the options before the first word that is neither an option nor its value: there the container's own words begin."""
    options: list[str] = []
    skip = False
    for word in rest:
        if skip:
            skip = False
        elif not word.startswith("-"):
            break
        else:
            options.append(word)
            skip = word in DOCKER_VALUES
    return options


def _kube_start(name: str, rest: Sequence[str]) -> str:
    verb = next((word for word in rest if word in _KUBE_VERBS), "")
    if name == "helm":
        starts = verb in ("install", "upgrade") and not _given(rest, "", "--wait", "--wait-for-jobs", "--atomic")
    elif verb == "run":
        starts = not _given(rest, "i", "--attach", "--stdin", "--rm", "--wait")
    else:
        starts = verb in ("create", "apply", "replace", "scale", "patch") or (verb == "rollout" and "restart" in rest)
    return f"{name} {verb}" if starts else ""


def _ssh(name: str, rest: Sequence[str], opaque: Opaque) -> str:
    place = 0
    while place < len(rest) and rest[place].startswith("-") and len(rest[place]) > 1:
        for at, letter in enumerate(rest[place][1:], 1):
            if letter == "f":
                return f"`{name} -f` goes into the background before the command is done"
            if letter in SSH_VALUES:
                place += at == len(rest[place]) - 1
                break
        place += 1
    text = " ".join(rest[place + 1 :])
    return _last_command(text, opaque) if text else ""


def _in_shell(argv: Sequence[str], opaque: Opaque) -> str:
    """Read the text of a `sh -c TEXT` in *argv*, wherever it stands: behind `docker exec`, `chroot` or `su` too."""
    for at, word in enumerate(argv[:-1]):
        text = shell_text(argv[at + 1 :]) if program_name(word) in SHELLS else None
        if at and argv[at] in ("-c", "--command") and program_name(argv[0]) in TEXT:
            text = argv[at + 1]
        if text is not None:
            return _last_command(text, opaque)
    return ""


def shell_text(rest: Sequence[str]) -> str | None:
    """Return the text that a shell with these arguments runs; None if it runs a file."""
    skip = False
    for word, text in pairwise(rest):
        if skip:
            skip = False
            continue
        if not word.startswith(("-", "+")):
            return None
        if re.fullmatch(r"-[A-Za-z]*c", word):
            return text
        skip = word in ("-o", "+o", "-O", "+O", "--rcfile", "--init-file")
    return None


def _last_command(text: str, opaque: Opaque) -> str:
    """Return why the last command (or pipe) of a shell's text says nothing of the work; trivial ones as `exit 0` do not count."""
    piped = True  # into the command that was looked at last
    for command, end in reversed(commands(text)):
        command = without_leads(command)
        name = program_name(command[0]) if command else ""
        piped = piped or end == "|"
        if not piped:
            return ""
        if end == "&" and name not in ("sleep", "ssh-agent"):
            return "the shell leaves it in the background and does not wait for it"
        if name not in TRIVIAL:
            if why := opaque(command):
                return why
            piped = False
    return ""


def without_leads(command: list[str]) -> list[str]:
    """Return a simple command without the shell's own words and assignments before it."""
    at = 0
    while at < len(command) and (command[at] in _LEADS or _ASSIGNMENT.match(command[at])):
        at += 1
    return command[at:]


def commands(text: str) -> list[tuple[list[str], str]]:
    """Split a shell's text into its simple commands, each with the operator behind it; nothing if it is odd."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";&|<>()\n")
    lexer.whitespace, lexer.commenters, lexer.whitespace_split = " \t\r", "", True
    simple: list[tuple[list[str], str]] = []
    command: list[str] = []
    redirected = False
    try:
        for token in lexer:
            if token.strip(";&|<>()\n") or not token:
                command += [] if redirected else [token]
                redirected = False
            elif "<" in token or ">" in token:
                command = command[:-1] if command and command[-1].isdecimal() else command
                redirected = True
            else:
                simple.append((command, token.strip("()\n;")))
                command, redirected = [], False
    except ValueError:
        return []
    return [*simple, (command, "")]
