"""What is known of plain ophyd devices that a dotted path names, from source files: nothing is imported."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache

import griffe

from campaigns.errors import suggestion
from campaigns.user_code.definitions import Definition, NoNameError, define
from campaigns.user_code.module_files import ForbiddenModuleError, NoModuleError, Origin

_SIMULATED = "ophyd.sim"
"""The module whose devices are made by one of its functions, and put among its names when it is imported."""
_MAKER = "hw"
_FILE_WRITERS = ("StandardDetector", "AreaDetector", "StandardFlyer")
_DEVICES = ("ophyd.device.Device", "ophyd.Device")
_EMPTY = ("object", "abc.ABC", "typing.Generic", "typing.Protocol", *_DEVICES)
"""Bases that have no parts, and nothing to set."""
_BASE = "ophyd.ophydobj.OphydObject"


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
        made = class_of(definition)
        return "" if made is None or _is_device(made) else f"is a {made.name}, which is neither a device nor a signal"
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


def class_of(definition: Definition) -> Definition | None:
    """Return the class of a device, or the class that is named; None where the source does not say it."""
    if isinstance(definition.found, griffe.Class):
        return definition
    if not is_simulated(definition):
        return class_made(definition)
    made = _simulated(definition).get(definition.name, "")
    return _class_named(f"{_SIMULATED}.{made}", definition) if made else None


def class_path(definition: Definition) -> str:
    """Return the dotted name of a device's class; empty where the source does not say it."""
    if is_simulated(definition) and not isinstance(definition.found, griffe.Class):
        made = _simulated(definition).get(definition.name, "")
        return f"{_SIMULATED}.{made}" if made else ""
    of = definition if isinstance(definition.found, griffe.Class) else class_made(definition)
    return "" if of is None else of.path


def class_names(definition: Definition) -> frozenset[str] | None:
    """Return what a device's class and its bases have, those of ophyd too; None where one of them cannot be read."""
    names: set[str] = set()
    for base in _lineage(definition):
        if base in _EMPTY:
            continue
        if isinstance(base, str) or not isinstance(base.found, griffe.Class) or base.changed():
            return None
        names.update(base.found.members, base.bound() if base.module.origin is Origin.OWN else ())
    return None if "__getattr__" in names else frozenset(names)


def _is_device(definition: Definition) -> bool:
    """Return whether a class of ophyd's is one of devices, or signals: there are such too as merely look like one."""
    return any(one in _DEVICES or getattr(one, "path", "") == _BASE for one in _lineage(definition))


def _lineage(definition: Definition) -> list[Definition | str]:
    """Return a class and all that it derives from, in no order; names of what cannot be read."""
    found: list[Definition | str] = []
    waiting: list[Definition | str] = [definition]
    for base in waiting:
        known = _class_named(base, definition) if isinstance(base, str) and is_ophyd(base) else None
        found.append(base if known is None or base in _EMPTY else known)
        if isinstance(found[-1], Definition):
            waiting += found[-1].bases()
    return found


def _class_named(path: str, beside: Definition) -> Definition | None:
    """Return the class of a dotted name; None where its source cannot be read."""
    module, _, name = path.rpartition(".")
    try:
        found = define(f"{module}:{name}", beside.folder)
    except (NoModuleError, NoNameError, ForbiddenModuleError):
        return None
    return found if isinstance(found.found, griffe.Class) else None


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
    inner = [n for one in makers for n in ast.walk(one)]
    named = [(one, n.value) for n in inner if isinstance(n, ast.Assign) for one in n.targets]
    given = [n for one in inner if isinstance(one, ast.Return) for n in ast.walk(one) if isinstance(n, ast.keyword)]
    made = [(target.id, value) for target, value in named if isinstance(target, ast.Name)]
    made += [(one.arg, one.value) for one in given if one.arg]
    return {
        name: value.func.id for name, value in made if isinstance(value, ast.Call) and isinstance(value.func, ast.Name)
    }
