"""Verification of the log: whether it is what it was, and if not, where and in which way.

check.py     check all of it, or what is new        verdict.py   what comes of a check
stream.py    read the entries                       diagnose.py  name what is wrong with one
tables.py    look at what lies beside the entries   seal.py      what an acknowledgement has sealed

`baselines.recorded_check` also compares the baselines, keeps the result and puts it on record.
"""

from tray.audit.verify.check import verify, verify_since
from tray.audit.verify.verdict import Kind, Point, Result, Verdict

__all__ = ["Kind", "Point", "Result", "Verdict", "verify", "verify_since"]
