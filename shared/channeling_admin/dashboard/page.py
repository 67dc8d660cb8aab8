"""Serving the dashboard: the page at "/", its files below, and the headers that keep everything else out."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from channeling_admin.guards import SAFE_HEADERS

FOLDER = Path(__file__).parent / "static"
_PAGE = "index.html"
# In the page's links: replaced by the digest of all files, so that a browser may keep each file for ever.
_VERSION = "VERSION"
_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# Beside what the admin API says of all its answers: no markup made of text. With Trusted Types required, and none
# allowed, a browser itself refuses what sets innerHTML or the like. Source: W3C Trusted Types.
HEADERS = {
    "content-security-policy": (
        f"{SAFE_HEADERS['content-security-policy']}; require-trusted-types-for 'script'; trusted-types 'none'"
    ),
}
_KEPT = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class PageFiles:
    """The page and its files by name, read once; `version` changes with any of them."""

    page: bytes
    files: dict[str, bytes]
    version: str


def read_page_files(folder: Path = FOLDER) -> PageFiles:
    """Return the files of the dashboard; raise OSError where they are not installed."""
    files = {
        file.name: file.read_bytes()
        for file in sorted(folder.iterdir())
        if file.suffix in _MEDIA_TYPES and not file.name.startswith(".")
    }
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(name.encode() + b"\0" + content + b"\0")
    version = digest.hexdigest()[:16]
    page = files.pop(_PAGE).replace(_VERSION.encode(), version.encode())
    return PageFiles(page, files, version)


def add_dashboard(app: FastAPI) -> None:
    """Have an app serve the dashboard at its root; its own routes are added before, and win."""
    page_files = read_page_files()

    async def page(request: Request) -> Response:
        tag = f'"{page_files.version}"'
        headers = {**HEADERS, "cache-control": "no-cache", "etag": tag}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(page_files.page, headers=headers, media_type=_MEDIA_TYPES[".html"])

    async def file(request: Request) -> Response:
        name = request.path_params["name"]
        content = page_files.files.get(name)
        if content is None or request.path_params["version"] != page_files.version:
            raise HTTPException(404, "the dashboard has no such file; load the page again")
        headers = {**HEADERS, "cache-control": _KEPT}
        return Response(content, headers=headers, media_type=_MEDIA_TYPES[Path(name).suffix])

    routes: dict[str, Callable[[Request], Awaitable[Response]]] = {"/": page, "/page/{version}/{name}": file}
    for path, endpoint in routes.items():
        app.add_route(path, endpoint, methods=["GET", "HEAD"], include_in_schema=False)
