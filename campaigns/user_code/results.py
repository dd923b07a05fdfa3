"""Whether a function of the user's own can give what is wanted of it, as far as its source says in so many words."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

import griffe

from campaigns.user_code.definitions import Definition
from campaigns.user_code.module_files import Origin

_PLAIN = {"bool", "bytes", "dict", "int", "list", "set", "str", "tuple"}
"""Types of Python that stand for no object of a laboratory."""


def fruitless(definition: Definition, *, lists: bool = False) -> str:
    """Return why a function never gives an object of the laboratory; empty where that is not known.

    Args:
        definition: of the function.
        lists: whether a list of such objects will do.
    """
    function = definition.found
    if not isinstance(function, griffe.Function) or function.decorators or definition.module.origin is not Origin.OWN:
        return ""
    tree = ast.parse(definition.module.file.read_bytes())
    written = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    node = next((n for n in written if n.name == function.name and n.lineno == function.lineno), None)
    return "" if node is None else _why(node, ("list", "tuple") if lists else ())


def _why(node: ast.FunctionDef | ast.AsyncFunctionDef, allowed: Collection[str]) -> str:
    if isinstance(node, ast.AsyncFunctionDef):
        return "is async: nobody awaits what it gives"
    if isinstance(node.returns, ast.Name) and node.returns.id in _PLAIN - {*allowed}:
        return f"says that it returns {node.returns.id}"
    inner = list(_inner(node))
    if any(isinstance(n, ast.Yield | ast.YieldFrom) for n in inner):
        return "yields, and so returns a generator"
    returned = [n.value for n in inner if isinstance(n, ast.Return)]
    if not any(returned) and not any(isinstance(n, ast.Raise) for n in inner):
        return "returns nothing"
    plain = [value for value in returned if isinstance(value, ast.Dict | ast.List | ast.Tuple | ast.JoinedStr)]
    plain = [value for value in plain if type(value).__name__.lower() not in allowed]
    if returned and len(plain) == len(returned):
        return f"returns a {type(plain[0]).__name__.lower()} in line {plain[0].lineno}"
    return ""


def _inner(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield from _inner(child)
