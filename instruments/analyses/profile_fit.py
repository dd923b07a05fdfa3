"""Full-profile fit of a powder pattern: phase weights with uncertainties, from reference reflections.

Scale factors and background are linear and solved exactly inside a search over the few parameters that are not
(variable projection: Golub, Pereyra, SIAM J. Numer. Anal. 10, 413, 1973); scale factors cannot be negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray
from scipy.optimize import least_squares, nnls

from instruments.analyses.profile import Shape, profile
from instruments.phases import ReferencePhase

FloatArray = NDArray[np.float64]

BACKGROUND = 14  # Chebyshev polynomials, beside a term in 1 / 2 theta for air scatter
START = (0.0, np.log(100.0), np.log(60.0))  # displacement [mm], log sizes [nm] of the target and of the others
LOWER, UPPER = (-0.4, np.log(6.0), np.log(10.0)), (0.4, np.log(3000.0), np.log(1000.0))
NUDGE = (1e-3, 1e-2, 1e-2)  # steps of the derivatives
BLOCK = 15  # points over which misfit is taken to be correlated, about half a degree
SIGNIFICANT = 2.5  # standard uncertainties below which an impurity is left out


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """A pattern to be fitted: 2 theta [deg] and counts, each n."""

    two_theta: FloatArray
    counts: FloatArray

    @property
    def weights(self) -> FloatArray:
        """Reciprocal standard deviations of the counts, n (Poisson, of the counts averaged over three points)."""
        smooth = np.convolve(np.pad(self.counts, 1, mode="edge"), np.ones(3) / 3, mode="valid")
        return np.asarray(1 / np.sqrt(np.maximum(smooth, 1.0)))

    @property
    def background(self) -> FloatArray:
        """Smooth functions under the reflections, n x b."""
        x = np.interp(self.two_theta, self.two_theta[[0, -1]], [-1.0, 1.0])
        return np.column_stack([chebyshev.chebvander(x, BACKGROUND - 1), 1 / self.two_theta])


@dataclass(frozen=True, slots=True, eq=False)
class ProfileFit:
    """What a fit found.

    Attributes:
        fractions: weight fraction of each phase, k, in the order given; 0 for those left out.
        sd: standard uncertainty of the first phase's fraction.
        goodness: reduced chi squared.
        residual: weighted profile residual R_wp, 0 to 1 and above.
        signal: scale factor of the clearest phase over its standard uncertainty.
    """

    fractions: FloatArray
    sd: float
    signal: float
    goodness: float
    residual: float


def fit_profile(scan: Scan, phases: Sequence[ReferencePhase]) -> ProfileFit:
    """Return the weight fractions of ``phases``; the first is the one that matters.

    Fractions by scale times Z M V (Hill, Howard, J. Appl. Cryst. 20, 467, 1987). Impurities that cannot be told from
    nothing are left out in a second fit; the uncertainty still allows for them. The covariance is scaled by the misfit
    and its correlation between neighbouring points (Bérar, Lelann, J. Appl. Cryst. 24, 1, 1991).
    """
    first = _Problem(scan, tuple(phases)).solve()
    present = [i for i, clear in enumerate(first.scales > SIGNIFICANT * first.scale_sds) if clear or i == 0]
    second = _Problem(scan, tuple(phases[i] for i in present)).solve()
    fractions = np.zeros(len(phases))
    fractions[present] = second.fractions
    signal = float(np.max(second.scales / second.scale_sds))
    return ProfileFit(fractions, first.fraction_sd, signal, second.goodness, second.residual)


@dataclass(frozen=True, slots=True, eq=False)
class _Solution:
    """Linear coefficients, k scales first, their covariance and the misfit, n, in standard deviations."""

    scales: FloatArray
    covariance: FloatArray
    zmv: FloatArray
    goodness: float
    residual: float

    @property
    def scale_sds(self) -> FloatArray:
        return np.sqrt(np.maximum(np.diag(self.covariance), 0.0))

    @property
    def fractions(self) -> FloatArray:
        masses = self.scales * self.zmv
        return masses / masses.sum() if masses.sum() > 0 else np.zeros(len(masses))

    @property
    def fraction_sd(self) -> float:
        """Uncertainty of the first fraction, by linear propagation from the scales."""
        total = float((self.scales * self.zmv).sum())
        if total <= 0:
            return float("inf")
        slope = self.zmv * (np.eye(len(self.zmv))[0] - self.fractions[0]) / total
        return float(np.sqrt(max(slope @ self.covariance @ slope, 0.0)))


@dataclass(frozen=True, slots=True, eq=False)
class _Problem:
    scan: Scan
    phases: tuple[ReferencePhase, ...]

    def solve(self) -> _Solution:
        """Search displacement and sizes; return the linear solution there."""
        weights = self.scan.weights
        basis, _ = np.linalg.qr(self.scan.background * weights[:, None])
        found = least_squares(
            lambda p: self._misfit(p, weights, basis), START, bounds=(LOWER, UPPER), diff_step=NUDGE, max_nfev=40
        )
        columns = _project(self._columns(found.x) * weights[:, None], basis)
        scales, _ = nnls(columns, _project(self.scan.counts * weights, basis))
        return self._solution(scales, columns, found)

    def _columns(self, parameters: FloatArray) -> FloatArray:
        """Return the unscaled pattern of each phase, n x k."""
        displacement, *sizes = parameters
        shapes = [Shape(displacement, float(np.exp(sizes[min(i, 1)]))) for i in range(len(self.phases))]
        patterns = [profile(self.scan.two_theta, p, s) for p, s in zip(self.phases, shapes, strict=True)]
        return np.column_stack(patterns)

    def _misfit(self, parameters: FloatArray, weights: FloatArray, basis: FloatArray) -> FloatArray:
        columns = _project(self._columns(parameters) * weights[:, None], basis)
        counts = _project(self.scan.counts * weights, basis)
        scales, _ = nnls(columns, counts)
        return counts - columns @ scales

    def _solution(self, scales: FloatArray, columns: FloatArray, found: Any) -> _Solution:
        misfit, slopes = found.fun, found.jac
        design = np.column_stack([columns, slopes])
        points = len(misfit) - design.shape[1] - BACKGROUND - 1
        goodness = float(misfit @ misfit) / points
        spread = max(goodness, 1.0) * max(_correlation(misfit), 1.0)
        covariance = spread * np.linalg.pinv(design.T @ design, hermitian=True)[: len(scales), : len(scales)]
        strength = float(np.sum((self.scan.counts * self.scan.weights) ** 2))
        zmv = np.array([phase.zmv for phase in self.phases])
        return _Solution(scales, covariance, zmv, goodness, float(np.sqrt(misfit @ misfit / strength)))


def _project(values: FloatArray, basis: FloatArray) -> FloatArray:
    """Return what of ``values`` no background can explain."""
    return np.asarray(values - basis @ (basis.T @ values))


def _correlation(misfit: FloatArray) -> float:
    """Return by how much correlated misfit inflates variances: that of block sums over that of their points."""
    blocks = misfit[: len(misfit) // BLOCK * BLOCK].reshape(-1, BLOCK)
    return float((blocks.sum(axis=1) ** 2).sum() / (blocks**2).sum())
