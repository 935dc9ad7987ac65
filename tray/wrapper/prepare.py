"""Before the start: the standard descriptors, where the output goes, and what the run shows of its command."""

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tray import engines
from tray.core import clock, files, locks
from tray.core.dataclass import dataclass, field
from tray.core.files import opened
from tray.core.model import BACKUP
from tray.core.paths import Places, private
from tray.core.paths import places as default_places
from tray.core.redact import HIDDEN, Redactor, Rules, is_secret_name
from tray.core.redact.plain import is_worth_learning
from tray.engines import nightly
from tray.engines.base import Engine, Plan, Session
from tray.runs import Process, RunFolder, RunInfo, disk_space
from tray.wrapper.outputs import Outputs

if TYPE_CHECKING:
    from tray.config import Config
    from tray.wrapper.early_steps import Early
    from tray.wrapper.hooks import Hooks
    from tray.wrapper.publisher import Publisher

_MOST_CONFIG = 1 << 20
_MOST_SECRETS = 65_536
_MOST_FILES = 8
_KEY_BYTES = 32
KEY = "names.key"


@dataclass(slots=True)
class Run:
    """One run under watch.

    Attributes:
        folder: The run's folder; None where no folder can be written.
        began: Start on the monotonic clock.
        doubt: Reason why a success is not certain; empty if there is none.
        ended: Whether the end is on record.
        early: Watch over a script's first moments.
        losses: Parts of sentences about what the run has to do without.
        hooks: The commands before and after it; None without any.
        publisher: The connection to the tracker, if the command before the backup has begun one.
        cancelled_by: Where the user asked to cancel the run while that command ran; None: nowhere.
    """

    places: Places
    engine: Engine
    plan: Plan
    session: Session
    info: RunInfo
    folder: RunFolder | None
    redactor: Redactor
    began: float
    doubt: str = ""
    ended: bool = False
    early: "Early | None" = None
    losses: list[str] = field(default_factory=list)
    hooks: "Hooks | None" = None
    publisher: "Publisher | None" = None
    cancelled_by: str | None = None


def need_standard_descriptors() -> None:
    """Open the null device where a standard descriptor is closed, else a file of ours would get its number."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def outputs(folder: RunFolder | None, plan: Plan) -> Outputs:
    """Return where the output goes; past us where no spool can be made, or where it would fail a command that a pipe does not."""
    try:
        folder = None if disk_space.limited() else folder
        chosen = Outputs(
            folder, spool_stdout=plan.spool_stdout, spool_stderr=True, asks=plan.asks, returns=plan.returns
        )
        if plan.spool_stdout or all(tail.free() >= disk_space.LEAST_UNKNOWN for tail in chosen.tails):
            return chosen
        chosen.close()
    except OSError:
        pass
    return Outputs(None, spool_stdout=plan.spool_stdout, spool_stderr=True)


def describe(
    places: Places, name: str, plan: Plan, argv: Sequence[str], job: str | None, redactor: Redactor
) -> RunInfo:
    """Return the run of the command *argv*, which begins now."""
    repository = None if plan.repository is None else redactor.text(plan.repository)
    job = None if job is None else _owner(places, redactor.text(job))
    if job is not None and plan.kind != BACKUP:
        job = f"{job} ({plan.kind})"  # else a check or a rehearsal would stand where the last real backup belongs
    return RunInfo(
        run=clock.new_id(),
        job=job or _owner(places, _job_name(places, name, plan, repository, redactor)),
        engine=name,
        kind=plan.kind,
        started_ms=clock.now_ms(),
        boot=locks.boot_id(),
        wrapper=Process(os.getpid(), locks.process_start(os.getpid())),
        repository=repository,
        sources=plan.sources,
        command=tuple(redactor.argv(list(argv))),
        ours=plan.ours,
        returns=plan.returns,
    )


def _job_name(places: Places, name: str, plan: Plan, repository: str | None, redactor: Redactor) -> str:
    plan = engines.named(name).listed(plan, _text)
    sources, apart = (tuple(map(redactor.text, texts)) for texts in (plan.sources, plan.apart))
    ours = (os.getpid(), os.getppid())
    job = engines.job_name(name, repository, sources, kind=plan.kind, folder=folder_now(), apart=apart, pids=ours)
    marked = name == engines.COMMAND.name or any(HIDDEN in word for word in apart)
    return job + mark(places, redactor.doubts) if marked else job


def _text(path: str) -> str | None:
    """Return the text of a list of sources, None if it cannot be read."""
    try:
        return os.fsdecode(files.content(path, _MOST_CONFIG))
    except (OSError, ValueError):
        return None


def folder_now() -> str | None:
    """Return the working folder, None if it was removed."""
    try:
        return os.getcwd()
    except OSError:
        return None


def redactor(places: Places, argv: Sequence[str], environ: Mapping[str, str]) -> Redactor:
    """Return the redactor of a command, by the user's rules. Never raises."""
    return Redactor(argv, environ, _rules(places))


def job_name(name: str) -> str:
    """Return the name that a user gave to a run's job, with words masked that look as if drawn by chance. Never raises.

    The name of a job of config.toml stays as it is, or that job would never get a run.
    """
    doubts = [word for word in name.split() if is_worth_learning(word)]
    if not doubts:
        return name
    shown, here = " ".join(HIDDEN if word in doubts else word for word in name.split()), None
    with suppress(Exception):
        here = default_places()
        rules = _rules(here)
        if rules.everything or "--job" in rules.show or _is_configured(here, name, doubts[0]):
            return name
    return shown if here is None else shown + mark(here, doubts)


def _rules(places: Places) -> Rules:
    settings = _settings(places, b"privacy")
    return Rules() if settings is None else settings.privacy


def _is_configured(places: Places, name: str, word: str) -> bool:
    """Whether config.toml has a job called *name*; without *word*, a part of it, the file is not parsed."""
    with opened(places.config_file) as file:
        says = word.encode() in file.read(_MOST_CONFIG)
    if not says:
        return False
    from tray import config  # as above

    document = config.read(places)
    return document is not None and name in document.tables.get("jobs", {})


def _owner(places: Places, job: str) -> str:
    """Return the job to which runs named *job* belong by the configuration."""
    settings = _settings(places, b"matches")
    return job if settings is None else settings.owner(job)


def _settings(places: Places, word: bytes) -> "Config | None":
    """Return the configuration if *word* is in it and it makes sense, else None: a broken one shows no more than usual."""
    with suppress(Exception):
        with opened(places.config_file) as file:
            says = word in file.read(_MOST_CONFIG)
        if says:  # else it is not parsed: that would cost each start milliseconds
            from tray import config  # as above

            return config.load(places)
    return None


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
    secrets = lines[:1] if len(lines) == 1 else []
    for line in lines:
        name, _, value = line.partition("=")
        if is_secret_name(name.strip()):
            secrets.append(value.strip().strip("\"'"))
        if line.count(":") == 4:
            secrets.append(line.rpartition(":")[2])
    return secrets


def mark(places: Places, doubts: Sequence[str]) -> str:
    """Return a few letters that tell apart two commands which are shown alike because words of them are masked; "" without such.

    A key that only this installation has makes them, so that a reader cannot try words until the letters fit.
    """
    if not doubts:
        return ""
    try:
        key = _key(places)
    except Exception:  # a state folder that cannot be used is said elsewhere, and keeps no backup from running
        return ""
    from hashlib import blake2b  # it loads OpenSSL; few commands have masked words

    text = nightly.undated("\0".join(doubts), clock.now_ms()).encode("utf-8", "surrogatepass")
    return " #" + blake2b(text, key=key, digest_size=3).hexdigest()


def _key(places: Places) -> bytes:
    file = private(places.state) / KEY
    for _ in range(2):
        with suppress(FileNotFoundError), opened(file) as existing:
            key = existing.read(_KEY_BYTES)
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
