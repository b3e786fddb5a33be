"""How a version's code is found, loaded, and kept between runs."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from tests.sandbox.authors import Author, again, value_of

ADK = """
from Algorithmia import ADK

def apply(x, state):
    return [x, state]

def load():
    return {"weights": 3}

algorithm = ADK(apply, load)
algorithm.init("local")
"""


async def test_what_load_returned_comes_with_every_run(author: Author) -> None:
    worker = await author.start(
        """
        def load():
            return {"runs": 0}
        def apply(x, state):
            state["runs"] += 1
            return state["runs"]
        """
    )

    assert value_of(await again(worker)) == 1
    assert value_of(await again(worker)) == 2


async def test_the_adk_form_is_served(author: Author) -> None:
    assert value_of(await author.run(ADK, 1)) == [1, {"weights": 3}]


async def test_the_adks_older_name_and_a_load_that_takes_the_manifest(writer: Author) -> None:
    code = ADK.replace("Algorithmia", "adk").replace("def load()", "def load(manifest)")

    assert value_of(await writer.run(code, 1)) == [1, {"weights": 3}]


async def test_a_project_cant_shadow_the_standard_library(writer: Author) -> None:
    outcome = await writer.run(
        "import json, logging, src.logging\ndef apply(x): return [logging.INFO, src.logging.MINE]",
        files={"src/logging.py": "MINE = 1", "json.py": "raise OSError"},
    )

    assert value_of(outcome) == [20, 1]


async def test_none_of_our_modules_are_in_the_way(writer: Author) -> None:
    outcome = await writer.run(
        "import values, code, execution\ndef apply(x): return [values.V, execution.E]",
        files={"values.py": "V = 1", "execution.py": "E = 2"},
    )

    assert value_of(outcome) == [1, 2]


async def test_data_beside_the_code_can_be_read(writer: Author) -> None:
    outcome = await writer.run(
        """
        from pathlib import Path
        words = (Path(__file__).parent.parent / "words.txt").read_text()
        def apply(x): return words
        """,
        files={"words.txt": "one two"},
    )

    assert value_of(outcome) == "one two"


async def test_a_virtual_environment_is_used_by_code_and_by_what_it_starts(
    author: Author, tmp_path: Path
) -> None:
    environment = tmp_path / "env"
    base = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    subprocess.run([base, "-m", "venv", "--without-pip", environment], check=True)
    packages = environment / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    (packages / "greeting.py").write_text("WORD = 'hi'\n")
    artefact = author.write(
        """
        import greeting, subprocess, sys
        def apply(x):
            ask = "import greeting; print(greeting.WORD)"
            child = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True)
            named = subprocess.run(["python", "-c", ask], capture_output=True, text=True)
            return [greeting.WORD, sys.prefix, child.stdout, named.stdout]
        """
    )
    worker, failure = await author.load(replace(artefact, environment=str(environment)))

    assert failure is None
    assert value_of(await again(worker)) == ["hi", "/env", "hi\n", "hi\n"]


async def test_an_environment_cant_act_before_privileges_are_gone(
    author: Author, tmp_path: Path
) -> None:
    environment = tmp_path / "env"
    base = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    subprocess.run([base, "-m", "venv", "--without-pip", environment], check=True)
    packages = environment / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    (packages / "early.pth").write_text(
        "import os; os.environ['SEEN'] = repr([os.getuid(), open('/proc/self/status').read()])\n"
    )
    artefact = author.write("import os\ndef apply(x): return os.environ['SEEN']")
    worker, failure = await author.load(replace(artefact, environment=str(environment)))

    assert failure is None
    seen = value_of(await again(worker))
    assert not seen.startswith("[0,")
    assert "CapEff:\\t0000000000000000" in seen
    assert "CapAmb:\\t0000000000000000" in seen


async def test_files_of_a_run_are_gone_in_the_next_but_those_of_load_stay(author: Author) -> None:
    worker = await author.start(
        """
        import os
        os.makedirs("/tmp/model")
        open("/tmp/model/weights", "w").close()
        def apply(x):
            found = sorted(os.path.join(d, f) for d, _, files in os.walk("/tmp") for f in files)
            found += os.listdir("/dev/shm")
            os.makedirs("/tmp/a/b")
            for path in ("/tmp/a/b/secret", "/tmp/model/secret", "/dev/shm/secret"):
                open(path, "w").close()
            return found
        """
    )

    assert value_of(await again(worker)) == ["/tmp/model/weights"]
    assert value_of(await again(worker)) == ["/tmp/model/weights"]


async def test_a_fork_that_returns_into_the_runner_is_no_second_answer(author: Author) -> None:
    worker = await author.start("import os\ndef apply(x):\n    os.fork()\n    return 1")

    assert value_of(await again(worker)) == 1


async def test_a_slow_load_is_given_up(writer: Author) -> None:
    writer.limits = replace(writer.limits, load_s=0.3)
    _, failure = await writer.load(writer.write("import time\ntime.sleep(600)\ndef apply(x): pass"))

    assert failure is not None
    assert (failure.type, "loading" in failure.message) == ("LoadingError", True)


async def test_the_file_of_the_failing_line_is_named_in_a_syntax_error(writer: Author) -> None:
    _, failure = await writer.load(writer.write("def apply(x:"))

    assert failure is not None
    assert "src/Probe.py" in failure.stacktrace
