"""From what was measured to a belief: which measurements are believed, what is noise, and which models are asked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from campaigns.metrics import MeasuredConfig
from campaigns.objective import FindBestConfig
from loop.planning.mc_objective import Scorer
from loop.planning.posterior import Belief, History, limits_of
from surrogates.models.ensemble import opinions, weigh
from surrogates.models.fit import Memory
from surrogates.models.gp import MetricGP, Prior
from surrogates.models.heteroscedastic import Unevenness, unevenness
from surrogates.models.model_selection import clearly_better
from surrogates.models.observations import Observations
from surrogates.models.outliers import Doubt, sift
from surrogates.models.problem import Task
from surrogates.models.protocol import MetricModel
from surrogates.models.transfer import Lesson, taught

_LEAST_SHARE = 0.05  # of what a metric is proportional to: below, the ratio says nothing


@dataclass(frozen=True)
class Care:
    """What the models of one metric must heed, as their predictions were found wanting.

    Attributes:
        inflation: factor on their standard deviations.
        views: names of the views that they may use; None for all.
        fallback: names of the views to use instead, unless those explain the measurements clearly better; or None.
    """

    inflation: float = 1.0
    views: tuple[str, ...] | None = None
    fallback: tuple[str, ...] | None = None


Memories = dict[str, Memory]
"""Metric to what was found out about its hyper-parameters."""


def believe(
    scorer: Scorer,
    history: History,
    care: Mapping[str, Care] | None = None,
    memories: Memories | None = None,
    lessons: Mapping[str, tuple[Lesson, ...]] | None = None,
) -> Belief:
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
    found: dict[str, _Learnt] = {}
    for name, metric in scorer.campaign.measured.items():
        heed = care.get(name, Care())
        task = replace(task_of(scorer, name, metric), views=heed.views, inflation=heed.inflation)
        places = history.known(*needed(name, metric))
        if not places:
            continue  # nobody asks for it, and it was never obtained
        seen = observations(metric, name, history, rows)
        further = memories.setdefault(f"{name}, further", Memory())
        wary, effects = (further, None) if _is_wary(scorer) else (None, further)
        known = _Known(heed.fallback, memories.setdefault(name, Memory()), effects, wary, (lessons or {}).get(name, ()))
        found[name] = _learnt(task, seen, known).at(places)
    return Belief(
        scorer,
        models={name: learnt.model for name, learnt in found.items()},
        measured={n: _tensor([m.value if m else math.nan for m in history.metrics[n]]) for n in found},
        rows=rows,
        doubts={name: learnt.doubts for name, learnt in found.items()},
        processes={name: learnt.process for name, learnt in found.items()},
        calmer={name: learnt.calm for name, learnt in found.items() if learnt.calm is not None},
        whole=None if history.whole is None else torch.tensor(list(history.whole), dtype=torch.bool),
    )


@dataclass(frozen=True)
class _Learnt:
    """What was learnt of one metric.

    Attributes:
        doubts: place of each measurement that is not believed to the reason.
        process: the Gaussian process of the model, or of the calm one.
        calm: what was learnt without a wary process, where the model's is one.
    """

    model: MetricModel
    doubts: Mapping[int, Doubt]
    process: MetricGP
    calm: MetricModel | None = None

    def at(self, places: Sequence[int]) -> _Learnt:
        """Return the same with doubts at the places of its measurements among all trials."""
        return replace(self, doubts={places[place]: doubt for place, doubt in self.doubts.items()})


@dataclass(frozen=True)
class _Known:
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
    memory: Memory
    effects: Memory | None
    wary: Memory | None
    lessons: tuple[Lesson, ...]


def task_of(scorer: Scorer, name: str, metric: MeasuredConfig) -> Task:
    """Return what there is to learn of a metric, before anything is held against its models."""
    prior = Prior(f"prior:{name}", metric.prior_as == "factor") if metric.prior is not None else None
    return Task(scorer.encoder, prior, metric.floor, abrupt=metric.within is not None)


def _is_wary(scorer: Scorer) -> bool:
    """Return whether one best candidate is looked for among settings that lie as near to each other as one likes."""
    encoder, find = scorer.encoder, scorer.objective.find
    return encoder.materials is None and encoder.space.rows is None and isinstance(find, FindBestConfig)


def _learnt(task: Task, seen: Observations, known: _Known) -> _Learnt:
    """Return what is learnt, and which measurements are not believed.

    Where there is a wary process, it chooses; what is noise, and what is wrong, is judged by the other. Fewer views are
    used where the model has failed and the measurements do not speak for it.
    """
    sifted = sift(task, seen, known.memory)
    uneven = unevenness(task, sifted.seen)
    believed = sifted.seen if uneven is None else uneven.noisier(sifted.seen)
    process = _noisy(taught(task, known.lessons, believed, known.memory), uneven)
    others = opinions(task, known.lessons, believed, known.effects)
    model = weigh(process, others)
    if known.wary is not None:
        wary = taught(replace(task, wary=True), known.lessons, believed, known.wary)
        return _Learnt(weigh(_noisy(wary, uneven), others), sifted.doubts, process, model)
    if known.fallback is None:
        return _Learnt(model, sifted.doubts, process)
    fewer = replace(task, views=known.fallback)
    simpler = _noisy(taught(fewer, known.lessons, believed, known.memory), uneven)
    simple = weigh(simpler, others)
    if clearly_better(model.evidence, simple.evidence, len(believed.values)):
        return _Learnt(model, sifted.doubts, process)
    return _Learnt(simple, sifted.doubts, simpler)


def _noisy(process: MetricGP, uneven: Unevenness | None) -> MetricGP:
    """Return a process that knows where its measurements are noisy."""
    if uneven is None:
        return process
    return replace(process, uneven=uneven, account={**process.account, "uneven noise": uneven.account})


def observations(metric: MeasuredConfig, name: str, history: History, rows: Tensor) -> Observations:
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


def _numbers(history: History, name: str, places: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return values and standard uncertainties of a metric at places where it is known."""
    found = [m for place in places if (m := history.metrics[name][place]) is not None]
    return _tensor([m.value for m in found]), _tensor([m.sd for m in found])


def _tensor(values: Sequence[float]) -> Tensor:
    return torch.tensor(list(values), dtype=torch.float64)
