"""Extremely randomised regression trees, all grown and asked at once.

A node draws one threshold for each column, uniformly over the range of its samples, and takes the one that explains
most of their variance; it is a leaf when its samples or their values are all the same (Geurts, Ernst & Wehenkel 2006,
Mach. Learn. 63, 3). A level of all trees is a handful of operations on arrays: a small forest costs milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

_TOGETHER = 1_000_000  # numbers that are worked on at once while trees grow
_CHUNK = 2048  # rows that are asked about at once: they stay in a core's cache
_TIE = 1e-12  # relative difference below which two splits are equally good

Numbers = NDArray[np.float64]
Inputs = NDArray[np.float32]
Places = NDArray[np.int32]


@dataclass(frozen=True)
class Nodes:
    """Nodes of trees, m.

    Attributes:
        columns, thresholds: what is compared with what; at a leaf nothing is beyond the threshold.
        children: where samples go that are not beyond, and after which number those that are; of a leaf, itself.
        values: what each node says.
    """

    columns: Places
    thresholds: Inputs
    children: Places
    values: Numbers

    @classmethod
    def joined(cls, parts: Sequence[Nodes]) -> Nodes:
        """Return all nodes in one list."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def behind(self, count: int) -> Nodes:
        """Return the nodes as they stand in a list behind ``count`` others."""
        return replace(self, children=self.children + np.int32(count))


@dataclass(frozen=True)
class Trees:
    """Regression trees.

    Attributes:
        roots: place of each tree's root among the nodes, t.
        nodes: of all trees.
        depth: steps from a root to the last leaf.
    """

    roots: Places
    nodes: Nodes
    depth: int

    def __len__(self) -> int:
        return len(self.roots)

    def outputs(self, inputs: Inputs) -> Numbers:
        """Return what each tree says, t x n, of n rows, n x d."""
        parts = [self._leaves(inputs[start : start + _CHUNK]) for start in range(0, len(inputs), _CHUNK)]
        return self.nodes.values[np.concatenate(parts, axis=1)] if parts else np.empty((len(self), 0))

    def _leaves(self, inputs: Inputs) -> Places:
        """Return the leaf, t x n, in which each of n rows, n x d, ends."""
        nodes, width = self.nodes, inputs.shape[1]
        first, flat = np.arange(len(inputs), dtype=np.int32) * width, np.ascontiguousarray(inputs).ravel()
        at = np.repeat(self.roots, len(inputs))
        where = np.tile(first, len(self))
        for _ in range(self.depth):
            beyond = flat.take(where + nodes.columns.take(at)) > nodes.thresholds.take(at)
            at = nodes.children.take(at) + beyond
        return at.reshape(len(self), len(inputs))


def grow(inputs: Inputs, values: Numbers, counts: Numbers, seed: int) -> Trees:
    """Return trees that learnt from measurements.

    Args:
        inputs: n x d.
        values: n.
        counts: how often each tree sees each measurement, t x n.
        seed: determines the thresholds.
    """
    generator = np.random.default_rng(seed)
    together = max(1, _TOGETHER // max(inputs.size, 1))
    parts = [
        _Growth.of(inputs, values, counts[start : start + together]).grown(generator)
        for start in range(0, len(counts), together)
    ]
    return _joined(parts)


@dataclass(frozen=True)
class _Growth:
    """The nodes of the latest level, m, and their samples, e in all, in the order of the nodes.

    Attributes:
        columns, values: d x n and n, of all measurements.
        members: place of each sample among the measurements, e.
        weights: of each sample, e.
        starts: place of each node's first sample, m.
        first: number of the first of the nodes.
    """

    columns: Inputs
    values: Numbers
    members: NDArray[np.intp]
    weights: Numbers
    starts: NDArray[np.intp]
    first: int = 0

    @classmethod
    def of(cls, inputs: Inputs, values: Numbers, counts: Numbers) -> _Growth:
        """Return the roots of trees that see measurements so often, t x n."""
        tree, members = np.nonzero(counts)
        starts = np.searchsorted(tree, np.arange(len(counts)))
        return cls(np.ascontiguousarray(inputs.T), values, members, counts[tree, members], starts)

    def grown(self, generator: np.random.Generator) -> Trees:
        """Return the trees that grow from here."""
        levels: list[Nodes] = []
        growth = self
        while len(growth.starts):
            level, growth = growth._split(generator)
            levels.append(level)
        return Trees(np.arange(len(self.starts), dtype=np.int32), Nodes.joined(levels), depth=len(levels) - 1)

    def _split(self, generator: np.random.Generator) -> tuple[Nodes, _Growth]:
        """Return the nodes of this level, and what lies in those of the next."""
        samples, sizes = self.columns.take(self.members, axis=1), np.diff(self.starts, append=len(self.members))
        low = np.minimum.reduceat(samples, self.starts, axis=1)
        high = np.maximum.reduceat(samples, self.starts, axis=1)
        drawn = low + (high - low) * generator.random(low.shape, dtype=np.float32)
        thresholds = np.where(drawn < high, drawn, low)
        beyond = samples > np.repeat(thresholds, sizes, axis=1)
        means, gains = self._gains(beyond, sizes)
        columns, places = _best(gains, generator), np.arange(len(sizes))
        inner = gains[columns, places] > 0.0
        level = Nodes(
            columns.astype(np.int32),
            np.where(inner, thresholds[columns, places], np.float32(np.inf)),
            (self.first + np.where(inner, len(sizes) + 2 * np.cumsum(inner) - 2, places)).astype(np.int32),
            means,
        )
        return level, self._below(inner, sizes, beyond[np.repeat(columns, sizes), np.arange(len(self.members))])

    def _gains(self, beyond: NDArray[np.bool_], sizes: NDArray[np.intp]) -> tuple[Numbers, Numbers]:
        """Return the mean of each node, m, and the variance that each column explains, d x m; 0 where all are alike."""
        values, weights = self.values[self.members], self.weights
        total = np.add.reduceat(weights, self.starts)
        means = np.add.reduceat(weights * values, self.starts) / total
        off = weights * (values - np.repeat(means, sizes))
        there = np.add.reduceat(weights * beyond, self.starts, axis=1)
        sums = np.add.reduceat(off * beyond, self.starts, axis=1)
        alike = np.minimum.reduceat(values, self.starts) == np.maximum.reduceat(values, self.starts)
        parted = (there > 0.0) & (there < total) & ~alike
        return means, np.where(parted, sums**2 * total / np.where(parted, there * (total - there), 1.0), 0.0)

    def _below(self, inner: NDArray[np.bool_], sizes: NDArray[np.intp], beyond: NDArray[np.bool_]) -> _Growth:
        """Return what lies in the children of the inner nodes, given which samples lie beyond."""
        kept = np.repeat(inner, sizes)
        child = 2 * np.repeat(np.cumsum(inner) - 1, sizes)[kept] + beyond[kept]
        order = np.argsort(child, kind="stable")
        starts = np.searchsorted(child[order], np.arange(2 * int(inner.sum())))
        members, weights = self.members[kept][order], self.weights[kept][order]
        return _Growth(self.columns, self.values, members, weights, starts, self.first + len(sizes))


def _best(gains: Numbers, generator: np.random.Generator) -> NDArray[np.intp]:
    """Return the column with the largest gain, m, of gains, d x m; any of those that are equally good."""
    best = gains.max(axis=0) * (1.0 - _TIE)
    return np.where(gains >= best, generator.random(gains.shape), -1.0).argmax(axis=0)


def _joined(parts: Sequence[Trees]) -> Trees:
    """Return trees of several lists as one."""
    before = np.cumsum([0, *(len(part.nodes.values) for part in parts[:-1])]).tolist()
    pairs = list(zip(parts, before, strict=True))
    roots = np.concatenate([part.roots + np.int32(count) for part, count in pairs])
    nodes = Nodes.joined([part.nodes.behind(count) for part, count in pairs])
    return Trees(roots, nodes, max(part.depth for part in parts))
