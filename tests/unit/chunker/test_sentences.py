import time

import pytest

from services.chunker.sentences import sentences


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text, 0, len(text))]


@pytest.mark.parametrize(
    "one",
    [
        "Dr. Smith met Prof. Jones at Acme Inc. Headquarters.",
        "See No. 5 and Fig. 3, pp. 12.",
        "The rate is 3.14 percent, or 1.000,50 in all.",
        "J. R. R. Tolkien wrote it.",
        "Das gilt z. B. Für Mieter.",
        "Das gilt z.B. Für Mieter.",
        "The U.S. Government agreed.",
        "Die Miete ist am 3. Oktober fällig.",
        "“Really?” he asked.",
        "It was late ... and dark.",
        "A sentence that the scanner\nbroke over\nthree lines.",
        "Mme. Dupont et M. Martin habitent ici.",
    ],
)
def test_what_only_looks_like_an_end_is_none(one: str) -> None:
    assert split(one) == [one]


@pytest.mark.parametrize(
    "parts",
    [
        ["The rent is due.", "It is paid monthly!", "Is it?", "Yes."],
        ["He said: “It is paid.”", "Then he left."],
        ["It began in 1990.", "The war was over."],
        ["Er sagte: „Ja.“", "Dann ging er."],
        ["هل دفعت الإيجار؟", "نعم دفعته.", "شكرا لك."],
        ["किराया देना है।", "विवाद सुलझाए जाएंगे।"],
    ],
)
def test_sentences_end_at_their_marks(parts: list[str]) -> None:
    assert split(" ".join(parts)) == parts


def test_chinese_and_japanese_need_no_space_between_sentences() -> None:
    assert split("本合同生效。租金每月支付！「はい。」次の文。") == [
        "本合同生效。",
        "租金每月支付！",
        "「はい。」",
        "次の文。",
    ]


def test_bullets_and_numbers_at_the_start_of_a_line_begin_anew() -> None:
    assert split("The tenant shall:\n1. pay the rent;\n2. keep quiet.\n• no pets\n• no smoke") == [
        "The tenant shall:",
        "1. pay the rent;",
        "2. keep quiet.",
        "• no pets",
        "• no smoke",
    ]


def test_a_number_that_wraps_to_the_next_line_begins_nothing() -> None:
    assert len(split("The contract was signed on the\n3. of October by both")) == 1


def test_a_megabyte_of_dot_leaders_is_done_in_linear_time() -> None:
    began = time.process_time()
    assert len(split("." * 1_000_000 + "x")) == 1
    assert time.process_time() - began < 2
