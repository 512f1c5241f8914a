"""The web page: files of this package, served under a policy that lets nothing foreign in."""

import hashlib
import mimetypes
from pathlib import Path
from typing import Final, NamedTuple

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.gateway.problems import Problem

FOLDER: Final = Path(__file__).parent / "web"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
_TYPES: Final = {".js": "text/javascript", ".svg": "image/svg+xml", ".woff2": "font/woff2"}


class Page(NamedTuple):
    """One file, read at start."""

    data: bytes
    media_type: str
    etag: str


def load(folder: Path = FOLDER) -> dict[str, Page]:
    """The files below `folder`, by their path with slashes: only what is here can ever be asked for."""
    return {path.relative_to(folder).as_posix(): _page(path) for path in folder.rglob("*") if path.is_file()}


def routes(pages: dict[str, Page]) -> APIRouter:
    """`/` is index.html, `/web/…` every file."""
    router = APIRouter(include_in_schema=False)

    @router.api_route("/", methods=["GET", "HEAD"])
    async def index(request: Request) -> Response:
        return _answer(request, pages.get("index.html"))

    @router.api_route("/web/{path:path}", methods=["GET", "HEAD"])
    async def file(request: Request, path: str) -> Response:
        return _answer(request, pages.get(path))

    return router


def _answer(request: Request, page: Page | None) -> Response:
    if page is None:
        raise Problem("not_found", path=request.url.path)
    headers = {**HEADERS, "ETag": page.etag}
    if page.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(page.data, media_type=page.media_type, headers=headers)


def _page(path: Path) -> Page:
    data = path.read_bytes()
    guessed = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Page(data, guessed, f'"{hashlib.sha256(data).hexdigest()[:20]}"')
