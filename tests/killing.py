"""Processes that are killed (SIGKILL) at a chosen file operation.

CPython's audit events (open, mkdir, rename, symlink, remove, flock) tell them when to die, so nothing is replaced by a
double. The store must be in a local folder: the S3 library does not survive a fork.
"""

import multiprocessing
import os
import shutil
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count, takewhile
from pathlib import Path

FORK = multiprocessing.get_context("fork")
INSTANTS = {"open", "os.mkdir", "os.rename", "os.symlink", "os.remove", "fcntl.flock"}
AT_ONCE = 8
"""Children of a walk at a time, and checks of what they left: most of the time they wait for the disk."""

Counts = Callable[[str, tuple[object, ...]], bool]


def any_operation(event: str, _: tuple[object, ...]) -> bool:
    """Whether an audit event is a file operation, be it only a reading one."""
    return event in INSTANTS


def a_change(event: str, said: tuple[object, ...]) -> bool:
    """Whether an audit event is one that writes, renames, links, removes or locks."""
    if event == "open":
        return isinstance(said[2], int) and bool(said[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
    return event in INSTANTS | {"os.link", "os.rmdir"}


def in_child(work: Callable[[], object]) -> int | None:
    """The exit status of a forked process that does `work`."""
    child = FORK.Process(target=work)
    child.start()
    child.join(60)
    return child.exitcode


def dying_at(instant: int, work: Callable[[], object], counts: Counts = any_operation) -> Callable[[], object]:
    """`work`, in a process that is killed just before the operation number `instant`, from 1, of those that count."""

    def doomed() -> None:
        seen = 0

        def die(event: str, said: tuple[object, ...]) -> None:
            nonlocal seen
            if not counts(event, said):  # such as the os.kill below
                return
            seen += 1
            if seen == instant:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(die)
        work()

    return doomed


def _copied(source: str, target: str) -> None:
    """Published files are replaced and never written to, so that a link is a copy of them."""
    published = "/public/" in source and not Path(source).name.startswith(".")
    (os.link if published else shutil.copy2)(source, target)


def walked(prepared: Path, work: Callable[[Path], object], check: Callable[[Path], object], every: int = 1) -> int:
    """Kill `work` before each change in turn, each time on a copy of the folder `prepared`; how often it was killed.

    `check` gets the copy after each death, and once where the work came to its end. What takes long is killed before
    `every` such change only, unless ODP_EVERY_CHANGE is set.
    """
    every = 1 if "ODP_EVERY_CHANGE" in os.environ else every
    killed = 0
    for first in count(1, AT_ONCE * every):
        children = []
        for instant in range(first, first + AT_ONCE * every, every):
            copy = prepared.with_name(f"{prepared.name}-{instant}")
            shutil.copytree(prepared, copy, symlinks=True, copy_function=_copied)
            child = FORK.Process(target=dying_at(instant, partial(work, copy), a_change))
            child.start()
            children.append((instant, copy, child))
        for instant, _, child in children:
            child.join(60)
            assert child.exitcode in (0, -signal.SIGKILL), f"at change {instant} it ended with {child.exitcode}"
        died = sum(1 for _ in takewhile(lambda one: one[2].exitcode, children))
        with ThreadPoolExecutor(AT_ONCE) as pool:  # its threads have ended before the next children are forked
            list(pool.map(check, [copy for _, copy, _ in children[: died + 1]]))
        for _, copy, _ in children:
            shutil.rmtree(copy)
        killed += died
        if died < AT_ONCE:
            return killed
    raise AssertionError
