"""Prove that a job's backup can be restored: the engine's check, then a few random files restored and compared.

`backup-tray check` starts this as the command of a run, so output, cancel, exit code and record are those of any run. It says its
result in lines that `tray.engines.restore_test` reads. Exit codes: 0 proven, 1 nothing was proven, 2 failed.
"""

import json
import os
import shutil
import signal
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from types import FrameType
from typing import Any

from tray.core.dataclass import dataclass
from tray.core.errors import AlreadyRunningError, BackupTrayError
from tray.core.locks import FileLock
from tray.core.model import Outcome
from tray.core.paths import Places, places, private
from tray.engines.base import Result
from tray.engines.proving import Item, Snapshot
from tray.jobs import configured, samples, ways
from tray.jobs.engine_calls import Calls
from tray.jobs.samples import Match, Sample
from tray.jobs.ways import Access
from tray.wording import escape, plural, size

EXIT_CODES = {Outcome.SUCCEEDED: 0, Outcome.WARNING: 1, Outcome.FAILED: 2}
FOLDER = "restored"
ROOM = 64 << 20
"""Bytes that stay free on the disk beside the restored files."""
_MOST_ANSWER = 64 << 20
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class Stopped(BaseException):
    """A signal asks us to stop; `number` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a check, as the last line says it.

    Attributes:
        proof: files, bytes, snapshot and how they were compared; None if nothing was.
    """

    outcome: Outcome
    reason: str
    advice: str | None = None
    proof: Mapping[str, Any] | None = None


class _OverError(Exception):
    """The check cannot go on; `verdict` is its result."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.reason)
        self.verdict = verdict


def main() -> int:
    """Check the job that the command line names; return the exit code."""
    name, read_data = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    _hear_signals()
    try:
        return _told(_checked(places(), name, read_data))
    except Stopped as stopped:
        _say("The check was stopped; the restored files are removed.")
        return 128 + stopped.number


def _checked(here: Places, name: str, read_data: str | None) -> Verdict:
    try:
        job = configured.find(here, name)
        access = ways.access(job, os.environ)
        with workspace(here, name) as folder:
            return Check(access, folder, read_data).verdict()
    except _OverError as over:
        return over.verdict
    except BackupTrayError as error:
        return Verdict(Outcome.FAILED, " ".join(filter(None, (error.what, error.why))), error.next)
    except OSError as error:
        return Verdict(Outcome.FAILED, f"{error.filename or 'The system'}: {error.strerror or error}.")


def _hear_signals() -> None:
    """Let the first signal end the check by an exception; those after it must not disturb the clearing up."""
    numbers = [number for name in _SIGNALS if (number := getattr(signal, name, None)) is not None]

    def stop(number: int, _: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise Stopped(number)

    for number in numbers:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, stop)


@contextmanager
def workspace(here: Places, job: str) -> Iterator[Path]:
    """Give a private, empty folder for restored files, and remove it afterwards; also one that a killed check has left.

    Raises:
        AlreadyRunningError: Another check of the job uses it.
        UnsafeFolderError, OSError: It cannot be made.
    """
    name = sha256(job.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    parent = private(private(here.state) / FOLDER)
    with FileLock(parent / f"{name}.lock") as lock:
        if not lock.acquire():
            raise AlreadyRunningError(f"The check of {job}")
        folder = parent / name
        try:
            _remove(folder)
            folder.mkdir(mode=0o700)
            yield folder
        finally:
            _remove(folder)


def _remove(folder: Path) -> None:
    """Remove *folder*; restored folders may be read-only."""

    def unlock(act: Callable[[str], object], path: str, _: object) -> None:
        with suppress(OSError):
            os.chmod(os.path.dirname(path), stat.S_IRWXU)
            os.chmod(path, stat.S_IRWXU)
            act(path)

    shutil.rmtree(folder, onerror=unlock)
    if folder.exists():
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(slots=True)
class Check:
    """One check.

    Args:
        folder: An empty private folder.
        read_data: The part of the data that the engine's check reads too; None: as it does by itself.
    """

    access: Access
    folder: Path
    read_data: str | None = None
    _verified: int = 0
    _doubt: str = ""

    @property
    def _calls(self) -> Calls:
        environ = {**self.access.environ, "TMPDIR": str(self.folder)}  # files that a killed engine leaves there go too
        return Calls(self.access.engine, environ, lambda line: _say(f"  {line}"))

    @property
    def _target(self) -> Path:
        return self.folder / "files"

    def verdict(self) -> Verdict:
        """Run it, and return the result."""
        self._check()
        snapshot = self._snapshot()
        items = self._choose(snapshot)
        self._restore(snapshot, items)
        return self._compare(snapshot, items)

    def _check(self) -> None:
        try:
            argv = self.access.prover.check(self.access.way, self.read_data)
        except ValueError as error:
            raise _OverError(Verdict(Outcome.FAILED, f"The check was not started: {error}.")) from error
        _say(f"{self.access.engine.name} checks its repository:")
        result = self._calls.run(argv)
        if result.outcome not in (Outcome.SUCCEEDED, Outcome.WARNING):
            raise _failed(result)
        self._doubt = result.reason if result.outcome is Outcome.WARNING else ""

    def _snapshot(self) -> Snapshot:
        """Return the newest snapshot of the job."""
        answer = bytearray()

        def take(line: bytes) -> bool:
            answer.extend(line)
            return len(answer) <= _MOST_ANSWER

        result = self._calls.run(self.access.prover.snapshots(self.access.way), take=take)
        if result.outcome is not Outcome.SUCCEEDED:
            raise _failed(result)
        try:
            known = self.access.prover.read_snapshots(json.loads(answer or b"null"))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            reason = f"The list of snapshots makes no sense ({type(error).__name__}: {error})."
            raise _OverError(Verdict(Outcome.FAILED, reason)) from error
        snapshot = newest(known, self.access.way.sources)
        if snapshot is None:
            of = "no snapshot of this job's sources" if known else "no snapshot"
            raise _unproven(f"the repository holds {of}", "Make a backup first.")
        return snapshot

    def _choose(self, snapshot: Snapshot) -> list[Item]:
        """Return a few random files of the snapshot, for which there is room."""
        sample = Sample()

        def take(line: bytes) -> bool:
            item = self.access.prover.read_file(line)
            return item is None or sample.add(item)

        result = self._calls.run(self.access.prover.files(self.access.way, snapshot.id), take=take)
        if result.outcome is not Outcome.SUCCEEDED:
            raise _failed(result)
        items = sample.chosen()
        if not items:
            why = "holds no files" if not sample.files else "holds no file that is neither empty nor larger than 50 MiB"
            raise _unproven(f"snapshot {snapshot.id[:16]} {why}", "Look at the sources of the job.")
        needed = sum(item.size for item in items)
        free = shutil.disk_usage(self.folder).free
        if free < needed + ROOM:
            raise _unproven(
                f"{self.folder.parent} has only {size(free)} free, and the restore needs {size(needed + ROOM)}",
                "Free some space there, then check again.",
            )
        of = f"{sample.files:,}" if sample.whole else f"the first {sample.files:,}"
        _say(f"Restoring {plural(len(items), 'file')} of {of}, chosen at random, from snapshot {snapshot.id[:16]}:")
        return items

    def _restore(self, snapshot: Snapshot, items: Sequence[Item]) -> None:
        """Restore *items*, and count those that the engine compared with the hashes in the snapshot."""

        def take(line: bytes) -> bool:
            self._verified = max(self._verified, self.access.prover.verified(line) or 0)
            return True

        self._target.mkdir(mode=0o700)
        argv = self.access.prover.restore(self.access.way, snapshot.id, items, str(self._target))
        result = self._calls.run(argv, take=take, folder=str(self._target))
        if result.outcome not in (Outcome.SUCCEEDED, Outcome.WARNING):
            raise _failed(result, "The restore failed: ")

    def _hashes(self, snapshot: Snapshot, items: Sequence[Item]) -> dict[str, str]:
        """Return the SHA-256 by path of the files in the snapshot, as the engine tells them."""
        prover = self.access.prover
        argv = prover.hashes(self.access.way, snapshot.id, items)
        hashes: dict[str, str] = {}

        def take(line: bytes) -> bool:
            if (known := prover.read_hash(line)) is not None:
                hashes[known[0]] = known[1]
            return True

        if argv is not None:
            result = self._calls.run(argv, take=take)
            if result.outcome is not Outcome.SUCCEEDED:
                raise _failed(result)
        return hashes

    def _compare(self, snapshot: Snapshot, items: Sequence[Item]) -> Verdict:
        """Compare the restored files with their sources and with the snapshot's hashes."""
        hashes, by_restoring = self._hashes(snapshot, items), self._verified >= len(items)
        wrong: list[str] = []
        compared: list[tuple[Item, Match, bool]] = []
        for item in items:
            problem, match, by_hash = self._file(item, hashes.get(item.path), by_restoring)
            if problem:
                wrong.append(f"{escape(item.path)} {problem}")
                _tell(f"  {wrong[-1]}", problem=problem, item=item.path)
            else:
                assert match is not None
                compared.append((item, match, by_hash))
                words = match.value + (", equals the hash in the snapshot" if by_hash else "")
                _tell(f"  {escape(item.path)} ({size(item.size)}): {words}", done=len(compared), total=len(items))
        if wrong:
            more = f", and {plural(len(wrong) - 1, 'more file')}" if len(wrong) > 1 else ""
            return Verdict(Outcome.FAILED, f"The restore test failed: {wrong[0]}{more}.", _AFTER_DIFFERENCE)
        return judged(snapshot, compared, self._doubt)

    def _file(self, item: Item, expected: str | None, by_restoring: bool) -> tuple[str, Match | None, bool]:
        """Return the fault of one restored file, how it compares with its source, and whether a hash was compared."""
        prover = self.access.prover
        source = prover.source(item)
        restored = self._target / item.path.lstrip("/")
        if problem := samples.fault(restored, item):
            return problem, None, False
        try:
            if expected is not None and samples.digest(restored) != expected:
                return "differs from the hash in the snapshot", None, True
            match = samples.compare(restored, source, item)
        except OSError as error:
            return f"cannot be read after the restore: {error.strerror or error}", None, False
        if match is Match.DIFFERS:
            return "differs from the source, although size and times say that the source did not change", match, False
        return "", match, expected is not None or (prover.hashes_by_restoring and by_restoring)


_AFTER_DIFFERENCE = (
    "Check the disks of source and repository; then make a new backup into another repository and check that."
)


def newest(known: Sequence[Snapshot], sources: Sequence[str]) -> Snapshot | None:
    """Return the newest snapshot of *sources*; without known sources the newest of all."""
    fit = [snapshot for snapshot in known if snapshot.sources is None or _holds(snapshot.sources, sources)]
    return max(fit, key=lambda snapshot: snapshot.time_ms, default=None)


def _holds(paths: Sequence[str], sources: Sequence[str]) -> bool:
    """Whether a snapshot of *paths* holds all *sources*; a relative one may be named as it is, or from the root."""
    known = set(map(os.path.normpath, paths))
    return all({os.path.normpath(source), os.path.abspath(source)} & known for source in sources)


def judged(snapshot: Snapshot, compared: Sequence[tuple[Item, Match, bool]], doubt: str) -> Verdict:
    """Return the result where no restored file is wrong.

    Args:
        compared: Each file, how it compares with its source, and whether it equals the hash in the snapshot.
        doubt: The engine's warning; empty if it has none.
    """
    proven = [(item, match, by_hash) for item, match, by_hash in compared if match is Match.SAME or by_hash]
    ways_of = {
        "with the source": sum(match is Match.SAME for _, match, _ in proven),
        "with the snapshot's hash": sum(match is not Match.SAME for _, match, _ in proven),
    }
    changed = sum(match is Match.CHANGED for _, match, _ in compared)
    if not proven:
        but = "all of them have changed since" if changed == len(compared) else "their sources are not there or changed"
        return _unproven(f"{plural(len(compared), 'file')} could be restored, but {but}", None).verdict
    total = sum(item.size for item, _, _ in proven)
    how = " and ".join(f"{number} {way}" for way, number in ways_of.items() if number)
    reason = (
        f"Proven restorable: {plural(len(proven), 'file')}, {size(total)}, of snapshot {snapshot.id[:16]} "
        f"restored and compared, {how}"
    )
    if changed:
        reason += f"; {changed} changed since the backup"
    proof = {
        "files": len(proven),
        "bytes": total,
        "snapshot": snapshot.id,
        "how": how,
        "changed_since": changed,
        "restored": len(compared),
    }
    if doubt:
        return Verdict(Outcome.WARNING, f"{reason}; but the check warns: {doubt}", proof=proof)
    return Verdict(Outcome.SUCCEEDED, f"{reason}.", proof=proof)


def _failed(result: Result, before: str = "") -> _OverError:
    """Return the end of a check in which a command of the engine failed."""
    return _OverError(Verdict(Outcome.FAILED, f"{before}{result.reason}", result.advice))


def _unproven(why: str, step: str | None) -> _OverError:
    return _OverError(Verdict(Outcome.WARNING, f"Nothing was proven: {why}.", step))


def _told(verdict: Verdict) -> int:
    facts = {"outcome": verdict.outcome.value, "reason": verdict.reason, "advice": verdict.advice}
    text = verdict.reason + (f"\n{verdict.advice}" if verdict.advice else "")
    _tell(text, **facts, **({} if verdict.proof is None else {"proof": dict(verdict.proof)}))
    return EXIT_CODES[verdict.outcome]


def _say(text: str) -> None:
    _tell(text)


def _tell(text: str, **facts: object) -> None:
    with suppress(OSError):  # a reader that left does not end the check
        print(json.dumps({"text": text, **facts}), flush=True)
