"""Prove that a job's backup can be restored: the engine's check, then a few random files restored and compared.

`backup-tray check` starts this as the command of a run, so output, cancel, exit code and record are those of any run. It says its
result in lines that `tray.engines.restore_test` reads. Exit codes: 0 proven, 1 nothing was proven, 2 failed.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType

from tray.core.dataclass import dataclass, field
from tray.core.errors import BackupTrayError
from tray.core.model import CHECK, Outcome
from tray.core.paths import Places, places
from tray.core.redact import Redactor
from tray.engines.base import Plan, Result
from tray.engines.proving import ALL, Item, Snapshot
from tray.jobs import configured, running, samples, ways
from tray.jobs.engine_calls import Calls
from tray.jobs.samples import Match, Sample
from tray.jobs.suspects import DATA, Suspects
from tray.jobs.verdicts import Verdict, judged, named, newest, unproven
from tray.jobs.ways import Access
from tray.jobs.workspace import workspace
from tray.wording import escape, plural, size

EXIT_CODES = {Outcome.SUCCEEDED: 0, Outcome.WARNING: 1, Outcome.FAILED: 2}
ROOM = 64 << 20
"""Bytes that stay free on the disk beside the restored files."""
_MOST_ANSWER = 64 << 20
_ENOUGH = 10
_GOOD = (Outcome.SUCCEEDED, Outcome.WARNING)
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class Stopped(BaseException):
    """A signal asks us to stop; `number` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


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
            suspects = Suspects(folder.with_suffix(".suspects"))
            return Check(access, folder, read_data, partial(running.goes_on, here, job), suspects).verdict()
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


@dataclass(slots=True)
class Check:
    """One check.

    Args:
        folder: An empty private folder.
        read_data: The part of the data that the engine's check reads too; None: as it does by itself.
        backs_up: Tells whether a backup of the job goes on, which changes a copy that is no repository.
        suspects: The files that the last check found wrong; they are looked at again.
    """

    access: Access
    folder: Path
    read_data: str | None = None
    backs_up: Callable[[], bool] = lambda: False
    suspects: Suspects | None = None
    _verified: int = 0
    _wrong: list[str] = field(default_factory=list)
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
        if snapshot.id:
            return self._restored(snapshot)
        if self.backs_up():
            raise _beside_a_backup()
        try:
            verdict = self._restored(snapshot)
        except _OverError as over:
            verdict = over.verdict
        if verdict.outcome is Outcome.FAILED and self.backs_up():
            raise _beside_a_backup()
        return verdict

    def _restored(self, snapshot: Snapshot) -> Verdict:
        items = self._choose(snapshot)
        try:
            self._restore(snapshot, items)
            verdict = self._compare(snapshot, items)
        except _OverError as over:
            if over.verdict.outcome is Outcome.FAILED:
                self._remember(item.path for item in items)
            raise
        self._remember(self._wrong)
        return verdict

    def _suspected(self) -> frozenset[str]:
        return frozenset() if self.suspects is None else self.suspects.read()

    def _remember(self, wrong: Iterable[str]) -> None:
        if self.suspects is not None:
            self.suspects.keep(wrong)

    def _check(self) -> None:
        suspects = self._suspected()
        if DATA in suspects:
            _say("The last check that read data found damage, so all of it is read again.")
            self.read_data = ALL
        try:
            argv = self.access.prover.check(self.access.way, self.read_data)
        except ValueError as error:
            raise _OverError(Verdict(Outcome.FAILED, f"The check was not started: {error}.")) from error
        if argv is None:
            return
        _say(f"{self.access.engine.name} checks its repository:")
        before = {snapshot.id for snapshot in self._snapshots()}
        result = self._calls.run(argv)
        if result.outcome not in _GOOD and before != {snapshot.id for snapshot in self._snapshots()}:
            _say("Snapshots came or went meanwhile, so the check begins again:")
            result = self._calls.run(argv)
        if result.outcome not in _GOOD:
            if self._is_busy():
                why = f"another {self.access.engine.name} is at work in the repository, or left a lock"
                raise _unproven(f"{why}, and the check said: {result.reason.rstrip('.')}", self._unlock())
            if self.read_data is not None:
                self._remember([*suspects, DATA])
            raise _failed(result)
        self._doubt = result.reason if result.outcome is Outcome.WARNING else ""

    def _unlock(self) -> str:
        """Return the step after a check beside another process of the engine."""
        way, engine = self.access.way, self.access.engine
        place = None if way.address is None else Redactor((), self.access.environ).text(way.address)
        command = engine.unlock(Plan((way.program,), CHECK, {}, place))
        return f"Check again once it is done; if none is at work, remove the lock: `{command}`."

    def _is_busy(self) -> bool:
        """Whether another process of the engine may be removing data, which looks like damage to a check that takes no lock."""
        lines: list[bytes] = []

        def take(line: bytes) -> bool:
            lines.append(line)
            return len(lines) < _ENOUGH

        argv = self.access.prover.locks(self.access.way)
        return argv is not None and self._calls.run(argv, take=take).outcome is Outcome.SUCCEEDED and bool(lines)

    def _snapshot(self) -> Snapshot:
        """Return the newest snapshot of the job."""
        known = self._snapshots()
        snapshot = newest(known, self.access.way.sources)
        if snapshot is None:
            of = "no snapshot of this job's sources" if known else "no snapshot"
            raise _unproven(f"the repository holds {of}", "Make a backup first.")
        return snapshot

    def _snapshots(self) -> list[Snapshot]:
        """Return the newest snapshots of the repository; of an engine that only copies, its one copy."""
        argv = self.access.prover.snapshots(self.access.way)
        if argv is None:
            return [Snapshot("", 0)]
        answer = bytearray()

        def take(line: bytes) -> bool:
            answer.extend(line)
            return len(answer) <= _MOST_ANSWER

        result = self._calls.run(argv, take=take)
        if result.outcome is not Outcome.SUCCEEDED:
            raise _failed(result)
        try:
            return self.access.prover.read_snapshots(json.loads(answer or b"null"))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            reason = f"The list of snapshots makes no sense ({type(error).__name__}: {error})."
            raise _OverError(Verdict(Outcome.FAILED, reason)) from error

    def _choose(self, snapshot: Snapshot) -> list[Item]:
        """Return a few random files of the snapshot, for which there is room."""
        sample = Sample(self._suspected())

        def take(line: bytes) -> bool:
            item = self.access.prover.read_file(line)
            return item is None or sample.add(item)

        result = self._calls.run(self.access.prover.files(self.access.way, snapshot.id), take=take)
        if result.outcome is not Outcome.SUCCEEDED:
            raise _failed(result)
        items = sample.chosen()
        if not items:
            why = "holds no files" if not sample.files else "holds no file that is neither empty nor larger than 50 MiB"
            raise _unproven(f"{named(snapshot)} {why}", "Look at the sources of the job.")
        needed = sum(item.size for item in items)
        free = shutil.disk_usage(self.folder).free
        if free < needed + ROOM:
            raise _unproven(
                f"{self.folder.parent} has only {size(free)} free, and the restore needs {size(needed + ROOM)}",
                "Free some space there, then check again.",
            )
        of = f"{sample.files:,}" if sample.whole else f"the first {sample.files:,}"
        again = sum(item.path in sample.suspects for item in items)
        first = f", {again} of them because the last check found them wrong" if again else ""
        _say(f"Restoring {plural(len(items), 'file')} of {of}, chosen at random{first}, from {named(snapshot)}:")
        return items

    def _restore(self, snapshot: Snapshot, items: Sequence[Item]) -> None:
        """Restore *items*, and count those that the engine compared with the hashes in the snapshot."""

        def take(line: bytes) -> bool:
            self._verified = max(self._verified, self.access.prover.verified(line) or 0)
            return True

        self._target.mkdir(mode=0o700)
        argv = self.access.prover.restore(self.access.way, snapshot.id, items, str(self._target))
        folder = str(self._target) if self.access.prover.restores_here else None
        result = self._calls.run(argv, take=take, folder=folder)
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
                self._wrong.append(item.path)
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
        source = prover.source(self.access.way, item)
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


def _failed(result: Result, before: str = "") -> _OverError:
    """Return the end of a check in which a command of the engine failed."""
    return _OverError(Verdict(Outcome.FAILED, f"{before}{result.reason}", result.advice))


def _beside_a_backup() -> _OverError:
    return _unproven("a backup of this job goes on and changes the copy", "Check again once it is done.")


def _unproven(why: str, step: str) -> _OverError:
    return _OverError(unproven(why, step))


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
