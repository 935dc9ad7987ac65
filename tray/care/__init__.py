"""Housekeeping: what must happen to the audit log now and then, done by a short-lived helper of the tracker."""
