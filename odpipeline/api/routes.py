"""The addresses below `/api/v1/`, and what each answers; errors are problem documents (RFC 9457)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa
from anyio import CapacityLimiter, to_thread
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from odpipeline.api import describing, spelling
from odpipeline.api.answering import AT_ONCE, MOST_ROWS, Busy, Tables
from odpipeline.api.grammar import Misunderstood, Query, named, understood
from odpipeline.errors import StoreError
from odpipeline.store import Release, Store, layout
from odpipeline.store.package import LICENCES

BASE = "/api/v1"
USUAL_ROWS = 100
"""How many rows an answer has when nothing is said."""
_FARTHEST = 10_000_000
_WAITING = 4 * AT_ONCE
_PARAMETERS = ("select", "where", "group_by", "order", "limit", "offset", "format")


def routes(store: Store) -> list[Route]:
    """The routes over the current versions of `store`."""
    api = _Api(store)
    paths = {
        f"{BASE}/": api.page,
        f"{BASE}/openapi.json": api.openapi,
        f"{BASE}/datasets": api.datasets,
        f"{BASE}/{{dataset}}": api.dataset,
        f"{BASE}/{{dataset}}/records": api.records,
    }
    return [Route(path, endpoint, methods=["GET"]) for path, endpoint in paths.items()]


class _Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, title: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.response = _problem(status, title, detail, **more)


class _Api:
    def __init__(self, store: Store) -> None:
        self._store, self._tables = store, Tables()
        self._threads = CapacityLimiter(_WAITING)  # of their own: files are answered whatever is asked here
        self._known: dict[str, tuple[bytes, Release]] = {}

    async def page(self, request: Request) -> Response:
        """What the API is, for people."""
        english = request.query_params.get("lang") == "en"
        releases = await run_in_threadpool(self._current)
        return Response(describing.page(releases, english=english), media_type="text/html; charset=utf-8")

    async def openapi(self, request: Request) -> Response:
        """What the API is, for machines."""
        releases = await run_in_threadpool(self._current)
        return _json(request, describing.openapi(releases, USUAL_ROWS, MOST_ROWS, _FARTHEST))

    async def datasets(self, request: Request) -> Response:
        """Every dataset that is public."""
        releases = await run_in_threadpool(self._current)
        return _json(request, {"datasets": [describing.summary(release) for release in releases]})

    async def dataset(self, request: Request) -> Response:
        """One dataset: its schema, its version."""
        try:
            release = await run_in_threadpool(self._release, request.path_params["dataset"])
        except _Refused as refused:
            return refused.response
        return _json(request, describing.summary(release) | {"schema": dict(release.schema)})

    async def records(self, request: Request) -> Response:
        """Rows of one dataset."""
        return await to_thread.run_sync(self._records, request, limiter=self._threads)

    def _records(self, request: Request) -> Response:
        try:
            release = self._release(request.path_params["dataset"])
            return self._answered(request, release)
        except _Refused as refused:
            return refused.response
        except Misunderstood as error:
            return _problem(400, "The request is not understood", error.detail, parameter=error.parameter)
        except StoreError:
            return _problem(500, "Not readable", "the dataset cannot be read at the moment")
        except Busy as error:
            answer = _problem(503, "Busy", str(error))
            answer.headers["Retry-After"] = "5"
            return answer

    def _answered(self, request: Request, release: Release) -> Response:
        said = _parameters(request)
        kind = _format(request, said)
        headers = {"ETag": _tag(release, said, kind), "Vary": "Accept"}
        limit = _number(said, "limit", USUAL_ROWS, MOST_ROWS)
        offset = _number(said, "offset", 0, _FARTHEST)
        query = understood(said, {field["name"]: field["type"] for field in release.schema["fields"]})
        if _known(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        table = self._store.here(release, f"{release.dataset}.parquet")
        answer = self._tables.answer(table, query, limit, offset)
        links = [f'<{licence}>; rel="license"'] if (licence := _licence(release)) else []
        described = layout.version(release.dataset, release.version, layout.PACKAGE)
        links.append(f'</{described}>; rel="describedby"')
        if limit and answer.total is not None and offset + limit < min(answer.total, _FARTHEST + 1):
            following = f"{request.url.path}?{urlencode({**said, 'limit': limit, 'offset': offset + limit})}"
            links.append(f'<{following}>; rel="next"')
        headers["Link"] = ", ".join(links)
        about = {"dataset": release.dataset, "version": release.version, "total": answer.total}
        content = _spelled(kind, answer.rows, about, release, query)
        return Response(content, media_type=spelling.FORMATS[kind], headers=headers)

    def _current(self) -> list[Release]:
        found = (self._store.current(name) for name in self._store.datasets())
        return [release for release in found if release is not None]

    def _release(self, dataset: str) -> Release:
        if not layout.is_dataset(dataset):
            raise _Refused(404, "Not found", "there is no such dataset; see /api/v1/datasets")
        try:
            if grave := self._store.tombstone(dataset):  # before all else: the pointer goes after it
                basis = f" ({grave.legal_basis})" if grave.legal_basis else ""
                raise _Refused(410, "Gone", f"withdrawn on {grave.at:%Y-%m-%d}: {grave.reason}{basis}")
            pointer = self._store.page(layout.pointer(dataset))
            if pointer is not None and (known := self._known.get(dataset)) and known[0] == pointer:
                return known[1]
            release = self._store.current(dataset)
        except StoreError:
            raise _Refused(500, "Not readable", "the dataset cannot be read at the moment") from None
        if release is None:
            raise _Refused(404, "Not found", "there is no such dataset; see /api/v1/datasets")
        if pointer is not None:
            self._known[dataset] = (pointer, release)
        return release


def _parameters(request: Request) -> dict[str, str]:
    said: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in _PARAMETERS:
            raise Misunderstood(name[:40], f"there is no such parameter; there are {', '.join(_PARAMETERS)}")
        if name in said:
            raise Misunderstood(name, "it is said twice")
        said[name] = value
    return said


def _number(said: Mapping[str, str], name: str, usual: int, most: int) -> int:
    text = said.get(name, str(usual))
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) > most:
        raise Misunderstood(name, f"it is a whole number from 0 to {most}")
    return int(text)


def _format(request: Request, said: Mapping[str, str]) -> str:
    if (named := said.get("format")) is not None:
        if named not in spelling.FORMATS:
            raise Misunderstood("format", f"it is one of {', '.join(spelling.FORMATS)}")
        return named
    wanted = request.headers.get("accept", "")
    for kind, media in spelling.FORMATS.items():
        if media.partition(";")[0] in wanted:
            return kind
    return "json"


def _spelled(kind: str, rows: pa.Table, about: Mapping[str, Any], release: Release, query: Query) -> bytes:
    if any(pa.types.is_interval(column.type) for column in rows.columns):
        raise Misunderstood("select", "a span of time has no spelling here; select the moments themselves")
    try:
        if kind == "csv":
            return spelling.as_csv(rows)
        if kind == "parquet":
            return spelling.as_parquet(rows)
        if kind == "json":
            return spelling.as_json(rows, about)
    except (OverflowError, ValueError):
        raise Misunderstood("select", "a date is beyond the years 1 to 9999") from None
    return _as_features(rows, release, query)


def _as_features(rows: pa.Table, release: Release, query: Query) -> bytes:
    chosen = {one.name: one.sql for one in query.chosen}
    for field in release.schema["fields"]:
        column = named(field["name"])
        unchanged = (column, f"min({column})", f"max({column})")  # anything else made of it is no geometry
        if field["type"] in ("geojson", "geopoint") and chosen.get(field["name"]) in unchanged:
            spelled = field["type"] + (f"/{field['format']}" if field.get("format") else "")
            try:
                return spelling.as_geojson(rows, field["name"], spelled)
            except OverflowError:
                raise Misunderstood("select", "a date is beyond the years 1 to 9999") from None
    raise Misunderstood("format", "there is no geometry among the selected columns; ask for json or csv")


def _tag(release: Release, said: Mapping[str, str], kind: str) -> str:
    """Of the rows, the version (an answer names it), what was asked, and how it is spelled."""
    asked = hashlib.sha256(json.dumps([kind, *sorted(said.items())]).encode()).hexdigest()[:16]
    return f'"{release.content_hash[:32]}-{release.version}-{asked}"'


def _known(request: Request, tag: str) -> bool:
    asked = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    return tag in asked or "*" in asked  # RFC 9110, 13.1.2: the weak comparison


def _licence(release: Release) -> str | None:
    return LICENCES.get(release.about["licence"], ("", None))[1]


def _json(request: Request, content: Mapping[str, Any]) -> Response:
    body = json.dumps(content, ensure_ascii=False, default=str).encode()
    headers = {"ETag": (tag := f'"{hashlib.sha256(body).hexdigest()[:32]}"')}
    if _known(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def _problem(status: int, title: str, detail: str, **more: Any) -> Response:
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    content = json.dumps(body, ensure_ascii=False).encode()
    return Response(content, status_code=status, media_type="application/problem+json")
