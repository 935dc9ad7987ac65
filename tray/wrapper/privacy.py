"""What a run shows of its command: the user's rules, secrets in files, and a mark that tells masked commands apart."""

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tray.core import clock, files
from tray.core.files import opened
from tray.core.paths import Places, private
from tray.core.paths import places as default_places
from tray.core.redact import HIDDEN, Redactor, Rules, is_secret_name
from tray.core.redact.plain import is_worth_learning

_MOST_CONFIG = 1 << 20
_MOST_SECRETS = 65_536
_MOST_FILES = 8
_KEY_BYTES = 32
KEY = "names.key"


def redactor(places: Places, argv: Sequence[str], environ: Mapping[str, str]) -> Redactor:
    """Return what hides the secrets of a command, by the user's rules. Never raises."""
    return Redactor(argv, environ, _rules(places))


def job_name(name: str) -> str:
    """Return the name that a user gave to a run's job, with words masked that look as if drawn by chance. Never raises."""
    doubts = [word for word in name.split() if is_worth_learning(word)]
    if not doubts:
        return name
    shown, here = " ".join(HIDDEN if word in doubts else word for word in name.split()), None
    with suppress(Exception):
        here = default_places()
        rules = _rules(here)
        if rules.everything or "--job" in rules.show:
            return name
    return shown if here is None else shown + mark(here, doubts)


def _rules(places: Places) -> Rules:
    with suppress(Exception):  # a configuration that is broken or cannot be read shows no more than usual
        with opened(places.config_file) as file:
            says = b"privacy" in file.read(_MOST_CONFIG)
        if says:  # the file is parsed for nobody else: that costs the start of a backup milliseconds
            from tray import config

            return config.load(places).privacy
    return Rules()


def read_secrets(known: Redactor) -> None:
    """Learn what stands in the files that the command names as holding a secret. Never raises, never waits for a pipe.

    Called once the command runs: it reads the same files itself.
    """
    for name in known.files[:_MOST_FILES]:
        with suppress(Exception):
            path = Path(name).expanduser()
            with opened(path) as file:
                if sys.platform != "win32" and os.fstat(file.fileno()).st_uid not in (os.geteuid(), 0):
                    continue
                text = file.read(_MOST_SECRETS).decode("utf-8", "surrogateescape")
            known.learn(_secrets(text))


def _secrets(text: str) -> list[str]:
    """Return the secrets in a file: its only line, what stands behind telling names, the last field of a .pgpass."""
    lines = [line.strip() for line in text.split("\n") if line.strip() and not line.startswith("#")]
    found = lines[:1] if len(lines) == 1 else []
    for line in lines:
        name, _, value = line.partition("=")
        if is_secret_name(name.strip()):
            found.append(value.strip().strip("\"'"))
        if line.count(":") == 4:
            found.append(line.rpartition(":")[2])
    return found


def mark(places: Places, doubts: Sequence[str]) -> str:
    """Return a few letters that tell apart two commands which are shown alike because words of them are masked; "" without such.

    They are made with a key that only this installation has, so nobody can try words until the letters fit.
    """
    if not doubts:
        return ""
    try:
        key = _key(places)
    except Exception:  # a state folder that cannot be used is said elsewhere, and keeps no backup from running
        return ""
    from hashlib import blake2b

    from tray.engines import nightly

    text = nightly.undated("\0".join(doubts), clock.now_ms()).encode("utf-8", "surrogatepass")
    return " #" + blake2b(text, key=key, digest_size=3).hexdigest()


def _key(places: Places) -> bytes:
    file = private(places.state) / KEY
    for _ in range(2):
        with suppress(FileNotFoundError), opened(file) as found:
            key = found.read(_KEY_BYTES)
            if len(key) == _KEY_BYTES:
                return key
        made = file.with_name(f"{KEY}.{os.getpid()}")
        handle = files.descriptor(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            os.write(handle, os.urandom(_KEY_BYTES))
            os.fsync(handle)
        finally:
            os.close(handle)
        try:
            with suppress(FileExistsError):
                os.link(made, file)  # another wrapper may have been faster
        finally:
            os.unlink(made)
    raise OSError("no key")
