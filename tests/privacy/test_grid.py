"""Points become squares of the European grid, merged until each holds enough rows; the files are held to it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odpipeline import flow
from odpipeline.declaration import read_town
from odpipeline.declaration.dataset import Dataset
from odpipeline.duck import DuckSettings, connect, literal
from odpipeline.errors import DeclarationErrors, PrivacyError
from odpipeline.privacy import anonymise
from odpipeline.privacy.measuring_grid import measured
from odpipeline.store import Release
from tests.store.making import a_dataset
from tests.towns import write_town

Point = tuple[float, float]
EIFFEL = (2.2945, 48.8584)


def _dataset(least: int = 3, **changes: Any) -> Dataset:
    return a_dataset(
        "foyers", fields=[{"name": "position", "type": "geopoint"}], key=[], personal_data="present",
        legal_basis="essai", **changes,
        privacy={"columns": {"position": {"generalise": {"grid": 200, "least": least}}}},
    )  # fmt: skip


def _squares(folder: Path, points: list[Point | None], duck: DuckSettings, least: int = 3) -> list[str | None]:
    """The published square of each point, in no order of its own."""
    with connect() as connection:
        connection.execute("CREATE TABLE r (_row BIGINT, position VARCHAR)")
        for row, point in enumerate(points):
            connection.execute("INSERT INTO r VALUES (?, ?)", [row, f"{point[0]}, {point[1]}" if point else None])
        connection.execute(f"COPY r TO '{folder}/rows.parquet' (FORMAT parquet)")
    dataset = _dataset(least)
    out = anonymise(folder / "rows.parquet", dataset, folder, duck, salt="1")
    with connect(duck) as connection:
        relation = f"read_parquet({literal(out.parquet)})"
        if any(points):
            [finding] = measured(connection, "Parquet", relation, dataset)
            assert finding.passed, finding.message
        return [square for (square,) in connection.execute(f"SELECT position FROM {relation}").fetchall()]


def test_a_full_square_is_named_as_insee_names_it(tmp_path: Path, duck: DuckSettings) -> None:
    # The example of EPSG's Guidance Note 7-2 for EPSG:3035: 5° E, 50° N is E 3962799.45, N 2999718.85.
    assert set(_squares(tmp_path, [(5.0, 50.0)] * 3, duck)) == {"CRS3035RES200mN2999600E3962600"}


def test_a_lonely_point_takes_its_neighbours_along(tmp_path: Path, duck: DuckSettings) -> None:
    alone = (2.2985, 48.8584)  # 300 m to the east: in another square of 200 m
    far = (2.45, 48.85)
    found = Counter(_squares(tmp_path, [*[EIFFEL] * 5, alone, *[far] * 4], duck))
    assert sorted(found.values()) == [4, 6]
    both = next(square for square, n in found.items() if n == 6)
    assert int(both.split("RES")[1].split("m")[0]) > 200


def test_fewer_rows_than_one_square_holds_are_one_place(tmp_path: Path, duck: DuckSettings) -> None:
    assert _squares(tmp_path, [EIFFEL, (2.4, 48.8), None], duck) == ["*", "*", None]


points = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda p: (2.2 + p[0] / 700, 48.8 + p[1] / 700)),
    min_size=1, max_size=60,
)  # fmt: skip


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(points=points, least=st.integers(3, 8))
def test_every_square_is_full_and_none_lies_in_another(
    points: list[Point], least: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, duck = tmp_path_factory.mktemp("g"), DuckSettings(memory_limit="500MB", threads=1)
    found = Counter(_squares(folder, list(points), duck, least))  # `measured` holds it to the rest
    assert min(found.values()) >= min(least, len(points))
    assert found == Counter(_squares(folder, points[::-1], duck, least))


def test_points_outside_europe_and_swapped_ones_are_refused(tmp_path: Path, duck: DuckSettings) -> None:
    for point in ((55.45, -20.88), (48.8584, 2.2945)):
        with pytest.raises(PrivacyError, match="1 rows have a point in position that lies outside Europe"):
            _squares(tmp_path, [point], duck)


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        (["CRS3035RES200mN2889400E3757400"] * 2, "1 hold fewer than 3"),
        (["CRS3035RES100mN2889400E3757400"] * 3, "1 are finer than 200 m"),
        (["CRS3035RES200mN2889500E3757400"] * 3, "1 are finer than 200 m or off the grid"),
        (["2.2945, 48.8584"] * 3, "1 are finer than 200 m"),
        (["CRS3035RES200mN2889400E3757400"] * 3 + ["CRS3035RES400mN2889200E3757200"] * 3, "1 lie in another"),
        (["*"] * 3 + ["CRS3035RES400mN2889200E3757200"] * 3, "1 lie in another"),
    ],
)
def test_a_file_whose_squares_tell_too_much_is_found(labels: list[str], why: str, duck: DuckSettings) -> None:
    with connect(duck) as connection:
        connection.execute("CREATE TABLE t (position VARCHAR)")
        connection.executemany("INSERT INTO t VALUES (?)", [[label] for label in labels])
        [finding] = measured(connection, "CSV", "t", _dataset())
    assert not finding.passed
    assert why in finding.message


DECLARED = """
title: Foyers aidés
description: Foyers aidés par carreau.
owner: aides@ville.example
source: {folder: "depot/foyers.csv"}
fields:
  - {name: numero}
  - {name: lon, type: number}
  - {name: lat, type: number}
personal_data: present
legal_basis: essai
privacy:
  columns: {numero: drop, lon: GRID, lat: drop}
"""


def _town(folder: Path, grid: str) -> Path:
    root = write_town(folder)
    (root / "assets/sports/foyers.yaml").write_text(DECLARED.replace("GRID", grid))
    lines = [f"{n},2.29{n % 2}5,48.8584" for n in range(20)]
    (root / "depot/foyers.csv").write_text("\n".join(["numero,lon,lat", *lines]) + "\n")
    return root


def test_two_columns_of_degrees_go_the_whole_way_as_one_of_squares(tmp_path: Path) -> None:
    town = read_town(_town(tmp_path, "{generalise: {grid: 200, least: 5, latitude: lat}}"))
    *_, release = flow.publication(town.dataset("foyers"), town, flow.Zones.of(town))
    assert isinstance(release, Release), getattr(release, "reasons", release)
    assert release.schema["fields"] == [{"name": "lon", "type": "string"}]
    assert (release.folder / "foyers.csv").read_text().count("CRS3035RES") == 20
    assert "merged until each holds at least 5 rows" in release.lineage["lon"]["transformation"]


@pytest.mark.parametrize(
    ("grid", "why"),
    [
        ("{generalise: {grid: 200}}", "needs the field of the `latitude`"),
        ("{generalise: {grid: 200, latitude: rue}}", "unknown number field 'rue'"),
        ("{generalise: {grid: 50, latitude: lat}}", "at least 100"),
        ("{generalise: {bands: 2, least: 5}}", "least belongs to a grid"),
    ],
)
def test_a_grid_that_cannot_be_is_refused_with_its_line(tmp_path: Path, grid: str, why: str) -> None:
    with pytest.raises(DeclarationErrors, match=why):
        read_town(_town(tmp_path, grid))


def test_a_latitude_that_stays_is_refused(tmp_path: Path) -> None:
    root = _town(tmp_path, "{generalise: {grid: 200, latitude: lat}}")
    file = root / "assets/sports/foyers.yaml"
    file.write_text(file.read_text().replace("lat: drop", "lat: keep"))
    with pytest.raises(DeclarationErrors, match="'lat' would tell what the square hides"):
        read_town(root)
