"""One answer of the doctor."""

from enum import StrEnum

from tray.core.dataclass import dataclass


class Level(StrEnum):
    """How good a check's answer is. `NOTE`: it is not in use here, so there is nothing to mend and nothing to praise."""

    OK = "ok"
    NOTE = "note"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Check:
    """One answer.

    Attributes:
        name: What was looked at.
        level: How good it is.
        what: One sentence for a person.
        remedy: The command or step that mends it; empty if all is well.
    """

    name: str
    level: Level
    what: str
    remedy: str = ""

    def to_json(self) -> dict[str, str]:
        """Return the check as `doctor --json` shows it."""
        return {"name": self.name, "level": self.level.value, "what": self.what, "remedy": self.remedy}
