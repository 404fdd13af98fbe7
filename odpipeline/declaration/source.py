"""How a dataset's source is declared: one model per kind of municipal system.

A new kind is one model here, one module in `odpipeline/sources/`, and one line in the table of its `__init__`; a test
holds the three together.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from odpipeline.declaration.access import Auth
from odpipeline.declaration.words import CALLABLE_PATTERN, TABLE_PATTERN, Closed, Duration


class Paging(Closed):
    """How a JSON API cuts its answer into pages; exactly one of `next`, `link`, `page`, `offset`, `cursor`."""

    next: str | None = None
    """The key, dotted if nested, that holds the address of the next page; absent or null on the last page."""
    link: bool = False
    """The next page's address is in the `Link` header, `rel="next"` (RFC 8288)."""
    page: str | None = None
    """The query parameter with the number of the page; an empty page is the last one."""
    offset: str | None = None
    """The query parameter with the number of records to skip; an empty page is the last one."""
    cursor: str | None = None
    """The query parameter with the cursor that the page before gave under `key`."""
    key: str | None = None
    """With `cursor`: the key, dotted if nested, that holds the next cursor; absent, null or empty on the last page."""
    size: str | None = None
    """The query parameter with the number of records in a page."""
    of: int = Field(default=100, ge=1)
    """With `size`: how many records to ask for in a page."""
    first: int = Field(default=1, ge=0)
    """With `page`: the number of the first page."""
    total: str | None = None
    """The key, dotted if nested, that holds the number of all records: what was read is compared with it."""
    most: int = Field(default=10_000, ge=1)
    """The most pages that are read before the source is taken for an endless one."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [name for name in ("next", "link", "page", "offset", "cursor") if getattr(self, name)]
        if len(ways) != 1:
            raise ValueError("name exactly one of next, link, page, offset, cursor")
        if (self.cursor is None) != (self.key is None):
            raise ValueError("`cursor` and `key` go together")
        return self


class Newer(Closed):
    """Asks a JSON API only for what is newer than the last capture, which then holds both: it is always whole."""

    parameter: str
    """The query parameter that takes the time, such as `modified_since`."""
    field: str
    """The delivered key that holds the time of a record's last change, in ISO 8601."""
    overlap: Duration = Field(default="1 h", validate_default=True)
    """How much of what is known already is asked for again: clocks differ, and transactions commit late."""


class _Source(Closed):
    """What every kind of source says."""

    kind: ClassVar[str]
    probed: ClassVar[bool] = True
    """Whether the system tells cheaply that nothing is new; the night then asks before it plans a run."""
    records: ClassVar[str | None] = None
    """The path to the records that the kind always delivers them at."""
    reads: ClassVar[str | None] = None
    """The reader of `conform` that the kind always needs; None when the delivery itself tells."""

    system: str | None = None
    """The municipal system of `town.yaml` that delivers; an address or a folder is then relative to it."""
    timeout: Duration = Field(default="60 s", validate_default=True)
    """How long the system may stay silent."""
    deadline: Duration = Field(default="4 h", validate_default=True)
    """How long a whole delivery may take, however steadily it drips."""
    max_bytes: int = Field(default=20_000_000_000, ge=1)
    """The largest delivery that is taken, in bytes."""
    max_rows: int = Field(default=1_000_000_000, ge=1)
    """The most rows that are taken."""


class HttpLike(_Source):
    """What every kind of source over HTTP says."""

    is_platform: ClassVar[bool] = False
    """Whether what answers is a known open-data platform; its words about a refused question may be shown."""

    auth: Auth | None = None
    """How the system lets us in; by default as the system says."""
    internal: bool = False
    """Allows loopback, link-local and private addresses; by default as the system says."""


class HttpSource(HttpLike):
    """One file over HTTP."""

    kind: ClassVar[str] = "http"

    http: str
    """The address: `https://…`, or a path such as `/v1/parkings.csv` below the system's address."""


class RestSource(HttpLike):
    """The records of a JSON API, page by page; `format.records` is the path to the records in a page."""

    kind: ClassVar[str] = "rest"
    probed: ClassVar[bool] = False

    rest: str
    """The address: `https://…`, or a path such as `/v1/parkings` below the system's address."""
    params: dict[str, str | int | float | bool] = {}
    """Query parameters that go with every page."""
    paging: Paging | None = None
    """How the answer is cut into pages; by default it is one page."""
    incremental: Newer | None = None
    """Asks only for what is new. What the system deletes is then not noticed: leave it out if it deletes."""


class SqlTable(Closed):
    """A table or a view, instead of a query."""

    table: str
    """Its name, with the schema in front where there is one: `stationnement.parkings`."""
    columns: tuple[str, ...] = ()
    """The columns to read; by default all."""


class Watermark(Closed):
    """Reads only rows beyond the last capture's watermark; the capture then holds both: it is always whole."""

    column: str
    """A column of the result that grows with each change, such as the time of the last one."""
    overlap: Duration = Field(default="1 h", validate_default=True)
    """How much of what is known already is read again: transactions commit late."""


class SqlSource(_Source):
    """The rows of one query, read in a read-only session; the system's address is an SQLAlchemy URL."""

    kind: ClassVar[str] = "sql"
    probed: ClassVar[bool] = False

    sql: str | SqlTable
    """A SELECT statement, or `{table: …}`."""
    incremental: Watermark | None = None
    """Reads only what is new. What the database deletes is then not noticed: leave it out if rows are deleted."""


class DropSource(_Source):
    """What every kind of source says that reads files dropped by others."""

    take: Literal["newest", "all"] = "newest"
    """Which of the matching files are the dataset: the newest, or all of them, in the order of their names."""


class FolderSource(DropSource):
    """The files of a drop folder, or of a share that is mounted as one."""

    kind: ClassVar[str] = "folder"

    folder: str
    """A path with a pattern, such as `energie/releves_*.csv`, below the system's folder or the town's."""
    settled: Duration = Field(default="0 s", validate_default=True)
    """How long a file must have been left alone before it is taken as complete."""


class SftpSource(DropSource):
    """The files that others drop on an SFTP server; its key is pinned as the system's `host_key`."""

    kind: ClassVar[str] = "sftp"

    sftp: str
    """A path with a pattern, such as `exports/releves_*.csv`, below the path of the system's address."""
    settled: Duration = Field(default="1 min", validate_default=True)
    """How long a file must have been left alone before it is taken as complete."""
    internal: bool = False
    """Allows loopback, link-local and private addresses; by default as the system says."""


class S3Source(DropSource):
    """The objects of a bucket, on AWS or on any store that speaks S3."""

    kind: ClassVar[str] = "s3"

    s3: str
    """A key with a pattern, such as `exports/releves_*.parquet`, below the system's `s3://bucket/prefix`."""
    internal: bool = False
    """Allows loopback, link-local and private addresses; by default as the system says."""


class GbfsSource(HttpLike):
    """One feed of a shared-mobility system (GBFS 1.0 to 3.0), found by its discovery file."""

    kind: ClassVar[str] = "gbfs"
    reads: ClassVar[str | None] = "gbfs"

    gbfs: str
    """The address of the discovery file `gbfs.json`: `https://…`, or a path below the system's address."""
    feed: Literal[
        "station_information", "station_status", "free_bike_status", "vehicle_status", "vehicle_types",
        "system_regions", "system_pricing_plans", "system_alerts", "system_hours", "system_calendar",
        "geofencing_zones",
    ]  # fmt: skip
    """Which feed; its list of records is known (`format.records` names another one)."""
    language: str | None = None
    """The language of texts; by default French, or the only one there is."""
    hosts: tuple[str, ...] = ()
    """Other addresses where the discovery file may lead, such as `https://api.exploitant.example`; sent no secret."""


class HandedSource(HttpLike):
    """What every kind of source says whose one file comes over HTTP, or lies in a drop folder."""

    def over_http(self, system: Any) -> bool:
        """Whether the file comes over HTTP; else it lies in a folder. `system` is that of town.yaml, or None."""
        return "://" in getattr(self, self.kind) or (system is not None and system.url is not None)


class GtfsSource(HandedSource):
    """One table of a GTFS zip, the timetable of public transport."""

    kind: ClassVar[str] = "gtfs"
    reads: ClassVar[str | None] = "gtfs"

    gtfs: str
    """`https://…`, or a path below the system's address; or a path or pattern below its drop folder, or the town's."""
    table: str = Field(pattern=TABLE_PATTERN)
    """Which table, without `.txt`: stops, routes, trips, stop_times…"""
    max_bytes: int = Field(default=1_000_000_000, ge=1)
    """The largest zip that is taken, and the largest table, in bytes."""


class TotemSource(HandedSource):
    """A French budget document (TotEM), as it goes to the prefecture: plain, gzipped, in base64 or in its envelope."""

    kind: ClassVar[str] = "totem"
    reads: ClassVar[str | None] = "totem"

    totem: str
    """`https://…`, or a path below the system's address; or a path or pattern below its drop folder, or the town's."""


class GtfsRtSource(HttpLike):
    """One kind of entity of a GTFS-Realtime feed (protobuf)."""

    kind: ClassVar[str] = "gtfs_rt"
    reads: ClassVar[str | None] = "gtfs_rt"

    gtfs_rt: str
    """The address: `https://…`, or a path below the system's address."""
    entity: Literal["vehicle_position", "trip_update", "stop_time_update", "alert"]
    """What becomes a row. Columns are named as in the specification, dotted: `position.latitude`, `trip.route_id`."""
    max_bytes: int = Field(default=500_000_000, ge=1)
    """The largest feed that is taken, in bytes."""


class PythonSource(_Source):
    """The escape hatch: a callable of the town's own folder that yields Arrow batches, for what nothing else reads."""

    kind: ClassVar[str] = "python"
    probed: ClassVar[bool] = False
    reads: ClassVar[str | None] = "parquet"

    python: str = Field(pattern=CALLABLE_PATTERN)
    """Module and name: `metiers.piscines:lignes` is `lignes` in the file `metiers/piscines.py` beside town.yaml."""
    arguments: dict[str, str | int | float | bool] = {}
    """Arguments by name. Never secrets: the callable reads those from the environment."""

    @property
    def file(self) -> str:
        """The module's file, relative to the town."""
        return self.python.partition(":")[0].replace(".", "/") + ".py"

    @property
    def name(self) -> str:
        """What is called in it."""
        return self.python.partition(":")[2]


class OpendatasoftSource(HttpLike):
    """A dataset of an Opendatasoft portal, by its export (Explore API 2.1): its records stop at 10,000 rows."""

    kind: ClassVar[str] = "opendatasoft"
    is_platform: ClassVar[bool] = True

    opendatasoft: str
    """The portal's address."""
    dataset: str
    """The dataset's identifier there."""
    export: Literal["parquet", "csv", "json"] = "parquet"
    """The format to export."""
    where: str | None = None
    """A filter in ODSQL."""
    select: str | None = None
    """The columns, in ODSQL."""


class CkanSource(HttpLike):
    """A resource of a CKAN portal: its file, or the dump of its datastore."""

    kind: ClassVar[str] = "ckan"
    is_platform: ClassVar[bool] = True

    ckan: str
    """The portal's address."""
    resource: str | None = None
    """The resource's identifier; or `dataset` and `file`."""
    dataset: str | None = None
    """The dataset's name, as in its address."""
    file: str | None = None
    """With `dataset`: the resource's name there."""
    datastore: bool = False
    """Whether the datastore's dump is read (CSV) instead of the resource's own file."""
    hosts: tuple[str, ...] = ()
    """Other addresses where the portal may keep files, such as `https://fichiers.ville.example`; sent no secret."""

    @model_validator(mode="after")
    def _one_resource(self) -> Self:
        if (self.resource is None) == (self.dataset is None) or (self.dataset is None) != (self.file is None):
            raise ValueError("name `resource`, or `dataset` and `file`")
        return self


class WfsSource(HttpLike):
    """The features of one layer of a Web Feature Service 2.0."""

    kind: ClassVar[str] = "wfs"
    is_platform: ClassVar[bool] = True
    probed: ClassVar[bool] = False
    records: ClassVar[str | None] = "features"

    wfs: str
    """The service's address."""
    layer: str
    """The feature type, such as `ville:arbres`."""
    output: str = "application/json"
    """The output format to ask for; what is no JSON is asked for in one answer, such as GML."""
    srs: str | None = None
    """The coordinate reference system to ask for, such as `EPSG:4326`."""
    filter: str | None = None
    """A filter in the service's CQL."""
    sort: str | None = None
    """The attribute to sort by: a layer without a key is else in no order, and its pages may overlap."""
    size: int = Field(default=1000, ge=1)
    """How many features to ask for in a page."""


class OgcApiSource(HttpLike):
    """The items of a collection of an OGC API Features."""

    kind: ClassVar[str] = "ogcapi"
    is_platform: ClassVar[bool] = True
    probed: ClassVar[bool] = False
    records: ClassVar[str | None] = "features"

    ogcapi: str
    """The service's address, above `/collections`."""
    collection: str
    """The collection's identifier."""
    params: dict[str, str | int | float | bool] = {}
    """Query parameters, such as `bbox` or a property's filter."""
    size: int = Field(default=1000, ge=1)
    """How many items to ask for in a page."""


class SensorThingsSource(HttpLike):
    """Entities of an OGC SensorThings API 1.1, such as the observations of a datastream."""

    kind: ClassVar[str] = "sensorthings"
    is_platform: ClassVar[bool] = True
    probed: ClassVar[bool] = False
    records: ClassVar[str | None] = "value"

    sensorthings: str
    """The service's address, down to the version."""
    entities: str
    """The path of the entities: `Datastreams(12)/Observations`."""
    since: Duration | None = None
    """Only observations whose phenomenon is younger than this."""
    params: dict[str, str | int | float | bool] = {}
    """Query parameters, such as `$expand` or `$select`."""
    size: int = Field(default=1000, ge=1)
    """How many entities to ask for in a page."""


class NgsiLdSource(HttpLike):
    """Entities of an NGSI-LD context broker, as key and value."""

    kind: ClassVar[str] = "ngsild"
    is_platform: ClassVar[bool] = True
    probed: ClassVar[bool] = False

    ngsild: str
    """The broker's address, down to `/ngsi-ld/v1`."""
    type: str
    """The type of the entities."""
    attrs: tuple[str, ...] = ()
    """The attributes to ask for; by default all."""
    q: str | None = None
    """A filter in the broker's query language."""
    tenant: str | None = None
    """The tenant (`NGSILD-Tenant`)."""
    context: str | None = None
    """The address of the JSON-LD context."""
    size: int = Field(default=500, ge=1, le=1000)
    """How many entities to ask for in a page."""


MODELS: tuple[type[_Source], ...] = (
    HttpSource, RestSource, SqlSource, FolderSource, SftpSource, S3Source, GbfsSource, GtfsSource, GtfsRtSource,
    TotemSource,
    OpendatasoftSource, CkanSource, WfsSource, OgcApiSource, SensorThingsSource, NgsiLdSource, PythonSource,
)  # fmt: skip
"""Every kind of source, in the order of the documentation."""

KINDS: dict[str, type[_Source]] = {model.kind: model for model in MODELS}


def _kind_of(value: Any) -> str | None:
    """The tag of the union member: the class name, as pydantic names members of its own unions."""
    if isinstance(value, _Source):
        return type(value).__name__
    found = [kind for kind in KINDS if kind in value] if isinstance(value, dict) else []
    return KINDS[found[0]].__name__ if len(found) == 1 else None


Source = Annotated[
    Annotated[HttpSource, Tag("HttpSource")]
    | Annotated[RestSource, Tag("RestSource")]
    | Annotated[SqlSource, Tag("SqlSource")]
    | Annotated[FolderSource, Tag("FolderSource")]
    | Annotated[SftpSource, Tag("SftpSource")]
    | Annotated[S3Source, Tag("S3Source")]
    | Annotated[GbfsSource, Tag("GbfsSource")]
    | Annotated[GtfsSource, Tag("GtfsSource")]
    | Annotated[GtfsRtSource, Tag("GtfsRtSource")]
    | Annotated[TotemSource, Tag("TotemSource")]
    | Annotated[OpendatasoftSource, Tag("OpendatasoftSource")]
    | Annotated[CkanSource, Tag("CkanSource")]
    | Annotated[WfsSource, Tag("WfsSource")]
    | Annotated[OgcApiSource, Tag("OgcApiSource")]
    | Annotated[SensorThingsSource, Tag("SensorThingsSource")]
    | Annotated[NgsiLdSource, Tag("NgsiLdSource")]
    | Annotated[PythonSource, Tag("PythonSource")],
    Discriminator(
        _kind_of,
        custom_error_type="source_kind",
        custom_error_message=f"a source names exactly one kind as a key: {', '.join(KINDS)}",
    ),
]
"""One of the kinds; the kind's own name is the key that tells which."""
