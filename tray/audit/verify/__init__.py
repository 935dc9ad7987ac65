"""Verification of the log: whether it is what it was, and if not, where and in which way.

`whole` checks all of it, or what is new: `stream` reads the entries, `find` names what is wrong with one, `rest` looks at what lies
beside them, and `verdict` is what comes of it. `recorded` does it with all that belongs to it: baselines, standing, the entry.
"""

from tray.audit.verify.check import verify, verify_since
from tray.audit.verify.verdict import Kind, Point, Result, Verdict

__all__ = ["Kind", "Point", "Result", "Verdict", "verify", "verify_since"]
