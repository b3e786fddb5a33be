"""Numbers in words, READMEs as HTML, code with the sample in it: all pure."""

import json
import shlex
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import now
from web import words
from web.marks import mark
from web.pages.snippets import Snippets
from web.readme import readme_html


def test_numbers_fit_their_place() -> None:
    assert [words.compact(n) for n in (0, 999, 1000, 12_345, 999_999, 4_100_000)] == [
        "0", "999", "1k", "12.3k", "1000k", "4.1M"
    ]  # fmt: skip
    assert [words.duration(ms) for ms in (0.42, 38, 1250, 45_000, 240_000)] == [
        "0.4 ms", "38 ms", "1.25 s", "45.0 s", "4.0 min"
    ]  # fmt: skip
    assert [words.percent(share) for share in (1, 0.9999, 0.975, 0)] == [
        "100", "> 99.9", "97.5", "0"
    ]  # fmt: skip
    assert (words.plural(1, "call"), words.plural(2000, "call")) == ("1 call", "2,000 calls")


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (timedelta(seconds=2), "just now"),
        (timedelta(minutes=5), "5 min ago"),
        (timedelta(days=1), "1 day ago"),
        (timedelta(days=-1), "just now"),
    ],
)
def test_moments_are_said_coarsely(age: timedelta, said: str) -> None:
    assert words.ago(now() - age) == said


def test_a_readme_fits_under_the_heading_of_its_page() -> None:
    html = readme_html(
        "# Shout\n\n## Input\n\n| a |\n| - |\n| b |\n\n![x](http://e.example/p.png)", "Shout"
    )

    assert html.startswith("<h2>Input</h2>")
    assert "<table>" in html
    assert "<img" not in html


def test_a_readme_keeps_its_code_and_loses_its_html() -> None:
    html = readme_html("# T\n\n```python\nx = 1\n```\n\n<b onclick=x>b</b>\n\n[l](//e.example)")

    assert html.startswith("<h2>T</h2>")
    assert '<pre tabindex="0">' in html
    assert "<b" not in html
    assert 'rel="nofollow noopener"' in html


@given(st.text())
def test_no_text_makes_a_readme_dangerous(text: str) -> None:
    html = readme_html(text).lower()

    assert "<script" not in html
    assert 'href="javascript:' not in html


@given(st.dictionaries(st.text(), st.text(), max_size=3))
def test_snippets_carry_the_sample_whole(sample: dict[str, str]) -> None:
    data = json.dumps(sample, ensure_ascii=False).encode("utf-8", "replace")
    curl = Snippets("http://site", "a/B/1.0.0", "json", data).all()[0].code

    assert json.loads(shlex.split(curl.replace("\\\n", ""))[-1]) == json.loads(data)


@pytest.mark.parametrize("kind", ["json", "text", "binary"])
def test_long_samples_are_read_from_a_file(kind: str) -> None:
    for snippet in Snippets("http://site", "a/B/1.0.0", kind, b"1" * 5000).all():
        assert len(snippet.code) < 400


def test_a_mark_is_the_same_each_time_but_for_its_id() -> None:
    first, second = mark("a/B", "text"), mark("a/B", "text")

    assert first != second
    assert first.partition("stop-color")[2][:30] == second.partition("stop-color")[2][:30]
    assert "style=" not in first
