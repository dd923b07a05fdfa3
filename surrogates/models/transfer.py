"""Transfer from earlier measurements of a metric: the mean of a Gaussian process fitted to them becomes a prior mean.

The metric is a slope times that mean, plus an offset and a process of its own; slope and offset are integrated out
together with the process (Kennedy & O'Hagan 2000, Biometrika 87, 1, with a source in the place of the simple code). A
source that is unrelated to the metric has a slope about zero, and one that is opposite to it a negative one. A source
with which the measurements are not more probable by leave-one-out, by more than chance explains, is not used: of many
parameters and few measurements, anything explains something.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from surrogates.models.base import in_parts
from surrogates.models.encoder import Encoder
from surrogates.models.fit import FitCache, fit_gp, fitted_to
from surrogates.models.gp import MetricGP
from surrogates.models.memo import Memo
from surrogates.models.observations import Observations
from surrogates.models.problem import RegressionProblem

# Not tuned. Campaigns with a related and an unrelated source: docs/benchmarks.md, "Earlier measurements".
_LEAST = 0.05  # spread over the measured rows, as a share of its own, below which a source is flat there
_CHANCE = 1.0  # nats by which an unrelated source may seem to help
_CACHED = 256  # sets of rows whose means are kept


@dataclass(frozen=True)
class SourceModel:
    """A Gaussian process that is fitted to the measurements of a source alone.

    Attributes:
        name: of the source.
        model: of the metric.
        shift, scale: of its mean over the rows to which it is standardised, in the metric's unit.
    """

    name: str
    model: MetricGP = field(compare=False, repr=False)
    shift: float = 0.0
    scale: float = 1.0
    factor: ClassVar[bool] = False
    _means: Memo[Tensor] = field(default_factory=lambda: Memo(_CACHED), compare=False, repr=False)

    def over(self, rows: Tensor) -> SourceModel:
        """Return the model, standardised over some rows, n x d: there, its slope is about a correlation."""
        values, spread = self.mean(rows), self.model.scale
        scale = float(values.std()) if len(values) > 1 else spread
        return replace(self, shift=float(values.mean()), scale=max(scale, _LEAST * spread))

    def values(self, encoder: Encoder, rows: Tensor) -> tuple[Tensor | None, Tensor | None]:  # noqa: ARG002
        """Return the standardised mean, ..., of rows, ... x d, and no amplitude."""
        return (self.mean(rows) - self.shift) / self.scale, None

    def mean(self, rows: Tensor) -> Tensor:
        """Return the source's mean, ..., of rows, ... x d, in the metric's unit; it is cached."""

        def mean() -> Tensor:
            return torch.cat(list(self._parts(rows.reshape(-1, rows.shape[-1])))).reshape(rows.shape[:-1])

        return mean() if rows.requires_grad else self._means.once((rows.shape, rows.numpy().tobytes()), mean)

    def _parts(self, rows: Tensor) -> Iterator[Tensor]:
        model = self.model
        for part in in_parts(rows, len(model.rows)):
            cross = model.covar_module.between(part, model.rows)
            yield model.shift + model.scale * (model.mean_module(part) + cross @ model.factor.weights)


def fit_with_sources(
    task: RegressionProblem, sources: tuple[SourceModel, ...], seen: Observations, cache: FitCache | None = None
) -> MetricGP:
    """Return the process of a metric, with the source by which its measurements are the most probable, if any.

    Sources are compared as views are: by the density of each measurement given the others (leave-one-out).
    """
    alone = fit_gp(task, seen, cache)
    if not sources:
        return alone
    decisive = seen.rows[: fitted_to(len(seen.rows))]
    found = {each.name: fit_gp(replace(task, prior=each.over(decisive)), seen, cache) for each in sources}
    name = max(found, key=lambda each: _density(found[each]))
    clearly = _density(found[name]) > _density(alone) + _CHANCE / len(seen.values)
    used = isinstance(found[name].prior, SourceModel) and clearly
    model = found[name] if used else alone
    account = {k: v for k, v in model.account.items() if k != "prior" or not used}
    account |= {"source": name if used else None, "sources": _sources(found, alone)}
    return model.noted(account=account)


def _density(model: MetricGP) -> float:
    """Return the mean log density of each measurement by the others, in the metric's unit."""
    return model.evidence - math.log(model.scale)


def _sources(found: Mapping[str, MetricGP], alone: MetricGP) -> dict[str, Any]:
    """Return by source what it adds to the log density of a measurement, and its slope."""
    return {
        name: {
            "gain": _density(model) - _density(alone),
            "slope": model.account["prior"]["slope"],
            "sd": model.account["prior"]["sd"],
        }
        for name, model in found.items()
    }
