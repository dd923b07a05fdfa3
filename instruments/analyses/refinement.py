"""Least squares of a powder pattern: scale factors and background are linear and solved exactly at every step.

Variable projection (Golub, Pereyra, SIAM J. Numer. Anal. 10, 413, 1973; Kaufman, BIT 15, 49, 1975) with the damping of
Levenberg and Marquardt; Gaussian priors keep what a pattern does not tell near what is usual; scale factors cannot be
negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from instruments.analyses.phase_model import STRAIN, TEXTURE, Drawing, Mount, PhaseModel
from instruments.analyses.scan import Scan

FloatArray = NDArray[np.float64]
Bounds = tuple[float, float, float, float]
"""Usual value, its standard deviation, and the limits."""

MOUNT: tuple[Bounds, ...] = (
    (0.0, 0.05, -0.3, 0.3),
    (0.0, 0.05, -0.4, 0.4),
    (0.0, 0.5, -1.0, 4.0),
    (0.0, 0.01, 0.0, 0.3),
)
"""Zero [deg], displacement [deg], attenuation [Å^2], intensity of K-beta over that of K-alpha (0.17 without filter)."""
NARROWING, WIDENING, SPREAD = 10.0, 3.0, 0.7  # times, times, natural logarithm; of a typical width
WIDEST = (2.5, 1.2)  # deg; wider lines cannot be told from humps of the background. Of the first phase and the others
BROADENING: Bounds = (0.7, 1.0, 0.0, 12.0)
MIXING: Bounds = (0.5, 0.25, 0.0, 1.0)
TEXTURES: Bounds = (0.0, 0.25, -1.2, 1.0)
STRAINS: tuple[Bounds, Bounds] = ((0.0, 0.005, -0.025, 0.025), (0.0, 0.002, -0.008, 0.008))
"""Of the first phase, which may be a solid solution, and of the others."""
CONVERGED = 3e-4  # relative fall of the misfit
RAISE, LOWER, STUCK = 8.0, 0.2, 1e4  # of the damping


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """Where a refinement stands.

    Attributes:
        values: mount's parameters, then those of each phase.
        drawings: of each phase, k.
        columns: weighted patterns less what background explains, n x k.
        scales: k.
        misfit: weighted, n.
        cost: its square, and that of the priors.
    """

    values: FloatArray
    drawings: tuple[Drawing, ...]
    columns: FloatArray
    scales: FloatArray
    misfit: FloatArray
    cost: float


class Refinement:
    """A scan, the phases that may be in it, and what is usual.

    Args:
        scan: angles and counts.
        models: the phases.
        width: that reflections of the scan seem to have [deg].
    """

    def __init__(self, scan: Scan, models: Sequence[PhaseModel], width: float) -> None:
        self.scan, self.models = scan, tuple(models)
        self.basis, _ = np.linalg.qr(scan.background * scan.weights[:, None])
        self.counts = self.explain(scan.counts * scan.weights)
        rows = [*MOUNT]
        for number, model in enumerate(models):
            widest = max(WIDEST[min(number, 1)], WIDENING * width)
            widths = (np.log(width), SPREAD, np.log(width / NARROWING), np.log(widest))
            strains = [STRAINS[min(number, 1)]] * (model.parameters - STRAIN)
            rows += [widths, BROADENING, MIXING, TEXTURES, *strains]
        self.usual, self.spread, self.low, self.high = np.array(rows).T
        ends = np.cumsum([len(MOUNT), *(m.parameters for m in models)])
        self.places = [slice(a, b) for a, b in pairwise(ends)]

    def explain(self, values: FloatArray) -> FloatArray:
        """Return what of weighted values no background can explain."""
        return np.asarray(values - self.basis @ (self.basis.T @ values))

    def evaluate(self, values: FloatArray, stiffness: float = 1.0) -> Fitted:
        """Return the fit with given parameters.

        Args:
            values: parameters.
            stiffness: what a squared standard deviation from the usual costs.
        """
        mount = Mount(*values[: len(MOUNT)])
        parts = zip(self.models, self.places, strict=True)
        drawings = tuple(model.drawn(self.scan.two_theta, mount, values[place]) for model, place in parts)
        columns = self.explain(np.column_stack([d.column for d in drawings]) * self.scan.weights[:, None])
        scales = non_negative(columns, self.counts)
        misfit = self.counts - columns @ scales
        penalty = float((((values - self.usual) / self.spread) ** 2).sum())
        return Fitted(values, drawings, columns, scales, misfit, float(misfit @ misfit) + stiffness * penalty)

    def refine(self, start: FloatArray, steps: int, *, texture: bool) -> Fitted:
        """Return the best fit that at most so many steps find; without ``texture``, it stays as it is."""
        stiffness = max(self.goodness(self.evaluate(start)), 1.0)
        at, damping = self.evaluate(start, stiffness), 1e-2
        for _ in range(steps):
            slopes, free = self.slopes(at, texture=texture)
            while damping < STUCK:
                tried = self.evaluate(self._step(at, slopes, free, stiffness, damping), stiffness)
                if tried.cost < at.cost:
                    break
                damping *= RAISE
            else:
                return at
            fall, at, damping = 1 - tried.cost / at.cost, tried, damping * LOWER
            if fall < CONVERGED:
                break
        return at

    def slopes(self, at: Fitted, *, texture: bool) -> tuple[FloatArray, NDArray[np.int64]]:
        """Return derivatives of the fitted pattern, weighted, n x f, and which parameters they belong to, f."""
        mount = np.zeros((len(MOUNT), len(self.scan.counts)))
        rows, free = [], list(range(len(MOUNT)))
        for drawing, place, scale in zip(at.drawings, self.places, at.scales, strict=True):
            if scale > 0:
                mount += scale * np.array(list(drawing.by_mount()))
                kept = [i for i in range(place.stop - place.start) if texture or i != TEXTURE]
                own = list(drawing.by_own())
                rows += [scale * own[i] for i in kept]
                free += [place.start + i for i in kept]
        return self.explain(np.array([*mount, *rows]).T * self.scan.weights[:, None]), np.array(free)

    def goodness(self, at: Fitted) -> float:
        """Return reduced chi squared."""
        known = self.basis.shape[1] + int((at.scales > 0).sum()) + len(MOUNT)
        return float(at.misfit @ at.misfit) / max(len(at.misfit) - known, 1)

    def _step(
        self, at: Fitted, slopes: FloatArray, free: NDArray[np.int64], stiffness: float, damping: float
    ) -> FloatArray:
        seen = at.scales > 0
        design = np.column_stack([at.columns[:, seen], slopes])
        normal, pull = design.T @ design, design.T @ at.misfit
        first = int(seen.sum())
        hold = stiffness / self.spread[free] ** 2
        normal[range(first, len(normal)), range(first, len(normal))] += hold
        pull[first:] -= hold * (at.values - self.usual)[free]
        diagonal = np.maximum(np.diag(normal), 1e-300)
        scale = np.sqrt(diagonal)
        scaled = normal / np.outer(scale, scale) + damping * np.eye(len(normal))
        moved = at.values.copy()
        moved[free] += (np.linalg.solve(scaled, pull / scale) / scale)[first:]
        return np.clip(moved, self.low, self.high)


def non_negative(columns: FloatArray, target: FloatArray) -> FloatArray:
    """Return the non-negative combination of columns, k, that is nearest to a target, n."""
    sizes = np.linalg.norm(columns, axis=0)
    sizes = np.where(sizes > 0, sizes, 1.0)
    _, triangle = np.linalg.qr(np.column_stack([columns / sizes, target]))
    found, _ = nnls(triangle[:, :-1], triangle[:, -1])
    return np.asarray(found / sizes)


def least_misfits(columns: FloatArray, number: int, tried: FloatArray, target: FloatArray) -> FloatArray:
    """Return the squared misfit of the nearest non-negative combination, t, with each other column in a place.

    Factorised all at once: what is left to solve for each is as small as there are columns.

    Args:
        columns: n x k.
        number: the place.
        tried: n x t.
        target: n.
    """
    every = np.column_stack([columns, tried])
    sizes = np.linalg.norm(every, axis=0)
    _, triangle = np.linalg.qr(np.column_stack([every / np.where(sizes > 0, sizes, 1.0), target]))
    places = np.tile(np.arange(columns.shape[1]), (tried.shape[1], 1))
    places[:, number] = columns.shape[1] + np.arange(tried.shape[1])
    return np.array([nnls(triangle[:, place], triangle[:, -1])[1] ** 2 for place in places])
