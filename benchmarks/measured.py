"""Runs one contender in a process of its own and reads the operating system's accounting of it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


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
    return cost_of([sys.executable, "-m", module, *arguments])


def cost_of(command: Sequence[str], output: Path | None = None) -> Cost:
    """What `command` costs, start-up included; its output goes to the file `output`, if that is named.

    Raises: SystemExit when the process fails.
    """
    started = time.perf_counter()
    opened = [(os.POSIX_SPAWN_OPEN, 1, str(output), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)] if output else []
    pid = os.posix_spawn(command[0], list(command), dict(os.environ), file_actions=opened)
    _, status, usage = os.wait4(pid, 0)
    if status:
        sys.exit(f"{' '.join(command)[:200]} failed")
    return Cost(usage.ru_utime + usage.ru_stime, time.perf_counter() - started, usage.ru_maxrss * 1024)
