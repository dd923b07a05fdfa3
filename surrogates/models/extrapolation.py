"""How much wider intervals have to be where a whole chemistry was never measured.

A Gaussian process that is honest about each measurement given all others may be too sure of materials of another kind,
for which no relative was measured. The measurements themselves tell: leave out at once all materials that hold an
element in a certain share, such as all with one oxygen in five atoms, and see how far predictions go astray.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist

import torch
from torch import Tensor

from surrogates.models.exact_inference import Factor

_FEWEST = 3  # not tuned: measurements of a family
_DIGITS = 3  # not tuned: of an element's share of the atoms, by which shares count as equal
_MOST = NormalDist().inv_cdf(0.99) / NormalDist().inv_cdf(0.975)
"""Largest factor, not tuned: with it an honest 95 % interval covers 98 %. What the factor is worth: docs/benchmarks.md,
"Intervals"."""


def chemical_families(formulas: Sequence[str]) -> tuple[Tensor, ...]:
    """Return the places, among n formulas, of those that have an element and its share in common.

    Families of fewer than three, or of more than half of all, say nothing and are left out; so are repeated ones.
    """
    members: dict[tuple[str, float], list[int]] = {}
    for place, formula in enumerate(formulas):
        for share in _shares(formula):
            members.setdefault(share, []).append(place)
    families = {tuple(places) for places in members.values() if _FEWEST <= len(places) <= len(formulas) / 2}
    return tuple(torch.tensor(places) for places in sorted(families))


def extrapolation_factor(factor: Factor, groups: Sequence[Tensor]) -> float:
    """Return the factor on standard deviations, at least 1, that unknown families need.

    It is the root-mean-square standardised residual when families are left out, over that when single measurements are,
    both in closed form. So it does not count what is wrong with the model everywhere.

    Args:
        factor: of the n observations.
        groups: places of families among them; without any, the factor is 1.
    """
    if not groups:
        return 1.0
    alone = factor.weights.square() / factor.inverse.diagonal()
    if not bool(alone.any()):  # all measurements are equal
        return 1.0
    together = torch.cat([_left_out(factor, group) for group in groups])
    return min(max(float(together.mean() / alone.mean()) ** 0.5, 1.0), _MOST)


def _left_out(factor: Factor, group: Tensor) -> Tensor:
    """Return the squared standardised residuals of a group by all other observations.

    The inverse of the group's block of the inverse is their covariance (Rasmussen & Williams 2006, section 5.4.2, for
    several observations at once).
    """
    covariance = torch.linalg.inv(factor.inverse[group][:, group])
    return (covariance @ factor.weights[group]).square() / covariance.diagonal()


@lru_cache(maxsize=65536)
def _shares(formula: str) -> tuple[tuple[str, float], ...]:
    """Return the elements of a formula, each with its share of the atoms."""
    from pymatgen.core import Composition  # takes long to load, and campaigns without a pool need none

    composition = Composition(formula)
    return tuple((e.symbol, round(composition.get_atomic_fraction(e), _DIGITS)) for e in composition.elements)
