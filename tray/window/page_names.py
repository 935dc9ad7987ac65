"""The pages of the window and how they are named: "dashboard", or "report/<run>" for a page about one run."""

import re

from tray.core.errors import UsageError

PAGES = ("dashboard", "history", "audit", "verify", "create", "guide", "report", "log", "cancel", "entry")
OF_A_RUN = ("report", "log", "cancel")
_ALIASES = {"details": "log"}
_SHAPE = re.compile(r"([a-z]{1,16})(?:/(last|[0-9a-f][0-9a-f-]{0,35}))?", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)


def parse(text: str) -> str:
    """Return the page that *text* names, in its one spelling.

    A page about a run that names none ("report"), or "last", is about the last run; "details" is another word for "log".
    "verify" is the page "audit" with a check that starts at once. "cancel" is the Dashboard with the question whether a live
    run shall be cancelled. "entry" is about the entry of the audit log whose number it names.

    Raises:
        UsageError: There is no such page.
    """
    match = _SHAPE.fullmatch(text)
    if match:
        name, run = _ALIASES.get(match[1], match[1]), match[2]
        if name in ("report", "log") and run == "last":
            return name
        if name == "entry":
            if run is not None and _NUMBER.fullmatch(run):
                return f"entry/{run}"
        elif name in PAGES and (run is None or (name in OF_A_RUN and run != "last")):
            return name if run is None else f"{name}/{run}"
    raise UsageError(
        f"There is no page {text[:80]!r}.",
        why=f"The pages are {', '.join(PAGES)}; report, log and cancel also take a run, as in `report/RUN`, and entry its number.",
        next="Open the first one: `backup-tray window dashboard`.",
    )
