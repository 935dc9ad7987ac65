"""How any other command is written down, so that two different ones are written differently, and the same one always alike.

A program in one of the system's folders goes by its name; any other by its path: `/opt/a/backup.sh` and `/opt/b/backup.sh` are two
scripts. What a command does may depend on the folder in which it is started: `sh backup.sh`, `make backup`, `zip -r /bk/x.zip .`.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from tray.engines.recognise import RUNNERS, program_name, unwrap, words

_SYSTEM = re.compile(
    r"(?:/usr(?:/local)?)?/s?bin/|/snap/bin/|/opt/(?:homebrew|local)/s?bin/|/nix/store/[^/]+/bin/|/run/current-system/sw/bin/"
)
_BLANK = re.compile(r"[\s'\"]")
_TEXT_NEXT = re.compile(r"-[A-Za-z]*c|--command")
_REMOTE = ("ssh", "autossh")
_INTERPRETERS = re.compile(
    r"(?:ba|da|z|k|mk|a|fi)?sh|rbash|pwsh|(?:python|perl|ruby|php|lua|tclsh|Rscript|node|bun|deno|java)[\d.]*(?:\.exe)?"
)
_PROJECTS = words(
    """make gmake just task rake ant gradle mvn npm npx yarn pnpm composer invoke docker-compose podman-compose vagrant tox nox
    git hg svn artisan drush uv poetry pipenv bundle cargo go dotnet rails"""
)
"""Programs that do what a file in the working folder says, unless an option names one."""
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
"""By the beginnings of programs' names: variables that say what they are to save, and where from."""
_ON_PATHS = words("zip 7z 7za 7zz rar cp mv scp pax cpio dar star gzip pigz xz zstd bzip2 lz4 ditto")
"""Programs whose words are paths."""
_WITH_VERB = words("7z 7za 7zz rar")
_DOTS = re.compile(r"(?:--?[\w-]+=)?\.{1,2}(?:/.*)?", re.DOTALL)
_RELATIVE = re.compile(r"(?!\d+$)[^-/~$\\:=@*?&][^:=@*?\\]*", re.DOTALL)
_INTO = re.compile(r">\s*([^\s;&|<>()]+)")
_DEPTH = 4


def written(command: Sequence[str]) -> str:
    """Return a command, as it may be shown, in one line; a word with blanks is quoted, but for text that a shell gets last."""
    if not command:
        return ""
    path, rest = command[0], list(command[1:])
    name = program_name(path)
    program = name if _SYSTEM.fullmatch(path[: len(path) - len(name)]) else path
    last = rest.pop() if rest and _is_text(name, command) else None
    found = [_quoted(program)]
    for before, word in zip((name, *rest), rest, strict=False):
        first_of_many = name in RUNNERS and _TEXT_NEXT.fullmatch(before)  # `sh -c a b`, which is not `sh -c "a b"`
        found.append(f"'{word}'" if first_of_many and not _BLANK.search(word) else _quoted(word))
    return " ".join(found if last is None else [*found, last])


def _is_text(name: str, command: Sequence[str]) -> bool:
    """Whether the last word is text for a shell, which stands for itself."""
    if command[-1][:1] in ("'", '"') or name not in RUNNERS:
        return False
    return name in _REMOTE or _TEXT_NEXT.fullmatch(command[-2]) is not None


def _quoted(word: str) -> str:
    if word and not _BLANK.search(word):
        return word
    import shlex  # most commands have no such word

    return shlex.quote(word)


def variables(program: str, environ: Mapping[str, str], said: Sequence[str]) -> list[str]:
    """Return those variables that make it another command, beside those that the command line itself sets (*said*)."""
    for begins, names in _VARIABLES.items():
        if program.startswith(begins):
            given = [name for name in names if environ.get(name)]
            return [
                f"${name}={environ[name]}" for name in given if not any(one.startswith(f"${name}=") for one in said)
            ]
    return []


def masked(text: str) -> str:
    """Return the value of a variable as it may be shown: what is judged as the words of a command."""
    from tray.core.redact import Redactor

    words = ("sh", "-c", text)
    return Redactor(words, {}).argv(words)[-1]


def depends(command: Sequence[str], depth: int = 0) -> bool:
    """Whether what a command does depends on the folder in which it is started, as far as its words tell."""
    if not command or depth > _DEPTH:
        return False
    name, rest = program_name(command[0]), command[1:]
    if name in _REMOTE:
        return False
    if name in RUNNERS and (text := _text(name, rest)) is not None:
        return _text_depends(text, depth)
    plain = [word for word in rest if not word.startswith("-")]
    if any(map(_DOTS.fullmatch, rest)):
        return True
    if _INTERPRETERS.fullmatch(name):
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
    """Return what options of these names are given."""
    found = [value for word, value in pairwise(rest) if word in names]
    return found + [word.partition("=")[2] for word in rest if word.partition("=")[0] in names and "=" in word]


def _text(name: str, rest: Sequence[str]) -> str | None:
    from tray.engines import detached

    if name in detached.SHELLS:
        return detached.shell_text(rest)
    at = next((at for at, word in enumerate(rest[:-1]) if word in ("-c", "--command")), None)
    return rest[at + 1] if at is not None and name in detached.TEXT else None


def _text_depends(text: str, depth: int) -> bool:
    """Whether text for a shell depends on it; behind a `cd` to a whole path nothing does."""
    from tray import engines  # which imports the engine that asks
    from tray.engines import detached

    for number, (given, _) in enumerate(detached.commands(text)):
        at = 0
        while at < len(given) and (given[at] in detached.LEADS or detached.ASSIGNMENT.match(given[at])):
            at += 1
        command = given[at:]
        if command[:1] == ["cd"] and not (command[1:] and _is_relative(command[1])):
            return False
        if not number and any(map(_is_relative, _INTO.findall(text))):
            return True
        engine, place = engines.recognise(command, {}) if command else (engines.COMMAND, 0)
        if engine is not engines.COMMAND:
            plan = engine.plan(command, place, {})
            ends = [*plan.sources, *([plan.repository] if plan.repository else [])]
            if any(_is_relative(end) and " " not in end and end != "stdin" for end in ends):
                return True
        elif command:
            inner = command[unwrap(command, {}).at :]
            if depends(inner, depth + 1) or ("/" in inner[0] and _is_relative(inner[0])):
                return True
    return False


def _is_relative(word: str) -> bool:
    return _RELATIVE.fullmatch(word) is not None
