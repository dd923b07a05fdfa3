"""Checks of sums of parameters, wherever a campaign file has one: each names numbers of the space."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from campaigns.constraints import LinearSum
from campaigns.errors import Problem, suggestion
from campaigns.fidelity import all_steps
from campaigns.spaces.parameters import OrdinalConfig


def step_sums(sections: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield sums of steps, of cost, duration and masses, that name what is no number of the space."""
    if "space" not in sections:
        return
    parameters = sections["space"].all_parameters
    for where, step in all_steps(sections.get("workflow", ()), sections.get("fidelities", {})):
        sums = step.sums | {f"sample.{key}": found for key, found in step.sample.sums.items()}
        for key, found in sums.items():
            yield from unknown_names(f"{where}.{key}", found, parameters)


def unknown_names(where: str, found: LinearSum, parameters: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what a sum names that is no number of the space."""
    numbers = [name for name, one in parameters.items() if one.kind != "categorical"]
    for name in found.coefficients:
        if name not in numbers:
            allowed = ", ".join(numbers) or "none"
            message = f"unknown name {name!r}{suggestion(name, numbers)}; allowed: {allowed} (numeric parameters)"
            yield Problem(where, message)


def least(found: LinearSum, parameters: Mapping[str, Any]) -> float:
    """Return the least value of a sum over the ranges of its parameters."""
    ends = ((factor, _ends(parameters[name])) for name, factor in found.coefficients.items())
    return found.constant + sum(factor * (low if factor > 0 else high) for factor, (low, high) in ends)


def _ends(parameter: Any) -> tuple[float, float]:
    if isinstance(parameter, OrdinalConfig):
        return parameter.levels[0], parameter.levels[-1]
    return parameter.low, parameter.high
