"""Reports that the window writes: by a process of its own, and with nothing from the page that could be an option."""

import stat
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.waiting import wait_for
from tray.audit.search import conditions
from tray.core import ourselves
from tray.core.errors import ExportFailedError
from tray.core.paths import Places
from tray.window import bridge, export, lists

RUN = "0190aaaa-0000-7000-8000-000000000001"
EMPTY = dict.fromkeys(lists._FIELDS, "")


class Process:
    """Stands for the process that writes: remembers its arguments and ends as the test says."""

    def __init__(self, code: int = 0, told: str = "") -> None:
        self.code, self.told = code, told
        self.seen: list[str] = []

    def __call__(self, argv: Sequence[str], **_: Any) -> SimpleNamespace:
        """Start and end."""
        self.seen = list(argv)
        return SimpleNamespace(returncode=self.code, stderr=self.told.encode())


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Process:
    """No process is started."""
    made = Process()
    monkeypatch.setattr(subprocess, "run", made)
    return made


def test_a_report_of_a_run_goes_where_the_person_chose(process: Process, tmp_path: Path) -> None:
    """The dialog proposes a name, the process gets the run, the format and the file, and the page the path."""
    proposed: list[tuple[str, str]] = []

    def ask(name: str, kind: str) -> str:
        proposed.append((name, kind))
        return str(tmp_path / "mine.pdf")

    assert export.Writer(ask).of_run(RUN, "pdf") == {"path": str(tmp_path / "mine.pdf")}
    assert proposed == [("backup-report-00000001.pdf", "PDF")]
    assert process.seen == [
        *ourselves.command("report"),
        RUN,
        "--format=pdf",
        f"--output={tmp_path}/mine.pdf",
        "--force",
    ]


@pytest.mark.parametrize(("with_password", "more"), [(False, []), (True, ["--with-password"])])
def test_a_recovery_sheet_holds_the_password_only_if_the_user_asks(
    with_password: bool, more: list[str], process: Process, tmp_path: Path
) -> None:
    """The sheet is a PDF under the job's name."""
    proposed: list[str] = []

    def ask(name: str, _kind: str) -> str:
        proposed.append(name)
        return str(tmp_path / "sheet.pdf")

    assert export.Writer(ask).of_job("my docs", with_password) == {"path": str(tmp_path / "sheet.pdf")}
    assert proposed == ["recovery-sheet-my-docs.pdf"]
    output = f"--output={tmp_path}/sheet.pdf"
    assert process.seen == [*ourselves.command("jobs", "sheet", "my docs"), *more, output, "--force"]


def test_the_sheet_on_this_machine_is_private_and_no_two_jobs_share_one(process: Process, places: Places) -> None:
    """Its folder is made for this user alone; names that differ only in signs keep sheets of their own."""
    files = {export.keep_sheet(places, name) for name in ("home", "my docs", "my-docs", "../x", "…")}
    assert len(files) == 5
    assert {file.parent for file in files} == {places.config / "recovery"}
    assert stat.S_IMODE((places.config / "recovery").stat().st_mode) == 0o700
    assert "--with-password" not in process.seen


def test_a_name_without_an_ending_gets_the_right_one(process: Process, tmp_path: Path) -> None:
    """The file opens in the program that people expect; the dialog did not ask whether to replace one of that name."""
    assert export.Writer(lambda *_: str(tmp_path / "mine")).of_run(RUN, "csv") == {"path": str(tmp_path / "mine.csv")}
    assert "--force" not in process.seen


def test_whoever_chooses_nothing_gets_nothing(process: Process) -> None:
    """Closing the dialog is no error and starts no process."""
    assert export.Writer(lambda *_: None).of_run(RUN, "pdf") == {"path": None}
    assert process.seen == []


def test_every_value_of_a_filter_is_joined_to_its_option(process: Process) -> None:
    """A job called --output or a search for -h stays a value."""
    fields = lists.form(
        EMPTY | {"job": "--output=/etc/passwd", "text": " -h  --format ", "when": "week", "outcome": "failed"}
    )
    export.Writer(lambda *_: "/x/y.csv").of_filter(fields, "runs", "csv")
    words = process.seen[4:]
    assert all(word.startswith("--") and "=" in word for word in words if word != "--force")
    assert '--job="--output=/etc/passwd"' in words
    assert "--text=-h --format" in words
    assert [word for word in words if word.startswith("--output")] == ["--output=/x/y.csv"]
    assert any(word.startswith("--since=20") for word in words)


def test_without_a_filter_all_is_meant_not_the_last_run(process: Process) -> None:
    """The command would take no option at all for the last run."""
    writer = export.Writer(lambda *_: "/x/y.csv")
    writer.of_filter(lists.form(EMPTY), "runs", "csv")
    assert process.seen[4] == "--since=1970-01-01T00:00:00.000Z"
    writer.of_filter(lists.form(EMPTY), "entries", "csv")
    assert process.seen[4] == "--entries"


@pytest.mark.parametrize("name", ["home, photos", '"', '"a",b', " a ", "a", "--job=b", "ä,\u202e"])
def test_the_command_understands_the_very_name_that_was_chosen(process: Process, name: str) -> None:
    """A job whose name holds commas, quotes or spaces is exported, and no other one in its place."""
    export.Writer(lambda *_: "/x/y.csv").of_filter(lists.form(EMPTY | {"job": name}), "runs", "csv")
    (option,) = [word for word in process.seen if word.startswith("--job=")]
    assert conditions.parse({"job": option.removeprefix("--job=")}, 0).job == (name,)


@pytest.mark.parametrize("value", ["", "-", "--output=/x", "-abc", "xyz", "../a", "019", "0190\n", None, 5, "0" * 37])
def test_only_the_id_of_a_run_is_one(value: object) -> None:
    """Nothing that could be an option, a path or another word gets onto the command line."""
    with pytest.raises(ValueError, match="id of a run"):
        export.whole_run(value)
    assert export.whole_run(RUN) == RUN


def test_what_went_wrong_is_told_with_its_next_step(process: Process) -> None:
    """The error that the process printed reaches the page as what, why and next."""
    process.code, process.told = (
        2,
        "backup-tray: No space is left.\n  why:  The disk is full.\n  next: Choose another one.\n",
    )
    with pytest.raises(ExportFailedError) as caught:
        export.Writer(lambda *_: "/x/y.pdf").of_run(RUN, "pdf")
    error = caught.value
    assert (error.what, error.why, error.next) == ("No space is left.", "The disk is full.", "Choose another one.")


@pytest.mark.parametrize("told", ["", "Traceback (most recent call last):\n  File x\nKeyError: 1\n"])
def test_a_process_that_dies_without_words_is_told_plainly(process: Process, told: str) -> None:
    """No traceback reaches the page, and there is a next step all the same."""
    process.code, process.told = -9, told
    reply = bridge.answer(bridge.Call(lambda: export.Writer(lambda *_: "/x/y.pdf").of_run(RUN, "pdf"), {}), {})
    assert reply["error"]["code"] == "ERROR_EXPORT"
    assert "-9" in reply["error"]["why"]
    assert reply["error"]["next"]
    assert "Traceback" not in str(reply)


def test_one_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """The window does not wait for ever."""

    def hangs(argv: Sequence[str], **_: Any) -> None:
        raise subprocess.TimeoutExpired(argv, export.PATIENCE)

    monkeypatch.setattr(subprocess, "run", hangs)
    with pytest.raises(ExportFailedError, match="not written"):
        export.Writer(lambda *_: "/x/y.pdf").of_run(RUN, "pdf")


def test_only_one_dialog_is_open_at_a_time(process: Process) -> None:
    """Impatient clicks do not pile up dialogs."""
    go_on = threading.Event()

    def slow(*_: str) -> None:
        assert go_on.wait(60)

    writer = export.Writer(slow)
    first = threading.Thread(target=lambda: writer.of_run(RUN, "pdf"))
    first.start()
    wait_for(writer._busy.locked, what="the dialog")
    assert writer.of_run(RUN, "pdf") == {"path": None}
    go_on.set()
    first.join(5)


@pytest.mark.process
def test_the_window_imports_no_library_for_pdf() -> None:
    """Only the short-lived process loads the library that writes PDF."""
    code = (
        "import sys, tray.window.app, tray.window.export; print([m for m in sys.modules if m.startswith('reportlab')])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
