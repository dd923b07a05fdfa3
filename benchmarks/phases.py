"""Weight fractions from synthetic powder patterns of known mixtures: ``python -m benchmarks.phases --patterns 100``.

Mixtures of a target and one or two phases that the analysis expects beside it, and of a target and a fifth to four
fifths of a phase that it does not expect. Crystals: ``benchmarks/phase_crystals.py``; patterns:
``benchmarks/phase_patterns.py``, which shares no code with the analysis.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.errors import start
from benchmarks.phase_crystals import PARTNERS, STRANGERS, crystal
from benchmarks.phase_patterns import Grain, Scene, pattern, random_grain, random_scene
from instruments.analyses.context import AnalysisContext
from instruments.analyses.diffraction import METRIC, phase_fraction

Numbers = NDArray[np.float64]
GRID: Numbers = np.linspace(10, 80, 3501)
"""2 theta [deg]."""
CLOSE = 0.03  # of a fraction
_STRANGE = (0.2, 0.8)  # of the weight


class Arm(StrEnum):
    """What is in a powder."""

    TWO = "two phases"
    THREE = "three phases"
    UNKNOWN = "an unknown phase"


@dataclass(frozen=True)
class Sample:
    """A powder and its pattern.

    Attributes:
        weights: phase to its weight fraction.
        counts: at each angle of ``GRID``.
    """

    target: str
    weights: Mapping[str, float]
    grains: Mapping[str, Grain]
    scene: Scene
    counts: Numbers


@dataclass(frozen=True)
class Outcome:
    """What the analysis made of a sample: error of the fraction, its stated uncertainty, flags, processor time [s]."""

    sample: Sample
    error: float
    sd: float
    flags: tuple[str, ...]
    seconds: float


def draw(arm: Arm, seed: int) -> Sample:
    """Return a random sample."""
    rng = np.random.default_rng([seed, list(Arm).index(arm)])
    targets = [name for name, partners in PARTNERS.items() if arm is not Arm.THREE or len(partners) > 1]
    target = targets[rng.integers(len(targets))]
    partners = [str(name) for name in rng.permutation(PARTNERS[target])]
    beside = {Arm.TWO: 1, Arm.THREE: 2, Arm.UNKNOWN: int(rng.integers(2))}[arm]
    known = [target, *partners[:beside]]
    weights = dict(zip(known, map(float, rng.dirichlet(np.full(len(known), 1.5))), strict=True))
    if arm is Arm.UNKNOWN:
        strange = float(rng.uniform(*_STRANGE))
        weights = {name: share * (1 - strange) for name, share in weights.items()}
        weights[STRANGERS[rng.integers(len(STRANGERS))]] = strange
    grains = {name: random_grain(rng, textured=True) for name in weights}
    scene = random_scene(rng)
    counts = rng.poisson(pattern(GRID, weights, grains, scene)).astype(float)
    return Sample(target, weights, grains, scene, counts)


def judge(sample: Sample) -> Outcome:
    """Return what the analysis makes of a sample."""
    context = AnalysisContext(sample.target, crystal(sample.target))
    begun = time.process_time()
    found = phase_fraction({"two_theta": GRID, "counts": sample.counts}, context)
    seconds = time.process_time() - begun
    metric = found.metrics[METRIC]
    return Outcome(sample, metric.value - sample.weights[sample.target], metric.sd, found.flags, seconds)


def table(outcomes: Mapping[Arm, Sequence[Outcome]]) -> Table:
    """Return the table of all figures."""
    shown = Table(title="Synthetic powder patterns")
    shown.add_column("figure")
    for arm, ones in outcomes.items():
        shown.add_column(f"{arm} (of {len(ones)})", justify="right")
    for name, figure in _FIGURES.items():
        shown.add_row(name, *(figure(arm, ones) for arm, ones in outcomes.items()))
    return shown


def main(
    patterns: Annotated[int, typer.Option(min=1, help="Patterns of each kind.")] = 100,
    verbose: Annotated[bool, typer.Option(help="Name the samples that go wrong.")] = False,
) -> None:
    """Print how far fractions are off, how well their uncertainty covers that, and what is flagged."""
    warnings.simplefilter("ignore", DeprecationWarning)  # spglib announces that it will raise where it returns None
    console = Console()
    outcomes = {arm: [judge(draw(arm, seed)) for seed in track(range(patterns), arm)] for arm in Arm}
    console.print(table(outcomes))
    for arm, ones in outcomes.items() if verbose else ():
        for seed, one in enumerate(ones):
            if _wrong(arm, one):
                shares = ", ".join(f"{name} {share:.2f}" for name, share in one.sample.weights.items())
                console.print(f"{arm}, seed {seed}: {shares}; error {one.error:+.3f} ± {one.sd:.3f}; {one.flags}")


def _wrong(arm: Arm, one: Outcome) -> bool:
    return not one.flags if arm is Arm.UNKNOWN else bool(one.flags) or abs(one.error) > CLOSE


def _known(text: Callable[[Numbers, Numbers], str]) -> Callable[[Arm, Sequence[Outcome]], str]:
    """Return a figure of absolute errors and their uncertainties, which patterns of unknown phases have not."""

    def figure(arm: Arm, ones: Sequence[Outcome]) -> str:
        if arm is Arm.UNKNOWN:
            return "–"
        return text(np.abs([one.error for one in ones]), np.array([one.sd for one in ones]))

    return figure


_FIGURES: Mapping[str, Callable[[Arm, Sequence[Outcome]], str]] = {
    "error of the fraction, median": _known(lambda errors, _: f"{np.median(errors):.3f}"),
    "95th percentile": _known(lambda errors, _: f"{np.quantile(errors, 0.95):.3f}"),
    "largest": _known(lambda errors, _: f"{errors.max():.3f}"),
    f"within {CLOSE:g}": _known(lambda errors, _: f"{(errors <= CLOSE).mean():.0%}"),
    "within one standard uncertainty": _known(lambda errors, sds: f"{(errors <= sds).mean():.0%}"),
    "within two": _known(lambda errors, sds: f"{(errors <= 2 * sds).mean():.0%}"),
    "flagged": lambda _, ones: f"{np.mean([bool(one.flags) for one in ones]):.0%}",
    "processor time, median [s]": lambda _, ones: f"{np.median([one.seconds for one in ones]):.2f}",
}


if __name__ == "__main__":
    start(main)
