"""The pattern of one phase as a function of what a powder and its mount do to it: widths, lattice, texture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from instruments.analyses.line_shape import Drawn, draw_lines
from instruments.analyses.reference_phases import ReferencePhase

FloatArray = NDArray[np.float64]

WIDTH, BROADENING, MIXING, TEXTURE, STRAIN = 0, 1, 2, 3, 4
"""Places of a phase's own parameters; strains are those from ``STRAIN`` on."""
STRONG = 0.05  # of the strongest reflection, above which what is left of K-beta may show


@dataclass(frozen=True, slots=True)
class Mount:
    """What all phases share.

    Attributes:
        zero: of the goniometer [deg].
        displacement: shift at low angle of a powder off the goniometer's axis, which falls with cos(theta) [deg].
        attenuation: overall displacement parameter B [Å^2], by exp(-2 B sin^2(theta) / wavelength^2).
        beta: intensity of K-beta over that of K-alpha.
    """

    zero: float = 0.0
    displacement: float = 0.0
    attenuation: float = 0.0
    beta: float = 0.0


@dataclass(frozen=True, eq=False)
class PhaseModel:
    """The pattern of one phase.

    Attributes:
        phase: its ideal reflections, k.
        axis: number of the axis along which grains are oriented.
    """

    phase: ReferencePhase
    axis: int = 0

    def along(self, axis: int) -> PhaseModel:
        """Return the model with texture along another axis."""
        return replace(self, axis=axis)

    @cached_property
    def modes(self) -> FloatArray:
        """By how much sin(theta) of each reflection falls with each strain that keeps the symmetry, k x m."""
        tensors = _invariant_strains(self.phase.symmetry)
        return np.einsum("ki,mij,kj->km", self.phase.normals, tensors, self.phase.normals)

    @cached_property
    def cosines(self) -> FloatArray:
        """Squared cosines between texture axis and all equivalent normals, k x g."""
        turned = np.einsum("gij,kj->kgi", self.phase.symmetry, self.phase.normals)
        return np.asarray((turned @ self.phase.axes[self.axis]) ** 2)

    @cached_property
    def reflections(self) -> NDArray[np.int64]:
        """Numbers of the reflections of all lines, l: for each of the radiation's, and those that show by K-beta."""
        lines, heights = self.phase.radiation, self.phase.intensity
        strong = np.flatnonzero(heights > STRONG * heights.max(initial=0.0))
        beta = strong if lines.beta is not None else strong[:0]
        return np.concatenate([np.tile(np.arange(len(heights)), len(lines.wavelengths)), beta]).astype(np.int64)

    @property
    def parameters(self) -> int:
        """How many parameters are the phase's own."""
        return STRAIN + self.modes.shape[1]

    def drawn(self, grid: FloatArray, mount: Mount, own: FloatArray) -> Drawing:
        """Return the pattern for given parameters.

        Args:
            grid: 2 theta [deg], n.
            mount: what all phases share.
            own: log width [deg] at low angle, growth of its square with tan^2(theta), share of the Lorentzian,
                logarithm of the March parameter, strains.
        """
        return Drawing(self, grid, mount, own)


class Drawing:
    """The unscaled pattern of one phase on a grid, and its derivatives."""

    def __init__(self, model: PhaseModel, grid: FloatArray, mount: Mount, own: FloatArray) -> None:
        phase, lines = model.phase, model.phase.radiation
        self._model, self._own, self._reflections = model, own, model.reflections
        left = 1.0 if lines.beta is None else lines.beta / lines.wavelengths[0]
        ratios = self._line_by_line(np.divide(lines.wavelengths, lines.wavelengths[0]), left)
        ideal = self._each(np.sin(np.radians(phase.two_theta / 2)))
        sine = ideal * ratios * (1 - self._each(model.modes @ own[STRAIN:]))
        seen = sine < np.sin(np.radians(89.5))
        sine = np.where(seen, sine, 0.5)
        self._cosine = np.sqrt(1 - sine**2)
        self._tangent = sine / self._cosine
        self._decay = -2 * (ideal / lines.wavelengths[0]) ** 2
        self._width = np.exp(own[WIDTH]) * np.sqrt(1 + own[BROADENING] * self._tangent**2)
        shares = self._line_by_line(np.asarray(lines.shares), 1.0) * self._each(phase.intensity)
        whole = np.where(seen, shares * np.exp(mount.attenuation * self._decay), 0.0)
        texture = self._each(_march(model.cosines, float(own[TEXTURE])))
        self._untextured = whole * self._line_by_line(np.ones(len(lines.wavelengths)), mount.beta)
        self._areas = self._untextured * texture
        self._by_beta = whole * texture * self._line_by_line(np.zeros(len(lines.wavelengths)), 1.0)
        centres = 2 * np.degrees(np.arcsin(sine)) + mount.zero + mount.displacement * self._cosine
        self.centres, self.widths = centres, self._width
        self._drawn: Drawn = draw_lines(grid, centres, self._width, float(own[MIXING]))

    @property
    def areas(self) -> FloatArray:
        """Areas of all lines before scale, l."""
        return self._areas

    @property
    def column(self) -> FloatArray:
        """The pattern, n."""
        return self._drawn.sum(self._areas)

    def textured(self, axis: int, log_march: float) -> FloatArray:
        """Return the pattern, n, with another texture."""
        return self._drawn.sum(self._untextured * self._each(_march(self._model.along(axis).cosines, log_march)))

    def by_mount(self) -> Iterator[FloatArray]:
        """Yield the derivatives by zero, displacement, attenuation and K-beta, n each."""
        yield self._drawn.sum(self._areas, self._drawn.by_centre)
        yield self._drawn.sum(self._areas * self._cosine, self._drawn.by_centre)
        yield self._drawn.sum(self._areas * self._decay)
        yield self._drawn.sum(self._by_beta)

    def by_own(self) -> Iterator[FloatArray]:
        """Yield the derivatives by the phase's own parameters, n each."""
        broadening = np.exp(2 * self._own[WIDTH]) * self._tangent**2 / (2 * self._width)
        yield self._drawn.sum(self._areas * self._width, self._drawn.by_width)
        yield self._drawn.sum(self._areas * broadening, self._drawn.by_width)
        yield self._drawn.sum(self._areas, self._drawn.by_mixing)
        yield self._drawn.sum(self._untextured * self._each(_march_slope(self._model.cosines, self._own[TEXTURE])))
        for mode in self._model.modes.T:
            moved = -2 * np.degrees(self._tangent) * self._each(mode)
            yield self._drawn.sum(self._areas * moved, self._drawn.by_centre)

    def _each(self, values: FloatArray) -> FloatArray:
        """Return values of reflections, k, for each line that they give, l."""
        return values[self._reflections]

    def _line_by_line(self, values: FloatArray, beta: float) -> FloatArray:
        """Return values of the radiation's lines, and one for K-beta, for each line of the pattern, l."""
        known = np.repeat(values, len(self._model.phase.two_theta))
        return np.concatenate([known, np.full(len(self._reflections) - len(known), beta)])


def _march(cosines: FloatArray, log_march: float) -> FloatArray:
    """Return factors of intensity, k, after March (Z. Kristallogr. 81, 285, 1932) and Dollase (J. Appl. Cryst. 19, 267,
    1986): below 1 for the logarithm of r, plates lie flat; above, needles lie."""  # fmt: skip
    r = np.exp(log_march)
    return np.asarray(((r**2 * cosines + (1 - cosines) / r) ** -1.5).mean(axis=1))


def _march_slope(cosines: FloatArray, log_march: float) -> FloatArray:
    """Return the derivative of the factors by the logarithm, k."""
    r = np.exp(log_march)
    inner = r**2 * cosines + (1 - cosines) / r
    return np.asarray((-1.5 * inner**-2.5 * (2 * r**2 * cosines - (1 - cosines) / r)).mean(axis=1))


def _invariant_strains(symmetry: FloatArray) -> FloatArray:
    """Return strain tensors, m x 3 x 3, that a point group (rotations, g x 3 x 3) leaves as they are."""
    pairs = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]
    basis = np.zeros((len(pairs), 3, 3))
    for tensor, (i, j) in zip(basis, pairs, strict=True):
        tensor[i, j] = tensor[j, i] = 1.0
    averaged = np.einsum("gij,mjk,glk->mil", symmetry, basis, symmetry) / len(symmetry)
    _, sizes, vectors = np.linalg.svd(averaged.reshape(len(pairs), 9))
    return np.asarray(np.sqrt(3) * vectors[: int((sizes > 1e-6).sum())].reshape(-1, 3, 3))
