"""What each key of a campaign file that names Python code wants, and whether an object is that, without running it.

Code of the user's own has to fit by its class or its arguments. What a library or Athanor itself holds must also say
what it gives: its functions declare it in their annotations. So no campaign file can call ``pip:main`` and the like.
"""

from __future__ import annotations

import ast
import sys
import tokenize
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import griffe

from campaigns.errors import suggestion
from campaigns.user_code.definitions import Definition
from campaigns.user_code.module_files import ForbiddenModuleError, Origin
from campaigns.user_code.plain_devices import class_made, is_ophyd, is_simulated, no_simulated, writes_files
from campaigns.user_code.plan_functions import no_plan
from campaigns.user_code.results import fruitless

INSTRUMENT = "instruments.job_instrument.JobInstrument"
CONTEXT = "instruments.analyses.context.AnalysisContext"
IN_UNIT = "surrogates.pools.pool.in_unit"
_DUTIES = ("has_job", "start", "progress")
"""Methods that a user-defined job instrument needs."""
_DEVICE_SETTINGS = ("prefix", "kind", "read_attrs", "configuration_attrs", "labels", "connection_timeout")
"""Arguments of an ophyd device that a campaign file may give."""
HARMLESS = {"reads", "in_unit", "cache", "lru_cache"}
"""Decorators that leave alone what a function takes and gives."""
_GIVEN = ("name", "clock", "job_memory")
"""Arguments of a device that its station gives."""


_BY_POSITION = (griffe.ParameterKind.positional_only, griffe.ParameterKind.positional_or_keyword)
_SEQUENCES = ("list", "List", "Sequence")
_VARIADIC = (griffe.ParameterKind.var_positional, griffe.ParameterKind.var_keyword)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a key wants.

    Attributes:
        words: for people.
        arguments: how many arguments it is called with, by position.
        returns: dotted name of the class that it gives.
        members: what an object of another class must have to stand for that one.
        parts: dotted name of a class of which a list will do.
    """

    words: str
    arguments: int
    returns: str
    members: tuple[str, ...] = ()
    parts: str = ""


class ObjectKind(Enum):
    """The kinds of Python object that a campaign file names."""

    DEVICE = _Wanted(
        "a class that derives from instruments.job_instrument:JobInstrument, a class of ophyd devices, or a device",
        0,
        INSTRUMENT,
    )
    LAB = _Wanted(
        "a function without arguments that returns an instruments.lab:Lab",
        0,
        "instruments.lab.Lab",
        ("clock", "instrument", "close"),
    )
    ANALYSIS = _Wanted(
        "a function of data and context that returns a campaigns.values:Measurement", 2, "campaigns.values.Measurement"
    )
    PREDICTOR = _Wanted(
        "a function of a pool, decorated with surrogates.pools.pool:in_unit", 1, "", ("unit", "__call__")
    )
    POOL = _Wanted(
        "a function without arguments that returns a surrogates.pools.pool:Pool", 0, "surrogates.pools.pool.Pool"
    )
    FEATURES = _Wanted(
        "a class with name, version and evaluate(structures), or a function that returns an object of one",
        0,
        "",
        ("name", "version", "evaluate"),
    )
    COMPUTATION = _Wanted(
        "a function of candidate and structure that returns a campaigns.values:MetricValue",
        2,
        "campaigns.values.MetricValue",
    )
    EXPERIMENT = _Wanted(
        "a function without arguments that returns simulators.simulated_experiment:SimulatedExperiment",
        0,
        "simulators.simulated_experiment.SimulatedExperiment",
    )
    MODEL = _Wanted(
        "a BoTorch model class, or a function of train_X, train_Y and train_Yvar that returns a botorch.models:Model",
        3,
        "botorch.models.model.Model",
        ("posterior",),
    )
    STRATEGY = _Wanted(
        "a function of an ax.core.experiment:Experiment that returns a GenerationStrategy, or a list of its nodes",
        1,
        "ax.generation_strategy.generation_strategy.GenerationStrategy",
        parts="ax.generation_strategy.generation_node.GenerationNode",
    )

    PLAN = _Wanted("a generator function of Bluesky messages (MsgGenerator)", 0, "bluesky.utils.MsgGenerator")
    SUSPENDER = _Wanted(
        "a function without arguments that returns a Bluesky suspender", 0, "bluesky.suspenders.SuspenderBase"
    )
    CALLBACK = _Wanted(
        "a function of name and document, an object that can be called so, or a class of such that takes no arguments",
        2,
        "",
        ("__call__",),
    )

    @property
    def words(self) -> str:
        """What is wanted, for people."""
        return self.value.words

    @property
    def arguments(self) -> int:
        """How many arguments it is called with, by position."""
        return self.value.arguments


def misfit(definition: Definition, kind: ObjectKind, settings: Mapping[str, object]) -> str:
    """Return why an object is not of the kind that a key wants; empty if it is, or if only running it could tell.

    Args:
        definition: of the object.
        kind: what is wanted.
        settings: keyword arguments that it will be given.

    Raises:
        ForbiddenModuleError: it derives from something out of bounds.
    """
    if kind is ObjectKind.DEVICE:
        return _no_device(definition, settings)
    if definition.found is None or isinstance(definition.found, griffe.Attribute):
        return _undecidable(definition)
    if kind is ObjectKind.PLAN:
        return no_plan(definition, settings)
    if isinstance(definition.found, griffe.Class):
        return _class(definition, kind, settings)
    if definition.module.origin is Origin.OWN and _is_wrapped(definition.found) and kind is not ObjectKind.PREDICTOR:
        return ""
    if trouble := _arguments(definition.found.parameters, kind.arguments, settings):
        return f"{_called(definition)} {trouble}; needed: {kind.words}"
    gives = kind not in (ObjectKind.PREDICTOR, ObjectKind.CALLBACK)
    if gives and (trouble := fruitless(definition, lists=bool(kind.value.parts))):
        return f"{_called(definition)} {trouble}; needed: {kind.words}"
    if kind is ObjectKind.PREDICTOR:
        return _without_unit(definition)
    return "" if definition.module.origin is Origin.OWN else _misled(definition, kind) or _undeclared(definition, kind)


def _is_wrapped(function: griffe.Function) -> bool:
    """Return whether a decorator may make something else of a function."""
    names = [str(one.callable_path).rsplit(".", maxsplit=1)[-1] for one in function.decorators]
    return any(name not in HARMLESS for name in names)


def _undecidable(definition: Definition) -> str:
    """Return that what is not of the user's own must be recognisable without running it; constants never fit."""
    found = definition.found
    if isinstance(found, griffe.Attribute) and _is_constant(found):
        return f"is {found.value}, which is no code"
    if definition.module.origin is Origin.OWN:
        return ""
    return f"is nothing that can be told without running {definition.module.name}; name it where it is defined"


def _is_constant(found: griffe.Attribute) -> bool:
    value = found.value
    return isinstance(value, str) and value != "None"


def _called(definition: Definition) -> str:
    kind = "class" if isinstance(definition.found, griffe.Class) else "function"
    return f"is a {kind} that"


def _no_device(definition: Definition, settings: Mapping[str, object]) -> str:
    """Return why an object is neither a class of devices nor a device."""
    if isinstance(definition.found, griffe.Function):
        return "is a function, no class"
    if definition.is_class:
        return _no_device_class(definition) or _unknown_settings(definition, settings)
    if is_simulated(definition):
        return no_simulated(definition) or _takes_none(settings)
    made = class_made(definition)
    if made is None:
        return _undecidable(definition)
    if _is_job_instrument(made):
        return f"is a JobInstrument that was made without the lab's clock; name its class, {made.name}"
    return _no_device_class(made) or _takes_none(settings)


def _takes_none(settings: Mapping[str, object]) -> str:
    return f"is a device, and no class that takes settings; remove {', '.join(settings)}" if settings else ""


def _is_job_instrument(definition: Definition) -> bool:
    return any(isinstance(one, Definition) and one.path == INSTRUMENT for one in definition.ancestors())


def _no_device_class(definition: Definition) -> str:
    """Return why a class is neither one of job instruments nor of ophyd devices."""
    names: set[str] = set()
    plain = False
    for ancestor in definition.ancestors():
        if isinstance(ancestor, str):
            if writes_files(ancestor):
                return f"is a {ancestor}, which writes its data to files; bind what has its readings in an event"
            plain = plain or is_ophyd(ancestor)
            if is_ophyd(ancestor) or ancestor.split(".")[0] in sys.stdlib_module_names:
                continue
            return "" if definition.module.origin is Origin.OWN else f"derives from {ancestor}, which cannot be read"
        if ancestor.path == INSTRUMENT:
            lacking = [name for name in _DUTIES if name not in names]
            if any(isinstance(one, Definition) and one.changed() for one in definition.ancestors()):
                return ""
            return f"derives from JobInstrument, but has no {' and no '.join(lacking)}" if lacking else ""
        names.update(ancestor.found.members if isinstance(ancestor.found, griffe.Class) else ())
    if plain:
        return ""
    bases = [one if isinstance(one, str) else one.path for one in definition.bases()]
    what = f"is a {bases[0]}" if bases else "derives from nothing"
    return f"{what}, which is no device; needed: {ObjectKind.DEVICE.words}"


def _unknown_settings(definition: Definition, settings: Mapping[str, object]) -> str:
    for name in _GIVEN:
        if name in settings:
            return f"is given settings with {name}, which the station gives itself; remove it"
    if lacking := _lacking_settings(definition, settings):
        advice = "or make it in a module of yours, and name what that made, if it is no plain value"
        return f"needs {', '.join(lacking)}; add settings: {{{lacking[0]}: ...}}, {advice}"
    allowed = _keywords(definition)
    if allowed is None:
        return ""
    return _not_among(settings, [name for name in allowed if name not in _GIVEN])


def _lacking_settings(definition: Definition, settings: Mapping[str, object]) -> list[str]:
    """Return the arguments of an instrument that nobody gives."""
    first = next(iter(_initialisers(definition)), None)
    asked = [] if first is None else [p for p in _given_to(first) if p.kind not in _VARIADIC]
    return [p.name for p in asked if p.default is None and p.name not in (*_GIVEN, *settings)]


def _not_among(settings: Mapping[str, object], allowed: Sequence[str]) -> str:
    for name in settings:
        if name not in allowed:
            listed = ", ".join(allowed) or "none"
            return f"takes no setting {name!r}{suggestion(name, allowed)}; allowed settings: {listed}"
    return ""


def _keywords(definition: Definition) -> list[str] | None:
    """Return the keywords with which an instrument can be made; None where that is unknown."""
    allowed: list[str] = []
    for ancestor in definition.ancestors():
        if isinstance(ancestor, str) or not ancestor.is_class:
            return None
        if ancestor.path == INSTRUMENT:
            return [*allowed, *_DEVICE_SETTINGS]
        if not isinstance(ancestor.found, griffe.Class):
            continue  # it only adds places
        method = ancestor.found.members.get("__init__")
        if isinstance(method, griffe.Function):
            named = _given_to(method)
            if _takes_keywords(ancestor, method):
                return None
            allowed += [p.name for p in named if p.kind not in _VARIADIC]
            if not any(p.kind is griffe.ParameterKind.var_keyword for p in named):
                return allowed
    return None


def _class(definition: Definition, kind: ObjectKind, settings: Mapping[str, object]) -> str:
    if kind not in (ObjectKind.LAB, ObjectKind.FEATURES, ObjectKind.MODEL, ObjectKind.CALLBACK):
        return f"is a class; needed: {kind.words}"
    members, known = _members(definition)
    lacking = [name for name in kind.value.members if name not in members]
    if lacking and known:
        return f"is a class without {', '.join(lacking)}"
    if lacking and definition.module.origin is not Origin.OWN:
        return f"is a class of which cannot be told whether it has {', '.join(lacking)}"
    method = next((one for one in _initialisers(definition)), None)
    if method is None:
        return ""
    trouble = _arguments(_given_to(method), 0 if kind is ObjectKind.CALLBACK else kind.arguments, settings)
    return f"is a class that {trouble}; needed: {kind.words}" if trouble else ""


def _initialisers(definition: Definition) -> list[griffe.Function]:
    classes = [one.found for one in definition.ancestors() if isinstance(one, Definition)]
    found = [one.members.get("__init__") for one in classes if isinstance(one, griffe.Class)]
    return [one for one in found if isinstance(one, griffe.Function)]


def _given_to(method: griffe.Function) -> list[griffe.Parameter]:
    """Return the parameters of a method but for the object itself, whatever its name."""
    parameters = list(method.parameters)
    return parameters[1:] if parameters and parameters[0].kind in _BY_POSITION else parameters


def _takes_keywords(definition: Definition, method: griffe.Function) -> bool:
    """Return whether an initialiser looks into its keywords itself, so that only running it tells which there are."""
    names = [p.name for p in method.parameters if p.kind is griffe.ParameterKind.var_keyword]
    if not names or definition.module.origin is not Origin.OWN:
        return False
    tree = ast.parse(definition.module.file.read_bytes())
    inner = [n for one in ast.walk(tree) if getattr(one, "lineno", None) == method.lineno for n in ast.walk(one)]
    passed = {id(n.value) for n in inner if isinstance(n, ast.keyword) and n.arg is None}
    return any(isinstance(n, ast.Name) and n.id == names[0] and id(n) not in passed for n in inner)


def _members(definition: Definition) -> tuple[Collection[str], bool]:
    """Return the names that a class or its bases have, and whether all of the bases could be read."""
    names: set[str] = set()
    known = True
    for ancestor in definition.ancestors():
        if isinstance(ancestor, Definition) and isinstance(ancestor.found, griffe.Class):
            names.update(ancestor.found.members, ancestor.bound())
        elif str(ancestor) not in ("object", "builtins.object") and not str(ancestor).startswith("typing."):
            known = False
    return names, known


def _arguments(
    parameters: Sequence[griffe.Parameter] | griffe.Parameters, count: int, settings: Mapping[str, object]
) -> str:
    """Return why something cannot be called with a count of arguments, and settings; empty if it can."""
    takes = [p for p in parameters if p.kind in _BY_POSITION]
    kinds = {p.kind for p in parameters}
    required = [p.name for p in takes if p.default is None and p.name not in settings]
    keywords = [
        p.name
        for p in parameters
        if p.kind is griffe.ParameterKind.keyword_only and p.default is None and p.name not in settings
    ]
    many = griffe.ParameterKind.var_positional in kinds
    if len(required) > count or keywords:
        if keywords and len(takes) < count and not many:  # what it is called with stands behind a *
            given = f"{_count(count)} by position"
            return f"takes {', '.join(keywords)} by keyword alone, but is called with {given}; remove the '*' before it"
        needed = ", ".join([*required, *keywords])
        return f"needs {needed}, but is called with {_count(count)}"
    if len(takes) < count and not many:
        return f"takes {_count(len(takes))}, but is called with {_count(count)}"
    if griffe.ParameterKind.var_keyword in kinds:
        return ""
    return _not_among(settings, [p.name for p in parameters if p.kind not in _VARIADIC])


def _count(number: int) -> str:
    return {0: "no arguments", 1: "one argument"}.get(number, f"{number} arguments")


def _without_unit(definition: Definition) -> str:
    """Return that a predictor declares no unit, where that is known."""
    function = definition.found
    if not isinstance(function, griffe.Function):
        return ""
    for decorator in function.decorators:
        called = decorator.value.function if isinstance(decorator.value, griffe.ExprCall) else decorator.value
        try:
            known = definition.follow(called)
        except ForbiddenModuleError:
            known = None
        if known is not None and known.path == IN_UNIT:
            return ""
    if definition.module.origin is Origin.OWN and (function.decorators or "unit" in _assigned(definition)):
        return ""
    return "declares no unit; decorate it with surrogates.pools.pool.in_unit"


def _assigned(definition: Definition) -> str:
    """Return the lines of a module that may give a function its unit when the module is run."""
    with tokenize.open(definition.module.file) as source:
        lines = source.read().splitlines()
    return "\n".join(line for line in lines if f"{definition.name}.unit" in line or "setattr" in line)


def _misled(definition: Definition, kind: ObjectKind) -> str:
    """Return that an analysis which is not of the user's own declares that it takes no context."""
    function = definition.found
    if kind is not ObjectKind.ANALYSIS or not isinstance(function, griffe.Function):
        return ""
    second = list(function.parameters)[1]
    if second.annotation is None or getattr(second.annotation, "canonical_path", "") == "typing.Any":
        return ""
    try:
        known = definition.follow(second.annotation)
    except ForbiddenModuleError:
        known = None
    if known is not None and known.path == CONTEXT:
        return ""
    return f"takes {second.name}, which it says is a {second.annotation}; needed: {kind.words}"


def _undeclared(definition: Definition, kind: ObjectKind) -> str:
    """Return that a function which is not of the user's own does not say that it gives what is wanted."""
    function = definition.found
    declared = function.returns if isinstance(function, griffe.Function) else None
    if _declares(definition, declared, kind.value):
        return ""
    got = f"says that it returns {declared}" if declared is not None else "does not say what it returns"
    return f"is a function of {definition.module.name} that {got}; wanted there: {kind.words}, as its annotation says"


def _declares(definition: Definition, declared: object, wanted: _Wanted) -> bool:
    """Return whether an annotation says what is wanted, or a list of its parts; of a union, each member has to."""
    if isinstance(declared, griffe.ExprBinOp) and declared.operator == "|":
        return all(_declares(definition, side, wanted) for side in (declared.left, declared.right))
    if isinstance(declared, griffe.ExprSubscript):
        listed = getattr(declared.left, "canonical_path", "").rsplit(".", maxsplit=1)[-1] in _SEQUENCES
        return listed and bool(wanted.parts) and _is_a(definition, declared.slice, wanted.parts)
    return _is_a(definition, declared, wanted.returns, wanted.members)


def _is_a(definition: Definition, declared: object, path: str, members: Collection[str] = ()) -> bool:
    """Return whether an annotation names a class, one that derives from it, or one that has what stands for it."""
    try:
        given = definition.follow(declared)
    except ForbiddenModuleError:
        return False
    if given is None:
        return False
    ancestry = given.ancestors() if isinstance(given.found, griffe.Class) else iter([given])
    if any(path == (one if isinstance(one, str) else one.path) for one in ancestry):
        return True
    return bool(members) and isinstance(given.found, griffe.Class) and set(members) <= set(_members(given)[0])
