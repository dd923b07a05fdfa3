"""A campaign's space as a search space of Ax, and its candidates as parameters of Ax and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ax.core.parameter import ChoiceParameter, FixedParameter, Parameter, ParameterType, RangeParameter
from ax.core.parameter_constraint import ParameterConstraint
from ax.core.search_space import SearchSpace

from campaigns.constraints import LinearConstraint
from campaigns.spaces.ax_space import inexpressible
from campaigns.spaces.parameters import CategoricalConfig, FloatConfig, IntegerConfig, OrdinalConfig, ParameterConfig
from campaigns.spaces.space import SpaceConfig
from campaigns.values import Candidate, Scalar
from loop.sampling.candidates import sobol
from loop.sampling.rounding import Setting, satisfy_equalities

MATERIAL = "material"
"""Parameter of Ax that holds the row of a material in the pool, from 0."""

_MOST_LEVELS = 1000  # of ChoiceParameter, ax.core.parameter.MAX_VALUES_CHOICE_PARAM
_INWARDS = 1e-6
"""Share of the way to a point inside by which a proposal on an edge moves, as Ax keeps constraints to 1e-8 (its
``PARAMETER_CONSTRAINT_TOLERANCE``) of a parameter that it has scaled."""


def search_space(space: SpaceConfig, materials: int = 0) -> SearchSpace:
    """Return a space of Ax, with the constraints that Ax can express.

    Every parameter has a value there, and one that does not apply its lowest. A material is a row of the pool.

    Args:
        space: the current one.
        materials: size of the pool.
    """
    found = [_parameter(name, parameter) for name, parameter in space.all_parameters.items()]
    if materials:
        found.append(_range(MATERIAL, ParameterType.INT, 0, materials - 1))
    held = {p.name: float(p.value) for p in found if isinstance(p, FixedParameter) and p.parameter_type.is_numeric}
    return SearchSpace(found, [c for c in _constraints(space, held) if c is not None])


def parameters_of(space: SpaceConfig, candidate: Candidate, rows: Mapping[str, int]) -> dict[str, Scalar]:
    """Return a candidate's value of each parameter of Ax; shares of a mixture add up exactly, as Ax wants them to.

    Args:
        space: the current one.
        candidate: in this space or not.
        rows: material to its row in the pool; one that the pool does not have comes behind all others.
    """
    stand_ins = {name: p.at(0.0) for name, p in space.parameters.items() if p.when}
    values = stand_ins | {n: _typed(space.all_parameters.get(n), v) for n, v in candidate.parameters.items()}
    for mixture in space.mixtures.values():
        shares = {name: float(values[name]) for name in mixture.components if name in values}
        whole = sum(shares.values())
        values |= {name: share * mixture.total / whole for name, share in shares.items()} if whole > 0.0 else {}
    if candidate.material is not None:
        values[MATERIAL] = rows.get(candidate.material, len(rows))
    return values


def _typed(parameter: ParameterConfig | None, value: Scalar) -> Scalar:
    """Return a value with the type that Ax wants, whatever it is in the store."""
    match parameter:
        case FloatConfig() | OrdinalConfig():
            return float(value)
        case IntegerConfig():
            return int(value)
        case _:
            return value


def _parameter(name: str, parameter: ParameterConfig) -> Parameter:
    match parameter:
        case FloatConfig(low=low, high=high, scale=scale):
            return _range(name, ParameterType.FLOAT, low, high, log_scale=scale == "log")
        case IntegerConfig(low=low, high=high):
            return _range(name, ParameterType.INT, int(low), int(high))
        case OrdinalConfig(levels=levels):
            return _choice(name, ParameterType.FLOAT, [float(level) for level in levels], ordered=True)
        case CategoricalConfig(levels=levels):
            return _choice(name, ParameterType.STRING, list(levels), ordered=False)


def _range(name: str, kind: ParameterType, low: float, high: float, *, log_scale: bool = False) -> Parameter:
    if low == high:
        return FixedParameter(name, kind, low)
    return RangeParameter(name, kind, low, high, log_scale=log_scale)


def _choice(name: str, kind: ParameterType, levels: Sequence[Scalar], *, ordered: bool) -> Parameter:
    if len(levels) == 1:
        return FixedParameter(name, kind, levels[0])
    many = len(levels) > _MOST_LEVELS  # Ax holds so many while a campaign runs, and refuses to write them into a file
    return ChoiceParameter(
        name, kind, list(levels), is_ordered=ordered, sort_values=ordered, bypass_cardinality_check=many
    )


def _constraints(space: SpaceConfig, held: Mapping[str, float]) -> Iterator[ParameterConstraint | None]:
    """Yield the linear constraints and the totals of the mixtures, but for those that Ax cannot express."""
    refused = {key for key, _ in inexpressible(space)}
    for i, constraint in enumerate(space.parsed_constraints):
        if f"constraints[{i}]" not in refused and isinstance(constraint, LinearConstraint):
            yield _constraint(constraint.coefficients, constraint.bound, held, equal=constraint.equal)
    for name, mixture in space.mixtures.items():
        if f"mixtures.{name}" not in refused:
            yield _constraint(dict.fromkeys(mixture.components, 1.0), mixture.total, held, equal=True)


def _constraint(
    coefficients: Mapping[str, float], bound: float, held: Mapping[str, float], *, equal: bool
) -> ParameterConstraint | None:
    """Return a constraint on what is not held at one value; None where nothing is left to constrain."""
    rest = bound - sum(coefficient * held[name] for name, coefficient in coefficients.items() if name in held)
    terms = [f"{coefficient!r} * {name}" for name, coefficient in coefficients.items() if name not in held]
    if not terms:
        return None
    if equal:
        return ParameterConstraint(equality=f"{' + '.join(terms)} == {rest!r}")
    return ParameterConstraint(inequality=f"{' + '.join(terms)} <= {rest!r}")


def candidate_of(space: SpaceConfig, parameters: Mapping[str, Any], materials: Sequence[str]) -> Candidate:
    """Return the candidate that parameters of Ax stand for, whether the space allows it or not.

    Constraints that are missed by no more than Ax's rounding are kept.

    Args:
        space: the current one.
        parameters: value of each parameter of Ax.
        materials: of the pool, row by row.
    """
    values = {n: _read(space.all_parameters[n], v) for n, v in parameters.items() if n in space.all_parameters}
    row = parameters.get(MATERIAL)
    material = None if row is None else f"row {row}"
    if isinstance(row, int | float) and row in range(len(materials)):
        material = materials[int(row)]
    try:
        setting = space.present(values)
    except KeyError:  # a parameter is missing
        return Candidate(values, material)
    return Candidate(setting if space.allows(setting) else _kept(space, setting), material)


def _read(parameter: ParameterConfig, value: Any) -> Any:
    """Return a value of Ax as the campaign has it: whole numbers as such, and no bound missed by rounding."""
    match parameter:
        case IntegerConfig() if isinstance(value, float) and value.is_integer():
            return int(value)
        case FloatConfig(low=low, high=high) if isinstance(value, int | float):
            near = next((b for b in (low, high) if abs(value - b) <= 1e-9 * (abs(low) + abs(high))), value)
            return float(near)
        case _:
            return value


def _kept(space: SpaceConfig, setting: Setting) -> Setting:
    """Return a setting that keeps constraints which it has missed by rounding; one that misses more stays as it is."""
    inside = next(iter(sobol(space, 1, 0)), {})
    floats = [n for n, p in space.all_parameters.items() if isinstance(p, FloatConfig) and n in setting and n in inside]
    if not all(isinstance(setting[name], float) for name in floats):
        return setting
    moved = {n: float(setting[n]) + _INWARDS * (float(inside[n]) - float(setting[n])) for n in floats}
    (found,) = satisfy_equalities(space, [{**setting, **moved}])
    spans = {n: float(space.all_parameters[n].at(1.0)) - float(space.all_parameters[n].at(0.0)) for n in floats}
    near = all(abs(float(found[n]) - float(setting[n])) <= 10.0 * _INWARDS * spans[n] for n in floats)
    return found if near and space.allows(found) else setting
