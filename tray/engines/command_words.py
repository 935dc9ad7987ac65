"""Read the words of any other command: how it is written as a job, whether it depends on its folder, and whether it is a backup.

Two different commands are written differently, and the same one always alike. A program in one of the system's folders goes by its
name; any other by its path: `/opt/a/backup.sh` and `/opt/b/backup.sh` are two scripts. The effect of a command may depend on the
folder in which it is started: `sh backup.sh`, `make backup`, `zip -r /bk/x.zip .`.

A shell, `ssh` or `docker` hands its words on, and they may name an engine that makes no backup: `docker exec c restic check`,
`ssh host borg list`, `sh -c "rclone ls x:"`.
"""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from tray.core import regex
from tray.core.model import BACKUP
from tray.core.redact import Redactor
from tray.engines.base import Engine
from tray.engines.detached import (
    DOCKER,
    DOCKER_VALUES,
    KUBE,
    SHELLS,
    SSH_VALUES,
    TEXT,
    TRIVIAL,
    commands,
    shell_text,
    without_leads,
)
from tray.engines.program import unwrap
from tray.engines.text import program_name, words

Recognise = Callable[[Sequence[str], Mapping[str, str]], tuple[Engine, int]]
"""The function `engines.recognise`, which stands above this module."""

_ANY = "command"
_SYSTEM = regex.compile(
    r"(?:/usr(?:/local)?)?/s?bin/|/snap/bin/|/opt/(?:homebrew|local)/s?bin/|/nix/store/[^/]+/bin/|/run/current-system/sw/bin/"
)
_BLANK = regex.compile(r"[\s'\"]")
_TEXT_NEXT = regex.compile(r"-[A-Za-z]*c|--command")
_REMOTE = ("ssh", "autossh")
_INTERPRETERS = (
    r"(?:ba|da|z|k|mk|a|fi)?sh|rbash|pwsh|(?:python|perl|ruby|php|lua|tclsh|Rscript|node|bun|deno|java)[\d.]*(?:\.exe)?"
)
_PROJECTS = words(
    """make gmake just task rake ant gradle mvn npm npx yarn pnpm composer invoke docker-compose podman-compose vagrant tox nox
    git hg svn artisan drush uv poetry pipenv bundle cargo go dotnet rails"""
)
"""Programs that follow a file in the working folder, unless an option names one."""
_NAMED = words(
    "-C --directory --git-dir --prefix -f --file --project-directory -p --project-name --working-dir -R --repository"
)
_TO_FILES = words("-f --file -o --output --out --result-file -c --config --config-file --defaults-file")
_VARIABLES: Mapping[tuple[str, ...], tuple[str, ...]] = {
    ("pg_", "psql"): ("PGHOST", "PGPORT", "PGDATABASE", "PGSERVICE", "PGUSER"),
    ("mysql", "mariadb", "mydumper", "xtrabackup"): ("MYSQL_HOST", "MYSQL_TCP_PORT", "MYSQL_UNIX_PORT"),
    ("docker", "podman", "nerdctl"): ("DOCKER_HOST", "DOCKER_CONTEXT", "COMPOSE_FILE", "COMPOSE_PROJECT_NAME"),
    ("kubectl", "oc", "helm", "velero"): ("KUBECONFIG",),
    ("aws", "s3cmd", "s5cmd"): ("AWS_PROFILE", "AWS_ENDPOINT_URL"),
}
"""By the beginnings of programs' names: variables that name the source of a backup."""
_ON_PATHS = words("zip 7z 7za 7zz rar cp mv scp pax cpio dar star gzip pigz xz zstd bzip2 lz4 ditto")
"""Programs whose words are paths."""
_WITH_VERB = words("7z 7za 7zz rar")
_DOTS = r"(?s)(?:--?[\w-]+=)?\.{1,2}(?:/.*)?"
_RELATIVE = r"(?s)(?!\d+$)[^-/~$\\:=@*?&][^:=@*?\\]*"
_INTO = r">\s*([^\s;&|<>()]+)"
_RUNNERS = words("ssh autossh chroot nsenter") | DOCKER | KUBE - {"helm"} | SHELLS | TEXT
"""Programs whose words may name the command that they run."""
_DEPTH = 4
_TELLS = words("--version -V version --help -h help -? --usage")
_NO_BACKUPS = ("dry-run", "restore", "check", "prune", "compact", "other")
_AROUND = TRIVIAL | words("cd export test [ cat tee ulimit umask source .")
_PLACE_VALUES = words("-t --target -S --setuid -G --setgid")


def written(command: Sequence[str]) -> str:
    """Return a command, as it may be shown, in one line; a word with blanks is quoted, but for text that a shell gets last."""
    if not command:
        return ""
    path, rest = command[0], list(command[1:])
    name = program_name(path)
    program = name if _SYSTEM.fullmatch(path[: len(path) - len(name)]) else path
    last = rest.pop() if rest and _is_text(name, command) else None
    parts = [_quoted(program)]
    for before, word in zip((name, *rest), rest, strict=False):
        first_of_many = name in _RUNNERS and _TEXT_NEXT.fullmatch(before)  # `sh -c a b`, which is not `sh -c "a b"`
        parts.append(f"'{word}'" if first_of_many and not _BLANK.search(word) else _quoted(word))
    return " ".join(parts if last is None else [*parts, last])


def _is_text(name: str, command: Sequence[str]) -> bool:
    """Whether the last word is text for a shell, which stands for itself."""
    if command[-1][:1] in ("'", '"') or name not in _RUNNERS:
        return False
    return name in _REMOTE or _TEXT_NEXT.fullmatch(command[-2]) is not None


def _quoted(word: str) -> str:
    return word if word and not _BLANK.search(word) else shlex.quote(word)


def variables(program: str, environ: Mapping[str, str], settings: Sequence[str]) -> list[str]:
    """Return those variables that make it another command, beside those that the command line itself sets (*settings*)."""
    for begins, names in _VARIABLES.items():
        if program.startswith(begins):
            given = [name for name in names if environ.get(name)]
            return [
                f"${name}={environ[name]}" for name in given if not any(s.startswith(f"${name}=") for s in settings)
            ]
    return []


def masked(text: str) -> str:
    """Return the value of a variable as it may be shown: judged as the words of a command."""
    command = ("sh", "-c", text)
    return Redactor(command, {}).argv(command)[-1]


def depends(command: Sequence[str], recognise: Recognise, depth: int = 0) -> bool:
    """Whether the effect of a command depends on the folder in which it is started, as far as its words tell."""
    if not command or depth > _DEPTH:
        return False
    name, rest = program_name(command[0]), command[1:]
    if name in _REMOTE:
        return False
    if name in _RUNNERS and (text := _shell_text(name, rest)) is not None:
        return _text_depends(text, recognise, depth)
    plain = [word for word in rest if not word.startswith("-")]
    if any(re.fullmatch(_DOTS, word) for word in rest):
        return True
    if re.fullmatch(_INTERPRETERS, name):
        runs = not any(word in ("-m", "-c", "-e", "-r", "-s") for word in rest[:2])
        return runs and bool(plain) and _is_relative(plain[0])
    composes = name in ("docker", "podman") and plain[:1] == ["compose"]
    if composes or name in _PROJECTS:
        named = _values(rest, _NAMED)
        return not named or any(_is_relative(value) and ("." in value or "/" in value) for value in named)
    if any(_is_relative(value) and "." in value and not _BLANK.search(value) for value in _values(rest, _TO_FILES)):
        return True
    return name in _ON_PATHS and any(map(_is_relative, plain[name in _WITH_VERB :]))


def _values(rest: Sequence[str], names: frozenset[str]) -> list[str]:
    """Return the values of the options of these names."""
    values = [value for word, value in pairwise(rest) if word in names]
    return values + [word.partition("=")[2] for word in rest if word.partition("=")[0] in names and "=" in word]


def _shell_text(name: str, rest: Sequence[str]) -> str | None:
    """Return the text that a shell runs, or that a program such as `su` hands to one; None if there is none."""
    if name in SHELLS:
        return shell_text(rest)
    return next((text for word, text in pairwise(rest) if name in TEXT and word in ("-c", "--command")), None)


def _text_depends(text: str, recognise: Recognise, depth: int) -> bool:
    """Whether text for a shell depends on it; behind a `cd` to a whole path nothing does."""
    for number, (given, _) in enumerate(commands(text)):
        command = without_leads(given)
        if command[:1] == ["cd"] and not (command[1:] and _is_relative(command[1])):
            return False
        if not number and any(map(_is_relative, re.findall(_INTO, text))):
            return True
        if not command:
            continue
        engine, place = recognise(command, {})
        if engine.name != _ANY:
            plan = engine.plan(command, place, {})
            ends = [*plan.sources, *([plan.repository] if plan.repository else [])]
            if any(_is_relative(end) and " " not in end and end != "stdin" for end in ends):
                return True
        else:
            inner = command[unwrap(command, {}).at :]
            if depends(inner, recognise, depth + 1) or ("/" in inner[0] and _is_relative(inner[0])):
                return True
    return False


def _is_relative(word: str) -> bool:
    return re.fullmatch(_RELATIVE, word) is not None


def kind(command: Sequence[str], recognise: Recognise, depth: int = 0) -> str:
    """Return the kind of a command: a backup, unless it only tells of itself, or all words that it hands on are certainly none."""
    if len(command) == 2 and command[1] in _TELLS:
        return "other"
    if len(command) < 2 or depth > _DEPTH or program_name(command[0]) not in _RUNNERS:
        return BACKUP
    text, handed = _handed(command, recognise)
    if text is None:
        return _kind_of_inner(handed, recognise, depth) if handed else BACKUP
    kinds = []
    piped = False
    for given, end in commands(text):
        simple = without_leads(given)
        if simple and not piped and program_name(simple[0]) not in _AROUND:
            kinds.append(_kind_of_inner(simple, recognise, depth))
        piped = end == "|"
    return BACKUP if not kinds or BACKUP in kinds else min(kinds, key=_NO_BACKUPS.index)


def _kind_of_inner(command: Sequence[str], recognise: Recognise, depth: int) -> str:
    engine, at = recognise(command, {})
    if engine.name != _ANY:
        return engine.plan(command, at, {}).kind
    return kind(command[unwrap(command, {}).at :], recognise, depth + 1)


def _handed(argv: Sequence[str], recognise: Recognise) -> tuple[str | None, Sequence[str]]:
    """Return the words that a command hands on: text for a shell, or else another command."""
    name, rest = program_name(argv[0]), argv[1:]
    if name in SHELLS or name in TEXT:
        return _shell_text(name, rest), ()
    if name in DOCKER:
        return None, _in_container(rest, recognise)
    if name in KUBE:
        return None, rest[list(rest).index("--") + 1 :] if "exec" in rest and "--" in rest else ()
    if name in _REMOTE:
        return " ".join(_behind(rest, frozenset(f"-{letter}" for letter in SSH_VALUES))[1:]) or None, ()
    behind = _behind(rest, _PLACE_VALUES)
    return None, behind[1:] if name == "chroot" else behind


def _in_container(rest: Sequence[str], recognise: Recognise) -> Sequence[str]:
    """Read `docker run IMAGE …`, `docker exec CONTAINER …`, and compose's; an image may begin with its engine: restic/restic."""
    place = next((at for at, word in enumerate(rest) if word in ("run", "exec")), None)
    if place is None:
        return ()
    behind = _behind(rest[place + 1 :], DOCKER_VALUES)
    entry = next((word.partition("=")[2] for word in rest[place + 1 :] if word.startswith("--entrypoint=")), "")
    if rest[place] == "exec" or not behind:
        return behind[1:]
    image = re.sub(r"[:@].*", "", program_name(behind[0]))
    command = behind[1:]
    starts = bool(command) and recognise(command[:1], {})[0].name != _ANY
    return command if starts else [entry or image, *command]


def _behind(rest: Sequence[str], values: frozenset[str]) -> Sequence[str]:
    """Return the words behind the options."""
    at = 0
    while at < len(rest) and rest[at].startswith("-"):
        if rest[at] == "--":
            return rest[at + 1 :]
        at += 2 if rest[at] in values else 1
    return rest[at:]
