"""What `town.yaml` says: publisher, contact, zones, municipal systems, defaults. Read once, frozen, passed down."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from odpipeline.declaration.access import Auth
from odpipeline.declaration.alerts import Alerts
from odpipeline.declaration.approval import Person, people
from odpipeline.declaration.bucket import BucketStore
from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.openlineage import OpenLineage
from odpipeline.declaration.promises import TownCalendar
from odpipeline.declaration.words import (
    MEMORY_PATTERN,
    SIREN_PATTERN,
    Closed,
    Duration,
    EnvName,
    FromEnvironment,
    Mail,
)
from odpipeline.errors import OdpError, SecretMissing


class Publisher(Closed):
    """Who publishes."""

    name: str
    """The town's name."""
    siren: str = Field(pattern=SIREN_PATTERN)
    """The town's SIREN number."""
    homepage: str
    """The address of the open-data portal."""
    email: Mail
    """Where citizens write."""


class System(Closed):
    """One municipal system: an external asset upstream of the datasets that it delivers."""

    title: str
    """Its name in the town."""
    url: str | FromEnvironment | None = None
    """Its address: `https://…`, an SQLAlchemy URL from the environment, never a password in clear."""
    folder: str | FromEnvironment | None = None
    """For a drop folder: its path, absolute or relative to the town."""
    auth: Auth | None = None
    """How it lets us in."""
    pause: Duration = Field(default="0 s", validate_default=True)
    """HTTP: the least time between two requests to it, over all datasets and runs of this machine."""
    host_key: str | None = None
    """SFTP: the server's public key, as `ssh-keyscan` shows it: `ssh-ed25519 AAAA…`. No other is trusted."""
    endpoint: str | None = None
    """S3: the address of the store, `https://…`; by default AWS in the region."""
    region: str = "us-east-1"
    """S3: the region; many stores of one's own take any."""
    internal: bool = False
    """Allows loopback, link-local and private addresses."""
    owner: Mail | None = None
    """The mail address of who runs it."""
    expires: date | None = None
    """The day on which its key, token or account ends; it is told three weeks before."""
    kinds: tuple[str, ...] = ()
    """What it is, for the asset graph: postgres, api, sftp…"""

    def address(self) -> str:
        """The address or the folder, read from the environment if need be.

        Raises: SecretMissing when the variable is not set.
        """
        value = self.url if self.url is not None else self.folder
        if isinstance(value, FromEnvironment):
            if not (found := os.environ.get(value.env)):
                raise SecretMissing(value.env, needed_for=f"the system “{self.title}”")
            return found
        return value or ""


class Night(Closed):
    """The nightly run."""

    cron: str = "0 2 * * *"
    """When it starts, in the town's time zone."""
    lot_size: int = Field(default=20, ge=1)
    """How many datasets one run takes."""
    retries: int = Field(default=2, ge=0)
    """How often the scheduled night tries a dataset again whose system does not answer."""
    pause: Duration = Field(default="5 min", validate_default=True)
    """How long to wait before each of those tries."""
    executor: Literal["processes", "celery"] = "processes"
    """What runs the datasets of a lot: two processes of this machine, or Celery's workers on any number of them."""
    broker: FromEnvironment | None = None
    """With `celery`: the address of the Redis through which workers get their work, `{env: ODP_BROKER_URL}`."""
    redeliver: Duration = Field(default="1 h", validate_default=True)
    """With `celery`: when what a dead worker had taken goes to another; longer than any dataset takes."""
    keep_runs: Duration = Field(default="30 days", validate_default=True)
    """How long Dagster keeps finished runs; every Sunday older ones are purged, and the room is given back."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.executor == "celery") != (self.broker is not None):
            raise ValueError("executor: celery and broker: {env: ODP_BROKER_URL} go together")
        return self


class Town(Closed):
    """The town: read once by `declaration.read_town` and passed down."""

    publisher: Publisher
    """Who publishes."""
    contact: Mail
    """The mail address of the data engineers."""
    dpo: Mail
    """The mail address of the data protection officer."""
    language: str = "fr"
    """The language of titles and descriptions."""
    timezone: str = "Europe/Paris"
    """The time zone of schedules and of datetimes that name none."""
    calendar: TownCalendar = TownCalendar()
    """Whose holidays are kept, for promises that count working days or school days."""
    store: str | BucketStore = ".odp/public"
    """The publication store: a folder, relative to the town, or a bucket `{bucket: …, endpoint: …, access_key: …}`."""
    private: str = ".odp/private"
    """The private zone: a folder, relative to the town, readable by its owner only."""
    journal: FromEnvironment | None = None
    """The PostgreSQL database of the journal, `{env: ODP_JOURNAL_URL}`; by default SQLite in the private zone."""
    private_key: EnvName | None = None
    """The environment variable with the age identity (`odp key`) that the private zone is sealed with."""
    signing_key: EnvName | None = None
    """The environment variable with the Ed25519 key (`odp signing-key`) that every manifest is signed with."""
    production: bool = False
    """Refuses a private zone that is not sealed, and secrets that would travel in clear over `http://`."""
    memory_limit: str = Field(default="1500MB", pattern=MEMORY_PATTERN)
    """The most memory DuckDB takes for one dataset; beyond it spills to the private zone."""
    threads: int = Field(default=2, ge=1)
    """Threads for one dataset."""
    gate_time: Duration = Field(default="30 min", validate_default=True)
    """How long each question of the privacy gate may take; one without an answer by then is a refusal."""
    night: Night = Night()
    """The nightly run."""
    roles: dict[str, tuple[Mail | Person, ...]] = {}
    """Role → who may act in it, by mail address or `{mail: …, account: …}`; the dpo has the role `dpo`."""
    alerts: Alerts = Alerts()
    """Who is told when something is wrong, and how."""
    openlineage: OpenLineage | None = None
    """Where events of lineage go, in the words of OpenLineage; nowhere by default."""
    systems: dict[str, System] = {}
    """The municipal systems by name."""
    defaults: dict[str, Any] = {}
    """Values for the datasets that do not say: licence, owner, quality, retention, shrink…"""

    _root: Path = PrivateAttr(default=Path())
    _datasets: tuple[Dataset, ...] = PrivateAttr(default=())

    @property
    def root(self) -> Path:
        """The town's folder, absolute."""
        return self._root

    @property
    def datasets(self) -> tuple[Dataset, ...]:
        """The datasets, in the order of their identifiers."""
        return self._datasets

    def people(self, role: str) -> tuple[Person, ...]:
        """Who may act in `role`; () when nobody may."""
        return people(role, self.roles, self.dpo)

    @property
    def store_path(self) -> Path:
        """The publication store's folder, absolute; of a store in a bucket, that of copies for serving."""
        return self.root / (self.store if isinstance(self.store, str) else ".odp/served")

    @property
    def private_path(self) -> Path:
        """The private zone's folder, absolute."""
        return self.root / self.private

    def dataset(self, identifier: str) -> Dataset:
        """The dataset called `identifier`.

        Raises: OdpError naming the known ones.
        """
        for dataset in self.datasets:
            if dataset.id == identifier:
                return dataset
        known = ", ".join(d.id for d in self.datasets) or "none"
        raise OdpError(f"there is no dataset {identifier!r}", where="assets/", mend=f"the town has: {known}")
