"""Housekeeping: what has to be done for the audit log now and then, by a short-lived process beside the tracker.

`rounds.go` walks over the list of duties, one small module each. Every duty stands alone: one that fails is noted in
`<state>/care/duties.json`, and the others go on. Nothing here begins a log: without one there is nothing to care for.
"""
