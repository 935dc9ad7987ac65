"""What several parts of `backup-tray audit` print in the same way."""

from tray import clock


def moment(text: str) -> str:
    """Return a time of an entry as people read it, and as it stands there; what is no time as it is."""
    try:
        return when(clock.from_text(text))
    except ValueError:
        return text


def when(ms: int) -> str:
    """Return a time as people read it, and beside it as the log holds it."""
    return f"{clock.local(ms):%Y-%m-%d %H:%M:%S %Z} ({clock.to_text(ms)})"


def as_json(value: object) -> str:
    """Return *value* as one line of JSON."""
    import json

    return json.dumps(value, ensure_ascii=False)
