"""Replace the parts of a command that change every night, so that `home-$(date +%F).tar` is the same job tomorrow.

These are dates (`undated`), and the names that the system gives anew for each run (`settled`): temporary folders, process and
descriptor numbers, counted snapshots.

The rule for dates weighs a name that is taken for a date (two jobs become one, and the success of one hides the failure of the
other) against a date that is taken for a name (one job gets many rows):

1. A *destination* may be dated: the repository or target, the name of an archive, a tag, a file behind `>` or `--output`, and a
   file whose name ends as that of an archive or a dump. So may a path in a *snapshot*. There a whole date (year, month and day, or
   a week of a year, in any usual form, with or without a time) is a date whatever day it is; a catalogue of old nights is one
   job. Part of a date (`Mon`, `11-28`, `Nov-28`, `2026-11`, `%y%m%d`, seconds since 1970) is one only if it is today's.
2. Anything else is a *name*: the sources, and the words of a command that no engine knows. There only a whole date is a date,
   and only within a day of today: `/srv/Sun`, `/customers/11-28`, `/photos/2019` and `/archive/2025-01-01` are names on any day.

Today is the day of the run's start, as it is here and as it is in UTC. Two digits behind a date are its hour only around the hour
of the run: `home-2026-11-30-12.tar` may be that of the twelfth disk.
"""

import datetime
import functools
import re
from collections.abc import Iterator, Sequence

from tray.core import clock

DATE = "DATE"
"""The word that stands for a date in the name of a job."""
_MOST = 16_384  # so much of a command is searched
_DIGITS = 2  # fewer make no date
_DAY_ENDS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "day")

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAYS = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|(?i:(?:mon|tues|wednes|thurs|fri|satur|sun)day))"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<name>(?i:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?))"
)
_Y, _M, _D = r"(?P<y>(?:19|20)\d\d)", r"(?P<m>0[1-9]|1[0-2])", r"(?P<d>0[1-9]|[12]\d|3[01])"
_D1 = r"(?P<d>\d{1,2})"
_SECOND = r"(?:[-_:.m]?[0-6]\ds?(?:[.,]\d{1,9})?)?"
_ZONE = r"(?: ?[AaPp]\.?[Mm])?(?:Z| ?[A-Z]{3,4}(?![A-Za-z])|[-+]\d\d:?\d\d)?"
_TIME = rf"(?P<time>[-_. @T]{{0,3}}[Tt]?[0-2]\d(?:[-_:.h]?[0-5]\d{_SECOND})?{_ZONE})?"
_GAP = r"[-_ ]{1,3}"
_START, _END = r"(?<!\d)", r"(?!\d)"
_NO_DOT, _NO_MORE = r"(?<!\d)(?<!\d\.)", r"(?!\d|\.\d)"  # an address as 10.26.11.28 is no date
_CLOSE = datetime.timedelta(days=1)

_NEAR = 256
_NUMBER = r"[-_. ]{0,3}(\d\d)"
_WRITTEN = (
    r"(?:>\s*|\s-[of] ?|--(?:out(?:put)?(?:-?(?:dir|file))?|file|(?:target|backup)-?dir|result-file|dest(?:ination)?)[= ])"
    r"['\"]?[^\s;|&<>'\"]*$"
)
"""The words before the name of a file that is written."""
_SNAPSHOT = (
    r"(?i)(?<![a-z])(?:auto|lv)?snap(?:s|shots?)?(?![a-z])|(?<=/\.)zfs(?=/)|@GMT-|(?<=[\w.-])@[\w:.-]*DATE"
    r"|time(?:shift|machine)"
)
_FILE = (
    r"[^/\s'\"]*?\.(?:tar|t[bgx]z2?|tzst|gz|bz2|xz|zst|lz4?|zip|7z|rar|sql|dump|dmp|bak|backup|img|iso|qcow2|raw|vma|cpio|ldif"
    r"|json|xml|csv|db|sqlite3?|snar|enc|gpg|age|bundle)(?![A-Za-z\d])"
)
"""How the name of an archive or a dump goes on behind a date."""


def undated(text: str, now_ms: int, *, place: bool = True) -> str:
    """Return *text* with `DATE` in the place of each date that changes from night to night; see the module for the rule.

    Args:
        now_ms: The time at which the command is run.
        place: *text* is a destination.
    """
    if sum(map(str.isdigit, text)) < _DIGITS and not any(day in text for day in _DAY_ENDS):
        return text
    now = clock.local(now_ms), datetime.datetime.fromtimestamp(now_ms / 1000, datetime.UTC)
    lower = text.lower()
    for needs, whole, pattern in _FORMS:
        if not needs or any(word in lower for word in needs):
            text = re.sub(pattern, functools.partial(_replaced, whole, place, now), text)
    return text


def _replaced(whole: bool, place: bool, now: Sequence[datetime.datetime], match: "re.Match[str]") -> str:
    loose = place or _may_be_dated(match)
    if not (loose or whole):
        return match[0]
    if not (loose and whole) and not _is_close(match, [day.date() for day in now], loose=loose):
        return match[0]
    time = match.groupdict().get("time") or ""
    number = re.fullmatch(_NUMBER, time)  # the hour, or the twelfth disk?
    hours = {(local.hour - back) % 24 for local in now for back in range(-1, 4)}
    return DATE + time if number and int(number[1]) not in hours else DATE


def _is_close(match: "re.Match[str]", days: Sequence[datetime.date], *, loose: bool) -> bool:
    close = datetime.timedelta() if loose else _CLOSE
    spans = [span for day in days for span in _spans(match, day)]
    return any(first - close <= day <= last + close for first, last in spans for day in days)


def _may_be_dated(match: "re.Match[str]") -> bool:
    """Whether a date at this place of a path or a command stands where dates stand: see the module."""
    text, begin, end = match.string, match.start(), match.end()
    before, behind = text[max(0, begin - _NEAR) : begin], text[end : end + _NEAR]
    word = re.split(r"\s", before)[-1] + DATE + re.split(r"\s", behind)[0]
    written = re.search(_WRITTEN, before) is not None
    return written or re.match(_FILE, text[end:]) is not None or re.search(_SNAPSHOT, word) is not None


def _spans(match: "re.Match[str]", today: datetime.date) -> Iterator[tuple[datetime.date, datetime.date]]:
    """Yield the days that a match may mean, each as the first and last of its span."""
    parts = {name: value for name, value in match.groupdict().items() if value is not None}
    for year in _years(parts, today):
        for month, day in _days_of_year(parts):
            try:
                yield _span(parts, year, month, day)
            except ValueError:  # the 30th of February is no date
                continue
    if "a" in parts and parts["a"][:3].lower() == _WEEKDAYS[today.weekday()]:
        yield today, today
    if "e" in parts:
        second = datetime.datetime.fromtimestamp(int(parts["e"]), datetime.UTC).date()
        yield second, second


def _years(parts: dict[str, str], today: datetime.date) -> Sequence[int]:
    if "y" in parts:
        return [int(parts["y"]) + (2000 if len(parts["y"]) == 2 else 0)]
    return [] if "a" in parts or "e" in parts else [today.year - 1, today.year, today.year + 1]


def _days_of_year(parts: dict[str, str]) -> Sequence[tuple[int, int]]:
    """Return month and day; the day is 0 where the text has only a month, and both are where it has neither."""
    if "p" in parts:  # 11-12-2026: who knows?
        first, second = int(parts["p"]), int(parts["q"])
        return [(first, second), (second, first)]
    month = _MONTHS.index(parts["name"][:3].lower()) + 1 if "name" in parts else int(parts.get("m", 0))
    return [(month, int(parts.get("d", 0)))]


def _span(parts: dict[str, str], year: int, month: int, day: int) -> tuple[datetime.date, datetime.date]:
    if "w" in parts:
        monday = datetime.date.fromisocalendar(year, max(1, int(parts["w"])), 1)
        return monday - 7 * _CLOSE, monday + 13 * _CLOSE  # %U, %V and %W count in different ways
    if "j" in parts:
        first = datetime.date(year, 1, 1) + datetime.timedelta(int(parts["j"]) - 1)
        return first, first
    if day:
        return (date := datetime.date(year, month, day)), date
    return datetime.date(year, month, 1), datetime.date(year + month // 12, month % 12 + 1, 1) - _CLOSE


_FORMS: tuple[tuple[tuple[str, ...], bool, str], ...] = (
    # A whole date. First as `date` prints it alone: Sat Nov 28 03:00:00 UTC 2026
    (
        _MONTHS,
        True,
        rf"\b{_DAYS},?{_GAP}{_MONTH}{_GAP}{_D1}{_GAP}\d\d:\d\d:\d\d(?:{_GAP}[AP]M)?(?:{_GAP}[A-Z]{{3,5}})?{_GAP}{_Y}\b",
    ),
    ((), True, rf"{_START}{_Y}(?P<s>[-_./ ]?){_M}(?P=s){_D}{_TIME}{_END}"),
    ((), True, rf"(?<![\d.])(?P<p>\d{{1,2}})(?P<t>[-_.])(?P<q>\d{{1,2}})(?P=t){_Y}{_TIME}(?!\d|\.\d)"),
    (_MONTHS, True, rf"{_START}{_Y}[-_. ]?{_MONTH}[-_. ]?{_D1}{_TIME}{_END}"),
    (_MONTHS, True, rf"{_START}{_D1}[-_. ]?{_MONTH}[-_., ]{{0,2}}{_Y}{_TIME}{_END}"),
    (_MONTHS, True, rf"(?<![A-Za-z]){_MONTH}[-_. ]?{_D1}[-_., ]{{1,2}}{_Y}{_TIME}{_END}"),
    (("w",), True, rf"{_START}{_Y}[-_. ]?(?:[Ww]|KW|week)[-_]?(?P<w>[0-5]\d)(?:-[1-7])?{_END}"),
    # Part of a date, or a number that may be one.
    (_WEEKDAYS, False, rf"(?<![A-Za-z])(?P<a>{_DAYS})(?! ?[A-Za-z])"),
    ((), False, rf"{_START}(?P<e>\d{{10}})(?:\d{{3}}|\d{{6}}|\d{{9}}|\.\d{{1,9}})?{_END}"),
    ((), False, rf"{_START}{_D}{_M}(?P<y>20\d\d){_TIME}{_END}"),
    ((), False, rf"{_START}{_M}{_D}(?P<y>20\d\d){_TIME}{_END}"),
    ((), False, rf"{_NO_DOT}(?P<y>\d\d)(?P<s>[-_.]?){_M}(?P=s){_D}{_TIME}{_NO_MORE}"),
    ((), False, rf"{_NO_DOT}{_D}(?P<s>[-_.]){_M}(?P=s)(?P<y>\d\d){_TIME}{_NO_MORE}"),
    ((), False, rf"{_START}(?P<y>20\d\d)[-_.]?(?P<j>[0-3]\d\d){_TIME}{_END}"),
    ((), False, rf"{_START}(?P<y>20\d\d)[-_./]?{_M}{_END}"),
    ((), False, rf"{_START}{_M}[-_]{_D}{_TIME}{_END}"),
    ((), False, rf"{_START}{_D}[-_]{_M}{_TIME}{_END}"),
    (_MONTHS, False, rf"(?<![A-Za-z]){_MONTH}[-_. ]?{_D}{_TIME}{_END}"),
    (_MONTHS, False, rf"{_START}{_D}[-_. ]?{_MONTH}(?![A-Za-z])"),
)

_CHANCE = (
    r"(?=[a-zA-Z]*\d)(?=[a-z\d]*[A-Z])(?=[A-Z\d]*[a-z])(?![A-Za-z]+\d+(?![A-Za-z\d]))[A-Za-z\d]{6,12}(?![A-Za-z\d])"
)
_LEAST_PID = 1000
_AROUND_PASSING = ("/tmp", "/borgmatic", "/shm/", "/proc/", "/fd/", "/.snapshots/", "ShadowCopy")  # noqa: S108 - nothing is put there
_NO_SCRIPT = r"(?![^\s'\"]{0,200}\.(?:sh|bash|zsh|py|pl|rb|php|js)(?![\w.]))"  # two scripts are two, wherever they are
_PASSING: tuple[tuple[str, str], ...] = (
    (
        r"[^\s'\"=,:]*/borgmatic/tmp[a-z\d_]{8}(?![A-Za-z\d_])",
        "TMP",
    ),  # borgmatic 2's list of sources, here or in /run/user
    (rf"(?<=/)tmp\.[A-Za-z\d]{{6,12}}(?![A-Za-z\d]){_NO_SCRIPT}", "TMP"),  # mktemp
    (rf"(?<=/tmp/)tmp[a-z\d_]{{8}}(?![A-Za-z\d_]){_NO_SCRIPT}", "TMP"),  # Python
    (rf"(?<=/tmp/)((?:[^/\s'\"]*[._-])?){_CHANCE}{_NO_SCRIPT}", r"\1TMP"),  # mktemp -t name.XXXXXX
    (rf"(?<=/shm/)((?:[^/\s'\"]*[._-])?){_CHANCE}{_NO_SCRIPT}", r"\1TMP"),
    (r"(?<=/proc/)\d+(?=/)", "PID"),
    (r"(?<=/dev/fd/)\d+(?!\d)|(?<=/self/fd/)\d+(?!\d)", "N"),  # <(…)
    (r"(?<=/\.snapshots/)\d+(?=/snapshot)", "N"),  # snapper
    (r"(?<=HarddiskVolumeShadowCopy)\d+", "N"),  # Windows
)


def passing(path: str) -> bool:
    """Whether *path* is a name that the system gives anew for each run: a file in a temporary folder, a descriptor."""
    return any(part in path for part in _AROUND_PASSING) and any(re.search(pattern, path) for pattern, _ in _PASSING)


def settled(text: str, pids: Sequence[int], now_ms: int, *, place: bool) -> str:
    """Return *text* with `DATE`, `TMP`, `PID` or `N` in the place of each part that is another one every night.

    Of names that the system gives only certain ones: a number that merely looks like a process (`/tmp/vm-1042`) stays, unless it is
    the very process that runs the command.

    Args:
        pids: The processes that run the command: a script's `$$`.
        now_ms: The time at which the command is run.
        place: *text* is a destination.
    """
    text, rest = text[:_MOST], text[_MOST:]
    if any(part in text for part in _AROUND_PASSING):
        for pattern, put in _PASSING:
            text = re.sub(pattern, put, text)
    for pid in pids:
        if pid >= _LEAST_PID and str(pid) in text:
            text = re.sub(rf"(?<!\d){pid}(?!\d)", "PID", text)
    return undated(text, now_ms, place=place) + rest
