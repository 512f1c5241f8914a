"""What holds for the chunks of any text."""

from hypothesis import given
from hypothesis import strategies as st

from services.chunker.chunks import Chunk, cut
from services.chunker.units import Limits, Page, count_tokens

# Slices of which texts are made: words of several scripts, marks, headings, and whitespace of all kinds.
WORDS = [
    "rent",
    "Miete",
    "Dr.",
    "z. B.",
    "No. 5",
    "3.14",
    "e\u0301",
    "中文",
    "。",
    "إيجار",
    "؟",
    "।",
    "x" * 70,
    "ANNEX TWO",
]
MARKS = [". ", "! ", "?", "...", "”", ",", "# ", "1.2 ", "• ", "a) ", "-"]
SPACES = [" ", "  ", "\n", "\n\n", "\r\n", "\t", "\u00a0", "\u2028", "\f", "\n \n"]
PIECES = st.sampled_from([*WORDS, *MARKS, *SPACES])
PAGES = st.lists(st.lists(PIECES, max_size=25).map("".join) | st.text(max_size=40), max_size=5)
LIMITS = st.builds(Limits, st.integers(1, 120), st.integers(1, 40))


def joined(pages: list[str]) -> tuple[str, list[Page]]:
    """The pages as the ocr stage joins them."""
    spans, offset = [], 0
    for number, page in enumerate(pages, 1):
        spans.append(Page(number, offset, offset + len(page)))
        offset += len(page) + 2
    return "\n\n".join(pages), spans


def chunks_of(pages: list[str], limits: Limits) -> tuple[str, list[Page], list[Chunk]]:
    text, spans = joined(pages)
    return text, spans, cut(text, spans, limits)


@given(PAGES, LIMITS)
def test_chunks_are_in_order_and_hold_all_but_whitespace_once(pages: list[str], limits: Limits) -> None:
    text, _, chunks = chunks_of(pages, limits)
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
    edges = [0, *(edge for chunk in chunks for edge in (chunk.start, chunk.end)), len(text)]
    assert edges == sorted(edges)
    gaps = [text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]
    assert not "".join(gaps).strip()


@given(PAGES, LIMITS)
def test_chunks_are_within_the_limits_and_begin_and_end_with_text(pages: list[str], limits: Limits) -> None:
    text, _, chunks = chunks_of(pages, limits)
    for chunk in chunks:
        content = text[chunk.start : chunk.end]
        assert content == content.strip() != ""
        assert len(content) <= limits.characters
        assert count_tokens(text, chunk.start, chunk.end) <= limits.tokens


@given(PAGES, LIMITS)
def test_page_spans_are_those_of_the_first_and_last_character(pages: list[str], limits: Limits) -> None:
    _, spans, chunks = chunks_of(pages, limits)
    for chunk in chunks:
        first, last = (
            next(span.page for span in spans if span.start <= at < span.end) for at in (chunk.start, chunk.end - 1)
        )
        assert chunk.pages == (first, last)


@given(st.lists(st.integers(1, 12), min_size=1, max_size=40), st.sampled_from([" ", "\n", "\n\n"]))
def test_no_sentence_that_fits_is_torn(lengths: list[int], gap: str) -> None:
    sentences = [" ".join(["Rent", *["is due"] * length]) + "." for length in lengths]
    text = gap.join(sentences)
    ends = {len(gap.join(sentences[:count])) for count in range(1, len(sentences) + 1)}
    limits = Limits(100, 60)
    assert {chunk.end for chunk in cut(text, [Page(1, 0, len(text))], limits)} <= ends
