"""How many calls of each version a replica has, on the average of a time."""

import time
from collections import Counter
from collections.abc import Callable


class Load:
    """Counts what is under way, waiting for a worker included, and takes its mean over time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._now: Counter[str] = Counter()
        self._sums: dict[str, float] = {}
        self._since: dict[str, float] = {}
        self._read_at = clock()

    def enter(self, version_id: str) -> None:
        """A call of it has come."""
        self._add(version_id, self._clock())
        self._now[version_id] += 1

    def leave(self, version_id: str) -> None:
        """A call of it has ended."""
        self._add(version_id, self._clock())
        self._now[version_id] -= 1

    def read(self) -> dict[str, float]:
        """Give the mean of each version that had any since the last reading, and begin anew."""
        moment = self._clock()
        span = max(moment - self._read_at, 1e-9)
        for version_id in list(self._since):
            self._add(version_id, moment)
        means = {version_id: total / span for version_id, total in self._sums.items() if total}
        self._read_at = moment
        self._sums.clear()
        for version_id in [one for one, count in self._now.items() if not count]:
            del self._now[version_id], self._since[version_id]
        return means

    def _add(self, version_id: str, moment: float) -> None:
        span = moment - self._since.get(version_id, moment)
        self._sums[version_id] = self._sums.get(version_id, 0.0) + span * self._now[version_id]
        self._since[version_id] = moment
