"""What every language owes its authors and their callers: one suite, run against each.

A language takes part by a folder in `projects/`, with the same three small algorithms:
`Hello`, without a load step; `Broken`, whose load step fails; and `Probe`, which does what
its input says, and gives anything else back as it came.
"""

from typing import Any

import pytest

from execution.outcome import ContentType, Failure, Payload
from execution.sandbox.worker import Worker
from tests.languages.workshop import Workshop
from tests.sandbox.authors import WAYS, again, failure_of, value_of

MIB = 1024 * 1024
ECHOED: list[Any] = [
    *("Grüße, ☃", "", b"\x00\xff" * 10, b""),
    *(None, True, 0, -12, 1.5, "[1]", [], {}, [1, [2, {"a": None}], 'ü\n"\\']),
    {"b": {"c": [0.25, False]}, "a b": "x"},
]  # fmt: skip


async def does(worker: Worker, act: str, **more: Any) -> Any:
    return value_of(await again(worker, {"do": act, **more}))


async def test_the_first_program_of_every_author(workshop: Workshop) -> None:
    worker = await workshop.start("Hello")

    assert value_of(await again(worker, "Bob")) == "Hello Bob"
    assert value_of(await again(worker, "Ann")) == "Hello Ann"


async def test_text_json_and_bytes_go_in_and_out(workshop: Workshop) -> None:
    worker = await workshop.start()

    for value in ECHOED:
        assert value_of(await again(worker, value)) == value
    assert await does(worker, "bytes", half=3) == b"\x00\xff" * 3


async def test_text_that_looks_like_json_stays_text(workshop: Workshop) -> None:
    outcome = await again(await workshop.start(), '{"do": "exit"}')

    assert outcome.result == Payload(ContentType.TEXT, b'{"do": "exit"}')


async def test_a_call_without_input_gives_none(workshop: Workshop) -> None:
    worker = await workshop.start()

    outcome = await worker.run(Payload(ContentType.VOID, b""), 20, wants_stdout=False, on_call=None)

    assert value_of(outcome) is None


async def test_large_payloads_pass_both_ways(workshop: Workshop) -> None:
    data = bytes(range(256)) * 8192

    assert value_of(await again(await workshop.start(), data)) == data


async def test_it_is_loaded_once_and_run_many_times(workshop: Workshop) -> None:
    worker = await workshop.start()

    assert [await does(worker, "count") for _ in range(3)] == [1, 2, 3]


async def test_an_error_of_the_contract_keeps_its_type_words_and_place(workshop: Workshop) -> None:
    worker = await workshop.start()
    failure = failure_of(await again(worker, {"do": "refuse"}))

    assert (failure.type, failure.message) == ("InputError", "too small")
    assert "Probe" in failure.stacktrace
    assert "/runner" not in failure.stacktrace
    assert "/algorithm" not in failure.stacktrace


async def test_any_other_error_is_the_algorithms_and_harms_nothing(workshop: Workshop) -> None:
    worker = await workshop.start()
    failure = failure_of(await again(worker, {"do": "fail"}))

    assert failure.type == "AlgorithmError"
    assert "out of luck" in failure.message
    assert "Probe" in failure.stacktrace
    assert await does(worker, "count") == 2


async def test_what_is_printed_is_kept_and_is_no_answer(workshop: Workshop) -> None:
    worker = await workshop.start()

    for act, printed in (("print", "one\ntwo\n"), ("write", "straight")):
        outcome = await again(worker, {"do": act}, stdout=True)
        assert value_of(outcome) is None
        assert outcome.stdout == printed


async def test_files_of_a_run_are_gone_in_the_next_but_those_of_load_stay(
    workshop: Workshop,
) -> None:
    worker = await workshop.start()

    for _ in range(2):
        assert await does(worker, "scratch") == ["kept"]
    assert worker.usable


@pytest.mark.parametrize("way", WAYS)
async def test_it_runs_without_any_privilege(workshop: Workshop, way: Any) -> None:
    worker = await workshop.start(way=way)

    told = await does(worker, "status")
    status = dict(line.split(":\t", 1) for line in told.splitlines() if ":\t" in line)

    for held in ("CapPrm", "CapEff", "CapAmb"):
        assert int(status[held], 16) == 0, held
    assert set(status["Uid"].split()).isdisjoint({"0"})
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"


async def test_others_are_called_through_the_platform(workshop: Workshop) -> None:
    asked: list[tuple[str, Payload]] = []

    async def on_call(reference: str, payload: Payload) -> Payload | Failure:
        asked.append((reference, payload))
        if payload.data == b"no":
            return Failure("InputError", "it said no")
        return payload

    worker = await workshop.start(calls_others=True)
    for value in ("Grüße", {"a": [1, None]}):
        call = {"do": "call", "name": "ada/Echo", "with": value}
        assert value_of(await again(worker, call, on_call=on_call)) == value
    call = {"do": "call", "name": "ada/Echo", "with": "no"}
    failure = failure_of(await again(worker, call, on_call=on_call))

    assert (failure.type, failure.message) == ("AlgorithmError", "it said no")
    assert {reference for reference, _ in asked} == {"ada/Echo"}
    assert asked[0][1] == Payload(ContentType.TEXT, "Grüße".encode())


async def test_nobody_is_called_without_the_permission(workshop: Workshop) -> None:
    worker = await workshop.start()
    failure = failure_of(await again(worker, {"do": "call", "name": "ada/Echo", "with": 1}))

    assert failure.type == "AlgorithmError"
    assert "permission" in failure.message


async def test_a_process_left_behind_ends_with_its_worker(workshop: Workshop) -> None:
    worker = await workshop.start()

    await does(worker, "leave")

    assert not worker.usable


async def test_a_process_that_ends_says_how(workshop: Workshop) -> None:
    failure = failure_of(await again(await workshop.start(), {"do": "exit"}))

    assert (failure.type, "exit code 3" in failure.message) == ("SystemError", True)


async def test_a_run_that_hangs_ends_at_its_deadline(workshop: Workshop) -> None:
    failure = failure_of(await again(await workshop.start(), {"do": "hang"}, timeout_s=0.3))

    assert failure.type == "TimeoutError"


async def test_more_memory_than_it_asked_for_is_told_as_such(workshop: Workshop) -> None:
    failure = failure_of(await again(await workshop.start(), {"do": "fill"}))

    assert failure.type == "OutOfMemoryError"


async def test_a_result_beyond_the_limit_is_too_large(workshop: Workshop) -> None:
    worker = await workshop.start()
    failure = failure_of(await again(worker, {"do": "bytes", "half": 15 * MIB // 2 + 1}))

    assert failure.type == "TooLargeError"
    assert "15" in failure.message
    assert len(await does(worker, "bytes", half=15 * MIB // 2)) == 15 * MIB


async def test_a_load_step_that_fails_says_why(workshop: Workshop) -> None:
    worker, failure = await workshop.load(await workshop.built("Broken"))

    assert failure is not None
    assert failure.type == "LoadingError"
    assert "no weights" in failure.message
    assert worker.load_output == "reading weights\n"
    assert not worker.usable
