"""The newest entry of each job, without asking every facet: most jobs stand among the newest few entries of the log.

Only a job that is not among them is looked up by its facets. `status` asks this after every change of the log.
"""

import json
import sqlite3
from collections.abc import Callable, Sequence

from tray.audit.schema import FACET, FACET_KEYS, MOMENT
from tray.audit.search import pages
from tray.audit.search.pages import Cursor

NEAR = 256
MOST_AHEAD = 500

Key = tuple[str, str]
"""What an entry counts as, and its job."""

_NEAR_ROWS = (
    f"SELECT {MOMENT}, seq, {FACET} FROM entries INDEXED BY at WHERE {MOMENT} <= ? "  # noqa: S608 - constants of ours
    f"ORDER BY {MOMENT} DESC, seq DESC LIMIT ?"
)
_AHEAD_ROWS = f"SELECT seq, {FACET} FROM entries INDEXED BY at WHERE {MOMENT} > ? LIMIT ?"  # noqa: S608 - the same
_UP_TO = (
    f"SELECT {MOMENT}, seq FROM entries INDEXED BY facet WHERE {FACET} = ? AND {MOMENT} <= ? "  # noqa: S608 - the same
    f"ORDER BY {MOMENT} DESC, seq DESC LIMIT 1"
)


def newest(
    connection: sqlite3.Connection,
    horizon: int,
    actions: Sequence[str],
    keys_of: Callable[[str], tuple[Key, ...]],
) -> dict[Key, int] | None:
    """Return the number of the newest entry under each key; None if too many entries lie ahead of *horizon* to do it this way.

    The newest has the greatest time, then number. Of those ahead of *horizon* the number alone decides.

    Args:
        actions: Those that can have a key.
        keys_of: The keys under which entries of a facet of these actions count.
    """
    ahead = connection.execute(_AHEAD_ROWS, (horizon, MOST_AHEAD + 1)).fetchall()
    if len(ahead) > MOST_AHEAD:
        return None
    ours = tuple(pages.range_of([action])[0] for action in actions)
    found: dict[Key, Cursor] = {}
    for at, seq, facet in connection.execute(_NEAR_ROWS, (horizon, NEAR)).fetchall():
        for key in keys_of(facet) if facet.startswith(ours) else ():
            found.setdefault(key, (at, seq))
    near = frozenset(found)
    for action in actions:
        for first, last in _jobs(connection, action):
            _look_up(connection, first, last, horizon, near, keys_of, found)
    numbers = {key: seq for key, (_, seq) in found.items()}
    for seq, facet in ahead:
        if facet.startswith(ours):
            numbers |= {key: max(seq, numbers.get(key, 0)) for key in keys_of(facet)}
    return numbers


def _jobs(connection: sqlite3.Connection, action: str) -> list[tuple[str, str]]:
    """Return, for each engine and job that has entries of *action*, between which values its facets lie."""
    found = []
    first, last = pages.range_of([action])
    row = pages.newest_below(connection, last, first)
    while row is not None:
        found.append(pages.range_of(json.loads(row[0])[:3]))
        row = pages.newest_below(connection, min(found[-1][0], row[0]), first)
    return found


def _look_up(
    connection: sqlite3.Connection,
    first: str,
    last: str,
    horizon: int,
    near: frozenset[Key],
    keys_of: Callable[[str], tuple[Key, ...]],
    found: dict[Key, Cursor],
) -> None:
    """Add the newest entries of the facets between *first* and *last*, unless all that they count as is known."""
    row = pages.newest_below(connection, last, first)
    if row is None or near.issuperset(_possible(row[0], keys_of)):
        return
    while row is not None:
        facet, at, seq = row
        past = (at, seq) if at <= horizon else connection.execute(_UP_TO, (facet, horizon)).fetchone()
        if past is not None:
            found |= {key: max(past, found.get(key, past)) for key in keys_of(facet)}
        row = pages.newest_below(connection, facet, first)


def _possible(facet: str, keys_of: Callable[[str], tuple[Key, ...]]) -> tuple[Key, ...]:
    """Return all that entries of this action, engine and job may count as: a success counts as most."""
    values = json.loads(facet)
    values[FACET_KEYS.index("result")] = "succeeded"
    return keys_of(json.dumps(values, ensure_ascii=False))
