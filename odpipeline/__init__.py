"""odpipeline: from a town's systems to its published open data. Start at `flow.py`."""

from importlib.metadata import version

__version__ = version("odpipeline")
__all__ = ["__version__"]
