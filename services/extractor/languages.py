"""Which language a text is in, by py3langid (its model is part of the package; no network)."""

from functools import cache
from typing import Final

from py3langid import __version__ as version
from py3langid.langid import MODEL_FILE, LanguageIdentifier

__all__ = ["identify", "version"]

UNDETERMINED: Final = "und"  # ISO 639-2's code for it
FEWEST_LETTERS: Final = 20  # below, any answer is a guess
SHORT: Final = 600  # letters; below, only languages of many business documents are believed
READ: Final = 20_000  # characters looked at; the answer does not change after the first few pages
LEAST: Final = 0.2  # of the calibrated probability; 98 languages share 1.0
COMMON: Final = frozenset(
    [
        "ar", "bg", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "he", "hi", "hr", "hu", "id", "it", "ja",
        "ko", "lt", "lv", "nl", "no", "pl", "pt", "ro", "ru", "sk", "sl", "sr", "sv", "th", "tr", "uk", "vi", "zh",
    ]
)  # fmt: skip


@cache
def _identifier() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def identify(text: str) -> str:
    """The ISO 639-1 code of the text's language; "und" when there are too few letters to tell."""
    words = [word for word in text[:READ].split() if any(map(str.isalpha, word)) and "@" not in word]
    letters = sum(map(len, words))
    if letters < FEWEST_LETTERS:
        return UNDETERMINED
    ranked = _identifier().rank(" ".join(words))
    language, probability = next(r for r in ranked if letters >= SHORT or r[0] in COMMON)
    return str(language) if probability >= LEAST else UNDETERMINED
