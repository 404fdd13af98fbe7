"""A point of Table Schema's type `geopoint` as SQL: its longitude and latitude in degrees (WGS84)."""

from __future__ import annotations

from odpipeline.duck import literal

_NUMBER = r"[+-]?\d+(?:[.]\d+)?"


def degrees(cell: str, spelled: str) -> tuple[str, str]:
    """Longitude and latitude of `cell` (SQL of a conformed text in the format `spelled`); NULL for NULL."""
    if spelled == "object":
        lon, lat = (f"json_extract_string({cell}, '$.{side}')" for side in ("lon", "lat"))
    else:
        lon, lat = (f"regexp_extract_all({cell}, {literal(_NUMBER)})[{place}]" for place in (1, 2))
    return f"CAST({lon} AS DOUBLE)", f"CAST({lat} AS DOUBLE)"
