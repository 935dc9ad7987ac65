"""Housekeeping: the work on the audit log that is due from time to time, in a short-lived process beside the tracker.

`rounds.run` runs each of `tasks.TASKS` once. A task that fails is noted in `<state>/care/duties.json`, and the others run.
Housekeeping never creates a log: without one there is nothing to do.
"""
