"""Points of a search space: quasi-random ones, and ones near a given point."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice

import numpy as np

from campaigns.errors import CampaignError, Problem
from campaigns.spaces.settings_table import Table
from campaigns.spaces.space import SpaceConfig
from campaigns.values import Candidate
from loop.sampling.perturbation import Perturbation, nearest_rows
from loop.sampling.polytope import interior
from loop.sampling.rounding import Setting
from loop.sampling.space_filling import farthest_first
from loop.sampling.unit_cube import UnitCube

_DRAWS = 64  # batches drawn before a space is called empty
_LEAST = 2**15  # points that are drawn before that, at least
_STALE = 64  # points known already after which a space is taken to hold no more
_TRIAL = 512  # points that tell whether linear constraints leave enough of the cube
_ENOUGH = (4, 32)  # of them: without equalities, and with some, where a walk costs less than many points in vain
_ROUNDS = 24  # of the walk through what they leave
_AGAIN = 4  # times that moves are tried where many of them leave the space


def sobol(space: SpaceConfig, count: int, seed: int) -> list[Setting]:
    """Return different settings of a space, quasi-random, that keep all constraints.

    They follow a scrambled Sobol sequence (Owen 1998); where linear constraints leave too little for that, uniform
    points of what they leave, and of a table its rows, in an order in which each lies far from those before.

    Returns:
        ``count`` settings, or fewer where a finite space holds no more. A longer list begins with the shorter one.

    Raises:
        CampaignError: the constraints leave next to nothing of the space.
    """
    if space.table is not None:
        return list(space.table.take(_scattered(space.table, seed)[:count]))
    found: dict[tuple[object, ...], Setting] = {}
    drawn = stale = 0
    for tried, batch in _batches(space, count, seed):
        drawn += tried
        for point in batch:
            key = tuple(point.items())
            stale = stale + 1 if key in found else 0
            found.setdefault(key, point)
        if len(found) >= count or stale > _STALE + 4 * len(found):
            break
    if not found:
        none = f"none of {drawn} points keeps" if drawn else "no point was found that keeps"
        forbidden = [f"not ({one.condition.text}), by the lab file" for one in space.forbidden]
        message = f"{none} all constraints; loosen one of them: {'; '.join([*space.constraints, *forbidden])}"
        raise CampaignError([Problem("space.constraints", message)])
    return list(found.values())[:count]


def _batches(space: SpaceConfig, count: int, seed: int) -> Iterator[tuple[int, list[Setting]]]:
    """Yield how many points were tried, and those of them that lie in the space."""
    from scipy.stats import qmc  # half a second to load, and of a table nothing is drawn

    cube, size = UnitCube(space), 2 ** math.ceil(math.log2(max(count, 8)))
    engine = qmc.Sobol(cube.dimensions, seed=seed)
    draws = max(_DRAWS, _LEAST // size)
    drawn: Iterator[tuple[int, list[Setting]]] = ((size, cube.settings(engine.random(size))) for _ in range(draws))
    if not len(space.system.names):
        return drawn
    first = cube.settings(engine.random(_TRIAL))
    equal = bool(len(space.system.equal))
    if len(first) < _ENOUGH[equal]:
        drawn = ((len(batch), batch) for batch in islice(interior(space, seed), _ROUNDS))
    else:
        drawn = chain([(_TRIAL, first)], drawn)
    return _until(drawn, _STALE + 4 * count) if equal else drawn


def _until(batches: Iterator[tuple[int, list[Setting]]], most: int) -> Iterator[tuple[int, list[Setting]]]:
    """Yield batches up to so many settings: rounded ones that keep equalities may be few, and come again and again."""
    found = 0
    for tried, batch in batches:
        yield tried, batch
        found += len(batch)
        if found > most:
            return


def _scattered(table: Table, seed: int) -> np.ndarray:
    """Return the rows of a table in an order of which every beginning covers it."""
    columns = []
    for name, parameter in table.parameters.items():
        if parameter.kind == "categorical":
            columns += [(table.column(name) == level).astype(float) for level in range(len(parameter.levels))]
        else:
            columns.append(np.nan_to_num(table.fractions(name), nan=0.5))
    return farthest_first(np.column_stack(columns), np.random.default_rng(seed))


def near(
    space: SpaceConfig, candidate: Candidate, count: int, generator: np.random.Generator, radius: float = 0.08
) -> list[Candidate]:
    """Return up to ``count`` candidates around one: numbers move by ``radius`` of their range, levels at times.

    Moves keep equalities and totals; components of a mixture exchange, come and go. Of a table, the nearest rows.
    """
    old = dict(candidate.parameters)
    if space.table is not None:
        return [replace(candidate, parameters=row) for row in nearest_rows(space.table, old, count)]
    moves = Perturbation(space, radius, generator)
    found: list[Setting] = []
    for _ in range(_AGAIN if len(space.system.equal) else 1):
        found += [new for new in (moves.moved(old) for _ in range(count)) if space.allows(new)]
        if len(found) >= count:
            break
    return [replace(candidate, parameters=values) for values in found[:count]]


def unseen(space: SpaceConfig, seen: frozenset[tuple[object, ...]]) -> Sequence[Setting]:
    """Return the rows of a space's table that no key in ``seen`` (see ``Candidate.key``) stands for."""
    if space.table is None:
        return []
    settings: list[Setting] = [dict(key[1:]) for key in seen]  # type: ignore[arg-type]
    places = [space.table.place(setting) for setting in settings]
    left = np.full(len(space.table), True)
    left[[place for place in places if place is not None]] = False
    return space.table.take(left)
