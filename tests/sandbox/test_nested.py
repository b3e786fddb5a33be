"""Calls that an algorithm makes to others."""

import asyncio

from execution.outcome import ContentType, Failure, Payload
from tests.sandbox.authors import Author, again, failure_of, value_of

CALLS = """
import algorium
def apply(x):
    try:
        return algorium.call(**x)
    except algorium.CallError as error:
        return [error.type, str(error)]
"""


async def shout(reference: str, payload: Payload) -> Payload | Failure:
    if reference == "ada/Fails":
        return Failure("InputError", "not that")
    return Payload(ContentType.TEXT, reference.encode() + b":" + payload.data.upper())


async def test_another_algorithm_answers(author: Author) -> None:
    worker = await author.start(CALLS, calls_others=True)

    value = {"reference": "ada/Shout/1.0.0", "value": "hi"}
    assert value_of(await again(worker, value, on_call=shout)) == "ada/Shout/1.0.0:HI"
    assert value_of(await again(worker, {"reference": "ada/Fails"}, on_call=shout)) == [
        "InputError",
        "not that",
    ]


async def test_without_the_permission_nothing_is_called(author: Author) -> None:
    asked = []

    async def note(reference: str, payload: Payload) -> Payload:
        asked.append(reference)
        return payload

    value = value_of(await author.run(CALLS, {"reference": "ada/Shout"}, on_call=note))

    assert value[0] == "UnsupportedError"
    assert "permission" in value[1]
    assert asked == []


async def test_the_wire_itself_gives_no_way_around_the_permission(writer: Author) -> None:
    asked = []

    async def note(reference: str, payload: Payload) -> Payload:
        asked.append(reference)
        return payload

    outcome = await writer.run(
        """
        import gc, algorium
        def apply(x):
            server = algorium._call.__self__
            server._calls_others = True
            try:
                return algorium.call("ada/Shout")
            except algorium.CallError as error:
                return error.type
        """,
        on_call=note,
    )

    assert value_of(outcome) == "UnsupportedError"
    assert asked == []


async def test_threads_call_at_the_same_time(author: Author) -> None:
    together = asyncio.Barrier(8)

    async def meet(reference: str, payload: Payload) -> Payload:
        await together.wait()
        return payload

    outcome = await author.run(
        """
        import algorium
        from concurrent.futures import ThreadPoolExecutor
        def apply(x):
            with ThreadPoolExecutor(8) as pool:
                return list(pool.map(lambda n: algorium.call("ada/Echo", n), range(8)))
        """,
        calls_others=True,
        on_call=meet,
    )

    assert value_of(outcome) == list(range(8))


async def test_one_run_makes_at_most_24_calls(writer: Author) -> None:
    worker = await writer.start(
        """
        import algorium
        def apply(x):
            for n in range(x):
                algorium.call("ada/Shout", "x")
            return n + 1
        """,
        calls_others=True,
    )

    assert value_of(await again(worker, 24, on_call=shout)) == 24
    failure = failure_of(await again(worker, 25, on_call=shout))
    assert "at most 24" in failure.message
    assert value_of(await again(worker, 24, on_call=shout)) == 24


async def test_a_run_that_asks_without_end_is_ended(writer: Author) -> None:
    outcome = await writer.run(
        """
        import algorium
        def apply(x):
            while True:
                try:
                    algorium.call("ada/Shout", "x")
                except algorium.CallError:
                    pass
        """,
        calls_others=True,
        on_call=shout,
    )

    assert failure_of(outcome).type == "SystemError"


async def test_a_nested_call_has_its_own_deadline(writer: Author) -> None:
    async def never(reference: str, payload: Payload) -> Payload:
        await asyncio.Event().wait()
        return payload

    value = {"reference": "ada/Slow", "timeout": 0.1}
    got = value_of(await writer.run(CALLS, value, calls_others=True, on_call=never))

    assert got[0] == "TimeoutError"


async def test_a_run_that_ends_takes_its_open_calls_with_it(writer: Author) -> None:
    cancelled = asyncio.Event()

    async def never(reference: str, payload: Payload) -> Payload:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return payload

    worker = await writer.start(CALLS, calls_others=True)
    failure = failure_of(await again(worker, {"reference": "a/B"}, timeout_s=0.3, on_call=never))

    assert failure.type == "TimeoutError"
    await asyncio.wait_for(cancelled.wait(), 5)


async def test_the_client_that_algorithmia_had_works_through_it(writer: Author) -> None:
    outcome = await writer.run(
        """
        import Algorithmia
        def apply(x):
            return Algorithmia.client().algo("algo://ada/Shout").pipe(x).result
        """,
        "hi",
        calls_others=True,
        on_call=shout,
    )

    assert value_of(outcome) == "ada/Shout:HI"
