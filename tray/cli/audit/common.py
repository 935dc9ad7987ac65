"""What several parts of `backup-tray audit` print in the same way."""

import re

from tray import wording
from tray.cli import asking
from tray.core import clock
from tray.core.errors import RunNotFoundError
from tray.core.paths import places


def moment(text: str) -> str:
    """Return a time of an entry as people read it; what is no time as it is."""
    try:
        return wording.both_times(clock.from_text(text))
    except ValueError:
        return text


def as_json(value: object) -> str:
    """Return *value* as one line of JSON."""
    import json

    return json.dumps(value, ensure_ascii=False)


def entry_number(words: str) -> int:
    """Return the number of the entry that *words* name: a number of the log, else the end (or the start) of a run.

    Raises:
        RunNotFoundError, RunAmbiguousError: There is no such run, or there are several.
        AuditUnavailableError: The log cannot be read.
    """
    from tray.audit.store import AuditLog
    from tray.status import run_ids

    here = places()
    with AuditLog.read(here.audit_db) as log:
        if re.fullmatch(r"0|[1-9][0-9]{0,15}", words) and (int(words) < log.head()[0] or len(words) < wording.SHORT_ID):
            return int(words)
        try:
            found = log.entry_of_run(run_ids.resolve(here, words, system=False))
        except RunNotFoundError as error:
            raise asking.or_a_job(error, words) from error
    if found is None:  # its record waits to be written
        raise RunNotFoundError(words)
    return found.seq
