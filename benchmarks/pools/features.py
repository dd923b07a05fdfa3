"""How features are reduced."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_CONSTANT = 1e-9


def standardised(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return columns of mean 0 and variance 1, without those that are constant; n x d, d may be 0."""
    spread = raw.std(axis=0)
    varying = spread > _CONSTANT * np.maximum(1.0, np.abs(raw).max(axis=0))
    return np.asarray((raw[:, varying] - raw[:, varying].mean(axis=0)) / spread[varying])


def components(features: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return principal components, unwhitened, n x (at most count); those without variance are left out."""
    centred = features - features.mean(axis=0)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    kept = directions[:count][sizes[:count] > _CONSTANT * max(1.0, sizes.max(initial=0.0))]
    return np.asarray(centred @ kept.T)


def unit_distance(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return features, n x d, scaled by one factor so that two rows are a distance of 1 apart, root mean square."""
    total = float(features.var(axis=0).sum())
    return features / np.sqrt(2.0 * total) if total > 0 else features
