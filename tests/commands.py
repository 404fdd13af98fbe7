"""Commands as typed, in this process: each would otherwise load everything anew."""

from __future__ import annotations

import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from odpipeline.cli import main


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def odp(*words: str, cwd: Path = Path()) -> Done:
    """A command as typed in the folder `cwd`; `test_cli` types some in processes of their own."""
    with redirect_stdout(StringIO()) as said, redirect_stderr(StringIO()) as complained, chdir(cwd):
        typed, sys.argv = sys.argv, ["odp", *words]
        try:
            main()
        except SystemExit as end:
            return Done(int(end.code or 0), said.getvalue(), complained.getvalue())
        finally:
            sys.argv = typed
    raise AssertionError("a command ends with its exit status")
