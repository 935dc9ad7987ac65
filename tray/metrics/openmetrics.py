"""The figures of a status, as OpenMetrics or in the older text format that the textfile collector reads. No I/O.

A figure that is not known is left out: a monitoring system takes 0 for a fact. While the status cannot be read, nothing is said
of any job, and `backup_tray_status_readable` is 0.

The job's name stands in the label `backup_job`: Prometheus has a label `job` of its own and would rename ours.
"""

from collections.abc import Iterable, Iterator, Mapping

from tray import __version__
from tray.core.dataclass import dataclass
from tray.core.model import BACKUP, EndedRun, JobStatus, Outcome, State, Status, Word
from tray.wording import escape

_NO_JUDGEMENT = (None, Word.UNKNOWN, Word.UNDATED, Word.OFF, Word.DISABLED)
"""How a job stands that is neither overdue nor known not to be."""

Sample = tuple[Mapping[str, str], float]
"""Labels and value."""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric with its samples.

    Attributes:
        name: Its name, of a counter without `_total`.
        words: One line of help.
        samples: Each with its labels; no labels occur twice.
        counter: It only grows, until the machine starts anew; any other is a gauge.
    """

    name: str
    words: str
    samples: tuple[Sample, ...]
    counter: bool = False

    def lines(self, *, collector: bool) -> Iterator[str]:
        """Yield its lines; for the textfile *collector* a counter's whole name stands in its head."""
        sampled = f"{self.name}_total" if self.counter else self.name
        head = sampled if collector else self.name
        yield f"# HELP {head} {self.words}"
        yield f"# TYPE {head} {'counter' if self.counter else 'gauge'}"
        for labels, value in self.samples:
            inner = ",".join(f'{key}="{_quoted(text)}"' for key, text in labels.items())
            yield f"{sampled}{{{inner}}} {_number(value)}" if inner else f"{sampled} {_number(value)}"


def text(families: Iterable[Family], *, collector: bool = False) -> str:
    """Return *families* as OpenMetrics 1.0, or in Prometheus' text format 0.0.4 for the textfile *collector*."""
    lines = [line for family in families if family.samples for line in family.lines(collector=collector)]
    return "\n".join([*lines, *([] if collector else ["# EOF"]), ""])


def families(status: Status, *, entries: int | None, awake_seconds: float | None) -> list[Family]:
    """Return the figures of *status*.

    Args:
        entries: Number of entries in the audit log, None if it is not known.
        awake_seconds: Seconds for which the machine was awake since its start, None if the system does not tell.
    """
    readable = status.error is None
    jobs = [job for job in status.jobs if job.last is None or job.last.user is None] if readable else []
    general = [
        Family("backup_tray_build_info", "The version of Backup Tray.", (({"version": __version__}, 1),)),
        _gauge(
            "backup_tray_status_readable", "Whether the status can be read; if not, no job is named.", float(readable)
        ),
        Family(
            "backup_awake_seconds",
            "Seconds for which the machine was awake since its start.",
            () if awake_seconds is None else (({}, awake_seconds),),
            counter=True,
        ),
        _gauge("backup_audit_log_size", "Entries in the audit log.", entries),
        *_standing(status),
    ]
    return [*general, *_of_jobs(jobs)]


def _standing(status: Status) -> Iterator[Family]:
    """Yield the result of the last verification of the audit log; an inconclusive one is neither 0 nor 1."""
    audit = status.audit if status.error is None else None
    known = audit is not None and (audit.breach or audit.result in ("intact", "tampered"))
    valid = None if audit is None or not known else float(audit.result == "intact" and not audit.breach)
    yield _gauge("backup_audit_log_valid", "Whether the last verification found the audit log intact.", valid)
    checked = None if audit is None else audit.checked_ms / 1000
    yield _gauge("backup_audit_log_verified_timestamp_seconds", "When the audit log was last verified.", checked)


def _of_jobs(jobs: list[JobStatus]) -> Iterator[Family]:
    """Yield the figures of the jobs."""
    last = [(job, job.last) for job in jobs if job.last is not None]
    yield _family("backup_state", "1 for the state of the job, 0 for the others.", _states(jobs))
    yield _family(
        "backup_last_success_timestamp_seconds",
        "When the last good backup ended.",
        ((_labels(job), _success(job)) for job in jobs),
    )
    yield _family(
        "backup_last_run_timestamp_seconds",
        "When the last run ended.",
        ((_labels(job), run.finished_ms / 1000) for job, run in last),
    )
    yield _family("backup_last_run_status", "1 for the outcome of the last run, 0 for the others.", _outcomes(last))
    yield _family(
        "backup_last_run_duration_seconds",
        "How long the last run took.",
        ((_labels(job), None if run.duration_ms is None else run.duration_ms / 1000) for job, run in last),
    )
    yield _family(
        "backup_last_run_bytes",
        "Bytes that the last run processed, and those that it added to its target.",
        _bytes(last),
    )
    yield _family(
        "backup_expected_by_timestamp_seconds",
        "By when the next good backup is expected; the job is late after that.",
        ((_labels(job), None if job.expected_by_ms is None else job.expected_by_ms / 1000) for job in jobs),
    )
    yield _family("backup_overdue", "Whether the job is overdue.", ((_labels(job), _overdue(job)) for job in jobs))
    yield _family(
        "backup_last_proven_timestamp_seconds",
        "When files were last restored and compared.",
        ((_labels(job), job.proven.at_ms / 1000) for job in jobs if job.proven is not None and job.kind == BACKUP),
    )


def _labels(job: JobStatus) -> dict[str, str]:
    """Return the labels of *job*; the engine and repository are those of its last run."""
    run = job.last
    return {
        "backup_job": job.job,
        "scope": job.instance.value,
        "engine": "" if run is None else run.engine,
        "repository": "" if run is None or run.repository is None else run.repository,
    }


def _success(job: JobStatus) -> float | None:
    if job.last_good is None or not job.known or job.word == Word.UNDATED:
        return None
    return job.last_good.finished_ms / 1000


def _overdue(job: JobStatus) -> float | None:
    if job.state is State.OVERDUE or job.word == Word.OVERDUE:
        return 1.0
    return None if job.word in _NO_JUDGEMENT else 0.0


def _states(jobs: list[JobStatus]) -> Iterator[tuple[dict[str, str], float]]:
    return ((_labels(job) | {"state": state.value}, float(job.state is state)) for job in jobs for state in State)


def _outcomes(last: list[tuple[JobStatus, EndedRun]]) -> Iterator[tuple[dict[str, str], float]]:
    return (
        (_labels(job) | {"outcome": word.value}, float(run.outcome is word)) for job, run in last for word in Outcome
    )


def _bytes(last: list[tuple[JobStatus, EndedRun]]) -> Iterator[tuple[dict[str, str], int | None]]:
    for job, run in last:
        yield _labels(job) | {"kind": "processed"}, run.bytes_processed
        yield _labels(job) | {"kind": "added"}, run.bytes_added


def _gauge(name: str, words: str, value: float | None) -> Family:
    return _family(name, words, [({}, value)])


def _family(name: str, words: str, samples: Iterable[tuple[Mapping[str, str], float | None]]) -> Family:
    """Return a family of the samples whose value is known; of two with the same labels the first counts."""
    known: dict[tuple[tuple[str, str], ...], Sample] = {}
    for labels, value in samples:
        if value is not None:
            known.setdefault(tuple(labels.items()), (labels, value))
    return Family(name, words, tuple(known.values()))


def _quoted(value: str) -> str:
    """Return a label's value: invisible characters made visible, quotes and backslashes as the format has them."""
    return escape(value).replace("\\", "\\\\").replace('"', '\\"')


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(round(value, 3))
