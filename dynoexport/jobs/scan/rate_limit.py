"""The read limit of a whole Scan."""

from __future__ import annotations


class RateLimiter:
    """One read limit for all tasks: it lends read units, at a rate, before they are used.

    A loan says how long to wait. Units do not add up while nobody asks, so that no burst follows a
    pause. Units are lent only a moment ahead: unused units of a page are lent again at once, and
    two loans for one moment would be a burst. A throttle cuts the rate. At the start and after a
    throttle, it rises slowly.

    All times are seconds of one clock, all rates read units a second.
    """

    # The part of the target to use, because requests arrive less evenly than they are sent.
    PACE = 0.99
    AHEAD = 0.1
    START = 0.1
    RISE = 0.1
    RISE_AFTER_THROTTLE = 0.02
    CUT = 0.8
    FLOOR = 0.05
    SECONDS_BETWEEN_CUTS = 1.0
    # How much of the reading before a lower target is made up for, at most.
    OWED_SECONDS = 10.0

    def __init__(self, target: float, now: float) -> None:
        self.target, self._looked = target, now
        self._level, self._since, self._rise = self.START, now, self.RISE
        self._free_at = now

    def rate(self, now: float) -> float:
        return self.target * min(1.0, self._level + self._rise * (now - self._since))

    def free_in(self, units: float, now: float) -> float:
        """Seconds until such a loan is possible; 0 if it is possible now.

        One loan that lasts longer than a moment may be made ahead.
        """
        ahead = max(self.AHEAD, units / self.rate(now))
        return max(0.0, self._free_at - ahead - now)

    def acquire(self, units: float, now: float) -> float:
        """Lend units; the seconds to wait before using them."""
        begins = max(now, self._free_at)
        self._free_at = begins + units / (self.PACE * self.rate(begins))
        return begins - now

    def correct(self, lent: float, used: float, now: float) -> None:
        """Take back units that were not used, or delay the next loans for units beyond the loan."""
        self._free_at = max(now, self._free_at + (used - lent) / (self.PACE * self.rate(now)))

    def retarget(self, target: float, now: float) -> None:
        """Set the target that the table's capacity allows now; the rate rises to it slowly.

        A lower target may be as old as the last call. What was lent beyond it since then is owed:
        no unit is lent until the target has made up for it.
        """
        owed = (self.rate(now) - target) * min(now - self._looked, self.OWED_SECONDS)
        self._looked = now
        if target == self.target:
            return
        if owed > 0:
            self._free_at = max(now, self._free_at) + owed / (self.PACE * target)
        level = self.rate(now) / target
        self.target = target
        self._level, self._since = min(1.0, level), now

    def throttled(self, now: float) -> None:
        """Cut the rate, because the table refused a page; at most once a second."""
        is_new = now - self._since < self.SECONDS_BETWEEN_CUTS
        if self._rise == self.RISE_AFTER_THROTTLE and is_new:
            return
        level = self.rate(now) / self.target
        self._level, self._since = max(self.FLOOR, level * self.CUT), now
        self._rise = self.RISE_AFTER_THROTTLE
