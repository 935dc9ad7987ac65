"""Mark the tests of this folder, which need real programs, with `e2e`; install the program once for all of them."""

import fcntl
import http.server
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import own_home
from tray.core.dataclass import dataclass

CHECKOUT = Path(__file__).resolve().parents[2]
_NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv*", "build", "dist", "__pycache__", ".*_cache", ".hypothesis", ".coverage*"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests below this folder with `e2e`."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.e2e)


@dataclass(frozen=True, slots=True)
class Installed:
    """An installation in a home of its own, from a checkout that is gone.

    Attributes:
        home: The home folder.
        checkout: A copy of the checkout, to call its scripts again.
        environ: A foreign user's environment: another Python first in PATH, no screen, no state of ours.
    """

    home: Path
    checkout: Path
    environ: dict[str, str]

    @property
    def prefix(self) -> Path:
        """The folder of the program."""
        return self.home / ".local/share/backup-tray"

    @property
    def scripts(self) -> Path:
        """The folder of the scripts."""
        return self.checkout / "installers/linux"

    @property
    def launcher(self) -> Path:
        """The command."""
        return self.home / ".local/bin/backup-tray"

    @property
    def autostart(self) -> Path:
        """The entry that starts the icon with the session."""
        return self.home / ".config/autostart/backup-tray.desktop"

    @property
    def menu(self) -> Path:
        """The menu entry."""
        return self.home / ".local/share/applications/backup-tray.desktop"

    def run(self, *argv: str | Path, **environ: str) -> "subprocess.CompletedProcess[str]":
        """Run a command in this home, from `/`."""
        return subprocess.run(
            [str(word) for word in argv],
            env=self.environ | environ,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def copied(self, home: Path) -> "Installed":
        """Return a copy of this installation in another home, which a test may damage."""
        shutil.copytree(self.home, home, symlinks=True)
        copy = Installed(home, self.checkout, self.environ | {"HOME": str(home)})
        done = copy.run(self.scripts / "install.sh", "--user")
        assert done.returncode == 0, done.stderr
        return copy


@pytest.fixture(scope="session")
def installed() -> Installed:
    """The program as `install.sh` leaves it; the checkout that it came from is removed. Made once for all workers of a run."""
    base = Path(os.environ[own_home.BASE]) / "installed"
    base.mkdir(exist_ok=True)
    with (base / "lock").open("w", newline="\n") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        installation = _described(base)
        if not (base / "done").exists():
            _install(base, installation)
            (base / "done").touch()
    return installation


class _Nothing(http.server.BaseHTTPRequestHandler):
    """Answers every request with "not found"."""

    def do_HEAD(self) -> None:
        self.send_response(404)
        self.end_headers()

    do_GET = do_POST = do_HEAD  # noqa: N815 - the server calls these names

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def empty_server() -> Iterator[str]:
    """A web server that has nothing, as `host:port`: newer engines try for many minutes to reach one that is not there."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Nothing) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def _described(base: Path) -> Installed:
    """Return the paths of an installation, with the environment of a user whose PATH has another Python first."""
    strange = base / "conda" / "bin"
    kept = (
        "LANG",
        "TMPDIR",
        "PIP_CERT",
        "SSL_CERT_FILE",
        "PIP_INDEX_URL",
        "PIP_CONFIG_FILE",
        "https_proxy",
        "http_proxy",
        "no_proxy",
    )
    environ = {name: value for name, value in os.environ.items() if name in kept}
    environ |= {
        "HOME": str(base / "home"),
        "PATH": f"{strange}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    }
    environ |= {"PYTHONPATH": str(strange), "PIP_REQUIRE_VIRTUALENV": "1", "VIRTUAL_ENV": str(base / "conda")}
    return Installed(base / "home", base / "again", environ)


def _install(base: Path, installation: Installed) -> None:
    """Install the program from a checkout, and remove the checkout."""
    strange = base / "conda" / "bin"
    strange.mkdir(parents=True)
    for name in ("python", "python3", "pip", "pip3"):
        (strange / name).write_text("#!/bin/sh\necho 'the wrong Python was asked' >&2\nexit 99\n")
        (strange / name).chmod(0o755)
    installation.home.mkdir()
    checkout = base / "checkout"
    shutil.copytree(CHECKOUT, checkout, ignore=_NOT_COPIED)
    shutil.copytree(checkout, installation.checkout)
    done = installation.run(checkout / "installers/linux/install.sh", "--user")
    assert done.returncode == 0, done.stdout + done.stderr
    shutil.rmtree(checkout)
