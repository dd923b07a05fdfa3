"""From measurements to a posterior: which of them are outliers, what is noise, and which models are averaged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from campaigns.metrics import MeasuredConfig
from campaigns.objective import FindBestConfig
from loop.planning.mc_objective import OptimizationProblem, limits_of
from loop.planning.posterior import CampaignPosterior, TrainingData
from surrogates.models.base import MetricModel
from surrogates.models.custom_model import ModelPath, fit_custom_model
from surrogates.models.ensemble import alternative_models, average_models
from surrogates.models.fit import FitCache
from surrogates.models.gp import MetricGP
from surrogates.models.heteroscedastic import HeteroscedasticNoise, fit_heteroscedastic_noise
from surrogates.models.means import PoolPrior
from surrogates.models.model_selection import clearly_better
from surrogates.models.observations import Observations
from surrogates.models.outliers import Outlier, detect_outliers
from surrogates.models.problem import RegressionProblem
from surrogates.models.transfer import SourceModel, fit_with_sources

_LEAST_SHARE = 0.05  # not tuned: of what a metric is proportional to; below, the ratio says nothing


@dataclass(frozen=True)
class ModelRestrictions:
    """What the models of one metric may use, by how well they have predicted.

    Attributes:
        inflation: factor on their standard deviations.
        views: names of the views that they may use; None for all.
        fallback: names of the views to use instead, unless those explain the measurements clearly better; or None.
    """

    inflation: float = 1.0
    views: tuple[str, ...] | None = None
    fallback: tuple[str, ...] | None = None


FitCaches = dict[str, FitCache]
"""Metric to what is kept of earlier fits."""


def fit_posterior(
    problem: OptimizationProblem,
    history: TrainingData,
    restrictions: Mapping[str, ModelRestrictions] | None = None,
    caches: FitCaches | None = None,
    sources: Mapping[str, tuple[SourceModel, ...]] | None = None,
) -> CampaignPosterior:
    """Learn every metric anew from all measurements.

    Args:
        problem: objective and layout of rows.
        history: what was measured, in the order in which it came.
        restrictions: metric to what its models may use.
        caches: of earlier calls with a part of the history; they save time and change nothing.
        sources: metric to its models of earlier campaigns.
    """
    restrictions, caches, sources = restrictions or {}, {} if caches is None else caches, sources or {}
    rows = problem.encoder.encode(history.done)
    found: dict[str, _FittedMetric] = {}
    for name, metric in problem.campaign.measured.items():
        places = history.places_with(*needed(name, metric))
        if not places:
            continue  # nobody asks for it, and it was never obtained
        seen, restricted = observations(metric, name, history, rows), restrictions.get(name, ModelRestrictions())
        if metric.model is None:
            task = replace(
                regression_problem(problem, name, metric), views=restricted.views, inflation=restricted.inflation
            )
            inputs = _FitInputs.of(name, caches, conservative=_is_conservative(problem))
            inputs = replace(inputs, fallback=restricted.fallback, sources=sources.get(name, ()))
            found[name] = _fit_metric(task, seen, inputs).at(places)
        else:
            path = ModelPath(metric.model, f"metrics.{name}.model")
            own = fit_custom_model(path, problem.encoder, seen, restricted.inflation)
            found[name] = _FittedMetric(own, {}, own, own if _is_conservative(problem) else None)
    return _joined(problem, history, rows, found)


def _joined(
    problem: OptimizationProblem, history: TrainingData, rows: Tensor, found: Mapping[str, _FittedMetric]
) -> CampaignPosterior:
    """Return the posterior of all metrics, of which each was fitted for itself."""
    return CampaignPosterior(
        problem,
        models={name: fitted.model for name, fitted in found.items()},
        measured={n: _tensor([m.value if m else math.nan for m in history.metrics[n]]) for n in found},
        rows=rows,
        outliers={name: fitted.outliers for name, fitted in found.items()},
        processes={name: fitted.process for name, fitted in found.items()},
        standard_models={name: fitted.standard for name, fitted in found.items() if fitted.standard is not None},
        whole=None if history.whole is None else torch.tensor(list(history.whole), dtype=torch.bool),
    )


@dataclass(frozen=True)
class _FittedMetric:
    """The models of one metric.

    Attributes:
        outliers: place of each suspected outlier to the reason.
        process: the Gaussian process of the model, or of the standard one; a model of the user's own itself.
        standard: the model without a conservative process, where the other has one.
    """

    model: MetricModel
    outliers: Mapping[int, Outlier]
    process: MetricModel
    standard: MetricModel | None = None

    def at(self, places: Sequence[int]) -> _FittedMetric:
        """Return the same with outliers at the places of its measurements among all trials."""
        return replace(self, outliers={places[place]: outlier for place, outlier in self.outliers.items()})


@dataclass(frozen=True)
class _FitInputs:
    """What a metric is fitted with beside its measurements.

    Attributes:
        cache: of its standard model.
        additive: cache of its additive model; None beside a conservative one, as additive models underestimate the
            variance between measurements.
        conservative: cache of its conservative model; None where there is none.
        fallback: views to use instead, or None.
        sources: its models of earlier campaigns.
    """

    cache: FitCache
    additive: FitCache | None
    conservative: FitCache | None
    fallback: tuple[str, ...] | None = None
    sources: tuple[SourceModel, ...] = ()

    @classmethod
    def of(cls, name: str, caches: FitCaches, *, conservative: bool) -> _FitInputs:
        """Return the caches of a metric; those that are missing are added."""
        further = caches.setdefault(f"{name}, further", FitCache())
        each = (None, further) if conservative else (further, None)
        return cls(caches.setdefault(name, FitCache()), *each)


def regression_problem(problem: OptimizationProblem, name: str, metric: MeasuredConfig) -> RegressionProblem:
    """Return what there is to learn of a metric, before any restriction of its models."""
    prior = PoolPrior(f"prior:{name}", metric.prior_as == "factor") if metric.prior is not None else None
    return RegressionProblem(problem.encoder, prior, metric.floor, short_length_scale=metric.within is not None)


def _is_conservative(problem: OptimizationProblem) -> bool:
    """Return whether one best candidate is looked for among settings that lie as near to each other as one likes."""
    encoder, find = problem.encoder, problem.objective.find
    return encoder.materials is None and encoder.space.rows is None and isinstance(find, FindBestConfig)


def _fit_metric(task: RegressionProblem, seen: Observations, inputs: _FitInputs) -> _FittedMetric:
    """Return the model of a metric, and which measurements are suspected outliers.

    Where there is a conservative process, it chooses; noise and outliers are estimated by the standard one. Fewer views
    are used where the model has failed and the measurements are not clearly more probable by it.
    """
    screened = detect_outliers(task, seen, inputs.cache)
    noise = fit_heteroscedastic_noise(task, screened.seen)
    kept = screened.seen if noise is None else noise.noisier(screened.seen)

    def process_of(task: RegressionProblem, cache: FitCache) -> MetricGP:
        return _noisy(fit_with_sources(task, inputs.sources, kept, cache), noise)

    process = process_of(task, inputs.cache)
    others = alternative_models(task, inputs.sources, kept, inputs.additive)
    standard = _FittedMetric(average_models(process, others), screened.outliers, process)
    if inputs.conservative is not None:
        conservative = process_of(replace(task, conservative=True), inputs.conservative)
        return replace(standard, model=average_models(conservative, others), standard=standard.model)
    if inputs.fallback is None:
        return standard
    simpler = process_of(replace(task, views=inputs.fallback), inputs.cache)
    simple = average_models(simpler, others)
    if clearly_better(standard.model.evidence, simple.evidence, len(kept.values)):
        return standard
    return replace(standard, model=simple, process=simpler)


def _noisy(process: MetricGP, noise: HeteroscedasticNoise | None) -> MetricGP:
    """Return a process that knows where its measurements are noisy."""
    if noise is None:
        return process
    return process.noted(heteroscedastic=noise, account={**process.account, "heteroscedastic noise": noise.account})


def observations(metric: MeasuredConfig, name: str, history: TrainingData, rows: Tensor) -> Observations:
    """Return what a metric's model is fitted to: measurements, their logits between limits, or their ratio to another.

    The other is the metric that it is proportional to. Their places: ``history.places_with(*needed(name, metric))``.
    """
    places = history.places_with(*needed(name, metric))
    rows, (values, sds) = rows[places], _numbers(history, name, places)
    if metric.proportional_to is None:
        seen, limits = Observations(rows, values, sds), limits_of(metric)
        return seen if limits is None else limits.logits(seen)
    whole, spread = _numbers(history, metric.proportional_to, places)
    size = whole.clamp_min(_LEAST_SHARE)
    ratio = values / size
    return Observations(rows, ratio, torch.hypot(sds / size, ratio * spread / size))


def needed(name: str, metric: MeasuredConfig) -> list[str]:
    """Return the metrics that must be measured where a metric is to be fitted."""
    return [name] if metric.proportional_to is None else [name, metric.proportional_to]


def _numbers(history: TrainingData, name: str, places: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return values and standard uncertainties of a metric at places where it is known."""
    found = [m for place in places if (m := history.metrics[name][place]) is not None]
    return _tensor([m.value for m in found]), _tensor([m.sd for m in found])


def _tensor(values: Sequence[float]) -> Tensor:
    return torch.tensor(list(values), dtype=torch.float64)
