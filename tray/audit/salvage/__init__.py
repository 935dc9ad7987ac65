"""What can still be read of a damaged log: `read` reads it, `tree` says what is vouched for, `rescue` writes it down."""

from tray.audit.salvage.rescue import Salvaged, salvage

__all__ = ["Salvaged", "salvage"]
