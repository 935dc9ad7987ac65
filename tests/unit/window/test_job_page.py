"""The page of one job: its schedule, its check, and the processes that its buttons start."""

from datetime import timedelta

import pytest

from tests.unit.schedule import conftest as schedulers
from tests.unit.schedule.conftest import Crontab
from tests.waiting import wait_for
from tray.core import clock, ourselves
from tray.core.errors import CheckImpossibleError, JobChangeError, JobNotFoundError, NotScheduledError, WhenError
from tray.core.paths import Places
from tray.jobs import first_run
from tray.notify import snooze
from tray.report import recovery
from tray.window.job_page import Jobs, a_job

crontab, configured = schedulers.crontab, schedulers.configured


class Ends:
    """Collects the ends of processes."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, str] | None]] = []

    def __call__(self, name: str, error: dict[str, str] | None) -> None:
        """Remember one."""
        self.told.append((name, error))


class Process:
    """A process that ends with *code*."""

    def __init__(self, code: int) -> None:
        self.code = code

    def wait(self) -> int:
        """End."""
        return self.code


@pytest.mark.process
def test_a_schedule_is_set_changed_and_taken_away(configured: Places, crontab: Crontab) -> None:
    """Each answer is the page as it stands then; a time that cannot be followed changes nothing."""
    jobs = Jobs(configured, Ends())
    assert jobs.page("home")["schedule"] is None
    made = jobs.schedule("home", "20:30")["schedule"]
    assert (made["times"], made["by"], made["fault"], made["needs_login"]) == ("30 20 * * *", "cron", "", False)
    assert "does not catch up" in made["promise"]
    assert jobs.page("home")["schedule"] == made
    with pytest.raises(WhenError):
        jobs.schedule("home", "sometimes")
    assert jobs.page("home")["schedule"] == made
    assert jobs.unschedule("home")["schedule"] is None
    assert "backup --scheduled home" not in (crontab.text or "")
    with pytest.raises(NotScheduledError):
        jobs.unschedule("home")


@pytest.mark.process
def test_checks_are_scheduled_beside_the_backups(configured: Places, crontab: Crontab) -> None:
    """Each of the two stands and goes alone."""
    jobs = Jobs(configured, Ends())
    jobs.schedule("home", "20:30")
    made = jobs.schedule("home", "monthly", "check")
    assert (made["check_schedule"]["times"], made["schedule"]["times"]) == ("0 0 1 * *", "30 20 * * *")
    assert "check --scheduled home" in (crontab.text or "")
    left = jobs.unschedule("home", "check")
    assert (left["check_schedule"], left["schedule"]["times"]) == (None, "30 20 * * *")


@pytest.mark.process
def test_a_schedule_that_was_changed_elsewhere_is_shown_with_its_repair(configured: Places, crontab: Crontab) -> None:
    """Nothing that does not start the job is called scheduled."""
    jobs = Jobs(configured, Ends())
    jobs.schedule("home", "20:30")
    crontab.write("")
    stands = jobs.page("home")["schedule"]
    assert "removed outside" in stands["fault"]
    assert stands["repair"].startswith("backup-tray schedule home")


def test_a_job_of_another_program_has_a_page_that_says_so(configured: Places) -> None:
    """Its runs are shown, and no button that could not work."""
    page = Jobs(configured, Ends()).page("nightly")
    assert (page["configured"], page["shown"], page["check"]) == (False, "nightly", "nightly (check)")


def test_a_job_whose_files_cannot_be_restored_says_why_in_place_of_a_button(configured: Places) -> None:
    """The page and the refused call give the same reason."""
    jobs = Jobs(configured, Ends())
    page = jobs.page("own")
    assert page["unprovable"]["code"] == CheckImpossibleError.code
    with pytest.raises(CheckImpossibleError):
        jobs.check("own")
    assert jobs.page("home")["unprovable"] is None


@pytest.mark.parametrize(
    ("verb", "code", "fine"), [("backup", 0, True), ("backup", 1, False), ("check", 1, True), ("check", 2, False)]
)
def test_the_end_of_a_process_is_told_with_the_command_that_says_more(
    verb: str, code: int, fine: bool, configured: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check that had nothing to compare ends with 1: its record says why, so the page shows no error."""
    ends = Ends()
    monkeypatch.setattr(ourselves, "start", lambda *_: Process(code))
    jobs = Jobs(configured, ends)
    jobs.back_up("home") if verb == "backup" else jobs.check("home")
    wait_for(lambda: ends.told, what="the end")
    ((name, error),) = ends.told
    assert name == ("home" if verb == "backup" else "home (check)")
    assert (error is None) == fine
    assert error is None or f"`backup-tray {verb} home`" in error["next"]


@pytest.mark.parametrize(
    ("code", "bad"), [(0, []), (first_run.CHECK_FAILED, ["home (check)"]), (1, ["home"]), (137, ["home"])]
)
def test_a_first_run_tells_of_the_backup_and_of_its_test(
    code: int, bad: list[str], configured: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One process does both, and its exit code says which of them failed."""
    ends = Ends()
    monkeypatch.setattr(ourselves, "start", lambda *_: Process(code))
    Jobs(configured, ends).first_run("home")
    wait_for(lambda: len(ends.told) == 2, what="both ends")
    assert sorted(name for name, _ in ends.told) == ["home", "home (check)"]
    assert [name for name, error in ends.told if error is not None] == bad


@pytest.mark.parametrize("name", ["", "--with-password", "-x", " home", "a\nb", "x" * 81, None, 5])
def test_only_a_name_that_a_job_can_have_gets_through(name: object) -> None:
    """Nothing that a page sends becomes an option of a program."""
    with pytest.raises(ValueError, match="name of a job"):
        a_job(name)
    assert a_job("my papers") == "my papers"


def test_a_job_that_is_not_configured_is_not_started(configured: Places) -> None:
    """The error names the way to the jobs that there are."""
    with pytest.raises(JobNotFoundError):
        Jobs(configured, Ends()).back_up("nightly")


def test_the_page_names_the_sheet_only_where_there_is_one(configured: Places) -> None:
    """A path that leads nowhere would be a false promise."""
    jobs = Jobs(configured, Ends())
    assert jobs.page("home")["sheet"] == ""
    sheet = recovery.kept(configured, "home")
    sheet.parent.mkdir()
    sheet.write_bytes(b"%PDF")
    assert jobs.page("home")["sheet"] == str(sheet)


def test_messages_about_a_job_rest_and_are_sent_again(configured: Places) -> None:
    """The page says until when; a job that only the log knows can rest, too."""
    jobs = Jobs(configured, Ends())
    assert jobs.page("home")["rests"] == ""
    for name in ("home", "nightly"):
        assert jobs.snooze(name, "8h")["rests"] != ""
    assert [length for length, _ in jobs.page("home")["lengths"]] == ["8h", "1d", "1w"]
    (rest, _) = snooze.rests(configured)
    assert abs(rest.until_ms - clock.now_ms() - 8 * 3_600_000) < 600_000
    assert jobs.snooze("home", "end")["rests"] == ""


def test_a_job_is_turned_off_until_a_day_and_on_again(configured: Places) -> None:
    """As `jobs disable --until` does; a day that is none, or past, changes nothing."""
    jobs = Jobs(configured, Ends())
    day = (clock.local(clock.now_ms()) + timedelta(days=30)).date().isoformat()
    for wrong in ("soon", "2020-01-01", ""):
        with pytest.raises(JobChangeError):
            jobs.turn_off("home", wrong)
    assert jobs.page("home")["off"] == ""
    assert jobs.turn_off("home", f" {day} ")["off"] == f"off until {day}"
    assert jobs.turn_on("home")["off"] == ""
