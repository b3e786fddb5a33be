"""A newcomer: signs in, makes a key, calls real algorithms with an unmodified client."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from bench.installation import Installation
from execution.builds.source import read_project
from execution.starter import folders
from tests.journeys.conftest import Person, call, new_key

CLIENT = """
import json, sys
import Algorithmia
from Algorithmia.errors import AlgorithmException
key, url, folder = sys.argv[1:4]
client = Algorithmia.client(key, url)
said = {}
for line in json.loads(sys.stdin.read()):
    value = line["value"] if line["kind"] != "binary" else bytes.fromhex(line["value"])
    answer = client.algo("algorium/" + line["name"]).set_options(timeout=60).pipe(value)
    result = answer.result
    said[line["name"]] = result if not isinstance(result, bytes) else result.hex()
    assert answer.metadata.duration > 0
try:
    client.algo("algorium/Nothing").pipe(1)
except AlgorithmException as error:
    said["missing"] = str(error)
try:
    client.algo("algorium/Sentiment").pipe({"text": 3})
except AlgorithmException as error:
    said["refused"] = str(error)
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def samples() -> list[dict[str, object]]:
    """The sample of every starter algorithm, as a client sends it."""
    found: list[dict[str, object]] = []
    for folder in folders():
        draft = read_project(folder).draft
        assert draft.sample_input is not None
        value: object = draft.sample_input.hex()
        if draft.sample_type == "json":
            value = json.loads(draft.sample_input)
        elif draft.sample_type == "text":
            value = draft.sample_input.decode()
        found.append({"name": draft.name, "kind": draft.sample_type, "value": value})
    return found


def expected(name: str) -> object:
    """The output that the project's author says its sample has."""
    (place,) = (Path("examples") / name / "sample").glob("output.*")
    text = place.read_text()
    return json.loads(text) if place.suffix == ".json" else text


def test_every_starter_algorithm_answers_an_unmodified_client(
    running: Installation, samples: list[dict[str, object]]
) -> None:
    key = new_key(running, "newcomer")
    out = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CLIENT, key, running.url, "."],
        input=json.dumps(samples),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert out.returncode == 0, out.stderr
    said = json.loads(out.stdout.splitlines()[-1])
    assert "No such algorithm" in said.pop("missing")
    assert said.pop("refused")
    wrong = [name for name, result in said.items() if result != expected(name)]
    assert wrong == []
    assert len(said) >= 12


def test_a_person_signs_in_makes_a_key_calls_and_sees_what_it_cost(running: Installation) -> None:
    person = Person(running, "alice")
    page = person.client.get("/account/keys")
    page = person.submit(page, "/account/keys", label="first")
    (key,) = {word for word in page.text.replace("<", " ").replace(">", " ").split()
              if word.startswith("sim") and len(word) == 28}  # fmt: skip
    answer = call(running, key, "algorium/Sentiment", {"document": "What a wonderful day."})
    body = answer.json()
    assert body["result"]["sentiment"] > 0.3
    assert body["metadata"]["microcredits"]["royalty"] == 2_000_000

    usage = person.client.get("/account/usage").text
    assert "Sentiment" in usage
    one = person.client.get(f"/account/calls/{body['metadata']['request_id']}")
    assert one.status_code == 200
    assert "royalty" in one.text.lower()
    # Shown once, and to nobody else.
    assert key not in person.client.get("/account/keys").text
    stranger = Person(running, "bob")
    address = f"/account/calls/{body['metadata']['request_id']}"
    assert stranger.client.get(address).status_code == 404


def test_an_algorithm_that_calls_others_is_charged_with_them(running: Installation) -> None:
    key = new_key(running, "nester")
    value = json.loads(Path("examples/ReviewInsight/sample/input.json").read_text())
    answer = call(running, key, "algorium/ReviewInsight", value)
    assert answer.json()["result"] == expected("ReviewInsight")
    balance = int(
        float(running.command("credits", "grant", "nester", "1").split(" has ")[1].split(" ")[0]
              .replace(",", "")) * 1_000_000
    )  # fmt: skip
    spent = 10_001 * 1_000_000 - balance
    # Its own price and those of the ones it called.
    assert spent > answer.json()["metadata"]["microcredits"]["total"] > 0
    assert running.command("books", "verify") == "The books agree."


def test_pages_and_probes_answer(running: Installation) -> None:
    for path in ("/", "/search?q=sentiment", "/categories/vision", "/algorithms/algorium/OCR",
                 "/docs/calling", "/publish", "/healthz", "/readyz", "/sign_in"):  # fmt: skip
        answer = httpx.get(running.url + path, timeout=30)
        assert answer.status_code == 200, path
    assert "Sentiment" in httpx.get(running.url + "/search?q=sentimnt", timeout=30).text
    assert httpx.get(running.url + "/algorithms/algorium/Nothing", timeout=30).status_code == 404


def test_a_visitor_can_read_a_sample_and_its_answer(running: Installation) -> None:
    page = httpx.get(running.url + "/algorithms/algorium/Sentiment", timeout=30).text
    assert "sentiment" in page
    assert "Sign in" in page
