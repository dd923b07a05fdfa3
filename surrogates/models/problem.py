"""What there is to learn of a metric, and its measurements as a Gaussian process sees them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b

import torch
from torch import Tensor

from surrogates.models.censoring import propagate
from surrogates.models.distances import Distances, distances
from surrogates.models.encoder import Encoder
from surrogates.models.exact_inference import Data, Factor, factorise
from surrogates.models.kernel import MetricKernel
from surrogates.models.kernel_spec import KernelSpec
from surrogates.models.means import PriorMean, prior_values
from surrogates.models.observations import Observations

AT_FLOOR = 2.0
"""Standard uncertainties above the floor within which a measurement may be of the floor itself, to 95 %."""
_RESOLVED = 20.0  # not tuned: standard uncertainties over which a metric is expected to vary while all lie at its floor
_FLAT = 1e-8  # not tuned: standard deviation, in the metric's unit, below which measurements count as equal
_QUIET = 1.1e-3  # not tuned: standard deviations; with less noise Cholesky factors are unreliable


@dataclass(frozen=True)
class RegressionProblem:
    """What there is to learn of one metric.

    Attributes:
        encoder: layout of rows, and the views that may be used.
        prior: what serves as prior mean, or None.
        floor: value that many materials have and none falls below, or None.
        views: names of the views that may be used; all by default.
        inflation: factor by which predictions were found to be too sure of themselves.
        short_length_scale, conservative: see KernelSpec.
        plain: whether no kernel of the parameters is tried but the one that is expected.
        effects: whether the parameters are expected to act one by one, and two by two.
    """

    encoder: Encoder
    prior: PriorMean | None = None
    floor: float | None = None
    views: tuple[str, ...] | None = None
    inflation: float = 1.0
    short_length_scale: bool = False
    conservative: bool = False
    plain: bool = False
    effects: bool = False

    def spec(self, views: tuple[str, ...]) -> KernelSpec:
        """Return which hyper-parameters a model by these views has."""
        columns, levels = self.encoder.parameter_columns, self.encoder.levels
        return KernelSpec(views, columns, levels, self.short_length_scale, self.conservative, effects=self.effects)

    @property
    def usable(self) -> tuple[str, ...]:
        """Return the views that tell materials apart; the first one where none does."""
        if self.encoder.materials is None:
            return ()
        views = self.encoder.materials.views
        names = self.views or tuple(views)
        return tuple(n for n in names if any(row.any() for row in views[n])) or names[:1]


class Standardised:
    """Standardised observations, by their own shift and scale or by given ones."""

    def __init__(self, task: RegressionProblem, seen: Observations, units: tuple[float, float] | None = None) -> None:
        self.task, self.seen, self.rows = task, seen, seen.rows
        self.prior = task.prior
        self.censored = torch.zeros(len(seen.values), dtype=torch.bool)
        if task.floor is not None:
            self.censored = seen.values <= task.floor + AT_FLOOR * seen.sds
        self.shift, self.scale = units or self._units()
        self.noise = torch.maximum(seen.sds / self.scale, torch.full_like(seen.sds, _QUIET)).square()
        self.targets = (seen.values - self.shift) / self.scale
        if task.floor is not None:
            self.targets = torch.where(self.censored, (task.floor - self.shift) / self.scale, self.targets)

    def _units(self) -> tuple[float, float]:
        """Return the shift and the scale of the observations themselves.

        Where most lie at a floor, the spread of all says little of how far others may lie above it: those that do, say
        more.
        """
        seen, floor = self.seen, self.task.floor
        _, amplitude = prior_values(self.prior, self.task.encoder, seen.rows)
        shift, scale = _standard(seen.values, amplitude)
        if floor is None or not bool(self.censored.any()):
            return shift, scale
        if bool(self.censored.all()):  # nothing tells how far the others lie above it
            return floor, _RESOLVED * float(seen.sds.median()) or 1.0
        above = float((seen.values[~self.censored] - floor).square().mean().sqrt())
        return shift, max(scale, above * float(self.censored.double().mean().sqrt()))

    @cached_property
    def parts(self) -> Distances:
        """The distances between the observations by all views that may be used."""
        return distances(self.task.encoder, self.rows, self.rows, self.task.usable)

    @cached_property
    def digest(self) -> bytes:
        """What tells these observations from others of the same metric."""
        return digest(self.rows, self.seen.values, self.seen.sds)

    def first(self, count: int) -> Standardised:
        """Return the first of the observations."""
        return Standardised(self.task, self.seen.only(torch.arange(count)))

    def data(self, spec: KernelSpec, prior: PriorMean | None) -> Data:
        """Return the observations as seen by some of the views."""
        kept = tuple(p for n, p in zip(self.task.usable, self.parts.views, strict=True) if n in spec.views)
        parts = replace(self.parts, views=kept)
        prior_and_amplitude = prior_values(prior, self.task.encoder, self.rows)
        return Data(parts, self.targets, self.noise, *prior_and_amplitude, spec.constant)


def _standard(values: Tensor, amplitude: Tensor | None) -> tuple[float, float]:
    """Return shift and scale of a metric; a share of a prior is not shifted."""
    if amplitude is not None:
        return 0.0, float((values / amplitude).square().mean().sqrt()) or 1.0
    spread = float(values.std()) if len(values) > 1 else 0.0
    return float(values.mean()), spread if spread > _FLAT else 1.0


@dataclass(frozen=True)
class FittedKernel:
    """One way to see the observations.

    Attributes:
        kernel: with its hyper-parameters.
        logs: logarithms of these, in the order of ``kernel.spec.names``: that of the noise, too.
        data: the observations, with the noise that they do not tell of.
        factorised: their covariance, where that was factorised already.
    """

    kernel: MetricKernel
    logs: Tensor
    data: Data
    factorised: Factor | None = None

    @property
    def spec(self) -> KernelSpec:
        """Which hyper-parameters there are."""
        return self.kernel.spec

    @property
    def prior(self) -> PriorMean | None:
        """What serves as prior mean, or None."""
        return self.kernel.prior

    @property
    def excess(self) -> float:
        """The variance of the noise that measurements do not tell of."""
        return self.spec.excess(self.logs)

    def covariance(self, parts: Distances) -> Tensor:
        """Return the covariance, n x m, at distances, but for constant and prior."""
        return self.kernel.at(parts)

    @cached_property
    def factor(self) -> Factor:
        """The factorised covariance of the observations."""
        return self.factorised or factorise(self.covariance(self.data.parts), self.data)

    @classmethod
    def at(cls, start: Standardised, spec: KernelSpec, prior: PriorMean | None, logs: Tensor) -> FittedKernel:
        """Return the observations as seen with given hyper-parameters."""
        data = start.data(spec, prior).noisier(spec.excess(logs))
        found = cls(MetricKernel(start.task.encoder, spec, logs, prior), logs, data)
        if bool(start.censored.any()):
            found = replace(found, data=propagate(found.covariance(data.parts), data, start.censored))
        return found


def digest(*numbers: Tensor) -> bytes:
    """Return what tells numbers from others."""
    return blake2b(torch.cat([each.ravel() for each in numbers]).numpy().tobytes(), digest_size=16).digest()
