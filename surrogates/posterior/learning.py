"""From measurements to a metric's Gaussian process: which views and which prior it uses is found anew each time.

Candidates are a mixture of all views, and each view alone, with and without the prior. They are judged by the mean log
density of each measurement by the others (leave-one-out; Rasmussen & Williams 2006, section 5.4.2), as often as
hyper-parameters are fitted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor

from surrogates.posterior.censoring import first_guess, propagate
from surrogates.posterior.covariance import Shape, covariance
from surrogates.posterior.distances import Distances, distances
from surrogates.posterior.encoder import Encoder
from surrogates.posterior.families import families, widening
from surrogates.posterior.fitting import SLOPE, Data, Factor, extend, factorise, fit
from surrogates.posterior.gp import Known, MetricGP, Terms
from surrogates.posterior.observations import Observations

MIXTURE, WITHOUT_PRIOR = "mixture", "without prior"
_FEWEST = 8  # measurements before anything but the mixture is considered
_MARGIN = 0.02  # nats per measurement, and
_DOUBT = 3.0  # nats in all, by which a single view must be better than the mixture, or no prior than a prior
_LENGTHS = (0.4, 1.0)  # of a view alone, before it is fitted
_LONE_NUGGET = 0.05
_RESOLVED = 20.0  # standard uncertainties over which a metric is expected to vary before anything else is known
_QUIET = 1.1e-3  # standard deviations; with less noise Cholesky factors are unreliable
_GROWTH = 1.1  # of the measurements between two fits of hyper-parameters
_MOST_TO_FIT = 400  # measurements that decide about hyper-parameters
_REMEMBERED = 3  # models and factors of one metric


@dataclass(frozen=True)
class Task:
    """What there is to learn of one metric.

    Attributes:
        encoder: layout of rows, and the views that may be used.
        prior: what serves as prior mean, or None.
        floor: value that many materials have and none falls below, or None.
        views: names of the views that may be used; all by default.
        inflation: factor by which predictions were found to be too sure of themselves.
        abrupt, wary: see Shape.
    """

    encoder: Encoder
    prior: Known | None = None
    floor: float | None = None
    views: tuple[str, ...] | None = None
    inflation: float = 1.0
    abrupt: bool = False
    wary: bool = False

    def shape(self, views: tuple[str, ...]) -> Shape:
        """Return which hyper-parameters a model by these views has."""
        return Shape(views, self.encoder.parameter_columns, self.abrupt, self.wary)

    @property
    def usable(self) -> tuple[str, ...]:
        """Return the views that tell materials apart; the first one where none does."""
        if self.encoder.materials is None:
            return ()
        views = self.encoder.materials.views
        names = self.views or tuple(views)
        return tuple(n for n in names if any(row.any() for row in views[n])) or names[:1]


@dataclass(frozen=True)
class Verdict:
    """Which way to see the measurements explains them.

    Attributes:
        views: names of the views that are used.
        prior: the prior that is used, or None.
        evidence: way to see the measurements to their mean log density by each other.
    """

    views: tuple[str, ...]
    prior: Known | None
    evidence: Mapping[str, float]


@dataclass(frozen=True)
class Memory:
    """What was found out about one metric, by what it was found from: some measurements, views and prior.

    Attributes:
        logs: logarithms of hyper-parameters, by the views and the prior that they belong to.
        verdicts: by the views and the prior that might be used.
        widenings: what standard deviations are multiplied by, by the views and the prior that are used.
        factors: latest factorised covariances of the observations that decide, by a digest of all they depend on.
        models: latest models, by views, prior and inflation that might be used.
    """

    logs: dict[_Key, Tensor] = field(default_factory=dict)
    verdicts: dict[_Key, Verdict] = field(default_factory=dict)
    widenings: dict[_Key, float] = field(default_factory=dict)
    factors: dict[tuple[Shape, Known | None, bytes], Factor] = field(default_factory=dict)
    models: dict[tuple[_Key, float], MetricGP] = field(default_factory=dict)


_Key = tuple[int, bytes, tuple[str, ...], Known | None]
"""How many measurements there were, their digest, and what was made of them."""


def learn(task: Task, seen: Observations, memory: Memory | None = None) -> MetricGP:
    """Return what is believed of a metric after its measurements.

    Views, prior and hyper-parameters are those of the first measurements, nine tenths of all at least, so that they
    change only as these grow by a tenth; whether they are remembered changes nothing but the time it takes.

    Args:
        task: what may be used.
        seen: at least one measurement, in the order in which they came.
        memory: of one metric; it is added to.
    """
    memory = Memory() if memory is None else memory
    start = _Start(task, seen)
    key = ((len(seen.values), start.digest, task.usable, task.prior), task.inflation)
    if key not in memory.models:
        _remember(memory.models, key, _learnt(start, memory))
    return memory.models[key]


def _learnt(start: _Start, memory: Memory) -> MetricGP:
    decisive = start.first(fitted_to(len(start.rows)))
    many = len(start.rows) > _MOST_TO_FIT
    if many:  # in the units of those that decide, so that these stay as they are
        start = _Start(start.task, start.seen, (decisive.shift, decisive.scale))
    verdict = _verdict(decisive, memory)
    shape = start.task.shape(verdict.views)
    logs = _logs(decisive, shape, verdict.prior, memory)
    widened = _widened(decisive, shape, verdict.prior, memory)
    fitted = _Fitted.at(start, shape, verdict.prior, logs)
    if many:
        fitted = replace(fitted, known=_extended(fitted, start.rows[: len(decisive.rows)], memory))
    return _believed(start, fitted, verdict, widened)


def _extended(fitted: _Fitted, first: Tensor, memory: Memory) -> Factor:
    """Return the factorised covariance of many observations; that of the first of them, at these rows, is remembered.

    It is always made of these two parts, so that it does not matter whether the first part was remembered.
    """
    data, count = fitted.data, len(first)
    known = [each[:count] for each in (data.noise, data.prior, data.amplitude) if each is not None]
    key = (fitted.shape, fitted.prior, _digest(first, fitted.logs, *known))
    if key not in memory.factors:
        begun = replace(fitted, data=data.only(torch.arange(count)))
        _remember(memory.factors, key, begun.factor)
    rest = data.parts.between(torch.arange(count, len(data.targets)), torch.arange(len(data.targets)))
    return extend(memory.factors[key], covariance(fitted.shape, fitted.logs, rest), data)


def _digest(*numbers: Tensor) -> bytes:
    return blake2b(torch.cat([each.ravel() for each in numbers]).numpy().tobytes(), digest_size=16).digest()


def _remember(found: dict[Any, Any], key: Any, value: Any) -> None:
    """Keep a value, and forget the oldest where there are many."""
    found[key] = value
    if len(found) > _REMEMBERED:
        del found[next(iter(found))]


class _Start:
    """Standardised observations, by their own shift and scale or by given ones."""

    def __init__(self, task: Task, seen: Observations, units: tuple[float, float] | None = None) -> None:
        self.task, self.seen, self.rows = task, seen, seen.rows
        self.prior = task.prior
        _, amplitude = Terms(task.encoder, Shape((), 0), torch.zeros(0), task.prior).known(seen.rows)
        self.shift, self.scale = units or _standard(seen.values, amplitude)
        self.censored = torch.zeros(len(seen.values), dtype=torch.bool)
        if task.floor is not None:
            self.censored = seen.values <= task.floor + 2.0 * seen.sds
            if units is None and bool(self.censored.all()):  # nothing tells how far the others lie above it
                self.shift, self.scale = task.floor, _RESOLVED * float(seen.sds.median()) or 1.0
        self.noise = torch.maximum(seen.sds / self.scale, torch.full_like(seen.sds, _QUIET)).square()
        self.targets = (seen.values - self.shift) / self.scale
        if task.floor is not None:
            self.targets = torch.where(self.censored, (task.floor - self.shift) / self.scale, self.targets)

    @cached_property
    def parts(self) -> Distances:
        """The distances between the observations by all views that may be used."""
        return distances(self.task.encoder, self.rows, self.rows, self.task.usable)

    @cached_property
    def digest(self) -> bytes:
        """What tells these observations from others of the same metric."""
        return _digest(self.rows, self.seen.values, self.seen.sds)

    def first(self, count: int) -> _Start:
        """Return the first of the observations."""
        return _Start(self.task, self.seen.only(torch.arange(count)))

    def data(self, shape: Shape, prior: Known | None) -> Data:
        """Return the observations as seen by some of the views."""
        kept = tuple(p for n, p in zip(self.task.usable, self.parts.views, strict=True) if n in shape.views)
        parts = replace(self.parts, views=kept)
        known = Terms(self.task.encoder, shape, torch.zeros(0), prior).known(self.rows)
        return Data(parts, self.targets, self.noise, *known)


def _standard(values: Tensor, amplitude: Tensor | None) -> tuple[float, float]:
    """Return shift and scale of a metric; a share of a prior is not shifted."""
    if amplitude is not None:
        return 0.0, float((values / amplitude).square().mean().sqrt()) or 1.0
    spread = float(values.std()) if len(values) > 1 else 0.0
    return float(values.mean()), spread if spread > 1e-8 else 1.0


@dataclass(frozen=True)
class _Fitted:
    """One way to see the observations."""

    name: str
    shape: Shape
    logs: Tensor
    data: Data
    prior: Known | None
    known: Factor | None = None

    @cached_property
    def factor(self) -> Factor:
        """The factorised covariance of the observations."""
        return self.known or factorise(covariance(self.shape, self.logs, self.data.parts), self.data)

    @classmethod
    def at(cls, start: _Start, shape: Shape, prior: Known | None, logs: Tensor) -> _Fitted:
        """Return the observations as seen with given hyper-parameters."""
        data = start.data(shape, prior).noisier(shape.excess(logs))
        if bool(start.censored.any()):
            data = propagate(covariance(shape, logs, data.parts), data, start.censored)
        return cls(MIXTURE, shape, logs, data, prior)


def _verdict(start: _Start, memory: Memory) -> Verdict:
    """Return which way to see the observations explains them."""
    task = start.task
    key = (len(start.rows), start.digest, task.usable, task.prior)
    if key not in memory.verdicts:
        shape = task.shape(task.usable)
        logs = _logs(start, shape, task.prior, memory)
        memory.verdicts[key] = _judged(_Fitted.at(start, shape, task.prior, logs))
    return memory.verdicts[key]


def _logs(start: _Start, shape: Shape, prior: Known | None, memory: Memory) -> Tensor:
    """Return the logarithms of the hyper-parameters that are fitted to the observations."""
    key = (len(start.rows), start.digest, shape.views, prior)
    if key not in memory.logs:
        memory.logs[key] = _fit(start, shape, prior)
    return memory.logs[key]


def _widened(start: _Start, shape: Shape, prior: Known | None, memory: Memory) -> float:
    """Return what standard deviations are multiplied by for chemistries unlike those of the observations."""
    count = len(start.rows)
    formulas = start.task.encoder.formulas(start.rows[_spread(count)])
    if count < _FEWEST or not formulas:
        return 1.0
    key = (count, start.digest, shape.views, prior)
    if key not in memory.widenings:
        logs = memory.logs[key]
        data = _thinned(_Fitted.at(start, shape, prior, logs).data)
        factor = factorise(covariance(shape, logs, data.parts), data)
        memory.widenings[key] = widening(factor, families(formulas))
    return memory.widenings[key]


def fitted_to(count: int) -> int:
    """Return to how many of the first measurements hyper-parameters are fitted: it grows by a tenth at a time."""
    fitted = 1
    while max(fitted + 1, int(_GROWTH * fitted)) <= count:
        fitted = max(fitted + 1, int(_GROWTH * fitted))
    return fitted


def _fit(start: _Start, shape: Shape, prior: Known | None) -> Tensor:
    """Fit the hyper-parameters, and the Gaussians in the place of what lies beneath the floor."""
    data = start.data(shape, prior)
    if not bool(start.censored.any()):
        return fit(shape, _thinned(data))
    logs = fit(shape, _thinned(first_guess(data, start.censored)))
    sites = propagate(covariance(shape, logs, data.parts), data.noisier(shape.excess(logs)), start.censored)
    known = torch.where(start.censored, sites.noise, data.noise)  # the rest is for the hyper-parameters to say
    return fit(shape, _thinned(replace(sites, noise=known)), logs)


def _thinned(data: Data) -> Data:
    """Return evenly spread observations, few enough to fit hyper-parameters to."""
    count = len(data.targets)
    if count <= _MOST_TO_FIT:
        return data
    return data.only(_spread(count))


def _spread(count: int) -> Tensor:
    """Return the places of the observations that are enough."""
    return torch.linspace(0, count - 1, min(count, _MOST_TO_FIT)).round().long()


def _rivals(mixture: _Fitted) -> Iterator[_Fitted]:
    """Yield other ways to see the same observations, not yet fitted."""
    if mixture.prior is not None and not mixture.prior.factor:
        yield replace(mixture, name=WITHOUT_PRIOR, data=replace(mixture.data, prior=None), prior=None)
    views = mixture.shape.views
    if len(views) < 2:
        return
    for view in views:
        shape = replace(mixture.shape, views=(view,))
        index = views.index(view)
        data = replace(mixture.data, parts=replace(mixture.data.parts, views=(mixture.data.parts.views[index],)))
        tried = [_Fitted(view, shape, _lone(shape, mixture, length), data, mixture.prior) for length in _LENGTHS]
        yield max(tried, key=lambda each: each.factor.evidence)


def _lone(shape: Shape, mixture: _Fitted, length: float) -> Tensor:
    """Return hyper-parameters of a view alone: its own a guess, those of the parameters from the mixture."""
    known = dict(zip(mixture.shape.names, mixture.logs.exp().tolist(), strict=True))
    known |= {f"scale.{shape.views[0]}": 1.0, f"length.{shape.views[0]}": length, "nugget": _LONE_NUGGET}
    return torch.tensor([known[name] for name in shape.names], dtype=torch.float64).log()


def _judged(mixture: _Fitted) -> Verdict:
    """Return the mixture, or what explains the measurements clearly better."""
    views, prior, count = mixture.shape.views, mixture.prior, len(mixture.data.targets)
    evidence = {MIXTURE: mixture.factor.evidence}
    if count < _FEWEST:
        return Verdict(views, prior, evidence)
    evidence |= {rival.name: rival.factor.evidence for rival in _rivals(mixture)}
    if WITHOUT_PRIOR in evidence:
        slope, sd = _slope(mixture)
        useless = slope < sd or clearly_better(evidence[WITHOUT_PRIOR], evidence[MIXTURE], count)
        prior = None if useless else prior
    single = max(((value, name) for name, value in evidence.items() if name in views), default=None)
    if single is not None and clearly_better(single[0], evidence[MIXTURE], count):
        views = (single[1],)
    return Verdict(views, prior, evidence)


def clearly_better(evidence: float, rival: float, count: int) -> bool:
    """Return whether one way to see ``count`` measurements explains them so much better that it is no chance."""
    return evidence > rival + _MARGIN + _DOUBT / count


def _slope(fitted: _Fitted) -> tuple[float, float]:
    """Return mean and standard deviation of the prior's slope after the data (ibid., equation 2.42)."""
    prior = fitted.data.prior
    if prior is None:
        return 0.0, 0.0
    factor, spread = fitted.factor, SLOPE[1] ** 2
    explained = float(prior @ factor.inverse @ prior)
    return SLOPE[0] + spread * float(prior @ factor.weights), max(spread - spread**2 * explained, 0.0) ** 0.5


def _believed(start: _Start, fitted: _Fitted, verdict: Verdict, widened: float) -> MetricGP:
    task = start.task
    return MetricGP(
        Terms(task.encoder, fitted.shape, fitted.logs, fitted.prior),
        start.rows,
        fitted.data,
        fitted.factor,
        start.shift,
        start.scale,
        task.floor,
        {**_account(start, fitted, verdict), "widening": widened},
        task.inflation * widened,
    )


def _account(start: _Start, fitted: _Fitted, verdict: Verdict) -> dict[str, Any]:
    values = dict(zip(fitted.shape.names, fitted.logs.exp().tolist(), strict=True))
    scales = {name: values[f"scale.{name}"] for name in fitted.shape.views}
    choice = MIXTURE if verdict.views == start.task.usable else verdict.views[0]
    found: dict[str, Any] = {"choice": choice, "loo": dict(verdict.evidence)}
    if scales:
        total = sum(scales.values()) + values["nugget"]
        found["features"] = {name: scale / total for name, scale in scales.items()}
    if start.prior is not None and not start.prior.factor:
        slope, sd = _slope(fitted)
        found["prior"] = {"slope": slope, "sd": sd, "used": fitted.prior is not None}
    return found
