"""The figures of a status, and their two texts."""

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.metrics.help import NOW, job, run
from tray.config import load
from tray.core.errors import ConfigError, MetricsFileError
from tray.core.locks import FileLock
from tray.core.model import AuditStanding, Outcome, Proof, State, Status, Word
from tray.core.paths import Places, private
from tray.metrics import openmetrics, textfile


def lines(status: Status, *, collector: bool = False) -> list[str]:
    """The lines of its figures."""
    return openmetrics.text(openmetrics.families(status, entries=7, awake_seconds=12.5), collector=collector).split(
        "\n"
    )


def of(status: Status, name: str) -> list[str]:
    """The samples of one metric."""
    return [line for line in lines(status) if line.startswith((f"{name}{{", f"{name} "))]


def test_a_job_has_its_figures() -> None:
    """Times are seconds, unknown figures are left out."""
    item = job(
        "home",
        State.OK,
        run(bytes_processed=4_200, duration_ms=1_500),
        word=Word.FINE,
        expected_by_ms=NOW + 3_600_000,
        proven=Proof(NOW - 60_000, "id", 3, 300, "3c1a"),
    )
    labels = 'backup_job="home",scope="user",engine="restic",repository="/disk"'
    text = lines(Status(State.OK, NOW, jobs=(item,)))
    for line in (
        f'backup_state{{{labels},state="ok"}} 1',
        f'backup_state{{{labels},state="failed"}} 0',
        f"backup_last_success_timestamp_seconds{{{labels}}} 1790000000.5",
        f"backup_last_run_timestamp_seconds{{{labels}}} 1790000000.5",
        f'backup_last_run_status{{{labels},outcome="succeeded"}} 1',
        f'backup_last_run_status{{{labels},outcome="lost"}} 0',
        f"backup_last_run_duration_seconds{{{labels}}} 1.5",
        f'backup_last_run_bytes{{{labels},kind="processed"}} 4200',
        f"backup_expected_by_timestamp_seconds{{{labels}}} 1790003600.5",
        f"backup_overdue{{{labels}}} 0",
        f"backup_last_proven_timestamp_seconds{{{labels}}} 1789999940.5",
        "backup_audit_log_size 7",
        "backup_tray_status_readable 1",
        "# TYPE backup_awake_seconds counter",
        "backup_awake_seconds_total 12.5",
    ):
        assert line in text
    assert not any('kind="added"' in line for line in text)
    assert text[-2:] == ["# EOF", ""]


def test_the_collector_has_the_older_format() -> None:
    """A counter's head has its whole name, and the text ends without a mark."""
    text = lines(Status(State.NONE, NOW), collector=True)
    assert "# TYPE backup_awake_seconds_total counter" in text
    assert "# EOF" not in text


@pytest.mark.parametrize(
    ("item", "values"),
    [
        (job("a", State.OVERDUE, run(), word=Word.OVERDUE), ["1"]),
        (job("a", State.OVERDUE, None, word=Word.NEVER_RAN), ["1"]),
        (job("a", State.FAILED, run(Outcome.FAILED), word=Word.OVERDUE), ["1"]),
        (job("a", State.WARNING, run(), word=Word.LATE), ["0"]),
        (job("a", State.OK, run(), word=Word.UNKNOWN), []),
        (job("a", State.OK, run(), word=None), []),
        (job("a", State.WARNING, run(), word=Word.UNDATED), []),
        (job("a", State.NONE, run(), word=Word.OFF), []),
        (job("a", State.NONE, run(), word=Word.DISABLED), []),
    ],
)
def test_overdue_is_said_only_where_it_is_judged(item: "openmetrics.JobStatus", values: list[str]) -> None:
    """A job without a known rhythm is neither overdue nor in time."""
    assert [line.rpartition(" ")[2] for line in of(Status(item.state, NOW, jobs=(item,)), "backup_overdue")] == values


def test_a_success_whose_time_is_not_believed_has_none() -> None:
    """A clock that was a year ahead would let a dead job look fresh."""
    for item in (job("a", State.WARNING, run(), word=Word.UNDATED), job("a", State.OK, run(), known=False)):
        assert not of(Status(item.state, NOW, jobs=(item,)), "backup_last_success_timestamp_seconds")


@pytest.mark.parametrize(
    ("audit", "values"),
    [
        (None, []),
        (AuditStanding("intact", NOW, 3, ""), ["1"]),
        (AuditStanding("tampered", NOW, 3, "", breach=True), ["0"]),
        (AuditStanding("intact", NOW, 3, "", breach=True), ["0"]),
        (AuditStanding("inconclusive", NOW, 3, ""), []),
        (AuditStanding("unchecked", NOW, 3, ""), []),
    ],
)
def test_the_log_is_valid_only_by_a_verification(audit: AuditStanding | None, values: list[str]) -> None:
    """A log that could not be checked is neither intact nor tampered."""
    found = of(Status(State.NONE, NOW, audit=audit), "backup_audit_log_valid")
    assert [line.rpartition(" ")[2] for line in found] == values


def test_nothing_is_said_of_jobs_while_the_status_cannot_be_read() -> None:
    """Old figures would look like present ones."""
    error = {"code": "E", "what": "w", "why": "y", "next": "n"}
    audit = AuditStanding("intact", NOW, 3, "")
    status = Status(State.UNAVAILABLE, NOW, jobs=(job("home", State.OK, run()),), error=error, audit=audit)
    text = lines(status)
    assert "backup_tray_status_readable 0" in text
    assert not any("home" in line or line.startswith("backup_audit_log_valid") for line in text)


@given(name=st.text(max_size=60), repository=st.text(max_size=60))
def test_no_name_breaks_the_format_or_has_two_series(name: str, repository: str) -> None:
    """A line feed, a quote or an invisible character stays inside its label."""
    item = job(name, State.OK, run(repository=repository))
    text = lines(Status(State.OK, NOW, jobs=(item, item)))
    samples = [line.rpartition(" ")[0] for line in text if line and not line.startswith("#")]
    assert len(samples) == len(set(samples))
    assert all(line.isprintable() for line in text)
    assert len(of(Status(State.OK, NOW, jobs=(item, item)), "backup_last_run_timestamp_seconds")) == 1


def test_the_file_is_written_whole_for_all_to_read(places: Places, tmp_path: Path) -> None:
    """The exporter is another user; a folder that is gone is an error with the next step, and no file is half written."""
    file = tmp_path / "backup.prom"
    textfile.write(places, file)
    assert file.stat().st_mode & 0o777 == 0o644
    assert "backup_tray_status_readable 1" in file.read_text()
    assert [item.name for item in tmp_path.iterdir() if "prom" in item.name] == ["backup.prom"]
    with pytest.raises(MetricsFileError, match="cannot be written"):
        textfile.write(places, tmp_path / "gone" / "backup.prom")


def test_two_writers_follow_each_other(places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one looks at the status only when the first is done; one that is never done is an error."""
    held = FileLock(private(places.state) / "metrics.lock")
    assert held.acquire()
    looked = threading.Event()
    present = textfile.now
    monkeypatch.setattr(textfile, "now", lambda here: (looked.set(), present(here))[1])
    writer = threading.Thread(target=textfile.write, args=(places, tmp_path / "backup.prom"))
    writer.start()
    assert not looked.wait(0.2)
    held.release()
    writer.join(60)
    assert looked.is_set()
    assert (tmp_path / "backup.prom").exists()
    monkeypatch.setattr(textfile, "_PATIENCE_SECONDS", 0.0)
    assert held.acquire()
    with pytest.raises(MetricsFileError) as caught:
        textfile.write(places, tmp_path / "backup.prom")
    assert "another process" in caught.value.why
    held.release()


def test_housekeeping_is_told_why_the_file_is_not_written(places: Places, tmp_path: Path) -> None:
    """Nothing is configured, a good place, a bad place, a configuration with a fault."""
    private(places.config)
    assert textfile.refreshed(places) == {}
    for text, fault in (
        (f'[metrics]\ntextfile = "{tmp_path}/a.prom"\n', None),
        (f'[metrics]\ntextfile = "{tmp_path}/gone/a.prom"\n', "No such file"),
        ("[metrics]\ntextfile = 1\n", "textfile"),
    ):
        places.config_file.write_text(text)
        failed = textfile.refreshed(places)
        assert (failed == {}) if fault is None else (fault in failed["metrics"])


@pytest.mark.parametrize("value", ['"backup.prom"', '"/a/b.txt"', "7", '[ "/a.prom" ]'])
def test_a_file_that_no_exporter_reads_is_refused(places: Places, value: str) -> None:
    """The line is named."""
    private(places.config)
    places.config_file.write_text(f"version = 1\n[metrics]\ntextfile = {value}\n")
    with pytest.raises(ConfigError) as caught:
        load(places)
    assert 'ends with ".prom"' in caught.value.why
    assert caught.value.line == 3
