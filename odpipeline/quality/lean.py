"""Imports Great Expectations without the libraries that it only draws pictures, computes statistics or reads S3 with.

They are half of the seconds that its import takes, in each process that checks something. Should a later version use
what its modules import by name, it is loaded then; `botocore` is an extra that it does without.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Any

_LATER = ("altair", "scipy.stats")
_NOT_AT_ALL = "botocore"


class _Later(ModuleType):
    """Stands for a module until something is asked of it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__path__":  # what the import itself looks for
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


class _Missing(MetaPathFinder):
    """Finds one module to be missing, in one thread: others may want it meanwhile."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        """Nothing to say of any other module; `path` and `target` are the protocol's.

        Raises: ModuleNotFoundError for what is left out.
        """
        del path, target
        if fullname.partition(".")[0] == _NOT_AT_ALL and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(fullname, name=fullname)


@contextmanager
def _left_out() -> Iterator[None]:
    standing = {name: _Later(name) for name in _LATER if name not in sys.modules}
    missing = _Missing()
    sys.modules.update(standing)
    sys.meta_path.insert(0, missing)
    try:
        yield
    finally:
        sys.meta_path.remove(missing)
        for name, module in standing.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


with _left_out():
    import great_expectations as great_expectations
