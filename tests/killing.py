"""Processes that are killed (SIGKILL) at a chosen file operation.

CPython's audit events (open, mkdir, rename, symlink, remove, flock) tell them when to die, so nothing is replaced by a
double.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable

FORK = multiprocessing.get_context("fork")
INSTANTS = {"open", "os.mkdir", "os.rename", "os.symlink", "os.remove", "fcntl.flock"}


def in_child(work: Callable[[], object]) -> int | None:
    """The exit status of a forked process that does `work`."""
    child = FORK.Process(target=work)
    child.start()
    child.join(60)
    return child.exitcode


def dying_at(instant: int, work: Callable[[], object]) -> Callable[[], object]:
    """`work`, in a process that is killed at its file operation number `instant`, from 1."""

    def doomed() -> None:
        seen = 0

        def die(event: str, _: object) -> None:
            nonlocal seen
            if event not in INSTANTS:  # such as the os.kill below
                return
            seen += 1
            if seen == instant:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(die)
        work()

    return doomed
