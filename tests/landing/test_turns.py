"""No more datasets than two ask one system at once, and a killed one leaves its place."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from odpipeline.errors import SourceUnavailable
from odpipeline.landing.turns import turn

HOLDS = """
import sys, time
from pathlib import Path
from odpipeline.landing.turns import turn
with turn(Path(sys.argv[1]), "finances", 2, 5):
    print("mine", flush=True)
    time.sleep(60)
"""


def test_a_third_one_waits_and_another_system_has_turns_of_its_own(tmp_path: Path) -> None:
    with ExitStack() as held:
        first = ExitStack()
        first.enter_context(turn(tmp_path, "finances", 2, 0))
        held.enter_context(turn(tmp_path, "finances", 2, 0))
        with pytest.raises(SourceUnavailable, match="finances: 2 other datasets were asking this system"):
            held.enter_context(turn(tmp_path, "finances", 2, 0))
        held.enter_context(turn(tmp_path, "data.example", 2, 0))
        first.close()
        held.enter_context(turn(tmp_path, "finances", 2, 0))


def test_what_is_killed_leaves_its_turn(tmp_path: Path) -> None:
    others = [
        subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path)], stdout=subprocess.PIPE, text=True) for _ in "12"
    ]
    try:
        assert [other.stdout.readline() for other in others if other.stdout] == ["mine\n"] * 2
        with pytest.raises(SourceUnavailable), turn(tmp_path, "finances", 2, 0):
            pass
        others[0].kill()
        others[0].wait()
        with turn(tmp_path, "finances", 2, 5):
            pass
    finally:
        for other in others:
            other.kill()
            other.communicate()
