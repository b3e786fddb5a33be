"""What is JavaScript's own: callbacks, promises, modules, packages."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.errors import BuildFailed
from execution.languages import registry
from execution.outcome import ContentType, Failure, Outcome, Payload
from tests.languages.workshop import Workshop
from tests.sandbox.authors import again, failure_of, value_of

REGISTRY = "https://registry.npmjs.org/"


@pytest.fixture
def workshop(builds: Path) -> Workshop:
    return Workshop(registry.named("javascript"), builds)


@pytest.fixture
def npm() -> None:
    try:
        httpx.head(REGISTRY, timeout=10)
    except httpx.HTTPError as error:
        pytest.skip(f"The registry of npm can't be reached: {error}")


def project(folder: Path, code: str, file: str = "src/Probe.js", **package: Any) -> Path:
    folder /= "project"  # which, unlike its parent, anybody may enter
    (folder / "src").mkdir(parents=True)
    (folder / file).write_text(code)
    if package:
        (folder / "package.json").write_text(json.dumps(package))
    return folder


async def run(workshop: Workshop, folder: Path, value: Any = None, **more: Any) -> Outcome:
    """Run new code once; `usable` tells whether its worker could go on."""
    artefact = await workshop.built("Probe", folder, calls_others=True)
    worker, failure = await workshop.load(artefact)
    if failure is not None:
        return Outcome(None, failure)
    outcome = await again(worker, value, **more)
    run.usable = worker.usable  # type: ignore[attr-defined]
    await worker.stop()
    return outcome


async def test_others_are_called_by_http_too(workshop: Workshop, tmp_path: Path) -> None:
    code = """
    exports.apply = async (input) => {
      const answer = await fetch(process.env.ALGORITHMIA_API + '/v1/algo/ada/Shout', {
        method: 'POST', headers: {'Content-Type': 'text/plain'}, body: input})
      return (await answer.json()).result
    }
    """

    async def shout(reference: str, payload: Payload) -> Payload:
        return Payload(ContentType.TEXT, reference.encode() + payload.data.upper())

    outcome = await run(workshop, project(tmp_path, code), "hi", on_call=shout)
    assert value_of(outcome) == "ada/ShoutHI"


@pytest.mark.parametrize(
    "code",
    [
        "exports.apply = (input, cb) => cb(null, input + 1)",
        "exports.apply = (input, cb) => { setTimeout(() => cb(null, input + 1), 5) }",
        "exports.apply = (input, cb) => { cb(null, input + 1); cb(null, 7); cb('late') }",
        "exports.apply = async (input) => input + 1",
        "exports.apply = (input) => new Promise((done) => setTimeout(done, 5, input + 1))",
        "module.exports = (input) => input + 1",
        "exports.load = async () => 1; exports.apply = (input, one) => input + one",
        "exports.load = () => 1; exports.apply = (input, one, cb) => { cb(null, input + one) }",
    ],
)
async def test_every_usual_way_of_giving_a_result(
    workshop: Workshop, tmp_path: Path, code: str
) -> None:
    assert value_of(await run(workshop, project(tmp_path, code), 1)) == 2
    assert run.usable  # type: ignore[attr-defined]


async def test_a_modern_module_and_its_neighbours(workshop: Workshop, tmp_path: Path) -> None:
    folder = project(
        tmp_path,
        "import { readFileSync } from 'node:fs';\nimport { two } from './two.js';\n"
        "import { call } from 'algorium';\n"
        "const one = Number(readFileSync(new URL('../one.txt', import.meta.url)));\n"
        "export const apply = (input) => [input, one, two, typeof call];",
        type="module",
    )
    (folder / "src" / "two.js").write_text("export const two = 2;")
    (folder / "one.txt").write_text("1")

    assert value_of(await run(workshop, folder, 0)) == [0, 1, 2, "function"]


@pytest.mark.parametrize(
    ("code", "kind", "told"),
    [
        ("exports.apply = (x, cb) => cb('out of words')", "AlgorithmError", "out of words"),
        ("exports.apply = (x, cb) => cb({type: 'InputError', message: 'no'})", "InputError", "no"),
        ("exports.apply = async () => { throw new TypeError('bad') }", "AlgorithmError", "bad"),
        (
            "exports.apply = (x, cb) => { setTimeout(() => { throw new Error('late') }) }",
            "AlgorithmError",
            "late",
        ),
        ("exports.apply = () => () => 1", "ParsingError", "function"),
        ("exports.apply = () => { const a = []; a.push(a); return a }", "ParsingError", "circular"),
        ("exports.apply = () => '\\ud800'", "ParsingError", "surrogate"),
        ("exports.apply = (", "LoadingError", "SyntaxError"),
        ("require('nowhere-at-all')", "LoadingError", "package.json"),
        ("exports.other = 1", "LoadingError", "no function apply"),
    ],
)
async def test_what_goes_wrong_is_told(
    workshop: Workshop, tmp_path: Path, code: str, kind: str, told: str
) -> None:
    failure = failure_of(await run(workshop, project(tmp_path, code), 1))

    assert failure.type == kind
    assert told in failure.message


async def test_a_timer_left_behind_ends_with_its_worker(workshop: Workshop, tmp_path: Path) -> None:
    code = "exports.apply = (x) => { setInterval(() => {}, 1000); return x }"

    assert value_of(await run(workshop, project(tmp_path, code), 1)) == 1
    assert not run.usable  # type: ignore[attr-defined]


async def test_others_are_called_at_the_same_time(workshop: Workshop, tmp_path: Path) -> None:
    async def on_call(reference: str, payload: Payload) -> Payload | Failure:
        if payload.data == b"no":
            return Failure("InputError", "it said no")
        return Payload(ContentType.JSON, b"[%b]" % payload.data)

    code = """
        const { call, CallError } = require('algorium');
        exports.apply = async () => [
          ...await Promise.all([1, 2].map((n) => call('a/b', n, { timeout: 5 }))),
          await call('a/b', 'no').catch((e) => [e instanceof CallError, e.type, e.message]),
        ];
    """
    outcome = await run(workshop, project(tmp_path, code), on_call=on_call)

    assert value_of(outcome) == [[1], [2], [True, "InputError", "it said no"]]


@pytest.mark.usefixtures("npm")
async def test_packages_are_installed_and_shared(workshop: Workshop, tmp_path: Path) -> None:
    folder = project(
        tmp_path,
        "const ms = require('ms');\nexports.apply = (text) => ms(text);",
        dependencies={"ms": "2.1.3"},
    )
    first = await workshop.built("Probe", folder)
    second = await workshop.built("Probe", folder)

    assert first.environment == second.environment
    assert value_of(await run(workshop, folder, "2 days")) == 172_800_000


@pytest.mark.usefixtures("npm")
async def test_a_package_that_isnt_there_is_named(workshop: Workshop, tmp_path: Path) -> None:
    folder = project(tmp_path, "", dependencies={"ms": "999.0.0"})
    with pytest.raises(BuildFailed, match="ms@999"):
        await workshop.built("Probe", folder)


@pytest.mark.parametrize(
    "place", ["file:../other", "https://example.org/a.tgz", "someone/repository"]
)
async def test_packages_come_from_the_registry_alone(
    workshop: Workshop, tmp_path: Path, place: str
) -> None:
    folder = project(tmp_path, "", dependencies={"other": place})
    with pytest.raises(BuildFailed):
        await workshop.built("Probe", folder)


@pytest.mark.parametrize("text", ["{", "[]", '{"dependencies": ["ms"]}'])
async def test_a_broken_package_json_is_told(workshop: Workshop, tmp_path: Path, text: str) -> None:
    folder = project(tmp_path, "")
    (folder / "package.json").write_text(text)
    with pytest.raises(BuildFailed, match=r"package\.json"):
        await workshop.built("Probe", folder)
