"""A call: held, run in a sandbox, settled. What goes wrong is free and harms no next call."""

import asyncio
import json
from collections.abc import Sequence

import pytest
from sqlmodel import col, select, update

from billing import ledger
from billing.groups import Group
from billing.ledger import Ledger, Settlement
from billing.models import Call, CallState, Hold
from billing.pricing import COMPUTE_RATE, CREDIT
from catalog.models import Algorithm, Isolation, Version, Visibility
from core.accounts.actor import VISITOR
from core.errors import BadInput, InsufficientCredits, NotFound, SignInNeeded, TooManyCalls
from execution.calls import Answer, Caller
from execution.outcome import ContentType, Payload
from tests.market import Market, actor_of
from tests.people import add_person

ECHO = "def apply(input):\n    return input\n"
OUTER = """
import algorium

def apply(reference):
    try:
        return algorium.call(reference, reference)
    except algorium.CallError as error:
        return [error.type]
"""
MOODS = """
import os, sys, time

class InputError(ValueError):
    pass

def apply(mood):
    if mood == "raise":
        raise InputError("the mood is wrong")
    if mood == "break":
        return 1 / 0
    if mood == "hang":
        time.sleep(60)
    if mood == "exit":
        sys.exit(3)
    if mood == "die":
        os.kill(os.getpid(), 9)
    if mood == "eat":
        return len(bytearray(4 * 2**30))
    if mood == "shout":
        print("x" * 50_000_000)
        return "shouted"
    if mood == "object":
        return object()
    if mood == "large":
        return "y" * 20_000_000
    return "well"
"""


async def balance(market: Market) -> tuple[int, int]:
    """The payer's balance and what is held of it."""
    async with market.sessions() as session:
        wallet = await ledger.wallet_of(session, market.payer.id)
        return wallet.balance, wallet.held


async def test_a_call_is_charged_royalty_and_compute_and_pays_its_author(market: Market) -> None:
    _, version = await market.publish("Echo", ECHO, royalty=10)
    before, _ = await balance(market)

    answer = await market.call("author/Echo", b'{"a": [1, 2]}')

    assert answer.outcome.result is not None
    assert answer.outcome.result.data == b'{"a":[1,2]}'
    assert answer.number == "1.0.0"
    assert answer.charge.royalty == 10
    assert answer.charge.compute >= COMPUTE_RATE
    assert await balance(market) == (before - answer.charge.total, 0)
    async with market.sessions() as session:
        author = await ledger.wallet_of(session, market.author.id)
        assert author.balance == 7
        record = await session.get_one(Call, answer.call_id)
        assert (record.version_id, record.state) == (version.id, CallState.SUCCEEDED)
        assert record.started_ms > 0
        assert await ledger.differences(session) == []


async def test_the_second_call_is_warm(market: Market) -> None:
    await market.publish("Echo", ECHO)
    assert (await market.call("author/Echo")).outcome.cold
    assert not (await market.call("author/Echo")).outcome.cold


@pytest.mark.parametrize(
    ("mood", "kind", "words"),
    [
        ("raise", "InputError", "the mood is wrong"),
        ("break", "AlgorithmError", "division by zero"),
        ("hang", "TimeoutError", "1 s"),
        ("exit", "SystemError", "3"),
        ("die", "SystemError", ""),
        ("eat", "OutOfMemoryError", ""),
        ("object", "ParsingError", "object"),
        ("large", "TooLargeError", ""),
    ],
)
async def test_what_goes_wrong_is_told_free_and_harms_no_next_call(
    market: Market, mood: str, kind: str, words: str
) -> None:
    await market.publish("Moods", MOODS, memory_mib=256)
    before, _ = await balance(market)
    await market.call("author/Moods", b'"well"')
    paid, _ = await balance(market)
    assert paid < before

    timeout_s = 1.0 if mood == "hang" else 30.0
    answer = await market.call("author/Moods", f'"{mood}"'.encode(), timeout_s=timeout_s)

    assert answer.outcome.failure is not None
    assert answer.outcome.failure.type == kind
    assert words in answer.outcome.failure.message
    assert answer.charge.total == 0
    assert await balance(market) == (paid, 0)
    async with market.sessions() as session:
        record = await session.get_one(Call, answer.call_id)
        assert (record.state, record.error_type) == (CallState.FAILED, kind)
    again = await market.call("author/Moods", b'"well"')
    assert again.outcome.failure is None


async def test_fifty_megabytes_of_printing_slow_nobody(market: Market) -> None:
    await market.publish("Moods", MOODS)
    owner = actor_of(market.author)
    async with market.sessions.begin() as session:
        await ledger.grant(session, market.author.id, 1000 * CREDIT, "to call itself")
    answer = await market.call("author/Moods", b'"shout"', actor=owner, wants_stdout=True)
    assert answer.outcome.failure is None
    assert answer.stdout is not None
    assert 1000 < len(answer.stdout) < 400_000


async def test_only_the_owner_gets_what_was_printed(market: Market) -> None:
    await market.publish("Prints", "def apply(x):\n    print('a secret')\n    return x\n")
    assert (await market.call("author/Prints", wants_stdout=True)).stdout is None


async def test_without_enough_credit_nothing_runs(market: Market) -> None:
    poor = await add_person(market.sessions, "poor", credit=20 * CREDIT)
    await market.publish("Echo", ECHO, royalty=1)
    with pytest.raises(InsufficientCredits, match="20 are free"):
        await market.call("author/Echo", actor=actor_of(poor), timeout_s=20)
    assert market.cluster.runs == 0
    # A shorter deadline sets less aside.
    answer = await market.call("author/Echo", actor=actor_of(poor), timeout_s=10)
    assert answer.outcome.failure is None


async def test_a_burst_never_spends_more_than_there_is(market: Market) -> None:
    credit = 500 * CREDIT
    poor = await add_person(market.sessions, "poor", credit=credit)
    market.caller = Caller(market.sessions, market.money, market.cluster, concurrency=200)
    code = "import time\ndef apply(x):\n    time.sleep(0.2)\n    return x\n"
    await market.publish("Slow", code, royalty=30 * CREDIT)
    # 50 are set aside for each, so that ten run at once; each then costs a little above 30.
    results = await asyncio.gather(
        *(market.call("author/Slow", actor=actor_of(poor), timeout_s=20) for _ in range(200)),
        return_exceptions=True,
    )
    served = [one for one in results if isinstance(one, Answer)]
    refused = [one for one in results if isinstance(one, InsufficientCredits)]
    assert len(served) + len(refused) == 200
    assert len(served) == market.cluster.runs
    assert 10 <= len(served) <= 16
    assert all(one.outcome.failure is None for one in served)
    async with market.sessions() as session:
        wallet = await ledger.wallet_of(session, poor.id)
        assert wallet.held == 0
        assert wallet.balance == credit - sum(one.charge.total for one in served)
        assert wallet.balance >= 0
        assert await ledger.differences(session) == []


async def test_a_caller_who_hangs_up_still_pays_once(market: Market) -> None:
    await market.publish(
        "Slow", "import time\ndef apply(x):\n    time.sleep(0.3)\n    return x\n", royalty=10
    )
    task = asyncio.create_task(market.call("author/Slow"))
    while market.cluster.runs == 0:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await market.caller.drain()
    async with market.sessions() as session:
        (record,) = (await session.scalars(select(Call))).all()
        assert record.state is CallState.SUCCEEDED
        assert (await session.scalars(select(Hold))).all() == []


async def test_selectors_pick_the_newest_that_they_select(market: Market) -> None:
    for number in [(1, 0, 0), (1, 1, 0), (1, 1, 2), (2, 0, 0)]:
        code = f"def apply(x):\n    return '{number}'\n"
        await market.publish("Many", code, number=number)
    for selector, number in {
        "": "2.0.0", "/latest": "2.0.0", "/1": "1.1.2", "/1.*": "1.1.2", "/1.0": "1.0.0",
        "/1.1.*": "1.1.2", "/1.1.0": "1.1.0",
    }.items():  # fmt: skip
        assert (await market.call(f"author/Many{selector}")).number == number
    for selector in ("/3", "/1.2", "/1.1.1", "/x", "/1.1.1.1", "/-1"):
        with pytest.raises(NotFound, match="404"):
            await market.call(f"author/Many{selector}")
    with pytest.raises(NotFound, match=r"has no version 3\."):
        await market.call("author/Many/3")


async def test_what_is_private_is_not_there_for_others(market: Market) -> None:
    await market.publish("Mine", ECHO, visibility=Visibility.PRIVATE)
    with pytest.raises(NotFound) as hidden:
        await market.call("author/Mine")
    with pytest.raises(NotFound) as absent:
        await market.call("author/None")
    assert str(hidden.value).replace("Mine", "None") == str(absent.value)
    async with market.sessions.begin() as session:
        await ledger.grant(session, market.author.id, 1000 * CREDIT, "to call itself")
    mine = await market.call("author/Mine", actor=actor_of(market.author))
    assert mine.outcome.failure is None


async def test_a_visitor_calls_nothing(market: Market) -> None:
    await market.publish("Echo", ECHO)
    with pytest.raises(SignInNeeded):
        await market.call("author/Echo", actor=VISITOR)


@pytest.mark.parametrize("timeout_s", [0, -1, 3001, float("nan"), float("inf")])
async def test_a_deadline_is_bounded(market: Market, timeout_s: float) -> None:
    with pytest.raises(BadInput):
        await market.call("author/Echo", timeout_s=timeout_s)


@pytest.mark.parametrize("own", [False, True], ids=["a stranger's", "the caller's own"])
async def test_code_of_a_stranger_cant_reach_what_is_private_to_its_caller(
    market: Market, own: bool
) -> None:
    owner = market.payer if own else market.author
    await add_person(market.sessions, "third")
    await market.publish("Outer", OUTER, calls_others=True)
    await market.publish("Secret", ECHO)
    async with market.sessions.begin() as session:
        for name, to, visibility in (
            ("Outer", owner, Visibility.PUBLIC),
            ("Secret", market.payer, Visibility.PRIVATE),
        ):
            await session.execute(
                update(Algorithm)
                .where(col(Algorithm.name) == name)
                .values(owner_id=to.id, visibility=visibility)
            )
    # The caller's own look-up, which must not be remembered for the stranger's code.
    await market.call("payer/Secret")
    answer = await market.call(f"{owner.name}/Outer", b'"payer/Secret"')

    result = answer.outcome.result
    assert result is not None
    assert result.data == (b"payer/Secret" if own else b'["EntityNotFoundError"]')


async def test_each_nested_call_is_charged_by_itself_and_pays_its_own_author(
    market: Market,
) -> None:
    third = await add_person(market.sessions, "third", credit=0)
    await market.publish("Outer", OUTER, calls_others=True, royalty=10)
    inner, _ = await market.publish("Echo", ECHO, royalty=100)
    async with market.sessions.begin() as session:
        await session.execute(
            update(Algorithm).where(col(Algorithm.id) == inner.id).values(owner_id=third.id)
        )
    before, _ = await balance(market)

    answer = await market.call("author/Outer", b'"third/Echo"')

    assert answer.outcome.result == Payload(ContentType.TEXT, b"third/Echo")
    async with market.sessions() as session:
        outer, nested = await session.scalars(select(Call).order_by(col(Call.royalty)))
        assert (nested.parent_id, nested.royalty, outer.royalty) == (outer.id, 100, 10)
        assert (nested.account_id, outer.account_id) == (market.payer.id, market.payer.id)
        for person, share in ((market.author, 7), (third, 70)):
            assert (await ledger.wallet_of(session, person.id)).balance == share
        spent = sum(one.royalty + one.compute for one in (outer, nested))
        assert await ledger.differences(session) == []
    assert await balance(market) == (before - spent, 0)


async def test_a_circle_ends_with_the_chain_that_it_went(market: Market) -> None:
    await market.publish("Outer", OUTER.replace("[error.type]", "str(error)"), calls_others=True)
    answer = await market.call("author/Outer", b'"author/Outer"')
    assert answer.outcome.result is not None
    words = answer.outcome.result.data.decode()
    assert "at most 5 deep" in words
    assert words.count("author/Outer →") == 6
    async with market.sessions() as session:
        assert len((await session.scalars(select(Call))).all()) == 6
    assert (await balance(market))[1] == 0


async def test_many_that_call_themselves_never_wait_for_each_other_for_ever(
    market: Market,
) -> None:
    # 12 at once, each six deep, in six slots.
    await market.publish("Outer", OUTER.replace("[error.type]", "'deep'"), calls_others=True)
    answers = await asyncio.gather(
        *(market.call("author/Outer", b'"author/Outer"', timeout_s=60) for _ in range(12))
    )
    assert [one.outcome.result for one in answers] == [Payload(ContentType.TEXT, b"deep")] * 12
    assert (await balance(market))[1] == 0


async def test_a_budget_bounds_what_the_calls_inside_cost(market: Market) -> None:
    await market.publish("Echo", ECHO, royalty=30 * CREDIT)
    await market.publish(
        "Often",
        """
import algorium

def apply(times):
    for n in range(times):
        try:
            algorium.call("author/Echo", n, timeout=10)
        except algorium.CallError as error:
            return [n, error.type, str(error)]
    return times
""",
        calls_others=True,
    )
    # Each may cost 60: its royalty, and the outer call's thirty seconds of compute.
    cheap = await market.call("author/Often", b"3", timeout_s=30, budget=100 * CREDIT)
    enough = await market.call("author/Often", b"3", timeout_s=30, budget=125 * CREDIT)

    assert cheap.outcome.result is not None
    n, kind, words = json.loads(cheap.outcome.result.data)
    assert (n, kind) == (2, "PaymentRequiredError")
    assert "budget" in words
    assert enough.outcome.result is not None
    assert enough.outcome.result.data == b"3"


async def test_what_a_call_has_begun_ends_with_it_and_costs_nothing(market: Market) -> None:
    await market.publish("Slow", "import time\ndef apply(x):\n    time.sleep(60)\n")
    await market.publish("Outer", OUTER, calls_others=True, royalty=10)
    before = await balance(market)

    answer = await market.call("author/Outer", b'"author/Slow"', timeout_s=2)

    assert answer.outcome.failure is not None
    assert answer.outcome.failure.type == "TimeoutError"
    await market.caller.drain()
    assert await balance(market) == before
    async with market.sessions() as session:
        calls = (await session.scalars(select(Call))).all()
        assert [one.state for one in calls] == [CallState.FAILED] * 2


async def test_an_account_has_only_so_many_calls_under_way(market: Market) -> None:
    await market.publish("Slow", "import time\ndef apply(x):\n    time.sleep(0.3)\n    return x\n")
    market.caller = Caller(market.sessions, market.money, market.cluster, concurrency=3)
    results = await asyncio.gather(
        *(market.call("author/Slow") for _ in range(5)), return_exceptions=True
    )
    assert [type(one) for one in results] == [Answer] * 3 + [TooManyCalls] * 2
    async with market.sessions.begin() as session:
        await ledger.grant(session, market.author.id, 1000 * CREDIT, "to call itself")
    assert (await market.call("author/Slow", actor=actor_of(market.author))).outcome.result
    assert (await market.call("author/Slow")).outcome.result


async def test_a_version_has_only_so_many_calls_under_way(market: Market) -> None:
    await market.publish("Slow", "import time\ndef apply(x):\n    time.sleep(0.3)\n    return x\n")
    await market.publish("Echo", ECHO)
    market.caller = Caller(market.sessions, market.money, market.cluster, queue=3)
    before = await balance(market)
    *slow, echo = await asyncio.gather(
        *(market.call("author/Slow") for _ in range(5)),
        market.call("author/Echo"),
        return_exceptions=True,
    )
    assert [type(one) for one in slow] == [Answer] * 3 + [TooManyCalls] * 2
    assert isinstance(echo, Answer)
    answered = [one for one in slow if isinstance(one, Answer)] + [echo]
    paid = sum(one.charge.total for one in answered)
    assert await balance(market) == (before[0] - paid, 0)
    assert (await market.call("author/Slow")).outcome.result


async def test_a_bug_of_ours_gives_back_what_was_held(market: Market) -> None:
    await market.publish("Echo", ECHO)
    before = await balance(market)

    async def invoke(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    market.cluster.invoke = invoke  # type: ignore[method-assign, assignment]
    answer = await market.call("author/Echo")
    assert answer.outcome.failure is not None
    assert answer.outcome.failure.type == "SystemError"
    assert await balance(market) == before


@pytest.mark.parametrize("written", [False, True], ids=["lost before", "lost after"])
async def test_a_settlement_that_the_database_interrupts_is_charged_once(
    market: Market, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    await market.publish("Echo", ECHO, royalty=10)
    before, _ = await balance(market)
    settle = Ledger.settle
    tries = 0

    async def interrupted(self: Ledger, ended: Sequence[Settlement]) -> list[bool]:
        nonlocal tries
        tries += 1
        if tries > 1:
            return await settle(self, ended)
        if written:
            await settle(self, ended)
        raise ConnectionResetError("the database restarts")

    monkeypatch.setattr(Ledger, "settle", interrupted)
    market.caller._settlements = Group(market.money.settle)
    answer = await market.call("author/Echo")
    assert answer.charge.royalty == 10
    assert await balance(market) == (before - answer.charge.total, 0)
    async with market.sessions() as session:
        assert await ledger.differences(session) == []


KEEPS = """
kept = []

def apply(x):
    kept.append(x)
    return kept
"""


@pytest.mark.parametrize("isolation", list(Isolation))
async def test_what_a_module_keeps_reaches_another_account_only_where_workers_are_shared(
    market: Market, isolation: Isolation
) -> None:
    _, version = await market.publish("Keeps", KEEPS)
    async with market.sessions.begin() as session:
        (await session.get_one(Version, version.id)).isolation = isolation
        await ledger.grant(session, market.author.id, 1000 * CREDIT, "to call itself")
    await market.call("author/Keeps", b"1")
    mine = await market.call("author/Keeps", b"2")
    theirs = await market.call("author/Keeps", b"3", actor=actor_of(market.author))
    assert mine.outcome.result is not None
    assert theirs.outcome.result is not None
    assert mine.outcome.result.data == b"[1,2]"
    assert theirs.outcome.result.data == (b"[3]" if isolation is Isolation.CALLER else b"[1,2,3]")


async def test_a_call_without_a_timeout_has_the_one_of_its_author(market: Market) -> None:
    _, version = await market.publish("Slow", "import time\ndef apply(x):\n    time.sleep(30)\n")
    async with market.sessions.begin() as session:
        (await session.get_one(Version, version.id)).timeout_s = 1
    answer = await market.call("author/Slow", timeout_s=None)
    assert answer.outcome.failure is not None
    assert answer.outcome.failure.message.endswith("within 1 s.")
