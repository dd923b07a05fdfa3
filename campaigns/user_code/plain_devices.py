"""What is known of plain ophyd devices that a dotted path names, from source files: nothing is imported."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache

import griffe

from campaigns.errors import suggestion
from campaigns.user_code.definitions import Definition
from campaigns.user_code.module_files import ForbiddenModuleError

_SIMULATED = "ophyd.sim"
"""The module whose devices are made by one of its functions, and put among its names when it is imported."""
_MAKER = "hw"
_FILE_WRITERS = ("StandardDetector", "AreaDetector", "StandardFlyer")


def is_ophyd(path: str) -> bool:
    """Return whether a dotted name is of ophyd, or of ophyd-async."""
    return path.split(".")[0] in ("ophyd", "ophyd_async")


def writes_files(path: str) -> bool:
    """Return whether a dotted name is of ophyd-async's detectors, whose data are in files, and not in an event."""
    return path.split(".")[0] == "ophyd_async" and path.rsplit(".", maxsplit=1)[-1] in _FILE_WRITERS


def is_simulated(definition: Definition) -> bool:
    """Return whether a name is of the module that has ophyd's simulated devices."""
    return definition.module.name == _SIMULATED


def no_simulated(definition: Definition) -> str:
    """Return that ophyd has no simulated device of a name; empty if it has."""
    known = _simulated(definition)
    if definition.name in known:
        return ""
    classes = _classes(definition.module.file.read_text(encoding="utf-8")) if definition.module.is_source else ()
    return f"is no device of {_SIMULATED}{suggestion(definition.name, [*known, *classes])}"


def class_made(definition: Definition) -> Definition | None:
    """Return the class of a device that a module makes, where its source says that in so many words."""
    value = definition.found.value if isinstance(definition.found, griffe.Attribute) else None
    if not isinstance(value, griffe.ExprCall):
        return None
    try:
        found = definition.follow(value.function)
    except ForbiddenModuleError:
        return None
    return found if found is not None and isinstance(found.found, griffe.Class) else None


def class_path(definition: Definition) -> str:
    """Return the dotted name of a device's class; empty where the source does not say it."""
    if is_simulated(definition) and not isinstance(definition.found, griffe.Class):
        made = _simulated(definition).get(definition.name, "")
        return f"{_SIMULATED}.{made}" if made else ""
    of = definition if isinstance(definition.found, griffe.Class) else class_made(definition)
    return "" if of is None else of.path


def _simulated(definition: Definition) -> Mapping[str, str]:
    file = definition.module.file
    return _made(file.read_text(encoding="utf-8")) if definition.module.is_source else {}


@cache
def _classes(source: str) -> tuple[str, ...]:
    return tuple(node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef))


@cache
def _made(source: str) -> Mapping[str, str]:
    """Return the names that ophyd's maker of simulated devices gives, and what each is made by."""
    makers = [n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef) and n.name == _MAKER]
    assigned = [n for one in makers for n in ast.walk(one) if isinstance(n, ast.Assign)]
    return {
        target.id: node.value.func.id
        for node in assigned
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name)
    }
