import time

from services.chunker.chunks import Chunk, cut
from services.chunker.units import Limits, Page, count_tokens

LIMITS = Limits(characters=200, tokens=60)


def texts(text: str, limits: Limits = LIMITS) -> list[str]:
    return [text[chunk.start : chunk.end] for chunk in cut(text, [Page(1, 0, len(text))], limits)]


def joined(*pages: str) -> tuple[str, list[Page]]:
    """The pages as the ocr stage joins them."""
    spans, offset = [], 0
    for number, page in enumerate(pages, 1):
        spans.append(Page(number, offset, offset + len(page)))
        offset += len(page) + 2
    return "\n\n".join(pages), spans


def test_a_text_without_words_has_no_chunks() -> None:
    assert texts("") == []
    assert texts(" \n\n \t\n") == []


def test_a_short_text_is_one_chunk_without_outer_whitespace() -> None:
    assert cut("\n  Hello there.\n", [Page(1, 0, 16)], LIMITS) == [Chunk(0, 3, 15, (1, 1), ())]


def test_sentences_stay_whole() -> None:
    sentence = "The tenant pays the rent to Dr. Miller on the\nfirst day of each month without delay."
    assert texts(" ".join([sentence] * 9)) == [f"{sentence} {sentence}"] * 4 + [sentence]


def test_a_chunk_ends_with_its_paragraph_once_it_is_half_full() -> None:
    first = "A paragraph of some hundred characters and more. It has two sentences, and it ends here."
    second = "Another one. " * 12
    assert texts(f"{first} {first[:40]}.\n\n{second}")[0].endswith(f"{first[:40]}.")


def test_a_sentence_beyond_the_limit_is_torn_at_the_ends_of_lines() -> None:
    lines = [f"item {number} of the long price list without any mark" for number in range(20)]
    chunks = texts("\n".join(lines))
    assert [line for chunk in chunks for line in chunk.split("\n")] == lines


def test_a_word_beyond_the_limit_is_torn_anywhere() -> None:
    chunks = texts("x" * 1000)
    assert "".join(chunks) == "x" * 1000
    assert max(map(len, chunks)) <= LIMITS.characters


def test_scripts_that_cost_a_token_a_character_get_shorter_chunks() -> None:
    chunks = texts("承租人应于每月五日前支付租金。" * 40)
    assert max(map(len, chunks)) <= LIMITS.tokens
    assert all(chunk.endswith("。") for chunk in chunks)


def test_a_chunk_over_two_pages_names_both() -> None:
    text, pages = joined("It ends here. And the second", "sentence goes on over the page.", "Third.")
    [chunk] = cut(text, pages, LIMITS)
    assert chunk.pages == (1, 3)


def test_a_sentence_that_runs_over_a_page_break_is_not_torn() -> None:
    filler = "This sentence fills the page up to some point that is far enough down. "
    text, pages = joined(filler * 2 + "The rent is due on", "the first day. " + filler)
    chunks = cut(text, pages, LIMITS)
    [over] = [chunk for chunk in chunks if chunk.pages == (1, 2)]
    assert "The rent is due on\n\nthe first day." in text[over.start : over.end]


def test_pages_without_text_are_passed_over() -> None:
    text, pages = joined("", "Hello there.", "")
    assert [chunk.pages for chunk in cut(text, pages, LIMITS)] == [(2, 2)]


def test_a_text_without_pages_is_page_one() -> None:
    assert [chunk.pages for chunk in cut("Hello.", [], LIMITS)] == [(1, 1)]


def test_a_section_begins_a_chunk_and_its_headings_stand_above_it() -> None:
    body = "The tenant pays the rent on the first day of each month without any delay."
    text = f"Chapter 1\n\n1. Rent\n\n{body}\n\n1.1 Amount\n\n{body}\n\n2. Deposit\n\n{body}"
    assert [(text[chunk.start :].partition("\n")[0], chunk.heading_path) for chunk in cut(text, [], LIMITS)] == [
        ("Chapter 1", ("Chapter 1", "1. Rent")),
        ("1.1 Amount", ("Chapter 1", "1. Rent", "1.1 Amount")),
        ("2. Deposit", ("Chapter 1", "2. Deposit")),
    ]


def test_tiny_sections_share_a_chunk_under_the_headings_they_share() -> None:
    [chunk] = cut("# Lease\n\n## Rent\n\nMonthly.\n\n## Term\n\nA year.", [], LIMITS)
    assert chunk.heading_path == ("Lease",)


def test_a_chunk_does_not_end_with_a_heading() -> None:
    body = "The tenant pays the rent on the first day of each month to the landlord."
    text = "".join(f"## Part {number} of the lease\n\n{body} {body}\n\n" for number in range(8))
    assert not [chunk for chunk in texts(text) if chunk.split("\n")[-1].startswith("##")]


def test_a_heading_on_many_pages_is_a_running_header() -> None:
    page = "ANNUAL REPORT\n\nThe company did well in all the regions of the world this year."
    text, pages = joined(page, page, page)
    assert {chunk.heading_path for chunk in cut(text, pages, LIMITS)} == {()}


def test_ten_times_the_text_takes_about_ten_times_as_long() -> None:
    paragraph = (
        "The tenant shall pay the rent to Dr. Miller, by\nNo. 5 of the list. It is due monthly, e.g. in May.\n" * 5
    )

    def seconds(size: int) -> float:
        text = (paragraph + "\n") * (size // len(paragraph))
        began = time.process_time()
        assert len(cut(text, [Page(1, 0, len(text))], Limits(900, 210))) > size / 1000
        return time.process_time() - began

    short = min(seconds(100_000) for _ in range(3))
    assert min(seconds(1_000_000) for _ in range(3)) < 25 * short


def test_tokens_are_counted_by_word_slices_figures_and_marks() -> None:
    assert count_tokens("Rents, 1234 中文", 0, 14) == 6
    assert count_tokens("Rents, 1234 中文", 7, 11) == 2
