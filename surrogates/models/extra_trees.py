"""Extremely randomised trees as a BoTorch model: a second model where a metric has cliffs that no length scale fits.

Geurts, Ernst & Wehenkel 2006, Mach. Learn. 63, 3; the trees are those of scikit-learn. Each learns from a bootstrap
sample of the measurements, so that those outside it tell how good the predictions of the ensemble are (out-of-bag
estimates; Breiman 2001, Mach. Learn. 45, 5).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from botorch.models.ensemble import EnsembleModel
from numpy.typing import NDArray
from torch import Tensor

from surrogates.models.base import MetricModel
from surrogates.models.exact_inference import mean_log_density
from surrogates.models.observations import Observations

# Chosen on tables that are not held out, and made-up ones: docs/benchmarks.md, "The planner against other engines".
_TREES = 48
_FLOOR = 0.02  # variance that is added to each prediction, as a share of the metric's
_SPREADS = (0.5, 3.0)  # limits of the factor by which the spread between trees is corrected
_SEED = 0  # not tuned: any fixed number, so that the same measurements grow the same trees

Numbers = NDArray[np.float64]
Inputs = NDArray[np.float32]


class Tree(Protocol):
    """A tree of scikit-learn (``sklearn.tree._tree.Tree``)."""

    def predict(self, inputs: Inputs, /) -> Numbers:
        """Return what it predicts, n x 1, of n rows."""
        ...


@dataclass(frozen=True)
class OutOfBag:
    """How good predictions of standardised values are, by the trees that did not see a measurement.

    Attributes:
        spread: factor on the deviations of the trees from their mean, by which these cover the measurements.
        evidence: mean log density of each measurement.
    """

    spread: float
    evidence: float


class ExtraTrees(MetricModel, EnsembleModel):
    """An ensemble of trees; its posterior is the Gaussian with the mean and the covariance of the ensemble.

    Predictions are piecewise constant: gradients by rows are zero.

    Args:
        trees: of standardised values.
        seen: the measurements that they are fitted to.
        columns: number of the first columns of a row that they use.
        quality: of their predictions.

    Attributes:
        spread: factor on the deviations of the trees from their mean.
    """

    def __init__(self, trees: Sequence[Tree], seen: Observations, columns: int, quality: OutOfBag) -> None:
        super().__init__()
        self.trees, self.columns, self.spread, self._evidence = tuple(trees), columns, quality.spread, quality.evidence
        self._count, (self._shift, self._scale) = len(seen.values), _units(seen)
        self._noise = float(seen.sds.square().median())
        self.eval()

    def forward(self, rows: Tensor) -> Tensor:
        """Return what each tree predicts, b x s x q x 1, in the metric's unit, of rows, b x q x d; b may be missing."""
        outputs = torch.from_numpy(_outputs(self.trees, _inputs(rows, self.columns)))
        mean = outputs.mean(dim=0)
        found = self._shift + self._scale * (mean + self.spread * (outputs - mean))
        found = found.reshape(len(self.trees), *rows.shape[:-1]).movedim(0, -2).unsqueeze(-1)
        return found + 0.0 * rows.sum(dim=-1)[..., None, :, None] if rows.requires_grad else found

    @property
    def evidence(self) -> float:
        """The mean log density of each measurement by the trees that did not see it, of standardised values."""
        return self._evidence

    @property
    def floor(self) -> float:
        """The variance that is added to each prediction, in the metric's unit squared."""
        return _FLOOR * self._scale**2

    def marginals(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation, n and n, of n rows one by one."""
        mean, deviations = self._deviations(rows)
        return mean, (deviations.square().sum(dim=0) + self.floor).sqrt()

    def joint(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean, b x q, and covariance, b x q x q, of q rows together."""
        mean, deviations = self._deviations(rows)
        return mean, deviations.mT @ deviations + self.floor * torch.eye(rows.shape[-2], dtype=mean.dtype)

    def cross(self, rows: Tensor, others: Tensor) -> Tensor:
        """Return the covariance, n x q, of n rows with a few others."""
        return self._deviations(rows)[1].mT @ self._deviations(others)[1]

    def noise(self, rows: Tensor) -> Tensor:
        """Return the variance, n, of the noise of one measurement of each of n rows: the median of what is stated."""
        return torch.full((len(rows),), self._noise, dtype=torch.float64)

    def describe(self) -> dict[str, Any]:
        """Return what the log keeps."""
        return {"kind": "trees", "observations": self._count, "trees": len(self.trees), "spread": self.spread}

    def _deviations(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean, b x q, and the deviation of each tree over the root of their number, b x s x q."""
        values = self.forward(rows).squeeze(-1)
        mean = values.mean(dim=-2, keepdim=True)
        return mean.squeeze(-2), (values - mean) / math.sqrt(len(self.trees))


def fit_extra_trees(seen: Observations, columns: int) -> ExtraTrees:
    """Return trees that are fitted to at least two measurements, by the first columns of their rows.

    Measurements count by their certainty: the less certain, the fewer trees see them.
    """
    inputs, (shift, scale) = _inputs(seen.rows, columns), _units(seen)
    values, variances = ((seen.values - shift) / scale).numpy(), (seen.sds / scale).square().numpy()
    counts = _bootstrap(_FLOOR / (_FLOOR + variances))
    trees = _grow(inputs, values, counts)
    quality = _out_of_bag(_outputs(trees, inputs), counts == 0, values, _FLOOR + variances)
    return ExtraTrees(trees, seen, columns, quality)


def _units(seen: Observations) -> tuple[float, float]:
    """Return mean and standard deviation of the measurements, from which standardised values count."""
    return float(seen.values.mean()), float(seen.values.std(correction=0)) or 1.0


def _inputs(rows: Tensor, columns: int) -> Inputs:
    """Return the first columns of rows, b x q x d, as scikit-learn wants them, n x c."""
    return np.ascontiguousarray(rows.detach()[..., :columns].reshape(-1, columns).numpy(), dtype=np.float32)


def _bootstrap(weights: Numbers) -> Numbers:
    """Return how often each tree sees each of n measurements, t x n, the more often the greater the weight, n."""
    return np.random.default_rng(_SEED).multinomial(len(weights), weights / weights.sum(), _TREES).astype(np.float64)


def _grow(inputs: Inputs, values: Numbers, counts: Numbers) -> list[Tree]:
    """Return trees, each of which sees each measurement so often, t x n.

    ``ExtraTreesRegressor`` grows the same trees in twice the time: it copies and checks the inputs of each.
    """
    from sklearn import config_context  # a second that only campaigns of settings need
    from sklearn.tree import ExtraTreeRegressor

    state, trees = np.random.RandomState(), []  # making one for each tree takes a fifth of the time
    with config_context(skip_parameter_validation=True, assume_finite=True):  # these checks take a third of it
        for place, count in enumerate(counts):
            state.seed(_SEED + place)
            trees.append(ExtraTreeRegressor(random_state=state).fit(inputs, values, count, check_input=False).tree_)
    return trees


def _outputs(trees: Sequence[Tree], inputs: Inputs) -> Numbers:
    """Return what each tree predicts, t x n, of n rows."""
    return np.stack([tree.predict(inputs)[:, 0] for tree in trees])


def _out_of_bag(outputs: Numbers, unseen: NDArray[np.bool_], values: Numbers, noise: Numbers) -> OutOfBag:
    """Return the factor of the spread, and the evidence, from the trees that did not see a measurement.

    Args:
        outputs: t x n.
        unseen: which tree did not see which measurement, t x n.
        values: n, standardised.
        noise: n variances.
    """
    judged = unseen.sum(axis=0) >= 2
    outputs, unseen, values, noise = outputs[:, judged], unseen[:, judged], values[judged], noise[judged]
    if not len(values):
        return OutOfBag(1.0, -math.inf)
    trees = unseen.sum(axis=0)
    mean = np.where(unseen, outputs, 0.0).sum(axis=0) / trees
    variance = np.where(unseen, np.square(outputs - mean), 0.0).sum(axis=0) / trees + noise
    errors = np.square(values - mean)
    spread = float(np.clip(np.sqrt(np.mean(errors / variance)), *_SPREADS))
    scale = values.std() or 1.0
    standard = (values / scale, mean / scale, spread**2 * variance / scale**2)
    return OutOfBag(spread, mean_log_density(*map(torch.from_numpy, standard)))
