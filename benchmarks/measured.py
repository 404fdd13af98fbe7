"""Runs one contender in a process of its own and reads the operating system's accounting of it."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """CPU seconds (user and system, children included), wall seconds, and peak memory in bytes of one process."""

    cpu_seconds: float
    wall_seconds: float
    peak_bytes: int


def cost(module: str, *arguments: str) -> Cost:
    """What `python -m module arguments…` costs, start-up included.

    Raises: SystemExit when the process fails.
    """
    started = time.perf_counter()
    pid = os.posix_spawn(sys.executable, [sys.executable, "-m", module, *arguments], dict(os.environ))
    _, status, usage = os.wait4(pid, 0)
    if status:
        sys.exit(f"{module} {' '.join(arguments)} failed")
    return Cost(usage.ru_utime + usage.ru_stime, time.perf_counter() - started, usage.ru_maxrss * 1024)
