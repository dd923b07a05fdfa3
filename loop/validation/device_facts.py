"""What the source of a user's own instrument says of it: settings, limits, units, signals, and what it waits for.

Nothing is imported. What the source does not say in so many words is left to ``run``, which asks the device.
"""

from __future__ import annotations

import ast
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import griffe

from campaigns.errors import CampaignError
from campaigns.user_code.definitions import Definition
from campaigns.user_code.module_files import ForbiddenModuleError, Origin
from campaigns.user_code.object_kinds import INSTRUMENT
from campaigns.user_code.plain_devices import class_names
from instruments.built_in import BUILT_IN, InstrumentFacts, Setting

_BUILT_IN = {
    "instruments.devices.furnace.Furnace": "furnace",
    "instruments.devices.diffractometer.Diffractometer": "diffractometer",
    "instruments.devices.cycler.Cycler": "cycler",
}
_QUANTITY, _TEXT, _CHANNEL = (
    "instruments.job_instrument.Quantity",
    "instruments.job_instrument.text",
    "instruments.devices.epics_signal.Channel",
)
_POLLED = "instruments.devices.polled_instrument.PolledInstrument"
"""The base of those that are asked over a network."""
_COMPONENTS = {"Component", "Cpt", "FormattedComponent", "FCpt"}
_HARDWARE = {
    "caproto", "epics", "aioca", "p4p", "tango", "serial", "pyvisa", "visa", "usb", "hid", "can", "smbus", "spidev",
    "RPi", "nidaqmx", "minimalmodbus", "pymodbus", "pyModbusTCP", "socket", "requests", "httpx", "aiohttp", "urllib3",
    "paho", "zmq", "opcua", "asyncua", "sila2", "pylablib", "qcodes", "pymeasure", "instrumental",
}  # fmt: skip
"""Libraries that speak to something outside of the process."""
_READ_OTHERWISE = {"locate", "hints", "read", "read_attrs", "_default_read_attrs", "kind"}
"""Names in a class of devices by which others are read than its components, each as its kind says."""
_WAITS = {"sleep", "monotonic", "perf_counter", "Timer", "WallClock", "wait_for_connection"}
"""Names that wait for, or look at, the clock on the wall."""


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """What a device's source says.

    Attributes:
        known: settings with their limits, defaults and signals; None where the source does not say which there are.
        untold: settings whose limits only the device itself can tell.
        remote: what it reads over EPICS: component or base, and of which class.
        waits: what in its module waits for something that lab time knows nothing of.
        unsound: why it cannot state what it may be told; empty where nothing speaks against it.
        delay: shortest time after which it asks the lab's clock to be called [s]; 0 where that is not written out.
        places: how many samples one job takes; None where the source does not say it.
    """

    known: InstrumentFacts | None
    untold: tuple[str, ...]
    remote: str
    waits: tuple[str, ...]
    delay: float = 0.0
    unsound: str = ""
    places: int | None = None


def read_device(definition: Definition) -> DeviceFacts:
    """Return what the source of a job instrument says of it."""
    members, kind, remote = _members(definition)
    base = BUILT_IN[kind] if kind else InstrumentFacts({})
    names = _literal(members.get("settings"), tuple(base.settings))
    defaults = _literal(members.get("defaults"), dict(base.defaults))
    remote = remote or next((f"{name} is a {of}" for name, one in members.items() if (of := _remote(one))), "")
    told = isinstance(names, tuple | list) and isinstance(defaults, Mapping)
    if not told or not definition.is_class or _altered(definition):
        return DeviceFacts(None, (), remote, _waits(definition), _delay(definition))
    moved = _reset(definition, names)
    said = {name: _setting(members.get(name), base.settings.get(name)) for name in names}
    known = {name: None if name in moved else one for name, one in said.items()}
    settings = {name: one for name, one in known.items() if one is not None}
    untold = tuple(name for name, one in known.items() if one is None)
    signals = base.signals | {name for name, one in members.items() if _is_component(one)}
    own = _of_places(definition, members, "own", ())
    common = frozenset({*names, *signals} - {*own}) if own else frozenset()
    facts = InstrumentFacts({**dict.fromkeys(untold, Setting()), **settings}, defaults, frozenset(signals), common)
    there = {*base.settings, *_bound(definition)}
    unsound = "; ".join(filter(None, (_unsound(name, members.get(name), there) for name in names)))
    places = _of_places(definition, members, "place_count", 1)
    known_places = places if isinstance(places, int) else None
    return DeviceFacts(facts, untold, remote, _waits(definition), _delay(definition), unsound, known_places)


def runs_jobs(definition: Definition) -> bool:
    """Return whether a class derives from the base of all job instruments."""
    ancestors = definition.ancestors() if definition.is_class else ()
    return any(isinstance(one, Definition) and one.path == INSTRUMENT for one in ancestors)


def component_classes(definition: Definition | None) -> dict[str, str] | None:
    """Return the components of a device's class, and where the class of each is defined; None where that is unknown.

    A class counts as known if all that it derives from can be read, or is ophyd's ``Device`` itself.
    """
    if definition is None or not isinstance(definition.found, griffe.Class) or _altered(definition):
        return None
    for ancestor in definition.ancestors():
        if isinstance(ancestor, str) and ancestor.rsplit(".", maxsplit=1)[-1] != "Device":
            return None
        if isinstance(ancestor, Definition) and ancestor.path.split(".")[0] in ("ophyd", "ophyd_async"):
            return None
    members, _, _ = _members(definition)
    found = {name: one for name, one in members.items() if _is_component(one)}
    paths = {name: _call(one)[1] for name, one in found.items()}
    return {name: _path(found[name][0], given[0]) if given else "" for name, given in paths.items()}


def component_names(definition: Definition) -> list[str]:
    """Return the names of the components of a device's class that can be read."""
    return [name for name, one in _members(definition)[0].items() if _is_component(one)]


def parts_read(definition: Definition) -> list[str]:
    """Return the components that Bluesky looks among for a device's position; empty where only the device can tell."""
    names = class_names(definition)
    members, _, _ = _members(definition)
    if names is None or not names.isdisjoint(_READ_OTHERWISE):
        return []
    kinds = {name: _call(one)[2].get("kind", "").lower() for name, one in members.items() if _is_component(one)}
    hinted = [name for name, kind in kinds.items() if "hinted" in kind]
    return hinted or [name for name, kind in kinds.items() if "config" not in kind and "omitted" not in kind]


def component_definition(definition: Definition, name: str) -> Definition | None:
    """Return the class of a component of a device's class; None where its source cannot be read."""
    member = _members(definition)[0].get(name)
    given = [] if member is None else _call(member)[1]
    try:
        found = member[0].follow(given[0]) if member is not None and given else None
    except (ForbiddenModuleError, CampaignError):
        return None
    return found if found is not None and isinstance(found.found, griffe.Class) else None


def bound_names(definition: Definition) -> set[str]:
    """Return the names that the classes of a device bind, as far as they can be read."""
    return set(_bound(definition))


_Member = tuple[Definition, griffe.Attribute]


def _members(definition: Definition) -> tuple[dict[str, _Member], str, str]:
    """Return what the class and its bases assign, the built-in kind that it derives from, and a base over EPICS."""
    found: dict[str, _Member] = {}
    remote = ""
    for ancestor in definition.ancestors():
        if isinstance(ancestor, str):
            remote = remote or (f"it derives from {ancestor}" if _speaks_epics(ancestor) else "")
            continue
        if ancestor.path == _POLLED:
            remote = remote or "it derives from PolledInstrument"
        if ancestor.path in _BUILT_IN or ancestor.path == INSTRUMENT:
            return found, _BUILT_IN.get(ancestor.path, ""), remote
        attributes = ancestor.found.members if isinstance(ancestor.found, griffe.Class) else {}
        for name, member in attributes.items():
            if isinstance(member, griffe.Attribute):
                found.setdefault(name, (ancestor, member))
    return found, "", remote


def _literal(member: _Member | None, otherwise: Any) -> Any:
    """Return the value of a class attribute, or None where it is no literal."""
    if member is None:
        return otherwise
    return _evaluated(member[1].value)


def _evaluated(expression: object) -> Any:
    """Return the value of an expression, or None where it is no literal."""
    text = str(expression)
    for wrapper in ("frozenset", "tuple", "dict", "MappingProxyType"):
        if text.startswith(f"{wrapper}(") and text.endswith(")"):
            text = text[len(wrapper) + 1 : -1] or "()"
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None


def _call(member: _Member) -> tuple[str, list[Any], dict[str, str]]:
    """Return what a class attribute calls, with positional arguments, and keywords as text."""
    value = member[1].value
    if not isinstance(value, griffe.ExprCall):
        return "", [], {}
    positional = [one for one in value.arguments if not isinstance(one, griffe.ExprKeyword)]
    keywords = {one.name: str(one.value) for one in value.arguments if isinstance(one, griffe.ExprKeyword)}
    return str(value.function.canonical_path), positional, keywords


def _is_component(member: _Member) -> bool:
    called, _, _ = _call(member)
    return called.rsplit(".", maxsplit=1)[-1] in _COMPONENTS or called == _TEXT


def _setting(member: _Member | None, otherwise: Setting | None) -> Setting | None:
    """Return what a setting may be, or None where only the device can tell."""
    if member is None:
        return otherwise
    called, positional, keywords = _call(member)
    if called != _TEXT and not (positional and _path(member[0], positional[0]) == _QUANTITY):
        return None
    try:
        said = {key: ast.literal_eval(keywords[key]) for key in ("unit", "limits", "choices") if key in keywords}
        return Setting(**said)
    except (ValueError, SyntaxError, TypeError):
        return None


def _altered(definition: Definition) -> bool:
    """Return whether one of a device's classes is changed after its body."""
    return any(isinstance(one, Definition) and one.changed() for one in definition.ancestors())


def _reset(definition: Definition, names: Sequence[str]) -> set[str]:
    """Return the settings whose limits or units the device's classes state or set themselves."""
    nodes = [n for _, found in _sources(definition) for one in found for n in ast.walk(one)]
    if any(isinstance(n, ast.FunctionDef) and n.name in ("limits", "unit_of") for n in nodes):
        return set(names)
    stored = [n for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)]
    return {n.value.attr for n in stored if isinstance(n.value, ast.Attribute)} | {n.attr for n in stored}


def _bound(definition: Definition) -> Iterator[str]:
    """Yield the names that a device's classes bind in any way."""
    for ancestor in definition.ancestors():
        if isinstance(ancestor, Definition) and ancestor.module.is_source:
            yield from ancestor.bound()


def _of_places(definition: Definition, members: Mapping[str, _Member], attribute: str, otherwise: Any) -> Any:
    """Return what a device's classes say of its places; None where the source does not say that in so many words.

    Args:
        definition: of the device.
        members: what its classes assign.
        attribute: of the class, or the argument of ``with_places`` that becomes it.
        otherwise: what holds where no class says anything.
    """
    argument = {"place_count": "capacity"}.get(attribute, attribute)
    for ancestor in definition.ancestors():
        if isinstance(ancestor, str):
            return None
        if ancestor.path == INSTRUMENT:
            return otherwise
        if placed := ancestor.placed():
            return _evaluated(placed.get(argument))
        if attribute in ancestor.bound():
            return _literal(members.get(attribute), None)
    return None


def _unsound(name: str, member: _Member | None, there: Container[str]) -> str:
    """Return why an instrument cannot state what one of its settings may be; empty where that is not known."""
    advice = f"write {name} = Component(instruments.job_instrument.Quantity, unit=..., limits=(..., ...))"
    if member is None:
        return "" if name in there else f"its setting {name} is no signal that it has; {advice}"
    called, positional, _ = _call(member)
    path = _path(member[0], positional[0]) if positional else ""
    if called.rsplit(".", maxsplit=1)[-1] in _COMPONENTS and path in ("ophyd.Signal", "ophyd.signal.Signal"):
        return f"its setting {name} is a plain ophyd Signal, which states neither unit nor limits; {advice}"
    return ""


def _path(definition: Definition, expression: Any) -> str:
    """Return where the class that an expression names is defined; its name where that is out of reach."""
    written = str(getattr(expression, "canonical_path", ""))
    if written.split(".")[0] in ("ophyd", "ophyd_async"):
        return written
    try:
        found = definition.follow(expression)
    except ForbiddenModuleError:
        return written
    return written if found is None else found.path


def _remote(member: _Member) -> str:
    """Return the class of a component that is read over EPICS; empty where it is not."""
    called, positional, _ = _call(member)
    if called.rsplit(".", maxsplit=1)[-1] not in _COMPONENTS or not positional:
        return ""
    path = _path(member[0], positional[0])
    if _speaks_epics(path):
        return path
    try:
        found = member[0].follow(positional[0])
    except (ForbiddenModuleError, CampaignError):
        return ""
    if found is None or not isinstance(found.found, griffe.Class) or path == _QUANTITY:
        return ""
    inner, _, base = _members(found)
    return path if base or any(_remote(one) for one in inner.values()) else ""


def _speaks_epics(path: str) -> bool:
    """Return whether a class of ophyd, or the one of ours, reads process variables."""
    if path == _CHANNEL or path.startswith("ophyd.areadetector"):
        return True
    return path.startswith("ophyd") and "epics" in path.lower() and "fake" not in path.lower()


def _waits(definition: Definition) -> tuple[str, ...]:
    """Return what a device's own classes use, and their modules import, that waits for the world outside."""
    found: list[str] = []
    for module, classes in _sources(definition):
        found += _imports(module)
        found += [name for one in classes for name in _names(one) if name in _WAITS]
    return tuple(dict.fromkeys(found))


def _sources(definition: Definition) -> Iterator[tuple[ast.Module, list[ast.ClassDef]]]:
    """Yield the modules and classes of the user's own that a device is made of."""
    for ancestor in definition.ancestors():
        if isinstance(ancestor, Definition) and ancestor.module.origin is Origin.OWN and ancestor.module.is_source:
            tree = ast.parse(ancestor.module.file.read_bytes())
            yield tree, [n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == ancestor.name]


def _delay(definition: Definition) -> float:
    """Return the shortest delay that a device's classes ask of the lab's clock, where all are numbers or products."""
    classes = [one for _, found in _sources(definition) for one in found]
    calls = [n for one in classes for n in ast.walk(one) if isinstance(n, ast.Call) and n.args]
    asked = [n.args[0] for n in calls if isinstance(n.func, ast.Attribute) and n.func.attr == "call_later"]
    return min((_product(one) for one in asked), default=0.0)


def _product(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _product(left) * _product(right)
    return 0.0


def _imports(tree: ast.AST) -> list[str]:
    """Return the libraries of hardware that a module imports, anywhere in it."""
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
    return [name for name in found if name.split(".")[0] in _HARDWARE]


def _names(tree: ast.AST) -> list[str]:
    nodes = list(ast.walk(tree))
    return [n.attr for n in nodes if isinstance(n, ast.Attribute)] + [n.id for n in nodes if isinstance(n, ast.Name)]
