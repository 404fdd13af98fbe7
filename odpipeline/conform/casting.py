"""Text → typed values: one SQL expression for each Table Schema type, NULL when the text cannot be read.

The quick reading comes first; DuckDB evaluates the patient one (blanks around the value, thousands, time zones) only
for the cells that the quick one could not read. DuckDB's own casts are too kind to be used bare: they round '12.5' to
an integer, read '0x1F' and '1_000', and drop the offset of a TIMESTAMP.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
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

BLANKS = " \t\r\n\u00a0\u202f\u2009"
"""What stands around a value without being part of it; the last three separate French thousands too."""

_BLANK = r"[ \t\r\n\x{a0}\x{202f}\x{2009}]"
_AROUND = f"{_BLANK}*"
_DAY = r"(?:[1-9]\d{3}|0[1-9]\d{2}|00[1-9]\d|000[1-9])-\d{2}-\d{2}"
"""A day of the years 1 to 9999, which are all that files can hold."""
_GEOJSON = ("Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection",
            "Feature", "FeatureCollection")  # fmt: skip


_MONTHS = ("janvier|janv|jan", "fevrier|fevr|fev", "mars|mar", "avril|avr", "mai", "juin", "juillet|juil",
           "aout|aou", "septembre|sept|sep", "octobre|oct", "novembre|nov", "decembre|dec")  # fmt: skip
"""French months and their usual abbreviations, without accents."""


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
    missing = f" AND NOT {_is_missing(text, spelling)}" if spelling.missing else ""
    rule = field.type if field.format == "default" else f"{field.type} {field.format}"
    unreadable = f"({text} IS NOT NULL AND {value} IS NULL{missing})"
    return Reading(cell, _READERS[field.type](text, field, spelling), unreadable, rule)


def trimmed(column: str) -> str:
    """`column` without the blanks around it."""
    return f"trim({column}, {literal(BLANKS)})"


def _is_missing(text: str, spelling: Spelling) -> str:
    return _one_of(trimmed(text), (word.strip(BLANKS) for word in spelling.missing))


def _null_if_missing(column: str, spelling: Spelling) -> str:
    return f"CASE WHEN {_is_missing(column, spelling)} THEN NULL ELSE {column} END" if spelling.missing else column


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
    groups = " \u00a0\u202f\u2009" + (field.groupChar or "")
    return _class(decimals), _class("".join(sign for sign in groups if sign not in decimals))


def _class(signs: str) -> str:
    return "[" + "".join(f"\\x{{{ord(sign):x}}}" for sign in signs) + "]"


def _whole(groups: str) -> str:
    """Digits, or digits in groups of three: '12 34' is no number. Two hundred digits cannot overflow a double."""
    return rf"(\d{{1,200}}|\d{{1,3}}({groups}\d{{3}}){{1,60}})"


def _holds(text: str, pattern: str) -> str:
    """True where `text`, but for the blanks around it, matches `pattern` as a whole.

    The patient readings look at the bare cell and name each part of it once: DuckDB computes what stands in several
    branches of an expression ahead of them, for every row.
    """
    return f"regexp_full_match({text}, {literal(f'{_AROUND}({pattern}){_AROUND}')})"


def _found(text: str, pattern: str, group: int = 0) -> str:
    return f"regexp_extract({text}, {literal(pattern)}, {group})"


def _replaced(text: str, pattern: str, instead: str, options: str = "") -> str:
    return f"regexp_replace({text}, {literal(pattern)}, {literal(instead)}, {literal(options)})"


def _integer(text: str, field: TableField, spelling: Spelling) -> str:
    decimals, groups = _signs(field, spelling)
    quick = rf"CASE WHEN regexp_full_match({text}, '[+-]?\d+') THEN TRY_CAST({text} AS BIGINT) END"
    bare = _replaced(_replaced(text, f"{decimals}0+{_AROUND}$", ""), f"{groups}|{_BLANK}", "", "g")
    pattern = f"[+-]?{_whole(groups)}({decimals}0+)?"
    return f"coalesce({quick}, CASE WHEN {_holds(text, pattern)} THEN TRY_CAST({bare} AS BIGINT) END)"


def _number(text: str, field: TableField, spelling: Spelling) -> str:
    decimals, groups = _signs(field, spelling)
    declared = field.decimalChar or spelling.decimal
    pointed = declared == "." or spelling.native
    plain = text if pointed else f"replace({text}, {literal(declared)}, '.')"
    quick = f"TRY_CAST({plain} AS DOUBLE)"
    foreign = f"contains({text}, '_')" + ("" if pointed else f" OR contains({text}, '.')")
    bare = _replaced(_replaced(text, f"{groups}|{_BLANK}", "", "g"), decimals, ".")
    pattern = rf"[+-]?({_whole(groups)}({decimals}\d*)?|{decimals}\d+)([eE][+-]?\d{{1,2}})?"
    return (
        f"coalesce(CASE WHEN isfinite({quick}) AND NOT ({foreign}) THEN {quick} END, "
        f"CASE WHEN {_holds(text, pattern)} THEN TRY_CAST({bare} AS DOUBLE) END)"
    )


def _boolean(text: str, field: TableField, spelling: Spelling) -> str:
    true = (*field.trueValues, *(["true"] if spelling.native else []))
    false = (*field.falseValues, *(["false"] if spelling.native else []))
    other = f"ltrim(rtrim({text}, {literal(BLANKS)}), {literal(BLANKS)})"
    return (
        f"coalesce(CASE WHEN {_one_of(text, true)} THEN true WHEN {_one_of(text, false)} THEN false END, "
        f"CASE WHEN {_one_of(trimmed(text), true)} THEN true WHEN {_one_of(other, false)} THEN false END)"
    )


def _one_of(text: str, words: Iterable[str]) -> str:
    """IN, but for that DuckDB makes a join of a long IN, which costs more than all the rest."""
    return f"list_contains([{', '.join(map(literal, words))}]::VARCHAR[], {text})"


def _is_iso(field: TableField) -> bool:
    return field.format in ("default", "any")


def _formatted(text: str, field: TableField, spelling: Spelling, iso: str) -> str:
    """Read by the declared strptime pattern; a workbook's own dates come in ISO 8601 beside it."""
    kind = DUCK_TYPES[field.type]
    ways = []
    spelled = [(cell, field.format) for cell in (text, trimmed(text))]
    if re.search("%[Bb]", field.format):
        spelled.append((_with_numbered_months(trimmed(text)), re.sub("%[Bb]", "%m", _small(field.format))))
    for cell, pattern in spelled:
        moment = f"try_strptime({cell}, {literal(pattern)})"
        if field.type == "datetime":
            moment = _instant(moment) if "%z" in field.format.lower() else _local(moment, spelling)
        ways.append(f"CAST({moment} AS {kind})")
    return f"coalesce({', '.join((*ways, iso) if spelling.native else ways)})"


def _small(pattern: str) -> str:
    """A strptime pattern with its own words in small letters, without accents."""
    return "".join(part if part.startswith("%") else _plain(part) for part in re.split(r"(%[a-zA-Z-])", pattern))


def _plain(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text.lower())
    return "".join(sign for sign in apart if not unicodedata.combining(sign))


def _with_numbered_months(text: str) -> str:
    """`1er févr. 2026` → `1 02 2026`: French months as numbers, in small letters without accents."""
    found = f"regexp_replace(lower(strip_accents({text})), '\\b1er\\b', '1')"
    for number, names in enumerate(_MONTHS, 1):
        found = f"regexp_replace({found}, '\\b({names})\\b[.]?', '{number:02}')"
    return found


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
    midnight = _DAY + r"([T ]00:00(:00([.]0+)?)?Z?)?"
    day = f"TRY_CAST({_found(text, _DAY)} AS DATE)"
    iso = f"coalesce({quick}, CASE WHEN {_holds(text, midnight)} THEN {day} END)"
    return iso if _is_iso(field) else _formatted(text, field, spelling, iso)


def _datetime(text: str, field: TableField, spelling: Spelling) -> str:
    """In UTC: an offset is obeyed, and what names none is in the declared time zone."""
    minute = _DAY + r"[T ]\d{2}:\d{2}"
    naive, zoned = minute + r"(:\d{2}([.]\d+)?)?", minute + r"(:\d{2}([.]\d+)?)? ?(Z|[+-]\d{2}(:?\d{2})?)"
    # Nineteen bytes with seconds leave no room for a zone, which the cast to TIMESTAMP would drop.
    shaped = f"strlen({text}) = 19 AND {text}[17] = ':' AND {text}[1:4] <> '0000'"
    quick = f"CASE WHEN {shaped} THEN TRY_CAST({text} AS TIMESTAMP) END"
    patient = f"CASE WHEN {_holds(text, naive)} THEN TRY_CAST({_found(text, naive)} AS TIMESTAMP) END"
    # DuckDB wants seconds before an offset, and a colon within it.
    whole = _replaced(_found(text, zoned), f"^({minute})([^:])", r"\1:00\2")
    whole = _replaced(whole, r"([+-]\d{2})(\d{2})$", r"\1:\2")
    instant = f"CASE WHEN {_holds(text, zoned)} THEN {_instant(f'TRY_CAST({whole} AS TIMESTAMPTZ)')} END"
    iso = f"coalesce({_local(f'coalesce({quick}, {patient})', spelling)}, {instant})"
    return iso if _is_iso(field) else _formatted(text, field, spelling, iso)


def _time(text: str, field: TableField, spelling: Spelling) -> str:
    clock = r"\d\d:\d\d(:\d\d([.]\d+)?)?"
    # A workbook's time of day is a moment of its day zero.
    zero = "(1899-12-3[01][T ])?" if spelling.native else ""
    iso = f"CASE WHEN {_holds(text, zero + clock)} THEN TRY_CAST({_found(text, clock)} AS TIME) END"
    return iso if _is_iso(field) else _formatted(text, field, spelling, iso)


def _year(text: str, _field: TableField, spelling: Spelling) -> str:
    pattern = r"\d{4}([.]0+)?" if spelling.native else r"\d{4}"
    year = _found(text, r"\d{4}")
    return f"CASE WHEN {_holds(text, pattern)} THEN CAST({year} AS INTEGER) END"


def _yearmonth(text: str, _field: TableField, _spelling: Spelling) -> str:
    return f"CASE WHEN {_holds(text, r'[0-9]{4}-(0[1-9]|1[0-2])')} THEN {trimmed(text)} END"


def _duration(text: str, _field: TableField, _spelling: Spelling) -> str:
    """ISO 8601: at least one part, and one after a T."""
    pattern = r"[-+]?P(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(\d+H)?(\d+M)?(\d+([.,]\d+)?S)?)?"
    idle = f"regexp_matches({text}, {literal(f'[PT]{_AROUND}$')})"
    return f"CASE WHEN {_holds(text, pattern)} AND NOT {idle} THEN {trimmed(text)} END"


def _geopoint(text: str, field: TableField, _spelling: Spelling) -> str:
    """Table Schema: `lon, lat` by default, `[lon, lat]` (array) or `{"lon": …, "lat": …}` (object); degrees, WGS84."""
    degrees = r"([+-]?\d{1,3}([.]\d+)?)"
    pair = f"{degrees}{_AROUND},{_AROUND}{degrees}"
    if field.format == "array":
        pair = rf"\[{_AROUND}{pair}{_AROUND}\]"
    lon, lat = (_found(text, pair, group) for group in (1, 3))
    form = _holds(text, pair)
    if field.format == "object":
        lon, lat = (f"json_extract_string(TRY_CAST({text} AS JSON), '$.{side}')" for side in ("lon", "lat"))
        form = f"json_valid({text})"
    # A latitude beyond 90 is the usual sign of the wrong order.
    within = f"abs(TRY_CAST({lon} AS DOUBLE)) <= 180 AND abs(TRY_CAST({lat} AS DOUBLE)) <= 90"
    return f"CASE WHEN {form} AND {within} THEN {trimmed(text)} END"


def _json(text: str, field: TableField, _spelling: Spelling) -> str:
    document = f"TRY_CAST({text} AS JSON)"  # what is no JSON is NULL, and not an error
    held = f"json_type({document}) = {literal(field.type.upper())}"
    if field.type == "geojson":
        held = f"json_extract_string({document}, '$.type') IN ({', '.join(map(literal, _GEOJSON))})"
    return f"CASE WHEN {held} THEN {trimmed(text)} END"


_READERS: dict[str, Callable[[str, TableField, Spelling], str]] = {
    "integer": _integer, "number": _number, "boolean": _boolean, "date": _date, "datetime": _datetime, "time": _time,
    "year": _year, "yearmonth": _yearmonth, "duration": _duration, "geopoint": _geopoint, "geojson": _json,
    "array": _json, "object": _json,
}  # fmt: skip
