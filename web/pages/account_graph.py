"""A graph of amounts by day, made here as SVG. Pure: days in, shapes out."""

from collections.abc import Sequence
from dataclasses import dataclass

from billing.statements import Day

HEIGHT = 100
# A day's place on the axis, and the bar in it.
STEP = 10
_BAR = 7
_LEAST = 1.5
_STEPS = (1, 2, 5, 10)


@dataclass(frozen=True, slots=True)
class Bar:
    """One day's bar, from the ground up, in units of the drawing."""

    day: Day
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Graph:
    """All bars, and the amount at the top of the scale; the scale begins at zero."""

    bars: tuple[Bar, ...]
    top: int

    @property
    def width(self) -> int:
        """How wide the drawing is."""
        return len(self.bars) * STEP

    @property
    def total(self) -> int:
        """What all days sum to."""
        return sum(bar.day.amount for bar in self.bars)

    @property
    def today(self) -> int:
        """What the last day amounts to."""
        return self.bars[-1].day.amount if self.bars else 0

    @property
    def calls(self) -> int:
        """How many calls there were in all."""
        return sum(bar.day.calls for bar in self.bars)


def graph(days: Sequence[Day]) -> Graph:
    """Draw days, the oldest first. A small amount is still seen; nothing is not."""
    top = scale_top(max((day.amount for day in days), default=0))
    return Graph(tuple(_bar(index, day, top) for index, day in enumerate(days)), top)


def scale_top(highest: int) -> int:
    """Give the round number that the scale ends at: 1, 2 or 5 times a power of ten."""
    power = int(10 ** (len(str(max(highest, 1))) - 1))
    return next(step * power for step in _STEPS if step * power >= highest)


def _bar(index: int, day: Day, top: int) -> Bar:
    height = max(_LEAST, round(day.amount * HEIGHT / top, 2)) if day.amount > 0 else 0.0
    return Bar(day, index * STEP + (STEP - _BAR) / 2, HEIGHT - height, _BAR, height)
