"""Prices: the parts always sum to the whole, and no call costs more than was held for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import pricing
from billing.pricing import CREDIT, HIGHEST_ROYALTY
from core.errors import BadInput
from core.hardware import HIGHEST_RATE

royalties = st.integers(0, HIGHEST_ROYALTY)


@given(royalties, st.integers(0, HIGHEST_RATE), st.floats(0, 4_000_000), st.floats(0.001, 3000))
def test_a_charge_is_never_above_what_was_held(
    royalty: int, rate: int, ran_ms: float, timeout: float
) -> None:
    limit = pricing.most(royalty=royalty, rate=rate, timeout_s=timeout)
    cost = pricing.charge(royalty=royalty, rate=rate, ran_ms=ran_ms, limit=limit)
    assert cost.compute >= 0
    assert cost.total <= limit
    assert cost.compute % max(1, rate) == 0 or cost.total == limit
    assert cost.author_share + cost.market_cut + cost.compute == cost.total


@given(royalties)
def test_the_author_gets_seventy_percent_and_any_odd_fraction(royalty: int) -> None:
    cost = pricing.charge(royalty=royalty, rate=1000, ran_ms=0, limit=royalty)
    assert 0 <= cost.author_share * 10 - royalty * 7 < 10


def test_compute_is_charged_by_the_millisecond_begun() -> None:
    assert pricing.charge(royalty=0, rate=1000, ran_ms=0.01, limit=CREDIT).compute == 1000
    assert pricing.charge(royalty=0, rate=1000, ran_ms=1.0, limit=CREDIT).compute == 1000
    assert (
        pricing.charge(royalty=0, rate=1000, ran_ms=1000.2, limit=2 * CREDIT).compute == 1_001_000
    )


def test_kept_replicas_cost_as_much_as_calls_that_run_all_the_time() -> None:
    hour = pricing.reserved(rate=12_000, replicas=2, minutes=60)
    assert hour == 2 * pricing.charge(royalty=0, rate=12_000, ran_ms=3_600_000, limit=hour).compute
    assert pricing.reserved(rate=1000, replicas=1, minutes=60) == 3600 * CREDIT


@given(st.integers(0, 10**15))
def test_an_amount_that_is_written_reads_the_same(amount: int) -> None:
    assert pricing.parse_credits(pricing.credits_text(amount).replace(",", "")) == amount


@pytest.mark.parametrize("text", ["", "-1", "1e3", "0.0000001", "two", "1,5", "٣", "nan"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        pricing.parse_credits(text)


def test_amounts_are_shown_as_people_write_them() -> None:
    assert pricing.credits_text(2_000_000) == "2"
    assert pricing.credits_text(1_234_567_000_000) == "1,234,567"
    assert pricing.credits_text(-250_000) == "-0.25"
    assert pricing.usd_text(2_000_000) == "0.0002"
    assert pricing.usd_text(10_000 * CREDIT) == "1.00"
