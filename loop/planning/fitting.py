"""From what was measured to a belief: which measurements are believed, what is noise, and which models are asked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from campaigns.metrics import MeasuredConfig
from campaigns.objective import FindBestConfig
from loop.planning.mc_objective import ObjectiveOnSamples, limits_of
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
    """What the models of one metric must heed, as their predictions were found wanting.

    Attributes:
        inflation: factor on their standard deviations.
        views: names of the views that they may use; None for all.
        fallback: names of the views to use instead, unless those explain the measurements clearly better; or None.
    """

    inflation: float = 1.0
    views: tuple[str, ...] | None = None
    fallback: tuple[str, ...] | None = None


Memories = dict[str, FitCache]
"""Metric to what was found out about its hyper-parameters."""


def fit_posterior(
    scorer: ObjectiveOnSamples,
    history: TrainingData,
    care: Mapping[str, ModelRestrictions] | None = None,
    memories: Memories | None = None,
    lessons: Mapping[str, tuple[SourceModel, ...]] | None = None,
) -> CampaignPosterior:
    """Learn every metric anew from all measurements.

    Args:
        scorer: objective and layout of rows.
        history: what was measured, in the order in which it came.
        care: metric to what its models must heed.
        memories: of earlier calls with a part of the history; they save time and change nothing.
        lessons: metric to what earlier campaigns teach of it.
    """
    care, memories = care or {}, {} if memories is None else memories
    rows = scorer.encoder.encode(history.done)
    found: dict[str, _FittedMetric] = {}
    for name, metric in scorer.campaign.measured.items():
        heed = care.get(name, ModelRestrictions())
        task = replace(problem_of(scorer, name, metric), views=heed.views, inflation=heed.inflation)
        places = history.known(*needed(name, metric))
        if not places:
            continue  # nobody asks for it, and it was never obtained
        seen = observations(metric, name, history, rows)
        if metric.model is not None:
            path = ModelPath(metric.model, f"metrics.{name}.model")
            own = fit_custom_model(path, scorer.encoder, seen, heed.inflation)
            found[name] = _FittedMetric(own, {}, own, own if _is_conservative(scorer) else None)
            continue
        further = memories.setdefault(f"{name}, further", FitCache())
        wary, effects = (further, None) if _is_conservative(scorer) else (None, further)
        known = _FitInputs(
            heed.fallback, memories.setdefault(name, FitCache()), effects, wary, (lessons or {}).get(name, ())
        )
        found[name] = _fit_metric(task, seen, known).at(places)
    return CampaignPosterior(
        scorer,
        models={name: learnt.model for name, learnt in found.items()},
        measured={n: _tensor([m.value if m else math.nan for m in history.metrics[n]]) for n in found},
        rows=rows,
        outliers={name: learnt.outliers for name, learnt in found.items()},
        processes={name: learnt.process for name, learnt in found.items()},
        standard_models={name: learnt.calm for name, learnt in found.items() if learnt.calm is not None},
        whole=None if history.whole is None else torch.tensor(list(history.whole), dtype=torch.bool),
    )


@dataclass(frozen=True)
class _FittedMetric:
    """What was learnt of one metric.

    Attributes:
        outliers: place of each measurement that is not believed to the reason.
        process: the Gaussian process of the model, or of the calm one; a model of the user's own itself.
        calm: what was learnt without a wary process, where the model's is one.
    """

    model: MetricModel
    outliers: Mapping[int, Outlier]
    process: MetricModel
    calm: MetricModel | None = None

    def at(self, places: Sequence[int]) -> _FittedMetric:
        """Return the same with doubts at the places of its measurements among all trials."""
        return replace(self, outliers={places[place]: outlier for place, outlier in self.outliers.items()})


@dataclass(frozen=True)
class _FitInputs:
    """What is known of a metric beside its measurements.

    Attributes:
        fallback: views to use instead, or None.
        memory: what was found out about its hyper-parameters.
        effects: the same of its model of effects; None beside a wary one, as they are sure of what lies between
            measurements.
        wary: the same of its wary model; None where there is none.
        lessons: what earlier campaigns teach of it.
    """

    fallback: tuple[str, ...] | None
    memory: FitCache
    effects: FitCache | None
    wary: FitCache | None
    lessons: tuple[SourceModel, ...]


def problem_of(scorer: ObjectiveOnSamples, name: str, metric: MeasuredConfig) -> RegressionProblem:
    """Return what there is to learn of a metric, before anything is held against its models."""
    prior = PoolPrior(f"prior:{name}", metric.prior_as == "factor") if metric.prior is not None else None
    return RegressionProblem(scorer.encoder, prior, metric.floor, abrupt=metric.within is not None)


def _is_conservative(scorer: ObjectiveOnSamples) -> bool:
    """Return whether one best candidate is looked for among settings that lie as near to each other as one likes."""
    encoder, find = scorer.encoder, scorer.objective.find
    return encoder.materials is None and encoder.space.rows is None and isinstance(find, FindBestConfig)


def _fit_metric(task: RegressionProblem, seen: Observations, known: _FitInputs) -> _FittedMetric:
    """Return what is learnt, and which measurements are not believed.

    Where there is a wary process, it chooses; what is noise, and what is wrong, is judged by the other. Fewer views are
    used where the model has failed and the measurements do not speak for it.
    """
    sifted = detect_outliers(task, seen, known.memory)
    heteroscedastic = fit_heteroscedastic_noise(task, sifted.seen)
    believed = sifted.seen if heteroscedastic is None else heteroscedastic.noisier(sifted.seen)
    process = _noisy(fit_with_sources(task, known.lessons, believed, known.memory), heteroscedastic)
    others = alternative_models(task, known.lessons, believed, known.effects)
    model = average_models(process, others)
    if known.wary is not None:
        wary = fit_with_sources(replace(task, wary=True), known.lessons, believed, known.wary)
        return _FittedMetric(average_models(_noisy(wary, heteroscedastic), others), sifted.outliers, process, model)
    if known.fallback is None:
        return _FittedMetric(model, sifted.outliers, process)
    fewer = replace(task, views=known.fallback)
    simpler = _noisy(fit_with_sources(fewer, known.lessons, believed, known.memory), heteroscedastic)
    simple = average_models(simpler, others)
    if clearly_better(model.evidence, simple.evidence, len(believed.values)):
        return _FittedMetric(model, sifted.outliers, process)
    return _FittedMetric(simple, sifted.outliers, simpler)


def _noisy(process: MetricGP, noise: HeteroscedasticNoise | None) -> MetricGP:
    """Return a process that knows where its measurements are noisy."""
    if noise is None:
        return process
    return process.noted(heteroscedastic=noise, account={**process.account, "heteroscedastic noise": noise.account})


def observations(metric: MeasuredConfig, name: str, history: TrainingData, rows: Tensor) -> Observations:
    """Return what is learnt of a metric: its measurements, their logits between its limits, or their ratio to another.

    The other is the metric that it is proportional to. They are those of ``history.known(*needed(name, metric))``.
    """
    places = history.known(*needed(name, metric))
    rows, (values, sds) = rows[places], _numbers(history, name, places)
    if metric.proportional_to is None:
        seen, limits = Observations(rows, values, sds), limits_of(metric)
        return seen if limits is None else limits.logits(seen)
    whole, spread = _numbers(history, metric.proportional_to, places)
    size = whole.clamp_min(_LEAST_SHARE)
    ratio = values / size
    return Observations(rows, ratio, torch.hypot(sds / size, ratio * spread / size))


def needed(name: str, metric: MeasuredConfig) -> list[str]:
    """Return the metrics that must be known where a metric is to be learnt."""
    return [name] if metric.proportional_to is None else [name, metric.proportional_to]


def _numbers(history: TrainingData, name: str, places: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return values and standard uncertainties of a metric at places where it is known."""
    found = [m for place in places if (m := history.metrics[name][place]) is not None]
    return _tensor([m.value for m in found]), _tensor([m.sd for m in found])


def _tensor(values: Sequence[float]) -> Tensor:
    return torch.tensor(list(values), dtype=torch.float64)
