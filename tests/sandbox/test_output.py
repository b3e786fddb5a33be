"""What is printed is kept apart from the answer, and from other runs."""

from tests.sandbox.authors import Author, again, failure_of, value_of


async def test_everything_that_writes_to_the_terminal_is_captured(author: Author) -> None:
    outcome = await author.run(
        """
        import ctypes, os, subprocess, sys
        def apply(x):
            print("printed")
            print("to stderr", file=sys.stderr)
            os.write(1, b"by number\\n")
            subprocess.run(["/bin/sh", "-c", "echo by a child"])
            ctypes.CDLL(None).printf(b"by a library\\n")
            return "answer"
        """,
        stdout=True,
    )

    assert value_of(outcome) == "answer"
    assert sorted(outcome.stdout.splitlines()) == [
        "by a child",
        "by a library",
        "by number",
        "printed",
        "to stderr",
    ]


async def test_only_those_who_ask_get_it_and_only_their_own(author: Author) -> None:
    worker = await author.start("def apply(x): print('run', x)")

    assert (await again(worker, 1)).stdout == ""
    assert (await again(worker, 2, stdout=True)).stdout == "run 2\n"


async def test_fifty_mebibytes_are_cut_with_a_note(writer: Author) -> None:
    worker = await writer.start(
        "def apply(x):\n    for _ in range(50): print('y' * 1024 * 1024)\n    return 1"
    )

    outcome = await again(worker, stdout=True)

    assert value_of(outcome) == 1
    assert len(outcome.stdout) < 260 * 1024
    assert "cut" in outcome.stdout[-100:]
    assert value_of(await again(worker)) == 1


async def test_what_was_printed_before_the_end_is_there(writer: Author) -> None:
    worker = await writer.start("import os\ndef apply(x):\n    print('almost')\n    os._exit(1)")

    outcome = await again(worker, stdout=True)

    assert failure_of(outcome).type == "SystemError"
    assert outcome.stdout == "almost\n"


async def test_closing_or_replacing_the_streams_harms_only_that_run(author: Author) -> None:
    worker = await author.start(
        """
        import os, sys
        def apply(x):
            if x == "spoil":
                sys.stdout = None
                os.close(1)
                os.close(2)
            else:
                print("here")
            return 1
        """
    )

    assert value_of(await again(worker, "spoil", stdout=True)) == 1
    assert (await again(worker, "print", stdout=True)).stdout == "here\n"
