"""From measurements to a metric's Gaussian process: which views and which prior it uses is found anew each time.

Candidates are a mixture of all views, and each view alone, with and without the prior; without materials, a Matérn
process of the parameters, a Gaussian one, and one of warped parameters. They are judged by the mean log density of each
measurement by the others (leave-one-out; Rasmussen & Williams 2006, section 5.4.2), as often as hyper-parameters are
fitted.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from surrogates.models.censoring import first_guess
from surrogates.models.exact_inference import Data, Factor, extend, factorise
from surrogates.models.extrapolation import chemical_families, extrapolation_factor
from surrogates.models.gp import MetricGP, MetricUnits
from surrogates.models.hyperparameters import fit
from surrogates.models.kernel_spec import KernelSpec
from surrogates.models.means import PriorMean
from surrogates.models.memo import Memo
from surrogates.models.model_selection import FEWEST, Selection, kernels_beside, select_kernel, select_views, slope_of
from surrogates.models.observations import Observations
from surrogates.models.problem import FittedKernel, RegressionProblem, Standardised, digest

# Not tuned: what bounds the time; docs/benchmarks.md, "What it costs", has times by these values.
_GROWTH = 1.1  # of the measurements between two fits of hyper-parameters
_KERNEL_GROWTH = 1.3  # of the measurements between two choices of a kernel
_MOST_TO_FIT = 400  # measurements that hyper-parameters are fitted to
_CACHED = 3  # models and factors of one metric


@dataclass(frozen=True)
class FitCache:
    """What is kept of the fits of one metric: each by the measurements, the views and the prior that it depends on.

    Attributes:
        logs: logarithms of hyper-parameters.
        selections: of views, prior and kernel.
        extrapolations: what standard deviations are multiplied by for other chemistries.
        factors: factorised covariances of the observations that decide.
        models: fitted models.
    """

    logs: Memo[Tensor] = field(default_factory=Memo)
    selections: Memo[Selection] = field(default_factory=Memo)
    extrapolations: Memo[float] = field(default_factory=Memo)
    factors: Memo[Factor] = field(default_factory=lambda: Memo(_CACHED))
    models: Memo[MetricGP] = field(default_factory=lambda: Memo(_CACHED))


def fit_gp(task: RegressionProblem, seen: Observations, cache: FitCache | None = None) -> MetricGP:
    """Return the Gaussian process of a metric after its measurements.

    Views, prior and hyper-parameters are those of the first measurements, nine tenths of all at least, so that they
    change only as these grow by a tenth; whether they are cached changes nothing but the time it takes.

    Args:
        task: what may be used.
        seen: at least one measurement, in the order in which they came.
        cache: of one metric; it is added to.
    """
    cache = FitCache() if cache is None else cache
    start = Standardised(task, seen)
    return cache.models.once((*_key(start), task.inflation), lambda: _fitted_model(start, cache))


def _key(start: Standardised) -> tuple[object, ...]:
    """Return all that a selection depends on."""
    task = start.task
    return len(start.rows), start.digest, task.usable, task.prior, task.plain or bool(task.usable)


def _fitted_model(start: Standardised, cache: FitCache) -> MetricGP:
    decisive = start.first(fitted_to(len(start.rows)))
    many = len(start.rows) > _MOST_TO_FIT
    if many:  # in the units of those that decide, so that these stay as they are
        start = Standardised(start.task, start.seen, (decisive.shift, decisive.scale))
    selection = _selection(decisive, cache)
    logs = _logs(decisive, selection.spec, selection.prior, cache)
    extrapolation = _extrapolation(decisive, selection, logs, cache)
    fitted = FittedKernel.at(start, selection.spec, selection.prior, logs)
    if many:
        fitted = replace(fitted, factorised=_extended(fitted, start.rows[: len(decisive.rows)], cache))
    units = MetricUnits(start.shift, start.scale, start.task.floor, start.task.inflation * extrapolation)
    account = {**_account(start, fitted, selection), "widening": extrapolation}
    return MetricGP(fitted, start.rows, units).noted(account=account)


def _extended(fitted: FittedKernel, first: Tensor, cache: FitCache) -> Factor:
    """Return the factorised covariance of many observations; that of the first of them, at these rows, is cached.

    It is always made of these two parts, so that it does not matter whether the first part was cached.
    """
    data, count = fitted.data, len(first)
    of_first = [each[:count] for each in (data.noise, data.prior, data.amplitude) if each is not None]
    key = (fitted.spec, fitted.prior, digest(first, fitted.logs, *of_first))
    begun = cache.factors.once(key, lambda: replace(fitted, data=data.only(torch.arange(count))).factor)
    rest = data.parts.between(torch.arange(count, len(data.targets)), torch.arange(len(data.targets)))
    return extend(begun, fitted.covariance(rest), data)


def _selection(start: Standardised, cache: FitCache) -> Selection:
    """Return which way to see the observations explains them; without views, the first of them tell, for a while."""
    start = start if start.task.usable else start.first(fitted_to(len(start.rows), _KERNEL_GROWTH))
    return cache.selections.once(_key(start), lambda: _selected(start, cache))


def _selected(start: Standardised, cache: FitCache) -> Selection:
    task = start.task

    def fitted(spec: KernelSpec) -> FittedKernel:
        return FittedKernel.at(start, spec, task.prior, _logs(start, spec, task.prior, cache))

    first = fitted(task.spec(task.usable))
    if first.spec.views:
        return select_views(first)
    kernels = {} if task.plain else kernels_beside(first.spec, task.encoder.numeric)
    return select_kernel(first, kernels, fitted)


def _logs(start: Standardised, spec: KernelSpec, prior: PriorMean | None, cache: FitCache) -> Tensor:
    """Return the logarithms of the hyper-parameters that are fitted to the observations."""
    key = (len(start.rows), start.digest, spec, prior)
    return cache.logs.once(key, lambda: _fit(start, spec, prior))


def _extrapolation(start: Standardised, selection: Selection, logs: Tensor, cache: FitCache) -> float:
    """Return what standard deviations are multiplied by for chemistries unlike those of the observations."""
    count, (spec, prior) = len(start.rows), (selection.spec, selection.prior)
    formulas = start.task.encoder.formulas(start.rows[_spread(count)])
    if count < FEWEST or not formulas:
        return 1.0

    def factor() -> float:
        fitted = FittedKernel.at(start, spec, prior, logs)
        data = _thinned(fitted.data)
        return extrapolation_factor(factorise(fitted.covariance(data.parts), data), chemical_families(formulas))

    return cache.extrapolations.once((count, start.digest, spec, prior), factor)


def fitted_to(count: int, growth: float = _GROWTH) -> int:
    """Return to how many of the first measurements hyper-parameters are fitted: it grows by a tenth at a time."""
    fitted = 1
    while max(fitted + 1, int(growth * fitted)) <= count:
        fitted = max(fitted + 1, int(growth * fitted))
    return fitted


def _fit(start: Standardised, spec: KernelSpec, prior: PriorMean | None) -> Tensor:
    """Fit the hyper-parameters, and the Gaussians in the place of what lies beneath the floor."""
    data = start.data(spec, prior)
    if not bool(start.censored.any()):
        return fit(spec, _thinned(data))
    logs = fit(spec, _thinned(first_guess(data, start.censored)))
    sites = FittedKernel.at(start, spec, prior, logs).data
    noise = torch.where(start.censored, sites.noise, data.noise)  # the rest is for the hyper-parameters to say
    return fit(spec, _thinned(replace(sites, noise=noise)), logs)


def _thinned(data: Data) -> Data:
    """Return evenly spread observations, few enough to fit hyper-parameters to."""
    count = len(data.targets)
    if count <= _MOST_TO_FIT:
        return data
    return data.only(_spread(count))


def _spread(count: int) -> Tensor:
    """Return the places of the observations that are enough."""
    return torch.linspace(0, count - 1, min(count, _MOST_TO_FIT)).round().long()


def _account(start: Standardised, fitted: FittedKernel, selection: Selection) -> dict[str, Any]:
    values = dict(zip(fitted.spec.names, fitted.logs.exp().tolist(), strict=True))
    scales = {name: values[f"scale.{name}"] for name in fitted.spec.views}
    found: dict[str, Any] = {"choice": selection.name, "loo": dict(selection.evidence)}
    if scales:
        total = sum(scales.values()) + values["nugget"]
        found["features"] = {name: scale / total for name, scale in scales.items()}
    if start.prior is not None and not start.prior.factor:
        slope, sd = slope_of(fitted)
        found["prior"] = {"slope": slope, "sd": sd, "used": fitted.prior is not None}
    return found
