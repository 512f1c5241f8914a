"""The text of a result is decoded piece by piece; whatever stands in it, the pieces are the text."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.http import json_parts

HOSTILE = ["\\", '"', "\n", "\x01", "ä", "中", "😀", "\\u", "a", " ", "\\\\n", "ud83d", "\x7f"]


async def said(encoded: bytes) -> tuple[str, int]:
    pieces = [piece async for piece in json_parts._pieces(encoded)]
    return b"".join(pieces).decode(), max(map(len, pieces), default=0)


@given(st.lists(st.sampled_from(HOSTILE), max_size=300), st.integers(13, 60), st.booleans())
async def test_the_pieces_are_the_text(parts: list[str], size: int, ascii_only: bool) -> None:
    text = "".join(parts)
    encoded = json.dumps(text).encode() if ascii_only else orjson.dumps(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_parts, "_PIECE", size)
        patch.setattr(json_parts, "_SEARCHED", 8)
        found, largest = await said(encoded)
    assert found == text
    assert largest <= size


@pytest.mark.parametrize("character", ["\\", "\n", "\x01", "ä", "😀", "a"])
async def test_no_piece_is_large(character: str) -> None:
    text = character * 1_000_000
    found, largest = await said(orjson.dumps(text))
    assert found == text
    assert largest <= json_parts._PIECE
