"""Whether a dotted path leads to something, found without importing it."""

from __future__ import annotations

import ast
import importlib.machinery
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from campaigns.errors import Problem, suggestion
from campaigns.fidelity import all_steps


def missing_objects(sections: Mapping[str, Any], folder: Path | None) -> list[Problem]:
    """Return a problem for each dotted path of a campaign that leads nowhere.

    Args:
        sections: top-level key to its validated section.
        folder: where the campaign file stands; modules beside it are found too.
    """
    found = ((where, path, _trouble(path, folder)) for where, path in _paths(sections))
    return [Problem(where, f"got {path!r}, but {trouble}") for where, path, trouble in found if trouble]


def _paths(sections: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield where each dotted path stands, and the path."""
    for where, path in (*_material_paths(sections), *_lab_paths(sections)):
        if isinstance(path, str):
            yield where, path


def _material_paths(sections: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for name, metric in sections.get("metrics", {}).items():
        for key in ("prior", "function"):
            yield f"metrics.{name}.{key}", getattr(metric, key, None)
    pool = getattr(sections.get("space"), "pool", None)
    yield "space.pool.function", getattr(pool, "function", None)
    for i, features in enumerate(getattr(sections.get("surrogate"), "features", ())):
        yield f"surrogate.features[{i}].factory", getattr(features, "factory", None)


def _lab_paths(sections: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for where, step in all_steps(sections.get("workflow", ()), sections.get("fidelities", {})):
        yield f"{where}.analysis", step.analysis
    for name, config in sections.get("fidelities", {}).items():
        yield f"fidelities.{name}.function", getattr(config, "function", None)
    for name, station in sections.get("stations", {}).items():
        yield f"stations.{name}.device", station.device
    yield "lab.factory", getattr(sections.get("lab"), "factory", None)


def _trouble(path: str, folder: Path | None) -> str:
    module, _, name = path.partition(":")
    spec = _spec(module, folder)
    if spec is None:
        return f"there is no module {module}; allowed: an installed one, or a file beside the campaign"
    if not (spec.origin or "").endswith(".py"):
        return ""  # compiled: only an import could tell
    names = _names(Path(str(spec.origin)))
    if "*" in names or "__getattr__" in names or name in names:
        return ""
    public = sorted(n for n in names if not n.startswith("_"))
    return f"{module} has no {name}{suggestion(name, public)}"


def _spec(module: str, folder: Path | None) -> importlib.machinery.ModuleSpec | None:
    """Return where a module is found; parents are looked up by file, since importlib would import them."""
    top, *rest = module.split(".")
    try:
        spec = find_spec(top)
    except ValueError:  # __main__ and the like
        spec = None
    if spec is None and folder is not None:
        spec = importlib.machinery.PathFinder.find_spec(top, [str(folder)])
    qualified = top
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        qualified = f"{qualified}.{part}"
        spec = importlib.machinery.PathFinder.find_spec(qualified, list(spec.submodule_search_locations))
    return spec


def _names(file: Path) -> set[str]:
    """Return the names that a module's file binds at its top level, within ``if`` and ``try`` too."""
    names: set[str] = set()
    nodes: list[ast.AST] = [ast.parse(file.read_bytes())]
    while nodes:
        for node in ast.iter_child_nodes(nodes.pop()):
            names.update(_bound(node))
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.expr):
                nodes.append(node)
    return names


def _bound(node: ast.AST) -> list[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Name(id=name, ctx=ast.Store()):
            return [name]
        case ast.alias(name=name, asname=alias):
            return [alias or name.split(".")[0]]
    return []
