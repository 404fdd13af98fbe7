"""Mattermost, Slack, Teams and Matrix, as far as a message needs them: one real server, also as the proxy to theirs.

Slack's and Microsoft's addresses cannot be chosen: a client reaches them through the proxy that its environment names,
which answers in their place, with a certificate that the client is told to trust.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.servers import Server, Visit, certificate

SLACK, TEAMS = "hooks.slack.com", "prod-12.westeurope.logic.azure.com"


class Chats(Server):
    """Keeps what it is told: (host, path, JSON)."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__()
        self.RequestHandlerClass = _Chat
        self.context = context
        self.told: list[tuple[str, str, Any]] = []

    def messages(self, part: str) -> list[Any]:
        """What was sent to addresses with `part` in them."""
        return [body for host, path, body in self.told if part in f"{host}{path}"]


class _Chat(Visit):
    server: Chats

    def do_CONNECT(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)  # type: ignore[assignment]
        self.close_connection = False

    def finish(self) -> None:
        super().finish()
        self.connection.close()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.told.append((self.headers["Host"], self.path, json.loads(body) if body else None))
        if self.path.endswith("/login") or "/login?" in self.path:
            self.say(200, json.dumps({"access_token": "jeton", "user_id": "@robot:ville", "home_server": "ville"}))
        elif "/join/" in self.path:
            self.say(200, json.dumps({"room_id": "!salle:ville"}))
        elif "/send/" in self.path:
            self.say(200, json.dumps({"event_id": "$1"}))
        elif "/_matrix/" in self.path:
            self.say(404, json.dumps({"errcode": "M_NOT_FOUND"}))
        else:
            self.say(200, "ok")

    do_GET = do_PUT = do_POST


@contextmanager
def chat_server(folder: Path) -> Iterator[tuple[Chats, Path]]:
    """The server, and the certificate to trust."""
    context, authority = certificate(folder, SLACK, TEAMS)
    with Chats(context) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server, authority
        server.shutdown()
        thread.join()
