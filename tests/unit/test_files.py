"""Bytes stay bytes: what is hashed, signed or compared is the same on every system."""

import ast
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.audit_help import end, filled
from tray import files
from tray.audit import spool
from tray.audit.outside import baselines
from tray.cli.main import main
from tray.paths import Places

PROGRAM = Path(__file__).parents[2] / "tray"
RAW = 1 << 40
"""Stands for O_BINARY, which only Windows has."""


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Yield every call in the program, with where it stands."""
    for path in sorted(PROGRAM.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call):
                yield f"{path.relative_to(PROGRAM.parent)}:{node.lineno}", node


def test_every_descriptor_is_opened_for_bytes() -> None:
    """One place opens descriptors; a bare `os.open` is left to folders, terminals and /proc, which have no line ends."""
    others = ("O_DIRECTORY", "O_PATH", "devnull", "/dev/tty", "self.root")
    bare = [
        where
        for where, call in calls()
        if ast.unparse(call.func) == "os.open" and not any(word in ast.unparse(call) for word in others)
    ]
    assert [where.rpartition(":")[0] for where in bare] == ["tray/files.py"]


def test_every_text_is_written_with_line_ends_of_its_own_choice() -> None:
    """Who writes text says `newline=`; else Windows would write other bytes than Linux."""
    found = []
    for where, call in calls():
        name = ast.unparse(call.func)
        mode = next((word.value for word in call.keywords if word.arg == "mode"), None)
        at = 0 if name.endswith(".open") else 1
        mode = mode or (call.args[at] if len(call.args) > at else None)
        asked = mode.value if isinstance(mode, ast.Constant) and isinstance(mode.value, str) else ""
        opens = name in ("open", "os.fdopen") or (name.endswith(".open") and name != "os.open")
        writes = opens and set(asked) <= set("rwaxt+") and set(asked) & set("wax+")
        if (writes or name.endswith(".write_text")) and "newline" not in {word.arg for word in call.keywords}:
            found.append(where)
    assert found == []


@pytest.fixture
def changed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A system whose descriptors change line ends unless they are opened for bytes; returns the files that got other bytes."""
    translating: dict[int, str] = {}
    changed: list[str] = []
    real_open, real_write = os.open, os.write

    def opened(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        handle = real_open(path, flags & ~RAW, mode, dir_fd=dir_fd)
        translating.pop(handle, None)
        if not flags & (RAW | os.O_DIRECTORY):
            translating[handle] = str(path)
        return handle

    def written(handle: int, data: bytes) -> int:
        if handle not in translating or b"\n" not in data:
            return real_write(handle, data)
        changed.append(translating[handle])
        real_write(handle, bytes(data).replace(b"\n", b"\r\n"))
        return len(data)

    monkeypatch.setattr(os, "O_BINARY", RAW, raising=False)
    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os, "write", written)
    return changed


def test_the_stand_in_changes_what_is_not_opened_for_bytes(changed: list[str], tmp_path: Path) -> None:
    """The test below can fail."""
    for opening, expected in ((os.open, b"a\r\nb"), (files.descriptor, b"a\nb")):
        handle = opening(str(tmp_path / "f"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.write(handle, b"a\nb")
        os.close(handle)
        assert (tmp_path / "f").read_bytes() == expected
    assert changed == [str(tmp_path / "f")]


def test_a_log_agrees_with_its_copies_where_descriptors_change_line_ends(
    changed: list[str], places: Places, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Checkpoint, keys, tiles, proof, export and reports are the bytes that were signed, and so the log is intact."""
    filled(places, 100)
    for number in range(3):
        spool.record(places, [end(f"more-{number}")])
    assert main(["audit", "verify"]) == 0, capsys.readouterr().out
    assert len(baselines.found(places)) == 1
    assert main(["audit", "export", str(tmp_path / "export")]) == 0
    for form in ("csv", "html", "jsonl", "text"):
        assert main(["report", "--since", "2020-01-01", "--format", form, "--output", str(tmp_path / f"r.{form}")]) == 0
    assert changed == []
    table = (tmp_path / "r.csv").read_bytes()
    assert table.count(b"\n") == table.count(b"\r\n") > 100  # RFC 4180's line ends, chosen, on every system
