"""The read limit of a whole Scan."""

from __future__ import annotations


class RateLimiter:
    """The one limit for all tasks: read units are lent before they are used, at a rate.

    A loan says how long to wait. Nothing is saved up while nobody asks, so that no burst follows a
    pause, and nothing is lent further ahead than a moment: what a page did not use is lent again
    at once, and two loans for one moment would be a burst. The rate rises slowly at first, and
    again after a throttle, which cuts it.

    All times are seconds of one clock, all rates read units a second.
    """

    # Of the target, for requests do not arrive as evenly as they are sent.
    PACE = 0.99
    AHEAD = 0.1
    START = 0.1
    RISE = 0.1
    RISE_AFTER_THROTTLE = 0.02
    CUT = 0.8
    FLOOR = 0.05
    SECONDS_BETWEEN_CUTS = 1.0

    def __init__(self, target: float, now: float) -> None:
        self.target = target
        self._level, self._since, self._rise = self.START, now, self.RISE
        self._free_at = now

    def rate(self, now: float) -> float:
        return self.target * min(1.0, self._level + self._rise * (now - self._since))

    def free_in(self, units: float, now: float) -> float:
        """How many seconds from now on no such loan is made; 0 if it is.

        Of loans that take longer than a moment, one is made ahead.
        """
        ahead = max(self.AHEAD, units / self.rate(now))
        return max(0.0, self._free_at - ahead - now)

    def acquire(self, units: float, now: float) -> float:
        """Lend units; how many seconds to wait before they may be used."""
        begins = max(now, self._free_at)
        self._free_at = begins + units / (self.PACE * self.rate(begins))
        return begins - now

    def correct(self, lent: float, used: float, now: float) -> None:
        """Lend again what was not used, or let the next ones wait for what was used beyond."""
        self._free_at = max(now, self._free_at + (used - lent) / (self.PACE * self.rate(now)))

    def retarget(self, target: float, now: float) -> None:
        """The table has another capacity now; the rate rises to it as slowly as at first."""
        level = self.rate(now) / target
        self.target = target
        self._level, self._since = min(1.0, level), now

    def throttled(self, now: float) -> None:
        """The table has refused a page: less for a while, but at most one cut a second."""
        is_new = now - self._since < self.SECONDS_BETWEEN_CUTS
        if self._rise == self.RISE_AFTER_THROTTLE and is_new:
            return
        level = self.rate(now) / self.target
        self._level, self._since = max(self.FLOOR, level * self.CUT), now
        self._rise = self.RISE_AFTER_THROTTLE
