"""Whether a function is a Bluesky plan that a station can call, from its source: arguments, types, what it yields."""

from __future__ import annotations

import ast
from collections.abc import Mapping

import griffe

from campaigns.errors import suggestion
from campaigns.user_code.definitions import Definition
from campaigns.user_code.module_files import Origin

_TEXT, _NUMBERS = "str", ("float", "int")
_VARIADIC = (griffe.ParameterKind.var_positional, griffe.ParameterKind.var_keyword)


def no_plan(definition: Definition, given: Mapping[str, object]) -> str:
    """Return why something is no plan that a station can call; empty if it is.

    Args:
        definition: of what is named.
        given: argument to the setpoint that it is, or to None: a device, the token, the sample.
    """
    function = definition.found
    if not isinstance(function, griffe.Function):
        return "is a class; needed: a generator function of Bluesky messages (MsgGenerator)"
    if definition.module.origin is not Origin.OWN and "MsgGenerator" not in str(function.returns):
        return f"is a function of {definition.module.name} that does not say that it returns a MsgGenerator"
    if definition.module.origin is Origin.OWN and not _gives_messages(definition):
        return "neither yields messages nor returns a plan; write 'yield from ...' in it"
    wrapped = bool(function.decorators)
    return "" if wrapped and not list(function.parameters) else _arguments(function, given)


def _arguments(function: griffe.Function, given: Mapping[str, object]) -> str:
    takes = {p.name: p for p in function.parameters if p.kind not in _VARIADIC}
    anything = any(p.kind is griffe.ParameterKind.var_keyword for p in function.parameters)
    for name, parameter in takes.items():
        if parameter.default is None and name not in given:
            advice = f"add it to setpoints or devices{suggestion(name, given)}"
            return f"needs {name}, which nothing gives; {advice}; given: {', '.join(given)}"
    for name, setpoint in given.items():
        if setpoint is None:
            continue
        if name not in takes and not anything:
            return f"takes no {name}{suggestion(name, takes)}; it takes {', '.join(takes) or 'nothing'}"
        said = str(takes[name].annotation or "") if name in takes else ""
        is_text = bool(getattr(setpoint, "choices", ()))
        if (said == _TEXT and not is_text) or (said in _NUMBERS and is_text):
            return f"takes {name} as {said}, and the setpoint {name} is a {'text' if is_text else 'number'}"
    return ""


def _gives_messages(definition: Definition) -> bool:
    """Return whether a function yields, or returns something, as far as its source says."""
    tree = ast.parse(definition.module.file.read_bytes())
    found = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == definition.name]
    nodes = [n for one in found for n in ast.walk(one)]
    return not found or any(
        isinstance(n, ast.Yield | ast.YieldFrom) or (isinstance(n, ast.Return) and n.value is not None) for n in nodes
    )
