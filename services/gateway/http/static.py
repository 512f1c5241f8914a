"""The web page and `/docs`: files of packages, compressed once, served under a policy that admits no other host."""

import gzip
import hashlib
import mimetypes
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.gateway.problems import Problem

FOLDER: Final = Path(__file__).parents[1] / "web"
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
    "Vary": "Accept-Encoding",
}
_SWAGGER_UI: Final = ("swagger-ui.css", "swagger-ui-bundle.js")
_TYPES: Final = {".js": "text/javascript", ".svg": "image/svg+xml", ".woff2": "font/woff2"}


class Form(NamedTuple):
    """The bytes of a file as they travel."""

    data: bytes
    etag: str


class Page(NamedTuple):
    """One file, read at start: as it is and compressed, each with a mark of its own (RFC 9110, 8.8.3)."""

    media_type: str
    plain: Form
    packed: Form


def load() -> dict[str, Page]:
    """The files below `FOLDER` by their path with slashes, and Swagger UI below `docs/`. No other file is served."""
    own = {path.relative_to(FOLDER).as_posix(): path for path in FOLDER.rglob("*") if path.is_file()}
    foreign = {f"docs/{name}": _swagger_ui() / name for name in _SWAGGER_UI}
    return {name: _page(path) for name, path in (own | foreign).items()}


def _swagger_ui() -> Path:
    """The folder with Swagger UI's files, found without importing the package that carries them."""
    package = find_spec("fastapi_standalone_docs")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "static" / "swagger"


def routes(pages: dict[str, Page]) -> APIRouter:
    """`/` is the page, `/docs` Swagger UI, `/web/…` every file."""
    router = APIRouter(include_in_schema=False)

    @router.api_route("/", methods=["GET", "HEAD"])
    async def index(request: Request) -> Response:
        return _answer(request, pages.get("page/index.html"))

    @router.api_route("/docs", methods=["GET", "HEAD"])
    async def docs(request: Request) -> Response:
        return _answer(request, pages.get("docs/index.html"))

    @router.api_route("/web/{path:path}", methods=["GET", "HEAD"])
    async def file(request: Request, path: str) -> Response:
        return _answer(request, pages.get(path))

    return router


def _answer(request: Request, page: Page | None) -> Response:
    if page is None:
        raise Problem("not_found", path=request.url.path)
    packed = _takes_gzip(request.headers.get("accept-encoding", ""))
    form = page.packed if packed else page.plain
    headers = {**HEADERS, "ETag": form.etag}
    if form.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if packed:
        headers["Content-Encoding"] = "gzip"
    return Response(form.data, media_type=page.media_type, headers=headers)


def _takes_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding header names gzip and does not refuse it (q=0)."""
    named = (part.replace(" ", "").lower().partition(";q=") for part in accepted.split(","))
    return any(name == "gzip" and (not quality or quality.strip("0.")) for name, _, quality in named)


def _page(path: Path) -> Page:
    data = path.read_bytes()
    guessed = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    mark = hashlib.sha256(data).hexdigest()[:20]
    return Page(guessed, Form(data, f'"{mark}"'), Form(gzip.compress(data, mtime=0), f'"{mark}-gzip"'))
