"""Whether a dotted path leads to what its key wants, found without importing it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from campaigns.errors import Problem
from campaigns.fidelity import all_steps


class Use(StrEnum):
    """What a dotted path is used as; the names of ``object_kinds.ObjectKind``."""

    DEVICE = "DEVICE"
    LAB = "LAB"
    ANALYSIS = "ANALYSIS"
    PREDICTOR = "PREDICTOR"
    POOL = "POOL"
    FEATURES = "FEATURES"
    COMPUTATION = "COMPUTATION"
    EXPERIMENT = "EXPERIMENT"
    MODEL = "MODEL"
    STRATEGY = "STRATEGY"
    PLAN = "PLAN"
    SUSPENDER = "SUSPENDER"
    CALLBACK = "CALLBACK"


SAMPLES = "samples"
"""What a plan is given that takes several samples for a job, which it has to have an argument for."""
BY_THE_WAY = ("token", "sample", SAMPLES)
"""What a plan is given if it has arguments of these names: sample, or samples."""

SHIPPED: Mapping[Use, frozenset[str]] = {
    Use.ANALYSIS: frozenset(
        {
            "instruments.analyses.calcination:phase_fraction",
            "instruments.analyses.diffraction:phase_fraction",
            "instruments.analyses.entered:entered_metrics",
            "instruments.analyses.galvanostatic:discharge",
            "instruments.analyses.plain_readings:metrics",
            "instruments.analyses.repeated_readings:means",
        }
    ),
    Use.COMPUTATION: frozenset({"simulators.electrolyte:walden_estimate"}),
    Use.EXPERIMENT: frozenset(
        {
            "simulators.electrolyte:cold_cell",
            "simulators.electrolyte:probe",
            "simulators.flow_synthesis:reactor",
            "simulators.high_entropy_oxide:hot_stage",
            "simulators.perovskites:film",
            "simulators.sintering:furnace",
        }
    ),
    Use.POOL: frozenset({"surrogates.pools.prototypes:cathodes"}),
    Use.PREDICTOR: frozenset(
        {
            "surrogates.predictors.columns:tolerance_factor",
            "surrogates.predictors.electrodes:precursor_cost",
            "surrogates.predictors.electrodes:supply_risk",
            "surrogates.predictors.electrodes:theoretical_capacity",
            "surrogates.predictors.voltage:chgnet_voltage",
        }
    ),
}
"""What the ready campaigns name; a test reads these, so that 'validate' need not."""


@dataclass(frozen=True, slots=True)
class NamedObject:
    """A dotted path of a campaign.

    Attributes:
        where: key path in the campaign file.
        settings: keyword arguments that the object will be given.
    """

    where: str
    path: str
    use: Use
    settings: Mapping[str, Any] = field(default_factory=dict)


def unfit_objects(sections: Mapping[str, Any], folder: Path | None) -> list[Problem]:
    """Return a problem for each dotted path of a campaign that leads nowhere, out of bounds, or to the wrong kind.

    Args:
        sections: top-level key to its validated section.
        folder: where the campaign file stands; modules beside it are found too.
    """
    found = ((one, trouble(one, folder)) for one in named_objects(sections))
    return [Problem(one.where, f"got {one.path!r}, but {why}") for one, why in found if why]


def trouble(named: NamedObject, folder: Path | None) -> str:
    """Return why an object cannot stand where it is named; empty where nothing speaks against it."""
    if named.path in SHIPPED.get(named.use, ()):
        return ""
    # Reading other people's code takes a library that most campaigns need not.
    from campaigns.user_code.definitions import NoNameError, define
    from campaigns.user_code.imports import failing_import
    from campaigns.user_code.module_files import NoModuleError
    from campaigns.user_code.object_kinds import ObjectKind, misfit

    try:
        definition = define(named.path, folder)
        found = misfit(definition, ObjectKind[named.use], named.settings)
    except (NoModuleError, NoNameError) as error:
        return str(error)
    return f"{named.path} {found}" if found else failing_import(definition.module, folder)


def named_objects(sections: Mapping[str, Any]) -> Iterator[NamedObject]:
    """Yield the dotted paths of a campaign."""
    for where, path, use, settings in (*_material_paths(sections), *_lab_paths(sections)):
        if isinstance(path, str):
            yield NamedObject(where, path, use, settings)


_Named = tuple[str, object, Use, Mapping[str, Any]]


def given_to_plan(station: Any) -> dict[str, Any]:
    """Return the arguments that a station's plan may be given: setpoint to what it is, all others to None."""
    useless = "sample" if station.capacity > 1 else SAMPLES
    others = dict.fromkeys((*station.bound, *(key for key in BY_THE_WAY if key != useless)))
    return {**others, **{key: one for key, one in station.setpoints.items() if key not in station.own}}


def _material_paths(sections: Mapping[str, Any]) -> Iterator[_Named]:
    for name, metric in sections.get("metrics", {}).items():
        for key in ("prior", "function"):
            yield f"metrics.{name}.{key}", getattr(metric, key, None), Use.PREDICTOR, {}
        yield f"metrics.{name}.model", getattr(metric, "model", None), Use.MODEL, {}
    pool = getattr(sections.get("space"), "pool", None)
    yield "space.pool.function", getattr(pool, "function", None), Use.POOL, {}
    for i, features in enumerate(getattr(sections.get("surrogate"), "features", ())):
        settings = getattr(features, "settings", {})
        yield f"surrogate.features[{i}].factory", getattr(features, "factory", None), Use.FEATURES, settings


def _lab_paths(sections: Mapping[str, Any]) -> Iterator[_Named]:
    for where, step in all_steps(sections.get("workflow", ()), sections.get("fidelities", {})):
        yield f"{where}.analysis", step.analysis, Use.ANALYSIS, step.analysis_settings
    for name, config in sections.get("fidelities", {}).items():
        yield f"fidelities.{name}.function", getattr(config, "function", None), Use.COMPUTATION, {}
    for name, station in sections.get("stations", {}).items():
        yield f"stations.{name}.device", station.device, Use.DEVICE, station.settings
        for key, one in station.devices.items():
            yield f"stations.{name}.devices.{key}.device", one.device, Use.DEVICE, one.settings
        yield f"stations.{name}.plan", station.plan, Use.PLAN, given_to_plan(station)
        for i, suspender in enumerate(station.suspenders):
            yield f"stations.{name}.suspenders[{i}]", suspender, Use.SUSPENDER, {}
        yield f"stations.{name}.experiment", station.experiment, Use.EXPERIMENT, {}
    rules = getattr(sections.get("lab"), "rules", None)
    for name, reading in rules.readings.items() if rules is not None else ():
        yield f"lab.path: readings.{name}.device", reading.device, Use.DEVICE, reading.settings
    for i, subscriber in enumerate(sections.get("subscribers", ())):
        yield f"subscribers[{i}]", subscriber, Use.CALLBACK, {}
    strategy = getattr(sections.get("planner"), "strategy", None)
    yield "planner.strategy", None if strategy == "ax" else strategy, Use.STRATEGY, {}
    yield "lab.factory", getattr(sections.get("lab"), "factory", None), Use.LAB, {}
