"""Whose processes an instance looks at.

- Ours always. Root: also those of system users (services run as `postgres`, `www-data` …). An ordinary user: also those of others,
  as far as the kernel shows them; those that root looks at only if root's instance does not tell us of them (`others`).
- A process whose environment has another BACKUP_TRAY_HOME belongs to another instance. An instance with BACKUP_TRAY_HOME of its own
  (a trial, a test, a portable one) takes only processes that have the same value, so that trials do not record real backups.
- BACKUP_TRAY_OBSERVE in the tracker's environment: `off` looks at nothing, `all` at the processes of every user, also in an
  instance with BACKUP_TRAY_HOME (but not at those of another one).
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tray.core.paths import HOME_VARIABLE

VARIABLE = "BACKUP_TRAY_OBSERVE"
_FIRST_PERSON = 1000
"""User ids from here on are people, below are the system's own (Debian, Fedora, Arch)."""
_DYNAMIC = range(61184, 65520)  # systemd's DynamicUser= (systemd.io/UIDS-GIDS)


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose processes count.

    Attributes:
        uid: Ours.
        home: BACKUP_TRAY_HOME of this instance, None without.
        setting: What BACKUP_TRAY_OBSERVE says.
        others: Whether the processes of root and of system users count, for an ordinary user.
    """

    uid: int
    home: str | None = None
    setting: str = ""
    others: Callable[[], bool] = lambda: True

    @classmethod
    def of(cls, environ: Mapping[str, str], others: Callable[[], bool] = lambda: True) -> "Scope":
        """Return what *environ* asks for."""
        uid = os.geteuid() if hasattr(os, "geteuid") else -1
        return cls(uid, environ.get(HOME_VARIABLE) or None, environ.get(VARIABLE, "").lower(), others)

    @property
    def off(self) -> bool:
        """Whether nothing is looked at."""
        return self.setting in ("off", "no", "none", "0", "false")

    @property
    def everyone(self) -> bool:
        """Whether the processes of every user count."""
        return self.setting == "all"

    def user(self, uid: int) -> bool:
        """Whether processes of the user *uid* count."""
        if uid == self.uid or self.everyone:
            return True
        systems = uid < _FIRST_PERSON or uid in _DYNAMIC
        return systems if self.uid == 0 else not systems or self.others()

    def instance(self, environ: Mapping[str, str] | None) -> bool:
        """Whether a process with this environment (None: not known) belongs to this instance."""
        home = (environ or {}).get(HOME_VARIABLE) or None
        if home is None:
            return self.home is None or self.everyone
        return self.home is not None and os.path.abspath(home) == os.path.abspath(self.home)


def user_name(uid: int) -> str:
    """Return the name of a user, from the file alone: asking a directory service may take minutes."""
    try:
        with open("/etc/passwd", "rb") as file:
            for line in file:
                fields = line.split(b":")
                if len(fields) > 2 and fields[2] == str(uid).encode():
                    return fields[0].decode("utf-8", "replace")
    except OSError:
        pass
    return f"uid {uid}"
