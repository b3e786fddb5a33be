"""What the index finds, and in which order, on a handful of documents."""

from uuid import uuid4

import pytest

from catalog.queries import Card, Stars
from core.clock import now
from search.documents import Document
from search.query import SearchQuery
from search.tantivy_index import TantivyIndex


def document(
    name: str,
    summary: str = "Does something",
    *,
    category: str = "text",
    tags: tuple[str, ...] = (),
    readme: str = "",
    stars: Stars = Stars(),  # noqa: B008 - frozen
    calls: int = 0,
) -> Document:
    card = Card(
        id=uuid4(), owner="algorium", name=name, summary=summary, category=category, tags=tags,
        version_id=uuid4(), number="1.0.0", royalty=0, stars=stars, created_at=now(),
    )  # fmt: skip
    return Document(card, readme, calls)


SENTIMENT = document("Sentiment", "How positive or negative a text reads", tags=("reviews",))
LANGUAGE = document("LanguageDetection", "Which language a text is written in")
FACES = document("FaceDetection", "Faces in a picture", category="vision", stars=Stars(4.8, 30))
BARCODE = document("Barcode", "QR codes in a picture", category="vision", calls=9)
KEYWORDS = document("Keywords", "What a text is about", readme="Goes well with sentiment.")


@pytest.fixture
async def index() -> TantivyIndex:
    made = TantivyIndex()
    await made.rebuild([KEYWORDS, BARCODE, FACES, LANGUAGE, SENTIMENT])
    return made


async def found(index: TantivyIndex, text: str, **more: str) -> list[str]:
    results = await index.search(SearchQuery.from_params({"q": text, **more}))
    return [hit.card.name for hit in results.hits]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("sentiment", ["Sentiment", "Keywords"]),
        ("SENTIMENT", ["Sentiment", "Keywords"]),
        ("senti", ["Sentiment", "Keywords"]),
        ("reviews", ["Sentiment"]),
        ("language detection", ["LanguageDetection"]),
        ("languagedetection", ["LanguageDetection"]),
        ("detection language", ["LanguageDetection"]),
        ("algorium/Barcode", ["Barcode"]),
        ("the picture", ["FaceDetection", "Barcode"]),
        ("qr", ["Barcode"]),
        ("xyzzy", []),
        ("/*' %_", []),
    ],
)
async def test_words_find_names_before_readmes(
    index: TantivyIndex, text: str, names: list[str]
) -> None:
    assert await found(index, text) == names


@pytest.mark.parametrize(
    ("text", "name"),
    [("langage", "LanguageDetection"), ("setniment", "Sentiment"), ("brcode", "Barcode"),
     ("lamguagedetetion", "LanguageDetection"), ("sentimnt", "Sentiment")],
)  # fmt: skip
async def test_a_typo_is_forgiven(index: TantivyIndex, text: str, name: str) -> None:
    assert await found(index, text) == [name]


async def test_short_words_mean_what_they_say(index: TantivyIndex) -> None:
    assert await found(index, "qt") == []


async def test_a_word_as_typed_comes_before_any_correction_of_it(index: TantivyIndex) -> None:
    await index.apply([document("Spelling", "Finds the word barcoda")], [])

    assert await found(index, "barcoda") == ["Spelling", "Barcode"]


async def test_only_the_last_word_may_be_unfinished(index: TantivyIndex) -> None:
    assert await found(index, "face detec") == ["FaceDetection"]
    results = await index.search(SearchQuery.from_params({"q": "detec face"}))
    assert results.near


async def test_no_words_find_everything_the_best_thought_of_first(index: TantivyIndex) -> None:
    assert (await found(index, ""))[:2] == ["FaceDetection", "Barcode"]


async def test_where_nothing_has_all_words_some_of_them_still_help(index: TantivyIndex) -> None:
    results = await index.search(SearchQuery.from_params({"q": "face sentiment"}))

    assert results.near
    assert {hit.card.name for hit in results.hits} == {"FaceDetection", "Sentiment", "Keywords"}


async def test_categories_are_counted_for_the_words_alone(index: TantivyIndex) -> None:
    query = SearchQuery.from_params({"q": "detection", "category": "vision"})
    results = await index.search(query)

    assert [hit.card.name for hit in results.hits] == ["FaceDetection"]
    assert (results.total, dict(results.categories)) == (1, {"text": 1, "vision": 1})


async def test_pages_are_whole_and_do_not_overlap(index: TantivyIndex) -> None:
    await index.rebuild([document(f"Number{n}") for n in range(45)])
    pages = [await found(index, "does", page=str(n)) for n in (1, 2, 3, 4)]

    assert [len(page) for page in pages] == [20, 20, 5, 0]
    assert len({name for page in pages for name in page}) == 45


async def test_what_is_gone_is_neither_found_nor_counted(index: TantivyIndex) -> None:
    await index.apply([], [SENTIMENT.id])
    results = await index.search(SearchQuery.from_params({"q": "sentiment"}))

    assert [hit.card.name for hit in results.hits] == ["Keywords"]
    assert dict(results.categories) == {"text": 1}


async def test_what_is_found_is_marked(index: TantivyIndex) -> None:
    results = await index.search(SearchQuery.from_params({"q": "languge det"}))

    assert results.marked("LanguageDetection") == [
        ("Language", True), ("Det", True), ("ection", False)
    ]  # fmt: skip
    assert results.marked("A language & more") == [
        ("A ", False), ("language", True), (" & more", False)
    ]  # fmt: skip
