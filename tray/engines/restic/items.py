"""Which items were already named in an error.

restic may name one item twice, in its scan and when it reads it, once as `/data/src/x` and once as `src/x`. Both are one problem.
"""

MAX_ITEMS = 50_000
_MAX_NAMESAKES = 100


class Items:
    """The items with errors so far, each counted once. Takes a bounded amount of memory and of time for each item."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._namesakes: dict[str, list[str]] = {}  # by the last part of the path
        self._folder = ""  # what relative paths are relative to, once a pair showed it

    def is_new(self, item: str, *, scan: bool = False) -> bool:
        """Whether *item* was not named before; remembers it.

        When too many are known, an item counts when it is read and no longer in the scan, where its double would be missed.
        """
        item = item.removeprefix("./").rstrip("/") or item
        key = item if item.startswith("/") or not self._folder else self._folder + item
        if key in self._known or self._twin(item) is not None:
            return False
        if len(self._known) >= MAX_ITEMS:
            return not scan
        self._known.add(key)
        same_name = self._namesakes.setdefault(_name(item), [])
        if len(same_name) < _MAX_NAMESAKES:
            same_name.append(item)
        return True

    def _twin(self, item: str) -> str | None:
        """Return the other form of *item*, absolute or relative, and learn from it where relative paths begin."""
        if self._folder:
            return None
        for other in self._namesakes.get(_name(item), ()):
            long, short = (item, other) if item.startswith("/") else (other, item)
            if long.startswith("/") and not short.startswith("/") and long.endswith("/" + short):
                self._folder = long[: -len(short)]
                self._known = {one if one.startswith("/") else self._folder + one for one in self._known}
                return other
        return None


def _name(item: str) -> str:
    return item.rpartition("/")[2]
