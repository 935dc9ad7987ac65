"""How much of the observer's time and of the record another user's processes may take.

Any user can start a thousand programs called restic. Each of our own processes is looked at; another user's only as often as the
quota allows, and `notes` says whose limit was reached, so that a run that is missing has a reason.
"""

from dataclasses import dataclass, field

from tray.core import clock
from tray.observe.scope import user_name

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
"""So long after a limit was reached last it is still said."""
_MOST_USERS = 1000
_EVERYONE = -1


@dataclass(slots=True)
class _Bucket:
    """What is left for one user."""

    looks: float
    runs: float
    at: float
    live: int = 0


@dataclass(slots=True)
class Quota:
    """What other users have left.

    Attributes:
        uid: Ours, which has no limit here.
    """

    uid: int
    _buckets: dict[int, _Bucket] = field(default_factory=dict)
    _bitten: dict[int, float] = field(default_factory=dict)

    def look(self, uid: int) -> bool:
        """Whether one more process of *uid* may be looked at closely."""
        if uid == self.uid:
            return True
        pair = self._pair(uid)
        if any(bucket.looks < 1 for bucket in pair):
            return self.refused(uid)
        for bucket in pair:
            bucket.looks -= 1
        return True

    def begin(self, uid: int) -> bool:
        """Whether one more run of *uid* may be watched and put on record; `end` gives its place back."""
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
        """Note that a process of *uid* was not looked at; returns False."""
        if len(self._bitten) < _MOST_USERS or uid in self._bitten:
            self._bitten[uid] = clock.monotonic()
        return False

    def notes(self) -> tuple[str, ...]:
        """Say whose limit was reached within the last hour."""
        now = clock.monotonic()
        self._bitten = {uid: at for uid, at in self._bitten.items() if now - at < SAID_SECONDS}
        names = sorted(user_name(uid) for uid in list(self._bitten)[:3])
        if not names:
            return ()
        more = f" and {len(self._bitten) - 3} more users" if len(self._bitten) > 3 else ""
        said = (
            f"{', '.join(names)}{more} started more backup programs than the tracker watches for another user"
            f" ({LIVE} at once, {RUNS_AN_HOUR} an hour); some of their runs are not shown"
        )
        return (said,)

    def _pair(self, uid: int) -> tuple[_Bucket, _Bucket]:
        return self._bucket(uid, 1, LOOKS, LOOKS_PER_SECOND), self._bucket(
            _EVERYONE, ALL_FACTOR, ALL_LOOKS, ALL_LOOKS_PER_SECOND
        )

    def _bucket(self, uid: int, factor: int, looks: float, a_second: float) -> _Bucket:
        now, runs = clock.monotonic(), float(RUNS_AN_HOUR * factor)
        if len(self._buckets) > _MOST_USERS:
            self._buckets = {number: one for number, one in self._buckets.items() if one.live or number == _EVERYONE}
        bucket = self._buckets.setdefault(uid, _Bucket(looks, runs, now))
        gone, bucket.at = now - bucket.at, now
        bucket.looks = min(looks, bucket.looks + gone * a_second)
        bucket.runs = min(runs, bucket.runs + gone * runs / 3600)
        return bucket
