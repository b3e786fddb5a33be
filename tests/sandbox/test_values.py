"""What goes into an author's function and what comes out of it."""

import math
import sys
from typing import Any

import pytest

from execution.languages.python import values
from execution.outcome import ContentType, Payload
from tests.sandbox.authors import Author, again, failure_of, value_of

ECHO = "def apply(x): return x"


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -1.5, 2**70, "", "Grüße", b"", b"\x00\xff", [], {"a": [1, {"b": None}]}],
    ids=repr,
)
def test_a_value_survives_both_ways(value: Any) -> None:
    kind, data = values.to_payload(value)

    assert values.to_value(kind, data) == value


async def test_every_kind_of_payload_is_echoed_as_it_came(author: Author) -> None:
    worker = await author.start(ECHO)

    for value in ("Grüße", b"\x00\xff" * 10, [1, {"a": None}], 3, None):
        assert value_of(await again(worker, value)) == value


async def test_a_call_without_input_gives_none(writer: Author) -> None:
    worker = await writer.start("def apply(x): return repr(x)")

    outcome = await worker.run(Payload(ContentType.VOID, b""), 5, wants_stdout=False, on_call=None)

    assert value_of(outcome) == "None"


async def test_tuples_become_arrays_and_bytearrays_binary(writer: Author) -> None:
    worker = await writer.start("def apply(x): return (1, (2,)) if x == 1 else bytearray(b'ab')")

    assert value_of(await again(worker, 1)) == [1, [2]]
    assert value_of(await again(worker, 2)) == b"ab"


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("{1, 2}", "set"),
        ("{'a': [object()]}", "object"),
        ("float('nan')", "NaN"),
        ("{(1, 2): 3}", "key"),
        ("'\\ud800'", "surrogate"),
        ("[b'x']", "bytes"),
    ],
)
async def test_what_json_cant_carry_is_named(writer: Author, code: str, named: str) -> None:
    failure = failure_of(await writer.run(f"def apply(x): return {code}"))

    assert failure.type == "ParsingError"
    assert named in failure.message


async def test_a_list_that_holds_itself_is_refused(writer: Author) -> None:
    outcome = await writer.run("def apply(x):\n    a = []\n    a.append(a)\n    return a")

    assert failure_of(outcome).type == "ParsingError"


def test_numpys_values_become_pythons() -> None:
    numpy = pytest.importorskip("numpy")

    kind, data = values.to_payload(
        {"a": numpy.arange(3), "b": numpy.float32(0.5), "c": numpy.int64(2)}
    )

    assert (kind, data) == ("json", b'{"a":[0,1,2],"b":0.5,"c":2}')


def test_infinity_is_refused() -> None:
    with pytest.raises(values.NotCarried, match="infinity"):
        values.to_payload([math.inf])


async def test_ten_mebibytes_pass_both_ways(writer: Author) -> None:
    data = bytes(range(256)) * 40_960

    assert value_of(await writer.run(ECHO, data)) == data
    assert sys.getsizeof(data) > 10_000_000


async def test_a_result_beyond_the_limit_is_too_large(writer: Author) -> None:
    worker = await writer.start("def apply(x): return b'x' * x")

    failure = failure_of(await again(worker, 15 * 1024 * 1024 + 1))

    assert failure.type == "TooLargeError"
    assert "15" in failure.message
    assert len(value_of(await again(worker, 15 * 1024 * 1024))) == 15 * 1024 * 1024
