"""Keep checkpoints of the log and tell its entries outside its folder, out of reach of a person who replaces the log.

all_copies.py      every checkpoint that is kept apart from the log; these are its baselines
far_copies.py      copy the newest checkpoint to further places
forwarding.py      send new entries to a system's log, in the languages of system_log.py
recorded_check.py  verify the log against all baselines and record the result; acknowledge a breach
unreached.py       how far each place has got, and which cannot be reached

The copy beside the configuration is `audit.near_copy`. Nothing is imported here, since few commands need all of it.
"""
