"""The names of pages, and the form of the first backup."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import statuses
from tests.waiting import wait_for
from tray.config.jobs import Job
from tray.config.saving import save_job
from tray.core import ourselves
from tray.core.errors import UsageError
from tray.core.model import Status
from tray.core.paths import Places, expand
from tray.jobs import first_backup, first_run
from tray.window import bridge, calls, create_page, export, instance
from tray.window.job_page import Jobs
from tray.window.status_feed import Feed


@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("dashboard", "dashboard"),
        ("report", "report"),
        ("details", "log"),
        ("log/0190-ab", "log/0190-ab"),
        ("report/0190", "report/0190"),
        ("report/last", "report"),
        ("details/last", "log"),
        ("entry/17", "entry/17"),
        ("job/home", "job/home"),
        ("job/my%20papers", "job/my%20papers"),
    ],
)
def test_a_page_has_one_spelling(text: str, page: str) -> None:
    """The page knows the names by which tray and terminal ask for it."""
    assert instance.page_of(text) == page


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing",
        "dashboard/0190",
        "report/",
        "report/../x",
        "report/0190/1",
        "REPORT",
        "report/<b>",
        "log/0190\n",
        "entry",
        "entry/",
        "entry/-1",
        "entry/1f",
        "job",
        "job/",
        "job/my papers",
        "job/%0a",
        "job/a/b",
        "job/last\n",
        "entry/" + "1" * 16,
        "x" * 5000,
    ],
)
def test_anything_else_is_no_page(text: str) -> None:
    """Nothing but a known page, with the id of a run where it is about one, gets into the window."""
    with pytest.raises(UsageError) as caught:
        instance.page_of(text)
    assert "dashboard" in caught.value.why


class Desk:
    """A window that chooses what the test says."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, str] | None]] = []
        self.measured: list[tuple[str, int, bool]] = []
        self.go_on = threading.Event()

    def choose_folder(self) -> str | None:
        """Choose, once the test lets it."""
        assert self.go_on.wait(60)
        return "/home/me"

    def choose_file(self, name: str, kind: str) -> str | None:
        """Choose nothing."""

    def tell_verified(self, done: int, total: int) -> None:
        """Nothing to do."""

    def shown(self) -> None:
        """Nothing to do."""

    def tell_measured(self, path: str, total: int, done: bool) -> None:
        """Remember it."""
        self.measured.append((path, total, done))

    def tell_ended(self, job: str, error: dict[str, str] | None) -> None:
        """Remember it."""
        self.told.append((job, error))


class Nothing:
    """A source of no status."""

    def follow(self, _stop: threading.Event) -> Iterator[Status]:
        """Yield nothing."""
        return iter(())

    def close(self) -> None:
        """Nothing to close."""


def feed(status: Status | None = None) -> Feed:
    """A feed that knows *status*."""
    made = Feed(Nothing())
    made._status = status
    return made


def setup(places: Places, desk: Desk | None = None, status: Status | None = None) -> create_page.Setup:
    """The form's back end."""
    desk = desk or Desk()
    return create_page.Setup(places, feed(status), desk, Jobs(places, desk.tell_ended))


class Process:
    """A backup that ends with *code*."""

    def __init__(self, code: int) -> None:
        self.code = code

    def wait(self) -> int:
        """End."""
        return self.code


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Collect the form's requests to its back end; nothing is made."""
    seen: dict[str, object] = {}

    def create(places: Places, **inputs: object) -> Job:
        seen.update(inputs)
        job = Job(
            name=str(inputs["name"]),
            sources=("/home/me",),
            repository="/media/backup",
            password_file="/c/home.password",
        )
        save_job(places, job)
        return job

    def start(verb: str, *_: str) -> Process:
        return Process(int(str(seen.get(verb, 0))))

    monkeypatch.setattr(first_backup, "create_first_backup", create)
    monkeypatch.setattr(ourselves, "start", start)
    monkeypatch.setattr(export, "keep_sheet", lambda *_: Path("/c/recovery/home.pdf"))
    return seen


@pytest.mark.process
def test_the_form_begins_with_a_name_that_is_free_and_a_new_password(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two backups never get one name by default, and two forms never show one password."""
    form = setup(places).form()
    assert form["name"] == "home"
    assert form["sources"] == [expand("~")]  # root's own home, whatever HOME says
    assert form["password"] != setup(places).form()["password"]
    places.config.mkdir(parents=True, mode=0o700)
    places.config_file.write_text('version = 1\n[jobs.home]\nsources = ["/a"]\nrepository = "/b"\n')
    assert setup(places).form()["name"] == "home-2"


@pytest.mark.process
def test_without_restic_the_form_names_the_command_that_brings_it(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user is not shown a form that cannot work."""
    monkeypatch.setenv("PATH", "/nowhere")
    problem = setup(places).form()["problem"]
    assert problem is not None
    assert "apt install restic" in problem["next"]


def test_a_backup_that_was_made_is_started_and_then_restored_as_a_test(
    places: Places, asked: dict[str, object]
) -> None:
    """The inputs go to the back end as they are; the page hears of the end of the backup and of the test."""
    desk = Desk()
    made = setup(places, desk).create("home", ["/home/me"], "/media/backup", "correct horse", "", "")
    assert asked == {
        "name": "home",
        "sources": ["/home/me"],
        "repository": "/media/backup",
        "password": "correct horse",
        "variables": {},
    }
    assert (made["job"], made["check"], made["problem"]) == ("home", "home (check)", None)
    assert "correct horse" not in str(made)
    ended = [("home", None), ("home (check)", None)]
    wait_for(lambda: sorted(desk.told) == ended, what="both ends to be told")


def test_a_backup_stands_also_where_its_sheet_cannot_be_written(
    places: Places, asked: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says why there is no sheet; repository, job and first run stay."""

    def refuse(*_: object) -> Path:
        raise PermissionError(13, "Permission denied", "/c/recovery")

    monkeypatch.setattr(export, "keep_sheet", refuse)
    made = setup(places).create("home", ["/home/me"], "/media/backup", "pw", "", "")
    assert (made["job"], "Permission denied" in made["problem"]["what"]) == ("home", True)


def test_an_older_run_of_that_name_is_not_taken_for_the_first_backup(places: Places, asked: dict[str, object]) -> None:
    """The page waits for the run that it started, even where a job of that name was seen before."""
    old = statuses.ended("home")
    made = setup(places, status=statuses.judged(old)).create("home", ["/home/me"], "/media/backup", "pw", "", "")
    assert made["before"] == old.run


def test_a_backup_that_ends_badly_is_told_to_the_page(places: Places, asked: dict[str, object]) -> None:
    """If the process dies before anything is on record, the page does not wait for ever, and no test follows."""
    asked[first_run.__name__] = 1
    desk = Desk()
    setup(places, desk).create("home", ["/home/me"], "/media/backup", "pw", "", "")
    wait_for(lambda: len(desk.told) == 2, what="the end to be told")
    error = dict(desk.told)["home"]
    assert error is not None
    assert dict(desk.told)["home (check)"] is None
    assert "backup-tray backup home" in error["next"]


def test_only_one_folder_dialog_is_open_at_a_time(places: Places) -> None:
    """Impatient clicks do not pile up dialogs."""
    desk = Desk()
    form = setup(places, desk)
    answers: list[dict[str, str | None]] = []
    waiting = threading.Thread(target=lambda: answers.append(form.choose()))
    waiting.start()
    wait_for(form._choosing.locked, what="the dialog")
    assert form.choose() == {"path": None}
    desk.go_on.set()
    waiting.join(5)
    assert answers == [{"path": "/home/me"}]


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": "x" * 81, "sources": [], "repository": "", "password": "", "key": "", "secret": ""},
        {"name": "x", "sources": "/home", "repository": "", "password": "", "key": "", "secret": ""},
        {"name": "x", "sources": ["/h"] * 101, "repository": "", "password": "", "key": "", "secret": ""},
        {"name": "x", "sources": [None], "repository": "", "password": "", "key": "", "secret": ""},
        {"name": "x", "sources": [], "repository": "a\0b", "password": "", "key": "", "secret": ""},
        {"name": "x", "sources": [], "repository": "", "password": 5, "key": "", "secret": ""},
        {"name": "x", "sources": [], "repository": "", "password": "", "key": None, "secret": ""},
        {"name": "x", "sources": [], "repository": "", "password": ""},
    ],
)
def test_a_form_that_no_page_of_ours_sends_is_refused(
    places: Places, asked: dict[str, object], arguments: dict[str, object]
) -> None:
    """Sizes and types are checked before anything is looked at."""
    assert "makes no sense" in bridge.answer(_create(places), arguments)["error"]["what"]
    assert asked == {}


def _create(places: Places) -> bridge.Call:
    return calls.table(places, feed(), Desk())["create_backup"]


def test_an_error_of_the_form_names_its_field(places: Places) -> None:
    """The page can put the error beside the input that caused it."""
    reply = bridge.answer(
        _create(places),
        {
            "name": "home",
            "sources": ["/does/not/exist"],
            "repository": "/nowhere",
            "password": "pw",
            "key": "",
            "secret": "",
        },
    )
    assert reply["error"]["field"] == "sources"
