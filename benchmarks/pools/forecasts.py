"""How predictions compare with what was then found.

Where a prediction has a lump of probability (a gap of exactly zero), an interval either holds all of it or nothing, and
its coverage cannot be nominal. The randomised probability integral transform (Smith 1985, J. Forecast. 4, 283) is
uniform for right predictions of either kind: below + v (up to - below), with v uniform. A value lies inside the central
interval of level p if its transform is within p / 2 of a half; for continuous predictions that is the usual coverage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.pools.tasks import Setting

_TIE = 1e-9  # samples this near to the truth are equal to it


@dataclass(frozen=True, slots=True)
class Forecasts:
    """Predictions beside the truth, n each.

    Attributes:
        below: share of the samples that lie below the true value.
        upto: share of them that lie below or equal it.
        error: median of the samples less the true value.
    """

    below: list[float]
    upto: list[float]
    error: list[float]

    @staticmethod
    def join(parts: Sequence[Forecasts]) -> Forecasts:
        """Return all of them in order."""
        return Forecasts(
            [x for part in parts for x in part.below],
            [x for part in parts for x in part.upto],
            [x for part in parts for x in part.error],
        )


def compare(samples: NDArray[np.float64], true: NDArray[np.float64]) -> Forecasts:
    """Return how samples, s x n, lie about true values, n."""
    below = (samples < true - _TIE).mean(axis=0)
    upto = (samples <= true + _TIE).mean(axis=0)
    return Forecasts(below.tolist(), upto.tolist(), (np.median(samples, axis=0) - true).tolist())


def judge(
    predicted: Mapping[str, NDArray[np.float64]], rows: Sequence[int], setting: Setting
) -> Mapping[str, Forecasts]:
    """Return how the predictions of each quantity compare with the table, without noise."""
    return {
        q.column: compare(predicted[q.column], setting.pool.columns[q.column][list(rows)])
        for q in setting.task.quantities
    }


def coverage(forecasts: Forecasts, level: float) -> float:
    """Return the share of true values inside the central interval of a level."""
    below, upto = np.asarray(forecasts.below), np.asarray(forecasts.upto)
    at = below + np.random.default_rng(0).uniform(size=len(below)) * (upto - below)
    return float(np.mean(np.abs(at - 0.5) <= level / 2))


def mean_error(forecasts: Forecasts) -> float:
    """Return the mean absolute error of the medians."""
    return float(np.mean(np.abs(forecasts.error)))
