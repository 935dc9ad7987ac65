"""Describe a search in the audit log: the filter, and how people write one. Pure.

Command line, window and reports all read dates and words here, so that "yesterday" is the same day everywhere.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from tray.audit.entry import ENDS, Action, Severity
from tray.core import clock, regex
from tray.core.dataclass import asdict, dataclass, fields
from tray.core.errors import UsageError
from tray.core.model import Outcome, Source

VERDICTS = ("intact", "tampered", "inconclusive")
"""Results of a verification, which may be asked for as outcomes too."""

KINDS = ("backup", "dry-run", "restore", "check", "prune", "compact", "other")
LISTS: Mapping[str, tuple[str, ...]] = {
    "action": tuple(map(str, Action)),
    "outcome": (*map(str, Outcome), *VERDICTS),
    "severity": tuple(map(str, Severity)),
    "kind": KINDS,
    "source": (*map(str, Source), "scheduled"),
}
"""The closed lists; a job or an engine may have any name."""

NAMES = ("job", "engine", *LISTS)
"""The values that a filter compares with a list of alternatives."""

WORD_BYTES = 48
"""A longer word is known by its beginning."""


@dataclass(frozen=True, slots=True)
class Filter:
    """The conditions that an entry must meet, all of them. None is no condition; of a tuple one value is enough.

    Attributes:
        since_ms: Earliest time of the event.
        until_ms: Time before which it happened.
        outcome: The entry's `result`; an end whose result this version does not know counts as "unknown".
        text: Phrases; all words of one of them stand in the entry, or begin a word of it (see `words`).
    """

    since_ms: int | None = None
    until_ms: int | None = None
    job: tuple[str, ...] | None = None
    engine: tuple[str, ...] | None = None
    action: tuple[str, ...] | None = None
    outcome: tuple[str, ...] | None = None
    severity: tuple[str, ...] | None = None
    kind: tuple[str, ...] | None = None
    source: tuple[str, ...] | None = None
    text: tuple[str, ...] | None = None

    def admits(self, entry: Mapping[str, Any]) -> bool:
        """Whether action, job, result and the like of *entry* are admitted; neither time nor text is compared."""
        return all(
            wanted is None or known(entry, name) in wanted for name in NAMES if (wanted := getattr(self, name)) != ()
        )

    def matches(self, entry: Mapping[str, Any], body: Mapping[str, Any] | None) -> bool:
        """Whether *entry* with its *body* meets all conditions."""
        at = clock.from_text(entry["time"])
        if (self.since_ms is not None and at < self.since_ms) or (self.until_ms is not None and at >= self.until_ms):
            return False
        return self.admits(entry) and (not self.phrases() or self.reads(words_of(entry, body)))

    def anything(self) -> bool:
        """Whether there is no condition on action, job, result or the like."""
        return not any(getattr(self, name) for name in NAMES)

    def phrases(self) -> list[list[str]]:
        """Return the words of each phrase; a phrase without any word is no condition."""
        phrases = [list(dict.fromkeys(words(text))) for text in self.text or ()]
        return [phrase for phrase in phrases if phrase]

    def reads(self, there: set[str]) -> bool:
        """Whether a phrase stands in these words."""
        return any(all(_stands(word, there) for word in phrase) for phrase in self.phrases())

    def to_json(self) -> dict[str, Any]:
        """Return the conditions for machines."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
            if value is not None
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Filter":
        """Build a filter from the object that `to_json` gave.

        Raises:
            ValueError: It is no filter.
        """
        if not isinstance(data, Mapping) or not data.keys() <= set(fields(cls)):
            raise ValueError("no filter of the audit log")
        return cls(**{name: _checked(name, value) for name, value in data.items() if value is not None})


def _checked(name: str, value: object) -> Any:
    if name.endswith("_ms"):
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"{name} must be a number")
        return value
    if not isinstance(value, list | tuple) or not all(isinstance(text, str) for text in value):
        raise ValueError(f"{name} must be a list of texts")
    return tuple(value)


def known(entry: Mapping[str, Any], name: str) -> str:
    """Return the value of *entry* that a filter compares under *name*, empty if there is none."""
    if name != "outcome":
        return entry[name] or ""
    result = entry["result"] or ""
    return result if entry["action"] not in ENDS or result in _OUTCOMES else Outcome.UNKNOWN.value


_OUTCOMES = frozenset(map(str, Outcome))


# -- words


def words(text: str) -> Iterator[str]:
    """Yield the words of *text*: letters and digits, without case and accents. "/srv/Bücher_2" holds srv, bucher and 2."""
    if not text.isascii():
        text = "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
        text = unicodedata.normalize("NFC", text.casefold())
    for word in _WORD.findall(text.lower()):
        yield word if len(word) <= WORD_BYTES // 4 else word.encode()[:WORD_BYTES].decode("utf-8", "ignore")


_WORD = regex.compile(r"[^\W_]+")
_NOT_READ = regex.compile(r"[0-9a-f-]{32,}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z")
READABLE = ("action", "actor", "engine", "job", "kind", "result", "severity", "source")


def words_of(entry: Mapping[str, Any], body: Mapping[str, Any] | None) -> set[str]:
    """Return the words that people read in an entry and its body; they do not read hashes, ids and times."""
    texts = [entry[name] for name in READABLE if entry[name] is not None]
    texts += _texts(body or {})
    return {word for text in texts if not _NOT_READ.fullmatch(text) for word in words(text)}


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def begins(word: str) -> bool:
    """Whether *word* may stand for all that begin with it: three letters, or one of a script that needs fewer."""
    return len(word.encode()) >= SHORTEST_BEGINNING


SHORTEST_BEGINNING = 3
"""Bytes; a shorter word must stand in the entry as it is."""


def _stands(word: str, there: set[str]) -> bool:
    return word in there or (begins(word) and any(longer.startswith(word) for longer in there))


# -- how people write a filter


def parse(
    given: Mapping[str, str | Sequence[str] | None],
    now_ms: int,
    *,
    zone: tzinfo | None = None,
    known_names: Mapping[str, Sequence[str]] | None = None,
) -> Filter:
    """Return the filter that the user wrote.

    Args:
        given: Under `since` and `until` a time (see `moment`), under `month` both at once, under `text` words, under each of
            `NAMES` values; several are separated by commas, or are a list; a job or an engine between double quotes is one
            name, commas and all. None and empty texts ask for nothing.
        zone: The time zone that days are meant in, this machine's by default.
        known_names: Existing names under "job" or "engine": any other name is an error then.

    Raises:
        UsageError: A word is none of the existing ones, or a time cannot be read.
    """
    since, until = _text(given.get("since")), _text(given.get("until"))
    if month := _text(given.get("month")):
        since = until = _month(month, since or until)
    lists = {name: _values(name, given.get(name), LISTS.get(name) or (known_names or {}).get(name)) for name in NAMES}
    wanted = Filter(
        since_ms=None if since is None else moment("--since", since, now_ms, zone)[0],
        until_ms=None if until is None else moment("--until", until, now_ms, zone)[1],
        text=_alternatives(given.get("text")),
        **lists,
    )
    if wanted.since_ms is not None and wanted.until_ms is not None and wanted.since_ms >= wanted.until_ms:
        raise UsageError(
            f"--until {until!r} is not after --since {since!r}.",
            next="Give the earlier time as --since, the later one as --until.",
        )
    return wanted


def _month(month: str, beside: str | None) -> str:
    if beside:
        raise UsageError("--month already says from when until when.", next="Leave out --since and --until.")
    if not re.fullmatch(_MONTH, month, re.ASCII):
        raise UsageError(f"--month: {month!r} is no month.", next="Write for example 2026-11.")
    return month


def _text(value: str | Sequence[str] | None) -> str | None:
    joined = value if value is None or isinstance(value, str) else " ".join(value)
    return (joined or "").strip() or None


def _alternatives(value: str | Sequence[str] | None) -> tuple[str, ...] | None:
    texts = [value] if isinstance(value, str) else list(value or ())
    return tuple(text for text in texts if text.strip()) or None


def _values(name: str, value: str | Sequence[str] | None, there: Sequence[str] | None) -> tuple[str, ...] | None:
    texts = [value] if isinstance(value, str) else list(value or ())
    if there is None and len(texts) == 1 and len(texts[0]) > 2 and texts[0][0] == texts[0][-1] == '"':
        return (texts[0][1:-1],)
    # The name of a job may hold a comma: an existing name is taken as it was written.
    split = [text] if (text := ",".join(texts)) in (there or ()) else text.split(",")
    values = tuple(dict.fromkeys(word.strip() for word in split if word.strip()))
    if there is None:
        return values or None
    by_small = {known_name.casefold(): known_name for known_name in there}
    for word in values:
        if word.casefold() not in by_small:
            raise UsageError(f"There is no {name} {word!r}.", next=f"Choose from: {', '.join(there) or 'none yet'}.")
    return tuple(by_small[word.casefold()] for word in values) or None


# As text: compiling costs milliseconds, and a run that only looks up its estimate would pay for it.
_AGO = r"(\d{1,6})\s*([a-z]+?)s?(?: ago)?"
_UNITS = {
    **dict.fromkeys(("m", "min", "minute"), timedelta(minutes=1)),
    **dict.fromkeys(("h", "hour"), timedelta(hours=1)),
    **dict.fromkeys(("d", "day"), timedelta(days=1)),
    **dict.fromkeys(("w", "week"), timedelta(weeks=1)),
    **dict.fromkeys(("mo", "month"), timedelta(days=30)),
    **dict.fromkeys(("y", "year"), timedelta(days=365)),
}
_DATE = r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?"
_MONTH = r"\d{4}-\d{1,2}"
_CLOCK = r"(\d{4}-\d{2}-\d{2})[ t](\d{1,2}):(\d{2})(?::(\d{2}))?(?:\.\d+)?(z|[+-]\d{2}:?\d{2})?"
_FORMS = 'Write for example 2026-11-01, "2026-11-01 14:30", 2026-11, today, yesterday, 12h, 7d or 4w.'


def moment(name: str, text: str, now_ms: int, zone: tzinfo | None = None) -> tuple[int, int]:
    """Return when the time that the user wrote begins and ends, both in milliseconds; "7d" is one moment, a date a whole day.

    Args:
        name: Option that holds it, for the error.
        zone: The time zone that it is meant in, this machine's by default.

    Raises:
        UsageError: It is no time.
    """
    word = " ".join(text.split()).lower()
    try:
        span = _ago(word, now_ms) or _day(word, now_ms, zone) or _exact(word, zone)
        if span is None:
            raise ValueError(word)
        begin, end = span
        clock.to_text(begin)
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(f"{name}: {text!r} is no time.", next=_FORMS) from error
    return begin, end


def _ago(word: str, now_ms: int) -> tuple[int, int] | None:
    if word == "now":
        return now_ms, now_ms
    match = re.fullmatch(_AGO, word, re.ASCII)
    if match is None or match[2] not in _UNITS:
        return None
    begin = max(0, now_ms - int(match[1]) * (_UNITS[match[2]] // timedelta(milliseconds=1)))
    return begin, begin


def _day(word: str, now_ms: int, zone: tzinfo | None) -> tuple[int, int] | None:
    today = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(zone).replace(tzinfo=None)
    today = today.replace(hour=0, minute=0, second=0, microsecond=0)
    if word in ("today", "yesterday"):
        begin = today - timedelta(days=word == "yesterday")
        return _ms(begin, zone), _ms(begin + timedelta(days=1), zone)
    match = re.fullmatch(_DATE, word, re.ASCII)
    if match is None:
        return None
    year, month, day = int(match[1]), int(match[2] or 1), int(match[3] or 1)
    begin = datetime(year, month, day)  # noqa: DTZ001 - a day of the time zone that `_ms` puts it in
    if match[3]:
        end = begin + timedelta(days=1)
    elif match[2]:
        end = begin.replace(year=year + month // 12, month=month % 12 + 1)
    else:
        end = begin.replace(year=year + 1)
    return _ms(begin, zone), _ms(end, zone)


def _exact(word: str, zone: tzinfo | None) -> tuple[int, int] | None:
    match = re.fullmatch(_CLOCK, word, re.ASCII)
    if match is None:
        return None
    if match[5]:
        begin = clock.from_text(word.upper().replace(" ", "T", 1))
        return begin, begin if "." in word else begin + (1000 if match[4] else 60_000)
    begin = _ms(datetime.fromisoformat(word.upper().replace(" ", "T")), zone)
    return begin, begin + (1000 if match[4] else 60_000)


def _ms(wall: datetime, zone: tzinfo | None) -> int:
    aware = wall.astimezone() if zone is None else wall.replace(tzinfo=zone)
    return int(aware.timestamp() * 1000)
