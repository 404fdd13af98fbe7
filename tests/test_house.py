"""The rules of the house that no linter knows: sizes, names, docstrings, no junk drawers, documented commands."""

import ast
import tokenize
from pathlib import Path

import pytest
from typer.main import get_command

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "odpipeline").rglob("*.py"))


def functions():
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.FunctionDef):
                yield module, node


def test_no_module_is_longer_than_500_lines():
    assert [m.name for m in MODULES if len(m.read_text().splitlines()) > 500] == []


def test_no_function_is_longer_than_60_lines():
    long = [f"{m.name}:{f.name}" for m, f in functions() if (f.end_lineno or 0) - f.lineno >= 60]
    assert long == []


def test_there_are_no_junk_drawers():
    assert [p for p in ROOT.glob("[!.]*/**/*.py") if p.stem in {"utils", "helpers", "common", "misc"}] == []


def test_dagster_is_imported_in_orchestration_only():
    strangers = [
        str(module.relative_to(ROOT))
        for module in MODULES
        if "orchestration" not in module.parts
        for node in ast.walk(ast.parse(module.read_text()))
        if (isinstance(node, ast.Import) and any(a.name.split(".")[0].startswith("dagster") for a in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0].startswith("dagster"))
    ]
    assert strangers == []


def test_great_expectations_is_never_imported_at_module_level():
    """It costs seconds and hundreds of megabytes: only the engine that validates may load it, when it validates."""
    import subprocess
    import sys

    code = (
        "import sys, odpipeline.cli, odpipeline.flow, odpipeline.quality; "
        "sys.exit('great_expectations' in sys.modules or 'pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_what_great_expectations_imports_and_nobody_uses_is_left_out_until_it_is_used():
    """It would double the time of the import, in each process that validates."""
    import subprocess
    import sys

    code = (
        "import sys, odpipeline.quality.engine; from odpipeline.quality.lean import _Later; "
        "assert not {'altair', 'scipy.stats', 'botocore'} & set(sys.modules); "
        "assert _Later('colorsys').rgb_to_yiq(0, 0, 0) == (0, 0, 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_no_promise_is_left_in_the_code():
    left = []
    for module in MODULES:
        with tokenize.open(module) as source:
            comments = [t.string for t in tokenize.generate_tokens(source.readline) if t.type == tokenize.COMMENT]
        left += [f"{module.name}: {c}" for c in comments if any(w in c for w in ("TODO", "FIXME", "XXX", "HACK"))]
    assert left == []


def commands():
    from odpipeline.cli import app

    return get_command(app).commands  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_has_help_and_stands_in_the_reference(name):
    assert commands()[name].help
    assert f"## odp {name}\n" in (ROOT / "docs/reference/commands.md").read_text()


def test_the_generated_reference_has_not_drifted():
    from docs.generate import PAGES

    drifted = [page for page, render in PAGES.items() if (ROOT / "docs/reference" / page).read_text() != render()]
    assert drifted == [], "run: make docs"


def test_the_makefile_targets_of_the_readme_exist():
    import re

    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make (\w+)", (ROOT / "README.md").read_text()))
    assert named <= targets
    assert {"nightly", "test", "ui"} <= named
