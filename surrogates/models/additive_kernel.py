"""The covariance of a sum of what each parameter does, and of what every two of them do together.

    k = process * mean over parameters of M_i + pairs * mean over pairs of M_i M_j

as in the analysis of variance, of the first two orders (Duvenaud, Nickisch & Rasmussen 2011, NeurIPS 24). What a level
does beside one other level is so expected of it beside all others, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import Tensor


def mains_and_pairs(each: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Return the means over parameters and over pairs of the correlation along each; there are two or more."""
    others = iter(each)
    first = next(others)
    total, squares, count = first.clone(), first.square(), 1
    for one in others:  # one at a time, as they are large
        total.add_(one)
        squares.addcmul_(one, one)
        count += 1
    return total / count, total.square().sub_(squares).div_(count * (count - 1))


def by_each(each: Sequence[Tensor], mains: Tensor, process: float, pairs: float) -> list[Tensor]:
    """Return the derivative of the covariance by the correlation along each parameter, whose mean ``mains`` is."""
    count = len(each)
    share = 2.0 * pairs / (count * (count - 1))
    return [(mains * count - one).mul_(share).add_(process / count) for one in each]
