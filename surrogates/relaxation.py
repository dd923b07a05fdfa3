"""The lattices that CHGNet prefers, for cells made by substitution: volumes scaled, shape and coordinates as given."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from pymatgen.core import Structure

from campaigns.errors import ModelError
from surrogates.equation_of_state import relax_volume, scaled
from surrogates.features.chgnet_model import ChgnetModel
from surrogates.parallel.scheduling import HERE, spread

_MODEL = ChgnetModel("0.3.0")
_EVALUATIONS = 12  # at most: five reach the limits of the search, the rest converge lengths to 0.2 %
_TASK = 16  # structures: below a second
_MANY = 4096  # structures to look ahead, to know whether worker processes are worth their start


@dataclass(frozen=True, slots=True)
class Settled:
    """A cell at the volume that CHGNet prefers.

    Attributes:
        structure: the scaled cell, or the cell as given where no minimum was found.
        scale: of all lengths.
        problem: why no minimum was found; None where one was.
    """

    structure: Structure
    scale: float
    problem: str | None


def relax_volumes(structures: Iterable[Structure]) -> Iterator[Settled]:
    """Yield each cell, in order, scaled to the lowest energy with its shape and fractional coordinates fixed.

    Many cells are shared out over the cores; structures are taken some thousand ahead.

    Raises:
        ModelError: a worker process died.
    """
    waiting = iter(structures)
    ahead = list(islice(waiting, _MANY))
    tasks = _tasks(chain(ahead, waiting))
    done: dict[int, list[Settled]] = {}
    position = 0
    for index, part in spread(settle_all, tasks, len(ahead), HERE):
        done[index] = part
        while position in done:
            yield from done.pop(position)
            position += 1


def settle_all(structures: Sequence[Structure]) -> list[Settled]:
    """Settle cells here, one after the other."""
    return [_settle(structure) for structure in structures]


def _settle(structure: Structure) -> Settled:
    try:
        found = relax_volume(structure, _energy, _EVALUATIONS)
    except ModelError as error:
        return Settled(structure, 1.0, str(error))
    if not found.minimum:
        towards = f"the energy still falls at {found.scale:.2f} times the lengths"
        return Settled(structure, 1.0, f"CHGNet finds no equilibrium volume for {structure.formula}: {towards}")
    return Settled(scaled(structure, found.scale), found.scale, None)


def _energy(structure: Structure) -> float:
    energy = float(_MODEL.evaluate([structure]).energy[0])
    if not math.isfinite(energy):
        raise ModelError(f"CHGNet says nothing finite of {structure.formula}")
    return energy


def _tasks(structures: Iterator[Structure]) -> Iterator[list[Structure]]:
    while task := list(islice(structures, _TASK)):
        yield task
