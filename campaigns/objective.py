"""The objective: weighted terms and outcome constraints, a pure function of the metrics.

It takes numbers, numpy arrays and torch tensors alike, so that the same code scores a finished trial and the posterior
samples of a candidate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Self, assert_never

from pydantic import Field, model_validator

from campaigns.config import Config, Name, Number, Quantity
from campaigns.errors import UnitError
from campaigns.expressions import Product
from campaigns.metrics import DerivedConfig, MetricConfig
from campaigns.units import has_offset, quantity, to_difference, to_unit, with_unit

Weight = Annotated[Number, Field(gt=0)]
MOST_AXES = 4
"""Largest number of terms of a front: with more, the hypervolume takes too long to compute."""


class LinearTermConfig(Config):
    """A metric that should be as large, or as small, as possible."""

    goal: Literal["maximise", "minimise"]
    metric: Name
    """Name of the metric."""
    weight: Weight = 1.0
    """Weight of this term in the score, relative to the other terms."""
    scale: Quantity
    """The change of the metric that is worth one point, such as 100 Wh/kg."""
    reference: Quantity | None = None
    """Worst value that is still of interest, for find: {kind: pareto}; without it, it follows the trials."""


class TargetTermConfig(Config):
    """A metric that should lie in a window."""

    goal: Literal["target"]
    metric: Name
    """Name of the metric."""
    weight: Weight = 1.0
    """Weight of this term in the score, relative to the other terms."""
    low: Quantity
    """Lower edge of the window."""
    high: Quantity
    """Upper edge of the window."""
    scale: Quantity
    """The distance outside of the window that costs one point."""
    reference: Quantity | None = None
    """Worst value that is still of interest, for find: {kind: pareto}; without it, it follows the trials."""


class DesirabilityTermConfig(Config):
    """A metric that is good below, above or between limits, with soft edges: between 0 and 1 point."""

    goal: Literal["desirable"]
    metric: Name
    """Name of the metric."""
    weight: Weight = 1.0
    """Weight of this term in the score, relative to the other terms."""
    above: Quantity | None = None
    """Lower edge, where half a point is given; leave it out if less is never worse."""
    below: Quantity | None = None
    """Upper edge, where half a point is given; leave it out if more is never worse."""
    width: Quantity
    """Softness of the edges: one width inside an edge gives 0.73 points, one outside 0.27 (logistic function)."""
    reference: Quantity | None = None
    """Worst value that is still of interest, for find: {kind: pareto}; without it, it follows the trials."""

    @model_validator(mode="after")
    def _some_edge(self) -> Self:
        if self.above is None and self.below is None:
            raise ValueError("got neither above nor below; needed: one of them, or both")
        return self


TermConfig = Annotated[LinearTermConfig | TargetTermConfig | DesirabilityTermConfig, Field(discriminator="goal")]


class FindBestConfig(Config):
    """Find the single best candidate."""

    kind: Literal["best"]


class FindManyConfig(Config):
    """Find as many good candidates as possible; without `above` and `share`, a higher score is always better."""

    kind: Literal["many"]
    above: Number | None = None
    """The score from which a candidate counts as good."""
    share: Annotated[Number, Field(gt=0, lt=1)] | None = None
    """The fraction of all candidates that counts as good: 0.05 for the best 5 %."""

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if self.above is not None and self.share is not None:
            raise ValueError("got above and share; allowed: one of them; remove the other")
        return self


class FindParetoConfig(Config):
    """Find the front: the candidates that none beats in one term without losing in another; two to four terms."""

    kind: Literal["pareto"]


FindConfig = Annotated[FindBestConfig | FindManyConfig | FindParetoConfig, Field(discriminator="kind")]


class OutcomeConstraintConfig(Config):
    """An outcome constraint: a limit that a metric must keep for a candidate to count."""

    metric: Name
    """Name of the metric."""
    at_least: Quantity | None = None
    """Lower limit."""
    at_most: Quantity | None = None
    """Upper limit."""

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("got neither or both of at_least and at_most; needed: exactly one of them")
        return self


class ObjectiveConfig(Config):
    """What makes a candidate good."""

    terms: Annotated[tuple[TermConfig, ...], Field(min_length=1)]
    """The score is the weighted mean of these; with find: {kind: pareto}, each is an axis and none has a weight."""
    constraints: tuple[OutcomeConstraintConfig, ...] = ()
    """Bounds on metrics; a candidate that breaks one is never the best."""
    find: FindConfig = FindBestConfig(kind="best")
    """What the campaign is for: the best candidate, many good ones, or the front of all compromises."""


@dataclass(frozen=True, slots=True)
class Term:
    """One term with all numbers in the metric's unit; ``scale`` is the width of a desirability.

    ``reference`` is the worst value that is still of interest, where one is given.
    """

    metric: str
    goal: Literal["maximise", "minimise", "target", "desirable"]
    weight: float
    scale: float
    low: float = -math.inf
    high: float = math.inf
    reference: float | None = None

    def points(self, value: Any) -> Any:
        """Return the points of a value, of the value's shape: one point per ``scale``, or a desirability from 0 to 1.

        Desirability: a product of logistic edges (after Harrington 1965, Ind. Qual. Control 21, 494).
        """
        match self.goal:
            case "maximise":
                return value / self.scale
            case "minimise":
                return -value / self.scale
            case "target":
                return -(_positive(self.low - value) + _positive(value - self.high)) / self.scale
            case "desirable":
                return _logistic((value - self.low) / self.scale) * _logistic((self.high - value) / self.scale)
            case _:
                assert_never(self.goal)


@dataclass(frozen=True, slots=True)
class Bound:
    """An outcome constraint with its bound in the metric's unit."""

    metric: str
    at_least: bool
    limit: float
    text: str

    def slack(self, value: Any) -> Any:
        """Return how far the value is from breaking the bound: not negative where it holds."""
        return value - self.limit if self.at_least else self.limit - value


@dataclass(frozen=True, slots=True)
class Objective:
    """The score and the constraints of a campaign, ready to be applied.

    Attributes:
        terms: weighted terms.
        bounds: outcome constraints.
        derived: derived metric to its formula and the factor into its unit.
        units: metric to unit, for all metrics.
        find: what the campaign is for.
    """

    terms: tuple[Term, ...]
    bounds: tuple[Bound, ...]
    derived: Mapping[str, tuple[Product, float]]
    units: Mapping[str, str]
    find: FindConfig

    def complete(self, metrics: Mapping[str, Any]) -> dict[str, Any]:
        """Return the metrics with every derived metric added, in its unit."""
        values = dict(metrics)
        for name, (formula, factor) in self.derived.items():
            if all(n in values for n in formula.names):
                values[name] = formula(values) * factor
        return values

    @property
    def needed(self) -> frozenset[str]:
        """The metrics that the terms and the constraints come from, derived ones by what they are derived from."""
        names = {term.metric for term in self.terms} | {bound.metric for bound in self.bounds}
        while derived := names & self.derived.keys():
            names = (names - derived).union(*(self.derived[name][0].names for name in derived))
        return frozenset(names)

    def score(self, metrics: Mapping[str, Any]) -> Any:
        """Return the weighted mean of the terms' points, of the metrics' shape.

        Args:
            metrics: metric name to value(s); derived metrics may be missing.
        """
        values = self.complete(metrics)
        total = sum(t.weight for t in self.terms)
        return sum(t.points(values[t.metric]) * (t.weight / total) for t in self.terms)

    def points(self, metrics: Mapping[str, Any]) -> list[Any]:
        """Return the points of each term, of the metrics' shape: the axes of a front, more being better."""
        values = self.complete(metrics)
        return [t.points(values[t.metric]) for t in self.terms]

    @property
    def references(self) -> tuple[float | None, ...]:
        """The points of each term that are still of interest, None where nothing is said."""
        return tuple(None if t.reference is None else float(t.points(t.reference)) for t in self.terms)

    def slacks(self, metrics: Mapping[str, Any]) -> list[Any]:
        """Return one slack per outcome constraint: not negative where it holds."""
        values = self.complete(metrics)
        return [b.slack(values[b.metric]) for b in self.bounds]

    def feasible(self, metrics: Mapping[str, float]) -> bool:
        """Return whether one trial's metrics keep every outcome constraint."""
        return all(s >= 0 for s in self.slacks(metrics))

    def broken(self, metrics: Mapping[str, float]) -> tuple[str, ...]:
        """Return the outcome constraints that one trial's metrics break, in words."""
        return tuple(bound.text for bound, slack in zip(self.bounds, self.slacks(metrics), strict=True) if slack < 0)

    def sds(self, metrics: Mapping[str, float], sds: Mapping[str, float]) -> dict[str, float]:
        """Return the standard uncertainty of every metric that is known, derived ones by first-order propagation.

        Args:
            metrics: metric to value.
            sds: metric to standard uncertainty; metrics that are missing are exact.
        """
        basic = {n: v for n, v in metrics.items() if n not in self.derived}
        found = {n: sds.get(n, 0.0) for n in basic}
        whole = self.complete(basic)
        for name in (n for n in self.derived if n in whole):
            centre = whole[name]
            parts = [self.complete({**basic, n: v + found[n]})[name] - centre for n, v in basic.items()]
            found[name] = float(sum(p * p for p in parts)) ** 0.5
        return found

    def score_sd(self, metrics: Mapping[str, float], sds: Mapping[str, float]) -> float:
        """Return the standard uncertainty of the score by first-order propagation (GUM, JCGM 100:2008, 5.1.2).

        The change by one standard uncertainty is taken on the side where it is larger: at the edge of a target window
        only one of them moves.

        Args:
            metrics: metric to value, without derived metrics.
            sds: metric to standard uncertainty; metrics that are missing are exact.
        """
        basic = {n: v for n, v in metrics.items() if n not in self.derived}
        centre = self.score(basic)
        changes = (self._change(centre, basic, n, sds[n]) for n in basic if n in sds)
        return sum(change**2 for change in changes) ** 0.5

    def _change(self, centre: float, metrics: Mapping[str, float], name: str, sd: float) -> float:
        """Return by how much the score changes where one metric is off by its standard uncertainty, either way."""
        return max(abs(float(self.score({**metrics, name: metrics[name] + step})) - centre) for step in (-sd, sd))


def build_objective(config: ObjectiveConfig, metrics: Mapping[str, MetricConfig]) -> Objective:
    """Return the objective with every number converted to the unit of its metric.

    Raises:
        UnitError: a quantity is of another dimension than its metric.
        KeyError: a term names an unknown metric.
    """
    units = {name: m.unit for name, m in metrics.items()}
    return Objective(
        terms=tuple(_term(t, units[t.metric]) for t in config.terms),
        bounds=tuple(_bound(c, units[c.metric]) for c in config.constraints),
        derived={n: derivation(m, units) for n, m in metrics.items() if isinstance(m, DerivedConfig)},
        units=units,
        find=config.find,
    )


def derivation(metric: DerivedConfig, units: Mapping[str, str]) -> tuple[Product, float]:
    """Return a derived metric's formula and the factor that brings it to its unit.

    Raises:
        UnitError: the formula has another dimension than the unit, or a metric's unit has an offset.
        KeyError: the formula names an unknown metric.
    """
    formula = Product(metric.formula)
    for name in formula.names:
        if has_offset(units[name]):
            raise UnitError(
                f"{name} is in {units[name]}, whose zero is arbitrary; allowed in a formula: a unit such as K"
            )
    product = formula({n: quantity(1.0, units[n]) for n in formula.names})
    return formula, to_unit(f"1 {product.units}", metric.unit)  # the formula's own numbers are no part of it


def _term(config: TermConfig, unit: str) -> Term:
    found = _bare_term(config, unit)
    return found if config.reference is None else replace(found, reference=to_unit(config.reference, unit))


def _bare_term(config: TermConfig, unit: str) -> Term:
    match config:
        case LinearTermConfig():
            return Term(config.metric, config.goal, config.weight, scale_in(config.scale, unit))
        case TargetTermConfig():
            low, high = to_unit(config.low, unit), to_unit(config.high, unit)
            return Term(config.metric, config.goal, config.weight, scale_in(config.scale, unit), low, high)
        case DesirabilityTermConfig():
            low = -math.inf if config.above is None else to_unit(config.above, unit)
            high = math.inf if config.below is None else to_unit(config.below, unit)
            return Term(config.metric, config.goal, config.weight, scale_in(config.width, unit), low, high)
        case _:
            assert_never(config)


def _bound(config: OutcomeConstraintConfig, unit: str) -> Bound:
    limit, sign = (config.at_most, "<=") if config.at_least is None else (config.at_least, ">=")
    assert limit is not None  # noqa: S101 - OutcomeConstraintConfig holds exactly one limit
    text = f"{config.metric} {sign} {with_unit(limit, unit)}"
    return Bound(config.metric, config.at_least is not None, to_unit(limit, unit), text)


def scale_in(scale: float | str, unit: str) -> float:
    """Return a scale as a positive number in ``unit``; it is a difference, so 10 K is 10 in degC.

    Raises:
        UnitError: the scale is of another dimension.
        ValueError: the scale is not above zero.
    """
    value = to_difference(scale, unit)
    if value <= 0:
        raise ValueError(f"got the scale {scale}; allowed: above zero")
    return value


def _logistic(value: Any) -> Any:
    """Return 1 / (1 + exp(-value)) for a number, an array or a tensor."""
    if isinstance(value, int | float):
        return 0.5 + 0.5 * math.tanh(0.5 * value)
    if hasattr(value, "sigmoid"):
        return value.sigmoid()
    import numpy as np  # starting is cheap: validate and status meet no arrays

    return 0.5 + 0.5 * np.tanh(0.5 * value)


def _positive(value: Any) -> Any:
    """Return max(value, 0) for a number, an array or a tensor."""
    return value.clip(min=0) if hasattr(value, "clip") else max(value, 0.0)
