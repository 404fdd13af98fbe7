"""Runs a command with the sample town's systems up: `python -m tests.simulators --night 2 -- odp run`.

Without a command it prints the environment as `export` lines and serves until it is interrupted.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tests.simulators import systems


def main(arguments: list[str]) -> int:
    """Start the systems, run the command in their environment, return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulators", description=__doc__)
    parser.add_argument("--night", type=int, default=1, help="which night it is, from 1")
    parser.add_argument("--folder", type=Path, help="where the drop folder and databases go (temporary by default)")
    parser.add_argument("--postgres", action="store_true", help="PostgreSQL instead of SQLite")
    parser.add_argument("command", nargs="*", help="the command, after --")
    given = parser.parse_args(arguments)
    if given.night < 1:
        parser.error("nights are counted from 1")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    with systems(given.night, given.folder, postgres=given.postgres) as environment:
        return _run(given.command, environment) if given.command else _serve(environment)


def _stop(number: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def _run(command: list[str], environment: dict[str, str]) -> int:
    """Run `command` to its end; a signal meant for us is passed on, and the systems outlive the command."""
    process = subprocess.Popen(command, env=os.environ | environment)

    def pass_on(number: int, _: FrameType | None) -> None:
        # A terminal sends an interrupt to the command itself too; twice would kill what wants to end in order.
        if number != signal.SIGINT or not sys.stdin.isatty():
            process.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, pass_on)
    status = process.wait()
    return status if status >= 0 else 128 - status


def _serve(environment: dict[str, str]) -> NoReturn:
    for name, value in environment.items():
        print(f"export {name}={shlex.quote(value)}")
    sys.stdout.flush()
    while True:
        signal.pause()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
