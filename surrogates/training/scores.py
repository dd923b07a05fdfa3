"""How good predictions are: errors, ranks, and what their intervals hold."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from surrogates.training.record import Calibration, Scores

Numbers = NDArray[np.float64]

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


def score(predicted: Numbers, values: Numbers, training_mean: float) -> Scores:
    """Return how n predictions agree with n values."""
    errors, plain = predicted - values, training_mean - values
    scatter = float(np.mean((values - values.mean()) ** 2))
    ranked = np.ptp(values) > 0 and np.ptp(predicted) > 0
    return Scores(
        rows=len(values),
        mae=float(np.mean(np.abs(errors))),
        rmse=_rms(errors),
        r2=1 - float(np.mean(errors**2)) / scatter if scatter > 0 else None,
        spearman=float(spearmanr(predicted, values).statistic) if ranked else None,
        mean_mae=float(np.mean(np.abs(plain))),
        mean_rmse=_rms(plain),
    )


def calibrate(validation: Numbers, held_out: Numbers) -> Calibration:
    """Return intervals made from the validation rows' residuals, and what they hold of the held-out ones.

    Two kinds: normal ones, with one standard deviation for all; and quantiles of the absolute residuals with the
    correction for their number, as in split conformal prediction (Lei et al., J. Am. Stat. Assoc. 113, 1094 (2018)),
    which hold their share whatever the errors' distribution; at levels that so few residuals cannot reach, the largest
    of them.
    """
    sd = _rms(validation)
    widths = [_quantile(np.abs(validation), level) for level in LEVELS]
    return Calibration(sd, LEVELS, tuple(widths), coverage(held_out, normal_widths(sd)), coverage(held_out, widths))


def normal_widths(sd: float) -> list[float]:
    """Return the half widths of a normal distribution's central intervals at ``LEVELS``."""
    return [sd * NormalDist().inv_cdf((1 + level) / 2) for level in LEVELS]


def coverage(errors: Numbers, widths: list[float] | tuple[float, ...]) -> tuple[float, ...]:
    """Return the share of errors within each half width."""
    return tuple(float(np.mean(np.abs(errors) <= width)) for width in widths)


def _quantile(sizes: Numbers, level: float) -> float:
    share = min(math.ceil((len(sizes) + 1) * level) / len(sizes), 1.0)
    return float(np.quantile(sizes, share, method="higher"))


def _rms(errors: Numbers) -> float:
    return float(np.sqrt(np.mean(errors**2)))
