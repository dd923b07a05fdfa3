"""Functions with a known optimum in boxes, with and without noise, constraints, categories and a second objective."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from benchmarks.planner.space import Choice, Numbers, Occasion, Parameter, Readings, Real, Task

Function = Callable[[Numbers], Numbers]
"""From points, n x d, to outcomes without noise, n x (o + s)."""


@dataclass(frozen=True, slots=True)
class Noise:
    """Normal noise of each outcome.

    Attributes:
        low, high: standard deviation where the first parameter is lowest, and where it is highest.
        replicates: how often a point is measured; the mean counts, with its standard error.
    """

    low: float
    high: float
    replicates: int = 1


@dataclass(frozen=True, eq=False)
class Box:
    """A task in a box.

    Attributes:
        optimum: best value of the objective; largest hypervolume where there are two.
        worst: regret that counts while no point keeps the constraints.
        marks: numbers of experiments at which the regret is reported.
        reference: point from which the hypervolume of two objectives counts.
    """

    task: Task
    function: Function
    optimum: float
    marks: tuple[int, ...]
    noise: Noise | None = None
    worst: float = np.inf
    reference: tuple[float, ...] = ()

    @property
    def replicated(self) -> bool:
        """Return whether points are measured several times, so that their uncertainties are given."""
        return self.noise is not None and self.noise.replicates > 1

    def start(self, seed: int, count: int) -> Numbers:
        """Return the random points, count x d, that every engine begins with; fewer are the first of more."""
        generator = np.random.default_rng([seed, zlib.crc32(self.task.name.encode())])
        drawn = [[_drawn(p, generator) for p in self.task.parameters] for _ in range(count)]
        return np.array(drawn).reshape(count, len(self.task.parameters))

    def measure(self, point: Numbers, occasion: Occasion) -> Readings:
        """Return what an experiment says; its noise depends on seed and number of the experiment alone."""
        true = self.function(point[None])
        if self.noise is None:
            return Readings.single(true)
        generator = np.random.default_rng([occasion.seed, zlib.crc32(self.task.name.encode()), occasion.number])
        sd = self.noise.low + (self.noise.high - self.noise.low) * self.task.unit(point[None])[0, 0]
        drawn = true + sd * generator.standard_normal((self.noise.replicates, *true.shape))
        if self.noise.replicates == 1:
            return Readings.single(drawn[0])
        return Readings(drawn.mean(axis=0), drawn.std(axis=0, ddof=1) / np.sqrt(self.noise.replicates), drawn)

    def regrets(self, points: Numbers) -> Numbers:
        """Return by how much the best of the points so far misses the optimum, without noise, n."""
        values = self.function(points)
        if self.reference:
            return self.optimum - _volumes(self.task.merits(values), self.reference)
        merits = self.task.merits(values)[:, 0]
        kept = (values[:, 1:] >= 0).all(axis=1)
        missed = np.where(kept, self.task.signs[0] * self.optimum - merits, self.worst)
        return np.asarray(np.minimum.accumulate(np.maximum(missed, 0.0)))


def boxes() -> tuple[Box, ...]:
    """Return all functions."""
    smooth = _box("hartmann6", "Hartmann", (20, 40))
    noisy = replace(smooth, task=replace(smooth.task, name="hartmann6-noisy", noisy=True, total=60))
    return (
        _box("branin", "Branin", (20, 30)),
        _box("hartmann3", "Hartmann", (20, 30), dim=3),
        smooth,
        replace(noisy, noise=Noise(0.1, 0.1), marks=(20, 40, 60)),
        _box("ackley5", "Ackley", (20, 40), dim=5, bounds=[(-5.0, 10.0)] * 5),
        _mixed(),
        _dtlz2(),
        _gramacy(),
        Box(Task("decades", _reals([(0.0, 1.0)] * 3), (-1.0,), total=30), decades, -1.2, (20, 30)),
    )


def uneven() -> tuple[Box, ...]:
    """Return one function with even and with input-dependent noise, of the same mean standard deviation."""
    smooth = _box("hartmann6", "Hartmann", (20, 40))
    kinds = (("even", Noise(0.5, 0.5, 3)), ("uneven", Noise(0.0, 1.0, 3)))
    tasks = ((replace(smooth.task, name=f"hartmann6-{name}", noisy=True), noise) for name, noise in kinds)
    return tuple(replace(smooth, task=task, noise=noise) for task, noise in tasks)


@dataclass(frozen=True)
class Synthetic:
    """A function of BoTorch's, by name, so that worker processes can make it themselves.

    Attributes:
        options: of its constructor, as pairs.
    """

    name: str
    options: tuple[tuple[str, Any], ...] = ()

    def __call__(self, points: Numbers) -> Numbers:
        """Return objectives and slacks, n x (o + s)."""
        import torch  # late: not every engine needs it

        problem, at = _problem(self.name, self.options), torch.from_numpy(points)
        values = problem(at).reshape(len(points), -1)
        slacks = [problem.evaluate_slack(at)] if hasattr(problem, "evaluate_slack") else []
        return np.asarray(torch.cat([values, *slacks], dim=1).numpy())


@cache
def _problem(name: str, options: tuple[tuple[str, Any], ...]) -> Any:
    from botorch.test_functions import multi_objective, synthetic

    kinds = vars(multi_objective) | vars(synthetic)
    return kinds[name](**{key: _thawed(value) for key, value in options}).double()


def _thawed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _box(name: str, kind: str, marks: tuple[int, ...], **options: Any) -> Box:
    frozen = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    function = Synthetic(kind, tuple(frozen.items()))
    problem = _problem(kind, function.options)
    task = Task(name, _reals(problem.bounds.T.tolist()), (-1.0,), total=marks[-1])
    return Box(task, function, float(problem.optimal_value), marks)


def _gramacy() -> Box:
    function = Synthetic("ConstrainedGramacy")
    task = Task("gramacy", _reals([(0.0, 1.0)] * 2), (-1.0,), slacks=2, total=30)
    return Box(task, function, 0.5998, (20, 30), worst=2.0 - 0.5998)


def _dtlz2() -> Box:
    function = Synthetic("DTLZ2", (("dim", 4), ("num_objectives", 2)))
    problem = _problem(function.name, function.options)
    task = Task("dtlz2", _reals([(0.0, 1.0)] * 4), (-1.0, -1.0), total=40)
    reference = tuple(-float(value) for value in problem.ref_point)
    return Box(task, function, float(problem.max_hv), (30, 40), reference=reference)


_LEVELS = ("a", "b", "c", "d", "e", "f")
_HANDICAPS = np.array([0.9, 1.5, 0.3, 0.0, 1.2, 0.6])
_SHIFTS = np.array(
    [[0.2, -0.3, 0.1], [-0.2, 0.2, 0.3], [0.1, 0.1, -0.2], [0, 0, 0], [0.3, -0.1, 0.2], [-0.1, -0.2, 0.1]]
)


_WIDE_HARTMANN = Synthetic("Hartmann", (("dim", 3), ("bounds", ((-1.0, 2.0),) * 3)))


def mixed(points: Numbers) -> Numbers:
    """Return Hartmann's function of three variables, moved and raised by the category in the first column; n x 1.

    Its optimum lies in the category that is neither moved nor raised.
    """
    levels = points[:, 0].astype(int)
    moved = np.ascontiguousarray(points[:, 1:] + _SHIFTS[levels])
    return np.asarray(_WIDE_HARTMANN(moved) + _HANDICAPS[levels][:, None])


def decades(points: Numbers) -> Numbers:
    """Return a valley over orders of magnitude of the first of three variables, which a campaign has linear; n x 1.

    Its bottom is at (0.009, 0.7, 1).
    """
    first, second, third = points.T
    valley = np.exp(-2.0 * np.square(np.log10(first + 1e-3) + 2.0) - 4.0 * np.square(second - 0.7))
    return np.asarray((-valley - 0.2 * third)[:, None])


def _mixed() -> Box:
    task = Task("mixed", (Choice("category", _LEVELS), *_reals([(0.0, 1.0)] * 3)), (-1.0,), total=40)
    return Box(task, mixed, -3.86278, (30, 40))


def _reals(bounds: Any) -> tuple[Parameter, ...]:
    return tuple(Real(f"x{i}", float(low), float(high)) for i, (low, high) in enumerate(bounds))


def _drawn(parameter: Parameter, generator: np.random.Generator) -> float:
    match parameter:
        case Real(low=low, high=high):
            return float(generator.uniform(low, high))
        case Choice(levels=levels):
            return float(generator.integers(len(levels)))


def _volumes(merits: Numbers, reference: tuple[float, ...]) -> Numbers:
    """Return the area that the first k of two objectives, n x 2, cover above a reference, for each k."""
    return np.array([_volume(merits[: k + 1], reference) for k in range(len(merits))])


def _volume(merits: Numbers, reference: tuple[float, ...]) -> float:
    """Return the area of the union of rectangles, by a sweep from the right."""
    ranked = merits[np.argsort(-merits[:, 0])]
    total, height = 0.0, reference[1]
    for x, y in ranked[(ranked > np.array(reference)).all(axis=1)]:
        total += (x - reference[0]) * max(0.0, y - height)
        height = max(height, y)
    return float(total)
