"""The text of a result is decoded block by block; whatever stands in it, the blocks are the text."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.http import json_parts

HOSTILE = ["\\", '"', "\n", "\x01", "ä", "中", "😀", "\\u", "a", " ", "\\\\n", "ud83d", "\x7f"]


async def said(encoded: bytes) -> tuple[str, int]:
    blocks = [block async for block in json_parts._blocks(encoded)]
    return b"".join(blocks).decode(), max(map(len, blocks), default=0)


@given(st.lists(st.sampled_from(HOSTILE), max_size=300), st.integers(13, 60), st.booleans())
async def test_the_blocks_are_the_text(parts: list[str], size: int, ascii_only: bool) -> None:
    text = "".join(parts)
    encoded = json.dumps(text).encode() if ascii_only else orjson.dumps(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_parts, "_BLOCK", size)
        patch.setattr(json_parts, "_SEARCHED", 8)
        found, largest = await said(encoded)
    assert found == text
    assert largest <= size


@pytest.mark.parametrize("character", ["\\", "\n", "\x01", "ä", "😀", "a"])
async def test_no_block_is_large(character: str) -> None:
    text = character * 1_000_000
    found, largest = await said(orjson.dumps(text))
    assert found == text
    assert largest <= json_parts._BLOCK
