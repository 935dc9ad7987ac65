"""The same command twice, bare and under `backup-tray run`, each in a folder of its own with the same files in it."""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.e2e.program import TRAY, make_tree
from tray.core.dataclass import dataclass

READS_NO_MORE = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
"""A prefix under which a command cannot read files without permissions, even as root."""
ODD_NAMES = ("new\nline", "tab\tx", "ü ö", "esc\x1b[31mred", "Errors 5", "Total bytes written: x", "-v", "\udcff\udcfe")


@dataclass(frozen=True)
class Ran:
    """The exit code and output of a command; bytes, since every one of them counts."""

    code: int
    out: bytes
    err: bytes


@dataclass(frozen=True)
class Twins:
    """Two folders with the same files."""

    bare: Path
    wrapped: Path

    def run(self, *argv: str, merged: bool = False, job: str = "home") -> tuple[Ran, Ran]:
        """Run *argv* in both, side by side; *merged* as by `2>&1`."""
        watched = [*TRAY, "run", "--job", job, "--", *argv]
        with ThreadPoolExecutor() as pool:
            bare = pool.submit(_run, argv, self.bare, merged=merged)
            wrapped = _run(watched, self.wrapped, merged=merged)
            return bare.result(), wrapped

    def each(self, change: Callable[[Path], object]) -> None:
        """Do the same to both folders."""
        for folder in (self.bare, self.wrapped):
            change(folder)


def _run(argv: Sequence[str], folder: Path, *, merged: bool) -> Ran:
    into = subprocess.STDOUT if merged else subprocess.PIPE
    done = subprocess.run(
        argv, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=into, timeout=60, check=False
    )
    return Ran(done.returncode, done.stdout, done.stderr or b"")


def make_twins(folder: Path) -> Twins:
    """Make two folders, each with a small tree `source` and a tree `shut` with two unreadable entries."""
    bare = folder / "bare"
    make_tree(bare / "source", files=12)
    shutil.copytree(bare / "source", bare / "shut")
    odd = bare / "odd"
    odd.mkdir()
    for name in ODD_NAMES:
        (odd / name).write_text(name.encode(errors="surrogateescape").hex())
    wrapped = folder / "wrapped"
    subprocess.run(["cp", "-a", bare, wrapped], check=True)
    for twin in (bare, wrapped):  # only now: an ordinary user could not copy them
        (twin / "shut/d1/file1").chmod(0)
        (twin / "shut/d2").chmod(0)
    return Twins(bare, wrapped)
