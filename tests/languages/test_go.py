"""What is Go's own: types of inputs, errors and panics, modules, what the compiler says."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.errors import BuildFailed
from execution.languages import registry
from execution.outcome import Failure, Outcome, Payload
from tests.languages.workshop import Workshop
from tests.sandbox.authors import again, failure_of, value_of

GO = next(language for language in registry.known() if language.name == "go")
pytestmark = pytest.mark.skipif(bool(GO.missing()), reason=GO.missing() or "Go is there")

PROXY = "https://proxy.golang.org/"
FORMS = """
package algorithm

import (
    "algorium"
    "errors"
    "fmt"
    "math"
    "strings"
)

type ParsingError struct{ line int }

func (e *ParsingError) Error() string { return fmt.Sprintf("line %d is odd", e.line) }

type Wish struct {
    Do   string
    Many []int `json:"many"`
}

type Told struct {
    Sum  float64 `json:"sum"`
    Note string  `json:"note,omitempty"`
}

var divisor int

// func Load() would be Load's, if this weren't a comment.
const text = `
func Load() int { return 0 }
`

func Apply(wish Wish) (*Told, error) {
    switch wish.Do {
    case "wrapped":
        return nil, fmt.Errorf("reading: %w", &ParsingError{3})
    case "plain":
        return nil, errors.New("no luck")
    case "fail":
        return nil, deep()
    case "own":
        return nil, algorium.Fail("Strange", "odd")
    case "divide":
        return &Told{Sum: float64(1 / divisor)}, nil
    case "thrown":
        panic(&ParsingError{4})
    case "nan":
        return &Told{Sum: math.NaN()}, nil
    case "goroutine":
        go func() { select {} }()
    }
    told := &Told{Note: strings.Repeat("<", len(wish.Many))}
    for _, one := range wish.Many {
        told.Sum += float64(one)
    }
    return told, nil
}

func deep() error {
    return algorium.Fail("EntityNotFoundError", "no %s there", "such")
}
"""
CALLS = """
package algorithm

import (
    "algorium"
    "sync"
)

func Apply(count int) []int {
    told := make([]int, count)
    var all sync.WaitGroup
    for n := range told {
        all.Add(1)
        go func(n int) {
            defer all.Done()
            told[n], _ = algorium.Call[int]("ada/Square", n*n)
        }(n)
    }
    all.Wait()
    return told
}
"""
BYTES = """
package algorithm

func Apply(data []byte) []byte { return append(data, '!') }
"""
MODULE = """
module example.org/probe

go 1.19

require github.com/rivo/uniseg v0.4.7
"""
SUM = """
github.com/rivo/uniseg v0.4.7 h1:WUdvkW8uEhrYfLC4ZzdpI2ztxP1I582+49Oc5Mq64VQ=
github.com/rivo/uniseg v0.4.7/go.mod h1:FN3SvrM+Zdj16jyLfmOkMNblXMcoc8DfTHruCPUcx88=
"""
COUNTS = """
package main

import "github.com/rivo/uniseg"

func Apply(text string) int { return uniseg.GraphemeClusterCount(text) }
"""


@pytest.fixture
def workshop(builds: Path) -> Workshop:
    return Workshop(GO, builds)


@pytest.fixture
def proxy() -> None:
    try:
        httpx.head(PROXY, timeout=10)
    except httpx.HTTPError as error:
        pytest.skip(f"The proxy of Go's modules can't be reached: {error}")


def project(folder: Path, code: str, **files: str) -> Path:
    folder /= "project"  # which, unlike its parent, anybody may enter
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "Probe.go").write_text(code)
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return folder


async def runs(workshop: Workshop, folder: Path, *values: Any) -> list[Outcome]:
    worker, failure = await workshop.load(await workshop.built("Probe", folder))
    assert failure is None, failure
    outcomes = [await again(worker, value) for value in values]
    assert worker.usable
    await worker.stop()
    return outcomes


async def test_inputs_are_of_the_type_that_is_wanted(workshop: Workshop, tmp_path: Path) -> None:
    many = {"do": "sum", "many": [1, 2]}
    told, *misfits = await runs(
        workshop, project(tmp_path, FORMS), many, {"many": ["a"]}, "text", b"bytes"
    )

    assert value_of(told) == {"sum": 3, "note": "<<"}
    assert [failure_of(one).type for one in misfits] == ["InputError"] * 3
    assert "many" in failure_of(misfits[0]).message


async def test_errors_keep_their_types_and_places(workshop: Workshop, tmp_path: Path) -> None:
    acts = ("wrapped", "plain", "fail", "own", "divide", "thrown", "nan")
    folder = project(tmp_path, FORMS)
    outcomes = await runs(workshop, folder, *({"do": act} for act in acts))
    failures = [failure_of(outcome) for outcome in outcomes]

    assert [(failure.type, failure.message) for failure in failures[:6]] == [
        ("ParsingError", "reading: line 3 is odd"),
        ("AlgorithmError", "no luck"),
        ("EntityNotFoundError", "no such there"),
        ("AlgorithmError", "odd"),
        ("AlgorithmError", "runtime error: integer divide by zero"),
        ("ParsingError", "line 4 is odd"),
    ]
    assert failures[6].type == "ParsingError"
    for failure, function, code in (
        (failures[1], "Apply", "func Apply"),
        (failures[2], "deep", '"EntityNotFoundError"'),
        (failures[4], "Apply", "1 / divisor"),
        (failures[5], "Apply", "panic("),
    ):
        line = FORMS[: FORMS.index(code)].count("\n") + 1
        assert f"{function} (src/Probe.go:{line})" in failure.stacktrace


async def test_a_goroutine_left_behind_ends_with_its_worker(
    workshop: Workshop, tmp_path: Path
) -> None:
    artefact = await workshop.built("Probe", project(tmp_path, FORMS))
    worker, _ = await workshop.load(artefact)

    assert value_of(await again(worker, {"do": "goroutine"})) == {"sum": 0}
    assert not worker.usable


async def test_bytes_may_be_all_that_it_takes(workshop: Workshop, tmp_path: Path) -> None:
    more, text = await runs(workshop, project(tmp_path, BYTES), b"a", "a")

    assert value_of(more) == b"a!"
    assert failure_of(text).type == "InputError"


async def test_goroutines_call_others_at_once(workshop: Workshop, tmp_path: Path) -> None:
    together = asyncio.Barrier(3)

    async def on_call(_: str, payload: Payload) -> Payload | Failure:
        await together.wait()
        return payload

    built = await workshop.built("Probe", project(tmp_path, CALLS), calls_others=True)
    worker, _ = await workshop.load(built)
    for _ in range(2):
        assert value_of(await again(worker, 3, on_call=on_call)) == [0, 1, 4]
    assert worker.usable


async def test_what_fails_before_it_is_asked_anything_is_told(
    workshop: Workshop, tmp_path: Path
) -> None:
    code = f'{BYTES}\nvar table = read()\n\nfunc read() int {{ panic("no table") }}\n'
    worker, failure = await workshop.load(await workshop.built("Probe", project(tmp_path, code)))

    assert failure is not None
    assert failure.type == "LoadingError"
    assert "no table" in worker.load_output


async def test_what_the_compiler_says_is_told(workshop: Workshop, tmp_path: Path) -> None:
    said: list[str] = []
    folder = project(tmp_path, 'package algorithm\n\nfunc Apply(x int) int { return "a" }\n')

    with pytest.raises(BuildFailed, match=r'src/Probe\.go:3:32: cannot use "a"'):
        await GO.build(folder, "Probe", workshop.home, said.append)
    assert any("src/Probe.go:3:32" in line for line in said)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("package algorithm\n", r"has no func Apply"),
        ("package main\n\nfunc Apply(x int) int { return x }\n\nfunc main() {}\n", r"func main"),
    ],
)
async def test_a_project_without_an_entry_is_told(
    workshop: Workshop, tmp_path: Path, code: str, words: str
) -> None:
    with pytest.raises(BuildFailed, match=words):
        await workshop.built("Probe", project(tmp_path, code))


@pytest.mark.usefixtures("proxy")
async def test_modules_are_fetched_by_their_hashes(workshop: Workshop, tmp_path: Path) -> None:
    folder = project(tmp_path, COUNTS, go_mod=MODULE, go_sum=SUM)

    (outcome,) = await runs(workshop, folder, "🏳️‍🌈!")

    assert value_of(outcome) == 2


@pytest.mark.usefixtures("proxy")
@pytest.mark.parametrize(
    ("mod", "sums", "words"),
    [
        (MODULE, SUM.replace("WUdv", "WUdw"), r"checksum mismatch"),
        (MODULE, SUM.replace("rivo", "riva"), r"missing go\.sum entry"),
        (MODULE.replace("0.4.7", "0.4.999"), SUM, r"uniseg@v0\.4\.999"),
        (MODULE.replace("github.com/rivo", "git.example.org/x"), SUM, r"git\.example\.org"),
    ],
)
async def test_what_isnt_as_its_hash_says_is_refused(
    workshop: Workshop, tmp_path: Path, mod: str, sums: str, words: str
) -> None:
    with pytest.raises(BuildFailed, match=words):
        await workshop.built("Probe", project(tmp_path, COUNTS, go_mod=mod, go_sum=sums))


@pytest.mark.parametrize(
    ("mod", "words"),
    [
        (MODULE, r"go\.sum is missing"),
        (MODULE + "replace github.com/rivo/uniseg => ../../other", r"replaced by a folder"),
        (MODULE.replace("go 1.19", "go 1.999\ntoolchain go1.999.0"), r"wants Go 1\.999; what"),
        (MODULE.replace("example.org/probe", '"a b"'), r"go\.mod"),
        ("module a\n\nnonsense\n", r"go\.mod"),
    ],
)
async def test_a_go_mod_that_cant_be_had_is_told(
    workshop: Workshop, tmp_path: Path, mod: str, words: str
) -> None:
    with pytest.raises(BuildFailed, match=words):
        await workshop.built("Probe", project(tmp_path, COUNTS, go_mod=mod))


async def test_a_project_may_bring_its_modules(workshop: Workshop, tmp_path: Path) -> None:
    folder = project(tmp_path, COUNTS, go_mod=MODULE)
    package = folder / "vendor" / "github.com" / "rivo" / "uniseg"
    package.mkdir(parents=True)
    (package / "uniseg.go").write_text(
        "package uniseg\n\nfunc GraphemeClusterCount(text string) int { return len(text) }\n"
    )
    (folder / "vendor" / "modules.txt").write_text(
        "# github.com/rivo/uniseg v0.4.7\n## explicit; go 1.18\ngithub.com/rivo/uniseg\n"
    )

    (outcome,) = await runs(workshop, folder, "abc")

    assert value_of(outcome) == 3


async def test_a_project_may_stand_in_for_our_module_at_home(
    workshop: Workshop, tmp_path: Path
) -> None:
    mod = "module a\n\ngo 1.19\n\nrequire algorium v0.0.0\n\nreplace algorium => ../stub\n"
    code = (
        'package a\n\nimport "algorium"\n\n'
        'func Apply(x any) (any, error) { return x, algorium.Fail("InputError", "no") }\n'
    )
    (outcome,) = await runs(workshop, project(tmp_path, code, go_mod=mod), 1)

    assert failure_of(outcome).type == "InputError"


async def test_a_build_adds_nothing_to_what_others_build_on(
    workshop: Workshop, tmp_path: Path
) -> None:
    await workshop.built("Probe", project(tmp_path, BYTES))
    shared = workshop.home / "builds" / "cache" / "go"

    def there() -> set[Path]:
        return {path for path in shared.rglob("*") if path.parts[-2] != "modules"}

    before = there()
    other = project(tmp_path / "other", BYTES.replace("!", "?"))
    await workshop.built("Probe", other)

    assert there() == before


def test_the_word_for_it_is_no_other_languages(workshop: Workshop) -> None:
    assert GO.means("go")
    assert GO.means("golang")
    assert GO.means("go1.26")
    assert not GO.means("gopher")
