"""The pages Audit log, Entry, History and Report in real WebKit, on a real log: badge, breach, filters, pages, hostile names."""

import csv
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.e2e import statuses
from tests.e2e.desktop import Desktop, desktop
from tests.e2e.test_window_page import _PALE_TEXTS, _SMALL_TARGETS, fits, said
from tests.e2e.webdriver import Driven, driven
from tests.unit.audit.help import end, writer
from tests.waiting import wait_for
from tray.audit import last_check as kept
from tray.audit import spool
from tray.audit.entry import Action, Draft
from tray.audit.store import AuditLog
from tray.audit.verify.verdict import Kind, Result, Verdict
from tray.core import clock, paths
from tray.core.dataclass import replace
from tray.core.model import AuditStanding, Instance, Outcome, State, Status
from tray.core.paths import Places

pytestmark = pytest.mark.e2e
EVERY_PAGE = ("dashboard", "history", "audit", "entry/3", "report", "log", "create", "import", "guide", "notifications")
HOUR = 3_600_000
LONG = "very long " * 1000
RUNS = 130


def fill(places: Places) -> None:
    """A log of many runs, one of them hostile, one erased."""
    outcomes = list(Outcome)
    drafts = [
        end(
            job=("home", "photos", "etc")[number % 3],
            outcome=outcomes[number // 3 % len(outcomes)],
            time_ms=clock.now_ms() - (RUNS - number) * HOUR,
            duration_ms=61_000,
            bytes_processed=48_000_000_000,
            body={"reason": f"It said word{number}.", "repository": "/media/backup", "sources": ["/home/me"]},
        )
        for number in range(RUNS)
    ]
    nasty = statuses.NASTY
    drafts.append(end(job=nasty, actor=nasty, body={"reason": nasty, nasty: nasty, "long": LONG}))
    written = spool.record(places, drafts)
    assert written is not None
    assert written[-1] == RUNS + 2
    with writer(places) as log:
        log.redact(3, "asked for")
    spool.record(places, [Draft(Action.AUDIT_VERIFIED, result="intact"), Draft(Action.CONFIG_CHANGED)])


def standing(**more: Any) -> AuditStanding:
    """The audit log's last verification."""
    known = AuditStanding("intact", clock.now_ms() - 2 * HOUR, 1204, "Every entry is as it was signed.", baselines=2)
    return replace(known, **more)


def status(known: AuditStanding | None) -> Status:
    """A status with two jobs and *standing*."""
    judged = statuses.judged(statuses.ended("home"), statuses.ended("etc", hours=9))
    return replace(judged, audit=known, state=State.TAMPERED if known is not None and known.breach else judged.state)


BREACH: dict[str, Any] = {
    "result": "tampered",
    "breach": True,
    "kind": "altered",
    "first_bad": 17,
    "why": "Entry 17 is not the one that was signed.",
    "since_ms": clock.now_ms() - HOUR,
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desktop]:
    """A screen without a panel."""
    with desktop(tmp_path_factory.mktemp("desk") / "d", "none") as made:
        yield made


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a filled log; its name is short, because pictures show it."""
    made = tmp_path_factory.mktemp("home") / "bt"
    fill(paths.places(dict(os.environ) | {paths.HOME_VARIABLE: str(made)}))
    return made


@pytest.fixture(scope="module")
def window(desk: Desktop, home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driven]:
    """One window for this file."""
    env = desk.env | {paths.HOME_VARIABLE: str(home)}
    with driven(tmp_path_factory.mktemp("window") / "w", env, status(standing())) as made:
        yield made


def visit(window: Driven, page: str) -> None:
    """Go to a page and wait until its content is there."""
    window.script(f"BT.visit('{page}')")
    window.wait(f"#page[data-page={page.split('/')[0]}] h1")
    wait_for(lambda: not window.script("return BT.place.loading"), what=f"{page} to be loaded")


def choose(window: Driven, name: str, value: str) -> None:
    """Choose in a list of the form."""
    window.script(
        "const one = document.getElementById(arguments[0]); one.value = arguments[1];"
        "one.dispatchEvent(new Event('input', {bubbles: true}))",
        f"filter-{name}",
        value,
    )


def rows(window: Driven) -> list[str]:
    """Return the text of each row of the table."""
    return list(window.script("return [...document.querySelectorAll('tbody tr')].map((row) => row.innerText)"))


def test_the_badge_says_it_by_colour_shape_and_word(window: Driven) -> None:
    """Dashboard and Audit log show the same standing: when, how many entries, how many baselines."""
    seen = set()
    for known, word, kind in (
        (standing(), "intact", "ok"),
        (standing(result="tampered", breach=True), "tampered", "tampered"),
        (standing(result="inconclusive", baselines=0), "inconclusive", "unknown"),
        (None, "not verified", "none"),
    ):
        window.push(status(known))
        visit(window, "dashboard")
        line = window.read(".auditline", f"Audit log {word}")
        assert known is None or known.breach or "2 hours ago, 1,204 entries" in line
        tag = window.wait(".auditline .tag")
        seen.add((kind, tag.value_of_css_property("color"), tag.value_of_css_property("background-color")))
        assert window.script("return document.querySelector('.auditline use').getAttribute('href')") == f"#i-{kind}"
        visit(window, "audit")
        window.wait(".card .tag", word.capitalize())
    assert len(seen) == 4
    assert len({colour for _, colour, _ in seen}) == 3  # an unknown result is grey, whatever its word
    window.push(status(standing()))


def test_a_breach_is_on_every_page_and_asks_for_a_reason(window: Driven) -> None:
    """Every page shows the banner, the banner opens the entry, and the alarm does not end without a reason."""
    window.push(status(standing(**BREACH)))
    for page in EVERY_PAGE:
        visit(window, page)
        assert "TAMPERED at entry 17 (altered)" in window.read(".banner[role=alert]"), page
    visit(window, "dashboard")
    window.keep("window-breach.png")
    window.click(".banner button", "Open entry 17")
    window.wait("#page[data-page=entry]")
    window.click(".banner button", "Acknowledge…")
    window.wait("#acknowledge")
    assert window.script("return document.activeElement.id") == "reason"
    window.click("#acknowledge button.main")
    window.wait("#reason-problem", "")
    assert window.wait("#reason").get_attribute("aria-invalid") == "true"
    assert window.find("#acknowledge") is not None
    window.click("#acknowledge button", "Not yet")
    window.push(status(standing(**BREACH, instance=Instance.SYSTEM)))
    assert "sudo backup-tray" in window.read(".banner", "of the system")
    assert window.find(".banner button") is None
    window.push(status(standing()))
    wait_for(lambda: window.find(".banner") is None, what="the banner to go")


def test_entries_are_narrowed_down_and_paged(window: Driven) -> None:
    """Filters combine, "older" and "newer" turn the pages, and a screen reader hears the number of matches."""
    visit(window, "audit")
    assert len(rows(window)) == 50
    first = rows(window)
    window.click("[data-do=older]")
    window.wait(".pager", "Page 2")
    assert not set(rows(window)) & set(first)
    window.click("[data-do=newer]")
    window.wait(".pager", "Page 1")
    assert rows(window) == first
    choose(window, "job", "photos")
    choose(window, "outcome", "failed")
    wait_for(lambda: len(rows(window)) == 7, what="the failed ones of photos")
    assert "7 entries found" in said(window)
    window.keep("window-audit.png")
    visit(window, "entry/3")
    window.click(".back")
    wait_for(lambda: len(rows(window)) == 7, what="the list as it was left")
    window.click("[data-do=clear-filter]")
    wait_for(lambda: len(rows(window)) == 50, what="all entries")
    assert window.script("return document.activeElement.id") == "filter-text"
    window.type("#filter-text", "word17")
    wait_for(lambda: len(rows(window)) == 1, what="the one with that word")
    window.type("#filter-text", "no entry holds this")
    window.wait(".nothing-found")
    window.click("[data-do=clear-filter]")


def test_an_invalid_day_has_its_error_beside_the_field(window: Driven) -> None:
    """The page marks the field, says how to write a day, and keeps the matches from before."""
    visit(window, "audit")
    choose(window, "when", "days")
    assert window.script("return document.activeElement.id") == "filter-when"
    window.type("#filter-since", "31.1.")
    assert "31.1." in window.read("#filter-problem")
    assert window.wait("#filter-since").get_attribute("aria-invalid") == "true"
    assert len(rows(window)) == 50
    window.type("#filter-since", "2000-01-01")
    wait_for(lambda: window.find("#filter-problem") is None, what="the complaint to go")
    window.click("[data-do=clear-filter]")


def test_the_history_is_narrowed_down_and_paged(window: Driven) -> None:
    """The same form, for runs."""
    visit(window, "history")
    assert len(rows(window)) == 50
    for page in (2, 3):
        window.click("[data-do=older]")
        window.wait(".pager", f"Page {page}")
    assert len(rows(window)) == RUNS + 1 - 100
    window.click("[data-do=newest]")
    window.wait(".pager", "Page 1")
    choose(window, "outcome", "cancelled")
    choose(window, "job", "home")
    wait_for(lambda: 0 < len(rows(window)) < 10, what="the cancelled ones")
    assert all("Cancelled" in row for row in rows(window))
    window.click("[data-do=clear-filter]")


def test_an_entry_shows_the_hashed_bytes(window: Driven) -> None:
    """Facts, details, the raw bytes with a button to copy them, the leaf hash, and the way to its neighbours."""
    visit(window, "entry/4")
    raw = json.loads(str(window.wait(".copybox button").get_attribute("data-text")))
    assert raw["seq"] == 4
    assert "word2" in window.read("#page", "It said")
    assert "baseline" in window.read(".card .row", "Verified")
    window.click(".copybox button", "Copy")
    window.wait(".copybox button", "Copied")
    window.keep("window-entry.png")
    window.click("button", "Previous entry")
    window.wait("h1", "Run finished")
    assert "erased" in window.read("#page .note")
    visit(window, "entry/0")
    assert (
        window.script("return [...document.querySelectorAll('[data-go^=entry]')].map((one) => one.disabled)")[0] is True
    )
    visit(window, "entry/99999")
    assert "no entry 99999" in window.read(".banner")


def test_the_log_shows_its_identity(window: Driven, home: Path) -> None:
    """Identity, key and newest checkpoint can be copied, and the copy beside the configuration is listed with its age."""
    visit(window, "audit")
    text = window.read("#page", "This log")
    assert "covers 136 entries" in text
    copies = window.script("return [...document.querySelectorAll('.copybox button')].map((one) => one.dataset.text)")
    assert copies[0].startswith("backup-tray/")
    assert copies[1].split("\n")[1] == "136"


def test_hostile_names_are_text_on_every_page(window: Driven) -> None:
    """Markup, line breaks, bidi controls and 10 kB: shown as text, cut where it must be, and the page keeps its width."""
    window.script("window.alerts = 0; window.alert = () => { window.alerts += 1; }")
    for page in ("audit", f"entry/{RUNS + 2}", "history", "report"):
        visit(window, page)
        text = window.text()
        assert "<img src=x onerror=alert(1)>" in text, page
        assert not {"\x1b", "\u202e", "\u2028"} & set(text), page
        assert fits(window), page
        assert window.script("return document.querySelectorAll('img, #page script').length") == 0
    assert window.script("return window.alerts") == 0


def test_the_keyboard_is_enough(window: Driven) -> None:
    """The Tab key reaches fields, pages and buttons in reading order."""
    visit(window, "audit")
    window.script("document.querySelector('[data-do=verify]').focus()")
    seen = []
    for _ in range(9):
        ActionChains(window.driver).send_keys(Keys.TAB).perform()
        seen.append(
            window.script("return document.activeElement.id || document.activeElement.getAttribute('aria-label')")
        )
    fields = ["text", "when", "job", "action", "outcome", "severity", "engine"]
    assert seen[:7] == [f"filter-{name}" for name in fields]
    assert seen[7].startswith("Open entry ")
    window.script("document.getElementById('filter-job').focus()")
    ActionChains(window.driver).send_keys("etc").perform()
    wait_for(lambda: all("etc" in row for row in rows(window)), what="the job that was typed")
    window.click("[data-do=clear-filter]")


def save(window: Driven, title: str, target: Path) -> None:
    """Type a path into the desktop's own dialog for saving."""
    dialog = wait_for(lambda: window.hand("search", "--onlyvisible", "--name", f"^{title}$"), what="the dialog")
    window.hand("windowactivate", "--sync", dialog.split()[0])
    typed_at = 0.0

    def gone() -> bool:
        """Type the path, again where a slow dialog lost letters."""
        nonlocal typed_at
        if not window.hand("search", "--onlyvisible", "--name", f"^{title}$"):
            return True
        if time.monotonic() - typed_at > 8:
            window.hand("key", "ctrl+a")
            window.hand("type", "--delay", "30", str(target))
            typed_at = time.monotonic()
        window.hand("key", "Return")
        return False

    wait_for(gone, seconds=60, what="the dialog to close")


def test_pages_are_saved_through_the_desktops_own_dialog(window: Driven, home: Path, tmp_path: Path) -> None:
    """A run as PDF, and the entries that fit a filter as CSV: written where the person said, and on record."""
    visit(window, "report")
    window.click("[data-call=run][data-kind=pdf]")
    save(window, "Save as PDF", tmp_path / "mine.pdf")
    assert "mine.pdf" in window.read(".exporter", "Written")
    assert (tmp_path / "mine.pdf").read_bytes().startswith(b"%PDF-")
    visit(window, "audit")
    choose(window, "job", "photos")
    wait_for(lambda: len(rows(window)) == 44, what="the entries of photos")
    window.click("[data-call=entries][data-kind=csv]")
    save(window, "Save as CSV", tmp_path / "mine.csv")
    window.wait(".exporter", "Written")
    with open(tmp_path / "mine.csv", encoding="utf-8-sig", newline="") as file:
        held = list(csv.DictReader(file))
    assert {row["job"] for row in held} == {"photos"}
    assert len(held) == 44
    with AuditLog.read(paths.places(dict(os.environ) | {paths.HOME_VARIABLE: str(home)}).audit_db) as log:
        assert [entry.data["action"] for entry in log.entries(-2, 2)] == ["audit.exported"] * 2
    window.click("[data-do=clear-filter]")


def test_a_report_that_cannot_be_written_has_reason_and_next_step(window: Driven) -> None:
    """The words of the process that failed stand on the page, and the buttons work again."""
    visit(window, "report")
    window.click("[data-call=run][data-kind=jsonl]")
    save(window, "Save as JSON Lines", Path("/proc/mine.jsonl"))
    assert window.read(".exporter .banner", "mine.jsonl")
    assert window.wait("[data-call=run][data-kind=pdf]").is_enabled()


def test_an_acknowledgement_with_a_reason_is_an_entry(window: Driven, home: Path) -> None:
    """The reason that the user types ends the alarm and stands in the log."""
    here = paths.places(dict(os.environ) | {paths.HOME_VARIABLE: str(home)})
    verdict = Verdict(Result.TAMPERED, 17, clock.now_ms(), "Entry 17 was altered.", first_bad=17, kind=Kind.ALTERED)
    kept.write(here, verdict)
    window.push(status(standing(**BREACH)))
    visit(window, "dashboard")
    window.click(".banner button", "Acknowledge…")
    window.type("#reason", "a test of the alarm")
    window.click("#acknowledge button.main")
    wait_for(lambda: window.find("#acknowledge") is None, what="the dialog to close")
    with AuditLog.read(here.audit_db) as log:
        entry = log.entries(-1)[0]
    assert (entry.data["action"], (entry.body or {})["reason"]) == ("audit.acknowledged", "a test of the alarm")
    now = kept.read(here)
    assert now is not None
    assert not now.breach
    wait_for(lambda: "acknowledged" in said(window), what="it to be said")
    window.push(status(standing()))
    wait_for(lambda: window.find(".banner") is None, what="the banner to go")


@pytest.mark.parametrize("text", ["100%", "200%"])
def test_narrow_windows_and_large_text_lose_nothing(window: Driven, text: str) -> None:
    """At 480 pixels, with text twice as large, the lists and the entry can be read without scrolling sideways."""
    window.push(status(standing(**BREACH)))
    window.resize(480, 800)
    window.script(f"document.documentElement.style.fontSize = '{text}'")
    try:
        for page in EVERY_PAGE:
            visit(window, page)
            assert fits(window), page
    finally:
        window.script("document.documentElement.style.fontSize = ''")
        window.resize(1080, 780)
        window.push(status(standing()))


@pytest.mark.parametrize("theme", ["Adwaita", "Adwaita:dark"], ids=["light", "dark"])
def test_every_text_has_contrast_and_every_target_has_size(
    desk: Desktop, home: Path, tmp_path: Path, theme: str
) -> None:
    """In both themes text keeps 4.5 : 1 and whatever can be pressed has 24 pixels, with a breach and without."""
    shutil.copytree(home / "state", tmp_path / "bt" / "state")  # one home has one window
    shutil.copytree(home / "config", tmp_path / "bt" / "config")
    env = desk.env | {paths.HOME_VARIABLE: str(tmp_path / "bt"), "GTK_THEME": theme}
    with driven(tmp_path / "w", env, status(standing(**BREACH))) as window:
        visit(window, "audit")
        choose(window, "outcome", "failed")
        wait_for(lambda: 0 < len(rows(window)) < 30, what="fewer rows, each of which takes its time")
        for page in ("audit", "dashboard", "entry/3", "report"):
            visit(window, page)
            assert window.script(_PALE_TEXTS) == [], page
            assert window.script(_SMALL_TARGETS) == [], page
        visit(window, "audit")
        choose(window, "when", "days")
        window.type("#filter-since", "never")
        window.wait("#filter-problem")
        assert window.script(_PALE_TEXTS) == []
        window.script("document.querySelector('[data-do=acknowledge]').click()")
        window.wait("#acknowledge")
        assert window.script(_PALE_TEXTS) == []
