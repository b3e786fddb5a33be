"""The policy of replicas, on a clock that the test steps."""

from hypothesis import given
from hypothesis import strategies as st

from execution.scaling import BUSY_S, IDLE_S, LESS_S, Rule, Scale, step

RULE = Rule(target_ongoing=4, max_replicas=3)


def run(scale: Scale, loads: list[float], *, began: float = 0.0, rule: Rule = RULE) -> Scale:
    """One load a second."""
    for n, ongoing in enumerate(loads):
        scale = step(scale, rule, ongoing, began + n)
    return scale


def test_a_burst_stays_in_the_pool() -> None:
    assert run(Scale(), [50.0] * int(BUSY_S) + [0.0] * 3).replicas == 0


def test_a_version_that_stays_busy_gets_replicas_for_its_calls() -> None:
    busy = int(BUSY_S) + 1
    assert run(Scale(), [4.0] * busy).replicas == 1
    assert run(Scale(), [6.0] * busy).replicas == 2
    assert run(Scale(), [99.0] * busy).replicas == 3


def test_one_that_is_a_little_below_its_target_stays_in_the_pool() -> None:
    assert run(Scale(), [3.9] * 1000) == Scale()


def test_it_grows_at_once_and_shrinks_only_after_a_while() -> None:
    scale = run(Scale(replicas=1), [9.0])
    assert scale.replicas == 3
    scale = run(scale, [5.0] * int(LESS_S))
    assert scale.replicas == 3
    scale = run(scale, [1.0] * 2, began=LESS_S)
    # The most that it needed meanwhile.
    assert scale.replicas == 2


def test_a_peak_in_between_begins_the_wait_anew() -> None:
    scale = run(Scale(replicas=3), [1.0] * 29 + [9.0] + [1.0] * 29)
    assert scale.replicas == 3


def test_it_goes_back_to_the_pool_when_it_is_hardly_called() -> None:
    scale = run(Scale(replicas=3), [0.01] * int(IDLE_S))
    assert scale.replicas == 1
    assert run(scale, [0.0], began=IDLE_S) == Scale()


def test_one_call_now_and_then_keeps_it() -> None:
    loads = ([0.0] * 100 + [0.2]) * 10
    assert run(Scale(replicas=1), loads).replicas == 1


def test_the_author_may_keep_it_in_the_pool() -> None:
    assert run(Scale(), [99.0] * 100, rule=Rule(4, 0)) == Scale()
    assert run(Scale(replicas=2), [99.0], rule=Rule(4, 0)) == Scale()


ALONE = Rule(target_ongoing=4, max_replicas=3, pooled=False)


def test_without_a_pool_the_first_call_that_waits_starts_a_replica() -> None:
    assert run(Scale(), [0.0] * 10, rule=ALONE) == Scale()
    assert run(Scale(), [0.01], rule=ALONE).replicas == 1
    assert run(Scale(), [9.0], rule=ALONE).replicas == 3


def test_without_a_pool_idleness_takes_the_last_replica() -> None:
    scale = run(Scale(replicas=2), [0.0] * int(IDLE_S), rule=ALONE)
    assert scale.replicas == 1
    assert run(scale, [0.0], began=IDLE_S, rule=ALONE) == Scale()


KEPT = Rule(target_ongoing=4, max_replicas=3, min_replicas=2)


def test_what_is_reserved_is_there_at_once_and_stays() -> None:
    scale = run(Scale(), [0.0], rule=KEPT)
    assert scale.replicas == 2
    assert run(scale, [0.0] * int(3 * IDLE_S), rule=KEPT).replicas == 2
    assert run(Scale(replicas=1), [0.0], rule=KEPT).replicas == 2


def test_what_is_reserved_grows_and_comes_back_to_what_is_reserved() -> None:
    scale = run(Scale(replicas=2), [12.0], rule=KEPT)
    assert scale.replicas == 3
    assert run(scale, [0.0] * int(LESS_S + 2), rule=KEPT).replicas == 2


def test_when_a_reservation_ends_it_goes_back_to_the_pool() -> None:
    scale = run(Scale(), [0.0], rule=KEPT)
    assert run(scale, [0.0] * int(IDLE_S + 1)) == Scale()


@given(
    st.lists(st.floats(0, 50), max_size=60),
    st.integers(0, 4),
    st.integers(0, 4),
    st.booleans(),
)
def test_there_are_never_more_or_fewer_than_the_author_set(
    loads: list[float], most: int, least: int, pooled: bool
) -> None:
    rule = Rule(2, most, min(least, most), pooled=pooled)
    scale = Scale()
    for n, ongoing in enumerate(loads):
        scale = step(scale, rule, ongoing, float(n))
        assert rule.min_replicas <= scale.replicas <= most
