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
from tray.core.dataclass import dataclass
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


class Allowance:
    """A number of times: *most* in a row, and *a_second* a second in the long run."""

    __slots__ = ("_a_second", "_at", "_left", "_most")

    def __init__(self, most: float, a_second: float) -> None:
        self._most, self._a_second = most, a_second
        self._left, self._at = most, clock.monotonic()

    def take(self) -> bool:
        """Use one up; return False if none is left."""
        now = clock.monotonic()
        self._left, self._at = min(self._most, self._left + (now - self._at) * self._a_second), now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class _Bucket:
    """The looks and runs that one user has left."""

    __slots__ = ("live", "looks", "runs")

    def __init__(self, looks: float, looks_per_second: float, runs: float) -> None:
        self.looks, self.runs, self.live = Allowance(looks, looks_per_second), Allowance(runs, runs / 3600), 0


class Quota:
    """The looks and runs that other users have left; our own user *uid* has no limit here."""

    def __init__(self, uid: int) -> None:
        self.uid = uid
        self._everyones = _Bucket(ALL_LOOKS, ALL_LOOKS_PER_SECOND, RUNS_AN_HOUR * ALL_FACTOR)
        self._buckets: dict[int, _Bucket] = {}
        self._bitten: dict[int, float] = {}

    def look(self, uid: int) -> bool:
        """Return whether one more process of *uid* may be looked at closely."""
        if uid == self.uid:
            return True
        return (self._of(uid).looks.take() and self._everyones.looks.take()) or self.refused(uid)

    def begin(self, uid: int) -> bool:
        """Return whether one more run of *uid* may be watched and put on record; `end` gives its place back."""
        if uid == self.uid:
            return True
        bucket = self._of(uid)
        full = bucket.live >= LIVE or self._everyones.live >= LIVE * ALL_FACTOR
        if full or not bucket.runs.take() or not self._everyones.runs.take():
            return self.refused(uid)
        bucket.live += 1
        self._everyones.live += 1
        return True

    def end(self, uid: int) -> None:
        """Note that a run of *uid* that `begin` let in is over."""
        if uid in self._buckets:
            for bucket in (self._buckets[uid], self._everyones):
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

    def _of(self, uid: int) -> _Bucket:
        if uid not in self._buckets and len(self._buckets) >= _MOST_USERS:
            self._buckets = {user: bucket for user, bucket in self._buckets.items() if bucket.live}
        return self._buckets.setdefault(uid, _Bucket(LOOKS, LOOKS_PER_SECOND, RUNS_AN_HOUR))


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
