"""INSEE's and La Poste's lists of codes by year, as the library `frformat` of data.gouv.fr ships them.

The lists are those of the code officiel géographique (INSEE, 1 January of each year), municipal arrondissements
included and the overseas collectivities (975, 977, 978, 98…) left out, and of the official base of post codes. They
come with the installed version of the library: no network, and one verdict wherever it runs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

LISTED = ("code_commune", "code_departement", "code_region", "code_iris", "code_postal")
"""French types of which there are lists; an IRIS is looked up by its commune."""


def years(name: str) -> tuple[int, ...]:
    """The years of which there is a list of `name`, one of `LISTED`, the newest last."""
    return tuple(sorted(_lists(name)))


def table(name: str, year: int) -> str:
    """The name of the table that `register` makes."""
    return f"odp_{name}_{int(year)}"


def register(connection: duckdb.DuckDBPyConnection, name: str, year: int) -> None:
    """Make the table `table(name, year)` with the one column `code` (VARCHAR) on `connection`."""
    import pyarrow as pa  # heavy, and for the few suites that ask

    # No TEMP: Great Expectations works on cursors, which have temporary tables of their own.
    codes = pa.table({"code": pa.array(sorted(_lists(name)[year]), pa.string())})  # noqa: F841 - DuckDB finds it by name
    connection.execute(f"CREATE OR REPLACE TABLE {table(name, year)} AS SELECT code FROM codes")


def _lists(name: str) -> dict[int, frozenset[str]]:
    # Half a second, and needed by nothing else.
    from frformat.formats import code_commune_insee, code_departement, code_postal_frozenset, code_region

    if name == "code_postal":
        dated = {key: value for key, value in vars(code_postal_frozenset).items() if key.startswith("CODES_POSTAUX")}
        return {int(found[0]): codes for key, codes in dated.items() if (found := re.search(r"\d{4}", key))}
    versioned: Any = {
        "code_departement": code_departement.code_departement_versioned_data,
        "code_region": code_region.code_region_versioned_data,
    }.get(name, code_commune_insee.code_commune_insee_versioned_data)
    return {int(version.get_id()): versioned.get_data(version.get_id()) for version in versioned.ls()}
