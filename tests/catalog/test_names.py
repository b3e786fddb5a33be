"""References and selectors: what clients write, and what it selects."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.names import Reference, Selector, check_name, newest, parse_number
from core.errors import BadInput, NotFound

numbers = st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))


@pytest.mark.parametrize(
    ("path", "owner", "name", "parts"),
    [
        ("ada/Echo", "ada", "Echo", ()),
        ("ada/Echo/", "ada", "Echo", ()),
        ("/ada//Echo", "ada", "Echo", ()),
        ("algo://ada/Echo/1.2", "ada", "Echo", (1, 2)),
        ("ada/Echo/latest", "ada", "Echo", ()),
        ("ada/Echo/1.*", "ada", "Echo", (1,)),
        ("ada/Echo/1.2.*", "ada", "Echo", (1, 2)),
        ("ada/Echo/1.2.3", "ada", "Echo", (1, 2, 3)),
    ],
)
def test_a_reference_is_read_as_clients_write_it(
    path: str, owner: str, name: str, parts: tuple[int, ...]
) -> None:
    assert Reference.parse(path) == Reference(owner, name, Selector(parts))


@pytest.mark.parametrize(
    "path",
    ["", "/", "ada", "ada/", "a/b/1.0.0/d", "a b/c", "a/b/1.2.3.4", "a/b/1.2.3.*", "a/b/01.0.0",
     "a/b/*", "a/b/1.", "a/b/٣", "ä/b", "a/b/99999999999", "a/../b/c", "a/b\0"],
)  # fmt: skip
def test_what_names_nothing_is_not_found(path: str) -> None:
    with pytest.raises(NotFound, match="404"):
        Reference.parse(path)


@given(st.text())
def test_no_text_at_all_breaks_the_parser(path: str) -> None:
    with suppress(NotFound):
        Reference.parse(path)


@given(st.lists(numbers, max_size=20), st.lists(st.integers(0, 99), max_size=3))
def test_the_newest_is_the_highest_of_those_selected(
    known: list[tuple[int, int, int]], parts: list[int]
) -> None:
    selector = Selector(tuple(parts))
    found = newest(known, selector)
    selected = [number for number in known if number[: len(parts)] == tuple(parts)]
    assert found == (max(selected) if selected else None)


@given(numbers)
def test_a_number_that_is_written_reads_the_same(number: tuple[int, int, int]) -> None:
    assert parse_number(".".join(map(str, number))) == number


@pytest.mark.parametrize("name", ["", "1a", "a-b", "a" * 65, "ä", "a b", "a/b"])
def test_a_name_is_a_word(name: str) -> None:
    with pytest.raises(BadInput):
        check_name(name)
