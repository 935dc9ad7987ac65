"""The answer of a check."""

from enum import StrEnum

from tray.core.codec import Coded
from tray.core.dataclass import dataclass


class Level(StrEnum):
    """How good an answer is. `NOTE`: the thing is not in use here, so there is nothing to mend and nothing to praise."""

    OK = "ok"
    NOTE = "note"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Check(Coded):
    """The answer of one check.

    Attributes:
        name: Subject of the check.
        level: How good the answer is.
        what: One sentence for a person.
        remedy: The command or step that mends it; empty if all is well.
    """

    name: str
    level: Level
    what: str
    remedy: str = ""

    @property
    def fine(self) -> bool:
        """Whether there is nothing to mend."""
        return self.level in (Level.OK, Level.NOTE)
