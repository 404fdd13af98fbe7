"""Text → typed values: one SQL expression for each Table Schema type, NULL when the text cannot be read.

The quick reading comes first; DuckDB evaluates the patient one (blanks around the value, thousands, time zones) only
for the cells that the quick one could not read. DuckDB's own casts are too kind to be used bare: they round '12.5' to
an integer, read '0x1F' and '1_000', and drop the offset of a TIMESTAMP.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from odpipeline.conform.delivered import ERROR_CELL
from odpipeline.declaration.dataset import Dataset, TableField
from odpipeline.duck import literal

DUCK_TYPES: dict[str, str] = {
    "string": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN", "date": "DATE",
    "datetime": "TIMESTAMP", "time": "TIME", "year": "INTEGER", "yearmonth": "VARCHAR", "duration": "VARCHAR",
    "geopoint": "VARCHAR", "geojson": "VARCHAR", "array": "VARCHAR", "object": "VARCHAR", "any": "VARCHAR",
}  # fmt: skip
"""Table Schema type → DuckDB type of the conformed column; datetimes are in UTC."""

BLANKS = " \t\r\n\u00a0\u202f"
"""What stands around a value without being part of it; the two no-break blanks separate French thousands too."""

_GEOJSON = ("Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection",
            "Feature", "FeatureCollection")  # fmt: skip


@dataclass(frozen=True)
class Spelling:
    """How the cells of one delivery are spelled, beside what their field says.

    `native`: they were typed at the source (workbook, JSON, Parquet), so that a number may have a decimal point and a
    date be ISO 8601, whatever is declared of text. `nulls_read`: exact missing values are NULL already.
    """

    missing: tuple[str, ...] = ("",)
    decimal: str = "."
    timezone: str = "UTC"
    native: bool = False
    nulls_read: bool = False

    @classmethod
    def of(cls, dataset: Dataset, *, native: bool, nulls_read: bool) -> Spelling:
        """The spelling that `dataset` declares."""
        form = dataset.format
        return cls(dataset.missing_values, form.decimal, form.timezone, native, nulls_read)


@dataclass(frozen=True)
class Reading:
    """How one field is read, in two steps: `text` is the delivered cell, NULL when missing; `value` reads the text.

    `value` is an expression over a column that holds the text, since it names it several times; NULL for what cannot
    be read. `unreadable` is true for such a cell, over that column and one that holds the value. `rule` says what such
    a cell breaks: `number`, `date %d/%m/%Y`; it is None when any text will do.
    """

    text: str
    value: str
    unreadable: str
    rule: str | None


def reading(field: TableField, delivered: str, spelling: Spelling, text: str, value: str) -> Reading:
    """How the cells of the SQL expression `delivered` become values of `field`, by way of columns `text`, `value`."""
    if field.type in ("string", "any"):
        broken = f"coalesce({text} = {literal(ERROR_CELL)}, false)"
        cell = _stripped_of_missing(delivered, spelling)
        return Reading(cell, text, broken, "error of the source") if spelling.native else Reading(cell, text, "", None)
    strict = not spelling.nulls_read or _could_be_read(field, spelling)
    cell = _null_if_missing(delivered, spelling) if strict else delivered
    words = _words(spelling)
    missing = f" AND {trimmed(text)} NOT IN ({words})" if words else ""
    rule = field.type if field.format == "default" else f"{field.type} {field.format}"
    unreadable = f"({text} IS NOT NULL AND {value} IS NULL{missing})"
    return Reading(cell, _READERS[field.type](text, field, spelling), unreadable, rule)


def trimmed(column: str) -> str:
    """`column` without the blanks around it."""
    return f"trim({column}, {literal(BLANKS)})"


def _words(spelling: Spelling) -> str:
    return ", ".join(literal(word.strip(BLANKS)) for word in spelling.missing)


def _null_if_missing(column: str, spelling: Spelling) -> str:
    words = _words(spelling)
    return f"CASE WHEN {trimmed(column)} IN ({words}) THEN NULL ELSE {column} END" if words else column


def _stripped_of_missing(column: str, spelling: Spelling) -> str:
    """A text as it is; where exact missing values are NULL already, only cells that begin or end blank are tried."""
    if not (spelling.nulls_read and spelling.missing):
        return _null_if_missing(column, spelling)
    blank = f"prefix({column}, ' ') OR suffix({column}, ' ')"
    return f"CASE WHEN {blank} THEN {_null_if_missing(column, spelling)} ELSE {column} END"


def _could_be_read(field: TableField, spelling: Spelling) -> bool:
    """Whether a missing value between blanks would pass for a value of `field`."""
    booleans = {*field.trueValues, *field.falseValues}
    return any(word in booleans or any(map(str.isdigit, word)) for word in spelling.missing)


def _signs(field: TableField, spelling: Spelling) -> tuple[str, str]:
    """(decimal signs, thousands signs), each as a character class of RE2."""
    declared = field.decimalChar or spelling.decimal
    decimals = declared + ("." if spelling.native and declared != "." else "")
    groups = " \u00a0\u202f" + (field.groupChar or "")
    return _class(decimals), _class("".join(sign for sign in groups if sign not in decimals))


def _class(signs: str) -> str:
    return "[" + "".join(f"\\x{{{ord(sign):x}}}" for sign in signs) + "]"


def _whole(groups: str) -> str:
    """Digits, or digits in groups of three: '12 34' is no number."""
    return rf"(\d+|\d{{1,3}}({groups}\d{{3}})+)"


def _integer(text: str, field: TableField, spelling: Spelling) -> str:
    decimals, groups = _signs(field, spelling)
    quick = rf"CASE WHEN regexp_full_match({text}, '[+-]?\d+') THEN TRY_CAST({text} AS BIGINT) END"
    t = trimmed(text)
    bare = f"regexp_replace(regexp_replace({t}, {literal(decimals + '0+$')}, ''), {literal(groups)}, '', 'g')"
    pattern = literal(f"[+-]?{_whole(groups)}({decimals}0+)?")
    return f"coalesce({quick}, CASE WHEN regexp_full_match({t}, {pattern}) THEN TRY_CAST({bare} AS BIGINT) END)"


def _number(text: str, field: TableField, spelling: Spelling) -> str:
    decimals, groups = _signs(field, spelling)
    declared, t = field.decimalChar or spelling.decimal, trimmed(text)
    pointed = declared == "." or spelling.native
    plain = text if pointed else f"replace({text}, {literal(declared)}, '.')"
    quick = f"TRY_CAST({plain} AS DOUBLE)"
    foreign = f"contains({text}, '_')" + ("" if pointed else f" OR contains({text}, '.')")
    ungrouped = f"regexp_replace({t}, {literal(groups)}, '', 'g')"
    patient = f"TRY_CAST(regexp_replace({ungrouped}, {literal(decimals)}, '.') AS DOUBLE)"
    pattern = literal(rf"[+-]?({_whole(groups)}({decimals}\d*)?|{decimals}\d+)([eE][+-]?\d+)?")
    return (
        f"coalesce(CASE WHEN isfinite({quick}) AND NOT ({foreign}) THEN {quick} END, "
        f"CASE WHEN regexp_full_match({t}, {pattern}) AND isfinite({patient}) THEN {patient} END)"
    )


def _boolean(text: str, field: TableField, spelling: Spelling) -> str:
    true = ", ".join(map(literal, (*field.trueValues, *(["true"] if spelling.native else []))))
    false = ", ".join(map(literal, (*field.falseValues, *(["false"] if spelling.native else []))))
    quick, patient = (
        f"CASE WHEN {cell} IN ({true or 'NULL'}) THEN true WHEN {cell} IN ({false or 'NULL'}) THEN false END"
        for cell in (text, trimmed(text))
    )
    return f"coalesce({quick}, {patient})"


def _is_iso(field: TableField) -> bool:
    return field.format in ("default", "any")


def _formatted(text: str, field: TableField, spelling: Spelling, iso: str) -> str:
    """Read by the declared strptime pattern; a workbook's own dates come in ISO 8601 beside it."""
    kind = DUCK_TYPES[field.type]
    ways = []
    for cell in (text, trimmed(text)):
        moment = f"try_strptime({cell}, {literal(field.format)})"
        if field.type == "datetime":
            moment = _instant(moment) if "%z" in field.format.lower() else _local(moment, spelling)
        ways.append(f"CAST({moment} AS {kind})")
    return f"coalesce({', '.join((*ways, iso) if spelling.native else ways)})"


def _instant(moment: str) -> str:
    """A TIMESTAMPTZ as UTC: by its microseconds, which costs a tenth of a cast through ICU."""
    return f"make_timestamp(epoch_us({moment}))"


def _local(moment: str, spelling: Spelling) -> str:
    """A TIMESTAMP that names no zone, taken to be in the declared one, as UTC."""
    utc = spelling.timezone == "UTC"
    return moment if utc else _instant(f"timezone({literal(spelling.timezone)}, {moment})")


def _date(text: str, field: TableField, spelling: Spelling) -> str:
    quick = f"CASE WHEN strlen({text}) = 10 AND TRY_CAST({text} AS DATE) >= DATE '0001-01-01' THEN "
    quick += f"TRY_CAST({text} AS DATE) END"
    t, midnight = trimmed(text), literal(r"\d{4}-\d{2}-\d{2}([T ]00:00(:00([.]0+)?)?Z?)?")
    iso = f"coalesce({quick}, CASE WHEN regexp_full_match({t}, {midnight}) THEN TRY_CAST(left({t}, 10) AS DATE) END)"
    return iso if _is_iso(field) else _formatted(text, field, spelling, iso)


def _datetime(text: str, field: TableField, spelling: Spelling) -> str:
    """In UTC: an offset is obeyed, and what names none is in the declared time zone."""
    minute, t = r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}", trimmed(text)
    # Nineteen bytes with seconds leave no room for a zone, which the cast to TIMESTAMP would drop.
    quick = f"CASE WHEN strlen({text}) = 19 AND {text}[17] = ':' THEN TRY_CAST({text} AS TIMESTAMP) END"
    bare = literal(rf"{minute}(:\d{{2}}([.]\d+)?)?")
    naive = f"CASE WHEN regexp_full_match({t}, {bare}) THEN TRY_CAST({t} AS TIMESTAMP) END"
    zoned = literal(rf"{minute}(:\d{{2}}([.]\d+)?)? ?(Z|[+-]\d{{2}}(:?\d{{2}})?)")
    # DuckDB wants seconds before an offset, and a colon within it.
    whole = _replaced(_replaced(t, f"^({minute})([^:])", r"\1:00\2"), r"([+-]\d{2})(\d{2})$", r"\1:\2")
    instant = f"CASE WHEN regexp_full_match({t}, {zoned}) THEN {_instant(f'TRY_CAST({whole} AS TIMESTAMPTZ)')} END"
    iso = f"coalesce({_local(f'coalesce({quick}, {naive})', spelling)}, {instant})"
    return iso if _is_iso(field) else _formatted(text, field, spelling, iso)


def _replaced(text: str, pattern: str, instead: str) -> str:
    return f"regexp_replace({text}, {literal(pattern)}, {literal(instead)})"


def _time(text: str, field: TableField, spelling: Spelling) -> str:
    # A workbook's time of day is a moment of its day zero.
    t = f"regexp_replace({trimmed(text)}, '^1899-12-3[01][T ]', '')" if spelling.native else trimmed(text)
    iso = rf"CASE WHEN regexp_full_match({t}, '\d\d:\d\d(:\d\d([.]\d+)?)?') THEN TRY_CAST({t} AS TIME) END"
    return iso if _is_iso(field) else _formatted(text, field, spelling, iso)


def _year(text: str, _field: TableField, spelling: Spelling) -> str:
    t, pattern = trimmed(text), r"\d{4}([.]0+)?" if spelling.native else r"\d{4}"
    return f"CASE WHEN regexp_full_match({t}, {literal(pattern)}) THEN CAST(left({t}, 4) AS INTEGER) END"


def _when(condition: str, text: str) -> str:
    return f"CASE WHEN {condition} THEN {trimmed(text)} END"


def _yearmonth(text: str, _field: TableField, _spelling: Spelling) -> str:
    return _when(rf"regexp_full_match({trimmed(text)}, '\d{{4}}-(0[1-9]|1[0-2])')", text)


def _duration(text: str, _field: TableField, _spelling: Spelling) -> str:
    """ISO 8601: at least one part, and one after a T."""
    pattern = r"[-+]?P(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(\d+H)?(\d+M)?(\d+([.,]\d+)?S)?)?"
    t = trimmed(text)
    return _when(f"regexp_full_match({t}, {literal(pattern)}) AND NOT suffix({t}, 'P') AND NOT suffix({t}, 'T')", text)


def _geopoint(text: str, field: TableField, _spelling: Spelling) -> str:
    """Table Schema: `lon, lat` by default, `[lon, lat]` (array) or `{"lon": …, "lat": …}` (object); degrees, WGS84."""
    t = trimmed(text)
    if field.format == "object":
        sides = [f"json_extract_string(TRY_CAST({t} AS JSON), '$.{side}')" for side in ("lon", "lat")]
    else:
        inside = literal(r"^\[([^\]]*)\]$")
        bare = f"regexp_extract({t}, {inside}, 1)" if field.format == "array" else t
        pair = f"string_split({bare}, ',')"
        sides = [f"CASE WHEN len({pair}) = 2 THEN {trimmed(f'{pair}[{place}]')} END" for place in (1, 2)]
    within = " AND ".join(
        rf"regexp_full_match({side}, '[+-]?\d+([.]\d+)?') AND abs(CAST({side} AS DOUBLE)) <= {most}"
        for side, most in zip(sides, (180, 90), strict=True)
    )
    return _when(within, text)


def _json(text: str, field: TableField, _spelling: Spelling) -> str:
    document = f"TRY_CAST({trimmed(text)} AS JSON)"  # what is no JSON is NULL, and not an error
    held = f"json_type({document}) = {literal(field.type.upper())}"
    if field.type == "geojson":
        held = f"json_extract_string({document}, '$.type') IN ({', '.join(map(literal, _GEOJSON))})"
    return _when(held, text)


_READERS: dict[str, Callable[[str, TableField, Spelling], str]] = {
    "integer": _integer, "number": _number, "boolean": _boolean, "date": _date, "datetime": _datetime, "time": _time,
    "year": _year, "yearmonth": _yearmonth, "duration": _duration, "geopoint": _geopoint, "geojson": _json,
    "array": _json, "object": _json,
}  # fmt: skip
