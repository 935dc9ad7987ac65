"""The same end has the same verdict in every language and version, and also where our flags did not reach the engine."""

import pytest

from tests.unit.engines.captures import load, result
from tests.unit.engines.letters import F, S, U, W
from tray import engines
from tray.core.model import Outcome
from tray.engines.base import Exit, Result, Stream


def run(command: str, text: str, code: int | None = 0, stream: Stream = Stream.ERR) -> Result:
    """Judge a run of *command* that printed *text*."""
    argv = command.split()
    engine, at = engines.recognise(argv, {})
    session = engine.session(engine.plan(argv, at, {}))
    for line in text.splitlines(keepends=True):
        session.feed(line.encode(), stream)
    return session.conclude(Exit(code))


RESTIC = """
Files:           1 new,     0 changed,     0 unmodified
Dirs:            1 new,     0 changed,     0 unmodified
Added to the repository: 2.000 MiB (1.500 MiB stored)

processed 1 files, 2.000 MiB in 0:00
snapshot 0123abcd saved
"""


@pytest.mark.parametrize("stream", [Stream.OUT, Stream.ERR])
def test_restic_that_answers_in_text_is_judged_by_its_text(stream: Stream) -> None:
    """`~/bin/restic` is a script that calls the real one without our flags."""
    found = run("restic backup /home", RESTIC, stream=Stream.OUT)
    assert (found.outcome, found.snapshot, found.files) == (S, "0123abcd", 1)
    assert (found.bytes_added, found.uncompressed) == (1_572_864, False)
    gone = run("restic backup /home", f"/gone does not exist, skipping\n{RESTIC}", stream=Stream.OUT)
    assert gone.outcome is W
    assert "/gone" in gone.reason
    assert run("restic backup /home", "Fatal: wrong password or no key found\n", 1, stream).outcome is F


def test_borg_that_answers_in_text_is_judged_by_its_text() -> None:
    """With figures it is known what it saved; warnings without figures are not called a success, and silence is unknown."""
    figures = load("borg14-text-stats").err.decode()
    assert run("borg create r::a /home", figures).outcome is S
    gone = "gone: stat: [Errno 2] No such file or directory: 'gone'\n"
    assert run("borg create r::a /home", gone, 1).outcome is U
    assert run("borg create r::a /home", gone + figures, 1).outcome is W
    assert run("borg create r::a /home", "").outcome is U
    assert run("borg create r::a /home", "", 1).outcome is F


def test_rclone_and_kopia_in_text_are_judged_by_their_text() -> None:
    """Their log without JSON says what was left out, too."""
    said = "2026/11/29 21:00:00 NOTICE: link: Can't follow symlink without -L/--copy-links\n"
    found = run("rclone copy a b", said)
    assert found.outcome is W
    assert "link" in found.reason
    assert run("rclone copy a b", "").outcome is S
    assert run("kopia snapshot create /d", "Created snapshot with root k1 and ID 0123abcd in 3s\n").outcome is S


KOPIA = "Created snapshot with root k1 and ID 0123abcd in 3s\n"


@pytest.mark.parametrize(
    ("after", "errors"),
    [
        ("Ignored 3 error(s) while snapshotting u@h:/d.\n", 3),
        ("WARN Ignored 1 error(s) while snapshotting u@h:/d.\n", 1),
        ("Ignored 0 error(s) while snapshotting u@h:/d.\n", 0),
        ("Ignored 2 error(s) while snapshotting u@h:/d.\nIgnored 3 error(s) while snapshotting u@h:/e.\n", 5),
        ('Ignored error when processing "a": no\nIgnored 1 error(s) while snapshotting u@h:/d.\n', 1),
        ("ERROR error running maintenance: blob not found\n", 1),
        ("error running maintenance: unable to delete\n", 1),
        ("WARN unable to write cache: disk\n", 1),
        ("WARN a newer version is there\n", 0),
    ],
)
def test_what_kopia_says_after_its_success_counts(after: str, errors: int) -> None:
    """The snapshot is there, and what went wrong is told with its number."""
    found = run("kopia snapshot create /d", KOPIA + after)
    assert (found.outcome, found.errors) == (W if errors else S, errors)
    if errors:
        assert f"{errors} problem" in found.reason


def test_maintenance_that_says_it_failed_is_no_success() -> None:
    """Whatever its exit code."""
    assert run("kopia maintenance run", "Finished full maintenance.\n").outcome is S
    assert run("kopia maintenance run", "ERROR error running maintenance: blob not found\n").outcome is F


@pytest.mark.parametrize("code", [0, None])
def test_an_error_after_the_success_line_of_restic_is_a_warning(code: int | None) -> None:
    """The snapshot was saved, and then something failed."""
    found = run("restic backup -v /home", f"{RESTIC}Fatal: unable to remove lock: timeout\n", code, Stream.OUT)
    assert found.outcome is W
    assert "unable to remove lock" in found.reason


def test_an_error_after_the_statistics_of_duplicity_is_no_success() -> None:
    """An end that no wrapper saw is judged by all its words, not by the block of statistics alone."""
    block = load("duplicity32-first").out.decode()
    assert run("duplicity backup /s file:///t", block, None, Stream.OUT).outcome is S
    assert run("duplicity backup /s file:///t", f"{block}BackendException: gone\n", None).outcome is F
    assert run("duplicity backup /s file:///t", f"{block}BackendException: gone\n", 50).outcome is F


PAIRS = (
    ("duplicity32-verify-differs", "duplicity0822-verify-differs"),
    ("duplicity32-locked", "duplicity0822-locked"),
    ("duplicity32-verify", "duplicity0822-verify"),
    ("rclone175-leftout", "rclone160-leftout"),
    ("rclone175-emptied-sync", "rclone160-emptied-sync"),
    ("borg14-nosource-json", "borg12-nosource-json"),
    ("tar134-partialsource-de", "tar134-partialsource"),
    ("tar134-partialsource-fr", "tar134-partialsource"),
    ("tar134-compare-differs-de", "tar134-compare-differs"),
    ("tar134-socket-fr", "tar134-socket"),
    ("tar134-diskfull-de", "tar134-diskfull"),
    ("tar134-compressor-died-fr", "tar134-compressor-died"),
    ("tar134-nosource-fr", "tar134-nosource"),
    ("tar134-absolute-de", "tar134-absolute"),
)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_the_same_end_has_the_same_verdict(one: str, other: str) -> None:
    """Whatever the language of the user and the version of the engine."""
    assert result(load(one)).outcome is result(load(other)).outcome
    assert result(load(one)).advice == result(load(other)).advice


@pytest.mark.parametrize(
    ("command", "said", "item"),
    [
        ("rsync -r a/ b", 'skipping non-regular file "x/link"', "x/link"),
        ("rsync -r a/ b", "skipping directory x", "x"),
        ("rsync -a h::m b", 'skipping server-excluded file "x"', "x"),
        ("rsync -a h::m b", 'skipping daemon-excluded directory "x y"', "x y"),
        ("rclone copy a b", "2026/11/29 21:00:00 NOTICE: x/fifo: Can't transfer non file/directory", "x/fifo"),
        ("rclone copy a b", "2026/11/29 21:00:00 NOTICE: x: Duplicate object found in source - ignoring", "x"),
        ("gtar -cf a.tar x", "tar: x/sock: socket ignored", "x/sock"),
        ("gtar -cf a.tar x", "tar: x: Unknown file type; file ignored", "x"),
        ("duplicity a file:///b", "Skipping socket x/sock", "socket x/sock"),
    ],
)
def test_what_an_engine_left_out_is_a_warning_with_its_name(command: str, said: str, item: str) -> None:
    """Exit code 0 does not make it a success."""
    block = load("duplicity32-first").out.decode() if command.startswith("duplicity") else ""
    for stream in (Stream.ERR, Stream.OUT):
        found = run(command, f"{said}\n{block}", stream=stream)
        assert found.outcome is Outcome.WARNING, stream
        assert item in found.reason
        assert found.errors == 1


@pytest.mark.parametrize("option", ["--no-links", "--no-l", "--no-specials", "--no-D", "--no-devices"])
def test_what_the_user_asked_to_leave_out_is_no_problem(option: str) -> None:
    """rsync tells of it all the same."""
    found = run(
        f"rsync -a {option} a/ b",
        'skipping non-regular file "link"\nNumber of files: 3 (reg: 2, dir: 1)\n',
        stream=Stream.OUT,
    )
    assert found.outcome is S
