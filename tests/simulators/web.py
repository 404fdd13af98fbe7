"""A municipal web service on loopback: routes, bearer token, ETag and 304, as a well-kept one answers."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

JSON = "application/json; charset=utf-8"
CSV = "text/csv; charset=utf-8"


@dataclass(frozen=True)
class Answer:
    """A good answer; `etag` is made from `body` unless a wider state decides."""

    body: bytes
    media_type: str
    state: bytes | None = None

    @property
    def etag(self) -> str:
        """The entity tag, quoted."""
        return f'"{hashlib.sha256(self.state or self.body).hexdigest()[:24]}"'


Route = Callable[[Mapping[str, str]], Answer | None]
"""The query's parameters → the answer; None is a 404."""


def fixed(body: bytes, media_type: str) -> Route:
    """A route that always answers the same."""
    return lambda _: Answer(body, media_type)


def as_json(document: object) -> bytes:
    """`document` in UTF-8, accents written out."""
    return json.dumps(document, ensure_ascii=False).encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # as servers do
    timeout = 30
    routes: Mapping[str, Route] = {}
    token: str | None = None

    def do_GET(self) -> None:
        if self.token and self.headers.get("Authorization") != f"Bearer {self.token}":
            return self._send(401, Answer(as_json({"error": "jeton absent ou invalide"}), JSON))
        address = urlsplit(self.path)
        route = self.routes.get(address.path)
        answer = route(dict(parse_qsl(address.query))) if route else None
        if answer is None:
            return self._send(404, Answer(as_json({"error": "ressource inconnue"}), JSON))
        known = [tag.strip() for tag in self.headers.get("If-None-Match", "").split(",")]
        return self._send(304 if answer.etag in known else 200, answer)

    do_HEAD = do_GET

    def _send(self, status: int, answer: Answer) -> None:
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", "Bearer")
        if status in (200, 304):
            self.send_header("ETag", answer.etag)
        if status != 304:
            self.send_header("Content-Type", answer.media_type)
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if status != 304 and self.command != "HEAD":
            self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's own name
        """Stay silent: the caller's output is what matters."""


@contextmanager
def serve(routes: Mapping[str, Route], token: str | None = None) -> Iterator[str]:
    """Answer `routes` on a free loopback port until the block ends; yields the address without a final slash."""
    handler = type("Handler", (_Handler,), {"routes": routes, "token": token})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
