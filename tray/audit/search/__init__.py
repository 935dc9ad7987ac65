"""Search the log, the newest entries first.

conditions.py   the filter, and how people write one
by_facets.py    find by action, job, time and the like
by_words.py     find words too, with an index beside the log; index_fill.py brings it up to date
jobs.py         the history of each job; latest.py finds its newest entries
good_runs.py    when the good runs of a job were, for its rhythm
"""

from tray.audit.search.by_facets import Cursor, Page, facets, keys, names, newest_below, range_of, read
from tray.audit.search.by_words import search
from tray.audit.search.conditions import Filter

__all__ = ["Cursor", "Filter", "Page", "facets", "keys", "names", "newest_below", "range_of", "read", "search"]
