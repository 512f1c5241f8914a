"""Whatever stands in a parameter, a header or a body: it is taken or refused in words, and never a defect.

The gateway of the module must end without an error in its log, so an answer that hides a traceback fails as well.
"""

import base64
import uuid
from collections.abc import Iterator
from itertools import product
from typing import Any, Final
from urllib.parse import quote_from_bytes

import httpx
import orjson
import pytest
import pytest_asyncio

from services.gateway.queries import cursors
from tests.support.gateway import Hand

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

NUMBERS: Final = (0, -1, 2**31, 2**53 - 1, 2**53, 2**63, 2**64, 10**40, -(10**40), 10**400)
WORDS: Final = ("nan", "-inf", "1e400", "", "x", "1.5", "true", "$where", "{}", "\u0663", "a" * 3_000, "g:1", ":" * 9)
BYTES: Final = (b"\x00", b"a\x00b", b"\xed\xa0\x80", b"\xff\xfe", b"..%2f", "\u202e\U0001f9fe".encode())
ODD: Final = (*(str(number).encode() for number in NUMBERS), *(word.encode() for word in WORDS), *BYTES)
HEADERS: Final = (
    "Idempotency-Key", "Last-Event-ID", "If-None-Match", "Upload-Length", "Upload-Offset", "Upload-Metadata",
    "Upload-Checksum", "Content-Type", "Accept", "Accept-Encoding", "Authorization", "traceparent", "Range", "Cookie",
)  # fmt: skip
IN_HEADERS: Final = (b"", b"0", b"-1", b"9" * 18, b"9" * 5_000, b"\xff\xfe", b"a b,c d", b"sha1 ====",
                     b"multipart/form-data",
                     b"multipart/form-data; boundary=" + b";" * 900, b"bearer \xff", b"00-0-0-0")  # fmt: skip
DEEP: Final = b"[" * 30_000
BODIES: Final = (
    b'{"title": "x", "\\ud800": 1}', b'{"title": "x", "\\u0000": 1}',
    b"", b"null", b"[]", b"{}", b"NaN", b"\xff", DEEP, b'{"a":' * 9_000, b"9" * 6_000, b'"\\ud800"',
    b"{" + b'"x":1,' * 900,
    b'{"\\ud800": 1}', b'{"\\u0000": 1}', b'{"title": "\\ud800"}',
    b'{"title": "\\u0000"}', b'{"title": "x", "type": "\\u0000"}',
    b'{"title": "x", "silent_after": NaN}', b'{"title": "x", "silent_after": 1e999}',
    b'{"title": "x", "silent_after": [1]}',
    b'{"percent": NaN}', b'{"percent": -Infinity}', b'{"percent": 1e999}', b'{"percent": 1' + b"0" * 5_000 + b"}",
    b'{"message": "\\udfff"}', b'{"document_id": "\\ud800"}', b'{"batch": "\\ud800", "ttl": 1e999}',
    b'{"batch": "x", "ttl": NaN}',
    b'{"batch": "x", "ttl": 9' + b"9" * 4_400 + b"}", b'{"batch": "\\u0000"}', b'{"batch": "x", "right": "\\ud800"}',
)  # fmt: skip


async def operations(http: httpx.AsyncClient) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Method, path and parameters of all that the gateway describes."""
    paths = (await http.get("/openapi.json")).json()["paths"]
    return [
        (method.upper(), path, described.get("parameters", []))
        for path, methods in paths.items()
        for method, described in methods.items()
        if path != "/readyz"  # nobody is a projector here, which it says in time
    ]


async def holds(http: httpx.AsyncClient, method: str, address: str, **more: Any) -> None:
    """Send it; a stream is not read to its end."""
    async with http.stream(method, address, **more) as answer:
        assert answer.status_code < 500, (method, address[:200], more, answer.status_code, await answer.aread())


def with_one_odd(path: str, parameters: list[dict[str, Any]], known: dict[str, str]) -> Iterator[str]:
    """Addresses in which one parameter is odd and the others are right or left out."""
    for parameter, odd in product(parameters, ODD):
        name, written = parameter["name"], quote_from_bytes(odd, safe="")
        if parameter["in"] == "path":
            yield path.format_map({**known, name: written})
        if parameter["in"] == "query":
            needed = "&".join(f"{p['name']}=a" for p in parameters if p.get("required") and p["in"] == "query")
            yield f"{path.format_map(known)}?{name}={written}&{needed}"


@pytest_asyncio.fixture(loop_scope="module")
async def known(hand: Hand) -> dict[str, str]:
    """What paths name."""
    document_id = str(uuid.uuid4())
    await hand.healthy()
    await hand.put(document_id, 1)
    return {"document_id": document_id, "job_id": "job-x", "page": "1", "version": "1", "token_id": "x", "path": "x"}


async def test_no_parameter_is_a_defect(http: httpx.AsyncClient, known: dict[str, str]) -> None:
    tried = 0
    for method, path, parameters in await operations(http):
        for address in with_one_odd(path, parameters, known):
            if method == "DELETE" and known["document_id"] in address:
                continue
            await holds(http, method, address, headers={"Accept": "text/event-stream" if "live" in path else "*/*"})
            tried += 1
    assert tried > 1_000


async def test_no_header_is_a_defect(http: httpx.AsyncClient, known: dict[str, str]) -> None:
    for method, path, _ in await operations(http):
        if method == "DELETE":
            continue
        for name, odd in product(HEADERS, IN_HEADERS):
            tus = {"Tus-Resumable": "1.0.0"} if "uploads" in path else {}
            await holds(http, method, path.format_map(known), headers={**tus, name: odd})


async def test_no_body_is_a_defect(http: httpx.AsyncClient, known: dict[str, str]) -> None:
    for method, path, _ in await operations(http):
        if method not in ("POST", "PATCH"):
            continue
        for body, kind in product(BODIES, ("application/json", "multipart/form-data; boundary=x", "text/x")):
            await holds(http, method, path.format_map(known), content=body, headers={"Content-Type": kind})


async def test_no_cursor_is_a_defect(http: httpx.AsyncClient, known: dict[str, str]) -> None:
    listed = [
        (path, [p["name"] for p in parameters if p.get("required") and p["in"] == "query"])
        for method, path, parameters in await operations(http)
        if method == "GET" and any(p["name"] == "cursor" for p in parameters)
    ]
    assert len(listed) > 4
    for (path, needed), odd in product(listed, cursors_of_all_kinds()):
        asked = {"cursor": odd, **dict.fromkeys(needed, "a")}
        answer = await http.get(path.format_map(known), params=asked)
        assert answer.status_code < 500, (path, odd, answer.text)


def cursors_of_all_kinds() -> list[str]:
    """Numbers at the ends of what is counted, and whatever else JSON can say."""
    fit = [number for number in NUMBERS if abs(number) < 2**63]
    odd = [
        [2**64 - 1],
        [1.5],
        [1e300],
        [None],
        [True],
        {},
        [],
        "x",
        [[1]],
        [1, 2],
        ["x", 1],
        [-(2**63), "\x00"],
        [[[]]],
    ]
    written = [cursors.write(number) for number in fit] + [cursors.write(number, "x\x00") for number in fit]
    encoded = [base64.urlsafe_b64encode(orjson.dumps(one)).decode() for one in odd]
    return [*written, *encoded, "?", "\u00e9", "\x00", "=" * 40, "W1s", "a" * 500]
