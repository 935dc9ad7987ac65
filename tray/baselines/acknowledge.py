"""A breach of the audit log that the user has seen."""

import contextlib

from tray import config
from tray.audit.verify import seal
from tray.baselines import all_copies
from tray.core.errors import BackupTrayError
from tray.core.paths import Places


def acknowledge(places: Places, reason: str) -> None:
    """Put on record that the user has seen the breach, and why it is none any more; see `seal.acknowledge` for errors."""
    seal.acknowledge(places, reason, lambda: _set_aside(places))


def _set_aside(places: Places) -> list[str]:
    """Let the copies that saw more than the log has count no more; return what they are called now."""
    with contextlib.suppress(BackupTrayError, OSError):
        return [str(path) for path in all_copies.set_aside(places, config.load(places))]
    return []
