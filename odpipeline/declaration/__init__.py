"""Declarations: YAML → typed, frozen, validated objects, with `file:line` and a remedy for every fault.

`read_town` is the way in; `explain` tells where each value comes from; `editors` writes JSON Schema and the reference.
"""

from odpipeline.declaration.dataset import Dataset
from odpipeline.declaration.explaining import explain
from odpipeline.declaration.reading import read_town
from odpipeline.declaration.town import Town

__all__ = ["Dataset", "Town", "explain", "read_town"]
