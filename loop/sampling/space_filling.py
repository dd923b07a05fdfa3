"""Orders of points in which every beginning covers the whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SPACED = 128  # points whose order matters
_TRIED = 4  # random points for the first place, and one more for each further place


def k_centres(embedding: NDArray[np.float64], count: int, seed: int) -> list[int]:
    """Return ``count`` rows of an embedding, n x d, that cover it: greedy k-centres from a random start.

    Gonzalez 1985, Theor. Comput. Sci. 38, 293.
    """
    chosen = [int(np.random.default_rng(seed).integers(len(embedding)))]
    distance = np.linalg.norm(embedding - embedding[chosen[0]], axis=1)
    while len(chosen) < min(count, len(embedding)):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(embedding - embedding[chosen[-1]], axis=1))
    return chosen


def farthest_first(points: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.int64]:
    """Return the order of points, n x d, in which each comes with the density of the points and far from those before.

    The next point is the farthest of some random ones, more the longer the list is (Mitchell 1991, Computer Graphics
    25, 157); after the first hundred or so the order is random.
    """
    order = generator.permutation(len(points))
    for place in range(1, min(_SPACED, len(points))):
        few = order[place : 2 * place + _TRIED]
        away = np.linalg.norm(points[few][:, None] - points[order[:place]][None], axis=2).min(axis=1)
        best = place + int(away.argmax())
        order[[place, best]] = order[[best, place]]
    return order
