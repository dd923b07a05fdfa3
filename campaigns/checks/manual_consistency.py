"""Checks of steps that people do against their stations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from campaigns.errors import Problem
from campaigns.fidelity import all_steps
from campaigns.lab.laboratory import StepConfig
from campaigns.lab.manual_steps import FIELDS, PARAMETERS, named_fields, unknown_fields

MANUAL = "manual"
"""Kind of a station that is a person."""
SIGNALS = frozenset({"sample", "material", "step", "attempt", "token", "state", "message"})
"""What every instrument says of its job, so that no ask may have such a name."""


def manual_steps(sections: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what does not belong together of instructions, asks and the stations of a step."""
    if "stations" not in sections or "workflow" not in sections:
        return
    yield from _people(sections["stations"])
    for where, step in all_steps(sections["workflow"], sections.get("fidelities", {})):
        kinds = [sections["stations"][name].kind for name in step.stations if name in sections["stations"]]
        if len(kinds) < len(step.stations):
            continue  # they are unknown, or stand in a lab file that was not read
        people = [kind == MANUAL for kind in kinds]
        if any(people) and not all(people):
            message = "some are people and some are not, which cannot take each other's place; name one sort"
            yield Problem(f"{where}.stations", message)
        elif any(people):
            yield from _told(where, step, sections["stations"])
        elif step.instructions or step.asks:
            key = "instructions" if step.instructions else "asks"
            message = "is what people are told, and no station of the step is of kind: manual"
            yield Problem(f"{where}.{key}", f"{message}; remove it, or name such a station")


def tells_parameters(step: StepConfig) -> bool:
    """Return whether a step tells people all parameters of the trial."""
    try:
        return PARAMETERS in named_fields(step.instructions)
    except ValueError:
        return False  # reported by manual_steps


def _people(stations: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is asked of a station that is a person, and that only an instrument can do."""
    for name, station in stations.items():
        if station.kind != MANUAL:
            continue
        if station.capacity > 1:
            message = f"got {station.capacity}; a person confirms one sample at a time; remove it"
            yield Problem(f"stations.{name}.capacity", message)
        for key in ("safe", "standard"):
            if getattr(station, key, None):
                yield Problem(f"stations.{name}.{key}", f"{name} is a person, whom nothing sets or reads; remove {key}")


def _told(where: str, step: StepConfig, stations: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what a person could not be told or asked."""
    if not step.instructions.strip():
        advice = "add what is to be done, such as 'Move sample {sample} to the holder'"
        yield Problem(f"{where}.instructions", f"{', '.join(step.stations)}: a person has to be told; {advice}")
    allowed = [*FIELDS, *step.recipe]
    try:
        unknown = list(unknown_fields(step.instructions, step.recipe))
    except ValueError as error:
        yield Problem(f"{where}.instructions", f"{error}; allowed: names in braces, and {{{{ for a brace itself")
    else:
        for field in unknown:
            yield Problem(f"{where}.instructions", f"names {{{field}}}; allowed: {', '.join(allowed)}")
    settings = {key for name in step.stations if name in stations for key in stations[name].setpoints}
    for name in step.asks:
        if name in SIGNALS or name in settings:
            what = "a setpoint of the station" if name in settings else "what every instrument says of its job"
            yield Problem(f"{where}.asks.{name}", f"{name!r} is {what}; use another name")
