"""Suspected outliers: measurements that the others contradict, such as spikes and zeros.

One is suspected when it lies too far from what the model expects there without it (leave-one-out; Rasmussen &
Williams 2006, equation 5.12), in units of the uncertainty of that expectation, and when no near neighbour says about
the same. At fixed hyper-parameters this ranks measurements as relevance pursuit does (Ament et al. 2024, NeurIPS 37):
what the likelihood gains when a measurement is given noise of its own grows with this distance alone. Outliers mask
each other, so that the worst is left out before the next is looked at, and the model is fitted again without all of
them, until they stay the same. They distort the hyper-parameters, too, so that there are two starts: with all
measurements, and without those far off the bulk. Of the results, or that there is no outlier, the one holds that makes
the measurements most probable: a few wrong ones among many that agree, or a metric that has such extremes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from surrogates.models.distances import distances
from surrogates.models.fit import FitCache, fit_gp, fitted_to
from surrogates.models.gp import MetricGP
from surrogates.models.observations import Observations
from surrogates.models.problem import AT_FLOOR, RegressionProblem

FEWEST = 5
"""Measurements from which on one may be an outlier; not tuned."""
_ROUNDS = 4  # not tuned: fits from each of the two starts
_MAD = 1.4826  # standard deviations in a median absolute deviation of Gaussian numbers (Rousseeuw & Croux 1993)
# Thresholds were chosen on the tables that are not held out: docs/benchmarks.md, "Corrupted measurements".
_FAR = 3.5  # standard deviations from what the others predict (as for modified z-scores, Iglewicz & Hoaglin 1993)
_SHARE = 0.25  # of the measurements, which may be outliers at most
_NEIGHBOURS = 4  # nearest measurements of which one may support another
_NEAR = 0.9  # correlation of those that may
_SUPPORT = (0.6, 1.7)  # of the way from what is expected, within which a neighbour does
_LEAST_SPREAD = 0.7  # of distances: a model whose noise many outliers have inflated sees the rest too close
_BULK = 4.0  # robust standard deviations within which measurements belong to the second start
_WRONG = 0.01  # prior probability that a measurement is wrong


@dataclass(frozen=True)
class Outlier:
    """Why a measurement is a suspected outlier.

    Attributes:
        expected, sd: what the others say, in the metric's unit, with standard deviation.
        distance: of the measurement from it, in standard deviations.
    """

    expected: float
    sd: float
    distance: float

    @property
    def text(self) -> str:
        """The reason in words."""
        return f"{self.expected:.4g} ± {self.sd:.2g} by the others, {abs(self.distance):.0f} standard deviations off"


@dataclass(frozen=True)
class OutlierScreening:
    """Some measurements, and which of them are suspected outliers.

    Attributes:
        seen: the other measurements.
        model: fitted to these.
        outliers: place of each suspected outlier to the reason.
    """

    seen: Observations
    model: MetricGP
    outliers: Mapping[int, Outlier] = field(default_factory=dict)


def detect_outliers(task: RegressionProblem, seen: Observations, cache: FitCache | None = None) -> OutlierScreening:
    """Return which measurements are suspected outliers: a pure function of all of them.

    Args:
        task: what the model may use; of kernels, the plain one is used.
        seen: at least one measurement, in the order in which they came.
        cache: of the same metric; it is added to.
    """
    cache, task = FitCache() if cache is None else cache, replace(task, plain=True)
    complete = OutlierScreening(seen, fit_gp(task, seen, cache))
    if len(seen.values) < FEWEST:
        return complete
    bulk = _Bulk.of(seen)
    found = [complete]
    for start in bulk.starts(seen, task.floor):
        found_from_start = _screened_from(task, seen, cache, start)
        found += [found_from_start] if found_from_start.outliers else []
    return max(found, key=lambda each: bulk.support(each, seen))


def _screened_from(task: RegressionProblem, seen: Observations, cache: FitCache, start: Tensor) -> OutlierScreening:
    """Return outliers that stay the same by the model that is fitted without them, starting from some measurements."""
    kept, outliers = start, dict[int, Outlier]()
    for number in range(_ROUNDS):
        outliers = _OutlierTest(fit_gp(task, seen.only(kept), cache), seen, kept).outliers()
        inliers = torch.ones_like(kept)
        inliers[list(outliers)] = False
        if number and torch.equal(kept, inliers):
            break
        kept = inliers
    return OutlierScreening(seen.only(kept), fit_gp(task, seen.only(kept), cache), outliers)


@dataclass(frozen=True)
class _Bulk:
    """Where most of the measurements lie, whatever the others do.

    Attributes:
        centre: their median.
        spread: their standard deviation, from the median absolute deviation.
    """

    centre: float
    spread: float

    @classmethod
    def of(cls, seen: Observations) -> _Bulk:
        """Return where most of the measurements lie, by those that hyper-parameters are fitted to."""
        values = seen.values[: fitted_to(len(seen.values))]
        spread = _MAD * float((values - values.median()).abs().median())
        return cls(float(values.median()), spread or float(values.std()) or 1.0)

    def starts(self, seen: Observations, floor: float | None) -> Iterator[Tensor]:
        """Yield with which measurements to begin, n: all, and where some are far off, all others."""
        yield torch.ones(len(seen.values), dtype=torch.bool)
        off = (seen.values - self.centre).abs() / self.spread
        far = off.topk(int(_SHARE * len(off))).indices
        within = torch.ones(len(off), dtype=torch.bool)
        within[far[off[far] > _BULK]] = False
        if floor is None and not bool(within.all()):  # many lie at a floor, which says nothing of the others
            yield within

    def support(self, screened: OutlierScreening, seen: Observations) -> float:
        """Return the log probability of all measurements if the suspected outliers are wrong.

        A wrong one is expected anywhere (Cauchy distribution about the bulk).
        """
        model, right = screened.model, len(screened.seen.values)
        log_density = model.factor.log_likelihood - right * math.log(model.scale) + right * math.log(1.0 - _WRONG)
        off = (seen.values[list(screened.outliers)] - self.centre) / self.spread
        anywhere = _WRONG / (math.pi * self.spread * (1.0 + off.square()))
        return log_density + float(anywhere.log().sum())


@dataclass(frozen=True)
class _OutlierTest:
    """A model that is fitted to some of the measurements, and all of them, n."""

    model: MetricGP
    seen: Observations
    kept: Tensor

    @cached_property
    def values(self) -> Tensor:
        """The measurements in standardised units, n."""
        return (self.seen.values - self.model.shift) / self.model.scale

    @cached_property
    def noise(self) -> Tensor:
        """The variances of the measurements in standardised units, n."""
        return (self.seen.sds / self.model.scale).square() + self.model.excess

    def outliers(self) -> dict[int, Outlier]:
        """Return the places of the suspected outliers, the worst first, with reasons."""
        most = int(_SHARE * len(self.values))
        rest, found = _Rest.of(self), dict[int, Outlier]()
        while True:
            distance, expected, sd = self._apart(rest.places, *rest.expected())
            spread = max(float(distance.abs().median()) * _MAD, _LEAST_SPREAD)
            worst = int(distance.abs().argmax())
            if abs(float(distance[worst])) < _FAR * spread or len(found) == most:
                break
            found[int(rest.places[worst])] = self._outlier(
                expected[worst], sd[worst] * spread, distance[worst] / spread
            )
            rest = rest.without(worst)
        found |= self._outside(spread)
        unsupported = [(place, found[place]) for place in self._unsupported(found)]
        return dict(sorted(unsupported, key=lambda item: -abs(item[1].distance))[:most])

    def _outside(self, spread: float) -> dict[int, Outlier]:
        """Return which of the measurements that the model was not fitted to are still suspected."""
        places = torch.nonzero(~self.kept).ravel()
        if not len(places):
            return {}
        mean, sds = self.model.marginals(self.seen.rows[places])
        standardised = (mean - self.model.shift) / self.model.scale
        distance, expected, sd = self._apart(places, standardised, (sds / self.model.scale).square())
        far = torch.nonzero(distance.abs() >= _FAR * spread).ravel().tolist()
        return {int(places[i]): self._outlier(expected[i], sd[i] * spread, distance[i] / spread) for i in far}

    def _apart(self, places: Tensor, expected: Tensor, variance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return how far measurements are from what is expected, and that with its standard deviation."""
        sd = (variance + self.noise[places]).sqrt()
        distance = (self.values[places] - expected) / sd
        floor = self.model.floor
        if floor is not None:  # of what is at the floor, only what is expected above it tells
            lowest = self.seen.values[places] <= floor + AT_FLOOR * self.seen.sds[places]
            distance = torch.where(lowest, distance.clamp_max(0.0), distance)
        return distance, expected, sd

    def _outlier(self, expected: Tensor, sd: Tensor, distance: Tensor) -> Outlier:
        model = self.model
        return Outlier(model.shift + model.scale * float(expected), model.scale * float(sd), float(distance))

    def _unsupported(self, outliers: Mapping[int, Outlier]) -> set[int]:
        """Return the places that nothing supports but others that nothing supports, either."""
        supporters = {place: self._supporters(place, outlier) for place, outlier in outliers.items()}
        unsupported: set[int] = set()
        while more := {
            place for place, others in supporters.items() if place not in unsupported and others <= unsupported
        }:
            unsupported |= more
        return unsupported

    def _supporters(self, place: int, outlier: Outlier) -> set[int]:
        """Return which of the nearest measurements, if they are near, say about the same as this one.

        Where the candidate was measured several times, only the others of these are asked. The way begins at what was
        expected, or at the median of all: next to a discovery, more than before is expected.
        """
        near = self._near(place)
        values, value = self.seen.values[near], self.seen.values[place]
        starts = (outlier.expected, float(self.seen.values.median()))
        ways = [(values - start) / (value - start) for start in starts if start != value]
        return {n for way in ways for n in near[(way > _SUPPORT[0]) & (way < _SUPPORT[1])].tolist()}

    def _near(self, place: int) -> Tensor:
        """Return the places of the other measurements of a candidate, or else of the nearest that are near."""
        same = (self.seen.rows == self.seen.rows[place]).all(dim=1)
        same[place] = False
        if bool(same.any()):
            return torch.nonzero(same).ravel()
        alike = self._alike[place]
        near = alike.topk(min(_NEIGHBOURS, len(self.values) - 1)).indices
        return near[alike[near] > _NEAR]

    @cached_property
    def _alike(self) -> Tensor:
        """The correlation of the measurements, n x n, but for that of each with itself."""
        kernel, rows = self.model.covar_module, self.seen.rows
        alike = kernel.at(distances(kernel.encoder, rows, rows, kernel.spec.views))
        return (alike / alike.diagonal().max()).fill_diagonal_(-torch.inf)


@dataclass(frozen=True)
class _Rest:
    """The measurements that are not suspected, m, and what each is expected to be by the others.

    Attributes:
        places: among all measurements, m.
        inverse: of their covariance, m x m.
        residual, mean, noise: of what the model is fitted to, in standardised units, m each.
    """

    places: Tensor
    inverse: Tensor
    residual: Tensor
    mean: Tensor
    noise: Tensor

    @classmethod
    def of(cls, test: _OutlierTest) -> _Rest:
        """Return what the model is fitted to."""
        factor, data = test.model.factor, test.model.data
        places = torch.nonzero(test.kept).ravel()
        return cls(places, factor.inverse, factor.residual, data.mean(), data.noise)

    def expected(self) -> tuple[Tensor, Tensor]:
        """Return mean and variance, m and m, of each measurement by the others, before its own noise."""
        spread = 1.0 / self.inverse.diagonal()
        off = spread * (self.inverse @ self.residual)
        return self.mean + self.residual - off, (spread - self.noise).clamp_min(0.0)

    def without(self, index: int) -> _Rest:
        """Return the others alone: the inverse of a part of a matrix follows from that of the whole."""
        kept = torch.arange(len(self.places)) != index
        column = self.inverse[kept, index]
        inverse = self.inverse[kept][:, kept] - torch.outer(column, column) / self.inverse[index, index]
        return _Rest(self.places[kept], inverse, self.residual[kept], self.mean[kept], self.noise[kept])
