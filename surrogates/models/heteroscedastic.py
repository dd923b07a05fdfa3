"""Noise that depends on where one measures, as measurements of the same candidates tell.

The logarithm of a variance that n measurements show is that of the true one plus the logarithm of a chi-square variable
of n - 1 degrees of freedom over these, whose mean and variance are known (Bartlett & Kendall 1946, Suppl. J. R. Stat.
Soc. 8, 128): few measurements say little. So a Gaussian process is fitted to the logarithm of the variance over the
space. It is used where the replicates of each candidate are clearly more probable by it, given those of all other
candidates, than by one noise for all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from surrogates.models.fit import fit_gp
from surrogates.models.gp import MetricGP
from surrogates.models.model_selection import clearly_better
from surrogates.models.observations import Observations
from surrogates.models.problem import RegressionProblem
from surrogates.models.replicates import Replicates, replicates

_FEWEST = 8  # not tuned: candidates with replicates, from which on the noise may depend on the input
_LEAST = 1e-4  # not tuned: of the pooled variance; less cannot be told from zero


@dataclass(frozen=True)
class HeteroscedasticNoise:
    """The variance that measurements have beyond the stated one.

    Attributes:
        logarithm: posterior of the logarithm of the whole variance.
        stated: median of the stated variances.
        account: how it explains what measurements of the same candidates show, for the log.
    """

    logarithm: MetricGP
    stated: float
    account: Mapping[str, Any]

    def variance(self, rows: Tensor) -> Tensor:
        """Return the variance, n, that one measurement of each of n rows has beyond the stated one."""
        return (_expected(*self.logarithm.marginals(rows)) - self.stated).clamp_min(0.0)

    def noisier(self, seen: Observations) -> Observations:
        """Return measurements with the noise that they have."""
        return replace(seen, sds=(seen.sds.square() + self.variance(seen.rows)).sqrt())


def fit_heteroscedastic_noise(task: RegressionProblem, seen: Observations) -> HeteroscedasticNoise | None:
    """Return how the noise depends on where one measures; None where one noise for all explains what is seen as well.

    Args:
        task: what the metric's model may use.
        seen: measurements without suspected outliers.
    """
    groups = replicates(seen.rows, seen.values)
    stated = float(seen.sds.square().median())
    if len(groups.counts) < _FEWEST or not groups.pooled or groups.pooled <= stated:
        return None
    variances = groups.variances.clamp_min(_LEAST * groups.pooled)
    half = groups.freedom / 2.0
    values = variances.log() - torch.digamma(half) + half.log()
    shown = Observations(groups.rows, values, torch.polygamma(1, half).sqrt())
    model = fit_gp(replace(task, prior=None, floor=None, inflation=1.0, short_length_scale=False, plain=True), shown)
    account = _account(groups, model)
    if not clearly_better(account["evidence"], account["homoscedastic"], len(groups.counts)):
        return None
    found = HeteroscedasticNoise(model, stated, account)
    return replace(found, account={**account, "sds": _range(found.variance(seen.rows))})


def _account(groups: Replicates, model: MetricGP) -> dict[str, Any]:
    """Return the mean log density of what each candidate's measurements show by the others, by both ways to see it."""
    residual, spread = model.factor.leave_one_out()
    sd = (spread - model.data.noise).clamp_min(0.0).sqrt()
    expected = _expected(model.shift + model.scale * (model.data.mean() + residual), model.scale * sd)
    others = (groups.squares.sum() - groups.squares) / (groups.freedom.sum() - groups.freedom)
    return {
        "replicated": len(groups.counts),
        "evidence": float(_density(groups, expected).mean()),
        "homoscedastic": float(_density(groups, others).mean()),
    }


def _expected(mean: Tensor, sd: Tensor) -> Tensor:
    """Return the mean of a variance whose logarithm has this mean and standard deviation."""
    return (mean + 0.5 * sd.square()).exp()


def _density(groups: Replicates, variance: Tensor) -> Tensor:
    """Return the log density of sums of squares, g, if measurements have these variances, g, but for a constant."""
    return -0.5 * (groups.squares / variance + groups.freedom * variance.log())


def _range(variances: Tensor) -> tuple[float, float]:
    return math.sqrt(float(variances.min())), math.sqrt(float(variances.max()))
