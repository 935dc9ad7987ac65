"""The caller sees with us, line by line, the text that this machine's restic prints without us."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.program import PASSWORD, make_repository
from tray import engines
from tray.core.dataclass import dataclass, field
from tray.core.model import Outcome
from tray.engines.base import Exit, Result, Stream

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups") if os.geteuid() == 0 else ()
"""Root can read every file; where a file must be unreadable, restic runs as this other user."""


@dataclass()
class Place:
    """A folder that others may enter, with a source, a repository and the state that both runs begin with."""

    root: Path
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def source(self) -> Path:
        """The folder that restic backs up."""
        return self.root / "source"

    def keep(self) -> None:
        """Remember the repository as it is now."""
        shutil.copytree(self.root / "repo", self.root / "kept")

    def back(self) -> None:
        """Put the repository back, at the same address, so that both runs meet the same."""
        shutil.rmtree(self.root / "repo", ignore_errors=True)
        if (self.root / "kept").exists():
            shutil.copytree(self.root / "kept", self.root / "repo")
            _hand_over(self.root / "repo")

    def run(self, argv: tuple[str, ...], stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run a command as the user who cannot read every file."""
        return subprocess.run((*NOBODY, *argv), env=self.environ, input=stdin, capture_output=True, cwd=self.root)


def _hand_over(path: Path) -> None:
    if NOBODY:
        subprocess.run(["chown", "-R", "65534:65534", str(path)], check=True)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty repository, made once."""
    return make_repository(tmp_path_factory.mktemp("restic") / "repo")


@pytest.fixture
def place(empty: Path) -> Iterator[Place]:
    """An empty repository and a source with some files in two folders."""
    root = Path(tempfile.mkdtemp(prefix="restic-text-"))
    root.chmod(0o755)
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(root),
        "RESTIC_CACHE_DIR": str(root / "cache"),
        "RESTIC_PASSWORD": PASSWORD,
        "RESTIC_REPOSITORY": str(root / "repo"),
        "TMPDIR": "/tmp",
    }
    here = Place(root, environ)
    for name in ("a/one", "a/two", "b/three"):
        (here.source / name).parent.mkdir(parents=True, exist_ok=True)
        (here.source / name).write_bytes(name.encode() * 2000)
    shutil.copytree(empty, root / "repo")
    (root / "cache").mkdir()
    _hand_over(root)
    yield here
    for path in root.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
    shutil.rmtree(root)


def compare(place: Place, *arguments: str, stdin: bytes = b"") -> Result:
    """Run restic with these arguments bare and then as we do; both texts must be equal. Return the adapter's result."""
    place.keep()
    argv = ("restic", *arguments)
    alone = place.run(argv, stdin)
    place.back()
    engine, at = engines.recognise(argv, place.environ)
    plan = engine.plan(argv, at, place.environ)
    session = engine.session(plan)
    place.environ.update(plan.env)
    watched = place.run(plan.argv, stdin)
    assert watched.returncode == alone.returncode
    for stream, with_us, without in (
        (Stream.OUT, watched.stdout, alone.stdout),
        (Stream.ERR, watched.stderr, alone.stderr),
    ):
        relayed = b"".join(session.feed(line, stream).relay for line in with_us.splitlines(keepends=True))
        assert _comparable(relayed) == _real(without, relayed)
    return session.conclude(Exit(watched.returncode))


def _comparable(raw: bytes) -> list[str]:
    """Take out text that differs from run to run: ids, durations, the added size, and when the scan ends beside the backup."""
    text = re.sub(r"\b(snapshot|storage ID) [0-9a-f]{8}", r"\1 ID", raw.decode())
    text = re.sub(r"\bin (\d+\.\d+s|\d+:\d\d)", "in TIME", text)
    size = r"[1-9]\d*(?:\.\d{3} [KM]iB| B) *"  # times are stored with the files, in more or fewer digits
    text = re.sub(rf"(?<=to the repository: ){size}", "SOME", text)
    text = re.sub(rf"(?<=\(){size}(?=stored\))", "SOME", text)
    return sorted(text.splitlines(), key=lambda line: line.startswith("scan finished"))


def _real(raw: bytes, relayed: bytes) -> list[str]:
    """Take out the text that this version's JSON lacks: the parent's id, the stored size, the words of an error."""
    text = re.sub(
        r"^using parent snapshot \w+$", "using parent snapshot", "\n".join(_comparable(raw)), flags=re.MULTILINE
    )
    text = text if b"stored)" in relayed else re.sub(r" *\([^()]*stored\)$", "", text, flags=re.MULTILINE)
    if b": could not be read" in relayed:
        text = re.sub(
            r"^error: Open: open (.*): permission denied$", r"error: \1: could not be read", text, flags=re.MULTILINE
        )
    return text.splitlines()


def test_a_first_backup(place: Place) -> None:
    """No parent, everything new."""
    result = compare(place, "backup", "source")
    assert (result.outcome, result.files) == (Outcome.SUCCEEDED, 3)


def test_the_next_backup(place: Place) -> None:
    """A parent, with a changed and a new file."""
    assert place.run(("restic", "backup", "source")).returncode == 0
    (place.source / "a/one").write_bytes(b"changed" * 5000)
    (place.source / "b/four").write_bytes(b"new" * 100_000)
    assert compare(place, "backup", "source").outcome is Outcome.SUCCEEDED


def test_a_backup_without_changes(place: Place) -> None:
    """Nothing is added."""
    assert place.run(("restic", "backup", "source")).returncode == 0
    assert compare(place, "backup", "source").bytes_added == 0


def test_a_file_and_a_folder_that_cannot_be_read(place: Place) -> None:
    """restic makes a snapshot and names both."""
    (place.source / "a/two").chmod(0)
    (place.source / "b").chmod(0)
    result = compare(place, "backup", "source")
    assert (result.outcome, result.errors) == (Outcome.WARNING, 2)


def test_one_source_is_missing(place: Place) -> None:
    """restic 0.14 exits 0 here."""
    result = compare(place, "backup", "source", "/nowhere/at/all")
    assert (result.outcome, result.errors) == (Outcome.WARNING, 1)


def test_all_sources_are_missing(place: Place) -> None:
    """Nothing is saved."""
    assert compare(place, "backup", "/nowhere/at/all").outcome is Outcome.FAILED


def test_the_password_is_wrong(place: Place) -> None:
    """The reason is plain."""
    place.environ["RESTIC_PASSWORD"] = "wrong"
    result = compare(place, "backup", "source")
    assert result.outcome is Outcome.FAILED
    assert "password is wrong" in result.reason


def test_there_is_no_repository(place: Place) -> None:
    """The reason names the address."""
    nowhere = str(place.root / "nowhere")
    result = compare(place, "-r", nowhere, "backup", "source")
    assert result.outcome is Outcome.FAILED
    assert nowhere in result.reason


def test_a_flag_that_restic_does_not_know(place: Place) -> None:
    """The usage error is restic's own."""
    result = compare(place, "backup", "--no-such-flag", "source")
    assert result.outcome is Outcome.FAILED
    assert "--no-such-flag" in result.reason


def test_nothing_to_back_up(place: Place) -> None:
    """Without any source restic says so."""
    assert compare(place, "backup").outcome is Outcome.FAILED


def test_a_dry_run(place: Place) -> None:
    """restic names the size that it would add, and saves nothing."""
    result = compare(place, "backup", "--dry-run", "source")
    assert result.snapshot is None


@pytest.mark.parametrize("flag", ["-q", "-v"])
def test_quiet_and_verbose(place: Place, flag: str) -> None:
    """Less or more text than usual reads as restic wrote it, and is judged as well."""
    assert compare(place, "backup", flag, "source", "/nowhere/at/all").outcome is Outcome.WARNING


def test_a_backup_of_stdin(place: Place) -> None:
    """restic then speaks of no parent."""
    result = compare(place, "backup", "--stdin", "--stdin-filename", "dump.sql", stdin=b"select 1" * 1000)
    assert (result.outcome, result.files) == (Outcome.SUCCEEDED, 1)
