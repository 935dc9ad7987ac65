"""A process list of a test's own, and an engine that does as it is told."""

import os
import shutil
from pathlib import Path

from tray.observe.proc import Proc


class FakeProc(Proc):
    """A folder that looks like /proc."""

    def __init__(self, root: Path) -> None:
        super().__init__(str(root))
        self.folder_ = root
        root.mkdir(parents=True, exist_ok=True)

    def add(
        self,
        pid: int,
        *argv: str,
        comm: str = "",
        parent: int = 1,
        start: int = 1000,
        uid: int | None = None,
        environ: dict[str, str] | None = None,
        cwd: str | None = "/",
        state: str = "S",
        io: tuple[int, int] | None = (0, 0),
        status: int = 0,
        ticks: int = 0,
    ) -> None:
        """Add a process, or change one. *environ* None: we may not look into it."""
        here, kept = self.folder_ / str(pid), self.folder_ / ".comm"
        name = comm or (argv[0].rpartition("/")[2] if argv else "kworker")
        if here.exists():
            (here / "comm").rename(kept)  # as in the kernel, an open file of it tells the new name too
            shutil.rmtree(here)
        kept.write_text(name[:15] + "\n")
        here.mkdir()
        kept.rename(here / "comm")
        (here / "cmdline").write_bytes(b"".join(os.fsencode(word) + b"\0" for word in argv))
        fields = [state, parent, *[0] * 9, ticks, 0, *[0] * 6, start, *[0] * 29, status]
        (here / "stat").write_text(f"{pid} ({name}) " + " ".join(map(str, fields)) + " 0\n")
        who = os.geteuid() if uid is None else uid
        (here / "status").write_text(f"Name:\t{name}\nUid:\t{who}\t{who}\t{who}\t{who}\n")
        if environ is not None:
            (here / "environ").write_bytes(b"".join(f"{key}={value}\0".encode() for key, value in environ.items()))
            if io is not None:
                (here / "io").write_text(f"rchar: {io[0]}\nwchar: {io[1]}\nsyscr: 5\n")
            if cwd is not None:
                (here / "cwd").symlink_to(cwd)

    def remove(self, pid: int) -> None:
        """End a process."""
        os.truncate(self.folder_ / str(pid) / "comm", 0)
        shutil.rmtree(self.folder_ / str(pid))

    def opened(self, pid: int, number: int, path: str, flags: str = "0100000") -> None:
        """Let a process have a file open."""
        for name in ("fd", "fdinfo"):
            (self.folder_ / str(pid) / name).mkdir(exist_ok=True)
        (self.folder_ / str(pid) / "fd" / str(number)).symlink_to(path)
        (self.folder_ / str(pid) / "fdinfo" / str(number)).write_text(f"pos:\t7\nflags:\t{flags}\nmnt_id:\t1\n")


def engine(folder: Path, name: str = "restic") -> Path:
    """Return a program of this name that is really a shell: `restic -c SCRIPT backup /src` looks like a backup and does SCRIPT."""
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy("/bin/bash", folder / name))
