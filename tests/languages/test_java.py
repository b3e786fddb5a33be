"""What is Java's own: types of arguments, annotations, the ADK's form, what the compiler says."""

from pathlib import Path
from typing import Any

import pytest

from core.errors import BuildFailed
from execution.languages import registry
from tests.languages.workshop import Workshop
from tests.sandbox.authors import again, failure_of, value_of

JAVA = next(language for language in registry.known() if language.name == "java")
pytestmark = pytest.mark.skipif(bool(JAVA.missing()), reason=JAVA.missing() or "Java is there")

CLASSIC = """
package algorithmia.Probe;
import com.algorithmia.*;
import com.algorithmia.algo.*;
import java.util.*;

public class Probe {
    enum Way { UP, DOWN }
    static class Point { double x; int y; Way way; List<Point> more; }

    public String apply(String text) { return "text " + text; }
    public int apply(int[][] table) {
        return Arrays.stream(table).flatMapToInt(Arrays::stream).sum();
    }
    public double apply(double a, double b, double c) { return a + b + c; }
    public Map<String, Object> apply(Point point) {
        Map<String, Object> told = new TreeMap<>();
        told.put("sum", point.x + point.y);
        told.put("way", point.way);
        told.put("more", point.more);
        return told;
    }
}
"""
ADK = """
package com.algorithmia.algorithm;
import com.algorithmia.*;
import com.algorithmia.development.*;
import java.util.HashMap;

class Algorithm extends AbstractAlgorithm<Algorithm.Input, String> {
    class Input {
        @Required String name;
        Integer age;
        Input(String name, Integer age) { this.name = name; this.age = age; }
    }
    private HashMap<String, String> words = new HashMap<>();

    public void load() { words.put("greeting", "hello "); }
    public String apply(Input input) { return words.get("greeting") + input.name + input.age; }

    public static void main(String[] args) { new Handler<>(new Algorithm()).serve(); }
}
"""
RAW = """
package algorithmia.Probe;
import com.algorithmia.algo.*;
public class Probe {
    @AcceptsJson @ReturnsJson
    public String apply(String json) { return "[" + json + "]"; }
}
"""
POM = """<?xml version="1.0"?>
<project xmlns="http://maven.apache.org/POM/4.0.0"><dependencies>
  <dependency><groupId>com.algorithmia</groupId><artifactId>algorithmia-client</artifactId></dependency>
  <dependency><artifactId>junit</artifactId><scope>test</scope></dependency>
  {more}
</dependencies></project>
"""


@pytest.fixture
def workshop(builds: Path) -> Workshop:
    return Workshop(JAVA, builds)


def project(folder: Path, code: str, place: str = "src/algorithmia/Probe/Probe.java") -> Path:
    file = folder / "project" / place
    file.parent.mkdir(parents=True)
    file.write_text(code)
    return folder / "project"


async def runs(workshop: Workshop, folder: Path, *values: Any) -> list[Any]:
    worker, failure = await workshop.load(await workshop.built("Probe", folder))
    assert failure is None, failure
    outcomes = [await again(worker, value) for value in values]
    await worker.stop()
    return outcomes


async def test_the_function_that_fits_the_input_is_called(
    workshop: Workshop, tmp_path: Path
) -> None:
    point = {"x": 0.5, "y": 2, "way": "UP", "more": [{"x": 1}]}
    outcomes = await runs(
        workshop, project(tmp_path, CLASSIC), "a", [[1, 2], [3]], [1, 2, 3.5], point, {"y": 1.5}
    )

    assert [value_of(outcome) for outcome in outcomes[:3]] == ["text a", 6, 6.5]
    assert value_of(outcomes[3]) == {
        "sum": 2.5, "way": "UP", "more": [{"x": 1.0, "y": 0, "way": None, "more": None}],
    }  # fmt: skip
    assert failure_of(outcomes[4]).type == "InputError"


async def test_the_adks_form_is_served(workshop: Workshop, tmp_path: Path) -> None:
    folder = project(tmp_path, ADK, "src/main/java/com/algorithmia/algorithm/Algorithm.java")
    told, lacking = await runs(workshop, folder, {"name": "Bob", "age": 3}, {"age": 3})

    assert value_of(told) == "hello Bob3"
    assert failure_of(lacking).message == "The input lacks name."


async def test_a_function_may_take_and_give_json_itself(workshop: Workshop, tmp_path: Path) -> None:
    (outcome,) = await runs(workshop, project(tmp_path, RAW), {"a": 1})

    assert value_of(outcome) == [{"a": 1}]


async def test_what_the_compiler_says_is_told(workshop: Workshop, tmp_path: Path) -> None:
    said: list[str] = []
    folder = project(tmp_path, "package algorithmia.Probe; public class Probe { int x = ; }")

    with pytest.raises(BuildFailed, match=r"Probe\.java:1: error: illegal start of expression"):
        await JAVA.build(folder, "Probe", workshop.home, said.append)
    assert any("Probe.java:1" in line for line in said)


async def test_libraries_that_cant_be_had_are_named(workshop: Workshop, tmp_path: Path) -> None:
    folder = project(tmp_path, RAW)
    (folder / "pom.xml").write_text(POM.format(more=""))
    await workshop.built("Probe", folder)
    gson = "<dependency><artifactId>gson</artifactId></dependency>"
    (folder / "pom.xml").write_text(POM.format(more=gson))

    with pytest.raises(BuildFailed, match=r"pom\.xml: gson can't be had here"):
        await workshop.built("Probe", folder)
