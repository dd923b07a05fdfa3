"""Values as they can be set: rounded, and moved by so little that totals and equalities hold again."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from campaigns.spaces.parameters import FloatConfig, ParameterConfig
from campaigns.spaces.space import SpaceConfig
from campaigns.values import Scalar

Vector = NDArray[np.float64]
Setting = dict[str, Scalar]

_NOTHING = 1e-12


def tidy(parameter: ParameterConfig, value: Scalar) -> Scalar:
    """Return a float rounded to a thousandth of its range (log scale: four digits), within the bounds."""
    if not isinstance(parameter, FloatConfig):
        return value
    if parameter.low == parameter.high:
        return parameter.low
    number = float(value)
    reach = abs(number) if parameter.scale == "log" else parameter.high - parameter.low
    rounded = round(number, 3 - math.floor(math.log10(reach)))
    return min(max(rounded, parameter.low), parameter.high) + 0.0  # no negative zero


def tidied(space: SpaceConfig, setting: Setting) -> Setting:
    """Return a setting with every float rounded; a component that is there stays at or above its low end."""
    found = {name: tidy(space.all_parameters[name], value) for name, value in setting.items()}
    for mixture in space.mixtures.values():
        for name, (low, _) in mixture.spans.items():
            found[name] = (max(float(found[name]), low) if found[name] else 0.0) + 0.0
    return found


def satisfy_equalities(space: SpaceConfig, settings: Sequence[Setting], *, evenly: bool = False) -> list[Setting]:
    """Return settings in which totals and linear equalities hold, by moving as few floats as there are equalities.

    For each equality, the float with the most room moves. Where nothing can be moved the setting stays broken.

    Args:
        space: the parameters.
        settings: n settings, most of the way there.
        evenly: let the same parameters move in each setting, so that what was uniform remains so; else each setting's
            own choice, which keeps most of them in their bounds.
    """
    system = space.system
    if not len(system.equal) or not settings:
        return list(settings)
    values = np.array([[float(s[name]) for name in system.names] for s in settings])
    off = system.equal_to - values @ system.equal.T
    moves = _moves(system.equal, off, _room(space, values, evenly=evenly))
    found = []
    for setting, row, move in zip(settings, values, moves, strict=True):
        changed = np.flatnonzero(np.abs(move) > _NOTHING * (1.0 + np.abs(row)))
        new: Setting = {system.names[i]: _kept(space, system.names[i], row[i] + move[i]) for i in changed}
        found.append(setting | new)
    return found


def _kept(space: SpaceConfig, name: str, value: float) -> float:
    """Return a number without the noise of arithmetic, at a bound if it is there but for such noise."""
    parameter = space.all_parameters[name]
    value = float(f"{value:.12g}") + 0.0  # no negative zero
    for bound in (float(parameter.at(0.0)), float(parameter.at(1.0))):
        if abs(value - bound) < _NOTHING * (1.0 + abs(bound)):
            return bound
    return value


def _room(space: SpaceConfig, values: Vector, *, evenly: bool) -> Vector:
    """Return how far each number, n x d, may move: whole numbers and absent components not at all."""
    system = space.system
    room = np.minimum(values - system.low, system.high - values).clip(0.0)
    shares = {n: (m, low) for m in space.mixtures.values() for n, (low, _) in m.spans.items()}
    for i, name in enumerate(system.names):
        if name not in shares:
            free = isinstance(space.all_parameters[name], FloatConfig)
            room[:, i] = room[:, i] * free if not (evenly and free) else system.high[i] - system.low[i]
        elif shares[name][0].at_most is not None:
            above = (values[:, i] - shares[name][1]).clip(0.0)
            room[:, i] = np.where(values[:, i] == 0.0, 0.0, np.minimum(above, system.high[i] - values[:, i]))
    return room


def _moves(equal: Vector, off: Vector, room: Vector) -> Vector:
    """Solve ``equal @ moves = off`` for n settings by Gauss-Jordan elimination, pivots where there is most room.

    Args:
        equal: e x d.
        off: n x e.
        room: n x d, not negative.
    """
    matrix, right = equal * room[:, None, :], off.copy()
    each, pivots = np.arange(len(off)), []
    for row in range(len(equal)):
        pivot = np.abs(matrix[:, row]).argmax(axis=1)
        size = matrix[each, row, pivot]
        size = np.where(np.abs(size) > _NOTHING, size, np.inf)
        matrix[:, row] /= size[:, None]
        right[:, row] /= size
        factor = matrix[each, :, pivot]
        factor[:, row] = 0.0
        matrix -= factor[:, :, None] * matrix[:, row][:, None, :]
        right -= factor * right[:, row][:, None]
        pivots.append(pivot)
    moves = np.zeros_like(room)
    for row, pivot in enumerate(pivots):
        moves[each, pivot] += right[:, row]
    return moves * room
