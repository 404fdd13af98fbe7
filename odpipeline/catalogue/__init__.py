"""The catalogue: DCAT-AP from the store, which is all it knows."""

from odpipeline.catalogue.dcat import build

__all__ = ["build"]
