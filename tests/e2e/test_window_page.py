"""The real page in real WebKit: its content, its updates, and its defence against hostile data and scripts."""

import json
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import statuses
from tests.e2e.desktop import Desktop, desktop
from tests.e2e.webdriver import Driven, driven
from tests.waiting import wait_for
from tray.core import clock
from tray.core.dataclass import replace
from tray.core.model import (
    Control,
    Instance,
    JobStatus,
    Outcome,
    Phase,
    RepositoryState,
    Source,
    State,
    Status,
    Step,
)

pytestmark = pytest.mark.e2e
EVERY_PAGE = ("dashboard", "history", "audit", "create", "import", "guide", "notifications")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desktop]:
    """A screen without a panel."""
    with desktop(tmp_path_factory.mktemp("desk") / "d", "none") as made:
        yield made


@pytest.fixture(scope="module")
def window(desk: Desktop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driven]:
    """One window for this file; each test pushes the status that it needs."""
    folder = tmp_path_factory.mktemp("window")
    env = desk.env | {"BACKUP_TRAY_HOME": str(folder / "bt")}
    with driven(folder / "w", env, statuses.empty()) as made:
        yield made


@pytest.fixture(autouse=True)
def at_the_dashboard(window: Driven) -> None:
    """Every test begins at the dashboard, with nothing ever seen."""
    window.push(statuses.empty())
    window.script("BT.visit('dashboard')")
    window.wait("#page[data-page=dashboard] h1", "No backups performed")


def test_without_any_history_the_first_backup_is_one_click_away(window: Driven) -> None:
    """A new user reads that there is no backup yet, and finds the button that makes one (AF-1)."""
    assert "Backup Tray has seen none yet" in window.text()
    window.click("button", "Create First Backup")
    window.wait("#create-form")
    window.click("button", "Dashboard")
    window.click("button", "I already use restic, borg or rclone")
    window.wait("pre", "run -- restic backup /home")


def test_a_live_run_shows_every_figure(window: Driven) -> None:
    """Files, bytes, throughput, time left, repository, file, and the bar with its percentage in text (MF-3)."""
    jobs = [statuses.ended("home", hours=25), statuses.ended("documents", engine="borg", repository="nas/borg")]
    window.push(statuses.judged(*jobs, running=(statuses.live(),)))
    card = window.read(".card", "41 %")
    for words in (
        "home",
        "restic → /media/backup/restic",
        "8,502",
        "of 20,220",
        "1.8 GB",
        "of 4.3 GB",
        "12.3 MB/s",
        "3 min",
    ):
        assert words in card
    assert "IMG_2041.CR3" in card
    assert window.wait("progress").get_attribute("value") == "41"
    window.keep("window-dashboard.png")


def test_an_overdue_job_shows_its_arithmetic_and_each_row_its_next_run(window: Driven) -> None:
    """The word, when it was expected, and why; a job that never ran stands in the list too."""
    now = clock.now_ms()
    late = replace(
        statuses.judged(statuses.ended("photos", hours=75)).jobs[0],
        state=State.OVERDUE,
        word="overdue",
        concern="Expected by Sat 12:45.",
        rhythm="every day or so, by its past",
        why="Its last good backup ended Fri 12:30, 3 days ago. The next was expected Sat 12:30.",
        expected_by_ms=now - 2 * clock.DAY_MS,
        overdue_since_ms=now - clock.DAY_MS,
    )
    fine = replace(
        statuses.judged(statuses.ended("home")).jobs[0], word="fine", rhythm="every day", next_ms=now + 8 * clock.DAY_MS
    )
    never = JobStatus("music", State.NONE, None, word="never ran", rhythm="Sun 20:00", why="It has never run.")
    window.push(Status(State.OVERDUE, now, jobs=(late, fine, never)))
    card = window.read(".attention", "photos")
    for words in ("Overdue", "Expected by Sat 12:45", "Its last good backup ended Fri 12:30"):
        assert words in card
    text = window.text()
    assert "1 of 3 backups is overdue: photos, expected by Sat 12:45, last good 3 days ago." in text
    assert f"next {clock.local(now + 8 * clock.DAY_MS):%Y-%m-%d %H:%M}" in text
    assert "Never ran" in text
    titles = window.script("return [...document.querySelectorAll('tbody td[title]')].map((cell) => cell.title)")
    assert "It has never run." in titles


def test_progress_reaches_the_page_by_itself(window: Driven) -> None:
    """The bar moves without any action of the user (MF-5)."""
    run = statuses.live()
    window.push(statuses.judged(running=(run,)))
    window.wait(".card", "41 %")
    element = window.wait("progress")
    window.push(statuses.judged(running=(run.with_changes(bytes_done=3_320_240_000, files_done=19_000),)))
    window.wait(".card", "77 %")
    assert element.get_attribute("value") == "77"  # the same element: focus and selection survive


def test_cancel_asks_first_and_a_refusal_is_shown(window: Driven) -> None:
    """A slip of the mouse ends no backup; the page explains a refusal, and the user can close the explanation."""
    run = statuses.live(can=(Control.PAUSE, Control.CANCEL))
    window.push(statuses.judged(running=(run,)))
    window.click(".card button", "Cancel…")
    assert "It is asked to stop" in window.read("#confirm", "Cancel home?")
    window.click("#confirm button", "Let it go on")
    wait_for(lambda: window.find("#confirm") is None)
    window.script(f"BT.visit('cancel/{run.run}')")  # as the tray's menu does
    window.click("#confirm button", "Cancel the run")
    window.read(".banner", "")  # nothing of this id runs here, so the tracker refuses
    window.click(".banner button", "Dismiss")
    wait_for(lambda: window.find(".banner") is None)


def test_runs_of_others_steps_and_repositories_are_told_apart(window: Driven) -> None:
    """An observed run offers no cancel, a script shows its steps, and a repository shows its snapshots and its lock."""
    now = clock.now_ms()
    seen = statuses.live("srv", source=Source.OBSERVED, user="root", instance=Instance.SYSTEM)
    steps = (Step("restic", "backup", now - 9000, "/repo", now, Outcome.SUCCEEDED), Step("borg", "backup", now))
    script = statuses.live("nightly.sh", run=seen.run[:-1] + "2", steps=steps, can=(Control.CANCEL,))
    repository = RepositoryState("/repo", "restic", now - 60_000, snapshots=214, locked_by="process 4711 on nas")
    window.push(replace(statuses.judged(running=(seen, script)), repositories=(repository,)))
    observed = window.read(f".card[data-key='{seen.run}']", "Observed")
    assert "by root" in observed
    assert "Cancel" not in observed
    assert "restic backup → /repo" in window.read(".steps", "Succeeded")
    assert "214" in window.read(".repository", "Locked by process 4711 on nas")
    window.keep("window-runs.png")


def test_an_unknown_total_has_no_percentage(window: Driven) -> None:
    """While the total is unknown the bar says so, and the page invents no percentage."""
    scanning = statuses.live(phase=Phase.SCANNING, bytes_done=None, bytes_total=None, eta_seconds=None)
    window.push(statuses.judged(running=(scanning,)))
    card = window.read(".card", "Scanning")
    assert "%" not in card
    assert window.script("return document.querySelector('progress').position") == -1
    assert window.wait("progress").get_attribute("aria-valuetext")


def test_with_nothing_running_the_last_run_is_summed_up(window: Driven) -> None:
    """Outcome, duration and size of the last run stand on the dashboard (MF-4), and every job with its state."""
    failed = statuses.ended("photos", Outcome.FAILED, hours=11, reason="The repository is locked.")
    window.push(statuses.judged(statuses.ended("home"), failed))
    window.wait("h1", "1 of 2 backups failed: photos, 11 hours ago, never good yet.")
    text = window.text()
    for words in ("Succeeded", "6 min 40 s", "4.3 GB", "96.4 MB", "The repository is locked", "Failed"):
        assert words in text
    assert window.find("progress") is None


def test_an_error_takes_the_colours_and_keeps_the_time(window: Driven) -> None:
    """Old data is never taken for current: a banner with cause and next step, no colours, the absolute time (AF-2)."""
    known = statuses.judged(statuses.ended("home"))
    window.push(statuses.broken(known))
    banner = window.read(".banner[role=alert]", "The backup status cannot be read.")
    assert "locked by another program" in banner
    assert "backup-tray doctor" in banner
    assert "ERROR_STATUS_FETCH" in banner
    window.wait(".old h1", "Status as of today")
    assert window.script("return getComputedStyle(document.querySelector('.old')).filter") == "grayscale(1)"
    assert "ago" not in window.read(".old table")
    window.push(known)
    wait_for(lambda: window.find(".banner") is None, what="the banner to go")


def test_an_unknown_status_is_shown_as_unavailable(window: Driven) -> None:
    """After a failure at the start the page says "unavailable", not "no backups"."""
    window.push(statuses.broken())
    window.wait("h1", "Data unavailable")
    assert "No backups performed" not in window.text()


def test_names_are_text_and_nothing_else(window: Driven) -> None:
    """The page shows the name of a file or job as plain text, even if it holds markup or an escape code."""
    nasty = statuses.NASTY
    window.script("window.alerts = 0; window.alert = () => { window.alerts += 1; }")
    run = statuses.ended(nasty, Outcome.FAILED, repository=nasty, engine=nasty, reason=nasty)
    window.push(statuses.judged(run, running=(statuses.live(nasty, repository=nasty, current=nasty),), notes=(nasty,)))
    window.wait(".card", "41 %")
    text = window.text()
    assert "<img src=x onerror=alert(1)>" in text
    assert "\\n\\x1b[31mred</script>" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert window.script("return document.querySelectorAll('img, #page script').length") == 0
    assert window.script("return window.alerts") == 0


def test_long_names_do_not_break_the_page(window: Driven) -> None:
    """A name of 4 kB is cut on the screen, and the whole of it can still be had."""
    name = "n" * 4096
    window.push(
        statuses.judged(statuses.ended(name, repository="/" + name), running=(statuses.live(name, current="/" + name),))
    )
    window.wait(".card", "41 %")
    assert fits(window)
    assert (
        window.script("return document.querySelector('progress').closest('.card').querySelector('.name').title") == name
    )


@pytest.mark.parametrize(
    "attack",
    [
        "const s = document.createElement('script'); s.append('window.owned = 1'); document.body.append(s)",
        "document.getElementById('page').setAttribute('onclick', 'window.owned = 1'); document.getElementById('page').click()",
        "document.body.innerHTML += '<img src=x onerror=\"window.owned = 1\">'",
        "setTimeout('window.owned = 1', 0)",
        "const f = document.createElement('iframe'); f.srcdoc = '<script>parent.owned = 1<\\/script>'; document.body.append(f)",
        "const a = document.createElement('a'); a.href = 'javascript:window.owned=1'; document.body.append(a); a.click()",
    ],
    ids=["script", "handler", "innerHTML", "text timer", "frame", "javascript link"],
)
def test_no_inline_code_runs(window: Driven, attack: str) -> None:
    """Even if markup got in, the page's policy keeps its code from running."""
    window.script(f"window.owned = 0; try {{ {attack} }} catch (error) {{ }}")
    window.driver.set_script_timeout(5)
    window.driver.execute_async_script("setTimeout(arguments[0], 150)")
    assert window.script("return window.owned") == 0


def test_the_page_cannot_be_led_away(window: Driven) -> None:
    """No script can lead the window to an address or a file: it shows our document alone, and connects to no server."""
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        address = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/"
        for way in (
            "location.href = '{}'",
            "window.open('{}')",
            "fetch('{}').catch(() => 0)",
            "new Image().src = '{}'",
        ):
            window.script(f"try {{ {way.format(address)} }} catch (error) {{ }}")
        window.script("try { location.href = 'file:///etc/hostname' } catch (error) { }")
        asked, _, _ = select.select([elsewhere], [], [], 0.5)
    assert asked == []
    assert window.script("return location.href") == "about:blank"
    window.wait("h1", "No backups performed")


@pytest.mark.parametrize(
    "name",
    [
        "answer", "__class__", "_calls", "guide.__globals__", "guide.answer", "create_backup.__func__", "__init__.__globals__",
        "os.system", "pywebviewStateUpdate", "pywebviewStateDelete", "pywebviewMoveWindow", "pywebviewEventHandler",
        "pywebviewAsyncCallback", "evaluate_js", "destroy", "guide",
    ],
)  # fmt: skip
def test_nothing_but_our_calls_is_reachable(window: Driven, name: str) -> None:
    """A hostile script reaches no attribute, nothing of pywebview, and no call of ours without the secret of this start."""
    window.script("window.heard = []; window.real = window.real || BT.answered; "
                  "BT.answered = (ident, reply) => { heard.push(ident); real(ident, reply); }")  # fmt: skip
    window.ask(name, {"secret": "guess", "arguments": {}})
    window.ask(name, {"key": "_State__window", "value": "x", "arguments": {}})
    window.ask(name, [])
    assert (
        window.driver.execute_async_script("BT.call('guide').then((found) => arguments[0](found.places.length))") == 4
    )
    assert "777" not in window.script("return heard")
    assert window.script("return Object.keys(window.pywebview.api)") == []
    assert window.script("return [BT.boot.secret, document.getElementById('boot')]") == [None, None]


def test_an_argument_that_makes_no_sense_gets_an_error_in_plain_words(window: Driven) -> None:
    """The window checks the arguments of each call; its answer holds no traceback."""
    wrong = "{run: '../../etc', offset: -1}"
    reply = window.driver.execute_async_script(f"BT.call('log', {wrong}).catch((error) => arguments[0](error))")
    assert reply["what"]
    assert "Traceback" not in json.dumps(reply)
    assert "tray/" not in json.dumps(reply)


def test_help_is_in_the_same_corner_of_every_page(window: Driven) -> None:
    """The help button has one place on every page, and explains the page that is open."""
    places, texts = set(), set()
    for page in EVERY_PAGE:
        window.script(f"BT.visit('{page}')")
        window.wait(f"#page[data-page={page}]")
        places.add(json.dumps(window.wait("#help-button").rect))
        window.click("#help-button")
        texts.add(window.read("#help"))
        window.click("#help button")
        wait_for(lambda: window.find("#help") is None, what="the help to close")
    assert len(places) == 1
    assert len(texts) == len(EVERY_PAGE)


def test_the_keyboard_is_enough(window: Driven) -> None:
    """The Tab key reaches the skip link, then the pages; Enter opens a page and the help, Escape closes the help."""
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    def press(*keys: str) -> None:
        ActionChains(window.driver).send_keys(*keys).perform()

    window.script("document.activeElement.blur(); document.body.tabIndex = -1; document.body.focus()")
    seen = []
    for _ in range(7):
        press(Keys.TAB)
        seen.append(window.script("return document.activeElement.textContent.trim()"))
    assert seen[:4] == ["Skip to the content", "Dashboard", "History", "Audit log"]
    assert "Create First Backup" in seen
    window.script("document.querySelector('nav [data-go=history]').focus()")
    press(Keys.ENTER)
    window.wait("#page[data-page=history] h1", "No run has ended yet")
    window.script("document.getElementById('help-button').focus()")
    press(Keys.ENTER)
    window.wait("#help")
    press(Keys.ESCAPE)
    wait_for(lambda: window.find("#help") is None, what="the help to close")
    assert window.script("return document.activeElement.id") == "help-button"


def test_only_starts_and_ends_are_announced(window: Driven) -> None:
    """A screen reader hears the start and the end of a run, and not each second of it."""
    run = statuses.live()
    window.push(statuses.judged(running=(run,)))
    window.wait(".card", "41 %")
    wait_for(lambda: "Backing up home" in said(window), what="the start to be said")
    first = said(window)
    window.push(statuses.judged(running=(run.with_changes(bytes_done=3_320_240_000),)))
    window.wait(".card", "77 %")
    assert said(window) == first
    window.push(statuses.judged(statuses.ended("home", hours=0)))
    wait_for(lambda: "fine" in said(window), what="the end to be said")


def said(window: Driven) -> str:
    """Return the text of the live region."""
    return str(window.script("return document.getElementById('live').textContent"))


def fits(window: Driven) -> bool:
    """Whether nothing sticks out at the side."""
    return bool(window.script("return document.documentElement.scrollWidth <= window.innerWidth"))


@pytest.mark.parametrize("text", ["100%", "200%"])
def test_narrow_windows_and_large_text_lose_nothing(window: Driven, text: str) -> None:
    """At 480 pixels, with text twice as large, every page can be read without scrolling sideways."""
    many = [statuses.ended(f"job {number} with a name that is rather long", hours=number) for number in range(1, 6)]
    window.push(statuses.judged(*many, running=(statuses.live(),)))
    window.wait(".card", "41 %")
    window.resize(480, 800)
    window.script(f"document.documentElement.style.fontSize = '{text}'")
    try:
        for page in EVERY_PAGE:
            window.script(f"BT.visit('{page}')")
            window.wait(f"#page[data-page={page}] h1")
            assert fits(window), page
    finally:
        window.script("document.documentElement.style.fontSize = ''")
        window.resize(1080, 780)


_SMALL_TARGETS = """
return [...document.querySelectorAll('button, a, input')].filter((one) => one.checkVisibility() && !one.classList.contains('skip'))
  .map((one) => [one, (one.closest('label') || one).getBoundingClientRect()])
  .filter(([, box]) => box.width < 24 || box.height < 24).map(([one]) => one.outerHTML)
"""

_PALE_TEXTS = """
const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
const rgb = (colour) => { canvas.fillStyle = colour; canvas.clearRect(0, 0, 1, 1); canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data]; };
const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const behind = (one) => { for (let at = one; at; at = at.parentElement) { const found = rgb(getComputedStyle(at).backgroundColor);
  if (found[3] === 255) return found; } return rgb('white'); };
const bad = [];
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {
  const one = walk.currentNode.parentElement;
  if (!walk.currentNode.data.trim() || !one.checkVisibility() || one.closest('.hidden, .skip, script, style, :disabled')) continue;
  const [a, b] = [light(rgb(getComputedStyle(one).color)), light(behind(one))].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  if (ratio < 4.5) bad.push(`${ratio.toFixed(2)} ${walk.currentNode.data.trim().slice(0, 40)}`);
}
return bad;
"""


@pytest.mark.parametrize("theme", ["Adwaita", "Adwaita:dark"], ids=["light", "dark"])
def test_every_text_has_contrast_and_every_target_has_size(desk: Desktop, tmp_path: Path, theme: str) -> None:
    """In both themes text keeps 4.5 : 1 and whatever can be pressed has 24 pixels (WCAG 2.2 AA)."""
    env = desk.env | {"BACKUP_TRAY_HOME": str(tmp_path / "bt"), "GTK_THEME": theme}
    outcomes = [statuses.ended(outcome.value, outcome) for outcome in Outcome]
    shown = statuses.judged(*outcomes, running=(statuses.live(errors=3),), notes=("3 records wait",))
    with driven(tmp_path / "w", env, shown) as window:
        window.wait(".card", "41 %")
        dark = window.script("return matchMedia('(prefers-color-scheme: dark)').matches")
        assert dark is theme.endswith("dark")
        for page in EVERY_PAGE:
            window.script(f"BT.visit('{page}')")
            window.wait(f"#page[data-page={page}] h1")
            assert window.script(_PALE_TEXTS) == [], page
            assert window.script(_SMALL_TARGETS) == [], page
        window.push(statuses.broken(shown))
        window.script("BT.visit('dashboard')")
        window.wait(".banner")
        assert window.script(_PALE_TEXTS) == []
        if dark:
            reason = "3 files could not be read and are not in the last backup."
            photos = statuses.ended(
                "photos", Outcome.WARNING, hours=11, engine="rclone", repository="b2:photos", reason=reason
            )
            window.push(statuses.judged(statuses.ended("home", hours=25), photos, running=(statuses.live(),)))
            window.wait("h1", "1 of 2 backups has warnings")
            window.keep("window-dark.png")


def test_try_again_before_anything_is_known_changes_nothing(window: Driven) -> None:
    """The answer is then null: the page does not change, and the first status arrives by itself."""
    before = window.text()
    assert window.script("try { BT.receive(null); return ''; } catch (error) { return String(error); }") == ""
    assert window.text() == before
    window.push(statuses.judged(statuses.ended("home")))
    window.wait("#page", "home")
