"""A real MariaDB for tests, from Debian's package: its own folder, a free port of loopback, an unprivileged user."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pymysql
import pytest

from tests.servers import PASSWORD

_SERVER = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin")
_INSTALL = shutil.which("mariadb-install-db")


@contextmanager
def mariadb() -> Iterator[str]:
    """The SQLAlchemy URL of an empty database `ville`, whose user may do anything in it.

    Skips the test where MariaDB is not installed.
    """
    if not (_SERVER and _INSTALL):
        pytest.skip("MariaDB is not installed (Debian: mariadb-server)")
    with tempfile.TemporaryDirectory(prefix="odp-mariadb-", dir="/tmp") as folder:
        home = Path(folder)
        as_nobody = _unprivileged(home)
        user = ["--user=nobody"] if as_nobody else []
        subprocess.run(
            [_INSTALL, f"--datadir={home / 'data'}", "--auth-root-authentication-method=normal", "--skip-test-db",
             "--skip-name-resolve", *user],
            check=True, capture_output=True,
        )  # fmt: skip
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with (home / "log").open("wb") as log:
            server = subprocess.Popen(
                [_SERVER, "--no-defaults", f"--datadir={home / 'data'}", f"--socket={home / 's'}", f"--port={port}",
                 "--bind-address=127.0.0.1", f"--pid-file={home / 'pid'}", *user],
                stdout=log, stderr=log,
            )  # fmt: skip
        try:
            _fill(home / "s")
            yield f"mysql://odp:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/ville"
        finally:
            server.terminate()
            server.wait(20)


def _unprivileged(home: Path) -> bool:
    if os.getuid():
        return False
    nobody = pwd.getpwnam("nobody")
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    return True


def _fill(address: Path) -> None:
    for _ in range(400):
        with socket.socket(socket.AF_UNIX) as knock:
            if knock.connect_ex(str(address)) == 0:
                break
        time.sleep(0.05)
    connection = pymysql.connect(unix_socket=str(address), user="root")
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE ville CHARACTER SET utf8mb4")
        cursor.execute("CREATE USER odp@'127.0.0.1' IDENTIFIED BY %s", (PASSWORD,))
        cursor.execute("GRANT ALL ON ville.* TO odp@'127.0.0.1'")
