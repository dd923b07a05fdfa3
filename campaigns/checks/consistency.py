"""Checks that need more than one section of the campaign file.

They work on whichever sections could be read, so that a file with several mistakes shows them all at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from campaigns.analysis_settings import bad_settings
from campaigns.checks.consumable_consistency import used_consumables
from campaigns.checks.manual_consistency import manual_steps, tells_parameters
from campaigns.checks.sample_consistency import sample_steps
from campaigns.checks.sum_consistency import step_sums
from campaigns.errors import Problem, UnitError, suggestion
from campaigns.fidelity import FULL, ComputedFidelityConfig, FidelityConfig, all_steps
from campaigns.lab.laboratory import StationConfig, StepConfig
from campaigns.lab.setpoints import TAKEN_NAMES, SetpointConfig
from campaigns.metrics import DerivedConfig, MeasuredConfig, MetricConfig, TrainedPriorConfig
from campaigns.objective import MOST_AXES, FindManyConfig, FindParetoConfig, ObjectiveConfig, derivation, scale_in
from campaigns.spaces.ax_space import inexpressible_bounds, unsearchable
from campaigns.surrogate import SurrogateConfig
from campaigns.tables.named_columns import RESERVED
from campaigns.units import to_unit


def cross_check(sections: Mapping[str, Any]) -> list[Problem]:
    """Return the problems between sections.

    Args:
        sections: top-level key to its validated section; sections that could not be read are left out.
    """
    checks = (
        _reserved_names,
        _formulas,
        _proportions,
        _terms,
        _plausible,
        _front,
        _stopping,
        _surrogate,
        _retraining,
        _sources,
        _computed_needs_pool,
        _step_stations,
        _step_recipes,
        _unused_parameters,
        _step_metrics,
        _analysis_settings,
        _fidelities,
        step_sums,
        _cost_aware,
        _strategy,
        _faults,
        _devices,
        manual_steps,
        sample_steps,
        used_consumables,
    )
    return [problem for check in checks for problem in check(sections)]


def _reserved_names(sections: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield names that are reserved for columns of written tables, and names that stand for two things."""
    space, metrics = sections.get("space"), sections.get("metrics", {})
    parameters = {} if space is None else {name: _place(space, name) for name in space.all_parameters}
    for name, where in [*parameters.items(), *((name, f"metrics.{name}") for name in metrics)]:
        if name in RESERVED:
            allowed = f"allowed: a name that is none of {', '.join(RESERVED)}"
            yield Problem(where, f"{name!r} is a column of every table of trials; {allowed}")
        elif name.removesuffix("_sd") in metrics and name.endswith("_sd"):
            hint = "allowed: a name that does not end in _sd"
            yield Problem(where, f"{name!r} is read as the uncertainty of {name.removesuffix('_sd')} in tables; {hint}")
        elif where.startswith("metrics") and name in parameters:
            hint = "allowed: another name, as both are columns of tables"
            yield Problem(where, f"{name!r} is a parameter as well; {hint}")


def _formulas(sections: Mapping[str, Any]) -> Iterator[Problem]:
    metrics: Mapping[str, MetricConfig] = sections.get("metrics", {})
    basic = {n: m.unit for n, m in metrics.items() if not isinstance(m, DerivedConfig)}
    for name, metric in metrics.items():
        if not isinstance(metric, DerivedConfig):
            continue
        try:
            derivation(metric, basic)
        except KeyError as error:
            yield Problem(f"metrics.{name}.formula", _unknown(str(error.args[0]), basic))
        except UnitError as error:
            yield Problem(f"metrics.{name}.unit", str(error))


def _proportions(sections: Mapping[str, Any]) -> Iterator[Problem]:
    measured = {n: m for n, m in sections.get("metrics", {}).items() if isinstance(m, MeasuredConfig)}
    for name, metric in measured.items():
        whole = metric.proportional_to
        allowed = [n for n, m in measured.items() if n != name and m.proportional_to is None]
        if whole is not None and whole not in allowed:
            yield Problem(f"metrics.{name}.proportional_to", _unknown(whole, allowed))


def _terms(sections: Mapping[str, Any]) -> Iterator[Problem]:
    objective: ObjectiveConfig | None = sections.get("objective")
    if objective is None or "metrics" not in sections:
        return
    metrics: Mapping[str, MetricConfig] = sections["metrics"]
    for i, term in enumerate(objective.terms):
        yield from _metric_quantities(f"objective.terms[{i}]", term, metrics)
    for i, constraint in enumerate(objective.constraints):
        yield from _metric_quantities(f"objective.constraints[{i}]", constraint, metrics)


def _plausible(sections: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield bounds of the objective that lie outside of a metric's plausible range."""
    objective: ObjectiveConfig | None = sections.get("objective")
    if objective is None:
        return
    metrics: Mapping[str, MetricConfig] = sections.get("metrics", {})
    for part, items in (("terms", objective.terms), ("constraints", objective.constraints)):
        for i, item in enumerate(items):
            metric = metrics.get(item.metric)
            if isinstance(metric, MeasuredConfig) and metric.plausible is not None:
                yield from _implausible(f"objective.{part}[{i}]", item, metric)


def _implausible(where: str, item: Any, metric: MeasuredConfig) -> Iterator[Problem]:
    low, high = metric.plausible or (-math.inf, math.inf)
    plausible = f"{item.metric} is plausible only from {low:g} to {high:g} {metric.unit}"
    for key in ("low", "above", "at_least", "high", "below", "at_most"):
        value = getattr(item, key, None)
        try:
            number = None if value is None else to_unit(value, metric.unit)
        except ValueError:
            continue  # reported by _terms
        beyond = number is not None and (number > high if key in ("low", "above", "at_least") else number < low)
        if beyond:
            yield Problem(f"{where}.{key}", f"got {value}, but {plausible}: it can never hold; correct one of them")


def _metric_quantities(where: str, item: Any, metrics: Mapping[str, MetricConfig]) -> Iterator[Problem]:
    if item.metric not in metrics:
        yield Problem(f"{where}.metric", _unknown(item.metric, metrics))
        return
    unit = metrics[item.metric].unit
    numbers: dict[str, float] = {}
    for key in ("scale", "width", "low", "high", "above", "below", "at_least", "at_most", "reference"):
        value = getattr(item, key, None)
        if value is None:
            continue
        try:
            numbers[key] = (scale_in if key in ("scale", "width") else to_unit)(value, unit)
        except ValueError as error:
            yield Problem(f"{where}.{key}", str(error))
    for low, high in (("low", "high"), ("above", "below")):
        if low in numbers and high in numbers and numbers[low] > numbers[high]:
            got = f"{getattr(item, low)} and {getattr(item, high)}"
            yield Problem(f"{where}.{low}", f"got {got}, in {unit}; allowed: {low} at most {high}")


def _front(sections: Mapping[str, Any]) -> Iterator[Problem]:
    objective: ObjectiveConfig | None = sections.get("objective")
    if objective is None:
        return
    front = isinstance(objective.find, FindParetoConfig)
    if front and not 2 <= len(objective.terms) <= MOST_AXES:
        got = f"got {len(objective.terms)} {'term' if len(objective.terms) == 1 else 'terms'}"
        yield Problem("objective.terms", f"{got}; allowed with find: {{kind: pareto}}: 2 to {MOST_AXES}")
    for i, term in enumerate(objective.terms):
        if front and term.weight != 1:
            yield Problem(f"objective.terms[{i}].weight", "terms of a front have no weight; remove weight")
        if not front and term.reference is not None:
            yield Problem(f"objective.terms[{i}].reference", "is only for find: {kind: pareto}; remove reference")


def _stopping(sections: Mapping[str, Any]) -> Iterator[Problem]:
    objective: ObjectiveConfig | None = sections.get("objective")
    if objective is None:
        return
    for i, rule in enumerate(sections.get("stopping", ())):
        match objective.find.kind, rule.kind:
            case "pareto", "target" | "no_better":
                advice = "use {kind: hypervolume, reaches: ...} or {kind: stagnation, trials: ...}"
                yield Problem(f"stopping[{i}].kind", f"a front has no best score; {advice}")
            case "many", "target" | "no_better":
                advice = "use {kind: stagnation, trials: ...}, which counts them, or the budget"
                yield Problem(f"stopping[{i}].kind", f"is only for find: {{kind: best}}, not for many; {advice}")
            case "best" | "many", "hypervolume":
                yield Problem(f"stopping[{i}].kind", "is only for find: {kind: pareto}; use {kind: target, score: ...}")
            case "pareto", "hypervolume" if any(term.reference is None for term in objective.terms):
                yield Problem(f"stopping[{i}]", "the volume is measured from references; give every term a reference")


def _surrogate(sections: Mapping[str, Any]) -> Iterator[Problem]:
    if "space" not in sections or "surrogate" not in sections:
        return
    if sections["space"].pool is None and sections["surrogate"] != SurrogateConfig():
        yield Problem("surrogate", "is only for campaigns with a pool; remove surrogate, or add space.pool")


def _retraining(sections: Mapping[str, Any]) -> Iterator[Problem]:
    retrain = getattr(sections.get("surrogate"), "retrain", None)
    if retrain is None or "metrics" not in sections:
        return
    prior = {n: getattr(m, "prior", None) for n, m in sections["metrics"].items()}
    allowed = [n for n, p in prior.items() if isinstance(p, TrainedPriorConfig)]
    if retrain.metric not in allowed:
        yield Problem("surrogate.retrain.metric", _unknown(retrain.metric, allowed) + " (its prior: {model: FOLDER})")


def _sources(sections: Mapping[str, Any]) -> Iterator[Problem]:
    names: list[str] = []
    measured = [n for n, m in sections.get("metrics", {}).items() if isinstance(m, MeasuredConfig)]
    for i, source in enumerate(sections.get("warm_start", ())):
        if source.name in names:
            yield Problem(f"warm_start[{i}].name", f"got {source.name!r} twice; allowed: a different name for each")
        names.append(source.name)
        for j, name in enumerate(source.metrics):
            if "metrics" in sections and name not in measured:
                yield Problem(f"warm_start[{i}].metrics[{j}]", _unknown(name, measured))


def _computed_needs_pool(sections: Mapping[str, Any]) -> Iterator[Problem]:
    if "space" not in sections or sections["space"].pool is not None:
        return
    for name, metric in sections.get("metrics", {}).items():
        for key in ("function", "prior"):
            if getattr(metric, key, None) is not None:
                hint = "add space.pool, or remove it"
                yield Problem(f"metrics.{name}.{key}", f"is a function of the pool, and the campaign has none; {hint}")


def _step_stations(sections: Mapping[str, Any]) -> Iterator[Problem]:
    names: list[str] = []
    for where, step in _steps(sections):
        if step.name in names:
            yield Problem(f"{where}.name", f"got {step.name!r} twice; allowed: a different name for each step")
        names.append(step.name)
        for j, station in enumerate(step.stations):
            if sections.get("stations") and station not in sections["stations"]:
                yield Problem(f"{where}.stations[{j}]", _unknown(station, sections["stations"]))


def _step_recipes(sections: Mapping[str, Any]) -> Iterator[Problem]:
    if "space" not in sections or "workflow" not in sections:
        return
    parameters = sections["space"].all_parameters
    for where, step in _steps(sections):
        for key, value in step.recipe.items():
            if not (isinstance(value, str) and value.startswith("$")):
                continue
            if value[1:] not in parameters:
                yield Problem(f"{where}.recipe.{key}", _unknown(value[1:], parameters))
            elif parameters[value[1:]].when and parameters[value[1:]].otherwise is None:
                message = (
                    f"{value} does not always apply; add space.parameters.{value[1:]}.otherwise, the value to use then"
                )
                yield Problem(f"{where}.recipe.{key}", message)


def _unused_parameters(sections: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the parameters that no step of the workflow sets, and of which no person is told."""
    if "space" not in sections or "workflow" not in sections or any(map(tells_parameters, sections["workflow"])):
        return
    recipes = [value for step in sections["workflow"] for value in step.recipe.values()]
    for name in sections["space"].all_parameters:
        if f"${name}" not in recipes:
            hint = f"use ${name} in a recipe, have instructions tell {{parameters}}, or remove the parameter"
            yield Problem(_place(sections["space"], name), f"no step of the workflow uses ${name}; {hint}")


def _place(space: Any, name: str) -> str:
    """Return where a parameter or a component stands in the file."""
    mixture = next((key for key, mixture in space.mixtures.items() if name in mixture.components), None)
    return f"space.parameters.{name}" if mixture is None else f"space.mixtures.{mixture}.components.{name}"


def _step_metrics(sections: Mapping[str, Any]) -> Iterator[Problem]:
    if "metrics" not in sections or "workflow" not in sections:
        return
    measured = [n for n, m in sections["metrics"].items() if m.kind == "measured"]
    given = [name for step in sections["workflow"] for name in step.gives]
    for where, step in _steps(sections):
        for j, name in enumerate(step.gives):
            if name not in measured:
                yield Problem(f"{where}.gives[{j}]", _unknown(name, measured))
        if bool(step.gives) != (step.analysis is not None):
            yield Problem(f"{where}.analysis", "analysis and gives belong together: give both or none")
    for name in measured:
        if given.count(name) != 1:
            hint = "allowed: one; name it under gives of the step that measures it"
            yield Problem(f"metrics.{name}", f"{given.count(name)} steps of the workflow give this metric; {hint}")


def _analysis_settings(sections: Mapping[str, Any]) -> Iterator[Problem]:
    for where, step in _steps(sections):
        if step.analysis is None and step.analysis_settings:
            yield Problem(
                f"{where}.analysis_settings", "the step has no analysis; add analysis, or remove the settings"
            )
        for key, message in bad_settings(step.analysis or "", step.analysis_settings):
            yield Problem(f"{where}.analysis_settings.{key}", message)


def _fidelities(sections: Mapping[str, Any]) -> Iterator[Problem]:
    fidelities: Mapping[str, FidelityConfig] = sections.get("fidelities", {})
    full = sum(step.fixed_cost for step in sections.get("workflow", ()))
    for where, step in _steps(sections) if fidelities else ():
        if "cost" in step.sums:
            yield Problem(f"{where}.cost", "with fidelities, a step costs the same for all candidates; give a quantity")
    for name, config in fidelities.items():
        where = f"fidelities.{name}"
        if name == FULL:
            yield Problem(where, f"{FULL!r} is the fidelity of the workflow; allowed: another name")
        if "workflow" in sections and not 0 < config.cost < full:
            got = f"got {config.cost:g} USD, and {full:g} USD for the steps of the workflow"
            yield Problem(
                where, f"a lower fidelity costs something, but less than the workflow; {got}: set their costs"
            )
        yield from _cheap_metrics(where, config, sections)


def _cheap_metrics(where: str, config: FidelityConfig, sections: Mapping[str, Any]) -> Iterator[Problem]:
    if not config.gives:
        yield Problem(f"{where}.workflow", "no step gives a metric; needed: gives and analysis in one of them")
    if "metrics" not in sections:
        return
    measured = [n for n, m in sections["metrics"].items() if isinstance(m, MeasuredConfig)]
    for i, metric in enumerate(config.gives):
        if isinstance(config, ComputedFidelityConfig) and metric not in measured:
            yield Problem(f"{where}.gives[{i}]", _unknown(metric, measured))
        if config.gives.count(metric) > 1:
            yield Problem(where, f"a fidelity gives a metric once, got {metric} {config.gives.count(metric)} times")
        whole = getattr(sections["metrics"].get(metric), "proportional_to", None)
        if whole is not None and whole not in config.gives:
            yield Problem(where, f"{metric} is proportional to {whole}, which this fidelity does not give; add it")


def _steps(sections: Mapping[str, Any]) -> list[tuple[str, StepConfig]]:
    return list(all_steps(sections.get("workflow", ()), sections.get("fidelities", {})))


def _cost_aware(sections: Mapping[str, Any]) -> Iterator[Problem]:
    if getattr(sections.get("planner"), "cost", None) != "aware" or "workflow" not in sections:
        return
    if not any(found.coefficients for step in sections["workflow"] for found in step.sums.values()):
        advice = "write the cost or duration of a step as a sum of parameters, such as 2 + 0.5 * time, or remove cost"
        yield Problem("planner.cost", f"all candidates cost the same; {advice}")
    if isinstance(getattr(sections.get("objective"), "find", None), FindManyConfig):
        yield Problem("planner.cost", "aware is only for find: {kind: best} or {kind: pareto}; remove cost")


def _faults(sections: Mapping[str, Any]) -> Iterator[Problem]:
    for i, fault in enumerate(getattr(sections.get("lab"), "faults", ())):
        if sections.get("stations") and fault.station not in sections["stations"]:
            yield Problem(f"lab.faults[{i}].station", _unknown(fault.station, sections["stations"]))


def _devices(sections: Mapping[str, Any]) -> Iterator[Problem]:
    lab = getattr(sections.get("lab"), "kind", "")
    yield from _own_stations(sections)
    for name, station in sections.get("stations", {}).items():
        where = f"stations.{name}"
        if (station.kind == "simulated") != (station.experiment is not None):
            message = "kind: simulated and experiment: package.module:function belong together; give both or none"
            yield Problem(f"{where}.experiment", message)
        if lab == "real" and station.kind not in ("device", "plan", "manual"):
            message = f"got {station.kind}, which is simulated, but lab is real; allowed there: device, plan and manual"
            yield Problem(f"{where}.kind", message)
        if lab == "custom" and station.kind == "simulated":
            message = "got simulated, but lab is custom; allowed there: the instruments of its factory, and device"
            yield Problem(f"{where}.kind", message)
        yield from _parts(where, station)


def _own_stations(sections: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield that stations are missing, or stand beside those of a lab file, which may not be replaced."""
    if "lab" not in sections or "stations" not in sections:
        return
    rules, stations = getattr(sections["lab"], "rules", None), sections["stations"]
    if rules is not None and stations != rules.stations:
        yield Problem("stations", f"they are those of {rules.path.name}, which no campaign replaces; remove stations")
    if not stations and sections["lab"].kind != "file":
        yield Problem("stations", "is missing; needed: name to station, the instruments that do the steps")


def _parts(where: str, station: StationConfig) -> Iterator[Problem]:
    """Yield what does not belong together at a station."""
    given = [key for key in ("device", "devices") if getattr(station, key)]
    if (station.kind == "plan") != (station.plan is not None):
        yield Problem(f"{where}.plan", "kind: plan and plan: module:function belong together; give both or none")
    elif station.plan is None and (station.kind == "device") != bool(given):
        message = "kind: device and device: package.module:Class (or devices) belong together; give both or none"
        yield Problem(f"{where}.device", message)
    if len(given) > 1:
        yield Problem(f"{where}.devices", "device and devices are given; write all of them below devices")
    yield from _process(where, station)
    if station.suspenders and station.plan is None:
        yield Problem(f"{where}.suspenders", "suspenders are of a plan, and there is none; remove them")
    if station.settings and not station.device:
        advice = "write them at the device that they are for" if station.devices else "remove them"
        yield Problem(f"{where}.settings", f"settings are arguments of device, which is not given; {advice}")
    for key in ("setpoints", "units"):
        told = station.kind == "manual" and key == "setpoints"
        if getattr(station, key) and not given and station.plan is None and not told:
            yield Problem(f"{where}.{key}", f"{key} are of plain devices, and there is none; remove {key}")
    yield from _setpoints(where, station)


def _setpoints(where: str, station: StationConfig) -> Iterator[Problem]:
    """Yield what is wrong with what recipes set at a station."""
    for key, setpoint in station.setpoints.items():
        place = f"{where}.setpoints.{key}"
        if key in TAKEN_NAMES:
            yield Problem(place, f"{key} is a name that each instrument has itself; {_other_name(key, station)}")
        if station.plan or station.kind == "manual":
            yield from _argument(place, setpoint, plan=station.plan is not None)
        else:
            yield from _named_parts(place, setpoint, station.devices)


def _other_name(key: str, station: StationConfig) -> str:
    """Return how else a setpoint may be called."""
    if station.plan:
        return f"call the plan's argument otherwise, and the setpoint likewise: {key}_wanted"
    moves = station.kind != "manual" and station.setpoints[key].signal is None
    return f"call it otherwise, such as {key}_wanted" + (f", with signal: {key}" if moves else "")


def _process(where: str, station: StationConfig) -> Iterator[Problem]:
    """Yield what is said of a driver's process at a station that has none."""
    if station.process and station.kind not in ("device", "plan"):
        yield Problem(f"{where}.process", f"{station.kind} is no device of your own, and needs no process; remove it")
    if station.response_timeout is not None and not station.process:
        yield Problem(f"{where}.response_timeout", "it is of a driver's process; add process: true, or remove it")


def _named_parts(where: str, setpoint: SetpointConfig, devices: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the parts of a setpoint that begin with no device of its station, where there are several."""
    for key in ("signal", "readback"):
        first = (getattr(setpoint, key) or "").split(".")[0]
        if first and devices and first not in devices:
            yield Problem(f"{where}.{key}", _unknown(first, devices))


def _argument(where: str, setpoint: SetpointConfig, *, plan: bool) -> Iterator[Problem]:
    """Yield what is said, or not said, of a plan's argument or a person's, about which no device can be asked."""
    for key in ("signal", "readback", "tolerance", "dwell", "timeout"):
        if getattr(setpoint, key) is not None:
            what = "an argument of the plan, which moves by itself" if plan else "what a person is told"
            yield Problem(f"{where}.{key}", f"it is {what}; remove {key}")
    if not setpoint.choices and (setpoint.unit is None or setpoint.limits is None):
        who = "a plan" if plan else "a person"
        yield Problem(where, f"{who} states neither unit nor limits; add unit: and limits:, or choices of a text")


def _unknown(got: str, allowed: Any) -> str:
    return f"unknown name {got!r}{suggestion(got, allowed)}; allowed: {', '.join(allowed) or 'none'}"


def _strategy(sections: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what a generation strategy that the campaign names cannot search, or does not use."""
    named = getattr(sections.get("planner"), "strategy", None)
    if named is None:
        if getattr(sections.get("planner"), "timeout", None) is not None:
            yield Problem("planner.timeout", "it is that of planner.strategy, and there is none; remove timeout")
        return
    unused = {
        "fidelities": "proposes measurements at full fidelity alone",
        "warm_start": "learns from the trials of this campaign alone, those of its history among them",
    }
    for key, why in unused.items():
        if sections.get(key):
            yield Problem(key, f"planner.strategy {named} {why}; remove {key}, or planner.strategy")
    if getattr(sections["planner"], "cost", None) == "aware":
        yield Problem("planner.cost", f"planner.strategy {named} weighs no costs; remove cost, or strategy")
    for key, what in unsearchable(sections["space"]) if named == "ax" and "space" in sections else ():
        yield Problem(f"space.{key}", f"{what}; Ax's strategy cannot search such a space: remove planner.strategy")
    bounds = sections["objective"].constraints if named == "ax" and "objective" in sections else ()
    for metric, what in inexpressible_bounds(bound.metric for bound in bounds):
        yield Problem("objective.constraints", f"{what}; rename {metric}, or remove planner.strategy")
