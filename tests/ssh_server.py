"""Real SFTP servers for tests, on a free port of loopback.

One is asyncssh's, whose folder is the root and whose faults are switched on; the other is OpenSSH, where it is there.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

from tests.servers import free_port

USER, PASSWORD = "ville", "mot de passe/@:%"


class SshServer:
    """`folder` is what a client sees as `/`. `reads` counts the blocks that were asked for.

    `cut_after_bytes`: the connection breaks off there; `end_after_bytes`: a file seems to end there; `silent`: a read
    is never answered.
    """

    def __init__(self, folder: Path, host_key: asyncssh.SSHKey, client_key: asyncssh.SSHKey) -> None:
        self.folder, self._host_key = folder, host_key
        self.second_host_key = asyncssh.generate_private_key("ecdsa-sha2-nistp256")
        self.client_key = client_key
        self.port = 0
        self.reads = self.connections = 0
        self.cut_after_bytes: int | None = None
        self.end_after_bytes: int | None = None
        self.silent = False

    @property
    def host_key(self) -> str:
        """As a town declares it."""
        return " ".join(self._host_key.export_public_key().decode().split()[:2])

    def at(self, path: str = "/") -> str:
        """The address of `path`."""
        return f"sftp://{USER}@127.0.0.1:{self.port}{path}"

    async def listen(self) -> asyncssh.SSHAcceptor:
        """Start to answer."""
        return await asyncssh.listen(
            "127.0.0.1", 0, server_factory=lambda: _Door(self), sftp_factory=lambda channel: _Files(self, channel),
            server_host_keys=[self._host_key, self.second_host_key],
        )  # fmt: skip


class _Door(asyncssh.SSHServer):
    """Lets one user in, by password or by key."""

    def __init__(self, server: SshServer) -> None:
        self._server = server

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._server.connections += 1

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == USER and key == self._server.client_key.convert_to_public()


class _Files(asyncssh.SFTPServer):
    """The files, with the faults that are switched on."""

    def __init__(self, server: SshServer, channel: Any) -> None:
        super().__init__(channel, chroot=str(server.folder).encode())
        self._server, self._connection = server, channel.get_connection()

    async def read(self, file_obj: Any, offset: int, size: int) -> bytes:
        server = self._server
        server.reads += 1
        while server.silent:
            await asyncio.sleep(0.05)
        if server.cut_after_bytes is not None and offset >= server.cut_after_bytes:
            self._connection.abort()
        if server.end_after_bytes is not None:
            size = min(size, max(server.end_after_bytes - offset, 0))
        file_obj.seek(offset)
        return bytes(file_obj.read(size))


@contextmanager
def ssh_server(folder: Path) -> Iterator[SshServer]:
    """A server that runs until the end of the block, with keys of its own."""
    keys = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    server = SshServer(folder, *keys)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    acceptor = asyncio.run_coroutine_threadsafe(server.listen(), loop).result(10)
    server.port = acceptor.get_port()

    async def stop() -> None:
        acceptor.close()
        server.silent = False
        await asyncio.sleep(0.1)  # for what still closes its files
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@dataclass(frozen=True)
class OpenSsh:
    """OpenSSH's own server: `url` of the folder that it was given, its key, and the private key that opens it."""

    url: str
    host_key: str
    client_key: str


def sshd() -> Path | None:
    """OpenSSH's server, where it is installed."""
    found = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    return Path(found) if found else None


@contextmanager
def openssh(program: Path, folder: Path, home: Path) -> Iterator[OpenSsh]:
    """OpenSSH on a free port of loopback until the end of the block; `home` is where its keys go."""
    host, client = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    host.write_private_key(str(home / "host"))
    (home / "host").chmod(0o600)
    client.write_public_key(str(home / "authorized"))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where OpenSSH, run as root, separates privileges
    port = free_port()
    options = [f"Port={port}", "ListenAddress=127.0.0.1", f"HostKey={home / 'host'}", "StrictModes=no", "UsePAM=no",
               f"AuthorizedKeysFile={home / 'authorized'}", "PasswordAuthentication=no", "PidFile=none",
               "Subsystem=sftp internal-sftp"]  # fmt: skip
    command: list[str | Path] = [program, "-D", "-e", "-f", "/dev/null", *(f"-o{option}" for option in options)]
    user = pwd.getpwuid(os.geteuid()).pw_name
    with (home / "log").open("wb") as log, subprocess.Popen(command, stderr=log) as running:
        try:
            _wait(port, running)
            shown = " ".join(host.export_public_key().decode().split()[:2])
            key = client.export_private_key().decode()
            yield OpenSsh(f"sftp://{user}@127.0.0.1:{port}{folder}", shown, key)
        finally:
            running.terminate()


def _wait(port: int, running: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        assert running.poll() is None, "OpenSSH did not start"
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError("OpenSSH did not answer within 5 s")
