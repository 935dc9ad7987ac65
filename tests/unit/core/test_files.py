"""Files that others may have put there: never waited for, never swallowed whole, and opened in one way everywhere."""

import ast
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tray
from tests.unit.forked import Forked, forked
from tray import config, runs
from tray.audit import tlog as tiles
from tray.core import files
from tray.core.errors import ConfigError
from tray.core.paths import Places, private
from tray.repository import locks

PACKAGE = Path(tray.__file__).resolve().parent

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="named pipes and devices")


def fifo(path: Path) -> None:
    """Put a named pipe there: a process that opens it plainly waits for a writer."""
    os.mkfifo(path)


def endless(path: Path) -> None:
    """Put a link to a device there that never ends."""
    path.symlink_to("/dev/zero")


def huge(path: Path) -> None:
    """Put a file there that is larger than any memory."""
    with path.open("wb") as file:
        file.truncate(1 << 40)


def folder(path: Path) -> None:
    """Put a folder there."""
    path.mkdir()


def loop(path: Path) -> None:
    """Put a link to itself there."""
    path.symlink_to(path)


def garbage(path: Path) -> None:
    """Put bytes there that mean nothing."""
    path.write_bytes(b"\0\xff" * 1000)


def deep(path: Path) -> None:
    """Put nested JSON there."""
    path.write_bytes(b"[" * 200_000)


PUT = [fifo, endless, huge, folder, loop, garbage, deep]
Put = Callable[[Path], None]


@pytest.mark.parametrize("put", [fifo, endless, folder, loop])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, put: Put) -> None:
    """A pipe, a device, a folder, a link to itself."""
    put(tmp_path / "x")
    for ask in (files.opened, files.content):
        with pytest.raises(OSError):
            ask(tmp_path / "x")


def test_a_device_is_not_even_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To open /dev/watchdog starts the machine anew a minute later."""
    (tmp_path / "x").symlink_to("/dev/zero")
    monkeypatch.setattr(files, "descriptor", lambda *_: pytest.fail("it was opened"))
    with pytest.raises(OSError, match="regular"):
        files.opened(tmp_path / "x")


def test_more_than_the_bound_is_refused_and_the_bound_itself_is_not(tmp_path: Path) -> None:
    """Half of a file is no file."""
    (tmp_path / "x").write_bytes(b"abc")
    assert files.content(tmp_path / "x", 3) == b"abc"
    with pytest.raises(OSError, match="more than 2 bytes"):
        files.content(tmp_path / "x", 2)
    huge(tmp_path / "y")
    with pytest.raises(OSError, match="more than"):
        files.content(tmp_path / "y")


def test_a_link_is_followed_where_it_is_ours_and_not_where_strangers_write(tmp_path: Path) -> None:
    """A configuration kept elsewhere is usual; a link in a shared repository may lead to anything of root's."""
    (tmp_path / "x").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "x")
    assert files.content(tmp_path / "link") == b"mine"
    with pytest.raises(OSError):
        files.content(tmp_path / "link", follow=False)


@pytest.mark.parametrize("put", PUT)
def test_nothing_in_the_place_of_borgs_roster_holds_us_up(tmp_path: Path, put: Put) -> None:
    """Any user who can write to a shared repository can put it there."""
    put(tmp_path / "lock.roster")
    assert locks.held("borg", tmp_path) == []


@pytest.mark.parametrize("put", [*PUT[:3], loop])
def test_an_export_never_writes_through_what_lies_in_its_way(tmp_path: Path, put: Put) -> None:
    """In a folder that others share, a link beside the file would lead root's bytes to any file."""
    victim = tmp_path / "victim"
    victim.write_text("safe")
    (tmp_path / ".checkpoint.new").symlink_to(victim)
    tiles.write(tmp_path / "checkpoint", b"note")
    assert (victim.read_text(), (tmp_path / "checkpoint").read_bytes()) == ("safe", b"note")
    put(tmp_path / ".checkpoint.new")
    tiles.write(tmp_path / "checkpoint", b"again")
    assert (tmp_path / "checkpoint").read_bytes() == b"again"


@pytest.mark.parametrize("put", PUT)
def test_a_damaged_run_folder_is_a_damaged_run_folder(tmp_path: Path, put: Put) -> None:
    """Whatever stands in the place of run.json is an error that everybody expects."""
    put(tmp_path / "run.json")
    with pytest.raises((OSError, ValueError)):
        runs.RunInfo.read(tmp_path / "run.json")


OURS = {
    "config": ["config.toml", "baselines/origin"],
    "state": [
        "audit.standing",
        "tracker.path",
        "audit.key",
        "audit.key.pub",
        "care/values.json",
        "search.db",
        "spool/x.json",
    ],
    "runtime": ["tracker.lock", "outage"],
}


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forked]:
    """The program, loaded once."""
    needed = ("run", "status", "background", "repository")
    with forked(
        tmp_path_factory.mktemp("forked"), "tray.wrapper.wrap", *(f"tray.cli.{word}" for word in needed)
    ) as run:
        yield run


@pytest.mark.process
@pytest.mark.parametrize("name", [f"{place}/{name}" for place, names in OURS.items() for name in names])
@pytest.mark.parametrize("put", [fifo, endless, huge])
def test_nothing_in_the_place_of_a_file_of_ours_keeps_a_backup_waiting(
    places: Places, command: Forked, name: str, put: Put
) -> None:
    """The backup runs and ends with its own code; the status is told without a traceback."""
    command("run", "--job", "home", "--", "true")
    target = places.state.parent / name
    private(target.parent)
    if target.is_file() or target.is_symlink():
        target.unlink()
    put(target)
    done = command("run", "--job", "home", "--", "sh", "-c", "echo ran; exit 7")
    assert (done.returncode, done.stdout) == (7, "ran\n"), done.stderr
    for ask in (("status",), ("tracker", "--close-lost"), ("tracker", "--care"), ("repository",)):
        shown = command(*ask)
        assert "Traceback" not in shown.stderr, (ask, shown.stderr)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = " + "[" * 20_000 + "]" * 20_000, "nested too deeply"),
        ("a = " + "{b = " * 20_000 + "1" + "}" * 20_000, "nested too deeply"),
        ('[jobs.home]\nrepository = "/a\\u0000b"\nsources = ["/x"]', "NUL"),
        ('[jobs.home]\nrepository = "/a"\nsources = ["/x", "\\U00000000"]', "NUL"),
        ('[jobs."a\\u0000b"]\ncommand = ["true"]', "NUL"),
        ('[audit]\nbaselines = ["/a\\u0000"]', "NUL"),
        ("a = \0", "TOML"),
        ("a = " + "9" * 5000, "makes no sense"),
        ("[watch]\nstalled_after = 0x" + "f" * 5000, "length of time"),
        ("#" * (2 << 20), "more than"),
    ],
)
def test_an_odd_configuration_is_a_clear_error(places: Places, text: str, said: str) -> None:
    """Never a traceback, always the file and the reason; where there is a line, the line."""
    private(places.config)
    places.config_file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        config.load(places)
    assert said in caught.value.why + caught.value.what
    if said == "NUL" and "\\u0000" in text:
        assert "line" in caught.value.what + caught.value.why


@pytest.mark.parametrize("put", PUT[:5])
def test_what_is_no_file_is_no_configuration(places: Places, put: Put) -> None:
    """A pipe in its place is said, not waited for."""
    private(places.config)
    put(places.config_file)
    with pytest.raises(ConfigError):
        config.load(places)


ALLOWED = {
    "core/files.py": "the one place",
    "audit/standalone.py": "stands alone: it is given to people without this program, and asks for regular files itself",
    "audit/salvage/read.py": "a copy of our own, made in a folder of our own",
    "audit/search/index_fill.py": "a database of our own, opened by SQLite",
    "cli/audit/verify.py": "what a person names may be a pipe: verify --checkpoint <(ssh host cat checkpoint); with a bound",
    "report/create.py": "the same",
    "engines/__init__.py": "folders of installed packages: who writes there runs code in this process anyway",
    "core/process_tree.py": "/proc",
    "core/locks.py": "/proc, and locks, which are opened without waiting",
    "observe/proc.py": "/proc",
    "observe/scope.py": "/etc/passwd",
    "repository/local.py": "/proc/self/mountinfo",
    "wrapper/child.py": "/proc and the terminal",
    "wrapper/outputs.py": "spools that this very process has made exclusively",
    "wrapper/prepare.py": "/dev/null; written: a key of our own",
    "wrapper/relay.py": "a spool that this very process has made exclusively",
    "cli/main.py": "/dev/null",
    "icon/render.py": "our own pictures",
    "window/bridge.py": "our own pages",
    "window/app.py": "a file that a measurement names, and our own diagnostics, both written",
    "core/paths.py": "a folder, to make its names durable",
    "config/__init__.py": "by `config.file.read_text`, which opens it as above",
    "config/saving.py": "a folder, to lock it; and a file of our own, made exclusively",
    "system/server.py": "a folder",
    "audit/near_copy.py": "a folder, and files of ours that are written",
    "ipc/endpoint.py": "a folder, by O_PATH; and a file of our own, made exclusively",
    "runs/__init__.py": "written: a file of ours in a folder of ours",
    "jobs/first_backup.py": "written, made exclusively",
    "core/errors/surfaces.py": "what describes the Python environment that we run in",
    "audit/keys.py": "written, made exclusively",
    "audit/tlog.py": "written, made exclusively",
    "recording/outage.py": "written, made exclusively",
    "observe/awake_log.py": "written: files of our own, and no pipe in their place is waited for",
    "repository/cache.py": "written: a file of ours",
    "wrapper/stay_behind.py": "/dev/null",
    "wrapper/spool_guard.py": "/dev/null, and descriptors of its own by /proc/self/fd",
    "runs/log.py": "written: the log of the run",
    "wrapper/hook_run.py": "a file without a name in the folder of the run",
    "report/save.py": "written, through mkstemp",
    "notify/queue_file.py": "a file of ours, made with its mode before SQLite opens it",
    "audit/spool.py": "records of our own: no link is followed, no pipe waited for, and there is a bound",
}


def opens(path: Path) -> bool:
    """Whether this module opens a file by itself."""
    text = path.read_text(encoding="utf-8")
    if not re.search(r"open|read_text|read_bytes|descriptor", text):  # parsing every module takes seconds
        return False
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id in ("open", "read_text", "read_bytes"):
            return True
        if isinstance(node.func, ast.Attribute):
            of = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
            modes = [word.value for word in node.args if isinstance(word, ast.Constant) and isinstance(word.value, str)]
            if node.func.attr in ("read_text", "read_bytes", "fdopen", "descriptor") or (
                of == "os" and node.func.attr == "open"
            ):
                return True
            if node.func.attr == "open" and any(set(mode) <= set("rwaxbt+") for mode in modes):
                return True
    return False


def test_no_file_is_opened_in_another_way_without_a_reason() -> None:
    """Each place that opens a file by itself stands in the list above; a new one needs a reason."""
    found = {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if opens(path)}
    assert found == set(ALLOWED), "use tray.core.files.opened or tray.core.files.content"
