"""Who may run one more: nobody fills a pool, and nobody waits in a circle."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.bounds import DEEPEST, Bounds
from execution.outcome import Artefact
from execution.shares import FEW, Shares

BOUNDS = Bounds(slots=100, running=20, per_version=8, memory_mib=16 * 1024)


def version(name: str, memory_mib: int = 128, *, calls_others: bool = False) -> Artefact:
    return Artefact(name, name, "/s", "", memory_mib, calls_others=calls_others)


def fill(shares: Shares, payer: str, *artefacts: Artefact) -> int:
    """Let a payer run as much as he may; gives how many runs that are."""
    count = 0
    while any(shares.may_run(one, payer, 0) for one in artefacts):
        one = next(one for one in artefacts if shares.may_run(one, payer, 0))
        shares.enter(one, payer)
        count += 1
    return count


def test_one_payer_leaves_a_quarter_of_a_versions_workers() -> None:
    shares = Shares(BOUNDS)
    assert fill(shares, "busy", version("a")) == 6
    assert shares.may_run(version("a"), "quiet", 0)


def test_one_payer_leaves_a_quarter_of_all_runs() -> None:
    shares = Shares(BOUNDS)
    assert fill(shares, "busy", *(version(str(n)) for n in range(9))) == 15
    assert fill(shares, "quiet", version("a")) == FEW


def test_one_payer_leaves_a_quarter_of_the_memory() -> None:
    shares = Shares(BOUNDS)
    assert fill(shares, "busy", *(version(str(n), 4096) for n in range(9))) == 3
    assert shares.may_run(version("a", 4096), "quiet", 0)


def test_a_tiny_pool_serves_one_payer_whole() -> None:
    shares = Shares(Bounds(slots=2, running=2, per_version=2, memory_mib=256))
    assert fill(shares, "only", version("a")) == 2


def test_what_a_run_calls_isnt_kept_from_it() -> None:
    shares = Shares(BOUNDS)
    fill(shares, "busy", *(version(str(n)) for n in range(9)))
    assert not shares.may_run(version("a"), "busy", 0)
    assert shares.may_run(version("a"), "busy", 1)


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["x", "y", "z"]), st.booleans()),
        max_size=60,
    )
)
def test_leaving_undoes_entering(runs: list[tuple[str, str, bool]]) -> None:
    shares = Shares(BOUNDS)
    fresh = vars(Shares(BOUNDS))
    for payer, name, calls in runs:
        shares.enter(version(name, calls_others=calls), payer)
    for payer, name, calls in reversed(runs):
        shares.leave(version(name, calls_others=calls), payer)
    assert vars(shares) == fresh


@pytest.mark.parametrize("depth", range(DEEPEST))
def test_runs_that_call_others_leave_room_for_what_they_call(depth: int) -> None:
    shares = Shares(BOUNDS)
    caller = version("a", calls_others=True)
    while shares.may_run(caller, "p", depth):
        shares.enter(caller, "p")
    assert shares.may_run(caller, "p", depth + 1)
