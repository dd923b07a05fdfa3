"""What a ranking by a prior finds before anything is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hypergeom, rankdata

from benchmarks.pools.tasks import Setting

FIRST = (5, 20)
"""Sizes of a first batch."""

_TOTAL = 200


@dataclass(frozen=True)
class Prior:
    """A ranking that needs no label.

    Attributes:
        scores: from a task to a number for each row of its pool; the highest is measured first.
        tasks: names of the tasks that it is meant for; None for all.
    """

    name: str
    scores: Callable[[Setting], NDArray[np.float64]]
    tasks: tuple[str, ...] | None = None


@dataclass(frozen=True)
class ZeroLabel:
    """How good a ranking is.

    Attributes:
        share: of the top 1 % among the first 200 rows.
        found: rows of the top 1 % in a first batch of each size.
        expected: the same for random choice.
        luck: chance that a random batch holds as many.
        rank: mean rank of a first batch's true merits, 0 for the worst and 1 for the best; 0.5 for random choice.
        spearman: rank correlation with the true merit over the pool.
    """

    share: float
    found: tuple[int, ...]
    expected: tuple[float, ...]
    luck: tuple[float, ...]
    rank: tuple[float, ...]
    spearman: float


def judge_prior(setting: Setting, scores: NDArray[np.float64]) -> ZeroLabel:
    """Return how good a ranking is. Ties are broken at random, with a fixed seed.

    Args:
        scores: n, the highest first.
    """
    size, best = len(setting.pool), int(setting.best.sum())
    shuffled = np.random.default_rng(0).permutation(size)
    order = shuffled[np.argsort(-scores[shuffled], kind="stable")]
    ranks = np.empty(size)
    ranks[np.argsort(setting.merit, kind="stable")] = np.arange(size) / (size - 1)
    found = tuple(int(setting.best[order[:count]].sum()) for count in FIRST)
    pairs = list(zip(found, FIRST, strict=True))
    return ZeroLabel(
        share=float(setting.best[order[:_TOTAL]].sum()) / best,
        found=found,
        expected=tuple(count * best / size for count in FIRST),
        luck=tuple(float(hypergeom.sf(each - 1, size, best, count)) for each, count in pairs),
        rank=tuple(float(ranks[order[:count]].mean()) for count in FIRST),
        spearman=_spearman(scores, setting.merit),
    )


def _spearman(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the rank correlation; 0 where one side does not vary."""
    ranks = np.array([rankdata(each) for each in (one, other)])
    return float(np.corrcoef(ranks)[0, 1]) if np.ptp(ranks, axis=1).all() else 0.0


def _stability(setting: Setting) -> NDArray[np.float64]:
    """Return what CHGNet's energy lies below its regression on the composition of the pool, eV/atom; needs no label."""
    cells = [structure.composition.fractional_composition.get_el_amt_dict() for structure in setting.pool.structures]
    symbols = sorted({symbol for cell in cells for symbol in cell})
    amounts = np.array([[cell.get(symbol, 0.0) for symbol in symbols] for cell in cells])
    solution = np.linalg.lstsq(amounts, setting.pool.energy, rcond=None)[0]
    return np.asarray(amounts @ solution - setting.pool.energy)


def _wrong(setting: Setting) -> NDArray[np.float64]:
    return -_stability(setting)


def _formation_energy(setting: Setting) -> NDArray[np.float64]:
    from benchmarks.pools.ours import formation_energies

    return -formation_energies(setting.pool)


PRIORS: tuple[Prior, ...] = (
    Prior("CHGNet's formation energy", _formation_energy),
    Prior("CHGNet", _stability),
    Prior("CHGNet, wrong sign", _wrong),
)
"""The rankings that are judged; CHGNet's is by how far its energy lies below its regression on composition."""
