"""The store in a bucket of an S3-compatible server, over one client library (obstore).

`create` and `swap` are conditional writes: the server refuses what is there already (`If-None-Match: *`), or is no
longer what was read (`If-Match`). An answer that never came leaves open whether the write was done: the object is then
looked at, and it is ours when it bears the mark of this very call. Files beyond 64 MB go up in parts, which servers do
not do conditionally: they are looked for first, and the number of their version is taken already by the smallest file,
which is created before them.

There are no symbolic links: `latest/` holds copies, made by the server, and a mark that says of which version; who
reads several files follows `current.json` instead.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError, PreconditionError
from obstore.store import S3Store

from odpipeline.declaration.bucket import BucketStore
from odpipeline.errors import SecretMissing, StoreError
from odpipeline.store.backend import AlreadyThere, Altered, Changed

_LOCKED_OUT = re.compile(r"\b40[13] (Unauthorized|Forbidden)")
"""What the client says of some requests; ports and durations in its words may hold the same digits."""

_WHOLE = 64 << 20
"""Up to this size a file goes up in one request, and conditionally."""
_CHUNK = 8 << 20
_MARK = "odp-writer"
_ALIAS = "alias.json"


class Bucket:
    """A `Backend` in the bucket that `said` names. Its key is read when it is first needed."""

    def __init__(self, said: BucketStore) -> None:
        self._said = said
        self._prefix = f"{said.prefix}/" if said.prefix else ""
        self._client: S3Store | None = None

    def ready(self) -> None:
        """See `Backend.ready`: the bucket is there and lets us list it."""
        with self._worded("", writing=True):
            obstore.list_with_delimiter(self._store, self._prefix or None)

    def read(self, key: str) -> bytes | None:
        """See `Backend.read`."""
        found = self._got(key)
        return found[0] if found else None

    def chunks(self, key: str) -> Iterator[bytes] | None:
        """See `Backend.chunks`."""
        with self._worded(key):
            try:
                return self._streamed(obstore.get(self._store, self._at(key)), key)
            except (NotFoundError, FileNotFoundError):
                return None

    def names(self, folder: str) -> list[str]:
        """See `Backend.names`."""
        prefix = self._at(folder) + "/"
        with self._worded(folder):
            found = obstore.list_with_delimiter(self._store, prefix)
        paths = [*found["common_prefixes"], *(one["path"] for one in found["objects"])]
        below = (path.rstrip("/") for path in paths if path.rstrip("/") != prefix.rstrip("/"))  # some list the folder
        names = (path.rpartition("/")[2] for path in below)
        return sorted({name for name in names if name and not name.startswith(".")})

    def create(self, key: str, content: Path | bytes, sha256: str, like: str | None = None) -> None:  # noqa: ARG002
        """See `Backend.create`; nothing is shared in a bucket, where a copy could not be conditional."""
        if isinstance(content, Path) and content.stat().st_size > _WHOLE:
            self._create_large(key, content, sha256)
            return
        data = content if isinstance(content, bytes) else content.read_bytes()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise Altered("the bytes are not those that were hashed", where=key)
        mark = secrets.token_hex(8)

        def write() -> None:
            self._put(key, data, "create", mark)

        try:
            self._certain(key, write, mark)
        except (AlreadyExistsError, PreconditionError):
            raise AlreadyThere("it exists already", where=key) from None

    def swap(self, key: str, content: bytes, expected: bytes | None) -> None:
        """See `Backend.swap`."""
        found = self._got(key)
        if (found[0] if found else None) != expected:
            raise Changed("it is no longer what was read", where=key)
        mode: Any = {"e_tag": found[1]} if found else "create"
        mark = secrets.token_hex(8)
        try:
            self._certain(key, lambda: self._put(key, content, mode, mark), mark)
        except (AlreadyExistsError, PreconditionError):
            raise Changed("it is no longer what was read", where=key) from None

    def put(self, key: str, content: Path | bytes) -> None:
        """See `Backend.put`."""
        with self._worded(key, writing=True):
            obstore.put(self._store, self._at(key), content)

    def alias(self, key: str, target: str) -> None:
        """See `Backend.alias`: copies of the files, then the mark; what is no longer there goes last."""
        names = self.names(target)
        with self._worded(key):
            for name in names:
                obstore.copy(self._store, self._at(f"{target}/{name}"), self._at(f"{key}/{name}"))
        self.put(f"{key}/{_ALIAS}", json.dumps({"target": target}).encode() + b"\n")
        self.discard(f"{key}/{name}" for name in self.names(key) if name not in {*names, _ALIAS})

    def aliased(self, key: str) -> str | None:
        """See `Backend.aliased`."""
        read = self.read(f"{key}/{_ALIAS}")
        try:
            return str(json.loads(read)["target"]) if read else None
        except (ValueError, KeyError, TypeError):
            return None

    def discard(self, keys: Iterable[str]) -> None:
        """See `Backend.discard`."""
        for key in keys:
            with self._worded(key):
                try:
                    obstore.delete(self._store, self._at(key))
                except (NotFoundError, FileNotFoundError):
                    continue

    def purge(self, key: str) -> None:
        """See `Backend.purge`: every version of every object goes, and the marks of deletions (`DeleteMarkers`)."""
        with self._worded(key):
            found = [one["path"] for batch in obstore.list(self._store, self._at(key) + "/") for one in batch]
            for path in (*found, self._at(key)):
                try:
                    obstore.delete(self._store, path)
                except (NotFoundError, FileNotFoundError):
                    continue
        self._purge_versions(key, lambda _one: False)

    def forget_former(self, key: str) -> None:
        """See `Backend.forget_former`: in a bucket with versions; of what was removed, its mark goes as well."""
        self._purge_versions(key, lambda one: bool(one["IsLatest"]))

    def forget_dead(self, folder: str, before: datetime | None = None) -> None:
        """See `Backend.forget_dead`: files that went up in parts, of which the last never came."""
        with self._of_versions(folder) as client:
            for page in client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self._said.bucket, Prefix=f"{self._at(folder)}/"
            ):
                for one in page.get("Uploads", ()):
                    if before is None or one["Initiated"] < before:
                        client.abort_multipart_upload(
                            Bucket=self._said.bucket, Key=one["Key"], UploadId=one["UploadId"]
                        )

    def written_at(self, key: str) -> datetime | None:
        """See `Backend.written_at`."""
        with self._worded(key):
            try:
                moment: datetime = obstore.head(self._store, self._at(key))["last_modified"]
            except (NotFoundError, FileNotFoundError):
                return None
        return moment.astimezone(UTC)

    def place(self, key: str) -> Path:
        """See `Backend.place`: the address, for people; no path of this machine.

        Raises: StoreError for a key that leaves the store.
        """
        return Path(f"s3:/{self._said.bucket}/{self._at(key)}")

    def _at(self, key: str) -> str:
        parts = key.split("/")
        if not key or key.startswith("/") or ".." in parts or "" in parts:
            raise StoreError("a key stays below the store's folder", where=key)
        return self._prefix + key

    @property
    def _store(self) -> S3Store:
        if self._client is None:
            self._client = _client(self._said)
        return self._client

    def _got(self, key: str) -> tuple[bytes, str | None] | None:
        with self._worded(key):
            try:
                found = obstore.get(self._store, self._at(key))
                return bytes(found.bytes()), found.meta["e_tag"]
            except (NotFoundError, FileNotFoundError):
                return None

    def _streamed(self, found: Any, key: str) -> Iterator[bytes]:
        def pieces() -> Iterator[bytes]:
            with self._worded(key):
                for chunk in found.stream(min_chunk_size=1 << 18):
                    yield bytes(chunk)

        return pieces()

    def _put(self, key: str, data: bytes, mode: Any, mark: str) -> None:
        obstore.put(self._store, self._at(key), data, mode=mode, use_multipart=False, attributes={_MARK: mark})

    def _certain(self, key: str, write: Callable[[], None], mark: str) -> None:
        """Do a conditional write; when its answer is a refusal or never comes, look whether it was done after all.

        The client itself repeats what failed on the way: the second try then finds the first one's object.
        """
        try:
            write()
        except (BaseError, TimeoutError):
            if self._marked(key) == mark:
                return
            with self._worded(key, writing=True):
                raise

    def _marked(self, key: str) -> str | None:
        with self._worded(key):
            try:
                attributes = obstore.get(self._store, self._at(key)).attributes
            except (NotFoundError, FileNotFoundError):
                return None
        found = attributes.get(_MARK)
        return str(found) if found is not None else None

    def _create_large(self, key: str, content: Path, sha256: str) -> None:
        if self.written_at(key) is not None:
            raise AlreadyThere("it exists already", where=key)
        digest = hashlib.sha256()

        def pieces() -> Iterator[bytes]:
            with content.open("rb") as source:
                while chunk := source.read(_CHUNK):
                    digest.update(chunk)
                    yield chunk

        with self._worded(key, writing=True):
            obstore.put(self._store, self._at(key), pieces(), use_multipart=True, chunk_size=_CHUNK)
        if digest.hexdigest() != sha256:
            self.discard([key])
            raise Altered("the bytes are not those that were hashed", where=key)

    def _purge_versions(self, key: str, stays: Callable[[Any], bool]) -> None:
        """In a bucket with versions, deleting only hides: each version is removed by its own identifier.

        The marks of deletions go last: without its mark, a version that is still there would be public again.
        """
        at = self._at(key)
        with self._of_versions(key) as client:
            pages = client.get_paginator("list_object_versions").paginate(Bucket=self._said.bucket, Prefix=at)
            versions, marks = [], []
            for page in pages:
                versions += [one for one in page.get("Versions", ()) if not stays(one)]
                marks += page.get("DeleteMarkers", ())
            for one in (*versions, *marks):
                if one["Key"] == at or one["Key"].startswith(f"{at}/"):
                    client.delete_object(Bucket=self._said.bucket, Key=one["Key"], VersionId=one["VersionId"])

    @contextmanager
    def _of_versions(self, key: str) -> Iterator[Any]:
        """A client that knows of versions and of parts, which obstore does not; what it is refused, in our words."""
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError

        credential = _credential(self._said)
        client = _session().create_client(
            "s3", endpoint_url=self._said.endpoint, region_name=self._said.region,
            aws_access_key_id=credential["access_key_id"], aws_secret_access_key=credential["secret_access_key"],
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 3}),
        )  # fmt: skip
        try:
            yield client
        except (BotoCoreError, ClientError) as error:
            raise StoreError(
                f"old versions of the objects could not be removed ({type(error).__name__})",
                where=key, mend="give the key the right to list and delete versions and unfinished uploads, then "
                "run the same command again",
            ) from None  # fmt: skip
        finally:
            client.close()

    @contextmanager
    def _worded(self, key: str, *, writing: bool = False) -> Iterator[None]:
        """What the server or the client says, in our words: theirs may quote keys and answers.

        Who writes and is told that something is not there has no bucket.
        """
        try:
            yield
        except (AlreadyExistsError, PreconditionError):
            raise
        except (NotFoundError, FileNotFoundError):
            if not writing:
                raise
            raise self._told(key, StoreError("NoSuchBucket")) from None
        except (BaseError, TimeoutError, OSError) as error:
            raise self._told(key, error) from None

    def _told(self, key: str, error: Exception) -> StoreError:
        text, name = str(error), type(error).__name__
        where = f"{self._said.bucket}/{self._prefix}{key}"
        if "NoSuchBucket" in text:
            return StoreError(f"there is no bucket {self._said.bucket}", where="town.yaml, store",
                              mend="make it on the server, or correct its name")  # fmt: skip
        if name in ("PermissionDeniedError", "UnauthenticatedError") or _LOCKED_OUT.search(text):
            return StoreError("the server does not let us in", where=where,
                              mend="check the variables of `access_key`, the rights on the bucket, and the clock of "
                              "this machine")  # fmt: skip
        return StoreError(f"the server does not answer as it should ({name})", where=where,
                          mend="run again once it does")  # fmt: skip


@cache
def _session() -> Any:
    """One for all clients: it reads the descriptions of the service, which takes longer than most requests."""
    import botocore.session  # a second of imports, for the few who take something away

    return botocore.session.get_session()


def _client(said: BucketStore) -> S3Store:
    """The library's client, with everything said that it would else look up in the environment (`AWS_…`)."""
    credential = _credential(said)
    host = str(urlsplit(said.endpoint).hostname)
    return S3Store(
        said.bucket,
        aws_endpoint_url_s3=said.endpoint,
        endpoint=said.endpoint,
        region=said.region,
        virtual_hosted_style_request=False,
        skip_signature=False,
        s3_express=False,
        credential_provider=lambda: credential,
        client_options={
            "allow_http": said.endpoint.startswith("http:"),
            "connect_timeout": timedelta(seconds=10),
            "timeout": timedelta(minutes=5),
            "proxy_url": "http://127.0.0.1:9",
            "proxy_excludes": host,
            "user_agent": "odpipeline",
        },
        retry_config={"max_retries": 4, "retry_timeout": timedelta(minutes=3)},
    )


def _credential(said: BucketStore) -> Any:
    values = []
    for variable in (said.access_key.id, said.access_key.secret):
        if not (value := os.environ.get(variable, "").strip()):
            raise SecretMissing(variable, needed_for="the publication store", where="town.yaml, store")
        values.append(value)
    return {"access_key_id": values[0], "secret_access_key": values[1], "token": None, "expires_at": None}
