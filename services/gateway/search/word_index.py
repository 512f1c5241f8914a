"""The words of chunks, in an inverted index on disk (tantivy).

Each word stands there under the number of its tenant: a search meets the chunks of no other tenant, and the best are
found without a look at each one that has a frequent word.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import tantivy
from tantivy import FieldType, Occur, Query

from services.gateway.search.catalog import Entry, Known
from services.gateway.search.narrowing import Narrowing
from services.gateway.search.rank_fusion import words_of

_HEAP: Final = 30_000_000  # bytes of what is not committed; the library's least is half of it
_MAX_WORD: Final = 64  # characters
_MAX_WORDS: Final = 64  # of a query
_ANALYZER: Final = "words"


class WordIndex:
    """Chunks by key. What is added or removed is found after `commit`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._schema = _schema()
        self._index = tantivy.Index(self._schema, str(folder))
        analyzer = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
        self._index.register_tokenizer(_ANALYZER, analyzer)
        self._writer = self._index.writer(_HEAP, 1)
        self.is_dirty = False

    def add(self, key: int, known: Known, text: str, entry: Entry) -> None:
        """Add a chunk of a document."""
        row = tantivy.Document()
        row.add_unsigned("key", key)
        row.add_integer("document", known.number)
        row.add_text("text", " ".join(_term(known.tenant, word) for word in words_of(text, repeated=True)))
        row.add_integer("at", round(entry.uploaded_at.timestamp()))
        named = (("batch", entry.batch), ("kind", entry.kind), *(("tag", tag) for tag in entry.tags))
        for field, value in named:
            if value is not None:
                row.add_text(field, value)
        self._writer.add_document(row)
        self.is_dirty = True

    def remove(self, document: int) -> None:
        """Remove the chunks of a document."""
        self._writer.delete_documents_by_term("document", document)
        self.is_dirty = True

    def remove_after(self, document: int) -> None:
        """Remove the chunks of all documents with a higher number."""
        beyond = Query.range_query(
            self._schema, "document", FieldType.Integer, document, None, include_lower=False, use_inverted_index=True
        )
        self._writer.delete_documents_by_query(beyond)
        self.is_dirty = True

    def commit(self) -> None:
        """Make everything so far durable, and let it be found."""
        self._writer.commit()
        self._index.reload()
        self.is_dirty = False

    def close(self) -> None:
        """Let go of the files; what was not committed is gone."""
        self._writer.wait_merging_threads()

    def best(self, tenant: int, words: Sequence[str], limit: int, to: Narrowing) -> list[int]:
        """The keys of the chunks that hold any of the words, best first (BM25)."""
        terms = [Query.term_query(self._schema, "text", _term(tenant, word)) for word in words[:_MAX_WORDS]]
        if not terms:
            return []
        any_of = Query.boolean_query([(Occur.Should, term) for term in terms])
        must = [(Occur.Must, Query.const_score_query(one, 0.0)) for one in self._narrowed(to)]
        query = Query.boolean_query([(Occur.Must, any_of), *must]) if must else any_of
        searcher = self._index.searcher()
        hits = searcher.search(query, limit, count=False).hits
        return [
            int(key) for key in searcher.fast_field_values("key", [address for _, address in hits]) if key is not None
        ]

    def _narrowed(self, to: Narrowing) -> list[Query]:
        named = [("batch", to.batch), ("kind", to.kind), *(("tag", tag) for tag in to.tags)]
        found = [Query.term_query(self._schema, field, value) for field, value in named if value is not None]
        if to.since or to.until:
            first, last = (round(at.timestamp()) if at else None for at in (to.since, to.until))
            found.append(Query.range_query(self._schema, "at", FieldType.Integer, first, last))
        return found


def _term(tenant: int, word: str) -> str:
    return f"{tenant}:{word[:_MAX_WORD]}"


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("key", fast=True)
    builder.add_integer_field("document", indexed=True)
    builder.add_text_field("text", tokenizer_name=_ANALYZER, index_option="freq")
    for name in ("batch", "kind", "tag"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    builder.add_integer_field("at", indexed=True, fast=True)
    return builder.build()
