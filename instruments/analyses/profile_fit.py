"""Full-profile fit of a powder pattern: phase weights with uncertainties, from reference reflections.

Where a fit starts, what it tries and which phases it keeps is not tuned by any search; what it comes to is measured by
``benchmarks.phases`` (docs/benchmarks.md, Phase fractions).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks, peak_widths

from instruments.analyses.phase_model import STRAIN, TEXTURE, WIDTH, Mount, PhaseModel
from instruments.analyses.reference_phases import ReferencePhase
from instruments.analyses.refinement import MOUNT, STRAINS, Fitted, Refinement, least_misfits, non_negative
from instruments.analyses.scan import Scan

FloatArray = NDArray[np.float64]

BLOCK = 0.5  # deg over which misfit is taken to be correlated
MAYBE, SIGNIFICANT, TEXTURED = 1.0, 2.5, 4.0  # standard uncertainties of a scale: kept at first, at last, with texture
USUAL_WIDTH = 0.15  # deg, where the pattern shows no peak
NEIGHBOURHOOD = 4.0  # deg, within which a peak rises above its surroundings
START_WIDTH = 0.25  # deg, so that lines overlap with those of the scan from the start
TRIED_STRAINS = 21
TRIED_TEXTURES = (-0.4, -0.15, 0.15)
NEAR = 0.005  # of a range, at its end
BETTER = 10.0  # fall of chi squared, over its reduced value, that is worth another lattice or texture axis


@dataclass(frozen=True, slots=True, eq=False)
class ProfileFit:
    """What a fit found.

    Attributes:
        fractions: weight fraction of each phase, k, in the order given; 0 for those left out.
        sd: standard uncertainty of the first phase's fraction.
        signal: scale factor of the clearest phase over its standard uncertainty.
        goodness: reduced chi squared.
        cost: squared misfit, and how unusual the parameters are.
        fitted: counts by the model, n.
        background: counts of the smooth part of the model, n.
        centres: 2 theta [deg] of all lines of the phases found.
        areas: of these lines [counts deg].
        width: full width at half maximum of the lines of the clearest phase [deg].
        widths: medians of each phase [deg], k; 0 for those left out.
        limits: what of the first phase is as far off as it may be: lattice, width, texture.
    """

    fractions: FloatArray
    sd: float
    signal: float
    goodness: float
    cost: float
    fitted: FloatArray
    background: FloatArray
    centres: FloatArray
    areas: FloatArray
    width: float
    widths: FloatArray
    limits: tuple[str, ...]


def fit_profile(scan: Scan, phases: Sequence[ReferencePhase], *, moved: bool = False) -> ProfileFit:
    """Return the weight fractions of ``phases``; the first is the one that matters.

    Fractions by scale times Z M V (Hill, Howard, J. Appl. Cryst. 20, 467, 1987). Each phase has its widths, its lattice
    (strains that keep its symmetry) and its texture (after March and Dollase, along the best of its low-index axes).
    Impurities that cannot be told from nothing are left out; the uncertainty still allows for them. So are those whose
    lattice, width or texture stands at its limit. The covariance is scaled by the misfit and its correlation between
    neighbouring points (Bérar, Lelann, J. Appl. Cryst. 24, 1, 1991).

    Args:
        scan: the pattern.
        phases: their reflections.
        moved: whether to begin with the lattices that explain most, each for itself, rather than with the ideal ones. A
            solid solution may need it; of phases of one type, one may be taken for another.
    """
    search = _Search(scan, phases)
    everything = list(range(len(phases)))
    for number in everything if moved else ():
        search.place(search.refine(everything, 0, texture=False), number)
    search.orient(search.refine(everything, 2, texture=False))
    search.refine(everything, 4, texture=False)
    active = search.clear(everything, MAYBE)
    search.orient(search.refine(active, 8, texture=False))
    search.refine(active, 8, texture=True)
    active = search.clear(everything, SIGNIFICANT)
    search.orient(search.refine(active, 0, texture=True))
    fit = search.refine(active, 12, texture=True)
    while stuck := search.stuck():
        fit = search.refine(search.without(stuck), 12, texture=True)
    return search.result(fit)


def typical_width(scan: Scan) -> float:
    """Return the median full width at half maximum of the highest peaks [deg]."""
    grid = np.linspace(scan.two_theta[0], scan.two_theta[-1], len(scan.two_theta))
    level = np.interp(grid, scan.two_theta, scan.counts)
    smooth = np.convolve(level, np.ones(3) / 3, mode="same")
    near = int(NEIGHBOURHOOD / (grid[1] - grid[0]))
    peaks, found = find_peaks(smooth, prominence=8 * np.sqrt(max(np.median(smooth), 1.0)), wlen=near)
    if not len(peaks):
        return USUAL_WIDTH
    highest = peaks[np.argsort(found["prominences"])[-8:]]
    widths = peak_widths(smooth, highest, rel_height=0.5, wlen=near)[0] * (grid[1] - grid[0])
    return float(np.clip(np.median(widths), 0.01, 3.0))


class _Search:
    """The state of a fit: what is known of the mount and of each phase, and which phases take part."""

    def __init__(self, scan: Scan, phases: Sequence[ReferencePhase]) -> None:
        self._scan, self._width = scan, typical_width(scan)
        self._models = [PhaseModel(phase) for phase in phases]
        self._whole = Refinement(scan, self._models, self._width)
        self._values = self._whole.usual.copy()
        for place in self._whole.places:
            self._values[place.start] = np.log(max(self._width, START_WIDTH))
        self._active = list(range(len(phases)))

    def stuck(self) -> list[int]:
        """Return the phases beside the first whose lattice, width or texture is as far off as it may be.

        Their lines are most likely others': left out, those stand unexplained.
        """
        return [i for i in self._active[1:] if self._limits(i)]

    def without(self, some: Sequence[int]) -> list[int]:
        """Return the phases that take part but for some, which forget what they have been fitted to."""
        for i in some:
            self._values[self._whole.places[i]] = self._whole.usual[self._whole.places[i]]
        return [i for i in self._active if i not in some]

    def _limits(self, number: int) -> tuple[str, ...]:
        """Return what of a phase stands at its limit."""
        place, problem = self._whole.places[number], self._whole
        low, high, own = problem.low[place], problem.high[place], self._values[place]
        near = NEAR * (high - low)
        at = (own < low + near) | (own > high - near)
        named = {"lattice": at[STRAIN:].any(), "width": own[WIDTH] > high[WIDTH] - near[WIDTH], "texture": at[TEXTURE]}
        return tuple(name for name, stands in named.items() if stands)

    def refine(self, active: Sequence[int], steps: int, *, texture: bool) -> Fitted:
        """Refine the mount and the phases that take part; return the fit."""
        self._active = list(active)
        problem = Refinement(self._scan, [self._models[i] for i in active], self._width)
        places = [self._whole.places[i] for i in active]
        kept = np.concatenate([np.arange(len(MOUNT)), *(np.arange(p.start, p.stop) for p in places)]).astype(int)
        self._problem, self._fit = problem, problem.refine(self._values[kept], steps, texture=texture)
        self._values[kept] = self._fit.values
        return self._fit

    def place(self, fit: Fitted, number: int) -> None:
        """Move a phase to the lattice at which it explains most, where that is clearly another one."""
        place, model, (_, _, low, high) = self._whole.places[number], self._models[number], STRAINS[min(number, 1)]
        even, *_ = np.linalg.lstsq(model.modes, np.ones(len(model.modes)), rcond=None)
        tried = []
        for strain in np.linspace(low, high, TRIED_STRAINS):
            own = self._values[place].copy()
            own[STRAIN:] = np.clip(even * strain, low, high)
            tried.append((own, self._mounted(model, own)))
        if (best := self._best(fit, number, [column for _, column in tried])) is not None:
            self._values[place] = tried[best][0]

    def orient(self, fit: Fitted) -> None:
        """Give each clear phase the texture axis along which it explains most."""
        clear = fit.scales > TEXTURED * np.sqrt(np.diag(self._covariance(self._active)))
        for number in np.flatnonzero(clear):
            drawing, model = fit.drawings[number], self._models[self._active[number]]
            tried = [(axis, r) for axis in range(len(model.phase.axes)) for r in TRIED_TEXTURES]
            best = self._best(fit, int(number), [drawing.textured(axis, r) for axis, r in tried])
            if best is not None:
                index = self._active[number]
                self._models[index] = model.along(tried[best][0])
                self._values[self._whole.places[index].start + TEXTURE] = tried[best][1]

    def clear(self, among: Sequence[int], level: float) -> list[int]:
        """Return the first phase, and those of the others that stand out by so many standard uncertainties.

        The others forget what they have been fitted to.
        """
        sds = np.sqrt(np.diag(self._covariance(among)))
        kept = [i for i, scale, sd in zip(among, self._scales(among), sds, strict=True) if scale > level * sd or i == 0]
        self._active = list(among)
        return self.without(sorted(set(among) - set(kept)))

    def result(self, fit: Fitted) -> ProfileFit:
        """Return what was found."""
        phases = [model.phase for model in self._models]
        masses = np.zeros(len(phases))
        masses[self._active] = fit.scales * [phases[i].zmv for i in self._active]
        fractions = masses / masses.sum() if masses.sum() > 0 else masses
        everything = list(range(len(phases)))
        covariance = self._covariance(everything)
        signal = float((fit.scales / np.sqrt(np.diag(covariance))[self._active]).max())
        patterns = np.column_stack([d.column for d in fit.drawings]) @ fit.scales
        weights, basis = self._scan.weights, self._problem.basis
        background = basis @ (basis.T @ ((self._scan.counts - patterns) * weights)) / weights
        widths = np.zeros(len(phases))
        widths[self._active] = [np.median(d.widths) for d in fit.drawings]
        clearest = int(np.argmax(fit.scales * [d.areas.sum() for d in fit.drawings]))
        return ProfileFit(
            fractions,
            _fraction_sd(masses, np.array([phase.zmv for phase in phases]), covariance),
            signal,
            self._problem.goodness(fit),
            self._problem.evaluate(fit.values).cost,
            background + patterns,
            background,
            np.concatenate([d.centres for d in fit.drawings]),
            np.concatenate([scale * d.areas for d, scale in zip(fit.drawings, fit.scales, strict=True)]),
            float(widths[self._active[clearest]]),
            widths,
            self._limits(0),
        )

    def _mounted(self, model: PhaseModel, own: FloatArray) -> FloatArray:
        return model.drawn(self._scan.two_theta, Mount(*self._values[: len(MOUNT)]), own).column

    def _columns(self, among: Sequence[int]) -> FloatArray:
        """Return weighted patterns, n x k, of phases whether they take part or not."""
        raw = [self._mounted(self._models[i], self._values[self._whole.places[i]]) for i in among]
        return self._problem.explain(np.column_stack(raw) * self._scan.weights[:, None])

    def _scales(self, among: Sequence[int]) -> FloatArray:
        return non_negative(self._columns(among), self._problem.counts)

    def _covariance(self, among: Sequence[int]) -> FloatArray:
        """Return the covariance of the scales of phases, k x k, whatever else is uncertain."""
        problem, fit = self._problem, self._fit
        columns = self._columns(among)
        slopes, free = problem.slopes(fit, texture=True)
        goodness = problem.goodness(fit)
        sizes = np.linalg.norm(columns, axis=0)
        design = np.column_stack([columns / np.where(sizes > 0, sizes, 1.0), slopes])
        normal = design.T @ design
        hold = np.arange(len(among), len(normal))
        normal[hold, hold] += max(goodness, 1.0) / problem.spread[free] ** 2
        spread = max(goodness, 1.0) * max(self._correlation(fit.misfit), 1.0)
        inverse = np.linalg.pinv(normal, rcond=1e-12, hermitian=True)[: len(among), : len(among)]
        return np.asarray(spread * inverse / np.outer(sizes, sizes))

    def _correlation(self, misfit: FloatArray) -> float:
        """Return by how much correlated misfit inflates variances: that of block sums over that of their points."""
        step = (self._scan.two_theta[-1] - self._scan.two_theta[0]) / len(misfit)
        block = max(int(BLOCK / step), 1)
        blocks = misfit[: len(misfit) // block * block].reshape(-1, block)
        return float((blocks.sum(axis=1) ** 2).sum() / max((blocks**2).sum(), 1e-300))

    def _best(self, fit: Fitted, number: int, raw: Sequence[FloatArray]) -> int | None:
        """Return which pattern in the place of one phase's explains clearly more than it, or None."""
        tried = self._problem.explain(np.column_stack(raw) * self._scan.weights[:, None])
        costs = least_misfits(fit.columns, number, tried, self._problem.counts)
        best = int(np.argmin(costs))
        clearly = BETTER * max(self._problem.goodness(fit), 1.0)
        return best if costs[best] < float(fit.misfit @ fit.misfit) - clearly else None


def _fraction_sd(masses: FloatArray, zmv: FloatArray, covariance: FloatArray) -> float:
    """Return the uncertainty of the first fraction, by linear propagation from the scales."""
    total = float(masses.sum())
    if total <= 0:
        return float("inf")
    slope = zmv * (np.eye(len(zmv))[0] - masses[0] / total) / total
    return float(np.sqrt(max(slope @ covariance @ slope, 0.0)))
