"""Lines that may say why a run failed: the decisive one first, then what follows."""

import re

MAX_LINES = 50
STOPPED = re.compile(r"\bsignal (?:\w+ ){1,3}received, cleaning up")
_DECISIVE = re.compile("^Fatal: |^unable to create lock|already locked|^unknown |^invalid argument")


class Complaints:
    """What a run said on its way to a failure; takes a bounded amount of memory.

    Attributes:
        first: The very first line, which names what is wrong where the decisive one only says that something is.
        fatal: restic said that it failed.
    """

    def __init__(self) -> None:
        self.first = ""
        self.fatal = False
        self._decisive = False
        self._lines: list[str] = []

    @property
    def all(self) -> str:
        """One message a line, the very first one last where a decisive one came after it (what ssh said before restic)."""
        return self.text if self.first in self.text else f"{self.text}\n{self.first}"

    @property
    def text(self) -> str:
        """One message a line."""
        return "\n".join(self._lines)

    def add(self, said: str) -> bool:
        """Remember a line, and return whether it is restic's own word that it failed."""
        self.first = self.first or said[:300]
        if not self._decisive and _DECISIVE.search(said):
            self._decisive = True
            self._lines.clear()
        if len(self._lines) < MAX_LINES:
            self._lines.append(said[:2000])
        fatal = said.startswith("Fatal: ")
        self.fatal = self.fatal or fatal
        return fatal
