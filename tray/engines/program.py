"""Find the program that really runs behind `env`, `nice`, `sudo`, `systemd-run` and their like.

`unwrap` changes nothing in front of that program: it only steps over the wrappers to learn where the program stands, which
variables it gets, and whether its end and its output can be seen from here. An unknown wrapper ends the walk, and is then itself
"any other command". The options come from the manual pages (coreutils, util-linux, sudo, systemd, moreutils).
"""

import re
from collections.abc import Mapping, Sequence

from tray.core import regex
from tray.core.dataclass import dataclass, field
from tray.engines import detached
from tray.engines.text import program_name

_PYTHON = regex.compile(r"python(?:\d+(?:\.\d+)?)?(?:\.exe)?", re.IGNORECASE)
_IN_PYTHON = ("borg", "duplicity", "rdiff-backup")
"""Programs that stand behind their interpreter: `python3 -m borg`, and in the process list `/usr/bin/python3 /usr/bin/borg`."""


@dataclass(frozen=True, slots=True)
class Inner:
    """The program behind the wrappers.

    Attributes:
        at: Its index in the command.
        environ: The environment that it gets, as far as the command line tells.
        opaque: Why its end cannot be seen from here ("" if it can); its exit code then says nothing about the backup.
        hidden: Its exit code reaches us, but its output does not (or only sometimes).
        timed: A `timeout` stands before it, so exit code 124 means that the time was up.
        before: The names of the wrappers that stand before it, the first one first.
        sets: Settings that make it another command: `user=bob`, `folder=/srv`, `root=/mnt`, `host=h`, `$NAME=value`.
    """

    at: int
    environ: Mapping[str, str]
    opaque: str = ""
    hidden: bool = False
    timed: bool = False
    before: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()

    @property
    def visible(self) -> bool:
        """Whether its output comes to us and its end can be seen."""
        return not self.opaque and not self.hidden

    def timed_out(self, code: int | None) -> bool:
        """Whether exit code *code* tells that `timeout` stopped it: a failure, no wish of the user."""
        return self.timed and code in (124, 137)


@dataclass(frozen=True, slots=True)
class _Wrapper:
    """The command line of a wrapper.

    Attributes:
        short: Letters that take a value.
        long: Long options that take a value as the next word.
        before: How many words stand before the command.
        assignments: Words like `A=1` before the command set variables.
        none: Options with which no readable command follows.
        detaches: Options with which it does not wait for the command.
        hides: The command's output does not come to us.
        means: Settings that its options make; "" is the word before the command.
    """

    short: str = ""
    long: str = ""
    before: int = 0
    assignments: bool = False
    none: str = ""
    detaches: str = ""
    hides: bool = False
    means: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Read:
    """The command line of one wrapper, read: the index of its command, and the options and assignments before that."""

    at: int | None = None
    options: list[tuple[str, str]] = field(default_factory=list)
    assigned: dict[str, str] = field(default_factory=dict)
    passed: str = ""

    def has(self, *names: str) -> bool:
        """Whether one of the options was given."""
        return any(name in names for name, _ in self.options)


_USER = {"-u": "user", "--user": "user"}
_PROPERTIES = {"User": "user", "WorkingDirectory": "folder", "RootDirectory": "root", "RootImage": "root"}
_PRINTED_ONLY = ("LC_", "LANG", "TZ", "TERM", "COLUMNS", "LINES", "NO_COLOR", "DEBIAN_FRONTEND")
"""How the names of variables begin that change only the wording of a command's output."""

WRAPPERS: Mapping[str, _Wrapper] = {
    "caffeinate": _Wrapper("tw"),
    "chpst": _Wrapper("uUebmdofcprtn/", means={"-u": "user", "-/": "root"}),
    "choom": _Wrapper("np", "--adjust --pid", none="-p --pid"),
    "chronic": _Wrapper(hides=True),
    "chrt": _Wrapper("TPDp", "--sched-runtime --sched-period --sched-deadline", before=1, none="-p --pid -m --max"),
    "doas": _Wrapper("uCa", none="-L -s", means=_USER),
    "env": _Wrapper(
        "uC",
        "--unset --chdir --argv0",
        assignments=True,
        none="-S --split-string",
        means={"-C": "folder", "--chdir": "folder"},
    ),
    "flock": _Wrapper("wE", "--wait --timeout --conflict-exit-code", before=1, none="-c --command"),
    "gosu": _Wrapper(before=1, means={"": "user"}),
    "ionice": _Wrapper("cnpPu", "--class --classdata --pid --pgid --uid", none="-p -P -u --pid --pgid --uid"),
    "nice": _Wrapper("n", "--adjustment"),
    "nohup": _Wrapper(),
    "runuser": _Wrapper(
        "ugGwT",
        "--user --group --supp-group --whitelist-environment",
        none="-c --command --session-command",
        means=_USER,
    ),
    "prlimit": _Wrapper("po", "--pid --output", none="-p --pid"),
    "setpriv": _Wrapper(
        long="""--reuid --ruid --euid --regid --rgid --egid --groups --inh-caps --ambient-caps --bounding-set --securebits
        --pdeathsig --selinux-label --apparmor-profile""",
        means={"--reuid": "user", "--ruid": "user"},
    ),
    "setsid": _Wrapper(detaches="-f --fork"),
    "stdbuf": _Wrapper("ioe", "--input --output --error"),
    "su-exec": _Wrapper(before=1, means={"": "user"}),
    "sudo": _Wrapper(
        "ugthpCTUDRr",
        """--user --group --host --prompt --close-from --command-timeout --other-user --chdir --chroot --role --type
        --auth-type""",
        assignments=True,
        none="-e --edit -l --list -v --validate -V --version",
        detaches="-b --background",
        means={
            **_USER,
            "-D": "folder",
            "--chdir": "folder",
            "-R": "root",
            "--chroot": "root",
            "-h": "host",
            "--host": "host",
        },
    ),
    "systemd-cat": _Wrapper("tp", "--identifier --priority --stderr-priority --level-prefix --namespace", hides=True),
    "systemd-inhibit": _Wrapper(long="--what --who --why --mode"),
    "systemd-run": _Wrapper(
        "puEHMC",
        """--property --unit --description --slice --setenv --host --machine --uid --gid --nice --working-directory
        --service-type --on-active --on-boot --on-startup --on-unit-active --on-unit-inactive --on-calendar --path-property
        --socket-property --timer-property --background --capsule --job-mode""",
        means={
            **dict.fromkeys(("-H", "--host", "-M", "--machine"), "host"),
            "--uid": "user",
            "--working-directory": "folder",
            "-p": "property",
            "--property": "property",
        },
    ),
    "taskset": _Wrapper(before=1, none="-p --pid"),
    "time": _Wrapper("fo", "--format --output"),
    "timeout": _Wrapper("ks", "--kill-after --signal", before=1),
    "trickle": _Wrapper("duwtlnL"),
    "unbuffer": _Wrapper(),
}
"""Programs that run another one and end as it ends, by name."""


def unwrap(argv: Sequence[str], environ: Mapping[str, str]) -> Inner:
    """Return where the real program of *argv* stands and the facts about it; never raises.

    A command whose wrapper cannot be read (`flock FILE -c "…"`) is its own program.
    """
    at, env, opaque, hidden, timed = 0, dict(environ), "", False, False
    before: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    while at < len(argv):
        name = program_name(argv[at])
        if _PYTHON.fullmatch(name):
            return Inner(_in_python(argv, at), env, opaque, hidden, timed, before, sets)
        wrapper = WRAPPERS.get(name)
        read = _read(argv, at, wrapper) if wrapper else _Read()
        if wrapper is None or read.at is None or read.has(*wrapper.none.split()):
            break
        _apply(name, read, env)
        opaque = opaque or _why_opaque(name, wrapper, read)
        hidden, timed, at = hidden or wrapper.hides, timed or name == "timeout", read.at
        before, sets = (*before, name), (*sets, *_sets(name, wrapper, read))
    if at < len(argv) and not opaque:
        opaque = detached.reason(argv[at:], lambda words: unwrap(words, {}).opaque)
    return Inner(min(at, max(len(argv) - 1, 0)), env, opaque, hidden, timed, before, sets)


def _sets(name: str, wrapper: _Wrapper, read: _Read) -> list[str]:
    """Return the settings of this wrapper that make its command another one; `user=root` is none, since root runs most of them."""
    given = [(wrapper.means.get(option, ""), value) for option, value in read.options]
    given += [(wrapper.means.get("", ""), read.passed)]
    assigned = dict(read.assigned)
    settings = []
    for setting, value in given:
        if setting == "property":
            key, _, value = value.partition("=")
            setting = _PROPERTIES.get(key, "")
        settings += [f"{setting}={value}"] if setting and value and (setting, value) != ("user", "root") else []
    if name == "systemd-run":
        assigned |= dict(value.partition("=")[::2] for option, value in read.options if option in ("-E", "--setenv"))
    return settings + [f"${key}={value}" for key, value in assigned.items() if not key.startswith(_PRINTED_ONLY)]


def _in_python(argv: Sequence[str], at: int) -> int:
    """Return where the engine stands that the interpreter at *at* runs; *at* if it runs something else."""
    i = at + 1
    while i < len(argv) and argv[i].startswith("-") and argv[i] != "-m":
        if argv[i].startswith("-c"):
            return at
        i += 2 if argv[i] in ("-W", "-X") else 1
    i += i < len(argv) and argv[i] == "-m"
    return i if i < len(argv) and program_name(argv[i]).startswith(_IN_PYTHON) else at


def _read(argv: Sequence[str], at: int, wrapper: _Wrapper) -> _Read:
    read, before, ended, i = _Read(), wrapper.before, False, at + 1
    while i < len(argv):
        word = argv[i]
        if word == "--" and not ended:
            ended = True
        elif not ended and word.startswith("-"):
            names, value, more = _option(word, wrapper)
            if more:
                i += 1
                value = argv[i] if i < len(argv) else ""
            read.options += [(name, value) for name in names]
        elif wrapper.assignments and _is_assignment(word):
            key, _, value = word.partition("=")
            read.assigned[key] = value
        elif before:
            before -= 1
            read.passed = word
        else:
            read.at = i
            return read
        i += 1
    return read


def _option(word: str, wrapper: _Wrapper) -> tuple[list[str], str, bool]:
    """Split an option word into its names, its value, and whether the value is the next word."""
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        return [name], value, not equals and name in wrapper.long.split()
    names = []
    for place, letter in enumerate(word[1:], 2):
        names.append("-" + letter)
        if letter in wrapper.short:
            return names, word[place:], place == len(word)
    return names or ["-"], "", False


def _is_assignment(word: str) -> bool:
    name, equals, _ = word.partition("=")
    return bool(equals) and name.isascii() and name.isidentifier()


def _apply(name: str, read: _Read, env: dict[str, str]) -> None:
    """Change *env* as this wrapper does."""
    if name == "env" and read.has("-i", "-", "--ignore-environment"):
        env.clear()
    for option, value in read.options:
        if name == "env" and option in ("-u", "--unset"):
            env.pop(value, None)
        elif name == "systemd-run" and option in ("-E", "--setenv") and "=" in value:
            key, _, env[key] = value.partition("=")
    env.update(read.assigned)


def _why_opaque(name: str, wrapper: _Wrapper, read: _Read) -> str:
    if name == "systemd-run" and not read.has("--scope") and not (read.has("--wait") and read.has("--pipe", "-P")):
        return "systemd-run without --scope or --wait --pipe does not tell how the command ended"
    # We start the command as leader of its process group; setsid then forks and leaves at once.
    if name == "setsid" and not read.has("-w", "--wait"):
        return "setsid without --wait does not wait for the command"
    return f"{name} puts the command in the background" if read.has(*wrapper.detaches.split()) else ""
