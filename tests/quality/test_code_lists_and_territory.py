"""Codes on the list of a year, coordinates in the town's own territory: declared in one word, told by the suite."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from odpipeline import quality
from odpipeline.declaration import read_town
from odpipeline.declaration.territory import Territory
from odpipeline.duck import DuckSettings, connect, spatial
from odpipeline.errors import DeclarationErrors
from odpipeline.quality import Expectation, Suite, code_lists
from odpipeline.quality.french import PREFIX
from odpipeline.quality.territory import bounds, lambert93
from odpipeline.verdict import Finding
from tests.towns import PISCINES, write_town


def _wrong(folder: Path, name: str, cells: list[Any], **arguments: Any) -> int:
    """How many of `cells` are not of the type."""
    return int(_checked(folder, name, cells, **arguments).counts["unexpected_count"])


def _checked(folder: Path, name: str, cells: list[Any], **arguments: Any) -> Finding:
    file = folder / "rows.parquet"
    with connect() as connection:
        kind = "DOUBLE" if isinstance(cells[0], float) else "VARCHAR"
        connection.execute(f"CREATE TABLE t (c {kind})")
        connection.executemany("INSERT INTO t VALUES (?)", [[cell] for cell in cells])
        connection.execute(f"COPY t TO '{file}' (FORMAT parquet)")
    suite = Suite("d", (Expectation(PREFIX + name, {"column": "c", **arguments}),))
    [finding] = quality.check(file, suite, DuckSettings()).findings
    return finding


@pytest.mark.parametrize(
    ("name", "cells", "wrong"),
    [
        ("code_commune", ["75056", "2A004", "97411", "75101"], ["75999", "01002x", "49144z"]),
        ("code_departement", ["01", "2B", "974"], ["20"]),
        ("code_region", ["53", "84"], ["82"]),
        ("code_iris", ["751010101", "2A0040101"], ["759990101"]),
    ],
)
def test_a_code_with_a_year_is_on_that_years_list(
    tmp_path: Path, name: str, cells: list[str], wrong: list[str]
) -> None:
    assert _wrong(tmp_path, name, [*cells, None, *wrong], year=2024) == len(wrong)


def test_the_list_is_that_of_the_year(tmp_path: Path) -> None:
    with connect() as connection:
        for year in (2023, 2024):
            code_lists.register(connection, "code_commune", year)
        [(merged,)] = connection.execute(
            "SELECT min(code) FROM odp_code_commune_2023 WHERE code NOT IN (FROM odp_code_commune_2024)"
        ).fetchall()
    assert _wrong(tmp_path, "code_commune", [merged], year=2023) == 0
    assert _wrong(tmp_path, "code_commune", [merged], year=2024) == 1
    assert _checked(tmp_path, "code_commune", [merged], year=2024).declared == {"year": 2024}


def test_a_post_code_with_a_year_exists(tmp_path: Path) -> None:
    assert _wrong(tmp_path, "code_postal", ["44000", "75001", "44001"], year=2025) == 1


def test_lambert93_is_that_of_the_reference() -> None:
    with connect() as connection:
        spatial(connection)
        for point in ((3.0, 46.5), (2.3488, 48.8534), (-1.5536, 47.2184), (9.45, 42.7)):
            [(x, y)] = connection.execute(
                "SELECT ST_X(p), ST_Y(p) FROM "
                "(SELECT ST_Transform(ST_Point(?, ?), 'EPSG:4326', 'EPSG:2154', true) AS p)",
                point,
            ).fetchall()
            assert lambert93(*point) == pytest.approx((x, y), abs=0.001)


NANTES = Territory(west=-1.65, south=47.18, east=-1.47, north=47.30)


def test_a_territory_bounds_degrees_and_metres() -> None:
    known = bounds(NANTES)
    assert known["latitude"] == (47.18, 47.30)
    for corner in ((-1.65, 47.18), (-1.65, 47.30), (-1.47, 47.18), (-1.47, 47.30), (-1.56, 47.18)):
        x, y = lambert93(*corner)
        assert known["x_lambert93"][0] <= x <= known["x_lambert93"][1]
        assert known["y_lambert93"][0] <= y <= known["y_lambert93"][1]


def test_a_coordinate_is_text_or_number_and_lies_within_its_bounds(tmp_path: Path) -> None:
    low, high = bounds(NANTES)["x_lambert93"]
    within = {"min_value": low, "max_value": high}
    assert _wrong(tmp_path, "x_lambert93", [355000.0, 652000.0, -5.0], **within) == 2
    assert _wrong(tmp_path, "x_lambert93", ["355000", "355000,5", "nan"], **within) == 2
    assert _wrong(tmp_path, "x_lambert93", ["652000", "-1000000"]) == 1


SUITE = {
    "name": "a",
    "expectations": [
        {"type": PREFIX + "latitude", "kwargs": {"column": "piscine"}},
        {"type": PREFIX + "y_lambert93", "kwargs": {"column": "piscine", "min_value": 1}},
        {"type": PREFIX + "code_commune", "kwargs": {"column": "piscine", "year": 2024}},
    ],
}


def _town(folder: Path, suite: dict[str, Any], territory: str = "") -> Path:
    root = write_town(folder, "a", declaration=PISCINES)
    if territory:
        with (root / "town.yaml").open("a") as town:
            town.write(f"defaults: {{quality: {{territory: {territory}}}}}\n")
    (root / "expectations").mkdir()
    (root / "expectations/a.json").write_text(json.dumps(suite, indent=1))
    return root


def test_the_declared_territory_bounds_the_coordinates_of_the_suite(tmp_path: Path) -> None:
    root = _town(tmp_path, SUITE, "{west: -1.65, south: 47.18, east: -1.47, north: 47.30}")
    asked = {one.type: dict(one.kwargs) for one in quality.suite_for(read_town(root).dataset("a")).expectations}
    assert asked[PREFIX + "latitude"] == {"column": "piscine", "min_value": 47.18, "max_value": 47.30}
    assert asked[PREFIX + "y_lambert93"] == {"column": "piscine", "min_value": 1}


@pytest.mark.parametrize(
    ("territory", "why"),
    [
        ("{west: 3, south: 47, east: 2, north: 48}", "`west` is less than `east`"),
        ("{west: 1, south: 47, east: 2, north: 91}", "at most 90"),
        ("{west: 1, south: 47, east: 2, north: .nan}", "north"),
        ("{west: 1, south: 47, east: 2}", "north"),
    ],
)
def test_a_rectangle_that_is_none_is_refused(tmp_path: Path, territory: str, why: str) -> None:
    with pytest.raises(DeclarationErrors, match=r"town\.yaml:\d+: .*") as refused:
        read_town(_town(tmp_path, SUITE, territory))
    assert why in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "kwargs", "why"),
    [
        ("code_commune", {"year": 1999}, "a year of which there is a list: 2023, 2024"),
        ("code_commune", {"year": "2024"}, "a year of which there is a list"),
        ("siren", {"year": 2024}, "unknown argument 'year'"),
        ("latitude", {"min_value": "47"}, "a number"),
    ],
)
def test_what_cannot_narrow_a_type_is_refused(tmp_path: Path, kind: str, kwargs: dict[str, Any], why: str) -> None:
    one = {"type": PREFIX + kind, "kwargs": {"column": "piscine", **kwargs}}
    root = _town(tmp_path, {"name": "a", "expectations": [one]})
    [fault] = quality.suite_faults(read_town(root).dataset("a"))
    assert why in fault.what
