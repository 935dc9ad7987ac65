"""What is kept of the log, or told about it, outside its folder, where a person who replaces the log does not reach.

all_copies.py      every checkpoint that is kept apart from the log; these are its baselines
far_copies.py      copy the newest checkpoint to further places
forwarding.py      send new entries to a system's log, in the languages of system_log.py
recorded_check.py  verify the log against all baselines, and put the result on record
acknowledge.py     a breach that the user has seen
unreached.py       how far each place has got, and which cannot be reached

The copy beside the configuration is `audit.near_copy`. Nothing is imported here, since few commands need all of it.
"""
