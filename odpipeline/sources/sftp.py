"""Kind `sftp`: the files that others drop on an SFTP server.

The server is known by its key, which the town pins: nothing of the user's own SSH (configuration, agent, known hosts,
keys) has a say. A pattern may not climb out of the address' folder, nor may a link, as far as the server tells.
Nothing is read when names, sizes and times are those of the last capture.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, TypeVar, cast
from urllib.parse import unquote, urlsplit

import asyncssh
import stamina

from odpipeline.declaration.source import SftpSource
from odpipeline.declaration.town import System
from odpipeline.errors import OdpError, SecretMissing, SourceError, SourceUnavailable
from odpipeline.sources import drops, guard
from odpipeline.sources.delivery import Delivery, Order, Unchanged
from odpipeline.sources.drops import Dropped

_CHUNK_BYTES = 1 << 20  # asked for in pieces that are under way at the same time
_CONNECT_SECONDS = 10.0
_AT_ONCE = 64
"""How many files the server is asked about at the same time."""
_WILD = frozenset("*?[")
_LATER = "wait for the next run; if it goes on, ask the server's owner"

_T = TypeVar("_T")


class _Interrupted(SourceUnavailable):
    """What may pass if it is tried again at once."""


def extract(source: SftpSource, order: Order) -> Delivery | Unchanged:
    """Copy the settled files that match, unless they are those of the last capture.

    Raises: SourceError; SourceUnavailable when a file is there but still being written; SecretMissing.
    """
    drops.parts(source.sftp, order)
    server = _Server.of(source, order)
    seconds = source.settled.total_seconds()
    for attempt in stamina.retry_context(on=_Interrupted, attempts=3, wait_initial=0.5, wait_jitter=0.5, timeout=None):
        with attempt, _opened(server, source) as drop:
            return drops.deliver(drop, source, order, pattern=source.sftp, settled_seconds=seconds)
    raise AssertionError("the last attempt returns or raises")


@dataclass(frozen=True)
class _Server:
    """Where to connect and as whom; `options` are asyncssh's, and `variable` is the one with the secret."""

    host: str
    port: int
    user: str
    folder: str
    internal: bool
    options: dict[str, Any]
    variable: str
    declared: str

    @property
    def where(self) -> str:
        return f"sftp://{self.host}:{self.port}{self.folder if self.folder.startswith('/') else ''}"

    @classmethod
    def of(cls, source: SftpSource, order: Order) -> _Server:
        """The server as the system declares it.

        Raises: SourceError, SecretMissing.
        """
        system = order.system
        if system is None:
            raise SourceError(
                "an SFTP source needs to know its server",
                where=order.declared,
                mend="name the `system` of town.yaml whose `url` is sftp://user@host:22/folder",
            )
        where = f"the system “{system.title}”"
        try:
            url = urlsplit(system.address())
            host, port, user, password = url.hostname, url.port or 22, url.username, url.password
        except ValueError:
            host = None
        if not host or url.scheme != "sftp" or not user or password or url.query or url.fragment:
            raise SourceError(
                "the address is not one of an SFTP server",
                where=where,
                mend="write sftp://user@host:22/folder, with the user and without a password",
            )
        variable, ours = _credentials(system, where)
        key = _host_key(system, host, port, where)
        trusted = {"known_hosts": ([key], [], []), "server_host_key_algs": _asked(key)}
        options = {"username": unquote(user), **ours, **trusted}
        internal = source.internal or system.internal
        return cls(host, port, user, unquote(url.path) or ".", internal, options, variable, order.declared)


def _credentials(system: System, where: str) -> tuple[str, dict[str, Any]]:
    """The variable with the secret, and what asyncssh is told: that secret alone."""
    auth = system.auth
    if auth and auth.password:
        variable = auth.password
    elif auth and auth.key:
        variable = auth.key
    else:
        raise SourceError(
            "an SFTP server needs a password or a private key",
            where=where,
            mend="say `auth: {password: VARIABLE}` or `auth: {key: VARIABLE}` of the system in town.yaml",
        )
    if not (secret := os.environ.get(variable)):
        raise SecretMissing(variable, needed_for=where)
    if auth.password:
        return variable, {"password": secret, "client_keys": None, "public_key_auth": False}
    try:
        # A last line break is often lost on the way into a variable, and the form needs it.
        key = asyncssh.import_private_key(secret.strip() + "\n")
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, ValueError):
        raise SourceError(
            f"{variable} does not hold a private key without a passphrase",
            where=where,
            mend=f"set {variable} to the content of the key file, from -----BEGIN to -----END and its line breaks",
        ) from None
    return variable, {"client_keys": [key], "password_auth": False, "kbdint_auth": False}


def _host_key(system: System, host: str, port: int, where: str) -> asyncssh.SSHKey:
    hint = (
        f"run `ssh-keyscan -t ed25519 -p {port} {host}`, have the server's owner confirm the key, and write "
        "`host_key: ssh-ed25519 AAAA…` for the system in town.yaml"
    )
    if not system.host_key:
        raise SourceError("the server's key is not declared, so that anyone could pose as it", where=where, mend=hint)
    try:
        return asyncssh.import_public_key(system.host_key.strip())
    except (asyncssh.KeyImportError, ValueError):
        raise SourceError("`host_key` is not a public key", where=where, mend=hint) from None


def _asked(key: asyncssh.SSHKey) -> list[str]:
    """The kinds of keys that the server may show, that of the declared `key` first.

    A server that has no key of its kind shows another, and is known by it: asked for that kind alone it hangs up, and
    whether its reason arrives is luck.
    """
    own = [kind.decode() for kind in key.sig_algorithms]
    return list(dict.fromkeys([*own, "ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256"]))


@contextmanager
def _opened(server: _Server, source: SftpSource) -> Iterator[_Files]:
    """The server's folder, connected; the loop is ours and runs only while the server is asked something."""
    seconds = source.timeout.total_seconds()
    with asyncio.Runner() as runner:
        # What breaks in the library's own tasks is told by the question that waited for them.
        runner.get_loop().set_exception_handler(lambda _loop, _context: None)
        line = _Line(runner, server, source, seconds)
        connection = line.ask(_connected(server, _socket(server, seconds), seconds))
        try:
            client = line.ask(_client(connection))
            yield _Files(line, client, line.ask(client.realpath(server.folder)), source.sftp)
        finally:
            connection.abort()
            with suppress(OSError, asyncssh.Error, TimeoutError):
                runner.run(asyncio.wait_for(connection.wait_closed(), _CONNECT_SECONDS))


async def _connected(server: _Server, ours: socket.socket, seconds: float) -> asyncssh.SSHClientConnection:
    return await asyncssh.connect(
        server.host, server.port, sock=ours, config=None, agent_path=None, gss_auth=False, gss_kex=False,
        host_based_auth=False, x509_trusted_certs=None, login_timeout=seconds, **server.options,
    )  # fmt: skip


async def _client(connection: asyncssh.SSHClientConnection) -> asyncssh.SFTPClient:
    return await connection.start_sftp_client(path_errors="surrogateescape")


def _socket(server: _Server, seconds: float) -> socket.socket:
    """Resolve once, check what was resolved, and connect to exactly that."""
    try:
        found = guard.addresses(server.host, server.port, internal=server.internal, where=server.where)
    except (socket.gaierror, UnicodeError):
        mend = "correct the system's address in town.yaml, or ask the network's owner about DNS"
        raise SourceUnavailable("the host's name is unknown", where=server.where, mend=mend) from None
    for address in found:
        with suppress(OSError):
            return socket.create_connection((address, server.port), min(_CONNECT_SECONDS, seconds))
    raise _Interrupted("the server cannot be reached, at the third try neither", where=server.where, mend=_LATER)


@dataclass(frozen=True)
class _Line:
    """Asks the server one thing after the other, each within `seconds`, and words what goes wrong."""

    runner: asyncio.Runner
    server: _Server
    source: SftpSource
    seconds: float

    def ask(self, question: Coroutine[Any, Any, _T]) -> _T:
        """The answer to `question`.

        Raises: SourceError.
        """
        try:
            return self.runner.run(asyncio.wait_for(question, self.seconds))
        except OdpError:
            raise
        except (TimeoutError, OSError, asyncssh.Error) as error:
            raise self._fault(error) from None

    def _fault(self, error: Exception) -> SourceError:
        """None of the original: a server's words can quote names of files."""
        where, declared = self.server.where, self.server.declared
        if isinstance(error, TimeoutError):
            what = f"the server stayed silent for more than {self.seconds:.0f} s"
            return SourceUnavailable(what, where=where, mend=f"raise `timeout` in {declared} if it is just slow")
        if isinstance(error, asyncssh.HostKeyNotVerifiable | asyncssh.KeyExchangeFailed):
            return SourceError(
                "the server does not show the declared key: it was replaced, or someone poses as it",
                where=where,
                mend="ask its owner by another way; only if they confirm the new key, change `host_key` in town.yaml",
            )
        if isinstance(error, asyncssh.PermissionDenied):
            mend = f"check {self.server.variable} and the user in the system's address"
            return SourceError("the server does not let us in", where=where, mend=mend)
        if isinstance(error, asyncssh.SFTPNoSuchFile | asyncssh.SFTPNoSuchPath):
            mend = f"correct the pattern in {declared} or the folder in the system's address"
            return SourceError("the folder or the file is not there", where=self.source.sftp, mend=mend)
        if isinstance(error, asyncssh.SFTPPermissionDenied):
            mend = "ask the server's owner for the right to list and read it"
            return SourceError("the server does not let us read the folder or the file", where=where, mend=mend)
        lost = asyncssh.SFTPConnectionLost | asyncssh.SFTPNoConnection
        if isinstance(error, asyncssh.SFTPError) and not isinstance(error, lost):
            return SourceError(f"the server refuses ({type(error).__name__})", where=where, mend=_LATER)
        return _Interrupted("the connection broke off, at the third try too", where=where, mend=_LATER)


class _Files:
    """The files below `base`, as the server resolves it."""

    def __init__(self, line: _Line, client: asyncssh.SFTPClient, base: str, pattern: str) -> None:
        self._line, self._client, self._base, self._pattern = line, client, base.rstrip("/"), pattern
        self.asked = drops.address_of("sftp", line.server.user, line.server.where, base, pattern, line.source.take)

    def look(self) -> list[Dropped]:
        """The files that match now.

        Raises: SourceError when a link leads out.
        """
        folders = [""]
        *above, last = self._pattern.strip("/").split("/")
        for part in above:
            folders = [f"{folder}{name}/" for folder in folders for name in self._names(folder, part)]
        paths = [folder + name for folder in folders for name in self._names(folder, last)]
        drops.bounded(len(paths), drops.MOST_FILES, self._pattern)
        told: list[asyncssh.SFTPAttrs | None] = []
        for start in range(0, len(paths), _AT_ONCE):
            told += self._line.ask(self._told_of(paths[start : start + _AT_ONCE]))
        return [file for path, attributes in zip(paths, told, strict=True) if (file := self._seen(path, attributes))]

    def _names(self, folder: str, part: str) -> list[str]:
        """The names in `folder` that match `part`; a hidden one only if the pattern says so, as in a shell."""
        if not _WILD & set(part):
            return [part]
        listed = self._line.ask(self._list(folder))
        return [name for name in listed if fnmatchcase(name, part) and (name[0] != "." or part[0] == ".")]

    async def _list(self, folder: str) -> list[str]:
        names = []
        try:
            async for entry in self._client.scandir(f"{self._base}/{folder}"):
                name = str(entry.filename)
                if name not in ("", ".", "..") and "/" not in name:
                    names.append(name)
                drops.bounded(len(names), drops.MOST_ENTRIES, self._pattern)
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath, asyncssh.SFTPNotADirectory, asyncssh.SFTPFailure):
            if not folder:
                raise
            return []  # what matched a part in the middle is a file, or is gone
        return sorted(names)

    def _seen(self, path: str, told: asyncssh.SFTPAttrs | None) -> Dropped | None:
        """What the server says of a file; None for a folder, or when it is gone."""
        if told is None or told.type != asyncssh.FILEXFER_TYPE_REGULAR:
            return None
        if told.size is None or told.mtime is None:
            raise SourceError(
                "the server does not tell the size and the time of its files",
                where=self._line.server.where,
                mend="without them nobody knows when a transfer is over: have it deliver in another way",
            )
        return Dropped(path, told.size, _nanoseconds(told))

    async def _told_of(self, paths: list[str]) -> list[asyncssh.SFTPAttrs | None]:
        return await asyncio.gather(*map(self._told, paths))

    async def _told(self, path: str) -> asyncssh.SFTPAttrs | None:
        try:
            return await self._client.stat(await self._real(path))
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
            return None

    async def _real(self, path: str) -> str:
        """The path without links, which stays below the base."""
        real = await self._client.realpath(f"{self._base}/{path}")
        if not str(real).startswith(f"{self._base}/"):
            raise SourceError(
                "a link leads out of the drop folder",
                where=self._pattern,
                mend="put the file itself into the folder",
            )
        return str(real)

    def read(self, file: Dropped) -> Iterator[bytes]:
        """The file's bytes; one that changes meanwhile, or ends early, is no delivery."""
        ask = self._line.ask
        stream = ask(self._open(file.path))
        read_bytes = 0
        while chunk := cast("bytes", ask(stream.read(_CHUNK_BYTES))):
            read_bytes += len(chunk)
            yield chunk
        after = ask(stream.stat())
        ask(stream.close())
        if (read_bytes, after.size, _nanoseconds(after)) != (file.size_bytes, file.size_bytes, file.modified_ns):
            raise drops.changed(self._pattern)

    async def _open(self, path: str) -> asyncssh.SFTPClientFile:
        return await self._client.open(await self._real(path), "rb")


def _nanoseconds(told: asyncssh.SFTPAttrs) -> int:
    return (told.mtime or 0) * 1_000_000_000 + (told.mtime_ns or 0)
