"""Backup Tray: you always know whether your backups are fine."""

__version__ = "0.1.0"
