"""A source that holds no files and a backup that shrank: one rule for all engines, told with the figures, without false alarms."""

from pathlib import Path

import pytest

from tray import engines
from tray.core.dataclass import replace
from tray.core.model import Outcome
from tray.engines.base import Exit, Result, Stream
from tray.engines.findings import LastGood, holds_nothing, with_empty_sources
from tray.observe.examine import Found
from tray.runs import Process, RunInfo
from tray.wrapper import result_checks
from tray.wrapper.estimate import Past

GOOD = Result(Outcome.SUCCEEDED, "It was saved.")


def look(command: str, past: tuple[Past, ...] = (), result: Result = GOOD) -> Result:
    """Judge a run of *command* that ended well by what its sources hold now."""
    argv = command.split()
    engine, at = engines.recognise(argv, {})
    return result_checks.looked(result, engine.plan(argv, at, {}), engine.name, past)


COMMANDS = (
    "restic backup {0}",
    "borg create r::a {0}",
    "rclone copy {0} dst",
    "rclone sync {0} dst",
    "rsync -a {0}/ host:dst/",
    "duplicity {0} file:///dst",
    "duplicity backup {0} file:///dst",
    "rdiff-backup backup {0} dst",
    "kopia snapshot create {0}",
    "dar -c a -R {0}",
    "gtar -czf a.tgz {0}",
    "gtar czf a.tgz -C {0} .",
    "bsdtar -cf a.tar {0}",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_an_empty_source_is_a_warning_with_every_engine(command: str, tmp_path: Path) -> None:
    """The disk of the source is not mounted: tonight's good end is told as what it is, also where folders are left."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    found = look(command.format(tmp_path))
    assert found.outcome is Outcome.WARNING
    assert "holds no files" in found.reason
    (tmp_path / "a" / "b" / "file").touch()
    assert look(command.format(tmp_path)) == GOOD


@pytest.mark.parametrize(
    "command",
    [
        "rclone move {0} dst",
        "rsync -a --remove-source-files {0}/ dst",
        "gtar --remove-files -cf a.tar {0}",
        "gtar -cf a.tar -C / -C {0} .",
        "restic restore latest --target {0}",
        "restic backup -n {0}",
        "restic backup --stdin",
        "rsync -a host:{0}/ dst/",
        "restic backup {0}/gone",
    ],
)
def test_what_is_empty_for_another_reason_is_no_alarm(command: str, tmp_path: Path) -> None:
    """A folder that was moved away is gone, and the wrapper claims nothing of places that are unknown or not here."""
    assert look(command.format(tmp_path)) == GOOD


def test_the_last_good_run_is_named(tmp_path: Path) -> None:
    """Two files last night and none tonight."""
    assert look(f"restic backup {tmp_path}", (Past(1.0, 2),)).reason.endswith("The last good run held 2 files.")
    told = look(f"rclone copy {tmp_path} dst", (Past(1.0, 2),)).reason  # rclone counts what it copies
    assert "2 files" not in told


def test_one_of_several_sources_is_told_once_it_becomes_empty(tmp_path: Path) -> None:
    """An emptied source is a warning until it holds files again; one that was always empty is none."""
    full, bare = tmp_path / "full", tmp_path / "bare"
    full.mkdir()
    (full / "file").touch()
    bare.mkdir()
    command = f"restic backup {full} {bare}"
    first = look(command)
    assert (first.outcome, first.empty_sources, first.emptied_sources) == (Outcome.SUCCEEDED, (str(bare),), ())
    assert first.reason == f"It was saved; {bare} holds no files."
    always = look(command, (Past(1.0, empty=(str(bare),)),))
    assert always.outcome is Outcome.SUCCEEDED
    now = look(command, (Past(1.0, empty=()),))
    assert (now.outcome, now.emptied_sources) == (Outcome.WARNING, (str(bare),))
    still = look(command, (Past(1.0, empty=(str(bare),), emptied=(str(bare),)),))
    assert (still.outcome, still.emptied_sources) == (Outcome.WARNING, (str(bare),))
    unknown = look(command, (Past(1.0),))  # an entry of a version that did not look
    assert unknown.outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("engine", ["restic", "borg"])
def test_a_source_of_links_is_not_empty(engine: str, tmp_path: Path) -> None:
    """These engines count no links, so their count of 0 is not the last word."""
    (tmp_path / "link").symlink_to("/etc/hostname")
    command = {"restic": f"restic backup {tmp_path}", "borg": f"borg create r::a {tmp_path}"}[engine]
    assert look(command, result=holds_nothing(GOOD)) == GOOD
    (tmp_path / "link").unlink()
    assert look(command, result=holds_nothing(GOOD)).outcome is Outcome.WARNING


@pytest.mark.parametrize(
    ("command", "outcome"),
    [
        ("gtar -czf a.tgz {0}", Outcome.SUCCEEDED),
        ("gtar -czf a.tgz -C {0} .", Outcome.SUCCEEDED),
        ("restic backup {0}", Outcome.UNKNOWN),
        ("duplicity {0} file:///t", Outcome.UNKNOWN),
        ("rsync -a --delete {0}/ d/", Outcome.SUCCEEDED),
    ],
)
def test_an_empty_source_of_a_step_is_a_warning(command: str, outcome: Outcome, tmp_path: Path) -> None:
    """The wrapper does not see the output of a script's engine, but it checks the engine's sources."""
    argv = tuple(command.format(tmp_path).split())
    engine, _ = engines.recognise(argv, {})
    plan = engine.plan(argv, 0, {})
    sources = tuple(str(tmp_path / source) for source in plan.sources)
    found = Found(1, "1", 0, 0, None, engine.name, "backup", None, sources, argv, "j", str(tmp_path))
    seen = result_checks.of_step(Result(outcome, "It ended."), found, 0)
    assert seen.outcome is Outcome.WARNING
    assert "holds no files" in seen.reason
    (tmp_path / "file").touch()
    assert result_checks.of_step(Result(outcome, "It ended."), found, 0) == Result(outcome, "It ended.")


@pytest.mark.parametrize("outcome", [Outcome.SUCCEEDED, Outcome.UNKNOWN])
def test_a_source_of_a_step_that_is_not_there_is_a_warning(outcome: Outcome, tmp_path: Path) -> None:
    """dar says nothing of it on either way; what a script's dar prints is not seen besides."""
    (tmp_path / "here").touch()
    for gone, want in (((), outcome), ((str(tmp_path / "gone"),), Outcome.WARNING)):
        sources = (str(tmp_path / "here"), *gone)
        argv = ("dar", "-c", "a", *(word for source in sources for word in ("-g", source)))
        found = Found(1, "1", 0, 0, None, "dar", "backup", None, sources, argv, "j", str(tmp_path))
        step = result_checks.of_step(Result(outcome, "It ended."), found, 0)
        assert (step.outcome, "gone is not there" in step.reason) == (want, bool(gone))


def test_of_several_sources_in_a_script_an_emptied_one_is_a_warning(tmp_path: Path) -> None:
    """borgmatic gives borg all its sources at once; one that has always been empty beside others is no reason to warn."""
    for name in ("full", "disk", "always"):
        (tmp_path / name).mkdir()
    (tmp_path / "full" / "file").touch()
    (tmp_path / "disk" / "file").touch()
    fine, past = Result(Outcome.SUCCEEDED, "sh ended with exit code 0."), ()
    outcomes = []
    for disk in (True, True, False, False, True):
        (tmp_path / "disk" / "file").touch() if disk else (tmp_path / "disk" / "file").unlink(missing_ok=True)
        argv = ("borg", "create", "r::a", *(str(tmp_path / name) for name in ("full", "disk", "always")))
        found = Found(1, "1", 0, 0, None, "borg", "backup", None, argv[3:], argv, "j", str(tmp_path))
        step = result_checks.of_step(Result(Outcome.SUCCEEDED, "It ended."), found, 0)
        assert step.outcome is Outcome.SUCCEEDED
        seen = result_checks.of_script(fine, sorted(step.empty_sources), past)
        outcomes.append(seen.outcome is Outcome.SUCCEEDED)
        assert (f"{tmp_path}/disk holds no files any more" in seen.reason) is not disk
        past = (Past(1.0, empty=seen.empty_sources, emptied=seen.emptied_sources),)
    assert outcomes == [True, True, False, False, True]
    assert result_checks.of_script(fine, (), ()) == fine


def test_an_unreadable_folder_is_not_called_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wrapper claims nothing of a folder that it cannot see."""

    def refuse(_: str) -> None:
        raise PermissionError(13, "no")

    monkeypatch.setattr(result_checks.os, "scandir", refuse)
    assert look(f"restic backup {tmp_path}") == GOOD


def test_a_slow_or_endless_folder_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller does not wait for a tree of folders only."""
    for name in "abc":
        (tmp_path / name).mkdir()
    monkeypatch.setattr(result_checks, "_FOLDERS", 3)
    assert look(f"restic backup {tmp_path}") == GOOD


def test_a_source_that_is_not_there_is_a_warning_where_the_engine_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dar passes over it and ends well; other engines tell of it themselves."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "file").touch()
    monkeypatch.chdir(tmp_path)
    ended = look(f"dar -c a -R {tmp_path} -g here -g gone -g away")
    assert (ended.outcome, ended.errors) == (Outcome.WARNING, 2)
    assert f"{tmp_path}/gone and 1 more sources are not there" in ended.reason
    assert look("dar -c a -g here -g gone").outcome is Outcome.WARNING
    for command in (
        f"dar -c a -R {tmp_path} -g here",
        "dar -c a -g here -[ list",
        "env -C /srv dar -c a -g here -g gone",
        f"rsync -a {tmp_path}/here {tmp_path}/gone dst",
        f"dar -t a -R {tmp_path} -g gone",
    ):
        assert look(command) == GOOD, command


def test_a_failure_stays_what_it_is() -> None:
    """Only a result that looked good changes."""
    bad = Result(Outcome.FAILED, "No.")
    assert holds_nothing(bad) == bad
    assert with_empty_sources(bad, ("a",), ("a",), LastGood(2)) == bad


def test_what_a_sync_deletes_because_of_it_is_told() -> None:
    """The copies are gone with the source: with their number where the engine tells it."""
    assert "3 files were deleted from the copy" in holds_nothing(GOOD, deleted=3).reason
    assert "1 file was deleted from the copy" in holds_nothing(GOOD, deleted=1).reason
    assert "deleted the files of the copy as well" in holds_nothing(GOOD, deletes=True).reason
    assert "deleted" not in holds_nothing(GOOD, deleted=0, deletes=True).reason


@pytest.mark.parametrize(
    "command", ["rsync -a --delete a/ b/", "rsync -a --del a/ b/", "rsync -av --delete-after a/ b/"]
)
def test_rsync_tells_how_many_copies_it_deleted(command: str) -> None:
    """Folders among them do not count as files."""
    argv = command.split()
    engine, at = engines.recognise(argv, {})
    session = engine.session(engine.plan(argv, at, {}))
    for line in (b"Number of files: 1 (dir: 1)\n", b"Number of deleted files: 4 (reg: 2, dir: 1, link: 1)\n"):
        session.feed(line, Stream.OUT)
    session.feed(b"Total bytes received: 9\n", Stream.OUT)
    found = session.conclude(Exit(0))
    assert found.outcome is Outcome.WARNING
    assert "3 files were deleted from the copy" in found.reason


GB = 10**9
USUAL = tuple(Past(60.0, 9000 + night, 48 * GB + night, sources=("/home",)) for night in range(10))


def shrunk(files: int | None, size: int | None, past: tuple[Past, ...] = USUAL, engine: str = "restic") -> Result:
    """Judge a run that held so much after the runs of *past*."""
    info = RunInfo("run", "home", engine, "backup", 0, "boot", Process(1, 1), sources=("/home",))
    return result_checks.collapsed(replace(GOOD, files=files, bytes_processed=size), info, past)


def test_a_backup_that_shrank_to_less_than_a_quarter_is_a_warning() -> None:
    """A folder was emptied or moved: the run itself ended well, and no engine says a word."""
    found = shrunk(9000, 12 * GB // 10)
    assert found.outcome is Outcome.WARNING
    words = "much smaller than usual: 1.2 GB in place of 48.0 GB; was a folder emptied or moved?"
    assert found.reason == f"It was saved, but it is {words}"
    assert "2,000 in place of 9,005 files" in shrunk(2000, 48 * GB).reason
    assert shrunk(9000, 12 * GB + 1000).outcome is Outcome.SUCCEEDED


def test_a_backup_that_ended_with_a_warning_also_says_that_it_shrank() -> None:
    """Its own reason stays in front."""
    info = RunInfo("run", "home", "borg", "backup", 0, "boot", Process(1, 1), sources=("/home",))
    found = result_checks.collapsed(Result(Outcome.WARNING, "One file was not read.", files=1), info, USUAL)
    assert found.reason.startswith(
        "One file was not read; it is also much smaller than usual: 1 in place of 9,005 files"
    )


@pytest.mark.parametrize(
    "past",
    [
        (),
        USUAL[:2],
        tuple(replace(run, sources=("/home", "/srv")) for run in USUAL),
        tuple(replace(run, files=None, size=None) for run in USUAL),
        tuple(replace(run, files=0, size=0) for run in USUAL),
    ],
)
def test_a_backup_without_like_runs_before_it_has_not_shrunk(past: tuple[Past, ...]) -> None:
    """Too few runs, other sources and unknown figures tell nothing."""
    assert shrunk(1, 1, past).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("engine", ["rclone", "gtar", "tar", "command"])
def test_engines_that_count_only_changes_never_shrink(engine: str) -> None:
    """An incremental archive is small each night."""
    assert shrunk(1, 1, engine=engine).outcome is Outcome.SUCCEEDED


def test_a_failure_does_not_become_a_warning_because_it_is_small() -> None:
    """Only a result that looked good changes."""
    info = RunInfo("run", "home", "restic", "backup", 0, "boot", Process(1, 1), sources=("/home",))
    bad = Result(Outcome.FAILED, "No.", files=1, bytes_processed=1)
    assert result_checks.collapsed(bad, info, USUAL) == bad
