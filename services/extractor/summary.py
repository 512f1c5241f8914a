"""A summary by extraction: the sentences that carry most of what the text is about, in their order. Pure."""

import re
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Final

SHORTEST: Final = 40  # characters of a sentence worth quoting
LONGEST: Final = 400
FEWEST_WORDS: Final = 6
SHORT_LINE: Final = 35  # characters; a longer line goes on in the next
PROSE: Final = 0.8  # of a sentence are letters and spaces
MAX_SENTENCES: Final = 2_000  # looked at
LEAD: Final = 0.15  # bonus of the first sentence, halved with each that follows: texts open with what they are about

_COLUMNS: Final = re.compile(r"\S(?:[ \t]{3}|\t|[ ]?\|)")
_ENDS: Final = '.!?。"”’)'
_ABBREVIATED: Final = "".join(
    rf"(?<!\b{word}\.)" for word in ("Dr", "Mr", "Mrs", "Ms", "St", "No", "Nr", "Prof", "Tel", "Std")
)
_END: Final = re.compile(_ABBREVIATED + r"(?<=[.!?。])[\"'”’)]?\s{1,4}(?=[\"'“‘(]?[^\W_a-z])")
_WORD: Final = re.compile(r"[^\W\d_]{3,40}")


def sentences_of(text: str) -> list[str]:
    """The sentences of the text's prose; tables, addresses and headings are left out."""
    found: list[str] = []
    for block in _blocks(text):
        for sentence in _END.split(block):
            words = _WORD.findall(sentence[: LONGEST + 1])
            prose = sum(c.isalpha() or c == " " for c in sentence) >= PROSE * len(sentence)
            if SHORTEST <= len(sentence) <= LONGEST and len(words) >= FEWEST_WORDS and prose and sentence[-1] in _ENDS:
                found.append(sentence)
    return found[:MAX_SENTENCES]


def _blocks(text: str) -> Iterator[str]:
    """Lines that go on in each other, joined: a blank, a short or a columned line ends a block."""
    block: list[str] = []
    for line in text.splitlines():
        words = line.split()
        columned = bool(_COLUMNS.search(line.strip()))
        if words and not columned:
            block += words
        if columned or len(line.strip()) < SHORT_LINE:
            yield " ".join(block)
            block = []
    yield " ".join(block)


def summarize(text: str, stop_words: Collection[str], limit: int) -> str:
    """At most `limit` sentences, "" when the text has none; a sentence scores by its words' frequency in the text."""
    sentences = list(dict.fromkeys(sentences_of(text)))
    words = [[w for w in map(str.lower, _WORD.findall(s)) if w not in stop_words] for s in sentences]
    frequency = Counter(word for sentence in words for word in sentence)
    highest = max(frequency.values(), default=1)
    scores = [
        sum(frequency[word] for word in set(sentence)) / (highest * max(8, len(sentence))) + LEAD / 2**index
        for index, sentence in enumerate(words)
    ]
    chosen = sorted(range(len(sentences)), key=lambda i: scores[i], reverse=True)[:limit]
    return " ".join(sentences[index] for index in sorted(chosen))
