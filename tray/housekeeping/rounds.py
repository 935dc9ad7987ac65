"""One round of housekeeping: every duty in turn, each guarded."""

import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from tray.core import clock
from tray.core.errors import BackupTrayError, ConfigError
from tray.core.locks import FileLock
from tray.core.paths import Places
from tray.housekeeping import duty_memory

if TYPE_CHECKING:
    from tray.config import Config

Duty = Callable[["Round"], None]
LONGEST_SECONDS = 3600
"""A round that hangs longer, on a disk of the network that is gone, is ended by the system, so that the next can begin."""
_NOTES = "duties"
_NICE = 10


@dataclass(frozen=True)
class Round:
    """What the duties are told.

    Attributes:
        places: Whose log is cared for.
        started: The tracker has just begun.
    """

    places: Places
    started: bool = False

    @cached_property
    def config(self) -> "Config":
        """The configuration.

        Raises:
            ConfigError: It is broken; what needs it waits until it is mended.
        """
        from tray import config

        return config.load(self.places)

    @cached_property
    def config_or_usual(self) -> "Config":
        """The configuration, or what is usual where it is broken: for what must not wait."""
        from tray.config import Config

        try:
            return self.config
        except ConfigError:
            return Config()


def duties() -> dict[str, Duty]:
    """Return the duties in their order; what may wait for a network comes last."""
    from tray.housekeeping import (
        clock_jumps,
        config_changes,
        copies,
        forwarding,
        logs,
        lost,
        pruning,
        segments,
        verification,
        words,
    )

    return {
        "lost runs and waiting records": lost.do,
        "clock": clock_jumps.do,
        "configuration": config_changes.do,
        "verification": verification.do,
        "segments": segments.do,
        "search index": words.do,
        "copies of checkpoints": copies.do,
        "pruning": pruning.do,
        "logs of runs": logs.do,
        "forwarding": forwarding.do,
    }


def go(places: Places, *, started: bool = False, these: Mapping[str, Duty] | None = None) -> dict[str, str]:
    """Do every duty once, unless somebody else is at it or there is no log; return by duty why it could not be done.

    Args:
        started: The tracker has just begun.
        these: What to do, `duties()` by default.
    """
    if not places.audit_db.exists():
        return {}
    with FileLock(duty_memory.folder(places) / "lock") as lock:
        if not lock.acquire():
            return {}
        this = Round(places, started)
        failed = {
            name: why
            for name, act in (duties() if these is None else these).items()
            if (why := _guarded(act, this)) is not None
        }
        _note(places, failed)
    return failed


def be_modest() -> None:
    """Take what others leave of the processor, and end by force instead of hanging for ever."""
    if sys.platform != "win32":
        os.nice(_NICE)
        signal.alarm(LONGEST_SECONDS)


def failures(places: Places) -> dict[str, dict[str, str]]:
    """Return the duties that could not be done the last time: since when, and why."""
    noted = duty_memory.load(places, _NOTES)
    return {name: found for name, found in noted.items() if isinstance(found, dict)}


def _guarded(act: Duty, this: Round) -> str | None:
    """Do one duty; whatever goes wrong with it is a sentence."""
    try:
        act(this)
    except BackupTrayError as error:
        return f"{error.what} {error.why}".strip()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def _note(places: Places, failed: Mapping[str, str]) -> None:
    before = failures(places)
    now = clock.to_text(clock.now_ms())
    duty_memory.save(
        places,
        _NOTES,
        {name: {"since": before.get(name, {}).get("since", now), "why": why} for name, why in failed.items()},
    )
