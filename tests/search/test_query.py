"""A search is read from an address, whatever stands in it."""

from hypothesis import given
from hypothesis import strategies as st

from catalog.models import Category
from search.query import LAST_PAGE, LONGEST, SearchQuery
from search.words import marked


@given(st.text(), st.text(), st.text())
def test_any_address_is_a_bounded_query(q: str, category: str, page: str) -> None:
    query = SearchQuery.from_params({"q": q, "category": category, "page": page})

    assert len(query.text) <= LONGEST
    assert query.text.isprintable()
    assert len(query.words) <= 12
    assert 1 <= query.page <= LAST_PAGE
    assert SearchQuery.from_params({"q": query.text}).text == query.text


@given(st.text(), st.lists(st.text(min_size=1), max_size=3))
def test_marking_loses_nothing_of_the_text(text: str, words: list[str]) -> None:
    assert "".join(piece for piece, _ in marked(text, words)) == text


def test_an_address_leads_to_the_same_search() -> None:
    query = SearchQuery("a & b", Category.VISION, 3)

    assert query.address() == "/search?q=a+%26+b&category=vision"
    assert query.address(category=None) == "/search?q=a+%26+b"
    assert SearchQuery().address() == "/search"
