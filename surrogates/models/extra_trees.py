"""An ensemble of extremely randomised trees: a second opinion where a metric has cliffs that no length scale fits.

Geurts, Ernst & Wehenkel 2006, Mach. Learn. 63, 3. Each tree learns from a bootstrap sample of the measurements, so that
those that it did not see tell how far the ensemble is to be believed (Breiman 2001, Mach. Learn. 45, 5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from surrogates.models.base import MetricModel
from surrogates.models.observations import Observations
from surrogates.models.trees import Inputs, Numbers, Trees
from surrogates.models.trees import grow as grow_trees

_TREES = 48
_SEED = 0  # the same measurements grow the same trees
_FLOOR = 0.02  # least variance of an opinion, as a share of the metric's
_FACTOR = (0.5, 3.0)  # within which the spread between trees is corrected


@dataclass(frozen=True)
class TreeStatistics:
    """What is known of trees from the measurements that they have learnt from.

    Attributes:
        floor: least variance, in the metric's unit squared.
        evidence: mean log density of each measurement by the trees that did not see it, of standardised values.
        count: number of measurements.
        noise: median variance of the measurements, in the metric's unit squared.
    """

    floor: float
    evidence: float
    count: int
    noise: float = 0.0


class ExtraTrees(MetricModel):
    """What trees believe of a metric after its measurements; there is no gradient along the parameters.

    Args:
        trees: fitted trees.
        columns: how many of the first columns of a row they see.
        factor: of the spread between trees, by which it covers what they did not see.
        known: what is known of them.
    """

    def __init__(self, trees: Trees, columns: int, factor: float, known: TreeStatistics) -> None:
        super().__init__()
        self.trees, self.columns, self.factor, self.known = trees, columns, factor, known

    @property
    def evidence(self) -> float:
        """The mean log density of each measurement by the trees that did not see it, of standardised values."""
        return self.known.evidence

    def outputs(self, rows: Tensor) -> Tensor:
        """Return what each tree says, t x b x q, of rows, b x q x d; b may be missing."""
        flat = _seen(rows.reshape(-1, rows.shape[-1]), self.columns)
        return torch.from_numpy(self.trees.outputs(flat)).reshape(-1, *rows.shape[:-1])

    def marginals(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation, n and n, of n rows one by one."""
        said = self.outputs(rows)
        return said.mean(dim=0), (self.factor**2 * said.var(dim=0, correction=0) + self.known.floor).sqrt()

    def joint(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean, b x q, and covariance, b x q x q, of q rows together."""
        said = self.outputs(rows)
        apart = (said - said.mean(dim=0)).movedim(0, -1)
        spread = self.factor**2 * apart @ apart.mT / len(self.trees)
        spread.diagonal(dim1=-2, dim2=-1).add_(self.known.floor)
        return said.mean(dim=0), spread

    def cross(self, rows: Tensor, others: Tensor) -> Tensor:
        """Return the covariance, n x q, of n rows with a few others: trees agree about what is alike."""
        left, right = self.outputs(rows), self.outputs(others)
        return self.factor**2 * (left - left.mean(dim=0)).mT @ (right - right.mean(dim=0)) / len(self.trees)

    def noise(self, rows: Tensor) -> Tensor:
        """Return the variance, n, of the noise of one measurement of each of n rows."""
        return torch.full((len(rows),), self.known.noise, dtype=torch.float64)

    def describe(self) -> dict[str, Any]:
        """Return what the log keeps."""
        return {"kind": "trees", "observations": self.known.count, "trees": len(self.trees), "spread": self.factor}


def fit_extra_trees(seen: Observations, columns: int) -> ExtraTrees:
    """Return trees that learnt from at least two measurements, by the first columns of their rows.

    Measurements count by their certainty: the less certain, the fewer trees see them.
    """
    inputs, values = _seen(seen.rows, columns), seen.values.numpy()
    floor = _FLOOR * max(float(values.var()), 1e-300)
    variances = seen.sds.numpy() ** 2
    drawn = _bootstrap(floor / (floor + variances))
    trees = grow_trees(inputs, values, drawn, _SEED)
    factor, evidence = _judged(trees.outputs(inputs), drawn == 0, values, floor + variances)
    known = TreeStatistics(floor, evidence, len(values), float(np.median(variances)))
    return ExtraTrees(trees, columns, factor, known)


def _bootstrap(weights: Numbers) -> Numbers:
    """Return how often each tree sees each of n measurements, t x n, the more often the greater the weight, n."""
    return np.random.default_rng(_SEED).multinomial(len(weights), weights / weights.sum(), _TREES).astype(np.float64)


def _judged(said: Numbers, hidden: NDArray[np.bool_], values: Numbers, noise: Numbers) -> tuple[float, float]:
    """Return the factor of the spread, and the evidence, from the trees that did not see a measurement.

    Args:
        said: t x n.
        hidden: which tree did not see which measurement, t x n.
        values: n.
        noise: n variances.
    """
    judged = hidden.sum(axis=0) >= 2
    said, hidden, values, noise = said[:, judged], hidden[:, judged], values[judged], noise[judged]
    if not len(values):
        return 1.0, -math.inf
    trees = hidden.sum(axis=0)
    mean = np.where(hidden, said, 0.0).sum(axis=0) / trees
    spread = np.where(hidden, np.square(said - mean), 0.0).sum(axis=0) / trees + noise
    off = np.square(values - mean)
    factor = float(np.clip(np.sqrt(np.mean(off / spread)), *_FACTOR))
    scale = values.std() or 1.0
    density = -0.5 * (np.log(2.0 * np.pi * factor**2 * spread / scale**2) + off / (factor**2 * spread))
    return factor, float(density.mean())


def _seen(rows: Tensor, columns: int) -> Inputs:
    return np.ascontiguousarray(rows[..., :columns].detach().numpy(), dtype=np.float32)
