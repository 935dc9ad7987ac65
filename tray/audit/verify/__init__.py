"""Verify the log: whether it is what it was, and if not, where and in which way.

check.py     check all of it, or only the new entries    verdict.py   the result of a check
stream.py    read the entries                            diagnose.py  name what is wrong with one
tables.py    check everything beside the entries         seal.py      acknowledge a finding

`baselines.recorded_check` also compares the baselines, keeps the result and puts it on record.
"""
