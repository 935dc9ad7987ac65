"""Commands that only start something and leave: `docker run -d`, `systemctl start --no-block`, `at`, `sh -c 'restic … &'`.

Their exit code 0 says that something was started, not how it ended, so such a run is unknown. Words are read from left to right as
far as that decides; of a shell's text only the last command counts, since what a script puts into the background before its real
work is a helper of that work.

`reason` is asked only for the programs that `recognise` names. The options come from the manual pages.
"""

import re
from collections.abc import Callable, Mapping, Sequence

from tray.engines.recognise import unwrap
from tray.engines.recognise import words as as_set

SHELLS = frozenset(("sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "rbash"))
_ALWAYS: Mapping[str, str] = {
    **dict.fromkeys(("at", "batch", "tsp", "task-spooler"), "{} puts the command into a queue"),
    **dict.fromkeys(
        ("daemonize", "daemon", "start-stop-daemon", "abduco", "dtach"), "{} lets the command run by itself"
    ),
    **dict.fromkeys(("screen", "tmux", "zellij", "byobu"), "{} lets the command run in a session of its own"),
    **dict.fromkeys(("sbatch", "qsub", "bsub"), "{} puts the command into a queue"),
}
_WAITS: Mapping[str, frozenset[str]] = {
    "sbatch": frozenset(("-W", "--wait")),
    "qsub": frozenset(("-sync", "-I")),
    "bsub": frozenset(("-K", "-I", "-Ip", "-Is")),
}
DOCKER = frozenset(("docker", "podman", "nerdctl", "docker-compose", "podman-compose"))
KUBE = frozenset(("kubectl", "oc", "k3s", "microk8s", "helm"))
_CLOUD: Mapping[str, tuple[str, ...]] = {"gcloud": ("--async",), "az": ("--no-wait",), "nomad": ("-detach", "--detach")}
TEXT = frozenset(("su", "runuser", "flock", "script"))
"""Programs that take a shell's text behind `-c` themselves."""
SSH_VALUES = "bcDeEFIiJlLmOopQRSWwBP"
"""The options of ssh that take a value."""
TRIVIAL = frozenset(
    (
        "exit",
        "true",
        ":",
        "echo",
        "printf",
        "disown",
        "sleep",
        "date",
        "logger",
        "return",
        "fi",
        "done",
        "esac",
        "}",
        "set",
        "",
    )
)
"""Commands of a shell's text that are no work."""
LEADS = frozenset(
    ("if", "then", "else", "do", "while", "until", "!", "{", "exec", "command", "builtin", "time", "eval")
)
"""Words before a command that are the shell's own."""
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
"""How a word begins that sets a variable."""


def reason(argv: Sequence[str]) -> str:
    """Return why the exit code of *argv* says nothing of the work ("docker run -d …"), "" if it may say something."""
    name = _base(argv[0])
    if name in _ALWAYS:
        waits = not _WAITS.get(name, frozenset()).isdisjoint(argv)
        return "" if waits else f"{_ALWAYS[name].format(name)} and does not tell how it ended"
    if name in _READERS and (why := _READERS[name](name, argv[1:])):
        return why
    return _in_shell(argv)


def _base(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def _given(words: Sequence[str], letter: str, *names: str) -> bool:
    """Whether one of the options is among *words*, a letter also in a bundle; `--detach=false` takes it back."""
    for word in words:
        name, equals, value = word.partition("=")
        if name in names:
            return not equals or value.lower() not in ("false", "0")
        if letter and word[:1] == "-" and word[1:2] != "-" and word[1:].isalpha() and letter in word:
            return True
    return False


def _docker(name: str, words: Sequence[str]) -> str:
    """Read `docker run -d`, `docker exec -d`, `docker compose up -d`, `docker start`."""
    verbs = [word for word in words if not word.startswith("-")]
    group = name if name.endswith("compose") else next((verb for verb in verbs[:3] if verb == "compose"), "")
    wanted = ("up", "run", "exec", "start") if group else ("run", "exec", "start", "create")
    place = next((i for i, word in enumerate(words) if word in wanted), None)
    if place is None or verbs[0] in ("build", "image", "volume", "network"):
        return ""
    verb, options = words[place], _options(words[place + 1 :])
    if verb in ("start", "create"):
        attached = verb == "start" and not group and _given(options, "a", "--attach", "--interactive")
        return "" if attached else f"`{name} {verb}` does not wait for what it starts"
    detached = _given(options, "d", "--detach", "--detached")
    called = f"{name} compose {verb}" if group == "compose" else f"{name} {verb}"
    return f"`{called} -d` lets the container's command run by itself and does not wait for it" if detached else ""


DOCKER_VALUES = as_set(
    """-e --env -v --volume -w --workdir -u --user -p --publish -h --hostname -l --label -m --memory -a --attach -c --cpu-shares
    --name --network --net --entrypoint --env-file --mount --restart --cpus --cidfile --add-host --dns --device --log-driver
    --log-opt --link --pull --platform --runtime --ip --ipc --pid --uts --userns --ulimit --tmpfs --shm-size --security-opt
    --volumes-from --label-file --cap-add --cap-drop --gpus --memory-swap --detach-keys --index --scale -f --file --profile
    --project-name"""
)


def _options(words: Sequence[str]) -> list[str]:
    """Return the options before the first word that is neither an option nor its value: there the container's own words begin."""
    found: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif not word.startswith("-"):
            break
        else:
            found.append(word)
            skip = word in DOCKER_VALUES
    return found


def _systemctl(_name: str, words: Sequence[str]) -> str:
    if _given(words, "", "--no-block"):
        return "`systemctl --no-block` does not wait for what it starts"
    return ""


_KUBE_VERBS = as_set(
    "create apply replace scale patch rollout run exec wait logs get delete attach debug cp install upgrade"
)


def _kubectl(name: str, words: Sequence[str]) -> str:
    verb = next((word for word in words if word in _KUBE_VERBS), "")
    if name == "helm":
        starts = verb in ("install", "upgrade") and not _given(words, "", "--wait", "--wait-for-jobs", "--atomic")
    elif verb == "run":
        starts = not _given(words, "i", "--attach", "--stdin", "--rm", "--wait")
    else:
        starts = verb in ("create", "apply", "replace", "scale", "patch") or (verb == "rollout" and "restart" in words)
    return f"`{name} {verb}` does not wait for what it starts" if starts else ""


def _cloud(name: str, words: Sequence[str]) -> str:
    flag = next((flag for flag in _CLOUD[name] if flag in words), None)
    return f"`{name} {flag}` does not wait for what it starts" if flag else ""


def _cloud_run(name: str, words: Sequence[str]) -> str:
    """Read gcloud, whose `run jobs execute` waits only if it is told to."""
    if "execute" in words and "jobs" in words and not _given(words, "", "--wait"):
        return f"`{name} run jobs execute` without --wait does not wait for what it starts"
    return _cloud(name, words)


def _verb(name: str, words: Sequence[str]) -> str:
    """Read a program of which one subcommand leaves its work to a server."""
    verb = next((word for word in words if word in _STARTS[name]), None)
    return f"`{name} {verb}` does not wait for what it starts" if verb else ""


_STARTS: Mapping[str, frozenset[str]] = {
    "pueue": as_set("add"),
    "virsh": as_set("backup-begin"),
    "launchctl": as_set("start kickstart load bootstrap submit"),
    "initctl": as_set("--no-wait"),
}


def _aws(name: str, words: Sequence[str]) -> str:
    verb = next(
        (
            word
            for word in words
            if word.startswith("start-") or word in ("create-snapshot", "create-image", "submit-job")
        ),
        None,
    )
    return f"`{name} … {verb}` does not wait for what it starts" if verb else ""


def _ssh(name: str, words: Sequence[str]) -> str:
    place = 0
    while place < len(words) and words[place].startswith("-") and len(words[place]) > 1:
        for at, letter in enumerate(words[place][1:], 1):
            if letter == "f":
                return f"`{name} -f` goes into the background before the command is done"
            if letter in SSH_VALUES:
                place += at == len(words[place]) - 1
                break
        place += 1
    text = " ".join(words[place + 1 :])
    return _last_command(text) if text else ""


def _cpulimit(name: str, words: Sequence[str]) -> str:
    return f"`{name} -b` goes into the background" if _given(words, "b", "--background") else ""


_READERS: Mapping[str, Callable[[str, Sequence[str]], str]] = {
    **dict.fromkeys(DOCKER, _docker),
    **dict.fromkeys(KUBE, _kubectl),
    **dict.fromkeys(_CLOUD, _cloud),
    **dict.fromkeys(_STARTS, _verb),
    "gcloud": _cloud_run,
    "systemctl": _systemctl,
    "ssh": _ssh,
    "autossh": _ssh,
    "cpulimit": _cpulimit,
    "aws": _aws,
}


def _in_shell(argv: Sequence[str]) -> str:
    """Read the text of a `sh -c TEXT` in *argv*, wherever it stands: behind `docker exec`, `chroot` or `su` too."""
    for at, word in enumerate(argv[:-1]):
        text = shell_text(argv[at + 1 :]) if _base(word) in SHELLS else None
        if at and argv[at] in ("-c", "--command") and _base(argv[0]) in TEXT:
            text = argv[at + 1]
        if text is not None:
            return _last_command(text)
    return ""


def shell_text(words: Sequence[str]) -> str | None:
    """Return the text that a shell with these arguments runs; None if it runs a file."""
    skip = False
    for at, word in enumerate(words[:-1]):
        if skip:
            skip = False
            continue
        if not word.startswith(("-", "+")):
            return None
        if re.fullmatch(r"-[A-Za-z]*c", word):
            return words[at + 1]
        skip = word in ("-o", "+o", "-O", "+O", "--rcfile", "--init-file")
    return None


def _last_command(text: str) -> str:
    """Return why the last command (or pipe) of a shell's text says nothing of the work; trivial ones as `exit 0` do not count."""
    piped = True  # into what was looked at last
    for words, end in reversed(commands(text)):
        while words and (words[0] in LEADS or ASSIGNMENT.match(words[0])):
            del words[0]
        name = _base(words[0]) if words else ""
        piped = piped or end == "|"
        if not piped:
            return ""
        if end == "&" and name not in ("sleep", "ssh-agent"):
            return "the shell leaves it in the background and does not wait for it"
        if name not in TRIVIAL:
            if why := unwrap(words, {}).opaque:
                return why
            piped = False
    return ""


def commands(text: str) -> list[tuple[list[str], str]]:
    """Split a shell's text into its simple commands, each with the operator behind it; nothing if it is odd."""
    import shlex

    lexer = shlex.shlex(text, posix=True, punctuation_chars=";&|<>()\n")
    lexer.whitespace, lexer.commenters, lexer.whitespace_split = " \t\r", "", True
    found: list[tuple[list[str], str]] = []
    words: list[str] = []
    redirected = False
    try:
        for token in lexer:
            if token.strip(";&|<>()\n") or not token:
                words += [] if redirected else [token]
                redirected = False
            elif "<" in token or ">" in token:
                words = words[:-1] if words and words[-1].isdecimal() else words
                redirected = True
            else:
                found.append((words, token.strip("()\n;")))
                words, redirected = [], False
    except ValueError:
        return []
    return [*found, (words, "")]
