"""What an analysis needs and gives, as far as its source says it in so many words; nothing is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_NO_UNIT = ""


@dataclass(frozen=True, slots=True)
class AnalysisFacts:
    """What is known of an analysis.

    Attributes:
        gives: metric to the unit that it is given in; empty where the source does not say the unit.
        needs: signals that it reads.
        structure: whether it needs the structure of a pool's entry.
        same_name: whether each metric is taken from the signal of its name, in the signal's unit.
    """

    gives: Mapping[str, str]
    needs: frozenset[str] = field(default_factory=frozenset)
    structure: bool = False
    same_name: bool = False


_PATTERN = frozenset({"two_theta", "counts"})
BUILT_IN: Mapping[str, AnalysisFacts] = {
    "instruments.analyses.calcination:phase_fraction": AnalysisFacts({"phase_fraction": "1"}, _PATTERN),
    "instruments.analyses.diffraction:phase_fraction": AnalysisFacts({"phase_fraction": "1"}, _PATTERN, structure=True),
    "instruments.analyses.galvanostatic:discharge": AnalysisFacts(
        {"capacity": "mAh/g", "mean_voltage": "V"}, frozenset({"capacity", "voltage"})
    ),
    "instruments.analyses.repeated_readings:means": AnalysisFacts({}, same_name=True),
}
"""Athanor's own analyses whose readings have fixed names."""
PLAIN_READINGS = "instruments.analyses.plain_readings:metrics"
"""The one whose settings name the signals."""


def read_analysis(path: str, folder: Path | None) -> AnalysisFacts | None:
    """Return what is known of an analysis; None where its source does not say."""
    if path in BUILT_IN:
        return BUILT_IN[path]
    from campaigns.user_code.definitions import NoNameError, define  # a library that most campaigns need not
    from campaigns.user_code.module_files import NoModuleError
    from campaigns.user_code.object_kinds import HARMLESS

    try:
        found = define(path, folder)
    except (NoModuleError, NoNameError):
        return None
    if not found.module.is_source or found.found is None:
        return None
    tree = ast.parse(found.module.file.read_bytes())
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == found.name]
    plain = len(functions) == 1 and all(_called(one) in HARMLESS for one in functions[0].decorator_list)
    given = _given(functions[0]) if plain else None
    return None if given is None else AnalysisFacts(given)


def _given(function: ast.FunctionDef) -> dict[str, str] | None:
    """Return the metrics of all measurements that a function returns; None where one is not written out."""
    given: dict[str, str] = {}
    returned = list(_returned(function))
    for value in returned:
        match value:
            case ast.Call(func=ast.Name(id="Measurement"), args=[ast.Dict(keys=keys, values=values), *_]):
                names = [key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
                if len(names) != len(values):
                    return None
                given |= {name: _unit(one) for name, one in zip(names, values, strict=True)}
            case _:
                return None
    return given if returned else None


def _returned(function: ast.FunctionDef) -> Iterator[ast.expr | None]:
    nodes: list[ast.AST] = list(function.body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Return):
            yield node.value
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            nodes += ast.iter_child_nodes(node)


def _called(node: ast.expr) -> str:
    """Return the last part of the name that an expression is or calls; empty where it is neither."""
    match node:
        case ast.Call(func=function):
            return _called(function)
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


def _unit(value: ast.expr) -> str:
    """Return the unit of a metric's value where it is written out."""
    match value:
        case ast.Call() if _called(value) != "MetricValue":
            return _NO_UNIT
        case ast.Call(args=[_, _, ast.Constant(value=str(unit)), *_]):
            return unit
        case ast.Call(keywords=keywords):
            said = [k.value.value for k in keywords if k.arg == "unit" and isinstance(k.value, ast.Constant)]
            return str(said[0]) if said else _NO_UNIT
    return _NO_UNIT
