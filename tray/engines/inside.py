"""What a command does that hands its words on: `docker exec c restic check`, `ssh host borg list`, `sh -c "rclone ls x:"`.

Its program is not one that we know, but the words behind it may name an engine that makes no backup. Asked only for `RUNNERS`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tray.core.model.enums import BACKUP
from tray.engines.detached import (
    ASSIGNMENT,
    DOCKER,
    DOCKER_VALUES,
    KUBE,
    LEADS,
    SHELLS,
    SSH_VALUES,
    TEXT,
    TRIVIAL,
    commands,
    shell_text,
)
from tray.engines.recognise import RUNNERS, program_name

_NO_BACKUPS = ("dry-run", "restore", "check", "prune", "compact", "other")
_AROUND = TRIVIAL | frozenset(("cd", "export", "test", "[", "cat", "tee", "ulimit", "umask", "source", "."))
_DEPTH = 4
_KUBE_VALUES = frozenset(
    ("-n", "--namespace", "-c", "--container", "--context", "--kubeconfig", "--cluster", "--user", "-f")
)
_PLACE_VALUES = frozenset(("-t", "--target", "-S", "--setuid", "-G", "--setgid"))


def kind(argv: Sequence[str]) -> str:
    """Return what *argv*, which begins with one of `RUNNERS`, does: "backup" unless all that its words name is certainly none."""
    return _kind(argv, 0)


def _kind(argv: Sequence[str], depth: int) -> str:
    from tray import engines  # which imports the engine that asks

    found, at = engines.recognise(argv, {})
    if found is not engines.COMMAND:
        return found.plan(argv, at, {}).kind
    words = argv[engines.begins(argv) :]
    if not words or depth >= _DEPTH or program_name(words[0]) not in RUNNERS:
        return found.plan(words, 0, {}).kind if words else BACKUP
    handed = _handed(words)
    if handed.text is None:
        return _kind(handed.words, depth + 1) if handed.words else BACKUP
    kinds = []
    piped = False
    for one, end in commands(handed.text):
        meant = _meant(one)
        if meant and not piped and program_name(meant[0]) not in _AROUND:
            kinds.append(_kind(meant, depth + 1))
        piped = end == "|"
    return BACKUP if not kinds or BACKUP in kinds else min(kinds, key=_NO_BACKUPS.index)


def _meant(words: Sequence[str]) -> Sequence[str]:
    """Return a simple command without the shell's own words and assignments before it."""
    at = 0
    while at < len(words) and (words[at] in LEADS or ASSIGNMENT.match(words[at])):
        at += 1
    return words[at:]


@dataclass(frozen=True, slots=True)
class _Handed:
    """What is handed on: words of a command, or text for a shell."""

    words: Sequence[str] = ()
    text: str | None = None


def _handed(argv: Sequence[str]) -> _Handed:
    name, words = program_name(argv[0]), argv[1:]
    if name in SHELLS:
        return _Handed(text=shell_text(words))
    if name in TEXT:
        at = next((at for at, word in enumerate(words[:-1]) if word in ("-c", "--command")), None)
        return _Handed(text=None if at is None else words[at + 1])
    if name in DOCKER:
        return _in_container(words)
    if name in KUBE:
        runs = "exec" in words and "--" in words
        return _Handed(words[list(words).index("--") + 1 :] if runs else ())
    if name in ("ssh", "autossh"):
        text = " ".join(_behind(words, frozenset(f"-{letter}" for letter in SSH_VALUES))[1:])
        return _Handed(text=text or None)
    behind = _behind(words, _PLACE_VALUES)
    return _Handed(behind[1:] if name == "chroot" else behind)


def _in_container(words: Sequence[str]) -> _Handed:
    """Read `docker run IMAGE …`, `docker exec CONTAINER …`, and compose's; an image may begin with its engine: restic/restic."""
    place = next((at for at, word in enumerate(words) if word in ("run", "exec")), None)
    if place is None:
        return _Handed()
    behind = _behind(words[place + 1 :], DOCKER_VALUES)
    entry = next((word.partition("=")[2] for word in words[place + 1 :] if word.startswith("--entrypoint=")), "")
    if words[place] == "exec" or not behind:
        return _Handed(behind[1:])
    image = re.sub(r"[:@].*", "", program_name(behind[0]))
    from tray import engines

    command = behind[1:]
    starts = bool(command) and engines.recognise(command[:1], {})[0] is not engines.COMMAND
    return _Handed(command if starts else [entry or image, *command])


def _behind(words: Sequence[str], values: frozenset[str]) -> Sequence[str]:
    """Return the words behind the options."""
    at = 0
    while at < len(words) and words[at].startswith("-"):
        if words[at] == "--":
            return words[at + 1 :]
        at += 2 if words[at] in values else 1
    return words[at:]
