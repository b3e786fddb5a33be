"""The mean number of calls under way."""

import pytest

from execution.load import Load


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_mean_is_over_the_time_since_the_last_reading() -> None:
    clock = Clock()
    load = Load(clock)
    load.enter("a")
    load.enter("a")
    clock.now += 1
    load.leave("a")
    load.enter("b")
    clock.now += 3
    assert load.read() == pytest.approx({"a": (2 + 3) / 4, "b": 3 / 4})
    clock.now += 2
    load.leave("b")
    clock.now += 2
    assert load.read() == pytest.approx({"a": 1.0, "b": 0.5})
    load.leave("a")
    clock.now += 1
    assert load.read() == {}
    assert load.read() == {}
