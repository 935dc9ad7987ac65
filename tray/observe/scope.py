"""Decide whose processes an instance looks at, and how many of another user's.

- Ours always. Root: also those of system users (services run as `postgres`, `www-data` …). An ordinary user: also those of others,
  as far as the kernel shows them; those that root looks at only if root's instance does not tell us of them (`others`).
- A process whose environment has another BACKUP_TRAY_HOME belongs to another instance. An instance with BACKUP_TRAY_HOME of its own
  (a trial, a test, a portable one) takes only processes that have the same value, so that trials do not record real backups.
- BACKUP_TRAY_OBSERVE in the tracker's environment: `off` looks at nothing, `all` at the processes of every user, also in an
  instance with BACKUP_TRAY_HOME (but not at those of another one).

Any user can start a thousand programs called restic. Each of our own processes is looked at; another user's only as often as the
quota allows, and `Quota.notes` names the user whose limit was reached, so that a run that is missing has a reason.
"""

import os
from collections.abc import Callable, Mapping

from tray.core import clock
from tray.core.dataclass import dataclass, field
from tray.core.paths import HOME_VARIABLE

VARIABLE = "BACKUP_TRAY_OBSERVE"
_FIRST_PERSON = 1000
"""User ids from here on are people, below are the system's own (Debian, Fedora, Arch)."""
_DYNAMIC = range(61184, 65520)  # systemd's DynamicUser= (systemd.io/UIDS-GIDS)

LOOKS, LOOKS_PER_SECOND = 60.0, 0.5
"""Closer looks at one other user's processes: in a row, and in the long run."""
ALL_LOOKS, ALL_LOOKS_PER_SECOND = 240.0, 2.0
"""The same for all other users together: user namespaces give one person thousands of user ids."""
RUNS_AN_HOUR = 60
"""Runs of one other user that are put on record; `ALL_FACTOR` times that of all others together."""
LIVE = 10
"""Runs of one other user that are watched at once."""
ALL_FACTOR = 4
SAID_SECONDS = 3600.0
"""How long a note about a limit stays after the limit was last reached."""
_MOST_USERS = 1000
_EVERYONE = -1


@dataclass(frozen=True, slots=True)
class Scope:
    """The users whose processes count.

    Attributes:
        uid: Our own user.
        home: BACKUP_TRAY_HOME of this instance, None without.
        setting: Value of BACKUP_TRAY_OBSERVE.
        others: Tells whether the processes of root and of system users count, for an ordinary user.
    """

    uid: int
    home: str | None = None
    setting: str = ""
    others: Callable[[], bool] = lambda: True

    @classmethod
    def of(cls, environ: Mapping[str, str], others: Callable[[], bool] = lambda: True) -> "Scope":
        """Return the scope that *environ* asks for."""
        uid = os.geteuid() if hasattr(os, "geteuid") else -1
        return cls(uid, environ.get(HOME_VARIABLE) or None, environ.get(VARIABLE, "").lower(), others)

    @property
    def off(self) -> bool:
        """Whether the user has switched observing off."""
        return self.setting in ("off", "no", "none", "0", "false")

    @property
    def everyone(self) -> bool:
        """Whether the processes of every user count."""
        return self.setting == "all"

    def user(self, uid: int) -> bool:
        """Return whether processes of the user *uid* count."""
        if uid == self.uid or self.everyone:
            return True
        systems = uid < _FIRST_PERSON or uid in _DYNAMIC
        return systems if self.uid == 0 else not systems or self.others()

    def instance(self, environ: Mapping[str, str] | None) -> bool:
        """Return whether a process with this environment (None: not known) belongs to this instance."""
        home = (environ or {}).get(HOME_VARIABLE) or None
        if home is None:
            return self.home is None or self.everyone
        return self.home is not None and os.path.abspath(home) == os.path.abspath(self.home)


@dataclass(slots=True)
class _Bucket:
    """The looks and runs that one user has left."""

    looks: float
    runs: float
    at: float
    live: int = 0


@dataclass(slots=True)
class Quota:
    """The looks and runs that other users have left; our own user *uid* has no limit here."""

    uid: int
    _buckets: dict[int, _Bucket] = field(default_factory=dict)
    _bitten: dict[int, float] = field(default_factory=dict)

    def look(self, uid: int) -> bool:
        """Return whether one more process of *uid* may be looked at closely."""
        if uid == self.uid:
            return True
        pair = self._pair(uid)
        if any(bucket.looks < 1 for bucket in pair):
            return self.refused(uid)
        for bucket in pair:
            bucket.looks -= 1
        return True

    def begin(self, uid: int) -> bool:
        """Return whether one more run of *uid* may be watched and put on record; `end` gives its place back."""
        if uid == self.uid:
            return True
        pair = self._pair(uid)
        if any(
            bucket.runs < 1 or bucket.live >= most for bucket, most in zip(pair, (LIVE, LIVE * ALL_FACTOR), strict=True)
        ):
            return self.refused(uid)
        for bucket in pair:
            bucket.runs -= 1
            bucket.live += 1
        return True

    def end(self, uid: int) -> None:
        """Note that a run of *uid* that `begin` let in is over."""
        for number in () if uid == self.uid else (uid, _EVERYONE):
            if (bucket := self._buckets.get(number)) is not None:
                bucket.live = max(bucket.live - 1, 0)

    def refused(self, uid: int) -> bool:
        """Note that a process of *uid* was not looked at; return False."""
        if len(self._bitten) < _MOST_USERS or uid in self._bitten:
            self._bitten[uid] = clock.monotonic()
        return False

    def notes(self) -> tuple[str, ...]:
        """Name the users whose limit was reached within the last hour, in one sentence."""
        now = clock.monotonic()
        self._bitten = {uid: at for uid, at in self._bitten.items() if now - at < SAID_SECONDS}
        names = sorted(user_name(uid) for uid in list(self._bitten)[:3])
        if not names:
            return ()
        more = f" and {len(self._bitten) - 3} more users" if len(self._bitten) > 3 else ""
        note = (
            f"{', '.join(names)}{more} started more backup programs than the tracker watches for another user"
            f" ({LIVE} at once, {RUNS_AN_HOUR} an hour); some of their runs are not shown"
        )
        return (note,)

    def _pair(self, uid: int) -> tuple[_Bucket, _Bucket]:
        everyone = self._bucket(_EVERYONE, ALL_FACTOR, ALL_LOOKS, ALL_LOOKS_PER_SECOND)
        return self._bucket(uid, 1, LOOKS, LOOKS_PER_SECOND), everyone

    def _bucket(self, uid: int, factor: int, looks: float, a_second: float) -> _Bucket:
        now, runs = clock.monotonic(), float(RUNS_AN_HOUR * factor)
        if len(self._buckets) > _MOST_USERS:
            self._buckets = {user: other for user, other in self._buckets.items() if other.live or user == _EVERYONE}
        bucket = self._buckets.setdefault(uid, _Bucket(looks, runs, now))
        gone, bucket.at = now - bucket.at, now
        bucket.looks = min(looks, bucket.looks + gone * a_second)
        bucket.runs = min(runs, bucket.runs + gone * runs / 3600)
        return bucket


def user_name(uid: int) -> str:
    """Return the name of a user, from /etc/passwd alone: asking a directory service may take minutes."""
    try:
        with open("/etc/passwd", "rb") as file:
            for line in file:
                fields = line.split(b":")
                if len(fields) > 2 and fields[2] == str(uid).encode():
                    return fields[0].decode("utf-8", "replace")
    except OSError:
        pass
    return f"uid {uid}"
