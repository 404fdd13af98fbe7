"""The town's own Python: its file is there and defines what is called. It is read here, never run."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from odpipeline.declaration.drafts import inside
from odpipeline.declaration.source import PythonSource
from odpipeline.declaration.wording import unknown


def fault(source: PythonSource, root: Path) -> str:
    """What is wrong with the module, its name or its arguments, with the module's line; '' when nothing is."""
    if not inside(root, source.file) or not (root / source.file).is_file():
        return f"there is no file {source.file!r} in the town; write it, or correct the module's name"
    try:
        body = ast.parse((root / source.file).read_bytes()).body
    except SyntaxError as error:
        return f"{source.file}:{error.lineno or 1}: this is no Python ({error.msg}); mend it"
    except (ValueError, RecursionError, MemoryError, OSError):
        return f"{source.file}:1: this is no Python; save it as a text in UTF-8"
    found = dict(_defined(body))
    if source.name not in found:
        return unknown("name", source.name, list(found), inside=source.file)
    node = found[source.name]
    if isinstance(node, ast.AsyncFunctionDef):
        return f"{source.file}:{node.lineno}: {source.name} is asynchronous; write a plain function"
    if isinstance(node, ast.FunctionDef) and (why := _misfit(node.args, source)):
        return f"{source.file}:{node.lineno}: {source.name} {why}"
    return ""


def _defined(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    """The names that a module gives to functions and values, also behind a condition."""
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name, node
            case ast.Assign():
                yield from ((target.id, node) for target in node.targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name, node
            case ast.If() | ast.Try():
                yield from _defined([*node.body, *node.orelse])


def _misfit(said: ast.arguments, source: PythonSource) -> str:
    """Why the function cannot be called with the declared arguments."""
    named = [argument.arg for argument in (*said.args, *said.kwonlyargs)]
    optional = (
        {argument.arg for argument in said.args[len(said.args) - len(said.defaults) :]} if said.defaults else set()
    )
    optional |= {arg.arg for arg, default in zip(said.kwonlyargs, said.kw_defaults, strict=True) if default}
    if said.posonlyargs:
        return "takes arguments by position only, and they are given by name; remove the /"
    if missing := [name for name in named if name not in optional and name not in source.arguments]:
        return f"needs {', '.join(missing)}; give it under `arguments`"
    if not said.kwarg and (strange := [name for name in source.arguments if name not in named]):
        return f"takes no {', '.join(strange)}; correct `arguments`"
    return ""
