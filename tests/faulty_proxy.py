"""A real HTTP proxy in front of a server: it forwards every request, but for the faults that a test asks for."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

Fault = str
"""`500`: an error instead of forwarding; `lost`: forwarded, and then the connection is cut without an answer; `cut`:
cut before forwarding; `slow`: forwarded after a while; `skewed`: what AWS answers when the clocks are too far apart."""


class Proxy(ThreadingHTTPServer):
    """Forwards to `upstream`; `faults(method, path)` names the fault of a request, or None."""

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Forwarding)
        self.upstream = urlsplit(upstream)
        self.faults: Callable[[str, str], Fault | None] = lambda _method, _path: None
        self.seen: list[tuple[str, str]] = []
        self.lock = threading.Lock()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is part of the tests."""


class _Forwarding(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy
    disable_nagle_algorithm = True  # head and body go out apart: the client would wait for the body 40 ms

    def forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.server.lock:
            self.server.seen.append((self.command, self.path))
            fault = self.server.faults(self.command, self.path)
        if fault == "500":
            self.send_response(500)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if fault == "skewed":
            told = b"<Error><Code>RequestTimeTooSkewed</Code></Error>"
            self.send_response(403)
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)
            return
        if fault == "cut":
            self.close_connection = True
            self.connection.close()
            return
        if fault == "slow":
            time.sleep(0.15)
        upstream = http.client.HTTPConnection(
            self.server.upstream.hostname or "", self.server.upstream.port, timeout=30
        )
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            upstream.putheader(name, value)
        upstream.endheaders(body)
        answer = upstream.getresponse()
        content = answer.read()
        upstream.close()
        if fault == "lost":
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(answer.status)
        length = answer.headers.get("Content-Length") if self.command == "HEAD" else str(len(content))
        for name, value in answer.headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = forward

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def faulty_proxy(upstream: str) -> Iterator[Proxy]:
    """A proxy that runs until the end of the block."""
    with Proxy(upstream) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield proxy
        proxy.shutdown()
        thread.join()
