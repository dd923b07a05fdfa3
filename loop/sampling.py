"""Points of a search space: quasi-random ones, ones near a given point, and a space-filling start."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from campaigns.errors import CampaignError, Problem
from campaigns.space import CategoricalConfig, FloatConfig, OrdinalConfig, ParameterConfig, SpaceConfig
from campaigns.values import Candidate, Scalar

_DRAWS = 64  # batches drawn before a space is called empty
_LEVEL_CHANGE = 0.2  # how often a neighbour has another level


def sobol(space: SpaceConfig, count: int, seed: int) -> list[dict[str, Scalar]]:
    """Return different settings that keep all constraints, from a scrambled Sobol sequence (Owen 1998).

    Returns:
        ``count`` settings, or fewer where a finite space holds no more. A longer list begins with the shorter one.

    Raises:
        CampaignError: the constraints leave next to nothing of the space.
    """
    engine = qmc.Sobol(len(space.parameters), seed=seed)
    found: dict[tuple[Scalar, ...], dict[str, Scalar]] = {}
    batch = 2 ** math.ceil(math.log2(max(count, 8)))
    for _ in range(_DRAWS):
        before = len(found)
        for point in (settings(space, row) for row in engine.random(batch)):
            if space.allows(point):
                found.setdefault(tuple(point.values()), point)
        if len(found) >= count or 0 < before == len(found):
            break
    if not found:
        raise CampaignError([Problem("space.constraints", f"none of {_DRAWS * batch} points keeps all constraints")])
    return list(found.values())[:count]


def settings(space: SpaceConfig, unit_cube: NDArray[np.float64]) -> dict[str, Scalar]:
    """Return the settings at a point of the unit cube (one coordinate per parameter), rounded to what can be set."""
    pairs = zip(space.parameters.items(), unit_cube, strict=True)
    return {name: tidy(parameter, parameter.at(float(x))) for (name, parameter), x in pairs}


def tidy(parameter: ParameterConfig, value: Scalar) -> Scalar:
    """Return a float rounded to a thousandth of its range (log scale: four digits), within the bounds."""
    if not isinstance(parameter, FloatConfig):
        return value
    number = float(value)
    reach = abs(number) if parameter.scale == "log" else parameter.high - parameter.low
    rounded = round(number, 3 - math.floor(math.log10(reach)))
    return min(max(rounded, parameter.low), parameter.high)


def near(
    space: SpaceConfig, candidate: Candidate, count: int, generator: np.random.Generator, radius: float = 0.08
) -> list[Candidate]:
    """Return up to ``count`` candidates around one: numbers move by ``radius`` of their range, levels at times."""
    found = [_moved(space.parameters, candidate, generator, radius) for _ in range(count)]
    return [c for c in found if space.allows(c.parameters)]


def _moved(
    parameters: Mapping[str, ParameterConfig], candidate: Candidate, generator: np.random.Generator, radius: float
) -> Candidate:
    values: dict[str, Scalar] = {}
    for name, parameter in parameters.items():
        old = candidate.parameters[name]
        if isinstance(parameter, CategoricalConfig | OrdinalConfig):
            changes = generator.random() < _LEVEL_CHANGE
            values[name] = parameter.levels[generator.integers(len(parameter.levels))] if changes else old
        else:
            x = float(np.clip(parameter.fraction(old) + generator.normal(0.0, radius), 0.0, 1.0))
            values[name] = tidy(parameter, parameter.at(x))
    return replace(candidate, parameters=values)


def spread(embedding: NDArray[np.float64], count: int, seed: int) -> list[int]:
    """Return ``count`` rows of an embedding, n x d, that cover it: greedy k-centres from a random start.

    Gonzalez 1985, Theor. Comput. Sci. 38, 293.
    """
    chosen = [int(np.random.default_rng(seed).integers(len(embedding)))]
    distance = np.linalg.norm(embedding - embedding[chosen[0]], axis=1)
    while len(chosen) < min(count, len(embedding)):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(embedding - embedding[chosen[-1]], axis=1))
    return chosen
