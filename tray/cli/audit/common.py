"""What several parts of `backup-tray audit` print in the same way."""

from tray import clock, wording


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
