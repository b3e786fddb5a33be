"""The default engine: tantivy, in this process's memory.

A hit is scored by the sum over the words of the best way in which each is found:

                exact   prefix   with typos
    name           20       18            3
    tags           16     14.4          1.8
    category       15     13.5          1.5
    summary        14     12.6          1.2
    owner          13     11.7            -
    README         11      9.9            -

So a word as it was typed beats any correction of it, a name beats a README, and equals are
put in order by stars and calls. Only the last word may be unfinished.
"""

import asyncio
from collections.abc import Iterable, Sequence
from uuid import UUID

import tantivy
from tantivy import Occur, Query

from search.documents import Document
from search.index import Results
from search.query import PAGE_SIZE, SearchQuery
from search.words import typos_forgiven, words_of

WEIGHTS = {"name": 10.0, "tags": 6.0, "category": 5.0, "summary": 4.0, "owner": 3.0, "readme": 1.0}
FOUND = 10.0
PREFIX = 0.9
TYPO = 0.3
# Typos elsewhere are noise rather than help.
FORGIVING = frozenset({"name", "tags", "category", "summary"})
# As many of the best are put in order by standing; all that a person could page to.
RANKED = 1000

_HEAP = 15_000_000


class TantivyIndex:
    """An index that lives as long as its process, and is filled again at the next start."""

    def __init__(self) -> None:
        self._schema = _schema()
        self._index = tantivy.Index(self._schema)
        words = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
        self._index.register_tokenizer("words", words)
        self._writer = self._index.writer(_HEAP, 1)
        self._writing = asyncio.Lock()
        # What is shown of each document, by its id.
        self._shown: dict[str, Document] = {}

    async def search(self, query: SearchQuery) -> Results:
        """Find a page of hits."""
        words = query.words
        if query.text and not words:
            return Results((), 0, {})
        results = self._search(query, self._all_of(words))
        if not results.categories and len(words) > 1:
            near = self._search(query, self._any_of(words))
            return Results(near.hits, near.total, near.categories, words, near=True)
        return results

    async def apply(self, documents: Sequence[Document], gone: Iterable[UUID]) -> None:
        """Put documents in, and take out what is gone."""
        async with self._writing:
            await asyncio.to_thread(self._apply, documents, list(gone))

    async def rebuild(self, documents: Sequence[Document]) -> None:
        """Hold exactly these documents; searches meanwhile see the old ones."""
        kept = {str(document.id) for document in documents}
        async with self._writing:
            gone = [UUID(known) for known in self._shown if known not in kept]
            await asyncio.to_thread(self._apply, documents, gone)

    def _apply(self, documents: Sequence[Document], gone: Sequence[UUID]) -> None:
        for algorithm_id in gone:
            self._writer.delete_documents_by_term("id", str(algorithm_id))
        for document in documents:
            self._writer.delete_documents_by_term("id", str(document.id))
            self._writer.add_document(self._entry(document))
            self._shown[str(document.id)] = document.without_text()
        self._writer.commit()
        self._index.reload()
        for algorithm_id in gone:
            self._shown.pop(str(algorithm_id), None)

    def _entry(self, document: Document) -> tantivy.Document:
        card = document.card
        entry = tantivy.Document()
        entry.add_text("id", str(card.id))
        entry.add_text("shelf", card.category)
        entry.add_integer("standing", document.standing)
        for name, text in (
            ("name", card.name),
            ("owner", card.owner),
            ("tags", " ".join(card.tags)),
            ("category", card.category),
            ("summary", card.summary),
            ("readme", document.readme),
        ):
            entry.add_text(name, " ".join(words_of(text)))
        return entry

    def _search(self, query: SearchQuery, wanted: Query) -> Results:
        searcher = self._index.searcher()
        counted = searcher.aggregate(
            wanted, {"shelves": {"terms": {"field": "shelf", "size": 100}}}
        )
        categories = {
            bucket["key"]: int(bucket["doc_count"]) for bucket in counted["shelves"]["buckets"]
        }
        total = sum(categories.values())
        if query.category is not None:
            total = categories.get(query.category, 0)
            shelf = Query.term_query(self._schema, "shelf", query.category.value)
            no_score = Query.const_score_query(shelf, 0.0)
            wanted = Query.boolean_query([(Occur.Must, wanted), (Occur.Must, no_score)])
        hits: list[Document] = []
        if total:
            found = searcher.search(wanted, limit=RANKED, count=False).hits
            addresses = [address for _, address in found]
            standing = searcher.fast_field_values("standing", addresses)
            order = sorted(
                range(len(found)), key=lambda i: (-round(found[i][0], 3), -(standing[i] or 0), i)
            )
            for place in order[query.offset : query.offset + PAGE_SIZE]:
                known = self._shown.get(str(searcher.doc(addresses[place]).get_first("id")))
                if known is not None:
                    hits.append(known)
        return Results(hits, total, categories, query.words)

    def _all_of(self, words: Sequence[str]) -> Query:
        if not words:
            return Query.const_score_query(Query.all_query(), 1.0)
        return Query.boolean_query([(Occur.Must, part) for part in self._parts(words)])

    def _any_of(self, words: Sequence[str]) -> Query:
        return Query.boolean_query([(Occur.Should, part) for part in self._parts(words)])

    def _parts(self, words: Sequence[str]) -> list[Query]:
        last = len(words) - 1
        return [self._word(word, unfinished=place == last) for place, word in enumerate(words)]

    def _word(self, word: str, *, unfinished: bool) -> Query:
        ways: list[Query] = []
        typos = typos_forgiven(word)
        for name, weight in WEIGHTS.items():
            exact = Query.term_query(self._schema, name, word)
            ways.append(Query.const_score_query(exact, FOUND + weight))
            if unfinished:
                prefix = Query.fuzzy_term_query(self._schema, name, word, 0, prefix=True)
                ways.append(Query.const_score_query(prefix, PREFIX * (FOUND + weight)))
            if typos and name in FORGIVING:
                close = Query.fuzzy_term_query(self._schema, name, word, typos, prefix=unfinished)
                ways.append(Query.const_score_query(close, TYPO * weight))
        return Query.disjunction_max_query(ways)


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("shelf", fast=True, tokenizer_name="raw", index_option="basic")
    builder.add_integer_field("standing", fast=True)
    for name in WEIGHTS:
        builder.add_text_field(name, tokenizer_name="words", index_option="basic")
    return builder.build()
