"""The words of a mail, in its plain form and in its HTML form."""

import re
from html.parser import HTMLParser

import pytest

from tests.unit.notify.mail.samples import DAY, NASTY, NOW, RUN, digest, failure, message, recovered
from tray.core.model import Outcome
from tray.core.model.events import Event, EventKind
from tray.notify.mail import as_html, as_text
from tray.notify.mail.letter import ERROR, MOST_CARDS, OK, WARNING, letter, tone_of

pytestmark = pytest.mark.usefixtures("utc")


class Page(HTMLParser):
    """The visible text of a page, and its tags."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._said: list[str] = []
        self._hidden = 0
        self.feed(page)
        self.text = " ".join(" ".join(self._said).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the tag."""
        self.tags.append((tag, dict(attrs)))
        self._hidden += tag in ("style", "title")

    def handle_endtag(self, tag: str) -> None:
        """Note the end of a part that is not shown."""
        self._hidden -= tag in ("style", "title")

    def handle_data(self, data: str) -> None:
        """Note a text that is shown."""
        if not self._hidden:
            self._said.append(data)


def both(*events: Event) -> tuple[str, Page]:
    """Return the plain form and the HTML form of a message."""
    written = letter(message(*events), "nas")
    return as_text.written(written), Page(as_html.written(written))


def words(text: str) -> set[str]:
    """Return the words of a text that carry meaning: no markup of the plain form."""
    return {word for word in re.findall(r"[\w:/.-]*\w", text.replace("`", " ")) if len(word) > 2}


def test_a_failure_says_why_and_what_to_do_with_every_id() -> None:
    """A reader finds cause, next step, command to copy, run and entry."""
    text, page = both(failure())
    for said in (text, page.text):
        assert "home: backup failed" in said
        assert "the disk is not connected." in said
        assert "The last good backup ended 2026-09-18" in said
        assert f"backup-tray report {RUN}" in said
        assert "41 of the audit log" in said
        assert "0190ffff-0000-7000-8000-000000000002" in said
    assert "\n    backup-tray backup home\n" in text
    assert "To see more" not in text


@pytest.mark.parametrize(
    "events",
    [
        (failure(),),
        (recovered(),),
        (failure(), recovered()),
        tuple(failure(id=f"e{number}", job=f"job{number}") for number in range(40)),
        (digest(),),
        (failure(job=None, kind=EventKind.BREACH, run=None),),
        (failure(reason=NASTY, job=NASTY, advice=f"Run `restic unlock {NASTY}`"),),
    ],
)
def test_both_forms_tell_the_same(events: tuple[Event, ...]) -> None:
    """Each word of the plain form is in the HTML form and the other way round, but for the labels of the layout."""
    text, page = both(*events)
    layout = {
        "Backup",
        "Tray",
        "Next",
        "See",
        "more",
        "see",
        "Size",
        "size",
        "last",
        "good",
        "Last",
        "The",
        "from",
        "sign",
    }
    layout |= {
        "day",
        "next",
        "four",
        "weeks",
        "backed",
        "late",
        "missed",
        "machine",
        "asleep",
        "none",
        "expected",
        "2026-08-24",
    }
    preview = words(letter(message(*events), "nas").preview)
    assert words(text) - words(page.text) - layout == set()
    assert words(page.text) - words(text) - layout - preview == set()


def test_many_events_come_worst_first_and_the_rest_is_counted() -> None:
    """A thousand failures make a mail of ten in full, twenty in a line each, and a number."""
    events = [recovered(id="r", job="fine")] + [failure(id=f"e{number}", job=f"job{number}") for number in range(999)]
    written = letter(message(*events), "nas")
    assert [card.tone for card in written.cards] == [ERROR] * MOST_CARDS
    assert written.rest[-1] == "… and 970 more"
    assert written.title == "999 backups failed, 1 backup succeeded again"
    assert len(as_html.written(written)) < 100_000


def test_names_and_reasons_bring_no_markup_and_no_lines() -> None:
    """A name or an engine's output with markup, line breaks and bidi overrides is shown as it is."""
    text, page = both(failure(job=NASTY, reason=NASTY, advice=f"Run `restic {NASTY}`", engine=NASTY, run=NASTY))
    ours = {"html", "head", "meta", "title", "style", "body", "div", "table", "tr", "td", "p", "h1", "h2", "span"}
    assert {tag for tag, _ in page.tags} <= ours | {"strong", "code"}
    assert not [attributes for _, attributes in page.tags if any(name.startswith("on") for name in attributes)]
    assert "<img src=x onerror=alert(1)>" in page.text
    assert not re.search(r"^Bcc:", text, re.MULTILINE)
    assert not set("\u202e\u2028\x1b") & set(text + page.text)


def test_a_long_name_is_cut() -> None:
    """A job with a name of 64 kB makes a mail of usual size."""
    text, page = both(failure(job="x" * 65_536, reason="y" * 65_536, advice="z" * 65_536))
    assert len(text) < 5_000
    assert len(page.text) < 5_000


def test_nothing_is_loaded_from_outside() -> None:
    """The mail program asks no server when the mail is opened."""
    page = as_html.written(letter(message(failure(), digest()), "nas"))
    assert not re.search(r"src=|href=|url\(|@import|https?:", page)


@pytest.mark.parametrize(
    ("event", "tone"),
    [
        (failure(), ERROR),
        (recovered(), OK),
        (recovered(outcome=Outcome.WARNING), WARNING),
        (digest(), OK),
        (digest(state="nonsense"), WARNING),
    ],
)
def test_the_tone_is_never_better_than_the_event(event: Event, tone: str) -> None:
    """Green is for a good end; a tone that is not known is no green."""
    assert tone_of(event) == tone


def test_a_digest_has_a_table_and_a_calendar() -> None:
    """Each job stands with state, last good backup, next one and size, and with a sign for each of 28 days."""
    text, page = both(digest())
    assert "home: Fine\n    last good 2026-09-21 02:00, next 2026-09-22 02:00, size 4.3 GB" in text
    assert "photos: Fine\n    last good 2026-09-21 03:00, next –, size –" in text
    assert f"{'home':<20}  ####### ####### ####### ######x" in text
    titles = [attributes["title"] for tag, attributes in page.tags if tag == "td" and "title" in attributes]
    assert (len(titles), titles[0], titles[27]) == (56, "2026-08-24: backed up", "2026-09-20: missed")


def test_a_digest_of_a_newer_version_is_still_told() -> None:
    """Rows without known facts bring no error."""
    odd = {"title": "1 backup", "lines": ["x"], "rows": [{"job": 3, "last_good": 7, "days": "nonsense"}, "text"]}
    event = Event("d", EventKind.DIGEST, NOW, facts=odd)
    text, page = both(event)
    assert "3:" in text
    assert "1 backup" in page.text


def test_a_reminder_lists_only_its_lines() -> None:
    """The daily reminder is the list that the rules made."""
    facts = {"title": "2 backups are still not fine", "lines": ["home: failed 3 times, last good 3 days ago."]}
    text, page = both(Event("r", EventKind.REMINDER, NOW, facts=facts))
    assert "home: failed 3 times" in text
    assert "home: failed 3 times" in page.text
    assert "backup-tray status" in text


def test_a_recovery_says_since_when_it_was_bad() -> None:
    """The mail that ends an incident is green and names its begin."""
    text, _ = both(recovered(since_ms=NOW - DAY))
    assert "home: backup succeeded again" in text
    assert "It was not fine since 2026-09-20" in text


def test_an_advice_that_is_cut_gives_no_command() -> None:
    """No half command stands in a box to copy."""
    written = letter(message(failure(advice=f"Run `restic unlock {'x' * 600}`")), "nas")
    assert written.cards[0].commands == (f"backup-tray report {RUN}",)
