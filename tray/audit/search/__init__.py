"""Searching the log, the newest first.

conditions.py   what is asked for (`Filter`), as conditions of SQL
by_facets.py    find by action, job, time and the like
by_words.py     find words, with an index beside the log: index_file.py opens it, index_fill.py brings it up to date
jobs.py         what is known of each job              latest.py     the same quickly for most jobs
recorded.py     in which order things were recorded
"""

from tray.audit.search.by_facets import Cursor, Page, facets, keys, names, newest_below, range_of, read, search
from tray.audit.search.conditions import Filter

__all__ = ["Cursor", "Filter", "Page", "facets", "keys", "names", "newest_below", "range_of", "read", "search"]
