"""The tray process: icon, tooltip, menu."""
