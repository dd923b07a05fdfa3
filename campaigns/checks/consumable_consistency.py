"""Checks of what steps use up against what a lab file has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from campaigns.checks.sum_consistency import least, unknown_names
from campaigns.errors import Problem, suggestion
from campaigns.fidelity import all_steps
from campaigns.lab.consumables import ConsumableConfig


def used_consumables(sections: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield consumables that no lab file has, amounts of another kind, and those of which there is never enough."""
    if "workflow" not in sections or "lab" not in sections or "space" not in sections:
        return
    rules = getattr(sections["lab"], "rules", None)
    if rules is None and sections["lab"].kind == "file":
        return  # it was not read
    known: Mapping[str, ConsumableConfig] = {} if rules is None else rules.consumables
    for where, step in all_steps(sections["workflow"], sections.get("fidelities", {})):
        for name, given in step.uses.items():
            place = f"{where}.uses.{name}"
            if name in known:
                yield from _amount(place, known[name], given, sections["space"].all_parameters)
                continue
            allowed = ", ".join(known) or "none, as only a lab file declares consumables: {LiOH: {stock: 500 g}}"
            yield Problem(place, f"unknown consumable {name!r}{suggestion(name, known)}; allowed: {allowed}")


def _amount(
    where: str, config: ConsumableConfig, given: float | str, parameters: Mapping[str, Any]
) -> Iterator[Problem]:
    try:
        found = config.used(given)
    except ValueError as error:
        yield Problem(where, f"{error}; or a sum of parameters in {config.unit}, such as 2 + 0.5 * dose")
        return
    if unknown := list(unknown_names(where, found, parameters)):
        yield from unknown
        return
    lowest, stock = least(found, parameters), config.read(config.stock)
    if lowest > stock:
        unit = "" if config.unit == "1" else f" {config.unit}"
        message = f"a job uses {lowest:g}{unit} at least, and the stock is {stock:g}{unit}; it could never begin"
        yield Problem(where, message)
