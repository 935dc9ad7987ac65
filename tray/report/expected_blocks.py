"""Say as blocks of a sheet how the jobs of a period kept their rhythms."""

from collections.abc import Iterator, Sequence

from tray import wording
from tray.core import clock
from tray.report import facts
from tray.report.job_rhythms import JobRhythm
from tray.rhythm.kept_slots import ASLEEP, KEPT, LATE, MISSED, OVERDUE, Stretch

_RHYTHMS = ("Job", "Rhythm", "#Due", "#Kept", "#Late", "#Missed", "#Asleep", "#Skipped", "#In time")
_STRETCHES = ("Expected", "Up to", "Job", "How", "On record")
_MOST_ROWS = 500
_NONE = "–"
_EXPLAINED = (
    "Kept, late and missed are counted by the rhythm that config.toml states now. Asleep: this computer was on too little"
    " before the next one was due; that counts neither for nor against the job. Where no times are stated, none are counted."
)


def blocks(rhythms: Sequence[JobRhythm], fault: str) -> Iterator[facts.Block]:
    """Yield the table of rhythms, the backups that did not come in time, and the notes that keep both from being misread.

    Args:
        fault: Why the configured rhythms are not known; "" if they are.
    """
    if fault:
        yield facts.Note(
            f"Which backups were expected is not known, since config.toml cannot be read: {wording.escape(fault)}."
        )
    if not rhythms:
        return
    yield facts.Listing("Expected backups", _RHYTHMS, ((_row(rhythm), None) for rhythm in rhythms))
    if any(rhythm.slots is not None for rhythm in rhythms):
        yield facts.Note(_EXPLAINED)
    listed = [(stretch, rhythm) for rhythm in rhythms for stretch in rhythm.stretches]
    if listed:
        listed.sort(key=lambda pair: pair[0].first_ms, reverse=True)
        many = wording.count(len(listed))
        some = f"the newest {_MOST_ROWS} of {many}" if len(listed) > _MOST_ROWS else many
        rows = ((_stretch_row(*pair), None) for pair in listed[:_MOST_ROWS])
        yield facts.Listing(f"Backups that did not come in time ({some}), the newest first", _STRETCHES, rows)


def figure(rhythms: Sequence[JobRhythm]) -> str:
    """Return how many of the decided slots were kept in time: "28 of 30"; "–" where no slots are known."""
    stated = [rhythm for rhythm in rhythms if rhythm.slots is not None]
    due = sum(rhythm.count(KEPT, LATE, MISSED) for rhythm in stated)
    return f"{wording.count(sum(rhythm.count(KEPT) for rhythm in stated))} of {wording.count(due)}" if due else _NONE


def trouble(rhythms: Sequence[JobRhythm], *, past: bool = False) -> tuple[str, str]:
    """Return the tone that the rhythms demand of the headline, and its words: "home is overdue, 3 expected backups missed".

    Both are empty where nothing was missed.

    Args:
        past: The period is over, so a job that was overdue then may not be so now.
    """
    verbs = ("was overdue at its end", "were overdue at its end") if past else ("is overdue", "are overdue")
    overdue = [rhythm for rhythm in rhythms if rhythm.overdue]
    missed = sum(rhythm.count(MISSED) for rhythm in rhythms)
    long = sum(stretch.how == OVERDUE for rhythm in rhythms for stretch in rhythm.stretches)
    parts = []
    if len(overdue) == 1:
        parts.append(f"{wording.fit(wording.escape(overdue[0].job), 40)} {verbs[0]}")
    elif overdue:
        parts.append(f"{wording.count(len(overdue))} jobs {verbs[1]}")
    if missed:
        parts.append(f"{wording.plural(missed, 'expected backup')} missed")
    if long and not overdue:
        parts.append(f"overdue {'once' if long == 1 else f'{wording.count(long)} times'}")
    return ("fail" if overdue else "warn" if parts else ""), ", ".join(parts)


def _row(rhythm: JobRhythm) -> list[str]:
    known = rhythm.slots is not None
    figures = [rhythm.count(KEPT, LATE, MISSED, ASLEEP), *(rhythm.count(how) for how in (KEPT, LATE, MISSED, ASLEEP))]
    judged = rhythm.count(KEPT, LATE, MISSED)
    since = "" if rhythm.since_ms is None or not known else f", counted from {clock.local(rhythm.since_ms):%Y-%m-%d}"
    return [
        wording.escape(rhythm.job),
        wording.escape(f"{rhythm.rhythm}{since}"),
        *(wording.count(number) if known else _NONE for number in figures),
        wording.count(sum(rhythm.skips.values())),
        facts.percent(rhythm.count(KEPT), judged) if known else _NONE,
    ]


def _stretch_row(stretch: Stretch, rhythm: JobRhythm) -> list[str]:
    first, last = (f"{clock.local(at):%Y-%m-%d %H:%M}" for at in (stretch.first_ms, stretch.last_ms))
    if stretch.how in (LATE, MISSED):
        how = stretch.how if stretch.number == 1 else f"{wording.count(stretch.number)} {stretch.how}"
    else:
        lasted = wording.elapsed(stretch.last_ms - stretch.first_ms)
        how = f"overdue for {lasted}" if stretch.how == OVERDUE else f"too late by {lasted}"
    return [
        first,
        "" if first == last else last,
        wording.escape(rhythm.job),
        how,
        wording.escape(rhythm.why.get(stretch.first_ms, "")),
    ]
