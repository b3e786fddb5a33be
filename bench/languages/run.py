"""How long it takes from publishing to the first answer, in each language that is offered here.

The program is the one every author begins with. Counted is from the start of `algorium publish`,
which builds it and runs its sample, to the first answer over HTTP, both included. The first of a
language on a new installation prepares what all others share.

    python -m bench.languages.run
"""

import json
import shutil
import tempfile
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench.installation import ROOT, Installation, installation, machine

HERE = Path(__file__).parent
PROGRAMS = ROOT / "tests" / "languages" / "projects"
LATER = 3
ABOUT = """
[algorithm]
name = "Hello"
summary = "Says hello"
category = "text"
licence = "MIT"
[version]
number = "1.0.{number}"
[sample]
input = "sample.txt"
"""


def publish(running: Installation, language: str, key: str, number: int) -> float:
    """Publish one version and call it; gives the seconds."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "Hello")
        (place / "src").mkdir(parents=True)
        for file in (PROGRAMS / language).rglob("Hello.*"):
            shutil.copy(file, place / "src")
        (place / "algorium.toml").write_text(ABOUT.format(number=number))
        (place / "README.md").write_text(f"# Hello\n\nVersion {number}.\n")
        (place / "sample.txt").write_text("Bob")
        began = time.perf_counter()
        running.command("publish", str(place), "--owner", f"{language}_author")
    request = urllib.request.Request(
        f"{running.url}/v1/algo/{language}_author/Hello/1.0.{number}", b"Ann",
        {"Authorization": key, "Content-Type": "text/plain"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=60) as answer:
        if json.load(answer).get("result") != "Hello Ann":
            raise SystemExit(f"{language} gave a wrong answer")
    return time.perf_counter() - began


def main() -> None:
    """Measure all and write the table."""
    lines = ["| language | first s | later s (median of 3) |", "|---|---|---|"]
    with installation(ALGORIUM_STARTER="0") as running:
        for folder in sorted(PROGRAMS.iterdir()):
            language = folder.name
            running.command("users", "add", f"{language}_author")
            key = running.command("keys", "add", f"{language}_author")
            first = publish(running, language, key, 0)
            later = median(publish(running, language, key, n) for n in range(1, 1 + LATER))
            lines.append(f"| {language} | {first:.1f} | {later:.1f} |")
            print(lines[-1], flush=True)
    text = (
        f"# From publishing to the first answer\n\n{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, "
        f"{machine()}. Hello World, from the start of `algorium publish` to the first answer.\n\n"
        + "\n".join(lines)
        + "\n"
    )
    print(text)
    (HERE / "table.md").write_text(text)


if __name__ == "__main__":
    main()
