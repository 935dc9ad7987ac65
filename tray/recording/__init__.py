"""Record runs, lost runs, outages, and the tracker's own beginning and end.

run_entries.py      the entries of a run's beginning and end          close_lost.py   close runs that are over and have no wrapper
observed_end.py     the result of a run without its output            outage.py       the status could not be fetched
tracker_entries.py  the tracker began, or ended
"""
