"""What in a search space contradicts itself, each with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from campaigns.constraints import Constraint, LinearConstraint
from campaigns.errors import suggestion
from campaigns.spaces.linear_system import solvable
from campaigns.spaces.parameters import CategoricalConfig, IntegerConfig, OrdinalConfig, ParameterConfig
from campaigns.values import Scalar

if TYPE_CHECKING:
    from campaigns.spaces.space import SpaceConfig

Placed = tuple[str, str]
"""The key within the space, and what is wrong there."""


def contradictions(space: SpaceConfig) -> list[Placed]:
    """Return all contradictions; only valid constraints are checked for a common solution."""
    found = [*_twice(space), *_conditions(space.parameters), *_growing(space)]
    return [*found, *_constraints(space)] if found else unkept(space)


def unkept(space: SpaceConfig) -> list[Placed]:
    """Return the constraints that cannot be satisfied; only valid ones are checked for a common solution."""
    return list(_constraints(space)) or list(_together(space))


def _twice(space: SpaceConfig) -> Iterator[Placed]:
    places = [(name, f"parameters.{name}") for name in space.parameters]
    for key, mixture in space.mixtures.items():
        places.append((key, f"mixtures.{key}"))
        places += [(name, f"mixtures.{key}.components.{name}") for name in mixture.components]
    seen: set[str] = set()
    for name, place in places:
        if name in seen:
            yield place, f"got the name {name!r} twice; allowed: one for each parameter, mixture and component"
        seen.add(name)


def _conditions(parameters: Mapping[str, ParameterConfig]) -> Iterator[Placed]:
    allowed = [n for n, p in parameters.items() if isinstance(p, CategoricalConfig | OrdinalConfig)]
    for name, parameter in parameters.items():
        for parent, levels in parameter.when.items():
            place = f"parameters.{name}.when.{parent}"
            if parent not in allowed:
                hint = f"{suggestion(parent, allowed)}; allowed: a categorical or ordinal parameter"
                yield place, f"got {parent!r}{hint}: {', '.join(allowed) or 'there is none'}"
            elif name in _behind(parameters, parent, (name,)):
                yield (
                    place,
                    f"whether {name} applies depends on itself; allowed: a parameter that does not depend on it",
                )
            else:
                yield from ((place, problem) for problem in _levels(parent, levels, parameters[parent]))
        if parameter.otherwise is not None and not parameter.when:
            yield f"parameters.{name}.otherwise", f"{name} always applies; remove otherwise, or add when"


def _growing(space: SpaceConfig) -> Iterator[Placed]:
    for name, parameter in space.parameters.items() if space.rows is not None else ():
        for key in ("lowest", "highest"):
            if getattr(parameter, key, None) is not None:
                yield (
                    f"parameters.{name}.{key}",
                    f"only the rows of a table may be chosen; remove {key}",
                )


def _behind(parameters: Mapping[str, ParameterConfig], name: str, until: tuple[str, ...]) -> set[str]:
    """Return a parameter and all that decide whether it applies, looked for no further than some that are known."""
    if name in until or name not in parameters:
        return {name}
    further = (*until, name)
    return {name}.union(*(_behind(parameters, parent, further) for parent in parameters[name].when))


def _levels(parent: str, levels: Sequence[Scalar], parameter: ParameterConfig) -> Iterator[str]:
    known = parameter.levels if isinstance(parameter, CategoricalConfig | OrdinalConfig) else ()
    for level in levels:
        if level not in known:
            yield f"got {level!r}, no level of {parent}; allowed: {', '.join(map(str, known))}"
    if set(known) <= set(levels):
        yield f"got every level of {parent}; remove a level, or when"


def _constraints(space: SpaceConfig) -> Iterator[Placed]:
    for i, rule in enumerate(space.parsed_constraints):
        problems = list(_names(space.all_parameters, rule))
        if not problems and isinstance(rule, LinearConstraint) and not _kept_somewhere(space, rule):
            problems = [f"{rule.text!r} is broken everywhere between the bounds of its parameters; correct either"]
        yield from ((f"constraints[{i}]", problem) for problem in problems)


def _names(parameters: Mapping[str, ParameterConfig], rule: Constraint) -> Iterator[str]:
    allowed = [n for n, p in parameters.items() if p.kind != "categorical" and not p.when]
    for name in rule.names:
        if name not in allowed:
            why = ", which does not always apply" if name in parameters and parameters[name].when else ""
            hint = why or suggestion(name, allowed)
            yield f"{rule.text!r} names {name!r}{hint}; allowed: {', '.join(allowed) or 'none'}"


def _kept_somewhere(space: SpaceConfig, rule: LinearConstraint) -> bool:
    least, most = (
        sum(c * float(space.all_parameters[n].at(float((c > 0) is side))) for n, c in rule.coefficients.items())
        for side in (False, True)
    )
    slightly = 1e-9 * max(1.0, abs(rule.bound))
    return bool(least <= rule.bound + slightly and (not rule.equal or most >= rule.bound - slightly))


def _together(space: SpaceConfig) -> Iterator[Placed]:
    """Yield that constraints have no common solution, or none among the levels of integers and ordinals."""
    rows = [*(set(c.names) for c in space.linear_constraints), *(set(m.components) for m in space.mixtures.values())]
    shared = sum(map(len, rows)) > len(set().union(*rows))
    sparse = any(m.at_most is not None and any(c.low for c in m.components.values()) for m in space.mixtures.values())
    numbers = {n: p for n, p in space.parameters.items() if n in space.system.names}
    whole = [n for n, p in numbers.items() if isinstance(p, IntegerConfig)]
    levels = {n: p.levels for n, p in numbers.items() if isinstance(p, OrdinalConfig)}
    stepping = any(c.equal and not {*whole, *levels}.isdisjoint(c.names) for c in space.linear_constraints)
    if not (shared or sparse or stepping):
        return
    if not solvable(space.system, whole, levels, tuple(space.mixtures.values())):
        linear = [c.text for c in space.linear_constraints]
        together = [*linear, *(f"the total and bounds of {name}" for name in space.mixtures)]
        steps = [f"the steps of {name}" for name in (*whole, *levels)]
        listed = "; ".join([*together, *steps])
        yield "constraints" if linear else "mixtures", f"no setting satisfies all of these together: {listed}"
