"""tar: its three forms of command line, what is added and when, its output, and what it came to."""

import os
import sys
from pathlib import Path

import pytest

from tests.unit.engines.captures import load, replay, result
from tray import engines
from tray.core.model import Outcome
from tray.engines.base import Exit, Plan, Session, Stream
from tray.engines.tar import ADDED, LABEL_SECONDS, TarSession, is_gnu


def plan(command: str, **environ: str) -> Plan:
    """Plan a command given as text."""
    argv = command.split()
    engine, at = engines.recognise(argv, environ)
    assert engine.name == "tar"
    return engine.plan(argv, at, environ)


def begin(command: str = "gtar -cf a.tar src") -> Session:
    """Begin a session of a command given as text."""
    return engines.named("tar").session(plan(command))


@pytest.mark.parametrize(
    ("given", "started"),
    [
        ("gtar -cf a.tar src", "gtar + -cf a.tar src"),
        ("gtar cf a.tar src", "gtar cf a.tar + src"),
        ("gtar cbf 40 a.tar src", "gtar cbf 40 a.tar + src"),
        ("gtar --create --file=a.tar src", "gtar + --create --file=a.tar src"),
        ("gtar -czf - src", "gtar + -czf - src"),
        ("gtar c src", "gtar c + src"),
        ("gtar -rf a.tar src", "gtar + -rf a.tar src"),
        ("nice gtar uvf a.tar src", "nice gtar uvf a.tar + src"),
    ],
)
def test_totals_are_asked_for_in_a_backup(given: str, started: str) -> None:
    """Where an option may stand: behind the program, or behind the values of the letters."""
    before, _, after = started.partition(" + ")
    found = plan(given)
    assert found.argv == (*before.split(), *ADDED, *after.split())
    assert (found.ours, found.kind, found.sources) == (True, "backup", ("src",))


@pytest.mark.parametrize(
    "given",
    [
        "bsdtar -cf a.tar src",
        "gtar -cf a.tar --checkpoint=10 src",
        "gtar -cf a.tar --total src",
        "gtar -cwf a.tar src",
        "gtar -cMf a.tar src",
        "gtar -xf a.tar",
        "gtar -df a.tar",
        "gtar -tf a.tar",
        "gtar cf",
        "gtar",
        "chronic gtar -cf a.tar src",
    ],
)
def test_otherwise_nothing_is_added(given: str) -> None:
    """Not to another tar, not to checkpoints of the user's, not among questions, not where its output does not come to us."""
    found = plan(given)
    assert (found.argv, found.ours) == (tuple(given.split()), False)


def test_options_in_the_environment_are_left_alone() -> None:
    """TAR_OPTIONS may hold checkpoints too, or make tar write to stdout."""
    found = plan("gtar -cf a.tar src", TAR_OPTIONS="--totals")
    assert (found.ours, found.spool_stdout) == (False, False)


@pytest.mark.parametrize(
    ("given", "kind", "text"),
    [
        ("tar cf a.tar x", "backup", True),
        ("tar -cf - x", "backup", False),
        ("tar c x", "backup", False),
        ("tar -cf /dev/stdout x", "backup", False),
        ("tar -cvf a.tar x", "backup", True),
        ("tar --create -f host:/a.tar x", "backup", True),
        ("tar -xf a.tar", "restore", True),
        ("tar -xOf a.tar x", "restore", False),
        ("tar -xf a.tar --to-command=cat", "restore", False),
        ("tar --extract --to-stdout -f a.tar", "restore", False),
        ("tar xvf -", "restore", True),
        ("tar -df a.tar", "check", True),
        ("tar --compare -f a.tar", "check", True),
        ("tar --diff --file a.tar", "check", True),
        ("tar -tvf a.tar", "other", False),
        ("tar --delete -f a.tar x", "other", False),
        ("tar --version", "other", False),
    ],
)
def test_stdout_is_read_only_where_it_certainly_is_text(given: str, kind: str, text: bool) -> None:
    """An archive on stdout is the caller's, byte for byte."""
    found = plan(given)
    assert (found.kind, found.spool_stdout) == (kind, text)


@pytest.mark.parametrize(
    ("given", "sources", "archive"),
    [
        ("tar cf a.tar x y", ("x", "y"), "a.tar"),
        ("tar -c -C /home -f a.tar --exclude z x", ("/home/x",), "a.tar"),
        ("tar -cf a.tar -C /srv/www .", ("/srv/www",), "a.tar"),
        ("tar -cf a.tar -C www html /etc", ("www/html", "/etc"), "a.tar"),
        ("tar -cf a.tar -C /a x -C /b y", ("/a/x", "/b/y"), "a.tar"),
        ("tar -cf a.tar -C /a x -C ../b y --directory=c z", ("/a/x", "/b/y", "/b/c/z"), "a.tar"),
        ("tar cfC a.tar /a x -C/b y", ("/a/x", "/b/y"), "a.tar"),
        ("tar czfT a.tgz list", ("listed in list",), "a.tgz"),
        ("tar c x", ("x",), None),
        ("tar cf - x", ("x",), None),
        ("bsdtar -cf a.tar -s /a/b/ x", ("x",), "a.tar"),
        ("tar -xf a.tar x", (), "a.tar"),
    ],
)
def test_what_goes_where(given: str, sources: tuple[str, ...], archive: str | None) -> None:
    """Values of letters are no folders to back up."""
    found = plan(given)
    assert (found.sources, found.repository) == (sources, archive)


def test_a_tape_is_named_in_the_environment() -> None:
    """Without -f the archive is what TAPE says."""
    assert plan("tar c x", TAPE="/dev/nst0").repository == "/dev/nst0"


def test_the_totals_are_dropped_and_nothing_else() -> None:
    """The caller sees what tar says without our option, and nothing is lost of it."""
    for name in ("tar134-first", "tar134-verbose", "tar134-unreadable", "tar134-partialsource", "tar134-changed"):
        capture = load(name)
        session = engines.named("tar").session(Plan(capture.argv, "backup", {}, spool_stdout=True, ours=True))
        fed = replay(session, capture.lines)
        wanted = [line for line, _ in capture.lines if b"Total bytes" not in line]
        assert [one.relay for one in fed if one.relay] == wanted
        assert session.conclude(capture.exit).bytes_processed


LABELS = (
    "Total bytes written",
    "Gesamtzahl geschriebener Bytes",
    "Nombre total d'octets écrits",
    "Idatziriko byte-ak guztira",
    "Всего записано байт",
    "総書き出しバイト数",
)


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("figures", ["10240 (10KiB, 12MiB/s)", "0 (0B, ?/s)", "30003200 (29MiB, 2.0MiB/s)"])
@pytest.mark.parametrize("before", ["", "\rpv 10% ", "xxx: " * 100_000, "[sudo] password for ann: ", "\rgz  5 MB\r"])
def test_totals_are_known_in_every_language_and_wherever_they_begin(label: str, figures: str, before: str) -> None:
    """With names among the messages (`tar cv`), on either stream, and behind words that did not end their line."""
    for command, stream in (
        ("gtar -cf a.tar src", Stream.ERR),
        ("gtar -cv src", Stream.ERR),
        ("gtar -cvf a.tar src", Stream.OUT),
    ):
        session = begin(command)
        assert session.feed(f"{before}{label}: {figures}\n".encode(), stream).relay == before.encode()
        assert session.conclude(Exit(0)).bytes_processed == int(figures.split()[0])


@pytest.mark.parametrize(
    "line",
    [
        "src/Total bytes written",
        "a: 123 (4, 5)",
        "x: 12 (3 pages, 4 km/h)",
        "tar: x: 12 (1KiB, y)",
        "Total bytes read: many",
    ],
)
def test_other_lines_are_no_totals(line: str) -> None:
    """A name or a message that only resembles them is the caller's."""
    assert begin("gtar -cv src").feed(line.encode() + b"\n", Stream.ERR).relay == line.encode() + b"\n"


def test_a_file_that_is_called_like_the_totals_is_the_callers() -> None:
    """Names and totals may stand in one stream; only the last line but messages can be the totals."""
    session, totals = begin("gtar -cvf a.tar src"), b"Total bytes written: 10240 (10KiB, 1.0MiB/s)\n"
    lines = [
        b"src/",
        totals,
        b"src/" + totals,
        b"src/a\n",
        totals,
        b"src/b\n",
        b"tar: Exiting with failure status\n",
        totals,
    ]
    lines += [b"tar: a.tar: Wrote only 1 of 2 bytes\n", b"tar (child): odd\n"]
    seen = b"".join(session.feed(line, Stream.OUT).relay for line in lines)
    assert seen == b"".join(lines[:7] + lines[8:])


@pytest.mark.parametrize("label", LABELS)
def test_the_beginning_of_the_totals_waits(label: str) -> None:
    """tar writes them in pieces; a prompt, which looks like a label, does not wait for long."""
    session, line = begin(), f"{label}: 10240 (10KiB, 12MiB/s)".encode()
    assert isinstance(session, TarSession)
    assert all(session.patience(line[:end], Stream.ERR) >= LABEL_SECONDS for end in range(1, len(line) + 1))
    assert session.patience(b"Passphrase: ", Stream.ERR) == LABEL_SECONDS
    for part in (b"\r 5 MB 0:00:01", b"\rpv 10%"):
        assert session.patience(part, Stream.ERR) == 0


@pytest.mark.parametrize(
    ("lines", "exit", "outcome"),
    [
        ([], Exit(0), Outcome.SUCCEEDED),
        ([], Exit(1), Outcome.WARNING),
        ([], Exit(2), Outcome.FAILED),
        ([], Exit(None), Outcome.LOST),
        (["Total bytes written: 20480 (20KiB, 1MiB/s)"], Exit(None), Outcome.LOST),  # an error may follow
        (["Total bytes written: 20480 (20KiB, 1MiB/s)"], Exit(2), Outcome.FAILED),
        (["tar: x: Cannot open: No", "Total bytes written: 20480 (20KiB, 1MiB/s)"], Exit(2), Outcome.WARNING),
        (["tar: x: Cannot open: No", "Total bytes written: 20480 (20KiB, 1MiB/s)"], Exit(None), Outcome.LOST),
        (["tar: x: Cannot open: No", "Total bytes written: 10240 (10KiB, 1MiB/s)"], Exit(2), Outcome.FAILED),
        (["tar: x: Kann nicht: No", "Bytes gesamt: 20480 (20KiB, 1MiB/s)"], Exit(2), Outcome.WARNING),
        (["tar: x: Kann nicht: No", "Bytes gesamt: 20480 (20KiB, 1MiB/s)", "tar: Ende"], Exit(2), Outcome.WARNING),
        (["tar: x: Kann nicht: No", "Bytes gesamt: 20480 (20KiB, 1MiB/s)", "tar: y: Nein"], Exit(2), Outcome.FAILED),
        (
            ["tar: x: Kann nicht: No", "Bytes gesamt: 20480 (20KiB, 1MiB/s)", "tar: A", "tar: B"],
            Exit(2),
            Outcome.FAILED,
        ),
        (["tar: a.tar: Kann nicht: No", "Bytes gesamt: 20480 (20KiB, 1MiB/s)"], Exit(2), Outcome.FAILED),
        (["tar: x: Kann nicht: No", "gzip: y", "Bytes gesamt: 20480 (20KiB, 1MiB/s)"], Exit(2), Outcome.FAILED),
        (["tar: x: Sockel übergangen", "Bytes gesamt: 20480 (20KiB, 1MiB/s)"], Exit(0), Outcome.WARNING),
        (["tar: x: socket ignored"], Exit(0), Outcome.WARNING),
        (["tar: a.tar ist das Archiv"], Exit(0), Outcome.SUCCEEDED),
        (["tar: Entferne führende „/“ von Elementnamen"], Exit(0), Outcome.SUCCEEDED),
        (["tar: x: Cannot open: No"], Exit(2), Outcome.FAILED),
        (
            ["Total bytes written: 0 (0B, ?/s)", "tar: a.tar: Cannot write: No space left on device"],
            Exit(None),
            Outcome.FAILED,
        ),
        (["tar: a: Wrote only 1 of 2 bytes"], Exit(1), Outcome.FAILED),
    ],
)
def test_words_and_exit_code_decide_together(lines: list[str], exit: Exit, outcome: Outcome) -> None:
    """Exit code 2 with a whole archive and gaps that are all known is a warning; with anything else it is a failure."""
    session = begin()
    for line in lines:
        session.feed(line.encode() + b"\n", Stream.ERR)
    assert session.conclude(exit).outcome is outcome


def test_another_tars_exit_code_1_is_a_failure() -> None:
    """bsdtar ends so for every error."""
    session = begin("bsdtar -cf a.tar src")
    session.feed(b"bsdtar: src/x: Couldn't open src/x: Permission denied\n", Stream.ERR)
    assert session.conclude(Exit(1)).outcome is Outcome.FAILED


def test_forgiven_files_that_were_not_seen_are_not_green() -> None:
    """With --ignore-failed-read the exit code says nothing about them; only the messages do."""
    assert begin("chronic gtar -cf a.tar --ignore-failed-read src").conclude(Exit(0)).outcome is Outcome.UNKNOWN
    assert begin("chronic gtar -cf a.tar src").conclude(Exit(0)).outcome is Outcome.SUCCEEDED
    assert result(load("tar134-unreadable-ignored")).outcome is Outcome.WARNING


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tar134-nosource", "/nonexistent does not exist"),
        ("tar134-norepo", "could not be opened"),
        ("tar134-diskfull", "no space left"),
        ("tar134-diskfull-compressed", "no space left"),
        ("tar134-compressor-failed", "compresses the archive failed"),
        ("tar134-nothing", "nothing to archive"),
        ("tar134-extract-cut", "cut off"),
        ("tar134-unreadable", "2 problems: src/d1/shut (Cannot open: Permission denied)"),
    ],
)
def test_the_reason_is_plain(name: str, words: str) -> None:
    """A person reads what happened and what to do, not a number."""
    assert words in result(load(name)).reason


def test_a_long_line_full_of_colons_is_read_in_no_time() -> None:
    """A hostile name cannot hold the watcher up: a megabyte of beginnings is looked at once."""
    for command in ("gtar -df a.tar", "gtar -cf a.tar src"):
        session = begin(command)
        for line in (b"a: " * 300_000, b"a: Mod time " * 80_000, b": backup-tray:" * 50_000):
            assert session.feed(line + b"\n", Stream.OUT).relay == line + b"\n"


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("tar", True),
        ("gtar", True),
        ("bsdtar", True),
        ("tar-1.35", True),
        ("tarsnap", False),
        ("star", False),
        ("untar", False),
    ],
)
def test_only_tar_itself_is_taken_for_it(name: str, ours: bool) -> None:
    """tarsnap is another program."""
    assert engines.named("tar").recognises(name) is ours


def test_a_tar_that_may_not_be_gnus_gets_no_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """busybox under the name of tar, as a symbolic or a hard link, refuses checkpoints, and then there is no backup."""
    monkeypatch.setattr(sys, "platform", "linux")
    (tmp_path / "busybox").write_text("")
    (tmp_path / "busybox").chmod(0o700)
    for folder in ("own", "symbolic", "hard", "empty"):
        (tmp_path / folder).mkdir()
    (tmp_path / "own/tar").write_text("")
    (tmp_path / "own/tar").chmod(0o700)
    (tmp_path / "symbolic/tar").symlink_to(tmp_path / "busybox")
    os.link(tmp_path / "busybox", tmp_path / "hard/tar")
    os.link(tmp_path / "busybox", tmp_path / "hard/busybox")
    found = {folder: is_gnu("tar", {"PATH": str(tmp_path / folder)}) for folder in ("own", "symbolic", "hard", "empty")}
    assert found == {"own": True, "symbolic": False, "hard": False, "empty": False}
    assert is_gnu(str(tmp_path / "own/tar"), {})
    assert is_gnu("gtar", {})
    assert not is_gnu("bsdtar", {})
    assert not is_gnu("tar\0", {"PATH": str(tmp_path)})
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not is_gnu("tar", {"PATH": str(tmp_path / "own")})
