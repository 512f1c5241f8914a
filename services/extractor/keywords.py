"""Keywords and stop words, by YAKE (statistical, one document at a time; no network)."""

from functools import lru_cache
from importlib.metadata import version as _version
from typing import Final

from yake import KeywordExtractor

version: Final = _version("yake")
LONGEST: Final = 2  # words in a keyword
SHORT_LINE: Final = 50  # characters; a longer line goes on in the next
LONGEST_WORD: Final = 60  # characters; longer runs are no words, and YAKE's cost grows with them


@lru_cache(maxsize=8)
def _extractor(language: str, top: int) -> KeywordExtractor:
    return KeywordExtractor(lan=language if language != "und" else "en", n=LONGEST, top=top)


def find_keywords(text: str, language: str, top: int) -> list[str]:
    """The `top` keywords of the text, best first, each as printed; fewer when there are not so many."""
    words = "\n".join(_sentence(line) for line in text.splitlines())
    if not any(map(str.isalpha, words)):
        return []
    extractor = _extractor(language, top)
    found = [keyword for keyword, _ in extractor.extract_keywords(words)]
    extractor.clear_caches()  # they would grow with every document of the child
    return found


def _sentence(line: str) -> str:
    """The line without runs that are no words; a short one is ended, so that no keyword spans table rows."""
    words = " ".join(word for word in line.split() if len(word) <= LONGEST_WORD)
    return f"{words}." if words and len(words) < SHORT_LINE and words[-1].isalnum() else words


def stop_words(language: str) -> frozenset[str]:
    """The words of the language that say nothing about a text, lower case."""
    return frozenset(_extractor(language, 1).stopword_set)
