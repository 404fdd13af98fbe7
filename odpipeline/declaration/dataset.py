"""What one dataset's YAML says: closed, typed, frozen. Table Schema's, DCAT's and disclosure control's words."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, model_validator

from odpipeline.declaration.approval import Approval
from odpipeline.declaration.custom_checks import CustomCheck
from odpipeline.declaration.disclosure import Closeness, Differencing, Diversity, Score
from odpipeline.declaration.foreign_keys import ForeignKey
from odpipeline.declaration.formats import Formats
from odpipeline.declaration.identifiers import Allowed
from odpipeline.declaration.keeping import Keep
from odpipeline.declaration.periods import Periods
from odpipeline.declaration.profiles import PROFILES, Profile, ProfileName, Rules, with_defaults
from odpipeline.declaration.promises import Freshness, TownCalendar
from odpipeline.declaration.series import Series
from odpipeline.declaration.source import Source
from odpipeline.declaration.tables import Table
from odpipeline.declaration.techniques import NUMERIC, Technique
from odpipeline.declaration.territory import Territory
from odpipeline.declaration.words import Closed, Duration, Mail, Share

FieldType = Literal[
    "string", "integer", "number", "boolean", "date", "datetime", "time", "year", "yearmonth", "duration",
    "geopoint", "geojson", "array", "object", "any",
]  # fmt: skip


OverTimeRule = Literal[
    "growth", "types", "vanished_keys", "steady", "never_reused", "newest", "new_categories", "drift", "counters",
    "gaps", "stuck", "weekday",
]  # fmt: skip


class Constraints(Closed):
    """Table Schema constraints of one field."""

    required: bool = False
    """The value may not be missing."""
    unique: bool = False
    """No value stands twice."""
    minimum: int | float | str | None = None
    """The least value allowed."""
    maximum: int | float | str | None = None
    """The greatest value allowed."""
    minLength: int | None = Field(default=None, ge=0)
    """The least number of characters."""
    maxLength: int | None = Field(default=None, ge=0)
    """The greatest number of characters."""
    pattern: str | None = None
    """A regular expression (RE2) that the whole value matches."""
    enum: tuple[str | int | float | bool, ...] | None = None
    """The only values allowed."""


class Lookup(Closed):
    """Takes a value from a reference table of the town, such as the communes of the COG; exactly one row per key."""

    file: str
    """A CSV file in UTF-8 with a header, relative to the town."""
    on: str
    """The field of this dataset that holds the key."""
    key: str
    """The column of the file that holds the key."""
    value: str
    """The column of the file that is taken; a key that the file does not know gives a missing value."""


class TableField(Closed):
    """One field of the Table Schema."""

    name: str = Field(min_length=1, pattern=r"^[^\s_]\S*$")
    """The published column's name: no blanks, and no underscore in front."""
    type: FieldType = "string"
    """The Table Schema type."""
    format: str = "default"
    """For dates: a strptime pattern such as `%d/%m/%Y`, or `default`, ISO 8601; for strings: `email`, `uri`, `uuid`."""
    title: str | None = None
    """The name that citizens read."""
    description: str | None = None
    """What the value means, its unit, its traps."""
    source: str | None = None
    """The column's name as the system delivers it, when it differs from `name`."""
    derive: str | None = None
    """A SQL expression over other fields of the same row, instead of a delivered column."""
    lookup: Lookup | None = None
    """Takes the value from a reference table, instead of a delivered column."""
    constraints: Constraints = Constraints()
    """What values are allowed."""
    decimalChar: str | None = Field(default=None, max_length=1)
    """The decimal sign of numbers as delivered; by default that of `format.decimal`."""
    groupChar: str | None = Field(default=None, max_length=1)
    """The thousands sign of numbers as delivered (blanks and no-break blanks always are)."""
    trueValues: tuple[str, ...] = ("true", "True", "TRUE", "1", "oui", "Oui", "OUI", "vrai", "VRAI")
    """What is read as true."""
    falseValues: tuple[str, ...] = ("false", "False", "FALSE", "0", "non", "Non", "NON", "faux", "FAUX")
    """What is read as false."""


class FileFormat(Closed):
    """How the delivered bytes are read; whatever is not said is detected."""

    @model_validator(mode="after")
    def _both_coordinates(self) -> Self:
        if (self.x is None) != (self.y is None):
            raise ValueError("`x` and `y` go together")
        return self

    type: Literal["csv", "json", "excel", "parquet", "geojson", "xml", "totem"] | None = None
    """The family of formats; by default from the first bytes, but for `xml` and `totem` (French budget documents)."""
    encoding: Literal["utf-8", "utf-16", "cp1252", "latin-1", "iso-8859-15"] | None = None
    """The character encoding; by default UTF-8 if the bytes are valid UTF-8, else Windows-1252."""
    delimiter: Literal[",", ";", "\t", "|"] | None = None
    """The delimiter of CSV; by default the most regular one of the first lines."""
    decimal: Literal[".", ","] = "."
    """The decimal sign of numbers, for the fields that do not say."""
    timezone: str = "UTC"
    """The time zone of delivered datetimes that name none, such as `Europe/Paris`; published ones are in UTC."""
    header_row: int = Field(default=1, ge=1)
    """The line of CSV or the row of a sheet, from 1, where the column names begin."""
    header_rows: int = Field(default=1, ge=1, le=5)
    """How many rows the column names take (merged headers are joined by a blank, the merged part repeated)."""
    member: str | None = None
    """For a zip or 7z: the name of the file to read, with `*` for any characters, such as `*.csv`."""
    members: Literal["one", "all"] = "one"
    """For a zip or 7z: whether exactly one file matches, or all that match are one table together."""
    sheet: str | None = None
    """The sheet of a workbook; by default the first one."""
    layer: str | None = None
    """The layer of a GeoPackage or of GML, or the shapefile in a zip; by default the only one."""
    crs: str | None = Field(default=None, pattern=r"^EPSG:\d{4,6}$")
    """The coordinate system, such as `EPSG:2154` for Lambert-93, of a delivery that does not say it."""
    x: str | None = None
    """The column of eastings or longitudes; with `y` it gives the column `geometry`."""
    y: str | None = None
    """The column of northings or latitudes."""
    records: str | None = None
    """The dotted path to the list of records in JSON (by default the document itself), the path of a record in XML."""
    ignore_rows: dict[str, str] = {}
    """Rows that are no data, such as totals: delivered column → regular expression (RE2) that the cell matches."""


class Privacy(Closed):
    """How personal data is anonymised before anything is staged."""

    @model_validator(mode="before")
    @classmethod
    def _profiled(cls, said: Any) -> Any:
        return with_defaults(said) if isinstance(said, dict) else said

    rules: ProfileName | Rules | None = None
    """The profile to hold to, which also gives `k`; `{profile: …, because: …}` when something is looser."""
    columns: dict[str, Literal["keep", "drop"] | Technique] = {}
    """Each field's role: `keep`, `drop`, or a technique such as `{pseudonymise: …}`."""
    quasi_identifiers: tuple[str, ...] = ()
    """The published columns that together could single out a person."""
    k: int | None = Field(default=None, ge=2)
    """The least number of rows in an equivalence class."""
    suppression: Share = 0.0
    """The largest share of rows that may be suppressed to reach k."""
    score: Score = "loss"
    """What the chosen levels make least."""
    search_seconds: int = Field(default=60, ge=1)
    """How long levels are searched for; then the best found is taken, and how far it may be from the best is told."""
    stability: Literal["prefer", "none"] = "prefer"
    """`prefer`: the levels of the last release stay while k holds and they are at most 5 % worse than the best."""
    diversity: dict[str, Diversity] = {}
    """Sensitive column → the l-diversity of each class."""
    closeness: dict[str, Closeness] = {}
    """Sensitive column → the t-closeness of each class."""
    population: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9_-]*$")
    """Whose data it is, such as `allocataires`; datasets of another population cannot be subtracted from this one."""
    differencing: Differencing = Differencing()
    """What happens when a class differs by fewer than k rows from what is public already."""
    table: Table | None = None
    """Publishes counts and sums instead of rows: `{by: [quartier, annee], count: foyers, sums: {total: montant}}`."""
    small_cells: dict[str, int] = {}
    """Count column → least count that may be published; rows below are suppressed."""
    allowed: dict[str, tuple[Allowed, ...]] = {}
    """Column → identifiers of persons that it holds on purpose: `{contact: [{identifier: email, because: …}]}`."""

    @property
    def profile(self) -> Profile | None:
        """The rules of the named profile."""
        name = self.rules.profile if isinstance(self.rules, Rules) else self.rules
        return PROFILES[name] if name else None

    @property
    def searched(self) -> tuple[str, ...]:
        """The columns whose level is chosen for each release."""
        roles = ((name, role) for name, role in self.columns.items() if isinstance(role, Technique))
        return tuple(name for name, role in roles if role.generalise and role.generalise.level == "optimal")


class Gaps(Closed):
    """How long a series may be silent; `freshness.column` tells the time."""

    longest: Duration
    """The longest time between two events of a series, and between its last one and the newest of all."""
    by: tuple[str, ...] = ()
    """The columns that name a series, such as the sensor."""
    most: int = Field(default=0, ge=0)
    """How many longer gaps there may be within the series."""


class Stuck(Closed):
    """How long a value may stand still; `freshness.column` tells the order."""

    by: tuple[str, ...] = ()
    """The columns that name a series, such as the sensor."""
    most: int = Field(ge=1)
    """The most readings on end with one value."""


class OverTime(Closed):
    """What is compared with the current release, and along the time of the events."""

    growth: float = Field(default=10.0, ge=1)
    """How many times as many rows a release may have as the one before."""
    vanished_keys: Share | None = 0.5
    """The largest share of keys of the current release that may vanish."""
    steady: tuple[str, ...] = ()
    """Columns that never change for a key of the current release."""
    never_reused: tuple[str, ...] = ()
    """Columns that tell what a key names: no key of any published version ever comes back with others in them."""
    new_categories: tuple[str, ...] = ()
    """Columns whose values were all published before."""
    drift: dict[str, float] = {}
    """Column → the largest population stability index; 0.1 is a change, 0.25 a great one."""
    counters: dict[str, tuple[str, ...]] = {}
    """Column of a meter that never runs backwards → the columns that name a series."""
    gaps: Gaps | None = None
    """How long a series may be silent."""
    stuck: dict[str, Stuck] = {}
    """Column → how long its value may stand still."""
    weekday: Share | None = None
    """How far the last whole day may be from the same weekdays before, in rows."""
    severity: dict[OverTimeRule, Literal["critical", "warning", "info"]] = {}
    """Rule → its severity; by default `warning`, and `critical` for `types`, a column whose type has changed."""


class Quality(Closed):
    """What is checked beyond the schema."""

    suite: str | None = None
    """A Great Expectations suite; by default `expectations/<dataset>.json` if it exists."""
    quarantine: Share = 0.01
    """The largest share of rows that may be set aside: unreadable, or failing where `failing_rows` says so."""
    failing_rows: Literal["refuse", "quarantine"] = "refuse"
    """What happens to rows that fail a critical expectation by themselves: a refusal, or quarantine."""
    territory: Territory | None = None
    """The rectangle in which coordinates lie, `{west: …, south: …, east: …, north: …}` in degrees; see French types."""
    over_time: OverTime = OverTime()
    """What is compared with the current release, and along the time of the events."""


class PersonalData(StrEnum):
    """Whether the delivery holds personal data: must be said, there is no default."""

    NONE = "none"
    PRESENT = "present"


class Dataset(Closed):
    """One dataset: where it comes from, what it is, what may be shown."""

    title: str
    """The title that citizens read, in French."""
    description: str
    """What it holds, in French."""
    owner: Mail
    """The mail address of the department that answers for it."""
    themes: tuple[str, ...] = ()
    """Codes of the EU vocabulary data-theme: TRAN, GOVE, SOCI…"""
    keywords: tuple[str, ...] = ()
    """Free keywords, in French."""
    licence: str = "etalab-2.0"
    """The licence: `etalab-2.0` or `ODbL-1.0`."""
    source: Source
    """The municipal system and what is asked of it."""
    format: FileFormat = FileFormat()
    """How the delivered bytes are read."""
    fields: tuple[TableField, ...] = Field(min_length=1)
    """The Table Schema's fields, in published order."""
    table_schema: str | None = Field(default=None, alias="schema")
    """Instead of `fields`: a Table Schema file, relative to the town, or the name of one that was taken into it."""
    rename: dict[str, str] = {}
    """Delivered column → field, for a schema that others wrote."""
    fold_accents: bool = False
    """Compares delivered names with declared ones without accents, hyphens and underscores; case never counts."""
    missing_values: tuple[str, ...] = ("",)
    """The spellings of a missing value."""
    ignored_columns: tuple[str, ...] = ()
    """Delivered columns that are known and left out."""
    periods: Periods | None = None
    """That the source delivers period by period: `{every: month, first: 2025-01}`, and `{period:%Y-%m}` in `source`."""
    key: tuple[str, ...] = ()
    """The published columns that identify a row and order the files."""
    custom_checks: tuple[CustomCheck, ...] = ()
    """What constraints cannot say, in the words of national schemas: `{name: one-of-required, params: {…}}`."""
    foreign_keys: tuple[ForeignKey, ...] = ()
    """Columns whose values another dataset of the town publishes: `{fields: […], dataset: …, references: […]}`."""
    personal_data: PersonalData
    """`none` or `present`."""
    legal_basis: str | None = None
    """The text and article that allow the publication of data about persons."""
    privacy: Privacy = Privacy()
    """How it is anonymised."""
    quality: Quality = Quality()
    """What is checked beyond the schema."""
    approval: str | Approval | None = None
    """The role whose yes each new content needs before it is published: `dpo`, or `{role: …, expires: 14 days}`."""
    author: Mail | None = None
    """The mail address of who wrote this declaration, and can therefore not approve what comes of it."""
    schedule: str = "nightly"
    """`nightly`, or a cron expression in the town's time zone."""
    freshness: Freshness = Freshness()
    """The promise made to the public."""
    series: Series | None = None
    """The series that it belongs to: `{id: budgets, title: …, description: …}`."""
    versions: Keep = Keep()
    """Which versions stay public: all by default, `{last: 10}`, `{daily: 30 days, monthly: 10 years}`."""
    embargo: datetime | date | None = None
    """The day or the moment, in the town's time zone, before which nothing new of it is published: `2026-12-01`."""
    notice: Duration | None = None
    """How long before it comes a change of schema that breaks readers is announced, once accepted: `30 days`."""
    formats: Formats = Formats()
    """The files besides CSV and Parquet: GeoJSON and GeoParquet where there is a geometry, and what is asked for."""
    shrink: Share = 0.2
    """The largest share of rows that may vanish from one version to the next."""
    retention: Duration = timedelta(days=30)
    """How long captures are kept in the private zone."""
    max_captures: int | None = Field(default=None, ge=1)
    """The most captures that are kept, the last seen first; that behind the current version is kept besides."""

    _id: str = PrivateAttr(default="")
    _theme_folder: str = PrivateAttr(default="")
    _file: Path = PrivateAttr(default=Path())
    _root: Path = PrivateAttr(default=Path())
    _lines: dict[tuple[str | int, ...], int] = PrivateAttr(default_factory=dict)
    _origins: dict[str, str] = PrivateAttr(default_factory=dict)
    _code_version: str = PrivateAttr(default="")
    _timezone: str = PrivateAttr(default="Europe/Paris")
    _calendar: TownCalendar = PrivateAttr(default=TownCalendar())

    @property
    def id(self) -> str:
        """The dataset's identifier: the name of its file, without `.yaml`."""
        return self._id

    @property
    def theme_folder(self) -> str:
        """The folder below `assets/`, which is the group in the asset graph."""
        return self._theme_folder

    @property
    def file(self) -> Path:
        """The declaration's file, relative to the town's root."""
        return self._file

    @property
    def root(self) -> Path:
        """The town's root folder."""
        return self._root

    @property
    def timezone(self) -> str:
        """The town's time zone."""
        return self._timezone

    @property
    def calendar(self) -> TownCalendar:
        """The town's calendar."""
        return self._calendar

    @property
    def code_version(self) -> str:
        """Hash of all that decides how rows become a release: declaration, the files it names, package version."""
        return self._code_version

    @property
    def origins(self) -> dict[str, str]:
        """Where each declared value comes from: dotted key → `assets/…yaml:3`, `town.yaml:12`, a schema file.

        What is not in it has its default.
        """
        return dict(self._origins)

    def line(self, *path: str | int) -> int:
        """The line, from 1, where the key at `path` stands, or that of its nearest parent; 0 if unknown."""
        for end in range(len(path), -1, -1):
            if path[:end] in self._lines:
                return self._lines[path[:end]]
        return 0

    def place(self, *path: str | int) -> str:
        """`file:line` of the key at `path`, for messages."""
        return f"{self.file}:{self.line(*path)}"

    @property
    def asks(self) -> str | None:
        """The system, or the host, that is asked; None when it is the town's own folder."""
        return self.source.system or urlsplit(getattr(self.source, "http", "")).hostname

    @property
    def suite_file(self) -> Path | None:
        """The Great Expectations suite beside the schema, absolute, or None."""
        named = self.root / (self.quality.suite or f"expectations/{self.id}.json")
        return named if self.quality.suite or named.is_file() else None

    @property
    def records(self) -> str | None:
        """The path to the records of a document: as declared, or as the kind of source always delivers them."""
        return self.format.records or self.source.records

    @property
    def delivered_fields(self) -> tuple[tuple[TableField, str], ...]:
        """The fields that are delivered, each with the delivered column's name."""
        renamed = {field: column for column, field in self.rename.items()}
        return tuple(
            (field, renamed.get(field.name) or field.source or field.name)
            for field in self.fields
            if field.derive is None and field.lookup is None
        )

    @property
    def published_fields(self) -> tuple[TableField, ...]:
        """The fields as they are published: without those that are dropped, with the types that generalising leaves."""
        roles = self.privacy.columns
        if self.privacy.table:
            return tuple(self._cell_field(name, kind) for name, kind in self.privacy.table.columns.items())
        return tuple(_as_published(f, roles.get(f.name, "keep")) for f in self.fields if roles.get(f.name) != "drop")

    def _cell_field(self, name: str, kind: FieldType) -> TableField:
        """A column of the published table: a label keeps the title of its field, a secret number is missing."""
        title = next((field.title for field in self.fields if field.name == name), None)
        return TableField(name=name, type=kind, title=title)


def _as_published(field: TableField, role: str | Technique) -> TableField:
    """`field` after its technique: a coarser value has another type, and its old bounds say nothing any more."""
    if isinstance(role, str):
        return field
    part = role.generalise.date if role.generalise else None
    left: FieldType = {"year": "year", "month": "yearmonth"}.get(part or "", "string")  # type: ignore[assignment]
    if set(role.said) <= set(NUMERIC):
        left = field.type
    said = " ".join(filter(None, (field.description, role.note))) or None
    constraints = Constraints(required=field.constraints.required)
    changes = {"type": left, "format": "default", "constraints": constraints, "description": said}
    return field.model_copy(update=changes)
