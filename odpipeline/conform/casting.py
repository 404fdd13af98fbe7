"""Text → typed values: one SQL expression for each Table Schema type, NULL when the text cannot be read.

The quick reading comes first; the patient one (blanks as thousands, `12.0` as a whole number) is only tried on what
the quick one could not read. DuckDB's own casts are more lenient than Table Schema: what they round or cut is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from odpipeline.declaration.dataset import Dataset, TableField
from odpipeline.duck import literal

DUCK_TYPES: dict[str, str] = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "datetime": "TIMESTAMP",
    "time": "TIME",
    "year": "INTEGER",
    "yearmonth": "VARCHAR",
    "duration": "VARCHAR",
    "geopoint": "VARCHAR",
    "geojson": "VARCHAR",
    "array": "VARCHAR",
    "object": "VARCHAR",
    "any": "VARCHAR",
}
"""Table Schema type → DuckDB type of the conformed column; datetimes are in UTC."""

_BLANKS = "[ \\x{00A0}\\x{202F}]"
"""What separates thousands in French figures: blank, no-break blank, narrow no-break blank."""


@dataclass(frozen=True)
class Reading:
    """How one field is read: `text` is the delivered text or NULL, `value` the typed value or NULL."""

    field: TableField
    text: str
    value: str
    rule: str


def reading(field: TableField, column: str, dataset: Dataset) -> Reading:
    """How `field` is read from the SQL expression `column` (VARCHAR).

    A text that is one of the dataset's missing values, or blank, is a missing value.
    """
    text = _text(column, dataset)
    rule = field.type if field.format == "default" else f"{field.type} {field.format}"
    return Reading(field, text, _READERS.get(field.type, _string)(text, field, dataset), rule)


def _text(column: str, dataset: Dataset) -> str:
    trimmed = f"nullif(trim({column}), '')"
    spellings = [literal(spelling) for spelling in dataset.missing_values if spelling.strip()]
    return f"CASE WHEN {trimmed} NOT IN ({', '.join(spellings)}) THEN {trimmed} END" if spellings else trimmed


def _string(text: str, _field: TableField, _dataset: Dataset) -> str:
    return text


def _figures(text: str, field: TableField, dataset: Dataset) -> str:
    """`text` with a point for its decimal sign and without thousands signs."""
    decimal = field.decimalChar or dataset.format.decimal
    bare = f"regexp_replace({text}, '{_BLANKS}', '', 'g')"
    if field.groupChar and field.groupChar.strip():
        bare = f"replace({bare}, {literal(field.groupChar)}, '')"
    if decimal == ".":
        return bare
    return f"CASE WHEN NOT contains({bare}, '.') THEN replace({bare}, {literal(decimal)}, '.') END"


def _integer(text: str, field: TableField, dataset: Dataset) -> str:
    quick = f"TRY_CAST({text} AS BIGINT)"
    bare = _figures(text, field, dataset)
    patient = (
        f"CASE WHEN regexp_full_match({bare}, '[+-]?\\d+([.]0*)?') "
        f"THEN TRY_CAST(regexp_replace({bare}, '[.]0*$', '') AS BIGINT) END"
    )
    return f"coalesce(CASE WHEN CAST({quick} AS VARCHAR) = {text} THEN {quick} END, {patient})"


def _number(text: str, field: TableField, dataset: Dataset) -> str:
    patient = (
        f"CASE WHEN regexp_full_match({_figures(text, field, dataset)}, '[+-]?(\\d+[.]?\\d*|[.]\\d+)([eE][+-]?\\d+)?') "
        f"THEN TRY_CAST({_figures(text, field, dataset)} AS DOUBLE) END"
    )
    decimal = field.decimalChar or dataset.format.decimal
    plain = text if decimal == "." else f"CASE WHEN NOT contains({text}, '.') THEN replace({text}, ',', '.') END"
    if decimal not in ".,":
        return patient
    quick = f"TRY_CAST({plain} AS DOUBLE)"
    return f"coalesce(CASE WHEN isfinite({quick}) THEN {quick} END, {patient})"


def _boolean(text: str, field: TableField, _dataset: Dataset) -> str:
    true, false = (", ".join(map(literal, values)) for values in (field.trueValues, field.falseValues))
    return f"CASE WHEN {text} IN ({true}) THEN true WHEN {text} IN ({false}) THEN false END"


def _date(text: str, field: TableField, _dataset: Dataset) -> str:
    if field.format not in ("default", "any"):
        return f"CAST(try_strptime({text}, {literal(field.format)}) AS DATE)"
    midnight = f"regexp_full_match({text}, '\\d{{4}}-\\d\\d-\\d\\d[T ]00:00(:00([.]0+)?)?Z?')"
    return (
        f"CASE WHEN length({text}) = 10 AND substr({text}, 5, 1) = '-' THEN TRY_CAST({text} AS DATE) "
        f"WHEN {midnight} THEN TRY_CAST(left({text}, 10) AS DATE) END"
    )


def _datetime(text: str, field: TableField, dataset: Dataset) -> str:
    """In UTC: an offset is obeyed, and what names none is in the declared time zone (that of the connection)."""
    if field.format not in ("default", "any"):
        moment = f"try_strptime({text}, {literal(field.format)})"
        if "%z" in field.format:
            return f"timezone('UTC', CAST({moment} AS TIMESTAMPTZ))"
    else:
        shape = "\\d{4}-\\d\\d-\\d\\d[T ]\\d\\d:\\d\\d(:\\d\\d([.]\\d+)?)? ?(Z|[+-]\\d\\d(:?\\d\\d)?)"
        instant = f"timezone('UTC', TRY_CAST({text} AS TIMESTAMPTZ))"
        zoned = f"CASE WHEN regexp_full_match({text}, '{shape}') THEN {instant} END"
        naive = f"CASE WHEN length({text}) BETWEEN 16 AND 19 THEN TRY_CAST({text} AS TIMESTAMP) END"
        local = naive if dataset.format.timezone == "UTC" else _local(naive, dataset)
        marked = f"right({text}, 1) = 'Z' OR length({text}) > 19"
        return f"CASE WHEN {marked} THEN {zoned} ELSE coalesce({local}, {zoned}) END"
    return moment if dataset.format.timezone == "UTC" else _local(moment, dataset)


def _local(moment: str, dataset: Dataset) -> str:
    return f"timezone('UTC', timezone({literal(dataset.format.timezone)}, {moment}))"


def _time(text: str, field: TableField, _dataset: Dataset) -> str:
    if field.format not in ("default", "any"):
        return f"CAST(try_strptime({text}, {literal(field.format)}) AS TIME)"
    return f"CASE WHEN regexp_full_match({text}, '\\d\\d:\\d\\d(:\\d\\d)?') THEN TRY_CAST({text} AS TIME) END"


def _matching(pattern: str) -> Callable[[str, TableField, Dataset], str]:
    """Text that has the form of `pattern`, as it is."""
    return lambda text, _field, _dataset: f"CASE WHEN regexp_full_match({text}, '{pattern}') THEN {text} END"


def _year(text: str, _field: TableField, _dataset: Dataset) -> str:
    return f"CASE WHEN regexp_full_match({text}, '\\d{{4}}') THEN CAST({text} AS INTEGER) END"


def _json(text: str, field: TableField, _dataset: Dataset) -> str:
    kinds = {"array": "'ARRAY'", "object": "'OBJECT'", "geojson": "'OBJECT'"}
    return f"CASE WHEN json_valid({text}) AND json_type({text}) = {kinds[field.type]} THEN {text} END"


def _geopoint(text: str, field: TableField, _dataset: Dataset) -> str:
    """Table Schema: `lon, lat` by default, `[lon, lat]` for the format `array`; degrees, WGS84."""
    bare = f"trim({text}, '[]')" if field.format == "array" else text
    lon, lat = (f"TRY_CAST(trim(split_part({bare}, ',', {place})) AS DOUBLE)" for place in (1, 2))
    inside = f"{lon} BETWEEN -180 AND 180 AND {lat} BETWEEN -90 AND 90 AND split_part({bare}, ',', 3) = ''"
    return f"CASE WHEN {inside} THEN {text} END"


_READERS: dict[str, Callable[[str, TableField, Dataset], str]] = {
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
    "time": _time,
    "year": _year,
    "yearmonth": _matching("\\d{4}-(0[1-9]|1[0-2])"),
    "duration": _matching("-?P(\\d+Y)?(\\d+M)?(\\d+W)?(\\d+D)?(T(\\d+H)?(\\d+M)?(\\d+([.]\\d+)?S)?)?"),
    "geopoint": _geopoint,
    "geojson": _json,
    "array": _json,
    "object": _json,
}
