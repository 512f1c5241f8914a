import pytest

from services.ocr.text_layer import cleaned, is_text, needs_ocr

ENGLISH = "The harbour office wrote on Monday about the mooring ring at berth sixteen, which was loose."


def shifted(text: str, by: int) -> str:
    return "".join(chr(ord(char) + by) if char.isalpha() else char for char in text)


@pytest.mark.parametrize(
    "text",
    [
        ENGLISH,
        ENGLISH.upper(),
        "Zażółć gęślą jaźń. Ten tekst jest po polsku i ma dużo znaków, które nie są łacińskie.",
        "Strč prst skrz krk. Příliš žluťoučký kůň úpěl ďábelské ódy, zatímco vlk zmrzl v lese u potoka.",
        "Die Größe des Betriebssystems beträgt 1.204,50 Einheiten; Lizenzierung erfolgt nach Wunsch.",
        "هذا نص عربي قصير عن الميناء والسفن",
        "यह एक छोटा हिन्दी पाठ है",
        "港務局於星期一來信談及十六號泊位的繫纜環。",
        "これは短い日本語の文章です。",
        "Письмо пришло в понедельник, и никто письма не прочитал.",
        "Hello, world!",
        "HB-20731",
        "12.50 8.30 4.20 38.99",
    ],
)
def test_text_in_any_script_is_text(text: str) -> None:
    assert is_text(text)


def test_a_few_consonants_alone_are_read_again_to_be_safe() -> None:
    assert not is_text("TCP, NTP, FTP")


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "  \n ",
        '"7+%-',
        "\ue001\ue002\ue003 \ue004\ue005",
        "\ufffd\ufffd\ufffd ok",
        shifted(ENGLISH.lower(), -29),
        shifted(ENGLISH.lower(), 1),
        shifted(ENGLISH.lower(), 3),
        "bcdf ghjk lmnp qrst vwxz",
        '!"#$%&\'()*+,-./ ()*+,-. !"#',
    ],
)
def test_fonts_without_a_mapping_give_no_text(garbage: str) -> None:
    assert not is_text(garbage)


def test_a_little_garbage_within_text_is_forgiven() -> None:
    assert is_text("Voucher NUL-8841 \ue000 alpha \ufffd beta gamma total 73.15")


def test_cleaning_takes_what_cannot_be_stored_and_keeps_the_rest() -> None:
    assert cleaned("a\0b\x01c\ud800d\ufffee\uffff\tf\r\ng\rh\x0ci 日本") == "abcde\tf\ng\nh\ni 日本"


def test_a_page_with_nothing_on_it_is_blank() -> None:
    assert not needs_ocr("", objects=0, coverage=0, bare=0)


def test_a_page_without_text_is_read() -> None:
    assert needs_ocr("", objects=1, coverage=1, bare=1)


def test_a_few_words_beside_a_large_picture_are_not_the_page() -> None:
    assert needs_ocr("Scanned by the office", objects=2, coverage=0.9, bare=0)
    assert not needs_ocr("Scanned by the office", objects=2, coverage=0.05, bare=0.05)


def test_a_full_text_layer_over_a_scan_is_trusted() -> None:
    assert not needs_ocr(ENGLISH * 4, objects=2, coverage=1, bare=0)


def test_a_large_picture_beside_much_text_is_read_too() -> None:
    assert needs_ocr(ENGLISH * 4, objects=2, coverage=0.4, bare=0.4)
    assert not needs_ocr(ENGLISH * 4, objects=2, coverage=0.1, bare=0.1)
