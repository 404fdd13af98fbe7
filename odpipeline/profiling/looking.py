"""What a delivery seems to be: format, types, keys, the event's time, and which columns may be about persons.

The types are tried with the very readings of `conform.casting`, over every row, so that a draft reads what it was made
from. Which columns may be personal is told by their names and by csv-detective, data.gouv.fr's own detection, on a
sample: a suspicion is enough, since a draft that publishes too much does the harm.
"""

from __future__ import annotations

import contextlib
import io
import logging
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import fastexcel

from odpipeline.conform import Delivered, deliver, passed, unpacked
from odpipeline.conform.casting import Spelling, reading
from odpipeline.declaration.dataset import Dataset, TableField
from odpipeline.duck import DuckSettings, connect, literal, quote
from odpipeline.errors import ConformError

_SAMPLE_ROWS = 500
_FEW = 12
"""Up to how many distinct texts look like a list of the values allowed."""
_PERSONAL_NAME = re.compile(
    r"(^|_)(nom|noms|prenom|prenoms|naissance|ne_le|date_naissance|adresse|courriel|mail|email|telephone|tel|portable|"
    r"mobile|nir|secu|iban|bic|rib|matricule|agent|usager|allocataire|demandeur|beneficiaire|conjoint|sexe|genre|civilite|"
    r"plaque|immatriculation|nationalite|signature|contact|responsable|tuteur|parent|enfant|eleve)(_|$)"
)
_CODE_NAME = re.compile(
    r"(^|_)(id|identifiant|code|codes|telephone|tel|insee|siren|siret|cp|postal|uai|rna|num|numero|no|n)(_|$)"
)
"""Names of what looks like a number and is none: nobody adds up post codes."""
_YEAR_NAME = re.compile(r"(^|_)(annee|an|exercice|millesime|year)(_|$)")
_PERSONAL_FORMATS = frozenset({"email", "tel_fr", "adresse", "username", "sexe", "csp_insee", "code_csp_insee"})
"""Formats of csv-detective that speak of persons."""

_TRIED: tuple[dict[str, str], ...] = (
    {"type": "boolean"},
    {"type": "integer"},
    {"type": "number"},
    {"type": "number", "decimalChar": ","},
    {"type": "date"},
    {"type": "date", "format": "%d/%m/%Y"},
    {"type": "date", "format": "%d-%m-%Y"},
    {"type": "date", "format": "%d/%m/%y"},
    {"type": "datetime"},
    {"type": "datetime", "format": "%d/%m/%Y %H:%M:%S"},
    {"type": "datetime", "format": "%d/%m/%Y %H:%M"},
    {"type": "time"},
    {"type": "yearmonth"},
    {"type": "geopoint"},
    {"type": "geojson"},
)
"""Types and formats in the order in which they are tried; the first that reads every cell is the guess."""


@dataclass(frozen=True)
class Column:
    """One delivered column. `said` are the keys of its field; `why_personal` is empty when nothing speaks for it.

    Counts are rows; `values` are the few distinct texts of a column that looks like a list, else ().
    """

    name: str
    said: dict[str, str]
    filled: int
    distinct: int
    rows: int
    values: tuple[str, ...]
    kind: str
    why_personal: str

    @property
    def complete(self) -> bool:
        """Every row has a value."""
        return self.filled == self.rows

    @property
    def unique(self) -> bool:
        """Every row has a value of its own."""
        return self.complete and self.distinct == self.rows and self.rows > 1


@dataclass(frozen=True)
class Profile:
    """What a delivery seems to be; `form` are keys of `format`, `key` names columns, `event` the time of a row."""

    columns: tuple[Column, ...]
    rows: int
    form: dict[str, Any]
    key: tuple[str, ...]
    event: str | None

    @property
    def personal(self) -> tuple[Column, ...]:
        """The columns that may be about persons."""
        return tuple(column for column in self.columns if column.why_personal)


def profile(path: Path, source: dict[str, Any], folder: Path, duck: DuckSettings) -> Profile:
    """Look at the delivery in `path`, which `source` (the keys of a declaration) describes; `folder` is for copies.

    Raises: ConformError when it cannot be read as a table at all.
    """
    with connect(duck) as connection:
        form, delivered = _opened(connection, path, source, folder)
        names = list(delivered.columns)
        texts = ", ".join(f"{delivered.columns[name]} AS {quote(name)}" for name in names)
        look = f"CREATE OR REPLACE TEMP TABLE looked AS SELECT _row, {texts} FROM "
        delivered, _ = passed(connection, delivered, lambda d: connection.execute(look + d.relation))
        [(rows,)] = connection.execute("SELECT count(*) FROM looked").fetchall()
        semantic = _semantic(connection, names, folder)
        columns = tuple(_column(connection, name, delivered, rows, semantic.get(name, "")) for name in names)
        return Profile(columns, rows, form, _key(connection, columns), _event(columns))


def _opened(
    connection: duckdb.DuckDBPyConnection, path: Path, source: dict[str, Any], folder: Path
) -> tuple[dict[str, Any], Delivered]:
    """The delivery as text, and the keys of `format` that it takes."""
    problem: ConformError | None = None
    for form in _forms(path):
        try:
            dataset = _provisional(source, form)
            delivered = deliver(connection, unpacked(path, dataset, folder)[0], dataset, folder)
        except ConformError as error:
            problem = problem or error
            continue
        if delivered.columns:
            return form, delivered
    raise problem or ConformError("the delivery has no columns", mend="look at it: no header was found")


def _forms(path: Path) -> Iterator[dict[str, Any]]:
    """Formats to try: the lists of a JSON document, as detected, other sheets, and headers further down."""
    with path.open("rb") as stream:
        start = stream.read(65_536).lstrip()
    if start[:1] == b"{":
        names = re.findall(rb'"([A-Za-z_][\w-]{0,40})"\s*:\s*\[\s*\{', start)
        yield from ({"records": name.decode()} for name in dict.fromkeys(names))
    yield {}
    if start[:4] in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"):
        with contextlib.suppress(fastexcel.FastExcelError):
            yield from ({"sheet": sheet} for sheet in fastexcel.read_excel(path).sheet_names[1:20])
    yield from ({"header_row": row} for row in range(2, 9))


def _provisional(source: dict[str, Any], form: dict[str, Any]) -> Dataset:
    """A dataset of which nothing is known yet; two fields, since one column is hardly ever meant."""
    return Dataset.model_validate(
        {"title": "?", "description": "?", "owner": "a@b.example", "source": source, "format": form,
         "fields": [{"name": "?1"}, {"name": "?2"}], "personal_data": "none"}
    )  # fmt: skip


def _column(connection: duckdb.DuckDBPyConnection, name: str, delivered: Delivered, rows: int, semantic: str) -> Column:
    cell = quote(name)
    filled_is = f"trim({cell}) <> ''"
    [(filled, distinct)] = connection.execute(
        f"SELECT count(*) FILTER ({filled_is}), count(DISTINCT {cell}) FILTER ({filled_is}) FROM looked"
    ).fetchall()
    said = _type(connection, name, delivered, semantic) if filled else {}
    values: tuple[str, ...] = ()
    plain = said.get("type", "string") == "string"
    why = _why_personal(name, semantic)
    if plain and not why and 1 < distinct <= _FEW and filled >= 5 * distinct:
        listed = connection.execute(f"SELECT DISTINCT {cell} FROM looked WHERE {filled_is} ORDER BY 1").fetchall()
        values = tuple(str(value) for (value,) in listed)
    return Column(name, said, filled, distinct, rows, values, semantic, why)


def _type(connection: duckdb.DuckDBPyConnection, name: str, delivered: Delivered, semantic: str) -> dict[str, str]:
    """The first type that reads every cell; a code that begins with 0 stays text, and so does what looks like one."""
    spelling = Spelling(native=delivered.native)
    named = bool(_CODE_NAME.search(_plain(name))) and not delivered.native  # a database knows what is a number
    coded = named or semantic.startswith(("code_", "siren", "siret", "uai", "tel_"))
    [(zeros,)] = connection.execute(
        f"SELECT count(*) FROM looked WHERE regexp_full_match(trim({quote(name)}), '0[0-9]+')"
    ).fetchall()
    tried = ({"type": "year"}, *_TRIED) if _YEAR_NAME.search(_plain(name)) else _TRIED
    for said in tried:
        if (coded or zeros) and said["type"] in ("integer", "number", "boolean"):
            continue
        field = TableField.model_validate({"name": "x", **said})
        way = reading(field, quote(name), spelling, "t", "v")
        [(broken,)] = connection.execute(
            f"SELECT count(*) FILTER ({way.unreadable}) FROM "
            f"(SELECT *, {way.value} AS v FROM (SELECT {way.text} AS t FROM looked))"
        ).fetchall()
        if not broken:
            return said
    return {}


def _why_personal(name: str, semantic: str) -> str:
    if semantic in _PERSONAL_FORMATS:
        return f"its values look like {semantic}"
    found = _PERSONAL_NAME.search(_plain(name))
    return f"its name speaks of “{found[2]}”" if found else ""


def _plain(name: str) -> str:
    """A column's name as words of a-z and 0-9 with `_` between: `dateNaissance` and `Date de naissance` alike."""
    apart = unicodedata.normalize("NFKD", re.sub(r"(?<=[a-zé])(?=[A-Z])", "_", name))
    return "_".join(re.findall(r"[a-z0-9]+", "".join(s for s in apart if not unicodedata.combining(s)).lower()))


def _semantic(connection: duckdb.DuckDBPyConnection, names: list[str], folder: Path) -> dict[str, str]:
    """Column → csv-detective's format, for a sample of the rows; {} when it cannot tell."""
    from csv_detective import routine  # heavy, and needed by nothing else

    sample = folder / "sample.csv"
    cells = ", ".join(f"{quote(name)} AS c{place}" for place, name in enumerate(names))
    connection.execute(f"COPY (SELECT {cells} FROM looked LIMIT {_SAMPLE_ROWS}) TO {literal(sample)} (HEADER)")
    logging.getLogger("csv_detective").setLevel(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            found = routine(str(sample), num_rows=_SAMPLE_ROWS, save_results=False, encoding="utf-8", sep=",")
    except Exception:  # noqa: BLE001 - it fails in many ways on odd samples, and is only an adviser
        return {}
    finally:
        sample.unlink(missing_ok=True)
    columns = found["columns"] if isinstance(found, dict) else {}
    return {name: columns[f"c{place}"]["format"] for place, name in enumerate(names) if f"c{place}" in columns}


def _key(connection: duckdb.DuckDBPyConnection, columns: tuple[Column, ...]) -> tuple[str, ...]:
    """The first column, or pair of complete columns, that names each row once; () when there is none."""
    usable = [column for column in columns if column.said.get("type") not in ("number", "geojson")]
    usable.sort(key=lambda column: column.said.get("type") in ("date", "datetime", "time"))  # a moment rarely names
    alone = next((column.name for column in usable if column.unique), None)
    if alone is not None:
        return (alone,)
    complete = [column for column in usable if column.complete][:8]
    for place, first in enumerate(complete):
        for second in complete[place + 1 :]:
            if first.distinct * second.distinct >= first.rows > 1:
                [(pairs,)] = connection.execute(
                    f"SELECT count(*) FROM (SELECT DISTINCT {quote(first.name)}, {quote(second.name)} FROM looked)"
                ).fetchall()
                if pairs == first.rows:
                    return (first.name, second.name)
    return ()


def _event(columns: tuple[Column, ...]) -> str | None:
    """The date or datetime column with the most different values: birthdays aside, it tells when a row was made."""
    dated = [c for c in columns if c.said.get("type") in ("date", "datetime") and not c.why_personal and c.filled]
    return max(dated, key=lambda column: column.distinct).name if dated else None
