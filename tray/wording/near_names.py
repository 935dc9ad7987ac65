"""Name the known jobs that are nearest to a misspelt name."""

from collections.abc import Iterable
from difflib import get_close_matches

_FEW = 5
"""This many jobs are all named; of more only the nearest."""


def known_jobs(job: str, names: Iterable[str], none: str) -> str:
    """Return a sentence with the known jobs: those with names like *job* if there are many, *none* if there are no jobs."""
    known = list(names)
    if len(known) <= _FEW:
        return f"Known jobs: {', '.join(known)}." if known else f"{none}."
    near = get_close_matches(job, known, _FEW, 0.4)
    if not near:
        return f"{len(known)} jobs are known, and none has a name like it."
    return f"The nearest of {len(known)} known names: {', '.join(near)}."
