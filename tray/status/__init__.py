"""Fetching the status: the reading of tracker, run folders, audit log and spool around the pure `status.judge`."""

from tray.status.source import StatusSource

__all__ = ["StatusSource"]
