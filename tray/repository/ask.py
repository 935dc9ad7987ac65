"""Ask the engine for facts about a repository that its files do not show, with credentials that the user has given.

The questions change nothing: restic gets `--no-lock`, borg `--bypass-lock`. The engine has no terminal and no input, so it cannot
wait for a password. It is bounded in time, in memory and in the length of its answer, and ends with the process that asks:
an object in a repository, such as a named pipe, may keep it from answering.
"""

import json
import os
import selectors
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from types import MappingProxyType
from typing import Any

from tray import engines
from tray.core import clock, tied
from tray.core.codec import Coded
from tray.core.dataclass import dataclass
from tray.core.errors import RepositoryAskError
from tray.core.redact import HIDDEN, Redactor
from tray.repository.locks import Lock, with_holder

MOST_MEMORY = 8 << 30
"""Most bytes of address space for the engine."""
MOST_ANSWER = 64 << 20
"""Most bytes of an answer: some hundred thousand snapshots."""
ASK_SECONDS = 60.0
"""Most time for an answer."""
_MOST_WORDS = 64_000

if sys.platform != "win32":
    import resource


@dataclass(frozen=True, slots=True)
class Snapshot(Coded):
    """One snapshot in a repository: a past run without an entry in the audit log.

    Attributes:
        time_ms: Time of its beginning.
        files, bytes, seconds: From its summary, which restic keeps since 0.18; None without one.
    """

    id: str
    time_ms: int
    host: str | None = None
    paths: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    files: int | None = None
    bytes: int | None = None
    seconds: float | None = None

    JSON_KEYS = MappingProxyType({"id": "snapshot", "time_ms": "time"})

    def to_json(self) -> dict[str, Any]:
        """Return one line of `repository --snapshots --json`; its `source` tells it from an entry of the log."""
        return {"source": "repository", **Coded.to_json(self)}


@dataclass(frozen=True, slots=True)
class Access:
    """The way into a repository: its address with all secrets in it, and the file with its password."""

    engine: str
    address: str
    password_file: str | None = None

    def given(self, environ: Mapping[str, str]) -> bool:
        """Return whether there are credentials, in a file or in *environ*."""
        return bool(self.password_file) or any(map(environ.get, engines.named(self.engine).password_variables))


def can_ask(engine: str) -> bool:
    """Return whether this engine can list its snapshots in a form that we can read."""
    adapter = engines.named(engine)
    return bool(adapter.asks and adapter.address_variables) and adapter.repository in _READERS


def snapshots(access: Access, environ: Mapping[str, str]) -> list[Snapshot]:
    """Return all snapshots, the oldest first; raise RepositoryAskError if the engine gives no answer that makes sense."""
    if not can_ask(access.engine):
        raise _no_answer(access, f"Backup Tray does not know how to ask {access.engine}.")
    adapter = engines.named(access.engine)
    in_answer, read = _READERS[adapter.repository]
    listed = in_answer(_answer(access, adapter.asks, environ))
    if not isinstance(listed, list):
        raise _no_answer(access, "Its answer is no list of snapshots.")
    try:
        return sorted(map(read, listed), key=lambda snapshot: (snapshot.time_ms, snapshot.id))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise _no_answer(access, f"Its answer makes no sense ({type(error).__name__}: {error}).") from error


def lock(access: Access, held: Lock, environ: Mapping[str, str]) -> Lock:
    """Return the lock *held* with its holder, which only the engine can read; errors as of `snapshots`."""
    data = _answer(access, [*engines.named(access.engine).asks_lock, held.name], environ)
    try:
        host, pid = str(data["hostname"]), int(data["pid"])
    except (KeyError, TypeError, ValueError) as error:
        raise _no_answer(access, "Its answer makes no sense.") from error
    return with_holder(held, host, pid)


def no_password(access: Access) -> RepositoryAskError:
    """Return the error for a user who asks without credentials."""
    shown = Redactor((), {}).text(access.address)
    variable = engines.named(access.engine).entry_example
    return RepositoryAskError(
        access.engine,
        shown,
        "Its password is not known: neither a job of config.toml (`password_file`) nor the environment tells it.",
        f"Say it: `{variable} backup-tray repository --refresh {shlex.quote(shown)}`.",
    )


def _answer(access: Access, words: Sequence[str], environ: Mapping[str, str]) -> Any:
    """Run the engine and return the JSON that it prints. The address may hold a password, so it is in no command line."""
    adapter, words = engines.named(access.engine), [*words]
    environ = {**environ, "LC_ALL": "C.UTF-8", "SSH_ASKPASS_REQUIRE": "never", "BORG_DISPLAY_PASSPHRASE": "no"}
    without = [*adapter.address_variables]
    if access.password_file and adapter.file_option:
        words += [adapter.file_option, access.password_file]
        without += adapter.password_variables
    environ = {name: value for name, value in environ.items() if name not in without}
    environ[adapter.address_variables[0]] = access.address
    parent = os.getpid()
    tied.load()

    def bounded() -> None:
        tied.tie(parent)
        _bounded()

    try:
        process = subprocess.Popen(
            words,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            cwd="/" if os.name != "nt" else None,
            preexec_fn=None if sys.platform == "win32" else bounded,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise _no_answer(
            access, f"{access.engine} could not be started: {getattr(error, 'strerror', None) or error}."
        ) from error
    out, err = _communicate(access, process)
    if process.returncode:
        hide = Redactor(words, environ).text
        raise _no_answer(access, hide(_why(err)) or f"{access.engine} ended with exit code {process.returncode}.")
    try:
        return json.loads(out)
    except (ValueError, RecursionError) as error:
        raise _no_answer(access, "Its answer is not the JSON that was asked for.") from error


def _bounded() -> None:
    """Bound the memory of the engine: a file in the repository that never ends must not take the machine's."""
    if sys.platform != "win32":
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        most = MOST_MEMORY if hard == resource.RLIM_INFINITY else min(MOST_MEMORY, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def _communicate(access: Access, process: "subprocess.Popen[bytes]") -> tuple[bytes, bytes]:
    """Return the engine's output; end the engine and its children when it takes too long or does not stop."""
    until = clock.monotonic() + ASK_SECONDS
    try:
        out, err = process.communicate(timeout=ASK_SECONDS) if sys.platform == "win32" else _read(process, until)
        if len(out) <= MOST_ANSWER:
            process.wait(max(0.0, until - clock.monotonic()))
    except subprocess.TimeoutExpired as error:
        _end(process)
        raise _no_answer(access, f"It did not answer within {ASK_SECONDS:.0f} s.", slow=True) from error
    finally:
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
    if len(out) > MOST_ANSWER:
        _end(process)
        raise _no_answer(access, f"Its answer does not end; it has more than {MOST_ANSWER >> 20} MB.", slow=True)
    return out, err


def _read(process: "subprocess.Popen[bytes]", until: float) -> tuple[bytes, bytes]:
    """Read both outputs to their ends, or until there is too much of them; raise TimeoutExpired at *until*."""
    assert process.stdout is not None
    assert process.stderr is not None
    out, err = bytearray(), bytearray()
    with selectors.DefaultSelector() as waiting:
        waiting.register(process.stdout, selectors.EVENT_READ, out)
        waiting.register(process.stderr, selectors.EVENT_READ, err)
        while waiting.get_map() and len(out) <= MOST_ANSWER:
            ready = waiting.select(max(0.0, until - clock.monotonic()))
            if not ready and clock.monotonic() >= until:
                raise subprocess.TimeoutExpired(process.args, ASK_SECONDS)
            for key, _ in ready:
                chunk = os.read(key.fd, 65536)
                if not chunk:
                    waiting.unregister(key.fileobj)
                elif key.data is out or len(err) < _MOST_WORDS:
                    key.data.extend(chunk)
    return bytes(out), bytes(err)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill the engine and its children (ssh, rclone)."""
    with suppress(OSError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):  # one that waits for its file system cannot even be killed
        process.wait(2)


def _why(err: bytes) -> str:
    """Return the decisive line of the engine's complaints."""
    lines = [line.strip() for line in err[:_MOST_WORDS].decode("utf-8", "backslashreplace").split("\n") if line.strip()]
    for sign in ("wrong password", "Fatal:", "passphrase", "does not exist", "Failed", "Error"):
        for line in lines:
            if sign in line:
                return line.removeprefix("Fatal: ")[:300]
    return lines[-1][:300] if lines else ""


def _no_answer(access: Access, why: str, *, slow: bool = False) -> RepositoryAskError:
    shown = Redactor((), {}).text(access.address)
    then = f"Look into the repository with {access.engine}'s own commands."
    if can_ask(access.engine):
        then = f"Ask it yourself, which shows what is wrong: `{_by_hand(access, shown)}`."
    return RepositoryAskError(access.engine, shown, why, then, slow=slow)


def _by_hand(access: Access, shown: str) -> str:
    """Return the command by which the user lists the snapshots; an address with a password is completed in a variable."""
    adapter = engines.named(access.engine)
    program, *words = (word for word in adapter.asks if not word.startswith("-"))
    variable, place = "", [shlex.quote(shown)]
    if HIDDEN in shown:
        variable, place = f"{adapter.address_variables[0]}={place[0]} ", []
    elif adapter.address_option:
        program, place = f"{program} {adapter.address_option} {place[0]}", []
    if access.password_file and adapter.file_option:
        program += f" {adapter.file_option} {shlex.quote(access.password_file)}"
    return variable + " ".join([program, *words, *place])


def _restic_list(answer: Any) -> Any:
    return [] if answer is None else answer  # how it says that there are none


def _borg_list(answer: Any) -> Any:
    return answer.get("archives") if isinstance(answer, dict) else None


def _restic_snapshot(data: Mapping[str, Any]) -> Snapshot:
    summary = data.get("summary") or {}
    begun, ended = summary.get("backup_start"), summary.get("backup_end")
    return Snapshot(
        id=str(data["id"]),
        time_ms=clock.from_text(data["time"]),
        host=_text(data.get("hostname")),
        paths=tuple(map(str, data.get("paths") or ())),
        tags=tuple(map(str, data.get("tags") or ())),
        files=_count(summary.get("total_files_processed")),
        bytes=_count(summary.get("total_bytes_processed")),
        seconds=(clock.from_text(ended) - clock.from_text(begun)) / 1000 if begun and ended else None,
    )


def _borg_archive(data: Mapping[str, Any]) -> Snapshot:
    # borg prints local time without an offset.
    return Snapshot(id=str(data["name"]), time_ms=int(datetime.fromisoformat(data["start"]).timestamp() * 1000))


_READERS: Mapping[str, "tuple[Callable[[Any], Any], Callable[[Mapping[str, Any]], Snapshot]]"] = MappingProxyType(
    {"restic": (_restic_list, _restic_snapshot), "borg": (_borg_list, _borg_archive)}
)
"""The function that finds the snapshots in an answer, and the one that reads each, by kind of repository (`Traits.repository`)."""


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
