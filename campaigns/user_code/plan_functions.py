"""Whether a function is a Bluesky plan that a station can call, from its source: arguments, types, what it yields."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

import griffe

from campaigns.errors import suggestion
from campaigns.user_code.annotations import Given, is_whole, taken
from campaigns.user_code.definitions import Definition
from campaigns.user_code.dotted_paths import BY_THE_WAY, SAMPLES
from campaigns.user_code.module_files import Origin

_PLAN_MODULES = ("bluesky.plan_stubs", "bluesky.plans")
_ARE_SAMPLES = "are a Sequence[instruments.load_samples.LoadSample]"
_TAKE_SAMPLES = f"add the argument {SAMPLES}, which {_ARE_SAMPLES}"
_VARIADIC = (griffe.ParameterKind.var_positional, griffe.ParameterKind.var_keyword)


def no_plan(definition: Definition, given: Mapping[str, object]) -> str:
    """Return why something is no plan that a station can call; empty if it is.

    Args:
        definition: of what is named.
        given: argument to the setpoint that it is, or to None: a device, the token, the sample or samples.
    """
    function = definition.found
    if not isinstance(function, griffe.Function):
        return "is a class; needed: a generator function of Bluesky messages (MsgGenerator)"
    if "async" in function.labels:
        return "is async, and Bluesky awaits no plan; write 'def', and 'yield from bps.wait_for([...])' where it waits"
    if definition.module.origin is not Origin.OWN and "MsgGenerator" not in str(function.returns):
        return f"is a function of {definition.module.name} that does not say that it returns a MsgGenerator"
    if definition.module.origin is Origin.OWN and (why := _no_messages(definition)):
        return why
    wrapped = bool(function.decorators)
    return "" if wrapped and not list(function.parameters) else _arguments(definition, function, given)


def whole_arguments(definition: Definition) -> list[str]:
    """Return the arguments of a plan that take whole numbers alone."""
    function = definition.found
    parameters = function.parameters if isinstance(function, griffe.Function) else ()
    return [one.name for one in parameters if is_whole(str(one.annotation or ""))]


def _arguments(definition: Definition, function: griffe.Function, given: Mapping[str, object]) -> str:
    takes = {p.name: p for p in function.parameters if p.kind not in _VARIADIC}
    anything = any(p.kind is griffe.ParameterKind.var_keyword for p in function.parameters)
    for name, parameter in takes.items():
        if parameter.default is None and name not in given:
            return f"needs {name}, which nothing gives; {_advice(name, given)}; given: {', '.join(given)}"
    if SAMPLES in given and SAMPLES not in takes and not anything:
        return f"takes no {SAMPLES}, which are several with this capacity; {_TAKE_SAMPLES}, or remove capacity"
    for name, setpoint in given.items():
        if setpoint is not None and name not in takes and not anything:
            return f"takes no {name}{suggestion(name, takes)}; it takes {', '.join(takes) or 'nothing'}"
    own = definition.module.origin is Origin.OWN
    module = ast.parse(definition.module.file.read_bytes()) if own else None
    for name, parameter in takes.items():
        if name in given and parameter.kind is griffe.ParameterKind.positional_only:
            return f"takes {name} by position alone, and is given it by name; remove the '/' after it"
        said = str(parameter.annotation or "")
        if name in given and (what := _what(name, given[name])) not in taken(said, module):
            of = "the setpoint " if given[name] is not None else ""
            are = _ARE_SAMPLES if what is Given.SAMPLES else f"is a {what}"
            return f"takes {name} as {said}, and {of}{name} {are}"
    return ""


def _advice(name: str, given: Mapping[str, object]) -> str:
    if name == SAMPLES:
        return "add a capacity above 1 to its station"
    if name == "sample":
        return f"with this capacity there are several; {_TAKE_SAMPLES}"
    shared = ", or to shared if it is one of setpoints" if SAMPLES in given else ""
    return f"add it to setpoints or devices{shared}{suggestion(name, given)}"


def _what(name: str, setpoint: object) -> Given:
    """Return what an argument is given: the value of a setpoint, what is given by the way, or a device."""
    if setpoint is None:
        return Given.SAMPLES if name == SAMPLES else Given.TEXT if name in BY_THE_WAY else Given.DEVICE
    return Given.TEXT if getattr(setpoint, "choices", ()) else Given.NUMBER


def _no_messages(definition: Definition) -> str:
    """Return why a function gives no messages, or not all that it makes, as far as its source says; else empty."""
    tree = ast.parse(definition.module.file.read_bytes())
    for function in (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == definition.name):
        inner = list(_inside(function))
        if not any(map(_gives, inner)):
            return "neither yields messages nor returns a plan; write 'yield from ...' in it"
        if not _yields(function) and (useless := _useless([n for n in inner if isinstance(n, ast.Return)])):
            return useless
        plans = _plan_modules(tree), {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and _yields(n)}
        for node in ast.walk(function):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _is_plan(node.value.func, *plans):
                called = ast.unparse(node.value.func)
                return f"calls {called} in line {node.lineno} and drops what it gives; write 'yield from {called}(...)'"
    return ""


def _inside(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Yield what stands in a function, without what stands in functions within it."""
    waiting = list[ast.AST](function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting += ast.iter_child_nodes(node)


def _gives(node: ast.AST) -> bool:
    return isinstance(node, ast.Yield | ast.YieldFrom) or (isinstance(node, ast.Return) and node.value is not None)


def _useless(returns: Sequence[ast.Return]) -> str:
    """Return that nothing of what a function returns can be a plan; empty where it can."""
    values = [one.value for one in returns if one.value is not None]
    if not all(map(_is_plain, values)):
        return ""
    shown = ast.unparse(values[0])
    return f"returns {shown} in line {values[0].lineno}, which is no plan; write 'yield from ...' in it"


def _is_plain(value: ast.expr) -> bool:
    """Return whether an expression gives a plain value, and no messages."""
    if isinstance(value, ast.List | ast.Tuple):
        return all(map(_is_plain, value.elts))
    if isinstance(value, ast.BinOp):
        return _is_plain(value.left) and _is_plain(value.right)
    return isinstance(value, ast.Constant | ast.JoinedStr | ast.Dict | ast.Set | ast.Compare | ast.Lambda | ast.UnaryOp)


def _yields(function: ast.FunctionDef) -> bool:
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in _inside(function))


def _plan_modules(tree: ast.Module) -> set[str]:
    """Return the names by which a module calls Bluesky's modules of plans, and the plans that it imports from them."""
    found = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {one.asname or one.name for one in node.names if one.name in _PLAN_MODULES}
        elif isinstance(node, ast.ImportFrom) and node.module == "bluesky":
            found |= {one.asname or one.name for one in node.names if f"bluesky.{one.name}" in _PLAN_MODULES}
        elif isinstance(node, ast.ImportFrom) and node.module in _PLAN_MODULES:
            found |= {one.asname or one.name for one in node.names}
    return found


def _is_plan(called: ast.expr, bluesky: set[str], own: set[str]) -> bool:
    """Return whether what is called is a plan of Bluesky's, or a generator function beside it."""
    if isinstance(called, ast.Attribute):
        return ast.unparse(called.value) in bluesky
    return isinstance(called, ast.Name) and called.id in bluesky | own
