"""A real S3 server for tests: SeaweedFS on free ports of loopback. A bucket is made by the first object put into it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from tests.servers import free_port

KEY, SECRET = "VILLE", "un secret"


@dataclass(frozen=True)
class S3Server:
    """The server's address, and clients of it that may write."""

    endpoint: str

    def bucket(self, name: str) -> S3Store:
        """A client of the bucket `name`."""
        return S3Store(
            name,
            endpoint=self.endpoint,
            region="fr-test",
            access_key_id=KEY,
            secret_access_key=SECRET,
            client_options={"allow_http": True, "timeout": timedelta(seconds=5)},
            retry_config={"max_retries": 0},
        )


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """A server that runs until the end of the block."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        home = Path(temporary)
        identity = {"name": "ville", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin"]}
        (home / "s3.json").write_text(json.dumps({"identities": [identity]}))
        ports = {role: free_port() for role in ("master", "volume", "filer", "s3")}
        grpc = [f"-{role}.port.grpc={free_port()}" for role in ports]
        command: list[str | Path] = [
            Path(sys.prefix) / "bin" / "weed", "server", f"-dir={home}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            "-s3", f"-s3.config={home / 's3.json'}", "-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0",
            "-s3.autoCreateBucket",
            "-master.volumeSizeLimitMB=16", "-master.electionTimeout=500ms", "-master.peers=none",
            "-master.telemetry=false", "-volume.max=60", "-volume.preStopSeconds=0",
            *(f"-{role}.port={port}" for role, port in ports.items()), *grpc,
        ]  # fmt: skip
        server = S3Server(f"http://127.0.0.1:{ports['s3']}")
        with (home / "log").open("wb") as log, subprocess.Popen(command, cwd=home, stdout=log, stderr=log) as weed:
            try:
                _wait(server, weed)
                yield server
            finally:
                weed.kill()  # nothing is to be kept, and it takes its time to stop


def _wait(server: S3Server, weed: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert weed.poll() is None, "SeaweedFS did not start"
        try:
            obstore.put(server.bucket("attente"), "prêt", b"x")
        except BaseError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("SeaweedFS did not answer within 30 s")
