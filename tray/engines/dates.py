"""Dates in the words of a command that change every night, so that `home-$(date +%F).tar` is the same job tomorrow.

What certainly is a date is left out: year, month and day in any usual order and form, with or without a time; a week of a year; the
name of a weekday. Other numbers are dates only where they are near today: seconds since 1970, `%y%m%d`, `%d%m%Y`, `%m-%d`, `%Y-%m`.
So the number of a customer stays, and so does `/photos/2019`: two jobs that differ in these are two jobs.

Imported only where a word holds enough digits or the name of a day.
"""

import datetime
import functools
import re
from collections.abc import Callable

DATE = "DATE"
"""What stands for a date in the name of a job."""

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAYS = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|(?i:(?:mon|tues|wednes|thurs|fri|satur|sun)day))"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?i:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_Y, _M, _D = r"(?:19|20)\d\d", r"(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12]\d|3[01])"
_SECOND = r"(?:[-_:.m]?[0-6]\ds?(?:[.,]\d{1,9})?)?"
_ZONE = r"(?: ?[AaPp]\.?[Mm])?(?:Z| ?[A-Z]{3,4}(?![A-Za-z])|[-+]\d\d:?\d\d)?"
_TIME = rf"(?:[-_. @T]{{0,3}}[Tt]?[0-2]\d(?:[-_:.h]?[0-5]\d{_SECOND})?{_ZONE})?"
_GAP = r"[-_ ]{1,3}"
_START, _END = r"(?<!\d)", r"(?!\d)"
_NO_DOT, _NO_MORE = r"(?<!\d)(?<!\d\.)", r"(?!\d|\.\d)"  # an address as 10.26.11.28 is no date
_NEAR_DAYS = 40
_CLOSE_DAYS = 3
_SECONDS_DAYS = 400


def undated(text: str, now_ms: int) -> str:
    """Return *text* with `DATE` in the place of each date that changes from night to night.

    Args:
        now_ms: The time at which the command is run.
    """
    today = datetime.datetime.fromtimestamp(now_ms / 1000, datetime.UTC).date()
    lower = text.lower()
    for needs, pattern, fits in _FORMS:
        if not needs or any(word in lower for word in needs):
            text = re.sub(pattern, functools.partial(_replaced, fits, today), text)
    return text


def _replaced(fits: "_Fits | None", today: datetime.date, found: "re.Match[str]") -> str:
    return DATE if fits is None or fits(found, today) else found[0]


def _near(today: datetime.date, year: int, month: int, day: int, days: int) -> bool:
    try:
        return abs((datetime.date(year, month, day) - today).days) <= days
    except ValueError:
        return False


def _any_year(today: datetime.date, month: int, day: int) -> bool:
    return any(_near(today, today.year + more, month, day, _CLOSE_DAYS) for more in (-1, 0, 1))


def _seconds(found: "re.Match[str]", today: datetime.date) -> bool:
    day = datetime.datetime.fromtimestamp(int(found[1]), datetime.UTC).date()
    return abs((day - today).days) <= _SECONDS_DAYS


def _short_year(found: "re.Match[str]", today: datetime.date) -> bool:
    return _near(today, 2000 + int(found["y"]), int(found["m"]), int(found["d"]), _NEAR_DAYS)


def _long_year(found: "re.Match[str]", today: datetime.date) -> bool:
    return _near(today, int(found["y"]), int(found["m"]), int(found["d"]), _SECONDS_DAYS)


def _month_of_year(found: "re.Match[str]", today: datetime.date) -> bool:
    return abs((int(found["y"]) - today.year) * 12 + int(found["m"]) - today.month) <= 1


def _day_of_year(found: "re.Match[str]", today: datetime.date) -> bool:
    day = datetime.date(int(found["y"]), 1, 1) + datetime.timedelta(int(found["j"]) - 1)
    return abs((day - today).days) <= _NEAR_DAYS


def _month_and_day(found: "re.Match[str]", today: datetime.date) -> bool:
    return _any_year(today, int(found["m"]), int(found["d"]))


def _named_month(found: "re.Match[str]", today: datetime.date) -> bool:
    return _any_year(today, _MONTHS.index(found["name"][:3].lower()) + 1, int(found["d"]))


_Fits = Callable[["re.Match[str]", datetime.date], bool]
_FORMS: tuple[tuple[tuple[str, ...], str, _Fits | None], ...] = (
    # What certainly is a date. First as `date` prints it alone: Sat Nov 28 03:00:00 UTC 2026
    (
        _MONTHS,
        rf"\b{_DAYS},?{_GAP}{_MONTH}{_GAP}\d{{1,2}}{_GAP}\d\d:\d\d:\d\d(?:{_GAP}[AP]M)?(?:{_GAP}[A-Z]{{3,5}})?{_GAP}{_Y}\b",
        None,
    ),
    ((), rf"{_START}{_Y}(?P<s>[-_./ ]?){_M}(?P=s){_D}{_TIME}{_END}", None),
    ((), rf"(?<![\d.])\d{{1,2}}(?P<t>[-_.])\d{{1,2}}(?P=t){_Y}{_TIME}(?!\d|\.\d)", None),
    (_MONTHS, rf"{_START}{_Y}[-_. ]?{_MONTH}[-_. ]?\d{{1,2}}{_TIME}{_END}", None),
    (_MONTHS, rf"{_START}\d{{1,2}}[-_. ]?{_MONTH}[-_., ]{{0,2}}{_Y}{_TIME}{_END}", None),
    (_MONTHS, rf"(?<![A-Za-z]){_MONTH}[-_. ]?\d{{1,2}}[-_., ]{{1,2}}{_Y}{_TIME}{_END}", None),
    (("w",), rf"{_START}{_Y}[-_. ]?(?:[Ww]|KW|week)[-_]?[0-5]\d(?:-[1-7])?{_END}", None),
    (_WEEKDAYS, rf"(?<![A-Za-z]){_DAYS}(?! ?[A-Za-z])", None),
    # What is one if it is near today.
    ((), rf"{_START}(\d{{10}})(?:\d{{3}}|\.\d{{1,9}})?{_END}", _seconds),
    ((), rf"{_START}(?P<d>{_D})(?P<m>{_M})(?P<y>20\d\d){_TIME}{_END}", _long_year),
    ((), rf"{_START}(?P<m>{_M})(?P<d>{_D})(?P<y>20\d\d){_TIME}{_END}", _long_year),
    ((), rf"{_NO_DOT}(?P<y>\d\d)(?P<s>[-_.]?)(?P<m>{_M})(?P=s)(?P<d>{_D}){_TIME}{_NO_MORE}", _short_year),
    ((), rf"{_NO_DOT}(?P<d>{_D})(?P<s>[-_.])(?P<m>{_M})(?P=s)(?P<y>\d\d){_TIME}{_NO_MORE}", _short_year),
    ((), rf"{_START}(?P<y>20\d\d)[-_.]?(?P<j>[0-3]\d\d){_TIME}{_END}", _day_of_year),
    ((), rf"{_START}(?P<y>20\d\d)[-_./]?(?P<m>{_M}){_END}", _month_of_year),
    ((), rf"{_START}(?P<m>{_M})[-_](?P<d>{_D}){_TIME}{_END}", _month_and_day),
    ((), rf"{_START}(?P<d>{_D})[-_](?P<m>{_M}){_TIME}{_END}", _month_and_day),
    (_MONTHS, rf"(?<![A-Za-z])(?P<name>{_MONTH})[-_. ]?(?P<d>{_D}){_TIME}{_END}", _named_month),
    (_MONTHS, rf"{_START}(?P<d>{_D})[-_. ]?(?P<name>{_MONTH})(?![A-Za-z])", _named_month),
)
