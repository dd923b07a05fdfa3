"""How much volume points would add to what a front dominates: exact, for many samples of the front at once.

The coordinates of the front's points cut space into a grid. In each cell, all is dominated or nothing is; so the
undominated volume below a point is a sum over cells that is kept at the grid's vertices (a summed-area table:
Crow 1984, Comput. Graph. 18(3), 207), and linear along each axis between them.

Everything is maximised. Shapes: s samples, f points of a front, n points, m axes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import torch
from botorch.utils.multi_objective.pareto import is_non_dominated
from torch import Tensor

_CELLS = 4_000_000  # not tuned, 32 MB: of all the grids in memory at once


def gains(front: Tensor, points: Tensor, reference: Tensor) -> Tensor:
    """Return the volume that each point would add to what the front dominates above the reference, s x n.

    Args:
        front: s x f x m, with any points; those that are not above the reference count for nothing.
        points: s x n x m.
        reference: m.
    """
    kept = _thinned(front, reference)
    each = (kept.shape[1] + 2) ** kept.shape[2]
    size = max(1, _CELLS // each)
    parts = zip(kept.split(size), points.split(size), strict=True)
    return torch.cat([NondominatedBoxes.above(reference, some).volume(these) for some, these in parts])


@dataclass(frozen=True)
class NondominatedBoxes:
    """The volume above a reference that some fronts do not dominate.

    Attributes:
        edges: per axis, s x k: the sorted coordinates that cut it, from the reference to one beyond the front's last.
        below: s x k^m: the undominated volume below each vertex of the grid.
    """

    edges: tuple[Tensor, ...]
    below: Tensor

    @classmethod
    def above(cls, reference: Tensor, front: Tensor) -> NondominatedBoxes:
        """Return what the fronts, s x f x m, do not dominate."""
        count, size, axes = front.shape
        ordered, order = front.clamp_min(reference).sort(dim=1)
        first = reference.expand(count, 1, axes)
        last = ordered[:, -1:] if size else first
        edges = torch.cat([first, ordered, last + 1.0], dim=1)
        sides = edges.diff(dim=1)
        free = ~_dominated(order.argsort(dim=1), size + 1)
        volume = free.to(front.dtype)
        for axis in range(axes):
            shape = [count, *(size + 1 if k == axis else 1 for k in range(axes))]
            volume = (volume * sides[:, :, axis].reshape(shape)).cumsum(dim=axis + 1)
        below = torch.nn.functional.pad(volume, (1, 0) * axes)
        return cls(tuple(edges[:, :, axis].contiguous() for axis in range(axes)), below.reshape(count, -1))

    def volume(self, points: Tensor) -> Tensor:
        """Return the undominated volume between the reference and each point, s x n, of s x n x m."""
        places, shares = zip(*self._located(points), strict=True)
        size, axes = self.edges[0].shape[1], len(self.edges)
        found = torch.zeros_like(points[..., 0])
        for corner in product((0, 1), repeat=axes):
            at, weight = torch.zeros_like(places[0]), torch.ones_like(found)
            for up, place, share in zip(corner, places, shares, strict=True):
                at = at * size + place + up
                weight = weight * (share if up else 1.0 - share)
            found += weight * self.below.gather(1, at)
        return found.clamp_min_(0.0)

    def _located(self, points: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield, for each axis, the cell of each point and how far in it the point lies; above 1 beyond the grid."""
        for axis, edges in enumerate(self.edges):
            here = torch.maximum(points[..., axis], edges[:, :1]).contiguous()
            place = (torch.searchsorted(edges, here, right=True) - 1).clamp_(0, edges.shape[1] - 2)
            low, high = edges.gather(1, place), edges.gather(1, place + 1)
            yield place, (here - low) / (high - low)


def _dominated(ranks: Tensor, cells: int) -> Tensor:
    """Return which cells of the grid lie wholly below some point, s x cells^m, of the points' ranks, s x f x m."""
    count, _, axes = ranks.shape
    flat = torch.zeros_like(ranks[:, :, 0])
    for axis in range(axes):
        flat = flat * cells + ranks[:, :, axis]
    marks = torch.zeros(count, cells**axes, dtype=torch.int32).scatter_(1, flat, 1)
    found = marks.reshape(count, *[cells] * axes)
    for axis in range(1, axes + 1):
        found = found.flip(axis).cummax(dim=axis).values.flip(axis)
    return found > 0


def _thinned(front: Tensor, reference: Tensor) -> Tensor:
    """Return the fronts without points that do not count, filled up with the reference to the same length."""
    counts = is_non_dominated(front, deduplicate=False) & (front > reference).all(dim=-1)
    length = int(counts.sum(dim=1).max()) if front.shape[1] else 0
    order = counts.to(torch.int8).argsort(dim=1, descending=True, stable=True)[:, :length]
    kept = torch.where(counts.unsqueeze(-1), front, reference)
    return kept.gather(1, order.unsqueeze(-1).expand(-1, -1, front.shape[2]))
