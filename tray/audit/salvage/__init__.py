"""What can still be read of a damaged log: `carve` reads rows without SQLite, `tree` says which of them are still vouched for."""

from tray.audit.salvage.rescue import Salvaged, salvage

__all__ = ["Salvaged", "salvage"]
