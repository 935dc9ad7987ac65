"""Mails of any event, also of one that a newer version or a damaged queue made: complete, and harmless."""

import json
import re
from email import message_from_bytes, policy
from html.parser import HTMLParser
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.notify.mail.samples import DAY, NASTY, NOW
from tray.core.model import Instance, Outcome
from tray.core.model.events import Event, EventKind, Message
from tray.notify.mail import envelope
from tray.notify.mail.letter import letter

TAGS = {
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "div",
    "table",
    "tr",
    "td",
    "p",
    "h1",
    "h2",
    "span",
    "strong",
    "code",
}
PIECES = st.sampled_from(
    ["home", NASTY, "`x y`", "`", "<b>", "&amp;", "\udcff", "\x00", "=?utf-8?q?x?=", "x" * 5000, " ", ""]
)
TEXTS = st.lists(PIECES | st.text(max_size=20), max_size=4).map("".join)
MAYBE = st.none() | TEXTS
NUMBERS = st.none() | st.integers(0, 2**62)
TIMES = st.none() | st.integers(NOW - 4000 * DAY, NOW + 400 * DAY)
ROWS = st.dictionaries(
    st.sampled_from(["job", "state", "word", "last_good", "next", "bytes", "days"]),
    st.none() | st.integers() | TEXTS | st.lists(TEXTS, max_size=30) | st.just("2026-09-21T02:00:00.000Z"),
)
FACTS = st.fixed_dictionaries(
    {},
    optional={
        "title": TEXTS,
        "state": TEXTS | st.sampled_from(["ok", "failed"]),
        "lines": st.lists(TEXTS, max_size=4),
        "rows": st.lists(ROWS, max_size=3) | TEXTS,
        "first_day": TEXTS | st.just("2026-08-24"),
        "channel": TEXTS,
    },
)
EVENTS = st.builds(
    Event,
    id=TEXTS,
    kind=st.sampled_from(EventKind),
    at_ms=st.integers(NOW - DAY, NOW),
    job=MAYBE,
    instance=st.sampled_from(Instance),
    job_kind=TEXTS | st.just("backup"),
    incident=TEXTS,
    since_ms=TIMES,
    run=MAYBE,
    entry=NUMBERS,
    engine=MAYBE,
    outcome=st.none() | st.sampled_from(Outcome),
    started_ms=TIMES,
    duration_ms=st.none() | st.integers(0, 10**11),
    bytes_processed=NUMBERS,
    bytes_added=NUMBERS,
    files=NUMBERS,
    errors=NUMBERS,
    reason=MAYBE,
    advice=MAYBE,
    concern=MAYBE,
    why=MAYBE,
    last_good_ms=TIMES,
    expected_by_ms=TIMES,
    streak=st.integers(0, 9),
    log=MAYBE,
    host=MAYBE,
    facts=FACTS,
)


class Tags(HTMLParser):
    """The tags of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.open: list[str] = []
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, Any]]) -> None:
        """Note the tag and the names of its attributes."""
        self.names.append(tag)
        if tag != "meta":
            self.open.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        """Check that it closes the tag that was opened last."""
        assert self.open.pop() == tag


@given(st.lists(EVENTS, min_size=1, max_size=4), TEXTS, TEXTS)
def test_any_event_makes_a_mail_that_is_whole_and_harmless(events: list[Event], ident: str, host: str) -> None:
    """No error, no header and no recipient of its own, no markup, no control character; the same after the queue kept it."""
    message = Message(ident, "mail", NOW, tuple(events))
    made = envelope.mail(message, letter(message, host), "tray@example.com", ["ann@example.com"], host, None)
    mail = message_from_bytes(made.as_bytes(), policy=policy.default)
    assert mail.defects == []
    assert [address.addr_spec for address in mail["To"].addresses] == ["ann@example.com"]
    assert {name.lower() for name in mail} <= {name.lower() for name in made}
    assert (mail["Bcc"], mail["Cc"]) == (None, None)
    text, page = (mail.get_body((kind,)).get_content().replace("\r\n", "\n") for kind in ("plain", "html"))
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text + page)
    tags = Tags(page)
    assert set(tags.names) <= TAGS
    assert tags.open == []
    assert not {name for name in tags.attributes if name.startswith("on")} | ({"src", "href"} & tags.attributes)
    kept = Message.from_json(json.loads(json.dumps(message.to_json())))
    assert letter(kept, host) == letter(message, host)
