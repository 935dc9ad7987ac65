"""Searching the log, the newest first. What is asked for is `asked.Filter`; `pages` finds it by action, job, time and the like.

`words` finds texts, with an index beside the log (`indexfile`) that `fill` brings up to date; `jobs` tells what is known of each
job, and `latest` does so quickly for most.
"""

from tray.audit.search.by_facets import Cursor, Page, facets, keys, names, newest_below, range_of, read, search
from tray.audit.search.conditions import Filter

__all__ = ["Cursor", "Filter", "Page", "facets", "keys", "names", "newest_below", "range_of", "read", "search"]
