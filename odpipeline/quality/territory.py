"""A town's territory as bounds of coordinates, in WGS 84 and in Lambert-93."""

from __future__ import annotations

import math

from odpipeline.declaration.territory import Territory

Bounds = tuple[float, float]

FRANCE = Territory(west=-9.86, south=41.15, east=10.38, north=51.56)
"""Where Lambert-93 is used: EPSG:2154's area of use, metropolitan France and its waters."""
_STEPS = 16


def bounds(territory: Territory) -> dict[str, Bounds]:
    """French type of a coordinate → (least, greatest): degrees for `latitude` and `longitude`, metres for the others.

    The sides of a rectangle of degrees are curves in Lambert-93: its bounds hold the whole rectangle.
    """
    sides = [
        lambert93(
            territory.west + (territory.east - territory.west) * across / _STEPS,
            territory.south + (territory.north - territory.south) * up / _STEPS,
        )
        for across in range(_STEPS + 1)
        for up in range(_STEPS + 1)
    ]
    eastings, northings = zip(*sides, strict=True)
    return {
        "latitude": (territory.south, territory.north),
        "longitude": (territory.west, territory.east),
        "x_lambert93": (math.floor(min(eastings)), math.ceil(max(eastings))),
        "y_lambert93": (math.floor(min(northings)), math.ceil(max(northings))),
    }


def lambert93(longitude: float, latitude: float) -> tuple[float, float]:
    """(easting, northing) in metres of a point in degrees; RGF93 and WGS 84 are taken for the same.

    Source: IGN, Projection cartographique conique conforme de Lambert (NTG_71), algorithms 1, 3 and 19, with the
    constants of EPSG:2154: GRS 80, parallels 44° and 49°, origin 3° E 46.5° N, 700,000 m and 6,600,000 m.
    """
    first, second, origin = (math.radians(degrees) for degrees in (44, 49, 46.5))
    exponent = math.log(_radius(second) / _radius(first)) / (_isometric(first) - _isometric(second))
    constant = _radius(first) / exponent * math.exp(exponent * _isometric(first))

    def distance(latitude: float) -> float:
        return constant * math.exp(-exponent * _isometric(latitude))

    angle, far = exponent * math.radians(longitude - 3), distance(math.radians(latitude))
    return 700_000 + far * math.sin(angle), 6_600_000 + distance(origin) - far * math.cos(angle)


_AXIS, _FLATTENING = 6_378_137.0, 1 / 298.257222101
_ECCENTRICITY = math.sqrt(_FLATTENING * (2 - _FLATTENING))


def _isometric(latitude: float) -> float:
    """The isometric latitude (NTG_71, algorithm 1)."""
    sine = _ECCENTRICITY * math.sin(latitude)
    return math.log(math.tan(math.pi / 4 + latitude / 2) * ((1 - sine) / (1 + sine)) ** (_ECCENTRICITY / 2))


def _radius(latitude: float) -> float:
    """The radius of the parallel at `latitude`, in metres."""
    return _AXIS * math.cos(latitude) / math.sqrt(1 - (_ECCENTRICITY * math.sin(latitude)) ** 2)
