"""`odp serve`: the store's files over HTTP, as a preview or behind a proxy. Reads only, and only what is published.

A file by its stable address is that of one version from the first byte to the last: the alias is resolved once, before
the file is opened, and `Content-Location` says to which version. Only known kinds of files are served; names with a
leading dot (locks, files on their way) and whatever lies outside the store's folder do not exist.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import PathLike, StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from odpipeline.store import layout

CONTENT_TYPES = {
    ".csv": "text/csv; charset=utf-8; header=present",
    ".parquet": "application/vnd.apache.parquet",
    ".geojson": "application/geo+json",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".gz": "application/gzip",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".jsonld": "application/ld+json",
    ".atom": "application/atom+xml; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}
"""What is served, and as what; any other suffix does not exist. `header=present`: RFC 4180, section 3."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
"""On every answer, errors included."""

_VERSION_FILE = re.compile(r"datasets/[^/]+/versions/[^/]+/[^/]+")
_FOR_EVER, _ASK_AGAIN = "public, max-age=31536000, immutable", "no-cache"


def application(store_root: Path) -> Starlette:
    """The ASGI application for the store in `store_root`, which need not exist yet."""
    anyone = Middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["GET", "HEAD"],
        allow_headers=["Range", "If-None-Match", "If-Range"],
        expose_headers=["ETag", "Content-Range", "Content-Length", "Content-Location", "Accept-Ranges"],
    )
    return Starlette(routes=[Mount("/", _Published(store_root))], middleware=[Middleware(_Headers), anyone])


class _Headers:
    """Puts `HEADERS` on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message["headers"], *added]
            await send(message)

        await self._app(scope, receive, sent)


class _Published(StaticFiles):
    """Starlette's static files (Range, conditional requests) narrowed to what is published."""

    def __init__(self, root: Path) -> None:
        super().__init__(directory=root, check_dir=False)
        self._root = Path(os.path.realpath(root))

    async def check_config(self) -> None:
        """An empty town has no store yet: everything is 404 until it has one."""

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """The real place of `path`, aliases resolved; ("", None) for whatever is not to be seen."""
        wanted = layout.INDEX if path in (".", "") else path
        if any(part.startswith(".") for part in Path(wanted).parts) or Path(wanted).suffix not in CONTENT_TYPES:
            return "", None
        return super().lookup_path(wanted)

    def file_response(
        self, full_path: PathLike, stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """The file with its content type; a version's for ever, anything else to be asked for again."""
        place = Path(full_path).relative_to(self._root).as_posix()
        if _VERSION_FILE.fullmatch(place):
            response = super().file_response(full_path, stat_result, scope, status_code)
            response.headers["Cache-Control"] = _FOR_EVER if "/versions/" in scope["path"] else _ASK_AGAIN
            response.headers["Content-Location"] = f"/{quote(place)}"
        else:
            response = _whole(Path(full_path), Request(scope))
        if response.status_code != 304:
            response.headers["Content-Type"] = CONTENT_TYPES[Path(full_path).suffix]
        return response


def _whole(path: Path, request: Request) -> Response:
    """A small file that may be replaced at any time: read once, so that its length and ETag are those of its bytes."""
    content = path.read_bytes()
    headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "Cache-Control": _ASK_AGAIN}
    asked = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if headers["ETag"] in asked or "*" in asked:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers)
