"""What callers and authors are told when code fails."""

import pytest

from tests.sandbox.authors import Author, again, failure_of, value_of


async def test_an_exception_keeps_its_words_and_the_authors_frames(author: Author) -> None:
    outcome = await author.run(
        """
        from .helper import check
        def apply(x):
            return check(x)
        """,
        files={"src/helper.py": "def check(x):\n    raise ValueError('too small')\n"},
    )

    failure = failure_of(outcome)
    assert (failure.type, failure.message) == ("AlgorithmError", "too small")
    assert 'File "src/helper.py", line 2, in check' in failure.stacktrace
    assert "raise ValueError('too small')" in failure.stacktrace
    assert "runner" not in failure.stacktrace
    assert failure.stacktrace.rstrip().endswith("ValueError: too small")


@pytest.mark.parametrize("name", ["InputError", "UnsupportedError", "ThirdPartyCredentialError"])
async def test_the_contracts_error_types_are_kept_by_name(writer: Author, name: str) -> None:
    failure = failure_of(
        await writer.run(f"class {name}(Exception): pass\ndef apply(x): raise {name}('no')")
    )

    assert (failure.type, failure.message) == (name, "no")


async def test_words_that_are_no_unicode_are_told_as_far_as_they_are(writer: Author) -> None:
    failure = failure_of(await writer.run("def apply(x): raise ValueError('half \\ud800')"))

    assert (failure.type, failure.message) == ("AlgorithmError", "half ?")


async def test_an_author_cannot_claim_the_platforms_error_types(writer: Author) -> None:
    failure = failure_of(
        await writer.run(
            "class PaymentRequiredError(Exception): pass\n"
            "def apply(x): raise PaymentRequiredError('no')"
        )
    )

    assert failure.type == "AlgorithmError"


async def test_a_failure_leaves_the_worker_as_it_was(writer: Author) -> None:
    worker = await writer.start("def apply(x): return 1 / x")

    assert failure_of(await again(worker, 0)).message == "division by zero"
    assert value_of(await again(worker, 2)) == 0.5


async def test_a_memory_error_is_told_as_one(writer: Author) -> None:
    failure = failure_of(await writer.run("def apply(x): raise MemoryError"))

    assert failure.type == "OutOfMemoryError"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import sys\ndef apply(x): sys.exit(3)", "exit code 3"),
        ("import os\ndef apply(x): os._exit(4)", "exit code 4"),
        ("import os, signal\ndef apply(x): os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
        ("import ctypes\ndef apply(x): ctypes.string_at(0)", "SIGSEGV"),
    ],
)
async def test_a_process_that_ends_says_how(author: Author, code: str, told: str) -> None:
    worker = await author.start(code)

    failure = failure_of(await again(worker))

    assert failure.type == "SystemError"
    assert told in failure.message
    assert not worker.usable
    assert failure_of(await again(worker)).type == "SystemError"


async def test_a_run_that_hangs_ends_at_its_deadline(author: Author) -> None:
    worker = await author.start("import time\ndef apply(x): time.sleep(600)")

    failure = failure_of(await again(worker, timeout_s=0.3))

    assert (failure.type, failure.message) == (
        "TimeoutError",
        "The algorithm did not finish within 0.3 s.",
    )
    assert not worker.usable


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import nowhere_at_all", "nowhere_at_all"),
        ("def apply(x:", "SyntaxError"),
        ("def load(): raise RuntimeError('no weights')\ndef apply(x): pass", "no weights"),
        ("x = 1", "no function apply"),
        ("import os\nos._exit(7)", "exit code 7"),
        ("raise SystemExit(5)", "exit code 5"),
    ],
)
async def test_what_cant_be_loaded_says_why(writer: Author, code: str, told: str) -> None:
    worker, failure = await writer.load(writer.write(code))

    assert failure is not None
    assert failure.type == "LoadingError"
    assert told in failure.message
    assert not worker.usable


async def test_a_version_without_its_file_says_which(writer: Author) -> None:
    artefact = writer.write("def apply(x): pass", name="Other")
    _, failure = await writer.load(
        type(artefact)(artefact.version_id, "Probe", artefact.source, artefact.environment)
    )

    assert failure is not None
    assert "src/Probe.py" in failure.message


async def test_what_a_failed_load_printed_is_kept(writer: Author) -> None:
    worker, failure = await writer.load(
        writer.write("print('reading weights')\nraise OSError('x')")
    )

    assert failure is not None
    assert worker.load_output == "reading weights\n"
