"""`odp serve`: the store's files and the read API over HTTP, as a preview or behind a proxy. Reads only what is public.

A file by its stable address is that of one version from the first byte to the last: the pointer is read once, before
the file is opened, and `Content-Location` says to which version. Only known kinds of files are served; names with a
leading dot (locks, files on their way) and whatever lies outside the store's folder do not exist. What was withdrawn is
gone (410), with the reason. `ETag` is the SHA-256 that the manifest vouches for; compressed answers have a weak one.
Every cache on the way has to ask again each time, also for the files of an old version (the answer is a 304 mostly): a
version may be withdrawn, and an erasure rewrites it at its address.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import NotModifiedResponse, PathLike, StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette_compress import CompressMiddleware, add_compress_type

from odpipeline import api
from odpipeline.errors import StoreError
from odpipeline.portal.mirror import LATEST, READABLE, VERSION_FILE, Mirror, dataset_of, pointed
from odpipeline.store import Store, layout
from odpipeline.store.package import LICENCES

CONTENT_TYPES = {
    ".csv": "text/csv; charset=utf-8; header=present",
    ".parquet": "application/vnd.apache.parquet",
    ".geojson": "application/geo+json",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".gz": "application/gzip",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".jsonld": "application/ld+json",
    ".sig": "application/json",
    ".pem": "application/x-pem-file",
    ".atom": "application/atom+xml; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}
"""What is served, and as what; any other suffix does not exist. `header=present`: RFC 4180, section 3."""
for _kind in (
    "text/csv",
    "application/geo+json",
    "application/jsonl",
    "application/ld+json",
    "application/problem+json",
):
    add_compress_type(_kind)

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Cache-Control": "no-cache",
}
"""On every answer, errors included (a cache may keep a 404 and a 410 as well: RFC 9111, 4.2.2)."""

_HOUR = 3600.0
_RANGE = re.compile(r"bytes=\s*(\d+-\d*|-\d+)(\s*,\s*(\d+-\d*|-\d+))*\s*", re.ASCII | re.IGNORECASE)
_LONGEST = 1024
"""The most bytes of the name of an object in a bucket; a folder of ours has none that is longer."""
_UNREADABLE = {"type": "about:blank", "title": "Indisponible / Not readable", "status": 503}


def application(store: Store) -> Starlette:
    """The ASGI application for `store`, whose folder need not exist yet."""
    anyone = Middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["GET", "HEAD"],
        allow_headers=["Range", "If-None-Match", "If-Range"],
        expose_headers=["ETag", "Content-Range", "Content-Length", "Content-Location", "Accept-Ranges", "Link"],
    )
    middleware = [Middleware(_Headers), anyone, Middleware(_WeakTags), Middleware(_Compressed)]
    mirror = Mirror(store) if store.elsewhere else None
    return Starlette(
        routes=[*api.routes(store), Mount("/", _Published(store.root, mirror))],
        middleware=middleware,
        exception_handlers={Exception: _failed},
        lifespan=partial(_swept, mirror),
    )


def _failed(_request: Request, _error: Exception) -> Response:
    """What nobody foresaw. Starlette answers it outside of all middleware, and lets the server log it."""
    body = {"type": "about:blank", "title": "Erreur / Error", "status": 500}
    headers = {**HEADERS, "Access-Control-Allow-Origin": "*"}
    return Response(json.dumps(body), 500, headers, "application/problem+json")


@asynccontextmanager
async def _swept(mirror: Mirror | None, _app: Starlette) -> AsyncIterator[None]:
    """Looks through the mirror at the beginning and each hour; a store that does not answer is asked the next time."""

    async def sweep(kept: Mirror) -> None:
        while True:
            with suppress(StoreError, OSError):
                await run_in_threadpool(kept.sweep)
            await asyncio.sleep(_HOUR)

    task = asyncio.create_task(sweep(mirror)) if mirror else None
    yield
    if task:
        task.cancel()


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


class _WeakTags:
    """A compressed answer has other bytes than the file: its tag is a weak one (RFC 9110, 8.8.1)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start" and any(
                n == b"content-encoding" for n, _ in message["headers"]
            ):
                message["headers"] = [
                    (name, b"W/" + value if name == b"etag" and not value.startswith(b"W/") else value)
                    for name, value in message["headers"]
                ]
            await send(message)

        await self._app(scope, receive, sent)


class _Compressed:
    """Compresses (zstd, Brotli, gzip) what is asked for whole; a range is one of the file's own bytes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app, self._compressed = app, CompressMiddleware(app, minimum_size=1000)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ranged = any(name == b"range" for name, _ in scope.get("headers", ()))
        await (self._app if ranged else self._compressed)(scope, receive, send)


class _Opened(FileResponse):
    """A file as it is when it is opened, from the first byte to the last: it may be replaced meanwhile, or go."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wanted = Headers(scope=scope).get("range", "")
        if scope["method"] != "GET" or not _RANGE.fullmatch(wanted):  # then it does not count: RFC 9110, 14.2
            scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != b"range"]}
        with await run_in_threadpool(Path(self.path).open, "rb") as file:
            self.path, self.stat_result = f"/dev/fd/{file.fileno()}", os.fstat(file.fileno())
            self.headers["Content-Length"] = str(self.stat_result.st_size)
            await super().__call__(scope, receive, send)


class _Published(StaticFiles):
    """Starlette's static files (Range, conditional requests) narrowed to what is published.

    Of a store in a bucket, the `mirror` brings what is asked for first.
    """

    def __init__(self, root: Path, mirror: Mirror | None) -> None:
        super().__init__(directory=root, check_dir=False)
        self._root, self._mirror = Path(os.path.realpath(root)), mirror

    async def check_config(self) -> None:
        """An empty town has no store yet: everything is 404 until it has one."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; what is taken away in the instant in which it is to be opened is looked up once more."""
        try:
            await super().__call__(scope, receive, send)
        except FileNotFoundError:  # nothing was sent: see `_Opened`
            await super().__call__(scope, receive, send)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file at `path`; 410 for what was withdrawn."""
        path = layout.INDEX if path in (".", "") else path
        if (
            not path.isprintable()
            or len(path.encode()) > _LONGEST
            or any(len(p.encode()) > 255 for p in Path(path).parts)
        ):
            raise HTTPException(404)  # no file and no object is called so, and asking for it would be an error
        if self._mirror:
            try:
                await run_in_threadpool(self._mirror.bring, path)
            except StoreError:
                return Response(json.dumps(_UNREADABLE), 503, {"Retry-After": "30"}, "application/problem+json")
        if (grave := self._grave(path)) is not None:
            return _gone(grave)
        return await super().get_response(path, scope)

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """The real place of `path`, aliases resolved; ("", None) for whatever is not to be seen."""
        if any(part.startswith(".") for part in Path(path).parts) or Path(path).suffix not in CONTENT_TYPES:
            return "", None
        if (latest := LATEST.fullmatch(path)) and dataset_of(path):
            if (number := pointed(self._root, latest[1])) is None:
                return "", None
            path = layout.version(latest[1], number, latest[2])
        return super().lookup_path(path)

    def file_response(
        self, full_path: PathLike, stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """The file with its content type; of a version with what its manifest says of it."""
        path = Path(full_path)
        place = path.relative_to(self._root).as_posix()
        if not (of_version := VERSION_FILE.fullmatch(place)):
            response = _whole(path, Request(scope))
        else:
            response = self._of_version(path, stat_result, scope, status_code, of_version)
        if response.status_code != 304:
            response.headers["Content-Type"] = CONTENT_TYPES[path.suffix]
        return response

    def _of_version(
        self, path: Path, stat_result: os.stat_result, scope: Scope, status_code: int, place: re.Match[str]
    ) -> Response:
        dataset, _, name = place.groups()
        response: Response = _Opened(path, status_code=status_code, stat_result=stat_result)
        said = _manifest(path.parent)
        if (changed := said.get("changed")) is not None:  # of files that versions share, the time is an older one's
            response.headers["Last-Modified"] = format_datetime(changed, usegmt=True)
        if (sha256 := said.get("hashes", {}).get(name)) is not None:
            response.headers["ETag"] = f'"{sha256}"'
        by_version = "/versions/" in scope["path"]
        response.headers["Content-Location"] = f"/{quote(place[0])}"
        folder = quote(place[0].rpartition("/")[0])
        links = [
            f'</{folder}/{layout.PACKAGE}>; rel="describedby"',
            f'</{folder}/{layout.RELEASE}>; rel="version-history"',
        ]
        links += [f'<{said["licence"]}>; rel="license"'] if said.get("licence") else []
        links += [f'</datasets/{quote(dataset)}/latest/{quote(name)}>; rel="latest-version"'] if by_version else []
        response.headers["Link"] = ", ".join(links)
        if self.is_not_modified(response.headers, Request(scope).headers):
            return NotModifiedResponse(response.headers)
        return response

    def _grave(self, path: str) -> dict[str, Any] | None:
        """What was withdrawn that `path` is of: the tombstone, which is readable itself, with proof and changelog."""
        if (dataset := dataset_of(path)) is None or Path(path).name in READABLE:
            return None
        graves = [self._root / layout.tombstone(dataset)]
        if version := VERSION_FILE.fullmatch(path):
            graves.append(self._root / layout.tombstone(dataset, int(version[2])))
        for grave in graves:
            try:
                return dict(json.loads(grave.read_bytes()))
            except (OSError, ValueError):
                continue
        return None


def _gone(grave: dict[str, Any]) -> Response:
    basis = f" ({grave['legal_basis']})" if grave.get("legal_basis") else ""
    detail = f"{grave['reason']}{basis}"
    body = {"type": "about:blank", "title": "Retiré / Gone", "status": 410, "detail": detail, "since": grave["at"]}
    content = json.dumps(body, ensure_ascii=False).encode()
    return Response(content, status_code=410, media_type="application/problem+json")


def _manifest(folder: Path) -> dict[str, Any]:
    """Of the manifest of a version what its files' answers say; nothing when it cannot be read."""
    manifest = folder / layout.RELEASE
    try:
        return _read(manifest, manifest.stat().st_mtime_ns)
    except (OSError, ValueError, KeyError, TypeError):
        return {}


@lru_cache(maxsize=256)
def _read(manifest: Path, _written: int) -> dict[str, Any]:
    said = json.loads(manifest.read_bytes())
    return {
        "hashes": {file["name"]: file["sha256"] for file in said["files"]},
        "changed": datetime.fromisoformat((said.get("erasures") or [{"at": said["published_at"]}])[-1]["at"]),
        "licence": LICENCES.get(said["about"]["licence"], ("", None))[1],
    }


def _whole(path: Path, request: Request) -> Response:
    """A small file that may be replaced at any time: read once, so that its length and ETag are those of its bytes."""
    content = path.read_bytes()
    headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"'}
    asked = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if headers["ETag"] in asked or "*" in asked:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers)
